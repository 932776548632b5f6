"""Matrix products in which a row's result has the same bits whatever rows are beside it.

The linear algebra of numpy picks its way by the shape of a product, and some ways by a row's place
in it, so that the last digits of a row depend on how many others there are and on where it stands:
with OpenBLAS on processors with AVX2, rows 0 to 5 and 6 to 11 of each dozen are summed up in
different orders. All products are therefore taken in blocks of a fixed shape whose rows prove to be
computed alike, and if they are few in smaller ones that prove to give the same (2 rows with
AVX-512). Where no such blocks are found, each row is computed by itself.
"""

from functools import cache

import numpy as np

# Rows of a block; and of one that stands for few rows: the first that proves right.
ROWS = 8
FEW_ROWS = (2, 4, ROWS)
# Multiplications of a block, at most: OpenBLAS uses one thread for so many, and where it can a way
# for small products.
MULTIPLICATIONS = 1 << 18


class RowProducts:
    """Multiplies rows by the same kernels again and again.

    Args:
        kernels: float32 `[..., k, n]`.
    """

    def __init__(self, kernels: np.ndarray) -> None:
        *_, self._height, width = kernels.shape
        columns = _columns(self._height, width)
        widths = {part.stop - part.start for part in columns}
        right = (
            few
            for few in FEW_ROWS
            if all(_rows_are_alike(self._height, each, few) for each in widths)
        )
        self._few = next(right, 1)
        self._many = ROWS if self._few > 1 else 1
        kernels = np.ascontiguousarray(kernels)
        parts = columns if self._few > 1 else [slice(None)]
        self._parts = [(part, kernels[..., part]) for part in parts]

    def __call__(self, rows: np.ndarray, count: int, out: np.ndarray) -> None:
        """Multiply the first rows.

        Args:
            rows: float32 `[m, k]`, m at least `count` rounded up to a multiple of `ROWS`; any
                numbers in those after `count`.
            count: how many to multiply.
            out: where the products go, float32 `[..., m, n]`; rows after `count` are written too.
        """
        size = self._few if count <= self._few else self._many
        if count <= size:
            for columns, kernels in self._parts:
                np.matmul(rows[:size], kernels, out=out[..., :size, columns])
            return
        blocks = -(-count // size)
        rows = rows[: blocks * size].reshape(blocks, size, self._height)
        out = out[..., : blocks * size, :]
        out = out.reshape(*out.shape[:-2], blocks, size, out.shape[-1])  # a view: an axis is split
        for columns, kernels in self._parts:
            np.matmul(rows, kernels[..., None, :, :], out=out[..., columns])


def whole_blocks(rows: int) -> int:
    """Round a number of rows up to a multiple of `ROWS`."""
    return -(-rows // ROWS) * ROWS


def _columns(height: int, width: int) -> list[slice]:
    """Cut the columns of a kernel into as few parts as may be: multiples of 16, nearly equal."""
    most = max(MULTIPLICATIONS // (ROWS * height), 16)
    size = -(-width // -(-width // most))
    size = min(-(-size // 16) * 16, max(most // 16 * 16, 16))
    return [slice(start, min(start + size, width)) for start in range(0, width, size)]


@cache
def _rows_are_alike(height: int, width: int, few: int) -> bool:
    """Try whether blocks of `ROWS` and of `few` rows compute each of their rows in the same way.

    On 64 rows, at two places each: two ways of summing up can agree on some by chance.
    """
    random = np.random.default_rng(1)
    rows, kernel = (
        random.standard_normal((count, width), np.float32)
        for count, width in ((64, height), (height, width))
    )

    def products(size: int, shift: int) -> np.ndarray:
        blocks = np.roll(rows, shift, axis=0).reshape(-1, size, height) @ kernel
        return np.roll(blocks.reshape(64, width), -shift, axis=0)

    expected = products(ROWS, 0)
    others = [products(ROWS, 3), products(few, 0), products(few, 1)]
    return all(np.array_equal(each, expected) for each in others)
