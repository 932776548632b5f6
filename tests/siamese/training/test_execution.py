"""How many workers a run may have."""

import pytest

from siamese import UserError
from siamese.config.loading import load_recipe
from siamese.training.shares import check_shares, fitting_counts


@pytest.mark.parametrize(
    ("groups", "workers", "expected"),
    [
        (64, (2, 2), [2]),
        (64, (2, 8), [2, 4, 8]),
        (96, (1, 16), [1, 2, 3, 4, 6, 8, 12, 16]),
        (64, (3, 5), [4]),
    ],
)
def test_numbers_of_workers_that_share_a_batch_equally_fit(groups, workers, expected) -> None:
    recipe = load_recipe("fast", [f"sampling.batch_groups={groups}"])
    assert fitting_counts(recipe, workers) == expected


@pytest.mark.parametrize("workers", [(0, 0), (1, 1), (2, 32), (64, 64)])
def test_least_and_most_workers_that_share_a_batch_equally_are_accepted(workers) -> None:
    check_shares(load_recipe("fast", ["sampling.batch_groups=64"]), workers)


@pytest.mark.parametrize(
    ("workers", "odd", "fitting"),
    [((3, 3), "3 workers", "63 or 66"), ((2, 6), "6 workers", "60 or 66"), ((65, 65), "65", "65")],
)
def test_a_batch_that_the_least_or_most_workers_cannot_share_is_refused(
    workers, odd, fitting
) -> None:
    recipe = load_recipe("fast", ["sampling.batch_groups=64"])
    with pytest.raises(UserError) as error:
        check_shares(recipe, workers)
    assert f"cannot be shared equally by {odd}" in str(error.value)
    assert f"Set it to {fitting}" in str(error.value)
