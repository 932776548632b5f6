"""The commands that find texts alike. As in `main.py`, what is heavy is imported inside them."""

import math
from collections.abc import Callable
from typing import Annotated, Any

import typer

from distributed.cli.options import (
    RESULTS,
    WHAT,
    CpusPerWorker,
    Encoding,
    EncodingWorkers,
    GpusPerWorker,
    Inputs,
    Verbose,
    execution_of,
)
from siamese.errors import UserError

WithModel = Annotated[
    str, typer.Option("--model", help="a model folder or its URI", rich_help_panel=WHAT)
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="texts whose similarity is above it say the same; else the model's",
        rich_help_panel=WHAT,
    ),
]
Column = Annotated[
    str | None,
    typer.Option(help="that holds the texts, where its name does not say it", rich_help_panel=WHAT),
]


def dedup(
    inputs: Inputs,
    model: WithModel,
    output: Annotated[
        str | None,
        typer.Option(
            help="what stays, with all columns: a .csv, .tsv, .jsonl, .parquet or .txt file, local "
            "or a URI; without it, what would go is printed",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(
            help="what goes, why, and of which text it is a duplicate: .csv, .tsv, .jsonl or "
            ".parquet",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="older texts, which come before all others and stay as they are; may be given "
            "several times",
            rich_help_panel=WHAT,
        ),
    ] = None,
    threshold: Threshold = None,
    column: Column = None,
    workers: EncodingWorkers = 0,
    gpus_per_worker: GpusPerWorker = 0,
    cpus_per_worker: CpusPerWorker = 1,
    verbose: Verbose = False,
    encoding: Encoding = None,
) -> None:
    """Leave out texts that say the same as an earlier one."""
    _check_threshold(threshold)
    from distributed.encoding.encode import encoder_and_way
    from siamese.data.group import shorten
    from siamese.search import dedup as deduplication
    from siamese.search.rows_out import ENDINGS, check_rows_output

    every = [*inputs, *(against or ())]
    if output is not None:
        check_rows_output(output, every, (*ENDINGS, ".txt"))
    if report is not None:
        check_rows_output(report, every)
        _check_different(output, report)
    execution = execution_of(workers, gpus_per_worker, cpus_per_worker, verbose)
    encoder, way = encoder_and_way(model, execution)
    rows = deduplication.Rows(inputs, column, encoding)
    older = deduplication.Rows(against, column, encoding) if against else None
    found = deduplication.find(rows, encoder, threshold, older, way)
    deduplication.write(found, rows, output, report)
    stay, exact, near, blank = map(found.count, range(4))
    print(
        f"{stay + exact + near + blank:,} texts: {stay:,} stay, {exact:,} exact and {near:,} near "
        f"duplicates (similarity above {found.threshold:.4f}) go"
        + (f", {blank:,} blank ones too" if blank else "")
        + (f": {output}" if output else "")
    )
    if found.unknown:
        print(f"{found.unknown:,} of only unknown characters were compared as they are written")
    _print_recall(found.recall)
    if output is None and report is None:
        for each in found.report():
            print(f"  {each['row']:,}  {each['reason']}  {_duplicate(each, shorten)}")
        return
    for each in deduplication.examples(found):
        print(f"  {_duplicate(each, shorten)}")


def mine(
    inputs: Inputs,
    model: WithModel,
    pairs_file: Annotated[
        str | None,
        typer.Option(
            "--pairs",
            help="a file for text1, text2 and score, the most similar first: .csv, .tsv, .jsonl or "
            ".parquet; without it and --groups, they are printed",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    groups_file: Annotated[
        str | None,
        typer.Option(
            "--groups",
            help="a .jsonl file for groups of texts that are alike, as `siamese shard` takes them",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    threshold: Threshold = None,
    most_pairs: Annotated[
        int,
        typer.Option(help="of more, the most similar are found", min=1, rich_help_panel=WHAT),
    ] = 1_000_000,
    column: Column = None,
    workers: EncodingWorkers = 0,
    gpus_per_worker: GpusPerWorker = 0,
    cpus_per_worker: CpusPerWorker = 1,
    verbose: Verbose = False,
    encoding: Encoding = None,
) -> None:
    """Find pairs and groups of texts that are alike."""
    _check_threshold(threshold)
    from distributed.encoding.encode import encoder_and_way
    from siamese.data.group import shorten
    from siamese.search import mine_texts
    from siamese.search.dedup import Rows
    from siamese.search.rows_out import check_rows_output

    ending = "" if pairs_file is None else check_rows_output(pairs_file, inputs)
    if groups_file is not None:
        check_rows_output(groups_file, inputs, (".jsonl",))
        _check_different(pairs_file, groups_file)
    execution = execution_of(workers, gpus_per_worker, cpus_per_worker, verbose)
    encoder, way = encoder_and_way(model, execution)
    rows = Rows(inputs, column, encoding)
    found = mine_texts.mine(rows, encoder, threshold, most_pairs, way)
    if pairs_file is not None:
        mine_texts.write_pairs(found, pairs_file, ending)
    if groups_file is not None:
        mine_texts.write_groups(found, groups_file)
    in_groups = sum(map(len, found.groups))
    print(
        f"{found.compared:,} different texts: {len(found.pairs.ones):,} pairs of similarity above "
        f"{found.threshold:.4f}, {len(found.groups):,} groups of {in_groups:,} texts"
    )
    if found.is_cut:
        last = found.pairs.similarities[-1]
        print(f"there are more pairs: only the {most_pairs:,} most similar, down to {last:.4f}")
    if found.unknown:
        print(f"{found.unknown:,} of only unknown characters were left out")
    _print_recall(found.recall)
    # Where nothing was written, all of them are shown.
    shown = 3 if pairs_file or groups_file else len(found.pairs.ones)
    for similarity, text1, text2 in mine_texts.examples(found, shown):
        print(f"  {similarity:.4f}  {shorten(text1)}  |  {shorten(text2)}")


def _duplicate(row: dict[str, Any], shorten: Callable[[Any], str]) -> str:
    """Show a text that goes and that which it is a duplicate of, if any."""
    if row["of_text"] is None:
        return shorten(row["text"])
    return f"{row['similarity']:.4f}  {shorten(row['text'])}  |  {shorten(row['of_text'])}"


def _check_threshold(threshold: float | None) -> None:
    if threshold is not None and not math.isfinite(threshold):
        raise UserError(f"--threshold {threshold}: give a number.")


def _check_different(one: str | None, other: str) -> None:
    if one == other:
        raise UserError(f"{other}: is to be written twice. Give two names.")


def _print_recall(recall: float | None) -> None:
    if recall is not None:
        print(
            f"approximate: of the near pairs of a sample that was compared with all, {recall:.1%} "
            "were found"
        )
