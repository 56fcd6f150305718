/* Plots of scores and of a video: what they say and where their lines go, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot/evaluation_plots.h"
#include "plot/timeline.h"
#include "tests/support/svg_read.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static void plots_of_scores(void **state) {
  (void)state;
  const double score[] = {.1, .2, .35, .5, .6, .8, .85, .9};
  const bool fake[] = {false, false, true, false, true, true, false, true};
  const um_plot_scores set = {.name = "videos", .score = score, .fake = fake, .count = 8, .auc_low = .5, .auc_high = .97};
  plot_point p[64];
  int parts;
  um_plot plot;
  um_error err = {0};

  /* Of 16 pairs of a fake and a real one 12 are in order. */
  assert_int_equal(um_plot_roc(&plot, &set, 1, &err), UM_OK);
  um_plot_box b = plot_box(&plot, 0);
  svg_document d = svg_draw(&plot);
  assert_non_null(svg_find_text(&d, "videos: AUC 0.750 [0.500, 0.970]"));
  NEAR(b.width, b.height);
  /* (0, 0) up to 1/4, right to 1/4, up to 3/4, right to 1/2, up to 1, right to 1; a legend's sample besides. */
  assert_int_equal(svg_points(p, 64, &parts, &d, "#222222"), 2 + 7);
  static const double corner[7][2] = {{0, 0}, {0, .25}, {.25, .25}, {.25, .75}, {.5, .75}, {.5, 1}, {1, 1}};
  for (int i = 0; i < 7; i++) {
    NEAR(p[2 + i].x, plot_x(&b, corner[i][0]));
    NEAR(p[2 + i].y, plot_y(&b, corner[i][1]));
  }
  svg_free(&d);
  um_plot_free(&plot);
  assert_null(plot.memory);

  /* Thresholds from the highest: precision 1, 1/2, 2/3, 3/4 at .6, 3/5, 4/6: 1/4 (1 + 2/3 + 3/4 + 4/6). */
  assert_int_equal(um_plot_precision_recall(&plot, &set, 1, &err), UM_OK);
  d = svg_draw(&plot);
  assert_non_null(svg_find_text(&d, "videos: average precision 0.771"));
  assert_non_null(svg_find_text(&d, "share of fakes 50 %"));
  svg_free(&d);
  um_plot_free(&plot);

  /* Every score has a bin of its own: the sum of the distances by hand. */
  assert_int_equal(um_plot_reliability(&plot, &set, 1, &err), UM_OK);
  d = svg_draw(&plot);
  char text[64];
  const double error = (.1 + .2 + .65 + .5 + .4 + .2 + .85 + .1) / 8;
  snprintf(text, sizeof text, "videos: calibration error %.3f", error);
  assert_non_null(svg_find_text(&d, text));
  assert_int_equal(svg_count(&d, "circle"), 8 + 1);
  svg_free(&d);
  um_plot_free(&plot);

  assert_int_equal(um_plot_score_histogram(&plot, &set, .3, .7, &err), UM_OK);
  b = plot_box(&plot, 0);
  d = svg_draw(&plot);
  assert_non_null(svg_find_text(&d, "fake (4)"));
  assert_non_null(svg_find_text(&d, "real (4)"));
  assert_non_null(svg_find_text(&d, "fake above 0.7"));
  assert_int_equal(svg_points(p, 64, &parts, &d, "#333333"), 4); /* both lines */
  NEAR(p[0].x, plot_x(&b, .3));
  NEAR(p[2].x, plot_x(&b, .7));
  svg_free(&d);
  um_plot_free(&plot);

  /* A class that is missing is said; a score that is none is refused. */
  const bool all[] = {true, true, true, true, true, true, true, true};
  const um_plot_scores fakes = {.score = score, .fake = all, .count = 8};
  const double not_one[] = {1.5};
  const um_plot_scores bad = {.score = not_one, .fake = all, .count = 1};
  assert_int_equal(um_plot_roc(&plot, &fakes, 1, &err), UM_OK);
  d = svg_draw(&plot);
  assert_non_null(svg_find_text(&d, "needs fakes and real ones"));
  svg_free(&d);
  um_plot_free(&plot);
  assert_int_equal(um_plot_precision_recall(&plot, &fakes, 1, &err), UM_OK);
  um_plot_free(&plot);
  assert_int_equal(um_plot_roc(&plot, &bad, 1, &err), UM_ENUMERIC);
  assert_null(plot.memory);
  assert_int_equal(um_plot_reliability(&plot, &bad, 1, &err), UM_ENUMERIC);
  assert_int_equal(um_plot_score_histogram(&plot, &bad, NAN, NAN, &err), UM_ENUMERIC);
}

