"""The commands that use a model or a run. What is heavy is imported inside them."""

import contextlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distributed.cli.data_commands import check_file
from distributed.cli.options import RESULTS, WHAT, Model
from siamese.errors import UserError

if TYPE_CHECKING:
    from siamese import SentenceEncoder


def evaluate(
    model: Model,
    pairs: Annotated[str, typer.Argument(help="labelled pairs; with --retrieval, groups too")],
    retrieval: Annotated[
        bool,
        typer.Option(
            "--retrieval",
            help="find each text's group mates among all texts",
            rich_help_panel=WHAT,
        ),
    ] = False,
    threshold: Annotated[
        str,
        typer.Option(
            help="`stored` with the model, `fit` on these pairs, or a number",
            rich_help_panel=WHAT,
        ),
    ] = "stored",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="write the metrics to this file", rich_help_panel=RESULTS),
    ] = None,
) -> None:
    """Judge a model on labelled pairs, or on finding paraphrases among all texts."""
    number = _threshold(threshold)
    check_file(json_file)
    if retrieval:
        if threshold != "stored":
            raise UserError("--threshold has no effect with --retrieval, which ranks.")
        _evaluate_retrieval(model, pairs, json_file)
        return
    from siamese.data.reading import read_pairs
    from siamese.encoder.model_folder import check_model_folder
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.evaluation.pair_metrics import evaluate_scores, labels_of, pair_scores
    from siamese.storage.atomic import write_json

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
    from siamese.data.cleaning import ReadingCounts
    from siamese.data.reading import read_groups
    from siamese.encoder.model_folder import check_model_folder
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.evaluation.evaluators.retrieval import evaluate_retrieval
    from siamese.progress import progress
    from siamese.storage.atomic import write_json

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


def similarity(
    model: Model,
    text1: Annotated[str, typer.Argument(help="a sentence")],
    text2: Annotated[str, typer.Argument(help="another sentence")],
) -> None:
    """Compare two sentences."""
    from siamese.encoder.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder.load(model)
    value = encoder.similarity(text1, text2)
    answer = "similar" if value > encoder.threshold else "different"
    print(f"{value:.4f}  {answer} (threshold {encoder.threshold:.4f})")


def encode(
    model: Model,
    source: Annotated[str, typer.Argument(metavar="INPUT", help="texts, in any accepted format")],
    output: Annotated[
        Path, typer.Option(help="a Parquet file: text, embedding", rich_help_panel=RESULTS)
    ],
    normalize: Annotated[
        bool, typer.Option("--normalize", help="to unit length", rich_help_panel=WHAT)
    ] = False,
) -> None:
    """Encode every text of a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from siamese.data.reading import read_texts
    from siamese.encoder.model_folder import check_model_folder
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.storage.atomic import replacing

    check_file(output)
    check_model_folder(model)
    texts = list(read_texts([source]))
    encoder = SentenceEncoder.load(model)
    embeddings = encoder.encode(texts, show_progress_bar=True, normalize_embeddings=normalize)
    column = pa.FixedSizeListArray.from_arrays(embeddings.ravel(), encoder.embedding_dim)
    with replacing(output) as beside:
        pq.write_table(pa.table({"text": texts, "embedding": column}), beside)
    print(f"{len(texts):,} texts, {encoder.embedding_dim} numbers each: {output}")
    _say_cut(texts, encoder)


def report(run: Annotated[Path, typer.Argument(help="the folder of a run")]) -> None:
    """Write RUN/report.html and its pictures."""
    from siamese.report.run_report import write_report

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
    from siamese.text.vocabulary import count_cut

    limit = encoder.recipe.text.max_length
    if cut := count_cut(texts, limit):
        print(f"{cut:,} texts longer than {limit} characters were cut")


def _print_metrics(metrics: dict[str, Any], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, show_header=False)
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
