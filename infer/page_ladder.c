/* How the scores hold when the inputs are changed on the way: the page's part of --ladder. */
#include "infer/page.h"

static void table(const page *p) {
  FILE *f = p->f;
  const ladder *l = p->l;
  static const char *const heading[LADDER_COLUMNS] = {"Change",        "With a score", "Without",    "AUC by video",
                                                      "95 % interval", "Accuracy",     "Mean shift", "Changed verdicts"};
  html(f, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Rungs\"><table><caption>The inputs as they are, then changed by "
          "one thing at a time</caption><thead><tr>");
  for (int c = 0; c < LADDER_COLUMNS; c++)
    fputs(c ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">", f), html(f, "%s</th>", heading[c]);
  html(f, "</tr></thead><tbody>\n");
  for (int i = -1; i < l->rungs; i++) {
    ladder_row row = {0};
    ladder_row_make(&row, l, i < 0 ? NULL : &l->rung[i]);
    html(f, "<tr><th scope=\"row\">%s</th>", row.cell[0]);
    for (int c = 1; c < LADDER_COLUMNS; c++) html(f, "<td class=\"n\">%s</td>", row.cell[c]);
    html(f, "</tr>\n");
  }
  html(f, "</tbody></table></div>\n");
}

int page_ladder(const page *p, um_error *err) {
  um_plot plot;
  html(p->f,
       "<section class=\"card\" aria-labelledby=\"ladder\">\n<h2 id=\"ladder\">How they hold when inputs are changed</h2>\n"
       "<p>The same inputs once more, changed as videos are on their way from hand to hand%s. Inputs without a score, most of them "
       "because no face was found, are in no AUC.%s</p>\n",
       p->o->faces_are_cut ? "" : ", with faces looked for anew",
       p->l->labelled ? " An AUC with a star differs from that of the inputs as they are (95 % of a paired bootstrap)."
                      : " Without labels there is no AUC: what is shown is how many verdicts change.");
  int rc = ladder_plot(&plot, p->l, err);
  if (!rc) rc = page_plot(p, &plot, "ladder", err);
  if (!rc) table(p);
  html(p->f, "</section>\n");
  return rc;
}
