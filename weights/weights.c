#include "weights/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/source.h"

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
  float *values = malloc(2 * (size_t)largest * sizeof *values);
  if (!values) return um_fail(err, UM_ENOMEM, "%s: no memory for a tensor of %" PRId64 " values", s->path, largest);
  for (int p = 0; p < count && !code; p++) {
    if (item_of[p] < 0) continue;
    int64_t n = um_tensor_count(&param[p].plain);
    if ((code = um_weight_read(s, item_of[p], values, values + largest, n, err))) break;
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
    um_weight_shape_text(shape, sizeof shape, t->dim, t->ndim);
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
                      um_weight_shape_text(shape, sizeof shape, s->item[i].dim, s->item[i].ndim));
  }
  return code;
}

int um_weights_load(um_model *m, const char *path, const char *backbone_last, um_weights_report *report, um_error *err) {
  int count = 0, *item_of = NULL;
  const um_graph *graph = um_model_graph(m);
  const um_param *param = um_model_params(m, &count);
  um_weight_want *want = NULL;
  um_weight_source s = {0};

  if (report) *report = (um_weights_report){0};
  int code = um_weight_source_open(&s, path, graph, largest_of(param, count), err);
  if (code) return code;
  item_of = malloc(sizeof *item_of * ((size_t)count + 1));
  want = malloc(sizeof *want * ((size_t)count + 1));
  if (!item_of || !want) {
    code = um_fail(err, UM_ENOMEM, "%s: no memory for %d parameters", path, count);
    goto done;
  }
  for (int p = 0; p < count; p++) want[p] = (um_weight_want){.name = param[p].name, .node = param[p].node, .plain = param[p].plain};
  const char *remedy =
      "give the weights of this very model, set data.target_size and model.head as they were when the file was made, or start "
      "without it (--set model.weights=null)";
  if ((code = um_weight_match(item_of, &s, want, count, remedy, err))) goto done;
  if ((code = um_weight_cover(item_of, &s, graph, want, count, backbone_last, err))) goto done;
  if ((code = copy_all(m, &s, item_of, param, count, err))) goto done;
  if (report && (code = list_all(report, &s, item_of, param, count, err))) goto done;
  if (report) snprintf(report->kind, sizeof report->kind, "%s", s.kind), snprintf(report->note, sizeof report->note, "%s", s.note);
done:
  if (code && report) um_weights_report_free(report);
  free(item_of);
  free(want);
  um_weight_source_close(&s);
  return code;
}
