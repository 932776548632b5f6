"""`siamese train`: a data set, development pairs and a recipe -> a run folder."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from distributed.shards import read_shards
from siamese.context import print_evaluation
from siamese.errors import UserError
from siamese.pairs import Pair, read_pairs
from siamese.recipe import Recipe
from siamese.run_folder import Existing, RunFolder
from siamese.training_data import Prepared, TrainingData, prepare
from siamese.vocabulary import count_cut


@dataclass(frozen=True)
class Execution:
    """How a run is carried out; nothing here changes what comes of it.

    Attributes:
        workers: the least and the most workers; 0 and 0: this process, without Ray.
        gpus_per_worker: 0 to 1.
        cpus_per_worker: CPUs that Ray reserves for a worker, and its threads.
        gpu_memory_mb: the cap on a worker's GPU memory in MiB.
        checkpoint_steps: steps between checkpoints within an epoch.
        keep_checkpoints: how many are kept.
        stall_seconds: without progress, after which a worker is ended.
        max_failures: how often lost workers are replaced.
        verbose: show what Ray and TensorFlow write.
    """

    workers: tuple[int, int] = (0, 0)
    gpus_per_worker: float = 0.0
    cpus_per_worker: float = 1.0
    gpu_memory_mb: int | None = None
    checkpoint_steps: int | None = 500
    keep_checkpoints: int = 2
    stall_seconds: float = 300.0
    max_failures: int = 8
    verbose: bool = False


def train(
    data: str,
    dev: str,
    run: str,
    recipe: Recipe,
    existing: Existing = "refuse",
    execution: Execution | None = None,
) -> str:
    """Train; everything is checked before the run folder is touched.

    Args:
        data: a data set that `siamese shard` wrote; a path or URI.
        dev: development pairs, in any format of `siamese.pairs`.
        run: the run folder; a path or URI.
        recipe: every setting.
        existing: what to do with a run folder that is there.
        execution: how; by default in this process.

    Returns:
        Where the model of the best epoch is, a path or URI.

    Raises:
        UserError: the data, the pairs, the recipe, the run folder or the cluster cannot be used.
    """
    execution = execution or Execution()
    _check(execution)
    check_shares(recipe, execution.workers)
    folder = RunFolder.open(run)
    folder.check(existing)
    notes = []
    if execution.workers[1]:
        from distributed.cluster import connect
        from distributed.preflight import Request, preflight

        connect(execution.verbose)
        request = Request(*execution.workers, execution.cpus_per_worker, execution.gpus_per_worker)
        notes = preflight(request, read=[data], run=run)
    groups, pairs, summary = read_data(data, dev, recipe)
    if existing == "resume":
        folder.check_same(recipe, summary)
    print_data(summary, recipe)
    for note in notes:
        print(note, flush=True)
    goes_on = existing == "resume" and folder.has_checkpoint()
    prepared = prepare(recipe, groups, pairs, vectors=not goes_on)
    if prepared.coverage:
        print(prepared.coverage)
    if existing != "resume":
        folder.start(recipe, summary, fresh=existing == "fresh")
    if execution.workers[1]:
        from distributed.launch import launch

        launch(data, run, recipe, pairs, prepared, execution, print_evaluation)
    else:
        _train_here(folder, recipe, groups, pairs, prepared, execution)
    return folder.best_location


def _train_here(
    folder: RunFolder,
    recipe: Recipe,
    data: TrainingData,
    pairs: list[Pair],
    prepared: Prepared,
    execution: Execution,
) -> None:
    # TensorFlow takes seconds to import: only once everything else is known to be good.
    from distributed.gpu import cap_memory, memory_note
    from siamese.context import LocalContext
    from siamese.training import fit

    memory_mb = cap_memory(execution.gpu_memory_mb, None)
    if note := memory_note(execution.gpu_memory_mb, memory_mb):
        print(note)
    context = LocalContext(
        folder, execution.checkpoint_steps, execution.keep_checkpoints, memory_mb
    )
    fit(context, recipe, data, pairs, prepared)


def _check(execution: Execution) -> None:
    """Refuse what would have no effect, or another than meant."""
    least, most = execution.workers
    gpus = execution.gpus_per_worker
    if gpus and not most:
        raise UserError(
            f"--gpus-per-worker {gpus:g} needs --workers 1 or more. Without workers this process "
            "takes the first GPU; cap its memory with --gpu-memory-mb."
        )
    if least < most and 0 < gpus < 1 and not (1 / gpus).is_integer():
        raise UserError(
            f"--gpus-per-worker {gpus:g} with --workers {least}:{most}: Ray counts the workers of "
            "an elastic run over all GPUs of a node together, so the share must be 1/2, 1/3, 1/4 …"
        )


def check_shares(recipe: Recipe, workers: tuple[int, int]) -> None:
    """Check that every worker has as many groups of a batch as any other.

    Raises:
        UserError: says which sizes of a batch would do.
    """
    size = recipe.sampling.batch_groups
    counts = range(max(workers[0], 1), workers[1] + 1)
    odd = [count for count in counts if size % count]
    if odd:
        multiple = int(np.lcm.reduce(counts))
        fitting = sorted({max(size // multiple, 1) * multiple, -(-size // multiple) * multiple})
        raise UserError(
            f"sampling.batch_groups={size} groups cannot be shared equally by "
            f"{' or '.join(map(str, odd))} workers. Set it to {' or '.join(map(str, fitting))}, or "
            "change --workers."
        )


def read_data(
    data: str, dev: str, recipe: Recipe
) -> tuple[TrainingData, list[Pair], dict[str, Any]]:
    """Read a data set and development pairs.

    Returns:
        The groups, the pairs, and the counts of both with a hash that changes when they do.

    Raises:
        UserError: one of them cannot be used.
    """
    groups, manifest = read_shards(data)
    pairs = read_pairs([dev])
    return groups, pairs, _summary(manifest, pairs, recipe, groups.hash)


def print_data(summary: dict[str, Any], recipe: Recipe) -> None:
    """Say what there is to train on."""
    print(
        f"{summary['groups']:,} groups, {summary['texts']:,} texts; {summary['dev_pairs']:,} "
        f"development pairs, {summary['dev_positives']:,} positive"
    )
    if recipe.loss.hard_negatives and not summary["negatives"]:
        print(
            "no hard negatives in the data set: loss.hard_negatives and loss.ranking have no "
            "effect (shard labelled pairs, or JSON Lines with `negatives`)"
        )
    if summary["texts_cut"] or summary["dev_texts_cut"]:
        print(
            f"{summary['texts_cut']:,} texts and {summary['dev_texts_cut']:,} of the development "
            f"pairs longer than {recipe.text.max_length} characters are cut"
        )


def _summary(
    manifest: dict[str, Any], pairs: list[Pair], recipe: Recipe, data_hash: str
) -> dict[str, Any]:
    """The counts of the data, and a hash that changes when the groups or the pairs do."""
    digest = hashlib.sha256(data_hash.encode())
    for pair in pairs:
        digest.update(f"{pair.text1}\t{pair.text2}\t{pair.label}\n".encode())
    cut = sum(
        count
        for length, count in manifest["texts_by_length"].items()
        if int(length) > recipe.text.max_length
    )
    return {
        **manifest["counts"],
        "texts_cut": cut,
        "dev_texts_cut": count_cut(
            {text for pair in pairs for text in (pair.text1, pair.text2)}, recipe.text.max_length
        ),
        "dev_pairs": len(pairs),
        "dev_positives": sum(pair.label for pair in pairs),
        "hash": digest.hexdigest(),
    }
