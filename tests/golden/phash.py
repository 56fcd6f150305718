#!/usr/bin/env python3
"""Golden hashes for tests/test_phash.c: Pillow 11.3.0, numpy 2.2.6, scipy 1.15.3. Writes tests/golden/phash.txt: a line a picture,
"width height kind hash mirrored". The steps are those of imagehash.phash (hash_size 16, highfreq_factor 4), with Pillow's bilinear
filter. The pictures are made of whole numbers so that the test makes the same."""
import os
import numpy as np
from PIL import Image
from scipy.fftpack import dct


def picture(width, height, kind):
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    if kind == 0:    # waves
        planes = [(x * x + 3 * y * (c + 1) + (x * y) // 7) % 256 for c in range(3)]
    elif kind == 1:  # blobs
        planes = [255 * 900 // (900 + (x - width // (2 + c)) ** 2 + (y - height // 3) ** 2) for c in range(3)]
    else:            # stripes and a slope
        planes = [(x * 255 // width + 40 * ((y // 9 + c) % 3)) % 256 for c in range(3)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


def phash(im):
    pixels = np.asarray(im.resize((64, 64), Image.BILINEAR).convert("L"), float)
    low = dct(dct(pixels, axis=0), axis=1)[:16, :16]
    bits = (low > np.median(low)).ravel()
    return "".join("%x" % int("".join("01"[int(b)] for b in bits[i:i + 4]), 2) for i in range(0, 256, 4))


with open(os.path.join(os.path.dirname(__file__), "phash.txt"), "w") as out:
    for kind in range(3):
        for width, height in [(224, 224), (150, 130), (91, 300), (64, 64), (500, 333)]:
            im = picture(width, height, kind)
            out.write("%d %d %d %s %s\n" % (width, height, kind, phash(im), phash(im.transpose(Image.FLIP_LEFT_RIGHT))))
