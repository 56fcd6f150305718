#include "tests/support/svg_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(char **to, const char *text, int n) {
  const size_t used = *to ? strlen(*to) : 0;
  *to = realloc(*to, used + (size_t)n + 1);
  assert_non_null(*to);
  memcpy(*to + used, text, (size_t)n);
  (*to)[used + (size_t)n] = '\0';
}

static void on_start(void *data, const char *name, const char **a) {
  svg_document *d = data;
  d->depth++;
  if (strcmp(name, "title") == 0 && d->depth > 2) {
    d->in_title = 1;
    return;
  }
  assert_true(d->count < SVG_ELEMENTS);
  svg_element *e = &d->at[d->count++];
  *e = (svg_element){0};
  d->open = 1;
  snprintf(e->name, sizeof e->name, "%s", name);
  for (; *a; a += 2) {
    const double v = atof(a[1]);
    if (strcmp(a[0], "id") == 0) d->ids++;
    if (strcmp(a[0], "x") == 0 || strcmp(a[0], "cx") == 0) e->x = v;
    if (strcmp(a[0], "y") == 0 || strcmp(a[0], "cy") == 0) e->y = v;
    if (strcmp(a[0], "r") == 0) e->r = v;
    if (strcmp(a[0], "d") == 0) append(&e->path, a[1], (int)strlen(a[1]));
    if (strcmp(a[0], "font-size") == 0) e->size = v;
    if (strcmp(a[0], "font-weight") == 0) e->bold = true;
    if (strcmp(a[0], "text-anchor") == 0) snprintf(e->anchor, sizeof e->anchor, "%s", a[1]);
    if (strcmp(a[0], "stroke") == 0) snprintf(e->stroke, sizeof e->stroke, "%s", a[1]);
    if (strcmp(a[0], "fill") == 0) snprintf(e->fill, sizeof e->fill, "%s", a[1]);
    if (strcmp(a[0], "transform") == 0) assert_int_equal(sscanf(a[1], "rotate(%lf", &e->angle), 1);
    if (d->depth == 1 && strcmp(a[0], "width") == 0) d->width = v;
    if (d->depth == 1 && strcmp(a[0], "height") == 0) d->height = v;
    if (d->depth == 1 && strcmp(a[0], "role") == 0) snprintf(d->role, sizeof d->role, "%s", a[1]);
  }
}

static void on_end(void *data, const char *name) {
  svg_document *d = data;
  if (strcmp(name, "title") == 0 && d->depth > 2)
    d->in_title = 0;
  else
    d->open = 0;
  d->depth--;
}

static void on_text(void *data, const char *text, int n) {
  svg_document *d = data;
  if (d->open) append(d->in_title ? &d->at[d->count - 1].title : &d->at[d->count - 1].text, text, n);
}

svg_document svg_parse(const char *svg) {
  svg_document d = {.at = calloc(SVG_ELEMENTS, sizeof *d.at)};
  XML_Parser parser = XML_ParserCreate("UTF-8");
  assert_true(d.at && parser);
  XML_SetUserData(parser, &d);
  XML_SetElementHandler(parser, on_start, on_end);
  XML_SetCharacterDataHandler(parser, on_text);
  if (XML_Parse(parser, svg, (int)strlen(svg), 1) != XML_STATUS_OK) fail_msg("no XML: %s", XML_ErrorString(XML_GetErrorCode(parser)));
  XML_ParserFree(parser);
  assert_int_equal(d.ids, 0); /* nothing that could collide in a page */
  assert_string_equal(d.role, "img");
  assert_string_equal(d.at[1].name, "title");
  assert_string_equal(d.at[2].name, "desc");
  return d;
}

void svg_free(svg_document *d) {
  for (int i = 0; i < d->count; i++) free(d->at[i].path), free(d->at[i].text), free(d->at[i].title);
  free(d->at);
}

svg_document svg_draw(const um_plot *p) {
  char *svg;
  um_error err = {0};
  if (um_plot_svg(&svg, p, &err)) fail_msg("%s", err.text);
  svg_document d = svg_parse(svg);
  free(svg);
  return d;
}

int svg_count(const svg_document *d, const char *name) {
  int n = 0;
  for (int i = 0; i < d->count; i++) n += strcmp(d->at[i].name, name) == 0;
  return n;
}

const svg_element *svg_find_text(const svg_document *d, const char *text) {
  for (int i = 0; i < d->count; i++)
    if (strcmp(d->at[i].name, "text") == 0 && d->at[i].text && strcmp(d->at[i].text, text) == 0) return &d->at[i];
  return NULL;
}

int svg_points(plot_point *p, int room, int *parts, const svg_document *d, const char *stroke) {
  int n = 0;
  *parts = 0;
  for (int i = 0; i < d->count; i++) {
    const svg_element *e = &d->at[i];
    if (!e->path || strcmp(e->stroke, stroke) != 0 || strcmp(e->fill, "none") != 0) continue;
    for (const char *s = e->path; *s;) {
      char *end;
      *parts += *s == 'M';
      assert_true(*s == 'M' || *s == 'L');
      const double x = strtod(s + 1, &end), y = strtod(end, &end);
      if (n < room) p[n] = (plot_point){x, y};
      n++, s = end;
    }
  }
  return n;
}

um_plot_box plot_box(const um_plot *p, int panel) {
  um_plot_box b;
  um_error err;
  assert_int_equal(um_plot_box_of(&b, p, panel, &err), UM_OK);
  return b;
}

double plot_x(const um_plot_box *b, double v) { return b->left + b->width * (v - b->x_low) / (b->x_high - b->x_low); }
double plot_y(const um_plot_box *b, double v) { return b->top + b->height * (b->y_high - v) / (b->y_high - b->y_low); }
