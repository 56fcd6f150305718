/* State dicts that torch.save wrote: a zip of data.pkl and a file a storage (since PyTorch 1.6), or before that five pickles and the
 * storages one after the other. Also checkpoints that hold the state dict under a usual key. TorchScript and whole pickled modules are
 * refused: they need Python's classes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/map.h"
#include "weights/numbers.h"
#include "weights/pickle.h"
#include "weights/source.h"
#include "weights/zip.h"

enum { MAX_PICKLE = 64 << 20, MAX_NAME = 1024, MAX_TENSORS = 1 << 17, MAX_WRAPS = 3 };

/* What the pickles of state dicts refer to; the storages follow, in the order of `storages`. */
enum { REBUILD_V2, REBUILD, REBUILD_PARAMETER, FIRST_STORAGE };
static const char *const globals[] = {"torch._utils._rebuild_tensor_v2",
                                      "torch._utils._rebuild_tensor",
                                      "torch._utils._rebuild_parameter",
                                      "torch.FloatStorage",
                                      "torch.DoubleStorage",
                                      "torch.HalfStorage",
                                      "torch.BFloat16Storage",
                                      "torch.LongStorage",
                                      "torch.IntStorage",
                                      "torch.ShortStorage",
                                      "torch.CharStorage",
                                      "torch.ByteStorage",
                                      "torch.BoolStorage",
                                      NULL};
static const um_number storages[] = {UM_NUMBER_F32, UM_NUMBER_F64, UM_NUMBER_F16, UM_NUMBER_BF16, UM_NUMBER_I64,
                                     UM_NUMBER_I32, UM_NUMBER_I16, UM_NUMBER_I8,  UM_NUMBER_U8,   UM_NUMBER_BOOL};

static const char again[] = "fetch or copy the file again";

/* A storage as the pickle names it. */
typedef struct storage {
  const um_pickle_value *key;
  um_number type;
  int64_t count;   /* numbers in it */
  int64_t offset;  /* of the part that this reference means (old views) */
  int64_t visible; /* numbers in that part */
} storage;

typedef struct tensor {
  storage of;
  int64_t offset, stride[UM_WEIGHT_MAX_DIMS];
  int entry;      /* of the zip */
  uint64_t place; /* in a legacy file */
} tensor;

/* Where a storage of a legacy file lies. */
typedef struct place {
  storage of;
  uint64_t at;
} place;

typedef struct torch_file {
  um_map map;
  um_zip *zip; /* NULL: legacy */
  um_zip_bytes pickled;
  um_pickle pickle;
  char prefix[MAX_NAME]; /* "archive/" */
  tensor *tensor;
  int count, room;
  place *place; /* sorted by key */
  int places;
  um_zip_bytes last; /* an unpacked storage, which several tensors may share */
  int last_entry;
} torch_file;

static void close_file(um_weight_source *s) {
  torch_file *t = s->handle;
  um_pickle_free(&t->pickle);
  um_zip_drop(&t->pickled);
  um_zip_drop(&t->last);
  um_zip_close(t->zip);
  um_map_close(&t->map);
  free(t->tensor);
  free(t->place);
  free(t);
}

/* ---- from pickled values to descriptions ---- */

static bool count_of(const um_pickle_value *v, int64_t *out) {
  if (v->kind != UM_PICKLE_INT || v->integer < 0) return false;
  *out = v->integer;
  return true;
}

