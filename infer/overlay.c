/* Every colour stands beside its word: fake, real, uncertain. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/paint.h"
#include "infer/annotate.h"

#define BOLD 0.17
#define THIN 0.13

enum { UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT };

static const um_paint dark = {{18, 20, 24}, .82}, edge = {{255, 255, 255}, .7}, shade = {{18, 20, 24}, .5}, white = {{255, 255, 255}, 1},
                      empty = {{255, 255, 255}, .28};
static const um_paint colours[] = {[UM_VERDICT_NONE] = {{90, 94, 100}, 1},
                                   [UM_VERDICT_REAL] = {{0x00, 0x72, 0xb2}, 1},
                                   [UM_VERDICT_UNCERTAIN] = {{0x8a, 0x8a, 0x8a}, 1},
                                   [UM_VERDICT_FAKE] = {{0xd5, 0x5e, 0x00}, 1}};

/* Sizes as parts of a capital's height; whole pixels where an edge should be sharp. */
static double part(const overlay *v, double of) { return fmax(1, round(v->letters * of)); }

/* 4:2:0 shares colours among 2 x 2 pixels: lines are not thinner than what keeps theirs. */
static double bar_height(const overlay *v) { return fmax(5, part(v, .45)); }

static double first_height(const overlay *v) { return v->letters + 2 * part(v, .4); }
static double second_height(const overlay *v) { return bar_height(v) + 2 * part(v, .3); }

/* "FAKE 0.93" */
static void name(char *text, size_t size, um_verdict verdict, double score) {
  char number[UM_SCORE_TEXT];
  if (verdict == UM_VERDICT_NONE)
    snprintf(text, size, "NO VERDICT");
  else
    snprintf(text, size, "%s %s", um_verdict_name(verdict), um_score_text(number, score, 2));
  for (char *p = text; *p; p++) *p = (char)toupper((unsigned char)*p);
}

/* From 0 to 1, filled up to the score, with a white mark at each threshold. */
static void bar(const overlay *v, um_image *im, double x, double y, double width, double height, double score) {
  const um_calibration *c = &v->calibration;
  const um_verdict verdict = um_verdict_of(c, score);
  const double wide = part(v, .09), out = part(v, .12), threshold[2] = {c->band ? c->real_below : .5, c->band ? c->fake_above : .5};
  um_paint_rectangle(im, x, y, width, height, empty);
  if (verdict != UM_VERDICT_NONE) um_paint_rectangle(im, x, y, round(width * fmin(1, fmax(0, score))), height, colours[verdict]);
  for (int i = 0; i < (threshold[0] == threshold[1] ? 1 : 2); i++)
    um_paint_rectangle(im, x + round((width - wide) * threshold[i]), y - out, wide, height + 2 * out, white);
}

/* The part of a that b hides, in pixels. */
static double hidden(const area *a, const area *b) {
  const double across = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
  const double down = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
  return across > 0 && down > 0 ? across * down : 0;
}
static area box_of(const mark *m) {
  return (area){round(m->face.box[0]), round(m->face.box[1]), round(m->face.box[2]), round(m->face.box[3])};
}

/* "Person 2: FAKE 0.93", beside a narrow face "2: FAKE 0.93". */
static void words_of(const overlay *v, char *words, size_t size, const mark *m) {
  char text[64];
  name(text, sizeof text, um_verdict_of(&v->calibration, m->face.score), m->face.score);
  snprintf(words, size, "%s", text);
  if (m->number) snprintf(words, size, "Person %d: %s", m->number, text);
  if (m->number && um_paint_text_width(v->letters, BOLD, words) + 2 * part(v, .4) > m->face.box[2])
    snprintf(words, size, "%d: %s", m->number, text);
}

/* Above or below its box, flush with its left or right side: of these the first that hides least. */
static void place_words(const overlay *v, const um_image *im, const area *verdict, mark *all, int count, int i) {
  char words[96];
  const area box = box_of(&all[i]);
  words_of(v, words, sizeof words, &all[i]);
  const double width = fmax(box.width, ceil(um_paint_text_width(v->letters, BOLD, words) + 2 * part(v, .4))),
               height = first_height(v) + second_height(v);
  double least = INFINITY;
  for (int k = 0; k < 4; k++) {
    area at = {k % 2 ? box.x + box.width - width : box.x, k / 2 ? box.y + box.height : box.y - height, width, height};
    at.x = fmax(0, fmin(at.x, im->width - width)), at.y = fmax(0, fmin(at.y, im->height - height));
    double cost = hidden(&at, verdict);
    for (int j = 0; j < count; j++) {
      const area other = box_of(&all[j]);
      cost += hidden(&at, &other) + (j < i ? 2 * hidden(&at, &all[j].words) : 0);
    }
    if (cost < least) least = cost, all[i].words = at;
  }
}

