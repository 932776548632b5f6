"""The manifest of an index: which segments make it up, and what they are to be searched with."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from siamese.config.recipe import Similarity
from siamese.encoder.similarity import FORMULAS
from siamese.errors import UserError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
FILE = re.compile(
    r"segment-\d{8}\.(?:embeddings\.npy|entries\.arrow|ids\.npy|graph\.usearch|deleted-\d+\.npy)"
)


@dataclass(frozen=True)
class Record:
    """What a manifest says of a segment.

    Attributes:
        name: of it.
        rows: in its files.
        deleted: how many of these are no longer there.
        files: the name of each -> its bytes and SHA-256.
    """

    name: str
    rows: int
    deleted: int
    files: Mapping[str, tuple[int, str]]

    def file(self, ending: str) -> str | None:
        """Return the name of one of its files, if it has such a one."""
        begin = f"{self.name}.{ending}"
        return next((name for name in self.files if name.startswith(begin)), None)


@dataclass(frozen=True)
class Manifest:
    """The state of an index.

    Attributes:
        fingerprint: of the encoder.
        model: where its model is; None: nobody said.
        similarity: its kind.
        dim: of its embeddings.
        threshold: hits are above it.
        made: the last id that the index made.
        numbered: the last segment's number.
        commits: changes since the index was built.
        segments: in the order of their texts.
    """

    fingerprint: str
    model: str | None
    similarity: Similarity
    dim: int
    threshold: float
    made: int = 0
    numbered: int = 0
    commits: int = 0
    segments: tuple[Record, ...] = ()

    @property
    def names(self) -> set[str]:
        """Return the names of all files that it needs."""
        return {name for record in self.segments for name in record.files}

    @property
    def version(self) -> str:
        """Return what changes with each change of the index, in hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return it as the file has it."""
        content = {
            "index": "siamese",
            "schema_version": SCHEMA_VERSION,
            **asdict(self),
            "sha256": self.version,
        }
        return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def parsed_manifest(data: bytes, where: str) -> Manifest:
    """Read a manifest.

    Raises:
        UserError: it is damaged, of no index, or of another version.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: damaged ({error}). Build or copy the index again.") from None
    if not isinstance(content, dict) or content.pop("index", None) != "siamese":
        raise UserError(f"{where}: not of an index. `siamese index` builds one.")
    version = content.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{where}: of version {version}, this release reads {SCHEMA_VERSION}. Build the index "
            "again."
        )
    try:
        checksum = content.pop("sha256")
        records = tuple(
            Record(**{**each, "files": {name: tuple(f) for name, f in each["files"].items()}})
            for each in content.pop("segments")
        )
        manifest = Manifest(**content, segments=records)
        whole = manifest.version == checksum and _is_sound(manifest)
    except (TypeError, KeyError, AttributeError, ValueError):
        whole = False
    if not whole:
        raise UserError(f"{where}: truncated or altered. Build or copy the index again.")
    return manifest


def _is_sound(manifest: Manifest) -> bool:
    """Say whether everything in it is of its type, whoever wrote it."""
    counts = [manifest.dim, manifest.made, manifest.numbered, manifest.commits]
    for record in manifest.segments:
        counts += [record.rows, record.deleted, *(size for size, _ in record.files.values())]
    return (
        all(type(count) is int and count >= 0 for count in counts)
        and isinstance(manifest.threshold, float)
        and manifest.similarity in FORMULAS
        and all(isinstance(name, str) for name in (manifest.fingerprint, manifest.model or ""))
        and all(map(FILE.fullmatch, manifest.names))  # names that lead elsewhere are none
        and all(
            name.startswith(f"{record.name}.")
            for record in manifest.segments
            for name in record.files
        )
    )
