#include "weights/zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "weights/map.h"

enum {
  LOCAL = 30, /* bytes of a local header before the name, and so on */
  CENTRAL = 46,
  END = 22,
  END64 = 56,
  LOCATOR64 = 20,
  NAME_LONGEST = 4096,
  COMMENT_MAX = 65535,
  ENCRYPTED = 1,          /* flags */
  RATIO = 1032,           /* zlib's documentation: no deflate stream does better than 1032:1 */
  RATIO_SLACK = 1032 * 16 /* of tiny streams */
};
static const uint32_t local_mark = 0x04034b50, central_mark = 0x02014b50, end_mark = 0x06054b50, end64_mark = 0x06064b50,
                      locator64_mark = 0x07064b50;

typedef struct entry {
  um_zip_entry public; /* first: um_zip_at hands out its address */
  char *name;
  uint64_t local, begin; /* places of the local header and of the data */
  uint32_t crc;
  bool good; /* the checksum was right once */
} entry;

struct um_zip {
  um_map map; /* data NULL where the bytes are the caller's */
  const uint8_t *data;
  uint64_t size;
  char *path;
  entry *entry;
  int *by_name; /* indices of entries, by name */
  int count;
};

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16; }
static uint64_t get64(const uint8_t *p) { return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32; }

/* True where `length` bytes from `at` on lie within the first `size`. */
static bool within(uint64_t at, uint64_t length, uint64_t size) { return at <= size && length <= size - at; }

typedef struct directory {
  uint64_t at, bytes, count;
} directory;

/* The end record is the last thing in the file, behind it only its comment. */
static int find_end(const um_zip *z, uint64_t *at, um_error *err) {
  if (z->size < END) return um_fail(err, UM_EFORMAT, "%s: %" PRIu64 " bytes, too short for a zip file", z->path, z->size);
  for (uint64_t back = END; back <= z->size && back <= END + COMMENT_MAX; back++) {
    const uint8_t *p = z->data + z->size - back;
    if (get32(p) != end_mark || get16(p + 20) != back - END) continue;
    *at = z->size - back;
    return UM_OK;
  }
  return um_fail(err, UM_EFORMAT, "%s: a zip file without its end: it is cut, or more follows; fetch or copy the file again", z->path);
}

static int find_directory(const um_zip *z, directory *d, um_error *err) {
  uint64_t end = 0;
  int status = find_end(z, &end, err);
  if (status) return status;
  const uint8_t *p = z->data + end;
  uint32_t disk = get16(p + 4), first_disk = get16(p + 6);
  uint64_t here = get16(p + 8), limit = end;
  *d = (directory){.count = get16(p + 10), .bytes = get32(p + 12), .at = get32(p + 16)};
  if (end >= LOCATOR64 && get32(p - LOCATOR64) == locator64_mark) {
    uint64_t at = get64(p - LOCATOR64 + 8);
    limit = end - LOCATOR64;
    if (!within(at, END64, limit) || get32(z->data + at) != end64_mark)
      return um_fail(err, UM_EFORMAT, "%s: its zip64 record is said to be at byte %" PRIu64 " of %" PRIu64 ", but is not there", z->path,
                     at, z->size);
    limit = at;
    p = z->data + at;
    disk = get32(p + 16), first_disk = get32(p + 20), here = get64(p + 24);
    *d = (directory){.count = get64(p + 32), .bytes = get64(p + 40), .at = get64(p + 48)};
  }
  if (disk != 0 || first_disk != 0 || here != d->count)
    return um_fail(err, UM_EUNSUPPORTED, "%s: a zip file in several parts; join them", z->path);
  if (!within(d->at, d->bytes, limit) || d->count > d->bytes / CENTRAL || d->count > INT32_MAX / 2)
    return um_fail(err, UM_EFORMAT,
                   "%s: its directory is said to be %" PRIu64 " entries in %" PRIu64 " bytes from byte %" PRIu64
                   " on, but the file has %" PRIu64 " bytes",
                   z->path, d->count, d->bytes, d->at, z->size);
  return UM_OK;
}

