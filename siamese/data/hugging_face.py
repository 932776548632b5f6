"""Data sets of Hugging Face: folders that `save_to_disk` wrote, and repositories at `hf://`."""

import json
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import fsspec

from siamese.errors import UserError

_OF_A_SPLIT, _OF_SPLITS = "state.json", "dataset_dict.json"
# Files of such data sets that hold no rows.
NO_ROWS = ("dataset_info.json", "dataset_infos.json", _OF_A_SPLIT, _OF_SPLITS)
_SPLIT = re.compile(r"(?:^|[-_./])(train|validation|valid|val|dev|test)(?=[-_./0-9])")


def saved_files(filesystem: fsspec.AbstractFileSystem, folder: str, name: str) -> list[str] | None:
    """Find the files of a folder that `save_to_disk` wrote; None: it is no such folder.

    Args:
        filesystem: where it is.
        folder: its path there.
        name: as the user gave it.

    Raises:
        UserError: it has several splits, of which the user must name one, or is damaged.
    """
    folder = folder.rstrip("/")
    splits = _read(filesystem, f"{folder}/{_OF_SPLITS}").get("splits")
    if isinstance(splits, list):
        raise UserError(
            f"{name}: holds the splits {', '.join(map(str, splits))}. Give the folder of one of "
            "them."
        )
    files = _read(filesystem, f"{folder}/{_OF_A_SPLIT}").get("_data_files")
    if files is None:
        return None
    names = [
        file.get("filename") if isinstance(file, dict) else None
        for file in (files if isinstance(files, list) else [None])
    ]
    # Names that lead elsewhere are none of `save_to_disk`.
    if not all(isinstance(own, str) and PurePosixPath(own).name == own for own in names):
        raise UserError(f"{name}/{_OF_A_SPLIT}: damaged. Save the data set again.")
    return [f"{folder}/{own}" for own in names]


def _read(filesystem: fsspec.AbstractFileSystem, path: str) -> dict:
    """Read an object of JSON; what is none, or another program's, is an empty one."""
    if not filesystem.isfile(path):
        return {}
    try:
        with filesystem.open(path, "rb") as stream:
            content = json.loads(stream.read(1 << 20))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def is_hub(filesystem: fsspec.AbstractFileSystem) -> bool:
    """Say whether this is the file system of `hf://`."""
    return "hf" in filesystem.protocol


def split_files(filesystem: fsspec.AbstractFileSystem, path: str) -> list[str]:
    """Find the files of a split of a repository: `datasets/USER/NAME/SPLIT`, which is no folder.

    Args:
        filesystem: of the hub.
        path: the repository and the name of the split.
    """
    repository, _, split = path.rstrip("/").rpartition("/")
    if repository.count("/") < 2:
        return []
    named = re.compile(rf"(?:^|[-_./]){re.escape(split)}(?=[-_./0-9])")
    return sorted(
        file
        for file in filesystem.find(repository)
        if named.search(file.removeprefix(repository).lstrip("/"))
    )


def refuse_several_splits(name: str, files: Sequence[str]) -> None:
    """Check that a repository's files are not of several splits, by their names.

    Raises:
        UserError: they are, such as of `train` and `test`.
    """
    splits = sorted({own for file in files for own in _SPLIT.findall(file.lower())})
    if len(splits) > 1:
        raise UserError(
            f"{name}: holds the splits {', '.join(splits)}. Name one: {name.rstrip('/')}/"
            f"{splits[0]}."
        )
