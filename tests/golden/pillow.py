"""Writes tests/golden/pillow.safetensors: picture files, and what Pillow decodes them to; what Pillow resizes to.

Pinned: Pillow 12.0.0, numpy 2.0.2. (Pillow 13 changes the order of the two passes of a bilinear resize for some shapes; the
recipe's Pillow, 7, is as 12.)
  python3 tests/golden/pillow.py

Tensors:  file/NAME   a picture file's bytes;   rgb/NAME   what Image.open(...).convert("RGB") gives, H W 3
          resize/METHOD/HxW/hxw   H W 3 -> h w 3 of container.picture(H, W), or the SHA-256 of it (32 bytes) where it is large
"""
import hashlib
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image

from container import picture, save

HERE = os.path.dirname(os.path.abspath(__file__))
tensors = {}


def add(name, data):
    image = Image.open(io.BytesIO(data))
    tensors["file/" + name] = np.frombuffer(data, np.uint8)
    tensors["rgb/" + name] = np.asarray(image.convert("RGB"))


def saved(image, format, **options):
    f = io.BytesIO()
    image.save(f, format, **options)
    return f.getvalue()


# PNG, chunk by chunk: Pillow does not write all kinds that it reads.
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]  # x0 y0 dx dy


def pack(samples, depth):
    """Rows of samples (h, w * channels) as PNG scanlines without a filter."""
    out = b""
    for row in samples:
        if depth == 16:
            line = row.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:].reshape(-1)
            line = np.packbits(bits).tobytes()
        out += b"\0" + line
    return out


def png(samples, color, depth, interlaced=False, extra=b"", end=True):
    h, w, channels = samples.shape
    if interlaced:
        raw = b""
        for x0, y0, dx, dy in ADAM7:
            part = samples[y0::dy, x0::dx]
            if part.shape[0] and part.shape[1]:
                raw += pack(part.reshape(part.shape[0], -1), depth)
    else:
        raw = pack(samples.reshape(h, -1), depth)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, color, 0, 0, interlaced)) + extra
            + chunk(b"IDAT", zlib.compress(raw)) + (chunk(b"IEND", b"") if end else b""))


GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def samples(channels, depth, h=17, w=23):
    rng = np.random.RandomState(channels * 100 + depth)
    return rng.randint(0, 2**depth, (h, w, channels))


def palette(n):
    rng = np.random.RandomState(n)
    return chunk(b"PLTE", rng.randint(0, 256, 3 * n).astype(np.uint8).tobytes())


for interlaced in (False, True):
    kind = "_interlaced" if interlaced else ""
    for depth in (1, 2, 4, 8, 16):
        add(f"grey{depth}{kind}.png", png(samples(1, depth), GREY, depth, interlaced))
    for depth in (1, 2, 4, 8):
        add(f"palette{depth}{kind}.png", png(samples(1, depth), PALETTE, depth, interlaced, palette(2**depth)))
    for depth in (8, 16):
        add(f"rgb{depth}{kind}.png", png(samples(3, depth), RGB, depth, interlaced))
        add(f"rgba{depth}{kind}.png", png(samples(4, depth), RGBA, depth, interlaced))
        add(f"grey_alpha{depth}{kind}.png", png(samples(2, depth), GREY_ALPHA, depth, interlaced))
add("palette8_transparent.png", png(samples(1, 8), PALETTE, 8, False, palette(256) + chunk(b"tRNS", bytes(range(200)))))
add("grey8_transparent.png", png(samples(1, 8), GREY, 8, False, chunk(b"tRNS", b"\0\x80")))
add("rgb8_transparent.png", png(samples(3, 8), RGB, 8, False, chunk(b"tRNS", b"\0\x10\0\x20\0\x30")))
add("rgb8_gamma.png", png(samples(3, 8), RGB, 8, False, chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"sBIT", b"\5\6\5")))
add("no_end.png", png(samples(3, 8), RGB, 8, end=False))
add("one_pixel.png", png(samples(3, 8, 1, 1), RGB, 8))
add("one_row.png", png(samples(3, 8, 1, 61), RGB, 8))
add("filtered.png", saved(Image.fromarray(picture(40, 33)), "PNG", optimize=True))

# JPEG. The pictures are such that chroma changes fast.
p = Image.fromarray(picture(45, 61))
for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
    add(f"rgb{name}.jpg", saved(p, "JPEG", quality=80, subsampling=subsampling))
    add(f"progressive{name}.jpg", saved(p, "JPEG", quality=60, subsampling=subsampling, progressive=True))
    add(f"odd{name}.jpg", saved(p.crop((0, 0, 17, 9)), "JPEG", quality=95, subsampling=subsampling))
    add(f"one_pixel{name}.jpg", saved(p.crop((3, 3, 4, 4)), "JPEG", quality=95, subsampling=subsampling))
    add(f"restart{name}.jpg", saved(p, "JPEG", quality=30, subsampling=subsampling, restart_marker_blocks=2))
