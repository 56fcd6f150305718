#!/usr/bin/env python3
"""Golden numbers for tests/test_metrics.c: scikit-learn 1.9.1, scipy 1.17.1, numpy 2.0.2. Writes tests/golden/metrics.json.

Metrics are scikit-learn's own; where it has none, they are made of its curves: equal error rate as roc_curve and scipy's brentq, rates at
a false-alarm rate from roc_curve, calibration error from calibration_curve. Intervals: groups are drawn here with a Philox of its own,
whole resamples are fed to the same functions, numpy takes the percentiles."""
import json
import os
import warnings
import numpy as np
import scipy
import sklearn
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.calibration import calibration_curve
from sklearn.metrics import (accuracy_score, average_precision_score, balanced_accuracy_score, brier_score_loss, confusion_matrix,
                             log_loss, roc_auc_score, roc_curve)

rng = np.random.default_rng(7)
METRICS = ["accuracy", "balanced_accuracy", "log_loss", "auc", "average_precision", "eer", "tpr_at_1_percent", "tpr_at_5_percent", "brier",
           "ece"]


def calibration_error(label, score):
    share, mean = calibration_curve(label, score, n_bins=15, strategy="uniform")
    edges = np.linspace(0, 1, 16)
    size = np.bincount(np.searchsorted(edges[1:-1], score), minlength=15)  # as calibration_curve assigns
    return float(np.sum(size[size > 0] * np.abs(share - mean)) / len(score))


def measure(score, label):
    clipped = np.clip(score, 1e-7, 1 - 1e-7)  # Keras' clipping; scikit-learn's own is finer
    m = {"accuracy": accuracy_score(label, score > .5), "log_loss": log_loss(label, clipped, labels=[0, 1]),
         "brier": brier_score_loss(label, score, labels=[0, 1], pos_label=1), "ece": calibration_error(label, score)}
    if len(set(label.tolist())) == 2:
        false_alarms, found, _ = roc_curve(label, score, drop_intermediate=False)
        m.update(balanced_accuracy=balanced_accuracy_score(label, score > .5), auc=roc_auc_score(label, score),
                 average_precision=average_precision_score(label, score),
                 eer=brentq(lambda x: 1. - x - interp1d(false_alarms, found)(x), 0., 1.),
                 tpr_at_1_percent=found[false_alarms <= .01].max(), tpr_at_5_percent=found[false_alarms <= .05].max())
    return {k: float(m[k]) if k in m else None for k in METRICS}


def case(name, score, label):
    score, label = np.asarray(score, float), np.asarray(label, int)
    m = measure(score, label)
    return {"name": name, "score": [float(x) for x in score], "label": label.tolist(), **m,
            "confusion": confusion_matrix(label, score > .5, labels=[1, 0]).ravel().tolist()}


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al. 2011) on arrays of uint64 that hold 32 bits each."""
    c, k, mask = [np.asarray(x, np.uint64) for x in counter], list(key), np.uint64(0xffffffff)
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), b & mask, (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), a & mask]
        k = [(k[0] + 0x9E3779B9) & 0xffffffff, (k[1] + 0xBB67AE85) & 0xffffffff]
    return c


def draw_groups(groups, seed, resample, stream=10):
    blocks = np.arange((groups + 3) // 4, dtype=np.uint64)
    same = np.zeros_like(blocks)
    words = np.stack(philox([blocks, same + np.uint64(resample), same, same + np.uint64(stream)], [seed & 0xffffffff, seed >> 32]), 1)
    return ((words.ravel()[:groups] * np.uint64(groups)) >> np.uint64(32)).astype(int)


def percentiles(values):
    kept = [v for v in values if v is not None]
    if 2 * len(kept) <= len(values):
        return [None, None]
    return np.percentile(kept, [2.5, 97.5]).tolist()


def bootstrap(c, group, seed, resamples, other=None):
    score, label, group = np.asarray(c["score"]), np.asarray(c["label"]), np.asarray(group)
    groups = int(group.max()) + 1
    of = [np.flatnonzero(group == g) for g in range(groups)]
    drawn = [draw_groups(groups, seed, r) for r in range(resamples)]
    index = [np.concatenate([of[g] for g in d]) for d in drawn]
    values = [measure(score[i], label[i]) for i in index]
    out = {"case": c["name"], "group": group.tolist(), "groups": groups, "seed": seed, "resamples": resamples,
           "first": np.bincount(drawn[0], minlength=groups).tolist(), "last": np.bincount(drawn[-1], minlength=groups).tolist(),
           "interval": {k: percentiles([v[k] for v in values]) for k in METRICS}}
    if other is not None:
        second = np.asarray(other)
        theirs = [measure(second[i], label[i]) for i in index]
        whole, base = measure(second, label), measure(score, label)
        out["other"] = second.tolist()
        out["difference"] = {}
        for k in METRICS:
            d = np.array([b[k] - a[k] for a, b in zip(values, theirs) if a[k] is not None])
            p = min(1, 2 * (min((d <= 0).sum(), (d >= 0).sum()) + 1) / (len(d) + 1))
            out["difference"][k] = [whole[k] - base[k], *np.percentile(d, [2.5, 97.5]).tolist(), float(p)]
    return out


def noisy(n, share, digits, shift):
    label = rng.random(n) < share
    label[:2] = [True, False]
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + shift * label)))
    return np.round(score, digits), label


warnings.simplefilter("ignore")
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
    case("fakes alone", [.4, .6, .9], [1, 1, 1]),
    case("real ones alone", [.4, .6, .9, .4], [0, 0, 0, 0]),
    case("edges of bins", [i / 15 for i in range(16)] * 2, [0, 1, 1] * 10 + [0, 1]),
]
# A hundred negatives and a thousand: 1 % and 5 % are hit exactly, and passed by.
many = np.round(rng.random(200), 2)
cases.append(case("false alarms of exactly 1 %", many, np.arange(200) % 2))

ties = cases[0]
groups = np.sort(rng.integers(0, 25, 200))
groups[np.unique(groups, return_index=True)[1]] = np.unique(groups)
groups = np.unique(groups, return_inverse=True)[1]
second = np.round(np.clip(np.asarray(ties["score"]) * .6 + .4 * np.asarray(ties["label"]) * rng.random(200), 0, 1), 2)
bootstraps = [
    bootstrap(ties, groups, 42, 400, second),
    bootstrap(cases[1], np.arange(300), 2**40 + 5, 400),
    bootstrap(cases[8], [0, 1], 3, 100),  # half of the resamples have one class
    bootstrap(cases[9], [0, 1, 1], 3, 50),
]
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json")
with open(out, "w") as f:
    json.dump({"made_with": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {np.__version__}", "cases": cases,
               "bootstraps": bootstraps}, f, separators=(",", ":"))
