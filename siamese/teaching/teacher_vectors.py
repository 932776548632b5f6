"""What teachers say of texts, read from one or several teacher folders and held in memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from siamese.data.batching import hash_texts
from siamese.encoding.part_folder import read_part
from siamese.errors import UserError
from siamese.storage.folder import Folder
from siamese.teaching.teacher_folder import TEACHER_FOLDER, hash_of, read_manifest

_AT_ONCE = 1 << 15


class TeacherVectors:
    """Texts and the vectors that teachers gave them: half precision, 0.75 KiB for 384 numbers.

    What is asked for is centred: of each teacher, the mean over all texts is subtracted and the
    length set to 1. All cosines of e5, for one, lie between 0.7 and 1; centred, those of texts that
    have nothing in common are about 0. Vectors of several teachers stand side by side, so that a
    cosine is the mean of theirs.

    Args:
        texts: distinct.
        parts: of each teacher its vectors, float16 `[texts, its dim]`.
        hash: changes when texts or vectors do.

    Attributes:
        raw: as the teachers gave them, side by side, float16 `[texts, dim]`.
        hash: changes when texts or vectors do.
    """

    def __init__(
        self, texts: Sequence[str] | pa.Array, parts: Sequence[np.ndarray], hash: str = "in memory"
    ) -> None:
        self._texts = pa.array(texts, pa.large_string())
        self.raw = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        self.hash = hash
        ends = np.cumsum([part.shape[1] for part in parts]).tolist()
        self._columns = [
            slice(end - part.shape[1], end) for end, part in zip(ends, parts, strict=True)
        ]
        total = np.zeros(self.dim)
        for start in range(0, len(self), _AT_ONCE):
            total += self.raw[start : start + _AT_ONCE].sum(axis=0, dtype=np.float64)
        self._mean = (total / len(self)).astype(np.float32)
        hashes = hash_texts(self._texts.to_numpy(zero_copy_only=False))
        self._order = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._order]

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def dim(self) -> int:
        """Return the numbers in a vector, of all teachers together."""
        return int(self.raw.shape[1])

    @property
    def texts(self) -> list[str]:
        """Return all texts, in order; a list made anew."""
        texts: list[str] = self._texts.to_pylist()
        return texts

    def texts_at(self, positions: np.ndarray) -> list[str]:
        """Return the texts at positions."""
        texts: list[str] = self._texts.take(pa.array(positions)).to_pylist()
        return texts

    def find(self, texts: Sequence[str]) -> np.ndarray:
        """Return the position of each text, or -1 if no teacher was asked: int64 `[n]`."""
        values = np.empty(len(texts), object)
        values[:] = texts
        hashes = hash_texts(values)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self) - 1)
        positions = np.where(self._hashes[places] == hashes, self._order[places], -1)
        found = np.flatnonzero(positions >= 0)
        # Two texts may have one hash.
        same = pc.equal(self._texts.take(pa.array(positions[found])), pa.array(values[found]))
        positions[found[~same.to_numpy(zero_copy_only=False).astype(bool)]] = -1
        return positions.astype(np.int64)

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Return centred vectors of unit length, float32 `[n, dim]`.

        Args:
            positions: of texts, int `[n]`. The vector of -1, and of a text that a teacher gave
                zeros, is zeros.
        """
        positions = np.asarray(positions)
        known = positions >= 0
        raw = self.raw[np.where(known, positions, 0)].astype(np.float32)
        for columns in self._columns:
            part = raw[:, columns]
            has_any = known & part.any(axis=1)
            part -= self._mean[columns]
            norms = np.sqrt(np.square(part).sum(axis=1) * len(self._columns))
            part *= np.where(has_any & (norms > 0), 1 / np.maximum(norms, 1e-12), 0)[:, None]
        return raw


def read_teachers(folders: Sequence[str], verify: bool = True) -> TeacherVectors:
    """Read teacher folders: the texts that all of them have, in the first one's order.

    Args:
        folders: local or URIs.
        verify: compare the checksums of all files. For all but the first of several readers of one
            folder it would be the same work again.

    Raises:
        UserError: one is not complete or was altered, or they have no text in common.
    """
    if not folders:
        raise UserError("no teacher folder was given.")
    manifests = [read_manifest(folder) for folder in folders]
    read = [_read(Folder(f), m, verify) for f, m in zip(folders, manifests, strict=True)]
    digest = hash_of(*manifests)
    texts, vectors = read[0]
    if len(read) == 1:
        return TeacherVectors(texts, [vectors], digest)
    places = [pc.index_in(texts, other).fill_null(-1).to_numpy() for other, _ in read[1:]]
    in_all = np.flatnonzero(np.all([place >= 0 for place in places], axis=0))
    if not len(in_all):
        raise UserError(f"{', '.join(map(str, folders))}: no text is in all of them.")
    parts = [vectors[in_all]]
    parts += [v[place[in_all]] for place, (_, v) in zip(places, read[1:], strict=True)]
    return TeacherVectors(texts.take(pa.array(in_all)), parts, digest)


def _read(
    folder: Folder, manifest: dict[str, Any], verify: bool
) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Read the texts and vectors of one folder."""
    vectors = np.empty((manifest["texts"], manifest["dim"]), np.float16)
    texts = []
    start = 0
    for file in manifest["files"]:
        name, end = file["name"], start + file["rows"]
        there = folder.is_file(name)
        if not there or (verify and folder.sha256(name) != file["sha256"]):
            state = "altered or truncated" if there else "missing"
            raise UserError(
                f"{folder / name}: {state} since it was made. Run `siamese teach` again, with "
                "--resume."
            )
        its_texts, its_vectors, _ = read_part(TEACHER_FOLDER, folder, name)
        if its_vectors.shape != (file["rows"], manifest["dim"]):
            raise UserError(
                f"{folder / name}: {' x '.join(map(str, its_vectors.shape))} numbers, where the "
                f"manifest says {file['rows']} x {manifest['dim']}. Run `siamese teach` again."
            )
        vectors[start:end] = its_vectors
        texts.append(its_texts.cast(pa.large_string()))
        start = end
    return pa.concat_arrays(texts), vectors
