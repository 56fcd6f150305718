/* From data to edges, and from edges to ticks that a person would have chosen. */
#include <math.h>
#include <string.h>

#include "plot/panel.h"

#define FAR 1e100

bool plot_drawable(double v) { return v >= -FAR && v <= FAR; }

double plot_pixel(const plot_scale *s, double value) { return s->from + (s->to - s->from) * ((value - s->low) / (s->high - s->low)); }

static double step_of(double span, int most, um_plot_unit unit) {
  static const double clock[] = {.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000};
  if (unit == UM_PLOT_TIME && span > .2 && span / most <= 36000)
    for (size_t i = 0;; i++)
      if (span / clock[i] <= most * (1 + 1e-9)) return clock[i];
  const double ten = pow(10, floor(log10(span / most)));
  double step = 10 * ten;
  for (int i = 0; i < 3; i++) {
    static const int nice[] = {1, 2, 5};
    if (span / (nice[i] * ten) <= most * (1 + 1e-9)) {
      step = nice[i] * ten;
      break;
    }
  }
  return unit == UM_PLOT_WHOLE && step < 1 ? 1 : step;
}

int um_plot_ticks(double *tick, int room, double low, double high, int most, um_plot_unit unit) {
  if (!(low < high) || !plot_drawable(low) || !plot_drawable(high) || most < 1) return 0;
  const double step = step_of(high - low, most, unit);
  const double first = ceil(low / step - 1e-6), last = floor(high / step + 1e-6);
  int n = 0;
  /* Steps below one, divided by their inverse: 0.3, not 0.1 * 3 = 0.30000000000000004. */
  const double inverse = step < 1 ? round(1 / step) : 0;
  for (double i = first; i <= last && n < room; i++) tick[n++] = i == 0 ? 0 : inverse > 0 && inverse < 1e9 ? i / inverse : i * step;
  return n;
}

const char *plot_value_text(char text[PLOT_LABEL], double v, um_plot_unit unit, int digits) {
  if (unit == UM_PLOT_TIME && fabs(v) < 1e7) {
    const long tenths = lround(fabs(v) * 10), s = tenths / 10;
    const char *sign = v < 0 && tenths > 0 ? "-" : "";
    int n = s < 3600 ? snprintf(text, PLOT_LABEL, "%s%ld:%02ld", sign, s / 60, s % 60)
                     : snprintf(text, PLOT_LABEL, "%s%ld:%02ld:%02ld", sign, s / 3600, s / 60 % 60, s % 60);
    if (tenths % 10) snprintf(text + n, PLOT_LABEL - (size_t)n, ".%ld", tenths % 10);
  } else if (unit == UM_PLOT_PERCENT)
    snprintf(text, PLOT_LABEL, "%.*g %%", digits, 100 * v);
  else if (unit == UM_PLOT_WHOLE || (fabs(v) < 1e6 && v == floor(v)))
    snprintf(text, PLOT_LABEL, fabs(v) < 1e15 ? "%.0f" : "%.6g", v);
  else
    snprintf(text, PLOT_LABEL, "%.*g", digits, v);
  return text;
}

/* All ticks of an axis with the same decimals. */
static void label_ticks(plot_scale *s, um_plot_unit unit) {
  const double step = s->ticks > 1 ? s->tick[1] - s->tick[0] : fmax(fabs(s->tick[0]), 1e-300);
  const double scale = unit == UM_PLOT_PERCENT ? 100 : 1;
  const double largest = scale * fmax(fabs(s->tick[0]), fabs(s->tick[s->ticks - 1]));
  const int decimals = (int)fmax(0, ceil(-log10(step * scale) - 1e-6));
  for (int i = 0; i < s->ticks; i++) {
    const double v = s->tick[i] * scale;
    if (unit == UM_PLOT_TIME)
      plot_value_text(s->label[i], v, unit, 6);
    else if (largest >= 1e7 || decimals > 5)
      snprintf(s->label[i], PLOT_LABEL, "%.*g", (int)fmin(12, 1 + fmax(1, ceil(log10(largest / (step * scale))))), v);
    else
      snprintf(s->label[i], PLOT_LABEL, unit == UM_PLOT_PERCENT ? "%.*f %%" : "%.*f", decimals, v);
  }
}

