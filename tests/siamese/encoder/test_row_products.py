"""Rows of products have the same bits in any company."""

import numpy as np
import pytest

from siamese.encoder import row_products
from siamese.encoder.row_products import RowProducts, whole_blocks

SHAPES = [(128, (4, 128, 96)), (7, (7, 28)), (300, (2, 300, 512)), (64, (64, 1)), (1, (1, 3))]


@pytest.fixture(params=[True, False], ids=["as found", "each row by itself"])
def as_found(request, monkeypatch) -> None:
    if not request.param:
        monkeypatch.setattr(row_products, "_rows_are_alike", lambda *_: False)


def products(rows: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    count = len(rows)
    given = np.full((whole_blocks(count), rows.shape[1]), 9, np.float32)
    given[:count] = rows
    out = np.empty((*kernels.shape[:-2], len(given), kernels.shape[-1]), np.float32)
    RowProducts(kernels)(given, count, out)
    return out[..., :count, :]


@pytest.mark.parametrize(("height", "shape"), SHAPES)
def test_a_row_has_the_same_bits_among_any_number_of_others_and_anywhere(
    as_found, height, shape
) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(67, height)).astype(np.float32)
    kernels = rng.normal(size=shape).astype(np.float32)
    together = products(rows, kernels)
    np.testing.assert_allclose(together, rows.astype(float) @ kernels, rtol=1e-4, atol=1e-4)
    for count in (1, 2, 3, 8, 9, 12, 13, 24, 66):
        for start in (0, 1, 67 - count):
            part = slice(start, start + count)
            np.testing.assert_array_equal(products(rows[part], kernels), together[..., part, :])


def test_what_stands_after_the_rows_does_not_count(as_found) -> None:
    rng = np.random.default_rng(1)
    rows, kernel = (rng.normal(size=(16, 16)).astype(np.float32) for _ in range(2))
    out, other = np.empty((2, 16, 16), np.float32)
    product = RowProducts(kernel)
    product(rows, 9, out)
    product(np.concatenate([rows[:9], np.zeros((7, 16), np.float32)]), 9, other)
    np.testing.assert_array_equal(out[:9], other[:9])


@pytest.mark.parametrize("wrong", ["in blocks of 2", "at the end of a block"])
def test_ways_that_differ_in_the_last_digits_are_recognised(monkeypatch, wrong) -> None:
    """As with AVX2, where 12 rows are not summed up as 2 are, and the first 6 not as the others."""
    alike = row_products._rows_are_alike.__wrapped__

    class Rows(np.ndarray):
        def __matmul__(self, kernel):
            out = np.asarray(self)[..., None, :] @ kernel  # each by itself
            out = out[..., 0, :]
            if wrong == "in blocks of 2" and self.shape[1] == 2:
                out[0, 0, 0] *= np.float32(1.000001)
            if wrong == "at the end of a block":
                out[:, -1, -1] *= np.float32(1.000001)
            return out

    roll = np.roll
    monkeypatch.setattr(np, "roll", lambda *a, **b: roll(*a, **b).view(Rows))
    assert not alike(16, 16, 2)
    wrong = ""
    assert alike(16, 16, 2)


@pytest.mark.parametrize(("right", "few", "many"), [((2, 4, 8), 2, 8), ((4, 8), 4, 8), ((), 1, 1)])
def test_the_smallest_blocks_that_prove_right_are_taken(monkeypatch, right, few, many) -> None:
    monkeypatch.setattr(row_products, "_rows_are_alike", lambda height, width, size: size in right)
    product = RowProducts(np.ones((2, 16, 16), np.float32))
    assert (product._few, product._many) == (few, many)


def test_kernels_are_cut_into_parts_for_one_thread() -> None:
    for height in (1, 7, 128, 300, 384, 1024, 5000):
        for width in (1, 16, 100, 128, 512, 1000, 2048):
            parts = row_products._columns(height, width)
            assert [n for part in parts for n in range(width)[part]] == list(range(width))
            widest = max(part.stop - part.start for part in parts)
            assert 8 * height * widest <= max(row_products.MULTIPLICATIONS, 8 * height * 16)
