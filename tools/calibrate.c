/* calibrate: gives a model that is trained another calibration, or other rates, from scores of labelled videos. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "core/results.h"
#include "core/rng.h"
#include "weights/model_data.h"

#ifndef UM_VERSION
#define UM_VERSION "?"
#endif

enum { FOLDS = 5, SEED = 42 };
#define RATE .05

static const char usage[] = "usage: calibrate --model FILE --scores FILE.json --out FILE [options]\n"
                            "       calibrate --model FILE --method none --out FILE\n"
                            "\n"
                            "Makes probabilities of a trained model's scores and sets the thresholds of its\n"
                            "verdicts, from labelled videos that it was not trained on (docs/calibration.md):\n"
                            "\n"
                            "    infer --model best.safetensors --labels folders --json val.json val\n"
                            "    calibrate --model best.safetensors --scores val.json --out new.safetensors\n"
                            "\n"
                            "  --model FILE      the model, of any format that unmask reads\n"
                            "  --scores FILE     what infer --labels --json wrote with this very model\n"
                            "  --out FILE        the calibrated model (safetensors); may be the same file\n"
                            "  --method NAME     temperature (the default), platt, or none: takes a\n"
                            "                    calibration out of the model\n"
                            "  --false-alarms F  at most this share of real videos is called fake (0.05);\n"
                            "                    0: no threshold for a rate, 0.5\n"
                            "  --misses F        at most this share of fake videos is called real (0.05)\n"
                            "  --rates-only      the model's scores stay as they are, its thresholds are set\n"
                            "                    anew; a rate that is not given stays the model's\n"
                            "  --help, --version\n"
                            "\n"
                            "Exit status: 0 done; 1 a file could not be read or written, or there is nothing\n"
                            "that a calibration can be fitted on; 2 wrong usage.\n";

typedef struct options {
  const char *model, *scores, *out;
  um_calibration_settings how; /* rates below 0: not given */
  bool method_given, rates_only;
} options;

/* The labelled videos. */
typedef struct videos {
  double *raw;
  bool *fake;
  int *group, n, groups;
} videos;

static int bad(const char *key, const char *expected, const char *got) {
  um_log(UM_LOG_ERROR, "%s: expected %s, got \"%s\"", key, expected, got);
  return 2;
}

static bool read_rate(double *out, const char *text) {
  char *end;
  *out = strtod(text, &end);
  return end != text && !*end && *out >= 0 && *out <= .5;
}

