/* Plots: where things are is known by arithmetic; the SVG is read back with expat, the PNG with our reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "data/image.h"
#include "tests/support/svg_read.h"
#include "tests/support/tmp.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* ---- ticks ---- */

static void ticks_are_round(void **state) {
  (void)state;
  static const struct {
    double low, high;
    int most;
    um_plot_unit unit;
    int count;
    double expected[8];
  } c[] = {
      {0, 1, 5, UM_PLOT_NUMBER, 6, {0, .2, .4, .6, .8, 1}},
      {0, 1, 4, UM_PLOT_NUMBER, 3, {0, .5, 1}},
      {0, 1, 10, UM_PLOT_PERCENT, 8, {0, .1, .2, .3, .4, .5, .6, .7}}, /* no room for more than eight */
      {-.3, .3, 6, UM_PLOT_NUMBER, 7, {-.3, -.2, -.1, 0, .1, .2, .3}},
      {.61, .89, 6, UM_PLOT_NUMBER, 5, {.65, .7, .75, .8, .85}},
      {1, 3, 8, UM_PLOT_WHOLE, 3, {1, 2, 3}},
      {1, 12, 5, UM_PLOT_WHOLE, 2, {5, 10}},
      {0, 95, 5, UM_PLOT_TIME, 4, {0, 30, 60, 90}},
      {0, 3600, 6, UM_PLOT_TIME, 7, {0, 600, 1200, 1800, 2400, 3000, 3600}},
      {0, 1, 5, UM_PLOT_TIME, 6, {0, .2, .4, .6, .8, 1}},
      {2e-5, 1e-4, 4, UM_PLOT_NUMBER, 5, {2e-5, 4e-5, 6e-5, 8e-5, 1e-4}},
      {1e9, 3e9, 4, UM_PLOT_NUMBER, 5, {1e9, 1.5e9, 2e9, 2.5e9, 3e9}},
      {1, 1, 4, UM_PLOT_NUMBER, 0, {0}},
      {0, NAN, 4, UM_PLOT_NUMBER, 0, {0}},
      {0, INFINITY, 4, UM_PLOT_NUMBER, 0, {0}},
  };
  for (int i = 0; i < COUNT(c); i++) {
    double t[8];
    const int n = um_plot_ticks(t, 8, c[i].low, c[i].high, c[i].most, c[i].unit);
    if (n != c[i].count) fail_msg("case %d: %d ticks, expected %d", i, n, c[i].count);
    for (int k = 0; k < n; k++)
      if (fabs(t[k] - c[i].expected[k]) > 1e-12 * fabs(c[i].high)) fail_msg("case %d, tick %d: got %.17g", i, k, t[k]);
  }
}

static void tick_labels(void **state) {
  (void)state;
  static const struct {
    um_plot_axis x;
    const char *expected[3];
  } c[] = {
      {{.low = 0, .high = 1}, {"0.0", "0.2", "1.0"}},
      {{.low = 0, .high = 1, .unit = UM_PLOT_PERCENT}, {"0 %", "20 %", "100 %"}},
      {{.low = 0, .high = 7200, .unit = UM_PLOT_TIME}, {"0:00", "30:00", "2:00:00"}},
      {{.low = 1, .high = 4, .unit = UM_PLOT_WHOLE}, {"1", "2", "4"}},
      {{.low = 0, .high = 2e-5}, {"0", "5e-06", "2e-05"}},
      {{.low = -2, .high = 2}, {"-2.0", "0.0", "2.0"}},
  };
  const double y[] = {1};
  for (int i = 0; i < COUNT(c); i++) {
    const um_plot_series s = {.y = y, .count = 1};
    const um_plot_panel panel = {.x = c[i].x, .series = &s, .series_count = 1};
    svg_document d = svg_draw(&(um_plot){.panels = &panel, .panel_count = 1});
    for (int k = 0; k < 3; k++)
      if (!svg_find_text(&d, c[i].expected[k])) fail_msg("case %d: no tick %s", i, c[i].expected[k]);
    svg_free(&d);
  }
}

/* ---- places ---- */

