"""The format of a folder of texts and their vectors: Parquet files and a manifest.

    DIR/part-00000.parquet …   `text`, and a column of vectors of one size
    DIR/manifest.json          written last: a folder without it is not complete

Each file says who made its vectors, and has checksums of its own, so that what was begun can be
gone on with. The same texts and vectors give the same bytes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.errors import UserError
from siamese.storage.atomic import flush, sha256_of, write_json
from siamese.storage.folder import Folder

MANIFEST = "manifest.json"
PART = re.compile(r"part-\d{5,}\.parquet")


@dataclass(frozen=True)
class FolderKind:
    """What tells one kind of such folders from another.

    Attributes:
        name: for people.
        command: what makes one.
        doing: what is done then.
        column: the name of the column of vectors.
        numbers: the type of the numbers in them.
        maker: the key, in the files and the manifest, of who made the vectors.
        count: the key, in the manifest, of how many texts there are.
        version: the key, in the manifest, of the version, which is 1.
        compressed: the columns worth compressing.
    """

    name: str
    command: str
    doing: str
    column: str
    numbers: pa.DataType
    maker: str
    count: str
    version: str = "version"
    compressed: tuple[str, ...] = ("text",)

    @property
    def an(self) -> str:
        """Return the name with its article."""
        return f"a{'n' * (self.name[0] in 'aeiou')} {self.name}"

    @property
    def scratch(self) -> str:
        """Return the name of the folder, in such a folder, for what is begun."""
        return f".{self.doing}"


VERSION = 1


class Part(NamedTuple):
    """What one file holds.

    Attributes:
        texts: in order, of Arrow's strings.
        vectors: of them `[texts, dim]`.
        maker: who made them.
    """

    texts: pa.Array
    vectors: np.ndarray
    maker: str


def part_name(number: int) -> str:
    """Return the name of a file."""
    return f"part-{number:05}.parquet"


def write_part(
    kind: FolderKind, name: str, part: Part, folder: Folder, scratch: Folder
) -> dict[str, Any]:
    """Write one file, whole or not at all.

    Args:
        kind: of the folder.
        name: of the file.
        part: what it holds.
        folder: where to.
        scratch: for the file while it is begun.

    Returns:
        What the manifest says of it.
    """
    dim = part.vectors.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(part.vectors.ravel(), kind.numbers), dim)
    schema = pa.schema(
        [("text", pa.string()), (kind.column, column.type)], metadata={kind.maker: part.maker}
    )
    packing = {f"{kind.column}.list.element": "none", "text": "none"}
    packing |= {
        f"{each}.list.element" if each == kind.column else each: "zstd" for each in kind.compressed
    }
    with folder.saving(name, scratch) as path:
        pq.write_table(
            pa.table([part.texts, column], schema=schema),
            path,
            compression=packing,
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
        )
        flush(path)
        return {"name": name, "rows": len(part.texts), "sha256": sha256_of(path)}


def read_part(kind: FolderKind, folder: Folder, name: str) -> Part:
    """Read one file, and check it.

    Raises:
        UserError: it is damaged or another file.
    """
    try:
        with folder.open_arrow(name) as source:
            table = pq.ParquetFile(source, page_checksum_verification=True).read()
        texts, column = (table[c].combine_chunks() for c in ("text", kind.column))
        its = column.type
        if not (pa.types.is_fixed_size_list(its) and its.value_type == kind.numbers):
            raise ValueError(f"its vectors are {its}")
        if texts.type != pa.string() or texts.null_count or column.flatten().null_count:
            raise ValueError("it has no texts, or something in it is null")
        texts.validate(full=True)
        # `flatten` leaves out vectors that are null: then there are not enough numbers.
        vectors = column.flatten().to_numpy().reshape(len(texts), its.list_size)
        maker = (table.schema.metadata or {})[kind.maker.encode()].decode()
        return Part(texts, vectors, maker)
    except (pa.ArrowException, LookupError, ValueError, OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk or the network
        raise UserError(
            f"{folder / name}: damaged, or no part of {kind.an} ({error}). Remove it, and run "
            f"`{kind.command}` with --resume."
        ) from None


def finish(
    kind: FolderKind,
    folder: Folder,
    scratch: Folder,
    files: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the manifest, which makes the folder complete.

    Args:
        kind: of the folder.
        folder: where all files are.
        scratch: for the manifest while it is begun.
        files: what `write_part` returned of each.
        about: the other keys, among them those of `kind`.

    Returns:
        The manifest.
    """
    manifest = {kind.version: VERSION, **about, "files": list(files)}
    with folder.saving(MANIFEST, scratch) as path:
        write_json(path, manifest)
    return manifest


def read_manifest(kind: FolderKind, place: Folder) -> dict[str, Any]:
    """Read the manifest of a folder, local or at a URI.

    Raises:
        UserError: it is not complete, no such folder, or of another version.
    """
    if not place.is_file(MANIFEST):
        begun = any(PART.fullmatch(name) for name in place.names())
        raise UserError(
            f"{place}: not a complete {kind.name}, {MANIFEST} is missing. "
            + (f"Go on with `{kind.command} … --resume`." if begun else _makes_one(kind))
        )
    manifest = place.read_json(MANIFEST)
    if not isinstance(manifest, dict) or kind.maker not in manifest:
        raise UserError(f"{place}: not {kind.an}. {_makes_one(kind)}")
    if manifest.get(kind.version) != VERSION:
        raise UserError(
            f"{place / MANIFEST}: {kind.version.replace('_', ' ')} {manifest.get(kind.version)}, "
            f"this release reads {VERSION}. Run `{kind.command}` again."
        )
    try:
        files = manifest["files"]
        # Names that lead elsewhere are no parts.
        whole = bool(files) and all(
            PART.fullmatch(file["name"]) and _is_count(file["rows"]) and len(file["sha256"]) == 64
            for file in files
        )
        whole = whole and _is_count(manifest["dim"])
        whole = whole and sum(file["rows"] for file in files) == manifest[kind.count]
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise UserError(f"{place / MANIFEST}: damaged. Run `{kind.command}` again.")
    return manifest


def _makes_one(kind: FolderKind) -> str:
    return f"`{kind.command}` makes one."


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0
