"""Which texts make which batch: a pure function of the data, the recipe and a `Position`.

Nothing here has state, so that a resumed run draws what an undisturbed one would have drawn and N
workers together draw what one would.
"""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from siamese.config.recipe import Sampling
from siamese.data.dataset import TrainingData
from siamese.data.epoch_order import batch_indices, split_row_groups
from siamese.data.group import Group
from siamese.data.notebook_sampling import notebook_rows, notebook_steps
from siamese.data.pair import Pair
from siamese.data.rows import Position, Rows
from siamese.errors import UserError


def steps_per_epoch(data: TrainingData, sampling: Sampling) -> int:
    """Return the number of whole batches in an epoch.

    A pass over the groups drops the last, incomplete batch; the next epoch shuffles anew. With
    `by_size`, a pass takes a group of n texts n - 1 times; with `labelled` as often as it has pairs
    that are labelled as paraphrases.

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

    With hard negatives, as many other pairs are drawn beside the batch's groups, in passes of their
    own: single-text groups with one of their hard negatives, or, with `labelled`, all pairs that
    are labelled as less than paraphrases.

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
    drawn = _draw_positives(data, sampling, position, chances)
    negatives = [
        _draw(group.negatives, row) for (group, _), row in zip(drawn, chances[:, 2:], strict=True)
    ]
    negatives_of = np.array([len(texts) for texts in negatives])
    has_negative = negatives_of[:, None] > np.arange(hard_negatives)
    others: list[Pair] = []
    others_noise = np.zeros(0, np.uint32)
    if hard_negatives:
        others, others_noise = _draw_others(data, sampling, position)
    # Negatives that were mined are columns, and no labels to rank by.
    ranked = 0 * negatives_of if data.mined else negatives_of
    pairs, grades = _labelled([pair for _, pair in drawn], others, ranked)
    return Rows(
        first=[pair.text1 for _, pair in drawn],
        second=[pair.text2 for _, pair in drawn],
        others=[pair.text1 for pair in others] + [pair.text2 for pair in others],
        negatives=list(chain.from_iterable(negatives)),
        own=[group.texts for group, _ in drawn],
        pairs=pairs,
        grades=grades,
        noise=np.concatenate([*noise[:, :2].T, others_noise, noise[:, 2:][has_negative]]),
    )


def _items(data: TrainingData, sampling: Sampling) -> tuple[int, ...]:
    """Return how many items of each row group a pass takes: its groups, or pairs of their texts."""
    if sampling.method == "labelled":
        return data.sizes.labelled_pairs()[0]
    if sampling.method == "by_size":
        return data.sizes.pairs()
    return split_row_groups(data.row_groups, data.multi_text_groups)[0]


def _draw_positives(
    data: TrainingData, sampling: Sampling, position: Position, chances: np.ndarray
) -> list[tuple[Group, Pair]]:
    """Draw groups, and a pair of texts of each.

    Args:
        data: the groups.
        sampling: the recipe's section.
        position: of the batch.
        chances: random numbers in [0, 1), which choose the texts, `[B, 2 or more]`.
    """
    size, totals = sampling.batch_groups, _items(data, sampling)
    place = position.seed, position.epoch, position.step, position.share(size)
    items = batch_indices(size, totals, *place)
    if sampling.method == "labelled":
        found = _find(items, totals, data.row_groups, lambda n: data.sizes.labelled_ends(n)[0])
        pairs = ((data.groups[index], number) for index, number in found)
        return [
            (group, _positive_pair(group, number) or _two_texts(group, row))
            for (group, number), row in zip(pairs, chances, strict=True)
        ]
    indices = items.tolist()
    if sampling.method == "by_size":
        found = _find(items, totals, data.row_groups, data.sizes.pair_ends)
        indices = [index for index, _ in found]
    groups = [data.groups[index] for index in indices]
    return [(group, _two_texts(group, row)) for group, row in zip(groups, chances, strict=True)]


def _positive_pair(group: Group, number: int) -> Pair | None:
    """Return a group's positive pair of that number; None: it has none at all."""
    positive = [pair for pair in group.pairs if pair.label]
    return positive[number] if positive else None


