#include "core/calibration.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/scoring.h"

#define CERTAIN   0x1p-53
#define MIDDLE    .5
#define SLOPE_MIN 1e-6 /* less is as good as no slope: scores that say nothing */
#define SLOPE_MAX 1e6
#define RATE_MAX  .5

static const char *const methods[UM_CALIBRATION_METHODS] = {"none", "temperature", "platt"};

const char *um_calibration_method_name(int method) { return method >= 0 && method < UM_CALIBRATION_METHODS ? methods[method] : NULL; }

static double logit(double p) {
  p = p < CERTAIN ? CERTAIN : p > 1 - CERTAIN ? 1 - CERTAIN : p;
  return log(p / (1 - p));
}

double um_calibrated(const um_calibration *c, double raw) {
  if (c->method == UM_CALIBRATION_NONE || isnan(raw)) return raw;
  return 1 / (1 + exp(-(c->slope * logit(raw) + c->offset)));
}

/* ---- the fit ---- */

/* log(1 + e^x) without overflow. */
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

/* The samples, and their targets. */
typedef struct samples {
  const double *z; /* logits */
  const bool *fake;
  int n;
  double target[2]; /* of real, of fake */
} samples;

/* Cross-entropy of the targets and sigmoid(slope z + offset), over samples. */
static double loss(const samples *s, double slope, double offset) {
  double sum = 0;
  for (int i = 0; i < s->n; i++) {
    const double f = slope * s->z[i] + offset;
    sum += softplus(f) - s->target[s->fake[i]] * f;
  }
  return sum / s->n;
}

/* Newton's method with a backtracking line search, as Lin, Lin & Weng; with the offset held at 0 where it is not wanted. The loss is
 * convex and, since no target is 0 or 1, has its minimum at finite numbers. */
static void minimize(const samples *s, bool with_offset, double *slope, double *offset) {
  enum { STEPS = 200 };
  const double ridge = 1e-12; /* the Hessian stays positive definite where all logits are the same */
  double now = loss(s, *slope, *offset);
  for (int step = 0; step < STEPS; step++) {
    double g1 = 0, g2 = 0, h11 = ridge, h22 = ridge, h12 = 0;
    for (int i = 0; i < s->n; i++) {
      const double p = 1 / (1 + exp(-(*slope * s->z[i] + *offset))), d = (p - s->target[s->fake[i]]) / s->n, w = p * (1 - p) / s->n;
      g1 += d * s->z[i], h11 += w * s->z[i] * s->z[i];
      g2 += d, h12 += w * s->z[i], h22 += w;
    }
    if (!with_offset) g2 = h12 = 0;
    if (fabs(g1) < 1e-14 && fabs(g2) < 1e-14) return;
    const double det = h11 * h22 - h12 * h12;
    const double d1 = -(h22 * g1 - h12 * g2) / det, d2 = -(h11 * g2 - h12 * g1) / det, rise = g1 * d1 + g2 * d2;
    double length = 1, next = now;
    for (; length > 1e-12; length /= 2) {
      next = loss(s, *slope + length * d1, *offset + length * d2);
      if (next <= now + 1e-4 * length * rise) break;
    }
    if (!(length > 1e-12)) return; /* as low as rounding lets it */
    *slope += length * d1, *offset += length * d2;
    now = next;
  }
}

/* Adds words to a note that may hold some. */
__attribute__((format(printf, 3, 4))) static void say(char *note, size_t size, const char *format, ...) {
  size_t at = 0;
  while (at < size && note[at]) at++;
  if (at > 0 && at < size) at += (size_t)snprintf(note + at, size - at, "; ");
  if (at >= size) return;
  va_list list;
  va_start(list, format);
  vsnprintf(note + at, size - at, format, list);
  va_end(list);
}

static int check(const double *raw, int n, um_error *err) {
  for (int i = 0; i < n; i++)
    if (!(raw[i] >= 0 && raw[i] <= 1))
      return um_fail(err, UM_ENUMERIC, "calibration: video %d of %d: expected a score from 0 to 1, found %g", i + 1, n, raw[i]);
  return UM_OK;
}

/* The map alone: true where there is one. */
static bool fit_map(um_calibration *c, char *note, size_t size, um_calibration_method method, const double *raw, const bool *fake,
                    double *z, int n) {
  /* Rates of an event that was seen k times of k, or 0 times, after Laplace: what Platt takes for certain. */
  const samples s = {z, fake, n, {1 / (c->real + 2.), (c->fake + 1.) / (c->fake + 2.)}};
  double slope = 0, offset = 0;
  for (int i = 0; i < n; i++) z[i] = logit(raw[i]);
  minimize(&s, method == UM_CALIBRATION_PLATT, &slope, &offset);
  if (!(slope >= SLOPE_MIN && slope <= SLOPE_MAX && fabs(offset) <= SLOPE_MAX)) {
    say(note, size,
        "not calibrated, scores stay as they are: on %d real and %d fake videos the scores of the fake ones are not higher than those "
        "of the real ones",
        c->real, c->fake);
    return false;
  }
  c->method = method, c->slope = slope, c->offset = offset;
  return true;
}

