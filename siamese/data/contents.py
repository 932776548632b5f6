"""Look at the beginning of a text file: its encoding, and whether it is text at all."""

import sys
from dataclasses import replace

from siamese.data.data_file import DataFile
from siamese.errors import UserError
from siamese.storage.packed import packing_of
from siamese.text.encodings import SAMPLE, UTF8, recognised, spoken

# How files begin that are no data, whatever their names; and what to do instead.
_NO_DATA = (
    (b"version https://git-lfs.github.com", "a pointer of Git LFS: run `git lfs pull`"),
    (b"PAR1", "Parquet: name it .parquet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel or Word file: save it as CSV (UTF-8)"),
    (b"\x80\x04\x95", "a pickle of Python: write its content as JSON Lines or Parquet"),
    (b"\x93NUMPY", "an array of NumPy: write the texts as JSON Lines or Parquet"),
    (b"%PDF-", "a PDF: save its text as .txt"),
    (b"\xfd7zXZ\x00", "packed with xz: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "packed with 7-Zip: unpack it"),
    (b"Rar!\x1a\x07", "packed with RAR: unpack it"),
)
# What a tar archive has after the first file's name.
_TAR, _TAR_AT = b"ustar", 257


def looked_at(file: DataFile, encoding: str | None = None) -> DataFile:
    """Return a text file with its encoding, and tell the user if it is not UTF-8.

    Args:
        file: the file.
        encoding: Python's name of what it is in; None: its beginning says it.

    Raises:
        UserError: it is damaged, or no text by its beginning.
    """
    with file.open_unpacked() as stream:
        sample = stream.read(SAMPLE)
    if not sample:
        raise UserError(f"{file}: the file is empty. Give a file with data, or leave it out.")
    for magic, what in _NO_DATA:
        if sample.startswith(magic):
            raise UserError(f"{file}: is {what}, and give that.")
    if sample.startswith(_TAR, _TAR_AT):
        raise UserError(f"{file}: is a tar archive. Unpack it, and give the files.")
    if file.packing and packing_of(sample):
        raise UserError(f"{file}: is packed twice. Unpack it once.")
    if encoding is None:
        encoding = recognised(sample, len(sample) < SAMPLE)
        if encoding != UTF8:
            print(
                f"{file}: read as {spoken(encoding)}; --encoding names another",
                file=sys.stderr,
                flush=True,
            )
    return replace(file, encoding=encoding)
