#!/usr/bin/env python3
"""Golden numbers for tests/test_metrics.c: scikit-learn 1.9.1, numpy 2.0.2. Writes tests/golden/metrics.json."""
import json
import os
import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

rng = np.random.default_rng(7)


def case(name, score, label):
    score, label = np.asarray(score, float), np.asarray(label, int)
    clipped = np.clip(score, 1e-7, 1 - 1e-7)  # Keras' clipping; scikit-learn's own is finer
    return {"name": name, "score": [float(x) for x in score], "label": label.tolist(),
            "auc": float(roc_auc_score(label, score)), "log_loss": float(log_loss(label, clipped, labels=[0, 1])),
            "accuracy": float(accuracy_score(label, score > 0.5))}


def noisy(n, share, digits, shift):
    label = rng.random(n) < share
    label[:2] = [True, False]
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + shift * label)))
    return np.round(score, digits), label


cases = [
    case("ties", *noisy(200, .5, 1, 1.0)),
    case("few positives", *noisy(300, .05, 3, .7)),
    case("many positives", *noisy(300, .95, 3, .7)),
    case("worse than chance", *noisy(100, .5, 4, -1.5)),
    case("perfect", [.1, .2, .8, .9], [0, 0, 1, 1]),
    case("inverted", [.9, .8, .2, .1], [0, 0, 1, 1]),
    case("all equal", [.5] * 6, [0, 1, 0, 1, 1, 1]),
    case("certain and wrong", [0, 1, 1, 0], [1, 0, 1, 0]),
    case("a pair", [.4, .6], [1, 0]),
]
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json")
with open(out, "w") as f:
    json.dump({"made_with": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}", "cases": cases}, f, separators=(",", ":"))
    f.write("\n")
