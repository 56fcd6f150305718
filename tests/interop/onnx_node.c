/* One of ONNX's own tests of an op, or many: DIR/NAME/model.onnx with input_I.pb and output_0.pb (tests/interop/onnx_nodes.py). The model
 * is imported, run on `ref` and compared within the tolerances of NAME/tolerance. A line a test; exit status 1 where one is wrong.
 *
 * Our graphs have one input. Where a test gives more, the others become initialisers; for sums and concatenations, whose operands are all
 * computed, one input holds all of them and a product with 0s and 1s picks each out. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/model.h"
#include "weights/model_data.h"
#include "weights/onnx_impl.h"

enum { MAX_INPUTS = 8, MAX_FILE = 1 << 28 };

typedef struct tensor {
  char *file; /* what onnx_tensor points into */
  size_t size;
  onnx_tensor t;
  float *value;
} tensor;

static int64_t product(const int64_t *d, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; i++) n *= d[i];
  return n;
}

static int read_tensor(tensor *x, const char *path, um_error *err) {
  int status = um_file_read(&x->file, &x->size, path, MAX_FILE, err);
  if (!status) status = onnx_tensor_open(&x->t, um_pb_of(x->file, x->size), path, err);
  if (status) return status;
  x->value = malloc((size_t)(x->t.count + 1) * sizeof *x->value);
  status = onnx_tensor_floats(&x->t, x->value, path, err);
  for (int64_t i = 0; !status && x->t.type == ONNX_DOUBLE && x->t.has_raw && i < x->t.count; i++) {
    double was;
    memcpy(&was, x->t.raw.at + 8 * i, sizeof was);
    if (isinf(x->value[i]) && !isinf(was)) return um_fail(err, UM_EUNSUPPORTED, "%s: doubles that no float32 can hold", path);
  }
  return status;
}

/* ---- models of several inputs ---- */

static void put_name(um_pb_out *o, um_pb name) { um_pb_put_bytes(o, 8, name.at, um_pb_size(&name)); }

/* Inputs 1 and up as initialisers: fields of another occurrence of the graph, which is the same message. */
static void bind_inputs(um_pb_out *o, const onnx_file *f, const tensor *input, int inputs) {
  um_pb_out graph = {0};
  for (int i = 1; i < inputs; i++) {
    um_pb_out t = {0};
    um_pb_put_raw(&t, input[i].file, input[i].size);
    put_name(&t, f->input[i].name);
    um_pb_put_message(&graph, 5, &t);
  }
  um_pb_put_message(o, 7, &graph);
}

static void put_tensor(um_pb_out *graph, const char *name, int type, int ndim, const int64_t *dim, const void *data, size_t bytes) {
  um_pb_out t = {0};
  for (int i = 0; i < ndim; i++) um_pb_put_varint(&t, 1, (uint64_t)dim[i]);
  um_pb_put_varint(&t, 2, (uint64_t)type);
  um_pb_put_text(&t, 8, name);
  um_pb_put_bytes(&t, 9, data, bytes);
  um_pb_put_message(graph, 5, &t);
}

static void put_node(um_pb_out *graph, const char *op, const char *a, const char *b, um_pb out, const int64_t *perm, int n) {
  um_pb_out node = {0}, attribute = {0};
  um_pb_put_text(&node, 1, a);
  if (b) um_pb_put_text(&node, 1, b);
  um_pb_put_bytes(&node, 2, out.at, um_pb_size(&out));
  um_pb_put_text(&node, 4, op);
  if (perm) {
    um_pb_put_text(&attribute, 1, "perm");
    for (int i = 0; i < n; i++) um_pb_put_varint(&attribute, 8, (uint64_t)perm[i]);
    um_pb_put_message(&node, 5, &attribute);
  }
  um_pb_put_message(graph, 1, &node);
}

static um_pb text(const char *s) { return um_pb_of(s, strlen(s)); }

/* The model with one input "all": the operands beside each other along `axis` (of N x A x ... x Z; 0: flattened), and nodes that pick
 * them. all: dims and values of that input. */
