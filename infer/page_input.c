/* One input: verdict, what it means and how sure it is, when and where, and what was looked at. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/page.h"

/* Fewer faces, and smaller ones, than this are worth a word. */
enum { FEW_FACES = 8, SMALL_FACE = 64 };

static const char *kind_word(const input *in) { return in->kind == UM_MEDIA_VIDEO ? "video" : "picture"; }

/* The scale from 0 to 1 with the verdicts' parts of it and where the score lies. */
static void scale(const page *p, const input *in) {
  FILE *f = p->f;
  const um_calibration *c = &p->s->preprocess.calibration;
  const double low = 100 * (c->band ? c->real_below : .5), high = 100 * (c->band ? c->fake_above : .5);
  char text[2][UM_SCORE_TEXT];
  html(f, "<svg class=\"scale\" width=\"100%%\" height=\"50\" role=\"img\" aria-label=\"Score %s on a scale from 0 to 1: ",
       um_score_text(text[0], in->score, 4));
  if (high > low)
    html(f, "real below %s, fake above %s\">", um_score_text(text[0], low / 100, 4), um_score_text(text[1], high / 100, 4));
  else
    html(f, "fake above %g\">", high / 100);
  html(f,
       "<rect class=\"is-real\" x=\"0\" y=\"16\" width=\"%.2f%%\" height=\"10\"/><rect class=\"is-uncertain\" x=\"%.2f%%\" y=\"16\" "
       "width=\"%.2f%%\" height=\"10\"/><rect class=\"is-fake\" x=\"%.2f%%\" y=\"16\" width=\"%.2f%%\" height=\"10\"/>"
       "<text x=\"0\" y=\"43\">0 real</text><text x=\"100%%\" y=\"43\" text-anchor=\"end\">fake 1</text>",
       low, low, high - low, high, 100 - high);
  /* The thresholds' numbers, where there is room for them. */
  if (low > 12 && low < 88) html(f, "<text x=\"%.2f%%\" y=\"43\" text-anchor=\"middle\">%.2f</text>", low, low / 100);
  if (high > low + 10 && high > 12 && high < 88)
    html(f, "<text x=\"%.2f%%\" y=\"43\" text-anchor=\"middle\">%.2f</text>", high, high / 100);
  html(f,
       "<svg x=\"%.2f%%\" y=\"0\" overflow=\"visible\"><path class=\"at\" d=\"M0 15 L-7 2 L7 2 Z\"/>"
       "<path class=\"at\" d=\"M-1 12 H1 V29 H-1 Z\"/></svg></svg>\n",
       100 * in->score);
}

/* "82"; "more than 99", "fewer than 1": as um_score_text, all of 100 and none are said of 1 and 0 alone. */
static void of_100(char text[UM_SCORE_TEXT], double score) {
  const double share = round(100 * score);
  if (share == 100 && score < 1)
    snprintf(text, UM_SCORE_TEXT, "more than 99");
  else if (share == 0 && score > 0)
    snprintf(text, UM_SCORE_TEXT, "fewer than 1");
  else
    snprintf(text, UM_SCORE_TEXT, "%.0f", share);
}

/* What a score says, how far, and where the thresholds come from. things: "videos" */
static void how_sure(const page *p, double score, const char *things) {
  FILE *f = p->f;
  const um_calibration *c = &p->s->preprocess.calibration;
  char shown[UM_SCORE_TEXT], share[UM_SCORE_TEXT], above[UM_SCORE_TEXT], below[UM_SCORE_TEXT];
  um_score_text(shown, score, 2), of_100(share, score);
  um_score_text(above, c->fake_above, 4), um_score_text(below, c->real_below, 4);
  if (c->method == UM_CALIBRATION_NONE)
    html(f,
         "<p>How sure that is cannot be said: the model is not calibrated. A higher score is more suspicious, but %s does not mean "
         "that %s of 100 such %s are fake.",
         shown, share, things);
  else
    html(f,
         "<p>Of 100 %s like those that the model was calibrated on, %d real and %d fake ones, that score %s, %s%s are fake. "
         "Among material with fewer fakes than that the share is smaller, and of other material this says little.",
         things, c->real, c->fake, shown, isdigit((unsigned char)*share) ? "about " : "", share);
  if (!c->band) html(f, " A score above %.1f is called fake.", .5);
  if (c->band && c->false_alarms > 0)
    html(f, " Called fake is what scores above %s, as at most %g %% of such real ones do.", above, 100 * c->false_alarms);
  else if (c->band)
    html(f, " Called fake is what scores above %s.", above);
  if (c->band && c->misses > 0)
    html(f, " Called real is what scores below %s, as at most %g %% of such fakes do.", below, 100 * c->misses);
  else if (c->band && c->real_below < c->fake_above)
    html(f, " Called real is what scores below %s.", below);
  html(f, "</p>\n");
}

