/* What a resumed run reads of its validation.csv: read, written and read again it is the same; then what the end of the run says of it. */
#include "tests/fuzz/fuzz.h"

#include "train/summary.c"
#include "train/validation.c"

/* The summary's model file is not looked for here. */
int run_open_model(um_st **st, um_preprocess *p, const run *r, const char *name, um_error *err) {
  (void)st, (void)p, (void)r;
  return um_fail(err, UM_EIO, "%s", name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { DONE = 3 };
  um_error err;
  run r = {.judged = {0}};
  validation_log again;
  rule_lines all;
  char written[64], line[96];
  bool by_auc;
  um_log_open("fuzz", UM_LOG_ERROR);
  if (validation_read(&r.judged, fuzz_file(data, size), DONE, &err)) {
    FUZZ_CHECK(!r.judged.text && r.judged.size == 0);
    return 0;
  }
  snprintf(written, sizeof written, "/tmp/fuzz_validation_%d", (int)getpid());
  FUZZ_CHECK(validation_write(&r.judged, written, &err) == UM_OK);
  FUZZ_CHECK(validation_read(&again, written, DONE, &err) == UM_OK);
  FUZZ_CHECK(again.size == r.judged.size && (again.size == 0 || memcmp(again.text, r.judged.text, again.size) == 0));
  unlink(written);
  for (int epoch = 1; epoch <= DONE; epoch++) {
    FUZZ_CHECK(read_lines(&all, &r, epoch, &err) == UM_OK);
    const rule_line *best = all.count > 1 ? better(&all, &by_auc) : NULL;
    if (best) keys(line, best, &all.at[0]);
    say_rules(&all, epoch, true);
  }
  validation_free(&r.judged), validation_free(&again);
  return 0;
}
