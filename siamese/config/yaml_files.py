"""Files of settings, recipes and search spaces: embedded ones by name, a user's own by path."""

import difflib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from siamese.errors import UserError

# Values, keys and sections of a file, at most.
LARGEST = 100_000


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
            return name_or_file, path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{name_or_file}: cannot read the {kind}: {error}.") from None
    names = embedded_names(kind)
    if name_or_file not in names:
        raise UserError(
            f"no {kind} {name_or_file!r}{nearest(name_or_file, names)} Embedded {kind}s: "
            f"{', '.join(names)}; a file of your own must end in .yaml."
        )
    file = resources.files(f"siamese.config.{kind}s") / f"{name_or_file}.yaml"
    return f"{kind} {name_or_file}", file.read_text(encoding="utf-8")


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML safely.

    Raises:
        UserError: it is not YAML, or very much by way of aliases; names the source.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None and _size(node, {}) > LARGEST:
            raise UserError(f"{source}: its aliases stand for too much. Write it without them.")
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2024-13-45
        raise UserError(f"{source}: not valid YAML: {error}") from None


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Count a node and those in it, again for each alias; one in itself counts as too many."""
    if id(node) not in known:
        known[id(node)] = LARGEST
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = [part for child in children for part in (child if type(child) is tuple else [child])]
        known[id(node)] = 1 + sum(_size(child, known) for child in flat)
    return known[id(node)]


def nearest(word: str, words: Sequence[str]) -> str:
    """Write the end of a message about an unknown word: the nearest known one, or all of them."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; one of {', '.join(words)}?"
