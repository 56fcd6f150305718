/* The messages of an ONNX file: ModelProto, GraphProto, NodeProto, ValueInfoProto. Lists point into the mapped file. */
#include <stdlib.h>
#include <string.h>

#include "weights/onnx_impl.h"

bool onnx_is(um_pb text, const char *word) {
  const size_t n = strlen(word);
  return um_pb_size(&text) == n && (n == 0 || memcmp(text.at, word, n) == 0);
}

char *onnx_text(char *out, size_t size, um_pb text) {
  size_t n = um_pb_size(&text);
  if (n >= size) n = size - 1;
  for (size_t i = 0; i < n; i++) out[i] = text.at[i] < ' ' || text.at[i] == 127 ? '?' : (char)text.at[i];
  out[n] = 0;
  return out;
}

bool onnx_attribute(const onnx_node *n, const char *name, um_pb *attribute) {
  um_pb m = n->message, a;
  um_pb_field f, g;
  while (um_pb_next(&m, &f) > 0) {
    if (f.number != 5 || f.wire != UM_PB_BYTES) continue;
    a = f.bytes;
    while (um_pb_next(&a, &g) > 0)
      if (g.number == 1 && onnx_is(g.bytes, name)) {
        *attribute = f.bytes;
        return true;
      }
  }
  return false;
}

/* The last occurrence of a field of an attribute, as protobuf has it. */
static bool attribute_field(const onnx_node *n, const char *name, uint32_t number, int wire, um_pb_field *out) {
  um_pb a;
  um_pb_field f;
  bool found = false;
  if (!onnx_attribute(n, name, &a)) return false;
  while (um_pb_next(&a, &f) > 0)
    if (f.number == number && f.wire == wire) *out = f, found = true;
  return found;
}

int64_t onnx_int(const onnx_node *n, const char *name, int64_t fallback) {
  um_pb_field f;
  return attribute_field(n, name, 3, UM_PB_VARINT, &f) ? (int64_t)f.value : fallback;
}

float onnx_float(const onnx_node *n, const char *name, float fallback) {
  um_pb_field f;
  return attribute_field(n, name, 2, UM_PB_FIXED32, &f) ? um_pb_float(f.value) : fallback;
}

bool onnx_string(const onnx_node *n, const char *name, um_pb *text) {
  um_pb_field f;
  if (!attribute_field(n, name, 4, UM_PB_BYTES, &f)) return false;
  *text = f.bytes;
  return true;
}

int onnx_ints(const onnx_node *n, const char *name, int64_t *out, int room) {
  um_pb a;
  um_pb_field f;
  int count = 0, got;
  uint64_t v;
  if (!onnx_attribute(n, name, &a)) return -1;
  while ((got = um_pb_next(&a, &f)) > 0) {
    if (f.number != 8) continue;
    um_pb_repeated r = um_pb_repeat(&f, UM_PB_VARINT);
    while ((got = um_pb_element(&r, &v)) > 0) {
      if (count == room) return -2;
      out[count++] = (int64_t)v;
    }
    if (got < 0) return -2;
  }
  return got < 0 ? -2 : count;
}

/* One more element, zeroed, in a list that doubles; NULL where memory is short or there are more than `most`. */
static void *append(void **list, int *count, size_t size, int most) {
  if (*count >= most) return NULL;
  if ((*count & (*count - 1)) == 0) {
    void *grown = realloc(*list, size * (*count ? 2 * (size_t)*count : 1));
    if (!grown) return NULL;
    *list = grown;
  }
  void *at = (char *)*list + size * (size_t)(*count)++;
  memset(at, 0, size);
  return at;
}

#define APPEND(list, count, most) append((void **)&(list), &(count), sizeof *(list), most)

static int too_many(const onnx_file *f, const char *what, um_error *err) {
  return um_fail(err, UM_EFORMAT, "%s: more %s than a model has, or no memory for them", f->path, what);
}

static int broken(const onnx_file *f, const char *where, um_error *err) {
  return um_fail(err, UM_EFORMAT, "%s: damaged, or no ONNX file: %s cannot be read; fetch or copy the file again", f->path, where);
}

