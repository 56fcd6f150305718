/* Text in plots: hostile, wide, long; and that no label stands over another. How wide text is says cairo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "tests/support/svg_read.h"
#include "tests/support/tmp.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static void hostile_text(void **state) {
  (void)state;
  static const char *const bad[] = {"</title><script>alert(1)</script>",
                                    "a & b < c > \"d\" 'e' ]]>",
                                    "\x01\x02\x1b[31m",
                                    "caf\xe9 \xff\xfe\xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80",
                                    "\xe4\xb8\xad\xe6\x96\x87 \xd0\x96 \xf0\x9f\x98\x80",
                                    "%s%n%d",
                                    "\xef\xbf\xbf",
                                    ""};
  static const char *const shown[] = {"</title><script>alert(1)</script>",
                                      "a & b < c > \"d\" 'e' ]]>",
                                      "   [31m",
                                      "caf\xef\xbf\xbd",
                                      "\xe4\xb8\xad\xe6\x96\x87 \xd0\x96 \xf0\x9f\x98\x80",
                                      "%s%n%d",
                                      "\xef\xbf\xbd",
                                      ""};
  const double y[] = {1, 2};
  um_error err = {0};
  for (int i = 0; i < COUNT(bad); i++) {
    const um_plot_series s = {.name = bad[i], .marker = UM_MARKER_CIRCLE, .y = y, .count = 2};
    const um_plot_mark m[] = {{.at = 1.5, .horizontal = true, .label = bad[i]}, {.at = .5, .label = bad[i]}};
    const um_plot_span span = {.low = 0, .high = 1, .horizontal = true, .label = bad[i]};
    const char *names[] = {bad[i], bad[i]};
    const um_plot_panel panel = {.title = bad[i],
                                 .x = {.name = bad[i], .names = names, .names_count = 2},
                                 .y = {.name = bad[i]},
                                 .series = &s,
                                 .series_count = 1,
                                 .marks = m,
                                 .mark_count = 2,
                                 .spans = &span,
                                 .span_count = 1};
    const um_plot plot = {.title = bad[i], .panels = &panel, .panel_count = 1};
    svg_document d = svg_draw(&plot);
    assert_int_equal(svg_count(&d, "script"), 0);
    assert_int_equal(svg_count(&d, "circle"), 3);
    assert_int_equal(strncmp(d.at[1].text ? d.at[1].text : "", shown[i], strlen(shown[i])), 0);
    svg_free(&d);
    assert_int_equal(um_mkdirs(tmp_path("plots"), &err), UM_OK);
    if (um_plot_write(&plot, tmp_path("plots"), "hostile", &err)) fail_msg("%d: %s", i, err.text); /* cairo takes it, too */
  }
}

typedef struct ruler {
  cairo_surface_t *surface;
  cairo_t *c;
} ruler;

static ruler ruler_new(void) {
  ruler r = {.surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 8, 8)};
  r.c = cairo_create(r.surface);
  cairo_font_options_t *o = cairo_font_options_create();
  cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
  cairo_set_font_options(r.c, o);
  cairo_font_options_destroy(o);
  return r;
}

static void ruler_free(ruler *r) {
  cairo_destroy(r->c);
  cairo_surface_destroy(r->surface);
}

