/* What the parts of infer share. */
#ifndef UM_INFER_INFER_H
#define UM_INFER_INFER_H

#include <sys/types.h>
#include <time.h>

#include "core/checkpoint.h"
#include "core/evaluation.h"
#include "core/gradcam.h"
#include "data/distort.h"
#include "faces/faces.h"
#include "plot/plot.h"

typedef struct options {
  const char *model, *json, *csv, *labels, *by, *device;
  const char *detector; /* NULL, and negative numbers: as the model says */
  double fps, margin;
  int faces, min_face, crop, align, max_size, aggregate, top_k, people;
  int jobs, threads, resamples;
  um_precision precision;
  bool faces_are_cut, force, quiet, compare;
  const char *explain; /* a folder for pictures of the most suspicious faces, explain_faces an input; or NULL */
  int explain_faces;
  const char *annotate; /* a file or a folder for copies of the inputs with what was found drawn on them; or NULL */
  const char *verify;   /* a result to do again, or NULL; root: where its inputs lie now, or NULL */
  const char *root;
  char *const *command; /* all words of the command line, as they were given */
  int words;
  unsigned ladder;    /* a bit for each um_distortion_kind; 0: no ladder, with verify all of the result's */
  bool no_ladder;     /* asked for */
  const char *report; /* a folder for a page of all results, or NULL; report_details: of so many inputs at most all is shown */
  int report_details;
} options;

/* options.c: 0, or the exit status that main returns; *done where there is nothing more to do. Inputs begin at optind. */
int options_read(options *o, int argc, char **argv, bool *done);

typedef enum label { LABEL_NONE = -1, LABEL_REAL = 0, LABEL_FAKE = 1 } label;

/* One scored face. */
typedef struct detail {
  int64_t frame;
  double time_s;  /* of the sampling at a frame rate */
  double shown_s; /* when the video itself shows the picture: what a person is told; of a record NaN where it does not say */
  int box[4];     /* x, y, width, height in the frame that was looked at, scaled to the model's max_size: as in extract's manifest */
  int track;
  um_fate fate;      /* known at the video's end; what is not kept is taken out before the input is finished */
  double score, raw; /* P(fake): as shown, and as the network gives it. score_input makes the one of the other; before, score is raw, too */
} detail;

/* A JPEG for the page. */
typedef struct thumbnail {
  uint8_t *data; /* NULL: none */
  size_t size;
  int width, height;
} thumbnail;

/* A face that may be shown. */
typedef struct candidate {
  detail d;
  int face_index;        /* into the input's detail, before what is not kept is taken out */
  int seen;              /* faces of its track so far, since one of them is among the candidates */
  um_image face;         /* as cut, made smaller where it is large */
  uint8_t *pixels;       /* as scored */
  char name[160];        /* of its picture's file */
  thumbnail plain, heat; /* with --report: the face, and the same with its heat map */
} candidate;

typedef struct input {
  char *path;
  char *lies;      /* where its file lies now, if not there (--verify); else NULL */
  int64_t bytes;   /* of the file that was read, whose SHA-256 is: */
  char sha256[65]; /* "" where there is no such file, or not one that has contents to come back to (a pipe) */
  um_media kind;
  label label;
  char *group;       /* the original footage */
  char *video;       /* of a face that was cut out before: what it is of; NULL otherwise */
  char *by;          /* its cell of the column of --by; NULL without that */
  int person;        /* of a face that was cut out before: its track; else -1 */
  bool skipped;      /* it could not be read, or changed meanwhile */
  bool done;         /* walked to its end */
  int faces_to_come; /* found, not yet scored */
  int64_t frames;
  detail *detail;
  int faces, capacity;
  int dropped[UM_FATES]; /* faces that do not count, by why */
  double score, raw;     /* NaN: none. After calibration, and before */
  um_verdict verdict;
  um_person *person_score; /* of each person, where faces are told apart */
  int people;
  char reason[1024];
  char doubt[192];      /* why it is uncertain, where it is */
  candidate *candidate; /* with --explain or --report; at the end those that are shown, in their order */
  int candidates;
  bool shown; /* with --report: all of it is in the page */
} input;

/* The inputs that a page shows in all detail, as far as they are known: two lists, the first of each foremost. */
typedef struct gallery {
  int *at[2], count[2], most[2];
} gallery;

typedef struct used_file {
  char path[4096], sha256[65]; /* "": not a file that has contents to come back to (a pipe) */
  int64_t bytes;
} used_file;

