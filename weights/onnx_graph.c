/* An ONNX graph as a graph of ours: names resolved, what the output does not need left out, then node by node in the file's order, which
 * is topological. ONNX computes on N C H W and ours on N H W C: every value remembers how its elements lie against ours (onnx_order). */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph_impl.h"
#include "weights/onnx_impl.h"

/* Beyond a diagonal's or a shared kernel's own values: as many as the file has bytes, and this many. */
enum { OPSET_MIN = 5 }; /* before it, Reshape's shape was an attribute */
static const int64_t spare_cost = (int64_t)1 << 25, input_max = (int64_t)1 << 26;

static const struct {
  const char *op;
  onnx_op *make;
} ops[] = {
    {"Add", onnx_add_op},
    {"AveragePool", onnx_average_pool},
    {"BatchNormalization", onnx_batch_norm},
    {"Cast", onnx_cast},
    {"Concat", onnx_concat},
    {"Constant", onnx_constant},
    {"Conv", onnx_conv},
    {"Div", onnx_arithmetic},
    {"Dropout", onnx_dropout},
    {"Flatten", onnx_flatten},
    {"Gather", onnx_gather},
    {"Gemm", onnx_gemm},
    {"GlobalAveragePool", onnx_global_average_pool},
    {"Identity", onnx_same},
    {"MatMul", onnx_matmul},
    {"MaxPool", onnx_max_pool},
    {"Mul", onnx_arithmetic},
    {"Neg", onnx_neg},
    {"PRelu", onnx_prelu},
    {"Pad", onnx_pad},
    {"ReduceMean", onnx_reduce_mean},
    {"Relu", onnx_relu},
    {"Reshape", onnx_reshape},
    {"Shape", onnx_shape},
    {"Sigmoid", onnx_sigmoid},
    {"Softmax", onnx_softmax},
    {"Squeeze", onnx_squeeze},
    {"Sub", onnx_arithmetic},
    {"Sum", onnx_add_op},
    {"Transpose", onnx_transpose},
    {"Unsqueeze", onnx_squeeze},
};

int onnx_refuse(onnx_graph *g, const onnx_node *n, const char *format, ...) {
  char text[512], name[96], op[48];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  um_pb label = n->name;
  if (um_pb_size(&label) == 0 && n->outputs > 0) label = g->file->operand[n->first_output];
  return um_fail(g->err, UM_EUNSUPPORTED, "%s: node \"%s\" (%s): %s", g->path, onnx_text(name, sizeof name, label),
                 onnx_text(op, sizeof op, n->op), text);
}

/* ---- names ---- */

static uint32_t hash_of(um_pb name) { /* FNV-1a */
  uint32_t h = 2166136261u;
  for (const uint8_t *c = name.at; c < name.end; c++) h = (h ^ *c) * 16777619u;
  return h;
}

static bool same(um_pb a, um_pb b) { return um_pb_size(&a) == um_pb_size(&b) && (a.at == b.at || memcmp(a.at, b.at, um_pb_size(&a)) == 0); }

/* The value of a name; -1 where there is none. */
static int find(const onnx_graph *g, um_pb name) {
  for (uint32_t i = hash_of(name) & g->mask; g->bucket[i]; i = (i + 1) & g->mask)
    if (same(g->name[g->bucket[i] - 1], name)) return (int)g->bucket[i] - 1;
  return -1;
}

/* A new name; a negative um_code where it is there already. */
static int define(onnx_graph *g, um_pb name) {
  char text[96];
  uint32_t i = hash_of(name) & g->mask;
  for (; g->bucket[i]; i = (i + 1) & g->mask)
    if (same(g->name[g->bucket[i] - 1], name))
      return um_fail(g->err, UM_EFORMAT, "%s: two values are called \"%s\"", g->path, onnx_text(text, sizeof text, name));
  g->name[g->values] = name;
  g->bucket[i] = (uint32_t)++g->values;
  return g->values - 1;
}

