"""The command line: `siamese`, and `python -m distributed`.

What is heavy is imported inside the commands, so that `--help` and wrong arguments answer at once.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from distributed.cli import model_commands
from distributed.cli.model_commands import Inputs, Seed
from distributed.sweep.choices import SchedulerName, SearchName
from siamese.errors import RunError, UserError

app = typer.Typer(
    help="Train, judge and use Siamese sentence encoders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def shard(
    inputs: Inputs,
    output: Annotated[str, typer.Option(help="the data set's folder, local or a URI")],
    rows_per_shard: Annotated[int, typer.Option(help="groups in a shard, at most", min=1)] = 65536,
    seed: Annotated[int, typer.Option(help="of the order of the groups", min=0, max=2**32 - 1)] = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="replace a data set that is there")
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(help="of all inputs, such as json_lines; by default their suffixes say it"),
    ] = None,
) -> None:
    """Turn groups of paraphrases or labelled pairs into a data set of Parquet shards."""
    from distributed.sharding.shard import shard as run

    manifest = run(inputs, output, rows_per_shard, seed, fresh, format)
    counts = manifest["counts"]
    print(
        f"{counts['groups']:,} groups, {counts['texts']:,} texts, {counts['negatives']:,} hard "
        f"negatives, {counts['characters']:,} different characters in {len(manifest['files'])} "
        f"shards: {output}"
    )
    for key, what in (
        ("groups_of_one_text_dropped", "groups of one text dropped"),
        ("duplicate_texts_folded", "duplicate texts within a group folded"),
        ("contradicting_negatives_dropped", "negative pairs inside a group dropped"),
        ("groups_of_one_text_kept", "of the groups are one text, kept for its negatives"),
    ):
        if counts[key]:
            print(f"  {counts[key]:,} {what}")


@app.command()
def train(
    data: Annotated[
        str, typer.Option(help="a data set that `siamese shard` wrote, local or a URI")
    ],
    dev: Annotated[str, typer.Option(help="labelled pairs that pick the epoch and the threshold")],
    run: Annotated[str, typer.Option(help="the run's folder or URI; the model goes to RUN/best")],
    recipe: Annotated[str, typer.Option(help="an embedded recipe or a YAML file")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="override a setting: loss.scale=25")
    ] = None,
    workers: Annotated[
        str,
        typer.Option(help="of Ray Train, N or MIN:MAX; 0: train in this process, without Ray"),
    ] = "0",
    gpus_per_worker: Annotated[
        float, typer.Option(help="a whole GPU or a fraction of one", min=0, max=1)
    ] = 0,
    cpus_per_worker: Annotated[float, typer.Option(help="reserved, and used", min=0.1)] = 1,
    gpu_memory_mb: Annotated[
        int | None, typer.Option(help="cap on each worker's GPU memory, in MiB", min=1)
    ] = None,
    checkpoint_steps: Annotated[
        int, typer.Option(help="steps between checkpoints within an epoch", min=1)
    ] = 500,
    keep_checkpoints: Annotated[int, typer.Option(help="of the newest", min=1)] = 2,
    stall_seconds: Annotated[
        float, typer.Option(help="end a worker that makes no progress for so long", min=1)
    ] = 300,
    max_failures: Annotated[
        int, typer.Option(help="replace lost workers so many times", min=0)
    ] = 8,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in RUN")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="replace the run in RUN")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="show what Ray and TensorFlow write")
    ] = False,
) -> None:
    """Train an encoder."""
    from distributed.training.command import train as start
    from siamese.config.recipe import load_recipe
    from siamese.training.execution import Execution

    if resume and fresh:
        raise UserError("--resume continues a run and --fresh replaces it: give one of them.")
    execution = Execution(
        workers=_workers(workers),
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        gpu_memory_mb=gpu_memory_mb,
        checkpoint_steps=checkpoint_steps,
        keep_checkpoints=keep_checkpoints,
        stall_seconds=stall_seconds,
        max_failures=max_failures,
        verbose=verbose,
    )
    try:
        best = start(
            data,
            dev,
            run,
            load_recipe(recipe, settings or []),
            existing="resume" if resume else "fresh" if fresh else "refuse",
            execution=execution,
        )
    except KeyboardInterrupt:
        print("stopped; --resume continues the run from its last checkpoint", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"model: {best}")


def _workers(value: str) -> tuple[int, int]:
    """The least and the most workers that `N` or `MIN:MAX` asks for."""
    parts = value.split(":")
    if len(parts) <= 2 and all(part.isascii() and part.isdigit() for part in parts):
        least, most = int(parts[0]), int(parts[-1])
        if least <= most and (least or not most):
            return least, most
    raise UserError(
        f"--workers {value}: give a number, 0 to train in this process, or MIN:MAX such as 2:4."
    )


@app.command()
def tune(
    data: Annotated[str, typer.Option(help="a data set that `siamese shard` wrote")],
    dev: Annotated[str, typer.Option(help="labelled pairs that pick epochs and the best trial")],
    run: Annotated[str, typer.Option(help="the sweep's folder or URI; the model goes to RUN/best")],
    space: Annotated[str, typer.Option(help="an embedded space or a YAML file")] = "default",
    trials: Annotated[
        int | None, typer.Option(help="how many; 16, or with a grid all", min=1)
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="to maximise; else the recipe's evaluation.metric")
    ] = None,
    recipe: Annotated[str, typer.Option(help="the settings that are not searched")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="override a setting: training.epochs=3")
    ] = None,
    search: Annotated[
        SearchName, typer.Option(help="random, grid, or tpe (the extra `optuna`)")
    ] = "random",
    scheduler: Annotated[
        SchedulerName, typer.Option(help="which trials go on: asha, median, pbt, or none: all")
    ] = "asha",
    seed: Seed = 1,
    max_concurrent: Annotated[
        int | None, typer.Option(help="trials at a time; else as many as fit", min=1)
    ] = None,
    trial_cpus: Annotated[
        float, typer.Option(help="of a trial, or of each of its workers", min=0.1)
    ] = 1,
    trial_gpus: Annotated[
        float, typer.Option(help="a whole GPU or a fraction, whose memory is the cap", min=0, max=1)
    ] = 0,
    gpu_memory_mb: Annotated[
        int | None, typer.Option(help="cap on the GPU memory of a trial or worker, in MiB", min=1)
    ] = None,
    workers_per_trial: Annotated[
        int, typer.Option(help="of Ray Train; 1: the trial's own process", min=1)
    ] = 1,
    test: Annotated[
        str | None, typer.Option(help="labelled pairs to judge the best model on, once")
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="train the best recipe in full into RUN/refit")
    ] = False,
    refit_workers: Annotated[str, typer.Option(help="of the refit, as of `train`")] = "0",
    resume: Annotated[bool, typer.Option("--resume", help="continue the sweep in RUN")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="replace the sweep in RUN")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="show what Ray and TensorFlow write")
    ] = False,
) -> None:
    """Search settings with Ray Tune: the best recipe, its model and a report."""
    from distributed.sweep.command import Sweep, trial_execution
    from distributed.sweep.command import tune as start
    from siamese.config.recipe import load_recipe
    from siamese.config.search_space import load_space

    if resume and fresh:
        raise UserError("--resume continues a sweep and --fresh replaces it: give one of them.")
    if refit_workers != "0" and not refit:
        raise UserError("--refit-workers has no effect without --refit.")
    overrides = [*(settings or []), *([f"evaluation.metric={metric}"] if metric else [])]
    base = load_recipe(recipe, overrides)
    try:
        best = start(
            data,
            dev,
            run,
            base,
            Sweep(load_space(space, base), trials, search, scheduler, seed, max_concurrent),
            existing="resume" if resume else "fresh" if fresh else "refuse",
            execution=trial_execution(
                workers_per_trial, trial_cpus, trial_gpus, gpu_memory_mb, verbose
            ),
            test=test,
            refit_workers=_workers(refit_workers) if refit else None,
        )
    except KeyboardInterrupt:
        print("stopped; --resume continues the sweep", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"model: {best}")


for _command in (
    model_commands.vectors,
    model_commands.evaluate,
    model_commands.similarity,
    model_commands.encode,
    model_commands.report,
):
    app.command()(_command)


# What follows the command's name is that command's own, whatever it looks like.
@app.command(context_settings={"allow_interspersed_args": False})
def submit(
    context: typer.Context,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="any other command, with its options")
    ],
    address: Annotated[
        str | None, typer.Option(help="http://HOST:8265; else as in Ray's RAY_ADDRESS, or local")
    ] = None,
    working_dir: Annotated[
        Path, typer.Option(help="uploaded, without what its .gitignore names; the job runs in it")
    ] = Path(),
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="print the job's id and leave it running")
    ] = False,
) -> None:
    """Run a command as a job on a Ray cluster, and show its log."""
    if command[0] == "submit":
        raise UserError("submit: a job cannot submit itself. Name the command to run.")
    _check_command(context, command)
    from distributed.jobs.submit import follow
    from distributed.jobs.submit import submit as start

    client, job = start(command, address, working_dir)
    if no_wait:
        print(job)
    else:
        raise typer.Exit(follow(client, job))


def _check_command(context: typer.Context, command: list[str]) -> None:
    """Let the parser refuse a command here that it would refuse on the cluster."""
    commands = context.parent
    assert commands is not None and isinstance(commands.command, TyperGroup)
    name, found, arguments = commands.command.resolve_command(commands, command)
    assert found is not None  # or the parser would have said so
    found.make_context(name, list(arguments), parent=commands)


def main() -> None:
    """Run the command line. A user's mistake is told in a sentence, with exit code 2."""
    try:
        app()
    except (UserError, OSError) as error:  # OSError: what cannot be written
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
