#include "weights/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A state dict takes some 30 values a tensor. 4 Mi values take 128 MiB. */
enum { MAX_VALUES = 1 << 22, MAX_MEMO = 1 << 22, MAX_ITEMS = 1 << 23, MAX_STACK = 1 << 16, MAX_MARKS = 256, BLOCK = 1024, MAX_NAME = 256 };

typedef struct um_pickle_block {
  struct um_pickle_block *next;
  int count;
  um_pickle_value value[BLOCK];
} um_pickle_block;

typedef struct machine {
  um_pickle *p;
  const uint8_t *data;
  size_t size, at;
  const char *const *globals;
  const char *where;
  um_error *err;
  um_pickle_value **stack, **memo;
  uint32_t stack_count, stack_room, memo_count, values;
  uint64_t memoized;        /* by MEMOIZE, which counts itself */
  uint32_t items;           /* in all containers: a call may copy many, and stand there often */
  uint32_t mark[MAX_MARKS]; /* stack positions */
  uint32_t marks;
} machine;

void um_pickle_free(um_pickle *p) {
  for (um_pickle_block *b = p->block, *next; b; b = next) {
    next = b->next;
    for (int i = 0; i < b->count; i++)
      if (b->value[i].room > 0) free(b->value[i].item);
    free(b);
  }
  *p = (um_pickle){0};
}

void um_pickle_each(const um_pickle *p, um_pickle_kind kind, void (*visit)(void *arg, const um_pickle_value *v), void *arg) {
  for (const um_pickle_block *b = p->block; b; b = b->next)
    for (int i = 0; i < b->count; i++)
      if (b->value[i].kind == kind) visit(arg, &b->value[i]);
}

bool um_pickle_is(const um_pickle_value *v, const char *text) {
  return v->kind == UM_PICKLE_TEXT && v->count == strlen(text) && memcmp(v->text, text, v->count) == 0;
}

const um_pickle_value *um_pickle_find(const um_pickle_value *v, const char *key) {
  if (v->kind != UM_PICKLE_DICT) return NULL;
  for (uint32_t i = v->count; i >= 2; i -= 2)
    if (um_pickle_is(v->item[i - 2], key)) return v->item[i - 1];
  return NULL;
}

/* ---- what all opcodes need; each returns false after it has set the error ---- */

static bool no_memory(machine *m) {
  um_fail(m->err, UM_ENOMEM, "%s: no memory for its values", m->where);
  return false;
}

static bool damaged(machine *m, const char *what) {
  um_fail(m->err, UM_EFORMAT, "%s: damaged at byte %zu: %s; fetch or copy the file again", m->where, m->at, what);
  return false;
}

static const uint8_t *take(machine *m, size_t n) {
  if (n > m->size - m->at) {
    damaged(m, "it ends in the middle");
    return NULL;
  }
  m->at += n;
  return m->data + m->at - n;
}

/* An unsigned number of `bytes` bytes. */
static bool take_number(machine *m, int bytes, uint64_t *out) {
  const uint8_t *p = take(m, (size_t)bytes);
  *out = 0;
  for (int i = bytes - 1; p && i >= 0; i--) *out = *out << 8 | p[i];
  return p != NULL;
}

static um_pickle_value *make(machine *m, um_pickle_kind kind) {
  um_pickle_block *b = m->p->block;
  if (m->values >= MAX_VALUES) {
    um_fail(m->err, UM_EUNSUPPORTED, "%s: more than %d values", m->where, MAX_VALUES);
    return NULL;
  }
  if (!b || b->count == BLOCK) {
    if (!(b = malloc(sizeof *b))) {
      no_memory(m);
      return NULL;
    }
    b->next = m->p->block;
    b->count = 0;
    m->p->block = b;
  }
  m->values++;
  um_pickle_value *v = &b->value[b->count++];
  *v = (um_pickle_value){.kind = kind};
  return v;
}

