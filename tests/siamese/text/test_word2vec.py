"""Character vectors: reading word2vec files of any origin, and training them."""

import importlib.resources
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from siamese.config.recipe import Encoder
from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary
from siamese.text.word2vec import (
    Again,
    Coverage,
    initial_embeddings,
    load_vectors,
    train_vectors,
)
from siamese.text.word2vec_file import Vectors, save_vectors

# 我 4 times, a 3 times, b twice and 😱 once: 8 of 10 occurrences have a vector.
VOCABULARY = Vocabulary(Counter("我我我我aaabb😱"))
WORDS = ["我", "😱", "a", "申请"]
VECTORS = np.array([[1, -2.5], [0.125, 3], [-0.0625, 4], [9, 9]], np.float32)
# Padding, unknown, 我, a, b (which has none), 😱.
EXPECTED = [[0, 0], [0, 0], [1, -2.5], [-0.0625, 4], [0, 0], [0.125, 3]]
TEXT_FILE = "".join(f"{w} {x} {y}\n" for w, (x, y) in zip(WORDS, VECTORS, strict=True))


def gensim_file(path: Path, binary: bool, vectors: np.ndarray = VECTORS) -> Path:
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(WORDS, vectors)
    keyed.save_word2vec_format(str(path), binary=binary)
    return path


def refusal(path: Path, dim: int = 2) -> str:
    with pytest.raises(UserError) as error:
        load_vectors(path, dim, VOCABULARY)
    assert str(path) in str(error.value)
    return str(error.value)


class TestLoad:
    @pytest.mark.parametrize("binary", [False, True])
    @pytest.mark.parametrize("name", ["v.txt", "v.bin", "token_vec_300.bin", "v"])
    def test_text_and_binary_whatever_the_name(self, tmp_path, binary, name):
        matrix, coverage = load_vectors(gensim_file(tmp_path / name, binary), 2, VOCABULARY)
        assert matrix.dtype == np.float32
        assert matrix.tolist() == EXPECTED
        assert coverage == Coverage(characters=4, covered=3, occurrences=0.8)
        assert str(coverage) == "3 of 4 characters have a vector (80.0% of the running text)"

    @pytest.mark.parametrize(
        "content",
        [
            "4 2\n" + TEXT_FILE,
            "4 2\r\n" + TEXT_FILE.replace("\n", "\r\n"),
            "4 2\n" + TEXT_FILE.replace("\n", " \n"),  # as fastText writes it
            "4 2\n" + TEXT_FILE.removesuffix("\n"),
            "4 2\n" + TEXT_FILE.replace("1.0 ", "1e0 "),
        ],
        ids=["plain", "CRLF", "trailing spaces", "no last line end", "exponents"],
    )
    def test_text_as_others_write_it(self, tmp_path, content):
        path = tmp_path / "v.vec"
        path.write_bytes(content.encode())
        assert load_vectors(path, 2, VOCABULARY)[0].tolist() == EXPECTED

    @pytest.mark.parametrize("byte", [0x0A, 0x0D, 0x20, 0x09, 0x31])
    def test_binary_whose_first_byte_looks_like_text(self, tmp_path, byte):
        vectors = VECTORS.copy()
        vectors[0] = np.frombuffer(bytes([byte] * 3 + [0x3F] + [byte] * 3 + [0x3F]), "<f4")
        path = gensim_file(tmp_path / "v.bin", True, vectors)
        np.testing.assert_array_equal(load_vectors(path, 2, VOCABULARY)[0][2], vectors[0])

    @pytest.mark.parametrize(
        ("name", "binary"),
        [
            ("crime-and-punishment.vec", False),
            ("word2vec_pre_kv_c", False),
            ("toy-model.vec", False),
            ("euclidean_vectors.bin", True),
        ],
    )
    def test_files_of_other_programs(self, name, binary):
        source = importlib.resources.files("gensim") / "test" / "test_data" / name
        if not source.is_file():
            pytest.skip(f"this gensim comes without its test data ({name})")
        path = Path(str(source))
        vectors = naive_binary(path) if binary else naive_text(path)
        found = Vectors(path).of(set(vectors) | {"龘"})
        assert found.keys() == vectors.keys()
        expected = np.array(list(vectors.values()), np.float32)
        np.testing.assert_array_equal([found[token] for token in vectors], expected)

    def test_an_empty_vocabulary(self, tmp_path):
        matrix, coverage = load_vectors(gensim_file(tmp_path / "v", True), 2, Vocabulary({}))
        assert matrix.tolist() == [[0, 0], [0, 0]]
        assert coverage == Coverage(0, 0, 0)


