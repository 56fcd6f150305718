/* Our models as ONNX. Operators of version 13 (ONNX 1.8, end of 2020): what we write means the same in every version since, so that old
 * and new runtimes open it. The graph computes on N C H W, as ONNX does; before the first dense layer values are turned to N H W C, so
 * that dense kernels go out as they are. The output is named by what it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "weights/model_data.h"
#include "weights/onnx_impl.h"

#ifndef UM_VERSION
#define UM_VERSION "?"
#endif

enum { IR_VERSION = 7, OPSET = 13 };

typedef struct writer {
  const um_model_data *d;
  um_pb_out nodes;                /* of the GraphProto: its nodes */
  um_pb_out consts;               /* its small initialisers */
  char (*name)[UM_NAME_MAX + 16]; /* the ONNX value of each node of ours */
} writer;

/* A node of one output; inputs end with NULL. attributes: AttributeProto fields, freed. */
static void put_node(writer *w, const char *op, const char *name, const char *output, const char *const *input, um_pb_out *attributes) {
  um_pb_out node = {0};
  for (; *input; input++) um_pb_put_text(&node, 1, *input);
  um_pb_put_text(&node, 2, output);
  um_pb_put_text(&node, 3, name);
  um_pb_put_text(&node, 4, op);
  if (attributes) {
    um_pb_put_raw(&node, attributes->data, attributes->size);
    node.failed |= attributes->failed;
    um_pb_out_free(attributes);
  }
  um_pb_put_message(&w->nodes, 1, &node);
}

#define INPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { ATTRIBUTE_INT = 2, ATTRIBUTE_INTS = 7 };

static void put_ints(um_pb_out *o, const char *name, const int64_t *value, int count) {
  um_pb_out a = {0};
  um_pb_put_text(&a, 1, name);
  for (int i = 0; i < count; i++) um_pb_put_varint(&a, 8, (uint64_t)value[i]);
  um_pb_put_varint(&a, 20, ATTRIBUTE_INTS);
  um_pb_put_message(o, 5, &a);
}

static void put_int(um_pb_out *o, const char *name, int64_t value) {
  um_pb_out a = {0};
  um_pb_put_text(&a, 1, name);
  um_pb_put_varint(&a, 3, (uint64_t)value);
  um_pb_put_varint(&a, 20, ATTRIBUTE_INT);
  um_pb_put_message(o, 5, &a);
}

static void transpose(writer *w, const char *from, const char *to, bool to_hwc) {
  um_pb_out a = {0};
  put_ints(&a, "perm", to_hwc ? (const int64_t[]){0, 2, 3, 1} : (const int64_t[]){0, 3, 1, 2}, 4);
  put_node(w, "Transpose", to, to, INPUTS(from), &a);
}

/* Everything of a TensorProto but its raw data. */
static void put_tensor_head(um_pb_out *o, const char *name, int type, int ndim, const int64_t *dim) {
  for (int i = 0; i < ndim; i++) um_pb_put_varint(o, 1, (uint64_t)dim[i]);
  um_pb_put_varint(o, 2, (uint64_t)type);
  um_pb_put_text(o, 8, name);
}

/* Floats as the file has them, little-endian. */
static void put_floats(um_pb_out *o, const float *value, int count) {
  for (int i = 0; i < count; i++) {
    uint32_t word;
    memcpy(&word, &value[i], sizeof word);
    const uint8_t byte[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16), (uint8_t)(word >> 24)};
    um_pb_put_raw(o, byte, sizeof byte);
  }
}

static void put_constant(writer *w, const char *name, int ndim, const int64_t *dim, const float *value, int count) {
  um_pb_out t = {0}, raw = {0};
  put_tensor_head(&t, name, ONNX_FLOAT, ndim, dim);
  put_floats(&raw, value, count);
  um_pb_put_message(&t, 9, &raw);
  um_pb_put_message(&w->consts, 5, &t);
}

static void put_channel_order(writer *w) {
  um_pb_out t = {0}, raw = {0};
  put_tensor_head(&t, "preprocess/bgr", ONNX_INT64, 1, (const int64_t[]){3});
  for (int i = 0; i < 3; i++) um_pb_put_raw(&raw, (const uint8_t[8]){(uint8_t)(2 - i)}, 8);
  um_pb_put_message(&t, 9, &raw);
  um_pb_put_message(&w->consts, 5, &t);
}

