/* numpy's .npz (a zip of .npy) and .npy as a source of weights: arrays named as in the model. Array headers 1.0 to 3.0 (numpy's
 * format.py); numbers of either byte order, C and Fortran order; no pickled objects. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/map.h"
#include "weights/model_data.h"
#include "weights/npz.h"
#include "weights/numbers.h"
#include "weights/zip.h"

enum { HEADER_MAX = 65536, MAX_ARRAYS = 1 << 17, METADATA_MAX = 16 << 20, PREAMBLE = 12 };

typedef struct array {
  int entry; /* of the zip */
  uint64_t begin;
  um_number type;
  bool big, fortran;
} array;

typedef struct npz_file {
  um_map map;  /* .npy */
  um_zip *zip; /* .npz */
  array *array;
  int count, room;
} npz_file;

static void close_file(um_weight_source *s) {
  npz_file *f = s->handle;
  um_zip_close(f->zip);
  um_map_close(&f->map);
  free(f->array);
  free(f);
}

/* ---- the header: a Python dict of 'descr', 'fortran_order' and 'shape' ---- */

typedef struct scanner {
  const char *at, *end;
} scanner;

static void skip_blanks(scanner *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t')) s->at++;
}

static bool accept(scanner *s, const char *text) {
  const size_t n = strlen(text);
  skip_blanks(s);
  if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n) != 0) return false;
  s->at += n;
  return true;
}

/* A quoted text without escapes. */
static bool read_text(scanner *s, char *out, size_t size) {
  const char *quote = accept(s, "'") ? "'" : accept(s, "\"") ? "\"" : NULL;
  size_t n = 0;
  if (!quote) return false;
  while (s->at < s->end && *s->at != *quote) {
    if (n + 1 >= size || *s->at == '\\' || (unsigned char)*s->at < ' ') return false;
    out[n++] = *s->at++;
  }
  out[n] = 0;
  return accept(s, quote);
}

static bool read_shape(scanner *s, um_weight_item *item) {
  if (!accept(s, "(")) return false;
  item->ndim = 0;
  while (!accept(s, ")")) {
    int64_t n = 0;
    const char *first;
    skip_blanks(s);
    for (first = s->at; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
      if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s->at - '0', &n)) return false;
    if (s->at == first || item->ndim == UM_WEIGHT_MAX_DIMS) return false;
    item->dim[item->ndim++] = n;
    accept(s, "L"); /* Python 2 */
    if (!accept(s, ",") && !(s->at < s->end && *s->at == ')')) return false;
  }
  return true;
}

/* Type and byte order of '<f4' and its like; false for what are no numbers. */
static bool read_type(array *a, const char *descr) {
  static const struct {
    const char *name;
    um_number type;
  } types[] = {{"f2", UM_NUMBER_F16}, {"f4", UM_NUMBER_F32},  {"f8", UM_NUMBER_F64}, {"i1", UM_NUMBER_I8},
               {"u1", UM_NUMBER_U8},  {"b1", UM_NUMBER_BOOL}, {"i2", UM_NUMBER_I16}, {"u2", UM_NUMBER_U16},
               {"i4", UM_NUMBER_I32}, {"u4", UM_NUMBER_U32},  {"i8", UM_NUMBER_I64}, {"u8", UM_NUMBER_U64}};
  if (!strchr("<>|=", descr[0]) || !descr[0]) return false;
  a->big = descr[0] == '>';
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(descr + 1, types[i].name) == 0) {
      a->type = types[i].type;
      return true;
    }
  return false;
}