static int allocate(onnx_graph *g) {
  const onnx_file *f = g->file;
  const size_t most = (size_t)f->tensors + (size_t)f->inputs + (size_t)f->operands + 1;
  uint32_t room = 16;
  while (room < 2 * most) room *= 2;
  g->mask = room - 1;
  g->value = calloc(most, sizeof *g->value);
  g->name = calloc(most, sizeof *g->name);
  g->bucket = calloc(room, sizeof *g->bucket);
  g->operand = malloc(((size_t)f->operands + 1) * sizeof *g->operand);
  g->needed = calloc((size_t)f->nodes + 1, sizeof *g->needed);
  if (g->value && g->name && g->bucket && g->operand && g->needed) return UM_OK;
  return um_fail(g->err, UM_ENOMEM, "%s: no memory for a graph of %d nodes", g->path, f->nodes);
}

/* Names of tensors, inputs and outputs of nodes; then who reads what, from the end to the beginning: what the output needs. */
static int resolve(onnx_graph *g, int *input, int *output) {
  const onnx_file *f = g->file;
  char name[96];
  int inputs = 0;
  for (int i = 0; i < f->tensors; i++) {
    const int v = define(g, f->tensor[i].name);
    if (v < 0) return v;
    g->value[v] = (onnx_value){.kind = ONNX_TENSOR, .tensor = i, .ndim = f->tensor[i].ndim};
    memcpy(g->value[v].dim, f->tensor[i].dim, sizeof g->value[v].dim);
  }
  for (int i = 0; i < f->inputs; i++) {
    if (find(g, f->input[i].name) >= 0) continue; /* before IR 4, initialisers were inputs, too */
    if (define(g, f->input[i].name) < 0) return UM_EFORMAT;
    *input = i;
    inputs++;
  }
  if (inputs != 1) return um_fail(g->err, UM_EUNSUPPORTED, "%s: its graph has %d inputs, expected one: pictures", g->path, inputs);
  for (int i = 0; i < f->nodes; i++)
    for (int k = 0; k < f->node[i].outputs; k++) {
      const int at = f->node[i].first_output + k;
      g->operand[at] = -1;
      if (um_pb_size(&f->operand[at]) == 0) continue;
      if (onnx_is(f->node[i].op, "Constant") && find(g, f->operand[at]) >= 0) {
        g->operand[at] = find(g, f->operand[at]); /* read with the tensors */
        continue;
      }
      if ((g->operand[at] = define(g, f->operand[at])) < 0) return UM_EFORMAT;
    }
  if (f->outputs != 1)
    return um_fail(g->err, UM_EUNSUPPORTED, "%s: its graph has %d outputs, expected one: the score", g->path, f->outputs);
  *output = find(g, f->output[0].name);
  if (*output < 0)
    return um_fail(g->err, UM_EFORMAT, "%s: its output \"%s\" is computed nowhere", g->path,
                   onnx_text(name, sizeof name, f->output[0].name));
  g->value[*output].readers = 1;
  g->output = &g->value[*output];
  for (int i = f->nodes - 1; i >= 0; i--) {
    const onnx_node *n = &f->node[i];
    for (int k = 0; k < n->outputs; k++) {
      const int v = g->operand[n->first_output + k];
      g->needed[i] |= v >= 0 && g->value[v].readers > 0 && g->value[v].kind != ONNX_TENSOR;
    }
    for (int k = 0; k < n->inputs; k++) {
      const um_pb operand = f->operand[n->first_input + k];
      const int v = um_pb_size(&operand) ? find(g, operand) : -1;
      g->operand[n->first_input + k] = v;
      if (!g->needed[i]) continue;
      if (v < 0 && um_pb_size(&operand))
        return um_fail(g->err, UM_EFORMAT, "%s: a node reads \"%s\", which is nowhere", g->path, onnx_text(name, sizeof name, operand));
      if (v >= 0) g->value[v].readers++;
    }
  }
  return UM_OK;
}

onnx_value *onnx_in(onnx_graph *g, const onnx_node *n, int i) {
  if (i >= n->inputs) return NULL;
  const int v = g->operand[n->first_input + i];
  return v < 0 || g->value[v].kind == ONNX_NONE ? NULL : &g->value[v];
}

void onnx_out(onnx_graph *g, const onnx_node *n, int i, const onnx_value *v) {
  if (i >= n->outputs || g->operand[n->first_output + i] < 0) return;
  onnx_value *to = &g->value[g->operand[n->first_output + i]];
  const int readers = to->readers;
  *to = *v;
  to->readers = readers;
  to->shared |= readers > 1;
}

/* ---- nodes ---- */