/* From the input to N C H W as the first layer takes it. */
static void put_input(writer *w, const um_export_options *o, const char *input) {
  const bool caffe = w->d->preprocess.preprocessing == UM_PREPROCESS_CAFFE, inside = o->bytes || o->with_preprocessing;
  um_warp how;
  um_preprocess_warp(&how, &w->d->preprocess);
  const char *at = input;
  if (o->bytes) {
    um_pb_out a = {0};
    put_int(&a, "to", ONNX_FLOAT);
    put_node(w, "Cast", "preprocess/float", "preprocess/float", INPUTS(at), &a);
    at = "preprocess/float";
  }
  if (!o->channels_first) {
    transpose(w, at, "preprocess/nchw", false);
    at = "preprocess/nchw";
  }
  if (inside && caffe) {
    um_pb_out a = {0};
    put_channel_order(w);
    put_int(&a, "axis", 1);
    put_node(w, "Gather", "preprocess/to_bgr", "preprocess/to_bgr", INPUTS(at, "preprocess/bgr"), &a);
    put_constant(w, "preprocess/mean", 4, (const int64_t[]){1, 3, 1, 1}, how.mean, 3);
    put_node(w, "Sub", "preprocess/minus_mean", "preprocess/minus_mean", INPUTS("preprocess/to_bgr", "preprocess/mean"), NULL);
    at = "preprocess/minus_mean";
  } else if (inside && how.scale != 1) {
    put_constant(w, "preprocess/scale", 0, NULL, &how.scale, 1);
    put_node(w, "Mul", "preprocess/rescale", "preprocess/rescale", INPUTS(at, "preprocess/scale"), NULL);
    at = "preprocess/rescale";
  }
  snprintf(w->name[0], sizeof *w->name, "%s", at);
}

static void put_window(um_pb_out *a, const um_window *w) {
  put_ints(a, "kernel_shape", (const int64_t[]){w->kernel[0], w->kernel[1]}, 2);
  put_ints(a, "strides", (const int64_t[]){w->stride[0], w->stride[1]}, 2);
  put_ints(a, "pads", (const int64_t[]){w->pad_before[0], w->pad_before[1], w->pad_after[0], w->pad_after[1]}, 4);
}

/* A node of ours; its output's name into w->name[i]. */
static void put_layer(writer *w, int i) {
  const um_graph *g = &w->d->graph;
  const um_node *n = &g->node[i];
  const char *x = w->name[n->input[0]], *input[UM_MAX_INPUTS + 1] = {NULL};
  char kernel[UM_NAME_MAX + 16], bias[UM_NAME_MAX + 16], raw[UM_NAME_MAX + 16];
  um_pb_out a = {0};
  snprintf(kernel, sizeof kernel, "%s/kernel", n->name);
  snprintf(bias, sizeof bias, "%s/bias", n->name);
  snprintf(w->name[i], sizeof *w->name, "%s", n->name);
  snprintf(raw, sizeof raw, "%s%s", n->name, n->activation == UM_ACT_RELU ? "/sum" : "");
  for (int k = 0; k < n->n_inputs; k++) input[k] = w->name[n->input[k]];
  switch (n->op) {
  case UM_OP_CONV2D:
    put_window(&a, &n->window);
    put_node(w, "Conv", n->name, raw, INPUTS(x, kernel, bias), &a);
    break;
  case UM_OP_DENSE: put_node(w, "Gemm", n->name, raw, INPUTS(x, kernel, bias), NULL); break;
  case UM_OP_MAX_POOL:
  case UM_OP_AVG_POOL: /* padding does not count, which is the default */
    put_window(&a, &n->window);
    put_node(w, n->op == UM_OP_MAX_POOL ? "MaxPool" : "AveragePool", n->name, raw, INPUTS(x), &a);
    break;
  case UM_OP_GLOBAL_AVG_POOL:
    snprintf(kernel, sizeof kernel, "%s/map", n->name);
    put_node(w, "GlobalAveragePool", n->name, kernel, INPUTS(x), NULL);
    put_node(w, "Flatten", kernel, raw, INPUTS(kernel), NULL);
    break;
  case UM_OP_FLATTEN:
    if (g->node[n->input[0]].ndim == 3) {
      snprintf(kernel, sizeof kernel, "%s/nhwc", n->name);
      transpose(w, x, kernel, true);
      x = kernel;
    }
    put_node(w, "Flatten", n->name, raw, INPUTS(x), NULL);
    break;
  case UM_OP_RELU: put_node(w, "Relu", n->name, raw, INPUTS(x), NULL); break;
  case UM_OP_SIGMOID: put_node(w, "Sigmoid", n->name, raw, INPUTS(x), NULL); break;
  case UM_OP_PRELU:
    snprintf(kernel, sizeof kernel, "%s/alpha", n->name);
    put_node(w, "PRelu", n->name, raw, INPUTS(x, kernel), NULL);
    break;
  case UM_OP_SOFTMAX:
    put_int(&a, "axis", 1); /* the channels, of pictures too */
    put_node(w, "Softmax", n->name, raw, INPUTS(x), &a);
    break;
  case UM_OP_DROPOUT: snprintf(w->name[i], sizeof *w->name, "%s", x); break; /* at inference it is not there */
  case UM_OP_ADD: put_node(w, "Sum", n->name, raw, input, NULL); break;
  case UM_OP_CONCAT:
    put_int(&a, "axis", 1);
    put_node(w, "Concat", n->name, raw, input, &a);
    break;
  default: break;
  }
  if (n->activation == UM_ACT_RELU) {
    snprintf(bias, sizeof bias, "%s/Relu", n->name);
    put_node(w, "Relu", bias, n->name, INPUTS(raw), NULL);
  }
}

