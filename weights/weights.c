#include "weights/weights.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/source.h"

um_weight_item *um_weight_source_add(um_weight_source *s, const char *name, const char *from) {
  if (s->count == s->room) {
    int room = s->room ? 2 * s->room : 64;
    um_weight_item *grown = realloc(s->item, sizeof *grown * (size_t)room);
    if (!grown) return NULL;
    s->item = grown;
    s->room = room;
  }
  um_weight_item *item = &s->item[s->count];
  *item = (um_weight_item){.name = strdup(name), .from = strdup(from)};
  if (!item->name || !item->from) {
    free(item->name);
    free(item->from);
    return NULL;
  }
  s->count++;
  return item;
}

void um_weight_source_close(um_weight_source *s) {
  if (s->handle) s->close(s);
  for (int i = 0; i < s->count; i++) {
    free(s->item[i].name);
    free(s->item[i].from);
  }
  free(s->item);
  *s = (um_weight_source){0};
}

static void free_lines(char **line, int count) {
  for (int i = 0; i < count; i++) free(line[i]);
  free(line);
}

void um_weights_report_free(um_weights_report *r) {
  free_lines(r->loaded, r->loaded_count);
  free_lines(r->skipped, r->skipped_count);
  free_lines(r->fresh, r->fresh_count);
  *r = (um_weights_report){0};
}

/* "3x3x3x64", and "scalar". */
static const char *shape_text(char *text, size_t size, const int64_t *dim, int ndim) {
  size_t at = 0;
  snprintf(text, size, "scalar");
  for (int i = 0; i < ndim && at < size; i++) at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? "x" : "", dim[i]);
  return text;
}

__attribute__((format(printf, 4, 5))) static int add_line(char ***list, int *count, um_error *err, const char *format, ...) {
  va_list args;
  char **grown = realloc(*list, sizeof *grown * ((size_t)*count + 1));
  if (!grown) return um_fail(err, UM_ENOMEM, "no memory for a list of %d tensors", *count + 1);
  *list = grown;
  va_start(args, format);
  int n = vasprintf(&grown[*count], format, args);
  va_end(args);
  if (n < 0) return um_fail(err, UM_ENOMEM, "no memory for a list of %d tensors", *count + 1);
  (*count)++;
  return UM_OK;
}

static int open_source(um_weight_source *s, const char *path, const um_graph *graph, int64_t largest, um_error *err) {
  static const unsigned char hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  unsigned char head[9] = {0};
  FILE *f = fopen(path, "rb");
  if (!f) return um_fail(err, UM_EIO, "%s: cannot be opened: %s", path, strerror(errno));
  size_t n = fread(head, 1, sizeof head, f);
  fclose(f);
  if (n >= 8 && memcmp(head, hdf5, sizeof hdf5) == 0) return um_weight_source_apart(s, path, graph, um_keras_h5_open, largest, err);
  if (n == 9 && head[8] == '{') return um_st_source_open(s, path, err);
  if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0)
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: a zip file, such as Keras 3's .keras; in Python: keras.models.load_model(...).save(\"model.h5\") "
                   "and give that file",
                   path);
  return um_fail(err, UM_EFORMAT, "%s: %s; expected Keras HDF5 or safetensors", path,
                 n == 0  ? "an empty file"
                 : n < 9 ? "too short for a weights file"
                         : "neither HDF5 nor safetensors by its first bytes");
}

/* Which item of the file goes into each parameter (-1: none), with every shape compared. */
static int match(int *item_of, const um_weight_source *s, const um_param *param, int count, um_error *err) {
  char a[128], b[128];
  for (int p = 0; p < count; p++) item_of[p] = -1;
  for (int i = 0; i < s->count; i++) {
    const um_weight_item *item = &s->item[i];
    int p = 0;
    while (p < count && strcmp(param[p].name, item->name) != 0) p++;
    if (p == count) continue;
    if (item_of[p] >= 0)
      return um_fail(err, UM_EFORMAT, "%s: %s and %s are both %s; expected one", s->path, s->item[item_of[p]].from, item->from, item->name);
    const um_tensor *want = &param[p].plain;
    bool same = want->ndim == item->ndim;
    for (int d = 0; same && d < want->ndim; d++) same = want->dim[d] == item->dim[d];
    if (!same)
      return um_fail(
          err, UM_EFORMAT,
          "%s: %s is %s in the file, %s in the model; give the weights of this very model, set data.target_size and model.head as "
          "they were when the file was made, or start without it (--set model.weights=null)",
          s->path, item->name, shape_text(a, sizeof a, item->dim, item->ndim), shape_text(b, sizeof b, want->dim, want->ndim));
    item_of[p] = i;
  }
  return UM_OK;
}