static bool push(machine *m, um_pickle_value *v) {
  if (!v) return false;
  if (m->stack_count == m->stack_room) {
    uint32_t room = m->stack_room ? 2 * m->stack_room : 256;
    if (room > MAX_STACK) return damaged(m, "its stack is too deep");
    um_pickle_value **grown = realloc(m->stack, sizeof *grown * room);
    if (!grown) return no_memory(m);
    m->stack = grown;
    m->stack_room = room;
  }
  m->stack[m->stack_count++] = v;
  return true;
}

static bool push_new(machine *m, um_pickle_kind kind, int64_t integer) {
  um_pickle_value *v = make(m, kind);
  if (v) v->integer = integer;
  return push(m, v);
}

/* Values since the last mark; none below it may be taken. */
static uint32_t above(const machine *m) { return m->stack_count - (m->marks ? m->mark[m->marks - 1] : 0); }

static um_pickle_value *pop(machine *m) {
  if (above(m) == 0) {
    damaged(m, "a value is missing");
    return NULL;
  }
  return m->stack[--m->stack_count];
}

static um_pickle_value *top(machine *m) {
  if (above(m) > 0) return m->stack[m->stack_count - 1];
  damaged(m, "a value is missing");
  return NULL;
}

/* Removes the last mark; *n values stand above it, still on the stack. */
static bool pop_mark(machine *m, uint32_t *n) {
  if (m->marks == 0) return damaged(m, "a mark is missing");
  *n = above(m);
  m->marks--;
  return true;
}

static bool append(machine *m, um_pickle_value *to, um_pickle_value *const *v, uint32_t n) {
  if (n > MAX_ITEMS - m->items) {
    um_fail(m->err, UM_EUNSUPPORTED, "%s: more than %d items in its containers", m->where, MAX_ITEMS);
    return false;
  }
  m->items += n;
  if (n > to->room - to->count) {
    uint32_t room = to->room ? to->room : 4;
    while (room - to->count < n) room *= 2; /* at most twice MAX_ITEMS */
    um_pickle_value **grown = realloc(to->room ? to->item : NULL, sizeof *grown * room);
    if (!grown) return no_memory(m);
    to->item = grown;
    to->room = room;
  }
  for (uint32_t i = 0; i < n; i++) to->item[to->count++] = v[i];
  return true;
}

/* The top n values of the stack become a container's. */
static bool gather(machine *m, um_pickle_kind kind, uint32_t n) {
  if (n > above(m)) return damaged(m, "a value is missing");
  um_pickle_value *v = make(m, kind);
  if (!v || (n > 0 && !append(m, v, m->stack + m->stack_count - n, n))) return false;
  m->stack_count -= n;
  return push(m, v);
}

static bool gather_marked(machine *m, um_pickle_kind kind) {
  uint32_t n;
  return pop_mark(m, &n) && gather(m, kind, n);
}

/* The top n values go into the container below them. */
static bool extend(machine *m, um_pickle_kind kind, uint32_t n) {
  if (n >= above(m)) return damaged(m, "a value is missing");
  um_pickle_value *to = m->stack[m->stack_count - n - 1];
  if (to->kind != kind || (kind == UM_PICKLE_DICT && n % 2 != 0)) return damaged(m, "items for what has none");
  if (n > 0 && !append(m, to, m->stack + m->stack_count - n, n)) return false;
  m->stack_count -= n;
  return true;
}

static bool extend_marked(machine *m, um_pickle_kind kind) {
  uint32_t n;
  return pop_mark(m, &n) && extend(m, kind, n);
}

static bool push_text(machine *m, um_pickle_kind kind, int length_bytes) {
  uint64_t n;
  if (!take_number(m, length_bytes, &n)) return false;
  if (n > m->size - m->at || n > UINT32_MAX) return damaged(m, "it ends in the middle of a text");
  um_pickle_value *v = make(m, kind);
  if (!v) return false;
  v->count = (uint32_t)n;
  v->text = (const char *)take(m, n);
  return push(m, v);
}