/* ValueInfoProto: dimension 0 is "N". */
static void put_info(um_pb_out *graph, uint32_t field, const char *name, int type, const int64_t *dim, int ndim, const char *doc) {
  um_pb_out info = {0}, of = {0}, tensor = {0}, shape = {0};
  for (int i = 0; i < ndim; i++) {
    um_pb_out d = {0};
    if (i == 0)
      um_pb_put_text(&d, 2, "N");
    else
      um_pb_put_varint(&d, 1, (uint64_t)dim[i]);
    um_pb_put_message(&shape, 1, &d);
  }
  um_pb_put_varint(&tensor, 1, (uint64_t)type);
  um_pb_put_message(&tensor, 2, &shape);
  um_pb_put_message(&of, 1, &tensor);
  um_pb_put_text(&info, 1, name);
  um_pb_put_message(&info, 2, &of);
  um_pb_put_text(&info, 3, doc);
  um_pb_put_message(graph, field, &info);
}

/* Parameter i as the file has it: convolutions O I H W; a slope of N x C x H x W lies along C. */
static um_weight_item item_of(const um_model_data *d, int i) {
  const um_tensor *t = &d->tensor[i];
  const um_graph *g = &d->graph;
  um_weight_item item = {.ndim = t->ndim};
  memcpy(item.dim, t->dim, (size_t)t->ndim * sizeof *t->dim);
  if (t->ndim == 4) {
    item.layout = UM_WEIGHT_OIHW;
    item.dim[0] = t->dim[3], item.dim[1] = t->dim[2], item.dim[2] = t->dim[0], item.dim[3] = t->dim[1];
  }
  for (int k = 0; k < g->count; k++) {
    const size_t n = strlen(g->node[k].name);
    const bool own = strncmp(d->name[i], g->node[k].name, n) == 0 && strcmp(d->name[i] + n, "/alpha") == 0;
    if (own && g->node[k].ndim == 3) item.ndim = 3, item.dim[1] = item.dim[2] = 1;
  }
  return item;
}

/* The part of an initialiser before its raw data, with the tag of that and its length. */
static void parameter_head(um_pb_out *o, const um_model_data *d, int i) {
  const um_weight_item item = item_of(d, i);
  put_tensor_head(o, d->name[i], ONNX_FLOAT, item.ndim, item.dim);
  um_pb_put_head(o, 9, (uint64_t)um_tensor_count(&d->tensor[i]) * 4);
}

static bool write_out(FILE *f, const um_pb_out *o) { return !o->failed && (o->size == 0 || fwrite(o->data, 1, o->size, f) == o->size); }

