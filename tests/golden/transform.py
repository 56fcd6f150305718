"""Writes tests/golden/transform.safetensors: Keras' random transform, both generations.

Pinned: Keras-Preprocessing 1.1.2 ("keras2"), keras 3.8.0 and tf_keras 2.18.0 (both "keras3"), scipy 1.17.1, numpy 2.0.2.
  python3 tests/golden/transform.py

Metadata, numbers separated by spaces:
  warp/GENERATION/N   height width fill cval theta tx ty shear zx zy flip_h flip_v step identity m0 .. m5: the parameters, Keras' own
                      matrix as it reaches scipy, and which elements of the output are kept: every step-th of its H W 3
  draw/N              seed epoch sample height width rotation width_shift height_shift shear zoom_low zoom_high flip_h flip_v
                      then theta tx ty shear zx zy flip_h flip_v as get_random_transform gives them from our random numbers
Tensors: warp/GENERATION/N, U8 [n, 2]: the kept elements of the rescaled output as 16-bit numbers, high byte first; 65280 is 1.
"""
import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras.src.legacy.preprocessing.image as keras3
import numpy as np
import scipy.ndimage
import tf_keras
from keras_preprocessing.image import ImageDataGenerator as Generator2

from container import picture, save

warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
tensors, metadata = {}, {}
FILLS = ["nearest", "constant", "reflect", "wrap"]


def numbers(*values):
    return " ".join("%.17g" % float(v) for v in values)


# What the parameters of the recipe may give, then wider ones, then each alone, then nothing.
rng = np.random.RandomState(7)
SETS = []
for i in range(20):
    height, width = ((37, 29), (150, 150), (29, 44))[i % 3]
    recipe = i < 8
    spread = 0.2 if recipe else 0.6
    p = {
        "theta": rng.uniform(-40, 40) if recipe else rng.uniform(-180, 180),
        "tx": rng.uniform(-spread, spread) * height,
        "ty": rng.uniform(-spread, spread) * width,
        "shear": rng.uniform(-0.2, 0.2) if recipe else rng.uniform(-60, 60),
        "zx": rng.uniform(1 - spread, 1 + spread),
        "zy": rng.uniform(1 - spread, 1 + spread),
        "flip_horizontal": bool(i & 1),
        "flip_vertical": bool(i & 2),
    }
    nothing = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1}
    if i >= 14:
        alone = [("theta",), ("tx",), ("ty",), ("shear",), ("zx", "zy"), ()][i - 14]
        p.update({k: v for k, v in nothing.items() if k not in alone})
    SETS.append((height, width, i % 4, 37.5, p))

recorded = []
affine_transform = scipy.ndimage.affine_transform


def record(x, matrix, offset, **options):
    recorded.append((np.array(matrix), np.array(offset)))
    return affine_transform(x, matrix, offset, **options)


scipy.ndimage.interpolation.affine_transform = record
for name, kinds in (("keras2", [Generator2]), ("keras3", [keras3.ImageDataGenerator, tf_keras.preprocessing.image.ImageDataGenerator])):
    for i, (height, width, fill, cval, p) in enumerate(SETS):
        outputs = []
        for kind in kinds:
            recorded.clear()
            g = kind(fill_mode=FILLS[fill], cval=cval, rescale=1 / 255, data_format="channels_last")
            x = picture(height, width).astype(np.float32)
            outputs.append(np.array(g.standardize(g.apply_transform(x, dict(p)))))
        assert all(np.array_equal(outputs[0], o) for o in outputs)
        assert len(recorded) == (0 if i == 19 else 3), (i, len(recorded))
        m, o = recorded[0] if recorded else (np.eye(2), np.zeros(2))
        step = 31 if height == 150 else 3
        y = np.rint(outputs[0].reshape(-1)[::step].astype(np.float64) * 65280).astype(np.int64)
        assert y.min() >= 0 and y.max() <= 65280
        tensors[f"warp/{name}/{i}"] = np.stack([y >> 8, y & 255], axis=1).astype(np.uint8)
        metadata[f"warp/{name}/{i}"] = numbers(height, width, fill, cval, *p.values(), step, not recorded, m[0, 0], m[0, 1], o[0], m[1, 0],
                                               m[1, 1], o[1])


# The draws: numpy's functions give way to our counter-based numbers (Philox 4x32-10, written here anew), one numbered draw each.
def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


AUGMENT = 2
draws = []  # words still to come
sign = None


def uniform(low, high, size=None):
    if size is None:
        return low + (high - low) * (draws.pop(0) / 2**32)
    return np.array([uniform(low, high) for _ in range(size)])


def choice(a):
    """choice(n), then choice([-1, 1]), share one draw below 2 n: n values, each with either sign."""
    global sign
    if isinstance(a, list):
        return sign
    if not isinstance(a, int):
        raise ValueError("a must be 1-dimensional or an integer")
    k = (draws.pop(0) * 2 * a) >> 32
    sign = 1 if k < a else -1
    return k % a


CASES = [  # rotation, width shift, height shift, shear, zoom, flips
    (40, 0.2, 0.2, 0.2, 0.2, True, False), (40, 0.2, 0.2, 0.2, 0.2, True, True), (0, 0.2, 0, 0, 0.0, False, False),
    (0, 0, 0.35, 0, 0.0, True, False), (180, 0, 0, 0, 0.0, False, True), (0, 0, 0, 30.0, 0.0, False, False),
    (0, 0, 0, 0, (0.5, 1.0), True, True), (0, 0, 0, 0, (1, 1), True, True), (0, 7, 12, 0, 0.1, False, False),
    (10, 2.5, 13.75, 0, 0.0, True, True), (0, 1, 1, 0, 0.0, True, True), (15.5, 0.999, 3, 1.5, (1.2, 1.2), True, True),
]
keep = np.random.uniform, np.random.random, np.random.choice
for i, (rotation, width_shift, height_shift, shear, zoom, flip_h, flip_v) in enumerate(CASES):
    zoom_low, zoom_high = zoom if isinstance(zoom, tuple) else (1 - zoom, 1 + zoom)
    on = [rotation, height_shift, width_shift, shear, zoom_low != 1 or zoom_high != 1, zoom_low != 1 or zoom_high != 1, 1, 1]
    for repeat in range(3):
        seed, epoch, sample, height, width = 42 + (i << 33), 3 * repeat, 1000 * i + repeat, 150 + i, 100 + 2 * i
        words = [w for block in (0, 1) for w in philox((block, sample, epoch, AUGMENT), (seed & 0xFFFFFFFF, seed >> 32))]
        results = []
        for kind in (Generator2, keras3.ImageDataGenerator):
            draws[:] = [w for w, is_on in zip(words, on) if is_on]
            g = kind(rotation_range=rotation, width_shift_range=width_shift, height_shift_range=height_shift, shear_range=shear,
                     zoom_range=zoom, horizontal_flip=flip_h, vertical_flip=flip_v, data_format="channels_last")
            np.random.uniform, np.random.random, np.random.choice = uniform, lambda: uniform(0, 1), choice
            p = g.get_random_transform((height, width, 3))
            np.random.uniform, np.random.random, np.random.choice = keep
            assert not draws
            results.append([float(p[k]) for k in ("theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical")])
        assert results[0] == results[1]
        metadata[f"draw/{3 * i + repeat}"] = (f"{seed} {epoch} {sample} {height} {width} " + numbers(
            rotation, width_shift, height_shift, shear, zoom_low, zoom_high, flip_h, flip_v, *results[0]))

save(os.path.join(HERE, "transform.safetensors"), tensors, metadata)