/* ("storage", class, key, location, count[, None or (key, offset, count)]) */
static bool read_storage(storage *out, const um_pickle_value *v) {
  const um_pickle_value *id = v->kind == UM_PICKLE_PERSISTENT ? v->item[0] : NULL;
  if (!id || id->kind != UM_PICKLE_TUPLE || id->count < 5 || id->count > 6 || !um_pickle_is(id->item[0], "storage")) return false;
  const um_pickle_value *class = id->item[1], *view = id->count == 6 ? id->item[5] : NULL;
  *out = (storage){.key = id->item[2]};
  if (class->kind != UM_PICKLE_GLOBAL || class->integer < FIRST_STORAGE || out->key->kind != UM_PICKLE_TEXT) return false;
  out->type = storages[class->integer - FIRST_STORAGE];
  if (!count_of(id->item[4], &out->count) || out->count > INT64_MAX / 8) return false;
  out->visible = out->count;
  if (!view || view->kind == UM_PICKLE_NONE) return true;
  return view->kind == UM_PICKLE_TUPLE && view->count == 3 && count_of(view->item[1], &out->offset) &&
         count_of(view->item[2], &out->visible) && out->offset <= out->count && out->visible <= out->count - out->offset;
}

/* The call that rebuilds a tensor, out of the one that makes it a parameter; NULL where v is neither. */
static const um_pickle_value *rebuild_call(const um_pickle_value *v) {
  for (int i = 0; i < 2 && v->kind == UM_PICKLE_CALL; i++) {
    const um_pickle_value *arguments = v->item[1];
    if (v->item[0]->integer == REBUILD_V2 || v->item[0]->integer == REBUILD) return arguments->count >= 4 ? v : NULL;
    if (v->item[0]->integer != REBUILD_PARAMETER || arguments->count < 1) return NULL;
    v = arguments->item[0];
  }
  return NULL;
}