/* Points lie where arithmetic puts them, in the SVG and, twice as far, in the PNG. */
static void points_are_in_their_place(void **state) {
  (void)state;
  const double x[] = {0, 2.5, 5, 10}, y[] = {-3, 10, 4, 0};
  const um_plot_series s = {
      .name = "a", .kind = UM_PLOT_POINTS, .colour = 0xd55e00, .marker = UM_MARKER_CIRCLE, .x = x, .y = y, .count = 4};
  const um_plot_panel panel = {.x = {.low = 0, .high = 10}, .y = {.low = -5, .high = 10}, .series = &s, .series_count = 1};
  const um_plot plot = {.title = "points", .panels = &panel, .panel_count = 1};
  const um_plot_box b = plot_box(&plot, 0);
  um_error err = {0};
  um_image im = {0};
  assert_true(b.x_low == 0 && b.x_high == 10 && b.y_low == -5 && b.y_high == 10 && b.width > 300 && b.height > 200);
  const char *dir = tmp_path("plots");
  assert_int_equal(um_mkdirs(dir, &err), UM_OK);
  if (um_plot_write(&plot, dir, "points", &err)) fail_msg("%s", err.text);

  char path[4096], *svg;
  size_t size;
  snprintf(path, sizeof path, "%s/points.svg", dir);
  assert_int_equal(um_file_read(&svg, &size, path, 1 << 20, &err), UM_OK);
  svg_document d = svg_parse(svg);
  int seen = -1; /* the legend's comes first */
  for (int i = 0; i < d.count; i++) {
    const svg_element *e = &d.at[i];
    if (strcmp(e->name, "circle") != 0) continue;
    if (seen >= 0) {
      char title[64];
      NEAR(e->x, plot_x(&b, x[seen]));
      NEAR(e->y, plot_y(&b, y[seen]));
      snprintf(title, sizeof title, "a: %g, %g", x[seen], y[seen]);
      assert_string_equal(e->title, title);
    }
    seen++;
  }
  assert_int_equal(seen, 4);

  snprintf(path, sizeof path, "%s/points.png", dir);
  if (um_image_read(&im, path, &err)) fail_msg("%s", err.text);
  assert_int_equal(im.width, 2 * d.width);
  assert_int_equal(im.height, 2 * d.height);
  for (int i = 0; i < 4; i++)
    for (int off = 0; off < 2; off++) {
      /* A pixel right of the middle is still in the point; 14 right of it only the grid or nothing is. */
      const int px = (int)(2 * plot_x(&b, x[i])) + (off ? 14 : 1), py = (int)(2 * plot_y(&b, y[i])) + (off ? 3 : 0);
      const uint8_t *p = im.pixels + 3 * ((size_t)py * (size_t)im.width + (size_t)px);
      const bool same = p[0] == 0xd5 && p[1] == 0x5e && p[2] == 0;
      if (same == (off == 1)) fail_msg("point %d: %02x%02x%02x at %d, %d", i, p[0], p[1], p[2], px, py);
    }
  assert_true(im.pixels[0] == 255 && im.pixels[1] == 255 && im.pixels[2] == 255);
  um_image_free(&im);
  svg_free(&d);
  free(svg);
}