static int add_tensor(onnx_file *f, um_pb message, um_error *err) {
  onnx_tensor *t = APPEND(f->tensor, f->tensors, ONNX_MAX_TENSORS);
  return t ? onnx_tensor_open(t, message, f->path, err) : too_many(f, "tensors", err);
}

/* TypeProto.tensor_type, as far as it is one. */
static int read_type(onnx_info *info, um_pb type) {
  um_pb_field f;
  um_pb tensor = {0}, shape = {0}, dim;
  int got;
  bool has_shape = false;
  info->ndim = -1;
  while ((got = um_pb_next(&type, &f)) > 0)
    if (f.number == 1 && f.wire == UM_PB_BYTES) tensor = f.bytes;
  if (got < 0) return -1;
  while ((got = um_pb_next(&tensor, &f)) > 0) {
    if (f.number == 1 && f.wire == UM_PB_VARINT) info->type = f.value <= ONNX_BFLOAT16 ? (int)f.value : 0;
    if (f.number == 2 && f.wire == UM_PB_BYTES) shape = f.bytes, has_shape = true;
  }
  if (got < 0) return -1;
  if (has_shape) info->ndim = 0;
  while ((got = um_pb_next(&shape, &f)) > 0) {
    if (f.number != 1 || f.wire != UM_PB_BYTES) continue;
    if (info->ndim == UM_WEIGHT_MAX_DIMS) return -1;
    info->dim[info->ndim] = -1;
    for (dim = f.bytes; (got = um_pb_next(&dim, &f)) > 0;)
      if (f.number == 1 && f.wire == UM_PB_VARINT && f.value > 0 && f.value <= INT32_MAX) info->dim[info->ndim] = (int64_t)f.value;
    if (got < 0) return -1;
    info->ndim++;
  }
  return got;
}

static int read_info(const onnx_file *f, onnx_info *info, um_pb message, um_error *err) {
  um_pb_field field;
  int got;
  info->ndim = -1;
  while ((got = um_pb_next(&message, &field)) > 0) {
    if (field.number == 1 && field.wire == UM_PB_BYTES) info->name = field.bytes;
    if (field.number == 2 && field.wire == UM_PB_BYTES && (got = read_type(info, field.bytes)) < 0) break;
  }
  return got < 0 ? broken(f, "an input or output", err) : UM_OK;
}

static int read_node(onnx_file *f, um_pb message, um_error *err) {
  um_pb_field field;
  um_pb m, tensor;
  int got;
  onnx_node *n = APPEND(f->node, f->nodes, ONNX_MAX_NODES);
  if (!n) return too_many(f, "nodes", err);
  n->message = m = message;
  for (uint32_t pass = 1; pass <= 2; pass++) { /* inputs, then outputs: each one run of the list */
    *(pass == 1 ? &n->first_input : &n->first_output) = f->operands;
    for (m = message; (got = um_pb_next(&m, &field)) > 0;) {
      if (field.wire != UM_PB_BYTES) continue;
      if (field.number == 3) n->name = field.bytes;
      if (field.number == 4) n->op = field.bytes;
      if (field.number == 7) n->domain = field.bytes;
      if (field.number != pass) continue;
      um_pb *operand = APPEND(f->operand, f->operands, ONNX_MAX_OPERANDS);
      if (!operand) return too_many(f, "operands", err);
      *operand = field.bytes;
      (*(pass == 1 ? &n->inputs : &n->outputs))++;
    }
    if (got < 0) return broken(f, "a node", err);
  }
  if (!onnx_is(n->op, "Constant") || n->outputs != 1 || !onnx_attribute(n, "value", &m)) return UM_OK;
  tensor = (um_pb){0};
  bool found = false;
  while ((got = um_pb_next(&m, &field)) > 0)
    if (field.number == 5 && field.wire == UM_PB_BYTES) tensor = field.bytes, found = true;
  if (got < 0 || !found) return broken(f, "a constant", err);
  int status = add_tensor(f, tensor, err);
  if (status) return status;
  f->tensor[f->tensors - 1].name = f->operand[n->first_output];
  f->tensor[f->tensors - 1].constant = true;
  return UM_OK;
}

