"""Parts that are chosen by name: one file each, found by the name of the file.

| kind | folder |
| --- | --- |
| loss | `siamese/training/losses` |
| tracker | `siamese/training/trackers` |
| evaluator | `siamese/evaluation/evaluators` |
| input format | `siamese/data/formats` |
| teacher | `siamese/teaching/teachers` |
| exporter | `siamese/export/exporters` |

To add a part is to add a file. Each file has a function `build`, which makes the part; what it
takes is said beside the kind's protocol. Files whose names begin with `_` are no parts.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from siamese.errors import UserError

FOLDERS = {
    "loss": "siamese.training.losses",
    "tracker": "siamese.training.trackers",
    "evaluator": "siamese.evaluation.evaluators",
    "format": "siamese.data.formats",
    "teacher": "siamese.teaching.teachers",
    "exporter": "siamese.export.exporters",
}


def part_names(kind: str) -> list[str]:
    """List the names of the parts of a kind, without importing any.

    Args:
        kind: a key of `FOLDERS`.
    """
    package = import_module(FOLDERS[kind])
    return sorted(m.name for m in iter_modules(package.__path__) if not m.name.startswith("_"))


def load_part(kind: str, name: str) -> Callable[..., Any]:
    """Find the `build` function of a part.

    Args:
        kind: a key of `FOLDERS`.
        name: of the part.

    Raises:
        UserError: there is no such part; names the nearest one.
    """
    from siamese.config.yaml_files import nearest  # reads YAML, which `--help` does not

    names = part_names(kind)
    if name not in names:
        raise UserError(f"no {kind} {name!r}{nearest(name, names)}")
    build: Callable[..., Any] = import_module(f"{FOLDERS[kind]}.{name}").build
    return build
