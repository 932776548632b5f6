"""The format of a teacher folder: what a teacher says of texts, in Parquet files and a manifest.

DIR/part-00000.parquet …   `text` and `vector`, float16 [dim] of unit length
DIR/manifest.json          written last: a folder without it is not complete
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from siamese.encoding import part_folder
from siamese.encoding.part_folder import PART, FolderKind
from siamese.storage.folder import Folder

TEACHER_FOLDER = FolderKind(
    name="teacher folder",
    command="siamese teach",
    doing="teaching",
    column="vector",
    numbers=pa.float16(),
    maker="teacher",
    count="texts",
    version="schema_version",
    compressed=("text", "vector"),
)
# Texts in a file, but for the last: what is lost when the work is stopped. A teacher that reads 40
# texts a second needs a minute for it.
TEXTS_PER_PART = 2048


def hash_of_texts(texts: Iterable[str]) -> str:
    """Return the SHA-256 of texts in their order, in hexadecimal."""
    digest = sha256()
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def is_teacher_folder(location: str) -> bool:
    """Say whether this is a teacher folder, complete or begun, and not a teacher."""
    folder = Folder(location)
    return any(PART.fullmatch(name) for name in folder.names())


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Read the manifest of a teacher folder, local or at a URI.

    Raises:
        UserError: it is not complete, no teacher folder, or of another version.
    """
    return part_folder.read_manifest(TEACHER_FOLDER, Folder(folder))


def hash_of(*manifests: Mapping[str, Any]) -> str:
    """Return what changes with the texts or the vectors of teacher folders, in hexadecimal."""
    checksums = [file["sha256"] for manifest in manifests for file in manifest["files"]]
    return sha256(" ".join(checksums).encode()).hexdigest()