int um_calibration_fit(um_calibration *c, char *note, size_t size, const um_calibration_settings *how, const double *raw, const bool *fake,
                       int n, um_error *err) {
  *c = (um_calibration){0};
  if (size > 0) note[0] = 0;
  int rc = check(raw, n, err);
  if (rc) return rc;
  for (int i = 0; i < n; i++) *(fake[i] ? &c->fake : &c->real) += 1;
  if (how->method == UM_CALIBRATION_NONE) return UM_OK;
  if (c->real < UM_CALIBRATION_LEAST || c->fake < UM_CALIBRATION_LEAST) {
    say(note, size, "not calibrated, scores stay as they are: %d real and %d fake videos to fit it on, expected at least %d of each",
        c->real, c->fake, UM_CALIBRATION_LEAST);
    return UM_OK;
  }
  double *z = malloc((size_t)n * sizeof *z);
  if (!z) return um_fail(err, UM_ENOMEM, "calibration: no memory for %d scores", n);
  const bool fitted = fit_map(c, note, size, how->method, raw, fake, z, n);
  free(z);
  if (!fitted) return UM_OK;
  char more[512];
  rc = um_calibration_set_rates(c, more, sizeof more, how->false_alarms, how->misses, raw, fake, n, err);
  if (!rc && more[0]) say(note, size, "%s", more);
  return rc;
}

/* ---- thresholds ---- */

static int ascending(const void *pa, const void *pb) {
  const double a = *(const double *)pa, b = *(const double *)pb;
  return (a > b) - (a < b);
}

/* How many of n + 1 exchangeable scores may lie beyond a threshold: floor((n + 1) rate), where rounding does not turn 20 * 0.05 into
 * less than 1. */
static int beyond(int n, double rate) { return (int)floor((n + 1.) * rate + 1e-9); }

static void too_few(char *note, size_t size, int n, const char *kind, double rate, const char *what) {
  say(note, size, "too few %s videos (%d) for a rate of %s of %g %%, expected at least %.0f: 0.5 is that threshold", kind, n, what,
      100 * rate, ceil(1 / rate - 1 - 1e-9));
}

int um_calibration_set_rates(um_calibration *c, char *note, size_t size, double false_alarms, double misses, const double *raw,
                             const bool *fake, int n, um_error *err) {
  if (size > 0) note[0] = 0;
  if (!(false_alarms >= 0 && false_alarms <= RATE_MAX && misses >= 0 && misses <= RATE_MAX))
    return um_fail(err, UM_ECONFIG, "calibration: expected rates of false alarms and misses from 0 to %g, got %g and %g", RATE_MAX,
                   false_alarms, misses);
  int rc = check(raw, n, err);
  double *score[2] = {malloc(((size_t)n + 1) * sizeof **score), malloc(((size_t)n + 1) * sizeof **score)};
  int count[2] = {0};
  if (!rc && (!score[0] || !score[1])) rc = um_fail(err, UM_ENOMEM, "calibration: no memory for %d scores", n);
  if (!rc) {
    for (int i = 0; i < n; i++) score[fake[i]][count[fake[i]]++] = um_calibrated(c, raw[i]);
    for (int k = 0; k < 2; k++) qsort(score[k], (size_t)count[k], sizeof **score, ascending);
    const int above = beyond(count[0], false_alarms), below = beyond(count[1], misses);
    c->fake_above = above ? score[0][count[0] - above] : MIDDLE, c->false_alarms = above ? false_alarms : 0;
    c->real_below = below ? score[1][below - 1] : MIDDLE, c->misses = below ? misses : 0;
    c->real = count[0], c->fake = count[1];
    c->band = above || below;
    if (!above && false_alarms > 0) too_few(note, size, count[0], "real", false_alarms, "false alarms");
    if (!below && misses > 0) too_few(note, size, count[1], "fake", misses, "misses");
    if (c->real_below > c->fake_above) c->fake_above = c->real_below = fmin(fmax(MIDDLE, c->fake_above), c->real_below);
  }
  free(score[0]), free(score[1]);
  return rc;
}

/* ---- verdicts ---- */

um_verdict um_verdict_of(const um_calibration *c, double score) {
  if (isnan(score)) return UM_VERDICT_NONE;
  if (!c->band) return score > MIDDLE ? UM_VERDICT_FAKE : UM_VERDICT_REAL;
  return score > c->fake_above ? UM_VERDICT_FAKE : score < c->real_below ? UM_VERDICT_REAL : UM_VERDICT_UNCERTAIN;
}

