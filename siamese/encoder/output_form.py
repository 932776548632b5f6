"""In which form embeddings are returned: cut, to unit length, in few bits, as a tensor.

The arguments are those of `SentenceTransformer.encode`, and so is what they do.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np

from siamese.encoder.arguments import checked_count, checked_flag

Precision = Literal["float32", "int8", "uint8", "binary", "ubinary"]


class OutputForm(NamedTuple):
    """What is made of whole float32 embeddings, in this order.

    Attributes:
        truncate_dim: how many of an embedding's first numbers are kept; None: all.
        normalize: whether every embedding is scaled to unit length (zeros stay zeros).
        precision: the kind of the numbers; see `quantized`.
        container: a numpy array, a torch tensor, or a list of torch tensors.
    """

    truncate_dim: int | None
    normalize: bool
    precision: Precision
    container: Literal["array", "tensor", "tensors"]

    def of(self, embeddings: np.ndarray) -> Any:
        """Bring embeddings, float32 `[n, dim]`, into this form.

        Raises:
            ValueError: as in `quantized`.
        """
        embeddings = embeddings[:, : self.truncate_dim]
        if self.normalize:
            norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
            embeddings = embeddings / np.where(norms > 0, norms, 1)
        embeddings = quantized(embeddings, self.precision)
        if self.container == "array":
            return embeddings
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(embeddings))
        return tensor if self.container == "tensor" else list(tensor)


def output_form(normalize: bool, others: Mapping[str, Any]) -> OutputForm:
    """Read `convert_to_numpy`, `convert_to_tensor`, `precision` and `truncate_dim`.

    Args:
        normalize: whether embeddings are scaled to unit length.
        others: what was passed to `encode`, by name; other arguments are not looked at.

    Raises:
        TypeError: one is of the wrong type, or no precision; or a tensor is asked for, and torch is
            not installed.
        ValueError: `truncate_dim` is not positive.
    """
    precision: Any = others.get("precision") or "float32"
    if not isinstance(precision, str) or precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise TypeError(f"precision must be one of {known}, found {precision!r}")
    as_array = others.get("convert_to_numpy", True)
    if not isinstance(as_array, (bool, np.bool_)):
        raise TypeError(f"convert_to_numpy must be True or False, found {as_array!r}")
    container: Literal["array", "tensor", "tensors"] = "array" if as_array else "tensors"
    if checked_flag("convert_to_tensor", others.get("convert_to_tensor")):
        container = "tensor"
    if container != "array" and find_spec("torch") is None:
        asked = "convert_to_tensor=True" if container == "tensor" else "convert_to_numpy=False"
        raise TypeError(
            f"encode: {asked} needs torch: pip install 'siamese-ray[sentence-transformers]'"
        )
    dim = _truncate_dim(others.get("truncate_dim"))
    return OutputForm(dim, normalize, cast(Precision, precision), container)


def quantized(embeddings: np.ndarray, precision: Precision) -> np.ndarray:
    """Turn float32 embeddings `[n, dim]` into numbers of fewer bits.

    - `int8` and `uint8`: each of the `dim` numbers by its place among 255 equal steps from its
      least to its greatest value in these embeddings. So they depend on each other: to compare
      with others, turn all of them at once.
    - `binary` and `ubinary`: a bit for each number, 1 where it is above 0, eight in an int8 or a
      uint8: `[n, ceil(dim / 8)]`.

    Raises:
        ValueError: `int8` or `uint8` of a single embedding, which has no range.
    """
    if precision == "float32":
        return embeddings
    if precision in ("binary", "ubinary"):
        bits = np.packbits(embeddings > 0, axis=-1)
        return bits if precision == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
    if len(embeddings) == 1:
        raise ValueError(
            f"precision {precision} of a single embedding: its numbers have no range. Encode many "
            "sentences at once."
        )
    least = embeddings.min(axis=0, initial=np.inf)
    steps = (embeddings.max(axis=0, initial=-np.inf) - least) / 255
    steps = np.where(steps == 0, 1, steps)
    places = np.clip(np.floor((embeddings - least) / steps), 0, 255)
    return (places - 128).astype(np.int8) if precision == "int8" else places.astype(np.uint8)


def _truncate_dim(value: Any) -> int | None:
    return None if value is None else checked_count("truncate_dim", value)
