/* What infer --compare and calibrate read: results of infer --json, then all that is computed from them. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "core/results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  um_results r;
  um_scored *list;
  um_findings found;
  um_calibration fit;
  um_error err;
  char note[1024];
  int count;
  if (um_results_read(&r, fuzz_file(data, size), &err)) {
    FUZZ_CHECK(!r.at && r.count == 0);
    return 0;
  }
  for (int i = 0; i < r.count; i++) FUZZ_CHECK(r.at[i].path && r.at[i].group && isnan(r.at[i].score) == (r.at[i].faces == 0));
  FUZZ_CHECK(um_results_scored(&list, &count, &r, &err) == UM_OK);
  const um_evaluation_settings e = {.rule = r.rule, .calibration = r.calibration, .threshold = .5, .resamples = 5};
  FUZZ_CHECK(um_findings_make(&found, list, count, &e, &err) == UM_OK);
  double *raw = malloc(((size_t)count + 1) * sizeof *raw);
  bool *fake = malloc((size_t)count + 1);
  FUZZ_CHECK(raw && fake);
  for (int i = 0; i < found.subjects.count; i++) {
    const um_subject *s = &found.subjects.at[i];
    FUZZ_CHECK(s->score >= 0 && s->score <= 1 && s->group >= 0 && s->group < found.subjects.groups && s->faces > 0);
    raw[i] = s->score, fake[i] = s->fake;
  }
  FUZZ_CHECK(found.all.video.count == found.subjects.count && found.all.video.groups == found.subjects.groups);
  const um_calibration_settings how = {UM_CALIBRATION_PLATT, .05, .05};
  FUZZ_CHECK(um_calibration_fit(&fit, note, sizeof note, &how, raw, fake, found.subjects.count, &err) == UM_OK);
  FUZZ_CHECK(fit.method == UM_CALIBRATION_NONE || (fit.slope > 0 && fit.real_below <= fit.fake_above));
  free(raw), free(fake), free(list);
  um_findings_free(&found);
  um_results_free(&r);
  return 0;
}
