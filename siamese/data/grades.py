"""Labels and grades as people and programs write them -> pairs with grades from 0 to 1."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from siamese.data.pair import POSITIVE, Pair
from siamese.errors import UserError

# The largest grade that a file may have whose column does not say how far its grades go.
LARGEST_GRADE = 5
# How the name of a column says it: `score_0_to_5`.
_SCALE = re.compile(r"(?:^|[^0-9])0[ _-]to[ _-]([0-9]+)$")


class PairRow(NamedTuple):
    """A row that should be a labelled pair, as it stands in a table.

    Attributes:
        where: the table and the row's place in it, for messages.
        text1: a text.
        text2: another text.
        label: as a string; should be 0 or 1, or mean the one or the other: see `to_label`.
        hint: what to do, besides, if the label is anything else.
        column: the name of the column of labels, which then may be grades; empty: it has none.
    """

    where: str
    text1: str
    text2: str
    label: str
    hint: str = ""
    column: str = ""


def to_pairs(
    rows: Iterable[PairRow],
    name: str = "",
    empty_texts: bool = True,
    tell: Callable[[str], object] = lambda note: None,
) -> Iterator[Pair]:
    """Check the rows of one table and yield them as pairs.

    Grades of more than 1 are divided by what the column's name says is the largest, or else by the
    largest of the table, rounded up: that is known when all rows are read, so the rows of a table
    with named columns are held in memory until then.

    Args:
        rows: of one table.
        name: of the table, for the note.
        empty_texts: whether a text may be empty (to evaluate: yes; to train: no).
        tell: takes a note on the grades, if they are more than 0 and 1.

    Raises:
        UserError: a label is neither 0 nor 1 nor a grade, or a text is empty where none may be;
            names the row.
    """
    held: list[tuple[str, str]] = []
    grades: list[float] = []
    column = ""
    for row in rows:
        grade = checked_grade(row)
        if not empty_texts and not (row.text1.strip() and row.text2.strip()):
            raise UserError(
                f"{row.where}: has an empty text. Remove the row: an empty text cannot be trained "
                "on."
            )
        if row.column:
            column = row.column
            held.append((row.text1, row.text2))
            grades.append(grade)
        else:
            yield Pair(row.text1, row.text2, grade)
    largest = max(grades, default=0)
    scale = _named_scale(column) or max(math.ceil(largest), 1)
    pairs = (
        Pair(*texts, _on_scale(grade, scale)) for texts, grade in zip(held, grades, strict=True)
    )
    if set(grades) <= {0, 1} and scale == 1:
        yield from pairs
        return
    positive = 0
    for pair in pairs:
        positive += pair.label
        yield pair
    tell(
        f"{name}: grades 0 to {scale}; {positive:,} of {len(grades):,} pairs ({POSITIVE} of the "
        "scale or more) count as paraphrases"
    )


def checked_grade(row: PairRow) -> float:
    """Read the label of a row: 0 or 1, or a grade on the scale of its column.

    Raises:
        UserError: it is neither; names the row.
    """
    label = to_label(row.label)
    if label is not None:
        return float(label)
    number = _to_number(row.label)
    if not row.column:
        hint = (
            " If it says how similar the texts are, name the columns in the first line: text1, "
            "text2 and score."
            if number is not None
            else ""
        )
        raise UserError(
            f"{row.where}: the label is {row.label!r}; it must be 0 or 1. Fix the row or remove "
            f"it.{hint}{row.hint}"
        )
    named = _named_scale(row.column)
    most = named or LARGEST_GRADE
    if number is not None and 0 <= number <= most:
        return number
    hint = (
        f" If grades go further, say so in the column's name, such as {row.column}_0_to_"
        f"{math.ceil(number)}."
        if number is not None and number > most and not named
        else ""
    )
    raise UserError(
        f"{row.where}: the label is {row.label!r}; it must be 0 or 1, or a grade from 0 to {most}. "
        f"Fix the row or remove it.{hint}{row.hint}"
    )


def to_label(written: str) -> int | None:
    """Read a label as people and programs write it: `1`, `1.0`, `true`, `Yes`; None: it is none."""
    if written in ("0", "1"):
        return int(written)
    folded = written.strip().lower()
    for label, words in enumerate((("false", "no"), ("true", "yes"))):
        if folded in words or _to_number(folded) == label:
            return label
    return None


def is_label_or_number(written: str) -> bool:
    """Say whether this is a label or a grade, rather than the name of a column."""
    return to_label(written) is not None or _to_number(written) is not None


def label_as_string(label: Any) -> str:
    """Write a label as it would stand in a text file: `1`, `1.0`, `True` and `"1"` are all `1`."""
    return str(int(label)) if isinstance(label, int | float) and label in (0, 1) else str(label)


def _to_number(written: str) -> float | None:
    try:
        number = float(written)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _on_scale(grade: float, scale: int) -> float:
    # Rounded, so that 2.4 of 3 is 0.8.
    return grade if scale == 1 else round(grade / scale, 12)


def _named_scale(column: str) -> int:
    """Return the largest grade by the column's name; 0: it does not say."""
    found = _SCALE.search(column.lower())
    return int(found[1]) if found else 0
