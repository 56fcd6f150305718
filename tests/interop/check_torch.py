"""PyTorch and numpy, both ways. The module of docs/export.md, taken out of that file, loads what export wrote and scores 50 pictures as infer
does; what safetensors.torch, torch.save (zip and legacy) and numpy wrote is read here and scores alike; weights that go there and back
keep every bit. Called by run.sh with BUILD/interop and BIN.

Where its Python has no PyTorch, it goes on in an environment around one that has: $TORCH_PYTHON, else Debian's (python3-torch).
Tried with torch 1.13.0, safetensors 0.4.5, numpy 1.24.2.
"""
import csv
import glob
import json
import os
import re
import shutil
import subprocess
import sys

work, programs = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
try:
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file
except ImportError:
    if len(sys.argv) > 3:
        raise
    python = os.environ.get("TORCH_PYTHON", "/usr/bin/python3")
    env = os.path.join(work, "torch_env")
    if subprocess.run([python, "-c", "import torch, PIL"]).returncode != 0:
        print("%s has no torch and PIL: apt-get install python3-torch python3-pil, or set TORCH_PYTHON" % python)
        print("0 passed, 1 failed")
        sys.exit(1)
    if not os.path.exists(os.path.join(env, "made")):
        subprocess.run([python, "-m", "venv", "--clear", "--system-site-packages", env], check=True)
        subprocess.run([os.path.join(env, "bin", "python"), "-m", "pip", "-q", "install", "safetensors==0.4.5"], check=True)
        open(os.path.join(env, "made"), "w").close()
    inner = os.path.join(env, "bin", "python")
    os.execv(inner, [inner, __file__, work, programs, "inside"])
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

TOLERANCE = 1e-5
here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(work, "torch")
pictures = os.path.join(work, "pictures", "test")
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print("%s %s%s" % ("ok  " if ok else "FAIL", name, detail and ": " + detail))


def near(name, a, b):
    difference = float(np.abs(a - b).max())
    check(name, difference <= TOLERANCE, "%.2g apart, scores from %.3f to %.3f" % (difference, b.min(), b.max()))


def program(name, *args):
    done = subprocess.run([os.path.join(programs, name), *args, "--quiet"], capture_output=True, text=True)
    if done.returncode != 0:
        check("%s %s" % (name, " ".join(args)), False, done.stderr.strip())
        print("%d passed, %d failed" % (passed, failed))
        sys.exit(1)


def export(source, target, *args):
    program("export", "--model", source, "--out", target, *args)


def infer(model):
    table = os.path.join(out, "scores.csv")
    program("infer", "--model", model, "--faces-are-cut", "--device", "cpu", "--csv", table, pictures)
    with open(table) as f:
        rows = sorted((row["path"], float(row["score"])) for row in csv.DictReader(f))
    assert len(rows) == 50
    return np.array([score for _, score in rows])


def read_pixels(side):
    """The pictures, N x side x side x 3; enlarged by repetition, as `nearest` does."""
    all_of_them = [np.asarray(Image.open(p).convert("RGB")) for p in sorted(glob.glob(os.path.join(pictures, "*.png")))]
    times = side // all_of_them[0].shape[0]
    return torch.frombuffer(bytearray(np.stack(all_of_them).repeat(times, 1).repeat(times, 2).tobytes()), dtype=torch.uint8).view(-1, side, side, 3)


def probabilities(model, inputs):
    with torch.no_grad():
        return np.array(torch.cat([model(part) for part in inputs.split(10)]).tolist())


def documented():
    """The names that the Python block of docs/export.md's section on PyTorch defines."""
    with open(os.path.join(here, "..", "..", "docs", "export.md")) as f:
        code = re.search(r"## PyTorch\n.*?```python\n(.*?)```", f.read(), re.S).group(1)
    names = {}
    exec(compile(code, "docs/export.md", "exec"), names)
    return names


