"""word2vec files with blanks, of other encodings, packed, and damaged."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from gensim.models import KeyedVectors

from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary
from siamese.text.word2vec import load_vectors
from siamese.text.word2vec_file import Vectors

TEXT = "3 2\n怎 1 -2.5\n么 0.125 3\n如 4 5e-3\n"
EXPECTED = {"怎": [1, -2.5], "么": [0.125, 3], "如": [4, 5e-3]}


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def by_gensim(path: Path, words: list[str], binary: bool) -> dict[str, np.ndarray]:
    vectors = np.random.default_rng(len(words)).normal(size=(len(words), 5)).astype(np.float32)
    keyed = KeyedVectors(5)
    keyed.add_vectors(words, vectors)
    keyed.save_word2vec_format(str(path), binary=binary)
    return dict(zip(words, vectors, strict=True))


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as error:
        load_vectors(path, 2, Vocabulary({"怎": 2, "么": 1}))
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        [" ", "怎", "么"],
        ["怎", " ", "么"],
        ["怎", "么", " "],
        ["\u3000", "怎", "\xa0", "么"],
        ["怎", "\r", "么"],
    ],
    ids=["first", "later", "last", "wide and hard", "carriage return"],
)
def test_what_gensim_writes_of_blanks_is_read(tmp_path, words, binary) -> None:
    expected = by_gensim(tmp_path / "v", words, binary)
    found = Vectors(tmp_path / "v").of(set(words))
    assert found.keys() == set(words)
    assert all(np.array_equal(found[word], expected[word]) for word in words)


@pytest.mark.parametrize("words", [["怎 么", "如", "何"], ["如", "怎 么", "何"]])
def test_a_token_of_text_may_hold_a_blank(tmp_path, words) -> None:
    expected = by_gensim(tmp_path / "v", words, binary=False)
    found = Vectors(tmp_path / "v").of(set(words))
    assert all(np.array_equal(found[word], expected[word]) for word in words)


def test_a_line_end_as_a_token_of_text_is_passed_over(tmp_path) -> None:
    expected = by_gensim(tmp_path / "v", ["怎", "\n", "么"], binary=False)
    found = Vectors(tmp_path / "v").of({"怎", "么"})
    assert all(np.array_equal(found[word], expected[word]) for word in ("怎", "么"))


def test_binary_records_may_end_in_a_line_end(tmp_path) -> None:
    rows = {word: np.array(row, "<f4") for word, row in EXPECTED.items()}
    content = b"3 2\n" + b"".join(w.encode() + b" " + v.tobytes() + b"\n" for w, v in rows.items())
    found = Vectors(written(tmp_path / "v", content)).of(set(EXPECTED))
    assert {word: row.tolist() for word, row in found.items()} == {
        word: row.tolist() for word, row in rows.items()
    }


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_another_encoding_is_recognised(tmp_path, capsys, encoding) -> None:
    path = written(tmp_path / "v.txt", TEXT.encode(encoding))
    found = Vectors(path).of(set(EXPECTED))
    assert {w: row.tolist() for w, row in found.items()} == {
        w: np.float32(row).tolist() for w, row in EXPECTED.items()
    }
    said = capsys.readouterr().err
    assert said == ("" if "8-" in encoding else f"{path}: read as {said.split(' read as ')[1]}")


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._v.txt", b"x")
        archive.writestr("v.txt", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "pack", [gzip.compress, pa.Codec("zstd").compress, zipped], ids=["gzip", "zstd", "zip"]
)
def test_a_packed_file_is_read_whatever_its_name(tmp_path, pack) -> None:
    path = written(tmp_path / "v.bin", bytes(pack(TEXT.encode())))
    assert Vectors(path).of({"怎"})["怎"].tolist() == [1, -2.5]


def test_of_a_token_that_is_there_twice_the_first_counts(tmp_path) -> None:
    path = written(tmp_path / "v", "2 2\n怎 1 2\n怎 3 4\n")
    assert Vectors(path).of({"怎"})["怎"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        ("2 2\nａ 1 2\nｂ 1 2\n", ["of none of the 2 characters", "encoding"]),
        ("0 2\n", ["of none of the 2 characters"]),
        ("2 2\n怎 1 nan\n么 1 2\n", ["line 2", "'怎'", "NaN"]),
        ("2 2\n么 1 2\n怎 1 inf\n", ["line 3", "'怎'", "infinity"]),
        (b"1 2\n\xe6\x80\x8e " + np.array([1, np.nan], "<f4").tobytes(), ["vector 1", "NaN"]),
        (b"1 2\n\xe6\x80\x8e " + bytes(8) + b"more", ["goes on after the 1 vectors"]),
        ("1 2\n怎 1 2\n么 1 2\n", ["has 2 vectors, its header promises 1"]),
        (gzip.compress(TEXT.encode())[:-9], ["gzip", "cut short"]),
        (b"PK\x03\x04 and nothing else", ["zip", "damaged"]),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_what_cannot_be_used_is_refused(tmp_path, content, fragments) -> None:
    message = refusal(written(tmp_path / "v", content))
    assert [f for f in fragments if f not in message] == []