const char *um_verdict_name(um_verdict v) {
  switch (v) {
  case UM_VERDICT_REAL: return "real";
  case UM_VERDICT_UNCERTAIN: return "uncertain";
  case UM_VERDICT_FAKE: return "fake";
  default: return "none";
  }
}

const char *um_verdict_reason(char *text, size_t size, const um_calibration *c, double score) {
  char of[3][UM_SCORE_TEXT];
  if (size > 0) text[0] = 0;
  if (um_verdict_of(c, score) != UM_VERDICT_UNCERTAIN) return text;
  um_score_text(of[0], score, 4);
  if (c->real_below == c->fake_above) {
    say(text, size, "%s is the threshold itself", of[0]);
    return text;
  }
  char high[96] = "", low[96] = "";
  if (c->false_alarms > 0) snprintf(high, sizeof high, "more than %g %% of real videos may score as high", 100 * c->false_alarms);
  if (c->misses > 0) snprintf(low, sizeof low, "more than %g %% of fake %s as low", 100 * c->misses, *high ? "ones" : "videos may score");
  snprintf(text, size, "%s lies between %s and %s: %s%s%s", of[0], um_score_text(of[1], c->real_below, 4),
           um_score_text(of[2], c->fake_above, 4), high, *high && *low ? ", " : "", low);
  return text;
}

/* ---- files ---- */

bool um_calibration_put(cJSON *o, const um_calibration *c) {
  if (!cJSON_AddStringToObject(o, "method", methods[c->method]) || !cJSON_AddNumberToObject(o, "real", c->real) ||
      !cJSON_AddNumberToObject(o, "fake", c->fake))
    return false;
  if (c->method != UM_CALIBRATION_NONE &&
      (!cJSON_AddNumberToObject(o, "slope", c->slope) || !cJSON_AddNumberToObject(o, "offset", c->offset)))
    return false;
  return !c->band || (cJSON_AddNumberToObject(o, "fake_above", c->fake_above) && cJSON_AddNumberToObject(o, "real_below", c->real_below) &&
                      cJSON_AddNumberToObject(o, "false_alarms", c->false_alarms) && cJSON_AddNumberToObject(o, "misses", c->misses));
}

bool um_calibration_get(um_calibration *c, const cJSON *o) {
  um_calibration read = {0};
  int method;
  int64_t real, fake;
  *c = read;
  if (!o) return true;
  if (!um_json_word(o, "method", methods, UM_CALIBRATION_METHODS, &method) || !um_json_int(o, "real", 0, INT_MAX, &real) ||
      !um_json_int(o, "fake", 0, INT_MAX, &fake))
    return false;
  read.method = (um_calibration_method)method, read.real = (int)real, read.fake = (int)fake;
  if (method != UM_CALIBRATION_NONE &&
      (!um_json_number(o, "slope", SLOPE_MIN, SLOPE_MAX, &read.slope) || !um_json_number(o, "offset", -SLOPE_MAX, SLOPE_MAX, &read.offset)))
    return false;
  read.band = cJSON_HasObjectItem(o, "fake_above");
  if (read.band && (!um_json_number(o, "fake_above", 0, 1, &read.fake_above) || !um_json_number(o, "real_below", 0, 1, &read.real_below) ||
                    !um_json_number(o, "false_alarms", 0, RATE_MAX, &read.false_alarms) ||
                    !um_json_number(o, "misses", 0, RATE_MAX, &read.misses) || read.real_below > read.fake_above))
    return false;
  *c = read;
  return true;
}

/* ", fake above 0.7100 (5 % false alarms)" */
static void side(char *text, size_t size, const char *what, double threshold, double rate, const char *of) {
  char how[64] = "no rate", number[UM_SCORE_TEXT];
  if (rate > 0) snprintf(how, sizeof how, "%g %% %s", 100 * rate, of);
  say(text, size, "%s %s (%s)", what, um_score_text(number, threshold, 4), how);
}

char *um_calibration_text(char *text, size_t size, const um_calibration *c) {
  if (size > 0) text[0] = 0;
  if (c->method == UM_CALIBRATION_NONE)
    say(text, size, "none");
  else if (c->method == UM_CALIBRATION_TEMPERATURE)
    say(text, size, "temperature %.4f", 1 / c->slope);
  else
    say(text, size, "platt, slope %.4f, offset %.4f", c->slope, c->offset);
  if (c->method != UM_CALIBRATION_NONE) say(text, size, "fitted on %d real and %d fake videos", c->real, c->fake);
  if (c->band) {
    side(text, size, "fake above", c->fake_above, c->false_alarms, "false alarms");
    side(text, size, "real below", c->real_below, c->misses, "misses");
  } else {
    say(text, size, "fake above 0.5");
  }
  return text;
}
