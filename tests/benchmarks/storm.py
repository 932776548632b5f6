"""A hundred faults at random moments, and whether the same bytes come out after each of them.

    python tests/benchmarks/storm.py [--folder storm] [--faults 100] [--seed 1] [--json FILE]

Runs of 0 to 4 workers, sweeps, sharding and encoding are disturbed; a command that ends with an
error is given again (`--resume`, for a data set `--fresh`) until it succeeds. What comes out must
equal what an undisturbed command writes, and every error must be a sentence. The storm writes each
result into its folder as it comes, and goes on from there when it is started again.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measured import show
from storm_faults import STRIKES, can, clock, damage, end_all, ports_taken, small_disk
from storm_works import Work, make_inputs, works

# Times that a command is given at most, and seconds that each may take.
ATTEMPTS, LIMIT = 5, 300
# How a command may end: well, by a signal that the storm sent, or with a sentence.
ERROR = re.compile(r"^(error: .+|stopped\b.*)$", re.MULTILINE)
CAPTION = """
times: faults of the kind. again: how often the command was given again in all. lost: median and
most seconds of all attempts beyond those of the undisturbed command. refused: attempts that ended
with a sentence and exit code 1, 2 or 130. differences: results that were not those of the
undisturbed command, byte for byte, or ends without a sentence. Moments are random, seed {seed}."""


class EndedBadlyError(Exception):
    """A command has not ended as it may."""


def run_once(
    work: Work,
    folder: Path,
    options: tuple[str, ...],
    environment: dict[str, str],
    strike: Callable[[subprocess.Popen[bytes]], None] | None,
) -> tuple[int, str]:
    """Give a command, disturb it, and wait for its end; its exit code and what it printed."""
    command = [sys.executable, "-m", "distributed", *work.command(folder), *options]
    variables = {**os.environ, **environment, "RAY_USAGE_STATS_ENABLED": "0"}
    variables.pop("RAY_ADDRESS", None)
    log = folder.parent / "log.txt"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env=variables,
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        if strike:
            strike(process)
        code = process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        raise EndedBadlyError(f"not within {LIMIT} s: {_last_line(log)}") from None
    finally:
        end_all(process)
    return code, log.read_text(encoding="utf-8", errors="replace")


def _last_line(log: Path) -> str:
    return (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""])[-1]


def undisturbed(work: Work, folder: Path) -> dict[str, Any]:
    """What comes out of a work when nothing happens, and the seconds that it takes."""
    (folder / "disk").mkdir(parents=True)
    start = time.monotonic()
    code, output = run_once(work, folder / "disk", (), {}, None)
    if code:
        sys.exit(f"{work.name} fails undisturbed:\n{output}")
    seconds = time.monotonic() - start
    size = sum(path.stat().st_size for path in (folder / "disk").rglob("*") if path.is_file())
    return {"seconds": seconds, "bytes": size, "expected": work.fingerprint(folder / "disk")}


def disturbed(
    work: Work, fault: str, whole: dict[str, Any], folder: Path, rng: random.Random
) -> dict[str, Any]:
    """Let a fault happen to a work, and go on with it until it succeeds."""
    moment = rng.uniform(0.15, 0.95) * whole["seconds"]
    outcome: dict[str, Any] = {"moment": round(moment, 2), "codes": [], "difference": ""}
    disk, start = folder / "disk", time.monotonic()
    with ExitStack() as stack:
        environment: dict[str, str] = {}
        if fault == "disk full":
            size = int(rng.uniform(0.05, 0.9) * whole["bytes"])
            enlarge = stack.enter_context(small_disk(disk, size))
        else:
            disk.mkdir()
        if fault == "clock jumps":
            environment = stack.enter_context(clock(folder))
        if fault == "ports taken":
            stack.enter_context(ports_taken(rng))

        def strike(process: subprocess.Popen[bytes]) -> None:
            if fault in STRIKES:
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    STRIKES[fault](process, folder if fault == "clock jumps" else disk, rng)

        try:
            options: tuple[str, ...] = ()
            for attempt in range(ATTEMPTS):
                code, output = run_once(
                    work, disk, options, environment, None if attempt else strike
                )
                outcome["codes"].append(code)
                if not attempt and fault == "disk full":
                    enlarge()
                if not attempt:
                    outcome["damaged"] = damage(fault, disk, rng)
                if code == 0:
                    break
                if problem := _not_a_sentence(code, output):
                    raise EndedBadlyError(problem)
                options = work.go_on if _is_begun(disk, work) else ()
            else:
                raise EndedBadlyError(f"failed {ATTEMPTS} times: {output.strip().splitlines()[-1]}")
            outcome["difference"] = _difference(whole["expected"], work.fingerprint(disk))
        except EndedBadlyError as error:
            outcome["difference"] = str(error)
            shutil.copyfile(folder / "log.txt", folder.with_suffix(".log"))
    outcome["seconds"] = round(time.monotonic() - start, 1)
    return outcome


def _is_begun(disk: Path, work: Work) -> bool:
    """Say whether there is something to go on with."""
    out = disk / "out"
    return any((out / name).is_file() for name in ("recipe.yaml", "sweep.json", "manifest.json"))


def _not_a_sentence(code: int, output: str) -> str:
    if "Traceback" in output:
        return f"a traceback: {output.strip().splitlines()[-1]}"
    if code in (1, 2, 130) and not ERROR.search(output):
        return f"exit code {code} without a sentence: {(output.strip().splitlines() or [''])[-1]}"
    return "" if code in (1, 2, 130) or code < 0 else f"exit code {code}"


def _difference(expected: dict[str, str], found: dict[str, str]) -> str:
    """Name what is not as in the undisturbed result."""
    keys = [key for key in {*expected, *found} if expected.get(key) != found.get(key)]
    return ", ".join(sorted(keys)[:4]) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")


def plan(all_works: dict[str, tuple[Work, int]], count: int) -> Iterator[tuple[int, Work, str]]:
    """Yield a number, a work and a fault, in an order that mixes them."""
    rows = []
    for work, share in all_works.values():
        times = max(round(share * count / 100), 1)
        rows += [
            (turn / times, work, work.faults[turn % len(work.faults)]) for turn in range(times)
        ]
    rows.sort(key=lambda row: row[0])
    yield from ((number, work, fault) for number, (_, work, fault) in enumerate(rows))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("storm"), help="for all it writes")
    parser.add_argument("--faults", type=int, default=100, help="how many, about")
    parser.add_argument("--seed", type=int, default=1, help="of moments and damage")
    parser.add_argument("--only", help="works whose name contains this")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    inputs = folder / "inputs"
    if not (inputs / "space.yaml").exists():
        inputs.mkdir(exist_ok=True)
        make_inputs(inputs)
    all_works = works(inputs)
    results_file = folder / "results.jsonl"
    done = {}
    if results_file.exists():
        done = {row["number"]: row for row in map(json.loads, results_file.open())}
    wholes: dict[str, dict[str, Any]] = {}
    for number, work, fault in plan(all_works, options.faults):
        if number in done or (options.only and options.only not in work.name):
            continue
        row: dict[str, Any] = {"number": number, "work": work.name, "fault": fault}
        if reason := can(fault):
            row["skipped"] = reason
        else:
            if work.name not in wholes:
                wholes[work.name] = _whole(work, folder, inputs)
            place = folder / f"{number:03}"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            rng = random.Random(f"{options.seed} {number}")
            row |= disturbed(work, fault, wholes[work.name], place, rng)
            row["lost"] = round(row["seconds"] - wholes[work.name]["seconds"], 1)
            if not row["difference"]:
                shutil.rmtree(place)
        with results_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        done[number] = row
        print(json.dumps(row, ensure_ascii=False), flush=True)
    rows = list(table(list(done.values())))
    show("A storm of faults", rows, CAPTION.format(seed=options.seed), options.json)
    if any(row.get("difference") for row in done.values()):
        sys.exit("a fault has changed what comes out, or was not told in a sentence")


def _whole(work: Work, folder: Path, inputs: Path) -> dict[str, Any]:
    """What an undisturbed work gives, measured once; its model serves to encode with."""
    file = folder / f"{work.name.replace(', ', '-').replace(' ', '-')}.json"
    if work.name == "encode" and not (inputs / "model").exists():
        train = works(inputs)["train, 0 workers"][0]
        place = folder / "model"
        shutil.rmtree(place, ignore_errors=True)
        undisturbed(train, place)
        shutil.copytree(place / "disk" / "out" / "best", inputs / "model")
    if not file.exists():
        place = folder / f"whole-{file.stem}"
        shutil.rmtree(place, ignore_errors=True)
        file.write_text(json.dumps(undisturbed(work, place)))
    whole: dict[str, Any] = json.loads(file.read_text())
    return whole


def table(results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Sum the results up by fault."""
    for fault in dict.fromkeys(row["fault"] for row in results):
        rows = [row for row in results if row["fault"] == fault and "skipped" not in row]
        if not rows:
            continue
        lost = [row["lost"] for row in rows]
        yield {
            "fault": fault,
            "works": len({row["work"] for row in rows}),
            "times": len(rows),
            "again": sum(len(row["codes"]) - 1 for row in rows),
            "lost, s": statistics.median(lost),
            "most, s": max(lost),
            "refused": sum(code in (1, 2, 130) for row in rows for code in row["codes"]),
            "differences": sum(bool(row["difference"]) for row in rows),
        }


if __name__ == "__main__":
    main()
