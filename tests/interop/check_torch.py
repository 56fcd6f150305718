"""PyTorch and numpy against unmask, in both directions. Usage: check_torch.py BIN [WORK]

Trains a small detector and a VGG16 for a few steps on pictures made here, then:
  - `export --to torch`: the module of docs/export.md, taken out of that file, loads it; its probabilities on 50 pictures are infer's;
  - safetensors.torch.save_file writes the state dict: infer takes that file and scores alike;
  - torch.save writes it, zip and legacy, by new random weights: `export --config` reads it, infer scores as PyTorch does;
  - `export --to npz`: numpy reads the very bits that the model file has; a numpy.savez of them is read, and scored alike.
Alike: within 1e-5. Needs torch, safetensors and numpy (tried with 1.13.0, 0.4.5, 1.24.2).
"""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

LIMIT = 1e-5
HERE = os.path.dirname(os.path.abspath(__file__))
TINY = (16, "M", 32, "M", 64, "M", 64, "M")
PICTURES = 50


def readme():
    """The names that the first Python block of docs/export.md defines."""
    with open(os.path.join(HERE, "..", "..", "docs", "export.md")) as f:
        code = re.search(r"```python\n(.*?)```", f.read(), re.S).group(1)
    names = {}
    exec(compile(code, "docs/export.md", "exec"), names)
    return names


