"""Export a model folder into a folder of another format, whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.export.exporter import ExportOptions, build_exporter
from siamese.storage.atomic import replacing_folder, write_json
from siamese.storage.filesystem import path_of
from siamese.storage.folder import Folder
from siamese.storage.output import check_writable

# What makes a folder an export: written last.
ABOUT = "export.json"
VERSION = 1


def export_model(
    model: str | Path, to: str, output: str | Path, options: ExportOptions, fresh: bool = False
) -> list[str]:
    """Export a model.

    Args:
        model: the model folder, a path or URI.
        to: the exporter's name: `onnx` or `sentence-transformers`.
        output: the folder to write, a path or URI.
        options: what is asked of the exporter.
        fresh: replace an export that is there.

    Returns:
        Lines for the user.

    Raises:
        UserError: the model or the folder cannot be used, a package is missing, or what was
            exported gives other embeddings.
    """
    exporter = build_exporter(to, options)
    _check_output(str(output), fresh)
    encoder = SentenceEncoder.load(model)
    with _writing(str(output)) as folder:
        about = exporter.write(encoder, folder)
        notes: list[str] = about.pop("notes")
        write_json(folder / ABOUT, _described(encoder, to) | about)
    return notes


def _described(encoder: SentenceEncoder, to: str) -> dict[str, Any]:
    """Describe an encoder, for people and services."""
    return {
        "version": VERSION,
        "format": to,
        "fingerprint": encoder.fingerprint,
        "embedding_dim": encoder.embedding_dim,
        "max_length": encoder.recipe.text.max_length,
        "similarity": encoder.recipe.evaluation.similarity,
        "threshold": encoder.threshold,
    }


def _check_output(output: str, fresh: bool) -> None:
    """Refuse a folder that cannot or must not be written, before the work and not after it."""
    path = path_of(output)
    if path is None:
        check_writable(output)
    else:
        path = path.resolve()  # of a link, the folder that it points to is replaced
        nearest = next(each for each in (path, *path.parents) if each.exists())
        if not nearest.is_dir():
            raise UserError(f"{output}: {nearest} is a file. Choose another folder.")
        around = path.parent if nearest == path else nearest
        if not os.access(around, os.W_OK | os.X_OK):
            raise UserError(f"{output}: {around} may not be written. Choose another folder.")
    folder = Folder(output if path is None else path)
    names = folder.names()
    if not names:
        return
    about = folder.read_json(ABOUT) if ABOUT in names else None
    if not isinstance(about, dict) or not {"format", "fingerprint"} <= about.keys():
        raise UserError(
            f"{output}: exists and is not an export. Choose another folder, or remove it."
        )
    if not fresh:
        raise UserError(
            f"{output}: an export is there already. Replace it with --fresh, or choose another "
            "folder."
        )


@contextmanager
def _writing(output: str) -> Iterator[Path]:
    """Yield a folder to fill; it becomes the output when the block succeeds.

    At a URI, `export.json` comes last, and goes first from what is replaced.
    """
    path = path_of(output)
    if path is not None:
        with replacing_folder(path) as beside:
            yield beside
        return
    with tempfile.TemporaryDirectory(prefix="siamese-export-") as temporary:
        yield Path(temporary)
        _upload(Path(temporary), Folder(output))


def _upload(folder: Path, remote: Folder) -> None:
    _clear(remote)
    files = [each.relative_to(folder) for each in folder.rglob("*") if each.is_file()]
    try:
        for name in sorted(files, key=lambda name: str(name) == ABOUT):
            target = remote if name.parent == Path() else remote / name.parent.as_posix()
            target.write_bytes(name.name, (folder / name).read_bytes())
    except BaseException:
        _clear(remote)
        raise


def _clear(remote: Folder) -> None:
    for name in sorted(remote.names(), key=lambda name: name != ABOUT):
        remote.remove(name)
