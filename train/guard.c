/* The split guard: what stands on both sides of a split, or nearly so, makes validation and test numbers worthless. Looked for are
 * groups (footage, by manifest.csv) and pictures that look alike (data/phash.h), mirrored ones included. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "data/phash.h"
#include "train/run.h"

enum { NAMED_MAX = 5, THREADS_MAX = 16 };

typedef struct side {
  const char *what; /* "training" */
  const um_dataset *d;
  const run_part *part;
  um_phash (*hash)[2]; /* by item: the picture's, its mirror image's */
  bool *good;          /* by item: it could be read */
} side;

/* ---- groups ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The groups that a manifest named, each once, sorted; NULL without memory. */
static char **groups_of(const um_dataset *d, int *count) {
  char **name = malloc(((size_t)d->count + 1) * sizeof *name);
  int n = 0, kept = 0;
  if (!name) return NULL;
  for (int i = 0; i < d->count; i++)
    if (d->item[i].named) name[n++] = d->item[i].group;
  qsort(name, (size_t)n, sizeof *name, by_text);
  for (int i = 0; i < n; i++)
    if (kept == 0 || strcmp(name[kept - 1], name[i]) != 0) name[kept++] = name[i];
  *count = kept;
  return name;
}

static int shared_groups(const side *a, const side *b, bool force, um_error *err) {
  int n_a = 0, n_b = 0, shared = 0;
  char **of_a = groups_of(a->d, &n_a), **of_b = groups_of(b->d, &n_b), names[256] = "";
  int status = of_a && of_b ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for the groups of %d pictures", a->d->count + b->d->count);
  for (int i = 0, k = 0; !status && i < n_a && k < n_b;) {
    const int order = strcmp(of_a[i], of_b[k]);
    if (order == 0 && shared++ < NAMED_MAX) {
      const size_t at = strlen(names);
      snprintf(names + at, sizeof names - at, "%s%.40s", at ? ", " : "", of_a[i]);
    }
    if (order <= 0) i++;
    if (order >= 0) k++;
  }
  free(of_a);
  free(of_b);
  if (status || shared == 0) return status;
  const char *more = shared > NAMED_MAX ? ", ..." : "";
  if (force)
    um_log(UM_LOG_WARN, "the same footage stands in the %s and in the %s part: %d groups (%s%s): scores on the latter are too good",
           a->what, b->what, shared, names, more);
  else
    status = um_fail(err, UM_EFORMAT,
                     "the same footage stands in the %s and in the %s part: %d groups (%s%s), so that scores on the latter would be too "
                     "good; split by group (data.split_by=group), take these out of one of them, or --force",
                     a->what, b->what, shared, names, more);
  return status;
}

/* ---- pictures that look alike ---- */

typedef struct hashing {
  side *side;
  int sides;
  pthread_mutex_t lock;
  int at_side, at_item, done, total;
  double shown;
} hashing;

/* The next picture to look at. Lock held. */
static bool next_item(hashing *h, side **s, int *item) {
  while (h->at_side < h->sides) {
    *s = &h->side[h->at_side];
    *item = h->at_item++;
    if (*item < (*s)->d->count) return true;
    h->at_side++;
    h->at_item = 0;
  }
  return false;
}

static void *hash_items(void *arg) {
  hashing *h = arg;
  um_image im = {0};
  um_image_buffer buffer = {0};
  side *s;
  int item;
  for (;;) {
    pthread_mutex_lock(&h->lock);
    const bool more = next_item(h, &s, &item);
    if (more && ++h->done % 64 == 0 && um_seconds() - h->shown > 0.5) {
      um_log_progress(false, "looking for the same pictures on both sides: %d of %d", h->done, h->total);
      h->shown = um_seconds();
    }
    pthread_mutex_unlock(&h->lock);
    if (!more) break;
    s->good[item] = !s->d->item[item].blend && run_read_picture(s->part, item, &im, &buffer, NULL) == UM_OK &&
                    um_phash_both(s->hash[item], &im, NULL) == UM_OK;
  }
  um_image_free(&im);
  um_image_buffer_free(&buffer);
  return NULL;
}

static int hash_sides(side *s, int sides, int threads, um_error *err) {
  hashing h = {.side = s, .sides = sides, .lock = PTHREAD_MUTEX_INITIALIZER};
  pthread_t thread[THREADS_MAX];
  int started = 0;
  for (int i = 0; i < sides; i++) {
    const size_t n = (size_t)s[i].d->count + 1;
    s[i].hash = calloc(n, sizeof *s[i].hash);
    s[i].good = calloc(n, sizeof *s[i].good);
    if (!s[i].hash || !s[i].good) return um_fail(err, UM_ENOMEM, "no memory for the hashes of %d pictures", s[i].d->count);
    h.total += s[i].d->count;
  }
  while (started + 1 < threads && pthread_create(&thread[started], NULL, hash_items, &h) == 0) started++;
  hash_items(&h);
  for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
  return UM_OK;
}

