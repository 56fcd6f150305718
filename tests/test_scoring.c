/* From faces to a video: the rules against numpy (tests/golden/scoring.py), people, and what a model's file carries of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/scoring.h"

enum { MOST = 64 };

static int read_scores(double score[MOST], const cJSON *list) {
  const cJSON *v;
  int n = 0;
  cJSON_ArrayForEach(v, list) assert_in_range(n, 0, MOST - 1), score[n++] = v->valuedouble;
  return n;
}

static void as_numpy(void **state) {
  char *text;
  size_t size;
  um_error err;
  int cases = 0;
  (void)state;
  assert_int_equal(um_file_read(&text, &size, "tests/golden/scoring.json", 1 << 20, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  const cJSON *c;
  cJSON_ArrayForEach(c, cJSON_GetObjectItem(root, "cases")) {
    for (int rule = 0; rule < UM_FRAMES_RULES; rule++) {
      const um_scoring s = {.frames = (um_frames_rule)rule, .top_k = cJSON_GetObjectItem(c, "top_k_of")->valueint};
      double score[MOST];
      const int n = read_scores(score, cJSON_GetObjectItem(c, "score"));
      const double expected = cJSON_GetObjectItem(c, um_frames_rule_name(rule))->valuedouble, got = um_scoring_person(&s, score, n);
      /* The mean of logits of certain scores: 1e-7 has few digits as 1 - p. */
      if (!(fabs(got - expected) < 1e-12))
        fail_msg("%s, %s: got %.17g, expected %.17g", cJSON_GetObjectItem(c, "name")->valuestring, um_frames_rule_name(rule), got,
                 expected);
    }
    cases++;
  }
  assert_int_equal(cases, 16);
  assert_null(um_frames_rule_name(UM_FRAMES_RULES));
  assert_true(isnan(um_scoring_person(&(um_scoring){.top_k = 1}, NULL, 0)));
  cJSON_Delete(root);
  free(text);
}

/* Faces of three people in turn: each has the score of its own faces, the highest is the video's. */
static void people(void **state) {
  static const um_person_face faces[] = {{7, 0, .2}, {2, 0, .9}, {7, 0, .4}, {5, 0, .1}, {2, 0, .7}, {7, 0, .9}};
  um_person_face face[6];
  um_person person[6];
  double scratch[6];
  int count;
  um_scoring s;
  (void)state;
  um_scoring_defaults(&s);
  memcpy(face, faces, sizeof face);
  assert_true(um_scoring_video(&s, person, &count, face, 6, scratch) == (.9 + .7) / 2);
  assert_int_equal(count, 3);
  assert_true(person[0].person == 2 && person[0].faces == 2 && person[0].score == (.9 + .7) / 2);
  assert_true(person[1].person == 5 && person[1].faces == 1 && person[1].score == .1);
  assert_true(person[2].person == 7 && person[2].faces == 3 && person[2].score == (.2 + .4 + .9) / 3);
  s.together = true;
  memcpy(face, faces, sizeof face);
  assert_true(um_scoring_video(&s, person, &count, face, 6, scratch) == (.2 + .9 + .4 + .1 + .7 + .9) / 6);
  assert_true(count == 1 && person[0].person == -1 && person[0].faces == 6);
  assert_true(isnan(um_scoring_video(&s, person, &count, face, 0, scratch)));
  assert_int_equal(count, 0);
}

/* What is put comes back; a member that is missing is the default; a wrong one is refused. */
static void members(void **state) {
  static const char *const wrong[] = {"{\"frames\":\"mode\"}", "{\"frames\":3}", "{\"top_k\":0}", "{\"top_k\":1.5}",
                                      "{\"people\":\"all\"}"};
  um_scoring got;
  (void)state;
  for (int rule = 0; rule < UM_FRAMES_RULES; rule++) {
    const um_scoring s = {.frames = (um_frames_rule)rule, .top_k = 7, .together = rule % 2};
    cJSON *o = cJSON_CreateObject();
    assert_true(um_scoring_put(o, &s));
    assert_true(um_scoring_get(&got, o));
    assert_true(um_scoring_same(&s, &got));
    assert_true(rule != UM_FRAMES_TOP_K || got.top_k == 7);
    cJSON_Delete(o);
  }
  cJSON *o = cJSON_CreateObject();
  um_scoring defaults;
  um_scoring_defaults(&defaults);
  assert_true(um_scoring_get(&got, o));
  assert_true(um_scoring_same(&got, &defaults) && got.top_k == UM_TOP_K && got.frames == UM_FRAMES_MEAN);
  cJSON_Delete(o);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_non_null(o = cJSON_Parse(wrong[i]));
    assert_false(um_scoring_get(&got, o));
    cJSON_Delete(o);
  }
}

/* What is shown of a score is the nearest number of so many digits, as printf has it, but never 0 or 1 for what is neither. */
static void shown(void **state) {
  static const struct {
    double score;
    int digits;
    const char *text;
  } of[] = {{0, 4, "0.0000"},
            {1, 4, "1.0000"},
            {.99996, 4, ">0.9999"},
            {.99994, 4, "0.9999"},
            {.00004, 4, "<0.0001"},
            {.00006, 4, "0.0001"},
            {1 - 0x1p-53, 4, ">0.9999"},
            {0x1p-1074, 4, "<0.0001"},
            {.996, 2, ">0.99"},
            {.994, 2, "0.99"},
            {.004, 2, "<0.01"},
            {.5, 4, "0.5000"},
            {NAN, 4, "-"},
            {1, 2, "1.00"},
            {1 - 0x1p-53, 9, ">0.999999999"}};
  char text[UM_SCORE_TEXT], plain[UM_SCORE_TEXT];
  (void)state;
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) assert_string_equal(um_score_text(text, of[i].score, of[i].digits), of[i].text);
  for (int i = 1; i < 200000; i++) {
    const double score = i / 200000.;
    snprintf(plain, sizeof plain, "%.4f", score);
    um_score_text(text, score, 4);
    if (strcmp(plain, "0.0000") && strcmp(plain, "1.0000"))
      assert_string_equal(text, plain);
    else
      assert_string_equal(text, score < .5 ? "<0.0001" : ">0.9999");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_numpy), cmocka_unit_test(people), cmocka_unit_test(members),
                                     cmocka_unit_test(shown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