/* `head`: the first bytes of an array of `size` bytes. *numbers false (and a name in descr): an array of something else. */
static int read_header(array *a, um_weight_item *item, bool *numbers, char descr[64], const uint8_t *head, size_t head_size, uint64_t size,
                       const char *where, um_error *err) {
  static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  unsigned seen = 0;
  if (head_size < PREAMBLE || memcmp(head, magic, sizeof magic) != 0)
    return um_fail(err, UM_EFORMAT, "%s: no array of numpy; fetch or copy the file again", where);
  if (head[6] < 1 || head[6] > 3)
    return um_fail(err, UM_EUNSUPPORTED, "%s: array format %d.%d of numpy, expected 1.0 to 3.0", where, head[6], head[7]);
  const size_t begin = head[6] == 1 ? 10 : 12;
  const uint64_t length = head[8] | (uint64_t)head[9] << 8 | (begin == 12 ? (uint64_t)head[10] << 16 | (uint64_t)head[11] << 24 : 0);
  if (length > head_size - begin)
    return um_fail(err, UM_EFORMAT, "%s: a header of %" PRIu64 " bytes, expected at most %zu; fetch or copy the file again", where, length,
                   head_size - begin);
  scanner s = {(const char *)head + begin, (const char *)head + begin + length};
  bool ok = accept(&s, "{"), fits = true;
  *numbers = true;
  while (ok && !accept(&s, "}")) {
    char key[32];
    unsigned bit = 0;
    if (!(ok = read_text(&s, key, sizeof key) && accept(&s, ":"))) break;
    if (strcmp(key, "descr") == 0) {
      bit = 1;
      skip_blanks(&s);
      if (s.at < s.end && *s.at == '[') { /* named fields: what follows is not worth reading */
        snprintf(descr, 64, "fields");
        *numbers = false;
        return UM_OK;
      }
      ok = read_text(&s, descr, 64);
      *numbers = ok && read_type(a, descr);
    } else if (strcmp(key, "fortran_order") == 0) {
      bit = 2;
      a->fortran = accept(&s, "True");
      ok = a->fortran || accept(&s, "False");
    } else if (strcmp(key, "shape") == 0) {
      bit = 4;
      ok = read_shape(&s, item);
    }
    ok = ok && bit && !(seen & bit);
    seen |= bit;
    if (ok && !accept(&s, ",")) ok = s.at < s.end && *s.at == '}';
  }
  if (!ok || seen != 7)
    return um_fail(err, UM_EFORMAT,
                   "%s: its header cannot be understood; expected descr, fortran_order and a shape of at most %d dimensions", where,
                   UM_WEIGHT_MAX_DIMS);
  if (!*numbers) return UM_OK;
  int64_t bytes = (int64_t)um_number_size(a->type);
  bool empty = false;
  for (int i = 0; i < item->ndim; i++) {
    empty |= item->dim[i] == 0;
    if (item->dim[i] > 0) fits = fits && !__builtin_mul_overflow(bytes, item->dim[i], &bytes);
  }
  a->begin = begin + length;
  if (!fits || (empty ? 0 : (uint64_t)bytes) != size - a->begin)
    return um_fail(err, UM_EFORMAT, "%s: %" PRIu64 " bytes of data are not what its shape and type say; fetch or copy the file again",
                   where, size - a->begin);
  snprintf(item->dtype, sizeof item->dtype, "%s", um_number_name(a->type));
  return UM_OK;
}

/* ---- opening ---- */

static int add_array(um_weight_source *s, const char *name, const char *from, int entry, const uint8_t *head, size_t head_size,
                     uint64_t size, um_error *err) {
  npz_file *f = s->handle;
  um_weight_item read = {0};
  array a = {.entry = entry};
  bool numbers = true;
  char descr[64] = "", where[4608];
  snprintf(where, sizeof where, "%.300s: %.200s", s->path, from);
  int status = read_header(&a, &read, &numbers, descr, head, head_size, size, where, err);
  if (status) return status;
  if (!numbers) {
    snprintf(s->note, sizeof s->note, "%.100s was left out: %.50s are no numbers", from, descr);
    return UM_OK;
  }
  if (f->count == f->room) {
    const int room = f->room ? 2 * f->room : 64;
    array *grown = realloc(f->array, sizeof *grown * (size_t)room);
    if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of arrays", s->path);
    f->array = grown;
    f->room = room;
  }
  um_weight_item *item = um_weight_source_add(s, name, from);
  if (!item) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of arrays", s->path);
  item->ndim = read.ndim;
  memcpy(item->dim, read.dim, sizeof item->dim);
  memcpy(item->dtype, read.dtype, sizeof item->dtype);
  f->array[f->count++] = a;
  return UM_OK;
}

static int open_npz(um_weight_source *s, uint8_t *head, um_error *err) {
  npz_file *f = s->handle;
  int status = UM_OK;
  if (um_zip_count(f->zip) > MAX_ARRAYS) return um_fail(err, UM_EUNSUPPORTED, "%s: more than %d arrays", s->path, MAX_ARRAYS);
  for (int i = 0; i < um_zip_count(f->zip) && !status; i++) {
    const um_zip_entry *e = um_zip_at(f->zip, i);
    size_t n = strlen(e->name), head_size = HEADER_MAX;
    if (n <= 4 || strcmp(e->name + n - 4, ".npy") != 0) continue;
    if ((status = um_zip_head(f->zip, i, head, &head_size, err))) break;
    char *from = strndup(e->name, n - 4), *name = from ? strdup(from) : NULL;
    if (name && n > 6 && strcmp(name + n - 6, ":0") == 0) name[n - 6] = 0; /* as TensorFlow names variables */
    status = name ? add_array(s, name, from, i, head, head_size, e->size, err)
                  : um_fail(err, UM_ENOMEM, "%s: no memory for its list of arrays", s->path);
    free(from);
    free(name);
  }
  if (!status && s->count == 0)
    status = um_fail(err, UM_EFORMAT, "%s: no arrays of numbers in it; %s", s->path, s->note[0] ? s->note : "is it an .npz?");
  return status;
}

