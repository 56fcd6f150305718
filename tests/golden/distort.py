"""Writes tests/golden/distort.safetensors: what data/distort.c does to a picture, by Pillow and scipy.

Pinned: Pillow 12.0.0, scipy 1.17.1, numpy 2.0.2.
  python3 tests/golden/distort.py

Tensors KIND/STRENGTH/INPUT, all of container.picture(19, 26): KIND and STRENGTH as in data/distort.h, INPUT the number that a crop is drawn
by; window/STRENGTH/INPUT is the crop's x, y, width, height in a picture of 640 x 360.
"""
import io
import os

import numpy as np
from PIL import Image, ImageEnhance
from scipy import ndimage

from container import picture, save

HERE = os.path.dirname(os.path.abspath(__file__))
H, W = 19, 26
SEED, STREAM = 42, 11
pixels = picture(H, W)
image = Image.fromarray(pixels)
BILINEAR = Image.Resampling.BILINEAR


def philox(counter, key):
    """Philox 4x32-10 as the paper has it."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def share(percent, of):
    return min(max(int(np.floor(percent / 100 * of + 0.5)), 1), of)


def window(width, height, percent, number):
    w, h = share(100 - percent, width), share(100 - percent, height)
    words = philox((0, number, 0, STREAM), (SEED, 0))
    return words[0] * (width - w + 1) >> 32, words[1] * (height - h + 1) >> 32, w, h


out = {}
for quality in (90, 30):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    out[f"jpeg/{quality}/0"] = Image.open(file).convert("RGB")
for percent in (75, 25):
    out[f"downscale/{percent}/0"] = image.resize((share(percent, W), share(percent, H)), BILINEAR).resize((W, H), BILINEAR)
for sigma in (1, 4):
    blurred = [ndimage.gaussian_filter(pixels[..., c].astype(np.float64), sigma, mode="nearest", truncate=3) for c in range(3)]
    out[f"blur/{sigma}/0"] = np.floor(np.stack(blurred, -1) + 0.5).astype(np.uint8)
for percent in (-40, 20):
    out[f"brightness/{percent}/0"] = ImageEnhance.Brightness(image).enhance(1 + percent / 100)
for percent in (5, 20):
    for number in (0, 4000000000):
        x, y, w, h = window(W, H, percent, number)
        out[f"crop/{percent}/{number}"] = image.crop((x, y, x + w, y + h)).resize((W, H), BILINEAR)
for percent in (25, 50):
    w, h = share(100 - percent, W), share(100 - percent, H)
    black = Image.new("RGB", (W, H))
    black.paste(image.resize((w, h), BILINEAR), ((W - w) // 2, (H - h) // 2))
    out[f"borders/{percent}/0"] = black
tensors = {name: np.asarray(a) for name, a in out.items()}
for percent in (5, 10, 20):
    for number in (0, 1, 4000000000):
        tensors[f"window/{percent}/{number}"] = np.array(window(640, 360, percent, number), np.int32)
save(os.path.join(HERE, "distort.safetensors"), tensors)