/* Shape, strides and offset, held against the storage: no element lies outside, and no more are there than the storage has. */
static int read_tensor(tensor *t, um_weight_item *item, const um_pickle_value *call, const char *path, um_error *err) {
  um_pickle_value *const *a = call->item[1]->item;
  const um_pickle_value *size = a[2], *stride = a[3];
  int64_t count = 1, last = 0;
  if (!read_storage(&t->of, a[0]) || !count_of(a[1], &t->offset) || size->kind != UM_PICKLE_TUPLE || stride->kind != UM_PICKLE_TUPLE ||
      size->count != stride->count)
    return um_fail(err, UM_EFORMAT, "%s: %s: its description cannot be understood; %s", path, item->from, again);
  if (size->count > UM_WEIGHT_MAX_DIMS)
    return um_fail(err, UM_EUNSUPPORTED, "%s: %s: %u dimensions, expected at most %d", path, item->from, size->count, UM_WEIGHT_MAX_DIMS);
  item->ndim = (int)size->count;
  for (int i = 0; i < item->ndim; i++)
    if (!count_of(size->item[i], &item->dim[i]) || !count_of(stride->item[i], &t->stride[i]))
      return um_fail(err, UM_EFORMAT, "%s: %s: size or stride %d is no whole number from 0 on; %s", path, item->from, i, again);
  bool fits = true, empty = false;
  for (int i = 0; i < item->ndim; i++) {
    int64_t step;
    if (item->dim[i] <= 1) t->stride[i] = 0; /* never stepped; files have any number there */
    empty |= item->dim[i] == 0;
    fits = fits && (item->dim[i] == 0 || !__builtin_mul_overflow(count, item->dim[i], &count)) &&
           !__builtin_mul_overflow(item->dim[i] > 0 ? item->dim[i] - 1 : 0, t->stride[i], &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  fits = fits && (empty || (!__builtin_add_overflow(last, t->offset, &last) && last < t->of.visible));
  if (!fits)
    return um_fail(err, UM_EFORMAT, "%s: %s: shape, strides and offset %" PRId64 " reach beyond its storage of %" PRId64 " numbers; %s",
                   path, item->from, t->offset, t->of.visible, again);
  if (!empty && count > t->of.count)
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: %s: an expanded tensor (%" PRId64 " numbers out of %" PRId64 "); in Python: save tensor.contiguous()", path,
                   item->from, count, t->of.count);
  snprintf(item->dtype, sizeof item->dtype, "%s", um_number_name(t->of.type));
  return UM_OK;
}

static int compare_texts(const um_pickle_value *a, const um_pickle_value *b) {
  uint32_t n = a->count < b->count ? a->count : b->count;
  int order = n ? memcmp(a->text, b->text, n) : 0;
  return order ? order : a->count < b->count ? -1 : a->count > b->count;
}

static int compare_places(const void *a, const void *b) { return compare_texts(((const place *)a)->of.key, ((const place *)b)->of.key); }

/* Finds the bytes of a tensor's storage; they must be as many as the pickle says. */
static int locate(torch_file *f, tensor *t, const um_weight_item *item, const char *path, um_error *err) {
  const uint64_t bytes = (uint64_t)t->of.count * um_number_size(t->of.type);
  const um_pickle_value *key = t->of.key;
  if (!f->zip) {
    const place wanted = {.of = t->of}, *p = bsearch(&wanted, f->place, (size_t)f->places, sizeof *p, compare_places);
    if (!p || p->at == 0) return um_fail(err, UM_EFORMAT, "%s: %s: its storage is not in the file; %s", path, item->from, again);
    t->place = p->at;
    return UM_OK;
  }
  char name[2 * MAX_NAME + 8];
  if (key->count > MAX_NAME || memchr(key->text, 0, key->count))
    return um_fail(err, UM_EFORMAT, "%s: %s: its storage has no name; %s", path, item->from, again);
  snprintf(name, sizeof name, "%sdata/%.*s", f->prefix, (int)key->count, key->text);
  t->entry = um_zip_find(f->zip, name);
  if (t->entry < 0) return um_fail(err, UM_EFORMAT, "%s: %s: its storage is not in the file; %s", path, item->from, again);
  const um_zip_entry *e = um_zip_at(f->zip, t->entry);
  if (e->size != bytes)
    return um_fail(err, UM_EFORMAT, "%s: %s: %s holds %" PRIu64 " bytes, expected %" PRIu64 " for %" PRId64 " numbers; %s", path,
                   item->from, name, e->size, bytes, t->of.count, again);
  return UM_OK;
}

static int add_tensor(um_weight_source *s, const um_pickle_value *key, const um_pickle_value *call, um_error *err) {
  torch_file *f = s->handle;
  char name[MAX_NAME];
  bool plain = key->count > 0 && key->count < sizeof name;
  for (uint32_t i = 0; i < key->count && plain; i++) plain = (uint8_t)key->text[i] >= ' ' && key->text[i] != 127;
  if (!plain)
    return um_fail(err, UM_EFORMAT, "%s: tensor %d has a name of %u bytes, expected 1 to %d without control characters", s->path, s->count,
                   key->count, MAX_NAME - 1);
  if (s->count >= MAX_TENSORS) return um_fail(err, UM_EUNSUPPORTED, "%s: more than %d tensors", s->path, MAX_TENSORS);
  memcpy(name, key->text, key->count);
  name[key->count] = 0;
  if (f->count == f->room) {
    int room = f->room ? 2 * f->room : 64;
    tensor *grown = realloc(f->tensor, sizeof *grown * (size_t)room);
    if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
    f->tensor = grown;
    f->room = room;
  }
  um_weight_item *item = um_weight_source_add(s, name, name);
  if (!item) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
  tensor *t = &f->tensor[f->count++];
  *t = (tensor){0};
  int status = read_tensor(t, item, call, s->path, err);
  return status ? status : locate(f, t, item, s->path, err);
}

static int add_tensors(um_weight_source *s, const um_pickle_value *dict, um_error *err) {
  int status = UM_OK;
  for (uint32_t i = 0; i + 1 < dict->count && !status; i += 2) {
    const um_pickle_value *call = rebuild_call(dict->item[i + 1]);
    if (call && dict->item[i]->kind == UM_PICKLE_TEXT) status = add_tensor(s, dict->item[i], call, err);
  }
  return status;
}

/* The state dict, itself or below the keys that checkpoints usually have it under. */
static int read_root(um_weight_source *s, const um_pickle_value *root, um_error *err) {
  static const char *const keys[] = {"state_dict", "model_state_dict", "model", "net"};
  for (int wraps = 0; wraps < MAX_WRAPS; wraps++) {
    const um_pickle_value *inner = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && (!inner || inner->kind != UM_PICKLE_DICT); i++)
      inner = um_pickle_find(root, keys[i]);
    if (!inner || inner->kind != UM_PICKLE_DICT) break;
    root = inner;
  }
  int status = root->kind == UM_PICKLE_DICT ? add_tensors(s, root, err) : UM_OK;
  if (!status && s->count == 0)
    status = um_fail(err, UM_EFORMAT,
                     "%s: no state dict: expected names and tensors, or these under \"state_dict\" or \"model\"; in Python: "
                     "torch.save(model.state_dict(), FILE)",
                     s->path);
  return status;
}

