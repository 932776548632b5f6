"""The commands that use a model or a run. What is heavy is imported inside them."""

import contextlib
import math
from typing import Annotated, Any, Literal

import typer

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
        str | None,
        typer.Option(
            "--json", help="write the metrics to this path or URI", rich_help_panel=RESULTS
        ),
    ] = None,
    encoding: Encoding = None,
) -> None:
    """Judge a model on labelled pairs, or on finding paraphrases among all texts."""
    number = _threshold(threshold)
    from siamese.encoder.model_folder import local_model
    from siamese.evaluation.judge_model import judge_on_groups, judge_on_pairs
    from siamese.storage.atomic import write_json
    from siamese.storage.output import check_output, saving

    if retrieval and threshold != "stored":
        raise UserError("--threshold has no effect with --retrieval, which ranks.")
    if json_file is not None:
        check_output(json_file, [pairs])
    with local_model(model) as folder:
        if retrieval:
            title = "finding group mates among all texts"
            metrics, notes = judge_on_groups(folder, pairs, encoding)
        else:
            title = f"threshold {threshold}"
            metrics, notes = judge_on_pairs(folder, pairs, number, encoding)
    if json_file is not None:
        with saving(json_file) as beside:
            write_json(beside, metrics)
    _print_metrics(metrics, title)
    for note in notes:
        print(note)


def similarity(
    model: Model,
    text1: Annotated[str, typer.Argument(help="a sentence")],
    text2: Annotated[str, typer.Argument(help="another sentence")],
) -> None:
    """Compare two sentences."""
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.text.notes import notes_on

    encoder = SentenceEncoder.load(model)
    value = encoder.similarity(text1, text2)
    answer = "similar" if value > encoder.threshold else "different"
    print(f"{value:.4f}  {answer} (threshold {encoder.threshold:.4f})")
    for note in notes_on([text1, text2], encoder.vocabulary, encoder.recipe.text.max_length):
        print(note)


def negatives(
    model: Model,
    data: Annotated[str, typer.Argument(help="a data set, or groups or labelled pairs")],
    output: Annotated[
        str, typer.Option(help="the new data set's folder, local or a URI", rich_help_panel=RESULTS)
    ],
    texts: Annotated[
        list[str] | None,
        typer.Option(
            help="further texts that negatives may be; may be given several times",
            rich_help_panel=WHAT,
        ),
    ] = None,
    per_group: Annotated[
        int,
        typer.Option(
            help="negatives that each group shall have, labelled ones counted",
            min=1,
            rich_help_panel=WHAT,
        ),
    ] = 1,
    margin: Annotated[
        float,
        typer.Option(
            help="a negative is less similar to its group than this share of the similarity of "
            "the group's own pairs",
            min=0,
            rich_help_panel=WHAT,
        ),
    ] = 0.95,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="replace a data set that is there", rich_help_panel=RESULTS),
    ] = False,
    encoding: Encoding = None,
) -> None:
    """Add hard negatives to a data set: texts that a model takes for paraphrases, and are none."""
    from siamese.data.group import shorten
    from siamese.mining.mined_data_set import mine_data_set

    mined, notes = mine_data_set(
        model, data, output, texts or (), per_group, margin, fresh, encoding
    )
    print(
        f"{mined.negatives:,} negatives mined for {mined.widened:,} of {len(mined.groups):,} "
        f"groups, among {mined.searched:,} texts: {output}"
    )
    if mined.refused:
        print(
            f"  {mined.refused:,} nearer ones of {mined.crowded:,} groups refused: they may mean "
            "the same (--margin)"
        )
    for each in mined.examples:
        print(f"  {each.similarity:.4f}  {shorten(each.text)}  |  {shorten(each.negative)}")
    for note in notes:
        print(note)


def report(run: Annotated[str, typer.Argument(help="a run's folder or URI")]) -> None:
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
