"""What teachers say of texts, read again: centred, joined, found by text."""

import json

import numpy as np
import pyarrow as pa
import pytest
from small_teacher import DIM, vector_of

import siamese.teaching.teach
import siamese.teaching.teacher_vectors
from siamese.errors import UserError
from siamese.teaching.teach import teach
from siamese.teaching.teacher import load_teacher
from siamese.teaching.teacher_vectors import TeacherVectors, read_teachers

TEXTS = [f"第{i}句" for i in range(20)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(siamese.teaching.teach, "TEXTS_PER_PART", 7)


def taught(tmp_path, name, texts, uri=""):
    path = tmp_path / f"{name}.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    output = f"{uri or tmp_path}/{name}"
    teach([str(path)], load_teacher("python:small_teacher:make"), output)
    return output


def centred(texts, of):
    """The definition, in float64: unit, minus the mean over `of`, unit again."""
    units = {t: vector_of(t) / np.linalg.norm(vector_of(t)) for t in of}
    mean = np.mean([units[t] for t in of], axis=0)
    rows = np.array([units[t] - mean for t in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("uri", ["", "memory://vectors"])
def test_vectors_are_centred_and_of_unit_length(tmp_path, uri) -> None:
    vectors = read_teachers([taught(tmp_path, "t", TEXTS, uri)])
    assert vectors.texts == TEXTS
    assert (len(vectors), vectors.dim) == (20, DIM)
    wanted = ["第3句", "第19句", "第0句"]
    found = vectors.find(wanted)
    assert found.dtype == np.int64 and found.tolist() == [3, 19, 0]
    assert vectors.texts_at(found) == wanted
    given = vectors.vectors(found)
    assert given.dtype == np.float32
    assert np.abs(given - centred(wanted, TEXTS)).max() < 5e-3


def test_a_text_that_was_not_taught_has_no_position_and_zeros(tmp_path) -> None:
    vectors = read_teachers([taught(tmp_path, "t", TEXTS)])
    assert vectors.find(["x", "第1句", ""]).tolist() == [-1, 1, -1]
    assert vectors.find([]).shape == (0,)
    given = vectors.vectors(np.array([-1, 1]))
    assert not given[0].any() and given[1].any()
    assert vectors.vectors(np.zeros(0, int)).shape == (0, DIM)


def test_texts_of_one_hash_are_told_apart(monkeypatch) -> None:
    monkeypatch.setattr(
        siamese.teaching.teacher_vectors,
        "hash_texts",
        lambda texts: np.zeros(len(texts), np.uint64),
    )
    vectors = TeacherVectors(["a"], [np.ones((1, 2), np.float16)])
    assert vectors.find(["b", "a"]).tolist() == [-1, 0]


def test_joined_teachers_give_the_mean_of_their_cosines_on_texts_of_both(tmp_path) -> None:
    one = read_teachers([taught(tmp_path, "one", TEXTS)])
    other = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float16)
    other /= np.linalg.norm(other.astype(np.float32), axis=1, keepdims=True).astype(np.float16)
    joined = TeacherVectors(TEXTS[:9], [one.raw[:9], other])
    assert joined.dim == DIM + 3
    alone = [
        TeacherVectors(TEXTS[:9], [part]).vectors(np.arange(9)) for part in (one.raw[:9], other)
    ]
    given = joined.vectors(np.arange(9))
    assert np.allclose(given @ given.T, np.mean([v @ v.T for v in alone], axis=0), atol=1e-5)


def test_folders_are_joined_on_their_common_texts_in_the_first_ones_order(tmp_path) -> None:
    folders = [taught(tmp_path, "a", TEXTS), taught(tmp_path, "b", [*TEXTS[12:3:-1], "其他"])]
    joined = read_teachers(folders)
    assert joined.texts == TEXTS[4:13]
    half = joined.dim // 2
    assert np.array_equal(joined.raw[:, :half], joined.raw[:, half:])
    assert len({joined.hash, *(read_teachers([f]).hash for f in folders)}) == 3
    with pytest.raises(UserError, match="no text is in all of them"):
        read_teachers([folders[0], taught(tmp_path, "c", ["别的"])])


def test_a_text_that_a_teacher_gave_zeros_has_zeros() -> None:
    raw = np.array([[0, 0], [1, 0], [0, 1]], np.float16)
    given = TeacherVectors(["a", "b", "c"], [raw]).vectors(np.arange(3))
    assert not given[0].any() and np.allclose(np.linalg.norm(given[1:], axis=1), 1)


class TestDamage:
    def test_an_altered_file_is_refused_unless_it_was_verified_before(self, tmp_path) -> None:
        folder = taught(tmp_path, "t", TEXTS)
        other = taught(tmp_path, "other", [f"另{i}句" for i in range(20)])
        path = tmp_path / "t" / "part-00001.parquet"
        path.write_bytes((tmp_path / "other" / "part-00001.parquet").read_bytes())
        with pytest.raises(UserError, match=r"part-00001.parquet: altered or truncated"):
            read_teachers([folder])
        assert read_teachers([folder], verify=False).texts[7] == "另7句"
        assert len(read_teachers([other])) == 20

    def test_a_missing_file_is_named(self, tmp_path) -> None:
        folder = taught(tmp_path, "t", TEXTS)
        (tmp_path / "t" / "part-00002.parquet").unlink()
        with pytest.raises(UserError, match=r"part-00002.parquet: missing"):
            read_teachers([folder], verify=False)

    def test_what_is_begun_says_how_to_go_on(self, tmp_path) -> None:
        folder = taught(tmp_path, "t", TEXTS)
        (tmp_path / "t" / "manifest.json").unlink()
        with pytest.raises(UserError, match=r"not a complete teacher folder.*--resume"):
            read_teachers([folder])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"schema_version": 9}, "schema version 9, this release reads 1"),
            ({"teacher": None, "files": []}, "damaged"),
            ({"files": [{"name": "../part-00000.parquet", "rows": 20, "sha256": "0" * 64}]}, "dam"),
            ({"files": [{"name": "part-00000.parquet", "rows": "9", "sha256": "0" * 64}]}, "dam"),
            ({"dim": 0}, "damaged"),
            ({"texts": 21}, "damaged"),
            ({"dim": 7}, r"7 x 6 numbers, where the manifest says 7 x 7"),
        ],
    )
    def test_a_manifest_that_is_wrong_is_refused(self, tmp_path, change, message) -> None:
        folder = taught(tmp_path, "t", TEXTS)
        path = tmp_path / "t" / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**manifest, **change}), encoding="utf-8")
        with pytest.raises(UserError, match=message):
            read_teachers([folder])

    def test_no_folder_is_refused(self, tmp_path) -> None:
        with pytest.raises(UserError, match="no teacher folder"):
            read_teachers([])
        with pytest.raises(UserError, match="`siamese teach` makes one"):
            read_teachers([str(tmp_path)])


def test_texts_may_be_an_arrow_array() -> None:
    vectors = TeacherVectors(pa.array(["a", "b"]), [np.eye(2, dtype=np.float16)])
    assert vectors.find(["b"]).tolist() == [1]
