/* Batches live in a ring: batch number s (counted from where the run began) is filled in slot s % batches, once the caller has
 * given back what was there. Workers take one picture at a time from the newest batch, so that all of them help with the batch
 * that is waited for; the caller takes batches in the order of their numbers. One lock guards the bookkeeping; decoding runs outside of it. */
#include "data/loader.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "data/blend.h"
#include "data/cache.h"
#include "data/degrade.h"
#include "data/image.h"

#define WORKERS_MAX 256
#define KEEP_MAX    ((size_t)64 << 20) /* bytes of memory that a worker keeps for the next picture */
#define AUTO_MAX    8

typedef enum state { FREE, FILLING, READY, HELD } state;

typedef struct slot {
  um_batch batch; /* first: the caller's pointer leads back to the slot */
  state state;
  int wanted; /* pictures of the batch */
  int begun, done;
  bool *bad;       /* by picture */
  uint32_t *round; /* how often the item came before in the epoch */
} slot;

typedef struct pick {
  uint32_t item, round;
} pick;

typedef struct skip {
  int item;
  char *reason;
} skip;

typedef struct worker {
  um_loader *loader;
  pthread_t thread;
  um_image image; /* as decoded; its memory is used again */
  um_image_buffer file;
  um_degrader *degrader; /* NULL where the augmentation asks for none */
  um_blender *blender;   /* NULL where the dataset has no blends */
} worker;

/* What came of a picture. */
typedef struct outcome {
  bool cached, blended, guessed;
} outcome;

struct um_loader {
  const um_dataset *dataset;
  um_loader_options o;
  um_augmentation_config augmentation; /* a copy; o.augmentation points to it or is NULL */
  size_t picture;                      /* bytes of a resized picture */
  int draws, per_epoch;                /* of an epoch: pictures, batches */
  um_cache *cache;                     /* of the pictures before anything is done to them */
  _Atomic uint64_t *size;              /* of the pictures as decoded, by item: width << 32 | height; NULL without blends */
  float class_weight[16];
  bool blends; /* whether the dataset has any */

  pthread_mutex_t lock;
  pthread_cond_t work;   /* a slot became free, or stop */
  pthread_cond_t ready;  /* a batch became ready */
  slot *slot;            /* o.batches of them */
  uint64_t begun, taken; /* numbers of batches: begun by workers, taken by the caller */
  uint64_t last;         /* the number after the last one */
  uint32_t *order;       /* of the epoch that the newest batch belongs to: items, or where balanced indices of pick */
  pick *pick;            /* balanced: all draws of the epoch, a class after the other */
  uint32_t *scratch;     /* balanced: the items of a class */
  int order_epoch;
  bool *known_bad; /* by item */
  skip *skipped;   /* room for all items */
  um_loader_stats stats;
  bool stop;

  worker *worker;
  int workers;
};

/* Items by class. */
static void count_classes(const um_dataset *d, int count[16]) {
  memset(count, 0, 16 * sizeof *count);
  for (int i = 0; i < d->count; i++) count[d->item[i].label]++;
}

/* An epoch's pictures. Where balanced, each class comes as often as the largest one. */
static int64_t count_draws(const um_dataset *d, bool balanced) {
  int count[16], most = 0, classes = 0;
  if (!balanced) return d->count;
  count_classes(d, count);
  for (int c = 0; c < 16; c++) {
    most = count[c] > most ? count[c] : most;
    classes += count[c] > 0;
  }
  return (int64_t)most * classes;
}

/* The epoch's draws, a class after the other: whole rounds of its items, the last one cut off. */
static void pick_balanced(um_loader *l, int epoch) {
  const um_dataset *d = l->dataset;
  int count[16], most = 0;
  pick *to = l->pick;
  count_classes(d, count);
  for (int c = 0; c < 16; c++) most = count[c] > most ? count[c] : most;
  for (int c = 0; c < 16; c++) {
    for (int k = 0; count[c] > 0 && k < most; k++) {
      uint32_t round = (uint32_t)(k / count[c]), at = (uint32_t)(k % count[c]);
      const um_rng order = {
          .seed = l->o.seed, .stream = UM_STREAM_SHUFFLE, .epoch = (uint32_t)epoch, .sample = 1 + 16 * round + (uint32_t)c};
      if (at == 0) {
        int n = 0;
        for (int i = 0; i < d->count; i++)
          if (d->item[i].label == c) l->scratch[n++] = (uint32_t)i;
        if (l->o.shuffle) um_rng_shuffle(&order, l->scratch, (uint32_t)n);
      }
      *to++ = (pick){.item = l->scratch[at], .round = round};
    }
  }
}

