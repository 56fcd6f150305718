"""Pictures for the checks: OUT/train/{fake,real}/*.png to learn from and OUT/test/*.png, 50 of them, to score. Noise, the fake ones with a
grid over it; the same on every machine.

    python tests/interop/pictures.py OUT SIDE
"""
import os
import sys

import numpy as np
from PIL import Image

out, side = sys.argv[1], int(sys.argv[2])
rng = np.random.RandomState(4)


def picture(fake):
    x = rng.randint(0, 256, (6, 6, 3)).astype(np.uint8)
    x = np.asarray(Image.fromarray(x).resize((side, side), Image.BICUBIC)).astype(np.int32) + rng.randint(-20, 21, (side, side, 3))
    if fake:
        x[::4] += 30
        x[:, ::4] -= 30
    return Image.fromarray(np.clip(x, 0, 255).astype(np.uint8))


for label in ("fake", "real"):
    os.makedirs(os.path.join(out, "train", label), exist_ok=True)
    for i in range(40):
        picture(label == "fake").save(os.path.join(out, "train", label, f"{i:03d}.png"))
os.makedirs(os.path.join(out, "test"), exist_ok=True)
for i in range(50):
    picture(i % 2).save(os.path.join(out, "test", f"{i:03d}.png"))
