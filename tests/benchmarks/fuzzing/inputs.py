"""Targets: readers of every format, recipes and spaces, word2vec files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from fuzzing import altering
from fuzzing.case import Case, Target

SUFFIXES = ("json", "jsonl", "tsv", "csv", "txt", "parquet")
PACKED = (*[""] * 12, ".gz", ".zip", ".zst", ".bz2")


@st.composite
def _input(draw: st.DrawFn) -> Case:
    suffix = draw(st.sampled_from(SUFFIXES))
    packed = draw(st.sampled_from(PACKED))
    parquet = suffix == "parquet"
    content = draw(altering.parquet_file() if parquet else altering.text_file(suffix))
    return Case({f"input.{suffix}{packed}": content}, (f"input.{suffix}{packed}",))


def _groups(folder: Path, words: Sequence[str]) -> None:
    from siamese.data.cleaning import ReadingCounts
    from siamese.data.reading import read_groups

    for group in read_groups([str(folder / words[0])], ReadingCounts()):
        group.id.encode()
        assert len(set(group.texts)) == len(group.texts) > 0
        for text in (*group.texts, *group.negatives):
            assert text.encode().strip(), "an empty text came out"


def _pairs(folder: Path, words: Sequence[str]) -> None:
    from siamese.data.reading import read_pairs

    pairs = read_pairs([str(folder / words[0])])
    assert {pair.label for pair in pairs} == {0, 1}
    assert all(isinstance(pair.text1 + pair.text2, str) for pair in pairs)


def _texts(folder: Path, words: Sequence[str]) -> None:
    from siamese.data.reading import read_texts

    for text in read_texts([str(folder / words[0])]):
        text.encode()


def _shard(folder: Path, words: Sequence[str]) -> None:
    from siamese.data.sharding import make_data_set
    from siamese.data.shards import read_shards

    manifest = make_data_set([str(folder / words[0])], folder / "data", rows_per_shard=2)
    data, _ = read_shards(folder / "data")
    assert len(list(data.groups)) == manifest["counts"]["groups"] == len(data.groups)
    assert len(data.sizes.pairs()) == len(data.row_groups)


@st.composite
def _recipe_case(draw: st.DrawFn, space: bool) -> Case:
    from siamese.config.recipe import Recipe, setting_keys

    valid = Recipe().to_yaml().encode()
    if space:
        valid = b"""loss: {scale: {log_uniform: [5, 80]}, name: {choice: [in_batch, cosent]}}
encoder: {lstm_units: {layers: [1, 2], units: {choice: [64, 128]}}, dropout: {uniform: [0, 0.5]}}
optimizer: {warmup_steps: {integer: [0, 9]}}
"""
    values = st.sampled_from((*altering.TOKENS, b"1", b"[1, 2]", b"1e400", b"0x" + b"f" * 5000))
    overrides = st.builds(
        lambda key, value: key + "=" + value.decode("utf-8", "replace"),
        st.sampled_from((*setting_keys(), "loss", "", ".", "loss.scale.x", "loss..scale", "a=b")),
        values,
    )
    words = tuple(draw(st.lists(overrides, max_size=3)))
    return Case({"mine.yaml": draw(altering.altered_yaml(valid))}, words)


def _recipe(folder: Path, words: Sequence[str]) -> None:
    from siamese.config.loading import load_recipe

    recipe = load_recipe(str(folder / "mine.yaml"), words)
    (folder / "again.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert load_recipe(str(folder / "again.yaml")) == recipe


def _space(folder: Path, words: Sequence[str]) -> None:
    from itertools import islice

    from siamese.config.loading import load_recipe, with_settings
    from siamese.config.ranges import RandomDraw
    from siamese.config.search_space import load_space

    recipe = load_recipe("default", words)
    space = load_space(str(folder / "mine.yaml"), recipe)
    for trial in range(3):
        space.draw(RandomDraw(1, trial))
    for settings in islice(space.ends(), 10):
        with_settings(recipe, settings)


@st.composite
def _vectors_case(draw: st.DrawFn) -> Case:
    number = st.sampled_from((b"0.5", b"-1", b"nan", b"inf", b"1e99", b"x", b""))
    token = st.sampled_from(
        (
            "怎".encode(),
            "么".encode("gb18030"),
            b" ",
            b"",
            b"</s>",
            "怎么".encode(),
            b"\0",
            b"\xef\xbb\xbf",
        )
    )
    count, dim = draw(st.integers(0, 4)), draw(st.sampled_from((0, 1, 2, 3)))
    lines = [draw(token) for _ in range(count)]
    header = f"{count} {dim}\n".encode()
    if draw(st.booleans()):
        numbers = np.arange(dim, dtype=np.float32).tobytes()
        end = draw(st.sampled_from((b"", b"\n")))
        content = header + b"".join(line + b" " + numbers + end for line in lines)
    else:
        rows = [b" ".join([line, *(draw(number) for _ in range(dim))]) for line in lines]
        content = header + b"\n".join(rows) + draw(st.sampled_from((b"", b"\n", b" \n")))
    if draw(st.booleans()):
        content = draw(altering.altered_bytes(content))
    return Case({"vectors.txt": draw(altering.packed(content))}, (str(dim),))


def _vectors(folder: Path, words: Sequence[str]) -> None:
    from siamese.text.vocabulary import Vocabulary
    from siamese.text.word2vec import load_vectors

    vocabulary = Vocabulary({"怎": 3, "么": 2, "a": 1})
    matrix, coverage = load_vectors(folder / "vectors.txt", int(words[0]), vocabulary)
    assert matrix.shape == (len(vocabulary), int(words[0]))
    assert np.isfinite(matrix).all(), "vectors that are no numbers"
    assert coverage.covered, "a file that covers nothing was taken"


TARGETS = {
    "groups": Target(lambda _: _input(), _groups),
    "pairs": Target(lambda _: _input(), _pairs),
    "texts": Target(lambda _: _input(), _texts),
    "shard": Target(lambda _: _input(), _shard),
    "recipe": Target(lambda _: _recipe_case(space=False), _recipe),
    "space": Target(lambda _: _recipe_case(space=True), _space),
    "vectors": Target(lambda _: _vectors_case(), _vectors),
}
