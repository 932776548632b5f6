"""`siamese audit`: what is doubtful in a data set, with a process of Ray for each fold."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from siamese.audit.audit import Asked
from siamese.audit.audit import audit as audit_here
from siamese.audit.cleaned import LeftOut
from siamese.audit.findings import Findings
from siamese.audit.scoring import Apply, FoldScorer, FoldScores, score_here
from siamese.errors import RunError, UserError, in_words
from siamese.training.execution import Execution

# A fold whose process dies is scored again so many times.
_RETRIES = 2
_OPTIONS = ("--workers", "--cpus-per-worker", "--gpus-per-worker")


def audit(
    data: Any,
    report: str,
    asked: Asked,
    output: str | None = None,
    fresh: bool = False,
    execution: Execution | None = None,
) -> tuple[Findings, LeftOut | None]:
    """Audit a data set: `siamese.audit.audit`, with as many folds at a time as there are workers.

    Args:
        data: as there, as are the others; on several nodes a data set that all of them can read.
        report: the folder; only this process writes there.
        asked: how to audit.
        output: a data set to write.
        fresh: replace what is there.
        execution: the workers, and what each of them has; None: this process.

    Returns:
        What was found, and what `output` is without.

    Raises:
        UserError: the data, the pairs, the recipe, a folder or the cluster cannot be used.
        RunError: the process of a fold keeps dying.
    """
    execution = execution or Execution()
    if execution.gpus_per_worker and not execution.workers[1]:
        raise UserError(
            f"--gpus-per-worker {execution.gpus_per_worker:g} needs --workers 1 or more. Without "
            "workers this process takes the GPU that it finds."
        )
    apply: Apply = partial(_on_ray, execution) if execution.workers[1] else score_here
    return audit_here(data, report, asked, output, fresh, apply)


def _on_ray(
    execution: Execution, score: FoldScorer, folds: Sequence[int]
) -> Iterator[tuple[int, FoldScores]]:
    """Score folds in processes of their own, the next one when one has ended."""
    import ray

    from distributed.cluster.capacity import resources_of
    from distributed.cluster.connect import connect
    from distributed.cluster.preflight import Request, preflight

    connect(execution.verbose)
    for note in preflight(Request(execution, _OPTIONS), read=[score.data], run=None):
        print(note, flush=True)
    need = resources_of(execution)
    # A process for each fold: TensorFlow does not give back all that a training took.
    task: Any = ray.remote(
        num_cpus=need["CPU"],
        num_gpus=need.get("GPU", 0),
        max_calls=1,
        max_retries=_RETRIES,
    )(_score)
    scorer = ray.put(replace(score, show=False))
    left = list(folds)
    running: dict[Any, int] = {}
    try:
        while left or running:
            while left and len(running) < execution.workers[1]:
                fold = left.pop(0)
                running[task.remote(scorer, fold, execution)] = fold
            [done], _ = ray.wait(list(running), num_returns=1)
            fold = running.pop(done)
            yield fold, _checked(done, fold)
    finally:
        for each in running:
            ray.cancel(each, force=True)


def _score(scorer: FoldScorer, fold: int, execution: Execution) -> FoldScores | UserError:
    """Score a fold, in a process of Ray; a mistake is returned, as Ray would wrap it."""
    from distributed.keras.worker import start_tensorflow

    start_tensorflow(execution)
    try:
        return scorer(fold)
    except (UserError, OSError) as error:
        return UserError(in_words(error))


def _checked(done: Any, fold: int) -> FoldScores:
    """Return the scores of a fold, or raise what went wrong."""
    import ray

    try:
        found: FoldScores | UserError = ray.get(done)
    except ray.exceptions.WorkerCrashedError:
        raise RunError(
            f"fold {fold + 1}: its process died {_RETRIES + 1} times, as it does when there is too "
            "little memory. Give fewer --workers."
        ) from None
    if isinstance(found, UserError):
        raise found
    return found
