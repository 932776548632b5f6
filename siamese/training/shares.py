"""Every worker has as much of a batch as any other."""

import numpy as np

from siamese.config.recipe import NEIGHBOURHOOD, Recipe
from siamese.errors import UserError


def check_shares(recipe: Recipe, workers: tuple[int, int]) -> None:
    """Check that every worker has as many groups and unlabelled texts of a batch as any other.

    Raises:
        UserError: says which sizes of a batch would do.
    """
    counts = range(max(workers[0], 1), workers[1] + 1)
    multiple = int(np.lcm.reduce(counts)) if counts else 1
    for name, unit, what in (("batch_groups", 1, "groups"), ("unlabelled", NEIGHBOURHOOD, "texts")):
        size = getattr(recipe.sampling, name)
        odd = [count for count in counts if size % (unit * count)]
        if odd:
            step = unit * multiple
            fitting = sorted({max(size // step, 1) * step, -(-size // step) * step})
            raise UserError(
                f"sampling.{name}={size} {what} cannot be shared equally by "
                f"{' or '.join(map(str, odd))} workers. Set it to "
                f"{' or '.join(map(str, fitting))}, or change --workers."
            )