static bool push_real(machine *m) { /* big-endian */
  const uint8_t *p = take(m, 8);
  um_pickle_value *v = p ? make(m, UM_PICKLE_REAL) : NULL;
  uint64_t bits = 0;
  if (!v) return false;
  for (int i = 0; i < 8; i++) bits = bits << 8 | p[i];
  memcpy(&v->real, &bits, sizeof v->real);
  return push(m, v);
}

static bool push_long(machine *m) {
  uint64_t n, bits = 0;
  if (!take_number(m, 1, &n)) return false;
  if (n > 8) {
    m->at--;
    return push_text(m, UM_PICKLE_BIG, 1);
  }
  const uint8_t *p = take(m, n);
  if (!p) return false;
  if (n > 0 && (p[n - 1] & 0x80)) bits = UINT64_MAX;
  for (uint64_t i = n; i > 0; i--) bits = bits << 8 | p[i - 1];
  return push_new(m, UM_PICKLE_INT, (int64_t)bits);
}

/* ---- memo ---- */

static bool memo_put(machine *m, uint64_t at) {
  um_pickle_value *v = top(m);
  if (!v) return false;
  if (at >= MAX_MEMO || at > m->values) return damaged(m, "a memo beyond all values");
  if (at >= m->memo_count) {
    uint32_t room = m->memo_count ? m->memo_count : 256;
    while (room <= at) room *= 2;
    um_pickle_value **grown = realloc(m->memo, sizeof *grown * room);
    if (!grown) return no_memory(m);
    memset(grown + m->memo_count, 0, sizeof *grown * (room - m->memo_count));
    m->memo = grown;
    m->memo_count = room;
  }
  m->memo[at] = v;
  return true;
}

static bool memo_get(machine *m, uint64_t at) {
  return at < m->memo_count && m->memo[at] ? push(m, m->memo[at]) : damaged(m, "a memo that was never made");
}

static bool memo_op(machine *m, int bytes, bool (*op)(machine *, uint64_t)) {
  uint64_t at;
  return take_number(m, bytes, &at) && op(m, at);
}

/* ---- globals and calls ---- */

static bool push_global(machine *m, const char *module, size_t module_length, const char *name, size_t name_length) {
  char full[MAX_NAME];
  if (module_length + name_length + 2 > sizeof full) return damaged(m, "the name of a global is too long");
  snprintf(full, sizeof full, "%.*s.%.*s", (int)module_length, module, (int)name_length, name);
  if (strcmp(full, "collections.OrderedDict") == 0) return push_new(m, UM_PICKLE_GLOBAL, -1);
  for (int i = 0; m->globals[i]; i++)
    if (strcmp(m->globals[i], full) == 0) return push_new(m, UM_PICKLE_GLOBAL, i);
  for (char *c = full; *c; c++)
    if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '?';
  um_fail(m->err, UM_EUNSUPPORTED,
          "%s: refers to Python's %s, which tensors do not need; nothing of it was run. In Python, where the file is trusted: "
          "torch.save(model.state_dict(), FILE), and give that file",
          m->where, full);
  return false;
}

static bool global(machine *m) {
  const char *part[2];
  size_t length[2];
  for (int i = 0; i < 2; i++) {
    part[i] = (const char *)m->data + m->at;
    const char *end = memchr(part[i], '\n', m->size - m->at);
    if (!end) return damaged(m, "it ends in the middle of a name");
    length[i] = (size_t)(end - part[i]);
    m->at += length[i] + 1;
  }
  return push_global(m, part[0], length[0], part[1], length[1]);
}

static bool stack_global(machine *m) {
  const um_pickle_value *name = pop(m), *module = name ? pop(m) : NULL;
  if (!module) return false;
  if (name->kind != UM_PICKLE_TEXT || module->kind != UM_PICKLE_TEXT) return damaged(m, "a global without a name");
  return push_global(m, module->text, module->count, name->text, name->count);
}

