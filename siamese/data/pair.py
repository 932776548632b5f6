"""A labelled pair of texts, and rows of a table that should be labelled pairs."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from siamese.errors import UserError

LABEL_COLUMNS = ("label", "labels", "similar", "is_duplicate", "target", "y", "标签")
TEXT_COLUMNS = (
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("query1", "query2"),
    ("text_a", "text_b"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and whether they mean the same (label 1) or not (label 0)."""

    text1: str
    text2: str
    label: int


class PairRow(NamedTuple):
    """A row that should be a labelled pair, as it stands in a table.

    Attributes:
        where: the table and the row's place in it, for messages.
        text1: a text.
        text2: another text.
        label: as a string; should be 0 or 1, or mean the one or the other: see `to_label`.
        hint: what to do, besides, if the label is anything else.
    """

    where: str
    text1: str
    text2: str
    label: str
    hint: str = ""


def to_pairs(rows: Iterable[PairRow], empty_texts: bool = True) -> Iterator[Pair]:
    """Check rows and yield them as pairs.

    Args:
        rows: of a table.
        empty_texts: whether a text may be empty (to evaluate: yes; to train: no).

    Raises:
        UserError: a label is neither 0 nor 1, or a text is empty where none may be; names the row.
    """
    for row in rows:
        label = to_label(row.label)
        if label is None:
            grade = (
                " If it says how similar the texts are, choose from which value on they mean the "
                "same, and write 1 or 0."
                if _is_number(row.label)
                else ""
            )
            raise UserError(
                f"{row.where}: the label is {row.label!r}; it must be 0 or 1. Fix the row or "
                f"remove it.{grade}{row.hint}"
            )
        if not empty_texts and not (row.text1.strip() and row.text2.strip()):
            raise UserError(
                f"{row.where}: has an empty text. Remove the row: an empty text cannot be trained "
                "on."
            )
        yield Pair(row.text1, row.text2, label)


def to_label(written: str) -> int | None:
    """Read a label as people and programs write it: `1`, `1.0`, `true`, `Yes`; None: it is none."""
    if written in ("0", "1"):
        return int(written)
    folded = written.strip().lower()
    for label, words in enumerate((("false", "no"), ("true", "yes"))):
        if folded in words or (_is_number(folded) and float(folded) == label):
            return label
    return None


def _is_number(written: str) -> bool:
    try:
        return math.isfinite(float(written))
    except ValueError:
        return False


def find_label_column(names: Sequence[str]) -> int | None:
    """Find the column of labels by its name; None: there is none."""
    folded = [_folded(name) for name in names]
    return next((folded.index(label) for label in LABEL_COLUMNS if label in folded), None)


def find_pair_columns(names: Sequence[str], where: str) -> tuple[int, int, int]:
    """Find the columns of the two texts and of the label by their names.

    Args:
        names: of all columns.
        where: the table, for the message.

    Raises:
        UserError: the names do not say which columns these are.
    """
    folded = [_folded(name) for name in names]
    label = find_label_column(names)
    if label is not None:
        for first, second in TEXT_COLUMNS:
            if first in folded and second in folded:
                return folded.index(first), folded.index(second), label
        # A column without a name is pandas' index, or what follows a comma too many.
        others = [p for p, name in enumerate(folded) if name and p != label]
        if len(others) == 2:
            return others[0], others[1], label
    raise UserError(
        f"{where}: has the columns {', '.join(names)}; which of them are the two texts and "
        "the label is not clear. Name them text1, text2 and label."
    )


def _folded(name: str) -> str:
    """Return a column's name without what differs by accident: case, blanks and BOMs."""
    return name.replace("\ufeff", "").strip().lower()


def label_as_string(label: Any) -> str:
    """Write a label as it would stand in a text file: `1`, `1.0`, `True` and `"1"` are all `1`."""
    return str(int(label)) if isinstance(label, int | float) and label in (0, 1) else str(label)


def require_both_labels(pairs: Sequence[Pair], name: str) -> None:
    """Check that an encoder can be evaluated on these pairs.

    Args:
        pairs: labelled pairs.
        name: what they were read from, for the message.

    Raises:
        UserError: they do not have both labels.
    """
    labels = {pair.label for pair in pairs}
    if labels != {0, 1}:
        missing = "positive (label 1)" if 1 not in labels else "negative (label 0)"
        raise UserError(
            f"{name}: no {missing} pair among {len(pairs):,}. Judging an encoder needs pairs of "
            "both labels."
        )