static const char *meaning(um_verdict v, bool video) {
  switch (v) {
  case UM_VERDICT_FAKE:
    return video ? "The model takes faces in this video for fakes. That is a reason to look closer, and no proof."
                 : "The model takes this picture for a fake. That is a reason to look closer, and no proof.";
  case UM_VERDICT_REAL:
    return video ? "The model found little in the faces of this video that speaks for a fake. That does not show that it is genuine."
                 : "The model found little in this picture that speaks for a fake. That does not show that it is genuine.";
  case UM_VERDICT_UNCERTAIN: return "The model cannot tell. Take this as no answer.";
  default: return "There is no score, so nothing is said about it.";
  }
}

static const char heat_words[] =
    "In colours, the places that spoke for fake (Grad-CAM): red most, blue little, none nothing. They compare places "
    "of one face, not two faces.";

static const char no_heat_words[] = "This model has no convolution to make heat maps of.";

void page_meanings(const page *p) {
  FILE *f = p->f;
  bool video = false;
  for (int i = 0; i < p->in->count; i++) video |= p->in->at[i].kind == UM_MEDIA_VIDEO;
  html(f, "<div class=\"card\">\n<ul class=\"notes\">\n");
  for (int v = UM_VERDICT_FAKE; v >= UM_VERDICT_NONE; v--) {
    if (p->of[v] == 0) continue;
    html(f, "<li class=\"%s\"><span class=\"word\">%s:</span> %s</li>\n", um_verdict_name((um_verdict)v), page_verdict_word((um_verdict)v),
         meaning((um_verdict)v, video));
  }
  html(f, "</ul>\n");
  how_sure(p, .8, video ? "videos" : "pictures");
  html(f, "<p>%s</p>\n</div>\n", p->s->map_model ? heat_words : no_heat_words);
}

static void label_line(FILE *f, const input *in) {
  const bool fake = in->label == LABEL_FAKE;
  if (in->label == LABEL_NONE) return;
  html(f, "<p>Its label says <b>%s</b>%s</p>\n", fake ? "fake" : "real",
       in->verdict == UM_VERDICT_NONE || in->verdict == UM_VERDICT_UNCERTAIN ? "."
       : fake == (in->verdict == UM_VERDICT_FAKE)                            ? ": the verdict is right."
       : fake                                                                ? ": the verdict is wrong, a fake that was missed."
                                                                             : ": the verdict is wrong, a false alarm.");
}

static void verdict_block(const page *p, const input *in) {
  FILE *f = p->f;
  char why[1300];
  html(f, "<div class=\"verdict\">");
  page_mark(f, in->verdict);
  html(f, "<p class=\"word\">%s</p>", page_verdict_word(in->verdict));
  if (!isnan(in->score)) {
    html(f, "<p class=\"score\">score, 0 to 1");
    page_score(f, in->score);
    html(f, "</p>");
  }
  html(f, "</div>\n");
  if (!isnan(in->score)) scale(p, in);
  if (!p->many) html(f, "<p class=\"means\">%s</p>\n", meaning(in->verdict, in->kind == UM_MEDIA_VIDEO));
  if (in->reason[0] || in->doubt[0]) html(f, "<p><b>Why:</b> %s</p>\n", reason(why, sizeof why, in));
  if (!isnan(in->score) && !p->many) how_sure(p, in->score, in->kind == UM_MEDIA_VIDEO ? "videos" : "pictures");
  label_line(f, in);
}

