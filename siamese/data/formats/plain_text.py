"""A `.txt` file: labelled pairs separated by tabs; for `texts`, it may hold one text a line."""

from collections.abc import Iterator

from siamese.data.data_file import DataFile
from siamese.data.formats.delimited import Delimited, clean_lines
from siamese.data.records import Record, find_text_column
from siamese.errors import UserError


class PlainText(Delimited):
    """A `.txt` file."""

    suffixes = (".txt",)

    def texts(self, file: DataFile) -> Iterator[str]:
        """Yield every line, unless the first one has the two tabs of a labelled pair."""
        first = next(file.lines(), (1, ""))[1]
        if first.count("\t") >= 2:
            yield from super().texts(file)
            return
        for number, line in clean_lines(file):
            if "\r" in line:
                raise UserError(
                    f"{file}, line {number}: has a carriage return inside, so that it may be one "
                    "text or several. Save the file with line ends of Unix or Windows."
                )
            yield line

    def records(self, file: DataFile, column: str | None = None) -> Iterator[Record]:
        """Yield every line that is not blank, unless the first one has tabs and names columns."""
        names = next(file.lines(), (1, ""))[1].split("\t")
        is_table = len(names) > 1 and find_text_column(names, column, f"{file}, line 1")
        if is_table or len(names) > 2:
            yield from super().records(file, column)
            return
        if column is not None:
            raise UserError(f"{file}: has no columns by name. Leave out --column {column}.")
        for number, text in enumerate(self.texts(file), start=1):
            if text.strip():
                yield Record(f"{file}, line {number}", text, {})


def build() -> PlainText:
    """Make the format."""
    return PlainText()
