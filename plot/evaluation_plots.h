/* Plots of how well scores tell two classes apart. Each maker fills a plot that um_plot_free frees; strings are copied. UM_ENUMERIC where a
 * score is not in [0, 1]. Where a class is missing, ROC and precision-recall plots say so instead of a curve. */
#ifndef UM_PLOT_EVALUATION_PLOTS_H
#define UM_PLOT_EVALUATION_PLOTS_H

#include "plot/plot.h"

/* Scores to be drawn as one line: those of the videos, of the frames, of another model. */
typedef struct um_plot_scores {
  const char *name; /* in the legend: "videos"; may be NULL */
  const double *score;
  const bool *fake;
  int count;
  double auc_low, auc_high; /* 95 % interval of the AUC, and of the average precision, for the legend; equal (as both 0) or NaN: none */
  double precision_low, precision_high;
} um_plot_scores;

/* ROC curve(s) with the AUC in the legend, and the diagonal of chance. */
int um_plot_roc(um_plot *out, const um_plot_scores *set, int sets, um_error *err);
/* Precision over recall with the average precision in the legend, and each set's share of fakes: what guessing gets (one line where they
 * are alike). */
int um_plot_precision_recall(um_plot *out, const um_plot_scores *set, int sets, um_error *err);
/* Share of fakes over mean score in 15 bins with the expected calibration error in the legend, the diagonal of perfect calibration, and below
 * it how many scores each bin has. */
int um_plot_reliability(um_plot *out, const um_plot_scores *set, int sets, um_error *err);
/* How the scores of the fakes and of the real ones are spread, each as shares of its class, in 20 bins; lines where a verdict begins: real
 * below, fake above (equal: one line; NaN: none). */
int um_plot_score_histogram(um_plot *out, const um_plot_scores *set, double real_below, double fake_above, um_error *err);

#endif
