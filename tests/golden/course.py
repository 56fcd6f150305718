#!/usr/bin/env python3
"""Golden numbers for tests/test_course.c: whole trainings by the real Keras, freeze, compile and fit, then unfreeze, compile and fit.
keras 3.8.0 (on TensorFlow 2.18.1), scikit-learn 1.9.1, numpy 2.0.2. Weights and pictures are made by formula, here and in the test.
Writes tests/golden/course.json; run from the repository root: python tests/golden/course.py"""
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import sklearn
from keras import layers
from sklearn.metrics import roc_auc_score

SIDE, TRAIN, HELD_OUT, BATCH = 16, (14, 6), (5, 7), 4  # pictures of fake and of real


def word(stream, n):
    """n 32-bit words of a stream."""
    h = (np.arange(n, dtype=np.uint64) * 2654435761 + stream * 40503 + 12345) & 0xFFFFFFFF
    h ^= h >> 15
    h = (h * 2246822519) & 0xFFFFFFFF
    return h ^ (h >> 13)


def picture(part, label, i):
    """Noise, and a red that tells the classes apart a little."""
    v = (word(1000 + part * 500 + label * 100 + i, SIDE * SIDE * 3) >> np.uint64(25)).astype(np.int64).reshape(SIDE, SIDE, 3) + 40
    v[:, :, 0] += 0 if label else 24
    return v.astype(np.uint8)


def data(part, counts):
    x = np.stack([picture(part, label, i) for label in range(2) for i in range(counts[label])])
    return x.astype(np.float32) / np.float32(255), np.repeat([0.0, 1.0], counts).astype(np.float32)


def kernel(index, shape):
    """Glorot's limit, a thousand steps to either side."""
    fan = int(np.prod(shape[:-2])) * (shape[-2] + shape[-1]) if len(shape) == 4 else sum(shape)
    steps = (word(index, int(np.prod(shape))) % 2001).astype(np.float64) - 1000
    return (steps / 1000 * np.sqrt(6 / fan)).astype(np.float32).reshape(shape)


def model():
    m = keras.Sequential([keras.Input((SIDE, SIDE, 3))])
    for i, filters in enumerate((16, 32, 64, 64)):
        m.add(layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"tiny_conv{i + 1}"))
        m.add(layers.MaxPooling2D(name=f"tiny_pool{i + 1}"))
    m.add(layers.Flatten())
    m.add(layers.Dense(32, activation="relu", name="dense"))
    m.add(layers.Dense(1, activation="sigmoid", name="dense_1"))
    with_weights = [layer for layer in m.layers if layer.weights]
    for i, layer in enumerate(with_weights):
        layer.set_weights([kernel(i, tuple(layer.kernel.shape)), np.zeros(layer.bias.shape, np.float32)])
    return m


def freeze_below(m, name):
    """What the config's trainable says: "all", "head", or the first layer that trains."""
    on = name == "all"
    for layer in m.layers:
        on = on or layer.name == ("dense" if name == "head" else name)
        layer.trainable = on


def fit(m, optimizer, epochs, trainable, history, **how):
    freeze_below(m, trainable)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    m.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    x, y = data(1, HELD_OUT)
    auc = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: history["val_auc"].append(float(roc_auc_score(y, m.predict(x, verbose=0).ravel()))))
    how["callbacks"] = how.get("callbacks", []) + [auc]
    h = m.fit(*data(0, TRAIN), batch_size=BATCH, epochs=epochs, shuffle=False, validation_data=(x, y), verbose=0, **how)
    for k in ("loss", "accuracy", "val_loss", "val_accuracy"):
        history[k] += [float(x) for x in h.history[k]]
    return len(h.history["loss"])


STEPS = (sum(TRAIN) + BATCH - 1) // BATCH
cosine = keras.optimizers.schedules.CosineDecay
sgd, adam = (lambda rate, **o: keras.optimizers.SGD(rate, momentum=0.9, **o)), (lambda rate, **o: keras.optimizers.Adam(rate, **o))
momentum = {"name": "sgd", "momentum": 0.9}

# name, further keys of the config, and the fits: optimizer, epochs, trainable, options
cases = [
    ("two phases", {"optimizer": momentum, "phases": [{"epochs": 2, "trainable": "head", "learning_rate": 0.05},
                                                      {"epochs": 3, "trainable": "tiny_conv3", "learning_rate": 0.01}]},
     [(sgd(0.05), 2, "head", {}), (sgd(0.01), 3, "tiny_conv3", {})]),
    ("two phases, adam, a cosine in the second",
     {"optimizer": {"name": "adam"}, "phases": [{"epochs": 2, "trainable": "head", "learning_rate": 2e-3},
                                                {"epochs": 3, "trainable": "all", "learning_rate": 5e-4,
                                                 "learning_rate_schedule": {"name": "cosine", "warmup_steps": 3, "warmup_from": 0.1}}]},
     [(adam(2e-3), 2, "head", {}), (adam(cosine(5e-5, 3 * STEPS - 3, warmup_target=5e-4, warmup_steps=3)), 3, "all", {})]),
    ("weights of the classes", {"optimizer": {**momentum, "learning_rate": 0.02}, "class_weight": {"fake": 0.4, "real": 3}, "epochs": 3},
     [(sgd(0.02), 3, "all", {"class_weight": {0: 0.4, 1: 3.0}})]),
    ("balanced weights", {"optimizer": {**momentum, "learning_rate": 0.02}, "class_weight": "balanced", "epochs": 3},
     [(sgd(0.02), 3, "all", {"class_weight": {i: sum(TRAIN) / (2 * n) for i, n in enumerate(TRAIN)}})]),
    ("weight decay", {"optimizer": {**momentum, "learning_rate": 0.02, "weight_decay": 0.3}, "epochs": 3},
     [(sgd(0.02, weight_decay=0.3), 3, "all", {})]),
    ("plateau", {"optimizer": {**momentum, "learning_rate": 0.1}, "epochs": 6,
                 "learning_rate_schedule": {"name": "plateau", "patience": 1, "factor": 0.3, "min_delta": 0.05}},
     [(sgd(0.1), 6, "all", {"callbacks": lambda: [keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.3, min_delta=0.05)]})]),
    ("each phase stops early",
     {"optimizer": momentum, "early_stopping": {"patience": 2, "min_delta": 0.05},
      "phases": [{"epochs": 5, "trainable": "head", "learning_rate": 0.002}, {"epochs": 7, "trainable": "all", "learning_rate": 0.005}]},
     [(sgd(0.002), 5, "head", {"callbacks": lambda: [keras.callbacks.EarlyStopping(patience=2, min_delta=0.05)]}),
      (sgd(0.005), 7, "all", {"callbacks": lambda: [keras.callbacks.EarlyStopping(patience=2, min_delta=0.05)]})]),
]

out = []
for name, config, fits in cases:
    m = model()
    history = {k: [] for k in ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc")}
    lengths = [fit(m, optimizer, epochs, trainable, history, **{k: v() if callable(v) else v for k, v in how.items()})
               for optimizer, epochs, trainable, how in fits]
    norms = {layer.name: float(np.linalg.norm(layer.kernel.numpy())) for layer in m.layers if layer.weights}
    out.append({"name": name, "config": config, "epochs": lengths, **history, "norms": norms,
                "last": [float(x) for x in m.layers[-1].kernel.numpy().ravel()]})
    print(name, lengths, history["loss"], history["val_loss"])

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "course.json"), "w") as f:
    json.dump({"made_with": f"keras {keras.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}", "cases": out}, f, separators=(",", ":"))
    f.write("\n")
