/* The CSV of infer --labels: what it says of three files that exist. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "infer/facts.c"
#include "infer/hash.c"
#include "infer/inputs.c"

static char folder[64], manifest[96], file[3][96];
static const char *const names[3] = {"a.png", "b c.png", "d, \"e\".png"};

static void remove_folder(void) {
  for (int i = 0; i < 3; i++) unlink(file[i]);
  unlink(manifest);
  rmdir(folder);
}

/* A folder with the three, and a manifest that is the file in memory. */
static void make_folder(const char *csv) {
  if (folder[0]) return;
  strcpy(folder, "/tmp/fuzz_infer_labels_XXXXXX");
  FUZZ_CHECK(mkdtemp(folder));
  atexit(remove_folder);
  for (int i = 0; i < 3; i++) {
    snprintf(file[i], sizeof file[i], "%s/%s", folder, names[i]);
    FILE *f = fopen(file[i], "w");
    FUZZ_CHECK(f && fclose(f) == 0);
  }
  snprintf(manifest, sizeof manifest, "%s/manifest.csv", folder);
  FUZZ_CHECK(symlink(csv, manifest) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  make_folder(fuzz_file(data, size));
  for (int labels = 0; labels < 2; labels++) {
    inputs in = {.at = calloc(3, sizeof *in.at), .count = 3};
    um_error err;
    int named = -1;
    FUZZ_CHECK(in.at);
    for (int i = 0; i < 3; i++)
      in.at[i] = (input){.path = strdup(file[i]), .group = strdup("g"), .label = LABEL_NONE, .score = NAN, .person = -1};
    const int rc = facts_read(&in, manifest, labels, labels ? "method" : NULL, &named, &err);
    FUZZ_CHECK(rc || (named >= 0 && named <= 3));
    for (int i = 0; i < 3; i++) {
      FUZZ_CHECK(in.at[i].group && in.at[i].person >= -1 && (labels || in.at[i].label == LABEL_NONE));
      FUZZ_CHECK(in.at[i].label >= LABEL_NONE && in.at[i].label <= LABEL_FAKE);
    }
    inputs_free(&in);
  }
  return 0;
}