static void widen(double *low, double *high, double v) {
  if (!plot_drawable(v)) return;
  *low = fmin(*low, v), *high = fmax(*high, v);
}

double plot_spacing(const um_plot_series *s) {
  double least = INFINITY;
  for (int i = 1; i < s->count; i++) {
    const double gap = fabs(plot_x_of(s, i) - plot_x_of(s, i - 1));
    if (gap > 0 && gap < least) least = gap;
  }
  return isfinite(least) ? least : 1;
}

static void widen_by_series(double *low, double *high, const um_plot_series *s, bool is_x) {
  const double half = is_x && s->kind == UM_PLOT_BARS ? plot_spacing(s) / 2 : 0;
  bool any = false;
  for (int i = 0; i < s->count; i++) {
    const double x = plot_x_of(s, i), y = s->y[i];
    if (!plot_drawable(x) || !plot_drawable(y)) continue;
    any = true;
    if (is_x) {
      widen(low, high, x - half), widen(low, high, x + half);
      continue;
    }
    widen(low, high, y);
    if (s->low) widen(low, high, s->low[i]);
    if (s->high) widen(low, high, s->high[i]);
  }
  const bool from_zero = s->kind == UM_PLOT_BARS || s->kind == UM_PLOT_AREA || (s->kind == UM_PLOT_STEPS && s->fill > 0);
  if (!is_x && any && from_zero) widen(low, high, 0);
}

/* Edges of the data. */
static void data_range(double *low, double *high, const um_plot_panel *p, bool is_x) {
  *low = INFINITY, *high = -INFINITY;
  for (int i = 0; i < p->series_count; i++) widen_by_series(low, high, &p->series[i], is_x);
  for (int i = 0; i < p->mark_count; i++)
    if (p->marks[i].horizontal != is_x) widen(low, high, p->marks[i].at);
}

static bool only_points(const um_plot_panel *p) {
  for (int i = 0; i < p->series_count; i++)
    if (p->series[i].kind != UM_PLOT_POINTS) return false;
  return true;
}

void plot_scale_set(plot_scale *s, const um_plot_panel *p, bool is_x, int most) {
  const um_plot_axis *a = is_x ? &p->x : &p->y;
  const bool both = a->low == a->high, auto_low = both || !plot_drawable(a->low), auto_high = both || !plot_drawable(a->high);
  s->ticks = 0;
  if (is_x && a->names && a->names_count > 0) {
    s->low = -.5, s->high = a->names_count - .5;
    return;
  }
  double low, high;
  data_range(&low, &high, p, is_x);
  if (!auto_low) low = a->low, high = fmax(high, low);
  if (!auto_high) high = a->high, low = fmin(low, high);
  if (!(low <= high)) low = 0, high = 1;
  const bool share = a->unit == UM_PLOT_PERCENT && low >= 0 && high <= 1;
  /* A single value, or no more than rounding: it stands in the middle. */
  if (high - low <= 1e-9 * fmax(fabs(low), fabs(high))) {
    const double pad = a->unit == UM_PLOT_WHOLE ? 1 : low == 0 ? 1 : .1 * fabs(low);
    if (auto_low) low -= pad;
    if (auto_high || !auto_low) high += pad;
  } else if (is_x && only_points(p)) {
    const double pad = .03 * (high - low);
    if (auto_low) low -= pad;
    if (auto_high) high += pad;
  }
  if (!is_x) {
    /* Moved out to ticks, the edges may be too far apart for so many: then to those of the next step. */
    const double least = low, most_high = high;
    for (double step = step_of(high - low, most, a->unit), next; step > 0; step = next) {
      if (auto_low) low = step * floor(least / step + 1e-6);
      if (auto_high) high = step * ceil(most_high / step - 1e-6);
      if ((next = step_of(high - low, most, a->unit)) <= step * (1 + 1e-9)) break;
    }
  }
  if (share && auto_low) low = fmax(low, 0);
  if (share && auto_high) high = fmin(high, 1);
  s->low = low, s->high = high;
  s->ticks = um_plot_ticks(s->tick, PLOT_TICKS, low, high, most, a->unit);
  if (s->ticks > 0) label_ticks(s, a->unit);
}