static int by_value(const void *a, const void *b) { return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b); }

/* The middle one of the faces' widths, in pixels of the frames that were looked at; 0 without memory. */
static int middle_width(const input *in) {
  int *width = malloc((size_t)in->faces * sizeof *width), middle = 0;
  if (!width) return 0;
  for (int i = 0; i < in->faces; i++) width[i] = in->detail[i].box[2];
  qsort(width, (size_t)in->faces, sizeof *width, by_value);
  middle = width[in->faces / 2];
  free(width);
  return middle;
}

static void cautions(const page *p, const input *in) {
  FILE *f = p->f;
  const int width = in->faces ? middle_width(in) : 0;
  const bool few = in->kind == UM_MEDIA_VIDEO && in->faces > 0 && in->faces<FEW_FACES, small = width> 0 && width < SMALL_FACE;
  if (!few && !small) return;
  html(f, "<ul class=\"notes caution\">\n");
  if (few) {
    html(f, "<li>The score rests on ");
    page_count(f, in->faces, "face", "faces");
    html(f, " only.</li>\n");
  }
  if (small) html(f, "<li>Faces are small: half of them are less than %d pixels wide.</li>\n", width + 1);
  html(f, "</ul>\n");
}

static int seconds_table(const page *p, const input *in, int level, um_error *err) {
  FILE *f = p->f;
  span at[SPANS];
  int count;
  const int rc = suspicious_seconds(at, &count, in, err);
  if (rc || count == 0) return rc;
  html(f,
       "<h%d>The most suspicious seconds</h%d>\n<div class=\"wide\"><table><caption>The highest mean score over 2 seconds, and the next "
       "that do not overlap</caption><thead><tr><th scope=\"col\">From</th><th scope=\"col\">To</th><th scope=\"col\" class=\"n\">"
       "Mean score</th><th scope=\"col\" class=\"n\">Frames with a face</th></tr></thead><tbody>\n",
       level, level);
  for (int i = 0; i < count; i++) {
    html(f, "<tr><td class=\"t\">%.2f s</td><td class=\"t\">%.2f s</td><td class=\"n\">", at[i].start, at[i].end);
    page_score(f, at[i].score);
    html(f, "</td><td class=\"n\">%d</td></tr>\n", at[i].moments);
  }
  html(f, "</tbody></table></div>\n");
  return UM_OK;
}

void page_picture(FILE *f, const thumbnail *t, const char *about) {
  html(f, "<img width=\"%d\" height=\"%d\" alt=\"%s\" src=\"data:image/jpeg;base64,", t->width, t->height, about);
  html_base64(f, t->data, t->size);
  html(f, "\"/>");
}

static void face_figure(FILE *f, const input *in, const candidate *c) {
  char when[64] = "", about[160], score[UM_SCORE_TEXT];
  if (in->kind == UM_MEDIA_VIDEO) snprintf(when, sizeof when, " at %.2f s", c->d.shown_s);
  html(f, "<figure><div class=\"pair\">");
  snprintf(about, sizeof about, "Face%s, score %s", when, um_score_text(score, c->d.score, 4));
  page_picture(f, &c->plain, about);
  snprintf(about, sizeof about, "The same face%s with its heat map", when);
  if (c->heat.data) page_picture(f, &c->heat, about);
  html(f, "</div><figcaption><b>");
  page_score(f, c->d.score);
  html(f, "</b>%s", when);
  if (in->kind == UM_MEDIA_VIDEO) html(f, ", frame %lld", (long long)c->d.frame);
  if (c->d.track >= 0 && in->people > 1) html(f, ", person %d", c->d.track);
  html(f, "</figcaption></figure>\n");
}

static void face_sheet(const page *p, const input *in, int level) {
  FILE *f = p->f;
  int shown = 0;
  for (int i = 0; i < in->candidates; i++) shown += in->candidate[i].plain.data != NULL;
  if (!shown) return;
  html(f, "<h%d>%s</h%d>\n", level, in->faces > 1 ? "The most suspicious faces" : "The face", level);
  if (in->faces > 1) html(f, "<p class=\"note\">%d of %d, the highest score first.</p>\n", shown, in->faces);
  if (!p->many) html(f, "<p class=\"note\">%s</p>\n", p->s->map_model ? heat_words : no_heat_words);
  html(f, "<div class=\"faces\">\n");
  for (int i = 0; i < shown; i++) face_figure(f, in, &in->candidate[i]);
  html(f, "</div>\n");
}