/* OrderedDict(), and as Python 2 writes it OrderedDict([[key, value], ...]). */
static bool ordered_dict(machine *m, const um_pickle_value *arguments) {
  um_pickle_value *v = make(m, UM_PICKLE_DICT);
  if (!v) return false;
  if (arguments->count > 1 || (arguments->count == 1 && arguments->item[0]->kind != UM_PICKLE_LIST))
    return damaged(m, "an OrderedDict of something else than pairs");
  const um_pickle_value *list = arguments->count ? arguments->item[0] : NULL;
  for (uint32_t i = 0; list && i < list->count; i++) {
    const um_pickle_value *pair = list->item[i];
    if ((pair->kind != UM_PICKLE_LIST && pair->kind != UM_PICKLE_TUPLE) || pair->count != 2)
      return damaged(m, "an OrderedDict of something else than pairs");
    if (!append(m, v, pair->item, 2)) return false;
  }
  return push(m, v);
}

static bool reduce(machine *m) {
  um_pickle_value *pair[2] = {NULL, pop(m)};
  if (!pair[1] || !(pair[0] = pop(m))) return false;
  if (pair[0]->kind != UM_PICKLE_GLOBAL || pair[1]->kind != UM_PICKLE_TUPLE) return damaged(m, "a call of what is no function");
  if (pair[0]->integer < 0) return ordered_dict(m, pair[1]);
  um_pickle_value *v = make(m, UM_PICKLE_CALL);
  return v && append(m, v, pair, 2) && push(m, v);
}

/* The attributes of a dict (a state dict's _metadata): of no use here. */
static bool build(machine *m) {
  if (!pop(m)) return false;
  const um_pickle_value *v = top(m);
  return v && (v->kind == UM_PICKLE_DICT || damaged(m, "attributes of what has none"));
}

static bool mark(machine *m) {
  if (m->marks == MAX_MARKS) return damaged(m, "nested too deeply");
  m->mark[m->marks++] = m->stack_count;
  return true;
}

static bool frame(machine *m) { /* how much to read at once: it is all here */
  uint64_t n;
  return take_number(m, 8, &n) && (n <= m->size - m->at || damaged(m, "it ends in the middle"));
}

static bool protocol(machine *m) {
  uint64_t n;
  if (!take_number(m, 1, &n)) return false;
  if (n >= 2 && n <= 5) return true;
  um_fail(m->err, UM_EUNSUPPORTED, "%s: pickle protocol %d, expected 2 to 5", m->where, (int)n);
  return false;
}

/* Names of the opcodes that are refused (Python's pickletools). */
static const char *opcode_name(uint8_t op) {
  static const struct {
    uint8_t op;
    const char *name;
  } names[] = {{'0', "POP"},
               {'1', "POP_MARK"},
               {'2', "DUP"},
               {'B', "BINBYTES"},
               {'C', "SHORT_BINBYTES"},
               {'F', "FLOAT"},
               {'I', "INT"},
               {'L', "LONG"},
               {'P', "PERSID"},
               {'S', "STRING"},
               {'V', "UNICODE"},
               {'d', "DICT"},
               {'g', "GET"},
               {'i', "INST"},
               {'l', "LIST"},
               {'o', "OBJ"},
               {'p', "PUT"},
               {0x81, "NEWOBJ"},
               {0x82, "EXT1"},
               {0x83, "EXT2"},
               {0x84, "EXT4"},
               {0x8b, "LONG4"},
               {0x8d, "BINUNICODE8"},
               {0x8e, "BINBYTES8"},
               {0x8f, "EMPTY_SET"},
               {0x90, "ADDITEMS"},
               {0x91, "FROZENSET"},
               {0x92, "NEWOBJ_EX"},
               {0x96, "BYTEARRAY8"},
               {0x97, "NEXT_BUFFER"},
               {0x98, "READONLY_BUFFER"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].op == op) return names[i].name;
  return NULL;
}