static void epoch_order(um_loader *l, int epoch) {
  if (l->o.balanced) pick_balanced(l, epoch);
  for (int i = 0; i < l->draws; i++) l->order[i] = (uint32_t)i;
  const um_rng at = {.seed = l->o.seed, .stream = UM_STREAM_SHUFFLE, .epoch = (uint32_t)epoch};
  if (l->o.shuffle) um_rng_shuffle(&at, l->order, (uint32_t)l->draws);
  l->order_epoch = epoch;
}

/* Gives slot s the next batch: which pictures, their labels and draws. All of it follows from the batch's number. Lock held. */
static void begin_batch(um_loader *l, slot *s) {
  uint64_t number = l->begun++ + (uint64_t)l->o.first_batch;
  um_batch *b = &s->batch;
  b->epoch = l->o.first_epoch + (int)(number / (uint64_t)l->per_epoch);
  b->index = (int)(number % (uint64_t)l->per_epoch);
  if (b->epoch != l->order_epoch) epoch_order(l, b->epoch);
  int first = b->index * l->o.batch_size, left = l->draws - first;
  b->n = s->wanted = left < l->o.batch_size ? left : l->o.batch_size;
  s->begun = s->done = 0;
  for (int i = 0; i < s->wanted; i++) {
    uint32_t at = l->order[first + i];
    b->item[i] = l->o.balanced ? (int)l->pick[at].item : (int)at;
    s->round[i] = l->o.balanced ? l->pick[at].round : 0;
    s->bad[i] = false;
  }
  s->state = FILLING;
}

/* Where a sample's draws are. An item that comes again in an epoch has draws of its own; a blend goes through what its origin goes through, so
 * that nothing tells them apart but the blending. */
static um_rng address(const um_loader *l, const slot *s, int i, um_stream stream) {
  int item = s->batch.item[i];
  if (l->dataset->item[item].blend && stream != UM_STREAM_BLEND) item = l->dataset->item[item].origin;
  uint32_t sample = (uint32_t)item + s->round[i] * (uint32_t)l->dataset->count;
  return (um_rng){.seed = l->o.seed, .stream = stream, .epoch = (uint32_t)s->batch.epoch, .sample = sample};
}

static void draw(const um_loader *l, slot *s, int i) {
  um_transform t = {.zx = 1, .zy = 1};
  const um_rng at = address(l, s, i, UM_STREAM_AUGMENT);
  if (l->o.augmentation) um_transform_draw(&t, &at, l->o.augmentation, l->o.height, l->o.width);
  um_transform_matrix(&s->batch.sample[i], &t, l->augmentation.semantics, l->o.height, l->o.width);
}

/* The resized picture of an item, from memory or its source. */
static int fetch(um_loader *l, worker *w, uint8_t *to, int item, bool *cached, um_error *err) {
  *cached = um_cache_get(l->cache, item, to);
  if (*cached) return UM_OK;
  int status = l->o.read ? l->o.read(l->o.read_context, item, &w->image, err)
                         : um_image_read_with(&w->image, &w->file, l->dataset->item[item].path, err);
  if (status == UM_OK) status = um_resize(to, l->o.height, l->o.width, &w->image, l->o.interpolation, err);
  if (status == UM_OK && l->size)
    atomic_store_explicit(&l->size[item], (uint64_t)w->image.width << 32 | (uint32_t)w->image.height, memory_order_relaxed);
  if (status == UM_OK) um_cache_put(l->cache, item, to);
  if (w->image.capacity > KEEP_MAX) um_image_free(&w->image);
  if (w->file.capacity > KEEP_MAX) um_image_buffer_free(&w->file);
  return status;
}

/* The picture of an item's origin becomes its blend. */
static int blend(um_loader *l, worker *w, uint8_t *pixels, const um_item *item, um_rng at, bool *guessed, um_error *err) {
  uint64_t size = atomic_load_explicit(&l->size[item->origin], memory_order_relaxed);
  float points[10], sx = (float)l->o.width / (float)(size >> 32), sy = (float)l->o.height / (float)(size & UINT32_MAX);
  um_blend_draw drawn;
  /* Pixels are squares: the middle of the first one is at half a pixel. */
  for (int i = 0; i < 10; i++) points[i] = (item->points[i] + 0.5f) * (i % 2 ? sy : sx) - 0.5f;
  if (!l->o.augmentation) at.epoch = 0;
  um_blend_draw_at(&drawn, &at);
  return um_blend(w->blender, pixels, item->has_points ? points : NULL, &drawn, &at, guessed, err);
}

