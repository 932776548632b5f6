"""Run the commands of README.md and docs/*.md, and write what they print below them: `make docs`.

A page's ```bash and ```python blocks are run in order, in the project's folder. A ```text block
that follows one shows what it printed to stdout. A block that needs what is not here (a cluster of
machines, an hour) has the comment `<!-- not run: WHY -->` before it.

Of a long output, `<!-- shown: FIRST LAST -->` before the ```text block keeps so many lines of its
beginning and of its end. All files that the pages write are in `/tmp/demo`.

`tests/test_docs.py` runs the same blocks and compares: words and whole numbers must be the same,
other numbers nearly (another processor adds in another order), durations and rates are left out.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The later ones use what the first one makes.
PAGES = (
    "README.md",
    "docs/data.md",
    "docs/audit.md",
    "docs/training.md",
    "docs/negatives.md",
    "docs/recipes.md",
    "docs/sweeps.md",
    "docs/clusters.md",
    "docs/keras.md",
    "docs/model.md",
    "docs/thresholds.md",
    "docs/search.md",
    "docs/serving.md",
    "docs/export.md",
    "docs/encoding.md",
    "docs/duplicates.md",
    "docs/teachers.md",
    "docs/benchmarks.md",
    "docs/extending.md",
    "docs/inside.md",
)
DEMO = "/tmp/demo"
_BLOCK = re.compile(
    r"(?P<comments>(?:^<!--[^\n]*-->\n)*)^```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SHOWN = re.compile(r"<!-- shown: (\d+) (\d+) -->")
# A number with what tells of the machine rather than of the result.
_CLOCK = re.compile(r"[\d.,]+(?= (?:s|seconds|ms|minutes|min|MiB|\w+/s)\b)")
# What the machine has, which is another on another one.
_MACHINE = re.compile(r"^\d+ nodes?, .*\n", re.MULTILINE)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
# How far a number with decimals may be from the one shown: processors add in another order, and
# training carries that on.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Block:
    """Commands of a page, and the output shown below them.

    Attributes:
        page: the page's path, from the project's folder.
        line: where the commands begin.
        language: `bash` or `python`.
        code: the commands.
        shown: the output, or None.
        span: where the output stands in the page's text.
        keep: how many lines of a long output's beginning and end are shown; None: all.
    """

    page: str
    line: int
    language: str
    code: str
    shown: str | None = None
    span: tuple[int, int] = (0, 0)
    keep: tuple[int, int] | None = None


def read_blocks(page: str) -> list[Block]:
    """The blocks of a page that can be run, each with the output that follows it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks: list[Block] = []
    last: Block | None = None  # the one whose output may follow
    for match in _BLOCK.finditer(text):
        language, body = match["language"], match["body"]
        if language in ("bash", "python"):
            line = text.count("\n", 0, match.start("body")) + 1
            last = Block(page, line, language, body)
            if "<!-- not run:" in match["comments"]:
                last = None
            else:
                blocks.append(last)
        elif language == "text" and last is not None:
            kept = _SHOWN.search(match["comments"])
            keep = (int(kept[1]), int(kept[2])) if kept else None
            blocks[-1] = replace(last, shown=body, span=match.span("body"), keep=keep)
            last = None
        else:
            last = None
    return blocks


def run(block: Block, demo: Path) -> str:
    """Run a block, and return what it printed to stdout.

    Args:
        block: to run.
        demo: the folder that takes the place of `/tmp/demo`.

    Raises:
        RuntimeError: a command failed, or wrote a warning to stderr.
    """
    code = block.code.replace(DEMO, str(demo))
    command = ["bash", "-eo", "pipefail", "-c", code]
    if block.language == "python":
        command = [sys.executable, "-c", code]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    where = f"{block.page}, line {block.line}"
    if done.returncode:
        raise RuntimeError(f"{where}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    if re.search(r"warning|traceback", done.stderr, re.IGNORECASE):
        raise RuntimeError(f"{where}: noise on stderr\n{done.stderr}")
    return _plain(done.stdout.replace(str(demo), DEMO), block.keep)


def _plain(output: str, keep: tuple[int, int] | None) -> str:
    """What is shown of an output: without spaces at the ends of lines, a long one shortened."""
    lines = [line.rstrip() for line in output.splitlines()]
    if keep and len(lines) > sum(keep) + 1:
        lines = [*lines[: keep[0]], "  …", *lines[len(lines) - keep[1] :]]
    return "".join(f"{line}\n" for line in lines)


def difference(shown: str, printed: str) -> str:
    """What differs between an output shown and the one got; nothing if they agree.

    Durations, rates and sizes in memory are not compared, numbers with decimals to `TOLERANCE`.
    """
    ours, theirs = (
        _CLOCK.sub("#", _MACHINE.sub("", text)).splitlines() for text in (shown, printed)
    )
    if len(ours) != len(theirs):
        return f"shown are {len(ours)} lines, printed {len(theirs)}:\n{printed}"
    for one, other in zip(ours, theirs, strict=True):
        if not _same_line(one, other):
            return f"shown   {one}\nprinted {other}"
    return ""


def _same_line(one: str, other: str) -> bool:
    if _NUMBER.sub("#", one).split() != _NUMBER.sub("#", other).split():
        return False
    for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True):
        exact = "." not in a and "." not in b
        gap = abs(float(a.replace(",", "")) - float(b.replace(",", "")))
        if gap > (0 if exact else TOLERANCE):
            return False
    return True


def outputs(demo: Path) -> Iterator[tuple[Block, str]]:
    """Run every block of every page, in order."""
    for page in PAGES:
        if (ROOT / page).is_file():
            for block in read_blocks(page):
                yield block, run(block, demo)


def main() -> None:
    """Write the outputs into the pages."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    demo = Path(DEMO)
    shutil.rmtree(demo, ignore_errors=True)
    demo.mkdir()
    printed: dict[str, list[tuple[Block, str]]] = {}
    for block, output in outputs(demo):
        print(f"{block.page}, line {block.line}: {block.code.strip().splitlines()[0]}", flush=True)
        if block.shown is not None:
            printed.setdefault(block.page, []).append((block, output))
    for page, found in printed.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        for block, output in reversed(found):  # from the end, so that the spans before stay right
            start, end = block.span
            text = text[:start] + output + text[end:]
        (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
