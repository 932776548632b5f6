"""The command that encodes texts. As in `main.py`, what is heavy is imported inside it."""

from typing import Annotated

import typer

from distributed.cli.options import (
    RESULTS,
    WHAT,
    CpusPerWorker,
    Encoding,
    EncodingWorkers,
    FreshFolder,
    GpusPerWorker,
    Inputs,
    Model,
    ResumeFilling,
    Verbose,
    execution_of,
    existing,
)
from siamese.errors import UserError


def encode(
    model: Model,
    inputs: Inputs,
    output: Annotated[
        str,
        typer.Option(
            help="a folder or URI for Parquet files of text and embedding, and a manifest; with "
            ".parquet at its end, one such file",
            rich_help_panel=RESULTS,
        ),
    ],
    normalize: Annotated[
        bool, typer.Option("--normalize", help="to unit length", rich_help_panel=WHAT)
    ] = False,
    workers: EncodingWorkers = 0,
    gpus_per_worker: GpusPerWorker = 0,
    cpus_per_worker: CpusPerWorker = 1,
    resume: ResumeFilling = False,
    fresh: FreshFolder = False,
    verbose: Verbose = False,
    encoding: Encoding = None,
) -> None:
    """Encode every text, into one file or a folder of many."""
    do = existing(resume, fresh, "embeddings folder")
    if _is_one_file(output):
        if workers or gpus_per_worker or do != "refuse":
            raise UserError(
                f"--output {output} is one file, which this process writes at once. --workers, "
                "--gpus-per-worker, --resume and --fresh are for a folder: give a name without "
                ".parquet."
            )
        from siamese.encoding.encode_file import encode_file
        from siamese.storage.output import check_output

        check_output(output, inputs)
        print(encode_file(model, inputs, output, normalize, encoding))
        return
    from distributed.encoding.encode import encode as start

    execution = execution_of(workers, gpus_per_worker, cpus_per_worker, verbose)
    try:
        manifest, notes = start(model, inputs, output, normalize, do, execution, encoding)
    except KeyboardInterrupt as stop:
        stop.args = ("stopped; --resume goes on from the last file that is whole",)
        raise
    print(f"{manifest['rows']:,} texts, {manifest['dim']} numbers each: {output}")
    for note in notes:
        print(note)


def _is_one_file(output: str) -> bool:
    """Say whether one file is asked for: by its ending, or since it is a pipe or a device."""
    from siamese.storage.filesystem import path_of

    if output.partition("?")[0].lower().endswith(".parquet"):
        return True
    path = path_of(output)
    return path is not None and path.exists() and not (path.is_dir() or path.is_file())