static void merge_inputs(um_pb_out *o, const onnx_file *f, const tensor *input, int inputs, int axis, onnx_tensor *all, float **value) {
  um_pb_out graph = {0}, info = {0}, type = {0}, tensor_type = {0}, shape = {0}, opset = {0};
  const onnx_tensor *t = &input[0].t;
  const int ndim = axis ? t->ndim : 2, to_last = axis && axis == ndim - 1 && axis > 1;
  char a[64], b[64], c[64];
  int64_t total = 0, at = 0, part[MAX_INPUTS];
  for (int i = 0; i < inputs; i++) total += part[i] = axis ? input[i].t.dim[axis] : product(input[i].t.dim, 1, t->ndim);
  *all = (onnx_tensor){.ndim = ndim, .type = ONNX_FLOAT};
  memcpy(all->dim, t->dim, sizeof all->dim);
  all->dim[axis ? axis : 1] = total;
  all->count = product(all->dim, 0, ndim);
  *value = malloc((size_t)all->count * sizeof **value + 1);
  const int64_t outer = axis ? product(t->dim, 0, axis) : t->dim[0], inner = axis ? product(t->dim, axis + 1, ndim) : 1;
  int64_t perm_in[4] = {0, ndim - 1, 1, 2}, perm_out[4] = {0, 2, 3, 1};
  if (ndim == 3) perm_out[1] = 2, perm_out[2] = 1;
  if (to_last) put_node(&graph, "Transpose", "all", NULL, text("turned"), perm_in, ndim);
  for (int i = 0; i < inputs; i++) {
    for (int64_t k = 0; k < outer; k++)
      memcpy(*value + (k * total + at) * inner, input[i].value + k * part[i] * inner, (size_t)(part[i] * inner) * sizeof **value);
    float *pick = calloc((size_t)(total * part[i]), sizeof *pick);
    snprintf(a, sizeof a, "pick_%d", i), snprintf(b, sizeof b, "picked_%d", i), snprintf(c, sizeof c, "shape_%d", i);
    for (int64_t k = 0; k < part[i]; k++) pick[axis ? k * total + at + k : (at + k) * part[i] + k] = 1;
    const int64_t kernel[4] = {part[i], total, 1, 1}, matrix[2] = {total, part[i]};
    put_tensor(&graph, a, ONNX_FLOAT, axis ? ndim : 2, axis ? kernel : matrix, pick, (size_t)(total * part[i]) * sizeof *pick);
    if (axis) {
      put_node(&graph, "Conv", to_last ? "turned" : "all", a, to_last ? text(b) : f->input[i].name, NULL, 0);
      if (to_last) put_node(&graph, "Transpose", b, NULL, f->input[i].name, perm_out, ndim);
    } else {
      int64_t dim[UM_WEIGHT_MAX_DIMS] = {0};
      memcpy(dim + 1, t->dim + 1, sizeof dim - sizeof *dim);
      put_tensor(&graph, c, ONNX_INT64, 1, (const int64_t[]){t->ndim}, dim, (size_t)t->ndim * sizeof *dim);
      put_node(&graph, "Gemm", "all", a, text(b), NULL, 0);
      put_node(&graph, "Reshape", b, c, f->input[i].name, NULL, 0);
    }
    at += part[i];
    free(pick);
  }
  for (int i = 0; i < f->nodes; i++) um_pb_put_bytes(&graph, 1, f->node[i].message.at, um_pb_size(&f->node[i].message));
  for (int i = 0; i < ndim; i++) {
    um_pb_out d = {0};
    um_pb_put_varint(&d, 1, (uint64_t)all->dim[i]);
    um_pb_put_message(&shape, 1, &d);
  }
  um_pb_put_varint(&tensor_type, 1, ONNX_FLOAT);
  um_pb_put_message(&tensor_type, 2, &shape);
  um_pb_put_message(&type, 1, &tensor_type);
  um_pb_put_text(&info, 1, "all");
  um_pb_put_message(&info, 2, &type);
  um_pb_put_message(&graph, 11, &info);
  um_pb_put_text(&info, 1, "");
  info.size = 0;
  um_pb_put_bytes(&info, 1, f->output[0].name.at, um_pb_size(&f->output[0].name));
  um_pb_put_message(&graph, 12, &info);
  um_pb_put_varint(o, 1, 8);
  um_pb_put_varint(&opset, 2, (uint64_t)f->opset);
  um_pb_put_message(o, 8, &opset);
  um_pb_put_message(o, 7, &graph);
}