static double cairo_width(const ruler *r, const char *text, double size, bool bold) {
  cairo_text_extents_t e;
  cairo_select_font_face(r->c, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(r->c, size);
  cairo_text_extents(r->c, text, &e);
  return e.x_advance;
}

static void text_is_as_wide_as_cairo_says(void **state) {
  (void)state;
  ruler r = ruler_new();
  char text[2] = "";
  for (int bold = 0; bold < 2; bold++)
    for (int c = ' '; c < 127; c++) {
      text[0] = (char)c;
      const double ours = plot_text_width(text, 1000, bold), theirs = cairo_width(&r, text, 1000, bold);
      if (fabs(ours - theirs) > 1) fail_msg("%c%s: %.1f, cairo %.1f", c, bold ? ", bold" : "", ours, theirs);
    }
  for (int i = 0; i < 6; i++) {
    static const char *const words[] = {"d\xc3\xa9j\xc3\xa0 vu \xc5\x92uvre \xc3\x86on",
                                        "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
                                        "na\xc3\xafve",
                                        "\xce\xb1\xce\xb2\xce\xb3",
                                        "1 \xe2\x80\x93 2\xe2\x80\xa6",
                                        "\xe4\xb8\xad\xe6\x96\x87"};
    if (plot_text_width(words[i], 100, false) < .99 * cairo_width(&r, words[i], 100, false))
      fail_msg("%s is wider than we think", words[i]);
  }
  ruler_free(&r);
}

static void text_is_cut_and_broken(void **state) {
  (void)state;
  char out[64];
  const char *text = "one two three";
  assert_false(plot_text_fit(out, sizeof out, "short", 100, 10, false));
  assert_string_equal(out, "short");
  assert_true(plot_text_fit(out, sizeof out, "iiiiiiiiiiWWWWWWWWWW", 60, 10, false));
  assert_true(plot_text_width(out, 10, false) <= 60 && strstr(out, "\xe2\x80\xa6"));
  assert_true(plot_text_fit(out, 16, "0123456789012345678901234567890123456789", 0, 10, false)); /* what does not fit into memory, either */
  assert_true(strlen(out) < 16);
  assert_true(plot_text_line(out, sizeof out, &text, plot_text_width("one two", 10, false) + 1, 10, false, false));
  assert_string_equal(out, "one two");
  assert_true(plot_text_line(out, sizeof out, &text, 1, 10, false, false)); /* a word that is too long stays whole: the caller cuts it */
  assert_string_equal(out, "three");
  assert_false(plot_text_line(out, sizeof out, &text, 100, 10, false, false));
}

/* ---- nothing over anything else ---- */

typedef struct corners {
  plot_point p[4];
} corners;

static corners corners_of(const ruler *r, const svg_element *e) {
  const double w = cairo_width(r, e->text, e->size, e->bold), a = e->angle * M_PI / 180;
  const double left = strcmp(e->anchor, "middle") == 0 ? -w / 2 : strcmp(e->anchor, "end") == 0 ? -w : 0;
  /* Between the height of small letters with stems and what hangs below. */
  const double x[] = {left, left + w, left + w, left}, y[] = {-.72 * e->size, -.72 * e->size, .2 * e->size, .2 * e->size};
  corners c;
  for (int i = 0; i < 4; i++) c.p[i] = (plot_point){e->x + x[i] * cos(a) - y[i] * sin(a), e->y + x[i] * sin(a) + y[i] * cos(a)};
  return c;
}

/* Two rectangles, each turned somehow, are apart where one of the four directions of their sides separates them. */
static bool overlap(const corners *a, const corners *b) {
  for (int k = 0; k < 4; k++) {
    const plot_point *q = k < 2 ? a->p : b->p;
    const double dx = q[k % 2 + 1].x - q[k % 2].x, dy = q[k % 2 + 1].y - q[k % 2].y, n = hypot(dx, dy);
    double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
    for (int i = 0; i < 8; i++) {
      const plot_point p = i < 4 ? a->p[i] : b->p[i - 4];
      const double v = (p.x * dx + p.y * dy) / n;
      low[i / 4] = fmin(low[i / 4], v), high[i / 4] = fmax(high[i / 4], v);
    }
    if (high[0] < low[1] + .5 || high[1] < low[0] + .5) return false;
  }
  return true;
}

/* What is drawn in a path, as a rectangle; false where it is no path. */
static bool bounds_of(corners *c, const svg_element *e) {
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (const char *s = e->path; s && (*s == 'M' || *s == 'L');) {
    char *end;
    const double x = strtod(s + 1, &end), y = strtod(end, &end);
    left = fmin(left, x), right = fmax(right, x), top = fmin(top, y), bottom = fmax(bottom, y);
    s = end;
  }
  *c = (corners){{{left, top - 1}, {right, top - 1}, {right, bottom + 1}, {left, bottom + 1}}};
  return right > left;
}

static void check_texts(const char *what, const um_plot *plot) {
  static corners c[400];
  ruler r = ruler_new();
  svg_document d = svg_draw(plot);
  const svg_element *e[400];
  int n = 0;
  for (int i = 0; i < d.count; i++)
    if (strcmp(d.at[i].name, "text") == 0 && n < 400) {
      e[n] = &d.at[i], c[n] = corners_of(&r, e[n]);
      for (int k = 0; k < 4; k++)
        if (c[n].p[k].x < 3 || c[n].p[k].x > d.width - 3 || c[n].p[k].y < 0 || c[n].p[k].y > d.height)
          fail_msg("%s: \"%s\" reaches beyond the picture", what, e[n]->text);
      for (int k = 0; k < n; k++)
        if (overlap(&c[k], &c[n])) fail_msg("%s: \"%s\" and \"%s\" overlap", what, e[k]->text, e[n]->text);
      n++;
    }
  assert_true(n > 3);
  /* Samples in the legend: what lies above the box. */
  const double top = plot_box(plot, 0).top;
  for (int i = 0; i < d.count && plot->panel_count == 1; i++) {
    corners sample;
    if (!bounds_of(&sample, &d.at[i]) || sample.p[2].y > top - 5) continue;
    for (int k = 0; k < n; k++)
      if (overlap(&c[k], &sample)) fail_msg("%s: \"%s\" and a sample of the legend overlap", what, e[k]->text);
  }
  svg_free(&d);
  ruler_free(&r);
}

#define LONG "a_very_long_name_of_a_video_as_they_come_from_phones_VID_20240229_235959_final_final_2.mp4"

static void labels_do_not_overlap(void **state) {
  (void)state;
  static const double widths[] = {240, 360, 460, 860, 1400};
  static const char *const names[] = {
      "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", LONG, "c40", "x", "y", "z", "w", "v", "u", "t", "s", "r", "q", "p",
      "o",         "n",         "m"};
  const double y[] = {.1, .9, .4, .3, .7, .2, .5, .5, .6, .1, .9, .4, .3, .7, .2, .5, .5, .6, .1, .2}, big[] = {-123456789, 4e8},
               tiny[] = {1e-7, 3e-7}, late[] = {0, 86400};
  const um_plot_series named[] = {
      {.name = "training", .y = y, .count = 20}, {.name = LONG, .y = y, .count = 20}, {.name = "c", .y = y, .count = 20}};
  const um_plot_series bars[] = {{.name = "a", .kind = UM_PLOT_BARS, .y = y, .count = 20},
                                 {.name = "b", .kind = UM_PLOT_BARS, .y = y, .count = 20}};
  const um_plot_series odd[] = {{.y = big, .count = 2}, {.y = tiny, .count = 2}, {.x = late, .y = tiny, .count = 2}};
  const um_plot_mark marks[] = {{.at = .45, .label = "real below 0.45"},
                                {.at = .55, .label = "fake above 0.55"},
                                {.at = .5, .label = "one half"},
                                {.at = .98, .label = "near the edge"},
                                {.at = .5, .horizontal = true, .label = "chance"},
                                {.at = .52, .horizontal = true, .label = "base rate"}};
  const um_plot_span spans[] = {{.low = .8, .high = 1, .horizontal = true, .label = "fake"},
                                {.low = .78, .high = .8, .horizontal = true, .label = "uncertain"},
                                {.low = 0, .high = .78, .horizontal = true, .label = "real"},
                                {.low = .1, .high = .2, .label = "most suspicious"}};
  const um_plot_span thin[] = {{.low = .99, .high = 1, .horizontal = true, .label = "fake"},
                               {.low = .98, .high = .99, .horizontal = true, .label = "uncertain"},
                               {.low = .03, .high = .04, .horizontal = true, .label = "lower"},
                               {.low = .02, .high = .03, .horizontal = true, .label = "still lower"},
                               {.low = 0, .high = .02, .horizontal = true, .label = "real"}};
  const um_plot_series six[] = {{.name = "one", .y = y, .count = 20},   {.name = "two", .y = y, .count = 20},
                                {.name = "three", .y = y, .count = 20}, {.name = "four", .y = y, .count = 20},
                                {.name = "five", .y = y, .count = 20},  {.name = "six", .y = y, .count = 20}};
  const um_plot_axis unit = {.name = "score", .low = 0, .high = 1}, share = {.low = 0, .high = 1, .unit = UM_PLOT_PERCENT};
  const um_plot_panel panel[] = {
      {.title = "thin spans", .x = share, .y = share, .series = six, .series_count = 6, .spans = thin, .span_count = 5},
      {.title = "lines",
       .x = unit,
       .y = unit,
       .series = named,
       .series_count = 3,
       .marks = marks,
       .mark_count = 6,
       .spans = spans,
       .span_count = 4},
      {.title = "twenty names",
       .x = {.name = "method", .names = names, .names_count = 20},
       .y = {.name = "AUC"},
       .series = bars,
       .series_count = 2},
      {.title = "five names", .x = {.names = names, .names_count = 5}, .y = {.name = "AUC"}, .series = bars, .series_count = 2},
      {.title = "large", .x.unit = UM_PLOT_WHOLE, .y = {.name = LONG}, .series = &odd[0], .series_count = 1},
      {.title = "small", .series = &odd[1], .series_count = 1},
      {.title = LONG " and more of it", .x = {.name = LONG, .unit = UM_PLOT_TIME}, .series = &odd[2], .series_count = 1, .square = true},
      {.title = "nothing", .x = share},
  };
  for (int w = 0; w < COUNT(widths); w++) {
    char what[64];
    for (int i = 0; i < COUNT(panel); i++) {
      snprintf(what, sizeof what, "%s, %g wide", i == 6 ? "long" : panel[i].title, widths[w]);
      check_texts(what, &(um_plot){.title = i % 2 ? LONG " " LONG : NULL, .width = widths[w], .panels = &panel[i], .panel_count = 1});
    }
    snprintf(what, sizeof what, "all, %g wide", widths[w]);
    check_texts(what, &(um_plot){.title = "all of them", .width = widths[w], .panels = panel, .panel_count = COUNT(panel)});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hostile_text),
      cmocka_unit_test(text_is_as_wide_as_cairo_says),
      cmocka_unit_test(text_is_cut_and_broken),
      cmocka_unit_test(labels_do_not_overlap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
