"""`siamese shard`: any accepted input -> a data set, on Ray Data where that is faster."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

from distributed.cluster.connect import connect
from distributed.sharding.ray_map import Item, ray_map
from siamese.data.format import Format
from siamese.data.sharding import ROWS_PER_SHARD, Map, make_data_set
from siamese.data.splitting import Piece

# So much is done in this process before two workers would have caught up: Ray and Ray Data take
# 8 s to start.
BYTES_WITHOUT_RAY = 128 << 20
# Only what stages return goes through Ray's object store, and that is little.
OBJECT_STORE_BYTES = 256 << 20


def shard(
    inputs: list[str],
    output: str | Path,
    rows_per_shard: int = ROWS_PER_SHARD,
    seed: int = 1,
    fresh: bool = False,
    format: str | Format | None = None,
    encoding: str | None = None,
) -> dict[str, Any]:
    """Make a data set: `make_data_set`, in the workers of the cluster if there is much to do.

    Args:
        inputs: as in `make_data_set`, as are the others.
        output: the data set's folder.
        rows_per_shard: groups in a shard, at most.
        seed: of the order in which groups are dealt to shards.
        fresh: replace a data set that is there.
        format: the format of all files.
        encoding: of all text files.

    Returns:
        The manifest.

    Raises:
        UserError: an input cannot be used, or `output` is in the way.
    """
    return make_data_set(inputs, output, rows_per_shard, seed, fresh, format, _choose_map, encoding)


def _choose_map(pieces: Sequence[Piece]) -> Map:
    if len(pieces) == 1 or sum(piece.size for piece in pieces) <= BYTES_WITHOUT_RAY:
        return map
    return _map_from_now


def _map_from_now(
    function: Callable[[Item], dict[str, Any]], items: Sequence[Item]
) -> Iterator[dict[str, Any]]:
    """Apply a function as `ray_map` does, but here until Ray has started: that takes seconds."""
    import ray

    done: list[dict[str, Any]] = []
    if not ray.is_initialized():
        started = Event()

        def work() -> None:
            for item in items:
                if started.is_set():
                    break
                done.append(function(item))

        with ThreadPoolExecutor(1) as thread:
            working = thread.submit(work)
            try:
                connect(object_store_memory=OBJECT_STORE_BYTES)
            finally:
                started.set()
        yield from done
        working.result()  # raises what is wrong with the item after those
    if len(done) < len(items):
        yield from ray_map(function, items[len(done) :])