/* ---- zip ---- */

static int find_pickle(const um_zip *zip, char prefix[MAX_NAME]) {
  static const char name[] = "data.pkl";
  for (int i = 0; i < um_zip_count(zip); i++) {
    const char *full = um_zip_at(zip, i)->name, *slash = strchr(full, '/');
    size_t length = slash ? (size_t)(slash - full) + 1 : 0;
    if (strcmp(full + length, name) != 0 || length >= MAX_NAME) continue;
    memcpy(prefix, full, length);
    prefix[length] = 0;
    return i;
  }
  return -1;
}

static int entry_of(const torch_file *f, const char *name) {
  char full[MAX_NAME + 32];
  snprintf(full, sizeof full, "%s%s", f->prefix, name);
  return um_zip_find(f->zip, full);
}

static int check_byteorder(torch_file *f, const char *path, um_error *err) {
  um_zip_bytes b;
  int entry = entry_of(f, "byteorder");
  if (entry < 0) return UM_OK; /* before PyTorch 2.1 */
  int status = um_zip_get(&b, f->zip, entry, 64, err);
  if (!status && (b.size != 6 || memcmp(b.data, "little", 6) != 0))
    status = um_fail(err, UM_EUNSUPPORTED, "%s: not of a little-endian machine; save it again on one", path);
  um_zip_drop(&b);
  return status;
}

static int open_zip(um_weight_source *s, um_error *err) {
  torch_file *f = s->handle;
  int entry, status = um_zip_open_memory(&f->zip, f->map.data, f->map.size, s->path, err);
  if (status) return status;
  if ((entry = find_pickle(f->zip, f->prefix)) < 0)
    return um_fail(err, UM_EFORMAT, "%s: a zip file, but not PyTorch's: it has no data.pkl", s->path);
  if (entry_of(f, "constants.pkl") >= 0)
    return um_fail(err, UM_EUNSUPPORTED, "%s: a TorchScript program; in Python: torch.save(torch.jit.load(FILE).state_dict(), OTHER)",
                   s->path);
  if ((status = check_byteorder(f, s->path, err))) return status;
  if ((status = um_zip_get(&f->pickled, f->zip, entry, MAX_PICKLE, err))) return status;
  if ((status = um_pickle_read(&f->pickle, f->pickled.data, f->pickled.size, globals, s->path, err))) return status;
  return read_root(s, f->pickle.root, err);
}

/* ---- legacy ---- */

typedef struct listing {
  place *place;
  int count, room;
  bool failed;
} listing;

static void count_place(void *arg, const um_pickle_value *v) {
  storage unused;
  ((listing *)arg)->room += read_storage(&unused, v);
}

static void list_place(void *arg, const um_pickle_value *v) {
  listing *l = arg;
  if (read_storage(&l->place[l->count].of, v)) l->count++;
}