static bool refuse(machine *m, uint8_t op) {
  const char *name = opcode_name(op);
  m->at--;
  if (!name) {
    char what[40];
    snprintf(what, sizeof what, "no pickle opcode is 0x%02x", op);
    return damaged(m, what);
  }
  um_fail(m->err, UM_EUNSUPPORTED,
          "%s: pickle opcode %s, which tensors do not need; nothing was run. In Python, where the file is trusted: "
          "torch.save(model.state_dict(), FILE), and give that file",
          m->where, name);
  return false;
}

static bool step(machine *m, uint8_t op) {
  uint64_t n = 0;
  switch (op) {
  case 0x80: return protocol(m);
  case 0x95: return frame(m);
  case '(': return mark(m);
  case 'N': return push_new(m, UM_PICKLE_NONE, 0);
  case 0x88: return push_new(m, UM_PICKLE_BOOL, 1);
  case 0x89: return push_new(m, UM_PICKLE_BOOL, 0);
  case 'K': return take_number(m, 1, &n) && push_new(m, UM_PICKLE_INT, (int64_t)n);
  case 'M': return take_number(m, 2, &n) && push_new(m, UM_PICKLE_INT, (int64_t)n);
  case 'J': return take_number(m, 4, &n) && push_new(m, UM_PICKLE_INT, (int32_t)n);
  case 0x8a: return push_long(m);
  case 'G': return push_real(m);
  case 'X': return push_text(m, UM_PICKLE_TEXT, 4);
  case 0x8c: return push_text(m, UM_PICKLE_TEXT, 1);
  case 'T': return push_text(m, UM_PICKLE_TEXT, 4); /* Python 2's strings */
  case 'U': return push_text(m, UM_PICKLE_TEXT, 1);
  case ')': return gather(m, UM_PICKLE_TUPLE, 0);
  case 0x85: return gather(m, UM_PICKLE_TUPLE, 1);
  case 0x86: return gather(m, UM_PICKLE_TUPLE, 2);
  case 0x87: return gather(m, UM_PICKLE_TUPLE, 3);
  case 't': return gather_marked(m, UM_PICKLE_TUPLE);
  case ']': return gather(m, UM_PICKLE_LIST, 0);
  case 'a': return extend(m, UM_PICKLE_LIST, 1);
  case 'e': return extend_marked(m, UM_PICKLE_LIST);
  case '}': return gather(m, UM_PICKLE_DICT, 0);
  case 's': return extend(m, UM_PICKLE_DICT, 2);
  case 'u': return extend_marked(m, UM_PICKLE_DICT);
  case 'q': return memo_op(m, 1, memo_put);
  case 'r': return memo_op(m, 4, memo_put);
  case 0x94: return memo_put(m, m->memoized++);
  case 'h': return memo_op(m, 1, memo_get);
  case 'j': return memo_op(m, 4, memo_get);
  case 'c': return global(m);
  case 0x93: return stack_global(m);
  case 'R': return reduce(m);
  case 'b': return build(m);
  case 'Q': return gather(m, UM_PICKLE_PERSISTENT, 1);
  default: return refuse(m, op);
  }
}

int um_pickle_read(um_pickle *p, const uint8_t *data, size_t size, const char *const *globals, const char *where, um_error *err) {
  um_error local = {0};
  machine m = {.p = p, .data = data, .size = size, .globals = globals, .where = where, .err = err ? err : &local};
  bool ok = true;
  *p = (um_pickle){0};
  while (ok) {
    const uint8_t *op = take(&m, 1);
    if (!op) {
      ok = false;
    } else if (*op == '.') {
      ok = m.marks == 0 && m.stack_count == 1 ? true : damaged(&m, "it stops too early");
      break;
    } else {
      ok = step(&m, *op);
    }
  }
  if (ok) {
    p->root = m.stack[0];
    p->used = m.at;
  } else {
    um_pickle_free(p);
  }
  free(m.stack);
  free(m.memo);
  return ok ? UM_OK : m.err->code;
}
