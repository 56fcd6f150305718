/* A drawing as SVG 1.1, of elements with attributes only: nothing that a page around it could collide with. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "plot/display.h"

static void escaped(FILE *f, const char *text) {
  for (; *text; text++) switch (*text) {
    case '<': fputs("&lt;", f); break;
    case '>': fputs("&gt;", f); break;
    case '&': fputs("&amp;", f); break;
    case '"': fputs("&quot;", f); break;
    default: fputc(*text, f);
    }
}

/* A hundredth of a pixel is enough, and zeros at the end say nothing. */
static void number(FILE *f, double v) {
  char text[64];
  snprintf(text, sizeof text, "%.2f", v);
  size_t n = strlen(text);
  while (text[n - 1] == '0') n--;
  if (text[n - 1] == '.') n--;
  text[n] = '\0';
  fputs(strcmp(text, "-0") == 0 ? "0" : text, f);
}

static void attribute(FILE *f, const char *name, double v) {
  fprintf(f, " %s=\"", name);
  number(f, v);
  fputc('"', f);
}

static void pen(FILE *f, const plot_pen *p) {
  double dash[4];
  if (p->fill == PLOT_NO_COLOUR)
    fputs(" fill=\"none\"", f);
  else {
    fprintf(f, " fill=\"#%06x\"", p->fill);
    if (p->density < 1) attribute(f, "fill-opacity", p->density);
  }
  if (p->stroke == PLOT_NO_COLOUR) return;
  fprintf(f, " stroke=\"#%06x\"", p->stroke);
  if (p->width != 1) attribute(f, "stroke-width", p->width);
  const int n = plot_dashes(dash, p->dash, p->width);
  for (int i = 0; i < n; i++) {
    fputs(i == 0 ? " stroke-dasharray=\"" : " ", f);
    number(f, dash[i]);
  }
  if (n > 0) fputc('"', f);
}

static void end(FILE *f, const plot_drawing *d, const plot_shape *s, const char *element) {
  if (s->title == PLOT_NO_TEXT) {
    fputs("/>\n", f);
    return;
  }
  fputs("><title>", f);
  escaped(f, d->text + s->title);
  fprintf(f, "</title></%s>\n", element);
}

static void path(FILE *f, const plot_drawing *d, const plot_shape *s) {
  const plot_point *p = d->point + s->first;
  bool begin = true;
  fputs("<path d=\"", f);
  for (int i = 0; i < s->count; i++) {
    if (isnan(p[i].x)) {
      if (s->closed) fputc('Z', f);
      begin = true;
      continue;
    }
    fputc(begin ? 'M' : 'L', f);
    number(f, p[i].x);
    fputc(' ', f);
    number(f, p[i].y);
    begin = false;
  }
  fputs(s->closed ? "Z\"" : "\"", f);
  pen(f, &s->pen);
  if (!s->closed) fputs(" stroke-linejoin=\"round\"", f);
  end(f, d, s, "path");
}

static void text(FILE *f, const plot_drawing *d, const plot_shape *s) {
  static const char *const anchors[] = {"start", "middle", "end"};
  const plot_font *t = &s->font;
  fputs("<text", f);
  attribute(f, "x", s->at.x);
  attribute(f, "y", s->at.y);
  attribute(f, "font-size", t->size);
  if (t->anchor != PLOT_START) fprintf(f, " text-anchor=\"%s\"", anchors[t->anchor]);
  if (t->bold) fputs(" font-weight=\"bold\"", f);
  if (t->halo) fputs(" stroke=\"#ffffff\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\"", f);
  fprintf(f, " fill=\"#%06x\"", t->colour);
  if (t->angle != 0) {
    fputs(" transform=\"rotate(", f);
    number(f, t->angle);
    fputc(' ', f);
    number(f, s->at.x);
    fputc(' ', f);
    number(f, s->at.y);
    fputs(")\"", f);
  }
  fputc('>', f);
  if (s->title != PLOT_NO_TEXT) {
    fputs("<title>", f);
    escaped(f, d->text + s->title);
    fputs("</title>", f);
  }
  escaped(f, d->text + s->text);
  fputs("</text>\n", f);
}

int plot_drawing_svg(FILE *f, const plot_drawing *d, const char *class_name, const char *path_name, um_error *err) {
  errno = 0;
  fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"", f);
  if (class_name) fprintf(f, " class=\"%s\"", class_name);
  attribute(f, "width", d->width);
  attribute(f, "height", d->height);
  fputs(" viewBox=\"0 0 ", f);
  number(f, d->width);
  fputc(' ', f);
  number(f, d->height);
  fputs("\" style=\"max-width:100%;height:auto\" font-family=\"DejaVu Sans,Verdana,sans-serif\">\n<title>", f);
  if (d->title != PLOT_NO_TEXT) escaped(f, d->text + d->title);
  fputs("</title>\n<desc>", f);
  if (d->description != PLOT_NO_TEXT) escaped(f, d->text + d->description);
  fputs("</desc>\n", f);
  for (int i = 0; i < d->shapes; i++) {
    const plot_shape *s = &d->shape[i];
    if (s->kind == PLOT_PATH)
      path(f, d, s);
    else if (s->kind == PLOT_TEXT)
      text(f, d, s);
    else {
      fputs("<circle", f);
      attribute(f, "cx", s->at.x);
      attribute(f, "cy", s->at.y);
      attribute(f, "r", s->radius);
      pen(f, &s->pen);
      end(f, d, s, "circle");
    }
  }
  fputs("</svg>\n", f);
  if (ferror(f)) return um_fail(err, UM_EIO, "%s: cannot write: %s", path_name, errno ? strerror(errno) : "unknown reason");
  return UM_OK;
}