/* Where labels come from, and what else is known of footage. */
typedef struct labelling {
  const char *word, *by; /* of --labels ("folders" or a file) and --by; NULL: none */
  used_file *file;       /* all that are read, in this order */
  int files;
} labelling;

typedef struct inputs {
  input *at;
  int count;
  labelling labels;
  gallery gallery;
} inputs;

/* inputs.c: files and folders, as data/sources.h collects them. labels: "folders", a metadata.json, a manifest's CSV, or NULL. */
int inputs_open(inputs *in, const char *const *path, int count, const options *o, um_error *err);
/* The same in two steps, of sources that are known, whose texts are handed over, and of in->labels, whose files are hashed when they are
 * read: labels of a metadata.json or of folders; then what manifests say. */
struct um_sources;
int inputs_take(inputs *in, struct um_sources *s, um_error *err);
int inputs_facts(inputs *in, um_error *err);
void inputs_free(inputs *in);
static inline const char *input_file(const input *in) { return in->lies ? in->lies : in->path; } /* what is read */
/* The same, not yet scored. Those that could not be read are done already. */
int inputs_again(inputs *out, const inputs *in, um_error *err);

/* facts.c: takes group, video, track and the column `by` (may be NULL), and where `labels` the label, from a CSV as extract writes it
 * to the inputs that its column path names; *named: how many. */
int facts_read(inputs *in, const char *csv, bool labels, const char *by, int *named, um_error *err);

/* A model that is ready to score. */
typedef struct scorer {
  um_backend *backend;
  um_model *model;
  um_preprocess preprocess;
  um_warp warp;
  int fake;            /* index of the class that is fake: the sigmoid is P(class 1) */
  um_model *map_model; /* with --explain: the same for heat maps */
  um_gradcam cam;
  char sha256[65], fingerprint[65]; /* of the file; of what is in it (um_checkpoint_verify), "" of another format than ours */
  int64_t bytes;
  char forced[1024]; /* settings that --force took against the model's: "--fps 1 (the model's: 2), ..."; "" */
} scorer;

/* hash.c: files by their contents. */
/* What changes when a file does. */
typedef struct stamp {
  bool file; /* there, and a file that has contents to come back to */
  dev_t device;
  ino_t inode;
  int64_t bytes;
  struct timespec modified, changed;
} stamp;
stamp stamp_of(const char *path);
bool stamp_same(const stamp *a, const stamp *b);
/* SHA-256 as hex of a file that has this stamp; UM_EFORMAT where it has not, any more. */
int hash_file(char hex[65], const char *path, const stamp *as, um_error *err);

/* evidence.c: what a verdict depends on, beside the inputs (input.sha256, input.bytes), the model's file (scorer.sha256 and its like) and
 * the settings (scorer.preprocess, scorer.forced). Texts are "" where a thing is not known. */
typedef struct library {
  const char *name;
  char version[48];
} library;

enum { LIBRARIES = 16 };
typedef struct evidence {
  char program_sha256[65], compiler[64]; /* the program's own file; what built it */
  library library[LIBRARIES];            /* as they are at run time, libjpeg-turbo alone as at build time */
  int libraries;
  char backend[16];       /* "cpu", "cuda", "ref" */
  char device[256];       /* the GPU, its driver and libraries; "" on the CPU */
  char processor[64];     /* its name */
  char instructions[256]; /* sets of them that our code or oneDNN's chooses by: "AVX2, FMA, AVX-512" */
  const char *onednn_isa; /* what oneDNN chose */
  used_file detector[UM_DETECTOR_FILES];
  int detector_files; /* none with --faces-are-cut */
  int batch;
  /* Of this run, and no part of a verdict: */
  char started[24]; /* "2026-01-31T12:00:00Z" */
  double seconds;   /* until the results were there */
  int threads, jobs;
  char *const *command; /* argv; stays the caller's */
  int words;
} evidence;
/* All but seconds. o: jobs settled. */
int evidence_take(evidence *e, const scorer *s, const options *o, int batch, um_error *err);
/* One of the libraries' versions, "" where it is none of them. */
const char *evidence_version(const evidence *e, const char *library);

/* score.c: the scores of an input's people and its own, from its faces', and its verdict; once an input. UM_ENOMEM. */
int score_input(input *in, const um_preprocess *p, um_error *err);

