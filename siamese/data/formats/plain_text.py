"""A `.txt` file: labelled pairs separated by tabs; for `texts`, it may hold one text a line."""

from collections.abc import Iterator

from siamese.data.data_file import DataFile
from siamese.data.formats.delimited import Delimited, clean_lines
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


def build() -> PlainText:
    """Make the format."""
    return PlainText()