/* All parameters, one in memory at a time, each as `initializer` of the graph. */
static int write_parameters(FILE *f, const um_model_data *d, const char *path, um_error *err) {
  int status = UM_OK;
  for (int i = 0; i < d->count && !status; i++) {
    const um_weight_item item = item_of(d, i);
    const int64_t count = um_tensor_count(&d->tensor[i]);
    float *turned = malloc((size_t)count * sizeof *turned);
    um_pb_out head = {0}, tag = {0}, some = {0};
    parameter_head(&head, d, i);
    um_pb_put_head(&tag, 5, head.size + (uint64_t)count * 4);
    if (!turned) {
      status = um_fail(err, UM_ENOMEM, "%s: no memory for %s", path, d->name[i]);
    } else {
      um_weight_turn_back(&item, turned, d->tensor[i].data);
      bool ok = write_out(f, &tag) && write_out(f, &head);
      for (int64_t k = 0; ok && k < count; k += 4096) {
        some.size = 0;
        put_floats(&some, turned + k, count - k < 4096 ? (int)(count - k) : 4096);
        ok = write_out(f, &some);
      }
      if (!ok) status = um_fail(err, UM_EIO, "%s: cannot write: %s", path, strerror(errno ? errno : ENOMEM));
    }
    free(turned);
    um_pb_out_free(&head);
    um_pb_out_free(&tag);
    um_pb_out_free(&some);
  }
  return status;
}

/* The output's name and, before it, the sigmoid of the logit's sign that it means. */
static int put_output(writer *w, um_pb_out *graph, um_error *err) {
  const um_graph *g = &w->d->graph;
  const um_preprocess *p = &w->d->preprocess;
  const int fake = um_onnx_fake_class(p), last = g->count - 1;
  const bool sigmoid = g->node[last].op == UM_OP_SIGMOID;
  const char *z = w->name[sigmoid ? g->node[last].input[0] : last];
  char name[96], doc[256];
  snprintf(name, sizeof name, "%s_probability", fake >= 0 ? "fake" : p->classes[1][0] ? p->classes[1] : "class_1");
  if (um_graph_find(g, name) >= 0 && um_graph_find(g, name) != last)
    return um_fail(err, UM_EUNSUPPORTED, "export: a layer is called \"%s\" as the output would be", name);
  snprintf(doc, sizeof doc, "The probability that the picture is %s, N x 1. Above 0.5 the verdict is that.",
           fake >= 0 ? "fake" : p->classes[1]);
  if (fake == 0) { /* the sigmoid of our logit is the probability of class 1; 1 minus it is the sigmoid of minus the logit */
    put_node(w, "Neg", "logit/minus", "logit/minus", INPUTS(z), NULL);
    z = "logit/minus";
  }
  put_node(w, "Sigmoid", sigmoid ? g->node[last].name : "probability", name, INPUTS(z), NULL);
  put_info(graph, 12, name, ONNX_FLOAT, (const int64_t[]){0, 1}, 2, doc);
  return UM_OK;
}

