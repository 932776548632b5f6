"""The command that audits labels. As in `main.py`, what is heavy is imported inside it."""

from typing import Annotated

import typer

from distributed.cli.options import (
    RESOURCES,
    RESULTS,
    WHAT,
    CpusPerWorker,
    Encoding,
    GpusPerWorker,
    Settings,
    Verbose,
    execution_of,
)


def audit(
    data: Annotated[
        str, typer.Argument(help="a data set, or a file of labelled pairs; local or a URI")
    ],
    report: Annotated[
        str,
        typer.Option(
            help="a folder or URI for report.html and JSON Lines", rich_help_panel=RESULTS
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            help="a data set to write, without what is most doubtful", rich_help_panel=RESULTS
        ),
    ] = None,
    share: Annotated[
        float,
        typer.Option(
            help="of the labelled pairs, that --output is without",
            min=0,
            max=0.5,
            rich_help_panel=WHAT,
        ),
    ] = 0.05,
    dev: Annotated[
        str | None,
        typer.Option(
            help="development pairs, to be looked for in the data and left out of --output",
            rich_help_panel=WHAT,
        ),
    ] = None,
    folds: Annotated[
        int,
        typer.Option(
            help="parts that are scored by an encoder of the other ones",
            min=2,
            max=100,
            rich_help_panel=WHAT,
        ),
    ] = 5,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="an embedded recipe or a YAML file; else `audit`, and fewer epochs where the data "
            "are large",
            rich_help_panel=WHAT,
        ),
    ] = None,
    settings: Settings = None,
    workers: Annotated[
        int,
        typer.Option(
            help="folds at a time, each in a process of Ray; 0: this process, without Ray",
            min=0,
            rich_help_panel=RESOURCES,
        ),
    ] = 0,
    gpus_per_worker: GpusPerWorker = 0,
    cpus_per_worker: CpusPerWorker = 1,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="replace what is there", rich_help_panel=RESULTS),
    ] = False,
    verbose: Verbose = False,
    encoding: Encoding = None,
) -> None:
    """Find labels that are doubtful, by encoders that never saw them."""
    from distributed.audit.audit import audit as start
    from siamese.audit.audit import Asked
    from siamese.audit.report import figures_of
    from siamese.config.loading import load_recipe
    from siamese.data.reading import read_pairs
    from siamese.errors import UserError
    from siamese.storage.folder import Folder

    if share != 0.05 and output is None:
        raise UserError("--share has no effect without --output.")
    settled = load_recipe(recipe or "audit", settings or [])
    sets_epochs = any(each.startswith("training.epochs=") for each in settings or [])
    asked = Asked(
        settled,
        recipe is None and not sets_epochs,
        folds,
        read_pairs([dev], encoding=encoding) if dev and encoding else dev,
        share,
    )
    execution = execution_of(workers, gpus_per_worker, cpus_per_worker, verbose)
    findings, left_out = start(data, report, asked, output, fresh, execution)
    figures = figures_of(findings)
    print(
        f"{figures['doubtful']:,} labels of {figures['pairs']:,} are doubtful, "
        f"{figures['weak_groups']:,} groups are held together by one weak pair"
    )
    if findings.overlaps is not None:
        print(
            f"{figures['overlapping_texts']:,} texts and {figures['overlapping_pairs']:,} pairs "
            "are development ones too"
        )
    if left_out is not None:
        print(f"{output}: {left_out}")
    print(f"report: {Folder(report) / 'report.html'}")