add("grey.jpg", saved(p.convert("L"), "JPEG", quality=75))
add("grey_progressive.jpg", saved(p.convert("L"), "JPEG", quality=75, progressive=True))
add("true_rgb.jpg", saved(p, "JPEG", quality=80, keep_rgb=True, subsampling=0))
cmyk = Image.merge("CMYK", [Image.fromarray(picture(33, 21)[:, :, c % 3]).point(lambda v, c=c: (v >> (c == 3)) & 255) for c in range(4)])
add("cmyk.jpg", saved(cmyk, "JPEG", quality=85))
add("cmyk420.jpg", saved(cmyk, "JPEG", quality=85, subsampling=2))
# The same data taken for YCCK: the transform byte of the Adobe marker.
data = bytearray(saved(cmyk, "JPEG", quality=85))
adobe = data.index(b"Adobe")
data[adobe + 11] = 2
add("ycck.jpg", bytes(data))
exif = Image.Exif()
exif[0x112] = 6
add("exif_rotated.jpg", saved(p.crop((0, 0, 30, 20)), "JPEG", quality=80, exif=exif))
# Without the end marker: whole where the decoder need not look beyond the last block.
data = saved(p.crop((0, 0, 24, 24)), "JPEG", quality=80)
try:
    add("no_end.jpg", data[:-2])
except OSError:
    tensors.pop("file/no_end.jpg")
    tensors["bad/no_end.jpg"] = np.frombuffer(data[:-2], np.uint8)

# Others.
small = Image.fromarray(picture(13, 19))
add("rgb.bmp", saved(small, "BMP"))
add("grey.bmp", saved(small.convert("L"), "BMP"))
add("palette.bmp", saved(small.quantize(64), "BMP"))
add("one_bit.bmp", saved(small.convert("1"), "BMP"))
add("rgba.bmp", saved(small.convert("RGBA"), "BMP"))
add("rgb.ppm", saved(small, "PPM"))
add("grey.pgm", saved(small.convert("L"), "PPM"))
add("one_bit.pbm", saved(small.convert("1"), "PPM"))
for most in (1, 100, 254, 1023, 65535):
    for kind, channels in ((5, 1), (6, 3)):
        a = np.random.RandomState(most).randint(0, most + 1, (5, 7, channels))
        add(f"binary{kind}_{most}.pnm", b"P%d 7 # a comment\n5\n%d\n" % (kind, most) + a.astype(">u2" if most > 255 else "u1").tobytes())
    text = b"\n".join(b"%d" % v for v in a.reshape(-1))
    add(f"text3_{most}.pnm", b"P3\n7 5 %d\n" % most + text + b"\n")
add("text.pbm", b"P1\n# bits\n5 2\n1 0 1 0 1\n01010\n")
add("text.ppm", b"P3\n# a comment\n3 2\n255\n255 0 0  0 255 0  0 0 255\n1 2 3  4 5 6  250 251 252\n")
for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
    add(f"rgb_{compression}.tif", saved(small, "TIFF", compression=compression))
add("grey16.tif", saved(Image.fromarray(np.arange(0, 65536, 263, dtype=np.uint16)[:240].reshape(12, 20)), "TIFF"))
tensors["bad/jpeg.tif"] = np.frombuffer(saved(small, "TIFF", compression="jpeg"), np.uint8)
add("grey.tif", saved(small.convert("L"), "TIFF"))
add("palette.tif", saved(small.quantize(32), "TIFF"))
add("one_bit.tif", saved(small.convert("1"), "TIFF"))
add("rgba.tif", saved(small.convert("RGBA"), "TIFF"))
add("lossless.webp", saved(small, "WEBP", lossless=True))
# Lossy WebP: libwebp and FFmpeg bring chroma back differently; the picture is smooth so that they agree within a few levels.
y, x, c = np.meshgrid(np.arange(32), np.arange(48), np.arange(3), indexing="ij")
smooth = (40 + 3 * x + 2 * y * (c == 0) + y * (c == 1)).clip(0, 255).astype(np.uint8)
add("lossy.webp", saved(Image.fromarray(smooth), "WEBP", quality=90))

SIZES = [((1, 1), (1, 1)), ((1, 1), (5, 7)), ((1, 1), (1, 9)), ((2, 3), (1, 1)), ((2, 2), (3, 5)), ((7, 5), (3, 11)), ((37, 29), (17, 13)),
         ((37, 29), (37, 13)), ((37, 29), (17, 29)), ((37, 29), (41, 30)), ((3, 1000), (7, 11)), ((999, 2), (11, 5)), ((1, 300), (1, 7)),
         ((299, 1), (13, 1)), ((30, 40), (15, 20)), ((15, 20), (30, 40)), ((224, 224), (150, 150)), ((150, 150), (224, 224)),
         ((151, 149), (150, 150)), ((480, 641), (150, 150)), ((33, 71), (150, 150)), ((150, 150), (75, 50)), ((217, 217), (150, 150)),
         ((1080, 1920), (96, 96)), ((150, 333), (150, 150)), ((333, 150), (150, 150))]
for (H, W), (h, w) in SIZES:
    for method, filter in (("nearest", Image.NEAREST), ("bilinear", Image.BILINEAR)):
        out = np.asarray(Image.fromarray(picture(H, W)).resize((w, h), filter))
        if out.size > 1500:
            out = np.frombuffer(hashlib.sha256(out.tobytes()).digest(), np.uint8)
        tensors[f"resize/{method}/{H}x{W}/{h}x{w}"] = out

save(os.path.join(HERE, "pillow.safetensors"), tensors)