/* Whether all inputs are operands of one sum or concatenation: of one shape, but for its axis. */
static bool operands(const onnx_file *f, const tensor *input, int inputs, int *axis) {
  const onnx_node *n = f->node;
  const bool concat = onnx_is(n->op, "Concat");
  *axis = 0;
  if (f->nodes != 1 || n->inputs != inputs || (!concat && !onnx_is(n->op, "Add") && !onnx_is(n->op, "Sum"))) return false;
  const int ndim = input[0].t.ndim, along = concat ? onnx_axis(onnx_int(n, "axis", 1), ndim) : -1;
  for (int i = 0; i < inputs; i++) {
    if (input[i].t.ndim != ndim || ndim < 1 || input[i].t.type != ONNX_FLOAT || input[i].t.count < 1) return false;
    for (int d = 0; d < ndim; d++)
      if (d != along && input[i].t.dim[d] != input[0].t.dim[d]) return false;
  }
  if (concat && along < 1) return false;
  if (concat && (ndim == 3 || ndim == 4) && (along == 1 || along == ndim - 1)) *axis = along;
  return true;
}

/* ---- one test ---- */

/* Between ONNX's order of a sample's elements and ours: where element i of ONNX's lies. */
static int64_t place(const onnx_value *v, int64_t i) {
  int64_t channels = v->dim[1], area = 1;
  if (v->order == ONNX_ROW_CHW)
    channels = v->chw[0], area = v->chw[1] * v->chw[2];
  else if (v->order == ONNX_CHW)
    area = product(v->dim, 2, v->ndim);
  else
    return i;
  return i % area * channels + i / area;
}

static const onnx_value *value_named(const onnx_graph *g, um_pb name) {
  for (int i = 0; i < g->values; i++)
    if (um_pb_size(&g->name[i]) == um_pb_size(&name) && !memcmp(g->name[i].at, name.at, um_pb_size(&name))) return &g->value[i];
  return NULL;
}

/* y = the graph of the file over x, both in our order. */
static int compute(float *y, const float *x, int64_t batch, const char *path, um_error *err) {
  um_model_data d;
  um_backend *be = NULL;
  um_model *m = NULL;
  const um_model_options o = {.batch = batch, .any_output = true};
  int status = um_model_data_read(&d, path, NULL, NULL, err);
  if (status) return status;
  if (!status) status = um_ref_open(&be, err);
  if (!status) status = um_model_create(&m, &d.graph, be, &o, err);
  for (int i = 0; i < d.count && !status; i++) status = um_model_set(m, 'w', i, d.tensor[i].data, err);
  if (!status) status = um_model_feed(m, x, batch, err);
  if (!status) status = um_model_forward(m, err);
  if (!status) status = um_model_output(m, y, err);
  um_model_free(m);
  if (be) be->ops->close(be);
  um_model_data_free(&d);
  return status;
}

/* 1: passed, 0: wrong, -1: not supported; text says why. */
static int run_file(const char *path, const onnx_tensor *xt, const float *x, const tensor *want, double rtol, double atol, char *why) {
  onnx_file f;
  onnx_graph g;
  um_error err = {0};
  int result = -1;
  float *in = NULL, *out = NULL;
  if (onnx_file_open(&f, path, &err)) {
    snprintf(why, 1024, "%s", err.text);
    return -1;
  }
  int status = onnx_graph_make(&g, &f, NULL, false, &err);
  if (status) goto done;
  const int last = g.graph.count - 1;
  onnx_info first = {0};
  for (int i = 0; i < f.inputs; i++) {
    const onnx_value *v = value_named(&g, f.input[i].name);
    if (v && v->kind == ONNX_VALUE) first = f.input[i];
  }
  const onnx_value *vx = value_named(&g, first.name), *vy = g.output;
  const int64_t batch = xt->dim[0], per_x = product(xt->dim, 1, xt->ndim), per_y = onnx_sample(vy);
  if (!vx || batch < 1 || per_x < 1) {
    snprintf(err.text, sizeof err.text, "nothing in its input");
    goto done;
  }
  in = malloc((size_t)(batch * per_x) * sizeof *in);
  out = malloc((size_t)(batch * per_y) * sizeof *out);
  for (int64_t n = 0; n < batch; n++)
    for (int64_t i = 0; i < per_x; i++) in[n * per_x + place(vx, i)] = x[n * per_x + i] * (g.rescales ? g.rescale : 1);
  if (last == 0)
    memcpy(out, in, (size_t)(batch * per_y) * sizeof *out);
  else if (compute(out, in, batch, path, &err))
    goto done;
  result = 0;
  bool same = want->t.ndim == vy->ndim && want->t.dim[0] == batch;
  for (int d = 1; same && d < vy->ndim; d++) same = want->t.dim[d] == vy->dim[d];
  if (!same) {
    snprintf(err.text, sizeof err.text, "an output of another shape");
    goto done;
  }
  for (int64_t n = 0; n < batch; n++)
    for (int64_t i = 0; i < per_y; i++) {
      const double a = (double)out[n * per_y + place(vy, i)], b = (double)want->value[n * per_y + i];
      if (a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= atol + rtol * fabs(b)) continue;
      snprintf(err.text, sizeof err.text, "element %lld is %.9g, expected %.9g", (long long)(n * per_y + i), a, b);
      goto done;
    }
  result = 1;
done:
  free(in);
  free(out);
  onnx_graph_free(&g);
  onnx_file_close(&f);
  snprintf(why, 1024, "%s", err.text);
  return result;
}

