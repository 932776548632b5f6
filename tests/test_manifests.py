"""The commands in the manifests' comments."""

import shlex

import pytest
from manifests import parse
from paths import ROOT


@pytest.mark.parametrize("name", ["cluster.yaml", "rayjob.yaml"])
def test_every_siamese_command_in_the_comments_parses(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    commands = [line.partition("siamese submit -- ")[2] for line in lines]
    for command in filter(None, commands):
        parse(shlex.split(command))