static void lines_steps_and_gaps(void **state) {
  (void)state;
  const double x[] = {0, 1, 2, 3, 4, 5, 6}, y[] = {0, 1, NAN, 1, 0, INFINITY, 1}, tall[] = {-10, 10};
  plot_point p[32];
  int parts;
  um_plot_series s = {.colour = 0x123456, .x = x, .y = y, .count = 7};
  um_plot_panel panel = {.x = {.low = 0, .high = 6}, .y = {.low = 0, .high = 2}, .series = &s, .series_count = 1};
  const um_plot plot = {.panels = &panel, .panel_count = 1};
  const um_plot_box b = plot_box(&plot, 0);

  /* Two lines, and a point that stands alone. */
  svg_document d = svg_draw(&plot);
  assert_int_equal(svg_points(p, 32, &parts, &d, "#123456"), 4);
  assert_int_equal(parts, 2);
  NEAR(p[1].x, plot_x(&b, 1));
  NEAR(p[1].y, plot_y(&b, 1));
  NEAR(p[2].x, plot_x(&b, 3));
  assert_int_equal(svg_count(&d, "circle"), 1);
  svg_free(&d);

  s.kind = UM_PLOT_STEPS;
  d = svg_draw(&plot);
  assert_int_equal(svg_points(p, 32, &parts, &d, "#123456"), 6);
  assert_int_equal(parts, 2);
  NEAR(p[1].x, plot_x(&b, 1)); /* the first value holds up to the next x */
  NEAR(p[1].y, plot_y(&b, 0));
  NEAR(p[2].x, plot_x(&b, 1));
  NEAR(p[2].y, plot_y(&b, 1));
  svg_free(&d);

  /* From -10 to 10 over x 0 to 1: within 0 to 2 from x .5 to .6. */
  s = (um_plot_series){.colour = 0x123456, .x = x, .y = tall, .count = 2};
  d = svg_draw(&plot);
  assert_int_equal(svg_points(p, 32, &parts, &d, "#123456"), 2);
  NEAR(p[0].x, plot_x(&b, .5));
  NEAR(p[0].y, plot_y(&b, 0));
  NEAR(p[1].x, plot_x(&b, .6));
  NEAR(p[1].y, plot_y(&b, 2));
  svg_free(&d);
}

/* Edges that the data choose. */
static void automatic_edges(void **state) {
  (void)state;
  static const double low[] = {NAN, .8}, high[] = {NAN, 1.3};
  static const struct {
    double y[2];
    um_plot_axis axis;
    um_plot_kind kind;
    bool interval;
    double low, high;
  } c[] = {
      {{.12, .71}, {0}, UM_PLOT_LINE, false, .1, .8},
      {{.12, .71}, {0}, UM_PLOT_BARS, false, 0, .8},
      {{.12, .71}, {.low = 0, .high = NAN}, UM_PLOT_LINE, false, 0, .8},
      {{.12, .71}, {.low = NAN, .high = 1}, UM_PLOT_LINE, false, 0, 1},
      {{-3, 7}, {0}, UM_PLOT_AREA, false, -4, 8},
      {{5, 5}, {0}, UM_PLOT_LINE, false, 4.4, 5.6},
      {{0, 0}, {0}, UM_PLOT_LINE, false, -1, 1},
      {{1, 1}, {.unit = UM_PLOT_PERCENT}, UM_PLOT_LINE, false, .9, 1}, /* a share is not above 100 % */
      {{3, 3}, {.unit = UM_PLOT_WHOLE}, UM_PLOT_LINE, false, 2, 4},
      {{1, 1}, {0}, UM_PLOT_POINTS, true, .8, 1.3},
      {{NAN, INFINITY}, {0}, UM_PLOT_LINE, false, 0, 1},
      {{1e200, -1e300}, {0}, UM_PLOT_LINE, false, 0, 1},
  };
  for (int i = 0; i < COUNT(c); i++) {
    const um_plot_series s = {
        .kind = c[i].kind, .y = c[i].y, .count = 2, .low = c[i].interval ? low : NULL, .high = c[i].interval ? high : NULL};
    const um_plot_panel panel = {.y = c[i].axis, .series = &s, .series_count = 1};
    const um_plot_box b = plot_box(&(um_plot){.panels = &panel, .panel_count = 1}, 0);
    if (fabs(b.y_low - c[i].low) > 1e-12 || fabs(b.y_high - c[i].high) > 1e-12)
      fail_msg("case %d: from %g to %g, expected %g to %g", i, b.y_low, b.y_high, c[i].low, c[i].high);
  }
}