static int build(writer *w, um_pb_out *model, um_pb_out *graph, const um_export_options *o, um_error *err) {
  const um_graph *g = &w->d->graph;
  const um_preprocess *p = &w->d->preprocess;
  const int64_t *d = g->node[0].dim;
  const bool inside = o->bytes || o->with_preprocessing, caffe = p->preprocessing == UM_PREPROCESS_CAFFE;
  const int64_t hwc[4] = {0, d[0], d[1], d[2]}, chw[4] = {0, d[2], d[0], d[1]};
  const int last = g->count - 1;
  char doc[256], **pair = um_model_metadata(w->d, err);
  if (!pair) return UM_ENOMEM;
  snprintf(doc, sizeof doc, "Pictures, RGB, %s x %lld x %lld%s, %s", o->channels_first ? "N x 3" : "N", (long long)d[0], (long long)d[1],
           o->channels_first ? "" : " x 3",
           inside  ? "values from 0 to 255; the preprocessing is inside"
           : caffe ? "turned to BGR, minus 103.939, 116.779, 123.68, from values from 0 to 255"
                   : "values from 0 to 255 times the rescale of the metadata");
  put_input(w, o, g->node[0].name);
  for (int i = 1; i <= last; i++)
    if (i < last || g->node[i].op != UM_OP_SIGMOID) put_layer(w, i);
  put_info(graph, 11, g->node[0].name, o->bytes ? ONNX_UINT8 : ONNX_FLOAT, o->channels_first ? chw : hwc, 4, doc);
  const int status = put_output(w, graph, err);
  um_pb_put_text(graph, 2, "unmask");
  um_pb_put_text(graph, 10, "A deepfake detector: pictures of faces in, the probability of a class out.");

  um_pb_put_varint(model, 1, IR_VERSION);
  um_pb_put_text(model, 2, "unmask");
  um_pb_put_text(model, 3, UM_VERSION);
  um_pb_put_text(model, 6, "Made by unmask. metadata_props hold the class names and the preprocessing that scoring must repeat.");
  um_pb_out opset = {0};
  um_pb_put_text(&opset, 1, "");
  um_pb_put_varint(&opset, 2, OPSET);
  um_pb_put_message(model, 8, &opset);
  for (int i = 0; pair[i]; i += 2) {
    um_pb_out prop = {0};
    if (strcmp(pair[i], "unmask.graph") == 0) continue; /* the file's own graph says it */
    um_pb_put_text(&prop, 1, pair[i]);
    um_pb_put_text(&prop, 2, pair[i + 1]);
    um_pb_put_message(model, 14, &prop);
  }
  free(pair);
  return status;
}

int um_export_onnx(const um_model_data *d, const um_export_options *o, const char *path, um_error *err) {
  const um_graph *g = &d->graph;
  const um_export_options none = {0};
  writer w = {.d = d};
  um_pb_out model = {0}, graph = {0};
  um_writer file = {0};
  int status = UM_OK;
  if (g->count < 2 || g->node[0].op != UM_OP_INPUT) return um_fail(err, UM_EUNSUPPORTED, "%s: a model without layers", path);
  if (g->node[0].dim[2] != 3) return um_fail(err, UM_EUNSUPPORTED, "%s: a model of %d channels, expected 3", path, (int)g->node[0].dim[2]);
  if (!(w.name = calloc((size_t)g->count, sizeof *w.name))) return um_fail(err, UM_ENOMEM, "%s: no memory for %d names", path, g->count);
  if ((status = build(&w, &model, &graph, o ? o : &none, err))) goto done;
  /* The graph's length comes before it: what is small is in memory, the parameters' sizes are known. */
  uint64_t length = w.nodes.size + w.consts.size + graph.size;
  for (int i = 0; i < d->count; i++) {
    um_pb_out head = {0}, tag = {0};
    const uint64_t bytes = (uint64_t)um_tensor_count(&d->tensor[i]) * 4;
    parameter_head(&head, d, i);
    um_pb_put_head(&tag, 5, head.size + bytes);
    length += tag.size + head.size + bytes;
    w.consts.failed |= head.failed || tag.failed;
    um_pb_out_free(&head);
    um_pb_out_free(&tag);
  }
  um_pb_put_head(&model, 7, length);
  if (w.nodes.failed || w.consts.failed || graph.failed || model.failed) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for the graph", path);
    goto done;
  }
  if (length + model.size > INT32_MAX) { /* protobuf's own limit on a message */
    status = um_fail(err, UM_EUNSUPPORTED, "%s: %llu bytes; ONNX files hold at most 2 GiB", path, (unsigned long long)length);
    goto done;
  }
  if ((status = um_writer_open(&file, path, err))) goto done;
  errno = 0;
  if (!write_out(file.file, &model) || !write_out(file.file, &w.nodes) || !write_out(file.file, &graph) ||
      !write_out(file.file, &w.consts)) {
    status = um_fail(err, UM_EIO, "%s: cannot write: %s", path, strerror(errno ? errno : EIO));
    goto done;
  }
  if ((status = write_parameters(file.file, d, path, err))) goto done;
  status = um_writer_commit(&file, err);
done:
  um_writer_abandon(&file);
  free(w.name);
  um_pb_out_free(&w.nodes);
  um_pb_out_free(&w.consts);
  um_pb_out_free(&graph);
  um_pb_out_free(&model);
  return status;
}
