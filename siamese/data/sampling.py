"""Which texts make which batch: a pure function of the data, the recipe and a `Position`.

Nothing here has state, so that a resumed run draws what an undisturbed one would have drawn and N
workers together draw what one would.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from siamese.config.recipe import Sampling
from siamese.data.dataset import Sizes, TrainingData
from siamese.data.epoch_order import batch_indices, split_row_groups
from siamese.data.notebook_sampling import notebook_rows, notebook_steps
from siamese.data.rows import Position, Rows
from siamese.errors import UserError


def steps_per_epoch(data: TrainingData, sampling: Sampling) -> int:
    """Return the number of whole batches in an epoch.

    A pass over the groups drops the last, incomplete batch; the next epoch shuffles anew. With
    `by_size`, a pass takes a group of n texts n - 1 times.

    Raises:
        UserError: there are fewer groups than a batch has.
    """
    groups = data.multi_text_groups
    if groups < sampling.batch_groups:
        smaller = (
            f"Lower it with --set sampling.batch_groups={groups} or give" if groups > 1 else "Give"
        )
        raise UserError(
            f"{groups:,} groups are fewer than one batch "
            f"(sampling.batch_groups={sampling.batch_groups:,}). {smaller} more groups."
        )
    if sampling.method == "notebook":
        return notebook_steps(data.texts_read)
    return sum(_items(data, sampling)) // sampling.batch_groups


def sample_rows(
    data: TrainingData, sampling: Sampling, hard_negatives: int, position: Position
) -> Rows:
    """Draw the rows of one worker's share of one global batch.

    With hard negatives, as many single-text groups are drawn beside the batch's groups, in passes
    of their own, and with each of them one of its hard negatives.

    Args:
        data: the groups; only those of the share are read.
        sampling: the recipe's section.
        hard_negatives: how many of a group's hard negatives to draw (fewer if it has fewer).
        position: where in the run, and for which worker.
    """
    size, texts = sampling.batch_groups, 2 + hard_negatives
    share = position.share(size)
    # Drawn for the whole batch, so that a group's texts do not depend on who draws them.
    chances = position.generator(1).random((size, texts))[share]
    noise = position.generator(2).integers(2**32, size=(size, texts), dtype=np.uint32)[share]
    if sampling.method == "notebook":
        return notebook_rows(data, size, chances, noise, position)
    drawn = batch_indices(
        size, _items(data, sampling), position.seed, position.epoch, position.step, share
    )
    if sampling.method == "by_size":
        drawn = _groups_of_pairs(drawn, data.sizes, data.row_groups)
    groups = [data.groups[index] for index in drawn]

    texts_of = np.array([len(group.texts) for group in groups])
    first = (chances[:, 0] * texts_of).astype(np.int64)
    second = (chances[:, 1] * (texts_of - 1)).astype(np.int64)
    second += second >= first  # one of the others: skip the first text
    negatives = [
        _draw(group.negatives, row) for group, row in zip(groups, chances[:, 2:], strict=True)
    ]
    negatives_of = np.array([len(texts) for texts in negatives])
    has_negative = negatives_of[:, None] > np.arange(hard_negatives)

    single_texts: list[str] = []
    single_noise = np.zeros(0, np.uint32)
    if data.single_text_groups and hard_negatives:
        single_texts, single_noise = _draw_single_texts(data, sampling, position)
    return Rows(
        first=[group.texts[i] for group, i in zip(groups, first, strict=True)],
        second=[group.texts[i] for group, i in zip(groups, second, strict=True)],
        single_texts=single_texts,
        negatives=list(chain.from_iterable(negatives)),
        own=[group.texts for group in groups],
        negative_pairs=_negative_pairs(negatives_of, len(single_texts) // 2),
        noise=np.concatenate([*noise[:, :2].T, single_noise, noise[:, 2:][has_negative]]),
    )


def _items(data: TrainingData, sampling: Sampling) -> tuple[int, ...]:
    """Return how many items of each row group a pass takes: its groups, or pairs joining them."""
    if sampling.method == "by_size":
        return data.sizes.pairs()
    return split_row_groups(data.row_groups, data.multi_text_groups)[0]


def _groups_of_pairs(pairs: np.ndarray, sizes: Sizes, row_groups: Sequence[int]) -> np.ndarray:
    """Return the group of each pair: the first n - 1 pairs join the first group, and so on."""
    ends, starts = np.cumsum(sizes.pairs()), np.cumsum(row_groups) - row_groups
    number = np.searchsorted(ends, pairs, side="right")
    indices = np.empty_like(pairs)
    for there in np.unique(number):
        here = number == there
        of_groups = sizes.pair_ends(int(there))
        within = pairs[here] - (ends[there] - of_groups[-1])
        indices[here] = starts[there] + np.searchsorted(of_groups, within, side="right")
    return indices


def _draw_single_texts(
    data: TrainingData, sampling: Sampling, position: Position
) -> tuple[list[str], np.ndarray]:
    """Draw single-text groups and one hard negative of each.

    Returns:
        The groups' texts, then their negatives `[2 N]`; and what their dropout is drawn from,
        uint32 `[2 N]`.
    """
    size = sampling.batch_groups
    share = position.share(size)
    singles = split_row_groups(data.row_groups, data.multi_text_groups)[1]
    row_groups = split_row_groups(singles, data.single_text_groups)[0]
    # Their passes have a length of their own, so they go by the step of the run.
    step = position.epoch * (sum(_items(data, sampling)) // size) + position.step
    if steps := data.single_text_groups // size:
        drawn = batch_indices(size, row_groups, position.seed, step // steps, step % steps, share)
    else:  # fewer than a batch: some come again
        generator = np.random.default_rng((position.seed, step, 6))
        drawn = np.resize(generator.permutation(data.single_text_groups), size)[share]
    generator = position.generator(5)
    chances = generator.random((size, 1))[share]
    noise = generator.integers(2**32, size=(size, 2), dtype=np.uint32)[share]
    groups = [data.groups[data.multi_text_groups + index] for index in drawn]
    negatives = [_draw(group.negatives, row)[0] for group, row in zip(groups, chances, strict=True)]
    return [group.texts[0] for group in groups] + negatives, noise.ravel(order="F")


def _negative_pairs(negatives: np.ndarray, single_texts: int) -> np.ndarray:
    """Return the rows of negative pairs as in `Rows`.

    Args:
        negatives: the number of hard negatives of each group `[B]`.
        single_texts: the number of single-text groups, N.
    """
    groups = len(negatives)
    of_group = np.repeat(np.arange(groups), negatives)
    rows = 2 * (groups + single_texts) + np.arange(len(of_group))
    single = 2 * groups + np.arange(single_texts)
    one = np.concatenate([single, of_group, of_group + groups])
    other = np.concatenate([single + single_texts, rows, rows])
    return np.stack([one, other], axis=1).astype(np.int32)


def _draw(texts: tuple[str, ...], chances: np.ndarray) -> list[str]:
    """Draw as many different texts as there are chances, or all if there are fewer."""
    left = list(texts)
    return [left.pop(int(chance * len(left))) for chance in chances[: len(left)]]