static void plot_of_a_video(void **state) {
  (void)state;
  const double t[] = {0, .5, 1, 1.5, 8, 8.5, 9}, s[] = {.1, .2, .9, .8, .3, .2, .1}, few[] = {2}, one[] = {.4};
  const um_timeline_person who[] = {{"person 1", t, s, 7}, {"person 2", few, one, 1}};
  const um_timeline_moment moment = {.5, 1.5};
  um_timeline line = {.title = "clip.mp4",
                      .people = who,
                      .person_count = 2,
                      .moments = &moment,
                      .moment_count = 1,
                      .real_below = .3,
                      .fake_above = .6,
                      .seconds = 10};
  plot_point p[64];
  int parts;
  um_plot plot;
  um_error err = {0};
  assert_int_equal(um_plot_timeline(&plot, &line, &err), UM_OK);
  const um_plot_box b = plot_box(&plot, 0);
  assert_true(b.x_low == 0 && b.x_high == 10 && b.y_low == 0 && b.y_high == 1);
  svg_document d = svg_draw(&plot);
  assert_int_equal(svg_points(p, 64, &parts, &d, "#222222"), 2 + 7);
  assert_int_equal(svg_count(&d, "circle"), 1 + 7); /* each score of the first, squares for the second; a sample in the legend */
  assert_int_equal(parts, 1 + 2);                   /* six and a half seconds without a face break the line */
  static const char *const said[] = {"person 1", "person 2", "fake", "uncertain", "real", "most suspicious", "0:05", "0:10"};
  for (int i = 0; i < COUNT(said); i++)
    if (!svg_find_text(&d, said[i])) fail_msg("no \"%s\"", said[i]);
  static const struct {
    const char *fill;
    double left, top, right, bottom;
  } band[] = {{"#d55e00", 0, 1, 10, .6}, {"#8a8a8a", 0, .6, 10, .3}, {"#0072b2", 0, .3, 10, 0}, {"#606060", .5, 1, 1.5, 0}};
  for (int i = 0; i < COUNT(band); i++) {
    double x0, y0, x1, y1, x2, y2;
    int seen = 0;
    for (int k = 0; k < d.count; k++) {
      if (!d.at[k].path || strcmp(d.at[k].fill, band[i].fill) != 0) continue;
      assert_int_equal(sscanf(d.at[k].path, "M%lf %lfL%lf %lfL%lf %lf", &x0, &y0, &x1, &y1, &x2, &y2), 6);
      NEAR(x0, plot_x(&b, band[i].left));
      NEAR(y0, plot_y(&b, band[i].top));
      NEAR(x2, plot_x(&b, band[i].right));
      NEAR(y2, plot_y(&b, band[i].bottom));
      seen++;
    }
    assert_int_equal(seen, 1);
  }
  svg_free(&d);
  um_plot_free(&plot);

  line.fake_above = line.real_below = .5; /* no band */
  line.person_count = 0;
  line.gap = 100;
  assert_int_equal(um_plot_timeline(&plot, &line, &err), UM_OK);
  d = svg_draw(&plot);
  assert_true(!svg_find_text(&d, "uncertain") && svg_find_text(&d, "real") && svg_find_text(&d, "no data"));
  svg_free(&d);
  um_plot_free(&plot);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plots_of_scores),
      cmocka_unit_test(plot_of_a_video),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
