"""`siamese teach`: ask a teacher about texts, in this process or in actors of Ray Data."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from siamese.errors import RunError, UserError, in_words
from siamese.standard_error import holding_back
from siamese.teaching.teach import Encode, Existing, encode_here
from siamese.teaching.teach import teach as teach_here
from siamese.teaching.teacher import Teacher, load_teacher, unit_vectors
from siamese.training.execution import Execution

# How often the texts of a file are given to another actor when one dies: Ray would go on for ever.
_TRIES = 4
# Texts go out and vectors come back a file at a time.
_OBJECT_STORE_BYTES = 256 << 20


def teach(
    inputs: list[str],
    teacher: str,
    output: str,
    limit: int | None = None,
    existing: Existing = "refuse",
    execution: Execution | None = None,
    encoding: str | None = None,
) -> dict[str, Any]:
    """Write a teacher folder: `siamese.teaching.teach`, by as many workers as asked for.

    Args:
        inputs: as there, as are the others.
        teacher: what the user calls it; see `load_teacher`.
        output: the folder; only this process writes there.
        limit: the first so many texts.
        existing: what to do with a folder that is there.
        execution: the workers, and what each of them has; None: this process.
        encoding: of all text files.

    Returns:
        The manifest.

    Raises:
        UserError: an input, the teacher or the output cannot be used, or the cluster cannot run it.
        RunError: the workers keep dying.
    """
    execution = execution or Execution()
    if execution.gpus_per_worker and not execution.workers[1]:
        raise UserError(
            f"--gpus-per-worker {execution.gpus_per_worker:g} needs --workers 1 or more. Without "
            "workers the teacher takes the GPU that it finds."
        )
    asked = load_teacher(teacher)
    encode = _on_ray(execution, _read_by(asked)) if execution.workers[1] else encode_here
    return teach_here(inputs, asked, output, limit, existing, encode, encoding)


def _read_by(teacher: Teacher) -> list[str]:
    """Return the folder or URI that every worker must be able to read, if there is one."""
    location = getattr(teacher, "location", None)
    return [location] if location else []


def _on_ray(execution: Execution, read: list[str]) -> Encode:
    """Make an `Encode` whose work is done by actors, each of which holds the teacher once."""

    def encode(
        teacher: Teacher, parts: Sequence[tuple[int, list[str]]]
    ) -> Iterator[tuple[int, np.ndarray]]:
        from distributed.cluster.connect import connect
        from distributed.cluster.preflight import Request, preflight

        connect(execution.verbose, _OBJECT_STORE_BYTES)
        preflight(Request(execution), read=read, run=None)
        for row in _rows(teacher, parts, execution):
            if row["tries"] > _TRIES:
                raise RunError(
                    f"{_TRIES} workers died, one after the other, with the same texts, as they do "
                    "when there is too little memory. Continue with --resume, and fewer --workers."
                )
            if row["error"]:
                raise UserError(row["error"])
            vectors = np.frombuffer(row["vectors"], np.float16)
            yield row["number"], vectors.reshape(-1, row["dim"])

    return encode


def _rows(
    teacher: Teacher, parts: Sequence[tuple[int, list[str]]], execution: Execution
) -> Iterator[dict[str, Any]]:
    """Yield what the actors return, as it comes."""
    import ray.data

    from distributed.cluster.capacity import resources_of

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    need = resources_of(execution)
    items = [{"number": number, "texts": texts} for number, texts in parts]
    with holding_back(re.compile(rb"has constructor arguments in the object store")):
        # Ray says this once, of the first actor that it may restart with arguments. All actors of
        # Ray Data are such (ray#53727), so it says it of this one.
        tries: Any = ray.remote(num_cpus=0, max_restarts=-1)(_Tries).remote(ray.put({}))
    # A block for each file, so that each is a task of its own.
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map(
        cast(Any, _Worker),  # Ray's type is that of a function
        fn_constructor_args=(teacher, tries),
        compute=ray.data.ActorPoolStrategy(size=min(execution.workers[1], len(items))),
        num_cpus=need["CPU"],
        num_gpus=need.get("GPU"),
    )
    rows.context.enable_progress_bars = False
    yield from rows.iter_rows()


class _Tries:
    """Counts, in a process that does nothing else, how often the texts of each file were begun."""

    def __init__(self, tries: dict[int, int]) -> None:
        self._tries = Counter(tries)

    def begin(self, number: int) -> int:
        """Count one more try of a file."""
        self._tries[number] += 1
        return self._tries[number]


class _Worker:
    """An actor: holds a teacher, which it loads with its first texts."""

    def __init__(self, teacher: Teacher, tries: Any) -> None:
        self._teacher = teacher
        self._tries = tries

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Encode the texts of a file; mistakes are returned, as Ray would wrap them."""
        import ray

        number = row["number"]
        tries = ray.get(self._tries.begin.remote(number))
        answer = {"number": number, "tries": tries, "error": "", "vectors": b"", "dim": 0}
        if tries > _TRIES:
            return answer
        try:
            vectors = unit_vectors(self._teacher, list(row["texts"]))
        except (UserError, OSError) as error:
            return {**answer, "error": in_words(error)}
        return {**answer, "vectors": vectors.tobytes(), "dim": vectors.shape[1]}