/* Fields that did not fit into 32 bits stand in the extra field 1, in this order. */
static bool read_extra64(const uint8_t *extra, size_t length, entry *e, bool size, bool packed, bool local) {
  while (length >= 4) {
    size_t id = get16(extra), n = get16(extra + 2);
    if (n > length - 4) return false;
    if (id == 1) {
      const uint8_t *p = extra + 4;
      uint64_t *const field[3] = {size ? &e->public.size : NULL, packed ? &e->public.packed : NULL, local ? &e->local : NULL};
      for (int i = 0; i < 3; i++) {
        if (!field[i]) continue;
        if (n < 8) return false;
        *field[i] = get64(p);
        p += 8, n -= 8;
      }
      return true;
    }
    extra += 4 + n;
    length -= 4 + n;
  }
  return !size && !packed && !local;
}

/* One entry of the directory, which has `room` bytes left; *used gets how many it takes. */
static int read_entry(const um_zip *z, entry *e, const uint8_t *p, uint64_t room, uint64_t limit, uint64_t *used, um_error *err) {
  int index = (int)(e - z->entry);
  if (room < CENTRAL || get32(p) != central_mark)
    return um_fail(err, UM_EFORMAT, "%s: entry %d of %d is not in its directory", z->path, index, z->count);
  unsigned flags = get16(p + 8);
  size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
  bool plain = name > 0 && name <= NAME_LONGEST && name + extra + comment <= room - CENTRAL;
  for (size_t i = 0; i < name && plain; i++) plain = p[CENTRAL + i] >= ' ' && p[CENTRAL + i] != 127;
  if (!plain)
    return um_fail(err, UM_EFORMAT, "%s: entry %d of %d has no name that can be (%zu bytes; expected 1 to %d, no control characters)",
                   z->path, index, z->count, name, NAME_LONGEST);
  *used = CENTRAL + name + extra + comment;
  if (!(e->name = strndup((const char *)p + CENTRAL, name))) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of names", z->path);
  e->public = (um_zip_entry){.name = e->name, .method = get16(p + 10), .packed = get32(p + 20), .size = get32(p + 24)};
  e->crc = get32(p + 16);
  e->local = get32(p + 42);
  if (!read_extra64(p + CENTRAL + name, extra, e, e->public.size == UINT32_MAX, e->public.packed == UINT32_MAX, e->local == UINT32_MAX))
    return um_fail(err, UM_EFORMAT, "%s: %s: its zip64 field is damaged", z->path, e->name);
  if (flags & ENCRYPTED) return um_fail(err, UM_EUNSUPPORTED, "%s: %s: encrypted; unpack it with its password first", z->path, e->name);

  /* The local header repeats the name; its sizes may be missing (they follow the data then) and are not asked. */
  if (!within(e->local, LOCAL, limit) || get32(z->data + e->local) != local_mark)
    return um_fail(err, UM_EFORMAT, "%s: %s: said to begin at byte %" PRIu64 ", but does not", z->path, e->name, e->local);
  const uint8_t *l = z->data + e->local;
  uint64_t head = LOCAL + (uint64_t)get16(l + 26) + get16(l + 28);
  if (!within(e->local, head, limit) || get16(l + 26) != name || memcmp(l + LOCAL, e->name, name) != 0)
    return um_fail(err, UM_EFORMAT, "%s: %s: called otherwise where it begins (byte %" PRIu64 ")", z->path, e->name, e->local);
  e->begin = e->local + head;
  if (!within(e->begin, e->public.packed, limit))
    return um_fail(err, UM_EFORMAT, "%s: %s: %" PRIu64 " bytes from byte %" PRIu64 " on, but the directory begins at byte %" PRIu64,
                   z->path, e->name, e->public.packed, e->begin, limit);
  if (e->public.method == 0 && e->public.size != e->public.packed)
    return um_fail(err, UM_EFORMAT, "%s: %s: stored, yet %" PRIu64 " bytes take %" PRIu64, z->path, e->name, e->public.size,
                   e->public.packed);
  if (e->public.size > RATIO_SLACK && (e->public.size - RATIO_SLACK) / RATIO > e->public.packed)
    return um_fail(err, UM_EFORMAT, "%s: %s: said to unpack to %" PRIu64 " bytes from %" PRIu64 ", more than is possible", z->path, e->name,
                   e->public.size, e->public.packed);
  return UM_OK;
}

static int compare_names(const void *a, const void *b, void *entries) {
  const entry *e = entries;
  return strcmp(e[*(const int *)a].name, e[*(const int *)b].name);
}

