/* What infer --verify reads: a result with its settings, hashes and versions, and what is said of the differences. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "infer/facts.c"
#include "infer/inputs.c"
#include "infer/record.c"
#include "infer/verify_diff.c"

static const char here[] =
    "{\"program\":{\"version\":\"1\",\"sha256\":null},\"libraries\":{\"oneDNN\":\"2.6.3\",\"libpng\":\"1.6\"},"
    "\"device\":{\"backend\":\"cpu\",\"gpu\":null},\"detector_files\":[{\"file\":\"a\",\"sha256\":\"b\",\"bytes\":7}]}";

static void check_input(const input *in) {
  FUZZ_CHECK(in->path && strlen(in->path) < 4096 && strlen(in->sha256) % 64 == 0 && in->bytes >= 0 && in->frames >= 0);
  FUZZ_CHECK(isnan(in->score) == (in->faces == 0) && isnan(in->raw) == isnan(in->score) && !(in->skipped && in->faces));
  FUZZ_CHECK(isnan(in->score) || (in->score >= 0 && in->score <= 1 && in->raw >= 0 && in->raw <= 1));
  FUZZ_CHECK((in->verdict == UM_VERDICT_NONE) == isnan(in->score) && in->verdict <= UM_VERDICT_FAKE);
  for (int i = 0; i < in->faces; i++) {
    const detail *d = &in->detail[i];
    FUZZ_CHECK(d->score >= 0 && d->score <= 1 && d->raw >= 0 && d->raw <= 1 && isfinite(d->time_s) && !isinf(d->shown_s) &&
               d->track >= -1 && d->frame >= 0);
  }
}

static void check_text(const char *text) {
  FUZZ_CHECK(*text);
  for (; *text; text++) FUZZ_CHECK((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  record r;
  um_error err;
  differences d = {0};
  if (record_read(&r, fuzz_file(data, size), &err)) {
    FUZZ_CHECK(!r.root && !r.in.at && err.text[0]);
    return 0;
  }
  FUZZ_CHECK(r.in.count > 0 && r.batch >= 1 && r.batch <= 256 && r.precision <= UM_PRECISION_BF16 && um_precision_name(r.precision));
  FUZZ_CHECK(*r.model_path && strlen(r.model_sha256) == 64 && strlen(r.fingerprint) % 64 == 0 && r.threads >= 0 && r.jobs >= 0);
  FUZZ_CHECK(r.preprocess.faces.fps >= 0 && r.preprocess.faces.fps <= 1000 && r.preprocess.faces.max_size <= 16384);
  for (int i = 0; i < r.in.count; i++) check_input(&r.in.at[i]);
  cJSON *now = cJSON_Parse(here);
  FUZZ_CHECK(now);
  differences_add(&d, "", r.evidence, now);
  FUZZ_CHECK(d.count <= DIFFERENCES && (d.more == 0 || d.count == DIFFERENCES));
  for (int i = 0; i < d.count; i++) check_text(d.at[i].what), check_text(d.at[i].then), check_text(d.at[i].now);
  cJSON_Delete(now);
  record_free(&r);
  return 0;
}
