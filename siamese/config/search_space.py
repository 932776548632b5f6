"""Search spaces: which settings of a recipe a sweep varies, and within what.

A space is YAML in the recipe's own keys, with a range in the place of each value:

    loss: {scale: {log_uniform: [5, 80]}}
    encoder: {lstm_units: {layers: [1, 2], units: {choice: [64, 128]}}}
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from siamese.config.loading import explain, with_settings
from siamese.config.ranges import Draw, Range, is_range, parse_range
from siamese.config.recipe import Recipe, setting_keys
from siamese.config.yaml_files import nearest, read_settings
from siamese.errors import UserError

# Combinations of a grid, at most.
MOST_COMBINATIONS = 1_000_000


@dataclass(frozen=True)
class Space:
    """Ranges of settings, by key such as `loss.scale`, in the order of the file."""

    ranges: Mapping[str, Range]

    def draw(self, draw: Draw) -> dict[str, Any]:
        """Pick a value for each setting."""
        return {key: values.draw(key, draw) for key, values in self.ranges.items()}

    def grid(self) -> list[dict[str, Any]]:
        """Return every combination, the last setting changing fastest.

        Raises:
            UserError: a setting's range has too many values to list, or all together have.
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
            if math.prod(map(len, columns)) > MOST_COMBINATIONS:
                raise UserError(
                    f"a grid of more than {MOST_COMBINATIONS:,} combinations ({key} included). "
                    "Search fewer settings or values, or with --search random."
                )
        return [dict(zip(self.ranges, row, strict=True)) for row in product(*columns)]

    def ends(self) -> Iterator[dict[str, Any]]:
        """Yield settings to check before any trial: each range's ends, one setting at a time."""
        for key, values in self.ranges.items():
            for value in values.ends():
                yield {key: value}

    def corners(self, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield every combination of the ends of some settings' ranges, of those that it has."""
        found = [key for key in keys if key in self.ranges]
        for values in product(*(self.ranges[key].ends() for key in found)):
            yield dict(zip(found, values, strict=True))


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
            ranges[key] = parse_range(key, value)
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
    """Yield the settings of all sections by `section.key`."""
    for name, value in settings.items():
        if isinstance(value, dict) and not is_range(value):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield str(name), value


def _wrong_values(recipe: Recipe, key: str, values: Range) -> list[str]:
    """Return what the recipe says of the range's ends; each message once."""
    found: dict[str, None] = {}
    for end in values.ends():
        try:
            with_settings(recipe, {key: end})
        except ValidationError as error:
            found.update(dict.fromkeys(explain(error)))
    return list(found)


def in_words(settings: Mapping[str, Any]) -> str:
    """Write settings in a line: `scale=23.1 lstm_units=[128, 64]`, keys without their sections."""
    names: Sequence[str] = [key.rpartition(".")[2] for key in settings]
    return " ".join(f"{name}={value}" for name, value in zip(names, settings.values(), strict=True))
