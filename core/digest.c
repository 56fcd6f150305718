/* SHA-256 (FIPS 180-4), MD5 (RFC 1321) and CRC-32C. The first two take 64-byte blocks and end in the same padding: 0x80, zeros, the
 * length in bits in the last eight bytes, big-endian for SHA-256 and little-endian for MD5. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

static uint32_t rotate_left(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint32_t rotate_right(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha256_compress(uint32_t *h, const uint8_t *p) {
  /* FIPS 180-4, 4.2.2: the fractional parts of the cube roots of the first 64 primes. */
  static const uint32_t k[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
      0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
      0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
      0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
      0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
      0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++, p += 4) w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    a = rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3;
    b = rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(s, h, sizeof s);
  /* The eight words change their places every round; after eight rounds each has its own again, so that nothing need be moved. */
#define S(n) s[((n) + 64 - r) % 8]
  for (int i = 0; i < 64; i += 8) {
#pragma GCC unroll 8
    for (int r = 0; r < 8; r++) {
      const uint32_t a = S(0), b = S(1), c = S(2), e = S(4);
      const uint32_t t =
          S(7) + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) + ((e & S(5)) ^ (~e & S(6))) + k[i + r] + w[i + r];
      S(3) += t;
      S(7) = t + (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    }
  }
#undef S
  for (int i = 0; i < 8; i++) h[i] += s[i];
}

static void md5_compress(uint32_t *h, const uint8_t *p) {
  /* RFC 1321, 3.4: floor(2^32 |sin(i + 1)|). */
  static const uint32_t k[64] = {
      0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
      0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
      0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
      0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
      0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
      0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
  static const int turn[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  uint32_t x[16], a = h[0], b = h[1], c = h[2], d = h[3];
  for (int i = 0; i < 16; i++, p += 4) x[i] = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  for (int i = 0; i < 64; i++) {
    uint32_t f;
    int g;
    switch (i / 16) {
    case 0: f = (b & c) | (~b & d), g = i; break;
    case 1: f = (d & b) | (~d & c), g = (5 * i + 1) % 16; break;
    case 2: f = b ^ c ^ d, g = (3 * i + 5) % 16; break;
    default: f = c ^ (b | ~d), g = 7 * i % 16; break;
    }
    uint32_t next = b + rotate_left(a + f + k[i] + x[g], turn[i / 16][i % 4]);
    a = d, d = c, c = b, b = next;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d;
}

void um_sha256_begin(um_digest *d) {
  static const uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memset(d, 0, sizeof *d);
  memcpy(d->h, h, sizeof h);
  d->compress = sha256_compress;
}

static void md5_begin(um_digest *d) {
  static const uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  memset(d, 0, sizeof *d);
  memcpy(d->h, h, sizeof h);
  d->compress = md5_compress;
}

void um_digest_add(um_digest *d, const void *data, size_t n) {
  const uint8_t *p = data;
  size_t have = (size_t)(d->bytes % 64);
  d->bytes += n;
  if (have + n < 64) {
    if (n > 0) memcpy(d->block + have, p, n);
    return;
  }
  if (have > 0) {
    size_t take = 64 - have;
    memcpy(d->block + have, p, take);
    d->compress(d->h, d->block);
    p += take, n -= take;
  }
  for (; n >= 64; p += 64, n -= 64) d->compress(d->h, p);
  if (n > 0) memcpy(d->block, p, n);
}

static void pad(um_digest *d, bool big_endian) {
  static const uint8_t zeros[72] = {0x80};
  uint64_t bits = d->bytes * 8;
  uint8_t length[8];
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> 8 * (big_endian ? 7 - i : i));
  um_digest_add(d, zeros, 1 + (119 - d->bytes % 64) % 64);
  um_digest_add(d, length, 8);
}

static void end_sha256(um_digest *d, uint8_t out[32]) {
  pad(d, true);
  for (int i = 0; i < 32; i++) out[i] = (uint8_t)(d->h[i / 4] >> 8 * (3 - i % 4));
}

static void md5_end(um_digest *d, uint8_t out[16]) {
  pad(d, false);
  for (int i = 0; i < 16; i++) out[i] = (uint8_t)(d->h[i / 4] >> 8 * (i % 4));
}

static void to_hex(char *hex, const uint8_t *bytes, int n) {
  for (int i = 0; i < n; i++) snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

void um_sha256_end(um_digest *d, char hex[65]) {
  uint8_t out[32];
  end_sha256(d, out);
  to_hex(hex, out, 32);
}

static int add_file(um_digest *d, const char *path, um_error *err) {
  enum { CHUNK = 1 << 16 };
  int status = UM_OK;
  uint8_t *buffer = NULL;
  FILE *f;

  if (um_is_folder(path)) return um_fail(err, UM_EIO, "%s: expected a file, found a folder", path);
  f = fopen(path, "rb");
  if (!f) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  buffer = malloc(CHUNK);
  if (!buffer) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for %d bytes", path, CHUNK);
    goto done;
  }
  for (size_t n; (n = fread(buffer, 1, CHUNK, f)) > 0;) um_digest_add(d, buffer, n);
  if (ferror(f)) status = um_fail(err, UM_EIO, "%s: cannot be read to its end", path);
done:
  free(buffer);
  fclose(f);
  return status;
}

void um_sha256(uint8_t out[32], const void *data, size_t size) {
  um_digest d;
  um_sha256_begin(&d);
  um_digest_add(&d, data, size);
  end_sha256(&d, out);
}

int um_sha256_file(char hex[65], const char *path, um_error *err) {
  um_digest d;
  uint8_t out[32];
  um_sha256_begin(&d);
  int status = add_file(&d, path, err);
  if (status) return status;
  end_sha256(&d, out);
  to_hex(hex, out, 32);
  return UM_OK;
}

int um_md5_file(char hex[33], const char *path, um_error *err) {
  um_digest d;
  uint8_t out[16];
  md5_begin(&d);
  int status = add_file(&d, path, err);
  if (status) return status;
  md5_end(&d, out);
  to_hex(hex, out, 16);
  return UM_OK;
}

uint32_t um_crc32c(const void *data, size_t size) {
  const uint8_t *p = data;
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size; i++) {
    crc ^= p[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}