/* Bars side by side, from 0, each nine or eight tenths of its place. */
static void bars_have_their_width(void **state) {
  (void)state;
  const double one[] = {1, 2, 3}, two[] = {3, -1, 1};
  const char *const names[] = {"a", "b", "c"};
  const um_plot_series s[] = {{.kind = UM_PLOT_BARS, .colour = 0x111111, .y = one, .count = 3},
                              {.kind = UM_PLOT_BARS, .colour = 0x222222, .y = two, .count = 3}};
  const um_plot_panel panel = {.x = {.names = names, .names_count = 3}, .series = s, .series_count = 2};
  const um_plot plot = {.panels = &panel, .panel_count = 1};
  const um_plot_box b = plot_box(&plot, 0);
  svg_document d = svg_draw(&plot);
  int seen = 0;
  assert_true(b.x_low == -.5 && b.x_high == 2.5);
  for (int i = 0; i < d.count; i++) {
    double x0, y0, x1, y1, x2, y2;
    const svg_element *e = &d.at[i];
    if (!e->path || (strcmp(e->fill, "#111111") != 0 && strcmp(e->fill, "#222222") != 0)) continue;
    const int k = seen / 3, n = seen % 3;
    const double v = k ? two[n] : one[n];
    assert_int_equal(sscanf(e->path, "M%lf %lfL%lf %lfL%lf %lf", &x0, &y0, &x1, &y1, &x2, &y2), 6);
    NEAR(x0, plot_x(&b, n - .4 + .4 * k));
    NEAR(x1, plot_x(&b, n + .4 * k));
    NEAR(fmin(y0, y2), plot_y(&b, fmax(v, 0)));
    NEAR(fmax(y0, y2), plot_y(&b, fmin(v, 0)));
    assert_non_null(strstr(e->title, names[n]));
    seen++;
  }
  assert_int_equal(seen, 6);
  svg_free(&d);

  /* Half a place beyond the outer ones, where there are no names. */
  const double x[] = {10, 20, 40};
  const um_plot_series plain = {.kind = UM_PLOT_BARS, .x = x, .y = one, .count = 3};
  const um_plot_panel other = {.series = &plain, .series_count = 1};
  const um_plot_box c = plot_box(&(um_plot){.panels = &other, .panel_count = 1}, 0);
  assert_true(c.x_low == 5 && c.x_high == 45 && c.y_low == 0);
}

/* ---- much, and nothing ---- */

enum { MUCH = 100000 };

static void a_hundred_thousand_points(void **state) {
  (void)state;
  static double x[MUCH], y[MUCH];
  static plot_point p[SVG_ELEMENTS];
  const um_rng rng = {.seed = 1, .stream = UM_STREAM_TEST};
  int parts;
  for (int i = 0; i < MUCH; i++) x[i] = um_rng_uniform(&rng, 2 * (uint32_t)i), y[i] = um_rng_uniform(&rng, 2 * (uint32_t)i + 1);
  y[77777] = 5; /* one that stands out must be seen */
  for (um_plot_kind kind = UM_PLOT_LINE; kind <= UM_PLOT_AREA; kind++) {
    const um_plot_series s = {.kind = kind,
                              .colour = 0x123456,
                              .x = kind == UM_PLOT_POINTS ? x : NULL,
                              .y = y,
                              .count = MUCH,
                              .marker = kind == UM_PLOT_LINE ? UM_MARKER_CIRCLE : UM_MARKER_AUTO};
    const um_plot_panel panel = {.series = &s, .series_count = 1};
    const um_plot plot = {.panels = &panel, .panel_count = 1};
    const um_plot_box b = plot_box(&plot, 0);
    char *svg;
    um_error err;
    assert_int_equal(um_plot_svg(&svg, &plot, &err), UM_OK);
    if (strlen(svg) > 1 << 20) fail_msg("kind %d: %zu bytes", kind, strlen(svg));
    svg_document d = svg_parse(svg);
    free(svg);
    assert_int_equal(b.y_high, 5);
    const int n = svg_points(p, SVG_ELEMENTS, &parts, &d, "#123456");
    double top = 1e9;
    for (int i = 0; i < n; i++) top = fmin(top, p[i].y);
    if (kind == UM_PLOT_LINE || kind == UM_PLOT_STEPS || kind == UM_PLOT_AREA) {
      NEAR(top, b.top);
      assert_true(n > 400 && n < 8 * b.width);
    }
    svg_free(&d);
  }
}

