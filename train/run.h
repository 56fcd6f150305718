/* A run of train: what its parts share. */
#ifndef UM_TRAIN_RUN_H
#define UM_TRAIN_RUN_H

#include "core/checkpoint.h"
#include "core/evaluation.h"
#include "data/csv.h"
#include "data/loader.h"
#include "faces/footage.h"

/* One line of history.csv. Without a validation part its three numbers are NaN, and val_auc where a class is not in it or an older
 * program wrote the file. */
typedef struct history_row {
  int epoch; /* from 1 */
  double loss, accuracy, val_loss, val_accuracy;
  double learning_rate; /* of the epoch's last step */
  double seconds, val_auc;
} history_row;

typedef struct history {
  history_row *row;
  int count;
} history;

/* One line of speed.csv: seconds but for the first three and the last two. NaN: not known. */
enum {
  SPEED_EPOCH,      /* from 1 */
  SPEED_PICTURES,   /* of the epoch, as far as this process trained on them: what was done before a resume is not in the line */
  SPEED_RATE,       /* of them in a second of the steps */
  SPEED_SECONDS,    /* of the whole epoch, validation and files included, by the clock on the wall */
  SPEED_STEPS,      /* of them, from the first batch to the last report, without checkpoints between */
  SPEED_WAIT,       /* that the host waited for the loader's pictures during the steps */
  SPEED_FEED,       /* um_model_busy, of the steps */
  SPEED_COMPUTE,    /* likewise */
  SPEED_VALIDATION, /* with what is reckoned from its scores */
  SPEED_SAVING,     /* checkpoints, history and charts */
  SPEED_MEMORY,     /* MB: the most that the process had in memory at once */
  SPEED_DEVICE, /* MB: what was free of the device's memory before the model was made, less what is now; NaN where memory is the host's */
  SPEED_COLUMNS
};
typedef struct speed_row {
  double v[SPEED_COLUMNS];
} speed_row;

typedef struct speed_log {
  speed_row *row;
  int count;
} speed_log;

/* The lines of validation.csv so far. */
typedef struct validation_log {
  char *text;
  size_t size;
} validation_log;

/* A folder of videos that pictures come from. */
typedef struct run_videos {
  um_sources sources;
  um_footage *footage; /* NULL: there is no such folder */
} run_videos;

/* Training, validation, test: where their pictures are. */
enum { RUN_PARTS = 3 };
typedef struct run_part {
  const um_dataset *d;
  um_footage *footage; /* of the items that are filmed */
} run_part;

typedef struct board board;

typedef struct run {
  um_config config;
  char name[256]; /* of the config: "vgg16_finetune" */
  char out[2048]; /* the run folder */
  bool resumed;
  bool picture_due; /* augmented.png is still to be written */

  um_dataset train, validation, test; /* count 0: none, but for train */
  run_part part[RUN_PARTS];           /* of these three */
  run_videos videos[RUN_PARTS];       /* of train_dir, validation_dir, test_dir */
  bool force;                         /* what the split guard finds is said, not refused */
  float class_weight[2];              /* in the training loss */
  um_backend *backend;
  um_graph graph;
  int backbone_last; /* node */
  um_model_options options;
  um_model_memory memory;
  size_t memory_free; /* of the device before the model is made; 0: not known */
  um_model *model;
  um_preprocess preprocess;
  um_warp warp;

  um_loader *loader, *validator;
  int train_skips, validation_skips, test_skips; /* of those that the loaders skipped, how many were named */

  char digest[65];    /* of the pictures' names and labels */
  char weights[4096]; /* the file of model.weights; "" for random ones */
  um_position at;
  int phase;           /* that the model was made for: r->at.phase, but between two phases */
  int64_t epoch_first; /* optimizer steps of the phase done before this epoch */
  um_position saved;   /* what last.safetensors holds; epoch -1: there is none yet */
  double saved_when;
  history history;
  speed_log speed;
  speed_row speed_now; /* of the epoch that goes on */
  validation_log judged;
  char epoch_note[512], best_note[512]; /* what the calibration of the last epoch, of the best one had to say; "" where none was here */
  board *board;                         /* NULL: nothing for TensorBoard */
} run;

