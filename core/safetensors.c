#include "core/safetensors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

#define HEADER_MAX 100000000u /* as in the safetensors library */

typedef struct entry {
  um_st_entry public; /* first: um_st_at hands out its address */
  uint64_t begin, end;
  void *copy; /* where the file has a tensor at an address that its type cannot be read from */
} entry;

struct um_st {
  char *path;
  uint8_t *map;
  size_t size;
  cJSON *header;
  const cJSON *metadata;
  entry *entry;
  int count;
};

static const struct {
  const char *name;
  um_dtype dtype;
} dtypes[] = {{"F32", UM_F32}, {"BF16", UM_BF16}, {"F16", UM_F16}, {"U8", UM_U8}, {"I32", UM_I32}};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

/* A whole number from 0 to 2^53 (beyond that a double no longer counts by ones); false otherwise. */
static bool read_count(const cJSON *item, uint64_t *out) {
  if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) || item->valuedouble > 9007199254740992.0) return false;
  *out = (uint64_t)item->valuedouble;
  return (double)*out == item->valuedouble;
}

/* One tensor of the header: type, shape and place agree with each other and with the data section of `data_size` bytes. */
static int read_entry(um_st *st, entry *e, const cJSON *item, uint64_t data_size, um_error *err) {
  const char *name = item->string;
  const cJSON *dtype = NULL, *shape = NULL, *offsets = NULL;
  uint64_t bytes;
  int ndim = 0;

  if (!cJSON_IsObject(item))
    return um_fail(err, UM_EFORMAT, "%s: %s: expected an object with dtype, shape and data_offsets", st->path, name);
  for (const cJSON *field = item->child; field; field = field->next) {
    const cJSON **slot = strcmp(field->string, "dtype") == 0          ? &dtype
                         : strcmp(field->string, "shape") == 0        ? &shape
                         : strcmp(field->string, "data_offsets") == 0 ? &offsets
                                                                      : NULL;
    if (!slot) return um_fail(err, UM_EFORMAT, "%s: %s: unknown field \"%.40s\"", st->path, name, field->string);
    if (*slot) return um_fail(err, UM_EFORMAT, "%s: %s: \"%s\" stands there twice", st->path, name, field->string);
    *slot = field;
  }
  if (!cJSON_IsString(dtype)) return um_fail(err, UM_EFORMAT, "%s: %s: no dtype", st->path, name);
  int d = 0;
  while (d < DTYPES && strcmp(dtype->valuestring, dtypes[d].name) != 0) d++;
  if (d == DTYPES)
    return um_fail(err, UM_EUNSUPPORTED, "%s: %s: dtype \"%.20s\", expected one of F32, BF16, F16, U8, I32", st->path, name,
                   dtype->valuestring);
  e->public.name = name;
  e->public.tensor.dtype = dtypes[d].dtype;

  if (!cJSON_IsArray(shape)) return um_fail(err, UM_EFORMAT, "%s: %s: no shape", st->path, name);
  bytes = um_dtype_size(dtypes[d].dtype);
  for (const cJSON *dim = shape->child; dim; dim = dim->next, ndim++) {
    uint64_t n;
    if (ndim == UM_MAX_DIMS) return um_fail(err, UM_EUNSUPPORTED, "%s: %s: more than %d dimensions", st->path, name, UM_MAX_DIMS);
    /* No dimension above 2^53, so the product of two factors fits once it is checked. */
    if (!read_count(dim, &n) || (n > 0 && bytes > UINT64_MAX / 2 / n))
      return um_fail(err, UM_EFORMAT, "%s: %s: dimension %d of the shape is not a size that memory can have", st->path, name, ndim);
    bytes *= n;
    e->public.tensor.dim[ndim] = (int64_t)n;
  }
  e->public.tensor.ndim = ndim;

  if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || !read_count(offsets->child, &e->begin) ||
      !read_count(offsets->child->next, &e->end))
    return um_fail(err, UM_EFORMAT, "%s: %s: data_offsets: expected two whole numbers", st->path, name);
  if (e->begin > e->end || e->end > data_size)
    return um_fail(err, UM_EFORMAT, "%s: %s: data from byte %" PRIu64 " to %" PRIu64 ", but the file holds %" PRIu64 " bytes of data%s",
                   st->path, name, e->begin, e->end, data_size, e->begin > e->end ? "" : "; it is cut or of another making");
  if (e->end - e->begin != bytes)
    return um_fail(err, UM_EFORMAT, "%s: %s: %" PRIu64 " bytes of data, expected %" PRIu64 " for its shape and type", st->path, name,
                   e->end - e->begin, bytes);
  e->public.tensor.bytes = (size_t)bytes;
  return UM_OK;
}

