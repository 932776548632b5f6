"""A data set with mined negatives: what is kept, what is added, and that it can be made again."""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from folder_bytes import contents
from report_run import make_run

from distributed.cli.main import main
from siamese.data.sharding import make_data_set
from siamese.data.shards import read_manifest, read_shards
from siamese.mining import mined_data_set
from siamese.mining.mine import Mined
from siamese.mining.mined_data_set import mine_data_set
from siamese.storage.atomic import sha256_of

PAIRS = [f"问{i}甲\t问{i}乙\t1\n问{i}甲\t答{i}\t0\n" for i in range(6)]
PAIRS += [f"问{i}题\t答{i}题\t1\n" for i in range(6, 20)] + ["问3丙\t答4丁\t0\n"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return Path(make_run(tmp_path_factory.mktemp("model") / "run", [], epochs=1).best)


@pytest.fixture
def data(tmp_path) -> Path:
    (tmp_path / "pairs.tsv").write_text("".join(PAIRS), encoding="utf-8")
    make_data_set([str(tmp_path / "pairs.tsv")], tmp_path / "data", rows_per_shard=9, seed=0)
    return tmp_path / "data"


def groups_in(folder: Path) -> list:
    return list(read_shards(folder)[0].groups)


def test_labels_are_kept_and_what_is_missing_is_added(model, data, tmp_path) -> None:
    mined, _ = mine_data_set(model, str(data), str(tmp_path / "new"), per_group=2, margin=9)
    old, new = groups_in(data), groups_in(tmp_path / "new")
    assert [(g.id, g.texts, g.pairs) for g in new] == [(g.id, g.texts, g.pairs) for g in old]
    every = {text for group in old for text in (*group.texts, *group.negatives)}
    for one, other in zip(old, new, strict=True):
        assert other.negatives[: len(one.negatives)] == one.negatives
        if len(one.texts) == 1:
            assert other == one
            continue
        assert len(set(other.negatives)) == 2
        assert set(other.negatives) <= every - set(one.texts)
    added = sum(len(g.negatives) for g in new) - sum(len(g.negatives) for g in old)
    assert mined.negatives == added == 2 * 14 + 6


def test_the_same_inputs_give_the_same_bytes_and_the_manifest_tells_what_was_mined(
    model, data, tmp_path
) -> None:
    for name in ("one", "other"):
        mine_data_set(model, str(data), str(tmp_path / name), margin=9)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    manifest = read_manifest(tmp_path / "one")
    assert manifest["options"] == {
        "rows_per_shard": 9,
        "seed": 0,
        "mined": {"model": sha256_of(model / "manifest.json"), "margin": 9, "per_group": 1},
    }
    assert len(manifest["files"]) == 3


def test_files_are_read_as_a_data_set_is(model, data, tmp_path) -> None:
    mine_data_set(model, str(data), str(tmp_path / "one"), margin=9)
    mine_data_set(model, str(tmp_path / "pairs.tsv"), str(tmp_path / "other"), margin=9)

    def found(name: str) -> dict[str, tuple[str, ...]]:
        return {group.id: group.negatives for group in groups_in(tmp_path / name)}

    assert found("one") == found("other")


def test_further_texts_may_be_negatives(model, data, tmp_path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("问7题！\n问8题问\n问8题问？\n", encoding="utf-8")
    mined, _ = mine_data_set(
        model, str(data), str(tmp_path / "new"), [str(more)], per_group=60, margin=99
    )
    found = {group.texts[0]: group.negatives for group in mined.groups}
    assert "问8题问" in found["问9题"]
    assert not {"问8题问？", "问7题！"} & set(found["问9题"])  # near duplicates are found once
    assert not {"问7题！", "问7题"} & set(found["问7题"])


def test_the_command_says_what_was_found(model, data, tmp_path, capsys) -> None:
    output = tmp_path / "new"
    arguments = ["negatives", model, data, "--output", output, "--margin", "1", "--per-group", "2"]
    with patch.object(sys, "argv", ["siamese", *map(str, arguments)]), pytest.raises(SystemExit):
        main()
    lines = capsys.readouterr().out.splitlines()
    after, before = (read_manifest(folder)["counts"]["negatives"] for folder in (output, data))
    assert lines[0].startswith(f"{after - before:,} negatives mined for ")
    assert lines[0].endswith(f"of 21 groups, among 48 texts: {output}")
    assert "groups refused: they may mean the same (--margin)" in lines[1]
    texts = {json.dumps(text, ensure_ascii=False) for g in groups_in(output) for text in g.texts}
    assert {line.split("  ")[2] for line in lines[2:5]} <= texts


@pytest.mark.parametrize(("share", "warned"), [(0.04, False), (0.06, True)])
def test_a_model_that_tells_few_texts_apart_is_warned_of(
    model, data, tmp_path, monkeypatch, share, warned
) -> None:
    monkeypatch.setattr(mined_data_set, "mine", partial(_refusing, mined_data_set.mine, share))
    _, notes = mine_data_set(model, str(data), str(tmp_path / "new"), margin=9)
    assert any("train it longer, then mine" in note for note in notes) is warned


def _refusing(mine, share: float, *arguments) -> Mined:
    found = mine(*arguments)
    return replace(found, refused=round(share * found.asked * found.searched))
