"""STUB of this branch: see the branch `loop`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parts:
    """Objects of a user's own."""

    loss: Any = None
    evaluators: Any = None
    trackers: Any = None

    def complete(self, recipe: Any, execution: Any) -> "Parts":
        """See the branch `loop`."""
        return self
