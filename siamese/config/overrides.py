"""Settings given as keywords, in any of the ways that come naturally in Python."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from siamese.config.loading import explain, load_recipe, with_settings
from siamese.config.recipe import Recipe, setting_keys
from siamese.config.yaml_files import nearest
from siamese.errors import UserError


def recipe_of(recipe: Recipe | str | Path, settings: Mapping[str, Any]) -> Recipe:
    """Make the recipe that a call from Python asks for.

    Args:
        recipe: one, or the name of an embedded recipe, or a YAML file.
        settings: other values for some settings, by `epochs` (the name alone, if only one section
            has it), `loss__scale`, `loss.scale`, or `loss` with `{"scale": 25}`.

    Raises:
        UserError: names every setting that is unknown, with the nearest one, or wrong.

    Example:
        >>> recipe = recipe_of("fast", {"epochs": 3, "loss": {"scale": 25}})
        >>> recipe.training.epochs, recipe.loss.scale
        (3, 25.0)
    """
    base = recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in _flat(settings):
        try:
            key = _key_of(name)
        except UserError as error:
            problems.append(str(error))
            continue
        if key in values:
            problems.append(f"{name}: {key} is given twice")
        values[key] = value
    try:
        made = with_settings(base, values)
    except ValidationError as error:
        problems += explain(error)
    if problems:
        count = f"{len(problems)} settings are" if len(problems) > 1 else "a setting is"
        raise UserError(f"{count} wrong.\n" + "\n".join(f"  {line}" for line in problems))
    return made


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Split sections that are given as dictionaries into their settings."""
    sections = {key.partition(".")[0] for key in setting_keys() if "." in key}
    for name, value in settings.items():
        if name in sections and isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", each) for inner, each in value.items())
        else:
            yield name, value


def _key_of(name: str) -> str:
    """Find the key of a setting, such as `loss.scale`, from any way to write it.

    Raises:
        UserError: there is no such setting, or there are several.
    """
    keys = setting_keys()
    dotted = name.replace("__", ".")
    if dotted in keys:
        return dotted
    found = [key for key in keys if key.rpartition(".")[2] == name]
    if len(found) > 1:
        raise UserError(f"{name}: say which, {' or '.join(found)}")
    if found:
        return found[0]
    sections = {key.partition(".")[0] for key in keys if "." in key}
    if name in sections:
        raise UserError(f'{name}: is a section; give a dictionary, such as {name}={{"…": …}}')
    known = keys if "." in dotted else [key.rpartition(".")[2] for key in keys]
    raise UserError(f"{name}: unknown setting{nearest(dotted, known)}")
