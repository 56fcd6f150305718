/* weights/manifest.json, as $UM_MANIFEST names it. */
#include "tests/fuzz/fuzz.h"

#include "weights/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  um_known_weights *row = NULL;
  int count = 0;
  um_error err;
  setenv("UM_MANIFEST", fuzz_file(data, size), 1);
  if (um_weights_manifest(&row, &count, &err) == UM_OK)
    for (int i = 0; i < count; i++) FUZZ_CHECK(row[i].name[0] && !strchr(row[i].file, '/') && row[i].size > 0);
  free(row);
  return 0;
}
