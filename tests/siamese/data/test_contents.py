"""Packed files, files in other encodings, and files that are no data at all."""

import bz2
import gzip
import io
import tarfile
import zipfile

import pyarrow as pa
import pytest
from input_files import (
    AS_GROUPS,
    AS_JOINED,
    BOM,
    CSV,
    JSON,
    JSON_LINES,
    PAIRS,
    TSV,
    parquet,
    read,
    refusal,
    write,
)

import siamese.data.data_file
import siamese.storage.packed
from siamese.data.cleaning import ReadingCounts
from siamese.data.pair import Pair
from siamese.data.reading import read_groups, read_pairs, read_texts
from siamese.data.sharding import make_data_set
from siamese.data.splitting import plan_pieces
from siamese.errors import UserError

CONTENT = {"a.json": JSON, "a.jsonl": JSON_LINES, "a.tsv": TSV, "a.txt": TSV, "a.csv": CSV}
AS_READ = {name: AS_GROUPS if "json" in name else AS_JOINED for name in CONTENT}


def zipped(**members: bytes | str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content))


@pytest.mark.parametrize("name", CONTENT)
class TestPacked:
    @pytest.mark.parametrize(
        ("pack", "ending"),
        [(gzip.compress, ".gz"), (zstd, ".zst"), (bz2.compress, ".bz2")],
        ids=["gzip", "zstd", "bzip2"],
    )
    @pytest.mark.parametrize("named", [True, False])
    def test_with_and_without_an_ending(self, tmp_path, name, pack, ending, named):
        packed = write(tmp_path / f"{name}{ending if named else ''}", pack(CONTENT[name].encode()))
        assert read(packed)[0] == AS_READ[name]

    def test_gzip_of_several_members_is_read_to_its_end(self, tmp_path, name):
        content = CONTENT[name].encode()
        halves = gzip.compress(content[:40]) + gzip.compress(content[40:])
        assert read(write(tmp_path / f"{name}.gz", halves))[0] == AS_READ[name]

    def test_the_files_of_a_zip_that_are_data_and_not_hidden(self, tmp_path, name):
        members = {
            f"in/{name}": CONTENT[name],
            f"__MACOSX/in/._{name}": b"\0",
            f"in/.{name}": "x",
            "notes.md": "x",
        }
        assert read(write(tmp_path / "a.zip", zipped(**members)))[0] == AS_READ[name]

    def test_the_only_file_of_a_zip_may_have_any_name(self, tmp_path, name):
        packed = write(tmp_path / f"{name}.zip", zipped(**{"内容": CONTENT[name]}))
        assert read(packed)[0] == AS_READ[name]

    def test_one_that_was_unpacked_and_kept_its_name(self, tmp_path, name):
        assert read(write(tmp_path / f"{name}.gz", CONTENT[name]))[0] == AS_READ[name]

    @pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
    def test_one_that_is_cut_anywhere_is_refused(self, tmp_path, name, pack):
        packed = pack(CONTENT[name].encode())
        for end in range(12, len(packed), 17):
            message = refusal(write(tmp_path / name, packed[:end]))
            assert f"{tmp_path / name}: packed with" in message
            assert "cut short" in message


def test_a_zip_of_several_files_is_all_of_them(tmp_path) -> None:
    members = {"a.json": '{"0": ["a", "b"]}', "b.json": '{"0": ["c", "d"]}'}
    groups = read(write(tmp_path / "x.zip", zipped(**members)))[0]
    assert [(g.id, g.texts) for g in groups] == [("a/0", ("a", "b")), ("b/0", ("c", "d"))]


def test_packed_groups_are_one_piece(tmp_path) -> None:
    packed = write(tmp_path / "a.jsonl.gz", gzip.compress(JSON_LINES.encode()))
    assert len(plan_pieces([str(packed)], 1)) == 1
    assert len(plan_pieces([str(write(tmp_path / "b.jsonl", JSON_LINES))], 1)) > 1


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda c: zipped(**{"a.tsv": c})])
def test_what_unpacks_to_far_more_than_text_does_is_refused(tmp_path, monkeypatch, pack) -> None:
    monkeypatch.setattr(siamese.storage.packed, "EXPANSION_FREE", 1 << 20)
    monkeypatch.setattr(siamese.storage.packed, "EXPANSION", 100)
    packed = write(tmp_path / "a.tsv", pack(b"a\tb\t1\n" * 500_000))
    assert "unpacks to more than" in refusal(packed)


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl", "a.txt"])
def test_a_line_without_end_is_refused(tmp_path, monkeypatch, name) -> None:
    monkeypatch.setattr(siamese.data.data_file, "LONGEST", 1 << 16)
    file = write(tmp_path / name, CONTENT[name] + "x" * (1 << 17))
    assert "is longer than" in refusal(file)


