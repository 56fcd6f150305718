/* The memory plan: played on a map of the arena, against its lower bound, against what is allocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/model_fixture.h"

static void write_cells(const um_model *m, int *map, int storage) {
  const um_storage *s = &m->storage[storage];
  assert_true(s->offset % 64 == 0 && s->offset + s->bytes <= m->memory.activations);
  for (size_t i = s->offset / 64; i < (s->offset + s->bytes + 63) / 64; i++) map[i] = storage;
}

static void read_cells(const um_model *m, const int *map, int storage, int step) {
  const um_storage *s = &m->storage[storage];
  for (size_t i = s->offset / 64; i < (s->offset + s->bytes + 63) / 64; i++)
    if (map[i] != storage) fail_msg("step %d: storage %d was overwritten by %d", step, storage, map[i]);
}

/* Plays the program on a map of the arena, a cell a 64 bytes: a write puts the storage's number into its cells, a read must find
 * it in all of them. All operands of a step are there at once, so reads are looked at after its writes. Lifetimes are not asked. */
static void play(const um_model *m) {
  int *map = malloc(sizeof *map * (m->memory.activations / 64 + 1));
  for (size_t i = 0; i <= m->memory.activations / 64; i++) map[i] = -1;
  for (int i = 0; i < m->steps; i++) {
    const um_step *s = &m->step[i];
    if (s->kind == UM_STEP_ACCUMULATE) read_cells(m, map, m->view[s->out[0]].storage, i);
    for (int k = 0; k < s->n_out; k++)
      if (s->out[k] >= 0) write_cells(m, map, m->view[s->out[k]].storage);
    if (s->scratch >= 0) write_cells(m, map, s->scratch);
    if (s->workspace >= 0 && s->kind == UM_STEP_FORWARD) write_cells(m, map, s->workspace);
    for (int k = 0; k < s->n_in; k++) read_cells(m, map, m->view[s->in[k]].storage, i);
    for (int k = 0; k < s->n_out; k++)
      if (s->out[k] >= 0) read_cells(m, map, m->view[s->out[k]].storage, i);
    if (s->workspace >= 0) read_cells(m, map, s->workspace, i);
    if (s->scratch >= 0) read_cells(m, map, s->scratch, i);
  }
  read_cells(m, map, m->view[m->z].storage, m->steps); /* the logits */
  free(map);
}

/* What is live in the fullest step: no plan can do with less. */
static size_t floor_of(const um_model *m) {
  size_t most = 0;
  for (int i = 0; i < m->steps; i++) {
    size_t now = 0;
    for (int k = 0; k < m->storages; k++)
      if (m->storage[k].first <= i && i <= m->storage[k].last) now += (m->storage[k].bytes + 63) / 64 * 64;
    if (now > most) most = now;
  }
  return most;
}

static void test_plan(void **state) {
  static const char *const device[] = {"ref", "cpu"}, *const trainable[] = {"all", "head", NULL};
  static void (*const build[])(um_graph *) = {build_chain, build_dag, build_views, build_vgg};
  (void)state;
  for (int d = 0; d < 2; d++) {
    um_backend *be;
    OK(um_backend_open(&be, device[d], 0, err));
    for (size_t b = 0; b < sizeof build / sizeof *build; b++)
      for (int t = 0; t < 3; t++) { /* NULL: inference */
        um_graph g;
        build[b](&g);
        um_model *m = calloc(1, sizeof *m);
        const um_model_options o = {.batch = 3,
                                    .training = trainable[t] != NULL,
                                    .trainable = trainable[t],
                                    .algorithm = UM_ALGO_DIRECT,
                                    .optimizer = fixture_rmsprop};
        OK(um_model_build(m, &g, be, &o, err));
        play(m);
        /* No plan can do with less than what lives at once. VGG's reaches that but for alignment; the small ones, where one scratch is
         * as large as all values, nearly. */
        const size_t least = floor_of(m);
        if (m->memory.activations > least + least / (build[b] == build_vgg ? 100 : 8))
          fail_msg("%s, graph %d, %s: %zu bytes where %zu would do", device[d], (int)b, trainable[t] ? trainable[t] : "inference",
                   m->memory.activations, least);
        um_model_free(m);
        um_graph_free(&g);
      }
    be->ops->close(be);
  }
}

