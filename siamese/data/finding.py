"""Find data files: local paths, globs, folders, zips, data sets and URIs."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from siamese.data.data_file import DataFile
from siamese.data.hugging_face import (
    NO_ROWS,
    is_hub,
    refuse_several_splits,
    saved_files,
    split_files,
)
from siamese.data.shards import MANIFEST, read_manifest
from siamese.errors import UserError
from siamese.storage.filesystem import filesystem_of
from siamese.storage.packed import BEGINNING, members_of, packing_of, without_suffix


def find_files(inputs: Sequence[str], suffixes: tuple[str, ...]) -> list[DataFile]:
    """Expand paths, globs, folders and URIs into data files, in a fixed order.

    A folder stands for every file below it that has one of the suffixes, a zip for every such file
    in it (or the only one), and the folder of a data set, also of Hugging Face's `datasets`, for
    its shards. At `hf://datasets/USER/NAME/SPLIT` it is the files of that split. Names that begin
    with `.` or `_` are left out there. A file that is named twice is read once.

    Args:
        inputs: what to find.
        suffixes: of data files, lower case; endings such as `.gz` may follow.

    Raises:
        UserError: an input matches nothing, or a file is empty, a damaged zip, or there twice:
            packed and not.
    """
    found: dict[tuple[str, str], DataFile] = {}
    for uri in inputs:
        for file in _expanded(uri, suffixes):
            found.setdefault(_identity(file), file)
    for file in found.values():
        plain = replace(file, location=without_suffix(file.location))
        if plain != file and _identity(plain) in found:
            raise UserError(
                f"{file}: is there unpacked too, as {plain.location}. Leave one of them out."
            )
    return [each for file in found.values() for each in _unfolded(file, suffixes)]


def _identity(file: DataFile) -> tuple[str, str]:
    """Return what two names of one file have in common."""
    if isinstance(file.filesystem, LocalFileSystem):
        return "", os.path.realpath(file.location)
    return str(file.filesystem.protocol), file.location


def _unfolded(file: DataFile, suffixes: tuple[str, ...]) -> Iterator[DataFile]:
    """Find out how a file is packed, and yield it, or the files in it if it is a zip."""
    with file.open_packed() as stream:
        if file.filesystem.size(file.location) == 0:
            raise UserError(f"{file}: the file is empty. Give a file with data, or leave it out.")
        packing = packing_of(stream.read(BEGINNING))
        if packing != "zip":
            yield replace(file, packing=packing)
            return
        stream.seek(0)
        names = members_of(stream, str(file))
    visible = [name for name in names if not _is_hidden(re.split(r"[/\\]", name))]
    chosen = visible if len(visible) == 1 else [m for m in visible if _has_suffix(m, suffixes)]
    if not chosen:
        raise UserError(f"{file}: no {', '.join(suffixes)} file in it. Check the zip.")
    for name in sorted(chosen):
        yield replace(file, packing=packing, member=name)


def _expanded(uri: str, suffixes: tuple[str, ...]) -> Iterable[DataFile]:
    """Find the files that one input stands for."""
    data_set = ""
    try:
        filesystem, path = filesystem_of(uri)
        if "local" in filesystem.protocol:  # pyarrow's too, which comes of a URI
            filesystem = LocalFileSystem()
        if filesystem.isfile(path):
            paths = [path]
        elif filesystem.isdir(path):
            if names := _parts_of_texts(filesystem, path):
                paths = names
            elif _is_data_set(filesystem, path):
                data_set, names = uri, [file["name"] for file in read_manifest(uri)["files"]]
                paths = [f"{path.rstrip('/')}/{name}" for name in names]
            elif (saved := saved_files(filesystem, path, uri)) is not None:
                paths = saved
            else:
                paths = sorted(p for p in _below(filesystem, path) if _is_data(p, suffixes))
                if is_hub(filesystem):
                    refuse_several_splits(uri, paths)
        elif is_hub(filesystem) and not re.search(r"[*?[]", path):
            paths = [p for p in split_files(filesystem, path) if _is_data(p, suffixes)]
        else:
            is_local = isinstance(filesystem, LocalFileSystem)
            pattern = os.path.abspath(path) if is_local else path  # noqa: PTH100 (drops `..`)
            paths = sorted(
                p
                for p in filesystem.glob(path)
                if filesystem.isfile(p) and not _is_hidden_in_glob(p, pattern)
            )
        for each in paths if not data_set else ():
            if PurePosixPath(each).name == MANIFEST and _is_data_set(
                filesystem, each.removesuffix(MANIFEST)
            ):
                raise UserError(
                    f"{each}: is of a data set of `siamese shard`. Give that folder itself, or "
                    "files that are in none."
                )
    except OSError as error:
        raise UserError(f"{uri}: cannot be read: {error}.") from None
    if not paths:
        hint = f"no {', '.join(suffixes)} file in it" if filesystem.isdir(path) else ""
        raise UserError(f"{uri}: {hint or 'no such file'}. Check the path or the pattern.")
    is_local = isinstance(filesystem, LocalFileSystem)
    for each in paths:
        location = str(Path(each).absolute()) if is_local else each
        yield DataFile(filesystem, location, each, data_set)


def _parts_of_texts(filesystem: fsspec.AbstractFileSystem, folder: str) -> list[str]:
    """Return the Parquet files of a folder of texts with their vectors, if it is one and whole."""
    manifest = f"{folder.rstrip('/')}/{MANIFEST}"
    if not filesystem.isfile(manifest):
        return []
    with filesystem.open(manifest, "rb") as stream:
        if not re.search(rb'"(?:fingerprint|teacher)"', stream.read(1000)):
            return []
    names = filesystem.ls(folder, detail=False)
    return sorted(n for n in names if re.fullmatch(r"part-\d{5,}\.parquet", PurePosixPath(n).name))


def _is_data_set(filesystem: fsspec.AbstractFileSystem, folder: str) -> bool:
    """Say whether a folder has the manifest of a data set, by how that begins."""
    manifest = f"{folder.rstrip('/')}/{MANIFEST}"
    if not filesystem.isfile(manifest):
        return False
    with filesystem.open(manifest, "rb") as stream:
        return bool(re.match(rb'\s*\{\s*"schema_version"', stream.read(200)))


def _below(filesystem: fsspec.AbstractFileSystem, folder: str) -> Iterator[str]:
    """Yield the paths of the files below a folder, but for hidden ones."""
    if not isinstance(filesystem, LocalFileSystem):
        depth = len(PurePosixPath(folder.strip("/")).parts)
        for path in filesystem.find(folder):
            if not _is_hidden(path.strip("/").split("/")[depth:]):
                yield path
        return
    seen = set()
    for here, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        identity = os.path.realpath(here)
        # A link may lead back up, or to where another leads.
        folders[:] = [] if identity in seen else sorted(f for f in folders if not _is_hidden([f]))
        for name in names if identity not in seen else ():
            path = os.path.join(here, name)  # noqa: PTH118 (as the user wrote it, `./` too)
            # Whoever opened a named pipe would wait forever. What is missing is reported later.
            if not _is_hidden([name]) and (not os.path.exists(path) or os.path.isfile(path)):  # noqa: PTH110, PTH113
                yield path
        seen.add(identity)


def _raise(error: OSError) -> None:
    raise error


def _is_hidden(names: Iterable[str]) -> bool:
    """Say whether a path has a part that is no data by convention, such as `_temporary`."""
    return any(name.startswith((".", "_")) for name in names)


def _is_hidden_in_glob(path: str, pattern: str) -> bool:
    """Say whether a path is hidden where the pattern has wildcards, and it asks for no such."""
    asked = pattern.strip("/").split("/")
    fixed = next((i for i, part in enumerate(asked) if re.search(r"[*?[]", part)), len(asked))
    return not _is_hidden(asked[fixed:]) and _is_hidden(path.strip("/").split("/")[fixed:])


def _is_data(path: str, suffixes: tuple[str, ...]) -> bool:
    return _has_suffix(path, suffixes) and PurePosixPath(path).name not in NO_ROWS


def _has_suffix(path: str, suffixes: tuple[str, ...]) -> bool:
    return without_suffix(path).lower().endswith(suffixes)
