#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/log.h"
#include "core/rng.h"
#include "data/dataset.h"

enum { CLASSES_MAX = sizeof((um_dataset *)0)->class_name / sizeof *((um_dataset *)0)->class_name };

/* Addresses of the shuffles within UM_STREAM_SPLIT: a limit and a split by one seed must not choose alike. */
enum { SAMPLE_SPLIT = 0, SAMPLE_LIMIT = 1 };

typedef struct group {
  const char *name;
  int first, count; /* in the item indices sorted by group */
  int class_count[CLASSES_MAX];
} group;

typedef struct groups {
  group *group;
  uint32_t *order; /* shuffled indices of group[] */
  int *item;       /* indices of items, by group, then in order */
  int count;
} groups;

static void groups_free(groups *g) {
  free(g->group);
  free(g->order);
  free(g->item);
}

static int by_group(const void *a, const void *b, void *items) {
  const um_item *item = items;
  int i = *(const int *)a, j = *(const int *)b, c = strcmp(item[i].group, item[j].group);
  return c ? c : i - j;
}

/* Groups in the order of their names, so that the shuffle does not depend on where the folders lie; then a seeded shuffle. */
static int groups_make(groups *g, const um_dataset *d, uint64_t seed, uint32_t sample, um_error *err) {
  size_t n = d->count > 0 ? (size_t)d->count : 1;
  *g = (groups){.group = calloc(n, sizeof *g->group), .order = calloc(n, sizeof *g->order), .item = calloc(n, sizeof *g->item)};
  if (!g->group || !g->order || !g->item) {
    groups_free(g);
    return um_fail(err, UM_ENOMEM, "split: no memory for %d pictures", d->count);
  }
  for (int i = 0; i < d->count; i++) g->item[i] = i;
  qsort_r(g->item, (size_t)d->count, sizeof *g->item, by_group, d->item);
  for (int i = 0; i < d->count; i++) {
    const um_item *item = &d->item[g->item[i]];
    if (g->count == 0 || strcmp(g->group[g->count - 1].name, item->group) != 0)
      g->group[g->count++] = (group){.name = item->group, .first = i};
    g->group[g->count - 1].count++;
    g->group[g->count - 1].class_count[item->label]++;
  }
  for (int i = 0; i < g->count; i++) g->order[i] = (uint32_t)i;
  const um_rng at = {.seed = seed, .stream = UM_STREAM_SPLIT, .sample = sample};
  um_rng_shuffle(&at, g->order, (uint32_t)g->count);
  return UM_OK;
}

/* How far the held-out part, `times` extra added, is from its aim: squares, so that no class pays for another. */
static double distance(const int *held, const int *extra, int times, const double *aim, int classes) {
  double sum = 0;
  for (int c = 0; c < classes; c++) {
    double d = held[c] + times * extra[c] - aim[c];
    sum += d * d;
  }
  return sum;
}

/* out[i] = item i is held out. The shuffled groups are gone through: one goes in where that brings the classes' counts nearer to the
 * fraction, and out again where that does; until nothing changes (each change comes nearer, so there is an end). */
static int choose_groups(bool *out, const um_dataset *d, double fraction, uint64_t seed, um_error *err) {
  enum { ROUNDS = 100 };
  groups g;
  int held[CLASSES_MAX] = {0};
  double aim[CLASSES_MAX];
  int status = groups_make(&g, d, seed, SAMPLE_SPLIT, err);
  if (status < 0) return status;
  for (int c = 0; c < d->classes; c++) aim[c] = fraction * d->class_count[c];
  bool changed = true;
  for (int round = 0; changed && round < ROUNDS; round++) {
    changed = false;
    for (int k = 0; k < g.count; k++) {
      const group *one = &g.group[g.order[k]];
      int times = out[g.item[one->first]] ? -1 : 1;
      if (distance(held, one->class_count, times, aim, d->classes) >= distance(held, one->class_count, 0, aim, d->classes)) continue;
      for (int c = 0; c < d->classes; c++) held[c] += times * one->class_count[c];
      for (int i = 0; i < one->count; i++) out[g.item[one->first + i]] = times > 0;
      changed = true;
    }
  }
  groups_free(&g);
  return UM_OK;
}

/* Keras: a class' files [0, int(fraction n)) are the validation part. */
static void choose_files(bool *out, const um_dataset *d, double fraction) {
  int seen[CLASSES_MAX] = {0};
  for (int i = 0; i < d->count; i++) {
    int label = d->item[i].label;
    out[i] = seen[label]++ < (int)(fraction * d->class_count[label]);
  }
}

/* A dataset of the items with out[i] == which. */
static int copy(um_dataset *to, const um_dataset *from, const bool *out, bool which, um_error *err) {
  *to = (um_dataset){.classes = from->classes};
  int n = 0;
  for (int i = 0; i < from->count; i++) n += out[i] == which;
  to->item = calloc(n > 0 ? (size_t)n : 1, sizeof *to->item);
  bool ok = to->item != NULL;
  for (int c = 0; c < from->classes; c++) ok &= (to->class_name[c] = strdup(from->class_name[c])) != NULL;
  for (int i = 0; ok && i < from->count; i++) {
    if (out[i] != which) continue;
    um_item *item = &to->item[to->count++];
    ok = um_item_copy(item, &from->item[i]);
    to->class_count[item->label]++;
    to->grouped += item->named;
  }
  if (ok) return UM_OK;
  um_dataset_free(to);
  return um_fail(err, UM_ENOMEM, "split: no memory for %d pictures", n);
}

