/* The first that a reader of many results sees: how many of each verdict, and a line an input. */
#include <math.h>

#include "infer/page.h"

/* Rows that are seen at once, and rows in all. */
enum { ROWS_OPEN = 30, ROWS_MAX = 10000 };

static void counts(const page *p) {
  FILE *f = p->f;
  html(f, "<ul class=\"counts\">\n<li><b>%d</b> in all</li>\n", p->in->count);
  for (int v = UM_VERDICT_FAKE; v >= UM_VERDICT_NONE; v--) {
    static const char *const words[4] = {"without a verdict", "real", "uncertain", "fake"};
    if (p->of[v] == 0 && (v == UM_VERDICT_NONE || (v == UM_VERDICT_UNCERTAIN && !p->s->preprocess.calibration.band))) continue;
    html(f, "<li class=\"%s\"><b>%d</b> ", um_verdict_name(v), p->of[v]);
    page_mark(f, v);
    html(f, " <span class=\"word\">%s</span></li>\n", words[v]);
  }
  html(f, "</ul>\n");
}

/* The truth, and whether the verdict meets it. */
static void label_cell(FILE *f, const input *in, um_verdict v) {
  if (in->label == LABEL_NONE)
    html(f, "<td>&#8211;</td>");
  else if (in->label == LABEL_FAKE)
    html(f, v == UM_VERDICT_REAL ? "<td><span class=\"off\">fake, missed</span></td>" : "<td>fake</td>");
  else
    html(f, v == UM_VERDICT_FAKE ? "<td><span class=\"off\">real, false alarm</span></td>" : "<td>real</td>");
}

static void row(const page *p, int index) {
  FILE *f = p->f;
  const input *in = &p->in->at[index];
  const char *path = in->path + p->common, *name = page_name(path);
  const um_verdict v = in->verdict;
  html(f, "<tr class=\"%s\"><td class=\"word\">", um_verdict_name(v));
  page_mark(f, v);
  html(f, " %s</td><td class=\"n\">", page_verdict_word(v));
  page_score(f, in->score);
  if (!isnan(in->score))
    html(f,
         "<svg class=\"bar\" viewBox=\"0 0 80 6\" aria-hidden=\"true\"><rect class=\"track\" width=\"80\" height=\"6\"/>"
         "<rect class=\"value\" width=\"%.1f\" height=\"6\"/></svg>",
         80 * in->score);
  html(f, "</td><td class=\"file\">");
  if (in->shown)
    html(f, "<a href=\"#n%d\">%s</a>", index + 1, name);
  else
    html(f, "%s", name);
  if (name != path) html(f, "<span class=\"soft\">%.*s</span>", (int)(name - path), path);
  if (in->reason[0]) html(f, "<span class=\"soft\">%s</span>", in->reason);
  html(f, "</td>");
  if (p->r) label_cell(f, in, v);
  html(f, "<td class=\"n extra\">%d</td><td class=\"n extra\">%lld</td></tr>\n", in->faces, (long long)in->frames);
}

static void table(const page *p, int first, int end, const char *caption) {
  html(p->f,
       "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">\n<table><caption>%s</caption>\n<thead><tr>"
       "<th scope=\"col\">Verdict</th><th scope=\"col\" class=\"n\">Score</th><th scope=\"col\">File</th>",
       caption, caption);
  if (p->r) html(p->f, "<th scope=\"col\">Label</th>");
  html(p->f, "<th scope=\"col\" class=\"n extra\">Faces</th><th scope=\"col\" class=\"n extra\">Frames</th></tr></thead>\n<tbody>\n");
  for (int i = first; i < end; i++) row(p, p->order[i]);
  html(p->f, "</tbody></table></div>\n");
}

void page_overview(const page *p) {
  FILE *f = p->f;
  const int count = p->in->count, rows = count < ROWS_MAX ? count : ROWS_MAX, open = count < ROWS_OPEN ? count : ROWS_OPEN;
  html(f, "<section class=\"card\" aria-labelledby=\"overview\">\n<h2 id=\"overview\">All results</h2>\n");
  counts(p);
  if (p->common) html(f, "<p class=\"note\">All lie below <code>%.*s</code></p>\n", (int)p->common, p->in->at[0].path);
  table(p, 0, open, count > open ? "The highest scores" : "All inputs, the highest score first");
  if (rows > open) {
    html(f, "<details><summary>The other %d</summary>\n", rows - open);
    table(p, open, rows, "The other inputs, by falling score");
    html(f, "</details>\n");
  }
  if (count > rows)
    html(f, "<p class=\"note\">%d more with lower scores are left out, so that this page stays small; infer --csv FILE lists all.</p>\n",
         count - rows);
  if (p->shown < count)
    html(f, "<p class=\"note\">%d of %d are shown in detail: those with a link, %s. infer --report-details N shows more.</p>\n", p->shown,
         count, p->r ? "which are mistaken most" : "with the highest scores");
  html(f, "</section>\n");
}