def same_bits(path, state):
    with safe_open(path, framework="pt") as f:
        return set(f.keys()) == set(state) and all(torch.equal(f.get_tensor(n), t) for n, t in state.items())


def files_of_torch(what, model, config, inputs):
    """A model of PyTorch's own, saved in its ways, read and scored here."""
    wanted, state = probabilities(model, inputs), model.state_dict()
    parallel = torch.nn.DataParallel(model).state_dict()
    for name, content, zip_ in (("zip.pt", state, True), ("legacy.pth", state, False), ("checkpoint.pth", {"epoch": 1, "state_dict": parallel}, True)):
        path = os.path.join(out, name)
        torch.save(content, path, _use_new_zipfile_serialization=zip_)
        export(path, path + ".model", "--to", "safetensors", "--config", config, "--classes", "fake,real")
        if name == "zip.pt":
            near("%s: torch.save" % what, infer(path + ".model"), wanted)
        export(path + ".model", path + ".back", "--to", "torch")
        check("%s: torch.save, %s, there and back: every bit" % (what, name), same_bits(path + ".back", state))


def main():
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    doc = documented()
    torch.manual_seed(11)
    with open(os.path.join(here, "model.json")) as f:
        config = json.load(f)
    for which in ("model", "caffe"):
        ours, theirs, npz = (os.path.join(out, which + end) for end in (".torch", ".theirs", ".npz"))
        source = os.path.join(work, which + ".safetensors")
        score = infer(source)
        export(source, ours, "--to", "torch")
        size = {"side": config["data"]["target_size"][0], "units": 256, "widths": (16, "M", 32, "M", 64, "M", 64, "M")}
        model, about = doc["load"](ours, **size)
        inputs = doc["prepare"](read_pixels(size["side"]), about)
        check("%s: metadata" % which, json.loads(about["unmask.classes"]) == ["fake", "real"] and about["unmask.positive"] == "real")
        near("%s: the module of docs/export.md on our export" % which, probabilities(model, inputs), score)

        fresh = doc["Detector"](**size).eval()
        with torch.no_grad():
            for p in fresh.parameters():
                p.mul_(2 if which == "model" else 0.5)
        save_file(fresh.state_dict(), theirs, about)
        near("%s: safetensors.torch.save_file, new weights" % which, infer(theirs), probabilities(fresh, inputs))

        export(source, npz, "--to", "npz")
        with np.load(npz) as z, safe_open(source, framework="numpy") as f:
            arrays = {n: z[n] for n in z.files if n != "unmask.json"}
            about = json.loads(z["unmask.json"])
            same = all(a.shape == f.get_tensor(n).shape and a.tobytes() == f.get_tensor(n).tobytes() for n, a in arrays.items())
            check("%s: numpy.load: every bit of %d arrays" % (which, len(arrays)), same and len(arrays) == len(model.state_dict()))
            check("%s: numpy.load: metadata" % which, json.loads(about["unmask.classes"]) == ["fake", "real"])
        arrays["block1"] = np.array(["left", "out"])
        np.savez_compressed(theirs + ".npz", **arrays)
        export(theirs + ".npz", theirs + ".model", "--to", "safetensors", "--config", os.path.join(here, "model.json"), "--classes", "fake,real")
        if which == "model":
            near("model: numpy.savez_compressed", infer(theirs + ".model"), score)
            files_of_torch("tiny", fresh, os.path.join(here, "model.json"), inputs)

    vgg16 = os.path.join(out, "vgg16.json")
    config["data"]["target_size"] = [64, 64]
    config["model"]["backbone"] = "vgg16"
    with open(vgg16, "w") as f:
        json.dump(config, f)
    fresh = doc["Detector"](side=64).eval()
    with torch.no_grad():
        for p in fresh.parameters():
            p.mul_(6**0.5)  # He et al.'s spread: values neither fade nor grow
    files_of_torch("vgg16", fresh, vgg16, read_pixels(64).permute(0, 3, 1, 2).float() / 255)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


sys.exit(main())
