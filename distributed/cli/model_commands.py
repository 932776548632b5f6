"""The commands that use a model or a run. What is heavy is imported inside them."""

import contextlib
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distributed.cli.options import RESULTS, WHAT, Encoding, Model
from siamese.errors import UserError

if TYPE_CHECKING:
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.evaluation.thresholds import Wanted


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
    precision: Annotated[
        float | None,
        typer.Option(
            help="find the threshold for this precision, with its confidence interval",
            rich_help_panel=WHAT,
        ),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            help="find the threshold for this recall, with its confidence interval",
            rich_help_panel=WHAT,
        ),
    ] = None,
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", help="write the metrics to this path or URI", rich_help_panel=RESULTS
        ),
    ] = None,
    encoding: Encoding = None,
) -> None:
    """Judge a model on labelled pairs, or on finding paraphrases among all texts."""
    judged_at = _threshold(threshold, precision, recall)
    from siamese.encoder.model_folder import local_model
    from siamese.evaluation.judge_model import judge_on_groups, judge_on_pairs
    from siamese.storage.atomic import write_json
    from siamese.storage.output import check_output, saving

    if retrieval and judged_at != "stored":
        raise UserError(
            "--threshold, --precision and --recall have no effect with --retrieval, which ranks."
        )
    if json_file is not None:
        check_output(json_file, [pairs])
    with local_model(model) as folder:
        if retrieval:
            title = "finding group mates among all texts"
            metrics, notes = judge_on_groups(folder, pairs, encoding)
        else:
            title = f"threshold {threshold}"
            if isinstance(judged_at, tuple):
                title = f"threshold for {judged_at.kind} {judged_at.value:g}"
            metrics, notes = judge_on_pairs(folder, pairs, judged_at, encoding)
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
    print(f"{value:.4f}  {answer} (threshold {encoder.threshold:.4f}){_meaning(encoder, value)}")
    for note in notes_on([text1, text2], encoder.vocabulary, encoder.recipe.text.max_length):
        print(note)


def explain(
    model: Model,
    text1: Annotated[str, typer.Argument(help="a sentence")],
    text2: Annotated[str, typer.Argument(help="another sentence")],
    json_output: Annotated[
        bool, typer.Option("--json", help="print the figures as JSON", rich_help_panel=RESULTS)
    ] = False,
) -> None:
    """Show what each character of two sentences adds to their similarity, or takes from it."""
    import json

    from distributed.cli.explanation_output import print_explanation
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.text.notes import notes_on

    encoder = SentenceEncoder.load(model)
    explanation = encoder.explain(text1, text2)
    if json_output:
        print(json.dumps(explanation.as_dict(), ensure_ascii=False))
        return
    print_explanation(explanation)
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


def _meaning(encoder: "SentenceEncoder", similarity: float) -> str:
    """Say how probable it is that two texts of a similarity mean the same, if the model knows."""
    if encoder.calibrator is None:
        return ""
    from siamese.encoder.calibration import verdict_of

    probability = float(encoder.calibrator.probability(similarity))
    unsure = ", unsure" if verdict_of(probability) == "unsure" else ""
    return f", probability {probability:.2f}{unsure}"


def _threshold(
    value: str, precision: float | None, recall: float | None
) -> "float | Wanted | Literal['stored', 'fit']":
    from siamese.evaluation.thresholds import Wanted

    given = [value != "stored", precision is not None, recall is not None]
    if sum(given) > 1:
        raise UserError("give one of --threshold, --precision and --recall.")
    wanted = None
    if precision is not None:
        wanted = Wanted("precision", precision)
    if recall is not None:
        wanted = Wanted("recall", recall)
    if wanted and not 0 < wanted.value <= 1:
        raise UserError(f"--{wanted.kind} {wanted.value:g}: give a share above 0 and at most 1.")
    if wanted:
        return wanted
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
