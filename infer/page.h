/* What the parts of the page of infer --report share. */
#ifndef UM_INFER_PAGE_H
#define UM_INFER_PAGE_H

#include "infer/html.h"
#include "infer/infer.h"
#include "plot/plot.h"

typedef struct page {
  FILE *f;
  const inputs *in;
  const scorer *s;
  const options *o;
  const evidence *e;
  const um_findings *r; /* NULL without labels */
  const ladder *l;      /* NULL without --ladder */
  int *order;           /* of the inputs: the highest score first, those without one last */
  size_t common;        /* bytes that all paths have in common, up to a '/' */
  int shown;            /* inputs in all detail */
  bool many;            /* of these: what would be said of each is said once */
  int of[4];            /* inputs by verdict */
} page;

const char *page_verdict_word(um_verdict v); /* "Fake" */

/* page_style.c: the page's one style sheet. */
extern const char page_style[];

/* The shape that goes with a verdict, beside its word. */
void page_mark(FILE *f, um_verdict v);
/* A number as people read it, and with all its digits in its value; a dash for none. */
void page_number(FILE *f, double value, int digits);
/* The same of a score (um_score_text). */
void page_score(FILE *f, double score);
/* "1 face", "3 faces" */
void page_count(FILE *f, long long n, const char *one, const char *many);
const char *page_name(const char *path); /* what follows the last '/' */

/* "12,345,678 bytes" */
void page_bytes(FILE *f, int64_t bytes);
/* The picture itself lies in the page. */
void page_picture(FILE *f, const thumbnail *t, const char *about);

/* page_plots.c. Writes the plot into the page, and as NAME.svg and NAME.png beside it; frees it. */
int page_plot(const page *p, um_plot *plot, const char *name, um_error *err);
int page_timeline(const page *p, int index, int level, um_error *err); /* of a video */
int page_evaluation_plots(const page *p, um_error *err);

/* page_overview.c: verdict counts and the table of all inputs. */
void page_overview(const page *p);
/* page_input.c: all of one input; level: of its heading. */
int page_input(const page *p, int index, int level, um_error *err);
/* What the verdicts mean and how sure they are, for all of many. */
void page_meanings(const page *p);
/* page_metrics.c: how right the scores are. */
int page_metrics(const page *p, um_error *err);
/* page_ladder.c: how they hold when inputs are changed. */
int page_ladder(const page *p, um_error *err);
/* page_method.c: what a score can say, and how all this was made. */
void page_limits(const page *p);
void page_method(const page *p);

#endif