/* What of the asked settings the model has otherwise, of those that flags can change, by these flags: "--fps 1 (the model's: 2), ..."; "". */
void settings_told(char *text, size_t size, const um_preprocess *asked, const um_preprocess *its);
int scorer_open(scorer *s, const options *o, int batch, um_error *err);
void scorer_close(scorer *s);
/* score[i] = P(fake) of n faces, n at most the batch; pixels: n x height x width x 3. */
int scorer_run(scorer *s, double *score, const uint8_t *pixels, int n, um_error *err);

/* pipeline.c: walks the inputs in several threads, scores their faces in batches. how: changes every input before faces are looked for;
 * NULL: as they are. `finished` is called for each input, in their order, as soon as it and all before it are done. UM_EINTERRUPTED where
 * *stop became true. */
typedef void (*finished_fn)(void *arg, input *in);
int pipeline_run(inputs *in, scorer *s, const options *o, const um_distortion *how, int batch, finished_fn finished, void *arg,
                 const volatile bool *stop, um_error *err);

/* explain.c */
/* A face as cut, for candidate_add: at most as large as it will be shown. out is {0} or an earlier picture. */
int candidate_face(um_image *out, const um_image *face, const inputs *in, const options *o, um_error *err);
/* Makes the face, whose score is known, a candidate where it is among the most suspicious; takes the picture then (leaves {0}). Memory is
 * bounded: of each track no more than wanted, and of all no more than 8 wanted, from which the tracks that were seen least go first. */
int candidate_add(input *in, int face, um_image *picture, const uint8_t *pixels, size_t bytes, int wanted, um_error *err);
void candidate_drop(candidate *c); /* its face and pixels */
void candidate_free(candidate *c);
/* The wanted faces of those that are kept, highest score first, of equal ones the earlier. */
void candidates_choose(input *in, int wanted);
/* Gives each candidate's heat map (s->cam's height x width; NULL where the model has none), in batches. */
typedef int (*mapped_fn)(void *arg, candidate *c, const float *map, um_error *err);
int candidates_map(scorer *s, candidate *const *c, int count, mapped_fn mapped, void *arg, um_error *err);
/* Writes their pictures into o->explain; with o->report keeps what the gallery takes, and drops the others' faces. index: of the input. */
int explain_input(scorer *s, inputs *all, int index, const options *o, um_error *err);
/* Candidates are wanted. */
static inline bool wants_pictures(const options *o) { return o->explain || o->report; }

/* gallery.c: which inputs the page of --report shows in all detail: all where report_details are enough. Else the most suspicious ones; of
 * labelled inputs the most mistaken ones: one half for those that are real, or have no label, and score highest, one half for the fakes
 * that score lowest. Pictures are kept of these alone, so memory is bounded. */
int gallery_open(inputs *in, const options *o, um_error *err);
/* The input, which has its score, is one of them so far; another may lose its place, and its pictures. */
bool gallery_take(inputs *in, int index);
/* How many faces of an input are shown, and how large: fewer and smaller where there are many inputs. */
int gallery_faces(const inputs *in, const options *o);
int gallery_side(const inputs *in, const options *o);
/* Makes the page's pictures of them, when all inputs are done. */
int gallery_pictures(inputs *in, scorer *s, const options *o, um_error *err);

/* The most suspicious seconds of a video, by its own clock. Faces of one picture are a moment, whose score is the highest of theirs. A span begins at a moment
 * and goes over all within the 2 seconds from there; its score is their mean. Spans of less than half as many moments as the fullest are
 * left out: a face alone beside a gap says little. The highest comes first, of equal ones the earlier; spans do not overlap. */
enum { SPANS = 3, SPAN_SECONDS = 2 };
typedef struct span {
  double start, end; /* seconds: of the first and the last moment */
  double score;
  int moments;
} span;
int suspicious_seconds(span out[SPANS], int *count, const input *in, um_error *err); /* none of a picture */

/* evaluate.c: numbers of the inputs that have a label and a score; they must stay. */
#define THRESHOLD .5
um_evaluation_settings evaluation_settings(const um_scoring *rule, const um_calibration *c, const options *o);
int findings_make(um_findings *r, const inputs *in, const um_scoring *rule, const um_calibration *c, const options *o, um_error *err);
/* tables.c */
void findings_print(const um_findings *r, const inputs *in);

/* compare.c: infer --compare A.json B.json. */
#define COMPARISON_FORMAT "unmask-comparison/1"
int compare(const char *a, const char *b, const options *o, um_error *err);
int compare_json(cJSON **out, const char *a, const char *b, const options *o, um_error *err); /* what its --json writes */

