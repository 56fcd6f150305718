"""The numbers of the VGG16 golden test that are made by formula: kernels, pixels, labels, sketches.

tests/support/golden.c makes the same pixels, labels and sketches in C. Everything is integer arithmetic on 32-bit words, so
nothing depends on a library's generator.
"""
import numpy as np

PERIOD = 4093  # prime: coprime with every extent of a VGG16 kernel, and 4 * 4093 bytes fit deflate's 32 KiB window
BUCKETS = 256
SIDE = 150


def mix(h):
    """The finalizer of MurmurHash3 (Appleby, 2008), on uint32 arrays."""
    h = np.asarray(h, dtype=np.uint32).copy()
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h


def word(stream, index):
    """The index-th word of a stream."""
    return mix(np.asarray(index, dtype=np.uint32) ^ mix(np.uint32((stream * 0x9E3779B9 + 1) & 0xFFFFFFFF)))


TABLE = (word(1, np.arange(PERIOD)) % np.uint32(255)).astype(np.int32) - 127  # -127 .. 127, standard deviation about 73.6


def kernel(index, shape):
    """The index-th kernel: a window of the table, which a compressor finds again and again."""
    count = int(np.prod(shape))
    start = int(word(2, index)) % PERIOD
    return TABLE[(np.arange(count) + start) % PERIOD].astype(np.float32).reshape(shape)


def short(value, bits):
    """The nearest float32 with so many significant bits: few distinct values compress well."""
    mantissa, exponent = np.frexp(value)
    return np.ldexp(np.round(mantissa * 2.0**bits) / 2.0**bits, exponent).astype(np.float32)


def triangle(x):
    """Triangle wave of period 256 between 0 and 127, on integers."""
    x = np.asarray(x, dtype=np.int64) & 255
    return np.where(x < 128, x, 255 - x)


def image(index):
    """Image `index`: SIDE x SIDE x 3 bytes; two oblique waves, a hue and a contrast of its own, and 0..31 of noise a
    pixel (so that no two values are equal over an area, which would leave the winner of a max pooling to rounding)."""
    k = [int(word(3, index * 16 + i)) for i in range(16)]
    r, c, ch = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
    a = triangle(r * (k[0] % 7) + c * (k[1] % 7) + k[2] % 256 + ch * (k[3] % 64))
    b = triangle(r * (k[4] % 13) - c * (k[5] % 13) + k[6] % 256 - ch * (k[7] % 64))
    hue = np.array([k[8] % 64, k[9] % 64, k[10] % 64])[ch]
    noise = word(16 + index, (r * SIDE + c) * 3 + ch) >> np.uint32(27)
    return (((a + b) // 2 + hue + noise) * (64 + k[11] % 192) >> 8).astype(np.uint8)


def batch(first, n):
    return np.stack([image(first + i) for i in range(n)])


def labels(first, n):
    return np.array([(first + i) & 1 for i in range(n)], dtype=np.float32)


def sketch(values, stream):
    """Count sketch (Charikar, Chen, Farach-Colton 2002): BUCKETS signed sums. It is linear, so the squared distance of two
    sketches estimates the squared distance of the two tensors, with a relative standard deviation of sqrt(2 / BUCKETS)."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    h = word(stream, np.arange(flat.size))
    sign = np.where(h >> np.uint32(31), -1.0, 1.0)
    return np.bincount(h & np.uint32(BUCKETS - 1), weights=sign * flat, minlength=BUCKETS).astype(np.float32)


def samples(count, n, stream):
    """n positions below count."""
    return word(stream, np.arange(n)).astype(np.int64) % count
