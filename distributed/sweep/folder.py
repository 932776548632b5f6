"""The folder of a sweep.

SWEEP/sweep.json         what was asked for; a resumed sweep must ask for the same
SWEEP/recipe.yaml        the recipe whose settings are searched
SWEEP/events.jsonl       what the driver saw, in order: trials begun, their epochs, their ends
SWEEP/trials/0003/       the run folder of a trial
SWEEP/.tune/             Ray Tune's own, of no use when the sweep has ended
SWEEP/trials.csv best_recipe.yaml best/ sweep.html pictures/ test.json refit/   what came of it
"""

import json
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
from siamese.training.run_folder import Existing, differences

# Written in this order: a sweep has begun once what was asked for is there.
_FIRST = ("recipe.yaml", "sweep.json")


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
        """Append an event."""
        line = json.dumps({"event": event, "trial": trial, **values}, ensure_ascii=False)
        with self.events_file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        self.publish()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the events so far; one that a kill cut short is left out, and cut off."""
        if not self.events_file.exists():
            return
        text = self.events_file.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            with replacing(self.events_file) as beside:
                beside.write_text(whole, encoding="utf-8")
        yield from map(json.loads, whole.splitlines())

    def clean(self) -> None:
        """Remove what only a sweep that runs has a use for."""
        Folder(self.location).remove(".tune")
