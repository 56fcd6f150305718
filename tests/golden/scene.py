"""The picture that tests/support/scene.c draws, by the same integer formulas: faces of three sizes before a noisy ground."""
import numpy as np

WIDTH, HEIGHT = 400, 300
FACES = ((110, 130, 70), (270, 90, 40), (330, 220, 26))  # centre and half width
# Of a face, in percent of the half width: centre, half axes, grey.
PARTS = (
    (0, -20, 112, 130, 45),  # hair
    (0, 12, 92, 118, 175),  # skin
    (-40, -12, 34, 20, 120), (40, -12, 34, 20, 120),  # sockets
    (-40, -32, 30, 6, 70), (40, -32, 30, 6, 70),  # brows
    (-40, -10, 20, 9, 45), (40, -10, 20, 9, 45),  # eyes
    (0, 12, 9, 36, 200),  # nose
    (0, 48, 20, 6, 115),  # nostrils
    (0, 78, 36, 8, 85),  # mouth
    (-55, 40, 20, 22, 190), (55, 40, 20, 22, 190),  # cheeks
)


def noise(x, y):
    n = (x * 374761393 + y * 668265263) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return (n ^ (n >> 16)) & 0xFF


def scene(width=WIDTH, height=HEIGHT, faces=FACES):
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    # Noise in three sizes of grain, over a ramp.
    g = 60 + x // 8 + y // 8 + noise(x, y) // 16 + noise(x // 7, y // 7) // 6 + noise(x // 31, y // 31) // 4
    for cx, cy, s in faces:
        for px, py, pa, pb, grey in PARTS:
            dx, dy = 100 * (x - cx) - px * s, 100 * (y - cy) - py * s
            a, b = pa * s, pb * s
            inside = dx * dx * b * b + dy * dy * a * a <= a * a * b * b
            g = np.where(inside, grey + noise(x, y) // 32, g)
    for _ in range(2):  # smoothed twice, borders repeated
        p = np.pad(g, 1, mode="edge")
        g = sum(p[i:i + height, j:j + width] for i in range(3) for j in range(3))
        g = (g + 4) // 9
    return np.minimum(g, 255).astype(np.uint8)