static void nothing_and_little(void **state) {
  (void)state;
  const double y[] = {3, 3, 3}, none[] = {NAN, NAN};
  const um_plot_series one = {.name = "one", .y = y, .count = 1}, same = {.y = y, .count = 3}, gap = {.y = none, .count = 2},
                       empty = {.name = "empty"};
  const um_plot_panel panel[] = {{.series = &one, .series_count = 1},
                                 {.series = &same, .series_count = 1},
                                 {.series = &gap, .series_count = 1},
                                 {.series = &empty, .series_count = 1},
                                 {0}};
  static const bool has[] = {true, true, false, false, false};
  um_error err = {0};
  for (int i = 0; i < COUNT(panel); i++) {
    const um_plot plot = {.panels = &panel[i], .panel_count = 1};
    svg_document d = svg_draw(&plot);
    const um_plot_box b = plot_box(&plot, 0);
    assert_true((svg_find_text(&d, "no data") == NULL) == has[i]);
    assert_true(b.x_low < b.x_high && b.y_low < b.y_high);
    if (i == 0) { /* a line of one point is a point, in the middle */
      assert_int_equal(svg_count(&d, "circle"), 1);
      for (int k = 0; k < d.count; k++)
        if (strcmp(d.at[k].name, "circle") == 0) {
          NEAR(d.at[k].x, b.left + b.width / 2);
          NEAR(d.at[k].y, b.top + b.height / 2);
        }
    }
    svg_free(&d);
    assert_int_equal(um_mkdirs(tmp_path("plots"), &err), UM_OK);
    if (um_plot_write(&plot, tmp_path("plots"), "little", &err)) fail_msg("%s", err.text);
  }
  svg_document d = svg_draw(&(um_plot){.title = "no panel"});
  assert_string_equal(d.at[1].text, "no panel");
  svg_free(&d);
}

static void refused(void **state) {
  (void)state;
  um_error err = {0};
  char *svg;
  um_plot_box b;
  um_plot_panel *panel = calloc(201, sizeof *panel);
  assert_non_null(panel);
  assert_int_equal(um_plot_svg(&svg, &(um_plot){.panels = panel, .panel_count = 201}, &err), UM_EUNSUPPORTED);
  assert_string_equal(err.text, "a plot of 201 panels: expected at most 200");
  assert_null(svg);
  assert_int_equal(um_plot_write(&(um_plot){.panels = panel, .panel_count = 100, .width = 300}, tmp_path("plots"), "tall", &err),
                   UM_EUNSUPPORTED);
  assert_non_null(strstr(err.text, "is too large for a picture"));
  assert_int_equal(um_plot_write(&(um_plot){.panels = panel, .panel_count = 1}, "/nowhere/at/all", "x", &err), UM_EIO);
  assert_int_equal(um_plot_box_of(&b, &(um_plot){.panels = panel, .panel_count = 1}, 1, &err), UM_EINTERNAL);
  free(panel);
}

/* Both layouts in one <div>, each shown at its widths. */
static void for_a_page(void **state) {
  (void)state;
  char *html;
  um_error err;
  const um_plot_panel panel = {.title = "a"};
  assert_int_equal(um_plot_html(&html, &(um_plot){.panels = &panel, .panel_count = 1, .width = 700}, &err), UM_OK);
  const char *first = strstr(html, "<svg"), *second = first ? strstr(first + 1, "<svg") : NULL;
  assert_true(first && second && !strstr(second + 1, "<svg"));
  assert_non_null(strstr(html, "@media screen and (max-width:525px){.um-plot-wide-700{display:none}"));
  char *end = strstr(first, "</svg>");
  end[6] = '\0';
  svg_document wide = svg_parse(first);
  *strstr(second, "</div>") = '\0';
  svg_document narrow = svg_parse(second);
  assert_true(wide.width == 700 && narrow.width == 320);
  svg_free(&wide);
  svg_free(&narrow);
  free(html);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ticks_are_round),
      cmocka_unit_test(tick_labels),
      cmocka_unit_test(points_are_in_their_place),
      cmocka_unit_test(lines_steps_and_gaps),
      cmocka_unit_test(automatic_edges),
      cmocka_unit_test(bars_have_their_width),
      cmocka_unit_test(a_hundred_thousand_points),
      cmocka_unit_test(nothing_and_little),
      cmocka_unit_test(refused),
      cmocka_unit_test(for_a_page),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
