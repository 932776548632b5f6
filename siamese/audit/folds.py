"""Deal labelled pairs into folds so that the texts of a fold are, where possible, in it alone."""

import numpy as np

from siamese.audit.labels import Labels
from siamese.errors import UserError

# Of the pairs that a fold's encoder is trained on, one in so many picks its best epoch instead.
PARTS = 10


def split_in_folds(labels: Labels, count: int, seed: int) -> np.ndarray:
    """Give every labelled pair a fold.

    Pairs that share texts, directly or by way of others, are in one fold. Where that would make a
    fold too large, as where thousands of questions are compared with one answer, only groups stay
    together: what positive pairs join. Of a group that is too large, each pair goes its own way.

    Args:
        labels: the pairs.
        count: of folds.
        seed: another one gives other folds.

    Returns:
        The number of each pair's fold, int64 `[pairs]`.

    Raises:
        UserError: there are too few pairs for so many folds.
    """
    folds = _deal(_units(labels, len(labels.pairs) // count), count, seed)
    for fold in range(count):
        inside = folds == fold
        chosen = held_out(labels, folds, fold, seed)
        for kind in (inside, chosen, ~inside & ~chosen):
            if len(set(labels.are_positive[kind].tolist())) < 2:
                positive = int(labels.are_positive.sum())
                raise UserError(
                    f"{positive:,} positive and {len(labels.pairs) - positive:,} other labelled "
                    f"pairs are too few for {count} folds: each needs some of both. "
                    + ("Lower --folds, or label" if count > 2 else "Label")
                    + " more pairs."
                )
    return folds


def held_out(labels: Labels, folds: np.ndarray, fold: int, seed: int) -> np.ndarray:
    """Choose the pairs outside a fold that pick the best epoch, and are not trained on.

    Args:
        labels: the pairs.
        folds: of the pairs.
        fold: which of them.
        seed: as in `split_in_folds`.

    Returns:
        bool `[pairs]`.
    """
    units = _units(labels, len(labels.pairs) // PARTS)
    outside = np.flatnonzero(folds != fold)
    chosen = np.zeros(len(folds), bool)
    chosen[outside] = _deal(units[outside], PARTS, seed + 1) == 0
    return chosen


def _units(labels: Labels, most: int) -> np.ndarray:
    """Number what must stay together: the unit of each pair, int64 `[pairs]`.

    Args:
        labels: the pairs.
        most: pairs in a unit.
    """
    component = components(len(labels.texts), labels.ends)[labels.ends[:, 0]]
    group = components(len(labels.texts), labels.ends[labels.are_positive])[labels.ends[:, 0]]
    units = np.unique(component, return_inverse=True)[1]
    for finer in (group, np.arange(len(units))):
        too_large = np.bincount(units)[units] > max(most, 1)
        units = np.where(too_large, units.max() + 1 + finer, units)
        units = np.unique(units, return_inverse=True)[1]
    return units


def components(count: int, ends: np.ndarray) -> np.ndarray:
    """Find what texts are connected.

    Args:
        count: of texts.
        ends: what connects two of them, positions, int64 `[connections, 2]`.

    Returns:
        The number of each text's connected component, int64 `[texts]`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    weights = np.ones(len(ends), np.int8)
    graph = coo_array((weights, (ends[:, 0], ends[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _deal(units: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Deal units into parts of about as many pairs each, the largest units first.

    Args:
        units: of the pairs, int64 `[pairs]`.
        count: of parts.
        seed: of the order of units of one size.

    Returns:
        The part of each pair, int64 `[pairs]`.
    """
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    loads = np.zeros(count, np.int64)
    parts = np.empty(len(sizes), np.int64)
    for each in order.tolist():
        part = int(loads.argmin())
        parts[each] = part
        loads[part] += sizes[each]
    return parts[unit]