@pytest.mark.parametrize(
    ("name", "content", "fragments"),
    [
        ("a.tsv", zipped(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), ["Excel", "CSV"]),
        ("a.xlsx", zipped(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), ["Excel", "CSV"]),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1...", ["Excel", "CSV"]),
        ("a.txt", b"version https://git-lfs.github.com/spec/v1\n", ["git lfs pull"]),
        ("a.csv", parquet(text1=["a"], text2=["b"], label=[1]), ["name it .parquet"]),
        ("a.parquet", gzip.compress(b"PAR1"), ["packed with gzip", "Unpack it"]),
        ("a.pkl", b"\x80\x04\x95", ["a.pkl", "pickle", "JSON Lines or Parquet"]),
        ("a.docx", b"x", ["a.docx", "one text a line"]),
        ("a.zip", zipped(**{"a.md": "x", "b.md": "x"}), ["no .arrow, .csv, .json"]),
        ("a.zip", zipped(**{"../../a.tsv": TSV}), ["no .arrow, .csv, .json"]),
        ("a.zip", zipped(**{"a.json.gz": gzip.compress(b"{}")}), ["packed twice"]),
        ("a.zip", b"PK\x03\x04 and no more", ["zip", "damaged"]),
        ("a.tsv.gz", gzip.compress(b""), ["empty"]),
        ("a.tsv.gz", gzip.compress(TSV.encode())[:-6] + b"123456", ["gzip", "damaged"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_data_is_refused_with_what_to_do(tmp_path, name, content, fragments) -> None:
    file = write(tmp_path / name, content)
    message = refusal(file)
    assert [f for f in [str(file), *fragments] if f not in message] == []


def test_an_archive_and_an_encrypted_zip_are_refused(tmp_path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.tsv"))
    assert "a tar archive" in refusal(write(tmp_path / "a.tsv.gz", buffer.getvalue()))
    content = bytearray(zipped(**{"a.tsv": TSV}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refusal(write(tmp_path / "a.zip", bytes(content)))


@pytest.mark.parametrize("name", CONTENT)
class TestEncodings:
    @pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_one_that_is_recognised_is_read_with_a_word(self, tmp_path, capsys, name, encoding):
        file = write(tmp_path / name, CONTENT[name].encode(encoding))
        assert read(file)[0] == AS_READ[name]
        said = capsys.readouterr().err
        assert said.startswith(f"{file}: read as {encoding[:6].upper()}")
        assert said.count("\n") == 1

    def test_one_that_is_given_is_used(self, tmp_path, name):
        text = CONTENT[name].replace("怎么办卡", "怎麼辦卡").replace("😱", "")
        file = write(tmp_path / name, text.encode("big5", "replace"))
        groups = list(read_groups([str(file)], ReadingCounts(), encoding="Big5"))
        assert groups[0].texts[0] == "怎麼辦卡"

    def test_packed_too(self, tmp_path, name):
        packed = write(tmp_path / f"{name}.gz", gzip.compress(CONTENT[name].encode("gb18030")))
        assert read(packed)[0] == AS_READ[name]

    def test_boms_are_dropped_wherever_a_line_begins(self, tmp_path, name, capsys):
        text = CONTENT[name]
        lines = text.encode().splitlines(keepends=True)
        file = write(tmp_path / name, BOM * 2 + (BOM if name != "a.json" else b"").join(lines))
        assert read(file)[0] == AS_READ[name]
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ending", ["utf-16", "gb18030"])
def test_a_character_that_is_cut_is_named_with_its_line(tmp_path, ending) -> None:
    content = TSV.encode(ending)
    bad = "\ud800".encode("utf-16-le", "surrogatepass") if ending == "utf-16" else b"\xff"
    with pytest.raises(UserError, match=rf"a\.tsv, line 4: not valid {ending[:6].upper()}"):
        list(
            read_groups(
                [str(write(tmp_path / "a.tsv", content + bad))], ReadingCounts(), None, ending
            )
        )


def test_an_encoding_goes_to_every_way_of_reading(tmp_path) -> None:
    file = str(write(tmp_path / "a.tsv", TSV.encode("utf-16-be")))
    assert read_pairs([file], encoding="utf-16-be") == [Pair(*pair) for pair in PAIRS]
    assert next(read_texts([file], encoding="utf-16-be")) == PAIRS[0][0]
    make_data_set([file], tmp_path / "data", encoding="utf-16-be")
    with pytest.raises(UserError, match="--encoding utf-17: no encoding of this name"):
        read_pairs([file], encoding="utf-17")
    with pytest.raises(UserError, match="--encoding base64: no encoding of this name"):
        read_pairs([file], encoding="base64")