static int compare_places(const void *a, const void *b, void *entries) {
  const entry *e = entries;
  uint64_t x = e[*(const int *)a].local, y = e[*(const int *)b].local;
  return x < y ? -1 : x > y;
}

/* No two entries share bytes (which is how small archives become large ones) or a name. */
static int check_apart(um_zip *z, um_error *err) {
  for (int i = 0; i < z->count; i++) z->by_name[i] = i;
  qsort_r(z->by_name, (size_t)z->count, sizeof *z->by_name, compare_places, z->entry);
  for (int i = 1; i < z->count; i++) {
    const entry *a = &z->entry[z->by_name[i - 1]], *b = &z->entry[z->by_name[i]];
    if (a->begin + a->public.packed > b->local) return um_fail(err, UM_EFORMAT, "%s: %s and %s overlap", z->path, a->name, b->name);
  }
  qsort_r(z->by_name, (size_t)z->count, sizeof *z->by_name, compare_names, z->entry);
  for (int i = 1; i < z->count; i++)
    if (strcmp(z->entry[z->by_name[i - 1]].name, z->entry[z->by_name[i]].name) == 0)
      return um_fail(err, UM_EFORMAT, "%s: %s stands there twice", z->path, z->entry[z->by_name[i]].name);
  return UM_OK;
}

static int read_directory(um_zip *z, um_error *err) {
  directory d = {0};
  int status = find_directory(z, &d, err);
  if (status) return status;
  z->entry = calloc((size_t)d.count + 1, sizeof *z->entry);
  z->by_name = calloc((size_t)d.count + 1, sizeof *z->by_name);
  if (!z->entry || !z->by_name) return um_fail(err, UM_ENOMEM, "%s: no memory for a list of %" PRIu64 " entries", z->path, d.count);
  z->count = (int)d.count;
  uint64_t at = 0;
  for (int i = 0; i < z->count; i++) {
    uint64_t used = 0;
    status = read_entry(z, &z->entry[i], z->data + d.at + at, d.bytes - at, d.at, &used, err);
    if (status) return status;
    at += used;
  }
  if (at != d.bytes) return um_fail(err, UM_EFORMAT, "%s: its directory goes on after its %d entries", z->path, z->count);
  return check_apart(z, err);
}

static int open_archive(um_zip **out, const char *path, const void *data, size_t size, um_error *err) {
  um_zip *z = calloc(1, sizeof *z);
  int status = UM_OK;
  *out = NULL;
  if (!z || !(z->path = strdup(path))) status = um_fail(err, UM_ENOMEM, "%s: no memory to open it", path);
  if (!status && !data) status = um_map_open(&z->map, path, err);
  if (!status) {
    z->data = data ? data : z->map.data;
    z->size = data ? size : z->map.size;
    status = read_directory(z, err);
  }
  if (status)
    um_zip_close(z);
  else
    *out = z;
  return status;
}

int um_zip_open(um_zip **out, const char *path, um_error *err) { return open_archive(out, path, NULL, 0, err); }

int um_zip_open_memory(um_zip **out, const void *data, size_t size, const char *path, um_error *err) {
  return open_archive(out, path, size ? data : "", size, err);
}

void um_zip_close(um_zip *z) {
  if (!z) return;
  for (int i = 0; i < z->count; i++) free(z->entry[i].name);
  free(z->entry);
  free(z->by_name);
  um_map_close(&z->map);
  free(z->path);
  free(z);
}

int um_zip_count(const um_zip *z) { return z->count; }

const um_zip_entry *um_zip_at(const um_zip *z, int index) { return index >= 0 && index < z->count ? &z->entry[index].public : NULL; }

