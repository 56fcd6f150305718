"""Writes numpy arrays as safetensors, for scripts run where that library is not installed."""
import json
import struct

import numpy as np

TYPES = {"float32": "F32", "int32": "I32", "uint8": "U8", "float16": "F16"}


def save(path, tensors, metadata=None):
    header, blobs, at = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    # Wide types first, so that every tensor is aligned.
    for name, a in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        a = np.ascontiguousarray(a)
        header[name] = {"dtype": TYPES[str(a.dtype)], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        blobs.append(a.astype(a.dtype.newbyteorder("<")).tobytes())
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def picture(height, width):
    """The picture of tests/support/picture.c: integers only, so that both are the same to the bit."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    v = x * x * 13 + y * y * 7 + x * y * 3 + c * 85 + ((x >> 3) ^ (y >> 3)) * 37
    return ((v >> (1 + c)) & 255).astype(np.uint8)
