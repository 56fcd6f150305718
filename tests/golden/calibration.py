#!/usr/bin/env python3
"""Golden numbers for tests/test_calibration.c: scikit-learn 1.9.1, scipy 1.17.1, numpy 2.0.2. Writes tests/golden/calibration.json.

Platt: the exact optimum is LogisticRegression's without penalty, each sample taken twice, as fake with the weight of its target and as
real with the rest; beside it what scikit-learn's own Platt scaling finds, whose optimizer stops earlier. Temperature: the same loss
without an intercept, by scipy; beside it scikit-learn's, which takes 0 and 1 for targets. Thresholds: numpy's sorted arrays."""
import json
import math
import os
from fractions import Fraction
import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.calibration import _sigmoid_calibration, _TemperatureScaling
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(11)


def targets(fake):
    return np.where(fake, (fake.sum() + 1) / (fake.sum() + 2), 1 / ((~fake).sum() + 2))


def temperature(z, t):
    def loss(s):
        return np.mean(np.logaddexp(0, s[0] * z) - t * s[0] * z)

    def slope(s):
        return np.array([np.mean((expit(s[0] * z) - t) * z)])

    def bend(s):
        p = expit(s[0] * z)
        return np.array([[np.mean(p * (1 - p) * z * z)]])
    return float(minimize(loss, [1.], jac=slope, hess=bend, method="trust-exact", options={"gtol": 1e-13}).x[0])


def platt(z, t):
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-14, max_iter=1000)
    twice = np.concatenate([z, z])[:, None]
    model.fit(twice, np.concatenate([np.ones(len(z)), np.zeros(len(z))]), sample_weight=np.concatenate([t, 1 - t]))
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def thresholds(score, fake, false_alarms, misses):
    """ceil((n + 1)(1 - f)) in exact fractions of the decimal numbers."""
    real, fakes = np.sort(score[~fake]), np.sort(score[fake])
    f, m = Fraction(str(false_alarms)), Fraction(str(misses))
    k = math.ceil((len(real) + 1) * (1 - f))
    j = math.floor((len(fakes) + 1) * m)
    above = real[k - 1] if k <= len(real) else None
    below = fakes[j - 1] if j >= 1 else None
    a, b = .5 if above is None else above, .5 if below is None else below
    if b > a:
        a = b = min(max(.5, a), b)
    return {"false_alarms": false_alarms, "misses": misses, "has": [above is not None, below is not None], "fake_above": float(a),
            "real_below": float(b)}


def case(name, raw, fake, rates):
    raw, fake = np.asarray(raw, float), np.asarray(fake, bool)
    z, t = logit(np.clip(raw, 2.**-53, 1 - 2.**-53)), targets(fake)
    s = temperature(z, t)
    a, b = platt(z, t)
    theirs = _sigmoid_calibration(z, fake.astype(int))
    out = {"name": name, "raw": raw.tolist(), "fake": fake.astype(int).tolist(), "temperature": s, "platt": [a, b],
           "platt_sklearn": [-float(theirs[0]), -float(theirs[1])], "calibrated": expit(s * z)[:20].tolist(),
           "calibrated_platt": expit(a * z + b)[:20].tolist(), "rates": [thresholds(expit(s * z), fake, f, m) for f, m in rates]}
    hard = _TemperatureScaling().fit(np.column_stack([-z / 2, z / 2]), fake.astype(int))
    if np.any((z > 0) != fake):  # else there is no optimum with targets 0 and 1
        out["temperature_sklearn"] = float(hard.beta_)
    return out


def sure(n, share, factor, shift, spread=1.0):
    """Scores that are `factor` times as sure as they should be, and lean to fake by `shift`."""
    fake = rng.random(n) < share
    z = rng.normal(size=n) * spread + np.where(fake, .8, -.8)
    return np.round(expit(factor * 1.6 * z + shift), 12), fake


rates = [(.05, .05), (.01, .05), (.1, .02), (0, .05), (.5, .5)]
cases = [
    case("too sure", *sure(400, .5, 4, 0), rates),
    case("not sure enough", *sure(300, .5, .3, 0), rates),
    case("leans to fake", *sure(300, .5, 2, 1.5), rates),
    case("few fakes", *sure(250, .1, 3, -1), rates),
    case("far apart", *sure(60, .5, 2, 0, .2), rates),
    case("39 real ones", np.linspace(.02, .98, 59), np.arange(59) >= 39, rates),
    case("19 of each, ties", np.round(np.linspace(.05, .95, 38), 1), np.arange(38) % 2, rates),
    case("18 of each", np.linspace(.1, .9, 36)[np.argsort(np.arange(36) % 6, kind="stable")], np.arange(36) >= 18, rates),
    case("zeros and ones", [0] * 12 + [1] * 2 + [.3] * 3 + [0] * 2 + [1] * 12 + [.8] * 3, [0] * 17 + [1] * 17, rates),
]
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "calibration.json")
with open(out, "w") as f:
    json.dump({"made_with": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {np.__version__}", "cases": cases}, f,
              separators=(",", ":"))
for c in cases:
    print(c["name"], c["temperature"], c.get("temperature_sklearn"), c["platt"], c["platt_sklearn"], c["rates"][0])
