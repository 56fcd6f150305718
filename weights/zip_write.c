/* Writing zip archives: stored entries, local header and data one after the other, then the directory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/file.h"
#include "weights/zip.h"

enum {
  LOCAL = 30,
  CENTRAL = 46,
  END64 = 56,
  LOCATOR64 = 20,
  END = 22,
  EXTRA64 = 4 + 24,
  ALIGN_MAX = 4096,
  NAME_LONGEST = 4096,
  JANUARY_1980 = 0x21
};

typedef struct record {
  char *name;
  uint64_t size, local;
  uint32_t crc;
} record;

struct um_zip_writer {
  um_writer file;
  um_zip_options options;
  record *record;
  int count, room;
  uint64_t at;
};

static uint8_t *put16(uint8_t *p, unsigned v) {
  p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8);
  return p + 2;
}
static uint8_t *put32(uint8_t *p, uint32_t v) { return put16(put16(p, v & 0xffff), v >> 16); }
static uint8_t *put64(uint8_t *p, uint64_t v) { return put32(put32(p, (uint32_t)v), (uint32_t)(v >> 32)); }

static int put(um_zip_writer *w, const void *data, size_t size, um_error *err) {
  errno = 0;
  if (size > 0 && fwrite(data, 1, size, w->file.file) != size)
    return um_fail(err, UM_EIO, "%s: cannot write: %s; nothing was changed", w->file.path, strerror(errno ? errno : EIO));
  w->at += size;
  return UM_OK;
}

int um_zip_create(um_zip_writer **out, const char *path, const um_zip_options *options, um_error *err) {
  um_zip_writer *w = calloc(1, sizeof *w);
  *out = NULL;
  if (!w) return um_fail(err, UM_ENOMEM, "%s: no memory to write it", path);
  if (options) w->options = *options;
  unsigned align = w->options.align;
  int status = align > ALIGN_MAX || (align & (align - 1)) ? um_fail(err, UM_EINTERNAL, "%s: an alignment of %u bytes", path, align)
                                                          : um_writer_open(&w->file, path, err);
  if (status)
    free(w);
  else
    *out = w;
  return status;
}

/* What both headers share: version, flags (the name is UTF-8), method, time, checksum, sizes. Of zip64 entries the sizes are elsewhere. */
static uint8_t *put_common(uint8_t *p, const record *r, bool wide) {
  p = put16(p, wide ? 45 : 20);
  p = put16(p, 1u << 11);
  p = put16(p, 0);
  p = put16(p, 0);
  p = put16(p, JANUARY_1980);
  p = put32(p, r->crc);
  p = put32(p, wide ? UINT32_MAX : (uint32_t)r->size);
  p = put32(p, wide ? UINT32_MAX : (uint32_t)r->size);
  return put16(p, (unsigned)strlen(r->name));
}

static bool is_wide(const um_zip_writer *w, const record *r) { return w->options.zip64 || r->size >= UINT32_MAX || r->local >= UINT32_MAX; }

/* Of zip64's extra field the local header has the two sizes, the directory the place, too. */
static uint8_t *put_extra64(uint8_t *p, const record *r, bool place) {
  p = put16(p, 1);
  p = put16(p, place ? 24 : 16);
  p = put64(p, r->size);
  p = put64(p, r->size);
  return place ? put64(p, r->local) : p;
}

static int put_local(um_zip_writer *w, const record *r, um_error *err) {
  uint8_t head[LOCAL + EXTRA64 + 4] = {0}, pad[ALIGN_MAX + 4] = {0}, *p = head;
  const bool wide = is_wide(w, r);
  size_t name = strlen(r->name), extra = wide ? 20 : 0, fill = 0;
  if (w->options.align > 1) {
    uint64_t begin = w->at + LOCAL + name + extra;
    if (begin % w->options.align != 0) {
      fill = 4; /* an extra field of its own, "FB" like torch.save's */
      fill += (w->options.align - (begin + fill) % w->options.align) % w->options.align;
    }
  }
  p = put32(p, 0x04034b50);
  p = put_common(p, r, wide);
  p = put16(p, (unsigned)(extra + fill));
  int status = put(w, head, (size_t)(p - head), err);
  if (!status) status = put(w, r->name, name, err);
  if (!status && wide) status = put(w, head, (size_t)(put_extra64(head, r, false) - head), err);
  if (!status && fill) {
    put16(put16(pad, 0x4246), (unsigned)(fill - 4));
    status = put(w, pad, fill, err);
  }
  return status;
}

