"""`siamese train`: a data set, development pairs and a recipe -> a run folder."""

from siamese.config.recipe import Recipe
from siamese.data.dataset import TrainingData
from siamese.data.pair import Pair
from siamese.training.context import print_evaluation
from siamese.training.execution import Execution, check_execution, check_shares
from siamese.training.preparation import Prepared, prepare, print_data, read_data
from siamese.training.run_folder import Existing, RunFolder


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
        dev: development pairs, in any format of `siamese.data.reading.read_pairs`.
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
    check_execution(execution)
    check_shares(recipe, execution.workers)
    folder = RunFolder.open(run)
    folder.check(existing)
    notes = []
    if execution.workers[1]:
        from distributed.cluster.connect import connect
        from distributed.cluster.preflight import Request, preflight

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
        from distributed.training.launch import launch

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
    from distributed.cluster.gpu_memory import cap_memory, memory_note
    from siamese.training.context import LocalContext
    from siamese.training.loop import fit

    memory_mb = cap_memory(execution.gpu_memory_mb, None)
    if note := memory_note(execution.gpu_memory_mb, memory_mb):
        print(note)
    context = LocalContext(folder, execution, memory_mb)
    fit(context, recipe, data, pairs, prepared)
