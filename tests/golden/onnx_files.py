"""Small ONNX files that real tools wrote, with what onnxruntime makes of them, for tests/test_onnx.c: tests/golden/onnx/*.onnx and
expected.txt (a line a file: its name, how its pixels lie, what they are multiplied by, then three scores).

    python tests/golden/onnx_files.py          (with what tests/interop/requirements.txt names)

torch_*: torch.onnx of PyTorch 1.13 (tests/interop/torch_models.py, run by the Python of INTEROP_TORCH or /usr/bin/python3);
helper_*: onnx.helper (tests/interop/helper_models.py). Picture i is 32 x 32 x 3 bytes, word(60 + i, k) of keras_formula.py modulo 256.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

here = os.path.dirname(os.path.abspath(__file__))
interop = os.path.join(here, "..", "interop")
sys.path.insert(0, interop)
import helper_models
import keras_formula as formula

OUT = os.path.join(here, "onnx")
TORCH = ("torch_vgg_norm", "torch_vgg_view", "torch_pooled", "torch_normalized")
os.makedirs(OUT, exist_ok=True)
pixels = np.stack([(formula.word(60 + i, np.arange(32 * 32 * 3)) % np.uint32(256)).astype(np.uint8).reshape(32, 32, 3) for i in range(3)])
lines = []


def add(name, data, layout, factor):
    path = os.path.join(OUT, name + ".onnx")
    with open(path, "wb") as f:
        f.write(data)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = pixels if session.get_inputs()[0].type == "tensor(uint8)" else pixels.astype(np.float32) * np.float32(factor)
    x = np.ascontiguousarray(x if layout == "nhwc" else x.transpose(0, 3, 1, 2))
    score = session.run(None, {session.get_inputs()[0].name: x})[0].reshape(-1)
    lines.append(f"{name} {layout} {factor!r} " + " ".join(f"{s:.9g}" for s in score))


with tempfile.TemporaryDirectory() as folder:
    python = os.environ.get("INTEROP_TORCH", "/usr/bin/python3")
    subprocess.run([python, os.path.join(interop, "torch_models.py"), folder], check=True)
    for name in TORCH:
        with open(os.path.join(folder, name + ".onnx"), "rb") as f:
            add(name, f.read(), "nchw", 1 / 255)
for name, (proto, layout, factor) in helper_models.all_models().items():
    add("helper_" + name, proto.SerializeToString(), layout, factor)
with open(os.path.join(OUT, "expected.txt"), "w") as f:
    f.write("\n".join(lines) + "\n")
print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}: {len(lines)} files")
