"""Files of settings, recipes and search spaces: embedded ones by name, a user's own by path."""

import codecs
import difflib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from siamese.config.yaml_text import parse_yaml
from siamese.errors import UserError

# Bytes of a file of settings, at most: whatever is larger is something else.
MOST_BYTES = 1 << 20
# Characters of a value in a message.
_LONGEST = 80


def embedded_names(kind: str) -> list[str]:
    """Return the names of the embedded files of a kind, `recipe` or `space`."""
    folder = resources.files(f"siamese.config.{kind}s")
    return sorted(
        f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")
    )


def read_settings(name_or_file: str, kind: str, example: str) -> tuple[str, dict[str, Any]]:
    """Read an embedded file or one of the user's.

    Args:
        name_or_file: a name of `embedded_names`, or a path that ends in `.yaml`.
        kind: `recipe` or `space`.
        example: of a setting, for the message.

    Returns:
        What to call the file in messages, and its settings.

    Raises:
        UserError: there is no such file, or it is not YAML of sections and settings.
    """
    source, text = _read(name_or_file, kind)
    settings = parse_yaml(text, source)
    if not isinstance(settings, dict):
        raise UserError(f"{source}: expected settings such as {example}.")
    # A section whose settings are all commented out.
    return source, {key: {} if value is None else value for key, value in settings.items()}


def _read(name_or_file: str, kind: str) -> tuple[str, str]:
    path = Path(name_or_file)
    if path.suffix in (".yaml", ".yml") or "/" in name_or_file:
        try:
            with path.open("rb") as stream:
                data = stream.read(MOST_BYTES + 1)
            # UTF-16 begins with a mark of its own; Notepad writes it.
            utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            text = data.decode("utf-16" if utf16 else "utf-8-sig")
        except (OSError, ValueError) as error:
            raise UserError(f"{name_or_file}: cannot read the {kind}: {error}.") from None
        if len(data) > MOST_BYTES:
            raise UserError(f"{name_or_file}: more than {MOST_BYTES >> 20} MiB: not a {kind}.")
        return name_or_file, text
    names = embedded_names(kind)
    if name_or_file not in names:
        raise UserError(
            f"no {kind} {name_or_file!r}{nearest(name_or_file, names)} Embedded {kind}s: "
            f"{', '.join(names)}; a file of your own must end in .yaml."
        )
    file = resources.files(f"siamese.config.{kind}s") / f"{name_or_file}.yaml"
    return f"{kind} {name_or_file}", file.read_text(encoding="utf-8")


def nearest(word: str, words: Sequence[str]) -> str:
    """Write the end of a message about an unknown word: the nearest known one, or all of them."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; one of {', '.join(words)}?"


def shown(value: Any) -> str:
    """Write a wrong value for a message, cut if it is long."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
