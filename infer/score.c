/* From the scores of faces to the score of an input. */
#include <math.h>
#include <stdlib.h>

#include "infer/infer.h"

int score_input(input *in, const um_preprocess *p, um_error *err) {
  const size_t n = (size_t)in->faces;
  const um_scoring rule = um_preprocess_scoring(p);
  in->score = NAN, in->people = 0;
  if (n == 0) return UM_OK;
  um_person_face *face = malloc(n * sizeof *face);
  double *scratch = malloc(n * sizeof *scratch);
  in->person_score = malloc(n * sizeof *in->person_score);
  int rc = UM_OK;
  if (face && scratch && in->person_score) {
    /* A picture has no tracks: each of its faces is a person. */
    for (size_t i = 0; i < n; i++)
      face[i] = (um_person_face){.person = in->detail[i].track < 0 ? (int)i : in->detail[i].track, .score = in->detail[i].score};
    in->score = um_scoring_video(&rule, in->person_score, &in->people, face, in->faces, scratch);
    if (rule.together) in->people = 0;
  } else {
    rc = um_fail(err, UM_ENOMEM, "%s: no memory for the scores of %d faces", in->path, in->faces);
  }
  free(face), free(scratch);
  return rc;
}