/* setup.c: pictures, device, model's structure; nothing is written and no large memory is taken. */
int run_prepare(run *r, const char *device, int threads, bool verbose, um_error *err);
/* data.c: the pictures of all parts. */
int run_open_data(run *r, um_error *err);
void run_videos_free(run_videos *v);
/* The picture of an item, from its file or its video; buffer as for um_image_read_with, or NULL. */
int run_read_picture(const run_part *p, int item, um_image *im, um_image_buffer *buffer, um_error *err);
/* For um_loader_options: the pictures of a part that has videos. */
void run_read_from(um_loader_options *o, run_part *p);
/* guard.c: UM_EFORMAT where the same footage or nearly the same picture stands in two parts; with r->force it is only said. */
int run_guard(const run *r, um_error *err);
/* load.c: a model of the run's folder: its tensors, which the caller closes, and how its pictures were prepared. */
int run_open_model(um_st **st, um_preprocess *p, const run *r, const char *name, um_error *err);
/* Where a resumed run stands, which decides what its model must be able to do. */
int run_read_position(run *r, um_error *err);
/* Then the model itself: memory, initial weights or those of the config, or the checkpoint of a resumed run. */
int run_load(run *r, um_error *err);
/* The options of the model for the phase that r->at is in. */
void run_take_phase(run *r);
/* A model for the phase that r->at has come to in place of the last one's, its weights from the checkpoint: as a resumed run would. */
int run_change_phase(run *r, um_error *err);
/* UM_ECONFIG where the run folder already holds a run. */
int run_check_free(const run *r, um_error *err);
/* The run folder: made, with room for the checkpoints, config.json written; the history of a resumed run read. */
int run_open_folder(run *r, um_error *err);
void run_free(run *r);
/* "OUT/name" into path. */
int run_path(const run *r, char path[4096], const char *name, um_error *err);

/* course.c: which learning rate, which phase, when it is over. */
const um_phase *run_phase(const run *r);     /* where r->at is */
int run_batches(const run *r);               /* steps of an epoch */
int run_epochs(const run *r);                /* of the run: fewer than the config's where a phase stopped early */
double run_rate(const run *r, int64_t step); /* of a step of this phase, from 0 */
/* What is watched must be there: a validation part, with both classes for val_auc. */
int run_check_course(const run *r, um_error *err);
void run_begin_course(run *r); /* before the first epoch */
/* After an epoch, r->at standing before the next: a lower rate, the next phase, said as it comes. */
void run_end_epoch(run *r, const history_row *row);
bool run_stopped_early(const run *r);
bool run_is_over(const run *r);

/* describe.c: says on stderr what the run will do. */
void run_describe(const run *r);
void run_describe_phase(const run *r); /* a phase that begins after another */

/* lane.c: batches through the model without waiting for each. */
enum { LANE_STEPS = 20 }; /* between two looks at the report, where the device does not wait for the host */
typedef struct lane {
  const run *run;
  um_loader *loader;
  um_batch *held[2]; /* by slot: under way to the device */
  int next, unread;
  float *logits;        /* where train is false: of all samples so far, or NULL; room for them is the caller's */
  int read, due;        /* of them: there, and of the batch queued last */
  double feed, compute; /* seconds of what lane_read has waited for: um_model_busy */
} lane;
/* Takes b, which goes back to the loader in time; queues a step on it, or (train false) its loss and logits. */
int lane_push(lane *l, um_batch *b, bool train, um_error *err);
int lane_free(lane *l, int slot, um_error *err);
/* True when the report should be read: after every LANE_STEPS pushes, or each where nothing runs ahead. */
bool lane_due(lane *l);
/* Waits for all that was pushed; no batch is held then. UM_ENUMERIC as um_model_check. */
int lane_read(lane *l, um_report *report, um_error *err);

/* loop.c: trains to the last epoch. UM_EINTERRUPTED after saving where the user stopped it. */
int run_train(run *r, um_error *err);
int run_skipped(const run *r); /* pictures that could not be read */

/* evaluate.c */
typedef struct measures {
  double loss, accuracy, auc;
  int64_t pictures;
} measures;
/* P(fake) of the pictures of a part that could be read, in the order of the loader; the first class counts as fake where none is named so. */
typedef struct run_scores {
  int *item; /* of the part's dataset */
  double *score;
  int n;
} run_scores;
void run_scores_free(run_scores *s);
/* The model as it is on the pictures of a loader, which stands at their beginning; UM_EINTERRUPTED where the user stopped it. what: of
 * the progress line, "validation ". The scores are the caller's to free; none after a failure. */