/* Every parameter up to the node `last` must have come from the file. */
static int check_cover(const int *item_of, const um_weight_source *s, const um_graph *graph, const um_param *param, int count,
                       const char *backbone_last, um_error *err) {
  char shape[128];
  int last = backbone_last ? um_graph_find(graph, backbone_last) : graph->count - 1;
  if (last < 0) return um_fail(err, UM_EINTERNAL, "%s: the model has no node %s", s->path, backbone_last);
  for (int p = 0; p < count; p++) {
    if (item_of[p] >= 0 || param[p].node > last) continue;
    return um_fail(
        err, UM_EFORMAT,
        "%s: has no %s (%s), which the model needs; it has %d tensors%s%s%s: the weights of another model? Give those of this one, or "
        "start without (--set model.weights=null)",
        s->path, param[p].name, shape_text(shape, sizeof shape, param[p].plain.dim, param[p].plain.ndim), s->count,
        s->count ? ", the first " : "", s->count ? s->item[0].name : "", s->count > 1 ? ", ..." : "");
  }
  return UM_OK;
}

/* The values of the largest parameter: what reading needs room for. */
static int64_t largest_of(const um_param *param, int count) {
  int64_t largest = 1;
  for (int p = 0; p < count; p++)
    if (um_tensor_count(&param[p].plain) > largest) largest = um_tensor_count(&param[p].plain);
  return largest;
}

static int copy_all(um_model *m, um_weight_source *s, const int *item_of, const um_param *param, int count, um_error *err) {
  const int64_t largest = largest_of(param, count);
  int code = UM_OK;
  float *values = malloc((size_t)largest * sizeof *values);
  if (!values) return um_fail(err, UM_ENOMEM, "%s: no memory for a tensor of %" PRId64 " values", s->path, largest);
  for (int p = 0; p < count && !code; p++) {
    if (item_of[p] < 0) continue;
    int64_t n = um_tensor_count(&param[p].plain);
    if ((code = s->read(s, item_of[p], values, n, err))) break;
    for (int64_t i = 0; i < n && !code; i++)
      if (!isfinite(values[i]))
        code = um_fail(err, UM_EFORMAT, "%s: %s holds %g at element %" PRId64 "; expected finite numbers: fetch or copy the file again",
                       s->path, s->item[item_of[p]].from, (double)values[i], i);
    if (!code) code = um_model_set(m, 'w', p, values, err);
  }
  free(values);
  return code;
}

static int list_all(um_weights_report *r, const um_weight_source *s, const int *item_of, const um_param *param, int count, um_error *err) {
  char shape[128];
  int code = UM_OK;
  for (int p = 0; p < count && !code; p++) {
    const um_tensor *t = &param[p].plain;
    shape_text(shape, sizeof shape, t->dim, t->ndim);
    if (item_of[p] >= 0)
      code = add_line(&r->loaded, &r->loaded_count, err, "%s  %s  from %s", param[p].name, shape, s->item[item_of[p]].from);
    else
      code = add_line(&r->fresh, &r->fresh_count, err, "%s  %s  (not in the file)", param[p].name, shape);
  }
  for (int i = 0; i < s->count && !code; i++) {
    bool used = false;
    for (int p = 0; p < count; p++) used |= item_of[p] == i;
    if (!used)
      code = add_line(&r->skipped, &r->skipped_count, err, "%s  %s  (not in the model)", s->item[i].from,
                      shape_text(shape, sizeof shape, s->item[i].dim, s->item[i].ndim));
  }
  return code;
}

int um_weights_load(um_model *m, const char *path, const char *backbone_last, um_weights_report *report, um_error *err) {
  int count = 0, *item_of = NULL;
  const um_graph *graph = um_model_graph(m);
  const um_param *param = um_model_params(m, &count);
  um_weight_source s = {0};

  if (report) *report = (um_weights_report){0};
  int code = open_source(&s, path, graph, largest_of(param, count), err);
  if (code) return code;
  if (!(item_of = malloc(sizeof *item_of * ((size_t)count + 1)))) {
    code = um_fail(err, UM_ENOMEM, "%s: no memory for %d parameters", path, count);
    goto done;
  }
  if ((code = match(item_of, &s, param, count, err))) goto done;
  if ((code = check_cover(item_of, &s, graph, param, count, backbone_last, err))) goto done;
  if ((code = copy_all(m, &s, item_of, param, count, err))) goto done;
  if (report) code = list_all(report, &s, item_of, param, count, err);
done:
  if (code && report) um_weights_report_free(report);
  free(item_of);
  um_weight_source_close(&s);
  return code;
}
