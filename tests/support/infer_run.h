/* The infer program as tests run it, and models whose scores are known without it: a global average and one weight a channel, so that a
 * picture of one colour has the logit w . rgb / 255 + b. */
#ifndef UM_TESTS_SUPPORT_INFER_RUN_H
#define UM_TESTS_SUPPORT_INFER_RUN_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/checkpoint.h"

/* A model file of a graph, which is freed; values: of its parameters, in their order. */
void infer_save(const char *path, um_graph *g, const um_preprocess *p, const float *const *values);
/* One whose logit of class 1 is the mean over all places of the channels times these weights, and bias. */
void infer_save_mean(const char *path, const um_preprocess *p, const float channel[3], float bias);
/* A model file of 32 x 32 faces at 2 frames a second. */
void infer_model(const char *path, const char *class_0, const char *class_1);
/* A model of 32 x 32 faces at 4 frames a second, all of them, with a convolution of one channel: how much redder than green a place is, or
 * with `grey` red and green together, ReLU; its mean times weight, and bias, is the logit of class 1. So the heat of red places is 1 where
 * the logit of fake grows with it, and there is none where it falls. */
void infer_heat_model(const char *path, const char *class_0, const char *class_1, float weight, float bias, bool grey);
/* The same with a calibration. */
void infer_calibrated_model(const char *path, const char *class_0, const char *class_1, float weight, float bias, bool grey,
                            const um_calibration *calibration);
/* P(class 1) of a colour. */
double infer_known(const uint8_t rgb[3]);
/* A PNG of one colour. */
void infer_colour(const char *path, const uint8_t rgb[3], int width, int height);
/* Runs infer with these arguments; its exit status. */
int infer_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A JSON file; fails the test where it is none. */
cJSON *infer_json(const char *path);
/* The text of a file of infer --json less "run", which tells of times and threads, and "labels", of where these came from: two of the same verdicts are the same. malloc'd. */
char *infer_verdicts(const char *path);
/* Writes `to`, the JSON of `from` with another value, JSON text, in place of the member at `way` ("results/0/score"), or with "" without it. */
void infer_edit(const char *from, const char *to, const char *way, const char *value);
/* A member; fails the test where it is missing. */
const cJSON *infer_get(const cJSON *o, const char *key);
/* True where PATH.txt holds the text. */
bool infer_says(const char *path, const char *text);

#endif
