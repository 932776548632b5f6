"""Reads a safetensors file by the words of its specification."""

import json

import numpy as np


def read_safetensors(path):
    """All arrays by name; float32, one after the other, aligned, and nothing else in the file."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    assert header.pop("__metadata__") == {"format": "pt"}
    arrays, end = {}, 0
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        assert (entry["dtype"], start) == ("F32", end)
        arrays[name] = np.frombuffer(data[start:stop], "<f4").reshape(entry["shape"])
        end = stop
    assert len(data) == end
    return arrays
