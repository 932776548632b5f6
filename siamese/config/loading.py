"""Load a recipe from its name or file, apply overrides, and report every wrong setting at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from siamese.config.explanation import explain_settings
from siamese.config.recipe import Recipe
from siamese.config.yaml_files import read_settings
from siamese.config.yaml_text import parse_yaml
from siamese.errors import UserError


def load_recipe(name_or_file: str, overrides: Sequence[str] = (), stored: bool = False) -> Recipe:
    """Load an embedded recipe or a YAML file, apply `section.key=value` overrides and validate.

    Args:
        name_or_file: the name of an embedded recipe, or a path that ends in `.yaml`.
        overrides: of single settings, each `section.key=value`.
        stored: it is that of a model or a run, whose loss or evaluator may not be known here.

    Raises:
        UserError: there is no such recipe, it is not YAML, or settings are wrong; every wrong
            setting is named at once, an unknown key with the nearest valid one.
    """
    source, settings = read_settings(name_or_file, "recipe", "`loss: {scale: 20}`")
    problems: list[str] = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            problems.append(f"--set {override}: write it as section.key=value")
            continue
        try:
            value = parse_yaml(value, f"--set {override}")
        except UserError as error:
            problems.append(str(error))
            continue
        if section := _put(settings, key, value):
            problems.append(f"{key}: `{section}` is a setting, not a section")
    try:
        context = {"only_known": not stored}
        recipe = Recipe.model_validate(settings, context=context)
    except ValidationError as error:
        problems += explain(error)
    if problems:
        count = f"{len(problems)} settings are" if len(problems) > 1 else "a setting is"
        raise UserError(f"{source}: {count} wrong.\n" + "\n".join(f"  {p}" for p in problems))
    return recipe


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with other values for some settings.

    Args:
        recipe: the others are as in it.
        settings: values by key, such as `loss.scale`.

    Raises:
        pydantic.ValidationError: a setting is wrong; `explain` puts it into words.
    """
    values = recipe.model_dump(mode="json")
    for key, value in settings.items():
        _put(values, key, value)
    return Recipe.model_validate(values)


def _put(settings: dict[str, Any], key: str, value: Any) -> str:
    """Set `section.key`; the name of what should be a section and is none, or nothing."""
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
        if not isinstance(settings, dict):
            return section
    settings[name] = value
    return ""


def explain(error: ValidationError) -> list[str]:
    """Put each wrong setting of a recipe into one line."""
    return explain_settings(error, Recipe)
