"""What a target of fuzzing is: its cases, and what must hold of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st


class Case(NamedTuple):
    """What a check is given: files by name below its folder, and other arguments."""

    files: dict[str, bytes]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        cases: from the folder of valid things, makes the strategy of cases.
        check: is given the folder of the case's files and its other arguments. It may raise
            `UserError` and nothing else; what it returns without one must be right. It imports what
            is heavy, since each target has a process of its own.
    """

    cases: Callable[[Path], st.SearchStrategy[Case]]
    check: Callable[[Path, Sequence[str]], None]
