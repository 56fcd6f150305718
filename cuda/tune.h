/* The choice among ways to do a pass (tune.c), as far as tests and benches reach into it. */
#ifndef UM_CUDA_TUNE_H
#define UM_CUDA_TUNE_H

#include "cuda/cuda.h"

/* Where ways come from. */
typedef struct um_way_source {
  const char *name; /* the first word of its ways' names */
  bool candidate;   /* may be chosen; else only the first of its ways is used, to compare results with */
  bool trusted;     /* its first way's result is what the others' are compared with */
  int (*list)(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max);
  /* Makes a way ready to run without any more work on the host's side; NULL where run alone is enough. */
  int (*prepare)(const um_cuda *cuda, const um_cuda_conv *g, um_conv_way *way, um_error *err);
  /* The way of this name without listing all of them; false where there is none. NULL: they are listed. */
  bool (*find)(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const char *name, um_conv_way *way);
} um_way_source;

/* um_cuda_choose among the given sources: what is remembered, else what is measured to be the fastest. A way that fails, whose
 * result is not like the trusted one's, that cannot be recorded, or whose scratch is above the limit is left out. UM_EUNSUPPORTED
 * where no way is left. */
int um_cuda_choose_among(um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, const um_way_source *sources, int n, um_conv_way *way,
                         um_error *err);

/* Seconds that measuring has taken so far, and how many answers came from measuring and from what was remembered. */
typedef struct um_tuner_counts {
  double seconds;
  int measured, remembered;
} um_tuner_counts;
um_tuner_counts um_cuda_tuner_counts(const um_cuda *cuda);

/* ---- the file (tune_file.c) ---- */

typedef struct um_tuned {
  um_cuda_conv conv;
  um_conv_pass pass;
  um_engine engine; /* among whose ways */
  size_t limit;     /* of the scratch */
  double ms;
  char name[32];
} um_tuned;

enum { UM_TUNED_MAX = 4096, UM_TUNED_KEY = 512 };

/* What was measured on one machine, in a file of its own: text, a head that names the machine (key, lines), an answer a line, and a
 * checksum. */
typedef struct um_tuned_file {
  char path[4096]; /* "": nothing is kept */
  char key[UM_TUNED_KEY];
  um_tuned *entry;
  int count, capacity;
} um_tuned_file;

/* The folder of o->cache_dir (see core/ops.h) and the file's name, made from the key. */
void um_tuned_path(um_tuned_file *f, const char *cache_dir);
/* Adds what the file holds to f where f has no answer yet. No file is UM_OK. A file that is damaged, another machine's or another
 * version's is UM_EFORMAT, adds nothing and is written anew by the next save. */
int um_tuned_load(um_tuned_file *f, um_error *err);
/* Adds first what another process has saved meanwhile, then writes all of it (temporary file, rename). */
int um_tuned_save(um_tuned_file *f, um_error *err);
const um_tuned *um_tuned_find(const um_tuned_file *f, const um_tuned *like); /* the same but for ms and name; NULL: not there */
int um_tuned_put(um_tuned_file *f, const um_tuned *t, um_error *err);        /* adds, or takes the place of what is there */
void um_tuned_free(um_tuned_file *f);

#endif