/* A name that nodes of ours may have: no slash, no blank. */
static void clean_name(const onnx_graph *g, char out[UM_NAME_MAX], const char *text) {
  char base[UM_NAME_MAX - 8];
  size_t n = 0;
  while (*text == '/' || *text == '_') text++;
  for (; *text && n < sizeof base - 1; text++) base[n++] = *text == '/' || (unsigned char)*text <= ' ' ? '_' : *text;
  base[n] = 0;
  snprintf(out, UM_NAME_MAX, "%s", base);
  /* Numbered by where it stands, which is nearly always new: names that are all the same cost no search each. */
  for (int i = g->graph.count; um_graph_find(&g->graph, out) >= 0; i++) snprintf(out, UM_NAME_MAX, "%s_%d", base, i);
}

int onnx_add(onnx_graph *g, const onnx_node *n, const um_node *like, int w) {
  static const char *const endings[] = {"/kernel", ".weight", "/kernel:0", ".kernel", "/alpha"};
  char text[256] = "", name[UM_NAME_MAX];
  if (w >= 0) {
    onnx_text(text, sizeof text, g->file->tensor[w].name);
    size_t length = strlen(text), cut = 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
      const size_t k = strlen(endings[i]);
      if (length > k && strcmp(text + length - k, endings[i]) == 0) cut = length - k;
    }
    text[cut] = 0;
  }
  if (!text[0]) onnx_text(text, sizeof text, n->name);
  if (strspn(text, "/_ ") == strlen(text)) snprintf(text, sizeof text, "%s", um_op_kind_name(like->op));
  clean_name(g, name, text);
  const int at = um_graph_append(&g->graph, name, like, g->err);
  if (at >= 0) {
    /* One recipe a node, in a list that doubles. */
    if (at >= g->recipes) {
      const int room = g->recipes ? 2 * g->recipes : 64;
      onnx_recipe *grown = realloc(g->recipe, (size_t)room * sizeof *grown);
      if (!grown) return um_fail(g->err, UM_ENOMEM, "%s: no memory for %d nodes", g->path, room);
      memset(grown + g->recipes, 0, (size_t)(room - g->recipes) * sizeof *grown);
      g->recipe = grown;
      g->recipes = room;
    }
    return at;
  }
  if (at == UM_ENOMEM) return at;
  char why[512];
  snprintf(why, sizeof why, "%.500s", g->err->text);
  return onnx_refuse(g, n, "%s", why);
}

onnx_recipe *onnx_recipe_of(onnx_graph *g, const onnx_node *n, int node, int w, int b, um_weight_layout layout) {
  const um_node *of = &g->graph.node[node];
  const int64_t inputs = g->graph.node[of->input[0]].dim[g->graph.node[of->input[0]].ndim - 1];
  int64_t count = inputs * of->units; /* um_graph_append has bounded it */
  if (of->op == UM_OP_CONV2D) count *= (int64_t)of->window.kernel[0] * of->window.kernel[1];
  g->cost += count;
  if (g->cost > (int64_t)g->file->map.size + spare_cost) {
    onnx_refuse(g, n, "its kernel of %" PRId64 " values, with those before it, is far more than the file holds", count);
    return NULL;
  }
  onnx_recipe *r = &g->recipe[node];
  *r = (onnx_recipe){.used = true, .w = w, .b = b, .layout = layout};
  if (w >= 0) g->file->tensor[w].claimed = true;
  if (b >= 0) g->file->tensor[b].claimed = true;
  return r;
}

int onnx_fold(onnx_graph *g, int node, const double *gain, const double *shift) {
  onnx_recipe *r = &g->recipe[node];
  const int64_t units = g->graph.node[node].units;
  if (!r->gain) {
    r->gain = malloc((size_t)units * sizeof *r->gain);
    r->bias_gain = malloc((size_t)units * sizeof *r->bias_gain);
    r->shift = malloc((size_t)units * sizeof *r->shift);
    if (!r->gain || !r->bias_gain || !r->shift) return um_fail(g->err, UM_ENOMEM, "%s: no memory for %" PRId64 " channels", g->path, units);
    for (int64_t i = 0; i < units; i++) r->gain[i] = r->bias_gain[i] = 1, r->shift[i] = 0;
  }
  for (int64_t i = 0; i < units; i++) {
    r->gain[i] *= gain[i];
    r->bias_gain[i] *= gain[i];
    r->shift[i] = r->shift[i] * gain[i] + shift[i];
  }
  return UM_OK;
}

