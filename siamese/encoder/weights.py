"""The numbers that an encoder consists of, from a Keras model or from its file."""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from siamese.errors import UserError

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import keras


# What reading a damaged file raises. (RuntimeError: an encrypted archive; NotImplementedError: an
# unknown compression; struct.error, zlib.error, EOFError: one that is cut.)
_DAMAGE = (
    *(KeyError, IndexError, OSError, ValueError, TypeError, RuntimeError, NotImplementedError),
    *(OverflowError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)


class Layer(NamedTuple):
    """A bidirectional LSTM's weights, forward direction first; gates as Keras orders them.

    Attributes:
        kernel: of the inputs, float32 `[2, inputs, 4 units]`.
        recurrent: of the outputs before, float32 `[2, units, 4 units]`.
        bias: float32 `[2, 4 units]`.
    """

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray


class Weights(NamedTuple):
    """All weights of an encoder.

    Attributes:
        characters: the embedding of each id, float32 `[vocabulary, embedding_dim]`.
        layers: of the LSTM, the first one first.
        attention: the kernel of `AttentionPooling`, float32 `[outputs, heads]`; else None.
    """

    characters: np.ndarray
    layers: tuple[Layer, ...]
    attention: np.ndarray | None

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return sum(array.size for array in self.flat())

    @property
    def embedding_dim(self) -> int:
        """How many numbers an embedding of a text has."""
        return 2 * self.layers[-1].recurrent.shape[1]

    def flat(self) -> list[np.ndarray]:
        """All arrays, in the order of `keras.Model.set_weights`."""
        arrays = [self.characters]
        for layer in self.layers:
            for direction in range(2):
                arrays += [array[direction] for array in layer]
        return arrays if self.attention is None else [*arrays, self.attention]


def weights_of(model: "keras.Model") -> Weights:
    """A copy of the weights that a model of `build_encoder` has now."""
    arrays = [np.array(array) for array in model.get_weights()]
    attention = arrays.pop() if (len(arrays) - 1) % 6 else None
    return _assembled(arrays, attention)


def read_weights(path: Path) -> Weights:
    """Read the weights from the file that `keras.Model.save` writes, without TensorFlow.

    Nothing else of the file is looked at, nothing in it is run, and no other file is opened,
    whatever it says. It takes no more memory than the file is long.

    Raises:
        UserError: it is not such a file, or not of an encoder.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            content = _stored(archive, "model.weights.h5")
        with h5py.File(io.BytesIO(content), "r") as file:
            layers = _member(file, "layers")
            # Keras names a layer by its class and, from the second on, a number.
            arrays = [_array(layers, "embedding/vars/0", len(content))]
            count = sum(name.startswith("bidirectional") for name in layers)
            for number in range(count):
                name = f"bidirectional_{number}" if number else "bidirectional"
                for direction in ("forward_layer", "backward_layer"):
                    cell = f"{name}/{direction}/cell/vars"
                    arrays += [_array(layers, f"{cell}/{n}", len(content)) for n in range(3)]
            pooled = "attention_pooling" in layers
            attention = _array(layers, "attention_pooling/vars/0", len(content)) if pooled else None
        weights = _assembled(arrays, attention)
        _check_shapes(weights)
    except _DAMAGE as error:
        raise UserError(f"{path}: not the weights of an encoder ({error}).") from None
    return weights


def heads_of(outputs: int, heads: int) -> np.ndarray:
    """Which head of `AttentionPooling` weighs each output, `[outputs]`: equal parts, or nearly."""
    return np.arange(outputs) * heads // outputs


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member of a ZIP archive as Keras writes it: not compressed, so as long as it is."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _member(group: Any, path: str) -> Any:
    """Follow names down an HDF5 group: hard links only, for others can lead to other files."""
    import h5py

    for name in path.split("/"):
        if not isinstance(group, h5py.Group):
            raise ValueError(f"{path}: not a group")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path} is not in it")
        group = group[name]
    return group


def _array(layers: Any, path: str, most: int) -> np.ndarray:
    """Read finite float32 numbers that lie in the file as they are.

    Not so: an array of pieces, which can be compressed, or not there at all and huge; one whose
    numbers are in other files; one that claims more than `most` bytes.
    """
    import h5py

    dataset = _member(layers, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != np.float32:
        raise ValueError(f"{path}: not an array of float32 numbers")
    layout = dataset.id.get_create_plist().get_layout()
    own = layout in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS) and not dataset.external
    if not own or dataset.shape is None or dataset.nbytes > most:
        raise ValueError(f"{path} is not in it")
    if dataset.id.get_storage_size() != dataset.nbytes:
        raise ValueError(f"{path} is not in it as a whole")
    array = dataset[()]
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: NaN or infinity among its numbers")
    return np.asarray(array)


def _check_shapes(weights: Weights) -> None:
    """Check that arrays fit each other."""
    if weights.characters.ndim != 2 or not weights.layers:
        raise ValueError("no characters, or no layers")
    inputs = weights.characters.shape[1]
    for kernel, recurrent, bias in weights.layers:
        units = recurrent.shape[1]
        shapes = [(2, inputs, 4 * units), (2, units, 4 * units), (2, 4 * units)]
        if not units or [kernel.shape, recurrent.shape, bias.shape] != shapes:
            raise ValueError(f"layers of shapes {kernel.shape}, {recurrent.shape}, {bias.shape}")
        inputs = 2 * units
    attention = weights.attention
    if attention is not None and (attention.ndim != 2 or len(attention) != inputs):
        raise ValueError(f"attention of shape {attention.shape}")


def _assembled(arrays: list[np.ndarray], attention: np.ndarray | None) -> Weights:
    characters, *cells = arrays
    layers = []
    for start in range(0, len(cells), 6):
        forward, backward = cells[start : start + 3], cells[start + 3 : start + 6]
        layers.append(Layer(*(np.stack(both) for both in zip(forward, backward, strict=True))))
    return Weights(characters, tuple(layers), attention)