static int read_metadata(um_st *st, const cJSON *item, um_error *err) {
  if (st->metadata) return um_fail(err, UM_EFORMAT, "%s: __metadata__ stands there twice", st->path);
  if (!cJSON_IsObject(item)) return um_fail(err, UM_EFORMAT, "%s: __metadata__: expected an object", st->path);
  for (const cJSON *pair = item->child; pair; pair = pair->next)
    if (!cJSON_IsString(pair)) return um_fail(err, UM_EFORMAT, "%s: __metadata__: %.60s: expected text", st->path, pair->string);
  st->metadata = item;
  return UM_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(((const entry *)a)->public.name, ((const entry *)b)->public.name); }

static int by_place(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

/* The tensors must tile the data section, as the safetensors library demands: no gap, no overlap, nothing behind. Afterwards they
 * are in the order of their places in the file. */
static int check_places(um_st *st, uint64_t data_size, um_error *err) {
  uint64_t at = 0;
  qsort(st->entry, (size_t)st->count, sizeof *st->entry, by_name);
  for (int i = 1; i < st->count; i++)
    if (strcmp(st->entry[i - 1].public.name, st->entry[i].public.name) == 0)
      return um_fail(err, UM_EFORMAT, "%s: %s: stands there twice", st->path, st->entry[i].public.name);
  qsort(st->entry, (size_t)st->count, sizeof *st->entry, by_place);
  for (int i = 0; i < st->count; i++) {
    if (st->entry[i].begin != at)
      return um_fail(err, UM_EFORMAT, "%s: %s: begins at byte %" PRIu64 ", expected %" PRIu64 ": tensors %s", st->path,
                     st->entry[i].public.name, st->entry[i].begin, at, st->entry[i].begin < at ? "overlap" : "leave a gap");
    at = st->entry[i].end;
  }
  if (at != data_size)
    return um_fail(err, UM_EFORMAT, "%s: %" PRIu64 " bytes of data, expected %" PRIu64 " by its header", st->path, data_size, at);
  return UM_OK;
}

/* Points every tensor at its data; our own files and the library's keep it aligned, others' may not. */
static int place(um_st *st, const uint8_t *data, um_error *err) {
  for (int i = 0; i < st->count; i++) {
    entry *e = &st->entry[i];
    const uint8_t *at = data + e->begin;
    if ((uintptr_t)at % um_dtype_size(e->public.tensor.dtype) != 0 && e->public.tensor.bytes > 0) {
      e->copy = malloc(e->public.tensor.bytes);
      if (!e->copy) return um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", st->path, e->public.tensor.bytes);
      memcpy(e->copy, at, e->public.tensor.bytes);
      at = e->copy;
    }
    e->public.tensor.data = (void *)(uintptr_t)at;
  }
  return UM_OK;
}

static int map_file(um_st *st, um_error *err) {
  struct stat s;
  int status = UM_OK, fd = open(st->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return um_fail(err, UM_EIO, "%s: %s", st->path, strerror(errno));
  if (fstat(fd, &s) != 0) {
    status = um_fail(err, UM_EIO, "%s: %s", st->path, strerror(errno));
  } else if (!S_ISREG(s.st_mode)) {
    status = um_fail(err, UM_EIO, "%s: expected a file, found %s", st->path, S_ISDIR(s.st_mode) ? "a folder" : "something else");
  } else if (s.st_size < 8) {
    status = um_fail(err, UM_EFORMAT, "%s: %lld bytes, too short for a safetensors file", st->path, (long long)s.st_size);
  } else {
    void *map = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
      status = um_fail(err, UM_EIO, "%s: cannot be mapped: %s", st->path, strerror(errno));
    } else {
      st->map = map;
      st->size = (size_t)s.st_size;
    }
  }
  close(fd);
  return status;
}

int um_st_open(um_st **out, const char *path, um_error *err) {
  um_st *st = calloc(1, sizeof *st);
  uint64_t length = 0, data_size;
  const char *end = NULL, *text;
  int status, n = 0;

  *out = NULL;
  if (!st || !(st->path = strdup(path))) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory", path);
    goto done;
  }
  if ((status = map_file(st, err))) goto done;
  for (int i = 7; i >= 0; i--) length = length << 8 | st->map[i];
  if (length > HEADER_MAX || length > st->size - 8) {
    status = um_fail(err, UM_EFORMAT, "%s: not a safetensors file, or cut: it claims a header of %" PRIu64 " bytes and holds %zu", path,
                     length, st->size - 8);
    goto done;
  }
  text = (const char *)st->map + 8;
  data_size = st->size - 8 - length;
  if (length < 2 || text[0] != '{') {
    status = um_fail(err, UM_EFORMAT, "%s: not a safetensors file: its header does not begin with {", path);
    goto done;
  }
  /* cJSON bounds the nesting (CJSON_NESTING_LIMIT); the header is as long as the file says, padding spaces included. */
  st->header = cJSON_ParseWithLengthOpts(text, (size_t)length, &end, 0);
  if (!st->header) {
    status = um_fail(err, UM_EFORMAT, "%s: the header is not JSON: wrong at byte %td of %" PRIu64, path, end ? end - text : 0, length);
    goto done;
  }
  for (const char *c = end; c < text + length; c++) {
    if (*c == ' ') continue;
    status = um_fail(err, UM_EFORMAT, "%s: the header goes on after its JSON, at byte %td", path, c - text);
    goto done;
  }
  for (const cJSON *item = st->header->child; item; item = item->next) n++;
  st->entry = calloc((size_t)n + 1, sizeof *st->entry);
  if (!st->entry) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for %d tensors", path, n);
    goto done;
  }
  for (const cJSON *item = st->header->child; item; item = item->next) {
    if (strcmp(item->string, "__metadata__") == 0)
      status = read_metadata(st, item, err);
    else
      status = read_entry(st, &st->entry[st->count++], item, data_size, err);
    if (status) goto done;
  }
  if ((status = check_places(st, data_size, err))) goto done;
  if ((status = place(st, st->map + 8 + length, err))) goto done;
  *out = st;
  st = NULL;