/* One picture into its place. */
static int fill(um_loader *l, worker *w, slot *s, int i, outcome *o, um_error *err) {
  um_batch *b = &s->batch;
  uint8_t *to = b->pixels + (size_t)i * l->picture;
  const um_item *item = &l->dataset->item[b->item[i]];
  const um_rng at = address(l, s, i, UM_STREAM_DEGRADE);
  b->label[i] = (float)item->label;
  b->weight[i] = l->class_weight[item->label];
  draw(l, s, i);
  o->blended = item->blend;
  int status = fetch(l, w, to, item->blend ? item->origin : b->item[i], &o->cached, err);
  if (status == UM_OK && item->blend) status = blend(l, w, to, item, address(l, s, i, UM_STREAM_BLEND), &o->guessed, err);
  if (status == UM_OK && w->degrader) status = um_degrade(w->degrader, to, &l->augmentation, &at, err);
  return status;
}

/* Closes the gaps that unreadable pictures left. Only the worker that finished the batch gets here. */
static void close_gaps(um_loader *l, slot *s) {
  um_batch *b = &s->batch;
  int n = 0;
  for (int i = 0; i < s->wanted; i++) {
    if (s->bad[i]) continue;
    if (n != i) {
      memcpy(b->pixels + (size_t)n * l->picture, b->pixels + (size_t)i * l->picture, l->picture);
      b->label[n] = b->label[i];
      b->weight[n] = b->weight[i];
      b->sample[n] = b->sample[i];
      b->item[n] = b->item[i];
    }
    n++;
  }
  b->n = n;
}

/* Lock held. */
static void record_skip(um_loader *l, int item, const char *reason) {
  if (l->known_bad[item]) return;
  l->known_bad[item] = true;
  l->skipped[l->stats.skipped++] = (skip){.item = item, .reason = strdup(reason)};
}

/* The slot with a picture to do, a new batch begun where needed; NULL when there is none now. Lock held. */
static slot *find_work(um_loader *l) {
  if (l->begun > 0) {
    slot *s = &l->slot[(l->begun - 1) % (uint64_t)l->o.batches];
    if (s->state == FILLING && s->begun < s->wanted) return s;
  }
  slot *s = &l->slot[l->begun % (uint64_t)l->o.batches];
  if (l->begun == l->last || s->state != FREE) return NULL;
  begin_batch(l, s);
  return s;
}

static void *work(void *arg) {
  worker *w = arg;
  um_loader *l = w->loader;
  pthread_mutex_lock(&l->lock);
  for (;;) {
    slot *s = NULL;
    while (!l->stop && !(s = find_work(l))) pthread_cond_wait(&l->work, &l->lock);
    if (l->stop) break;
    int i = s->begun++, item = s->batch.item[i];
    bool skip_it = l->known_bad[item];
    outcome o = {0};
    int status = UM_EFORMAT;
    um_error err;
    pthread_mutex_unlock(&l->lock);
    if (!skip_it) status = fill(l, w, s, i, &o, &err);
    pthread_mutex_lock(&l->lock);
    s->bad[i] = status < 0;
    if (status < 0 && !skip_it) record_skip(l, item, err.text);
    if (status == UM_OK) {
      l->stats.cached += o.cached;
      l->stats.decoded += !o.cached;
      l->stats.blended += o.blended;
      l->stats.guessed += o.guessed;
    }
    if (++s->done < s->wanted) continue;
    pthread_mutex_unlock(&l->lock);
    close_gaps(l, s);
    pthread_mutex_lock(&l->lock);
    s->state = READY;
    pthread_cond_signal(&l->ready);
  }
  pthread_mutex_unlock(&l->lock);
  return NULL;
}

static int check(const um_dataset *d, const um_loader_options *o, um_error *err) {
  if (d->count < 1) return um_fail(err, UM_EFORMAT, "loader: no pictures");
  if (o->height < 1 || o->width < 1 || (int64_t)o->height * o->width > UM_IMAGE_MAX_PIXELS)
    return um_fail(err, UM_ECONFIG, "loader: target size %d x %d: expected 1 to %d pixels in all", o->height, o->width,
                   UM_IMAGE_MAX_PIXELS);
  if (o->batch_size < 1 || o->workers < 0 || o->workers > WORKERS_MAX || o->batches < 0 || o->batches > 1 << 16)
    return um_fail(err, UM_ECONFIG, "loader: batch size %d, %d workers, %d batches: out of range", o->batch_size, o->workers, o->batches);
  for (int i = 0; i < d->count; i++) {
    const um_item *item = &d->item[i];
    if (item->label < 0 || item->label > 15)
      return um_fail(err, UM_EINTERNAL, "loader: item %d is of class %d, expected 0 to 15", i, item->label);
    if (item->blend && (item->origin < 0 || item->origin >= d->count || d->item[item->origin].blend))
      return um_fail(err, UM_EINTERNAL, "loader: item %d is a blend of item %d, which is no picture", i, item->origin);
  }
  int64_t draws = count_draws(d, o->balanced);
  if (draws > INT_MAX - o->batch_size)
    return um_fail(err, UM_EUNSUPPORTED, "loader: %lld pictures an epoch: too many to balance classes", (long long)draws);
  int per_epoch = ((int)draws - 1) / o->batch_size + 1;
  if (o->first_epoch < 0 || o->first_batch < 0 || o->first_batch > per_epoch || o->epochs < 0)
    return um_fail(err, UM_ECONFIG, "loader: cannot begin at epoch %d, batch %d of %d", o->first_epoch, o->first_batch, per_epoch);
  return UM_OK;
}