/* The storages that the pickle refers to, each once. */
static int list_places(torch_file *f, const char *path, um_error *err) {
  listing l = {0};
  um_pickle_each(&f->pickle, UM_PICKLE_PERSISTENT, count_place, &l);
  if (!(l.place = f->place = calloc((size_t)l.room + 1, sizeof *l.place)))
    return um_fail(err, UM_ENOMEM, "%s: no memory for its list of storages", path);
  um_pickle_each(&f->pickle, UM_PICKLE_PERSISTENT, list_place, &l);
  qsort(l.place, (size_t)l.count, sizeof *l.place, compare_places);
  for (int i = 0; i < l.count; i++) {
    place *last = f->places ? &l.place[f->places - 1] : NULL;
    if (!last || compare_places(last, &l.place[i]) != 0)
      l.place[f->places++] = l.place[i];
    else if (last->of.type != l.place[i].of.type || last->of.count != l.place[i].of.count)
      return um_fail(err, UM_EFORMAT, "%s: one storage is said to have two types or sizes; %s", path, again);
  }
  return UM_OK;
}

/* Behind the pickles: of each storage in the list's order how many numbers, in 8 bytes, and the numbers. */
static int place_storages(torch_file *f, const um_pickle_value *keys, uint64_t at, const char *path, um_error *err) {
  const uint64_t size = f->map.size;
  if (keys->kind != UM_PICKLE_LIST) return um_fail(err, UM_EFORMAT, "%s: no list of storages; %s", path, again);
  for (uint32_t i = 0; i < keys->count; i++) {
    const place wanted = {.of.key = keys->item[i]};
    place *p = keys->item[i]->kind == UM_PICKLE_TEXT ? bsearch(&wanted, f->place, (size_t)f->places, sizeof *p, compare_places) : NULL;
    uint64_t count = 0;
    if (!p || p->at != 0) return um_fail(err, UM_EFORMAT, "%s: storage %u of its list is of no tensor; %s", path, i, again);
    if (size - at < 8) return um_fail(err, UM_EFORMAT, "%s: it ends before storage %u of %u; %s", path, i, keys->count, again);
    for (int k = 7; k >= 0; k--) count = count << 8 | f->map.data[at + (uint64_t)k];
    at += 8;
    if (count != (uint64_t)p->of.count)
      return um_fail(err, UM_EFORMAT, "%s: storage %u has %" PRIu64 " numbers, expected %" PRId64 "; %s", path, i, count, p->of.count,
                     again);
    const uint64_t bytes = count * um_number_size(p->of.type); /* count <= INT64_MAX / 8 */
    if (bytes > size - at)
      return um_fail(err, UM_EFORMAT, "%s: storage %u: %" PRIu64 " bytes from byte %" PRIu64 " on, but the file has %" PRIu64 "; %s", path,
                     i, bytes, at, size, again);
    p->at = at;
    at += bytes;
  }
  return UM_OK;
}

/* A pickle at *at, which moves behind it. */
static int next_pickle(um_pickle *p, const torch_file *f, uint64_t *at, const char *path, um_error *err) {
  const uint64_t rest = f->map.size - *at;
  int status = um_pickle_read(p, f->map.data + *at, rest < MAX_PICKLE ? rest : MAX_PICKLE, globals, path, err);
  if (!status) *at += p->used;
  return status;
}

