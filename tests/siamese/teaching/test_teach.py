"""Teacher folders: what is written, gone on with and refused."""

import json
from itertools import islice

import numpy as np
import pyarrow.parquet as pq
import pytest
from folder_bytes import contents, contents_at
from small_teacher import DIM, vector_of

import siamese.teaching.teach
from siamese.errors import UserError
from siamese.teaching.teach import distinct_texts, encode_here, teach
from siamese.teaching.teacher import load_teacher

TEXTS = [f"第{i}句" for i in range(10)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(siamese.teaching.teach, "TEXTS_PER_PART", 4)


@pytest.fixture
def teacher():
    return load_teacher("python:small_teacher:make")


@pytest.fixture
def source(tmp_path):
    return written(tmp_path, TEXTS)


def written(tmp_path, texts) -> list[str]:
    path = tmp_path / "in.txt"
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return [str(path)]


def stopping_after(parts):
    """An `Encode` that is stopped after so many files."""

    def encode(teacher, left):
        yield from encode_here(teacher, islice(left, parts))
        raise KeyboardInterrupt

    return encode


class TestWhatIsWritten:
    def test_texts_stand_with_their_vectors_at_unit_length_in_half_precision(
        self, source, teacher, tmp_path
    ):
        manifest = teach(source, teacher, str(tmp_path / "t"))
        assert [file["rows"] for file in manifest["files"]] == [4, 4, 2]
        assert (manifest["dim"], manifest["texts"]) == (DIM, 10)
        rows = [
            row
            for f in manifest["files"]
            for row in pq.read_table(tmp_path / "t" / f["name"]).to_pylist()
        ]
        assert [row["text"] for row in rows] == TEXTS
        for row in rows:
            expected = vector_of(row["text"])
            expected /= np.sqrt((expected**2).sum())
            assert np.abs(np.array(row["vector"], np.float64) - expected).max() < 3e-4
        assert sorted(contents(tmp_path / "t")) == [
            "manifest.json",
            *(f"part-0000{i}.parquet" for i in range(3)),
        ]

    def test_a_uri_gets_the_same_bytes(self, source, teacher, tmp_path):
        teach(source, teacher, str(tmp_path / "t"))
        teach(source, teacher, "memory://teach/same")
        assert contents_at("memory://teach/same") == contents(tmp_path / "t")

    def test_a_limit_takes_the_first_texts(self, source, teacher, tmp_path):
        assert teach(source, teacher, str(tmp_path / "t"), limit=5)["texts"] == 5

    def test_texts_are_distinct_in_order_without_empty_ones(self):
        assert distinct_texts(["b", "a", "", " ", "b", "c", "d"], 3) == ["b", "a", "c"]
        assert distinct_texts(["b", "a", "b"], None) == ["b", "a"]

    def test_inputs_without_texts_are_refused(self, teacher, tmp_path):
        with pytest.raises(UserError, match="no text in it"):
            teach(written(tmp_path, [" ", "\t"]), teacher, str(tmp_path / "t"))
        assert not (tmp_path / "t").exists()


class TestResume:
    @pytest.mark.parametrize("place", ["", "memory://teach-resume"])
    def test_what_is_whole_is_kept_and_the_bytes_are_those_of_an_unbroken_one(
        self, source, teacher, tmp_path, place
    ):
        output = f"{place or tmp_path}/t"
        teach(source, teacher, str(tmp_path / "whole"))
        with pytest.raises(KeyboardInterrupt):
            teach(source, teacher, output, encode=stopping_after(2))
        asked = []

        def encode(teacher, left):
            asked.extend(number for number, _ in left)
            return encode_here(teacher, left)

        teach(source, teacher, output, existing="resume", encode=encode)
        assert asked == [2]
        found = contents_at(output) if place else contents(tmp_path / "t")
        assert found == contents(tmp_path / "whole")

    def test_more_texts_may_follow(self, source, teacher, tmp_path):
        teach(source, teacher, str(tmp_path / "whole"))
        teach(source, teacher, str(tmp_path / "t"), limit=6)
        teach(source, teacher, str(tmp_path / "t"), existing="resume")
        assert contents(tmp_path / "t") == contents(tmp_path / "whole")

    def test_a_stopped_extension_is_not_complete(self, source, teacher, tmp_path):
        teach(source, teacher, str(tmp_path / "t"), limit=4)
        with pytest.raises(KeyboardInterrupt):
            teach(source, teacher, str(tmp_path / "t"), None, "resume", stopping_after(1))
        assert not (tmp_path / "t" / "manifest.json").exists()

    def test_other_texts_and_fewer_are_refused_and_nothing_is_changed(
        self, source, teacher, tmp_path
    ):
        teach(source, teacher, str(tmp_path / "t"))
        before = contents(tmp_path / "t")
        for texts in (TEXTS[::-1], TEXTS[:4]):
            with pytest.raises(UserError, match="was made of other texts"):
                teach(written(tmp_path, texts), teacher, str(tmp_path / "t"), existing="resume")
        assert contents(tmp_path / "t") == before

    def test_another_teacher_is_refused(self, source, teacher, tmp_path):
        teach(source, teacher, str(tmp_path / "t"))
        other = load_teacher("python:small_teacher:changing")
        with pytest.raises(UserError, match="by the teacher python:small_teacher:make, not by"):
            teach(source, other, str(tmp_path / "t"), existing="resume")

    @pytest.mark.parametrize("at", [4, 60, 200, -2])
    def test_a_damaged_file_is_named(self, source, teacher, tmp_path, at):
        teach(source, teacher, str(tmp_path / "t"))
        path = tmp_path / "t" / "part-00001.parquet"
        data = bytearray(path.read_bytes())
        data[at] ^= 0xFF
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"part-00001.parquet: damaged"):
            teach(source, teacher, str(tmp_path / "t"), existing="resume")


