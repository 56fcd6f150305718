# Golden numbers for the warp op: scipy.ndimage.affine_transform(order=1) channel by channel over float32, then flips, channel order,
# rescale and mean, in Keras' order. Made with scipy 1.17.1, numpy 2.0.2. Writes tests/golden/warp.txt; run from the repository root.
import numpy as np
from scipy.ndimage import affine_transform

rng = np.random.RandomState(1)


def rotation(degrees, zoom_h, zoom_w, shift_h, shift_w, height, width):
    t = np.deg2rad(degrees)
    m = np.array([[np.cos(t) * zoom_h, -np.sin(t) * zoom_w], [np.sin(t) * zoom_h, np.cos(t) * zoom_w]])
    centre = np.array([height / 2 + 0.5, width / 2 + 0.5])
    return m, centre - m @ centre + [shift_h, shift_w]


def cases():
    for height, width in [(7, 9), (1, 5), (2, 2), (4, 1)]:
        yield height, width, rotation(33.0, 1.1, 0.9, 0.7, -1.3, height, width)  # what augmentation does
        yield height, width, rotation(0.0, 1.0, 1.0, 2.0, -3.0, height, width)  # whole pixels: the borders themselves
        yield height, width, rotation(0.0, 1.0, 1.0, -0.5, 0.5, height, width)  # within half a pixel of them
        yield height, width, rotation(-117.0, 4.3, 3.9, 5.21, 7.77, height, width)  # several widths outside, on all sides


with open("tests/golden/warp.txt", "w") as out:
    out.write("%d\n" % (4 * 4 * 4))
    for index, (height, width, (matrix, offset)) in enumerate(cases()):
        pixels = rng.randint(0, 256, size=(height, width, 3)).astype(np.uint8)
        for mode in ("nearest", "constant", "reflect", "wrap"):
            flip_h, flip_v, bgr = index % 2, index // 2 % 2, index % 3 == 0
            scale = np.float32(1 if bgr else 1 / 255)
            mean = np.array([103.939, 116.779, 123.68] if bgr else [0, 0, 0], np.float32)
            x = pixels.astype(np.float32)
            x = np.stack([affine_transform(x[..., c], matrix, offset, order=1, mode=mode, cval=37.0) for c in range(3)], -1)
            x = x[:, ::-1] if flip_h else x
            x = x[::-1] if flip_v else x
            x = (x[..., ::-1] if bgr else x) * scale - mean
            out.write("%d %d %s %d %d %d %.9g\n" % (height, width, mode, flip_h, flip_v, bgr, scale))
            out.write(" ".join("%.9g" % v for v in mean) + "\n")
            out.write(" ".join("%.17g" % v for v in [*matrix[0], offset[0], *matrix[1], offset[1]]) + "\n")
            out.write(" ".join("%d" % v for v in pixels.ravel()) + "\n")
            out.write(" ".join("%.7g" % v for v in x.ravel()) + "\n")