/* ladder.c: how the scores hold when the inputs are changed on the way (data/distort.h). */
typedef struct rung {
  um_distortion how;
  int scored, without;        /* inputs with a score, and without: no face found, mostly */
  int compared, changed;      /* those with a score here and as they are; of these, those with another verdict */
  double shift;               /* mean of the scores less those as they are; NaN where none is compared */
  double shift_of[2];         /* the same of real and of fake inputs */
  um_evaluation frame, video; /* with labels: of those with a score */
  um_difference change;       /* of the AUC by video from that as they are, of videos with a score both times */
  double *score;              /* of each input; NaN: none */
} rung;

typedef struct ladder {
  rung plain;
  rung *rung; /* kind by kind, from the weakest to the strongest */
  int rungs, inputs;
  bool labelled;
} ladder;

/* Kinds as bits from their names, with commas between; false where a word is none of them. */
bool ladder_words(unsigned *kinds, const char *text);
int ladder_count(unsigned kinds); /* rungs of these kinds */
/* Whether this machine can do all that is asked for. */
int ladder_check(unsigned kinds, um_error *err);
/* Scores the inputs, which are scored as they are, once for each rung of o->ladder. seconds: what that took, for an estimate; table: prints
 * each rung when it is done. */
int ladder_run(ladder *l, const inputs *in, scorer *s, const options *o, int batch, double seconds, bool table, const volatile bool *stop,
               um_error *err);
void ladder_free(ladder *l);
/* ladder_tables.c */
const char *rung_name(char name[32], um_distortion how); /* "blur 2 px" */
enum { LADDER_COLUMNS = 8, LADDER_CELL = 32 };
typedef struct ladder_row {
  char cell[LADDER_COLUMNS][LADDER_CELL]; /* as text; the first is the rung's name */
} ladder_row;
extern const char *const ladder_heading[LADDER_COLUMNS];
extern const char ladder_legend[];                                     /* what the columns are, in lines of at most 80 letters */
void ladder_row_make(ladder_row *row, const ladder *l, const rung *r); /* r NULL: the inputs as they are */
void ladder_print_head(void);
void ladder_print_row(const ladder *l, const rung *r); /* NULL: as they are */
void ladder_print_foot(const ladder *l);
bool ladder_put(cJSON *o, const ladder *l); /* as members; false without memory */
/* ladder_plot.c: AUC, or without labels the share of changed verdicts, against strength: um_plot_free frees it. */
int ladder_plot(um_plot *out, const ladder *l, um_error *err);

/* json.c: r and l may be NULL */
#define RESULT_FORMAT "unmask-result/1"
int write_json(const char *path, const inputs *in, const scorer *s, const options *o, const evidence *e, const um_findings *r,
               const ladder *l, um_error *err);

/* The members "evidence" and "run"; NULL without memory. */
/* As a file, or to standard output where path is "-"; frees o. whole false: there was no memory for all of it. */
int json_write(const char *path, cJSON *o, bool whole, um_error *err);
/* Of a result: kind, faces, dropped, people and seconds, which follow from its faces. False without memory. */
bool result_rest_put(cJSON *r, const input *in, const um_calibration *c);
cJSON *evidence_json(const evidence *e);
cJSON *run_json(const evidence *e);

/* verify.c: infer --verify, with the inputs that were given, and *holds whether the result does. */
int verify(const options *o, const char *const *path, int count, const volatile bool *stop, bool *holds, um_error *err);

/* output.c */
const char *verdict(const input *in); /* "fake", "real", "uncertain", "none" */
/* Why there is no score, what went wrong, why it is uncertain; "" where there is nothing to say. */
const char *reason(char *text, size_t size, const input *in);
void print_head(void);
void print_row(const input *in);
void print_dropped(const int dropped[UM_FATES]); /* of all inputs; nothing where none are */
const char *label_name(label l);                 /* "fake", "real", "" */
const char *kind_name(um_media kind);            /* "image", "video", NULL */
int write_csv(const char *path, const inputs *in, um_error *err);

/* page.c: writes the page, o->report/index.html, and the plots beside it. r: NULL without labels, l without --ladder. */
int page_write(const inputs *in, const scorer *s, const options *o, const evidence *e, const um_findings *r, const ladder *l,
               um_error *err);

#endif
