"""The format of a teacher folder: what a teacher says of texts, in Parquet files and a manifest.

    DIR/part-00000.parquet …   `text` and `vector`, float16 [dim] of unit length
    DIR/manifest.json          written last: a folder without it is not complete

The same texts and teacher give the same bytes. Each file says of which teacher it is, and has
checksums of its own, so that what was begun can be gone on with.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.errors import UserError
from siamese.storage.atomic import flush, sha256_of, write_json
from siamese.storage.folder import Folder

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
PART = re.compile(r"part-\d{5,}\.parquet")
# Texts in a file, but for the last: what is lost when the work is stopped. A teacher that reads 40
# texts a second needs a minute for it.
TEXTS_PER_PART = 2048
_TEACHER = b"teacher"


def part_name(number: int) -> str:
    """Return the name of a file."""
    return f"part-{number:05}.parquet"


def write_part(
    number: int,
    texts: Sequence[str],
    vectors: np.ndarray,
    teacher: str,
    folder: Folder,
    scratch: Folder,
) -> None:
    """Write one file, whole or not at all.

    Args:
        number: of the file.
        texts: in order.
        vectors: of them, float16 `[len(texts), dim]`.
        teacher: its name.
        folder: where to.
        scratch: for the file while it is begun.
    """
    dim = vectors.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim)
    schema = pa.schema(
        [("text", pa.string()), ("vector", column.type)], metadata={_TEACHER: teacher}
    )
    table = pa.table([pa.array(texts, pa.string()), column], schema=schema)
    with folder.saving(part_name(number), scratch) as path:
        pq.write_table(
            table,
            path,
            compression="zstd",
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
        )
        flush(path)


def read_part(folder: Folder, name: str) -> tuple[pa.Array, np.ndarray, str]:
    """Read one file: texts, vectors float16 `[texts, dim]`, and the teacher's name.

    Raises:
        UserError: it is damaged or another file.
    """
    try:
        with folder.open_arrow(name) as source:
            table = pq.ParquetFile(source, page_checksum_verification=True).read()
        texts, column = (table[c].combine_chunks() for c in ("text", "vector"))
        kind = column.type
        if not (pa.types.is_fixed_size_list(kind) and pa.types.is_float16(kind.value_type)):
            raise ValueError(f"its vectors are {kind}")
        if texts.type != pa.string() or texts.null_count or column.flatten().null_count:
            raise ValueError("it has no texts, or something in it is null")
        texts.validate(full=True)
        # `flatten` leaves out vectors that are null: then there are not enough numbers.
        vectors = column.flatten().to_numpy().reshape(len(texts), kind.list_size)
        teacher = (table.schema.metadata or {})[_TEACHER].decode()
        return texts, vectors, teacher
    except (pa.ArrowException, LookupError, ValueError, OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk or the network
        raise UserError(
            f"{folder / name}: damaged, or no part of a teacher folder ({error}). Remove it, and "
            "run `siamese teach` with --resume."
        ) from None


def hash_of_texts(texts: Iterable[str]) -> str:
    """Return the SHA-256 of texts in their order, in hexadecimal."""
    digest = sha256()
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def finish(
    folder: Folder, scratch: Folder, files: list[dict[str, Any]], about: dict[str, Any]
) -> dict[str, Any]:
    """Write the manifest, which makes the folder complete.

    Args:
        folder: where all files are.
        scratch: for the manifest while it is begun.
        files: `name`, `rows` and `sha256` of each.
        about: `teacher`, `dim`, `texts` and `texts_sha256`.

    Returns:
        The manifest.
    """
    manifest = {"schema_version": SCHEMA_VERSION, **about, "files": files}
    with folder.saving(MANIFEST, scratch) as path:
        write_json(path, manifest)
    return manifest


def entry_of(folder: Folder, name: str, rows: int) -> dict[str, Any]:
    """Return what the manifest says of a file that is there."""
    checksum = sha256_of(Path(folder.path_of(name))) if folder.is_local else folder.sha256(name)
    return {"name": name, "rows": rows, "sha256": checksum}


def is_teacher_folder(location: str) -> bool:
    """Say whether this is a teacher folder, complete or begun, and not a teacher."""
    folder = Folder(location)
    return any(PART.fullmatch(name) for name in folder.names())


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Read the manifest of a teacher folder, local or at a URI.

    Raises:
        UserError: it is not complete, no teacher folder, or of another version.
    """
    place = Folder(folder)
    if not place.is_file(MANIFEST):
        begun = any(PART.fullmatch(name) for name in place.names())
        raise UserError(
            f"{folder}: not a complete teacher folder, {MANIFEST} is missing. "
            + ("Go on with `siamese teach … --resume`." if begun else "`siamese teach` makes one.")
        )
    manifest = place.read_json(MANIFEST)
    if not isinstance(manifest, dict) or "teacher" not in manifest:
        raise UserError(f"{folder}: not a teacher folder. `siamese teach` makes one.")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise UserError(
            f"{place / MANIFEST}: schema version {manifest.get('schema_version')}, this release "
            f"reads {SCHEMA_VERSION}. Run `siamese teach` again."
        )
    try:
        files = manifest["files"]
        # Names that lead elsewhere are no parts.
        whole = bool(files) and all(
            PART.fullmatch(file["name"]) and _is_count(file["rows"]) and len(file["sha256"]) == 64
            for file in files
        )
        whole = whole and _is_count(manifest["dim"])
        whole = whole and sum(file["rows"] for file in files) == manifest["texts"]
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise UserError(f"{place / MANIFEST}: damaged. Run `siamese teach` again.")
    return manifest


def hash_of(*manifests: Mapping[str, Any]) -> str:
    """Return what changes with the texts or the vectors of teacher folders, in hexadecimal."""
    checksums = [file["sha256"] for manifest in manifests for file in manifest["files"]]
    return sha256(" ".join(checksums).encode()).hexdigest()


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0
