/* How right the scores of a labelled set are: tables, plots, and the worst mistakes. */
#include <math.h>
#include <stdlib.h>

#include "infer/page.h"

/* Mistakes of each kind that are shown. */
enum { MISTAKES = 6 };

static void value_cell(FILE *f, double value, um_interval i) {
  html(f, "<td class=\"n\">");
  page_number(f, value, 4);
  html(f, "</td><td class=\"n\">");
  if (!isnan(i.low)) {
    page_number(f, i.low, 4);
    html(f, " to ");
    page_number(f, i.high, 4);
  }
  html(f, "</td>");
}

/* By video, and by face where that is something else. */
static void measures(const page *p) {
  FILE *f = p->f;
  const um_evaluation *face = &p->r->all.frame, *video = &p->r->all.video;
  const bool both = face->count != video->count;
  html(f, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Measures\"><table><caption>Measures");
  if (p->r->settings.resamples) html(f, ", with 95 %% intervals by bootstrap over footage (%d resamples)", p->r->settings.resamples);
  html(f, "</caption><thead><tr><th scope=\"col\">Measure</th>");
  for (int k = 0; k < (both ? 2 : 1); k++)
    html(f, "<th scope=\"col\" class=\"n\">%s</th><th scope=\"col\" class=\"n\">95 %% interval</th>",
         !both ? "Value"
         : k   ? "By face"
               : "By video");
  html(f, "</tr></thead><tbody>\n");
  for (int m = 0; m < UM_METRICS; m++) {
    html(f, "<tr><th scope=\"row\">%s</th>", um_metric_name(m));
    value_cell(f, video->measures.value[m], video->interval[m]);
    if (both) value_cell(f, face->measures.value[m], face->interval[m]);
    html(f, "</tr>\n");
  }
  html(f, "</tbody></table></div>\n");
}

/* Inputs by label and verdict. */
static void verdicts(const page *p) {
  static const um_verdict columns[4] = {UM_VERDICT_FAKE, UM_VERDICT_UNCERTAIN, UM_VERDICT_REAL, UM_VERDICT_NONE};
  FILE *f = p->f;
  int of[2][4] = {{0}, {0}};
  for (int i = 0; i < p->in->count; i++)
    if (p->in->at[i].label != LABEL_NONE) of[p->in->at[i].label == LABEL_FAKE][p->in->at[i].verdict]++;
  html(f, "<div class=\"wide few\"><table><caption>Inputs by label and verdict</caption><thead><tr><td></td>");
  for (int k = 0; k < 4; k++) html(f, "<th scope=\"col\" class=\"n\">%s</th>", page_verdict_word(columns[k]));
  html(f, "</tr></thead><tbody>\n");
  for (int l = 1; l >= 0; l--) {
    html(f, "<tr><th scope=\"row\">Labelled %s</th>", l ? "fake" : "real");
    for (int k = 0; k < 4; k++) html(f, "<td class=\"n\">%d</td>", of[l][columns[k]]);
    html(f, "</tr>\n");
  }
  html(f, "</tbody></table></div>\n");
}

/* What accuracy counts: there each score is called something. */
static void confusion(const page *p) {
  FILE *f = p->f;
  const um_confusion *c = &p->r->all.video.measures.confusion;
  html(f,
       "<div class=\"wide few\"><table><caption>Videos by label and by the side of %g that their scores lie on, as accuracy counts them"
       "</caption><thead><tr><td></td><th scope=\"col\" class=\"n\">Called fake</th><th scope=\"col\" class=\"n\">Called real</th></tr>"
       "</thead><tbody><tr><th scope=\"row\">Fake</th><td class=\"n\">%.0f</td><td class=\"n\">%.0f</td></tr>"
       "<tr><th scope=\"row\">Real</th><td class=\"n\">%.0f</td><td class=\"n\">%.0f</td></tr></tbody></table></div>\n",
       p->r->settings.threshold, c->true_positive, c->false_negative, c->false_positive, c->true_negative);
}

static void parts(const page *p) {
  FILE *f = p->f;
  if (!p->r->settings.by) return;
  html(f,
       "<h3>By %s</h3>\n<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Parts\"><table><caption>Videos; one without a "
       "value counts in every part</caption><thead><tr><th scope=\"col\">%s</th><th scope=\"col\" class=\"n\">Videos</th>"
       "<th scope=\"col\" class=\"n\">Fake</th><th scope=\"col\" class=\"n\">Accuracy</th><th scope=\"col\" class=\"n\">ROC AUC</th>"
       "<th scope=\"col\" class=\"n\">95 %% interval</th></tr></thead><tbody>\n",
       p->r->settings.by, p->r->settings.by);
  for (int i = 0; i < p->r->parts; i++) {
    const um_evaluation_part *x = &p->r->part[i];
    html(f, "<tr><th scope=\"row\">%s</th><td class=\"n\">%d</td><td class=\"n\">%d</td><td class=\"n\">", x->value, x->video.count,
         x->video.fakes);
    page_number(f, x->video.measures.value[UM_ACCURACY], 4);
    html(f, "</td>");
    value_cell(f, x->video.measures.value[UM_AUC], x->video.interval[UM_AUC]);
    html(f, "</tr>\n");
  }
  html(f, "</tbody></table></div>\n");
}

/* The first inputs of one label in the given direction of the order; with its most suspicious face where the page has it. */
static void mistakes(const page *p, label l, const char *title) {
  FILE *f = p->f;
  const int count = p->in->count;
  int shown = 0;
  for (int i = 0; i < count && shown < MISTAKES; i++) {
    const int index = p->order[l == LABEL_FAKE ? count - 1 - i : i], v = p->in->at[index].verdict;
    const input *in = &p->in->at[index];
    if (!in->shown || in->label != l || v != (l == LABEL_FAKE ? UM_VERDICT_REAL : UM_VERDICT_FAKE)) continue;
    if (shown++ == 0) html(f, "<h3>%s</h3>\n<div class=\"mistakes\">\n", title);
    html(f, "<figure class=\"%s\">", um_verdict_name(v));
    if (in->candidates && in->candidate[0].plain.data) page_picture(f, &in->candidate[0].plain, "A face of it");
    html(f, "<figcaption><b>");
    page_score(f, in->score);
    html(f, "</b> <a href=\"#n%d\">%s</a></figcaption></figure>\n", index + 1, page_name(in->path));
  }
  if (shown) html(f, "</div>\n");
}

int page_metrics(const page *p, um_error *err) {
  FILE *f = p->f;
  html(f,
       "<section class=\"card\" aria-labelledby=\"metrics\">\n<h2 id=\"metrics\">How right they are</h2>\n<p>Of %d labelled videos and "
       "pictures with a "
       "score, %d are fakes; they come from %d pieces of footage. Fake is what is looked for: a false alarm is a real one that is called "
       "fake.</p>\n",
       p->r->all.video.count, p->r->all.video.fakes, p->r->all.video.groups);
  verdicts(p);
  measures(p);
  if (p->s->preprocess.calibration.band || p->r->subjects.count != p->in->count) confusion(p);
  const int rc = page_evaluation_plots(p, err);
  parts(p);
  mistakes(p, LABEL_REAL, "Real ones called fake, the highest scores");
  mistakes(p, LABEL_FAKE, "Fakes called real, the lowest scores");
  html(f, "</section>\n");
  return rc;
}
