"""The command line: `siamese`, and `python -m distributed`.

What is heavy is imported inside the commands, so that `--help` and wrong arguments answer at once.
"""

import contextlib
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from distributed.choices import SchedulerName, SearchName
from siamese.errors import RunError, UserError

if TYPE_CHECKING:
    from siamese import SentenceEncoder

app = typer.Typer(
    help="Train, judge and use Siamese sentence encoders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Inputs = Annotated[list[str], typer.Argument(help="files, globs, folders or URIs")]
Seed = Annotated[int, typer.Option(help="of all that is random", min=0, max=2**32 - 1)]


@app.command()
def shard(
    inputs: Inputs,
    output: Annotated[str, typer.Option(help="the data set's folder, local or a URI")],
    rows_per_shard: Annotated[int, typer.Option(help="groups in a shard, at most", min=1)] = 65536,
    seed: Annotated[int, typer.Option(help="of the order of the groups", min=0, max=2**32 - 1)] = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="replace a data set that is there")
    ] = False,
) -> None:
    """Turn groups of paraphrases or labelled pairs into a data set of Parquet shards."""
    from distributed.shard import shard as run

    manifest = run(inputs, output, rows_per_shard, seed, fresh)
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
def vectors(
    inputs: Inputs,
    output: Annotated[Path, typer.Option(help="a file in word2vec's text format")],
    dim: Annotated[int, typer.Option(help="numbers in a vector", min=1)] = 300,
    epochs: Annotated[int, typer.Option(help="passes over the texts", min=1)] = 5,
    min_count: Annotated[int, typer.Option(help="rarer characters get no vector", min=1)] = 1,
    seed: Seed = 1,
) -> None:
    """Train character vectors (word2vec) on the texts of any inputs."""
    from siamese.groups import read_texts
    from siamese.vectors import Again, save_vectors, train_vectors

    _check_file(output)
    trained = train_vectors(Again(lambda: read_texts(inputs)), dim, seed, epochs, min_count)
    save_vectors(output, trained)
    print(f"{len(trained):,} characters, {dim} numbers each: {output}")


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
    from distributed.train import Execution
    from distributed.train import train as start
    from siamese.recipe import load_recipe

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
    from distributed.tune import Sweep, trial_execution
    from distributed.tune import tune as start
    from siamese.recipe import load_recipe
    from siamese.space import load_space

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


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="a model folder")],
    pairs: Annotated[str, typer.Argument(help="labelled pairs; with --retrieval, groups too")],
    retrieval: Annotated[
        bool, typer.Option("--retrieval", help="find each text's group mates among all texts")
    ] = False,
    threshold: Annotated[
        str, typer.Option(help="`stored` with the model, `fit` on these pairs, or a number")
    ] = "stored",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="write the metrics to this file")
    ] = None,
) -> None:
    """Judge a model on labelled pairs, or on finding paraphrases among all texts."""
    number = _threshold(threshold)
    _check_file(json_file)
    if retrieval:
        if threshold != "stored":
            raise UserError("--threshold has no effect with --retrieval, which ranks.")
        _evaluate_retrieval(model, pairs, json_file)
        return
    from siamese.evaluation import evaluate_scores, labels_of, pair_scores
    from siamese.files import write_json
    from siamese.model import SentenceEncoder, check_model_folder
    from siamese.pairs import read_pairs

    check_model_folder(model)
    labelled = read_pairs([pairs])
    encoder = SentenceEncoder.load(model)
    used = encoder.threshold if number == "stored" else number
    scores = pair_scores(labelled, encoder.encode, encoder.recipe.evaluation.similarity)
    metrics = evaluate_scores(scores, labels_of(labelled), used)
    if json_file:
        write_json(json_file, metrics.as_dict())
    _print_metrics(metrics.as_dict(), f"threshold {threshold}")
    _say_cut({text for pair in labelled for text in (pair.text1, pair.text2)}, encoder)


def _evaluate_retrieval(model: Path, source: str, json_file: Path | None) -> None:
    from siamese.files import write_json
    from siamese.group import ReadingCounts
    from siamese.groups import read_groups
    from siamese.model import SentenceEncoder, check_model_folder
    from siamese.progress import progress
    from siamese.retrieval import evaluate_retrieval

    check_model_folder(model)
    groups = list(read_groups([source], ReadingCounts()))
    encoder = SentenceEncoder.load(model)
    queries = len({text for group in groups if len(group.texts) > 1 for text in group.texts})
    with progress("searching", queries, "queries") as advance:
        found = evaluate_retrieval(
            groups, encoder.encode, encoder.recipe.evaluation.similarity, advance
        )
    if json_file:
        write_json(json_file, found.as_dict())
    _print_metrics(found.as_dict(), "finding group mates among all texts")


@app.command()
def similarity(
    model: Annotated[Path, typer.Argument(help="a model folder")],
    text1: Annotated[str, typer.Argument(help="a sentence")],
    text2: Annotated[str, typer.Argument(help="another sentence")],
) -> None:
    """Compare two sentences."""
    from siamese.model import SentenceEncoder

    encoder = SentenceEncoder.load(model)
    value = encoder.similarity(text1, text2)
    answer = "similar" if value > encoder.threshold else "different"
    print(f"{value:.4f}  {answer} (threshold {encoder.threshold:.4f})")


@app.command()
def encode(
    model: Annotated[Path, typer.Argument(help="a model folder")],
    source: Annotated[str, typer.Argument(metavar="INPUT", help="texts, in any accepted format")],
    output: Annotated[Path, typer.Option(help="a Parquet file: text, embedding")],
    normalize: Annotated[bool, typer.Option("--normalize", help="to unit length")] = False,
) -> None:
    """Encode every text of a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from siamese.files import replacing
    from siamese.groups import read_texts
    from siamese.model import SentenceEncoder, check_model_folder

    _check_file(output)
    check_model_folder(model)
    texts = list(read_texts([source]))
    encoder = SentenceEncoder.load(model)
    embeddings = encoder.encode(texts, show_progress_bar=True, normalize_embeddings=normalize)
    column = pa.FixedSizeListArray.from_arrays(embeddings.ravel(), encoder.embedding_dim)
    with replacing(output) as beside:
        pq.write_table(pa.table({"text": texts, "embedding": column}), beside)
    print(f"{len(texts):,} texts, {encoder.embedding_dim} numbers each: {output}")
    _say_cut(texts, encoder)


@app.command()
def report(run: Annotated[Path, typer.Argument(help="the folder of a run")]) -> None:
    """Write RUN/report.html and its pictures."""
    from siamese.report import write_report

    print(f"report: {write_report(run)}")


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
    from distributed.submit import follow
    from distributed.submit import submit as start

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


def _threshold(value: str) -> float | Literal["stored", "fit"]:
    if value == "stored":
        return "stored"
    if value == "fit":
        return "fit"
    with contextlib.suppress(ValueError):
        if math.isfinite(number := float(value)):
            return number
    raise UserError(f"--threshold {value}: give `stored`, `fit` or a number.")


def _say_cut(texts: Iterable[str], encoder: "SentenceEncoder") -> None:
    from siamese.vocabulary import count_cut

    limit = encoder.recipe.text.max_length
    if cut := count_cut(texts, limit):
        print(f"{cut:,} texts longer than {limit} characters were cut")


def _check_file(path: Path | None) -> None:
    """Refuse a file that cannot be written, before the work and not after it."""
    if path and path.is_dir():
        raise UserError(f"{path}: is a folder. Give the name of a file.")


def _print_metrics(metrics: dict[str, Any], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, show_header=False)
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)


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