int um_zip_find(const um_zip *z, const char *name) {
  int low = 0, high = z->count;
  while (low < high) {
    int middle = low + (high - low) / 2, order = strcmp(z->entry[z->by_name[middle]].name, name);
    if (order == 0) return z->by_name[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

static uint32_t crc_of(uint32_t crc, const uint8_t *data, uint64_t size) {
  while (size > 0) {
    uInt part = size > 1u << 30 ? 1u << 30 : (uInt)size;
    crc = (uint32_t)crc32(crc, data, part);
    data += part;
    size -= part;
  }
  return crc;
}

/* All of an entry's stream into its size; zlib counts in 32 bits. */
static bool inflate_entry(const um_zip *z, const entry *e, uint8_t *out, bool *memory) {
  const uint64_t most = 1u << 30;
  uint64_t in_left = e->public.packed, out_left = e->public.size;
  z_stream s = {.next_in = (Bytef *)(uintptr_t)(z->data + e->begin), .next_out = out};
  *memory = true;
  if (inflateInit2(&s, -MAX_WBITS) != Z_OK) return *memory = false;
  int code = Z_OK;
  uint8_t none;
  if (e->public.size == 0) s.next_out = &none; /* zlib wants an address even where it may write nothing */
  while (code == Z_OK) {
    if (s.avail_in == 0) s.avail_in = (uInt)(in_left < most ? in_left : most), in_left -= s.avail_in;
    if (s.avail_out == 0) s.avail_out = (uInt)(out_left < most ? out_left : most), out_left -= s.avail_out;
    code = inflate(&s, Z_NO_FLUSH);
  }
  if (code == Z_MEM_ERROR) *memory = false;
  bool whole = code == Z_STREAM_END && s.avail_in == 0 && in_left == 0 && s.avail_out == 0 && out_left == 0;
  inflateEnd(&s);
  return whole;
}

int um_zip_head(um_zip *z, int index, uint8_t *out, size_t *size, um_error *err) {
  const entry *e = &z->entry[index];
  const uint64_t want = *size < e->public.size ? *size : e->public.size;
  if (e->public.method == 0) {
    memcpy(out, z->data + e->begin, want);
  } else if (e->public.method == 8) {
    z_stream s = {.next_in = (Bytef *)(uintptr_t)(z->data + e->begin), .next_out = out};
    s.avail_in = (uInt)(e->public.packed < 1u << 30 ? e->public.packed : 1u << 30);
    s.avail_out = (uInt)(want < 1u << 30 ? want : 1u << 30);
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK) return um_fail(err, UM_ENOMEM, "%s: %s: no memory to unpack it", z->path, e->name);
    if (want > 0) inflate(&s, Z_SYNC_FLUSH);
    const bool whole = s.avail_out == 0;
    inflateEnd(&s);
    if (!whole) return um_fail(err, UM_EFORMAT, "%s: %s: cannot be unpacked: damaged; fetch or copy the file again", z->path, e->name);
  } else {
    return um_fail(err, UM_EUNSUPPORTED, "%s: %s: compression method %d, expected 0 (stored) or 8 (deflate)", z->path, e->name,
                   e->public.method);
  }
  *size = (size_t)want;
  return UM_OK;
}

int um_zip_get(um_zip_bytes *out, um_zip *z, int index, uint64_t max, um_error *err) {
  entry *e = &z->entry[index];
  const uint8_t *data = z->data + e->begin;
  uint8_t *owned = NULL;
  *out = (um_zip_bytes){0};
  if (e->public.size > max)
    return um_fail(err, UM_EFORMAT, "%s: %s: %" PRIu64 " bytes, expected at most %" PRIu64, z->path, e->name, e->public.size, max);
  if (e->public.method == 8) {
    bool memory = (owned = malloc(e->public.size + 1)) != NULL;
    bool whole = owned && inflate_entry(z, e, owned, &memory);
    if (!whole) free(owned);
    if (!memory) return um_fail(err, UM_ENOMEM, "%s: %s: no memory for %" PRIu64 " bytes", z->path, e->name, e->public.size);
    if (!whole)
      return um_fail(err, UM_EFORMAT, "%s: %s: does not unpack to its %" PRIu64 " bytes: damaged; fetch or copy the file again", z->path,
                     e->name, e->public.size);
    data = owned;
  } else if (e->public.method != 0) {
    return um_fail(err, UM_EUNSUPPORTED, "%s: %s: compression method %d, expected 0 (stored) or 8 (deflate)", z->path, e->name,
                   e->public.method);
  }
  if (!e->good && crc_of(0, data, e->public.size) != e->crc) {
    free(owned);
    return um_fail(err, UM_EFORMAT, "%s: %s: its checksum is wrong: damaged; fetch or copy the file again", z->path, e->name);
  }
  e->good = true;
  *out = (um_zip_bytes){data, (size_t)e->public.size, owned};
  return UM_OK;
}

void um_zip_drop(um_zip_bytes *bytes) {
  free(bytes->owned);
  *bytes = (um_zip_bytes){0};
}
