/* safetensors as a source of weights: tensors are named as in the model (DESIGN, section 4), or as PyTorch names them. */
#include <stdio.h>
#include <string.h>

#include "core/safetensors.h"
#include "weights/model_data.h"
#include "weights/numbers.h"

static int read_item(um_weight_source *s, int index, float *values, int64_t count, um_error *err) {
  const um_tensor *t = &um_st_at(s->handle, index)->tensor;
  switch (t->dtype) {
  case UM_F32: um_number_floats(values, t->data, count, UM_NUMBER_F32, false); return UM_OK;
  case UM_F16: um_number_floats(values, t->data, count, UM_NUMBER_F16, false); return UM_OK;
  case UM_BF16: um_number_floats(values, t->data, count, UM_NUMBER_BF16, false); return UM_OK;
  default:
    return um_fail(err, UM_EFORMAT, "%s: %s: expected floating point, found %s", s->path, s->item[index].from, um_dtype_name(t->dtype));
  }
}

static void close_file(um_weight_source *s) { um_st_close(s->handle); }

static const char *find(void *st, const char *key) { return um_st_metadata(st, key); }

/* A model file of ours says everything, and is checked as a whole; an export of ours (PyTorch's names) says it under other keys. */
static int read_model(um_weight_source *s, um_graph *graph, um_preprocess *p, unsigned *said, um_error *err) {
  const char *exported = um_st_metadata(s->handle, "unmask.graph");
  um_st *st = NULL;
  int status;
  *said = 0;
  if (um_st_metadata(s->handle, "graph")) {
    if ((status = um_checkpoint_open(&st, graph, p, s->path, err))) return status;
    status = um_checkpoint_verify(st, NULL, s->path, err);
    um_st_close(st);
    if (status) um_graph_free(graph);
    *said = UM_SAYS_PREPROCESS | UM_SAYS_CLASSES;
    return status;
  }
  if (!exported)
    return um_fail(err, UM_EUNSUPPORTED, "%s: weights without a model: it must be said which layers they belong to (--config FILE)",
                   s->path);
  if ((status = um_graph_from_json(graph, exported, err))) return um_fail_context(err, "%s", s->path);
  *said = um_model_metadata_read(p, find, s->handle);
  return UM_OK;
}

int um_st_source_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err) {
  um_st *st = NULL;
  const char *scheme = NULL;
  *s = (um_weight_source){.path = path, .kind = "safetensors", .read = read_item, .close = close_file, .model = read_model};
  int code = um_st_open(&st, path, err);
  if (code) return code;
  s->handle = st;
  for (int i = 0; i < um_st_count(st); i++) {
    const um_st_entry *e = um_st_at(st, i);
    um_weight_item *item = um_weight_source_add(s, e->name, e->name);
    if (!item) {
      um_weight_source_close(s);
      return um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", path);
    }
    snprintf(item->dtype, sizeof item->dtype, "%s", um_dtype_name(e->tensor.dtype));
    item->ndim = e->tensor.ndim;
    for (int d = 0; d < e->tensor.ndim; d++) item->dim[d] = e->tensor.dim[d];
  }
  if (!um_st_metadata(st, "graph") && um_torch_names(s, graph, &scheme)) snprintf(s->kind, sizeof s->kind, "safetensors, %s", scheme);
  return UM_OK;
}
