"""Folders that `datasets` saved, and repositories at `hf://`: of a file system that stands in."""

import json
from typing import ClassVar

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from input_files import refusal, write

from siamese.data.pair import Pair
from siamese.data.reading import read_pairs

ROWS = {"sentence1": ["甲", "甲"], "sentence2": ["乙", "丙"], "label": [1, 0]}
PAIRS = [Pair("甲", "乙", 1), Pair("甲", "丙", 0)]
TSV = "甲\t乙\t1\n甲\t丙\t0\n"


def arrow(new=pa.ipc.new_stream, **columns: object) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def saved(tmp_path):
    """As `DatasetDict.save_to_disk` writes it."""
    for split in ("train", "test"):
        files = [{"filename": f"data-0000{n}-of-00002.arrow"} for n in range(2)]
        state = {"_data_files": files, "_fingerprint": "0", "_format_columns": None}
        write(tmp_path / "saved" / split / "state.json", json.dumps(state))
        write(tmp_path / "saved" / split / "dataset_info.json", '{"features": {}}')
        for n, file in enumerate(files):
            content = arrow(**{name: column[n : n + 1] for name, column in ROWS.items()})
            write(tmp_path / "saved" / split / file["filename"], content)
    write(tmp_path / "saved" / "dataset_dict.json", '{"splits": ["train", "test"]}')
    return tmp_path / "saved"


def test_a_split_that_was_saved_is_read(saved):
    assert read_pairs([str(saved / "train")]) == PAIRS


def test_several_splits_are_listed_for_the_user_to_choose(saved):
    assert "holds the splits train, test" in refusal(saved)


@pytest.mark.parametrize("files", ["x", [3], [{"filename": "../a.arrow"}], [{}]])
def test_a_damaged_state_is_a_sentence(saved, files):
    write(saved / "train" / "state.json", json.dumps({"_data_files": files}))
    assert "state.json: damaged" in refusal(saved / "train")


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_an_arrow_file_alone_is_read(tmp_path, new):
    assert read_pairs([str(write(tmp_path / "a.arrow", arrow(new, **ROWS)))]) == PAIRS


@pytest.mark.parametrize("content", [b"no arrow", arrow(**ROWS)[:-300], b"ARROW1 no"])
def test_a_damaged_arrow_file_is_a_sentence(tmp_path, content):
    file = write(tmp_path / "a.arrow", content)
    assert f"{file}: not Arrow, or damaged" in refusal(file)


class Hub(MemoryFileSystem):
    protocol = "hf"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("hf://"))


@pytest.fixture
def hub(monkeypatch):
    fsspec.register_implementation("hf", Hub, clobber=True)
    Hub.store.clear()
    files = fsspec.filesystem("hf")
    for name in ("train-00000-of-00002.tsv", "train-00001-of-00002.tsv", "test-00000-of-00001.tsv"):
        content = TSV.splitlines(keepends=True)["00001-of" in name or "test" in name]
        files.pipe(f"datasets/me/two/data/{name}", content.encode())
    files.pipe("datasets/me/two/README.md", b"#")
    files.pipe("datasets/me/two/dataset_infos.json", b"{}")
    files.pipe("datasets/me/one/pairs.tsv", TSV.encode())
    return files


@pytest.mark.parametrize(
    "uri",
    [
        "hf://datasets/me/one",
        "hf://datasets/me/one/pairs.tsv",
        "hf://datasets/me/two/train",
        "hf://datasets/me/two/data/train-*.tsv",
    ],
)
def test_a_repository_a_file_and_a_split_at_the_hub_are_read(hub, uri):
    assert read_pairs([uri]) == PAIRS


def test_a_repository_of_several_splits_and_a_split_that_is_none_are_refused(hub):
    assert "holds the splits test, train. Name one" in refusal("hf://datasets/me/two")
    assert "no such file" in refusal("hf://datasets/me/two/dev")


def test_the_package_that_knows_the_hub_is_named_if_it_is_missing(monkeypatch):
    def none(uri):
        raise ImportError("Install huggingface_hub to access HfFileSystem")

    monkeypatch.setattr("fsspec.core.url_to_fs", none)
    message = refusal("hf://datasets/me/one")
    assert "huggingface_hub" in message
    assert "siamese-ray[hf]" in message
