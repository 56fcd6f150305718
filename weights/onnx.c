/* ONNX as a source of weights: the parameters of its graph in our ops, by our names, some of them computed from several initialisers;
 * then the initialisers that no layer of ours took, by their own. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "weights/model_data.h"
#include "weights/onnx_impl.h"

enum part { PART_KERNEL, PART_BIAS, PART_ALPHA, PART_TENSOR };

typedef struct entry {
  enum part part;
  int index; /* node of our graph, or tensor */
} entry;

typedef struct reader {
  onnx_file file;
  onnx_graph graph;
  entry *entry;
  um_error why; /* why there is no graph; code UM_OK: there is one */
  char *text;   /* what `find` gave last */
} reader;

int um_onnx_fake_class(const um_preprocess *p) {
  for (int i = 0; i < 2; i++)
    if (!strcasecmp(p->classes[i], "fake") || !strcasecmp(p->classes[1 - i], "real")) return i;
  return -1;
}

static const char *find(void *arg, const char *key) {
  reader *r = arg;
  for (int i = 0; i < r->file.props; i++) {
    const um_pb v = r->file.prop[i].value;
    if (!onnx_is(r->file.prop[i].key, key)) continue;
    free(r->text);
    return r->text = strndup((const char *)v.at, um_pb_size(&v));
  }
  return NULL;
}

/* Values in the file's order, gain and shift in them. */
static int read_kernel(reader *r, int node, float *values, int64_t count, um_error *err) {
  const onnx_recipe *recipe = &r->graph.recipe[node];
  const int64_t units = r->graph.graph.node[node].units;
  const bool outputs_first = recipe->w >= 0 && recipe->layout != UM_WEIGHT_OURS && recipe->layout != UM_WEIGHT_IO_CHW;
  const int64_t run = count / units; /* values an output */
  if (recipe->w >= 0) {
    const int status = onnx_tensor_floats(&r->file.tensor[recipe->w], values, r->file.path, err);
    if (status) return status;
  } else {
    for (int64_t i = 0; i < count; i++) {
      const int64_t out = i % units, in = i / units % units;
      values[i] = in == (recipe->permuted ? recipe->from[out] : out) ? recipe->fill : 0;
    }
  }
  for (int64_t i = 0; recipe->gain && i < count; i++) {
    const double gain = recipe->gain[outputs_first ? i / run : i % units];
    if (gain != 1) values[i] = (float)(gain * (double)values[i]);
  }
  return UM_OK;
}

static int read_bias(reader *r, int node, float *values, int64_t count, um_error *err) {
  const onnx_recipe *recipe = &r->graph.recipe[node];
  if (recipe->b >= 0) {
    const int status = onnx_tensor_floats(&r->file.tensor[recipe->b], values, r->file.path, err);
    if (status) return status;
    if (r->file.tensor[recipe->b].count == 1)
      for (int64_t i = 1; i < count; i++) values[i] = values[0];
  } else {
    memset(values, 0, (size_t)count * sizeof *values);
  }
  for (int64_t i = 0; recipe->gain && i < count; i++) values[i] = (float)(recipe->bias_gain[i] * (double)values[i] + recipe->shift[i]);
  return UM_OK;
}

static int read_alpha(reader *r, int node, float *values, int64_t count, um_error *err) {
  const onnx_tensor *t = &r->file.tensor[r->graph.recipe[node].alpha];
  const int status = onnx_tensor_floats(t, values, r->file.path, err);
  for (int64_t i = 1; t->count == 1 && i < count; i++) values[i] = values[0];
  return status;
}

static int read_item(um_weight_source *s, int index, float *values, int64_t count, um_error *err) {
  reader *r = s->handle;
  int64_t have = 1;
  for (int i = 0; i < s->item[index].ndim; i++) have *= s->item[index].dim[i]; /* of tensors in the file, or bounded by their cost */
  if (have != count)
    return um_fail(err, UM_EINTERNAL, "%s: %s: %" PRId64 " values asked for, it has %" PRId64, s->path, s->item[index].name, count, have);
  const entry *e = &r->entry[index];
  if (e->part == PART_KERNEL) return read_kernel(r, e->index, values, count, err);
  if (e->part == PART_BIAS) return read_bias(r, e->index, values, count, err);
  if (e->part == PART_ALPHA) return read_alpha(r, e->index, values, count, err);
  return onnx_tensor_floats(&r->file.tensor[e->index], values, s->path, err);
}

static void close_file(um_weight_source *s) {
  reader *r = s->handle;
  onnx_graph_free(&r->graph);
  onnx_file_close(&r->file);
  free(r->entry);
  free(r->text);
  free(r);
}

