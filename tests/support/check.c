#include "check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

bool check_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("    ");
  vprintf(format, args);
  printf("\n");
  va_end(args);
  return false;
}

static double uniform(check_dice *d) {
  const um_rng at = {.seed = d->seed, .stream = UM_STREAM_TEST, .epoch = d->test, .sample = d->number};
  return um_rng_uniform(&at, d->draw++);
}

int check_int(check_dice *d, int low, int high) { return (int)(low + floor(uniform(d) * ((double)high - low + 1))); }

bool check_chance(check_dice *d, double p) { return uniform(d) < p; }

float *check_floats(check_dice *d, int64_t n, double low, double high) {
  float *x = malloc(sizeof *x * (size_t)(n > 0 ? n : 1));
  for (int64_t i = 0; x && i < n; i++) x[i] = (float)(low + (high - low) * uniform(d));
  return x;
}

um_precision check_precision(um_backend *be, check_dice *dice) {
  um_dtype activations;
  const um_precision p = (um_precision)check_int(dice, 0, 2);
  return be->ops->precision(be, p, &activations) ? p : UM_PRECISION_FP32;
}

void check_round(float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = (uint32_t)um_bf16_of(x[i]) << 16;
    memcpy(&x[i], &bits, sizeof bits);
  }
}

bool check_near(const char *what, const float *got, const float *want, const float *magnitude, double tolerance, int64_t n) {
  double worst = 0;
  int64_t at = -1;
  for (int64_t i = 0; i < n; i++) {
    const double allowed = tolerance * fabs(magnitude ? magnitude[i] : want[i]), off = fabs((double)got[i] - want[i]);
    const double excess = off <= allowed ? 0 : isfinite(off) && allowed > 0 ? off / allowed : INFINITY;
    if (excess > worst) worst = excess, at = i;
  }
  if (at >= 0)
    return check_fail("%s[%lld of %lld]: %.9g, ref has %.9g: %.3g times the tolerance of %.3g", what, (long long)at, (long long)n, got[at],
                      want[at], worst, tolerance * fabs(magnitude ? magnitude[at] : want[at]));
  return true;
}

/* ---- memory ---- */

void *check_memory(check_lab *lab, size_t bytes, const char *what) {
  um_error err = {0};
  void *base = NULL;
  const size_t total = bytes + 2 * CHECK_GUARD;
  if (bytes == 0) return NULL;
  char *fill = malloc(total);
  if (!fill || lab->pieces == CHECK_PIECES || lab->be->ops->alloc(lab->be, &base, total, &err) != UM_OK) {
    check_fail("%s: no memory: %s", what, err.text);
    free(fill);
    return NULL;
  }
  memset(fill, 0xa5, total);
  memset(fill + CHECK_GUARD, 0xff, bytes); /* every 0xffffffff is a NaN */
  if (lab->be->ops->upload(lab->be, base, fill, total, &err) != UM_OK) check_fail("%s: %s", what, err.text);
  free(fill);
  lab->piece[lab->pieces++] = (check_piece){.base = base, .bytes = bytes, .what = what};
  return (char *)base + CHECK_GUARD;
}

um_tensor check_tensor(check_lab *lab, const um_tensor *form, const float *plain, const char *what) {
  const um_ops *ops = lab->be->ops;
  um_error err = {0};
  um_tensor t = *form, source = um_tensor_plain(UM_F32, form->ndim, form->dim);
  t.data = check_memory(lab, t.bytes, what);
  if (!t.data || !plain) return t;
  check_piece *piece = &lab->piece[lab->pieces - 1];
  int status = UM_OK;
  if (!t.layout && t.dtype == UM_F32) {
    status = ops->upload(lab->be, t.data, plain, source.bytes, &err);
  } else {
    status = ops->alloc(lab->be, &source.data, source.bytes, &err);
    if (status == UM_OK) status = ops->upload(lab->be, source.data, plain, source.bytes, &err);
    if (status == UM_OK) status = ops->reorder(lab->be, &t, &source, &err);
    if (source.data) ops->free(lab->be, source.data);
  }
  piece->before = malloc(t.bytes);
  if (status == UM_OK && piece->before) status = ops->download(lab->be, piece->before, t.data, t.bytes, &err);
  if (status != UM_OK || !piece->before) {
    check_fail("%s: cannot be brought to the device: %s", what, err.text);
    t.data = NULL;
  }
  return t;
}

