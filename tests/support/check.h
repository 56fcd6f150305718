/* What checkops is made of: dice, memory with guards around it, and one way to run any op of any backend on host numbers. Only
 * the op table is used, so a backend on a device is checked like one on the host. */
#ifndef UM_TESTS_SUPPORT_CHECK_H
#define UM_TESTS_SUPPORT_CHECK_H

#include "core/ops.h"

/* Prints the message of the case that failed, and is false. */
bool check_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define CHECK(condition, ...)                                                                                                              \
  do {                                                                                                                                     \
    if (!(condition)) return check_fail(__VA_ARGS__);                                                                                      \
  } while (0)

/* ---- dice: the same case always throws the same ---- */

typedef struct check_dice {
  uint64_t seed;
  uint32_t test, number, draw;
} check_dice;
int check_int(check_dice *d, int low, int high); /* both included */
bool check_chance(check_dice *d, double p);
float *check_floats(check_dice *d, int64_t n, double low, double high); /* malloc'd */
/* One of the `count` values. */
#define check_pick(d, ...) (((const int[]){__VA_ARGS__})[check_int(d, 0, (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)) - 1)])

/* One of the precisions that the backend has. */
um_precision check_precision(um_backend *be, check_dice *dice);
/* Values to the nearest bf16: products of such are exact in f32, in TF32 too. */
void check_round(float *x, int64_t n);

/* ---- a lab: a backend's memory during one case ---- */

enum { CHECK_PIECES = 64, CHECK_GUARD = 256 };

typedef struct check_piece {
  char *base;   /* guard, content, guard */
  char *before; /* host copy of an input's content; NULL for an output */
  size_t bytes;
  const char *what;
} check_piece;

typedef struct check_lab {
  um_backend *be;
  check_piece piece[CHECK_PIECES];
  int pieces;
} check_lab;

/* A tensor of this form: with these numbers (plain), as an input that must not change; or, with NULL, full of NaN. data is NULL
 * where that failed (the failure is printed). */
um_tensor check_tensor(check_lab *lab, const um_tensor *form, const float *plain, const char *what);
/* Memory full of 0xff; NULL where bytes is 0. */
void *check_memory(check_lab *lab, size_t bytes, const char *what);
bool check_read(check_lab *lab, const um_tensor *t, float *plain);
/* True where the padding of t's layout is zero: t is what its plain numbers become when they are reordered. */
bool check_padding(check_lab *lab, const um_tensor *t);
/* Frees everything; false where a guard or an input has changed. */
bool check_close(check_lab *lab);

/* ---- running an op ---- */

/* Host arrays, plain. Outputs are filled where not NULL. */
typedef struct check_operands {
  const float *x[UM_MAX_INPUTS], *w, *b, *dy;
  const float *y_seen;                    /* the y that slopes are taken from; NULL: the op's own */
  float *y, *dx[UM_MAX_INPUTS], *dw, *db; /* of a PRELU w and dw are alpha's */
  int64_t step;                           /* DROPOUT: control's */
  bool raw;                               /* leave out the slope of a fused activation: dy is already behind it */
} check_operands;

/* Plans d on the backend, brings every operand into the layout that the op wants, runs the passes of d. Returns UM_OK,
 * UM_EUNSUPPORTED (plan said so), or another code after printing why. algorithm (sizeof um_op.algorithm bytes) gets what the plan chose. */
int check_run(um_backend *be, const um_op_desc *d, check_operands *o, char *algorithm);

/* A random form (layout) that this backend gives to activations of this shape: of a convolution's or a dense layer's output, or
 * plain. *owner must be freed with plan_free where not NULL. */
um_tensor check_form(um_backend *be, check_dice *dice, int ndim, const int64_t *dim, um_op **owner);

/* |got - want| <= tolerance * magnitude, element by element (magnitude NULL: |want|). NaN is never close. */
bool check_near(const char *what, const float *got, const float *want, const float *magnitude, double tolerance, int64_t n);

/* ---- the three programs in it ---- */

int check_gradients(uint64_t seed, int *passed);                                     /* of ref, by finite differences: failures */
int check_against_ref(um_backend *be, uint64_t seed, const char *only, int *passed); /* failures; prints what was skipped */
int check_bench(um_backend *be, const char *only);

#endif
