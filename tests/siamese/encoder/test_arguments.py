"""What encode and similarity take, and what they refuse by name."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from siamese.encoder.arguments import (
    check_others,
    checked_batch_size,
    checked_batches,
    checked_embeddings,
    checked_flag,
    checked_sentences,
)


@pytest.mark.parametrize(
    "others",
    [
        {"device": "cuda:0", "prompt_name": "query", "prompt_type": "query", "task_name": "STS"},
        {
            "convert_to_numpy": True,
            "convert_to_tensor": False,
            "output_value": "sentence_embedding",
        },
        {"convert_to_tensor": None, "prompt": None, "truncate_dim": None, "precision": "float32"},
        {"prompt": ""},
        {"task_metadata": object(), "hf_split": "test", "hf_subset": "default"},
        {"precision": "int8", "truncate_dim": 16, "convert_to_tensor": True},
    ],
)
def test_what_can_be_given_is_accepted(others) -> None:
    check_others(others)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("output_value", "token_embeddings"),
        ("output_value", None),
        ("prompt", "query: "),
        ("prompt", np.array(["a"])),
        ("pool", None),
        ("chunk_size", 5),
        ("text", "a"),
    ],
)
def test_what_asks_for_another_result_or_is_unknown_is_refused_by_name(name, value) -> None:
    with pytest.raises(TypeError, match=name):
        check_others({"device": "cpu", name: value})


@pytest.mark.parametrize(
    "name", ["normalize", "normalise", "normalize_to_unit", "normalise_embeddings"]
)
def test_other_names_of_normalize_embeddings_lead_to_it(name) -> None:
    for value in (True, False):
        with pytest.raises(TypeError, match=f"'{name}'; did you mean 'normalize_embeddings'"):
            check_others({name: value})


@pytest.mark.parametrize("size", [None, "32", 32.0, True, np.array([3]), [3]])
def test_a_batch_size_is_a_whole_number(size) -> None:
    with pytest.raises(TypeError, match="batch_size must be a whole number"):
        checked_batch_size(size)


def test_a_batch_size_is_positive() -> None:
    assert checked_batch_size(np.int64(3)) == 3
    for size in (0, -1):
        with pytest.raises(ValueError, match="batch_size"):
            checked_batch_size(size)


def test_a_flag_is_true_false_or_none() -> None:
    assert [checked_flag("f", v) for v in (True, np.True_, False, None)] == [
        True,
        True,
        False,
        False,
    ]
    for value in ("yes", 1, 0, np.array([True])):
        with pytest.raises(TypeError, match="show_progress_bar must be True or False"):
            checked_flag("show_progress_bar", value)


@pytest.mark.parametrize(
    "sentences",
    [
        ["快", "递"],
        ("快", "递"),
        np.array(["快", "递"]),
        np.array(["快", "递"], object),
        pd.Series(["快", "递"], index=[7, 3]),
        {"a": "快", "b": "递"}.values(),
        (text for text in "快递"),
    ],
)
def test_sentences_come_in_an_order(sentences) -> None:
    assert checked_sentences(sentences) == ["快", "递"]


@pytest.mark.parametrize(
    "sentences",
    [
        None,
        3,
        b"ab",
        bytearray(b"ab"),
        {"text": ["a"]},
        {"text": ["a"]}.keys(),
        {"a", "b"},
        frozenset("ab"),
        pd.DataFrame({"text": ["a", "b"]}),
        np.array([["a", "b"]]),
        np.array("a"),
        SimpleNamespace(shape=(2, 3)),
        [["a"]],
        ["a", None],
        ["a", float("nan")],
        ["a", b"b"],
        [np.ones(3)],
        pd.Series(["a", None]),
        pd.Series([1, 2]),
        [{"text": ["a", "b"]}],
    ],
    ids=repr,
)
def test_anything_else_is_refused(sentences) -> None:
    with pytest.raises(TypeError, match=r"encode takes|sentence [01] is .*, not a string"):
        checked_sentences(sentences)


def test_an_open_file_is_refused(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("a\nb\n")
    with (tmp_path / "a.txt").open() as file, pytest.raises(TypeError, match="not TextIOWrapper"):
        checked_sentences(file)


def test_batches_of_mteb_become_sentences() -> None:
    batches = ({"text": texts, "query": texts} for texts in (["快", "递"], [], ["到"]))
    assert checked_batches(batches) == ["快", "递", "到"]


@pytest.mark.parametrize(
    "batches",
    [None, "快递", {"text": ["快"]}, ["快"], [{"image": ["快"]}], [{"text": "快"}]],
    ids=repr,
)
def test_other_batches_are_refused(batches) -> None:
    with pytest.raises(TypeError, match="encode takes batches"):
        checked_batches(batches)
    with pytest.raises(TypeError, match="sentence 1 is None"):
        checked_batches([{"text": ["快", None]}])


def test_embeddings_are_floating_point_numbers_of_the_right_width() -> None:
    for kind in (np.float16, np.float32, np.float64):
        assert checked_embeddings(np.ones(3, kind), 3).shape == (1, 3)
        assert checked_embeddings(np.ones((0, 3), kind), 3).shape == (0, 3)
    for kind in (int, np.int8, bool, complex):
        with pytest.raises(TypeError, match="floating-point"):
            checked_embeddings(np.ones((2, 3), kind), 3)
    for shape in ((0,), (2,), (2, 4), (3, 1), (), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"must be \[n, 3\]"):
            checked_embeddings(np.ones(shape), 3)
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            checked_embeddings(np.array([[1, value, 1]]), 3)
