"""Groups as columns of Arrow: what shards and sorted runs hold."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from siamese.data.group import Group
from siamese.data.pair import POSITIVE, Pair

_PAIR = pa.struct([("text1", pa.string()), ("text2", pa.string()), ("grade", pa.float64())])
SCHEMA = pa.schema(
    [
        ("group_id", pa.string()),
        ("texts", pa.list_(pa.string())),
        ("negatives", pa.list_(pa.string())),
        ("pairs", pa.list_(_PAIR)),
    ]
)


def columns_of(groups: Sequence[Group]) -> list[pa.Array]:
    """Write groups as the columns of `SCHEMA`."""
    pairs = list(chain.from_iterable(group.pairs for group in groups))
    fields = [
        pa.array([pair.text1 for pair in pairs], pa.string()),
        pa.array([pair.text2 for pair in pairs], pa.string()),
        pa.array([pair.grade for pair in pairs], pa.float64()),
    ]
    return [
        pa.array([group.id for group in groups], pa.string()),
        _lists([group.texts for group in groups]),
        _lists([group.negatives for group in groups]),
        pa.ListArray.from_arrays(
            _offsets([group.pairs for group in groups]),
            pa.StructArray.from_arrays(fields, fields=list(_PAIR)),
        ),
    ]


def _lists(lists: Sequence[tuple[str, ...]]) -> pa.ListArray:
    flat = pa.array(list(chain.from_iterable(lists)), pa.string())
    return pa.ListArray.from_arrays(_offsets(lists), flat)


def _offsets(lists: Sequence[tuple[Any, ...]]) -> pa.Array:
    ends = np.zeros(len(lists) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, lists), np.int32, len(lists)), out=ends[1:])
    return pa.array(ends)


class GroupColumns(Sequence[Group]):
    """The groups of a table, made when they are asked for.

    Args:
        table: of `SCHEMA`; of version 2 it has no labelled pairs.
    """

    def __init__(self, table: pa.Table) -> None:
        if "pairs" not in table.column_names:
            table = table.append_column("pairs", columns_of([Group("", ())] * len(table))[-1])
        table = table.select(SCHEMA.names).cast(SCHEMA)
        self._columns = [column.combine_chunks() for column in table.columns]
        self._ids, self._texts, self._negatives, self._pairs = self._columns

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, row: Any) -> Any:
        return Group(
            self._ids[row].as_py(),
            tuple(self._texts[row].as_py()),
            tuple(self._negatives[row].as_py()),
            tuple(_made_pairs(self._pairs[row].values)),
        )

    def __iter__(self) -> Iterator[Group]:
        pairs = _made_pairs(self._pairs.flatten())
        for group_id, texts, negatives, size in zip(
            self._ids.to_pylist(),
            self._texts.to_pylist(),
            self._negatives.to_pylist(),
            self._pairs.value_lengths().to_pylist(),
            strict=True,
        ):
            own = tuple(next(pairs) for _ in range(size))
            yield Group(group_id, tuple(texts), tuple(negatives), own)

    def problem(self) -> str:
        """Say what is wrong with the groups of a file that somebody else wrote; empty: nothing.

        Raises:
            pa.ArrowInvalid: a text is no UTF-8, or the columns do not fit together.
        """
        for column in self._columns:
            column.validate(full=True)
        pairs = self._pairs.flatten()
        grades = pairs.field("grade")
        inner = [self._texts.flatten(), self._negatives.flatten(), pairs, *pairs.flatten()]
        if any(array.null_count for array in (*self._columns, *inner)):
            return "something in it is null"
        within = (grades.to_numpy() >= 0) & (grades.to_numpy() <= 1)
        return "" if within.all() else "a grade is not from 0 to 1"

    def joins(self) -> np.ndarray:
        """Return one less than the number of texts of each group, int64 `[groups]`."""
        return self._texts.value_lengths().to_numpy().astype(np.int64) - 1

    def labelled(self) -> np.ndarray:
        """Count the positive and the other labelled pairs of each group.

        A group of n texts without a positive one counts n - 1: two of its texts make one.

        Returns:
            int64 `[2, groups]`.
        """
        sizes = self._pairs.value_lengths().to_numpy()
        of_group = np.repeat(np.arange(len(self)), sizes)
        is_positive = self._pairs.flatten().field("grade").to_numpy() >= POSITIVE
        positive = np.bincount(of_group[is_positive], minlength=len(self))
        return np.stack([np.where(positive > 0, positive, self.joins()), sizes - positive])


def _made_pairs(values: pa.StructArray) -> Iterator[Pair]:
    return map(Pair, *(values.field(name).to_pylist() for name in ("text1", "text2", "grade")))
