/* From labelled inputs to numbers about their scores: what core/evaluation.h takes. */
#include <math.h>
#include <stdlib.h>

#include "infer/infer.h"

um_evaluation_settings evaluation_settings(const um_scoring *rule, const um_calibration *c, const options *o) {
  return (um_evaluation_settings){.rule = *rule, .calibration = *c, .threshold = THRESHOLD, .resamples = o->resamples, .by = o->by};
}

typedef struct scored {
  um_scored *at;
  int count;
  um_person_face *face;
} scored;

static void scored_free(scored *s) {
  free(s->at), free(s->face);
  *s = (scored){0};
}

static bool counts(const input *in) { return in->label != LABEL_NONE && !isnan(in->score); }

static int scored_make(scored *s, const inputs *in, um_error *err) {
  size_t faces = 0;
  for (int i = 0; i < in->count; i++)
    if (counts(&in->at[i])) faces += (size_t)in->at[i].faces;
  *s = (scored){.at = malloc(((size_t)in->count + 1) * sizeof *s->at), .face = malloc((faces + 1) * sizeof *s->face)};
  if (!s->at || !s->face) {
    scored_free(s);
    return um_fail(err, UM_ENOMEM, "no memory for %zu scores", faces);
  }
  um_person_face *face = s->face;
  for (int i = 0; i < in->count; i++) {
    const input *one = &in->at[i];
    if (!counts(one)) continue;
    s->at[s->count++] = (um_scored){.name = one->video && *one->video ? one->video : one->path,
                                    .key = one->path,
                                    .group = one->group,
                                    .by = one->by,
                                    .fake = one->label == LABEL_FAKE,
                                    .score = one->raw,
                                    .face = face,
                                    .faces = one->faces};
    for (int k = 0; k < one->faces; k++) *face++ = (um_person_face){.person = one->detail[k].track, .score = one->detail[k].raw};
  }
  return UM_OK;
}

int findings_make(um_findings *r, const inputs *in, const um_scoring *rule, const um_calibration *c, const options *o, um_error *err) {
  const um_evaluation_settings e = evaluation_settings(rule, c, o);
  scored s;
  int rc = scored_make(&s, in, err);
  if (rc) return rc;
  rc = um_findings_make(r, s.at, s.count, &e, err);
  if (rc == UM_ECONFIG) um_fail_context(err, "--by %s", o->by);
  scored_free(&s);
  return rc;
}