done:
  um_st_close(st);
  return status;
}

void um_st_close(um_st *st) {
  if (!st) return;
  for (int i = 0; i < st->count; i++) free(st->entry[i].copy);
  free(st->entry);
  cJSON_Delete(st->header);
  if (st->map) munmap(st->map, st->size);
  free(st->path);
  free(st);
}

int um_st_count(const um_st *st) { return st->count; }

const um_st_entry *um_st_at(const um_st *st, int i) { return i >= 0 && i < st->count ? &st->entry[i].public : NULL; }

const um_st_entry *um_st_find(const um_st *st, const char *name) {
  for (int i = 0; i < st->count; i++)
    if (strcmp(st->entry[i].public.name, name) == 0) return &st->entry[i].public;
  return NULL;
}

const char *um_st_metadata(const um_st *st, const char *key) {
  const cJSON *item = st->metadata ? cJSON_GetObjectItemCaseSensitive(st->metadata, key) : NULL;
  return item ? item->valuestring : NULL;
}

static size_t entry_bytes(const um_st_entry *e) { return (size_t)um_tensor_count(&e->tensor) * um_dtype_size(e->tensor.dtype); }

/* The header's text: metadata, then the tensors in the order that they will be written in. */
static char *header_text(const um_st_entry *const *order, int count, const char *const *metadata) {
  cJSON *root = cJSON_CreateObject();
  char *text = NULL;
  uint64_t at = 0;
  bool ok = root != NULL;

  if (ok && metadata && metadata[0]) {
    cJSON *m = cJSON_AddObjectToObject(root, "__metadata__");
    ok = m != NULL;
    for (int i = 0; ok && metadata[i]; i += 2) ok = cJSON_AddStringToObject(m, metadata[i], metadata[i + 1]) != NULL;
  }
  for (int i = 0; ok && i < count; i++) {
    const um_tensor *t = &order[i]->tensor;
    cJSON *item = cJSON_AddObjectToObject(root, order[i]->name);
    cJSON *shape = NULL, *offsets = NULL;
    const char *dtype = "";
    for (int d = 0; d < DTYPES; d++)
      if (dtypes[d].dtype == t->dtype) dtype = dtypes[d].name;
    ok = item && cJSON_AddStringToObject(item, "dtype", dtype) && (shape = cJSON_AddArrayToObject(item, "shape")) != NULL &&
         (offsets = cJSON_AddArrayToObject(item, "data_offsets")) != NULL;
    for (int d = 0; ok && d < t->ndim; d++) ok = cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->dim[d]));
    ok = ok && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)at));
    at += entry_bytes(order[i]);
    ok = ok && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)at));
  }
  if (ok) text = cJSON_PrintUnformatted(root);
  cJSON_Delete(root);
  return text;
}

