"""The command that exports a model. What is heavy is imported inside it."""

from typing import Annotated

import typer

from distributed.cli.options import RESULTS, WHAT, Encoding, Model
from siamese.config.parts import part_names
from siamese.errors import UserError

_FORMATS = ", ".join(name.replace("_", "-") for name in part_names("exporter"))


def export(
    model: Model,
    output: Annotated[
        str, typer.Argument(metavar="DIR", help="the folder to write, local or a URI")
    ],
    to: Annotated[str, typer.Option("--to", help=f"the format: {_FORMATS}", rich_help_panel=WHAT)],
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="onnx: weights of 8 bits; says what that loses", rich_help_panel=WHAT
        ),
    ] = False,
    pairs: Annotated[
        str | None,
        typer.Option(
            help="with --int8: measure the loss on these labelled pairs; else on texts drawn from "
            "the vocabulary",
            rich_help_panel=WHAT,
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="replace an export that is there", rich_help_panel=RESULTS),
    ] = False,
    encoding: Encoding = None,
) -> None:
    """Write a model in another format, with the same embeddings."""
    if pairs is not None and not int8:
        raise UserError("--pairs has no effect without --int8: on them, its loss is measured.")
    from siamese.data.reading import read_pairs
    from siamese.export.export import export_model
    from siamese.export.exporter import ExportOptions

    labelled = read_pairs([pairs], encoding=encoding) if pairs is not None else []
    notes = export_model(model, to, output, ExportOptions(int8, labelled), fresh)
    print(f"{to}: {output}")
    for note in notes:
        print(f"  {note}")
