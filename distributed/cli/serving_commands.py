"""The command that serves a model over HTTP. What is heavy is imported inside it."""

from typing import Annotated

import typer

from distributed.cli.options import RESOURCES, RESULTS, WHAT, Model, Verbose
from siamese.errors import UserError


def serve(
    model: Model,
    index: Annotated[
        str | None,
        typer.Option(
            help="an index of this model, a folder or URI; without one nothing is searched",
            rich_help_panel=WHAT,
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="where to listen; 0.0.0.0: everywhere", rich_help_panel=RESULTS),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(help="0: any that is free", min=0, max=65535, rich_help_panel=RESULTS),
    ] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="SIAMESE_TOKEN",
            show_envvar=True,
            help="answer only requests with `Authorization: Bearer TOKEN`",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    queue: Annotated[
        int,
        typer.Option(
            help="requests that may wait; one more is answered 503", min=1, rich_help_panel=RESULTS
        ),
    ] = 256,
    replicas: Annotated[
        str,
        typer.Option(
            help="processes that answer, N or MIN:MAX by the load", rich_help_panel=RESOURCES
        ),
    ] = "1",
    cpus_per_replica: Annotated[
        float, typer.Option(help="reserved, and used", min=0.1, rich_help_panel=RESOURCES)
    ] = 1,
    gpus_per_replica: Annotated[
        float,
        typer.Option(
            help="a whole GPU or a fraction of one", min=0, max=1, rich_help_panel=RESOURCES
        ),
    ] = 0,
    verbose: Verbose = False,
) -> None:
    """Serve a model over HTTP: embeddings, similarities, search, and a page to try them."""
    from distributed.serving.plan import Door, Plan
    from distributed.serving.serve import serve as serve_here
    from siamese.storage.filesystem import absolute

    plan = Plan(
        absolute(model),  # a replica works in a folder of its own
        None if index is None else absolute(index),
        _replicas(replicas),
        cpus_per_replica,
        gpus_per_replica,
    )
    serve_here(plan, Door(host, port, token, queue), verbose)


def _replicas(text: str) -> tuple[int, int]:
    """Read N or MIN:MAX."""
    parts = text.split(":")
    if len(parts) <= 2 and all(part.isascii() and part.isdigit() for part in parts):
        least, most = int(parts[0]), int(parts[-1])
        if 1 <= least <= most:
            return least, most
    raise UserError(f"--replicas {text}: give a number from 1 on, or MIN:MAX such as 1:4.")
