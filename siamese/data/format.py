"""What an input format is, and which files are in which format.

A format is one file in `siamese/data/formats`. The name of the file is the format's name, and its
function `build` returns a `Format`. Adding a format is adding a file there.
"""

from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple, NoReturn

from siamese.config.parts import load_part, part_names
from siamese.data.contents import looked_at
from siamese.data.data_file import DataFile
from siamese.data.finding import find_files
from siamese.data.grades import PairRow, checked_grade
from siamese.data.group import Group
from siamese.data.records import Record
from siamese.errors import UserError
from siamese.text.encodings import checked_encoding


class FileRange(NamedTuple):
    """A stretch of a file that can be read on its own.

    Attributes:
        start: where it begins, in a unit that the format chooses (bytes, row groups, …).
        end: where it ends; None: with the file.
        size: bytes, about.
    """

    start: int
    end: int | None
    size: int


WHOLE_FILE = FileRange(0, None, 0)


class Format:
    """How files of one kind are read. They hold groups or labelled pairs.

    A subclass sets `suffixes` and overrides `groups`, or `holds` and `pair_rows`. It overrides
    `ranges` if its files can be read in parallel, `texts` if they may hold texts that belong to no
    group or pair, and `records` if they may be tables of texts with anything else.

    Attributes:
        suffixes: lower-case endings of the names of such files.
        is_text: whether they are text, whose encoding then is recognised.
    """

    suffixes: tuple[str, ...] = ()
    is_text = False

    def holds(self, file: DataFile) -> Literal["groups", "pairs"]:
        """Say whether a file holds groups or labelled pairs."""
        return "groups"

    def ranges(self, file: DataFile, size: int) -> Iterator[FileRange]:
        """Cut a file of groups into ranges that are read independently.

        Args:
            file: the file.
            size: bytes in a range, about.
        """
        yield FileRange(0, None, file.size())

    def groups(self, file: DataFile, range_: FileRange = WHOLE_FILE) -> Iterator[Group]:
        """Yield the groups of a range of a file, as they stand there.

        Raises:
            UserError: the file is damaged or of another shape; names the file and the place in it.
        """
        raise NotImplementedError(f"{type(self).__name__} holds no groups")

    def pair_rows(self, file: DataFile) -> Iterator[PairRow]:
        """Yield the rows of a file of labelled pairs. Their labels need not be checked here.

        Raises:
            UserError: the file is damaged or of another shape; names the file and the place in it.
        """
        raise NotImplementedError(f"{type(self).__name__} holds no labelled pairs")

    def texts(self, file: DataFile) -> Iterator[str]:
        """Yield every text of a file in order."""
        if self.holds(file) == "pairs":
            for row in self.pair_rows(file):
                checked_grade(row)
                yield row.text1
                yield row.text2
        else:
            for group in self.groups(file):
                yield from group.texts

    def records(self, file: DataFile, column: str | None = None) -> Iterator[Record]:
        """Yield every row of a table with its text; of groups and pairs every text, alone.

        Args:
            file: the file.
            column: that holds the texts; None: one of `TEXT_COLUMNS`.

        Raises:
            UserError: the file is damaged, or has no such column; names the file.
        """
        if column is not None:
            raise UserError(f"{file}: has no columns by name. Leave out --column {column}.")
        for number, text in enumerate(self.texts(file), start=1):
            yield Record(f"{file}, text {number}", text, {})


@cache
def all_formats() -> tuple[Format, ...]:
    """Make one of each format in `siamese/data/formats`."""
    return tuple(load_part("format", name)() for name in part_names("format"))


def find_inputs(
    inputs: list[str], format: str | Format | None = None, encoding: str | None = None
) -> list[tuple[DataFile, Format]]:
    """Find input files, the format of each, and the encoding of those that are text.

    Args:
        inputs: files, globs, folders or URIs; see `find_files`.
        format: the format of all files: a name, or an object; None: their suffixes say it.
        encoding: of all text files, such as `gb18030`; None: the beginning of each says it.

    Raises:
        UserError: an input is missing, empty or damaged, or its suffix or the name of the format or
            the encoding is unknown.
    """
    forced = checked_encoding(encoding) if encoding else None
    chosen = load_part("format", format)() if isinstance(format, str) else format
    formats = (chosen,) if chosen else all_formats()
    found = []
    for file in find_files(inputs, tuple(sorted(s for f in formats for s in f.suffixes))):
        own = chosen or next((f for f in all_formats() if file.suffix in f.suffixes), None)
        if own is None or own.is_text:
            file = looked_at(file, forced)
        if own is None:
            _refuse_kind(file)
        found.append((file, own))
    return found


# What to do with files that are no data, but hold what could be.
_OTHERS = (
    ((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), "Save the table as CSV (UTF-8)"),
    ((".docx", ".doc", ".pdf", ".rtf", ".html", ".htm"), "Save its text as .txt, one text a line"),
    ((".pkl", ".pickle", ".npy", ".npz", ".pt", ".feather"), "Write it as Parquet"),
)


def _refuse_kind(file: DataFile) -> NoReturn:
    *suffixes, last = sorted(suffix for format in all_formats() for suffix in format.suffixes)
    hint = next((f" {what}." for endings, what in _OTHERS if file.suffix in endings), "")
    raise UserError(
        f"{file}: unknown kind of file. Accepted are {', '.join(suffixes)} and {last}, also packed "
        f"with gzip, zstd or zip.{hint}"
    )
