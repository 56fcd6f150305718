#!/usr/bin/env python3
"""Golden numbers for tests/test_curves.c: scikit-learn 1.9.1, numpy 2.0.2. Writes tests/golden/curves.json: what roc_curve,
precision_recall_curve, calibration_curve (15 bins, "uniform") and numpy.histogram give for some scores."""
import json
import os
import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

rng = np.random.default_rng(11)


def plain(a):
    return [None if not np.isfinite(v) else float(v) for v in a]


def case(name, score, label, bins):
    score, label = np.asarray(score, float), np.asarray(label, int)
    out = {"name": name, "score": plain(score), "label": label.tolist(), "bins": bins}
    for key, drop in (("roc", False), ("roc_corners", True)):
        out[key] = [plain(a) for a in roc_curve(label, score, drop_intermediate=drop)]
    precision, recall, threshold = precision_recall_curve(label, score)
    out["precision_recall"] = [plain(recall), plain(precision), plain(np.append(threshold, np.inf))]
    share, mean = calibration_curve(label, score, n_bins=15, strategy="uniform")
    out["reliability"] = [plain(mean), plain(share)]
    out["histogram"] = [np.histogram(score[label == k], bins=bins, range=(0, 1))[0].tolist() for k in (0, 1)]
    return out


def noisy(n, share, digits, shift):
    label = rng.random(n) < share
    label[:2] = [True, False]
    return np.round(1 / (1 + np.exp(-(rng.normal(size=n) + shift * label))), digits), label


cases = [
    case("continuous", *noisy(60, .5, 6, 1.), 20),
    case("ties", *noisy(90, .5, 1, 1.), 16),
    case("few positives", *noisy(90, .04, 4, .7), 20),
    case("worse than chance", *noisy(40, .5, 4, -1.5), 10),
    case("perfect", [.1, .2, .8, .9], [0, 0, 1, 1], 4),
    case("all equal", [.5] * 6, [0, 1, 0, 1, 1, 1], 2),
    case("certain", [0, 1, 1, 0], [1, 0, 1, 0], 8),
    case("edges of bins", [i / 15 for i in range(16)] * 2, [0, 1, 1] * 10 + [0, 1], 3),
    case("edges in binary", [i / 16 for i in range(17)] * 2, [0, 1] * 17, 16),
]
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "curves.json")
with open(out, "w") as f:
    json.dump({"made_with": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}", "cases": cases}, f, separators=(",", ":"))
