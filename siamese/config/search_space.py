"""Search spaces: which settings of a recipe a sweep turns, and within what.

A space is YAML in the recipe's own keys, with a range in the place of each value:

    loss: {scale: {log_uniform: [5, 80]}}
    encoder: {lstm_units: {layers: [1, 2], units: {choice: [64, 128]}}}
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from siamese.config.recipe import Recipe, explain, setting_keys, with_settings
from siamese.config.yaml_files import nearest, read_settings
from siamese.errors import UserError

# Digits of a drawn number: what people can read and write again.
DIGITS = 4
KINDS = ("uniform", "log_uniform", "integer", "choice", "layers")


class Draw(Protocol):
    """Picks values: at random, or by what earlier trials have shown."""

    def number(self, name: str, low: float, high: float, log: bool) -> float:
        """A number between two, evenly spread on a linear or a logarithmic scale."""

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number, both ends included."""

    def index(self, name: str, count: int) -> int:
        """One of `count` alternatives, from 0."""


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
        """The values that are the likeliest to be wrong."""
        return [self.low, self.high]

    def grid(self) -> list[Any] | None:
        """All values; None: there is no end to them."""
        return None

    def changed(self, value: Any, random: np.random.Generator) -> float:
        """A value near another, for a member of a population: times 0.8 or 1.25."""
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
        """The values that are the likeliest to be wrong."""
        return [self.low, self.high]

    def grid(self) -> list[Any] | None:
        """All values."""
        return list(range(self.low, self.high + 1))

    def changed(self, value: Any, random: np.random.Generator) -> int:
        """A neighbour, for a member of a population."""
        return min(max(value + int(random.choice([-1, 1])), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """Some values."""

    values: tuple[Any, ...]

    def draw(self, name: str, draw: Draw) -> Any:
        """Pick one."""
        return self.values[draw.index(name, len(self.values))]

    def ends(self) -> list[Any]:
        """All values: any may be wrong."""
        return list(self.values)

    def grid(self) -> list[Any] | None:
        """All values."""
        return list(self.values)

    def changed(self, value: Any, random: np.random.Generator) -> Any:
        """The one before or after, for a member of a population."""
        place = self.values.index(value) + int(random.choice([-1, 1]))
        return self.values[min(max(place, 0), len(self.values) - 1)]


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
        """The values that are the likeliest to be wrong."""
        return [
            [units] * count for count in (self.fewest, self.most) for units in self.units.ends()
        ]

    def grid(self) -> list[Any] | None:
        """All lists."""
        sizes = self.units.grid() or []
        return [
            list(units)
            for count in range(self.fewest, self.most + 1)
            for units in product(sizes, repeat=count)
        ]


Range = Numbers | Integers | Choice | Layers


@dataclass(frozen=True)
class Space:
    """Ranges of settings, by key such as `loss.scale`, in the order of the file."""

    ranges: Mapping[str, Range]

    def draw(self, draw: Draw) -> dict[str, Any]:
        """Pick a value for each setting."""
        return {key: values.draw(key, draw) for key, values in self.ranges.items()}

    def grid(self) -> list[dict[str, Any]]:
        """Every combination, the last setting changing fastest.

        Raises:
            UserError: a setting's range has no end of values.
        """
        columns: list[list[Any]] = []
        for key, values in self.ranges.items():
            column = values.grid()
            if column is None:
                raise UserError(
                    f"{key}: a grid needs single values: write `choice: [...]`, or search with "
                    "--search random."
                )
            columns.append(column)
        return [dict(zip(self.ranges, row, strict=True)) for row in product(*columns)]

    def ends(self) -> Iterator[dict[str, Any]]:
        """Settings to check before any trial: each range's ends, one setting at a time."""
        for key, values in self.ranges.items():
            for value in values.ends():
                yield {key: value}


def load_space(name_or_file: str, recipe: Recipe) -> Space:
    """Load an embedded space or a YAML file, and check it against the recipe it varies.

    Raises:
        UserError: there is no such space, it is not YAML, or ranges are wrong; every wrong one is
            named at once, an unknown key with the nearest valid one.
    """
    source, settings = read_settings(name_or_file, "space", "`loss: {scale: {uniform: [10, 40]}}`")
    problems: list[str] = []
    ranges: dict[str, Range] = {}
    for key, value in _flat(settings):
        if key not in setting_keys():
            problems.append(f"{key}: unknown key{nearest(key, setting_keys())}")
            continue
        try:
            ranges[key] = _range(key, value)
        except ValueError as error:
            problems.append(f"{key}: {error}")
            continue
        problems += _wrong_values(recipe, key, ranges[key])
    if not ranges and not problems:
        problems.append("it is empty: name a setting and its range")
    if problems:
        count = f"{len(problems)} ranges are" if len(problems) > 1 else "a range is"
        raise UserError(f"{source}: {count} wrong.\n" + "\n".join(f"  {p}" for p in problems))
    return Space(ranges)


def _flat(settings: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The settings of all sections by `section.key`."""
    for name, value in settings.items():
        if isinstance(value, dict) and not _looks_like_range(value):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield str(name), value


def _looks_like_range(value: Mapping[Any, Any]) -> bool:
    return bool(value) and set(map(str, value)) <= {*KINDS, "units"}


def _range(key: str, value: Any) -> Range:
    """Make a range of what the file says.

    Raises:
        ValueError: says what is wrong.
    """
    if not isinstance(value, dict):
        raise ValueError(
            f"{value!r} is no range. Write `choice: [...]`, `uniform: [low, high]` or the like; a "
            f"value that stays the same belongs into --set {key}={value}"
        )
    kinds = [str(name) for name in value]
    for name in kinds:
        if name not in (*KINDS, "units"):
            raise ValueError(f"unknown kind of range {name!r}{nearest(name, KINDS)}")
    if "layers" in value or "units" in value:
        if key != "encoder.lstm_units" or set(value) != {"layers", "units"}:
            raise ValueError(
                "`layers` goes together with `units`, for encoder.lstm_units: "
                "{layers: [1, 2], units: {choice: [64, 128]}}"
            )
        fewest, most = _bounds("layers", value["layers"], int)
        units = _range(key, value["units"])
        if not isinstance(units, Integers | Choice):
            raise ValueError("`units` takes choice or integer")
        return Layers(int(fewest), int(most), units)
    if len(kinds) != 1:
        raise ValueError(f"give one kind of range, found {' and '.join(kinds) or 'none'}")
    [kind] = kinds
    if kind == "choice":
        values = value[kind]
        if not isinstance(values, list) or not values:
            raise ValueError("`choice` takes a list of values")
        if any(values.count(each) > 1 for each in values):
            raise ValueError(f"`choice` has a value twice: {values}")
        return Choice(tuple(values))
    if kind == "integer":
        low, high = _bounds(kind, value[kind], int)
        return Integers(int(low), int(high))
    low, high = _bounds(kind, value[kind], (int, float))
    if kind == "log_uniform" and low <= 0:
        raise ValueError(f"`log_uniform` needs numbers above 0, found {low}")
    return Numbers(float(low), float(high), kind == "log_uniform")


def _bounds(kind: str, value: Any, types: Any) -> tuple[float, float]:
    numbers = "two whole numbers" if types is int else "two numbers"
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(end, types) and not isinstance(end, bool) for end in value)
    ):
        raise ValueError(f"`{kind}` takes {numbers}, [low, high], found {value!r}")
    low, high = value
    if not low <= high or not np.isfinite([low, high]).all():
        raise ValueError(f"`{kind}` takes [low, high], found {value!r}")
    return low, high


def _wrong_values(recipe: Recipe, key: str, values: Range) -> list[str]:
    """What the recipe says of the range's ends; each message once."""
    found: dict[str, None] = {}
    for end in values.ends():
        try:
            with_settings(recipe, {key: end})
        except ValidationError as error:
            found.update(dict.fromkeys(explain(error)))
    return list(found)


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings in a line: `scale=23.1 lstm_units=[128, 64]`, keys without their sections."""
    names: Sequence[str] = [key.rpartition(".")[2] for key in settings]
    return " ".join(f"{name}={value}" for name, value in zip(names, settings.values(), strict=True))