def write_png(path, rgb):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = rgb.shape
    rows = b"".join(b"\0" + rgb[y].tobytes() for y in range(height))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pictures(folder, side, count):
    """Faces of a kind: blocks of colour with noise, more of it in the real ones. Returns them as one array, in the order of their names."""
    dice = np.random.default_rng(7)
    all_of_them = []
    for label in ("fake", "real"):
        os.makedirs(os.path.join(folder, label))
        for i in range(count // 2):
            blocks = dice.integers(0, 256, (5, 5, 3)).repeat(side // 5 + 1, 0).repeat(side // 5 + 1, 1)[:side, :side]
            noise = dice.normal(0, 40 if label == "real" else 8, (side, side, 3))
            rgb = np.clip(blocks + noise, 0, 255).astype(np.uint8)
            write_png(os.path.join(folder, label, "%03d.png" % i), rgb)
            all_of_them.append(rgb)
    return np.stack(all_of_them)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s: status %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done.stdout


def scores(bin_, model, folder):
    out = json.loads(run(bin_ + "/infer", "--model", model, "--faces-are-cut", "--device", "cpu", "--quiet", "--json", "-", folder))
    by_path = {r["path"]: r["score"] for r in out["results"]}
    assert len(by_path) == PICTURES and None not in by_path.values()
    return np.array([by_path[p] for p in sorted(by_path)])


def probabilities(model, inputs):
    with torch.no_grad():
        return np.array(torch.cat([model(part) for part in inputs.split(10)]).tolist())


def compare(what, a, b):
    difference = float(np.abs(a - b).max())
    print("  %-58s %.2g" % (what, difference))
    if not difference <= LIMIT:
        sys.exit("%s: differs by %g, allowed is %g" % (what, difference, LIMIT))


def check(bin_, work, name, side, widths, preprocessing, settings, whole=True):
    """whole False: without what takes infer another run over all pictures."""
    names = readme()
    size = {"side": side, "units": 32 if name == "tiny" else 256, "widths": widths}
    os.makedirs(work)
    faces = os.path.join(work, "faces")
    pixels = torch.frombuffer(bytearray(pictures(faces, side, PICTURES).tobytes()), dtype=torch.uint8).view(PICTURES, side, side, 3)

    def path(name):
        return os.path.join(work, name)

    config = {"data": {"train_dir": faces, "target_size": [side, side], "preprocessing": preprocessing, "batch_size": 10},
              "model": {"backbone": name, "weights": None, "head": [{"flatten": {}}, {"dense": {"units": size["units"], "activation": "relu"}},
                                                                    {"dense": {"units": 1, "activation": "sigmoid"}}]},
              "optimizer": {"name": "rmsprop", "learning_rate": 1e-4}, **settings}
    with open(path("config.json"), "w") as f:
        json.dump(config, f)
    run(bin_ + "/train", "--config", path("config.json"), "--out", path("run"), "--device", "cpu", "--quiet")
    ours = path("run/last.safetensors")
    score = scores(bin_, ours, faces)
    print("%s, %d x %d, %s: scores from %.4f to %.4f" % (name, side, side, preprocessing, score.min(), score.max()))

    run(bin_ + "/export", "--model", ours, "--to", "torch", "--out", path("torch.safetensors"), "--quiet")
    model, about = names["load"](path("torch.safetensors"), **size)
    inputs = names["prepare"](pixels, about)
    assert json.loads(about["unmask.classes"]) == ["fake", "real"] and about["unmask.positive"] == "real"
    compare("PyTorch on our export", probabilities(model, inputs), score)
    if whole:
        compare("infer on our export", scores(bin_, path("torch.safetensors"), faces), score)

    torch.manual_seed(11)
    fresh = names["Detector"](**size).eval()
    with torch.no_grad():
        for p in fresh.parameters():
            p.mul_(1.5 if preprocessing == "none" else 0.5)  # the inputs are 255 times as large
    wanted = probabilities(fresh, inputs)
    save_file({n: t.contiguous() for n, t in fresh.state_dict().items()}, path("theirs.safetensors"), about)
    compare("infer on a file of safetensors.torch", scores(bin_, path("theirs.safetensors"), faces), wanted)
    for file, content, zip_ in (("zip.pt", fresh.state_dict(), True), ("legacy.pth", {"epoch": 1, "state_dict": fresh.state_dict()}, False))[:2 if whole else 1]:
        torch.save(content, path(file), _use_new_zipfile_serialization=zip_)
        run(bin_ + "/export", "--model", path(file), "--config", path("config.json"), "--classes", "fake,real",
            "--to", "safetensors", "--out", path(file + ".model"), "--quiet")
        compare("infer on a file of torch.save, " + file, scores(bin_, path(file + ".model"), faces), wanted)
    run(bin_ + "/export", "--model", path("zip.pt.model"), "--to", "torch", "--out", path("back.safetensors"), "--quiet")
    with safe_open(path("back.safetensors"), framework="pt") as f:
        assert set(f.keys()) == set(fresh.state_dict())
        for n, t in fresh.state_dict().items():
            assert torch.equal(f.get_tensor(n), t), n
    print("  PyTorch's weights there and back: every bit")

    run(bin_ + "/export", "--model", ours, "--to", "npz", "--out", path("model.npz"), "--quiet")
    with np.load(path("model.npz")) as z, safe_open(ours, framework="numpy") as f:
        arrays = {n: z[n] for n in z.files if n != "unmask.json"}
        about = json.loads(z["unmask.json"])
        for n, a in arrays.items():
            assert a.tobytes() == f.get_tensor(n).tobytes() and a.shape == f.get_tensor(n).shape, n
        assert json.loads(about["unmask.classes"]) == ["fake", "real"] and len(arrays) == len(model.state_dict())
    print("  numpy on our .npz: every bit of %d arrays" % len(arrays))
    if not whole:
        return
    compare("infer on our .npz", scores(bin_, path("model.npz"), faces), score)
    np.savez_compressed(path("theirs.npz"), **arrays)
    run(bin_ + "/export", "--model", path("theirs.npz"), "--config", path("config.json"), "--classes", "fake,real", "--to", "safetensors",
        "--out", path("npz.model"), "--quiet")
    compare("infer on a file of numpy.savez_compressed", scores(bin_, path("npz.model"), faces), score)


def main():
    bin_ = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        work = sys.argv[2] if len(sys.argv) > 2 else work
        print("torch %s, numpy %s" % (torch.__version__, np.__version__))
        check(bin_, os.path.join(work, "tiny"), "tiny", 64, TINY, "none", {"epochs": 12})
        check(bin_, os.path.join(work, "caffe"), "tiny", 50, TINY, "caffe", {"epochs": 2, "optimizer": {"name": "rmsprop", "learning_rate": 1e-5}})
        check(bin_, os.path.join(work, "vgg16"), "vgg16", 150, readme()["VGG16"], "none", {"epochs": 1}, whole=False)


main()
