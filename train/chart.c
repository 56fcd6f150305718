/* history.svg and history.png: loss and accuracy, each with a line for the training and one for the validation part; the AUC of the validation
 * part where it is known, and the learning rate where it changes. */
#include <math.h>
#include <stdlib.h>

#include "plot/plot.h"
#include "train/run.h"

/* The numbers of the rows, a column each. */
enum { EPOCH, LOSS, VAL_LOSS, ACCURACY, VAL_ACCURACY, VAL_AUC, RATE, COLUMNS };

static um_plot_series line_of(const double *table, int rows, int column, bool validation) {
  return (um_plot_series){.name = column == RATE ? NULL
                                  : validation   ? "validation"
                                                 : "training",
                          .colour = validation ? 0x009e73 : 0x222222,
                          .dash = validation ? UM_DASH_DASHED : UM_DASH_SOLID,
                          .marker = validation ? UM_MARKER_SQUARE : UM_MARKER_CIRCLE,
                          .x = table + EPOCH * rows,
                          .y = table + column * rows,
                          .count = rows};
}

static bool known(const double *column, int rows) {
  for (int i = 0; i < rows; i++)
    if (isfinite(column[i])) return true;
  return false;
}

static bool changes(const double *column, int rows) {
  for (int i = 1; i < rows; i++)
    if (column[i] != column[0]) return true;
  return false;
}

int history_draw(const history *h, const char *title, const char *folder, um_error *err) {
  const int n = h->count;
  double *t = malloc((size_t)(n + 1) * COLUMNS * sizeof *t);
  if (!t) return um_fail(err, UM_ENOMEM, "no memory to draw the history");
  for (int i = 0; i < n; i++) {
    const history_row *r = &h->row[i];
    const double value[COLUMNS] = {r->epoch, r->loss, r->val_loss, r->accuracy, r->val_accuracy, r->val_auc, r->learning_rate};
    for (int k = 0; k < COLUMNS; k++) t[k * n + i] = value[k];
  }
  const bool validation = known(t + VAL_LOSS * n, n);
  const um_plot_series loss[] = {line_of(t, n, LOSS, false), line_of(t, n, VAL_LOSS, true)};
  const um_plot_series accuracy[] = {line_of(t, n, ACCURACY, false), line_of(t, n, VAL_ACCURACY, true)};
  const um_plot_series auc = line_of(t, n, VAL_AUC, true), rate = line_of(t, n, RATE, false);
  const um_plot_axis epoch = {.name = "epoch", .unit = UM_PLOT_WHOLE};
  um_plot_panel panel[4] = {
      {.title = "loss", .x = epoch, .series = loss, .series_count = 1 + validation},
      {.title = "accuracy", .x = epoch, .y.unit = UM_PLOT_PERCENT, .series = accuracy, .series_count = 1 + validation}};
  um_plot plot = {.title = title, .panels = panel, .panel_count = 2};
  double best = 0; /* near 1 an AUC is seen in its distance from it */
  for (int i = 0; i < n; i++) best = fmax(best, t[VAL_AUC * n + i]);
  if (known(t + VAL_AUC * n, n))
    panel[plot.panel_count++] =
        (um_plot_panel){.title = "AUC", .x = epoch, .y = {.low = NAN, .high = best > .95 ? 1 : NAN}, .series = &auc, .series_count = 1};
  if (changes(t + RATE * n, n))
    panel[plot.panel_count++] = (um_plot_panel){.title = "learning rate", .x = epoch, .series = &rate, .series_count = 1};
  const int status = um_plot_write(&plot, folder, "history", err);
  free(t);
  return status;
}
