"""What is wrong with settings, in words."""

from typing import Any

from pydantic import BaseModel, ValidationError

from siamese.config.yaml_files import nearest, shown


def explain_settings(error: ValidationError, settings: type[BaseModel]) -> list[str]:
    """Put each wrong setting into one line.

    Args:
        error: of the validation.
        settings: what was validated; its sections are models too.
    """
    lines: dict[str, str] = {}
    for problem in error.errors():
        section = settings
        path: list[str] = []
        for part in map(str, problem["loc"]):
            path.append(part)
            field = section.model_fields.get(part)
            kind = field.annotation if field else None
            if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
                break  # what follows is the position inside a list or a union
            section = kind
        key = ".".join(path)
        if problem["type"] == "extra_forbidden":
            lines[key] = f"{key}: unknown key{nearest(path[-1], list(section.model_fields))}"
        elif problem["type"] == "value_error":
            lines[problem["msg"]] = problem["msg"].removeprefix("Value error, ")
        elif key in lines:
            lines[key] += f", or {_in_words(problem)}"
        else:
            lines[key] = f"{key}={shown(problem['input'])}: {_in_words(problem)}"
    return list(lines.values())


def _in_words(problem: Any) -> str:
    """Put Pydantic's message into the words of a recipe."""
    words = {
        "model_type": "this is a section, not a setting: write section.key=value",
        "tuple_type": "input should be a list such as [128] or [256,64]",
    }
    message = problem["msg"]
    return words.get(problem["type"], message[0].lower() + message[1:])
