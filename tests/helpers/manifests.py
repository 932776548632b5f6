"""The manifests for clusters, copies of them with a mistake, and what all must keep to."""

import copy
from typing import Any

import typer
import yaml
from paths import ROOT

from distributed.cli.main import app

CLUSTER = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
JOB = yaml.safe_load((ROOT / "rayjob.yaml").read_text(encoding="utf-8"))
SERVICE = yaml.safe_load((ROOT / "rayservice.yaml").read_text(encoding="utf-8"))


def changed(config: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with the value at a dotted path replaced; without the key when it is None."""
    copied = copy.deepcopy(config)
    *above, last = path.split(".")
    inner: Any = copied
    for key in above:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copied


def parse(command: list[str]) -> None:
    """Let the command line's parser judge a command, without running it."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    context = group.make_context("siamese", list(command))
    name, found, arguments = group.resolve_command(context, command)
    assert found is not None
    found.make_context(name, list(arguments), parent=context)


def no_secrets(text: str) -> bool:
    return not any(word in text for word in ("AKIA", "aws_secret", "password", "BEGIN "))
