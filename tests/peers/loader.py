"""Pictures per second of our loader, of Keras' flow_from_directory and of bare Pillow, on one folder, in turn.

  python3 tests/peers/loader.py DIR [build/tests/bench_loader]

DIR holds a folder a class. All read the same files, in shuffled order, to 150x150 nearest; batches of 10. Keras runs without and with
the recipe's random transform (which ours leaves to the device's warp op, so that only its draws are in our number). One worker each.
Needs Keras-Preprocessing 1.1.2 or keras 3, and Pillow.
"""
import os
import random
import statistics
import subprocess
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
from PIL import Image

try:
    from keras_preprocessing.image import ImageDataGenerator
except ImportError:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

SECONDS, ROUNDS = 3.0, 3
directory = sys.argv[1]
ours = sys.argv[2] if len(sys.argv) > 2 else "build/tests/bench_loader"
plain = ImageDataGenerator(rescale=1 / 255)
recipe = ImageDataGenerator(rescale=1 / 255, rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, shear_range=0.2,
                            zoom_range=0.2, horizontal_flip=True, fill_mode="nearest")
options = {"target_size": (150, 150), "batch_size": 10, "class_mode": "binary"}
iterators = {"Keras": plain.flow_from_directory(directory, **options),
             "Keras with the transform": recipe.flow_from_directory(directory, **options)}
paths = list(iterators["Keras"].filepaths)


def keras(iterator):
    next(iterator)
    n, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        n += len(next(iterator)[0])
    return n / (time.perf_counter() - start)


def pillow():
    n, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        with Image.open(random.choice(paths)) as image:
            np.asarray(image.convert("RGB").resize((150, 150), Image.NEAREST))
        n += 1
    return n / (time.perf_counter() - start)


def unmask(workers):
    return float(subprocess.run([ours, directory, str(workers), str(SECONDS)], check=True, capture_output=True, text=True).stdout)


contenders = {"unmask, 1 worker": lambda: unmask(1), "unmask, 2 workers": lambda: unmask(2), "Pillow": pillow}
contenders.update({name: lambda it=it: keras(it) for name, it in iterators.items()})
rates = {name: [] for name in contenders}
for _ in range(ROUNDS):
    for name, run in contenders.items():
        rates[name].append(run())
base = statistics.median(rates["unmask, 1 worker"])
for name, r in rates.items():
    r = statistics.median(r)
    print(f"{name:26} {r:8.0f} images/s   unmask with 1 worker: {base / r:5.2f} times that")