static int run_test(const char *dir, char *why) {
  char path[4400], merged[] = "/tmp/onnx_node.XXXXXX";
  um_error err = {0};
  tensor input[MAX_INPUTS] = {0}, want = {0};
  onnx_file f = {0};
  um_pb_out o = {0};
  onnx_tensor all;
  float *value = NULL;
  int inputs = 0, result = -1, axis = 0, fd = -1;
  double rtol = 1e-3, atol = 1e-7;
  char *text_of = NULL;
  snprintf(path, sizeof path, "%s/tolerance", dir);
  if (um_file_read(&text_of, NULL, path, 100, NULL) == UM_OK && sscanf(text_of, "%lf %lf", &rtol, &atol) != 2) rtol = 1e-3, atol = 1e-7;
  free(text_of);
  for (; inputs < MAX_INPUTS; inputs++) {
    snprintf(path, sizeof path, "%s/input_%d.pb", dir, inputs);
    if (!um_is_file(path)) break;
    if (read_tensor(&input[inputs], path, &err)) goto done;
  }
  snprintf(path, sizeof path, "%s/output_0.pb", dir);
  if (read_tensor(&want, path, &err)) goto done;
  snprintf(path, sizeof path, "%s/model.onnx", dir);
  if (onnx_file_open(&f, path, &err)) goto done;
  if (inputs < 1 || f.outputs != 1) {
    snprintf(err.text, sizeof err.text, "%d inputs, %d outputs", inputs, f.outputs);
    goto done;
  }
  all = input[0].t;
  if (inputs > 1) {
    if (f.inputs < inputs) {
      snprintf(err.text, sizeof err.text, "%d inputs of %d", inputs, f.inputs);
      goto done;
    }
    if (operands(&f, input, inputs, &axis)) {
      merge_inputs(&o, &f, input, inputs, axis, &all, &value);
    } else {
      um_pb_put_raw(&o, f.map.data, f.map.size);
      bind_inputs(&o, &f, input, inputs);
    }
    if ((fd = mkstemp(merged)) < 0 || write(fd, o.data, o.size) != (ssize_t)o.size) {
      snprintf(err.text, sizeof err.text, "no temporary file");
      goto done;
    }
  }
  if (all.ndim < 1) {
    snprintf(err.text, sizeof err.text, "an input without dimensions");
    goto done;
  }
  result = run_file(fd >= 0 ? merged : path, &all, value ? value : input[0].value, &want, rtol, atol, err.text);
done:
  snprintf(why, 1024, "%s", err.text);
  if (fd >= 0) close(fd), unlink(merged);
  for (int i = 0; i < MAX_INPUTS; i++) free(input[i].file), free(input[i].value);
  free(want.file), free(want.value), free(value);
  um_pb_out_free(&o);
  onnx_file_close(&f);
  return result;
}

static int is_test(const struct dirent *e) { return e->d_name[0] != '.'; }

int main(int argc, char **argv) {
  struct dirent **list = NULL;
  int count[3] = {0}, n = argc == 2 ? scandir(argv[1], &list, is_test, alphasort) : -1;
  static const char *const word[3] = {"not supported", "WRONG", "passed"};
  char path[4352], why[1024];
  if (n < 0) {
    fprintf(stderr, "usage: onnx_node DIR (of folders with model.onnx, input_0.pb ..., output_0.pb)\n");
    return 2;
  }
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof path, "%s/%s", argv[1], list[i]->d_name);
    why[0] = 0;
    const int result = run_test(path, why);
    count[result + 1]++;
    const char *said = strstr(why, ": ");
    printf("%-48s %s%s%s\n", list[i]->d_name, word[result + 1], result == 1 ? "" : ": ",
           result == 1          ? ""
           : said && result < 0 ? said + 2
                                : why);
    free(list[i]);
  }
  free(list);
  printf("%d passed, %d not supported, %d wrong\n", count[2], count[0], count[1]);
  return count[1] ? 1 : 0;
}
