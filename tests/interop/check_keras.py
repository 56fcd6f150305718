"""The real Keras 3 and tf_keras (Keras 2) against us, as run.sh calls it:

    python tests/interop/check_keras.py BUILD/interop BIN

Out: both load what export wrote of each model and give the probabilities that infer gives. In: what they saved of it (.h5, .keras,
.weights.h5) is read here, scores alike and has the same bits. VGG16 at 150 x 150 too, and the models of tests/golden/keras_files.py."""
import json
import os
import subprocess
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import h5py
import keras
import numpy as np
import tf_keras
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT, BIN = sys.argv[1], sys.argv[2]
DIR = os.path.join(ROOT, "keras")
LIMIT = 1e-5
MEAN = np.array([103.939, 116.779, 123.68], np.float32)
passed = failed = 0


def check(what, ok, note=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok  ' if ok else 'FAIL'} {what}{': ' if note else ''}{note}", flush=True)


def program(*args):
    r = subprocess.run([os.path.join(BIN, args[0]), *args[1:]], capture_output=True, text=True)
    if r.returncode:
        print("    " + " ".join(args) + "\n    " + (r.stdout + r.stderr).strip()[-600:])
    return r


def paths(folder):
    return sorted(os.path.join(folder, f) for f in os.listdir(folder))


def scores(model, folder):
    """Ours: the sigmoid's output, which is the probability of the second class, by picture; None where infer fails."""
    r = program("infer", "--faces-are-cut", "--quiet", "--json", "-", "--model", model, *paths(folder))
    if r.returncode:
        return None
    by_path = {x["path"]: x["score"] for x in json.loads(r.stdout)["results"]}
    return np.array([1 - by_path[p] for p in paths(folder)])


def pixels(folder, side):
    return np.stack([np.asarray(Image.open(p).convert("RGB").resize((side, side), Image.NEAREST), np.float32) for p in paths(folder)])


def prepare(x, how):
    return x[..., ::-1] - MEAN if how == "caffe" else x * np.float32(1 / 255) if how == "none" else x


def theirs(k, model, x):
    m = k.models.load_model(model, compile=False) if isinstance(model, str) else model
    return m, np.asarray(m.predict(x, verbose=0, batch_size=10))[:, 0]


def close(what, a, b):
    if a is None or b is None:
        check(what, False, "no scores")
        return
    off = float(np.abs(a - b).max())
    check(what, off <= LIMIT and a.shape == b.shape and np.ptp(a) > 1e-3, f"{len(a)} pictures, largest difference {off:.1e}, from {a.min():.3f} to {a.max():.3f}")


def says(path, how):
    """What the file says of classes and preprocessing, to whoever looks."""
    if path.endswith(".keras"):
        with zipfile.ZipFile(path) as z:
            about = json.loads(z.read("metadata.json"))
    else:
        with h5py.File(path) as f:
            about = dict(f.attrs)
    p = json.loads(about["unmask.preprocessing"])
    check(f"{os.path.basename(path)}: metadata", json.loads(about["unmask.classes"]) == ["fake", "real"] and about["unmask.positive"] == "real" and p["preprocessing"] == how)


def same_bits(a, b, what):
    check(f"{what}: the same weights, bit for bit", program("inspect", a, b).returncode == 0)


def model(name, path, how, folder, side, config, back):
    """One model of ours through every door."""
    ours = scores(path, folder)
    x = prepare(pixels(folder, side), how)
    given = ["--classes", "fake,real"] + (["--caffe"] if how == "caffe" else ["--rescale", "1/255"])
    for to, end, readers in (("keras-h5", "h5", (keras, tf_keras)), ("keras", "keras", (keras,))):
        out = os.path.join(DIR, f"{name}.{end}")
        check(f"{name}: export --to {to}", program("export", "--model", path, "--to", to, "--out", out).returncode == 0)
        says(out, how)
        same_bits(path, out, f"{name}.{end}")
        for k in readers:
            m, p = theirs(k, out, x)
            close(f"{name}.{end} in {k.__name__}", ours, p)
            check(f"{name}.{end} in {k.__name__}: flat, named", not any(hasattr(l, "layers") for l in m.layers) and m.layers[-1].name == "dense_1")
            if not back:
                continue
            for saved in ("h5", "keras", "weights.h5"):
                # What Keras saved says nothing of pictures: that is given.
                file, again = os.path.join(DIR, f"{name}_{k.__name__}_{end}.{saved}"), os.path.join(DIR, f"{name}_again.safetensors")
                m.save_weights(file) if saved == "weights.h5" else m.save(file)
                graph = ["--config", config] if saved == "weights.h5" else []
                r = program("export", "--model", file, *given, *graph, "--to", "safetensors", "--out", again)
                check(f"{os.path.basename(file)}: read", r.returncode == 0)
                if r.returncode == 0:
                    same_bits(path, again, os.path.basename(file))
                    close(f"{os.path.basename(file)}: scores", scores(again, folder), p)
                    os.remove(again)


def golden(name, k, folder, side, preprocessing, how):
    """A model that Keras made and saved: whatever it is made of, it scores alike."""
    path, ours = os.path.join(HERE, "..", "golden", "weights", name), os.path.join(DIR, "golden.safetensors")
    r = program("export", "--model", path, "--classes", "fake,real", *preprocessing, "--to", "safetensors", "--out", ours)
    check(f"{name}: read", r.returncode == 0)
    if r.returncode == 0:
        close(f"{name}: scores", scores(ours, folder), theirs(k, path, prepare(pixels(folder, side), how))[1])


def main():
    os.makedirs(DIR, exist_ok=True)
    print(f"keras {keras.__version__}, tf_keras {tf_keras.__version__}")
    small, large = os.path.join(ROOT, "pictures", "test"), os.path.join(ROOT, "pictures150", "test")
    if not os.path.isdir(large):
        subprocess.run([sys.executable, os.path.join(HERE, "pictures.py"), os.path.dirname(large), "150"], check=True)
    config = os.path.join(HERE, "model.json")
    for name, how in (("model", "none"), ("caffe", "caffe")):
        # The weights alone, without the state of their training.
        alone = os.path.join(DIR, f"{name}.safetensors")
        check(f"{name}: read", program("export", "--model", os.path.join(ROOT, f"{name}.safetensors"), "--to", "safetensors", "--out", alone).returncode == 0)
        model(name, alone, how, small, 32, config, name == "model")
    for name, k in (("keras3_tiny.keras", keras), ("keras3_stacked.keras", keras), ("tfkeras_tiny.h5", tf_keras), ("tfkeras_tiny.keras", tf_keras)):
        golden(name, k, small, 32, ["--rescale", "1/255"], "none")
    for name, k in (("keras3_dag.keras", keras), ("keras3_dag.h5", keras), ("tfkeras_dag.h5", tf_keras)):
        golden(name, k, small, 20, [], "inside")
    vgg16 = os.path.join(DIR, "vgg16.safetensors")
    r = program("export", "--model", os.path.join(HERE, "..", "golden", "vgg16.h5"), "--classes", "fake,real", "--rescale", "1/255", "--to", "safetensors", "--out", vgg16)
    check("vgg16: read", r.returncode == 0)
    model("vgg16", vgg16, "none", large, 150, None, False)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
