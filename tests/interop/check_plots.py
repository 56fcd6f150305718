#!/usr/bin/env python3
"""Plots that infer --report writes, the SVG drawn by a real headless Chromium and the PNG by cairo: the same picture. Both are made four times
smaller first, so that the edges of letters and lines, which each program smooths its own way, do not count. CHROMIUM names another browser.
Called with BUILD/interop and BIN."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import numpy as np
from PIL import Image

folder, programs = sys.argv[1:3]
out = os.path.abspath(os.path.join(folder, "plots"))
passed = failed = 0
browser = next((b for b in [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"] if b and shutil.which(b)), None)


def small(path):
    picture = np.asarray(Image.open(path).convert("RGB"), float)
    height, width = picture.shape[0] // 4 * 4, picture.shape[1] // 4 * 4
    return picture.shape, picture[:height, :width].reshape(height // 4, 4, width // 4, 4, 3).mean(axis=(1, 3))


def compare(name):
    svg = os.path.join(out, name + ".svg")
    with open(svg, encoding="utf-8") as f:
        width, height = re.search(r'viewBox="0 0 (\d+) (\d+)"', f.read()).groups()
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=2",
                        "--user-data-dir=" + profile, "--window-size=%s,%s" % (width, height), "--screenshot=%s/%s.chromium.png" % (out, name),
                        "file://" + svg], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    shape, theirs = small("%s/%s.chromium.png" % (out, name))
    own, ours = small("%s/%s.png" % (out, name))
    if shape != own:
        return False, "%s: %s pixels, Chromium %s" % (name, own, shape)
    correlation = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
    return correlation > .98, "%s: correlation %.4f, mean difference %.2f of 255" % (name, correlation, np.abs(ours - theirs).mean())


if not browser:
    print("skipped: plots: no Chromium on PATH; CHROMIUM=/path/to/it names one")
    failed += 0 if os.environ.get("INTEROP_MAY_SKIP") else 1
else:
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([os.path.join(programs, "infer"), "--model", os.path.join(folder, "model.safetensors"), "--faces-are-cut", "--labels", "folders",
                    "--report", out, os.path.join(folder, "pictures", "train")], check=True, stdout=subprocess.DEVNULL)
    for plot in ("roc", "precision-recall", "reliability", "scores"):
        ok, words = compare(plot)
        passed, failed = passed + ok, failed + (not ok)
        print(words if ok else "FAILED: " + words)
print("%d passed, %d failed" % (passed, failed))