static int check_sides(const um_dataset *train, const um_dataset *validation, const um_dataset *all, double fraction, um_split_by by,
                       um_error *err) {
  const char *what = by == UM_SPLIT_PART    ? "the dataset's own parts"
                     : by == UM_SPLIT_GROUP ? "whole groups are held out: try another fraction, or data.split_by=files"
                                            : "try another fraction";
  if (validation->count == 0)
    return um_fail(err, UM_ECONFIG, "data.validation_split: %g of %d pictures leaves none for validation; %s", fraction, all->count, what);
  for (int c = 0; c < all->classes; c++) {
    if (all->class_count[c] && !train->class_count[c])
      return um_fail(err, UM_ECONFIG, "data.validation_split: %g leaves no picture of class %s for training; %s", fraction,
                     all->class_name[c], what);
    if (all->class_count[c] && !validation->class_count[c])
      um_log(UM_LOG_WARN, "data.validation_split: %g leaves no picture of class %s for validation", fraction, all->class_name[c]);
  }
  return UM_OK;
}

um_part um_part_parse(const char *text) {
  static const struct {
    const char *word;
    um_part part;
  } words[] = {{"train", UM_PART_TRAIN}, {"val", UM_PART_VALIDATION}, {"validation", UM_PART_VALIDATION}, {"test", UM_PART_TEST}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcasecmp(text, words[i].word) == 0) return words[i].part;
  return UM_PART_NONE;
}

int um_dataset_take_part(um_dataset *out, um_dataset *d, um_part part, um_error *err) {
  um_dataset rest = {0};
  *out = (um_dataset){0};
  bool *taken = calloc(d->count > 0 ? (size_t)d->count : 1, sizeof *taken);
  if (!taken) return um_fail(err, UM_ENOMEM, "split: no memory for %d pictures", d->count);
  for (int i = 0; i < d->count; i++) taken[i] = d->item[i].part == part;
  int status = copy(out, d, taken, true, err);
  if (status == UM_OK) status = copy(&rest, d, taken, false, err);
  free(taken);
  if (status < 0) {
    um_dataset_free(out);
    return status;
  }
  um_dataset_free(d);
  *d = rest;
  return UM_OK;
}

static int choose_part(bool *out, const um_dataset *d, um_error *err) {
  int without = 0, first = 0;
  for (int i = 0; i < d->count; i++) {
    out[i] = d->item[i].part == UM_PART_VALIDATION;
    if (out[i] || d->item[i].part == UM_PART_TRAIN) continue;
    if (without++ == 0) first = i;
  }
  if (without == 0) return UM_OK;
  return um_fail(
      err, UM_EFORMAT,
      "data.split_by: \"part\": %d of %d pictures are neither of the part train nor of val (manifest.csv, column part), such as %s; "
      "take \"group\"",
      without, d->count, d->item[first].path);
}

int um_dataset_split(um_dataset *train, um_dataset *validation, const um_dataset *all, double fraction, um_split_by by, uint64_t seed,
                     um_error *err) {
  *train = *validation = (um_dataset){0};
  if (!(fraction >= 0 && fraction < 1)) return um_fail(err, UM_ECONFIG, "validation_split: expected 0 to below 1, got %g", fraction);
  bool *out = calloc(all->count > 0 ? (size_t)all->count : 1, sizeof *out);
  if (!out) return um_fail(err, UM_ENOMEM, "split: no memory for %d pictures", all->count);
  int status = UM_OK;
  if (by == UM_SPLIT_PART)
    status = choose_part(out, all, err);
  else if (fraction > 0 && by == UM_SPLIT_GROUP)
    status = choose_groups(out, all, fraction, seed, err);
  else if (fraction > 0)
    choose_files(out, all, fraction);
  if (status == UM_OK) status = copy(train, all, out, false, err);
  if (status == UM_OK) status = copy(validation, all, out, true, err);
  if (status == UM_OK && (fraction > 0 || by == UM_SPLIT_PART)) status = check_sides(train, validation, all, fraction, by, err);
  free(out);
  if (status < 0) {
    um_dataset_free(train);
    um_dataset_free(validation);
  }
  return status;
}

int um_dataset_limit(um_dataset *d, int n, uint64_t seed, um_error *err) {
  groups g;
  int kept[CLASSES_MAX] = {0};
  if (n <= 0) return n == 0 ? UM_OK : um_fail(err, UM_ECONFIG, "max_per_class: expected 0 or more, got %d", n);
  bool *drop = calloc(d->count > 0 ? (size_t)d->count : 1, sizeof *drop);
  if (!drop) return um_fail(err, UM_ENOMEM, "limit: no memory for %d pictures", d->count);
  int status = groups_make(&g, d, seed, SAMPLE_LIMIT, err);
  if (status < 0) {
    free(drop);
    return status;
  }
  for (int k = 0; k < g.count; k++) {
    const group *one = &g.group[g.order[k]];
    for (int i = 0; i < one->count; i++) {
      int item = g.item[one->first + i], label = d->item[item].label;
      drop[item] = kept[label] >= n;
      kept[label] += !drop[item];
    }
  }
  groups_free(&g);
  um_dataset left;
  status = copy(&left, d, drop, false, err);
  free(drop);
  if (status < 0) return status;
  um_dataset_free(d);
  *d = left;
  return UM_OK;
}
