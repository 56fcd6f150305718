#include "core/gradcam.h"

#include <math.h>
#include <stdlib.h>

/* The only reader of a node, or -1. */
static int only_reader(const um_graph *g, int node) {
  int reader = -1;
  for (int i = node + 1; i < g->count; i++)
    for (int k = 0; k < g->node[i].n_inputs; k++) {
      if (g->node[i].input[k] != node) continue;
      if (reader >= 0) return -1;
      reader = i;
    }
  return reader;
}

int um_gradcam_layer(const um_graph *g, const char *name, um_error *err) {
  if (name) {
    const int node = um_graph_find(g, name);
    if (node < 0) return um_fail(err, UM_ECONFIG, "heat maps: the model has no layer \"%s\"", name);
    if (g->node[node].ndim != 3)
      return um_fail(err, UM_ECONFIG, "heat maps: the output of layer \"%s\" is a list, expected a layer before the flatten or pooling",
                     name);
    return node;
  }
  for (int i = g->count - 1; i > 0; i--) {
    if (g->node[i].op != UM_OP_CONV2D) continue;
    const int next = only_reader(g, i);
    return next > 0 && (g->node[next].op == UM_OP_RELU || g->node[next].op == UM_OP_PRELU) ? next : i;
  }
  return um_fail(err, UM_ECONFIG, "heat maps: the model has no convolution to make them of");
}

void um_gradcam_map(float *map, const float *activation, const float *gradient, int64_t height, int64_t width, int64_t channels, int sign) {
  const int64_t places = height * width;
  /* In double, so that the order of the sums shows nowhere. A channel at a time: no memory for the weights. */
  for (int64_t c = 0; c < channels; c++) {
    double weight = 0;
    for (int64_t i = 0; i < places; i++) weight += (double)gradient[i * channels + c];
    weight *= sign / (double)places;
    for (int64_t i = 0; i < places; i++) map[i] = (float)((c ? (double)map[i] : 0) + weight * (double)activation[i * channels + c]);
  }
  for (int64_t i = 0; i < places; i++) map[i] = fmaxf(map[i], 0);
}

int um_gradcam_open(um_gradcam *g, um_model *model, um_error *err) {
  const um_graph *graph = um_model_graph(model);
  *g = (um_gradcam){.model = model, .node = um_model_gradient_node(model)};
  if (g->node < 0 || graph->node[g->node].ndim != 3)
    return um_fail(err, UM_EINTERNAL, "heat maps: the model was not made for the gradient by a layer of pictures");
  const um_node *n = &graph->node[g->node];
  g->height = n->dim[0], g->width = n->dim[1], g->channels = n->dim[2];
  const size_t count = (size_t)um_model_batch(model) * (size_t)(n->dim[0] * n->dim[1] * n->dim[2]);
  g->activation = malloc(count * sizeof *g->activation);
  g->gradient = malloc(count * sizeof *g->gradient);
  if (g->activation && g->gradient) return UM_OK;
  um_gradcam_close(g);
  return um_fail(err, UM_ENOMEM, "heat maps: no memory for %zu values of %s", count, n->name);
}

void um_gradcam_close(um_gradcam *g) {
  free(g->activation), free(g->gradient);
  *g = (um_gradcam){0};
}

int um_gradcam_run(um_gradcam *g, float *maps, float *peak, int sign, um_error *err) {
  const int64_t places = g->height * g->width, n = um_model_fed(g->model);
  int status = um_model_activation(g->model, g->node, g->activation, err);
  if (status == UM_OK) status = um_model_gradient(g->model, g->gradient, err);
  for (int64_t i = 0; i < n && status == UM_OK; i++) {
    float *map = maps + i * places, most = 0;
    const int64_t at = i * places * g->channels;
    um_gradcam_map(map, g->activation + at, g->gradient + at, g->height, g->width, g->channels, sign);
    for (int64_t k = 0; k < places; k++) most = fmaxf(most, map[k]);
    if (!isfinite(most)) return um_fail(err, UM_ENUMERIC, "heat maps: a gradient is not finite; the model's weights are damaged");
    for (int64_t k = 0; k < places && most > 0; k++) map[k] /= most;
    if (peak) peak[i] = most;
  }
  return status;
}

/* Between which two cells a place lies, and how far from the first to the second. */
static float between(int64_t at, int64_t out, int64_t in, int64_t *first, int64_t *second) {
  double x = ((double)at + 0.5) * (double)in / (double)out - 0.5;
  if (x < 0) x = 0;
  *first = (int64_t)x;
  if (*first > in - 1) *first = in - 1;
  *second = *first + 1 < in ? *first + 1 : *first;
  return (float)(x - (double)*first);
}

void um_gradcam_resize(float *out, int64_t out_height, int64_t out_width, const float *map, int64_t height, int64_t width) {
  for (int64_t y = 0; y < out_height; y++) {
    int64_t above, below, left, right;
    const float down = between(y, out_height, height, &above, &below);
    for (int64_t x = 0; x < out_width; x++) {
      const float across = between(x, out_width, width, &left, &right);
      const float *a = map + above * width, *b = map + below * width;
      const float upper = a[left] + across * (a[right] - a[left]), lower = b[left] + across * (b[right] - b[left]);
      *out++ = upper + down * (lower - upper);
    }
  }
}