int um_st_write_from(const char *path, const um_st_entry *entries, int count, const char *const *metadata, um_st_source source, void *arg,
                     um_error *err) {
  const um_st_entry **order = calloc((size_t)count + 1, sizeof *order);
  char *text = NULL;
  void *buffer = NULL;
  um_writer w = {0};
  uint64_t length;
  size_t largest = 0;
  uint8_t prefix[8];
  int status = UM_OK, n = 0;

  if (!order) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for the header", path);
    goto done;
  }
  /* Wider types first, so that each tensor's data is aligned to its type; the order given otherwise. */
  for (size_t width = 4; width > 0; width /= 2)
    for (int i = 0; i < count; i++)
      if (um_dtype_size(entries[i].tensor.dtype) == width) order[n++] = &entries[i];
  for (int i = 0; source && i < n; i++)
    if (entry_bytes(order[i]) > largest) largest = entry_bytes(order[i]);
  if (largest > 0) buffer = malloc(largest);
  text = header_text(order, n, metadata);
  if (!text || (largest > 0 && !buffer)) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes and the header", path, largest);
    goto done;
  }
  if ((status = um_writer_open(&w, path, err))) goto done;
  length = (strlen(text) + 7) / 8 * 8;
  for (int i = 0; i < 8; i++) prefix[i] = (uint8_t)(length >> 8 * i);
  errno = 0;
  bool ok = fwrite(prefix, 1, 8, w.file) == 8 && fprintf(w.file, "%-*s", (int)length, text) == (int)length;
  for (int i = 0; ok && i < n; i++) {
    size_t bytes = entry_bytes(order[i]);
    if (source && (status = source(arg, (int)(order[i] - entries), buffer, err))) goto done;
    ok = bytes == 0 || fwrite(source ? buffer : order[i]->tensor.data, 1, bytes, w.file) == bytes;
  }
  if (!ok) {
    status = um_fail(err, UM_EIO, "%s: cannot write: %s; nothing was changed", path, strerror(errno ? errno : EIO));
    goto done;
  }
  status = um_writer_commit(&w, err);
done:
  um_writer_abandon(&w);
  free(buffer);
  free(text);
  free(order);
  return status;
}

int um_st_write(const char *path, const um_st_entry *entries, int count, const char *const *metadata, um_error *err) {
  return um_st_write_from(path, entries, count, metadata, NULL, NULL, err);
}
