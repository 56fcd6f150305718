/* A whole model on the host: read from any format, bound to a backend, saved as ours. */
#include "weights/model_data.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char remedy[] = "a file of another model, or one of another size";

void um_model_data_free(um_model_data *d) {
  for (int i = 0; i < d->count; i++) {
    if (d->name) free(d->name[i]);
    if (d->tensor) free(d->tensor[i].data);
  }
  free(d->name);
  free(d->tensor);
  um_graph_free(&d->graph);
  *d = (um_model_data){0};
}

static int add(um_model_data *d, const um_node *n, const char *what, int ndim, const int64_t *dim, um_error *err) {
  um_tensor *t = &d->tensor[d->count];
  *t = um_tensor_plain(UM_F32, ndim, dim);
  if (asprintf(&d->name[d->count], "%s/%s", n->name, what) < 0) d->name[d->count] = NULL;
  d->count++;
  return d->name[d->count - 1] ? UM_OK : um_fail(err, UM_ENOMEM, "%s/%s: no memory for its name", n->name, what);
}

/* Every parameter of the graph: names and shapes; node (room for two a node) gets the node of each. */
static int describe(um_model_data *d, int *node, um_error *err) {
  const um_graph *g = &d->graph;
  int status = UM_OK;
  d->tensor = calloc(UM_OP_PARAMS * (size_t)g->count + 1, sizeof *d->tensor);
  d->name = calloc(UM_OP_PARAMS * (size_t)g->count + 1, sizeof *d->name);
  if (!d->tensor || !d->name) return um_fail(err, UM_ENOMEM, "no memory for a model of %d layers", g->count);
  for (int i = 0; i < g->count && !status; i++) {
    const um_node *n = &g->node[i];
    for (int k = 0; k < um_op_params(n->op) && !status; k++) {
      const um_node *in = &g->node[n->input[0]];
      const int64_t inputs = in->dim[in->ndim - 1], outputs = n->dim[n->ndim - 1];
      const char *what = um_op_param_name(n->op, k);
      node[d->count] = i;
      if (k == 0 && n->op == UM_OP_CONV2D)
        status = add(d, n, what, 4, (const int64_t[]){n->window.kernel[0], n->window.kernel[1], inputs, outputs}, err);
      else if (k == 0 && n->op == UM_OP_DENSE)
        status = add(d, n, what, 2, (const int64_t[]){inputs, outputs}, err);
      else
        status = add(d, n, what, 1, &outputs, err);
    }
  }
  return status;
}

static int64_t largest_of(const um_model_data *d) {
  int64_t largest = 1;
  for (int i = 0; i < d->count; i++)
    if (um_tensor_count(&d->tensor[i]) > largest) largest = um_tensor_count(&d->tensor[i]);
  return largest;
}

static int no_memory(const um_model_data *d, int i, um_error *err) {
  return um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", d->name[i], d->tensor[i].bytes);
}

/* What deflate does at best: no file holds more values than so many a byte of it. */
enum { MOST_A_BYTE = 1032 };

