#!/usr/bin/env python3
"""Golden numbers for tests/test_schedule.c: keras 3.8.0 (on TensorFlow 2.18.1), scikit-learn 1.9.1, numpy 2.0.2.
Writes tests/golden/schedules.json; run from the repository root: python tests/golden/schedules.py"""
import json
import os
import types

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import sklearn
from sklearn.utils.class_weight import compute_class_weight

decay = keras.optimizers.schedules


def rates(schedule, steps):
    """What an optimizer uses for its first steps: Keras asks with the number of steps that were done before."""
    optimizer = keras.optimizers.SGD(schedule)
    out = []
    for i in range(steps):
        optimizer.iterations.assign(i)
        out.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
    return out


# name, the config's learning_rate_schedule, learning rate, steps an epoch, epochs, Keras' schedule
cases = [
    ("cosine", {"name": "cosine"}, 1e-3, 7, 6, decay.CosineDecay(1e-3, 42)),
    ("cosine, alpha", {"name": "cosine", "alpha": 0.1}, 2e-5, 7, 6, decay.CosineDecay(2e-5, 42, alpha=0.1)),
    ("cosine, 20 steps", {"name": "cosine", "decay_steps": 20}, 1e-2, 7, 4, decay.CosineDecay(1e-2, 20)),
    ("cosine, warm-up of an epoch from 0", {"name": "cosine", "warmup_epochs": 1}, 1e-3, 7, 6,
     decay.CosineDecay(0.0, 35, warmup_target=1e-3, warmup_steps=7)),
    ("cosine, warm-up of steps", {"name": "cosine", "warmup_steps": 5, "warmup_from": 0.2, "alpha": 0.05, "decay_epochs": 3}, 1e-3, 7, 6,
     decay.CosineDecay(2e-4, 21, alpha=0.05, warmup_target=1e-3, warmup_steps=5)),
    ("pieces", {"name": "step", "boundaries": [3, 10, 11], "values": [1e-2, 1e-3, 5e-4, 1e-5]}, 1, 5, 4,
     decay.PiecewiseConstantDecay([3, 10, 11], [1e-2, 1e-3, 5e-4, 1e-5])),
    ("every two epochs", {"name": "step", "every_epochs": 2, "factor": 0.5}, 1e-3, 5, 7,
     decay.ExponentialDecay(1e-3, 10, 0.5, staircase=True)),
    ("exponential", {"name": "exponential", "decay_rate": 0.8}, 1e-3, 6, 4, decay.ExponentialDecay(1e-3, 6, 0.8)),
    ("exponential, staircase", {"name": "exponential", "decay_steps": 4, "decay_rate": 0.5, "staircase": True}, 1e-3, 6, 3,
     decay.ExponentialDecay(1e-3, 4, 0.5, staircase=True)),
    ("exponential, half an epoch", {"name": "exponential", "decay_epochs": 0.5}, 1e-3, 6, 3, decay.ExponentialDecay(1e-3, 3, 0.96)),
]
schedules = [{"name": name, "schedule": config, "learning_rate": rate, "epoch_steps": steps, "epochs": epochs,
              "rates": rates(keras_schedule, steps * epochs)} for name, config, rate, steps, epochs, keras_schedule in cases]

falling = [0.9, 0.8, 0.7, 0.71, 0.72, 0.70005, 0.69, 0.691, 0.692, 0.693, 0.694, 0.695, 0.696, 0.6, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66]
rising = [0.5, 0.6, 0.55, 0.61, 0.605, 0.6, 0.59, 0.7, 0.7, 0.7, 0.7, 0.7]
bumpy = [float(x) for x in np.round(1 / np.arange(1, 31) + 0.05 * np.random.RandomState(1).normal(size=30), 4)]


def plateau(config, rate, values):
    """The rate after each epoch, from the callback itself."""
    c = {k: v for k, v in config.items() if k != "name"}
    model = types.SimpleNamespace(optimizer=keras.optimizers.SGD(rate))
    mode = "max" if c.get("monitor") in ("val_accuracy", "val_auc") else "min"
    callback = keras.callbacks.ReduceLROnPlateau(mode=mode, **c)
    callback.set_model(model)
    callback.on_train_begin()
    out = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {c.get("monitor", "val_loss"): value})
        out.append(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)))
    return {"schedule": config, "learning_rate": rate, "values": values, "rates": out}


plateaus = [
    plateau({"name": "plateau", "patience": 2}, 1e-3, falling),
    plateau({"name": "plateau", "patience": 1, "factor": 0.5, "cooldown": 2}, 1e-3, falling),
    plateau({"name": "plateau", "patience": 1, "factor": 0.1, "min_lr": 3e-6}, 1e-3, falling),
    plateau({"name": "plateau", "patience": 0, "factor": 0.9, "min_delta": 0}, 1e-3, falling),
    plateau({"name": "plateau", "patience": 2, "factor": 0.5, "min_delta": 0.05, "cooldown": 1}, 1e-3, bumpy),
    plateau({"name": "plateau", "patience": 2, "monitor": "val_accuracy"}, 1e-3, rising),
]


def early(config, values):
    """The epoch, from 1, after which the callback stops the training; 0: it never does."""
    model = types.SimpleNamespace(stop_training=False)
    mode = "max" if config["monitor"] in ("val_accuracy", "val_auc") else "min"
    callback = keras.callbacks.EarlyStopping(mode=mode, **config)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {config["monitor"]: value})
        if model.stop_training:
            return {"config": config, "values": values, "stopped": epoch + 1}
    return {"config": config, "values": values, "stopped": 0}


stops = [early({"monitor": "val_loss", "patience": p, "min_delta": d}, v) for p in (0, 1, 2, 3, 6, 7) for d in (0.0, 0.02)
         for v in (falling, bumpy)]
stops += [early({"monitor": m, "patience": p, "min_delta": 0.0}, rising) for m in ("val_accuracy", "val_auc") for p in (1, 2, 3, 4, 5)]

weights = []
for n in ([30, 10], [7, 993], [5, 5], [1, 2]):
    y = np.repeat([0, 1], n)
    weights.append({"count": n, "weight": [float(w) for w in compute_class_weight("balanced", classes=np.array([0, 1]), y=y)]})

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedules.json"), "w") as f:
    made = f"keras {keras.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    json.dump({"made_with": made, "schedules": schedules, "plateaus": plateaus, "stops": stops, "class_weights": weights}, f,
              separators=(",", ":"))
    f.write("\n")
