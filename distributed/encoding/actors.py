"""Encode the texts of files in actors of Ray Data, each of which holds the encoder once.

One task reads the texts, on the node of the process that was started, as a stream that stops while
the actors have enough; what they return is written by that process. So nothing is held but what is
under way, and nodes need no storage that they share.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from siamese.encoding.filling import Encode, Left, Work
from siamese.errors import RunError, UserError, in_words
from siamese.standard_error import holding_back
from siamese.training.execution import Execution

# How often the texts of a file are given to another actor when one dies: Ray would go on for ever.
_TRIES = 4
# Texts go out and vectors come back a file at a time.
_OBJECT_STORE_BYTES = 256 << 20


def on_ray(execution: Execution, read: list[str], uses_tensorflow: bool) -> Encode:
    """Make an `Encode` whose work is done by actors.

    Args:
        execution: the workers, and what each of them has.
        read: paths and URIs that every node must be able to read for the work.
        uses_tensorflow: whether the work is TensorFlow's where there is a GPU: then each actor
            takes its share of the GPU's memory, and no more.
    """

    def encode(work: Work, parts: Left) -> Iterator[tuple[int, list[str], np.ndarray]]:
        from distributed.cluster.connect import connect
        from distributed.cluster.preflight import Request, preflight

        connect(execution.verbose, _OBJECT_STORE_BYTES)
        preflight(Request(execution), read=read, run=None)
        gpus = execution.gpus_per_worker if uses_tensorflow else 0.0
        for row in _rows(_Capped(work, gpus) if gpus else work, parts, execution):
            if row["tries"] > _TRIES:
                raise RunError(
                    f"{_TRIES} workers died, one after the other, with the same texts, as they do "
                    "when there is too little memory. Continue with --resume, and fewer --workers."
                )
            if row["error"]:
                raise UserError(row["error"])
            vectors = np.frombuffer(row["vectors"], row["dtype"])
            yield row["number"], list(row["texts"]), vectors.reshape(-1, row["dim"])

    return encode


def check_gpus(execution: Execution, who: str) -> None:
    """Refuse a share of a GPU where there is no worker to have it.

    Args:
        execution: as asked for.
        who: takes the GPU then, for the message.

    Raises:
        UserError: there is none.
    """
    if execution.gpus_per_worker and not execution.workers[1]:
        raise UserError(
            f"--gpus-per-worker {execution.gpus_per_worker:g} needs --workers 1 or more. Without "
            f"workers {who} takes the GPU that it finds."
        )


class _Capped:
    """Work for which TensorFlow gets a share of a GPU's memory."""

    def __init__(self, work: Work, gpus: float) -> None:
        self._work = work
        self._gpus = gpus
        self._is_capped = False

    def __call__(self, texts: list[str]) -> np.ndarray:
        if not self._is_capped:
            from distributed.cluster.gpu_memory import cap_worker_memory

            cap_worker_memory(None, self._gpus)
            self._is_capped = True
        return self._work(texts)


def _rows(work: Work, parts: Left, execution: Execution) -> Iterator[dict[str, Any]]:
    """Yield what the actors return, as it comes."""
    import ray.data

    from distributed.cluster.capacity import resources_of

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    need = resources_of(execution)
    with holding_back(re.compile(rb"has constructor arguments in the object store")):
        # Ray says this once, of the first actor that it may restart with arguments. All actors of
        # Ray Data are such (ray#53727), so it says it of this one.
        tries: Any = ray.remote(num_cpus=0, max_restarts=-1)(_Tries).remote(ray.put({}))
    one = ray.data.from_items([{"parts": 1}])
    one.context.enable_progress_bars = False
    one.context.target_max_block_size = 1  # a block for each file, so that each is a task
    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    read = one.flat_map(_Reader(parts), num_cpus=0, label_selector=here)
    rows = read.map(
        cast(Any, _Worker),  # Ray's type is that of a function
        fn_constructor_args=(work, tries),
        compute=ray.data.ActorPoolStrategy(size=min(execution.workers[1], len(parts))),
        num_cpus=need["CPU"],
        num_gpus=need.get("GPU"),
    )
    yield from rows.iter_rows()


class _Reader:
    """Reads the texts of all files, in the one task that does."""

    def __init__(self, parts: Left) -> None:
        self._parts = parts

    def __call__(self, _: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            for number, texts in self._parts:
                yield {"number": number, "texts": texts, "error": ""}
        except (UserError, OSError) as error:  # they have been read once: something has changed
            yield {"number": -1, "texts": [""], "error": in_words(error)}


class _Tries:
    """Counts, in a process that does nothing else, how often the texts of each file were begun."""

    def __init__(self, tries: dict[int, int]) -> None:
        self._tries = Counter(tries)

    def begin(self, number: int) -> int:
        """Count one more try of a file."""
        self._tries[number] += 1
        return self._tries[number]


class _Worker:
    """An actor: holds the work, which may load something with its first texts."""

    def __init__(self, work: Work, tries: Any) -> None:
        self._work = work
        self._tries = tries

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Encode the texts of a file; mistakes are returned, as Ray would wrap them."""
        import ray

        tries = ray.get(self._tries.begin.remote(row["number"]))
        answer = {**row, "tries": tries, "vectors": b"", "dim": 0, "dtype": ""}
        if tries > _TRIES or row["error"]:
            return answer
        try:
            vectors = self._work(list(row["texts"]))
        except (UserError, OSError) as error:
            return {**answer, "error": in_words(error)}
        return {
            **answer,
            "vectors": vectors.tobytes(),
            "dim": vectors.shape[1],
            "dtype": str(vectors.dtype),
        }