bool onnx_foldable(const onnx_graph *g, const onnx_value *v) {
  const um_node *node = &g->graph.node[v->node];
  return !v->shared && node->activation == UM_ACT_NONE && g->recipe[v->node].used;
}

int64_t onnx_channels(const onnx_graph *g, const onnx_value *v) {
  const um_node *node = &g->graph.node[v->node];
  return node->dim[node->ndim - 1];
}

int onnx_diagonal(onnx_graph *g, const onnx_node *n, onnx_value *v, const um_window *window, float fill, const int *from) {
  const int64_t channels = onnx_channels(g, v);
  um_node like = {
      .op = g->graph.node[v->node].ndim == 3 ? UM_OP_CONV2D : UM_OP_DENSE, .units = channels, .n_inputs = 1, .input = {v->node}};
  if (like.op == UM_OP_CONV2D) like.window = window ? *window : (um_window){.kernel = {1, 1}, .stride = {1, 1}};
  const int at = onnx_add(g, n, &like, -1);
  if (at < 0) return at;
  onnx_recipe *r = onnx_recipe_of(g, n, at, -1, -1, UM_WEIGHT_OURS);
  if (!r) return UM_EUNSUPPORTED;
  r->fill = fill;
  if (from) {
    r->permuted = true;
    for (int i = 0; i < ONNX_MAX_PRE; i++) r->from[i] = i < channels ? from[i] : 0;
  }
  v->node = at;
  v->shared = false;
  return UM_OK;
}

bool onnx_row_order(const onnx_value *v) {
  int64_t c = v->dim[1], area = 1;
  if (v->order == ONNX_ROW || v->order == ONNX_HWC) return true;
  if (v->order == ONNX_ROW_CHW) return v->chw[0] == 1 || v->chw[1] * v->chw[2] == 1;
  for (int i = 2; i < v->ndim; i++) area *= v->dim[i];
  return c == 1 || area == 1;
}

int onnx_flat(onnx_graph *g, const onnx_node *n, onnx_value *v) {
  if (g->graph.node[v->node].ndim == 1) return UM_OK;
  /* Reading one value twice need not flatten it twice. */
  for (int i = v->node + 1; i < g->graph.count; i++)
    if (g->graph.node[i].op == UM_OP_FLATTEN && g->graph.node[i].input[0] == v->node) {
      v->node = i;
      return UM_OK;
    }
  const um_node like = {.op = UM_OP_FLATTEN, .n_inputs = 1, .input = {v->node}};
  const bool own = onnx_is(n->op, "Flatten") || onnx_is(n->op, "Reshape");
  const int at = own ? onnx_add(g, n, &like, -1) : onnx_add(g, &(onnx_node){.op = n->op}, &like, -1);
  if (at < 0) return at;
  v->node = at;
  return UM_OK;
}

void onnx_set_chw(onnx_graph *g, onnx_value *v, int node) {
  const um_node *of = &g->graph.node[node];
  v->node = node;
  v->shared = false;
  v->order = ONNX_CHW;
  v->padded = false;
  v->dim[1] = of->dim[2];
  if (v->ndim == 4) v->dim[2] = of->dim[0];
  v->dim[v->ndim - 1] = of->dim[1];
}

/* ---- the input ---- */

/* How an input of 3 or 4 dimensions lies, by the first node that says it: a layer over pictures, or a transposition that makes it one
 * (then it was N H W C). Where none does, by where there are as many channels as pictures have. */
