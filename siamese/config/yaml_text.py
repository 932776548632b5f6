"""YAML of settings, read so that nothing is misread and nothing can do harm.

Numbers are those of YAML 1.2: `1e-3` is a number, `010` is not eight and `1:30` is not ninety. A
key that is given twice is refused, and so is a text that its aliases blow up.
"""

import re
from typing import Any

import yaml

from siamese.errors import UserError

# Values in a file of settings, aliases counted as often as they are used.
MOST_VALUES = 10_000
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_NUMBERS = {
    _INT: re.compile(r"[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$"),
    _FLOAT: re.compile(
        r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?"
        r"|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))$|\.(?:nan|NaN|NAN)$"
    ),
}


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML safely.

    Args:
        text: of a file, or a single value.
        source: what to call it in messages.

    Raises:
        UserError: it is not YAML, a key is given twice, or it is too large; names the source.
    """
    loader = None
    try:
        loader = _Loader(text)
        loader.name = source
        return loader.get_single_data()
    except RecursionError:
        raise UserError(f"{source}: not valid YAML: nested too deeply.") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2024-13-45
        raise UserError(f"{source}: not valid YAML: {error}") from None
    finally:
        if loader:
            loader.dispose()


def to_yaml(value: Any) -> str:
    """Write settings so that `parse_yaml` reads the same."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Makes plain values only, each key once, and not more than `MOST_VALUES`."""

    def get_single_node(self) -> Any:
        """Compose the document; see PyYAML."""
        node = super().get_single_node()
        if node and _size(node, {}) > MOST_VALUES:
            raise yaml.YAMLError(f"more than {MOST_VALUES:,} values, aliases counted")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping; see PyYAML, which keeps the last of equal keys."""
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"{key.value!r} is there twice", problem_mark=key.start_mark
                    )
                seen.add((key.tag, key.value))
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes texts that `_Loader` would take for numbers."""


for _class in (_Loader, _Dumper):
    _class.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag not in _NUMBERS]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for _tag, _pattern in _NUMBERS.items():
        _class.add_implicit_resolver(_tag, _pattern, list("-+.0123456789"))


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values that a node stands for, each alias in full.

    Args:
        node: of a document.
        known: sizes by the node's `id`; an alias is the same node as what it stands for.

    Raises:
        yaml.YAMLError: a value holds itself.
    """
    if id(node) in known:
        if not known[id(node)]:
            raise yaml.YAMLError("a value holds itself")
        return known[id(node)]
    known[id(node)] = 0
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_size(each, known) for each in node.value)
    elif isinstance(node, yaml.MappingNode):
        size += sum(_size(each, known) for pair in node.value for each in pair)
    known[id(node)] = size
    return size
