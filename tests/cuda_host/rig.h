/* What the tests of single kernels share: memory of a backend at chosen addresses, bf16 with a rounding of its own, one way to run an
 * op in f32 or bf16, and a main. Only the op table is used, so they run on the emulated device and on a GPU. */
#ifndef UM_TESTS_CUDA_HOST_RIG_H
#define UM_TESTS_CUDA_HOST_RIG_H

#include "tests/support/check.h"

enum { RIG_HELD = 64 };

/* The backend under test, ref beside it, and what a test has allocated on either. */
typedef struct rig {
  um_backend *be, *ref;
  struct {
    um_backend *be;
    void *base;
  } held[RIG_HELD];
  int n_held;
  check_dice dice;
} rig;

typedef struct rig_test {
  const char *name;
  bool (*run)(rig *r);
} rig_test;

/* Runs all of them, or the one that the command line names; the exit status. digest(r), where not NULL, is called first in processes
 * of their own with several schedules and must return the same 64 bits in all of them. */
int rig_main(int argc, char **argv, const rig_test *tests, int n, uint64_t (*digest)(rig *r));

/* Ends the program where status is not UM_OK. */
void rig_must(int status, const um_error *err, const char *what);

/* ---- memory ---- */

/* Device memory, `shift` bytes behind an aligned address; host NULL: its contents are undefined. */
void *rig_bring(rig *r, um_backend *be, const void *host, size_t bytes, size_t shift);
void rig_fetch(um_backend *be, void *host, const void *device, size_t bytes);
void rig_drop(rig *r);      /* frees all of it */
float *rig_room(int64_t n); /* malloc'd zeros */

/* ---- numbers ---- */

static const um_dtype rig_types[2] = {UM_F32, UM_BF16};

float rig_widen(uint16_t bf16);
/* To the nearest by comparing distances, ties to the even one: nothing in common with the arithmetic on bits elsewhere. */
uint16_t rig_narrow(float value);
float rig_rounded(float value, um_dtype dtype);

/* Values that both f32 and bf16 have, malloc'd. few: so few different ones that many are equal. */
float *rig_numbers(check_dice *dice, int64_t n, double low, double high, bool few);

/* got is want rounded to dtype, bit by bit; every NaN is as good as another, and 0 as -0 where signs is false. */
bool rig_same(const char *what, const float *got, const float *want, um_dtype dtype, bool signs, int64_t n);
/* Within dtype's rounding, and `absolute` beside it. */
bool rig_near(const char *what, const float *got, const float *want, um_dtype dtype, double absolute, int64_t n);

/* ---- ops ---- */

/* plain NULL: contents undefined. */
um_tensor rig_tensor(rig *r, um_backend *be, um_dtype dtype, const um_tensor *form, const float *plain, size_t shift);
void rig_read(um_backend *be, float *plain, const um_tensor *t);

/* An op (pooling, activation, add, concat) on host numbers. dx[i] may be NULL; seen is what slopes are taken from (NULL: y). shifted:
 * every tensor lies one value behind an aligned address. */
typedef struct rig_task {
  um_op_desc d; /* kind, inputs' and output's shapes, window, activation */
  const float *x[UM_MAX_INPUTS], *dy, *seen;
  float *y, *dx[UM_MAX_INPUTS];
  bool shifted;
  size_t workspace; /* out: bytes */
} rig_task;
void rig_run(rig *r, um_backend *be, rig_task *t, um_dtype dtype);

#endif
