"""What of a working directory is uploaded with a job: its plain files, if not too large."""

from pathlib import Path

from distributed.cluster.ray_private import package_files, package_limit
from siamese.errors import UserError


def check_package(folder: Path) -> list[str]:
    """Refuse a folder that Ray would refuse, or would fail to pack.

    Args:
        folder: the working directory.

    Returns:
        What has to be left out, as patterns of a `.gitignore`: pipes, sockets and devices, which
        Ray would read for ever, and links to a folder that they are in.

    Raises:
        UserError: it is too large, or a name or a `.gitignore` is not UTF-8.
    """
    root = folder.resolve()
    left_out: list[str] = []

    def leave_out(path: Path) -> bool:
        if not _is_odd(path):
            return False
        left_out.append(_pattern(path.relative_to(root)))
        return True

    try:
        sizes = package_files(root, leave_out)
        for path in sizes:
            str(path.relative_to(root)).encode()
    except UnicodeDecodeError as error:
        raise UserError(
            f"--working-dir {folder}: a .gitignore or .rayignore in it is not UTF-8 ({error})."
        ) from None
    except UnicodeEncodeError as error:
        raise UserError(
            f"--working-dir {folder}: the name {error.object!r} is not UTF-8, and cannot be "
            "packed. Rename the file, or match it in .gitignore or .rayignore."
        ) from None
    _check_size(folder, {path.relative_to(root): size for path, size in sizes.items()})
    return left_out


def _is_odd(path: Path) -> bool:
    """Say whether a path is neither a file nor a folder that can be walked through to its end."""
    if path.is_dir():
        return path.is_symlink() and path.resolve() in path.absolute().parents
    return path.exists() and not path.is_file()


def _pattern(path: Path) -> str:
    """Write a path as a pattern that matches it alone."""
    return "/" + "".join(f"\\{c}" if c in "\\*?[]!# " else c for c in path.as_posix())


def _check_size(folder: Path, sizes: dict[Path, int]) -> None:
    limit = package_limit()
    if sum(sizes.values()) >= limit:
        largest = max(sizes, key=sizes.__getitem__)
        raise UserError(
            f"--working-dir {folder}: {_mib(sum(sizes.values()))} are more than the "
            f"{_mib(limit)} that a cluster takes; the largest file is {largest} with "
            f"{_mib(sizes[largest])}. Keep data on storage that the cluster reads, and name what "
            "the job does not need in .gitignore or .rayignore."
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
