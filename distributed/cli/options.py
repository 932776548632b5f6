"""Options that several commands share, and the groups that `--help` shows them in."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from siamese.config.parts import part_names
from siamese.errors import UserError

if TYPE_CHECKING:
    from siamese.training.execution import Execution

WHAT, RESOURCES, FAULTS, RESULTS = "What", "Resources", "Faults", "Results"


def example(*lines: str) -> str:
    """Write the examples that follow a command's options in `--help`."""
    return "\n\n".join(["Example:" if len(lines) == 1 else "Examples:", *lines])


Inputs = Annotated[list[str], typer.Argument(help="files, globs, folders or URIs")]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="of all text files, such as gb18030; else the beginning of each says it",
        rich_help_panel=WHAT,
    ),
]
Model = Annotated[str, typer.Argument(help="a model folder or its URI")]
Seed = Annotated[
    int,
    typer.Option(help="of all that is random", min=0, max=2**32 - 1, rich_help_panel=WHAT),
]

Data = Annotated[
    str,
    typer.Option(
        help="a data set that `siamese shard` wrote, local or a URI", rich_help_panel=WHAT
    ),
]
Recipe = Annotated[
    str, typer.Option(help="an embedded recipe or a YAML file", rich_help_panel=WHAT)
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="override a setting, such as loss.scale=25", rich_help_panel=WHAT),
]
Init = Annotated[
    str | None,
    typer.Option(
        help="go on from this model, a folder or URI; the recipe must have its core",
        rich_help_panel=WHAT,
    ),
]
GpusPerWorker = Annotated[
    float,
    typer.Option(help="a whole GPU or a fraction of one", min=0, max=1, rich_help_panel=RESOURCES),
]
CpusPerWorker = Annotated[
    float, typer.Option(help="reserved, and used", min=0.1, rich_help_panel=RESOURCES)
]
GpuMemory = Annotated[
    int | None,
    typer.Option(help="cap on each worker's GPU memory, in MiB", min=1, rich_help_panel=RESOURCES),
]
EncodingWorkers = Annotated[
    int,
    typer.Option(
        help="of Ray Data, each with the model; 0: this process, without Ray",
        min=0,
        rich_help_panel=RESOURCES,
    ),
]
Trackers = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        help=f"where figures go besides metrics.jsonl: {', '.join(part_names('tracker'))}; may be "
        "given several times; else tensorboard",
        rich_help_panel=RESULTS,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="show what Ray and TensorFlow write", rich_help_panel=RESULTS),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="continue what was stopped in RUN", rich_help_panel=FAULTS),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="replace what is in RUN", rich_help_panel=RESULTS)
]


ResumeFilling = Annotated[
    bool,
    typer.Option(
        "--resume", help="go on with what was stopped, or with more texts", rich_help_panel=FAULTS
    ),
]
FreshFolder = Annotated[
    bool, typer.Option("--fresh", help="replace what is in the folder", rich_help_panel=RESULTS)
]


def existing(resume: bool, fresh: bool, what: str) -> Literal["refuse", "resume", "fresh"]:
    """Say what to do with a folder that is there, from `--resume` and `--fresh`.

    Args:
        resume: whether `--resume` was given.
        fresh: whether `--fresh` was given.
        what: `run` or `sweep`.

    Raises:
        UserError: both were.
    """
    if resume and fresh:
        raise UserError(f"--resume continues a {what} and --fresh replaces it: give one of them.")
    return "resume" if resume else "fresh" if fresh else "refuse"


def execution_of(
    workers: int, gpus_per_worker: float, cpus_per_worker: float, verbose: bool
) -> "Execution":
    """Say how work is carried out that has so many workers, 0 for none, and keeps no figures."""
    from siamese.training.execution import Execution

    return Execution(
        workers=(workers, workers),
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        trackers=(),
        verbose=verbose,
    )


def trackers(names: list[str] | None) -> tuple[str, ...]:
    """Return the trackers of `--tracker`, or the default ones."""
    return tuple(names) if names else ("tensorboard",)
