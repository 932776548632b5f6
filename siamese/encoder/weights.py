"""The numbers that an encoder consists of, from a Keras model or from its file."""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from siamese.errors import UserError

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import keras


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

    Nothing else of the file is looked at, and nothing in it is run.

    Raises:
        UserError: it is not such a file, or not of an encoder.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            layers = file["layers"]
            # Keras names a layer by its class and, from the second on, a number.
            arrays = [_array(file, "layers/embedding/vars/0")]
            count = sum(name.startswith("bidirectional") for name in layers)
            for number in range(count):
                name = f"layers/bidirectional_{number}" if number else "layers/bidirectional"
                for direction in ("forward_layer", "backward_layer"):
                    cell = f"{name}/{direction}/cell/vars"
                    arrays += [_array(file, f"{cell}/{place}") for place in range(3)]
            pooled = "attention_pooling" in layers
            attention = _array(file, "layers/attention_pooling/vars/0") if pooled else None
    except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not the weights of an encoder ({error}).") from None
    return _assembled(arrays, attention)


def heads_of(outputs: int, heads: int) -> np.ndarray:
    """Which head of `AttentionPooling` weighs each output, `[outputs]`: equal parts, or nearly."""
    return np.arange(outputs) * heads // outputs


def _array(file: Any, name: str) -> np.ndarray:
    dataset = file[name]
    if dataset.file != file or dataset.external:  # HDF5 can point to other files
        raise ValueError(f"{name} is not in it")
    return np.asarray(dataset, np.float32)


def _assembled(arrays: list[np.ndarray], attention: np.ndarray | None) -> Weights:
    characters, *cells = arrays
    layers = []
    for start in range(0, len(cells), 6):
        forward, backward = cells[start : start + 3], cells[start + 3 : start + 6]
        layers.append(Layer(*(np.stack(both) for both in zip(forward, backward, strict=True))))
    return Weights(characters, tuple(layers), attention)