static void people_table(const page *p, const input *in, int level) {
  FILE *f = p->f;
  const bool video = in->kind == UM_MEDIA_VIDEO;
  if (in->people < 2) return;
  html(f,
       "<h%d>People</h%d>\n<div class=\"wide few\"><table><caption>Each has a score; the highest is that of the %s</caption><thead><tr>"
       "<th scope=\"col\">Person</th><th scope=\"col\" class=\"n\">Score</th>",
       level, level, kind_word(in));
  if (video)
    html(f, "<th scope=\"col\" class=\"n\">Faces</th><th scope=\"col\" class=\"n\">First seen</th>"
            "<th scope=\"col\" class=\"n\">Last seen</th>");
  html(f, "</tr></thead><tbody>\n");
  for (int i = 0; i < in->people; i++) {
    const um_person *person = &in->person_score[i];
    double first = INFINITY, last = -INFINITY;
    for (int k = 0; k < in->faces; k++) {
      const detail *d = &in->detail[k];
      if ((d->track < 0 ? k : d->track) == person->person) first = fmin(first, d->shown_s), last = fmax(last, d->shown_s);
    }
    html(f, "<tr><th scope=\"row\">%d</th><td class=\"n\">", person->person);
    page_score(f, person->score);
    html(f, "</td>");
    if (video) html(f, "<td class=\"n\">%d</td><td class=\"n\">%.2f s</td><td class=\"n\">%.2f s</td>", person->faces, first, last);
    html(f, "</tr>\n");
  }
  html(f, "</tbody></table></div>\n");
}

static void facts(const page *p, const input *in, int level) {
  FILE *f = p->f;
  html(f, "<h%d>What was looked at</h%d>\n<dl>\n<dt>File</dt><dd class=\"path\">%s</dd>\n", level, level, in->path);
  if (*in->sha256) {
    html(f, "<dt>SHA-256</dt><dd class=\"hash\">%s</dd>\n<dt>Size</dt><dd>", in->sha256);
    page_bytes(f, in->bytes);
    html(f, "</dd>\n");
  }
  html(f, "<dt>Frames looked at</dt><dd>%lld</dd>\n<dt>Faces that count</dt><dd>%d</dd>\n", (long long)in->frames, in->faces);
  for (int i = UM_KEPT + 1; i < UM_FATES; i++)
    if (in->dropped[i]) html(f, "<dt>Faces not counted</dt><dd>%d: %s</dd>\n", in->dropped[i], um_fate_text((um_fate)i));
  if (!isnan(in->score) && p->s->preprocess.calibration.method != UM_CALIBRATION_NONE) {
    html(f, "<dt>Score before calibration</dt><dd>");
    page_score(f, in->raw);
    html(f, "</dd>\n");
  }
  if (in->video && *in->video) html(f, "<dt>Cut out of</dt><dd class=\"path\">%s</dd>\n", in->video);
  if (in->label != LABEL_NONE) html(f, "<dt>Footage</dt><dd class=\"path\">%s</dd>\n", in->group ? in->group : "");
  html(f, "</dl>\n");
}

int page_input(const page *p, int index, int level, um_error *err) {
  FILE *f = p->f;
  const input *in = &p->in->at[index];
  html(f, "<article class=\"card %s\" id=\"n%d\" aria-labelledby=\"h%d\">\n<h%d id=\"h%d\">%s</h%d>\n", um_verdict_name(in->verdict),
       index + 1, index + 1, level, index + 1, page_name(in->path), level);
  verdict_block(p, in);
  cautions(p, in);
  int rc = page_timeline(p, index, level + 1, err);
  if (!rc) rc = seconds_table(p, in, level + 1, err);
  face_sheet(p, in, level + 1);
  people_table(p, in, level + 1);
  facts(p, in, level + 1);
  html(f, "</article>\n");
  return rc;
}
