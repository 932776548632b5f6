"""The manifest of a data set: what makes a folder one."""

import re
from pathlib import Path
from typing import Any

from siamese.errors import UserError
from siamese.storage.folder import Folder

# Version 2 has no labelled pairs.
SCHEMA_VERSIONS = (2, 3)
MANIFEST = "manifest.json"
SHARD = re.compile(r"part-\d{5,}\.parquet")
# What an entry of a file says of its row groups, since version 3.
PAIR_COUNTS = ("positive_pairs", "other_pairs")


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Read the manifest of a data set, local or at a URI.

    Raises:
        UserError: the folder holds no complete data set, or one of another version.
    """
    place = Folder(folder)
    if not place.is_file(MANIFEST):
        raise UserError(
            f"{folder}: not a data set ({MANIFEST} is missing). Make one with "
            f"`siamese shard INPUT… --output {folder}`."
        )
    manifest = place.read_json(MANIFEST)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version not in SCHEMA_VERSIONS:
        raise UserError(
            f"{place / MANIFEST}: schema version {version}, this release reads "
            f"{' and '.join(map(str, SCHEMA_VERSIONS))}. Shard the input again."
        )
    try:
        whole = (
            len(manifest["files"]) > 0
            and all(_is_whole(file, version) for file in manifest["files"])
            and manifest["counts"].keys() >= {"texts_read", "negatives", "groups_of_one_text_kept"}
            and manifest.keys() >= {"vocabulary_sha256", "texts_by_length"}
        )
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f"{place / MANIFEST}: damaged. Shard the input again.")
    return manifest


def labelled_pairs(manifest: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the positive and the other pairs of each row group; None: it is of version 2."""
    if manifest["schema_version"] == 2:
        return None
    positive, others = (
        tuple(count for file in manifest["files"] for count in file[name]) for name in PAIR_COUNTS
    )
    return positive, others


def _is_whole(file: dict[str, Any], version: int) -> bool:
    """Say whether the entry of a file has what it needs."""
    counts = [file[name] for name in PAIR_COUNTS] if version > 2 else []
    return (
        {"name", "rows", "sha256"} <= file.keys()
        and SHARD.fullmatch(file["name"]) is not None  # names that lead elsewhere are no shards
        and _is_count(file["rows"])
        and file["rows"] > 0
        and all(type(each) is list and each and all(map(_is_count, each)) for each in counts)
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
