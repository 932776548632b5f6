"""A `.txt` file: labelled pairs separated by tabs; for `texts`, it may hold one text a line."""

from collections.abc import Iterator

from siamese.data.data_file import DataFile
from siamese.data.formats.delimited import Delimited


class PlainText(Delimited):
    """A `.txt` file."""

    suffixes = (".txt",)

    def texts(self, file: DataFile) -> Iterator[str]:
        """Yield every line, unless the first one has the two tabs of a labelled pair."""
        first = next(file.lines(), (1, ""))[1]
        if first.count("\t") >= 2:
            yield from super().texts(file)
        else:
            yield from (line for _, line in file.lines())


def build() -> PlainText:
    """Make the format."""
    return PlainText()
