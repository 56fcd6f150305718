"""Small files of numpy, each written in another of its ways, for tests/test_npz.c: tests/golden/weights/npz_*.

Made with numpy 1.24.2 (Debian 12).
    /usr/bin/python3 tests/golden/npz_files.py

The model and the values are those of keras_weights.py.
  npz_stored    numpy.savez                        npz_deflated  numpy.savez_compressed
  npz_types     float16, big-endian, float64 in Fortran order, TensorFlow's ":0", and arrays that are left out: texts, objects, fields
  npz_versions  array formats 2.0 and 3.0          npz_one.npy   numpy.save of one array
With an argument: checks that FILE, an export of ours, holds what numpy itself says of the model's arrays, bit by bit (FILE, then
a folder of NAME.f32 with "/" as "."), and prints its metadata.
"""
import io
import json
import os
import sys
import zipfile

import numpy as np

import keras_formula as formula

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")
SHAPES = [(3, 3, 3, 2), (2,), (32, 3), (3,), (3, 1), (1,)]
NAMES = ["block1_conv1/kernel", "block1_conv1/bias", "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]


def value(p):
    count = int(np.prod(SHAPES[p]))
    words = formula.word(100 + p, np.arange(count)) % np.uint32(2001)
    return ((words.astype(np.int32) - 1000) / 1024.0).reshape(SHAPES[p]).astype(np.float32)


def write():
    model = {n: value(p) for p, n in enumerate(NAMES)}
    np.savez(os.path.join(OUT, "npz_stored.npz"), **model)
    np.savez_compressed(os.path.join(OUT, "npz_deflated.npz"), **model)
    odd = {n + ":0": a for n, a in model.items()}
    odd[NAMES[0] + ":0"] = model[NAMES[0]].astype(np.float16)
    odd[NAMES[1] + ":0"] = model[NAMES[1]].astype(">f4")
    odd[NAMES[2] + ":0"] = np.asfortranarray(model[NAMES[2]].astype(np.float64))
    odd["note"] = np.array("a text")
    odd["objects"] = np.array([{"a": 1}], dtype=object)
    odd["fields"] = np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")])
    odd["count"] = np.array(7, dtype=np.int64)
    odd["flags"] = np.array([[True], [False]])
    odd["cube"] = np.asfortranarray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    odd["empty"] = np.zeros((0, 5), dtype=np.float32)
    np.savez(os.path.join(OUT, "npz_types.npz"), **odd)
    with zipfile.ZipFile(os.path.join(OUT, "npz_versions.npz"), "w") as z:
        for i, (n, a) in enumerate(model.items()):
            b = io.BytesIO()
            np.lib.format.write_array(b, a, version=(2 + i % 2, 0))
            z.writestr(zipfile.ZipInfo(n + ".npy"), b.getvalue())
    np.save(os.path.join(OUT, "npz_one.npy"), model[NAMES[2]])


def check(path, folder):
    with np.load(path) as z:
        arrays = [n for n in z.files if n != "unmask.json"]
        for n in arrays:
            a = z[n]
            assert a.dtype == np.dtype("<f4"), (n, a.dtype)
            assert a.tobytes() == open(os.path.join(folder, n.replace("/", ".") + ".f32"), "rb").read(), n
        print(len(arrays), json.loads(z["unmask.json"])["unmask.classes"])


check(*sys.argv[1:]) if len(sys.argv) > 1 else write()