int run_measure(run *r, measures *m, run_scores *scores, um_loader *l, const um_dataset *d, int *skips, const char *what, um_error *err);
/* Of the validation part, into the row. */
int run_validate(run *r, history_row *row, run_scores *scores, um_error *err);
/* What the scores are worth, by frame and by video; d must stay. */
int run_judge(um_findings *f, const run *r, const um_dataset *d, const run_scores *scores, um_error *err);

/* validation.c: validation.csv, all numbers of the validation part by epoch. */
/* Appends the lines of an epoch (from 1): raw and, where c is one, after calibration; the parts; and the rules that are not the config's
 * (people: those, too, that tell people apart or do not). f comes back as it was. */
int validation_add(validation_log *v, int epoch, um_findings *f, const um_calibration *c, bool people, um_error *err);
/* All lines, to be read by the names of their columns. */
int validation_open(um_csv **csv, const validation_log *v, um_error *err);
int validation_write(const validation_log *v, const char *path, um_error *err);
/* What a stopped run has written of the epochs that are done; nothing where there is no such file. */
int validation_read(validation_log *v, const char *path, int epochs_done, um_error *err);
void validation_free(validation_log *v);
/* summary.c: at the end, of the epoch that the model is from: the rules that make a video's score, side by side, where videos have more
 * than one face, and the calibration. */
int run_summarize(const run *r, um_error *err);

/* test.c: the finished model (best.safetensors, or the last where nothing is held out) on the test part, once: test.json. */
int run_test(run *r, um_error *err);
/* Names the pictures that a loader has skipped since the last call. */
void run_name_skips(um_loader *l, const um_dataset *d, int *named);

/* board.c: TensorBoard's files; without r->board these do nothing. */
void run_board_open(run *r);
void run_board_begin_epoch(run *r);
void run_board_steps(run *r);                                               /* those since the last call */
void run_board_epoch(run *r, const history_row *row, const um_findings *f); /* f: NULL without a validation part */
void run_board_speed(run *r);                                               /* r->speed_now */
void run_board_picture(run *r);                                             /* augmented.png */
void run_board_close(run *r);

/* picture.c: augmented.png, the batch as the model sees it. */
int run_write_picture(const run *r, const um_batch *b, um_error *err);

/* history.c: history.csv. */
int history_read(history *h, const char *path, int epochs_done, um_error *err);
int history_add(history *h, const history_row *row, um_error *err);
int history_write(const history *h, const char *path, um_error *err);
void history_free(history *h);

/* speed.c: speed.csv. Between begin and end those who do the work add their seconds to r->speed_now. */
const char *speed_column(int i);
void speed_begin(run *r);
void speed_end(run *r, int epoch, double seconds);
void speed_say(const run *r, int indent); /* in one line; after speed_end */
int speed_write(run *r, um_error *err);   /* the file, with speed_now as its last line */
/* What is there of the epochs that are done; nothing where there is no such file. */
int speed_read(speed_log *log, const char *path, int epochs_done, um_error *err);
void speed_free(speed_log *log);

/* chart.c: history.svg and history.png in a folder: loss and accuracy of both parts over the epochs, AUC and learning rate. */
int history_draw(const history *h, const char *title, const char *folder, um_error *err);

/* progress.c: one line about a pass over the pictures that is going on. */
typedef struct progress {
  const char *what; /* "" or "validation " */
  int steps;        /* in all */
  int first;        /* steps done before this pass began (a resumed epoch) */
  double start, shown;
  int64_t pictures; /* since start */
} progress;
void progress_begin(progress *p, const char *what, int steps, int first);
void progress_show(progress *p, int step, int pictures, double loss, double accuracy);
/* "2:31", "1:02:03". */
const char *duration_text(double seconds, char *text, size_t size);
/* 16812353 as "16,812,353". */
const char *count_text(int64_t n, char text[32]);

/* stop.c: the first SIGINT, SIGTERM or SIGHUP asks for an end after the step, the second ends the program at once. */
void stop_listen(void);
bool stop_wanted(void);

#endif
