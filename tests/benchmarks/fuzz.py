"""Look for inputs that end in anything but a sentence (`UserError`), with hypothesis.

    python tests/benchmarks/fuzz.py --minutes 60 [--target NAME …] [--seed S] [--folder FOLDER]
    python tests/benchmarks/fuzz.py --replay FOLDER/findings/FILE

Valid files and folders are altered at bytes, keys and values, and read. Targets take turns, each in
a process of its own, so that a crash is a finding too. Findings are files that `--replay` tries
again. Called again with the same folder, it goes on where it stopped; the exit code is 1 as long as
the folder has findings.
"""

import argparse
import base64
import contextlib
import io
import json
import multiprocessing
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
from fuzzing import folders, inputs
from fuzzing.case import Case, Target
from fuzzing.valid import make_valid
from measured import show

from siamese.errors import UserError

TARGETS: dict[str, Target] = {**inputs.TARGETS, **folders.TARGETS}
ROOT = Path(__file__).parents[2]
# Seconds of a target's turn, and of CPU time that a single case may take.
TURN, CASE_SECONDS = 60, 20
# Bytes of memory that reading a damaged file may take, all libraries included.
MEMORY = 6 << 30
EXAMPLES = 500
CAPTION = """
examples: valid things that were altered and read. refused: of them, with a sentence. findings: what
else came out, counted by the kind of error and the line that raised it. A case may take {seconds} s
of CPU time and {memory} GiB of memory."""


class TooSlow(BaseException):
    """A case took longer than it may."""


def signature(error: BaseException) -> str:
    """The kind of an error and the project's own line that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "files left behind"
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT)]
    at = next((f for f in reversed(own) if "benchmarks" not in f.filename), own[-1])
    where = Path(at.filename).relative_to(ROOT)
    return f"{type(error).__name__} at {where}:{at.lineno}"


def check(target: Target, case: Case, scratch: Path) -> BaseException | None:
    """Try a case; what came out, if anything did."""
    shutil.rmtree(scratch, ignore_errors=True)
    for name, content in case.files.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    before = set(scratch.rglob("*"))
    signal.setitimer(signal.ITIMER_PROF, CASE_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            target.check(scratch, case.words)
    except UserError as error:
        left = set(scratch.rglob("*")) - before - {scratch / "again.yaml"}
        return AssertionError(f"left behind: {left}") if left else error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def to_json(name: str, case: Case, what: str, message: str) -> str:
    files = {name: base64.b64encode(data).decode() for name, data in case.files.items()}
    value = {"target": name, "what": what, "message": message, "files": files, "words": case.words}
    return json.dumps(value, indent=1)


def take_turn(name: str, folder: Path, seconds: float, seed: int) -> None:
    """Try cases of a target for so long; adds to the folder's figures and findings."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _too_slow)
    warnings.simplefilter("ignore")
    target, counts = TARGETS[name], Counter[str]()
    current = folder / f"current-{name}.json"
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="siamese-fuzz-") as temporary:

        def try_one(case: Case) -> None:
            if time.monotonic() > end:
                return
            current.write_text(to_json(name, case, "the process died or hung", ""))
            found = check(target, case, Path(temporary) / "case")
            counts["examples"] += 1
            counts["refused"] += isinstance(found, UserError)
            if found and not isinstance(found, UserError):
                what = signature(found)
                counts[what] += 1
                text = "".join(traceback.format_exception(found))[-6000:]
                keep(folder, name, what, to_json(name, case, what, text))

        while time.monotonic() < end:
            settings = hypothesis.settings(
                max_examples=EXAMPLES,
                database=None,
                deadline=None,
                phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            test = hypothesis.given(target.cases(folder / "valid"))(try_one)
            hypothesis.seed(seed)(settings(test))()
            seed += 1
    current.unlink(missing_ok=True)
    (folder / f"counts-{name}.json").write_text(json.dumps(counts))


def _too_slow(*_: object) -> None:
    raise TooSlow(f"more than {CASE_SECONDS} s of CPU time")


def keep(folder: Path, name: str, what: str, text: str) -> None:
    """Keep a case that shows a finding: the smallest."""
    file = folder / "findings" / (re.sub(r"[^\w.]+", "-", f"{name} {what}") + ".json")
    file.parent.mkdir(exist_ok=True)
    if not file.exists() or len(text) < file.stat().st_size:
        file.write_text(text)


def fuzz(names: list[str], folder: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Let the targets take turns; the figures of all turns so far, by target."""
    figures_file = folder / "figures.json"
    figures = json.loads(figures_file.read_text()) if figures_file.exists() else {}
    spawn = multiprocessing.get_context("spawn")
    if not (folder / "valid").exists():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            maker = spawn.Process(target=make_valid, args=(Path(temporary) / "valid",))
            maker.start()
            maker.join()
            (Path(temporary) / "valid").rename(folder / "valid")
    end, turn = time.monotonic() + 60 * minutes, min(TURN, 60 * minutes / len(names))
    while time.monotonic() < end:
        name = min(names, key=lambda name: figures.get(name, {}).get("seconds", 0))
        of_target = figures.setdefault(name, {"seconds": 0, "turns": 0, "counts": {}})
        begun, arguments = time.monotonic(), (name, folder, turn, seed + 10**6 * of_target["turns"])
        process = spawn.Process(target=take_turn, args=arguments)
        process.start()
        process.join(turn + 20 * CASE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        if process.exitcode and process.exitcode > 0:
            sys.exit(f"{name}: the fuzzing itself went wrong")
        counts, current = folder / f"counts-{name}.json", folder / f"current-{name}.json"
        if current.exists():  # or the process would have removed it
            keep(folder, name, f"signal {-(process.exitcode or 0)}", current.read_text())
            current.unlink()
        new = json.loads(counts.read_text()) if counts.exists() else {"examples": 0}
        counts.unlink(missing_ok=True)
        of_target["seconds"] += time.monotonic() - begun
        of_target["turns"] += 1
        of_target["counts"] = dict(Counter(of_target["counts"]) + Counter(new))
        figures_file.write_text(json.dumps(figures, indent=1))
    return figures


def replay(file: Path) -> None:
    """Try a finding again; shows the traceback, or the sentence."""
    value = json.loads(file.read_text())
    files = {name: base64.b64decode(data) for name, data in value["files"].items()}
    signal.signal(signal.SIGPROF, _too_slow)
    with tempfile.TemporaryDirectory() as temporary:
        target, case = TARGETS[value["target"]], Case(files, tuple(value["words"]))
        found = check(target, case, Path(temporary) / "case")
    if found is None or isinstance(found, UserError):
        print(f"refused: {found}" if found else "read, and right")
        return
    traceback.print_exception(found)
    sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="for what comes of it")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try a finding again")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    if options.replay:
        replay(options.replay)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    figures = fuzz(options.target, options.folder.absolute(), options.minutes, options.seed)
    rows = []
    for name, of_target in figures.items():
        counts = dict(of_target["counts"])
        examples, refused = counts.pop("examples", 0), counts.pop("refused", 0)
        row = {"target": name, "examples": examples, "refused": refused, "findings": len(counts)}
        rows.append({**row, "seconds": round(of_target["seconds"])})
        for what, count in sorted(counts.items()):
            print(f"{name}: {what} ({count:,} times)")
    caption = CAPTION.format(seconds=CASE_SECONDS, memory=MEMORY >> 30)
    show("What altered files ended in", rows, caption, options.json)
    found = sorted((options.folder / "findings").glob("*.json"))
    if found:
        sys.exit(f"{len(found)} findings in {options.folder / 'findings'}")


if __name__ == "__main__":
    main()
