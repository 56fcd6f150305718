"""Writes tests/golden/augment.safetensors: single changes to a picture by Pillow, scipy and OpenCV, for data/degrade.c and data/blend.c.

Pinned: Pillow 12.0.0, scipy 1.17.1, opencv-python-headless 5.0.0.93, numpy 2.0.2.
  python3 tests/golden/augment.py

Tensors, all of container.picture(20, 26):
  enhance/KIND/FACTOR  ImageEnhance's Brightness, Contrast, Color;   jpeg/QUALITY  saved and opened by Pillow
  scale/HOW/HxW        resized to H x W and back by Pillow;   shift/R/G/B  numpy: added and clipped
  gauss/SIGMA          scipy's gaussian_filter of each channel, float32
  levels               norm.ppf of the middles of 1024 equal shares, scaled to variance 1
  elastic/0/{mask,field,out}   map_coordinates of a mask, its displacements linear between 33 x 33 nodes
  fit/I/{points,similarity}  five points, and lstsq's a, b, x0, y0 for the mean face's
  hull/I/{points,mask}       points, and which pixels pointPolygonTest finds in their convexHull or on its edge
"""
import io
import os

import cv2
import numpy as np
from PIL import Image, ImageEnhance
from scipy import ndimage, stats

from container import picture, save

HERE = os.path.dirname(os.path.abspath(__file__))
H, W = 20, 26
pixels = picture(H, W)
image = Image.fromarray(pixels)
tensors = {}

for kind in ("Brightness", "Contrast", "Color"):
    for factor in (0, 0.35, 0.8, 1, 1.2, 2.5):
        tensors[f"enhance/{kind}/{factor}"] = np.asarray(getattr(ImageEnhance, kind)(image).enhance(factor))
for quality in (1, 30, 75, 95, 100):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    tensors[f"jpeg/{quality}"] = np.asarray(Image.open(file).convert("RGB"))
for how in ("nearest", "bilinear"):
    for h, w in ((1, 1), (5, 9), (19, 25), (20, 13)):
        method = getattr(Image.Resampling, how.upper())
        tensors[f"scale/{how}/{h}x{w}"] = np.asarray(image.resize((w, h), method).resize((W, H), method))
for shift in ((20, -20, 0), (255, 1, -255)):
    tensors["shift/%d/%d/%d" % shift] = np.clip(pixels.astype(int) + np.array(shift), 0, 255).astype(np.uint8)
for sigma in (0.3, 0.5, 1.7, 6.2):
    out = [ndimage.gaussian_filter(pixels[..., c].astype(np.float64), sigma, mode="nearest", truncate=3) for c in range(3)]
    tensors[f"gauss/{sigma}"] = np.stack(out, -1).astype(np.float32)
levels = stats.norm.ppf((np.arange(1024) + 0.5) / 1024)
tensors["levels"] = (levels / np.sqrt(np.mean(levels**2))).astype(np.float32)

random = np.random.RandomState(5)
mask = (pixels[..., 0] > 100).astype(np.float32)
mask[:4] = 0
field = ndimage.gaussian_filter(random.uniform(-60, 60, (2, 33, 33)), (0, 2, 2)).astype(np.float32)
field[:, :2] *= 8  # some of it far out of the picture
y, x = np.meshgrid(np.arange(H), np.arange(W), indexing="ij")
nodes = [y * 32 / (H - 1), x * 32 / (W - 1)]
move = [ndimage.map_coordinates(f.astype(np.float64), nodes, order=1) for f in field]
warped = ndimage.map_coordinates(mask.astype(np.float64), [y + move[0], x + move[1]], order=1, mode="grid-constant")
tensors |= {"elastic/0/mask": mask, "elastic/0/field": field, "elastic/0/out": warped.astype(np.float32)}

five = np.array([[-0.5, 0], [0.5, 0], [0, 0.595], [-0.390, 1.106], [0.390, 1.106]])
for i in range(4):
    angle, scale, at = random.uniform(-1, 1), random.uniform(20, 60), random.uniform(50, 90, 2)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (five @ turn.T + at + random.normal(0, 2, (5, 2))).astype(np.float32)
    rows = [[x, -y, 1, 0] for x, y in five] + [[y, x, 0, 1] for x, y in five]
    found = np.linalg.lstsq(np.array(rows), points.astype(np.float64).T.reshape(-1), rcond=None)[0]
    tensors |= {f"fit/{i}/points": points, f"fit/{i}/similarity": found.astype(np.float32)}
for i, n in enumerate((3, 4, 9, 30)):
    # Eighths, so that some corners and edges meet pixels' centres.
    points = np.round(random.uniform((-6, -6), (W + 5, H + 5), (n, 2)) * 8) / 8
    if i == 1:
        points = np.array([[3, 4], [14, 4], [14, 11], [3, 11]])
    points = points.astype(np.float32)
    hull = cv2.convexHull(points)
    inside = [[cv2.pointPolygonTest(hull, (float(x), float(y)), False) >= 0 for x in range(W)] for y in range(H)]
    tensors |= {f"hull/{i}/points": points, f"hull/{i}/mask": np.array(inside, np.uint8)}

save(os.path.join(HERE, "augment.safetensors"), tensors)