static int read_model(um_weight_source *s, um_graph *graph, um_preprocess *p, unsigned *said, um_error *err) {
  reader *r = s->handle;
  const onnx_graph *g = &r->graph;
  if (r->why.code) {
    if (err) *err = r->why;
    return r->why.code;
  }
  const int status = um_graph_copy(graph, &g->graph, err);
  if (status) return status;
  *said = um_model_metadata_read(p, find, r);
  /* What the graph does to the pixels says more than the metadata; but where both say the same, these have more digits. */
  if (g->rescales || g->caffe || g->bytes) {
    const float scale = g->rescales ? g->rescale : 1;
    if (!g->caffe && (float)p->rescale != scale) p->rescale = (double)scale;
    p->preprocessing = g->caffe ? UM_PREPROCESS_CAFFE : UM_PREPROCESS_NONE;
    *said |= UM_SAYS_PREPROCESS;
  }
  return UM_OK;
}

static um_weight_item *add_item(um_weight_source *s, reader *r, const char *name, const char *from, enum part part, int index) {
  um_weight_item *item = um_weight_source_add(s, name, from);
  if (item) r->entry[s->count - 1] = (entry){part, index};
  return item;
}

static void set_shape(um_weight_item *item, const onnx_tensor *t) {
  item->ndim = t->ndim;
  memcpy(item->dim, t->dim, sizeof item->dim);
  snprintf(item->dtype, sizeof item->dtype, "%s", onnx_type_name(t->type));
}

/* Kernel and bias of a node of ours. */
static bool list_node(um_weight_source *s, reader *r, int node, const char *name) {
  const um_node *n = &r->graph.graph.node[node];
  const onnx_recipe *recipe = &r->graph.recipe[node];
  const int64_t inputs = r->graph.graph.node[n->input[0]].dim[r->graph.graph.node[n->input[0]].ndim - 1];
  char text[UM_NAME_MAX + 8], tensor[160], from[256];
  const char *folded = recipe->gain ? ", with what follows it" : "";
  snprintf(text, sizeof text, "%s/kernel", name);
  snprintf(from, sizeof from, "%s%s", recipe->w >= 0 ? onnx_text(tensor, sizeof tensor, r->file.tensor[recipe->w].name) : "(a diagonal)",
           folded);
  um_weight_item *item = add_item(s, r, text, from, PART_KERNEL, node);
  if (!item) return false;
  if (recipe->w >= 0) {
    set_shape(item, &r->file.tensor[recipe->w]);
    item->layout = recipe->layout;
    memcpy(item->chw, recipe->chw, sizeof item->chw);
    if (n->op == UM_OP_CONV2D && item->ndim == 3) /* over one axis: ours has a height of 1 */
      item->ndim = 4, item->dim[3] = item->dim[2], item->dim[2] = 1;
  } else if (n->op == UM_OP_CONV2D) {
    item->ndim = 4;
    item->dim[0] = n->window.kernel[0], item->dim[1] = n->window.kernel[1], item->dim[2] = inputs, item->dim[3] = n->units;
  } else {
    item->ndim = 2;
    item->dim[0] = inputs, item->dim[1] = n->units;
  }
  snprintf(text, sizeof text, "%s/bias", name);
  snprintf(from, sizeof from, "%s%s", recipe->b >= 0 ? onnx_text(tensor, sizeof tensor, r->file.tensor[recipe->b].name) : "(zeros)",
           folded);
  if (!(item = add_item(s, r, text, from, PART_BIAS, node))) return false;
  item->ndim = 1;
  item->dim[0] = n->units;
  if (recipe->b >= 0) snprintf(item->dtype, sizeof item->dtype, "%s", onnx_type_name(r->file.tensor[recipe->b].type));
  return true;
}

static bool list_alpha(um_weight_source *s, reader *r, int node, const char *name) {
  const onnx_tensor *t = &r->file.tensor[r->graph.recipe[node].alpha];
  const um_node *n = &r->graph.graph.node[node];
  char text[UM_NAME_MAX + 16], from[256];
  snprintf(text, sizeof text, "%s/alpha", name);
  um_weight_item *item = add_item(s, r, text, onnx_text(from, sizeof from, t->name), PART_ALPHA, node);
  if (!item) return false;
  item->ndim = 1;
  item->dim[0] = n->dim[n->ndim - 1];
  snprintf(item->dtype, sizeof item->dtype, "%s", onnx_type_name(t->type));
  return true;
}

static bool has_weights(const um_node *n) { return n->op == UM_OP_CONV2D || n->op == UM_OP_DENSE; }

