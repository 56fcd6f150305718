/* The page of infer --report: one file that needs nothing else, no network and no script, and that prints. Everything from outside is
 * escaped (html.h), and the page's policy (Content-Security-Policy) forbids to load or to run anything but what it holds. */
#include "infer/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

const char *page_verdict_word(um_verdict v) {
  static const char *const words[4] = {"None", "Real", "Uncertain", "Fake"};
  return words[v];
}

const char *page_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash && slash[1] ? slash + 1 : path;
}

void page_mark(FILE *f, um_verdict v) {
  static const char *const shape[4] = {"<circle cx=\"12\" cy=\"12\" r=\"8\" stroke-dasharray=\"4 3\"/>",
                                       "<circle cx=\"12\" cy=\"12\" r=\"9\"/>", "<path d=\"M12 2 L22 12 L12 22 L2 12 Z\"/>",
                                       "<path d=\"M12 3 L22 21 L2 21 Z\"/>"};
  fprintf(f, "<svg class=\"mark %s\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">%s</svg>", um_verdict_name(v), shape[v]);
}

void page_number(FILE *f, double value, int digits) {
  if (isnan(value))
    html(f, "&#8211;");
  else
    html(f, "<data value=\"%.17g\">%.*f</data>", value, digits, value);
}

void page_score(FILE *f, double score) {
  char text[UM_SCORE_TEXT];
  if (isnan(score))
    page_number(f, score, 4);
  else
    html(f, "<data value=\"%.17g\">%s</data>", score, um_score_text(text, score, 4));
}

void page_count(FILE *f, long long n, const char *one, const char *many) { html(f, "%lld %s", n, n == 1 ? one : many); }

void page_bytes(FILE *f, int64_t bytes) {
  char text[32], grouped[48];
  const int n = snprintf(text, sizeof text, "%lld", (long long)bytes);
  int at = 0;
  for (int i = 0; i < n; i++) {
    if (i && (n - i) % 3 == 0) grouped[at++] = ',';
    grouped[at++] = text[i];
  }
  html(f, "%.*s bytes", at, grouped);
}

/* "3 videos and 2 pictures" */
static void what(const page *p) {
  int of[3] = {0, 0, 0};
  bool first = true;
  static const char *const words[3][2] = {{"other file", "other files"}, {"picture", "pictures"}, {"video", "videos"}};
  for (int i = 0; i < p->in->count; i++) of[p->in->at[i].kind]++;
  for (int k = UM_MEDIA_VIDEO; k >= UM_MEDIA_NONE; k--) {
    if (of[k] == 0) continue;
    html(p->f, "%s", first ? "" : k == UM_MEDIA_NONE || of[UM_MEDIA_NONE] == 0 ? " and " : ", ");
    page_count(p->f, of[k], words[k][0], words[k][1]);
    first = false;
  }
}

/* ---- order ---- */

static int by_score(const void *pa, const void *pb, void *arg) {
  const inputs *in = arg;
  const int a = *(const int *)pa, b = *(const int *)pb;
  const double x = in->at[a].score, y = in->at[b].score;
  if (isnan(x) != isnan(y)) return isnan(x) ? 1 : -1;
  return !isnan(x) && x != y ? (x < y ? 1 : -1) : (a > b) - (a < b);
}

static int sort(page *p, um_error *err) {
  const inputs *in = p->in;
  if (!(p->order = malloc(((size_t)in->count + 1) * sizeof *p->order)))
    return um_fail(err, UM_ENOMEM, "no memory for %d inputs", in->count);
  for (int i = 0; i < in->count; i++) {
    p->order[i] = i;
    p->shown += in->at[i].shown;
    p->of[in->at[i].verdict]++;
  }
  qsort_r(p->order, (size_t)in->count, sizeof *p->order, by_score, (void *)p->in);
  p->common = strlen(in->at[0].path);
  for (int i = 0; i < in->count; i++) {
    size_t k = 0;
    while (k < p->common && in->at[i].path[k] && in->at[i].path[k] == in->at[0].path[k]) k++;
    while (k > 0 && in->at[0].path[k - 1] != '/') k--;
    p->common = k;
  }
  return UM_OK;
}

/* ---- the page ---- */

/* Only what the page itself holds: pictures and style sheets; no script, no form, no frame, nothing from anywhere else. */
static void head(const page *p) {
  FILE *f = p->f;
  html(f,
       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
       "base-uri 'none'; form-action 'none'\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
       "<meta name=\"referrer\" content=\"no-referrer\"/>\n<meta name=\"color-scheme\" content=\"light dark\"/>\n"
       "<meta name=\"generator\" content=\"unmask %s\"/>\n<title>",
       UM_VERSION);
  if (p->in->count == 1)
    html(f, "%s: %s", page_name(p->in->at[0].path), page_verdict_word(p->in->at[0].verdict));
  else
    what(p), html(f, ": %d fake", p->of[UM_VERDICT_FAKE]);
  html(f, " &#8211; unmask report</title>\n<style>");
  fputs(page_style, f);
  html(f, "</style>\n</head>\n<body>\n");
}

static void top(const page *p) {
  FILE *f = p->f;
  html(f, "<header class=\"top\">\n<p class=\"kicker\">unmask report</p>\n<h1>");
  if (p->in->count == 1)
    html(f, "%s", page_name(p->in->at[0].path));
  else
    what(p);
  html(f, "</h1>\n<p class=\"meta\">Made <time datetime=\"%s\">%.10s, %.5s UTC</time> with the model <span class=\"path\">%s</span></p>\n",
       p->e->started, p->e->started, p->e->started + 11, page_name(p->o->model));
  if (*p->s->forced)
    html(f,
         "<p class=\"note caution\"><b>Not as the model was trained:</b> %s. Asked for with --force; scores mean less than they would, and "
         "what "
         "is said of their calibration and thresholds does not hold.</p>\n",
         p->s->forced);
  html(f, "<nav aria-label=\"Contents\"><ul>");
  if (p->in->count > 1)
    html(f, "<li><a href=\"#overview\">All results</a></li>");
  else
    html(f, "<li><a href=\"#details\">The verdict</a></li>");
  if (p->r) html(f, "<li><a href=\"#metrics\">How right they are</a></li>");
  if (p->l) html(f, "<li><a href=\"#ladder\">How they hold</a></li>");
  if (p->in->count > 1) html(f, "<li><a href=\"#details\">One by one</a></li>");
  html(f, "<li><a href=\"#limits\">What a score can say</a></li><li><a href=\"#method\">How this was made</a></li></ul></nav>\n</header>\n"
          "<main>\n");
}

static int details(const page *p, um_error *err) {
  int rc = UM_OK;
  html(p->f, "<section aria-labelledby=\"details\">\n<h2 id=\"details\">%s</h2>\n", p->in->count > 1 ? "One by one" : "The verdict");
  if (p->many) page_meanings(p);
  for (int i = 0; !rc && i < p->in->count; i++)
    if (p->in->at[p->order[i]].shown) rc = page_input(p, p->order[i], 3, err);
  html(p->f, "</section>\n");
  return rc;
}

/* A single verdict stands first, of several the table. */
static int body(const page *p, um_error *err) {
  const bool one = p->in->count == 1;
  int rc = UM_OK;
  top(p);
  if (one)
    rc = details(p, err);
  else
    page_overview(p);
  if (!rc && p->r) rc = page_metrics(p, err);
  if (!rc && p->l) rc = page_ladder(p, err);
  if (!rc && !one) rc = details(p, err);
  page_limits(p);
  page_method(p);
  html(p->f, "</main>\n<footer><p>Made by unmask %s. This page needs no network and runs no script.</p></footer>\n</body>\n</html>\n",
       UM_VERSION);
  return rc;
}

/* Of more, what verdicts mean is said once. */
enum { FEW = 6 };

int page_write(const inputs *in, const scorer *s, const options *o, const evidence *e, const um_findings *r, const ladder *l,
               um_error *err) {
  char path[4096];
  um_writer w = {0};
  page p = {.in = in, .s = s, .o = o, .e = e, .r = r, .l = l};
  int rc = um_path_join(path, sizeof path, o->report, "index.html", err);
  if (!rc) rc = sort(&p, err);
  if (!rc) rc = um_writer_open(&w, path, err);
  if (rc) goto done;
  p.f = w.file, p.many = p.shown > FEW;
  head(&p);
  rc = body(&p, err);
  if (!rc) rc = um_writer_commit(&w, err);
  um_writer_abandon(&w);
done:
  free(p.order);
  return rc;
}
