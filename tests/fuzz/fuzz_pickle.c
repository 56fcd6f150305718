/* Pickles by themselves: in a zip a changed byte of one is mostly a wrong checksum. The values are walked, as far as a count goes. */
#include "tests/fuzz/fuzz.h"

#include "weights/pickle.h"

static int left;

static void walk(const um_pickle_value *v, int depth) {
  volatile char last = 0;
  if (left-- <= 0 || depth > 20) return;
  switch (v->kind) {
  case UM_PICKLE_BIG:
  case UM_PICKLE_TEXT:
    if (v->count > 0) last = v->text[v->count - 1];
    break;
  case UM_PICKLE_CALL:
    FUZZ_CHECK(v->count == 2 && v->item[0]->kind == UM_PICKLE_GLOBAL && v->item[1]->kind == UM_PICKLE_TUPLE);
    /* fall through */
  case UM_PICKLE_TUPLE:
  case UM_PICKLE_LIST:
  case UM_PICKLE_DICT:
  case UM_PICKLE_PERSISTENT:
    for (uint32_t i = 0; i < v->count; i++) walk(v->item[i], depth + 1);
    break;
  default: break;
  }
  (void)last;
}

static void visit(void *arg, const um_pickle_value *v) {
  (void)arg;
  FUZZ_CHECK(v->kind == UM_PICKLE_PERSISTENT && v->count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const globals[] = {"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter", "torch.FloatStorage", NULL};
  um_pickle p;
  um_error err = {0};
  /* A copy just as long, so that reading beyond it is seen. */
  uint8_t *copy = malloc(size + (size == 0));
  FUZZ_CHECK(copy);
  if (size > 0) memcpy(copy, data, size);
  const int status = um_pickle_read(&p, copy, size, globals, "x", &err);
  FUZZ_CHECK(status == UM_OK ? p.used <= size : err.code == status && err.text[0] != 0);
  if (status == UM_OK) {
    left = 10000;
    walk(p.root, 0);
    um_pickle_find(p.root, "state_dict");
    um_pickle_each(&p, UM_PICKLE_PERSISTENT, visit, NULL);
  }
  um_pickle_free(&p);
  free(copy);
  return 0;
}
