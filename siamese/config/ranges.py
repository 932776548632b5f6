"""Ranges of a setting's values in a search space: numbers, whole numbers, choices, layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np

from siamese.config.yaml_files import nearest, shown

# Digits of a drawn number: what people can read and write again.
DIGITS = 4
# Ends of a range are between minus this and this.
MOST_NUMBER = 2**62
MOST_LAYERS = 64
# Values of one setting in a grid.
MOST_VALUES = 100_000
KINDS = ("uniform", "log_uniform", "integer", "choice", "layers")


class Draw(Protocol):
    """Picks values: at random, or by what earlier trials have shown."""

    def number(self, name: str, low: float, high: float, log: bool) -> float:
        """Pick a number between two, evenly spread on a linear or a logarithmic scale."""

    def integer(self, name: str, low: int, high: int) -> int:
        """Pick a whole number, both ends included."""

    def index(self, name: str, count: int) -> int:
        """Pick one of `count` alternatives, from 0."""


class RandomDraw:
    """Picks values at random, as a pure function of a seed and the trial's number."""

    def __init__(self, seed: int, trial: int) -> None:
        self._random = np.random.default_rng((seed, trial))

    def number(self, name: str, low: float, high: float, log: bool) -> float:
        """See `Draw`."""
        if log:
            return float(np.exp(self._random.uniform(np.log(low), np.log(high))))
        return float(self._random.uniform(low, high))

    def integer(self, name: str, low: int, high: int) -> int:
        """See `Draw`."""
        return int(self._random.integers(low, high, endpoint=True))

    def index(self, name: str, count: int) -> int:
        """See `Draw`."""
        return int(self._random.integers(count))


@dataclass(frozen=True)
class Numbers:
    """Numbers between two, both included."""

    low: float
    high: float
    log: bool

    def draw(self, name: str, draw: Draw) -> float:
        """Pick one, rounded to `DIGITS` significant digits."""
        value = float(f"{draw.number(name, self.low, self.high, self.log):.{DIGITS}g}")
        return min(max(value, self.low), self.high)

    def ends(self) -> list[Any]:
        """Return the values that are the likeliest to be wrong."""
        return [self.low, self.high]

    def grid(self) -> list[Any] | None:
        """Return all values; None: there are too many to list."""
        return None

    def changed(self, value: Any, random: np.random.Generator) -> float:
        """Pick a value near another, for a member of a population: times 0.8 or 1.25."""
        near = float(f"{value * random.choice([0.8, 1.25]):.{DIGITS}g}")
        return min(max(near, self.low), self.high)


