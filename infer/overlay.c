/* Every colour stands beside its word: fake, real, uncertain. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/paint.h"
#include "infer/annotate.h"

enum { UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT };

static const um_paint dark = {{18, 20, 24}, .82}, edge = {{18, 20, 24}, .6}, white = {{255, 255, 255}, 1}, empty = {{255, 255, 255}, .28};
static const um_paint colours[] = {[UM_VERDICT_NONE] = {{90, 94, 100}, 1},
                                   [UM_VERDICT_REAL] = {{0x00, 0x72, 0xb2}, 1},
                                   [UM_VERDICT_UNCERTAIN] = {{0x8a, 0x8a, 0x8a}, 1},
                                   [UM_VERDICT_FAKE] = {{0xd5, 0x5e, 0x00}, 1}};

/* Sizes as parts of a capital's height; whole pixels where an edge should be sharp. */
static double part(const overlay *v, double of) { return fmax(1, round(v->letters * of)); }

/* 4:2:0 shares colours among 2 x 2 pixels: lines are not thinner than what keeps theirs. */
static double bar_height_of(const overlay *v) { return fmax(5, part(v, .45)); }

/* "FAKE 0.93" */
static void name(char *text, size_t size, um_verdict verdict, double score) {
  if (verdict == UM_VERDICT_NONE)
    snprintf(text, size, "NO VERDICT");
  else
    snprintf(text, size, "%s %.2f", um_verdict_name(verdict), score);
  for (char *p = text; *p; p++) *p = (char)toupper((unsigned char)*p);
}

/* From 0 to 1, filled up to the score, with a white mark at each threshold. */
static void bar(const overlay *v, um_image *im, double x, double y, double width, double height, double score) {
  const um_calibration *c = &v->calibration;
  const um_verdict verdict = um_verdict_of(c, score);
  const double mark = part(v, .09), out = part(v, .12), threshold[2] = {c->band ? c->real_below : .5, c->band ? c->fake_above : .5};
  um_paint_rectangle(im, x, y, width, height, empty);
  if (verdict != UM_VERDICT_NONE) um_paint_rectangle(im, x, y, round(width * fmin(1, fmax(0, score))), height, colours[verdict]);
  for (int i = 0; i < (threshold[0] == threshold[1] ? 1 : 2); i++)
    um_paint_rectangle(im, x + round((width - mark) * threshold[i]), y - out, mark, height + 2 * out, white);
}

/* A line of words on the verdict's colour, a bar below it. */
void overlay_face(const overlay *v, um_image *im, const sighting *face, int number) {
  const um_verdict verdict = um_verdict_of(&v->calibration, face->score);
  const double pad = part(v, .4), line = fmax(3, part(v, .2)), bar_height = bar_height_of(v), x = round(face->box[0]),
               y = round(face->box[1]), width = round(face->box[2]), height = round(face->box[3]);
  char text[64], words[96];
  name(text, sizeof text, verdict, face->score);
  if (number)
    snprintf(words, sizeof words, "Person %d: %s", number, text);
  else
    snprintf(words, sizeof words, "%s", text);
  um_paint_frame(im, x - 1, y - 1, width + 2, height + 2, line + 2, edge);
  um_paint_frame(im, x, y, width, height, line, colours[verdict]);

  const double room = fmax(width, ceil(um_paint_text_width(v->letters, .17, words) + 2 * pad)), first = v->letters + 2 * pad,
               second = bar_height + 2 * part(v, .3);
  double left = x, top = y - first - second;
  if (top < 0) top = y + height + first + second <= im->height ? y + height : fmax(0, y);
  left = fmax(0, fmin(left, im->width - room));
  um_paint_rectangle(im, left, top, room, first, colours[verdict]);
  um_paint_rectangle(im, left, top + first, room, second, dark);
  um_paint_text(im, left + pad, top + pad, v->letters, .17, words, white);
  bar(v, im, left + pad, top + first + part(v, .3), room - 2 * pad, bar_height, face->score);
}

typedef struct panel {
  char words[96];
  const char *below; /* a line of small letters, or NULL */
  double x, y, width, height, first, letters, small, pad;
} panel;

static panel place(const overlay *v, int corner, int width, int height) {
  const input *in = v->in;
  panel p = {.letters = part(v, 1.25), .small = part(v, .72), .pad = part(v, .55), .below = isnan(in->score) ? in->reason : NULL};
  const double margin = part(v, .8), ends = part(v, .4) + p.small;
  char text[64];
  name(text, sizeof text, in->verdict, in->score);
  snprintf(p.words, sizeof p.words, "%s: %s", in->kind == UM_MEDIA_IMAGE ? "Picture" : "Video", text);
  p.first = p.letters + 2 * p.pad;
  p.width = um_paint_text_width(p.letters, .17, p.words) + 2 * p.pad;
  if (p.below && *p.below) p.width = fmax(p.width, um_paint_text_width(p.small, .13, p.below) + 2 * p.pad);
  p.width = ceil(fmin(fmax(p.width, part(v, 12)), width - 2 * margin));
  p.height = p.first + (isnan(in->score) ? p.small + 2 * p.pad : bar_height_of(v) + 2 * p.pad + ends);
  p.x = corner == UPPER_RIGHT || corner == LOWER_RIGHT ? width - margin - p.width : margin;
  p.y = corner == LOWER_LEFT || corner == LOWER_RIGHT ? height - margin - p.height : margin;
  return p;
}

void overlay_open(overlay *v, const input *in, const um_calibration *c, const ways *w, int width, int height) {
  double least = INFINITY;
  *v = (overlay){.calibration = *c, .in = in, .letters = fmax(8, round(fmin(width, height) * .022))};
  for (int corner = UPPER_LEFT; corner <= LOWER_RIGHT; corner++) {
    const panel p = place(v, corner, width, height);
    double hidden = 0;
    for (int i = 0; i < w->count; i++)
      for (int k = 0; k < w->at[i].count; k++) {
        const double *b = w->at[i].at[k].box, above = 3 * v->letters; /* and what is written above the box */
        const double across = fmin(p.x + p.width, b[0] + b[2]) - fmax(p.x, b[0]);
        const double down = fmin(p.y + p.height, b[1] + b[3]) - fmax(p.y, b[1] - above);
        if (across > 0 && down > 0) hidden += across * down;
      }
    if (hidden < least) least = hidden, v->corner = corner;
  }
}

void overlay_verdict(const overlay *v, um_image *im) {
  const panel p = place(v, v->corner, im->width, im->height);
  const double inside = p.width - 2 * p.pad, below = p.y + p.first + p.pad;
  um_paint_rectangle(im, p.x, p.y, p.width, p.first, colours[v->in->verdict]);
  um_paint_rectangle(im, p.x, p.y + p.first, p.width, p.height - p.first, dark);
  um_paint_text(im, p.x + p.pad, p.y + p.pad, p.letters, .17, p.words, white);
  if (isnan(v->in->score)) {
    if (p.below) um_paint_text(im, p.x + p.pad, below, p.small, .13, p.below, white);
    return;
  }
  const double height = bar_height_of(v), ends = below + height + part(v, .4);
  bar(v, im, p.x + p.pad, below, inside, height, v->in->score);
  um_paint_text(im, p.x + p.pad, ends, p.small, .13, "0 real", white);
  um_paint_text(im, p.x + p.pad + inside - um_paint_text_width(p.small, .13, "1 fake"), ends, p.small, .13, "1 fake", white);
}