int um_zip_add(um_zip_writer *w, const char *name, const um_zip_part *part, int parts, um_error *err) {
  record r = {.local = w->at};
  size_t length = strlen(name);
  if (length == 0 || length > NAME_LONGEST)
    return um_fail(err, UM_EINTERNAL, "%s: an entry's name of %zu bytes, expected 1 to %d", w->file.path, length, NAME_LONGEST);
  for (int i = 0; i < w->count; i++)
    if (strcmp(w->record[i].name, name) == 0) return um_fail(err, UM_EINTERNAL, "%s: %s is written twice", w->file.path, name);
  if (w->count == w->room) {
    int room = w->room ? 2 * w->room : 64;
    record *grown = realloc(w->record, sizeof *grown * (size_t)room);
    if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for a list of %d entries", w->file.path, room);
    w->record = grown;
    w->room = room;
  }
  for (int i = 0; i < parts; i++) {
    if (part[i].size > 0) r.crc = (uint32_t)crc32_z(r.crc, part[i].data, part[i].size); /* of NULL it would begin anew */
    r.size += part[i].size;
  }
  if (!(r.name = strdup(name))) return um_fail(err, UM_ENOMEM, "%s: no memory for a name", w->file.path);
  w->record[w->count++] = r;
  int status = put_local(w, &r, err);
  for (int i = 0; i < parts && !status; i++) status = put(w, part[i].data, part[i].size, err);
  return status;
}

static int put_central(um_zip_writer *w, const record *r, um_error *err) {
  uint8_t head[CENTRAL + EXTRA64] = {0}, *p = head;
  const bool wide = is_wide(w, r);
  p = put32(p, 0x02014b50);
  p = put16(p, wide ? 45 : 20); /* made by: MS-DOS, so that no mode bits are expected */
  p = put_common(p, r, wide);
  p = put16(p, wide ? EXTRA64 : 0);
  p = put16(p, 0); /* comment, disk, attributes */
  p = put16(p, 0);
  p = put16(p, 0);
  p = put32(p, 0);
  p = put32(p, wide ? UINT32_MAX : (uint32_t)r->local);
  int status = put(w, head, (size_t)(p - head), err);
  if (!status) status = put(w, r->name, strlen(r->name), err);
  if (!status && wide) status = put(w, head, (size_t)(put_extra64(head, r, true) - head), err);
  return status;
}

static int put_end(um_zip_writer *w, uint64_t begin, um_error *err) {
  uint8_t end[END64 + LOCATOR64 + END] = {0}, *p = end;
  const uint64_t bytes = w->at - begin, here = w->at, count = (uint64_t)w->count;
  if (w->options.zip64 || count >= 0xffff || bytes >= UINT32_MAX || begin >= UINT32_MAX) {
    p = put32(p, 0x06064b50);
    p = put64(p, END64 - 12);
    p = put32(put32(put16(put16(p, 45), 45), 0), 0);
    p = put64(put64(p, count), count);
    p = put64(put64(p, bytes), begin);
    p = put32(put32(p, 0x07064b50), 0);
    p = put32(put64(p, here), 1);
  }
  p = put32(p, 0x06054b50);
  p = put16(put16(p, 0), 0);
  const unsigned short_count = count < 0xffff ? (unsigned)count : 0xffff;
  p = put16(put16(p, short_count), short_count);
  p = put32(p, bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX);
  p = put32(p, begin < UINT32_MAX ? (uint32_t)begin : UINT32_MAX);
  p = put16(p, 0);
  return put(w, end, (size_t)(p - end), err);
}

int um_zip_commit(um_zip_writer *w, um_error *err) {
  const uint64_t begin = w->at;
  int status = UM_OK;
  for (int i = 0; i < w->count && !status; i++) status = put_central(w, &w->record[i], err);
  if (!status) status = put_end(w, begin, err);
  if (!status) status = um_writer_commit(&w->file, err);
  um_zip_abandon(w);
  return status;
}

void um_zip_abandon(um_zip_writer *w) {
  if (!w) return;
  um_writer_abandon(&w->file);
  for (int i = 0; i < w->count; i++) free(w->record[i].name);
  free(w->record);
  free(w);
}
