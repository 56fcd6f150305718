/* From a raw score to one that is a probability, and from that to a verdict. One monotone map, fitted on the validation part's videos,
 * applied last: logit(calibrated) = slope * logit(raw) + offset. Why so: docs/calibration.md. Scores are P(fake). */
#ifndef UM_CORE_CALIBRATION_H
#define UM_CORE_CALIBRATION_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* TEMPERATURE: the slope alone (Guo et al. 2017, "On calibration of modern neural networks"; their temperature is 1 / slope). PLATT:
 * slope and offset (Platt 1999, as Lin, Lin & Weng 2007, "A note on Platt's probabilistic outputs for support vector machines"). */
typedef enum um_calibration_method {
  UM_CALIBRATION_NONE,
  UM_CALIBRATION_TEMPERATURE,
  UM_CALIBRATION_PLATT,
  UM_CALIBRATION_METHODS
} um_calibration_method;

typedef enum um_verdict { UM_VERDICT_NONE, UM_VERDICT_REAL, UM_VERDICT_UNCERTAIN, UM_VERDICT_FAKE } um_verdict;

/* All zero: not calibrated, scores stay as they are, fake above 0.5. */
typedef struct um_calibration {
  um_calibration_method method;
  double slope, offset; /* slope > 0; they say nothing with NONE */
  bool band;            /* the thresholds were set; else 0.5 is the only one */
  double fake_above, real_below;
  double false_alarms, misses; /* the rates that fake_above and real_below were set for; 0: that one was not set for a rate, but to 0.5 */
  int real, fake;              /* videos that it was fitted on */
} um_calibration;

/* What a config asks for. */
typedef struct um_calibration_settings {
  um_calibration_method method;
  double false_alarms, misses; /* from 0 to 0.5; 0: no threshold for a rate on that side */
} um_calibration_settings;

/* Fewer videos of a class are not fitted on. */
enum { UM_CALIBRATION_LEAST = 10 };

/* Fits the map on n videos' raw scores by maximum likelihood with Platt's targets, (fakes + 1) / (fakes + 2) and 1 / (reals + 2), then
 * sets the thresholds. *c is all zero but for the counts, and `note` says why, where there is nothing to fit: the method is NONE, a
 * class has fewer than UM_CALIBRATION_LEAST videos, or the scores of fakes are not higher than those of real ones (slope <= 0). note
 * (size bytes, "" where there is nothing to say) also names a threshold that could not be set for its rate.
 * UM_ENUMERIC where a score is not in [0, 1]. */
int um_calibration_fit(um_calibration *c, char *note, size_t size, const um_calibration_settings *how, const double *raw, const bool *fake,
                       int n, um_error *err);

/* The thresholds alone, for a map that is there: fake_above is the ceil((reals + 1)(1 - false_alarms))-th smallest calibrated score of
 * the real videos, so that a new one which is exchangeable with them lies above with a probability of at most false_alarms (split
 * conformal prediction: Vovk et al. 2005; Lei et al. 2018). It needs reals >= 1 / false_alarms - 1; with fewer it is 0.5, and the note
 * says so. real_below is the same for fakes, from below: the floor((fakes + 1) misses)-th smallest. Where real_below > fake_above any
 * threshold between them keeps both rates: both become 0.5, or the end that is nearer to it. */
int um_calibration_set_rates(um_calibration *c, char *note, size_t size, double false_alarms, double misses, const double *raw,
                             const bool *fake, int n, um_error *err);

/* NaN stays NaN; a raw score is taken as at least 2^-53 and at most 1 - 2^-53. */
double um_calibrated(const um_calibration *c, double raw);
/* Of a calibrated score: fake above fake_above, real below real_below, else uncertain; without a band fake above 0.5, else real. NaN:
 * none. */
um_verdict um_verdict_of(const um_calibration *c, double score);
const char *um_verdict_name(um_verdict v); /* "none", "real", "uncertain", "fake" */
/* Why a score is uncertain, in words; "" with any other verdict. */
const char *um_verdict_reason(char *text, size_t size, const um_calibration *c, double score);

/* "none", "temperature", "platt"; NULL past the last. */
const char *um_calibration_method_name(int method);
/* Members of a JSON object, and back: a NULL object is no calibration; false where a member is missing or wrong. */
bool um_calibration_put(cJSON *o, const um_calibration *c);
bool um_calibration_get(um_calibration *c, const cJSON *o);
/* In a line: "temperature 2.3100; fitted on 403 real and 409 fake videos; fake above 0.7100 (5 % false alarms); real below 0.2200 (5 %
 * misses)". */
char *um_calibration_text(char *text, size_t size, const um_calibration *c);

#endif
