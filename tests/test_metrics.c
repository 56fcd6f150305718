/* AUC, log loss and accuracy against scikit-learn (tests/golden/metrics.py), and where it gives no number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "core/file.h"
#include "core/metrics.h"

/* Only the order of the sums differs. */
#define TOLERANCE 1e-12

static void as_scikit_learn(void **state) {
  char *text;
  size_t size;
  um_error err;
  int cases = 0;
  (void)state;
  assert_int_equal(um_file_read(&text, &size, "tests/golden/metrics.json", 1 << 20, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  const cJSON *c;
  assert_non_null(root);
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(root, "cases")) {
    const cJSON *scores = cJSON_GetObjectItem(c, "score"), *labels = cJSON_GetObjectItem(c, "label"), *s, *l;
    int n = cJSON_GetArraySize(scores), i = 0;
    double *score = malloc((size_t)n * sizeof *score);
    bool *positive = malloc((size_t)n * sizeof *positive);
    assert_true(score && positive);
    assert_int_equal(cJSON_GetArraySize(labels), n);
    for (s = scores->child, l = labels->child; s; s = s->next, l = l->next, i++) score[i] = s->valuedouble, positive[i] = l->valueint == 1;
    print_message("%s: %d scores\n", cJSON_GetObjectItem(c, "name")->valuestring, n);
    assert_true(fabs(um_auc(score, positive, n) - cJSON_GetObjectItem(c, "auc")->valuedouble) < TOLERANCE);
    double loss = cJSON_GetObjectItem(c, "log_loss")->valuedouble;
    assert_true(fabs(um_log_loss(score, positive, n) - loss) < TOLERANCE * (1 + loss));
    assert_true(fabs(um_accuracy(score, positive, n, .5) - cJSON_GetObjectItem(c, "accuracy")->valuedouble) < TOLERANCE);
    free(score), free(positive);
    cases++;
  }
  assert_int_equal(cases, 9);
  cJSON_Delete(root);
  free(text);
}

static void no_number(void **state) {
  const double score[] = {.2, .8, NAN};
  const bool one_class[] = {true, true, true}, both[] = {true, false, true};
  (void)state;
  assert_true(isnan(um_auc(score, one_class, 2)));
  assert_true(isnan(um_auc(score, both, 3)));
  assert_true(isnan(um_auc(score, both, 0)));
  assert_true(isnan(um_log_loss(score, both, 0)));
  assert_true(isnan(um_log_loss(score, both, 3)));
  assert_true(isnan(um_accuracy(score, both, 0, .5)));
  assert_true(isnan(um_accuracy(score, both, 3, .5)));
}

/* A threshold is passed only from above, as in Keras' p > 0.5. */
static void threshold(void **state) {
  const double score[] = {.5, .5, .6, .4};
  const bool positive[] = {true, false, true, false};
  (void)state;
  assert_true(um_accuracy(score, positive, 4, .5) == .75);
  assert_true(um_accuracy(score, positive, 4, .6) == .5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_scikit_learn), cmocka_unit_test(no_number), cmocka_unit_test(threshold)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