static int open_legacy(um_weight_source *s, um_error *err) {
  static const uint8_t magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  torch_file *f = s->handle;
  um_pickle p = {0};
  uint64_t at = 0;
  int status = next_pickle(&p, f, &at, s->path, err);
  if (status) return status;
  bool ours = p.root->kind == UM_PICKLE_BIG && p.root->count == sizeof magic && memcmp(p.root->text, magic, sizeof magic) == 0;
  um_pickle_free(&p);
  if (!ours) return um_fail(err, UM_EFORMAT, "%s: a pickle, but not of torch.save", s->path);
  if ((status = next_pickle(&p, f, &at, s->path, err))) return status;
  ours = p.root->kind == UM_PICKLE_INT && p.root->integer == 1001;
  um_pickle_free(&p);
  if (!ours) return um_fail(err, UM_EUNSUPPORTED, "%s: of another version of torch.save, expected 1001", s->path);
  if ((status = next_pickle(&p, f, &at, s->path, err))) return status;
  const um_pickle_value *little = um_pickle_find(p.root, "little_endian");
  ours = little && little->kind == UM_PICKLE_BOOL && little->integer;
  um_pickle_free(&p);
  if (!ours) return um_fail(err, UM_EUNSUPPORTED, "%s: not of a little-endian machine; save it again on one", s->path);
  if ((status = next_pickle(&f->pickle, f, &at, s->path, err))) return status;
  if ((status = list_places(f, s->path, err))) return status;
  if ((status = next_pickle(&p, f, &at, s->path, err))) return status;
  status = place_storages(f, p.root, at, s->path, err);
  um_pickle_free(&p);
  return status ? status : read_root(s, f->pickle.root, err);
}

/* ---- values ---- */

static int storage_bytes(torch_file *f, const tensor *t, const uint8_t **data, um_error *err) {
  if (!f->zip) {
    *data = f->map.data + t->place;
    return UM_OK;
  }
  if (!f->last.data || f->last_entry != t->entry) {
    um_zip_drop(&f->last);
    int status = um_zip_get(&f->last, f->zip, t->entry, (uint64_t)t->of.count * um_number_size(t->of.type), err);
    if (status) return status;
    f->last_entry = t->entry;
  }
  *data = f->last.data;
  return UM_OK;
}

static int read_item(um_weight_source *s, int index, float *values, int64_t count, um_error *err) {
  torch_file *f = s->handle;
  const tensor *t = &f->tensor[index];
  const um_weight_item *item = &s->item[index];
  const size_t width = um_number_size(t->of.type);
  const uint8_t *data = NULL;
  int64_t at[UM_WEIGHT_MAX_DIMS] = {0}, place_of = t->of.offset + t->offset, run = 1;
  if (count == 0) return UM_OK;
  int status = storage_bytes(f, t, &data, err);
  if (status) return status;
  int inner = item->ndim; /* the dimensions from here on lie one after the other */
  while (inner > 0 && (t->stride[inner - 1] == run || item->dim[inner - 1] == 1)) run *= item->dim[--inner];
  for (int64_t i = 0; i < count; i += run) {
    um_number_floats(values + i, data + (uint64_t)place_of * width, run, t->of.type, false);
    for (int d = inner - 1; d >= 0; d--) {
      place_of += t->stride[d];
      if (++at[d] < item->dim[d]) break;
      place_of -= t->stride[d] * item->dim[d];
      at[d] = 0;
    }
  }
  return UM_OK;
}

int um_torch_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err) {
  torch_file *f = calloc(1, sizeof *f);
  const char *scheme = NULL;
  if (!f) return um_fail(err, UM_ENOMEM, "%s: no memory to open it", path);
  *s = (um_weight_source){.path = path, .handle = f, .read = read_item, .close = close_file};
  int status = um_map_open(&f->map, path, err);
  bool zip = f->map.size >= 4 && memcmp(f->map.data, "PK\3\4", 4) == 0;
  if (!status && f->map.size == 0) status = um_fail(err, UM_EFORMAT, "%s: an empty file", path);
  if (!status) status = zip ? open_zip(s, err) : open_legacy(s, err);
  if (status) {
    um_weight_source_close(s);
    return status;
  }
  um_torch_names(s, graph, &scheme);
  snprintf(s->kind, sizeof s->kind, "PyTorch state dict (%s)%s%s", zip ? "zip" : "legacy", scheme ? ", " : "", scheme ? scheme : "");
  return UM_OK;
}
