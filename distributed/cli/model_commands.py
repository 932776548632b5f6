"""The commands that use a model or a run. What is heavy is imported inside them."""

import contextlib
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from distributed.cli.data_commands import check_file
from distributed.cli.options import RESULTS, WHAT, Encoding, Model
from siamese.errors import UserError


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
    encoding: Encoding = None,
) -> None:
    """Judge a model on labelled pairs, or on finding paraphrases among all texts."""
    number = _threshold(threshold)
    check_file(json_file)
    from siamese.evaluation.judge_model import judge_on_groups, judge_on_pairs
    from siamese.storage.atomic import write_json

    if retrieval and threshold != "stored":
        raise UserError("--threshold has no effect with --retrieval, which ranks.")
    if retrieval:
        title, note = "finding group mates among all texts", ""
        metrics = judge_on_groups(model, pairs, encoding)
    else:
        title = f"threshold {threshold}"
        metrics, note = judge_on_pairs(model, pairs, number, encoding)
    if json_file:
        write_json(json_file, metrics)
    _print_metrics(metrics, title)
    if note:
        print(note)


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
    encoding: Encoding = None,
) -> None:
    """Encode every text of a file."""
    from siamese.encoder.encode_file import encode_file

    check_file(output)
    print(encode_file(model, source, output, normalize, encoding))


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


def _print_metrics(metrics: dict[str, Any], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, show_header=False)
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
