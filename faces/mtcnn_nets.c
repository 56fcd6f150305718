/* The three networks as node lists, and their weights. Names are facenet-pytorch's (models/mtcnn.py). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faces/mtcnn.h"
#include "weights/source.h"

/* A network under construction: the last node, or a negative um_code, after which nothing more is added. */
typedef struct maker {
  um_graph *g;
  int at;
  um_error *err;
} maker;

static const int one[2] = {1, 1};

static int conv(maker *m, const char *name, int input, int64_t filters, int side) {
  if (m->at < 0) return m->at;
  return m->at = um_graph_add_conv2d(m->g, name, input, filters, (int[2]){side, side}, one, UM_PAD_VALID, UM_ACT_NONE, m->err);
}

static int dense(maker *m, const char *name, int input, int64_t units) {
  if (m->at < 0) return m->at;
  return m->at = um_graph_add_dense(m->g, name, input, units, UM_ACT_NONE, m->err);
}

static int simple(maker *m, const char *name, um_op_kind kind, const int *input, int inputs) {
  if (m->at < 0) return m->at;
  return m->at = um_graph_add_simple(m->g, name, kind, input, inputs, UM_ACT_NONE, m->err);
}

static void prelu(maker *m, const char *name) {
  if (m->at >= 0) m->at = um_graph_add_prelu(m->g, name, m->at, m->err);
}

/* torch's ceil_mode: the last window may reach over the border. */
static void pool(maker *m, const char *name, int side) {
  if (m->at < 0) return;
  const um_node *in = &m->g->node[m->at];
  um_window w = {.kernel = {side, side}, .stride = {2, 2}};
  for (int i = 0; i < 2; i++) w.pad_after[i] = um_pool_ceil_padding(in->dim[i], side, 2);
  m->at = um_graph_add_pool_window(m->g, name, UM_OP_MAX_POOL, m->at, &w, m->err);
}

static void block(maker *m, const char *const name[2], int64_t filters, int side) {
  conv(m, name[0], m->at, filters, side);
  prelu(m, name[1]);
}

/* The heads side by side: a softmax of two first. */
static void heads(maker *m, const char *const *name, const int *units, int count, int side) {
  const int body = m->at;
  int head[4];
  for (int i = 0; i < count; i++) {
    head[i] = side ? conv(m, name[i], body, units[i], side) : dense(m, name[i], body, units[i]);
    if (i == 0) head[i] = simple(m, "softmax", UM_OP_SOFTMAX, head, 1);
  }
  simple(m, "out", UM_OP_CONCAT, head, count);
}

static void pnet(maker *m) {
  block(m, (const char *const[]){"conv1", "prelu1"}, 10, 3);
  pool(m, "pool1", 2);
  block(m, (const char *const[]){"conv2", "prelu2"}, 16, 3);
  block(m, (const char *const[]){"conv3", "prelu3"}, 32, 3);
  heads(m, (const char *const[]){"conv4_1", "conv4_2"}, (int[]){2, 4}, 2, 1);
}

static void rnet(maker *m) {
  block(m, (const char *const[]){"conv1", "prelu1"}, 28, 3);
  pool(m, "pool1", 3);
  block(m, (const char *const[]){"conv2", "prelu2"}, 48, 3);
  pool(m, "pool2", 3);
  block(m, (const char *const[]){"conv3", "prelu3"}, 64, 2);
  simple(m, "flatten", UM_OP_FLATTEN, &m->at, 1);
  dense(m, "dense4", m->at, 128);
  prelu(m, "prelu4");
  heads(m, (const char *const[]){"dense5_1", "dense5_2"}, (int[]){2, 4}, 2, 0);
}

static void onet(maker *m) {
  block(m, (const char *const[]){"conv1", "prelu1"}, 32, 3);
  pool(m, "pool1", 3);
  block(m, (const char *const[]){"conv2", "prelu2"}, 64, 3);
  pool(m, "pool2", 3);
  block(m, (const char *const[]){"conv3", "prelu3"}, 64, 3);
  pool(m, "pool3", 2);
  block(m, (const char *const[]){"conv4", "prelu4"}, 128, 2);
  simple(m, "flatten", UM_OP_FLATTEN, &m->at, 1);
  dense(m, "dense5", m->at, 256);
  prelu(m, "prelu5");
  heads(m, (const char *const[]){"dense6_1", "dense6_2", "dense6_3"}, (int[]){2, 4, 10}, 3, 0);
}

int um_mtcnn_graph(um_graph *g, um_mtcnn_net net, int64_t height, int64_t width, um_error *err) {
  static void (*const make[])(maker * m) = {pnet, rnet, onet};
  maker m = {.g = g, .err = err};
  m.at = um_graph_add_input(g, "input", height, width, 3, err);
  if (m.at >= 0) make[net](&m);
  return m.at < 0 ? m.at : UM_OK;
}

/* ---- weights ---- */

/* A parameter of a node, and how the file has it: "conv1/kernel" is "conv1.weight", O I H W. */
typedef struct wanted {
  char name[UM_NAME_MAX + 8], from[UM_NAME_MAX + 8];
  int ndim;
  int64_t dim[4]; /* in the file's order */
  um_weight_layout layout;
  int64_t hwc[3]; /* of a dense layer over a flattened picture; else 0 */
} wanted;