def naive_text(path: Path) -> dict[str, list[float]]:
    _, *lines = path.read_text(encoding="utf-8").split("\n")
    rows = [line.split() for line in lines if line]
    return {word: [float(number) for number in numbers] for word, *numbers in rows}


def naive_binary(path: Path) -> dict[str, list[float]]:
    header, _, rest = path.read_bytes().partition(b"\n")
    count, dim = map(int, header.split())
    vectors = {}
    for _ in range(count):
        word, _, rest = rest.partition(b" ")
        vectors[word.lstrip(b"\n").decode()] = np.frombuffer(rest[: 4 * dim], "<f4").tolist()
        rest = rest[4 * dim :]
    return vectors


class TestRefused:
    @pytest.mark.parametrize("binary", [False, True])
    def test_vectors_of_another_size(self, tmp_path, binary):
        message = refusal(gensim_file(tmp_path / "v", binary), dim=300)
        assert "have 2 numbers" in message
        assert "300" in message
        assert "encoder.embedding_dim=2" in message

    @pytest.mark.parametrize(
        "header", ["", "\n", "4\n", "4 2 1\n", "four 2\n", "-4 2\n", "4.0 2\n", "我 0.1 0.2\n"]
    )
    def test_a_header_that_is_none(self, tmp_path, header):
        path = tmp_path / "v.txt"
        path.write_text(header + TEXT_FILE, encoding="utf-8")
        message = refusal(path)
        assert "line 1" in message
        assert "COUNT SIZE" in message

    @pytest.mark.parametrize("binary", [False, True])
    @pytest.mark.parametrize("count", [b"5", b"9" * 12, b"9" * 30])
    def test_a_header_that_promises_more_vectors_than_there_are(self, tmp_path, binary, count):
        path = gensim_file(tmp_path / "v", binary)
        path.write_bytes(path.read_bytes().replace(b"4 2", count + b" 2", 1))
        assert "broken word2vec file" in refusal(path)

    def test_a_binary_file_cut_anywhere(self, tmp_path):
        content = gensim_file(tmp_path / "whole", True).read_bytes()
        for end in range(len(b"4 2\n"), len(content) - 1):  # the very last byte is a line end
            path = tmp_path / "cut.bin"
            path.write_bytes(content[:end])
            assert "broken word2vec file" in refusal(path)

    def test_a_text_file_cut_anywhere_before_its_last_number(self, tmp_path):
        content = gensim_file(tmp_path / "whole", False).read_bytes()
        for end in range(len(b"4 2\n"), content.rindex(b" ") + 1):
            path = tmp_path / "cut.txt"
            path.write_bytes(content[:end])
            assert "broken word2vec file" in refusal(path)

    @pytest.mark.parametrize("line", ["a 1 2 3", "a 1", "a 1 x", "a", ""])
    def test_a_line_that_is_no_vector(self, tmp_path, line):
        path = tmp_path / "v.txt"
        path.write_text(f"3 2\n我 1 2\n{line}\nb 1 2\n", encoding="utf-8")
        assert "broken word2vec file" in refusal(path)

    def test_a_missing_file(self, tmp_path):
        assert "cannot read" in refusal(tmp_path / "none.txt")

    def test_a_folder(self, tmp_path):
        assert "cannot read" in refusal(tmp_path)