/* The readable pictures of a side, mirrored or not: their hashes, and which item each is. Hashes of no more than one bit pattern (a
 * picture of one colour) say nothing and are left out. */
static int collect(um_phash **hash, int **item, int *count, const side *s, int mirrored, um_error *err) {
  *hash = malloc(((size_t)s->d->count + 1) * sizeof **hash);
  *item = malloc(((size_t)s->d->count + 1) * sizeof **item);
  *count = 0;
  if (!*hash || !*item) return um_fail(err, UM_ENOMEM, "no memory for the hashes of %d pictures", s->d->count);
  for (int i = 0; i < s->d->count; i++) {
    static const um_phash nothing;
    const um_phash *one = &s->hash[i][mirrored];
    if (!s->good[i] || um_phash_distance(one, &nothing) < UM_PHASH_BITS / 8) continue;
    (*hash)[*count] = *one;
    (*item)[(*count)++] = i;
  }
  return UM_OK;
}

static int by_distance(const void *pa, const void *pb) {
  const um_phash_pair *a = pa, *b = pb;
  return a->distance != b->distance ? a->distance - b->distance : a->b - b->b;
}

/* Pairs of items; each item of b once at most for each of the two ways to look at it. */
static int alike(um_phash_pair **pair, int *count, const side *a, const side *b, int most, int threads, um_error *err) {
  um_phash *hash[2] = {NULL, NULL};
  int *item[2] = {NULL, NULL}, n[2];
  *pair = NULL;
  *count = 0;
  int status = collect(&hash[0], &item[0], &n[0], a, 0, err);
  for (int mirrored = 0; !status && mirrored < 2; mirrored++) {
    um_phash_pair *found = NULL, *all;
    int more = 0;
    free(hash[1]), free(item[1]);
    status = collect(&hash[1], &item[1], &n[1], b, mirrored, err);
    if (!status) status = um_phash_near(&found, &more, hash[0], n[0], hash[1], n[1], most, threads, err);
    if (!status && (all = realloc(*pair, ((size_t)*count + (size_t)more + 1) * sizeof *all))) {
      *pair = all;
      for (int i = 0; i < more; i++)
        all[(*count)++] = (um_phash_pair){.a = item[0][found[i].a], .b = item[1][found[i].b], .distance = found[i].distance};
    } else if (!status) {
      status = um_fail(err, UM_ENOMEM, "no memory for %d pairs of pictures", *count + more);
    }
    free(found);
  }
  for (int i = 0; i < 2; i++) free(hash[i]), free(item[i]);
  if (!status) qsort(*pair, (size_t)*count, sizeof **pair, by_distance);
  return status;
}

static int near_pictures(const side *a, const side *b, int most, int threads, bool force, um_error *err) {
  um_phash_pair *pair;
  int count;
  int status = alike(&pair, &count, a, b, most, threads, err);
  for (int i = 0; !status && i < count && i < NAMED_MAX; i++)
    um_log(UM_LOG_WARN, "%s: looks like %s of the %s part (%d of %d bits differ)", b->d->item[pair[i].b].path, a->d->item[pair[i].a].path,
           a->what, pair[i].distance, UM_PHASH_BITS);
  if (!status && count > 0 && force)
    um_log(UM_LOG_WARN, "%d pictures of the %s part look like one of the %s part", count, b->what, a->what);
  else if (!status && count > 0)
    status =
        um_fail(err, UM_EFORMAT,
                "%d picture%s of the %s part look%s like one of the %s part%s: scores on it would be too good; take them out of one of "
                "them, give both the same group in manifest.csv, or --force (data.duplicate_bits=%d says how alike; 0: not looked for)",
                count, count == 1 ? "" : "s", b->what, count == 1 ? "s" : "", a->what,
                count > NAMED_MAX ? " (the nearest are named above)" : "", most);
  free(pair);
  return status;
}

int run_guard(const run *r, um_error *err) {
  static const char *const what[] = {"training", "validation", "test"};
  side s[RUN_PARTS];
  int sides = 0, status = UM_OK;
  for (int i = 0; i < RUN_PARTS; i++)
    if (r->part[i].d->count > 0) s[sides++] = (side){.what = what[i], .d = r->part[i].d, .part = &r->part[i]};
  for (int b = 1; b < sides; b++)
    for (int a = 0; !status && a < b; a++) status = shared_groups(&s[a], &s[b], r->force, err);
  const int most = r->config.data.duplicate_bits;
  if (status || sides == 1 || most == 0) return status;
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const int threads = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (int)cores;
  status = hash_sides(s, sides, threads, err);
  for (int b = 1; b < sides; b++)
    for (int a = 0; !status && a < b; a++) status = near_pictures(&s[a], &s[b], most, threads, r->force, err);
  for (int i = 0; i < sides; i++) free(s[i].hash), free(s[i].good);
  return status;
}
