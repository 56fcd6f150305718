#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "faces/footage_internal.h"

static bool ends_in(const char *name, const char *ending) {
  const size_t n = strlen(name), e = strlen(ending);
  return n >= e && strcmp(name + n - e, ending) == 0;
}

static clip *clip_named(um_footage *f, const char *name) {
  for (int i = 0; i < f->sources->count; i++) {
    const size_t n = strlen(f->clip[i].key);
    if (n && strncmp(f->clip[i].key, name, n) == 0 && strcmp(name + n, ".pack") == 0) return &f->clip[i];
  }
  return NULL;
}

/* Walks the packs in the folder; the oldest that is none of ours into `oldest` (may be NULL). Returns the bytes of those. */
static int64_t foreign_packs(um_footage *f, char oldest[4096]) {
  DIR *d = opendir(f->o.cache_dir);
  int64_t bytes = 0;
  struct timespec least = {0};
  if (oldest) *oldest = 0;
  for (struct dirent *e; d && (e = readdir(d));) {
    char path[4096];
    struct stat st;
    if (!ends_in(e->d_name, ".pack") || clip_named(f, e->d_name)) continue;
    if (um_path_join(path, sizeof path, f->o.cache_dir, e->d_name, NULL) < 0 || stat(path, &st) != 0) continue;
    bytes += st.st_size;
    const bool older = st.st_mtim.tv_sec != least.tv_sec ? st.st_mtim.tv_sec < least.tv_sec : st.st_mtim.tv_nsec < least.tv_nsec;
    if (oldest && (!*oldest || older)) strcpy(oldest, path), least = st.st_mtim;
  }
  if (d) closedir(d);
  return bytes;
}

void um_footage_survey(um_footage *f) {
  for (int i = 0; i < f->sources->count; i++) {
    clip *c = &f->clip[i];
    char path[4096];
    struct stat st;
    if (!*c->key || um_footage_path(path, f, c, "pack", NULL) < 0 || stat(path, &st) != 0) continue;
    c->there = true;
    c->bytes = st.st_size;
    f->bytes += c->bytes;
  }
  f->foreign = foreign_packs(f, NULL);
}

void um_footage_make_room(um_footage *f, int64_t more) {
  char path[4096];
  while (f->foreign > 0 && f->bytes + f->foreign + more > f->o.cache_bytes) {
    foreign_packs(f, path);
    if (*path && unlink(path) != 0 && errno != ENOENT) break; /* another's that may not be touched: it stays counted */
    f->foreign = *path ? foreign_packs(f, NULL) : 0;
  }
  while (f->bytes + f->foreign + more > f->o.cache_bytes) {
    clip *oldest = NULL;
    for (int i = 0; i < f->sources->count; i++) {
      clip *c = &f->clip[i];
      if (c->there && !c->making && c->readers == 0 && (!oldest || c->used < oldest->used)) oldest = c;
    }
    if (!oldest) return; /* all are being read */
    if (um_footage_path(path, f, oldest, "pack", NULL) == UM_OK) unlink(path);
    f->bytes -= oldest->bytes;
    oldest->there = false;
    oldest->bytes = 0;
  }
}

/* Writes the pictures of the list's faces at this frame, from list->item[*next] on. */
static int pack_frame(list *l, int *next, um_video *v, const um_frame *frame, const um_face_settings *s, FILE *out, um_error *err) {
  um_image image = {0}, crop = {0};
  int r = UM_OK;
  for (; r == UM_OK && *next < l->count && l->item[*next].face.frame == frame->number; ++*next) {
    const entry *e = &l->item[*next];
    uint8_t *data = NULL;
    size_t size = 0;
    if (!image.pixels) r = um_video_rgb(v, &image, err);
    if (r == UM_OK) r = um_face_crop(&crop, &image, &e->face.at, s, err);
    if (r == UM_OK) r = um_image_encode_png(&data, &size, &crop, err);
    if (r == UM_OK && (int64_t)size != e->bytes)
      r = um_fail(err, UM_EFORMAT, "frame %lld is not what it was when its faces were found", (long long)frame->number);
    if (r == UM_OK && fwrite(data, 1, size, out) != size) r = um_fail(err, UM_EIO, "%s", strerror(errno));
    free(data);
  }
  um_image_free(&image);
  um_image_free(&crop);
  return r;
}

int um_footage_make_pack(um_footage *f, int source, um_error *err) {
  clip *c = &f->clip[source];
  const um_face_settings *s = &f->o.settings;
  const um_video_options o = {.fps = s->fps, .max_size = s->max_size, .threads = 1};
  const char *video = f->sources->item[source].path;
  char path[4096];
  um_video *v = NULL;
  um_frame frame;
  um_writer w = {0};
  int r = um_footage_path(path, f, c, "pack", err), next = 0;
  if (r == UM_OK) r = um_video_open(&v, video, &o, err);
  if (r == UM_OK) r = um_writer_open(&w, path, err);
  while (r >= 0 && next < c->list.count && (r = um_video_next(v, &frame, err)) > 0)
    r = pack_frame(&c->list, &next, v, &frame, s, w.file, err);
  if (r >= 0 && next < c->list.count) r = um_fail(err, UM_EFORMAT, "%s: it is shorter than when its faces were found", video);
  if (r >= 0) r = um_writer_commit(&w, err);
  um_writer_abandon(&w);
  um_video_close(v);
  return r < 0 ? um_fail_context(err, "%s", video) : UM_OK;
}