@dataclass(frozen=True)
class Integers:
    """Whole numbers between two, both included."""

    low: int
    high: int

    def draw(self, name: str, draw: Draw) -> int:
        """Pick one."""
        return draw.integer(name, self.low, self.high)

    def ends(self) -> list[Any]:
        """Return the values that are the likeliest to be wrong."""
        return [self.low, self.high]

    def grid(self) -> list[Any] | None:
        """Return all values; None: there are too many to list."""
        count = self.high - self.low + 1
        return list(range(self.low, self.high + 1)) if count <= MOST_VALUES else None

    def changed(self, value: Any, random: np.random.Generator) -> int:
        """Pick a neighbour, for a member of a population."""
        return min(max(value + int(random.choice([-1, 1])), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """Some values."""

    values: tuple[Any, ...]

    def draw(self, name: str, draw: Draw) -> Any:
        """Pick one."""
        return self.values[draw.index(name, len(self.values))]

    def ends(self) -> list[Any]:
        """Return all values: any may be wrong."""
        return list(self.values)

    def grid(self) -> list[Any] | None:
        """Return all values."""
        return list(self.values)

    def changed(self, value: Any, random: np.random.Generator) -> Any:
        """Pick the one before or after, for a member of a population."""
        position = self.values.index(value) + int(random.choice([-1, 1]))
        return self.values[min(max(position, 0), len(self.values) - 1)]


@dataclass(frozen=True)
class Layers:
    """Lists of sizes, as many as there are layers: a layer's size counts only if it is there."""

    fewest: int
    most: int
    units: Integers | Choice

    def draw(self, name: str, draw: Draw) -> list[int]:
        """Pick the number of layers, then the size of each."""
        count = draw.integer(f"{name}.layers", self.fewest, self.most)
        return [self.units.draw(f"{name}.{number}", draw) for number in range(1, count + 1)]

    def ends(self) -> list[Any]:
        """Return the values that are the likeliest to be wrong."""
        return [
            [units] * count for count in (self.fewest, self.most) for units in self.units.ends()
        ]

    def grid(self) -> list[Any] | None:
        """Return all lists; None: there are too many."""
        sizes = self.units.grid()
        if sizes is None or len(sizes) ** self.most > MOST_VALUES:
            return None
        return [
            list(units)
            for count in range(self.fewest, self.most + 1)
            for units in product(sizes, repeat=count)
        ]


Range = Numbers | Integers | Choice | Layers


def is_range(value: Mapping[Any, Any]) -> bool:
    """Say whether a mapping in the file is a range, rather than a section of settings."""
    return bool(value) and set(map(str, value)) <= {*KINDS, "units"}


def parse_range(key: str, value: Any) -> Range:
    """Make a range of what the file says.

    Args:
        key: of the setting.
        value: in the place of the setting's value.

    Raises:
        ValueError: says what is wrong.
    """
    if not isinstance(value, dict):
        raise ValueError(
            f"{shown(value)} is no range. Write `choice: [...]`, `uniform: [low, high]` or the "
            f"like; a value that stays the same belongs into --set {key}={shown(value)}"
        )
    kinds = [str(name) for name in value]
    for name in kinds:
        if name not in (*KINDS, "units"):
            raise ValueError(f"unknown kind of range {name!r}{nearest(name, KINDS)}")
    if "layers" in value or "units" in value:
        return _parse_layers(key, value)
    if len(kinds) != 1:
        raise ValueError(f"give one kind of range, found {' and '.join(kinds) or 'none'}")
    [kind] = kinds
    if kind == "choice":
        return _parse_choice(value[kind])
    if kind == "integer":
        low, high = _bounds(kind, value[kind], int)
        return Integers(int(low), int(high))
    low, high = _bounds(kind, value[kind], (int, float))
    if kind == "log_uniform" and low <= 0:
        raise ValueError(f"`log_uniform` needs numbers above 0, found {low}")
    return Numbers(float(low), float(high), kind == "log_uniform")


def _parse_layers(key: str, value: dict[str, Any]) -> Layers:
    if key != "encoder.lstm_units" or set(value) != {"layers", "units"}:
        raise ValueError(
            "`layers` goes together with `units`, for encoder.lstm_units: "
            "{layers: [1, 2], units: {choice: [64, 128]}}"
        )
    fewest, most = _bounds("layers", value["layers"], int)
    if most > MOST_LAYERS:
        raise ValueError(f"`layers` takes {MOST_LAYERS} at most, found {most}")
    units = parse_range(key, value["units"])
    if not isinstance(units, Integers | Choice):
        raise ValueError("`units` takes choice or integer")
    return Layers(int(fewest), int(most), units)


def _parse_choice(values: Any) -> Choice:
    if not isinstance(values, list) or not values:
        raise ValueError("`choice` takes a list of values")
    if any(values.count(each) > 1 for each in values):
        raise ValueError(f"`choice` has a value twice: {shown(values)}")
    return Choice(tuple(values))


def _bounds(kind: str, value: Any, types: Any) -> tuple[float, float]:
    numbers = "two whole numbers" if types is int else "two numbers"
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(end, types) and not isinstance(end, bool) for end in value)
    ):
        raise ValueError(f"`{kind}` takes {numbers}, [low, high], found {shown(value)}")
    low, high = value
    # Also false of NaN, of infinity and of what no float holds.
    if not -MOST_NUMBER <= low <= high <= MOST_NUMBER:
        raise ValueError(f"`{kind}` takes [low, high], found {shown(value)}")
    return low, high
