"""Folders of embeddings: what is written, gone on with, refused and read."""

import json
from itertools import islice

import numpy as np
import pyarrow.parquet as pq
import pytest
from folder_bytes import contents, contents_at
from small_encoder import small_encoder

import siamese.encoding.embeddings_folder
from siamese.encoding.embeddings_folder import encode_folder, read_embeddings
from siamese.encoding.filling import encode_here
from siamese.errors import UserError

TEXTS = ["第3句", "怎么修改密码", "", "第3句", " ", "第1句", "泰", "第" * 100, "退票", "如何退票"]
KNOWN = ["第句话怎么修改密码如何退票0123456789"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(siamese.encoding.embeddings_folder, "TEXTS_PER_PART", 4)


@pytest.fixture(scope="module")
def encoder():
    return small_encoder(texts=KNOWN)


@pytest.fixture
def source(tmp_path):
    return written(tmp_path / "in.txt", TEXTS)


def written(path, texts) -> list[str]:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return [str(path)]


def stopping_after(parts):
    def encode(work, left):
        yield from encode_here(work, islice(left, parts))
        raise KeyboardInterrupt

    return encode


class TestWhatIsWritten:
    def test_every_text_stands_with_its_embedding_in_the_order_of_the_input(
        self, source, encoder, tmp_path
    ):
        manifest, notes = encode_folder(source, encoder, str(tmp_path / "e"))
        assert [file["rows"] for file in manifest["files"]] == [4, 4, 2]
        assert (manifest["version"], manifest["rows"]) == (1, 10)
        assert manifest["fingerprint"] == encoder.fingerprint
        rows = [
            row
            for file in manifest["files"]
            for row in pq.read_table(tmp_path / "e" / file["name"]).to_pylist()
        ]
        assert [row["text"] for row in rows] == TEXTS
        found = np.array([row["embedding"] for row in rows], np.float32)
        assert np.array_equal(found, encoder.encode(TEXTS))
        assert notes == [
            "1 texts longer than 64 characters were cut",
            "2 of 10 texts hold only unknown characters: the model was trained on none of them, "
            "and cannot tell such texts apart",
        ]

    def test_several_inputs_follow_each_other(self, encoder, tmp_path):
        (tmp_path / "b").mkdir()
        one = written(tmp_path / "a.txt", ["第1句", "第2句"])
        (tmp_path / "b" / "b.jsonl").write_text('{"id": 1, "texts": ["第3句", "第4句"]}\n', "utf-8")
        encode_folder([*one, str(tmp_path / "b")], encoder, str(tmp_path / "e"))
        texts, _ = next(iter(read_embeddings(tmp_path / "e")))
        assert texts == ["第1句", "第2句", "第3句", "第4句"]

    def test_the_folder_is_an_input_like_any_other(self, source, encoder, tmp_path):
        encode_folder(source, encoder, str(tmp_path / "e"))
        encode_folder([str(tmp_path / "e")], encoder, str(tmp_path / "again"))
        assert contents(tmp_path / "again") == contents(tmp_path / "e")

    def test_a_uri_gets_the_same_bytes(self, source, encoder, tmp_path):
        encode_folder(source, encoder, str(tmp_path / "e"))
        encode_folder(source, encoder, "memory://encode/same")
        assert contents_at("memory://encode/same") == contents(tmp_path / "e")

    def test_normalized_ones_have_unit_length_and_the_manifest_says_so(
        self, source, encoder, tmp_path
    ):
        encode_folder(source, encoder, str(tmp_path / "e"), normalize=True)
        embeddings = read_embeddings(tmp_path / "e")
        assert embeddings.normalized
        lengths = np.linalg.norm(embeddings.vectors(), axis=1)
        assert np.allclose(lengths[[t != "" for t in TEXTS]], 1, atol=1e-6)
        assert lengths[2] == 0


class TestResume:
    @pytest.mark.parametrize("place", ["", "memory://encode-resume"])
    def test_what_is_whole_is_kept_and_the_bytes_are_those_of_an_unbroken_one(
        self, source, encoder, tmp_path, place
    ):
        output = f"{place or tmp_path}/e"
        encode_folder(source, encoder, str(tmp_path / "whole"))
        with pytest.raises(KeyboardInterrupt):
            encode_folder(source, encoder, output, encode=stopping_after(2))
        asked = []

        def encode(work, left):
            asked.extend(number for number, _ in left)
            return encode_here(work, left)

        _, notes = encode_folder(source, encoder, output, existing="resume", encode=encode)
        assert asked == [2]
        assert len(notes) == 2
        found = contents_at(output) if place else contents(tmp_path / "e")
        assert found == contents(tmp_path / "whole")

    def test_more_texts_may_follow_and_a_whole_one_stays_as_it_is(self, encoder, tmp_path):
        output = str(tmp_path / "e")
        encode_folder(written(tmp_path / "in.txt", TEXTS[:6]), encoder, output)
        source = written(tmp_path / "in.txt", TEXTS)
        for _ in range(2):
            encode_folder(source, encoder, output, existing="resume")
        encode_folder(source, encoder, str(tmp_path / "whole"))
        assert contents(tmp_path / "e") == contents(tmp_path / "whole")

    @pytest.mark.parametrize(
        ("texts", "options", "message"),
        [
            (TEXTS[::-1], {}, "was made of other texts"),
            (TEXTS[:4], {}, "was made of other texts"),
            (TEXTS, {"normalize": True}, "made by the fingerprint another one, not by"),
        ],
    )
    def test_other_texts_or_embeddings_are_refused_and_nothing_is_changed(
        self, source, encoder, tmp_path, texts, options, message
    ):
        encode_folder(source, encoder, str(tmp_path / "e"))
        before = contents(tmp_path / "e")
        other = written(tmp_path / "other.txt", texts)
        with pytest.raises(UserError, match=message):
            encode_folder(other, encoder, str(tmp_path / "e"), existing="resume", **options)
        assert contents(tmp_path / "e") == before

    @pytest.mark.parametrize("at", [4, 60, -2])
    def test_a_damaged_file_is_named(self, source, encoder, tmp_path, at):
        encode_folder(source, encoder, str(tmp_path / "e"))
        path = tmp_path / "e" / "part-00001.parquet"
        data = bytearray(path.read_bytes())
        data[at] ^= 0xFF
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"part-00001.parquet: damaged"):
            encode_folder(source, encoder, str(tmp_path / "e"), existing="resume")
        with pytest.raises(UserError, match=r"part-00001.parquet: damaged"):
            read_embeddings(tmp_path / "e").vectors()