/* ---- values ---- */

static int read_item(um_weight_source *s, int index, float *values, int64_t count, um_error *err) {
  npz_file *f = s->handle;
  const array *a = &f->array[index];
  const um_weight_item *item = &s->item[index];
  const size_t width = um_number_size(a->type);
  um_zip_bytes bytes = {0};
  const uint8_t *data = f->map.data;
  if (count == 0) return UM_OK;
  if (f->zip) {
    int status = um_zip_get(&bytes, f->zip, a->entry, a->begin + (uint64_t)count * width, err);
    if (status) return status;
    data = bytes.data;
  }
  data += a->begin;
  if (!a->fortran) {
    um_number_floats(values, data, count, a->type, a->big);
  } else {
    int64_t at[UM_WEIGHT_MAX_DIMS] = {0}, stride[UM_WEIGHT_MAX_DIMS], place = 0, step = 1;
    for (int d = 0; d < item->ndim; d++) stride[d] = step, step *= item->dim[d];
    for (int64_t i = 0; i < count; i++) {
      um_number_floats(values + i, data + (uint64_t)place * width, 1, a->type, a->big);
      for (int d = item->ndim - 1; d >= 0; d--) {
        place += stride[d];
        if (++at[d] < item->dim[d]) break;
        place -= stride[d] * item->dim[d];
        at[d] = 0;
      }
    }
  }
  um_zip_drop(&bytes);
  return UM_OK;
}

static const char *find(void *json, const char *key) { return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key)); }

/* The model as um_export_npz describes it. */
static int read_model(um_weight_source *s, um_graph *graph, um_preprocess *p, unsigned *said, um_error *err) {
  npz_file *f = s->handle;
  um_zip_bytes bytes = {0};
  const int entry = f->zip ? um_zip_find(f->zip, UM_NPZ_METADATA) : -1;
  cJSON *json = NULL;
  const char *text = NULL;
  int status = UM_OK;
  *said = 0;
  if (entry >= 0) status = um_zip_get(&bytes, f->zip, entry, METADATA_MAX, err);
  if (!status && bytes.size > 0) json = cJSON_ParseWithLength((const char *)bytes.data, bytes.size);
  if (!status && !(text = find(json, "unmask.graph")))
    status =
        um_fail(err, UM_EUNSUPPORTED, "%s: weights without a model: it must be said which layers they belong to (--config FILE)", s->path);
  if (!status && (status = um_graph_from_json(graph, text, err))) um_fail_context(err, "%s", s->path);
  if (!status) *said = um_model_metadata_read(p, find, json);
  cJSON_Delete(json);
  um_zip_drop(&bytes);
  return status;
}

int um_npz_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err) {
  npz_file *f = calloc(1, sizeof *f);
  uint8_t *head = malloc(HEADER_MAX);
  int status;
  (void)graph;
  if (!f || !head) {
    free(f);
    free(head);
    return um_fail(err, UM_ENOMEM, "%s: no memory to open it", path);
  }
  *s = (um_weight_source){.path = path, .handle = f, .read = read_item, .close = close_file, .model = read_model};
  status = um_map_open(&f->map, path, err);
  if (!status && f->map.size >= 1 && f->map.data[0] == 0x93) {
    snprintf(s->kind, sizeof s->kind, "numpy .npy");
    status = add_array(s, "arr_0", "arr_0", -1, f->map.data, f->map.size < HEADER_MAX ? f->map.size : HEADER_MAX, f->map.size, err);
    if (!status && s->count == 0) status = um_fail(err, UM_EUNSUPPORTED, "%s: %s", path, s->note);
  } else if (!status) {
    snprintf(s->kind, sizeof s->kind, "numpy .npz");
    status = um_zip_open_memory(&f->zip, f->map.data, f->map.size, path, err);
    if (!status) status = open_npz(s, head, err);
  }
  free(head);
  if (status) um_weight_source_close(s);
  return status;
}