static int read_options(options *o, int argc, char **argv, bool *done) {
  static const struct option known[] = {
      {"model", 1, 0, 'm'},        {"scores", 1, 0, 's'},     {"out", 1, 0, 'o'},  {"method", 1, 0, 'c'},  {"misses", 1, 0, 'i'},
      {"false-alarms", 1, 0, 'f'}, {"rates-only", 0, 0, 'r'}, {"help", 0, 0, 'h'}, {"version", 0, 0, 'v'}, {0, 0, 0, 0}};
  static const char rate[] = "a share from 0 to 0.5, such as 0.05";
  *o = (options){.how = {UM_CALIBRATION_TEMPERATURE, -1, -1}};
  *done = false;
  for (int key; (key = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (key) {
    case 'm': o->model = optarg; break;
    case 's': o->scores = optarg; break;
    case 'o': o->out = optarg; break;
    case 'c': {
      int i = 0;
      while (i < UM_CALIBRATION_METHODS && strcmp(um_calibration_method_name(i), optarg)) i++;
      if (i == UM_CALIBRATION_METHODS) return bad("--method", "temperature, platt or none", optarg);
      o->how.method = (um_calibration_method)i, o->method_given = true;
      break;
    }
    case 'f':
      if (!read_rate(&o->how.false_alarms, optarg)) return bad("--false-alarms", rate, optarg);
      break;
    case 'i':
      if (!read_rate(&o->how.misses, optarg)) return bad("--misses", rate, optarg);
      break;
    case 'r': o->rates_only = true; break;
    case 'h': fputs(usage, stdout), *done = true; return 0;
    case 'v': puts("calibrate (unmask) " UM_VERSION), *done = true; return 0;
    default: um_log(UM_LOG_ERROR, "see calibrate --help"); return 2;
    }
  const bool removes = o->method_given && o->how.method == UM_CALIBRATION_NONE;
  const char *missing = !o->model ? "--model FILE" : !o->out ? "--out FILE" : !o->scores && !removes ? "--scores FILE" : NULL;
  if (missing) um_log(UM_LOG_ERROR, "%s: not given; see calibrate --help", missing);
  if (!missing && optind < argc) um_log(UM_LOG_ERROR, "%s: not an option of calibrate; see calibrate --help", argv[optind]);
  if (missing || optind < argc) return 2;
  if (o->rates_only && o->method_given) {
    um_log(UM_LOG_ERROR, "--rates-only: keeps the model's method; leave out --method, or --rates-only");
    return 2;
  }
  return 0;
}

/* Scores of another model, or of this one with other settings, say nothing of what it will say. */
static int check_scores(const um_results *r, const options *o, const um_preprocess *p, um_error *err) {
  char hex[65];
  const um_scoring rule = um_preprocess_scoring(p);
  int rc = um_sha256_file(hex, o->model, err);
  if (rc) return rc;
  if (strcmp(hex, r->model_sha256))
    return um_fail(err, UM_EFORMAT,
                   "%s: expected scores of %s (SHA-256 %.12s...), found those of another model (%.12s...); run infer --model %s", o->scores,
                   o->model, hex, *r->model_sha256 ? r->model_sha256 : "none", o->model);
  if (*r->forced) return um_fail(err, UM_EFORMAT, "%s: expected scores by the model's own settings, found %s", o->scores, r->forced);
  if (um_scoring_same(&rule, &r->rule)) return UM_OK;
  return um_fail(err, UM_EFORMAT, "%s: expected scores by the model's own rule (%s), found another (%s)", o->scores,
                 um_frames_rule_name(rule.frames), um_frames_rule_name(r->rule.frames));
}

static void free_videos(videos *v) {
  free(v->raw), free(v->fake), free(v->group);
  *v = (videos){0};
}

static int take_videos(videos *v, const um_results *r, const char *path, um_error *err) {
  const um_evaluation_settings e = {.rule = r->rule};
  um_subjects s = {0};
  um_scored *list;
  int count, rc = um_results_scored(&list, &count, r, err);
  if (!rc) rc = um_subjects_collect(&s, list, count, &e, err);
  free(list);
  if (!rc && s.count == 0) rc = um_fail(err, UM_EFORMAT, "%s: no video has a label and a score; was it made by infer --labels?", path);
  const size_t n = (size_t)s.count + 1;
  *v = (videos){malloc(n * sizeof *v->raw), malloc(n * sizeof *v->fake), malloc(n * sizeof *v->group), s.count, s.groups};
  if (!rc && (!v->raw || !v->fake || !v->group)) rc = um_fail(err, UM_ENOMEM, "no memory for %d videos", s.count);
  for (int i = 0; !rc && i < s.count; i++) v->raw[i] = s.at[i].score, v->fake[i] = s.at[i].fake, v->group[i] = s.at[i].group;
  um_subjects_free(&s);
  if (rc) free_videos(v);
  return rc;
}

/* The whole map, or the thresholds alone of one that is there. */
static int fit(um_calibration *c, char note[1024], const options *o, const double *raw, const bool *fake, int n, um_error *err) {
  if (o->rates_only) return um_calibration_set_rates(c, note, 1024, o->how.false_alarms, o->how.misses, raw, fake, n, err);
  return um_calibration_fit(c, note, 1024, &o->how, raw, fake, n, err);
}

/* What comes of it on videos that it was not fitted on. */
typedef struct trial {
  double *score;
  int verdict[2][UM_VERDICT_FAKE + 1];
  bool done; /* each fold could be fitted on the others */
} trial;

/* Whole footage is dealt to the folds; each is scored by a fit on the others. */
static int cross_validate(trial *t, const videos *v, const um_calibration *its, const options *o, um_error *err) {
  const um_rng at = {.seed = SEED, .stream = UM_STREAM_SPLIT};
  const size_t n = (size_t)v->n, groups = (size_t)v->groups;
  uint32_t *order = malloc(groups * sizeof *order);
  int *fold = malloc(groups * sizeof *fold), rc = UM_OK;
  double *raw = malloc(n * sizeof *raw);
  bool *fake = malloc(n * sizeof *fake);
  char note[1024];
  if (!order || !fold || !raw || !fake) rc = um_fail(err, UM_ENOMEM, "no memory for %d videos", v->n);
  for (uint32_t i = 0; !rc && i < groups; i++) order[i] = i;
  if (!rc) um_rng_shuffle(&at, order, (uint32_t)groups);
  for (size_t i = 0; !rc && i < groups; i++) fold[order[i]] = (int)(i % FOLDS);
  t->done = v->groups >= FOLDS;
  for (int k = 0; !rc && t->done && k < FOLDS; k++) {
    um_calibration c = *its;
    int m = 0;
    for (int i = 0; i < v->n; i++)
      if (fold[v->group[i]] != k) raw[m] = v->raw[i], fake[m++] = v->fake[i];
    rc = fit(&c, note, o, raw, fake, m, err);
    t->done = o->rates_only || c.method != UM_CALIBRATION_NONE;
    for (int i = 0; !rc && i < v->n; i++) {
      if (fold[v->group[i]] != k) continue;
      t->score[i] = um_calibrated(&c, v->raw[i]);
      t->verdict[v->fake[i]][um_verdict_of(&c, t->score[i])]++;
    }
  }
  free(order), free(fold), free(raw), free(fake);
  return rc;
}

static int measure(um_measures *m, const double *score, const videos *v, um_error *err) {
  um_ranking *r;
  int rc = um_ranking_make(&r, score, v->fake, NULL, v->n, v->n, .5, err);
  if (!rc) um_ranking_measure(m, r, NULL);
  if (!rc) um_ranking_free(r);
  return rc;
}

/* A part a line. */
static void print_calibration(const um_calibration *c) {
  char text[512];
  for (char *at = strtok(um_calibration_text(text, sizeof text, c), ";"); at; at = strtok(NULL, ";")) puts(at + strspn(at, " "));
}

static void print_verdicts(const trial *t) {
  static const char *const kinds[] = {"real", "fake"};
  printf("\n%-20s  %12s  %12s  %12s\n", "", "called real", "uncertain", "called fake");
  for (int k = 0; k < 2; k++) {
    const int *c = t->verdict[k], all = c[UM_VERDICT_REAL] + c[UM_VERDICT_UNCERTAIN] + c[UM_VERDICT_FAKE];
    printf("%-20s", kinds[k]);
    for (int i = UM_VERDICT_REAL; i <= UM_VERDICT_FAKE; i++) {
      char text[32];
      snprintf(text, sizeof text, "%d (%.1f %%)", c[i], all ? 100. * c[i] / all : 0);
      printf("  %12s", text);
    }
    putchar('\n');
  }
}

static int report(const videos *v, const um_calibration *its, const um_calibration *c, const options *o, um_error *err) {
  static const um_metric shown[] = {UM_LOG_LOSS, UM_BRIER, UM_CALIBRATION_ERROR};
  trial t = {.score = malloc((size_t)v->n * sizeof *t.score)};
  um_measures before, after;
  int rc = t.score ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for %d videos", v->n);
  if (!rc) rc = cross_validate(&t, v, its, o, err);
  if (!rc) rc = measure(&before, v->raw, v, err);
  if (!rc && t.done) rc = measure(&after, t.score, v, err);
  if (!rc) {
    printf("%d videos of %d footages, %d real and %d fake\n", v->n, v->groups, c->real, c->fake);
    print_calibration(c);
    printf("\n%-20s  %8s  %8s\n", "", "raw", "after");
    for (int i = 0; i < 3; i++) {
      printf("%-20s  %8.4f", um_metric_name(shown[i]), before.value[shown[i]]);
      if (t.done) printf("  %8.4f", after.value[shown[i]]);
      putchar('\n');
    }
    if (t.done) print_verdicts(&t);
    puts(t.done ? "after, and verdicts: by cross-validation, each fifth of the footage by a fit on\n"
                  "the rest, as what was fitted on looks better than it is"
                : "no cross-validation: too little footage for a fit on four fifths of it");
  }
  free(t.score);
  return rc;
}

static int calibrate(um_model_data *d, options *o, um_error *err) {
  um_calibration *c = &d->preprocess.calibration, its = *c;
  um_results r = {0};
  videos v = {0};
  char note[1024] = "";
  if (o->how.false_alarms < 0) o->how.false_alarms = o->rates_only && its.false_alarms > 0 ? its.false_alarms : RATE;
  if (o->how.misses < 0) o->how.misses = o->rates_only && its.misses > 0 ? its.misses : RATE;
  int rc = um_results_read(&r, o->scores, err);
  if (!rc) rc = check_scores(&r, o, &d->preprocess, err);
  if (!rc) rc = take_videos(&v, &r, o->scores, err);
  if (!rc) rc = fit(c, note, o, v.raw, v.fake, v.n, err);
  if (!rc && !o->rates_only && c->method == UM_CALIBRATION_NONE) rc = um_fail(err, UM_EFORMAT, "%s: %s", o->scores, note);
  if (!rc && *note) um_log(UM_LOG_WARN, "%s", note);
  if (!rc) rc = report(&v, &its, c, o, err);
  free_videos(&v);
  um_results_free(&r);
  return rc;
}

int main(int argc, char **argv) {
  options o;
  um_error err = {0};
  um_model_data d = {0};
  bool done = false;
  um_log_open("calibrate", UM_LOG_INFO);
  int rc = read_options(&o, argc, argv, &done);
  if (rc || done) return rc;
  rc = um_model_data_read(&d, o.model, NULL, NULL, &err);
  if (!rc && d.said != (UM_SAYS_CLASSES | UM_SAYS_PREPROCESS))
    rc = um_fail(&err, UM_EFORMAT, "%s: says nothing of its classes or its preprocessing; export --to safetensors makes a file that does",
                 o.model);
  if (!rc && o.how.method == UM_CALIBRATION_NONE)
    d.preprocess.calibration = (um_calibration){0};
  else if (!rc)
    rc = calibrate(&d, &o, &err);
  if (!rc) rc = um_model_data_save(&d, o.out, &err);
  if (!rc) printf("written: %s\n", o.out);
  if (rc) um_log(UM_LOG_ERROR, "%s", err.text);
  um_model_data_free(&d);
  return rc ? um_exit_status(rc) : 0;
}