bool check_read(check_lab *lab, const um_tensor *t, float *plain) {
  const um_ops *ops = lab->be->ops;
  um_error err = {0};
  um_tensor target = um_tensor_plain(UM_F32, t->ndim, t->dim);
  int status;
  if (!t->layout && t->dtype == UM_F32) {
    status = ops->download(lab->be, plain, t->data, target.bytes, &err);
  } else {
    status = ops->alloc(lab->be, &target.data, target.bytes, &err);
    if (status == UM_OK) status = ops->reorder(lab->be, &target, t, &err);
    if (status == UM_OK) status = ops->download(lab->be, plain, target.data, target.bytes, &err);
    if (target.data) ops->free(lab->be, target.data);
  }
  CHECK(status == UM_OK, "cannot be read from the device: %s", err.text);
  return true;
}

bool check_padding(check_lab *lab, const um_tensor *t) {
  if (!t->layout) return true;
  check_lab other = {.be = lab->be};
  um_error err = {0};
  float *plain = malloc((size_t)um_tensor_count(t) * sizeof *plain);
  char *bytes = malloc(t->bytes);
  bool ok = plain && bytes && check_read(lab, t, plain);
  if (ok) {
    const um_tensor clean = check_tensor(&other, t, plain, "padding");
    ok = clean.data && lab->be->ops->download(lab->be, bytes, t->data, t->bytes, &err) == UM_OK &&
         memcmp(bytes, other.piece[0].before, t->bytes) == 0;
  }
  ok = check_close(&other) && ok;
  free(plain), free(bytes);
  return ok;
}

bool check_close(check_lab *lab) {
  bool ok = true;
  um_error err = {0};
  for (int i = 0; i < lab->pieces; i++) {
    check_piece *p = &lab->piece[i];
    const size_t total = p->bytes + 2 * CHECK_GUARD;
    char *now = malloc(total);
    if (!now || lab->be->ops->download(lab->be, now, p->base, total, &err) != UM_OK) {
      ok = check_fail("%s: cannot be read: %s", p->what, err.text);
    } else {
      for (size_t k = 0; k < CHECK_GUARD; k++)
        if ((unsigned char)now[k] != 0xa5 || (unsigned char)now[CHECK_GUARD + p->bytes + k] != 0xa5) {
          ok = check_fail("%s: written outside of its %zu bytes", p->what, p->bytes);
          break;
        }
      if (p->before && memcmp(p->before, now + CHECK_GUARD, p->bytes) != 0) ok = check_fail("%s: an input was changed", p->what);
    }
    free(now), free(p->before);
    lab->be->ops->free(lab->be, p->base);
  }
  lab->pieces = 0;
  return ok;
}

/* ---- forms ---- */

um_tensor check_form(um_backend *be, check_dice *dice, int ndim, const int64_t *dim, um_op **owner) {
  um_error err = {0};
  const um_tensor plain = um_tensor_plain(UM_F32, ndim, dim);
  um_op_desc d = {.passes = UM_PASS_FORWARD, .n_inputs = 1, .y = plain};
  *owner = NULL;
  if (check_chance(dice, 0.4)) return plain;
  d.precision = check_precision(be, dice);
  if (ndim == 4) {
    d.kind = UM_OP_CONV2D;
    d.x[0] = um_tensor_plain(UM_F32, 4, (int64_t[]){dim[0], dim[1], dim[2], check_pick(dice, 3, 16, 32)});
    d.window = (um_window){{3, 3}, {1, 1}, {1, 1}, {1, 1}};
  } else {
    d.kind = UM_OP_DENSE;
    d.x[0] = um_tensor_plain(UM_F32, 2, (int64_t[]){dim[0], 16});
  }
  return be->ops->plan(be, &d, owner, &err) == UM_OK ? (*owner)->y : plain;
}