static int read_graph(onnx_file *f, um_pb m, um_error *err) {
  um_pb_field field;
  int got, status = UM_OK;
  while (!status && (got = um_pb_next(&m, &field)) > 0) {
    if (field.wire != UM_PB_BYTES) continue;
    switch (field.number) {
    case 1: status = read_node(f, field.bytes, err); break;
    case 5: status = add_tensor(f, field.bytes, err); break;
    case 11:
    case 12: {
      onnx_info *info =
          field.number == 11 ? APPEND(f->input, f->inputs, ONNX_MAX_TENSORS) : APPEND(f->output, f->outputs, ONNX_MAX_TENSORS);
      status = info ? read_info(f, info, field.bytes, err) : too_many(f, "inputs and outputs", err);
      break;
    }
    case 15: return um_fail(err, UM_EUNSUPPORTED, "%s: sparse initialisers, which are not read; save the weights dense", f->path);
    default: break;
    }
  }
  return status ? status : got < 0 ? broken(f, "its graph", err) : UM_OK;
}

/* A pair of texts or of a text and a number: OperatorSetIdProto, StringStringEntryProto. */
static int read_pair(um_pb m, um_pb *key, um_pb *text, int64_t *number) {
  um_pb_field f;
  int got;
  while ((got = um_pb_next(&m, &f)) > 0) {
    if (f.number == 1 && f.wire == UM_PB_BYTES) *key = f.bytes;
    if (f.number == 2 && f.wire == UM_PB_BYTES) *text = f.bytes;
    if (f.number == 2 && f.wire == UM_PB_VARINT) *number = (int64_t)f.value;
  }
  return got;
}

static int read_model(onnx_file *f, um_error *err) {
  um_pb m = um_pb_of(f->map.data, f->map.size);
  um_pb_field field;
  int got, status = UM_OK;
  bool graph = false;
  while (!status && (got = um_pb_next(&m, &field)) > 0) {
    um_pb key = {0}, text = {0};
    int64_t number = 0;
    if (field.wire != UM_PB_BYTES) continue;
    switch (field.number) {
    case 2: f->producer = field.bytes; break;
    case 3: f->producer_version = field.bytes; break;
    case 7: /* occurrences of a message are one message, as protobuf has it */
      graph = true;
      status = read_graph(f, field.bytes, err);
      break;
    case 8:
      if (read_pair(field.bytes, &key, &text, &number) < 0) return broken(f, "its opset", err);
      if (onnx_is(key, "") || onnx_is(key, "ai.onnx")) f->opset = number;
      break;
    case 14: {
      if (read_pair(field.bytes, &key, &text, &number) < 0) return broken(f, "its metadata", err);
      onnx_prop *p = APPEND(f->prop, f->props, ONNX_MAX_PROPS);
      if (!p) return too_many(f, "metadata", err);
      *p = (onnx_prop){key, text};
      break;
    }
    default: break;
    }
  }
  if (status) return status;
  if (got < 0) return broken(f, "the model", err);
  return graph ? UM_OK : um_fail(err, UM_EFORMAT, "%s: no ONNX file, or a cut one: there is no graph in it", f->path);
}

int onnx_file_open(onnx_file *f, const char *path, um_error *err) {
  *f = (onnx_file){.path = path};
  int status = um_map_open(&f->map, path, err);
  if (!status && f->map.size == 0) status = um_fail(err, UM_EFORMAT, "%s: an empty file", path);
  if (!status) status = read_model(f, err);
  if (status) onnx_file_close(f);
  return status;
}

void onnx_file_close(onnx_file *f) {
  um_map_close(&f->map);
  free(f->tensor);
  free(f->node);
  free(f->operand);
  free(f->input);
  free(f->output);
  free(f->prop);
  *f = (onnx_file){0};
}