/* The parameters of a node; how many. */
static int parameters_of(wanted w[2], const um_graph *g, int index) {
  const um_node *n = &g->node[index], *in = &g->node[n->input[0]];
  memset(w, 0, 2 * sizeof *w);
  const int count = um_op_params(n->op);
  for (int k = 0; k < count; k++) {
    snprintf(w[k].name, sizeof w[k].name, "%s/%s", n->name, um_op_param_name(n->op, k));
    snprintf(w[k].from, sizeof w[k].from, "%s.%s", n->name, k ? "bias" : "weight");
    w[k].ndim = 1, w[k].dim[0] = n->dim[n->ndim - 1];
  }
  if (n->op == UM_OP_CONV2D) {
    w[0].ndim = 4, w[0].layout = UM_WEIGHT_OIHW;
    w[0].dim[1] = in->dim[2], w[0].dim[2] = n->window.kernel[0], w[0].dim[3] = n->window.kernel[1];
  } else if (n->op == UM_OP_DENSE) {
    w[0].ndim = 2, w[0].layout = UM_WEIGHT_OI;
    w[0].dim[1] = in->dim[0];
    if (in->op == UM_OP_FLATTEN) memcpy(w[0].hwc, g->node[in->input[0]].dim, sizeof w[0].hwc);
  }
  return count;
}

/* facenet-pytorch flattens W H C, as the networks' first implementation did; we H W C. */
static void turn_rows(float *to, const float *from, const int64_t hwc[3], int64_t units) {
  for (int64_t h = 0; h < hwc[0]; h++)
    for (int64_t w = 0; w < hwc[1]; w++)
      memcpy(to + (h * hwc[1] + w) * hwc[2] * units, from + (w * hwc[0] + h) * hwc[2] * units, (size_t)(hwc[2] * units) * sizeof *to);
}

static int read_parameter(um_mtcnn_param *p, um_weight_source *s, const wanted *w, um_error *err) {
  int64_t count = 1;
  int i = 0;
  while (i < s->count && strcmp(s->item[i].name, w->from) != 0) i++;
  if (i == s->count) return um_fail(err, UM_EFORMAT, "%s: no tensor %s: not the weights of this network", s->path, w->from);
  um_weight_item *item = &s->item[i];
  bool same = item->ndim == w->ndim;
  for (int d = 0; d < w->ndim; d++) same = same && item->dim[d] == w->dim[d], count *= w->dim[d];
  if (!same) {
    char got[96], want[96];
    return um_fail(err, UM_EFORMAT, "%s: %s: expected %s, got %s", s->path, w->from,
                   um_weight_shape_text(want, sizeof want, w->dim, w->ndim), um_weight_shape_text(got, sizeof got, item->dim, item->ndim));
  }
  float *spare = malloc((size_t)count * sizeof *spare);
  memcpy(p->name, w->name, sizeof p->name);
  p->count = count;
  p->value = malloc((size_t)count * sizeof *p->value);
  int status = spare && p->value ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for %" PRId64 " values", s->path, count);
  item->layout = w->layout;
  if (status == UM_OK) status = um_weight_read(s, i, p->value, spare, count, err);
  if (status == UM_OK && w->hwc[0]) {
    memcpy(spare, p->value, (size_t)count * sizeof *spare);
    turn_rows(p->value, spare, w->hwc, w->dim[0]);
  }
  free(spare);
  return status;
}

int um_mtcnn_weights_read(um_mtcnn_weights *w, um_mtcnn_net net, const char *path, um_error *err) {
  static const int side[] = {UM_MTCNN_CELL, UM_MTCNN_RNET_SIDE, UM_MTCNN_ONET_SIDE};
  const int64_t room = 1 << 20; /* values; the largest tensor has 294,912 */
  um_graph g = {0};
  um_weight_source s = {0};
  wanted p[2];
  *w = (um_mtcnn_weights){0};
  int status = um_mtcnn_graph(&g, net, side[net], side[net], err);
  if (status == UM_OK) status = um_weight_source_open(&s, path, NULL, room, err);
  if (status != UM_OK) goto done;
  w->param = calloc(2 * (size_t)g.count, sizeof *w->param);
  if (!w->param) status = um_fail(err, UM_ENOMEM, "%s: no memory", path);
  for (int i = 1; i < g.count && status == UM_OK; i++) {
    const int count = parameters_of(p, &g, i);
    for (int k = 0; k < count && status == UM_OK; k++) status = read_parameter(&w->param[w->count++], &s, &p[k], err);
  }
  um_weight_source_close(&s);
done:
  um_graph_free(&g);
  if (status != UM_OK) um_mtcnn_weights_free(w);
  return status;
}

void um_mtcnn_weights_free(um_mtcnn_weights *w) {
  for (int i = 0; i < w->count; i++) free(w->param[i].value);
  free(w->param);
  *w = (um_mtcnn_weights){0};
}

const float *um_mtcnn_values(const um_mtcnn_weights *w, const char *name) {
  for (int i = 0; i < w->count; i++)
    if (strcmp(w->param[i].name, name) == 0) return w->param[i].value;
  return NULL;
}

int um_mtcnn_model(um_model **out, um_mtcnn_net net, int64_t height, int64_t width, int64_t batch, const um_mtcnn_weights *w,
                   um_backend *be, um_error *err) {
  const um_model_options o = {.batch = batch, .any_output = true};
  um_graph g = {0};
  um_model *m = NULL;
  int params = 0;
  int status = um_mtcnn_graph(&g, net, height, width, err);
  if (status == UM_OK) status = um_model_create(&m, &g, be, &o, err);
  if (status == UM_OK) {
    const um_param *p = um_model_params(m, &params);
    for (int i = 0; i < params && status == UM_OK; i++) {
      const float *value = um_mtcnn_values(w, p[i].name);
      status = value ? um_model_set(m, 'w', i, value, err) : um_fail(err, UM_EINTERNAL, "mtcnn: no weights for %s", p[i].name);
    }
  }
  um_graph_free(&g);
  if (status != UM_OK) um_model_free(m), m = NULL;
  *out = m;
  return status;
}
