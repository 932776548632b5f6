"""Groups of paraphrases and labelled pairs, read from every accepted format.

| file | holds |
| --- | --- |
| `.json` | the notebook's `{id: [text, …]}` |
| `.jsonl` | one `{"id": …, "texts": [text, …], "negatives": [text, …]}` a line |
| `.tsv`, `.txt` | labelled pairs `text1 ⇥ text2 ⇥ label`, with or without a header; no quoting |
| `.csv` | the same, separated by commas, quoted as CSV |
| `.parquet` | groups (`id` or `group_id`, `texts`, `negatives`) or pairs (two texts, `label`) |

Groups are read as a stream. Labelled pairs become groups by joining the positive ones, which holds
all pairs in memory (`pairs.py`).
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, BinaryIO

import ijson
import pyarrow.parquet as pq

from siamese.errors import UserError
from siamese.files import BOM, DataFile, find_files, reading_parquet
from siamese.pairs import is_pair_file, join_pairs, read_pair_file

# JSON up to half of a surrogate pair, `\\ud83d` without `\\ude31` after it, or the other way round.
_WHOLE_CHARACTERS = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u(?![dD][89a-fA-F])....|\\[^u])*+", re.DOTALL
)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
GROUP_ID_COLUMNS = ("group_id", "id")


@dataclass(frozen=True)
class Group:
    """Texts that mean the same, and texts known to mean something else (hard negatives)."""

    id: str
    texts: tuple[str, ...]
    negatives: tuple[str, ...] = ()


@dataclass
class ReadingCounts:
    """What reading met and what became of it."""

    groups_read: int = 0
    texts_read: int = 0
    groups_of_one_text_dropped: int = 0
    duplicate_texts_folded: int = 0
    pairs_read: int = 0
    contradicting_negatives_dropped: int = 0
    negatives_without_group_dropped: int = 0
    characters: Counter[str] = field(default_factory=Counter, repr=False)

    def as_dict(self) -> dict[str, int]:
        """The plain counts, without the characters."""
        return {k: v for k, v in vars(self).items() if isinstance(v, int)}


def read_groups(inputs: list[str], counts: ReadingCounts) -> Iterator[Group]:
    """Yield the groups of all inputs that have two different texts or more.

    Duplicate texts of a group are folded and groups of one text are dropped; both are counted in
    `counts`, as is every character read. Group ids are prefixed with the file's name when several
    files are read, so that they stay distinct.

    Raises:
        UserError: an input is missing, empty, of another shape or encoding, or has an empty text.
    """
    files = find_files(inputs)
    pair_files = [f for f in files if is_pair_file(f)]
    taken = {"pairs"}
    for file in files:
        if file not in pair_files:
            prefix = f"{_distinct(file.stem, taken)}/" if len(files) > 1 else ""
            for group in _read_group_file(file):
                if kept := _clean(group, file, counts):
                    yield Group(prefix + kept.id, kept.texts, kept.negatives)
    if pair_files:
        yield from _read_joined_pairs(
            pair_files, counts, prefix="pairs/" if pair_files != files else ""
        )


def _distinct(name: str, taken: set[str]) -> str:
    """The name, or the first of name-2, name-3, … that is not taken; it then is."""
    others = (f"{name}-{number}" for number in count(2))
    found = next(n for n in chain([name], others) if n not in taken)
    taken.add(found)
    return found


def _read_joined_pairs(
    files: list[DataFile], counts: ReadingCounts, prefix: str
) -> Iterator[Group]:
    pairs = [pair for file in files for pair in read_pair_file(file, empty_texts=False)]
    names = ", ".join(map(str, files))
    counts.pairs_read += len(pairs)
    if not any(pair.label for pair in pairs):
        raise UserError(
            f"{names}: no positive pair (label 1) among {len(pairs):,}, so there is no group to "
            "train on. Check the label column."
        )
    joined = join_pairs(pairs)
    counts.groups_read += joined.single
    counts.texts_read += joined.single
    counts.groups_of_one_text_dropped += joined.single
    counts.contradicting_negatives_dropped += joined.contradicting
    counts.negatives_without_group_dropped += joined.without_group
    for number, (texts, negatives) in enumerate(joined.groups):
        if kept := _clean(Group(str(number), texts, negatives), names, counts):
            yield Group(prefix + kept.id, kept.texts, kept.negatives)


def _clean(group: Group, where: object, counts: ReadingCounts) -> Group | None:
    if not group.id.isprintable():
        _refuse_surrogates(group.id, f"{where}, group {group.id!r}")
    for text in (*group.texts, *group.negatives):
        if not text.strip():
            raise UserError(
                f"{where}, group {group.id!r}: has an empty text. Remove it: an empty text cannot "
                "be trained on."
            )
        if not text.isprintable():
            _refuse_surrogates(text, f"{where}, group {group.id!r}")
        counts.characters.update(text)
    texts = tuple(dict.fromkeys(group.texts))
    negatives = tuple(t for t in dict.fromkeys(group.negatives) if t not in texts)
    counts.groups_read += 1
    counts.texts_read += len(group.texts)
    counts.duplicate_texts_folded += len(group.texts) - len(texts)
    if len(texts) < 2:
        counts.groups_of_one_text_dropped += 1
        return None
    return Group(group.id, texts, negatives)


def _refuse_surrogates(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(_half_a_pair(where)) from None


def _half_a_pair(where: str) -> str:
    return (
        f"{where}: holds half of a surrogate pair (\\uD800 to \\uDFFF), which is not text. Write "
        "the character itself, or both halves."
    )


def _read_group_file(file: DataFile) -> Iterator[Group]:
    if file.suffix == ".json":
        return _read_json(file)
    if file.suffix == ".jsonl":
        return _read_json_lines(file)
    if file.suffix == ".parquet":
        return _read_parquet(file)
    raise UserError(
        f"{file}: unknown kind of file. Accepted are .json, .jsonl, .tsv, .csv, .txt and .parquet."
    )


def _read_json(file: DataFile) -> Iterator[Group]:
    with file.open() as stream:
        if stream.read(len(BOM)) != BOM:
            stream.seek(0)
        found, problem = False, "it is empty"
        try:
            checked = _WholeCharacters(stream, file)
            for group_id, texts in ijson.kvitems(checked, "", use_float=True):
                found = True
                yield _checked_group(group_id, texts, (), str(file))
        except (ijson.JSONError, UnicodeDecodeError) as error:
            found, problem = False, str(error)
    if not found:
        _refuse_json(file, problem)


class _WholeCharacters:
    """A JSON file that refuses half of a surrogate pair, which ijson would turn into `?`."""

    def __init__(self, stream: BinaryIO, file: DataFile) -> None:
        self._stream, self._file = stream, file
        self._line, self._tail = 1, b""

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._stream.read(size)
        unchecked = self._tail + data
        end = _WHOLE_CHARACTERS.match(unchecked).end()  # type: ignore[union-attr]
        self._line += unchecked.count(b"\n", 0, end)
        if _HALF.match(unchecked, end) and (len(unchecked) - end >= 12 or not data):
            raise UserError(_half_a_pair(f"{self._file}, line {self._line}"))
        # What may be the beginning of an escape is looked at again; a wrong one ijson tells of.
        self._tail = unchecked[end:] if len(unchecked) - end < 12 else b""
        return data


def _refuse_json(file: DataFile, problem: str) -> None:
    """Read the whole file again, to say what is wrong with it and in which line."""
    text = "\n".join(line for _, line in file.lines())  # names the line of invalid UTF-8
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{file}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not usable JSON: {error}.") from None
    if isinstance(value, dict):
        raise UserError(f"{file}: not a usable object {{id: [text, …]}}: {problem}.")
    raise UserError(
        f"{file}: holds {_shorten(value)}, where an object {{id: [text, …]}} is expected."
    )


def _read_json_lines(file: DataFile) -> Iterator[Group]:
    for number, line in file.lines():
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{where}, column {error.colno}: not valid JSON: {error.msg}."
            ) from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not usable JSON: {error}.") from None
        if not isinstance(row, dict) or "texts" not in row or "id" not in row:
            raise UserError(
                f'{where}: expected {{"id": …, "texts": [text, …]}}, found {_shorten(row)}.'
            )
        yield _checked_group(str(row["id"]), row["texts"], row.get("negatives") or (), where)


def _read_parquet(file: DataFile) -> Iterator[Group]:
    with reading_parquet(file), file.open() as stream:
        parquet = pq.ParquetFile(stream)
        names = parquet.schema_arrow.names
        id_column = next((c for c in GROUP_ID_COLUMNS if c in names), None)
        if id_column is None or "texts" not in names:
            raise UserError(
                f"{file}: has the columns {', '.join(names)}. Expected are `id` (or `group_id`) "
                "and `texts` for groups, or two texts and `label` for pairs."
            )
        columns = [id_column, "texts"] + (["negatives"] if "negatives" in names else [])
        for batch in parquet.iter_batches(columns=columns):
            for row in batch.to_pylist():
                group_id = str(row[id_column])
                yield _checked_group(
                    group_id,
                    row["texts"],
                    row.get("negatives") or (),
                    str(file),
                )


def _checked_group(group_id: str, texts: Any, negatives: Any, where: str) -> Group:
    for name, value in (("texts", texts), ("negatives", negatives)):
        if not isinstance(value, list | tuple):
            raise UserError(
                f"{where}, group {group_id!r}: {name} must be a list of strings, found "
                f"{_shorten(value)}."
            )
        for item in value:
            if not isinstance(item, str):
                raise UserError(
                    f"{where}, group {group_id!r}: {name} must be strings, found {_shorten(item)}."
                )
    return Group(group_id, tuple(texts), tuple(negatives))


def read_texts(inputs: list[str]) -> Iterator[str]:
    """Yield every text of the inputs, for training vectors or for encoding.

    Besides groups and pairs, a `.txt` file may hold one text a line and a Parquet file a column
    `text` (such as `siamese encode` writes). Order is kept and nothing is dropped, so that what
    comes out lines up with what went in.
    """
    for file in find_files(inputs):
        if file.suffix == ".parquet" and (texts := _read_text_column(file)) is not None:
            yield from texts
        elif is_pair_file(file) and not (file.suffix == ".txt" and not _first_line_is_pair(file)):
            for pair in read_pair_file(file):
                yield pair.text1
                yield pair.text2
        elif file.suffix == ".txt":
            yield from (line for _, line in file.lines())
        else:
            for group in _read_group_file(file):
                yield from group.texts


def _read_text_column(file: DataFile) -> list[str] | None:
    with reading_parquet(file), file.open() as stream:
        parquet = pq.ParquetFile(stream)
        if "text" not in parquet.schema_arrow.names:
            return None
        texts = parquet.read(columns=["text"])["text"].to_pylist()
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{file}: the column `text` must hold strings, without missing values.")
    return texts


def _first_line_is_pair(file: DataFile) -> bool:
    first = next(file.lines(), (1, ""))[1]
    return first.count("\t") >= 2


def _shorten(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "lists in lists in lists …"
    return text if len(text) <= 60 else text[:57] + "…"
