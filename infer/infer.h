/* What the parts of infer share. */
#ifndef UM_INFER_INFER_H
#define UM_INFER_INFER_H

#include "core/checkpoint.h"
#include "faces/faces.h"

typedef struct options {
  const char *model, *json, *csv, *labels, *device;
  const char *detector; /* NULL, and negative numbers: as the model says */
  double fps, margin;
  int faces, min_face, crop, align, max_size;
  int jobs, threads;
  um_precision precision;
  bool faces_are_cut, force, quiet;
} options;

typedef enum label { LABEL_NONE = -1, LABEL_REAL = 0, LABEL_FAKE = 1 } label;

/* One scored face. */
typedef struct detail {
  int64_t frame;
  double time_s;
  int box[4]; /* x, y, width, height in the frame that was looked at, scaled to the model's max_size: as in extract's manifest */
  int track;
  um_fate fate; /* known at the video's end; what is not kept is taken out before the input is finished */
  double score;
} detail;

typedef struct input {
  char *path;
  um_media kind;
  label label;
  bool skipped;      /* it could not be read */
  bool done;         /* walked to its end */
  int faces_to_come; /* found, not yet scored */
  int64_t frames;
  detail *detail;
  int faces, capacity;
  int dropped[UM_FATES]; /* faces that do not count, by why */
  double score;          /* NaN: none */
  char reason[1024];
} input;

typedef struct inputs {
  input *at;
  int count;
} inputs;

/* inputs.c: files and folders, as data/sources.h collects them. labels: "folders", a metadata.json, or NULL. */
int inputs_open(inputs *in, const char *const *path, int count, const char *labels, um_error *err);
void inputs_free(inputs *in);

/* A model that is ready to score. */
typedef struct scorer {
  um_backend *backend;
  um_model *model;
  um_preprocess preprocess;
  um_warp warp;
  int fake; /* index of the class that is fake: the sigmoid is P(class 1) */
  char sha256[65];
} scorer;

int scorer_open(scorer *s, const options *o, int batch, um_error *err);
void scorer_close(scorer *s);
/* score[i] = P(fake) of n faces, n at most the batch; pixels: n x height x width x 3. */
int scorer_run(scorer *s, double *score, const uint8_t *pixels, int n, um_error *err);

/* pipeline.c: walks the inputs in several threads, scores their faces in batches. `finished` is called for each input, in their
 * order, as soon as it and all before it are done. UM_EINTERRUPTED where *stop became true. */
typedef void (*finished_fn)(void *arg, input *in);
int pipeline_run(inputs *in, scorer *s, const options *o, int batch, finished_fn finished, void *arg, const volatile bool *stop,
                 um_error *err);

/* Numbers of one kind: by face or by input. */
typedef struct numbers {
  int count;
  double accuracy, log_loss, auc;
} numbers;

/* output.c */
int measure(numbers *frame, numbers *video, const inputs *in, um_error *err);
const char *verdict(const input *in); /* "fake", "real", "none" */
void print_head(void);
void print_row(const input *in);
void print_dropped(const int dropped[UM_FATES]); /* of all inputs; nothing where none are */
void print_metrics(const numbers *frame, const numbers *video, const inputs *in);
int write_json(const char *path, const inputs *in, const scorer *s, const options *o, const numbers *frame, const numbers *video,
               um_error *err);
int write_csv(const char *path, const inputs *in, um_error *err);

#endif
