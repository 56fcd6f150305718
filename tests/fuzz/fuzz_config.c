/* A config, and behind a byte 1 each, overrides as --set gives them. What is read is written, and reads back as the same. */
#include "tests/fuzz/fuzz.h"

#include "core/config.h"

enum { SETS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = fuzz_text(data, size), key[128], *again = NULL;
  const char *set[SETS];
  int sets = 0;
  um_config c, d;
  um_graph g;
  um_error err;
  for (char *at = text; sets < SETS && (at = strchr(at, 1)); set[sets++] = at) *at++ = 0;
  if (um_config_parse(&c, text, "config", set, sets, &err) == UM_OK) {
    if (um_config_graph(&g, NULL, &c, &err) == UM_OK) um_graph_free(&g);
    FUZZ_CHECK(um_config_to_json(&c, &again, &err) == UM_OK);
    FUZZ_CHECK(um_config_parse(&d, again, "written", NULL, 0, &err) == UM_OK);
    FUZZ_CHECK(!um_config_differs(&c, &d, key, sizeof key));
    um_config_free(&d);
    um_config_free(&c);
    free(again);
  }
  free(text);
  return 0;
}