class TestTrain:
    TEXTS = ("我想办信用卡", "我想挂失 信用卡", "怎么办卡", "你好\t在吗 我想办卡") * 3

    def test_texts_are_streamed_and_not_held(self):
        """Gone through once for the vocabulary and once an epoch, each time from the beginning."""
        begun = 0

        def begin():
            nonlocal begun
            begun += 1
            return iter(self.TEXTS)

        streamed = train_vectors(Again(begin), 8, seed=3, epochs=2)
        assert begun == 3
        listed = train_vectors(self.TEXTS, 8, seed=3, epochs=2)
        assert all(np.array_equal(streamed[c], listed[c]) for c in listed)

    def test_the_same_seed_gives_the_same_vectors_and_another_one_others(self):
        one, two, other = (train_vectors(self.TEXTS, 8, seed=s, epochs=2) for s in (3, 3, 4))
        assert list(one) == list(two)
        np.testing.assert_array_equal(list(one.values()), list(two.values()))
        assert not np.array_equal(one["我"], other["我"])

    def test_every_process_gives_the_same_vectors(self):
        code = (
            "from siamese.text.word2vec import train_vectors;"
            "v = train_vectors(['我想办卡', '卡丢了', '我办卡'] * 2, 4, 1, 2);"
            "print([(k, x.tobytes().hex()) for k, x in v.items()])"
        )
        runs = [
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
                capture_output=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        ]
        assert runs[0] == runs[1] != b""

    def test_every_character_but_spaces_gets_a_vector_the_most_frequent_first(self):
        vectors = train_vectors(self.TEXTS, 8, seed=1, epochs=1)
        counts = Counter("".join("".join(self.TEXTS).split()))
        assert vectors.keys() == counts.keys()
        frequencies = [counts[character] for character in vectors]
        assert frequencies == sorted(frequencies, reverse=True)
        assert {(v.shape, v.dtype) for v in vectors.values()} == {((8,), np.dtype("float32"))}

    def test_rare_characters_get_none(self):
        vectors = train_vectors(self.TEXTS, 8, seed=1, epochs=1, min_count=6)
        counts = Counter("".join("".join(self.TEXTS).split()))
        assert set(vectors) == {character for character, n in counts.items() if n >= 6}

    @pytest.mark.parametrize(
        ("texts", "min_count"), [([], 1), (["", " "], 1), (["ab"], 2)], ids=str
    )
    def test_nothing_to_train_on_is_refused(self, texts, min_count):
        with pytest.raises(UserError, match=f"no character occurs {min_count} times in"):
            train_vectors(texts, 8, seed=1, min_count=min_count)

    def test_what_was_saved_loads_with_four_decimals(self, tmp_path):
        vectors = train_vectors(self.TEXTS, 8, seed=1, epochs=1)
        path = tmp_path / "new" / "v.txt"
        save_vectors(path, vectors)
        vocabulary = Vocabulary(dict.fromkeys(vectors, 1))
        matrix, coverage = load_vectors(path, 8, vocabulary)
        expected = [vectors[character] for character in vocabulary.characters]
        np.testing.assert_allclose(matrix[2:], expected, rtol=0, atol=0.5001e-4)
        assert coverage == Coverage(len(vectors), len(vectors), 1)
        assert [p.name for p in path.parent.iterdir()] == ["v.txt"]


class TestInitialEmbeddings:
    def test_none_is_random_and_small_and_a_function_of_the_seed(self):
        one, two, other = (
            initial_embeddings(
                Encoder(vectors="none", embedding_dim=5, embedding_range=0.1), seed, VOCABULARY, []
            )[0]
            for seed in (1, 1, 2)
        )
        assert one.shape == (6, 5)
        assert one.dtype == np.float32
        assert 0.05 < np.abs(one).max() <= 0.1
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, other)
        assert not one[:2].any(), "padding and the unknown id"
        assert one[2:].any(axis=1).all()

    @pytest.mark.parametrize("lowercase", [False, True])
    def test_train_gives_each_character_its_trained_row(self, lowercase):
        texts = ["AbA", "bAa", "ab b"] * 3
        vocabulary = Vocabulary(Counter("".join(texts)), lowercase=lowercase)
        matrix, coverage = initial_embeddings(
            Encoder(vectors="train", embedding_dim=4), 7, vocabulary, texts
        )
        folded = [text.lower() if lowercase else text for text in texts]
        trained = train_vectors(folded, 4, seed=7)
        zeros = np.zeros(4)
        rows = [zeros, zeros, *(trained.get(c, zeros) for c in vocabulary.characters)]
        np.testing.assert_array_equal(matrix, rows)
        assert coverage is None

    def test_trained_vectors_are_those_of_the_characters_that_are_read(self):
        texts = ["ＡＢａ", "ｂＡ。a"] * 4
        vocabulary = Vocabulary(Counter("".join(texts)), lowercase=True, normalize="nfkc")
        recipe = Encoder(vectors="train", embedding_dim=4)
        matrix, _ = initial_embeddings(recipe, 7, vocabulary, texts)
        read = ["aba", "ba。a"] * 4
        trained = train_vectors(read, 4, seed=7)
        assert vocabulary.characters == ["a", "b", "。"]
        np.testing.assert_array_equal(matrix[2:], [trained[c] for c in "ab。"])

    def test_a_file_is_read(self, tmp_path):
        path = gensim_file(tmp_path / "v.bin", True)
        matrix, coverage = initial_embeddings(
            Encoder(vectors=str(path), embedding_dim=2), 1, VOCABULARY, []
        )
        assert matrix.tolist() == EXPECTED
        assert coverage is not None


class SwallowsSignals:
    """Finds no module; a signal that arrives meanwhile is lost, as in compiled ones."""

    @staticmethod
    def find_spec(name: str, path: object, target: object = None) -> None:
        if name == "gensim.models":
            with suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)  # another thread may receive it


def test_a_signal_while_gensim_is_imported_is_not_lost(monkeypatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [SwallowsSignals, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "gensim.models")
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_vectors(["怎么退票", "如何退票"], dim=4, seed=1)
    finally:
        signal.signal(signal.SIGINT, handler)
