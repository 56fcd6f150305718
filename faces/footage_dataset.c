#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faces/footage_internal.h"

/* One class' faces. */
static int add_class(um_dataset *d, const um_footage *f, int label, um_error *err) {
  for (int i = 0; i < f->faces; i++) {
    const clip *c = &f->clip[f->clip_of[i]];
    const um_source *s = &f->sources->item[f->clip_of[i]];
    const um_footage_face *face = &c->list.item[i - c->first].face;
    double point[UM_POINTS][2];
    if (s->label != label) continue;
    um_item *item = &d->item[d->count];
    *item = (um_item){.label = label, .named = true, .part = um_part_parse(s->part), .filmed = true, .face = i, .track = face->track};
    int nth = 0; /* of its frame */
    for (int k = i - c->first; k > 0 && c->list.item[k - 1].face.frame == face->frame; k--) nth++;
    if (asprintf(&item->path, "%s#%06lld_%02d", s->path, (long long)face->frame, nth) < 0) item->path = NULL;
    item->group = strdup(s->group);
    item->video = strdup(s->path);
    d->count++;
    if (!item->path || !item->group || !item->video) return um_fail(err, UM_ENOMEM, "no memory for %d faces", f->faces);
    item->has_points = um_face_crop_points(point, &face->at, &f->o.settings);
    for (int k = 0; item->has_points && k < 2 * UM_POINTS; k++) item->points[k] = (float)point[k / 2][k % 2];
    d->class_count[label]++;
    d->grouped++;
  }
  return UM_OK;
}

static const char *value_of(const um_source *s, const char *column) {
  const char *const known[] = {"dataset", s->dataset, "method", s->method, "quality", s->quality, "part", s->part, "group", s->group};
  for (size_t i = 0; i < sizeof known / sizeof *known; i += 2)
    if (strcmp(known[i], column) == 0) return known[i + 1];
  return NULL;
}

int um_footage_column(um_dataset *d, const um_footage *f, const char *column, um_error *err) {
  for (int i = 0; i < d->count; i++) {
    um_item *item = &d->item[i];
    const char *value = value_of(&f->sources->item[f->clip_of[item->face]], column);
    if (!value) return um_fail(err, UM_ECONFIG, "expected dataset, method, quality, part, group or folder for videos, got \"%s\"", column);
    free(item->by);
    if (!(item->by = strdup(value))) return um_fail(err, UM_ENOMEM, "no memory for %d faces", f->faces);
  }
  return UM_OK;
}

int um_footage_dataset(um_dataset *d, const um_footage *f, um_error *err) {
  int status = UM_OK;
  *d = (um_dataset){.item = calloc((size_t)f->faces + 1, sizeof *d->item)};
  if (!d->item) return um_fail(err, UM_ENOMEM, "no memory for %d faces", f->faces);
  bool there[2] = {false, false};
  for (int i = 0; i < f->faces; i++) there[f->sources->item[f->clip_of[i]].label] = true;
  for (int label = 0; status == UM_OK && label < 2; label++) {
    if (!there[label]) continue;
    /* Labels of sources count fake, real; those of a dataset its classes. */
    const int class = d->classes;
    if (!(d->class_name[class] = strdup(um_label_name[label]))) status = um_fail(err, UM_ENOMEM, "no memory");
    d->classes++;
    const int first = d->count;
    if (status == UM_OK) status = add_class(d, f, label, err);
    for (int i = first; i < d->count; i++) d->item[i].label = class;
    if (class != label) d->class_count[class] = d->class_count[label], d->class_count[label] = 0;
  }
  if (status < 0) um_dataset_free(d);
  return status;
}