class TestRefused:
    def test_a_mistake_in_the_last_line_is_told_before_anything_is_changed(
        self, source, encoder, tmp_path
    ):
        encode_folder(source, encoder, str(tmp_path / "e"))
        before = contents(tmp_path / "e")
        bad = tmp_path / "bad.tsv"
        bad.write_text("第1句\t第2句\t1\n" * 9 + "第1句\t1\n", encoding="utf-8")
        for existing, output in (("fresh", "e"), ("refuse", "new")):
            with pytest.raises(UserError, match=r"bad.tsv, line 10: has 2 columns"):
                encode_folder([str(bad)], encoder, str(tmp_path / output), existing=existing)
        assert contents(tmp_path / "e") == before
        assert not (tmp_path / "new").exists()

    def test_the_folder_that_is_read_is_not_written(self, source, encoder, tmp_path):
        encode_folder(source, encoder, str(tmp_path / "e"))
        before = contents(tmp_path / "e")
        with pytest.raises(UserError, match="is in it, and is the input"):
            encode_folder([str(tmp_path / "e")], encoder, str(tmp_path / "e"), existing="fresh")
        assert contents(tmp_path / "e") == before

    def test_what_is_there_is_refused_and_fresh_replaces_it(self, source, encoder, tmp_path):
        encode_folder(source, encoder, str(tmp_path / "e"))
        with pytest.raises(UserError, match="an embeddings folder already"):
            encode_folder(source, encoder, str(tmp_path / "e"))
        short = written(tmp_path / "short.txt", TEXTS[:3])
        encode_folder(short, encoder, str(tmp_path / "e"), existing="fresh")
        assert sorted(contents(tmp_path / "e")) == ["manifest.json", "part-00000.parquet"]


class TestReading:
    def test_files_come_one_by_one_and_all_fit_an_array_that_is_given(
        self, source, encoder, tmp_path
    ):
        encode_folder(source, encoder, str(tmp_path / "e"))
        embeddings = read_embeddings(tmp_path / "e")
        assert (len(embeddings), embeddings.dim) == (10, encoder.embedding_dim)
        assert [len(texts) for texts, _ in embeddings] == [4, 4, 2]
        out = np.lib.format.open_memmap(tmp_path / "v.npy", "w+", np.float32, (10, 12))
        assert embeddings.vectors(out) is out
        assert np.array_equal(np.load(tmp_path / "v.npy"), encoder.encode(TEXTS))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda m: m.pop("fingerprint"), "not an embeddings folder"),
            (lambda m: m.update(version=9), "version 9, this release reads 1"),
            (lambda m: m.update(rows=11), "manifest.json: damaged"),
            (lambda m: m["files"][0].update(name="../x.parquet"), "manifest.json: damaged"),
            (lambda m: m.update(dim=3), "12 numbers, where the manifest says 4 x 3"),
        ],
    )
    def test_a_manifest_of_something_else_is_refused(
        self, source, encoder, tmp_path, change, message
    ):
        encode_folder(source, encoder, str(tmp_path / "e"))
        path = tmp_path / "e" / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        change(manifest)
        path.write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(UserError, match=message):
            read_embeddings(tmp_path / "e").vectors()

    def test_what_is_begun_is_refused(self, source, encoder, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            encode_folder(source, encoder, str(tmp_path / "e"), encode=stopping_after(1))
        with pytest.raises(UserError, match="Go on with `siamese encode … --resume`"):
            read_embeddings(tmp_path / "e")