/* Whether two layers with weights are of one kind and size. */
static bool alike(const um_graph *a, int i, const um_graph *b, int k) {
  const um_node *x = &a->node[i], *y = &b->node[k], *from_x = &a->node[x->input[0]], *from_y = &b->node[y->input[0]];
  return x->units == y->units && memcmp(x->window.kernel, y->window.kernel, sizeof x->window.kernel) == 0 &&
         from_x->dim[from_x->ndim - 1] == from_y->dim[from_y->ndim - 1];
}

/* The model's names for the layers of one op, where file and model have the same ones in the same order, whatever they are called. */
static void borrow_names(const char **name, const onnx_graph *g, const um_graph *model, um_op_kind op) {
  for (int pass = 0; pass < 2; pass++) {
    int k = 0;
    for (int i = 0; i < g->graph.count; i++) {
      if (g->graph.node[i].op != op || !(g->recipe[i].used || g->recipe[i].bends)) continue;
      while (k < model->count && model->node[k].op != op) k++;
      if (k == model->count || !alike(&g->graph, i, model, k)) return;
      if (pass == 1) name[i] = model->node[k].name;
      k++;
    }
    while (k < model->count && model->node[k].op != op) k++;
    if (k < model->count) return;
  }
}

static int list_all(um_weight_source *s, reader *r, const um_graph *model, um_error *err) {
  const onnx_graph *g = &r->graph;
  const char **name = calloc((size_t)g->graph.count + 1, sizeof *name);
  char text[256];
  bool ok = name && (r->entry = calloc(2 * (size_t)g->graph.count + (size_t)r->file.tensors + 1, sizeof *r->entry)) != NULL;
  for (int i = 0; ok && i < g->graph.count; i++) name[i] = g->graph.node[i].name;
  if (ok && model) {
    borrow_names(name, g, model, UM_OP_CONV2D);
    borrow_names(name, g, model, UM_OP_DENSE);
    borrow_names(name, g, model, UM_OP_PRELU);
  }
  for (int i = 0; ok && i < g->graph.count; i++)
    if (has_weights(&g->graph.node[i]) && g->recipe[i].used)
      ok = list_node(s, r, i, name[i]);
    else if (g->graph.node[i].op == UM_OP_PRELU)
      ok = list_alpha(s, r, i, name[i]);
  for (int i = 0; ok && i < r->file.tensors; i++) {
    const onnx_tensor *t = &r->file.tensor[i];
    /* Of a type that is not read nobody knows how much data a shape needs: it may claim anything. */
    if (t->claimed || t->constant || strcmp(onnx_type_name(t->type), "?") == 0) continue;
    onnx_text(text, sizeof text, t->name);
    um_weight_item *item = add_item(s, r, text, text, PART_TENSOR, i);
    if ((ok = item != NULL)) set_shape(item, t);
  }
  free(name);
  return ok ? UM_OK : um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
}

int um_onnx_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err) {
  char producer[32], version[24];
  um_preprocess p = {0};
  reader *r = calloc(1, sizeof *r);
  *s = (um_weight_source){.path = path, .read = read_item, .close = close_file, .model = read_model, .handle = r};
  if (!r) return um_fail(err, UM_ENOMEM, "%s: no memory to open it", path);
  int status = onnx_file_open(&r->file, path, err);
  if (status) goto fail;
  const int64_t size[2] = {graph && graph->count ? graph->node[0].dim[0] : 0, graph && graph->count ? graph->node[0].dim[1] : 0};
  const bool fake = r->file.outputs == 1 && onnx_is(r->file.output[0].name, "fake_probability");
  const bool other = fake && um_model_metadata_read(&p, find, r) & UM_SAYS_CLASSES && um_onnx_fake_class(&p) == 0;
  status = onnx_graph_make(&r->graph, &r->file, size[0] > 0 ? size : NULL, other, &r->why);
  if (status == UM_ENOMEM || status == UM_EFORMAT) {
    if (err) *err = r->why;
    goto fail;
  }
  snprintf(s->kind, sizeof s->kind, "ONNX, opset %" PRId64 "%s%s %s", r->file.opset, um_pb_size(&r->file.producer) ? ", written by " : "",
           onnx_text(producer, sizeof producer, r->file.producer), onnx_text(version, sizeof version, r->file.producer_version));
  if (r->graph.caffe)
    snprintf(s->note, sizeof s->note, "it takes BGR minus the ImageNet mean (preprocessing \"caffe\")");
  else if (r->graph.rescales)
    snprintf(s->note, sizeof s->note, "it takes pixels times %g", (double)r->graph.rescale);
  else if (r->graph.pre.any)
    snprintf(s->note, sizeof s->note, "its arithmetic on pixels is a layer of its own");
  if ((status = list_all(s, r, graph, err))) goto fail;
  return UM_OK;
fail:
  um_weight_source_close(s);
  return status;
}
