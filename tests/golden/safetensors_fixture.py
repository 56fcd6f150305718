"""Writes tests/golden/python.safetensors with the real library, or with an argument reads a file of ours with it.

Pinned: safetensors 0.4.5 (Python 3.11).
  python3 safetensors_fixture.py            write the fixture
  python3 safetensors_fixture.py FILE       list the tensors and the metadata of FILE
"""
import os
import struct
import sys

from safetensors import safe_open, serialize_file

HERE = os.path.dirname(os.path.abspath(__file__))


def write():
    floats = [(-1) ** i * i / 8 for i in range(2 * 3 * 4)]
    tensors = {
        "block/kernel": {"dtype": "float32", "shape": [2, 3, 4], "data": struct.pack("<24f", *floats)},
        "block/scalar": {"dtype": "float32", "shape": [], "data": struct.pack("<f", 0.1)},
        "count": {"dtype": "int32", "shape": [3], "data": struct.pack("<3i", -1, 0, 2**31 - 1)},
        "empty": {"dtype": "int32", "shape": [0, 5], "data": b""},
        # 1.0 is 0x3f80 and -2.5 is 0xc020 in bfloat16, 0x3c00 and 0xc100 in half.
        "brain": {"dtype": "bfloat16", "shape": [2, 1], "data": struct.pack("<2H", 0x3F80, 0xC020)},
        "half": {"dtype": "float16", "shape": [2], "data": struct.pack("<2e", 1.0, -2.5)},
        "text \"quoted\" é": {"dtype": "uint8", "shape": [5], "data": bytes([1, 2, 3, 254, 255])},
    }
    serialize_file(tensors, os.path.join(HERE, "python.safetensors"), {"format": "line one\nline \"two\" \\ é"})


def read(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
    assert n % 8 == 0, n
    with safe_open(path, framework="numpy") as f:
        print(f.metadata())
        for name in sorted(f.keys()):
            s = f.get_slice(name)
            print(name, s.get_dtype(), s.get_shape())


read(sys.argv[1]) if len(sys.argv) > 1 else write()
