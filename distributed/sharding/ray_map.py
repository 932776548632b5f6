"""Apply a function to each of some items, with Ray Data, on every CPU of the cluster."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from siamese.errors import UserError

Item = TypeVar("Item")


def ray_map(
    function: Callable[[Item], dict[str, Any]], items: Sequence[Item]
) -> Iterator[dict[str, Any]]:
    """Yield what the function returns for each item, in the order of the items.

    A `siamese.data.sharding.Map`, for a cluster that was joined. A worker that dies is replaced and
    its item done again; the user's mistakes and what cannot be written are not tried again.

    Args:
        function: from an item to a row: names and integers, strings or bytes.
        items: what to apply it to.

    Raises:
        UserError: of the first item, in their order, whose function raised one.
    """
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)

    def task(row: dict[str, Any]) -> dict[str, Any]:
        # Raised here, Ray would wrap the error in its own words.
        try:
            return {"error": "", **function(items[row["item"]])}
        except (UserError, OSError) as error:
            return {"error": str(error)}

    numbers = [{"item": number} for number in range(len(items))]
    # A block for each item, so that each is a task of its own.
    rows = ray.data.from_items(numbers, override_num_blocks=len(items)).map(task)
    rows.context.enable_progress_bars = False
    rows.context.execution_options.preserve_order = True
    for row in rows.iter_rows():
        if error := row.pop("error"):
            raise UserError(error)
        yield row