def _two_texts(group: Group, chances: np.ndarray) -> Pair:
    """Draw two different texts of a group."""
    count = len(group.texts)
    first, second = int(chances[0] * count), int(chances[1] * (count - 1))
    return Pair(group.texts[first], group.texts[second + (second >= first)], 1)


def _find(
    items: np.ndarray,
    totals: Sequence[int],
    row_groups: Sequence[int],
    ends_of: Callable[[int], np.ndarray],
) -> list[tuple[int, int]]:
    """Find the group of each item, and which of the group's items it is.

    Args:
        items: such as pairs, numbered through all groups: first those of the first group.
        totals: the number of items in each row group.
        row_groups: the number of groups in each.
        ends_of: the running sum of the items over the groups of one row group.
    """
    last, starts = np.cumsum(totals), np.cumsum(row_groups) - row_groups
    row_group = np.searchsorted(last, items, side="right")
    groups, numbers = np.empty_like(items), np.empty_like(items)
    for there in np.unique(row_group):
        here = row_group == there
        ends = ends_of(int(there))
        within = items[here] - (last[there] - ends[-1])
        group = np.searchsorted(ends, within, side="right")
        groups[here] = starts[there] + group
        numbers[here] = within - np.where(group > 0, ends[group - 1], 0)
    return list(zip(groups.tolist(), numbers.tolist(), strict=True))


def _draw_others(
    data: TrainingData, sampling: Sampling, position: Position
) -> tuple[list[Pair], np.ndarray]:
    """Draw pairs that are no paraphrases, besides those of the batch's groups.

    Returns:
        N pairs; and what the dropout of their first and then of their second texts is drawn from,
        uint32 `[2 N]`.
    """
    size = sampling.batch_groups
    share = position.share(size)
    is_labelled = sampling.method == "labelled"
    if is_labelled:
        items = data.sizes.labelled_pairs()[1]
    else:
        singles = split_row_groups(data.row_groups, data.multi_text_groups)[1]
        items = split_row_groups(singles, data.single_text_groups)[0]
    total = sum(items)
    if not total:
        return [], np.zeros(0, np.uint32)
    # Their passes have a length of their own, so they go by the step of the run.
    step = position.epoch * (sum(_items(data, sampling)) // size) + position.step
    if steps := total // size:
        drawn = batch_indices(size, items, position.seed, step // steps, step % steps, share)
    else:  # fewer than a batch: some come again
        generator = np.random.default_rng((position.seed, step, 6))
        drawn = np.resize(generator.permutation(total), size)[share]
    generator = position.generator(5)
    chances = generator.random((size, 1))[share]
    noise = generator.integers(2**32, size=(size, 2), dtype=np.uint32)[share]
    if is_labelled:
        found = _find(drawn, items, data.row_groups, lambda n: data.sizes.labelled_ends(n)[1])
        others = [_other_pairs(data.groups[index])[number] for index, number in found]
    else:
        groups = [data.groups[data.multi_text_groups + index] for index in drawn]
        others = [
            Pair(group.texts[0], _draw(group.negatives, row)[0], 0)
            for group, row in zip(groups, chances, strict=True)
        ]
    return others, noise.ravel(order="F")


def _other_pairs(group: Group) -> list[Pair]:
    return [pair for pair in group.pairs if not pair.label]


def _labelled(
    positive: Sequence[Pair], others: Sequence[Pair], negatives: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the grades of labelled pairs as in `Rows`.

    Args:
        positive: a pair of each group `[B]`.
        others: the other pairs `[N]`.
        negatives: the number of hard negatives of each group that are labelled `[B]`.
    """
    groups, count = len(positive), len(others)
    of_group = np.repeat(np.arange(groups), negatives)
    rows = 2 * (groups + count) + np.arange(len(of_group))
    first, other = np.arange(groups), 2 * groups + np.arange(count)
    one = np.concatenate([first, other, of_group, of_group + groups])
    two = np.concatenate([first + groups, other + count, rows, rows])
    grades = np.zeros(len(one), np.float32)
    grades[: groups + count] = [pair.grade for pair in (*positive, *others)]
    return np.stack([one, two], axis=1).astype(np.int32), grades


def _draw(texts: tuple[str, ...], chances: np.ndarray) -> list[str]:
    """Draw as many different texts as there are chances, or all if there are fewer."""
    left = list(texts)
    return [left.pop(int(chance * len(left))) for chance in chances[: len(left)]]
