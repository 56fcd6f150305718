"""ONNX both ways, against onnx.checker and onnxruntime: every variant of an export scores 50 pictures as infer does, and what torch.onnx and
onnx.helper wrote scores here as it does in onnxruntime. Called by run.sh with BUILD/interop and BIN."""
import csv
import glob
import json
import os
import shutil
import subprocess
import sys
import struct

import numpy as np
import onnx
import onnxruntime
from PIL import Image

import helper_models

work, programs = sys.argv[1], sys.argv[2]
out = os.path.join(work, "onnx")
here = os.path.dirname(os.path.abspath(__file__))
test = os.path.join(work, "pictures", "test")
TOLERANCE = 1e-5
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok  ' if ok else 'FAIL'} {name}{': ' if detail else ''}{detail}")


def program(name, *args):
    run = subprocess.run([os.path.join(programs, name), *args], capture_output=True, text=True)
    return run.returncode, run.stderr.strip()


def score(model, *more):
    path = os.path.join(out, "scores.csv")
    status, text = program("infer", "--model", model, "--quiet", "--faces-are-cut", "--device", "cpu", "--csv", path, *more, test)
    if status:
        return None, text
    with open(path) as f:
        rows = {os.path.basename(r["path"]): float(r["score"]) for r in csv.DictReader(f)}
    return np.array([rows[n] for n in names]), ""


def tensors(path):
    with open(path, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    return {k: data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in header.items() if not k.startswith("optimizer/")}


def runtime(path, x, batch):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[i:i + batch]})[0] for i in range(0, len(x), batch)]).reshape(-1)


def apart(a, b):
    return float(np.max(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))))


onnxruntime.set_default_logger_severity(3)
shutil.rmtree(out, ignore_errors=True)
os.makedirs(out)
names = sorted(os.listdir(test))
pixels = np.stack([np.asarray(Image.open(os.path.join(test, n)).convert("RGB")) for n in names])
mean = np.array([103.939, 116.779, 123.68], np.float32)

for which in ("model", "caffe"):
    model = os.path.join(work, which + ".safetensors")
    want, why = score(model)
    check(f"{which}: infer scores it", want is not None, why)
    if want is None:
        continue
    check(f"{which}: its scores differ", want.max() - want.min() > 0.02, f"{want.min():.4f} to {want.max():.4f}")
    inside = pixels.astype(np.float32)
    outside = inside[..., ::-1] - mean if which == "caffe" else inside * np.float32(1 / 255)
    for layout in ("nhwc", "nchw"):
        for kind, options, x in (("float", [], outside), ("pixels", ["--with-preprocessing"], inside), ("uint8", ["--uint8"], pixels)):
            name = f"{which}, {layout}, {kind}"
            path = os.path.join(out, f"{which}_{layout}_{kind}.onnx")
            status, text = program("export", "--quiet", "--model", model, "--to", "onnx", "--layout", layout, *options, "--out", path)
            if status:
                check(name, False, text)
                continue
            proto = onnx.load(path)
            try:
                onnx.checker.check_model(proto, full_check=True)
            except Exception as e:
                check(name, False, str(e))
                continue
            props = {p.key: p.value for p in proto.metadata_props}
            check(f"{name}: metadata and names", json.loads(props["unmask.classes"]) == ["fake", "real"] and props["unmask.positive"] == "real" and
                  json.loads(props["unmask.preprocessing"])["target_size"] == [32, 32] and proto.graph.output[0].name == "fake_probability")
            turned = np.ascontiguousarray(x if layout == "nhwc" else x.transpose(0, 3, 1, 2))
            for batch in (1, 7, 50):
                off = apart(runtime(path, turned, batch), want)
                check(f"{name}: onnxruntime, batches of {batch}", off <= TOLERANCE, f"at most {off:.1e} apart")
            got, why = score(path)
            check(f"{name}: infer on the file itself", got is not None and apart(got, want) <= TOLERANCE, why or f"{apart(got, want):.1e}")
            back = os.path.join(out, "back.safetensors")
            status, text = program("export", "--quiet", "--model", path, "--to", "safetensors", "--out", back)
            check(f"{name}: there and back, every bit", status == 0 and tensors(back) == tensors(model), text)

# What other tools write.
foreign = {}
for name, (proto, layout, factor) in helper_models.all_models().items():
    path = os.path.join(out, f"helper_{name}.onnx")
    onnx.save(proto, path)
    foreign[path] = layout, factor
for python in (os.environ.get("INTEROP_TORCH"), sys.executable, "/usr/bin/python3"):
    if python and subprocess.run([python, "-c", "import torch.onnx"], capture_output=True).returncode == 0:
        run = subprocess.run([python, os.path.join(here, "torch_models.py"), out], capture_output=True, text=True)
        check("torch.onnx writes its models", run.returncode == 0, run.stderr.strip()[-300:])
        break
else:
    print("note: no Python with PyTorch here (INTEROP_TORCH names one): what torch.onnx writes is not checked")
for path in sorted(glob.glob(os.path.join(out, "torch_*.onnx"))):
    foreign[path] = "nchw", 1 / 255
for path, (layout, factor) in foreign.items():
    name = os.path.basename(path)
    kind = onnx.load(path).graph.input[0].type.tensor_type.elem_type
    x = pixels if kind == onnx.TensorProto.UINT8 else pixels.astype(np.float32) * np.float32(factor)
    x = np.ascontiguousarray(x if layout == "nhwc" else x.transpose(0, 3, 1, 2))
    fixed = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_value
    want = runtime(path, x, fixed or 50)
    ours = os.path.join(out, name + ".safetensors")
    says = [] if name in ("helper_bytes.onnx", "helper_caffe.onnx") else ["--rescale", repr(factor)]
    status, text = program("export", "--quiet", "--model", path, "--to", "safetensors", "--classes", "real,fake", *says, "--out", ours)
    got, why = score(ours) if status == 0 else (None, text)
    tolerance = 2e-3 if "half" in name else TOLERANCE  # the runtime computes in half precision, which is right to 1e-3
    check(f"{name}: scored alike", got is not None and apart(got, want) <= tolerance,
          why or f"{want.min():.4f} to {want.max():.4f}, at most {apart(got, want):.1e} apart")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
