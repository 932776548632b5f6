"""The folder of a sweep.

SWEEP/sweep.json         what was asked for; a resumed sweep must ask for the same
SWEEP/recipe.yaml        the recipe whose settings are searched
SWEEP/events.jsonl       what the driver saw, in order: trials begun, their epochs, their ends
SWEEP/trials/0003/       the run folder of a trial
SWEEP/.tune/             Ray Tune's own, of no use when the sweep has ended
SWEEP/trials.csv best_recipe.yaml best/ sweep.html pictures/ test.json refit/   what came of it
"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from siamese.config.recipe import Recipe
from siamese.errors import UserError
from siamese.storage.atomic import read_json, replacing, write_json
from siamese.storage.filesystem import local_path
from siamese.storage.folder import Folder
from siamese.storage.mirror import Mirror
from siamese.storage.ownership import clear_folder, is_used
from siamese.storage.run_folder import Existing, differences

# Written in this order: a sweep has begun once what was asked for is there.
_FIRST = ("recipe.yaml", "sweep.json")

# The events, and what each of them tells.
EVENTS: dict[str, dict[str, type]] = {
    "start": {"trial": int, "settings": dict, "draws": dict},
    "evaluation": {"trial": int, "figures": dict},
    "end": {"trial": int, "status": str, "error": str},
}


class SweepFolder:
    """Paths, events and results of one sweep; at a URI, by way of a local copy.

    Args:
        location: a path or URI.
    """

    def __init__(self, location: str) -> None:
        self._mirror: Mirror | None = None
        path = local_path(location)
        if path is None:
            self._copy = tempfile.TemporaryDirectory(prefix="siamese-sweep-")
            path = Path(self._copy.name)
            self._mirror = Mirror(path, location, others=("trials", ".tune", "refit"))
            if self._mirror.has("sweep.json"):
                self._mirror.pull()
        self.path: Path = path
        self.location = location if self._mirror else str(path)
        self.asked_file = path / "sweep.json"
        self.recipe_file = path / "recipe.yaml"
        self.events_file = path / "events.jsonl"
        self.best = path / "best"

    def inner(self, name: str) -> str:
        """Return the path or URI of a folder in it."""
        return str(Folder(self.location) / name)

    def check(self, existing: Existing) -> None:
        """Check that the folder may be used; nothing is written or removed.

        Raises:
            UserError: it exists and is to be refused, is to be resumed and holds no sweep, or is
                to be replaced and holds something that is not a sweep.
        """
        begun = self.asked_file.is_file()
        used = begun or is_used(self.path, but=_FIRST)
        used = used or (self._mirror is not None and self._mirror.is_used(but=_FIRST))
        if existing == "resume":
            if not begun:
                raise UserError(f"{self.location}: holds no sweep to resume. Leave out --resume.")
        elif existing == "refuse" and used:
            raise UserError(
                f"{self.location}: exists already. Continue that sweep with --resume, replace it "
                "with --fresh, or choose another --run folder."
            )
        elif used and not begun:
            raise UserError(
                f"{self.location}: is not the folder of a sweep, so --fresh will not delete it. "
                "Choose another --run folder."
            )

    def check_same(self, asked: dict[str, Any]) -> None:
        """Check that a sweep to be resumed asked for the same.

        Raises:
            UserError: names what differs.
        """
        before = read_json(self.asked_file)
        if not isinstance(before, dict):
            raise UserError(f"{self.asked_file}: damaged. Start the sweep afresh with --fresh.")
        if found := list(differences(before, asked)):
            raise UserError(
                f"{self.location}: was started with other settings; a resumed sweep must keep "
                "them.\n" + "\n".join(f"  {line}" for line in found)
            )

    def start(self, asked: dict[str, Any], recipe: Recipe, fresh: bool) -> None:
        """Begin a sweep, in the place of an older one if `fresh`."""
        if fresh and self.path.exists():
            clear_folder(self.path)
            if self._mirror:
                self._mirror.remove()
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.recipe_file) as beside:
            beside.write_text(recipe.to_yaml(), encoding="utf-8")
        write_json(self.asked_file, asked)
        self.publish()

    def publish(self) -> None:
        """Copy what has changed to the sweep's URI, if it has one."""
        if self._mirror:
            self._mirror.push()

    def log(self, event: str, trial: int, **values: Any) -> None:
        """Append an event; it is on the disk when this returns."""
        line = json.dumps({"event": event, "trial": trial, **values}, ensure_ascii=False)
        with self.events_file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.publish()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the events so far; one that a kill cut short is left out, and cut off.

        Raises:
            UserError: an event is damaged; names its line.
        """
        if not self.events_file.exists():
            return
        data = self.events_file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            with replacing(self.events_file) as beside:
                beside.write_bytes(whole)
        begun = set()
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                event = json.loads(line)
                told = {key: type(event[key]) for key in EVENTS[event["event"]]}
                if event["event"] == "start":
                    begun.add(event["trial"])
                if told != EVENTS[event["event"]] or event["trial"] not in begun:
                    raise ValueError("not what a sweep writes")
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise UserError(
                    f"{self.events_file}, line {number}: damaged ({error}). Start the sweep afresh "
                    "with --fresh."
                ) from None
            yield event

    def clean(self) -> None:
        """Remove what only a sweep that runs has a use for."""
        Folder(self.location).remove(".tune")
