/* What every exported file says of the model, in whatever place the format has for it. */
#include <stdlib.h>
#include <string.h>

#include "weights/model_data.h"

#ifndef UM_VERSION
#define UM_VERSION "?"
#endif

char **um_model_metadata(const um_model_data *d, um_error *err) {
  char *preprocessing = um_preprocess_text(&d->preprocess), *classes = um_classes_text(&d->preprocess), *graph = NULL;
  char **out = NULL;
  if (um_graph_to_json(&d->graph, &graph, err) != UM_OK) goto done;
  if (!preprocessing || !classes) {
    um_fail(err, UM_ENOMEM, "no memory for the metadata");
    goto done;
  }
  /* positive: the class whose probability the sigmoid at the end is. */
  const char *const pair[] = {"unmask.version",       UM_VERSION,    "unmask.classes", classes, "unmask.positive", d->preprocess.classes[1],
                              "unmask.preprocessing", preprocessing, "unmask.graph",   graph};
  enum { TEXTS = sizeof pair / sizeof *pair };
  size_t bytes = sizeof *out * (TEXTS + 1);
  for (int i = 0; i < TEXTS; i++) bytes += strlen(pair[i]) + 1;
  if (!(out = malloc(bytes))) {
    um_fail(err, UM_ENOMEM, "no memory for the metadata");
    goto done;
  }
  char *at = (char *)(out + TEXTS + 1);
  for (int i = 0; i < TEXTS; i++) {
    const size_t n = strlen(pair[i]) + 1;
    out[i] = memcpy(at, pair[i], n);
    at += n;
  }
  out[TEXTS] = NULL;
done:
  free(preprocessing);
  free(classes);
  free(graph);
  return out;
}

unsigned um_model_metadata_read(um_preprocess *p, const char *(*find)(void *arg, const char *key), void *arg) {
  um_preprocess read = *p;
  unsigned said = 0;
  if (um_classes_parse(&read, find(arg, "unmask.classes"))) {
    memcpy(p->classes, read.classes, sizeof p->classes);
    said |= UM_SAYS_CLASSES;
  }
  read = *p;
  if (um_preprocess_parse(&read, find(arg, "unmask.preprocessing"))) {
    *p = read;
    said |= UM_SAYS_PREPROCESS;
  }
  return said;
}
