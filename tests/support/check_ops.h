/* Between the two halves of check_against_ref: check_ops.c (ops with passes) and check_backend.c (what is the backend's own). */
#ifndef UM_TESTS_SUPPORT_CHECK_OPS_H
#define UM_TESTS_SUPPORT_CHECK_OPS_H

#include "check.h"

#define CHECK_ELEMENTARY 1e-6 /* one rounding or two, or exp of vector units */

typedef struct check_context {
  um_backend *be, *ref;
  check_dice dice;
  int unsupported; /* cases that plan() refused */
  int winograd;    /* cases in which a pass was Winograd's */
  char refused[48];
} check_context;

float *check_room(int64_t n);                      /* n floats, malloc'd */
int check_shape(check_dice *dice, int64_t dim[4]); /* a random shape; its number of dimensions */

bool check_reorder(check_context *c);
bool check_bce_logits(check_context *c);
bool check_optimizer_step(check_context *c);
bool check_sum_squares(check_context *c);
bool check_warp(check_context *c);

#endif
