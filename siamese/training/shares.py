"""Every worker has as much of a batch as any other."""

import math

from siamese.config.recipe import NEIGHBOURHOOD, Recipe
from siamese.errors import UserError

# What the workers share of a batch: the setting, what a share is a multiple of, and its name.
_SHARED = (("batch_groups", 1, "groups"), ("unlabelled", NEIGHBOURHOOD, "texts"))


def fitting_counts(recipe: Recipe, workers: tuple[int, int]) -> list[int]:
    """List the numbers of workers that can share a batch equally, from the least to the most."""
    return [
        count
        for count in range(workers[0], workers[1] + 1)
        if all(getattr(recipe.sampling, name) % (unit * count) == 0 for name, unit, _ in _SHARED)
    ]


def check_shares(recipe: Recipe, workers: tuple[int, int]) -> None:
    """Check that every worker has as many groups and unlabelled texts of a batch as any other.

    Of an elastic run, that holds for its least and its most workers (`fitting_counts`).

    Raises:
        UserError: says which sizes of a batch would do.
    """
    counts = sorted(set(workers)) if workers[1] else []
    for name, unit, what in _SHARED:
        size = getattr(recipe.sampling, name)
        odd = [count for count in counts if size % (unit * count)]
        if odd:
            step = unit * math.lcm(*counts)
            fitting = sorted({max(size // step, 1) * step, -(-size // step) * step})
            raise UserError(
                f"sampling.{name}={size} {what} cannot be shared equally by "
                f"{' or '.join(map(str, odd))} workers. Set it to "
                f"{' or '.join(map(str, fitting))}, or change --workers."
            )