class TestTheFolder:
    def test_what_is_there_is_refused_and_fresh_replaces_it(self, source, teacher, tmp_path):
        teach(source, teacher, str(tmp_path / "t"))
        with pytest.raises(UserError, match="--resume, replace it with --fresh"):
            teach(source, teacher, str(tmp_path / "t"))
        manifest = teach(source, teacher, str(tmp_path / "t"), limit=2, existing="fresh")
        assert len(manifest["files"]) == 1
        assert sorted(contents(tmp_path / "t")) == ["manifest.json", "part-00000.parquet"]

    @pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
    @pytest.mark.parametrize("existing", ["refuse", "resume", "fresh"])
    def test_another_folder_is_left_alone(self, source, teacher, tmp_path, name, existing):
        (tmp_path / "t").mkdir()
        (tmp_path / "t" / name).write_text(json.dumps({"schema_version": 2}), encoding="utf-8")
        before = contents(tmp_path / "t")
        with pytest.raises(UserError, match="is not a teacher folder"):
            teach(source, teacher, str(tmp_path / "t"), existing=existing)
        assert contents(tmp_path / "t") == before

    def test_a_file_in_the_way_is_refused(self, source, teacher, tmp_path):
        (tmp_path / "t").touch()
        with pytest.raises(UserError, match="is a file"):
            teach(source, teacher, str(tmp_path / "t"))


class TestBadTeachers:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("raises", r"KeyError: 'no such layer' \(.*small_teacher.py, line \d+\)"),
            ("not_a_number", "its vector of '第1句'"),
            ("too_few", r"shape \[3, 3\] for 4 texts"),
            ("flat", r"shape \[4\] for 4 texts"),
            ("changing", "have 2 numbers, but those in part-00000.parquet have 4"),
            ("nothing", r"nothing\(\) must return a function"),
            ("number", "number is a int"),
            ("missing", "no 'missing' in small_teacher"),
        ],
    )
    def test_what_is_wrong_is_said(self, source, tmp_path, name, message):
        with pytest.raises(UserError, match=message):
            teach(source, load_teacher(f"python:small_teacher:{name}"), str(tmp_path / "t"))
        assert not (tmp_path / "t" / "manifest.json").exists()
