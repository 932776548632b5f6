"""Files that are packed with gzip, zstd, bzip2, lz4 or zip, read as streams."""

import io
import re
import zipfile
import zlib
from typing import BinaryIO, NoReturn, cast

import pyarrow as pa

from siamese.errors import UserError

# Endings that a packed file has besides the one that says what it holds.
SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".lz4", ".zip")
# How a file of each packing begins. All but zip are names of pyarrow's codecs.
_BEGINNINGS = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bz2"),
    (re.compile(rb"\x04\x22\x4d\x18"), "lz4"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "zip"),
)
# So many bytes say how a file is packed.
BEGINNING = 10
# What was unpacked may be this often the packed file's size, beyond the first of these bytes. Text
# packs to a fifth or, if much of it repeats, to a fiftieth; a file made to fill memory and disks
# unpacks to the thousandfold (gzip) or much more.
EXPANSION = 500
EXPANSION_FREE = 100 << 20
# Of a zip: each is a file of its own.
MEMBERS = 4096


def packing_of(beginning: bytes) -> str:
    """Return how a file is packed, by its first bytes; an empty string: it is not."""
    return next((packing for magic, packing in _BEGINNINGS if magic.match(beginning)), "")


def without_suffix(name: str) -> str:
    """Return a file's name without the ending that says how it is packed."""
    ending = next((end for end in SUFFIXES if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def members_of(stream: BinaryIO, name: str) -> list[str]:
    """Return the names of the files in a zip, in their order in it.

    Args:
        stream: the zip, which can seek.
        name: of the zip, for messages.

    Raises:
        UserError: it is damaged, encrypted or an Office file, or holds too many files.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        _refuse_damaged(name, "zip", error)
    names = [member.filename for member in members]
    if "[Content_Types].xml" in names:
        raise UserError(f"{name}: is an Excel or Word file. Save it as CSV (UTF-8), and give that.")
    if len(names) > MEMBERS:
        raise UserError(f"{name}: holds {len(names):,} files. Unpack it, and give the folder.")
    if any(member.flag_bits & 1 for member in members):
        raise UserError(f"{name}: is encrypted. Unpack it with its password, and give the files.")
    return names


def unpacked(stream: BinaryIO, packing: str, member: str, size: int, name: str) -> BinaryIO:
    """Open what a packed file holds, as a stream.

    Args:
        stream: the packed file; closed with what is returned.
        packing: as `packing_of` says.
        member: which file of a zip.
        size: of the packed file, in bytes.
        name: of the file, for messages.

    Raises:
        UserError: now or while reading: the file is damaged or cut short, or holds far more than
            a text of its size would.
    """
    try:
        if packing == "zip":
            archive = zipfile.ZipFile(stream)
            inner = cast(BinaryIO, archive.open(member))
        else:
            inner = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), packing)
    except _ERRORS as error:
        stream.close()
        _refuse_damaged(name, packing, error)
    return io.BufferedReader(_Unpacked(inner, stream, packing, size, name), 1 << 17)


# What zipfile and pyarrow raise for damaged files.
_ERRORS = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
    zipfile.BadZipFile,
    pa.ArrowException,
)


class _Unpacked(io.RawIOBase):
    """Reads what a packed file holds, up to a limit, and reports damage by the file's name."""

    def __init__(
        self, inner: BinaryIO, packed: BinaryIO, packing: str, size: int, name: str
    ) -> None:
        self._inner, self._packed = inner, packed
        self._packing, self._name = packing, name
        self._left = max(EXPANSION_FREE, EXPANSION * size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]", /) -> int:  # type: ignore[override]
        try:
            data = self._inner.read(len(buffer))
        except _ERRORS as error:
            _refuse_damaged(self._name, self._packing, error)
        self._left -= len(data)
        if self._left < 0:
            raise UserError(
                f"{self._name}: unpacks to more than {EXPANSION} times its size, as no text does. "
                "If it is meant to, unpack it, and give the file that comes of it."
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            self._packed.close()
        super().close()


def _refuse_damaged(name: str, packing: str, error: BaseException) -> NoReturn:
    raise UserError(
        f"{name}: packed with {packing}, and damaged or cut short ({error}). Download or pack it "
        "again, or unpack it with another program."
    ) from None
