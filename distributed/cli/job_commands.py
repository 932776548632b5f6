"""The command that submits others to a cluster."""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from siamese.errors import UserError

# The parameters, of all commands, that name what is written.
_OUTPUTS = ("output", "run", "json_file", "report", "pairs_file", "groups_file")


def submit(
    context: typer.Context,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="any other command, with its options")
    ],
    address: Annotated[
        str | None, typer.Option(help="http://HOST:8265; else as in Ray's RAY_ADDRESS, or local")
    ] = None,
    working_dir: Annotated[
        Path, typer.Option(help="uploaded, without what its .gitignore names; the job runs in it")
    ] = Path(),
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="print the job's id and leave it running")
    ] = False,
) -> None:
    """Run a command as a job on a Ray cluster, and show its log."""
    if command[0] == "submit":
        raise UserError("submit: a job cannot submit itself. Name the command to run.")
    outputs = _check_command(context, command)
    from distributed.jobs.follow import follow
    from distributed.jobs.submit import submit as start

    client, job = start(command, address, working_dir, outputs)
    if no_wait:
        print(job)
    else:
        raise typer.Exit(follow(client, job))


def _check_command(context: typer.Context, command: list[str]) -> dict[str, str]:
    """Let the parser refuse a command here that it would refuse on the cluster.

    Returns:
        What the command writes, by option.
    """
    commands = context.parent
    assert commands is not None and isinstance(commands.command, TyperGroup)
    name, found, arguments = commands.command.resolve_command(commands, command)
    assert found is not None  # or the parser would have said so
    values = found.make_context(name, list(arguments), parent=commands).params
    return {
        param.opts[0]: values[param.name]
        for param in found.params
        if param.name in _OUTPUTS and values[param.name] is not None
    }
