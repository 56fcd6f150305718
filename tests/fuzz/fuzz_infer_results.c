/* What infer --compare reads: results of infer --json, then all that is computed from them. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "infer/evaluate.c"
#include "infer/facts.c"
#include "infer/inputs.c"
#include "infer/results.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const options o = {.resamples = 5};
  inputs in;
  um_scoring rule;
  um_calibration calibration;
  um_findings found;
  um_error err;
  if (results_read(&in, &rule, &calibration, fuzz_file(data, size), &err)) {
    FUZZ_CHECK(!in.at && in.count == 0);
    return 0;
  }
  for (int i = 0; i < in.count; i++) FUZZ_CHECK(in.at[i].path && in.at[i].group && isnan(in.at[i].score) == (in.at[i].faces == 0));
  FUZZ_CHECK(findings_make(&found, &in, &rule, &calibration, &o, &err) == UM_OK);
  for (int i = 0; i < found.subjects.count; i++) {
    const um_subject *s = &found.subjects.at[i];
    FUZZ_CHECK(s->score >= 0 && s->score <= 1 && s->group >= 0 && s->group < found.subjects.groups && s->faces > 0);
  }
  FUZZ_CHECK(found.all.video.count == found.subjects.count && found.all.video.groups == found.subjects.groups);
  um_findings_free(&found);
  inputs_free(&in);
  return 0;
}