static onnx_order order_of(const onnx_graph *g, int value, int ndim, const int64_t *dim) {
  static const char *const over_pictures[] = {"Conv",       "MaxPool", "AveragePool", "BatchNormalization", "GlobalAveragePool",
                                              "ReduceMean", "Pad"};
  static const char *const passing[] = {"Add", "Cast",  "Div",  "Dropout", "Gather",  "Identity", "Mul",
                                        "Neg", "PRelu", "Relu", "Sigmoid", "Softmax", "Sub",      "Sum"};
  const onnx_file *f = g->file;
  for (int i = 0; i < f->nodes; i++) {
    const onnx_node *n = &f->node[i];
    bool reads = false, passes = false;
    int64_t perm[UM_WEIGHT_MAX_DIMS];
    for (int k = 0; k < n->inputs; k++) reads |= g->operand[n->first_input + k] == value;
    if (!reads || !g->needed[i]) continue;
    if (onnx_is(n->op, "Transpose") && onnx_ints(n, "perm", perm, UM_WEIGHT_MAX_DIMS) == ndim)
      return perm[1] == ndim - 1 && perm[2] == 1 ? ONNX_HWC : ONNX_CHW;
    for (size_t k = 0; k < sizeof over_pictures / sizeof *over_pictures; k++)
      if (onnx_is(n->op, over_pictures[k])) return ONNX_CHW;
    if (onnx_is(n->op, "Concat")) return onnx_int(n, "axis", 1) == 1 || ndim == 3 ? ONNX_CHW : ONNX_HWC;
    for (size_t k = 0; k < sizeof passing / sizeof *passing; k++) passes |= onnx_is(n->op, passing[k]);
    if (!passes || n->outputs < 1 || g->operand[n->first_output] < 0) break;
    value = g->operand[n->first_output]; /* topological: the reader is further on */
  }
  const bool first = dim[1] > 0 && dim[1] <= ONNX_MAX_PRE, last = dim[ndim - 1] > 0 && dim[ndim - 1] <= ONNX_MAX_PRE;
  return ndim != 4 || (!first && !last) ? ONNX_ROW : first ? ONNX_CHW : ONNX_HWC;
}

static int make_input(onnx_graph *g, const onnx_info *info, const int64_t size[2]) {
  char name[96];
  const int value = find(g, info->name);
  onnx_value *v = &g->value[value];
  int64_t count = 1, d[UM_WEIGHT_MAX_DIMS], shape[3];
  onnx_text(name, sizeof name, info->name);
  if (!onnx_is_float(info->type) && info->type != ONNX_UINT8)
    return um_fail(g->err, UM_EUNSUPPORTED, "%s: its input \"%s\" is of type %s, expected floating point or u8", g->path, name,
                   onnx_type_name(info->type));
  if (info->ndim < 1)
    return um_fail(g->err, UM_EUNSUPPORTED, "%s: its input \"%s\" has %s, expected N x H x W x C or N x C x H x W", g->path, name,
                   info->ndim == 0 ? "no dimension" : "an unknown shape");
  memcpy(d, info->dim, sizeof d);
  const onnx_order order = info->ndim == 3 || info->ndim == 4 ? order_of(g, value, info->ndim, d) : ONNX_ROW;
  const bool picture = order != ONNX_ROW, hwc = order == ONNX_HWC;
  const int h = hwc ? 1 : 2, w = hwc ? info->ndim - 2 : info->ndim - 1;
  if (info->ndim == 4 && size) {
    if (d[h] < 0) d[h] = size[0];
    if (d[w] < 0) d[w] = size[1];
  }
  for (int i = 1; i < info->ndim; i++) {
    if (d[i] < 1)
      return um_fail(g->err, UM_EUNSUPPORTED, "%s: its input \"%s\" leaves dimension %d open; export it with a fixed height and width",
                     g->path, name, i);
    if (d[i] > input_max || (count *= d[i]) > input_max)
      return um_fail(g->err, UM_EUNSUPPORTED, "%s: its input \"%s\" has more than %" PRId64 " values a picture", g->path, name, input_max);
  }
  shape[0] = picture && info->ndim == 4 ? d[h] : 1;
  shape[1] = picture ? d[w] : 1;
  shape[2] = picture ? d[hwc ? info->ndim - 1 : 1] : count;
  const um_node like = {.op = UM_OP_INPUT, .ndim = 3, .dim = {shape[0], shape[1], shape[2]}};
  const int at = onnx_add(g, &(onnx_node){.name = info->name, .op = info->name}, &like, -1);
  if (at < 0) return at;
  g->batch = d[0];
  g->bytes = info->type == ONNX_UINT8;
  const int readers = v->readers;
  *v = (onnx_value){.kind = ONNX_VALUE, .readers = readers, .shared = readers > 1, .floats = onnx_is_float(info->type), .node = at};
  v->order = order;
  v->pending = picture && shape[2] <= ONNX_MAX_PRE;
  v->ndim = info->ndim;
  memcpy(v->dim, d, sizeof v->dim);
  v->dim[0] = -1;
  for (int i = 0; i < ONNX_MAX_PRE; i++) g->pre.scale[i] = 1, g->pre.from[i] = i;
  return UM_OK;
}