/* A line of words on the verdict's colour, a bar below it. */
static void write_words(const overlay *v, um_image *im, const mark *m) {
  char words[96];
  const double pad = part(v, .4);
  const area *w = &m->words;
  words_of(v, words, sizeof words, m);
  um_paint_rectangle(im, w->x, w->y, w->width, first_height(v), colours[um_verdict_of(&v->calibration, m->face.score)]);
  um_paint_rectangle(im, w->x, w->y + first_height(v), w->width, second_height(v), dark);
  um_paint_text(im, w->x + pad, w->y + pad, v->letters, BOLD, words, white);
  bar(v, im, w->x + pad, w->y + first_height(v) + part(v, .3), w->width - 2 * pad, bar_height(v), m->face.score);
}

typedef struct panel {
  char words[96];
  const char *below; /* a line of small letters: why there is no verdict; or NULL */
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
  p.width = um_paint_text_width(p.letters, BOLD, p.words) + 2 * p.pad;
  if (p.below && *p.below) p.width = fmax(p.width, um_paint_text_width(p.small, THIN, p.below) + 2 * p.pad);
  p.width = ceil(fmin(fmax(p.width, part(v, 12)), width - 2 * margin));
  p.height = p.first + (isnan(in->score) ? p.small + 2 * p.pad : bar_height(v) + 2 * p.pad + ends);
  p.x = corner == UPPER_RIGHT || corner == LOWER_RIGHT ? width - margin - p.width : margin;
  p.y = corner == LOWER_LEFT || corner == LOWER_RIGHT ? height - margin - p.height : margin;
  return p;
}

void overlay_open(overlay *v, const input *in, const um_calibration *c, const ways *w, int width, int height) {
  double least = INFINITY;
  *v = (overlay){.calibration = *c, .in = in, .letters = fmax(8, round(fmin(width, height) * .022))};
  for (int corner = UPPER_LEFT; corner <= LOWER_RIGHT; corner++) {
    const panel p = place(v, corner, width, height);
    const area verdict = {p.x, p.y, p.width, p.height};
    double cost = 0;
    for (int i = 0; i < w->count; i++)
      for (int k = 0; k < w->at[i].count; k++) {
        const double *b = w->at[i].at[k].box, above = first_height(v) + second_height(v);
        cost += hidden(&verdict, &(area){b[0], b[1] - above, b[2], b[3] + above});
      }
    if (cost < least) least = cost, v->corner = corner;
  }
}

/* As much of a line as there is room for. */
static void write_as_fits(um_image *im, double x, double y, double size, const char *text, double room) {
  char line[256];
  size_t n = (size_t)snprintf(line, sizeof line - 3, "%s", text);
  if (n > sizeof line - 4) n = sizeof line - 4;
  while (n > 0 && um_paint_text_width(size, THIN, line) > room) n--, memcpy(line + n, "...", 4);
  um_paint_text(im, x, y, size, THIN, line, white);
}

void overlay_verdict(const overlay *v, um_image *im) {
  const panel p = place(v, v->corner, im->width, im->height);
  const double inside = p.width - 2 * p.pad, below = p.y + p.first + p.pad;
  um_paint_rectangle(im, p.x, p.y, p.width, p.first, colours[v->in->verdict]);
  um_paint_rectangle(im, p.x, p.y + p.first, p.width, p.height - p.first, dark);
  um_paint_text(im, p.x + p.pad, p.y + p.pad, p.letters, BOLD, p.words, white);
  if (isnan(v->in->score)) {
    if (p.below) write_as_fits(im, p.x + p.pad, below, p.small, p.below, inside);
    return;
  }
  const double height = bar_height(v), ends = below + height + part(v, .4);
  bar(v, im, p.x + p.pad, below, inside, height, v->in->score);
  um_paint_text(im, p.x + p.pad, ends, p.small, THIN, "0 real", white);
  um_paint_text(im, p.x + p.pad + inside - um_paint_text_width(p.small, THIN, "1 fake"), ends, p.small, THIN, "1 fake", white);
}

void overlay_faces(const overlay *v, um_image *im, mark *all, int count) {
  const panel p = place(v, v->corner, im->width, im->height);
  const area verdict = {p.x, p.y, p.width, p.height};
  const double line = fmax(3, part(v, .2));
  for (int i = 0; i < count; i++) {
    const area b = box_of(&all[i]);
    place_words(v, im, &verdict, all, count, i);
    /* Light outside and dark inside: on any ground one of them stands out. */
    um_paint_frame(im, b.x - 1, b.y - 1, b.width + 2, b.height + 2, 1, edge);
    um_paint_frame(im, b.x + line, b.y + line, b.width - 2 * line, b.height - 2 * line, 1, shade);
    um_paint_frame(im, b.x, b.y, b.width, b.height, line, colours[um_verdict_of(&v->calibration, all[i].face.score)]);
  }
  for (int i = 0; i < count; i++) write_words(v, im, &all[i]);
}