/* Inference of VGG16 needs block1_conv2's input and output at once, and hardly anything more. */
static void test_inference_memory(void **state) {
  um_backend *be;
  um_graph g;
  um_model_memory memory;
  const um_model_options o = {.batch = 10, .optimizer = fixture_rmsprop};
  const size_t value = (size_t)10 * 150 * 150 * 64 * 4;
  (void)state;
  OK(um_ref_open(&be, err));
  build_vgg(&g);
  OK(um_model_measure(&memory, &g, be, &o, err));
  assert_true(memory.activations >= 2 * value && memory.activations < 2 * value + (1 << 16));
  assert_true(memory.parameters >= 4 * 16812353u && memory.parameters < 4 * 16812353u + 64 * 30);
  assert_int_equal(memory.gradients, 0);
  assert_int_equal(memory.optimizer, 0);
  um_graph_free(&g);
  be->ops->close(be);
}

/* Counts what a backend is asked for. */
static size_t asked;
static int calls;
static const um_ops *counted;
static int count_alloc(um_backend *be, void **out, size_t bytes, um_error *err) {
  asked += bytes, calls++;
  return counted->alloc(be, out, bytes, err);
}

/* measure says what create asks for, and nothing is asked for afterwards. */
static void test_measure(void **state) {
  static const char *const device[] = {"ref", "cpu"};
  enum { N = 4 };
  (void)state;
  for (int d = 0; d < 2; d++) {
    um_backend *be;
    um_graph g;
    um_model *m;
    um_model_memory memory;
    um_loss_sums sums;
    um_optimizer adam = {.kind = UM_OPT_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    const um_model_options o = {.batch = N, .training = true, .trainable = "b", .optimizer = adam};
    OK(um_backend_open(&be, device[d], 0, err));
    um_ops ops = *(counted = be->ops);
    ops.alloc = count_alloc;
    be->ops = &ops;
    build_dag(&g);
    asked = 0, calls = 0;
    OK(um_model_measure(&memory, &g, be, &o, err));
    assert_int_equal(calls, 0);
    OK(um_model_create(&m, &g, be, &o, err));
    assert_int_equal(asked, memory.total);
    assert_memory_equal(&memory, um_model_memory_of(m), sizeof memory);
    assert_int_equal(memory.optimizer, 2 * memory.gradients);
    assert_true(memory.gradients < memory.parameters);
    OK(um_model_init(m, 1, err));
    calls = 0;
    float x[8 * 6 * 2 * N];
    fixture_fill(x, 8 * 6 * 2 * N, 1);
    OK(um_model_feed(m, x, N, err));
    OK(um_model_forward(m, err));
    OK(um_model_backward(m, &sums, labels, err));
    OK(um_model_step(m, 1e-3, err));
    assert_int_equal(calls, 0);
    um_model_free(m);
    um_graph_free(&g);
    be->ops = counted;
    be->ops->close(be);
  }
}

/* A device that says it has 1 GB; and one that says nothing and gives no more than 100 MB at once. */
static size_t says_gigabyte(const um_backend *be) {
  (void)be;
  return 1000000000;
}
static size_t says_nothing(const um_backend *be) {
  (void)be;
  return 0;
}
static int give_little(um_backend *be, void **out, size_t bytes, um_error *err) {
  if (bytes > 100000000) return um_fail(err, UM_ENOMEM, "no memory for %zu bytes", bytes);
  return counted->alloc(be, out, bytes, err);
}

static void test_too_large(void **state) {
  um_backend *be;
  um_graph g;
  um_model *m;
  um_error e;
  um_model_options o = {.batch = 65536, .training = true, .optimizer = fixture_rmsprop}; /* 1.7 TB */
  (void)state;
  OK(um_ref_open(&be, err));
  um_ops ops = *(counted = be->ops);
  ops.memory_free = says_gigabyte;
  be->ops = &ops;
  build_vgg(&g);
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ENOMEM);
  assert_null(m);
  assert_non_null(strstr(e.text, "1000.0 MB are free; take a smaller batch_size"));
  /* The parameters are given, the activations are not: everything goes back. */
  ops.memory_free = says_nothing;
  ops.alloc = give_little;
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ENOMEM);
  assert_null(m);
  assert_non_null(strstr(e.text, "activations"));
  assert_non_null(strstr(e.text, "batch_size"));
  o.batch = 0;
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ECONFIG);
  o.batch = INT64_MAX;
  assert_int_equal(um_model_create(&m, &g, be, &o, &e), UM_ECONFIG);
  um_graph_free(&g);
  be->ops = counted;
  be->ops->close(be);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan), cmocka_unit_test(test_inference_memory), cmocka_unit_test(test_measure),
                                     cmocka_unit_test(test_too_large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
