/* history.svg: two panels, loss and accuracy, each with a line for the training and one for the validation part. Written as text,
 * so that the words stay words, in the viewer's font, and no font need be on a machine that only computes. */
#include <math.h>
#include <stdio.h>

#include "core/file.h"
#include "train/run.h"

#define WIDTH        900.0
#define HEIGHT       380.0
#define LEFT         60.0
#define TOP          56.0
#define PANEL_WIDTH  360.0
#define PANEL_HEIGHT 264.0
#define GAP          80.0

typedef struct panel {
  double x, y;      /* of its upper left corner */
  double low, high; /* of the value axis */
  double tick;      /* the step between its lines; low and high are multiples of it */
  int first, last;  /* epochs */
} panel;

/* Which number of a row: 0 loss, 1 accuracy; of the validation part or not. */
static double value_of(const history_row *r, int which, bool validation) {
  if (which == 0) return validation ? r->val_loss : r->loss;
  return validation ? r->val_accuracy : r->accuracy;
}

/* The power of ten times 1, 2 or 5 that divides the span into at most six parts. */
static double tick_of(double span) {
  double ten = pow(10, floor(log10(span / 5)));
  double part = span / 5 / ten;
  return ten * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static double x_of(const panel *p, double epoch) {
  return p->last == p->first ? p->x + PANEL_WIDTH / 2 : p->x + PANEL_WIDTH * (epoch - p->first) / (p->last - p->first);
}

static double y_of(const panel *p, double value) { return p->y + PANEL_HEIGHT * (p->high - value) / (p->high - p->low); }

static void range(panel *p, const history *h, int which) {
  p->low = INFINITY, p->high = -INFINITY;
  for (int i = 0; i < h->count; i++)
    for (int v = 0; v < 2; v++) {
      double y = value_of(&h->row[i], which, v);
      if (!isfinite(y)) continue;
      p->low = fmin(p->low, y), p->high = fmax(p->high, y);
    }
  if (!(p->low <= p->high)) p->low = 0, p->high = 1;
  if (p->high - p->low < 1e-3) p->low -= 0.01, p->high += 0.01;
  p->tick = tick_of(p->high - p->low);
  p->low = p->tick * floor(p->low / p->tick), p->high = p->tick * ceil(p->high / p->tick);
  p->first = h->count > 0 ? h->row[0].epoch : 1;
  p->last = h->count > 0 ? h->row[h->count - 1].epoch : 1;
}

/* Text with what XML reserves written out. */
static void text_at(FILE *f, double x, double y, const char *anchor, const char *text) {
  fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
  for (const char *c = text; *c; c++) switch (*c) {
    case '<': fputs("&lt;", f); break;
    case '>': fputs("&gt;", f); break;
    case '&': fputs("&amp;", f); break;
    default: fputc((unsigned char)*c < ' ' ? ' ' : *c, f);
    }
  fputs("</text>\n", f);
}

static void draw_axes(FILE *f, const panel *p, const char *title) {
  char label[32];
  for (int i = 0; p->low + i * p->tick <= p->high + p->tick / 2; i++) {
    double v = p->low + i * p->tick, y = y_of(p, v);
    fprintf(f, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", p->x, y, p->x + PANEL_WIDTH, y);
    snprintf(label, sizeof label, "%.4g", fabs(v) < p->tick / 1e6 ? 0 : v);
    text_at(f, p->x - 8, y + 4, "end", label);
  }
  int step = (int)fmax(1, tick_of(fmax(1, p->last - p->first)));
  for (int e = p->first; e <= p->last; e += step) {
    snprintf(label, sizeof label, "%d", e);
    text_at(f, x_of(p, e), p->y + PANEL_HEIGHT + 18, "middle", label);
  }
  text_at(f, p->x + PANEL_WIDTH / 2, p->y + PANEL_HEIGHT + 38, "middle", "epoch");
  fputs("<g font-weight=\"bold\">", f);
  text_at(f, p->x, p->y - 10, "start", title);
  fputs("</g>\n", f);
}

static const char *const parts[] = {"training", "validation"};

static void draw_line(FILE *f, const panel *p, const history *h, int which, bool validation) {
  fprintf(f, "<polyline class=\"%s\" points=\"", parts[validation]);
  for (int i = 0; i < h->count; i++) {
    double v = value_of(&h->row[i], which, validation);
    if (isfinite(v)) fprintf(f, "%.1f,%.1f ", x_of(p, h->row[i].epoch), y_of(p, v));
  }
  fputs("\"/>\n", f);
  for (int i = 0; i < h->count; i++) {
    double v = value_of(&h->row[i], which, validation);
    if (!isfinite(v)) continue;
    fprintf(f, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>epoch %d: %.4f</title></circle>\n", parts[validation],
            x_of(p, h->row[i].epoch), y_of(p, v), h->row[i].epoch, v);
  }
}

static void draw_legend(FILE *f, bool validation_too) {
  double x = LEFT + 2 * PANEL_WIDTH + GAP - 200;
  for (int v = 0; v < (validation_too ? 2 : 1); v++, x += 100) {
    fprintf(f, "<polyline class=\"%s\" points=\"%.1f,20 %.1f,20\"/>\n", parts[v], x, x + 24);
    text_at(f, x + 30, 24, "start", parts[v]);
  }
}

int history_draw(const history *h, const char *title, const char *path, um_error *err) {
  static const char *const names[] = {"loss", "accuracy"};
  um_writer w;
  bool validation = false;
  int status = um_writer_open(&w, path, err);
  if (status) return status;
  for (int i = 0; i < h->count; i++) validation |= isfinite(h->row[i].val_loss);
  /* Blue and orange are told apart by most who see colours differently; one of them is dashed besides. */
  fprintf(w.file,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" "
          "font-size=\"12\" fill=\"#404040\">\n"
          "<style>.grid{stroke:#dedede} polyline{fill:none;stroke-width:2} polyline.training{stroke:#0072b2} circle.training{fill:#0072b2} "
          "polyline.validation{stroke:#d55e00;stroke-dasharray:6 3} circle.validation{fill:#d55e00}</style>\n"
          "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
          WIDTH, HEIGHT, WIDTH, HEIGHT);
  text_at(w.file, LEFT, 24, "start", title);
  for (int which = 0; which < 2; which++) {
    panel p = {.x = LEFT + which * (PANEL_WIDTH + GAP), .y = TOP};
    range(&p, h, which);
    draw_axes(w.file, &p, names[which]);
    draw_line(w.file, &p, h, which, false);
    if (validation) draw_line(w.file, &p, h, which, true);
  }
  draw_legend(w.file, validation);
  fputs("</svg>\n", w.file);
  return um_writer_commit(&w, err);
}