static void *pixels_alloc(const um_loader *l, size_t bytes) {
  const um_loader_memory *m = &l->o.memory;
  return m->alloc ? m->alloc(m->context, bytes) : malloc(bytes);
}

static void pixels_free(const um_loader *l, void *p) {
  const um_loader_memory *m = &l->o.memory;
  if (p && m->alloc)
    m->free(m->context, p);
  else
    free(p);
}

static int allocate(um_loader *l, um_error *err) {
  size_t count = (size_t)l->dataset->count, draws = (size_t)l->draws, n = (size_t)l->o.batch_size, batches = (size_t)l->o.batches;
  int pictures = l->dataset->count; /* that are no blends, or come before one that is none */
  bool ok = true;
  while (pictures > 1 && l->dataset->item[pictures - 1].blend) pictures--;
  l->slot = calloc(batches, sizeof *l->slot);
  l->order = calloc(draws, sizeof *l->order);
  l->known_bad = calloc(count, sizeof *l->known_bad);
  l->skipped = calloc(count, sizeof *l->skipped);
  l->worker = calloc((size_t)l->o.workers, sizeof *l->worker);
  ok = l->slot && l->order && l->known_bad && l->skipped && l->worker;
  if (ok && l->o.balanced) {
    l->pick = calloc(draws, sizeof *l->pick);
    l->scratch = calloc(count, sizeof *l->scratch);
    ok = l->pick && l->scratch;
  }
  if (ok && l->blends) {
    l->size = calloc(count, sizeof *l->size);
    ok = l->size != NULL;
  }
  for (size_t k = 0; ok && k < batches; k++) {
    slot *s = &l->slot[k];
    s->batch.pixels = n <= SIZE_MAX / l->picture ? pixels_alloc(l, n * l->picture) : NULL;
    s->batch.label = calloc(n, sizeof *s->batch.label);
    s->batch.sample = calloc(n, sizeof *s->batch.sample);
    s->batch.item = calloc(n, sizeof *s->batch.item);
    s->batch.weight = calloc(n, sizeof *s->batch.weight);
    s->bad = calloc(n, sizeof *s->bad);
    s->round = calloc(n, sizeof *s->round);
    ok = s->batch.pixels && s->batch.label && s->batch.weight && s->batch.sample && s->batch.item && s->bad && s->round;
  }
  if (!ok)
    return um_fail(err, UM_ENOMEM, "loader: no memory for %zu batches of %zu pictures of %d x %d", batches, n, l->o.height, l->o.width);
  return um_cache_open(&l->cache, pictures, l->picture, l->o.cache_bytes, err);
}

