/* Which tensor of a file goes into which parameter of a model. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "weights/source.h"

const char *um_weight_shape_text(char *text, size_t size, const int64_t *dim, int ndim) {
  size_t at = 0;
  snprintf(text, size, "scalar");
  for (int i = 0; i < ndim && at < size; i++) at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? "x" : "", dim[i]);
  return text;
}

int um_weight_match(int *item_of, const um_weight_source *s, const um_weight_want *want, int count, const char *remedy, um_error *err) {
  char a[128], b[128];
  for (int p = 0; p < count; p++) item_of[p] = -1;
  for (int i = 0; i < s->count; i++) {
    const um_weight_item *item = &s->item[i];
    int p = 0, ndim = 0;
    int64_t dim[UM_WEIGHT_MAX_DIMS];
    while (p < count && strcmp(want[p].name, item->name) != 0) p++;
    if (p == count) continue;
    if (item_of[p] >= 0)
      return um_fail(err, UM_EFORMAT, "%s: %s and %s are both %s; expected one", s->path, s->item[item_of[p]].from, item->from, item->name);
    const um_tensor *t = &want[p].plain;
    bool same = um_weight_shape(item, &ndim, dim) && t->ndim == ndim;
    for (int d = 0; same && d < t->ndim; d++) same = t->dim[d] == dim[d];
    if (!same)
      return um_fail(err, UM_EFORMAT, "%s: %s is %s in the file, %s in the model; %s", s->path, item->name,
                     um_weight_shape_text(a, sizeof a, dim, ndim), um_weight_shape_text(b, sizeof b, t->dim, t->ndim), remedy);
    item_of[p] = i;
  }
  return UM_OK;
}

int um_weight_cover(const int *item_of, const um_weight_source *s, const um_graph *graph, const um_weight_want *want, int count,
                    const char *last_name, um_error *err) {
  char shape[128];
  int last = last_name ? um_graph_find(graph, last_name) : graph->count - 1;
  if (last < 0) return um_fail(err, UM_EINTERNAL, "%s: the model has no node %s", s->path, last_name);
  for (int p = 0; p < count; p++) {
    if (item_of[p] >= 0 || want[p].node > last) continue;
    return um_fail(
        err, UM_EFORMAT,
        "%s: has no %s (%s), which the model needs; it has %d tensors%s%s%s: the weights of another model? Give those of this one, or "
        "start without (--set model.weights=null)",
        s->path, want[p].name, um_weight_shape_text(shape, sizeof shape, want[p].plain.dim, want[p].plain.ndim), s->count,
        s->count ? ", the first " : "", s->count ? s->item[0].name : "", s->count > 1 ? ", ..." : "");
  }
  return UM_OK;
}
