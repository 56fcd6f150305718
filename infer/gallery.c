/* Which inputs a page shows in all detail. */
#include <math.h>
#include <stdlib.h>

#include "infer/infer.h"

/* Faces that a page shows at most, but for one of each input; and how large they are by how many there may be. */
enum { FACES_MAX = 1000, FACES_LARGE = 60, FACES_MIDDLE = 400 };

static int list_of(const input *in) { return in->label == LABEL_FAKE; }

int gallery_open(inputs *in, const options *o, um_error *err) {
  gallery *g = &in->gallery;
  int of[2] = {0, 0};
  for (int i = 0; i < in->count; i++) of[list_of(&in->at[i])]++;
  if (in->count > o->report_details) {
    const int half = o->report_details / 2;
    g->most[1] = of[1] < half ? of[1] : half;
    g->most[0] = o->report_details - g->most[1];
    if (g->most[0] > of[0]) g->most[1] += g->most[0] - of[0], g->most[0] = of[0];
  } else {
    g->most[0] = of[0], g->most[1] = of[1];
  }
  for (int i = 0; i < 2; i++)
    if (!(g->at[i] = malloc(((size_t)g->most[i] + 1) * sizeof *g->at[i])))
      return um_fail(err, UM_ENOMEM, "no memory for %d inputs", g->most[i]);
  return UM_OK;
}

int gallery_faces(const inputs *in, const options *o) {
  const int inputs_shown = in->gallery.most[0] + in->gallery.most[1], each = FACES_MAX / (inputs_shown > 0 ? inputs_shown : 1);
  return o->explain_faces < each ? o->explain_faces : each > 1 ? each : 1;
}

int gallery_side(const inputs *in, const options *o) {
  const int faces = gallery_faces(in, o) * (in->gallery.most[0] + in->gallery.most[1]);
  return faces <= FACES_LARGE ? 256 : faces <= FACES_MIDDLE ? 160 : 112;
}

/* How far to the front: a score that is none comes last. */
static double weight(const input *in) { return isnan(in->score) ? -1 : list_of(in) ? 1 - in->score : in->score; }

static void drop(input *in) {
  for (int i = 0; i < in->candidates; i++) {
    free(in->candidate[i].plain.data), in->candidate[i].plain = (thumbnail){0};
    free(in->candidate[i].heat.data), in->candidate[i].heat = (thumbnail){0};
  }
  in->shown = false;
}

bool gallery_take(inputs *in, int index) {
  const int list = list_of(&in->at[index]), most = in->gallery.most[list];
  int *at = in->gallery.at[list], *count = &in->gallery.count[list], place = *count;
  while (place > 0 && weight(&in->at[at[place - 1]]) < weight(&in->at[index])) place--;
  if (place == most) return false;
  if (*count == most) drop(&in->at[at[--*count]]);
  for (int i = *count; i > place; i--) at[i] = at[i - 1];
  at[place] = index, ++*count;
  return in->at[index].shown = true;
}
