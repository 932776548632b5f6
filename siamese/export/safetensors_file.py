"""Weights as a safetensors file, without the package or torch.

https://huggingface.co/docs/safetensors: the length of a JSON header, the header, the numbers.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write float32 arrays by name.

    Args:
        path: of the file.
        arrays: in the order that they are to be stored in.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    blocks, end = [], 0
    for name, array in arrays.items():
        block = np.ascontiguousarray(array, "<f4").tobytes()
        offsets = [end, end := end + len(block)]
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": offsets}
        blocks.append(block)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers lie aligned
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))
