#!/usr/bin/python3
"""Fixture of test_crop: crops that OpenCV 4.6.0 (Debian 12's python3-opencv: getRotationMatrix2D, warpAffine, edges repeated) and Pillow
9.4.0 (Image.transform of a picture with a wide repeated edge; Image.resize) cut of a drawn frame, and where OpenCV's matrix takes the points.

    /usr/bin/python3 tests/golden/crop.py     # writes tests/golden/crop.safetensors; run from the repository root

Tensors of case N: N/face  x y width height, then left eye, right eye, nose, mouth left, mouth right, x y each;  N/how  shape (0 recipe, 1
square, 2 tight), margin in percent, size, align;  N/opencv, N/pillow  H W 3;  N/points  5 2, in pixels of the crop.
"""
import math
import sys

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, "tests/golden")
from container import save

WIDTH, HEIGHT, PAD = 96, 72, 100


def frame():
    """Slanted waves, 12 levels a pixel to the right and 8 down: what linear sampling makes of them differs little with its rounding."""
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(3), indexing="ij")
    v = (3 * x + 2 * y + 20 * c) % 128
    return (np.minimum(v, 127 - v) * 4).astype(np.uint8)


def points(cx, cy, half, tilt):
    """A face about a centre; tilt in degrees, clockwise as seen. In eighths of a pixel."""
    t = math.radians(tilt)
    where = [(-0.4, -0.3), (0.4, -0.3), (0.05, 0.1), (-0.3, 0.5), (0.35, 0.45)]
    turned = [(cx + half * (u * math.cos(t) - v * math.sin(t)), cy + half * (u * math.sin(t) + v * math.cos(t))) for u, v in where]
    return np.round(np.array(turned) * 8) / 8


RECIPE, SQUARE, TIGHT = 0, 1, 2
CASES = [  # box, tilt, shape, margin, size, align
    ((30.25, 20.5, 24, 30), 20, SQUARE, 0, 0, 1),
    ((2.5, 1.25, 20, 22), -35, RECIPE, 0.25, 0, 1),
    ((40, 30.5, 21, 30), 5, TIGHT, 0, 0, 1),
    ((35.5, 18.75, 22, 26), 12, SQUARE, 0.5, 16, 1),
    ((70.5, 44, 24, 24), -160, SQUARE, 0.1, 40, 1),
    ((33.375, 21.75, 23, 27), 20, SQUARE, 0.2, 0, 0),
    ((80.75, 50.5, 18, 25), 90, TIGHT, 0.2, 24, 1),
]


def main():
    img, out = frame(), {}
    padded = Image.fromarray(np.pad(img, ((PAD, PAD), (PAD, PAD), (0, 0)), mode="edge"))
    for n, (box, tilt, shape, margin, size, align) in enumerate(CASES):
        x, y, w, h = box
        p = points(x + w / 2, y + h / 2, max(w, h) / 2, tilt)
        angle = math.atan2(p[1, 1] - p[0, 1], p[1, 0] - p[0, 0]) if align else 0.0
        cx, cy = x + w / 2, y + h / 2
        if shape == RECIPE:
            r = round(round((w + h) / 4) * (1 + margin))
            width = height = 2 * r + 1
            cx, cy = round(cx) + 0.5, round(cy) + 0.5
        else:
            side = max(w, h)
            width, height = (round(side * (1 + margin)),) * 2 if shape == SQUARE else (round(w * (1 + margin)), round(h * (1 + margin)))
        if not align and shape != RECIPE:  # whole pixels
            cx, cy = round(cx - width / 2) + width / 2, round(cy - height / 2) + height / 2
        m = cv2.getRotationMatrix2D((cx - 0.5, cy - 0.5), math.degrees(angle), 1)
        m[0, 2] += (width - 1) / 2 - (cx - 0.5)
        m[1, 2] += (height - 1) / 2 - (cy - 0.5)
        opencv = cv2.warpAffine(img, m, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        c, s = math.cos(angle), math.sin(angle)
        data = (c, -s, cx + PAD - c * width / 2 + s * height / 2, s, c, cy + PAD - s * width / 2 - c * height / 2)
        pillow = padded.transform((width, height), Image.AFFINE, data, Image.BILINEAR)
        mapped = cv2.transform(p.reshape(1, -1, 2) - 0.5, m)[0] + 0.5
        if size:
            opencv = np.asarray(Image.fromarray(opencv).resize((size, size), Image.BILINEAR))
            pillow = pillow.resize((size, size), Image.BILINEAR)
            mapped = mapped * [size / width, size / height]
        out[f"{n}/face"] = np.concatenate([box, p.reshape(-1)]).astype(np.float32)
        out[f"{n}/how"] = np.array([shape, round(margin * 100), size, align], np.int32)
        out[f"{n}/opencv"] = opencv
        out[f"{n}/pillow"] = np.asarray(pillow)
        out[f"{n}/points"] = mapped.astype(np.float32)
    save("tests/golden/crop.safetensors", out)


main()
