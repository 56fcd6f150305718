/* What to score, with the labels where they are known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/sources.h"
#include "infer/infer.h"

int inputs_open(inputs *in, const char *const *path, int count, const char *labels, um_error *err) {
  um_sources s = {0};
  int known = 0, rc = um_sources_collect(&s, path, count, err);
  *in = (inputs){0};
  if (!rc && s.count == 0)
    rc = um_fail(err, UM_EIO, "%s%s: no video or picture in it or below it", path[0], count > 1 ? " and the others" : "");
  if (!rc && labels && strcmp(labels, "folders")) rc = um_sources_label_metadata(&s, labels, err);
  if (!rc && labels && !strcmp(labels, "folders")) um_sources_label_folders(&s);
  if (!rc && !(in->at = calloc((size_t)s.count, sizeof *in->at))) rc = um_fail(err, UM_ENOMEM, "no memory for %d inputs", s.count);
  for (int i = 0; !rc && i < s.count; i++) {
    /* Sources number the classes, fake first; here a label answers whether it is fake. */
    const label l = s.item[i].label == 0 ? LABEL_FAKE : s.item[i].label == 1 ? LABEL_REAL : LABEL_NONE;
    in->at[in->count++] = (input){.path = s.item[i].path, .label = l, .score = NAN};
    s.item[i].path = NULL; /* handed over */
    known += l != LABEL_NONE;
  }
  um_sources_free(&s);
  if (!rc && labels && known == 0)
    rc =
        um_fail(err, UM_EFORMAT,
                strcmp(labels, "folders") ? "%s: names none of the inputs" : "--labels %s: no input lies below a folder named fake or real",
                labels);
  if (rc) inputs_free(in);
  return rc;
}

void inputs_free(inputs *in) {
  for (int i = 0; i < in->count; i++) {
    free(in->at[i].path);
    free(in->at[i].detail);
  }
  free(in->at);
  *in = (inputs){0};
}