static int check_size(const um_model_data *d, const char *path, um_error *err) {
  struct stat st;
  int64_t total = 0;
  if (stat(path, &st) != 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  for (int i = 0; i < d->count; i++) total += um_tensor_count(&d->tensor[i]);
  if (total / MOST_A_BYTE <= (int64_t)st.st_size) return UM_OK;
  return um_fail(err, UM_EFORMAT, "%s: %lld bytes cannot hold the %" PRId64 " parameters of its model; %s", path, (long long)st.st_size,
                 total, remedy);
}

/* The parameters from the file, whose names the graph has settled. A graph costs a file nothing, whatever its sizes: memory is asked for only
 * once tensors of these sizes have turned out to be there. */
static int read_parameters(um_model_data *d, const char *path, const int *node, char *kind, um_error *err) {
  const int64_t largest = largest_of(d);
  um_weight_source s = {0};
  int *item_of = malloc(sizeof *item_of * ((size_t)d->count + 1));
  um_weight_want *want = malloc(sizeof *want * ((size_t)d->count + 1));
  float *spare = NULL;
  int status = item_of && want ? check_size(d, path, err) : um_fail(err, UM_ENOMEM, "%s: no memory for its parameters", path);
  if (!status) status = um_weight_source_open(&s, path, &d->graph, largest, err);
  if (status) goto done;
  for (int i = 0; i < d->count; i++) want[i] = (um_weight_want){.name = d->name[i], .node = node[i], .plain = d->tensor[i]};
  status = um_weight_match(item_of, &s, want, d->count, remedy, err);
  if (!status) status = um_weight_cover(item_of, &s, &d->graph, want, d->count, NULL, err);
  if (!status && !(spare = malloc(sizeof *spare * (size_t)largest)))
    status = um_fail(err, UM_ENOMEM, "%s: no memory for %" PRId64 " values", path, largest);
  for (int i = 0; i < d->count && !status; i++) {
    const int64_t n = um_tensor_count(&d->tensor[i]);
    float *values = malloc(d->tensor[i].bytes);
    d->tensor[i].data = values;
    status = values ? um_weight_read(&s, item_of[i], values, spare, n, err) : no_memory(d, i, err);
    for (int64_t k = 0; k < n && !status; k++)
      if (!isfinite(values[k]))
        status = um_fail(err, UM_EFORMAT, "%s: %s holds %g at element %" PRId64 "; expected finite numbers", path, s.item[item_of[i]].from,
                         (double)values[k], k);
  }
  if (!status && kind) snprintf(kind, sizeof s.kind, "%s", s.kind);
done:
  free(item_of);
  free(want);
  free(spare);
  um_weight_source_close(&s);
  return status;
}

/* The graph that the file itself carries. */
static int read_graph(um_model_data *d, const char *path, um_error *err) {
  um_weight_source s = {0};
  int status = um_weight_source_open(&s, path, NULL, 1, err);
  if (status) return status;
  if (s.model)
    status = s.model(&s, &d->graph, &d->preprocess, &d->said, err);
  else
    status = um_fail(err, UM_EUNSUPPORTED, "%s: %s: weights without a model: it must be said which layers they belong to (--config FILE)",
                     path, s.kind);
  um_weight_source_close(&s);
  return status;
}

int um_model_data_read(um_model_data *d, const char *path, const um_graph *graph, char *kind, um_error *err) {
  int status, *node = NULL;
  *d = (um_model_data){.preprocess = {.rescale = 1 / 255.0, .classes = {"fake", "real"}}};
  um_face_settings_recipe(&d->preprocess.faces);
  status = graph ? um_graph_copy(&d->graph, graph, err) : read_graph(d, path, err);
  if (status) goto done;
  d->preprocess.target_size[0] = (int)d->graph.node[0].dim[0], d->preprocess.target_size[1] = (int)d->graph.node[0].dim[1];
  if (!(node = malloc(sizeof *node * (UM_OP_PARAMS * (size_t)d->graph.count + 2)))) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for a model of %d layers", path, d->graph.count);
    goto done;
  }
  status = describe(d, node, err);
  if (!status) status = read_parameters(d, path, node, kind, err);
done:
  free(node);
  if (status) um_model_data_free(d);
  return status;
}

int um_model_data_bind(um_model **m, const um_model_data *d, um_backend *be, int64_t batch, um_precision precision, um_error *err) {
  const um_model_options o = {.batch = batch, .precision = precision};
  return um_model_data_bind_with(m, d, be, &o, err);
}

int um_model_data_bind_with(um_model **m, const um_model_data *d, um_backend *be, const um_model_options *options, um_error *err) {
  int count = 0, status = um_model_create(m, &d->graph, be, options, err);
  if (status) return status;
  um_model_params(*m, &count);
  if (count != d->count) status = um_fail(err, UM_EINTERNAL, "model: %d parameters, expected %d", count, d->count);
  for (int i = 0; i < count && !status; i++) status = um_model_set(*m, 'w', i, d->tensor[i].data, err);
  if (status) {
    um_model_free(*m);
    *m = NULL;
  }
  return status;
}

int um_model_data_save(const um_model_data *d, const char *path, um_error *err) {
  um_backend *be = NULL;
  um_model *m = NULL;
  int status = um_ref_open(&be, err);
  if (!status) status = um_model_data_bind(&m, d, be, 1, UM_PRECISION_FP32, err);
  if (!status) status = um_checkpoint_save(path, m, &d->preprocess, NULL, err);
  um_model_free(m);
  if (be) be->ops->close(be);
  return status;
}
