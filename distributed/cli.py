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

from siamese.errors import UserError

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
    output: Annotated[Path, typer.Option(help="the data set's folder")],
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
        ("negatives_without_group_dropped", "negative pairs dropped: neither text is in a group"),
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
    from siamese.vectors import save_vectors, train_vectors

    _check_file(output)
    trained = train_vectors(read_texts(inputs), dim, seed, epochs, min_count)
    save_vectors(output, trained)
    print(f"{len(trained):,} characters, {dim} numbers each: {output}")


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="a data set that `siamese shard` wrote")],
    dev: Annotated[str, typer.Option(help="labelled pairs that pick the epoch and the threshold")],
    run: Annotated[Path, typer.Option(help="the run's folder; the model goes to RUN/best")],
    recipe: Annotated[str, typer.Option(help="an embedded recipe or a YAML file")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="override a setting: loss.scale=25")
    ] = None,
    workers: Annotated[int, typer.Option(help="0: train in this process", min=0, max=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in RUN")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="replace the run in RUN")] = False,
) -> None:
    """Train an encoder."""
    from distributed.train import train as start
    from siamese.recipe import load_recipe

    if resume and fresh:
        raise UserError("--resume continues a run and --fresh replaces it: give one of them.")
    folder = start(
        data,
        dev,
        run,
        load_recipe(recipe, settings or []),
        existing="resume" if resume else "fresh" if fresh else "refuse",
    )
    print(f"model: {folder.best}")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="a model folder")],
    pairs: Annotated[str, typer.Argument(help="labelled pairs")],
    threshold: Annotated[
        str, typer.Option(help="`stored` with the model, `fit` on these pairs, or a number")
    ] = "stored",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="write the metrics to this file")
    ] = None,
) -> None:
    """Judge a model on labelled pairs."""
    number = _threshold(threshold)
    _check_file(json_file)
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


if __name__ == "__main__":
    main()
