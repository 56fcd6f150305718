/* People are looked for a few times a second; a video shows more pictures. */
#include <math.h>
#include <stdlib.h>

#include "infer/annotate.h"

typedef struct item {
  const detail *d;
  int track;
} item;

static int by_track(const void *a, const void *b) {
  const item *x = a, *y = b;
  if (x->track != y->track) return x->track < y->track ? -1 : 1;
  if (x->d->shown_s != y->d->shown_s) return x->d->shown_s < y->d->shown_s ? -1 : 1;
  return x->d < y->d ? -1 : x->d > y->d;
}

int ways_make(ways *w, const input *in, double x, double y, double interval_s, um_error *err) {
  const size_t n = (size_t)in->faces;
  item *list = malloc((n + 1) * sizeof *list);
  *w = (ways){.hold_s = interval_s / 2, .gap_s = fmax(2.5 * interval_s, 0.5)};
  w->at = calloc(n + 1, sizeof *w->at), w->all = calloc(n + 1, sizeof *w->all);
  if (!list || !w->at || !w->all) {
    free(list);
    ways_free(w);
    return um_fail(err, UM_ENOMEM, "%s: no memory for %d faces", in->path, in->faces);
  }
  for (size_t i = 0; i < n; i++) list[i] = (item){&in->detail[i], in->detail[i].track < 0 ? (int)i : in->detail[i].track};
  qsort(list, n, sizeof *list, by_track);
  sighting *to = w->all;
  for (size_t i = 0; i < n; i++) {
    const detail *d = list[i].d;
    way *of = w->count ? &w->at[w->count - 1] : NULL;
    if (!of || of->track != list[i].track) *(of = &w->at[w->count++]) = (way){.track = list[i].track, .at = to};
    if (of->count && of->at[of->count - 1].time_s == d->shown_s) continue; /* the same picture, looked at twice */
    *to++ = (sighting){d->shown_s, {d->box[0] * x, d->box[1] * y, d->box[2] * x, d->box[3] * y}, d->score};
    of->count++;
  }
  free(list);
  return UM_OK;
}

void ways_free(ways *w) {
  free(w->at), free(w->all);
  *w = (ways){0};
}

bool way_at(sighting *out, const ways *w, const way *of, double time_s, double from, double until) {
  const double near = 1e-6; /* seconds: times come by different ways of rounding */
  int next = 0;
  while (next < of->count && of->at[next].time_s <= time_s + near) next++;
  const sighting *a = next > 0 ? &of->at[next - 1] : NULL, *b = next < of->count ? &of->at[next] : NULL;
  if (a && b && b->time_s - a->time_s <= w->gap_s) {
    const double t = fmax(0, (time_s - a->time_s) / (b->time_s - a->time_s));
    *out = (sighting){time_s, {0}, a->score + t * (b->score - a->score)};
    for (int i = 0; i < 4; i++) out->box[i] = a->box[i] + t * (b->box[i] - a->box[i]);
    return true;
  }
  if (a && (time_s - a->time_s > w->hold_s + near || a->time_s < from - near)) a = NULL;
  if (b && (b->time_s - time_s > w->hold_s + near || b->time_s >= until - near)) b = NULL;
  if (a && b && time_s - a->time_s > b->time_s - time_s) a = NULL;
  if (!a && !b) return false;
  *out = a ? *a : *b;
  return true;
}
