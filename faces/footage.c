/* The footage: lists of all videos' faces, made in parallel where they are not there, and the reading of their pictures. */
#include "faces/footage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "faces/footage_internal.h"

enum { JOBS_MAX = 64 };

int um_footage_path(char path[4096], const um_footage *f, const clip *c, const char *ending, um_error *err) {
  char name[64];
  snprintf(name, sizeof name, "%s.%s", c->key, ending);
  return um_path_join(path, 4096, f->o.cache_dir, name, err);
}

int um_footage_default_dir(char *path, size_t size, um_error *err) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (cache && *cache == '/') return um_path_join(path, size, cache, "unmask/faces", err);
  if (home && *home) return um_path_join(path, size, home, ".cache/unmask/faces", err);
  return um_fail(err, UM_EIO, "neither XDG_CACHE_HOME nor HOME is set: say where faces are to be kept (data.video_cache_dir)");
}

/* What the pictures depend on: the file, by path, size and time, and the settings. */
static int make_key(clip *c, const char *path, const um_face_settings *s, um_error *err) {
  char real[PATH_MAX], about[PATH_MAX + 128], hex[65];
  struct stat st;
  um_digest d;
  if (!realpath(path, real) || stat(real, &st) != 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  if (!S_ISREG(st.st_mode)) return um_fail(err, UM_EIO, "%s: no file", path);
  cJSON *o = cJSON_CreateObject();
  char *settings = um_face_settings_put(o, s) ? cJSON_PrintUnformatted(o) : NULL;
  cJSON_Delete(o);
  if (!settings) return um_fail(err, UM_ENOMEM, "no memory");
  snprintf(about, sizeof about, "unmask faces 1\n%s\n%lld %lld.%09ld\n", real, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
  um_sha256_begin(&d);
  um_digest_add(&d, about, strlen(about));
  um_digest_add(&d, settings, strlen(settings));
  um_sha256_end(&d, hex);
  free(settings);
  snprintf(c->key, sizeof c->key, "%.40s", hex);
  return UM_OK;
}

/* ---- lists ---- */

/* A video that is looked at for the first time. All of its faces' pictures go into a nameless file; those that are kept from there into the pack. */
typedef struct looking {
  um_footage *f;
  list all;
  FILE *pictures;
  um_image crop;
} looking;

static int on_frame(void *arg, const um_face_frame *frame, um_error *err) {
  looking *w = arg;
  const um_face_settings *s = &w->f->o.settings;
  for (int i = 0; i < frame->count; i++) {
    const um_face *face = &frame->face[i];
    entry e = {.face = {.frame = frame->number, .time_s = frame->time_s, .track = face->track, .at = face->at}};
    uint8_t *data = NULL;
    size_t size = 0;
    int r = um_face_crop(&w->crop, frame->image, &face->at, s, err);
    if (r == UM_OK) r = um_image_encode_png(&data, &size, &w->crop, err);
    e.bytes = (int64_t)size;
    if (r == UM_OK && fwrite(data, 1, size, w->pictures) != size) r = um_fail(err, UM_EIO, "%s: %s", w->f->o.cache_dir, strerror(errno));
    free(data);
    if (r == UM_OK) r = um_footage_list_add(&w->all, &e, err);
    if (r < 0) return r;
  }
  return UM_OK;
}

static int copy_bytes(FILE *to, FILE *from, int64_t bytes) {
  char part[1 << 16];
  while (bytes > 0) {
    const size_t n = bytes < (int64_t)sizeof part ? (size_t)bytes : sizeof part;
    if (fread(part, 1, n, from) != n || fwrite(part, 1, n, to) != n) return -1;
    bytes -= (int64_t)n;
  }
  return 0;
}

/* The faces that are kept: their pictures into the pack, then the list, whose being there says that the video was looked at. */
static int keep(looking *w, clip *c, const um_tracks *tracks, um_error *err) {
  char path[4096];
  um_writer pack = {0};
  int64_t offset = 0;
  int r = um_footage_path(path, w->f, c, "pack", err);
  rewind(w->pictures);
  if (r == UM_OK) r = um_writer_open(&pack, path, err);
  for (int i = 0; r == UM_OK && i < w->all.count; i++) {
    entry e = w->all.item[i];
    if (!um_track_kept(tracks, e.face.track)) {
      if (fseeko(w->pictures, (off_t)e.bytes, SEEK_CUR) != 0) r = um_fail(err, UM_EIO, "%s: %s", w->f->o.cache_dir, strerror(errno));
      continue;
    }
    if (copy_bytes(pack.file, w->pictures, e.bytes) < 0) r = um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
    e.offset = offset;
    offset += e.bytes;
    if (r == UM_OK) r = um_footage_list_add(&c->list, &e, err);
  }
  if (r == UM_OK) r = um_writer_commit(&pack, err);
  um_writer_abandon(&pack);
  if (r == UM_OK) r = um_footage_path(path, w->f, c, "csv", err);
  if (r == UM_OK) r = um_footage_list_write(&c->list, path, err);
  if (r < 0) um_footage_list_free(&c->list);
  return r;
}

static int look(um_footage *f, int source, um_error *err) {
  clip *c = &f->clip[source];
  const char *path = f->sources->item[source].path;
  looking w = {.f = f, .pictures = tmpfile()};
  um_tracks tracks = {0};
  int r = w.pictures ? UM_OK : um_fail(err, UM_EIO, "no temporary file: %s", strerror(errno));
  if (r == UM_OK) r = um_faces_walk(f->finder, path, on_frame, &w, NULL, &tracks, NULL, err);
  if (r == UM_OK) r = keep(&w, c, &tracks, err);
  if (w.pictures) fclose(w.pictures);
  um_footage_list_free(&w.all);
  um_image_free(&w.crop);
  um_tracks_free(&tracks);
  if (r < 0) return r;
  pthread_mutex_lock(&f->lock);
  for (int i = 0; i < c->list.count; i++) c->bytes += c->list.item[i].bytes;
  um_footage_make_room(f, c->bytes);
  c->there = true;
  f->bytes += c->bytes;
  f->stats.listed++;
  pthread_mutex_unlock(&f->lock);
  return UM_OK;
}

/* Its list, from the cache or by looking. A failure that is the video's own leaves only it out. */
static int list_one(um_footage *f, int source, um_error *err) {
  clip *c = &f->clip[source];
  char path[4096];
  um_error own = {0};
  if (f->sources->item[source].label < 0) {
    c->skipped = strdup("not known whether it is fake or real");
    return c->skipped ? UM_OK : um_fail(err, UM_ENOMEM, "no memory");
  }
  int r = *c->key ? UM_OK : make_key(c, f->sources->item[source].path, &f->o.settings, &own);
  if (r == UM_OK) r = um_footage_path(path, f, c, "csv", &own);
  if (r == UM_OK && um_is_file(path) && um_footage_list_read(&c->list, path, NULL) == UM_OK) {
    pthread_mutex_lock(&f->lock);
    f->stats.listed_before++;
    pthread_mutex_unlock(&f->lock);
  } else if (r == UM_OK) {
    r = look(f, source, &own);
  }
  if (r == UM_ENOMEM || r == UM_EINTERNAL) {
    *err = own;
    return r;
  }
  if (r == UM_OK && c->list.count > 0) return UM_OK;
  c->skipped = strdup(r == UM_OK ? "no face found" : own.text);
  return c->skipped ? UM_OK : um_fail(err, UM_ENOMEM, "no memory");
}

static void *list_some(void *arg) {
  um_footage *f = arg;
  for (;;) {
    um_error err = {0};
    pthread_mutex_lock(&f->lock);
    const int i = f->failed ? f->sources->count : f->next;
    if (i < f->sources->count) f->next++;
    pthread_mutex_unlock(&f->lock);
    if (i >= f->sources->count) return NULL;
    int r = list_one(f, i, &err);
    pthread_mutex_lock(&f->lock);
    if (r < 0 && !f->failed) f->failed = true, f->error = err;
    f->done++;
    f->so_far += f->clip[i].list.count;
    if (f->o.progress && !f->failed) f->o.progress(f->o.progress_arg, f->done, f->sources->count, f->so_far);
    pthread_mutex_unlock(&f->lock);
  }
}

static int list_all(um_footage *f, um_error *err) {
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  pthread_t thread[JOBS_MAX];
  int jobs = f->o.jobs > 0 ? f->o.jobs : cores > 0 ? (int)cores : 1, started = 0;
  if (jobs > f->sources->count) jobs = f->sources->count;
  if (jobs > JOBS_MAX) jobs = JOBS_MAX;
  const int threads = jobs > 0 && cores / jobs > 1 ? (int)(cores / jobs) : 1;
  const um_face_options o = {.settings = f->o.settings, .threads = threads, .decode_threads = threads};
  int r = um_face_finder_open(&f->finder, &o, err);
  if (r < 0) return r;
  while (started + 1 < jobs && pthread_create(&thread[started], NULL, list_some, f) == 0) started++;
  list_some(f);
  for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
  um_face_finder_close(f->finder);
  f->finder = NULL;
  if (!f->failed) return UM_OK;
  *err = f->error;
  return f->error.code;
}

static int number_faces(um_footage *f, um_error *err) {
  int64_t all = 0;
  for (int i = 0; i < f->sources->count; i++) all += f->clip[i].list.count;
  if (all == 0) return um_fail(err, UM_EFORMAT, "no face was found in any of %d videos", f->sources->count);
  if (all > INT_MAX || !(f->clip_of = malloc((size_t)all * sizeof *f->clip_of)))
    return um_fail(err, UM_ENOMEM, "no memory for %lld faces", (long long)all);
  for (int i = 0; i < f->sources->count; i++) {
    f->clip[i].first = f->faces;
    for (int k = 0; k < f->clip[i].list.count; k++) {
      f->clip[i].list.item[k].face.source = i;
      f->clip_of[f->faces++] = i;
    }
  }
  return UM_OK;
}

int um_footage_open(um_footage **out, const um_sources *sources, const um_footage_options *o, um_error *err) {
  *out = NULL;
  um_footage *f = calloc(1, sizeof *f);
  char *dir = strdup(o->cache_dir);
  if (!f || !dir || !(f->clip = calloc((size_t)sources->count + 1, sizeof *f->clip))) {
    free(dir);
    free(f);
    return um_fail(err, UM_ENOMEM, "no memory for %d videos", sources->count);
  }
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->made, NULL);
  f->o = *o;
  f->o.cache_dir = dir;
  f->sources = sources;
  int r = um_mkdirs(dir, err);
  if (r == UM_OK) {
    um_writer_sweep(dir);
    for (int i = 0; i < sources->count; i++) make_key(&f->clip[i], sources->item[i].path, &o->settings, NULL);
    um_footage_survey(f);
    r = list_all(f, err);
  }
  if (r == UM_OK) r = number_faces(f, err);
  if (r < 0) {
    um_footage_close(f);
    return r;
  }
  *out = f;
  return UM_OK;
}

void um_footage_close(um_footage *f) {
  if (!f) return;
  for (int i = 0; i < f->sources->count; i++) {
    um_footage_list_free(&f->clip[i].list);
    free(f->clip[i].skipped);
  }
  pthread_mutex_destroy(&f->lock);
  pthread_cond_destroy(&f->made);
  free(f->clip);
  free(f->clip_of);
  free((char *)f->o.cache_dir);
  free(f);
}

/* ---- reading ---- */

int um_footage_count(const um_footage *f) { return f->faces; }

static const entry *entry_of(const um_footage *f, int i) {
  const clip *c = &f->clip[f->clip_of[i]];
  return &c->list.item[i - c->first];
}

const um_footage_face *um_footage_face_at(const um_footage *f, int i) { return &entry_of(f, i)->face; }

const char *um_footage_skipped(const um_footage *f, int source) { return f->clip[source].skipped; }

/* Makes sure that the pack is there and stays for a while: the caller counts as a reader then. */
static int hold(um_footage *f, int source, um_error *err) {
  clip *c = &f->clip[source];
  int r = UM_OK;
  pthread_mutex_lock(&f->lock);
  while (c->making) pthread_cond_wait(&f->made, &f->lock);
  if (!c->there) {
    int64_t bytes = 0;
    for (int i = 0; i < c->list.count; i++) bytes += c->list.item[i].bytes;
    c->making = true;
    um_footage_make_room(f, bytes);
    pthread_mutex_unlock(&f->lock);
    r = um_footage_make_pack(f, source, err);
    pthread_mutex_lock(&f->lock);
    c->making = false;
    if (r == UM_OK) {
      c->there = true;
      c->bytes = bytes;
      f->bytes += bytes;
      f->stats.packs_made++;
    }
    pthread_cond_broadcast(&f->made);
  }
  if (r == UM_OK) {
    c->readers++;
    c->used = ++f->clock;
  }
  pthread_mutex_unlock(&f->lock);
  return r;
}

static void release(um_footage *f, int source, bool gone) {
  clip *c = &f->clip[source];
  pthread_mutex_lock(&f->lock);
  c->readers--;
  if (gone && c->there) {
    f->bytes -= c->bytes;
    c->there = false;
    c->bytes = 0;
  }
  pthread_mutex_unlock(&f->lock);
}

/* UM_EIO where the pack is not there any more (another program's cache may be the same) or too short. */
static int read_bytes(uint8_t *data, const entry *e, const char *path, um_error *err) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return um_fail(err, UM_EIO, "%s: %s", path, strerror(errno));
  int64_t done = 0;
  while (done < e->bytes) {
    const ssize_t n = pread(fd, data + done, (size_t)(e->bytes - done), (off_t)(e->offset + done));
    if (n <= 0 && !(n < 0 && errno == EINTR)) break;
    if (n > 0) done += n;
  }
  close(fd);
  return done == e->bytes ? UM_OK : um_fail(err, UM_EIO, "%s: too short", path);
}

int um_footage_read(um_footage *f, int i, um_image *im, um_error *err) {
  const int source = f->clip_of[i];
  const entry *e = entry_of(f, i);
  char path[4096];
  uint8_t *data = malloc((size_t)e->bytes);
  if (!data) return um_fail(err, UM_ENOMEM, "no memory for %lld bytes", (long long)e->bytes);
  int r = um_footage_path(path, f, &f->clip[source], "pack", err);
  for (int attempt = 0; r == UM_OK && attempt < 2; attempt++) {
    if ((r = hold(f, source, err)) < 0) break;
    r = read_bytes(data, e, path, err);
    if (r == UM_OK) r = um_image_decode(im, data, (size_t)e->bytes, path, err);
    release(f, source, r < 0);
    if (r == UM_OK || attempt == 1) break;
    r = UM_OK; /* once more, from the video */
  }
  free(data);
  return r;
}

void um_footage_stats_of(um_footage *f, um_footage_stats *s) {
  pthread_mutex_lock(&f->lock);
  *s = f->stats;
  s->bytes = f->bytes + f->foreign;
  pthread_mutex_unlock(&f->lock);
}
