"""In which encoding a text file is: recognised by its beginning, and turned into UTF-8."""

import codecs
import io
from collections.abc import Callable
from typing import BinaryIO

from siamese.errors import UserError

UTF8 = "utf-8"
# Names of encodings as people write them.
_SPOKEN = {
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "gb18030": "GB18030 (GBK)",
}
# How much of a file is looked at.
SAMPLE = 1 << 16
_BLOCK = 1 << 16
_UNDECODABLE = "siamese-undecodable"
# No strict UTF-8 holds this, so whoever reads on finds the line it is in.
codecs.register_error(_UNDECODABLE, lambda error: ("\udfff", error.end))  # type: ignore[attr-defined]


def spoken(encoding: str) -> str:
    """Write the name of an encoding for people."""
    return _SPOKEN.get(encoding, encoding.upper())


def checked_encoding(name: str) -> str:
    """Return Python's name of an encoding that a user named.

    Raises:
        UserError: there is none of this name.
    """
    try:
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError, UnicodeError):
        raise UserError(
            f"--encoding {name}: no encoding of this name. Give utf-8, gb18030, utf-16, big5 or "
            "another that Python knows."
        ) from None
    found = codecs.lookup(name).name
    return UTF8 if found == "utf-8-sig" else found  # BOMs are always dropped


def recognised(sample: bytes, whole: bool) -> str:
    """Say in which encoding a text is, by its beginning: UTF-8 but for good reasons.

    UTF-16 and UTF-32 are known by their BOM, UTF-16 also by the zeros that its ASCII characters
    have; GB18030 (of which GBK is a part) by Chinese that is no UTF-8.

    Args:
        sample: the first bytes.
        whole: whether these are all.

    Returns:
        Python's name of the encoding.
    """
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    is_utf8 = _decoded(sample, UTF8, whole) is not None
    if b"\0" in sample and (found := _utf16_without_bom(sample, whole, is_utf8)):
        return found
    return "gb18030" if not is_utf8 and _is_gb18030(sample, whole) else UTF8


def as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Turn a stream of text in any encoding into one in UTF-8.

    What cannot be decoded becomes a byte sequence that is not UTF-8 either.

    Args:
        stream: bytes; closed with what is returned.
        encoding: Python's name of it.
    """
    if encoding == UTF8:
        return stream
    return io.BufferedReader(_Transcoded(stream, encoding), _BLOCK)


class _Transcoded(io.RawIOBase):
    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_UNDECODABLE)
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]", /) -> int:  # type: ignore[override]
        while not self._ready and not self._ended:
            block = self._stream.read(_BLOCK)
            self._ended = not block
            text = self._decoder.decode(block, self._ended)
            self._ready = text.encode(UTF8, "surrogatepass")
        taken = self._ready[: len(buffer)]
        self._ready = self._ready[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _decoded(sample: bytes, encoding: str, whole: bool) -> str | None:
    """Decode a sample, whose last character may be cut unless it is whole; None: it is invalid."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, whole)
    except UnicodeDecodeError:
        return None


def _utf16_without_bom(sample: bytes, whole: bool, is_utf8: bool) -> str | None:
    """Return which UTF-16 a sample with zeros in it is; None: neither."""
    best, most_ascii = None, 0.4 if is_utf8 else 0.02
    for encoding in ("utf-16-le", "utf-16-be"):
        text = _decoded(sample, encoding, whole)
        if text and "\0" not in text and _share(text, _is_readable) > 0.9:
            # With its bytes swapped, ASCII looks like rare Chinese.
            ascii_share = _share(text, str.isascii)
            if ascii_share > most_ascii:
                best, most_ascii = encoding, ascii_share
    return best


def _is_gb18030(sample: bytes, whole: bool) -> bool:
    """Say whether a sample that is not UTF-8 is Chinese in GB18030.

    Other encodings decode as GB18030 too, but give few characters of everyday Chinese (Korean gives
    those that come first in it); and a UTF-8 file with one damaged line is mostly UTF-8.
    """
    text = _decoded(sample, "gb18030", whole)
    others = "".join(c for c in text or "" if not c.isascii())
    leads = [_lead_byte(c) for c in others if _is_chinese(c)]
    everyday = [lead for lead in leads if 0xB0 <= lead <= 0xD7]  # of GB 2312, sorted by sound
    marks = sum(0xA1 <= lead <= 0xA3 for lead in leads)
    if len(everyday) + marks < 0.7 * len(others) or not everyday:
        return False
    if len(everyday) >= 20 and sum(lead >= 0xC9 for lead in everyday) < 0.03 * len(everyday):
        return False
    in_utf8 = sum(len(c.encode()) for c in sample.decode(UTF8, "ignore") if _is_chinese(c))
    return in_utf8 < 0.25 * sum(byte >= 0x80 for byte in sample)


def _share(text: str, kind: Callable[[str], bool]) -> float:
    """Return the share of the characters that are of a kind; 0 if there are none."""
    return sum(map(kind, text)) / len(text) if text else 0.0


def _is_readable(character: str) -> bool:
    return character.isprintable() or character.isspace()


def _is_chinese(character: str) -> bool:
    """Say whether it is an ideograph or punctuation between them."""
    return any(
        first <= character <= last
        for first, last in (("一", "\u9fff"), ("\u3000", "\u303f"), ("！", "\uffef"), ("‐", "…"))
    )


def _lead_byte(character: str) -> int:
    """Return the first byte of a character in GB 2312; 0 if it is not in it."""
    try:
        return character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return 0
