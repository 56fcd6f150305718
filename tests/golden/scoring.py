#!/usr/bin/env python3
"""Golden numbers for tests/test_scoring.c: numpy 2.0.2, scipy 1.17.1. Writes tests/golden/scoring.json.

The confident rule is stated anew with numpy after its description by Selim Seferbekov (README of selimsef/dfdc_deepfake_challenge)."""
import json
import os
import numpy as np
from scipy.special import expit, logit

rng = np.random.default_rng(3)


def confident(p):
    high, low = p[p > .8], p[p < .2]
    if len(high) > len(p) // 2.5 and len(high) > 11:
        return high.mean()
    return low.mean() if len(low) > .9 * len(p) else p.mean()


def case(name, score, k=10):
    p = np.asarray(score, float)
    return {"name": name, "score": p.tolist(), "top_k_of": k, "mean": p.mean(),
            "mean_logit": float(expit(logit(np.clip(p, 1e-7, 1 - 1e-7)).mean())), "median": float(np.median(p)),
            "top_k": float(np.sort(p)[::-1][:k].mean()), "confident": float(confident(p))}


def share(n, high):
    """n scores of which `high` are above 0.8, the rest in between."""
    p = rng.uniform(.25, .75, n)
    p[rng.permutation(n)[:high]] = rng.uniform(.81, 1, high)
    return p.round(4)


def low(n, count):
    p = rng.uniform(.25, .75, n)
    p[rng.permutation(n)[:count]] = rng.uniform(0, .19, count)
    return p.round(4)


cases = [
    case("one", [.3]), case("two", [.9, .2]), case("odd", rng.random(7), 3), case("even", rng.random(8), 100),
    case("certain", [0, 1, 1, .5], 2), case("all zero", [0, 0, 0], 1),
    # 32 frames: floor(32 / 2.5) = 12 and more than 11, so 13 are needed.
    case("12 of 32 high", share(32, 12)), case("13 of 32 high", share(32, 13)),
    # 29: floor(11.6) = 11, so 12 are enough; 20: floor(8) = 8, but more than 11 are needed in any case.
    case("11 of 29 high", share(29, 11)), case("12 of 29 high", share(29, 12)),
    case("11 of 20 high", share(20, 11)), case("12 of 20 high", share(20, 12)),
    # More than 0.9 n: 18 of 20 are not.
    case("18 of 20 low", low(20, 18)), case("19 of 20 low", low(20, 19)),
    case("at the edges", [.8] * 13 + [.2] * 3), case("at the lower edge", [.2] * 19 + [.1]),
]
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scoring.json")
with open(out, "w") as f:
    json.dump({"made_with": f"numpy {np.__version__}", "cases": cases}, f, separators=(",", ":"))
