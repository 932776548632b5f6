"""A run at a URI: what is copied, in which order, and what comes back."""

from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from tiny_run import DATA, PAIRS, TINY, KilledError, run_in, weights

from siamese.config.loading import load_recipe
from siamese.data.sampling import sample_rows
from siamese.errors import UserError
from siamese.storage.mirror import Mirror
from siamese.training.context import LocalContext
from siamese.training.execution import Execution
from siamese.training.loop import fit
from siamese.training.preparation import prepare
from siamese.training.run_folder import RunFolder


@pytest.fixture
def uri() -> str:
    return f"memory://{uuid4().hex}/runs/a"


def remote_files(uri: str) -> dict[str, bytes]:
    filesystem, root = fsspec.core.url_to_fs(uri)
    found = filesystem.find(root) if filesystem.exists(root) else []
    return {path.removeprefix(root).strip("/"): filesystem.cat_file(path) for path in found}


def local_files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_part_of_a_file_that_is_copied_is_reported(tmp_path, uri) -> None:
    """So a worker that copies a large checkpoint is seen to make progress."""
    parts = []
    mirror = Mirror(tmp_path / "here", uri, progress=lambda: parts.append(1))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "large").write_bytes(bytes(3 * 2**22))  # fsspec copies 4 MiB at a time
    mirror.push()
    assert len(parts) >= 3
    parts.clear()
    Mirror(tmp_path / "there", uri, progress=lambda: parts.append(1)).pull()
    assert len(parts) >= 3
    assert (tmp_path / "there" / "large").stat().st_size == 3 * 2**22


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


CHECKPOINT = {"checkpoints/step-1/variables.npz": "v", "checkpoints/step-1/progress.json": "p"}


def test_what_is_pushed_can_be_pulled(tmp_path, uri) -> None:
    write(tmp_path / "a", {"recipe.yaml": "r", "best/manifest.json": "m", **CHECKPOINT})
    Mirror(tmp_path / "a", uri).push()
    Mirror(tmp_path / "b", uri).pull()
    assert local_files(tmp_path / "b") == local_files(tmp_path / "a") == remote_files(uri)


def test_a_second_push_copies_changes_and_removals_only(tmp_path, uri, monkeypatch) -> None:
    write(tmp_path, {"recipe.yaml": "r", "metrics.jsonl": "1", **CHECKPOINT})
    mirror = Mirror(tmp_path, uri)
    mirror.push()
    for path in (tmp_path / "checkpoints" / "step-1").iterdir():
        path.unlink()
    write(tmp_path, {"metrics.jsonl": "1\n2"})
    sent = []
    put = mirror._filesystem.put_file
    monkeypatch.setattr(
        mirror._filesystem, "put_file", lambda a, b, **k: (sent.append(Path(a).name), put(a, b))
    )
    mirror.push()
    assert sent == ["metrics.jsonl"]
    assert remote_files(uri) == {"recipe.yaml": b"r", "metrics.jsonl": b"1\n2"}


def test_what_is_still_being_written_is_not_pushed(tmp_path, uri) -> None:
    write(tmp_path, {"checkpoints/.step-2.x/progress.json": "p", ".metrics.jsonl.x": "m"})
    Mirror(tmp_path, uri).push()
    assert remote_files(uri) == {}


@pytest.mark.parametrize("after", range(4))
def test_a_push_that_dies_leaves_no_half_folder_that_seems_whole(
    tmp_path, uri, monkeypatch, after
) -> None:
    """`best/` is replaced by a push that is cut off after so many files."""
    old = {"best/encoder.keras": "old", "best/metrics.json": "old", "best/manifest.json": "old"}
    new = {**dict.fromkeys(old, "new"), **CHECKPOINT}
    write(tmp_path / "a", old)
    mirror = Mirror(tmp_path / "a", uri)
    mirror.push()
    write(tmp_path / "a", new)
    sent = 0
    put = mirror._filesystem.put_file

    def dying(source, target, **_):
        nonlocal sent
        if sent == after:
            raise KilledError
        sent += 1
        put(source, target)

    monkeypatch.setattr(mirror._filesystem, "put_file", dying)
    with pytest.raises(KilledError):
        mirror.push()
    there = remote_files(uri)
    if "best/manifest.json" in there:
        assert {there[name] for name in old} in ({b"old"}, {b"new"})
    if "checkpoints/step-1/progress.json" in there:
        assert "checkpoints/step-1/variables.npz" in there
    Mirror(tmp_path / "b", uri).pull()
    pulled = {p.name for p in (tmp_path / "b").glob("checkpoints/*/*")}
    assert pulled in (set(), {"variables.npz", "progress.json"})


def fit_at(uri: str, fresh: bool) -> RunFolder:
    recipe = load_recipe("fast", list(TINY))
    run = RunFolder.open(uri)
    if fresh:
        run.start(recipe, {"hash": "tests"}, fresh=True)
    fit(
        LocalContext(run, Execution(checkpoint_steps=2)),
        recipe,
        DATA,
        PAIRS,
        prepare(recipe, DATA, PAIRS),
    )
    return run


def test_a_run_at_a_uri_that_was_killed_resumes_to_the_weights_of_a_local_one(
    tmp_path, uri, monkeypatch
) -> None:
    """Nothing of the first machine is left: only what was copied."""
    taken = 0

    def dying(*args, **kwargs):
        nonlocal taken
        taken += 1
        if taken > 5:
            raise KilledError
        return sample_rows(*args, **kwargs)

    monkeypatch.setattr("siamese.training.batches.sample_rows", dying)
    with pytest.raises(KilledError):
        fit_at(uri, fresh=True)
    monkeypatch.undo()
    assert weights(fit_at(uri, fresh=False)) == weights(run_in(tmp_path / "local"))
    there = remote_files(uri)
    assert {"recipe.yaml", "data.json", "metrics.jsonl", "best/manifest.json"} <= there.keys()
    assert sum(name.endswith("progress.json") for name in there) == 2


def test_a_uri_is_refused_resumed_or_replaced_like_a_folder(uri) -> None:
    with pytest.raises(UserError, match=r"memory://.*holds no run to resume"):
        RunFolder.open(uri).check("resume")
    RunFolder.open(uri).check("refuse")
    recipe = load_recipe("fast", list(TINY))
    RunFolder.open(uri).start(recipe, {"hash": "one"}, fresh=False)
    with pytest.raises(UserError, match="exists already"):
        RunFolder.open(uri).check("refuse")
    RunFolder.open(uri).check("resume")
    again = RunFolder.open(uri)
    with pytest.raises(UserError, match="other data"):
        again.check_same(recipe, {"hash": "two"})
    again.check("fresh")
    again.start(recipe, {"hash": "two"}, fresh=True)
    RunFolder.open(uri).check_same(recipe, {"hash": "two"})


def test_what_is_no_run_is_not_deleted_at_a_uri(uri) -> None:
    filesystem, root = fsspec.core.url_to_fs(uri)
    filesystem.pipe_file(f"{root}/notes.txt", b"mine")
    with pytest.raises(UserError, match="not the folder of a run"):
        RunFolder.open(uri).check("fresh")
    assert remote_files(uri) == {"notes.txt": b"mine"}


def test_a_file_uri_is_a_folder(tmp_path) -> None:
    assert RunFolder.open(f"file://{tmp_path}/run").path == tmp_path / "run"
