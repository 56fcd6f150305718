/* Transposes of filters for the vendor's libraries: every pair of types, sides below, at and beyond a tile's, there and back. Runs on
 * the emulated device and on a real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/cudnn.h"
#include "tests/cuda_host/rig.h"

/* out of rows x columns random numbers; they are bf16's, or, from f32 to bf16, need to be rounded. */
static bool one(rig *r, um_dtype to, um_dtype from, int rows, int columns) {
  const int64_t n = (int64_t)rows * columns;
  const size_t in_size = um_dtype_size(from), out_size = um_dtype_size(to);
  float *value = rig_numbers(&r->dice, n, -2, 2, false), *want = rig_room(n), *got = rig_room(n);
  unsigned char *raw = malloc((size_t)n * 4);
  um_error err;
  bool good;

  for (int64_t i = 0; i < n; i++) {
    if (from == UM_F32 && to == UM_BF16) value[i] *= 1.00390625f; /* eight bits more than it has room for */
    want[i % columns * rows + i / columns] = rig_rounded(value[i], to);
    if (from == UM_BF16) {
      const uint16_t bits = rig_narrow(value[i]);
      memcpy(raw + 2 * i, &bits, 2);
    } else {
      memcpy(raw + 4 * i, &value[i], 4);
    }
  }
  void *in = rig_bring(r, r->be, raw, (size_t)n * in_size, 0), *out = rig_bring(r, r->be, NULL, (size_t)n * out_size, 0);
  rig_must(um_cuda_transpose(out, to, in, from, rows, columns, ((um_cuda *)r->be)->compute, &err), &err, "transpose");
  rig_fetch(r->be, raw, out, (size_t)n * out_size);
  for (int64_t i = 0; i < n; i++) {
    if (to == UM_BF16) {
      uint16_t bits;
      memcpy(&bits, raw + 2 * i, 2);
      got[i] = rig_widen(bits);
    } else {
      memcpy(&got[i], raw + 4 * i, 4);
    }
  }
  good = rig_same("transposed", got, want, to, true, n);
  if (!good) printf("  %dx%d %s to %s\n", rows, columns, um_dtype_name(from), um_dtype_name(to));
  rig_drop(r);
  free(value);
  free(want);
  free(got);
  free(raw);
  return good;
}

static bool transposes(rig *r) {
  static const int side[] = {1, 3, 31, 32, 33, 64, 97};
  bool good = true;

  for (size_t i = 0; i < sizeof side / sizeof *side; i++)
    for (size_t k = 0; k < sizeof side / sizeof *side; k++)
      for (int t = 0; t < 4; t++) good &= one(r, rig_types[t / 2], rig_types[t % 2], side[i], side[k]);
  return good;
}

/* More tiles than a grid has blocks: each block has several. */
static bool many_tiles(rig *r) { return one(r, UM_BF16, UM_BF16, 65537 * 32, 1) && one(r, UM_F32, UM_F32, 1, 65536 * 32 + 5); }

static bool refusals(rig *r) {
  um_error err = {0};
  return um_cuda_transpose(NULL, UM_U8, NULL, UM_F32, 1, 1, ((um_cuda *)r->be)->compute, &err) == UM_EUNSUPPORTED && strstr(err.text, "u8");
}

int main(int argc, char **argv) {
  static const rig_test tests[] = {{"transposes", transposes}, {"many_tiles", many_tiles}, {"refusals", refusals}};
  return rig_main(argc, argv, tests, 3, NULL);
}