int um_loader_open(um_loader **out, const um_dataset *d, const um_loader_options *o, um_error *err) {
  *out = NULL;
  int status = check(d, o, err);
  if (status < 0) return status;
  um_loader *l = calloc(1, sizeof *l);
  if (!l) return um_fail(err, UM_ENOMEM, "loader: out of memory");
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->work, NULL);
  pthread_cond_init(&l->ready, NULL);
  l->dataset = d;
  l->o = *o;
  if (o->augmentation) {
    l->augmentation = *o->augmentation;
    l->o.augmentation = &l->augmentation;
  }
  if (l->o.workers == 0) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    l->o.workers = cores < 1 ? 1 : cores > AUTO_MAX ? AUTO_MAX : (int)cores;
  }
  if (l->o.batches == 0) l->o.batches = 4;
  l->picture = (size_t)o->height * (size_t)o->width * 3;
  l->draws = (int)count_draws(d, o->balanced);
  l->per_epoch = (l->draws - 1) / o->batch_size + 1;
  for (int c = 0; c < 16; c++) l->class_weight[c] = o->class_weight && c < d->classes ? o->class_weight[c] : 1;
  for (int i = 0; i < d->count; i++) l->blends |= d->item[i].blend;
  l->order_epoch = -1;
  /* Batches from (first_epoch, first_batch) to the end of epoch `epochs`. */
  uint64_t all = o->epochs > o->first_epoch ? (uint64_t)(o->epochs - o->first_epoch) * (uint64_t)l->per_epoch : 0;
  l->last = o->epochs == 0 ? UINT64_MAX : all > (uint64_t)o->first_batch ? all - (uint64_t)o->first_batch : 0;
  status = allocate(l, err);
  while (status == UM_OK && l->workers < l->o.workers) {
    worker *w = &l->worker[l->workers];
    w->loader = l;
    if (um_degrade_wanted(&l->augmentation)) status = um_degrader_open(&w->degrader, o->height, o->width, err);
    if (status == UM_OK && l->blends) status = um_blender_open(&w->blender, o->height, o->width, err);
    if (status < 0) break;
    int failed = pthread_create(&w->thread, NULL, work, w);
    if (!failed)
      l->workers++;
    else
      status = um_fail(err, UM_EINTERNAL, "loader: worker %d of %d does not start: %s", l->workers + 1, l->o.workers, strerror(failed));
  }
  if (status < 0) {
    um_loader_close(l);
    return status;
  }
  *out = l;
  return UM_OK;
}

void um_loader_close(um_loader *l) {
  if (!l) return;
  pthread_mutex_lock(&l->lock);
  l->stop = true;
  pthread_cond_broadcast(&l->work);
  pthread_mutex_unlock(&l->lock);
  for (int i = 0; i < l->workers; i++) {
    pthread_join(l->worker[i].thread, NULL);
    um_image_free(&l->worker[i].image);
    um_image_buffer_free(&l->worker[i].file);
  }
  for (int i = 0; l->worker && i < l->o.workers; i++) {
    um_degrader_close(l->worker[i].degrader);
    um_blender_close(l->worker[i].blender);
  }
  for (int k = 0; l->slot && k < l->o.batches; k++) {
    slot *s = &l->slot[k];
    pixels_free(l, s->batch.pixels);
    free(s->batch.label);
    free(s->batch.sample);
    free(s->batch.item);
    free(s->batch.weight);
    free(s->bad);
    free(s->round);
  }
  for (int i = 0; i < l->stats.skipped; i++) free(l->skipped[i].reason);
  um_cache_close(l->cache);
  free(l->slot);
  free(l->order);
  free(l->pick);
  free(l->scratch);
  free(l->size);
  free(l->known_bad);
  free(l->skipped);
  free(l->worker);
  pthread_mutex_destroy(&l->lock);
  pthread_cond_destroy(&l->work);
  pthread_cond_destroy(&l->ready);
  free(l);
}

int um_loader_batches(const um_loader *l) { return l->per_epoch; }

int um_loader_next(um_loader *l, um_batch **b, um_error *err) {
  int status = UM_OK;
  *b = NULL;
  pthread_mutex_lock(&l->lock);
  slot *s = &l->slot[l->taken % (uint64_t)l->o.batches];
  if (l->taken == l->last) {
    /* the end */
  } else if (s->state == HELD) {
    status = um_fail(err, UM_EINTERNAL, "loader: all %d batches are in the caller's hands; return one first", l->o.batches);
  } else {
    double start = um_seconds();
    while (s->state != READY) pthread_cond_wait(&l->ready, &l->lock);
    l->stats.wait_seconds += um_seconds() - start;
    s->state = HELD;
    l->taken++;
    *b = &s->batch;
  }
  pthread_mutex_unlock(&l->lock);
  return status;
}

void um_loader_return(um_loader *l, um_batch *b) {
  if (!b) return;
  pthread_mutex_lock(&l->lock);
  ((slot *)b)->state = FREE;
  pthread_cond_broadcast(&l->work);
  pthread_mutex_unlock(&l->lock);
}

void um_loader_stats_of(um_loader *l, um_loader_stats *s) {
  pthread_mutex_lock(&l->lock);
  *s = l->stats;
  pthread_mutex_unlock(&l->lock);
}

const char *um_loader_skipped(um_loader *l, int i, int *item) {
  const char *reason = NULL;
  pthread_mutex_lock(&l->lock);
  if (i >= 0 && i < l->stats.skipped) {
    *item = l->skipped[i].item;
    reason = l->skipped[i].reason ? l->skipped[i].reason : "unreadable";
  }
  pthread_mutex_unlock(&l->lock);
  return reason;
}