/* The arithmetic on the input: nothing, a rescaling or BGR minus the mean, which preprocessing does here, or a layer of its own. */
static int settle(onnx_graph *g, const onnx_node *n, onnx_value *v) {
  static const double mean[3] = {103.939, 116.779, 123.68}; /* keras.applications.imagenet_utils, mode "caffe" */
  const onnx_pre *p = &g->pre;
  const int64_t channels = onnx_channels(g, v);
  bool scaled = true, caffe = channels == 3;
  v->pending = false;
  if (!p->any) return UM_OK;
  for (int i = 0; i < channels; i++) {
    scaled &= p->from[i] == i && p->offset[i] == 0 && p->scale[i] == p->scale[0];
    caffe = caffe && p->from[i] == 2 - i && p->scale[i] == 1 && fabs(p->offset[i] + mean[i]) < 1e-4;
  }
  if (scaled && p->scale[0] > 0) {
    g->rescales = true;
    g->rescale = (float)p->scale[0];
    return UM_OK;
  }
  if (caffe) {
    g->caffe = true;
    return UM_OK;
  }
  const int status = onnx_diagonal(g, &(onnx_node){.op = n->op}, v, NULL, 1, p->from);
  return status ? status : onnx_fold(g, v->node, p->scale, p->offset);
}

int onnx_take_padded(onnx_graph *g, const onnx_node *n, int i, onnx_value *v) {
  char name[96] = "";
  const onnx_value *from = onnx_in(g, n, i);
  if (!from || from->kind != ONNX_VALUE) {
    if (i < n->inputs) onnx_text(name, sizeof name, g->file->operand[n->first_input + i]);
    return onnx_refuse(g, n, "its input %d (\"%s\") is %s, expected what the network computes", i, name,
                       from ? "a constant" : "not there, or an output that is not computed here");
  }
  if (!from->floats) return onnx_refuse(g, n, "computes with integers, expected a Cast to floating point before it");
  *v = *from;
  return v->pending ? settle(g, n, v) : UM_OK;
}

int onnx_take(onnx_graph *g, const onnx_node *n, int i, onnx_value *v) {
  const int status = onnx_take_padded(g, n, i, v);
  if (!status && v->padded) return onnx_refuse(g, n, "after a Pad, which only Conv and AveragePool may follow");
  return status;
}

/* ---- windows ---- */

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

int onnx_window(onnx_graph *g, const onnx_node *n, const onnx_value *x, const int64_t *kernel, um_window *w, bool ceil_mode) {
  const int axes = x->ndim - 2, shift = 2 - axes; /* one axis: the width */
  int64_t given[4] = {0}, stride[2] = {1, 1}, dilation[2] = {1, 1}, pad[4] = {0};
  um_pb mode = {0};
  const int kernels = onnx_ints(n, "kernel_shape", given, 2), strides = onnx_ints(n, "strides", stride, 2);
  const int dilations = onnx_ints(n, "dilations", dilation, 2), pads = onnx_ints(n, "pads", pad, 4);
  const bool has_mode = onnx_string(n, "auto_pad", &mode);
  const bool upper = has_mode && onnx_is(mode, "SAME_UPPER"), lower = has_mode && onnx_is(mode, "SAME_LOWER");
  const bool valid = has_mode && onnx_is(mode, "VALID");
  if ((kernels >= 0 && kernels != axes) || kernels == -2 || (kernels < 0 && !kernel) || (strides >= 0 && strides != axes) ||
      strides == -2 || (dilations >= 0 && dilations != axes) || dilations == -2 || (pads >= 0 && pads != 2 * axes) || pads == -2)
    return onnx_refuse(g, n, "its window does not go with %d spatial dimensions", axes);
  if (has_mode && !upper && !lower && !valid && !onnx_is(mode, "NOTSET")) return onnx_refuse(g, n, "an unknown auto_pad");
  *w = (um_window){.kernel = {1, 1}, .stride = {1, 1}};
  for (int i = 0; i < axes; i++) {
    const int64_t k = kernel ? kernel[i] : given[i], s = stride[i], in = x->dim[2 + i];
    int64_t before = pad[i], after = pad[axes + i];
    if (kernel && kernels >= 0 && given[i] != k) return onnx_refuse(g, n, "kernel_shape says other than the kernel's own shape");
    if (k < 1 || k > INT16_MAX || s < 1 || s > INT16_MAX) return onnx_refuse(g, n, "a window of %" PRId64 ", stride %" PRId64, k, s);
    if (dilation[i] != 1 && k != 1) return onnx_refuse(g, n, "dilation %" PRId64 ", expected 1", dilation[i]);
    if (has_mode && !onnx_is(mode, "NOTSET")) before = after = 0;
    if (upper || lower) {
      int64_t total = (ceil_div(in, s) - 1) * s + k - in;
      if (total < 0) total = 0;
      before = lower ? total - total / 2 : total / 2;
      after = total - before;
    }
    if (before < 0 || after < 0 || before >= k || after >= k)
      return onnx_refuse(g, n, "padding %" PRId64 " and %" PRId64 " around a window of %" PRId64 ", expected less than it", before, after,
                         k);
    if (ceil_mode && in + before + after >= k) {
      /* The last window may hang over the end, but must not lie wholly in the padding there. */
      int64_t out = ceil_div(in + before + after - k, s) + 1;
      if ((out - 1) * s >= in + before) out--;
      const int64_t over = (out - 1) * s + k - (in + before + after);
      if (over > 0) after += over;
      if (after >= k) return onnx_refuse(g, n, "ceil_mode with a window that lies in the padding alone");
    }
    w->kernel[shift + i] = (int)k, w->stride[shift + i] = (int)s;
    w->pad_before[shift + i] = (int)before, w->pad_after[shift + i] = (int)after;
  }
  return UM_OK;
}

