"""Embeddings cut, in few bits and as tensors; that it is as in sentence-transformers is tested in
`tests/siamese/export/test_sentence_transformers.py`, where that is installed."""

from importlib.util import find_spec

import numpy as np
import pytest

from siamese.encoder import output_form
from siamese.encoder.output_form import OutputForm, quantized

EMBEDDINGS = np.array([[3, 4, 12, -84], [0, 0, 0, 0], [-3, 4, 1, 1]], np.float32)


def form(normalize=False, **others) -> OutputForm:
    return output_form.output_form(normalize, others)


def test_without_arguments_embeddings_are_returned_as_they_are() -> None:
    for others in ({}, {"precision": None, "truncate_dim": None, "convert_to_tensor": None}):
        np.testing.assert_array_equal(form(**others).of(EMBEDDINGS), EMBEDDINGS)


@pytest.mark.parametrize(
    ("dim", "expected"), [(1, [[1], [0], [-1]]), (2, [[0.6, 0.8], [0, 0], [-0.6, 0.8]])]
)
def test_embeddings_are_cut_and_then_scaled(dim, expected) -> None:
    found = form(normalize=True, truncate_dim=dim).of(EMBEDDINGS)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_more_numbers_than_there_are_leave_all() -> None:
    np.testing.assert_array_equal(form(truncate_dim=np.int64(9)).of(EMBEDDINGS), EMBEDDINGS)


def test_integers_are_places_among_255_steps_of_each_number() -> None:
    found = quantized(np.array([[0, 5], [255, 5], [102.7, 5]], np.float32), "uint8")
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 0], [255, 0], [102, 0]]
    signed = quantized(np.array([[0, 5], [255, 5], [102.7, 5]], np.float32), "int8")
    assert signed.dtype == np.int8
    assert signed.tolist() == [[-128, -128], [127, -128], [-26, -128]]


def test_bits_say_which_numbers_are_above_zero() -> None:
    embeddings = np.array([[1, -1, 0, 2, 1, 1, 1, 1, 1], [0] * 9], np.float32)
    assert quantized(embeddings, "ubinary").tolist() == [[0b10011111, 0b10000000], [0, 0]]
    assert quantized(embeddings, "binary").tolist() == [[0b10011111 - 128, 0], [-128, -128]]


@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary"])
def test_no_embeddings_have_every_precision(precision) -> None:
    found = quantized(np.zeros((0, 16), np.float32), precision)
    assert found.shape == (0, 16 if "int" in precision else 2)


def test_one_embedding_has_no_range() -> None:
    for precision in ("int8", "uint8"):
        with pytest.raises(ValueError, match=f"{precision} of a single embedding"):
            form(precision=precision).of(EMBEDDINGS[:1])


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("precision", "int4", TypeError),
        ("precision", 8, TypeError),
        ("precision", ["int8"], TypeError),
        ("truncate_dim", "16", TypeError),
        ("truncate_dim", 16.0, TypeError),
        ("truncate_dim", True, TypeError),
        ("truncate_dim", 0, ValueError),
        ("truncate_dim", -1, ValueError),
        ("convert_to_numpy", None, TypeError),
        ("convert_to_numpy", 1, TypeError),
        ("convert_to_tensor", "yes", TypeError),
    ],
)
def test_what_cannot_be_given_is_refused_by_name(name, value, error) -> None:
    with pytest.raises(error, match=name):
        form(**{name: value})


@pytest.mark.parametrize(
    "asked", [{"convert_to_tensor": True}, {"convert_to_numpy": False}], ids=str
)
def test_a_tensor_without_torch_is_refused_with_the_extra_that_brings_it(
    monkeypatch, asked
) -> None:
    monkeypatch.setattr(output_form, "find_spec", lambda name: None)
    name, value = next(iter(asked.items()))
    with pytest.raises(TypeError, match=rf"{name}={value} needs torch: pip install 'siamese-ray\["):
        form(**asked)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_tensors_hold_the_same_numbers() -> None:
    tensor = form(convert_to_tensor=True).of(EMBEDDINGS)
    assert tensor.numpy().tolist() == EMBEDDINGS.tolist()
    tensors = form(convert_to_numpy=False, precision="ubinary").of(EMBEDDINGS)
    assert [each.tolist() for each in tensors] == [[0b11100000], [0], [0b01110000]]