/* ---- running ---- */

/* The first status that is not UM_OK ends the run. */
static int run_passes(check_lab *lab, um_op *op, check_operands *o) {
  const um_ops *ops = lab->be->ops;
  const um_op_desc *d = &op->desc;
  um_error err = {0};
  int status = UM_OK;
  um_tensor x[UM_MAX_INPUTS], dx[UM_MAX_INPUTS], w = {0}, b = {0}, dw = {0}, db = {0};
  const um_tensor *inputs[UM_MAX_INPUTS];
  um_tensor *outputs[UM_MAX_INPUTS];
  const bool weights = d->kind == UM_OP_CONV2D || d->kind == UM_OP_DENSE, prelu = d->kind == UM_OP_PRELU,
             dropout = d->kind == UM_OP_DROPOUT;
  const bool pool = d->kind == UM_OP_MAX_POOL || d->kind == UM_OP_AVG_POOL || d->kind == UM_OP_GLOBAL_AVG_POOL;
  const bool slope = um_is_activation(d->kind) || d->activation != UM_ACT_NONE;
  um_control *control = NULL;
  for (int i = 0; i < d->n_inputs; i++) {
    x[i] = check_tensor(lab, &op->x[i], o->x[i], "x");
    if (!x[i].data) return UM_EINTERNAL;
    inputs[i] = &x[i];
  }
  if (weights) {
    const um_tensor copy = um_tensor_plain(UM_BF16, op->w.ndim, op->w.dim);
    w = check_tensor(lab, op->compute == UM_BF16 ? &copy : &op->w, o->w, "w"), b = check_tensor(lab, &op->b, o->b, "b");
  }
  if (prelu) w = check_tensor(lab, &op->w, o->w, "alpha");
  if (dropout) {
    const um_control now = {.n = d->x[0].dim[0], .step = o->step};
    control = check_memory(lab, sizeof now, "control");
    if (!control || (status = ops->upload(lab->be, control, &now, sizeof now, &err)) != UM_OK) goto done;
  }
  um_tensor y = check_tensor(lab, &op->y, NULL, "y");
  void *workspace = check_memory(lab, op->workspace_bytes, "workspace"), *scratch = check_memory(lab, op->scratch_bytes, "scratch");

  if (d->kind == UM_OP_CONV2D) status = ops->conv2d_forward(op, &y, &x[0], &w, &b, scratch, &err);
  if (d->kind == UM_OP_DENSE) status = ops->dense_forward(op, &y, &x[0], &w, &b, scratch, &err);
  if (pool) status = ops->pool_forward(op, &y, workspace, &x[0], scratch, &err);
  if (um_is_activation(d->kind)) status = ops->activation_forward(op, &y, &x[0], &err);
  if (prelu) status = ops->prelu_forward(op, &y, &x[0], &w, &err);
  if (dropout) status = ops->dropout(op, &y, &x[0], control, &err);
  if (d->kind == UM_OP_ADD) status = ops->add_forward(op, &y, inputs, &err);
  if (d->kind == UM_OP_CONCAT) status = ops->concat_forward(op, &y, inputs, &err);
  if (status != UM_OK) goto done;
  if (o->y && !check_read(lab, &y, o->y)) return UM_EINTERNAL;
  if (prelu && !check_padding(lab, &y)) {
    check_fail("the padding of y's layout is not zero");
    return UM_EINTERNAL;
  }
  if (!o->dy) return UM_OK;

  um_tensor dy = check_tensor(lab, &op->y, o->dy, "dy");
  if (slope && !o->raw) {
    um_tensor seen = o->y_seen ? check_tensor(lab, &op->y, o->y_seen, "y seen") : y, behind = check_tensor(lab, &op->y, NULL, "dy'");
    if ((status = ops->activation_backward(op, &behind, &dy, &seen, &err)) != UM_OK) goto done;
    dy = behind;
  }
  for (int i = 0; i < d->n_inputs; i++) {
    outputs[i] = NULL;
    if (!o->dx[i]) continue;
    dx[i] = check_tensor(lab, &op->x[i], NULL, "dx");
    outputs[i] = &dx[i];
  }
  if (weights && (d->passes & UM_PASS_BACKWARD_WEIGHTS)) {
    dw = check_tensor(lab, &op->w, NULL, "dw"), db = check_tensor(lab, &op->b, NULL, "db");
    if (scratch) scratch = check_memory(lab, op->scratch_bytes, "scratch"); /* poisoned afresh: nothing survives between passes */
    status = d->kind == UM_OP_CONV2D ? ops->conv2d_backward_weights(op, &dw, &db, &x[0], &dy, scratch, &err)
                                     : ops->dense_backward_weights(op, &dw, &db, &x[0], &dy, scratch, &err);
    if (status != UM_OK) goto done;
    if (o->dw && !check_read(lab, &dw, o->dw)) return UM_EINTERNAL;
    if (o->db && !check_read(lab, &db, o->db)) return UM_EINTERNAL;
    if (!check_padding(lab, &dw) || !check_padding(lab, &db)) {
      check_fail("the padding of a gradient's layout is not zero");
      return UM_EINTERNAL;
    }
  }
  if (prelu && (d->passes & UM_PASS_BACKWARD_WEIGHTS)) {
    dw = check_tensor(lab, &op->w, NULL, "dalpha");
    if ((status = ops->prelu_backward_weights(op, &dw, &x[0], &dy, scratch, &err)) != UM_OK) goto done;
    if (o->dw && !check_read(lab, &dw, o->dw)) return UM_EINTERNAL;
  }
  if (!(d->passes & UM_PASS_BACKWARD_DATA)) return UM_OK;
  if (scratch) scratch = check_memory(lab, op->scratch_bytes, "scratch");
  if (d->kind == UM_OP_CONV2D) status = ops->conv2d_backward_data(op, &dx[0], &dy, &w, scratch, &err);
  if (d->kind == UM_OP_DENSE) status = ops->dense_backward_data(op, &dx[0], &dy, &w, scratch, &err);
  if (pool) status = ops->pool_backward(op, &dx[0], &dy, workspace, scratch, &err);
  if (prelu) status = ops->prelu_backward_data(op, &dx[0], &dy, &x[0], &w, &err);
  if (dropout) status = ops->dropout(op, &dx[0], &dy, control, &err);
  if (d->kind == UM_OP_CONCAT) status = ops->concat_backward(op, outputs, &dy, &err);
  if (status != UM_OK) goto done;
  for (int i = 0; i < d->n_inputs; i++) {
    /* Of activations and sums the gradient behind the slope is all; it lies in y's layout. */
    const bool alone = um_is_activation(d->kind) || d->kind == UM_OP_ADD;
    if (o->dx[i] && !check_read(lab, alone ? &dy : &dx[i], o->dx[i])) return UM_EINTERNAL;
  }
done:
  if (status != UM_OK) check_fail("%s: %s", um_op_kind_name(d->kind), err.text);
  return status == UM_EUNSUPPORTED ? UM_EINTERNAL : status; /* only plan may say that */
}

int check_run(um_backend *be, const um_op_desc *d, check_operands *o, char *algorithm) {
  check_lab lab = {.be = be};
  um_op *op = NULL;
  um_error err = {0};
  int status = be->ops->plan(be, d, &op, &err);
  if (status == UM_EUNSUPPORTED) return status;
  if (status != UM_OK) {
    check_fail("%s: plan: %s", um_op_kind_name(d->kind), err.text);
    return status;
  }
  if (algorithm) memcpy(algorithm, op->algorithm, sizeof op->algorithm);
  bool alike = um_tensor_same_shape(&op->y, &d->y);
  for (int i = 0; i < d->n_inputs; i++) alike = alike && um_tensor_same_shape(&op->x[i], &d->x[i]);
  if (!alike) {
    check_fail("%s: plan: shapes are not those asked for", um_op_kind_name(d->kind));
    status = UM_EINTERNAL;
  } else {
    status = run_passes(&lab, op, o);
  }
  if (!check_close(&lab)) status = UM_EINTERNAL;
  be->ops->plan_free(op);
  return status;
}
