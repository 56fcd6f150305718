/* From the scores of faces to the score of an input. */
#include <math.h>
#include <stdlib.h>

#include "infer/infer.h"

/* Every score that a person sees is of the same scale: a face's is that of a video of this face alone. */
static void calibrate(input *in, const um_calibration *c) {
  for (int i = 0; i < in->faces; i++) in->detail[i].raw = in->detail[i].score, in->detail[i].score = um_calibrated(c, in->detail[i].raw);
  for (int i = 0; i < in->candidates; i++) {
    detail *d = &in->candidate[i].d;
    d->raw = d->score, d->score = um_calibrated(c, d->raw);
  }
  for (int i = 0; i < in->people; i++) in->person_score[i].score = um_calibrated(c, in->person_score[i].raw);
  in->score = um_calibrated(c, in->raw);
  in->verdict = um_verdict_of(c, in->score);
  um_verdict_reason(in->doubt, sizeof in->doubt, c, in->score);
}

int score_input(input *in, const um_preprocess *p, um_error *err) {
  const size_t n = (size_t)in->faces;
  const um_scoring rule = um_preprocess_scoring(p);
  const um_calibration *c = &p->calibration;
  in->score = in->raw = NAN, in->people = 0, in->verdict = UM_VERDICT_NONE;
  if (n == 0) return UM_OK;
  um_person_face *face = malloc(n * sizeof *face);
  double *scratch = malloc(n * sizeof *scratch);
  in->person_score = malloc(n * sizeof *in->person_score);
  int rc = UM_OK;
  if (face && scratch && in->person_score) {
    /* A picture has no tracks: each of its faces is a person. */
    for (size_t i = 0; i < n; i++)
      face[i] = (um_person_face){.person = in->detail[i].track < 0 ? (int)i : in->detail[i].track, .score = in->detail[i].score};
    in->raw = um_scoring_video(&rule, in->person_score, &in->people, face, in->faces, scratch);
    if (rule.together) in->people = 0;
    calibrate(in, c);
  } else {
    rc = um_fail(err, UM_ENOMEM, "%s: no memory for the scores of %d faces", in->path, in->faces);
  }
  free(face), free(scratch);
  return rc;
}