/* ---- the whole ---- */

static int make_node(onnx_graph *g, const onnx_node *n) {
  char domain[96];
  if (!onnx_is(n->domain, "") && !onnx_is(n->domain, "ai.onnx"))
    return onnx_refuse(g, n, "of the domain \"%s\": an op that is not read", onnx_text(domain, sizeof domain, n->domain));
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    if (onnx_is(n->op, ops[i].op)) return ops[i].make(g, n);
  return onnx_refuse(g, n, "an op that is not read here");
}

int onnx_graph_make(onnx_graph *g, const onnx_file *f, const int64_t size[2], bool other_class, um_error *err) {
  int input = 0, output = 0, status;
  um_error none = {0};
  *g = (onnx_graph){.file = f, .path = f->path, .err = err ? err : &none, .negated = other_class};
  if (f->opset < OPSET_MIN)
    return um_fail(g->err, UM_EUNSUPPORTED,
                   "%s: ONNX operators of version %" PRId64 ", expected 5 or newer (onnx.version_converter.convert_version)", g->path,
                   f->opset);
  if ((status = allocate(g)) || (status = resolve(g, &input, &output))) goto done;
  if ((status = make_input(g, &f->input[input], size))) goto done;
  for (int i = 0; i < f->nodes && !status; i++)
    if (g->needed[i]) status = make_node(g, &f->node[i]);
  if (status) goto done;
  onnx_value *v = &g->value[output];
  if (v->kind != ONNX_VALUE || !v->floats || v->padded) {
    status = um_fail(g->err, UM_EUNSUPPORTED, "%s: its output is no value that the network computes", g->path);
    goto done;
  }
  if (v->pending) status = settle(g, &(onnx_node){.op = f->output[0].name}, v);
  if (!status && v->node != g->graph.count - 1) status = um_fail(g->err, UM_EUNSUPPORTED, "%s: its last node is not its output", g->path);
  if (!status && g->negated && !g->stripped)
    status = um_fail(g->err, UM_EUNSUPPORTED, "%s: its metadata and its graph do not agree on which class its output is of", g->path);
done:
  if (g->err == &none) g->err = NULL;
  return status;
}

void onnx_graph_free(onnx_graph *g) {
  for (int i = 0; i < g->recipes; i++) {
    free(g->recipe[i].gain);
    free(g->recipe[i].bias_gain);
    free(g->recipe[i].shift);
  }
  free(g->recipe);
  free(g->value);
  free(g->name);
  free(g->bucket);
  free(g->operand);
  free(g->needed);
  um_graph_free(&g->graph);
  *g = (onnx_graph){0};
}
