/* The tuner: what it chooses among ways whose speed and correctness are known, what it remembers, and what it makes of a file that is
 * damaged, another machine's, or written by several processes at once. On the emulated device; the vendor's libraries are not there.
 *
 *   test_tune [NAME] */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "cuda/tune.h"

static char folder[512]; /* of the cache, emptied before each test */
static int problems;

#define CHECK(condition)                                                                                                                   \
  do {                                                                                                                                     \
    if (!(condition)) {                                                                                                                    \
      problems++;                                                                                                                          \
      printf("  %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                                                     \
    }                                                                                                                                      \
  } while (0)

static void must(int status, const um_error *err) {
  if (status == UM_OK) return;
  printf("  %s\n", err->text);
  exit(1);
}

static um_cuda *open_with(um_engine engine, const char *cache_dir, size_t limit) {
  um_backend *be;
  um_error err;

  must(um_cuda_open(&be,
                    &(um_backend_options){.device = "cuda",
                                          .verbose = getenv("UM_VERBOSE") != NULL,
                                          .engine = engine,
                                          .cache_dir = cache_dir,
                                          .workspace_limit = limit},
                    &err),
       &err);
  return (um_cuda *)be;
}

static um_cuda *open_auto(void) { return open_with(UM_ENGINE_AUTO, folder, 0); }

static void close_it(um_cuda *cuda) { cuda->base.ops->close(&cuda->base); }

/* The cache's one file; false where there is none or more than one. */
static bool cache_file(char *path, size_t size) {
  DIR *d = opendir(folder);
  struct dirent *e;
  int n = 0;

  while (d && (e = readdir(d))) {
    if (e->d_name[0] == '.') continue;
    n++;
    snprintf(path, size, "%s/%s", folder, e->d_name);
  }
  if (d) closedir(d);
  return n == 1;
}

static void empty_folder(void) {
  char path[1024];
  DIR *d = opendir(folder);
  struct dirent *e;

  while (d && (e = readdir(d))) {
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (e->d_name[0] != '.') unlink(path);
  }
  if (d) closedir(d);
}

/* ---- ways whose speed and result are known ---- */

typedef struct fake {
  const char *name;
  int copies; /* of the work: how slow it is */
  enum { GOOD, WRONG, NOT_FINITE, NOTHING, FAILS, UNRECORDABLE } kind;
  size_t scratch;
  bool rough;
} fake;

static fake offered[8];
static int n_offered, listed, ran, prepared, plans; /* plans: that are not freed */
static bool prepare_fails;

static void free_fake(void *plan) {
  plans--;
  free(plan);
}

static int run_fake(const um_cuda *cuda, const um_cuda_conv *g, const um_conv_way *way, void *out, const void *a, const void *b,
                    const float *bias, void *scratch, cudaStream_t stream, um_error *err) {
  const fake *f = &offered[way->variant];
  const size_t bytes = (size_t)g->N * (size_t)g->P * (size_t)g->Q * (size_t)g->K * 4;
  enum cudaStreamCaptureStatus capture;

  (void)cuda;
  (void)bias;
  ran++;
  CHECK(a && b && (!way->scratch || (scratch && (uintptr_t)scratch % 256 == 0)));
  if (f->kind == FAILS) return um_fail(err, UM_EINTERNAL, "it does not want to");
  cudaStreamIsCapturing(stream, &capture);
  if (f->kind == UNRECORDABLE && capture != cudaStreamCaptureStatusNone) return um_fail(err, UM_EUNSUPPORTED, "not while recorded");
  if (f->kind == NOTHING) return UM_OK;
  if (way->scratch) cudaMemsetAsync(scratch, 0, 1, stream);
  for (int i = 0; i < f->copies; i++) cudaMemsetAsync(out, f->kind == WRONG ? 0x40 : f->kind == NOT_FINITE ? 0xff : 0x3f, bytes, stream);
  return UM_OK;
}

static int list_fakes(const um_cuda *cuda, const um_cuda_conv *g, um_conv_pass pass, um_conv_way *ways, int max) {
  (void)cuda;
  (void)g;
  (void)pass;
  listed++;
  for (int i = 0; i < n_offered && i < max; i++) {
    ways[i] = (um_conv_way){
        .scratch = offered[i].scratch, .run = run_fake, .variant = i, .plan = malloc(1), .free_plan = free_fake, .rough = offered[i].rough};
    snprintf(ways[i].name, sizeof ways[i].name, "%s", offered[i].name);
    plans++;
  }
  return n_offered < max ? n_offered : max;
}

static int prepare_fake(const um_cuda *cuda, const um_cuda_conv *g, um_conv_way *way, um_error *err) {
  (void)cuda;
  (void)g;
  (void)way;
  prepared++;
  return prepare_fails ? um_fail(err, UM_EINTERNAL, "no plan") : UM_OK;
}

static const um_way_source fakes = {.name = "fake", .candidate = true, .trusted = true, .list = list_fakes, .prepare = prepare_fake};
static const um_cuda_conv geometry = {.N = 4, .H = 32, .W = 32, .C = 4, .K = 16, .P = 32, .Q = 32, .R = 1, .S = 1, .stride = {1, 1}};

static void offer(int n, const fake *f) {
  memcpy(offered, f, (size_t)n * sizeof *f);
  n_offered = n;
  listed = ran = prepared = 0;
  prepare_fails = false;
}

/* The name of what is chosen, or "" and *code. */
static const char *choose(um_cuda *cuda, int *code) {
  static char name[32];
  um_conv_way way;
  um_error err = {0};
  const int status = um_cuda_choose_among(cuda, &geometry, UM_CONV_FORWARD, &fakes, 1, &way, &err);

  if (code) *code = status;
  snprintf(name, sizeof name, "%s", status == UM_OK ? way.name : "");
  if (status != UM_OK) CHECK(err.text[0] && way.plan == NULL);
  if (status == UM_OK) {
    CHECK(plans == 1); /* the others' are freed */
    way.free_plan(way.plan);
  }
  CHECK(plans == 0);
  return name;
}

/* ---- tests ---- */

static void the_fastest_is_chosen(void) {
  um_cuda *cuda = open_auto();

  offer(3, (fake[]){{"fake slow", 60, GOOD, 0, false}, {"fake fast", 1, GOOD, 64, false}, {"fake middle", 25, GOOD, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake fast") == 0);
  CHECK(um_cuda_tuner_counts(cuda).measured == 1 && um_cuda_tuner_counts(cuda).remembered == 0 && prepared == 3);
  close_it(cuda);
}

static void what_does_not_work_is_left_out(void) {
  um_cuda *cuda = open_with(UM_ENGINE_AUTO, "", 1 << 16);
  int code;

  offer(7, (fake[]){{"fake good", 20, GOOD, 0, false},
                    {"fake wrong", 1, WRONG, 0, false},
                    {"fake NaN", 1, NOT_FINITE, 0, false},
                    {"fake nothing", 1, NOTHING, 0, false},
                    {"fake fails", 1, FAILS, 0, false},
                    {"fake unrecordable", 1, UNRECORDABLE, 0, false},
                    {"fake large", 1, GOOD, (1 << 16) + 1, false}});
  CHECK(strcmp(choose(cuda, &code), "fake good") == 0);
  offer(2, (fake[]){{"fake good", 20, GOOD, 0, false}, {"fake rough", 1, GOOD, 0, true}});
  CHECK(strcmp(choose(cuda, &code), "fake good") == 0);
  offer(2, (fake[]){{"fake fails", 1, FAILS, 0, false}, {"fake large", 1, GOOD, 1 << 20, false}});
  /* The answer to this question is known by now, but not offered any more. */
  CHECK(strcmp(choose(cuda, &code), "") == 0 && code == UM_EUNSUPPORTED);
  offer(1, (fake[]){{"fake good", 1, GOOD, 0, false}});
  prepare_fails = true;
  CHECK(strcmp(choose(cuda, &code), "") == 0 && code == UM_EUNSUPPORTED && ran == 0);
  close_it(cuda);
}

static void nothing_is_planned_while_recording(void) {
  um_cuda *cuda = open_auto();
  int code;

  offer(1, (fake[]){{"fake good", 1, GOOD, 0, false}});
  cuda->recording = true;
  CHECK(strcmp(choose(cuda, &code), "") == 0 && code == UM_EINTERNAL && listed == 0);
  cuda->recording = false;
  CHECK(strcmp(choose(cuda, &code), "fake good") == 0);
  close_it(cuda);
}

static void answers_are_remembered(void) {
  um_cuda *cuda = open_auto();
  char path[1024];

  offer(2, (fake[]){{"fake one", 1, GOOD, 0, false}, {"fake two", 60, GOOD, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake one") == 0 && ran > 0);
  CHECK(cache_file(path, sizeof path)); /* written when it came */
  /* Both are as fast now, and the first is wrong: nobody looks. */
  offer(2, (fake[]){{"fake two", 1, GOOD, 0, false}, {"fake one", 1, WRONG, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake one") == 0 && ran == 0 && prepared == 1);
  close_it(cuda);
  cuda = open_auto();
  offer(2, (fake[]){{"fake two", 1, GOOD, 0, false}, {"fake one", 1, WRONG, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake one") == 0 && ran == 0 && um_cuda_tuner_counts(cuda).remembered == 1);
  /* It is not offered any more, then it cannot be planned any more. */
  offer(1, (fake[]){{"fake two", 1, GOOD, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake two") == 0 && ran > 0);
  offer(1, (fake[]){{"fake two", 1, GOOD, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake two") == 0 && ran == 0);
  close_it(cuda);
}

/* Another driver, another limit, another engine: another question. */
static void another_machine_is_measured_anew(void) {
  um_cuda *cuda = open_auto();
  int driver;

  offer(1, (fake[]){{"fake one", 1, GOOD, 0, false}});
  choose(cuda, NULL);
  driver = cuda->driver;
  close_it(cuda);
  for (int i = 0; i < 5; i++) {
    cuda = open_with(i == 3 ? UM_ENGINE_NATIVE : UM_ENGINE_AUTO, i == 4 ? "" : folder, i == 2 ? 1 << 20 : 0);
    if (i == 1) cuda->driver = driver + 10;
    offer(1, (fake[]){{"fake one", 1, GOOD, 0, false}});
    choose(cuda, NULL);
    CHECK((ran == 0) == (i == 0));
    close_it(cuda);
  }
}

/* A file of ten answers, its text and size; the caller frees. */
static char *make_file(um_tuned_file *f, size_t *size) {
  char *text;
  um_error err;

  memset(f, 0, sizeof *f);
  snprintf(f->key, sizeof f->key, "version x\ndevice y\n");
  um_tuned_path(f, folder);
  for (int i = 0; i < 10; i++) {
    um_tuned t = {.conv = geometry, .pass = (um_conv_pass)(i % 3), .engine = UM_ENGINE_AUTO, .limit = (size_t)512 << 20, .ms = 0.125 * i};
    t.conv.N = i + 1;
    snprintf(t.name, sizeof t.name, "native %dx64 k%d", 64 << i % 2, i);
    must(um_tuned_put(f, &t, &err), &err);
  }
  must(um_tuned_save(f, &err), &err);
  must(um_file_read(&text, size, f->path, 1 << 20, &err), &err);
  return text;
}

static void write_bytes(const char *path, const char *data, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void a_file_comes_back_as_it_was(void) {
  um_tuned_file f, again;
  um_error err;
  size_t size;
  char *text = make_file(&f, &size);

  again = (um_tuned_file){.count = 0};
  memcpy(again.path, f.path, sizeof f.path);
  memcpy(again.key, f.key, sizeof f.key);
  must(um_tuned_load(&again, &err), &err);
  CHECK(again.count == f.count);
  for (int i = 0; i < f.count && i < again.count; i++) {
    const um_tuned *t = um_tuned_find(&again, &f.entry[i]);
    CHECK(t && strcmp(t->name, f.entry[i].name) == 0 && t->ms == f.entry[i].ms);
  }
  um_tuned_free(&f);
  um_tuned_free(&again);
  free(text);
}

static void damage_is_never_trusted(void) {
  um_tuned_file f, again = {.count = 0};
  um_error err;
  size_t size;
  char *text = make_file(&f, &size), *bad = malloc(2 * size + 64);
  uint64_t dice = 1;

  memcpy(again.path, f.path, sizeof f.path);
  memcpy(again.key, f.key, sizeof f.key);
  /* Each byte changed in one of its bits, and the file cut after each byte. */
  for (size_t i = 0; i < size; i++) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    memcpy(bad, text, size);
    bad[i] = (char)(bad[i] ^ 1 << (dice >> 61));
    write_bytes(f.path, bad, size);
    CHECK(um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
    write_bytes(f.path, text, i);
    CHECK(um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
  }
  /* More after its end, a file of nothing but zeros, one without an end, one that is too large. */
  memcpy(bad, text, size);
  memcpy(bad + size, text, size);
  write_bytes(f.path, bad, 2 * size);
  CHECK(um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
  memset(bad, 0, size);
  write_bytes(f.path, bad, size);
  CHECK(um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
  memset(bad, 'a', 2 * size);
  write_bytes(f.path, bad, 2 * size);
  CHECK(um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
  CHECK(truncate(f.path, 64 << 20) == 0 && um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
  /* Saving over it makes it good again. */
  must(um_tuned_save(&f, &err), &err);
  CHECK(um_tuned_load(&again, &err) == UM_OK && again.count == 10);
  um_tuned_free(&again);
  /* Another version's head, another machine's key. */
  snprintf(again.key, sizeof again.key, "version z\ndevice y\n");
  CHECK(um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
  um_tuned_free(&f);
  free(text);
  free(bad);
}

/* Lines that a checksum vouches for and that are still not answers. */
static void bad_answers_are_refused(void) {
  static const char *const line[] = {"1,2,3",
                                     "0,32,32,4,16,32,32,1,1,1,1,0,0,0,0,0,0,0,0.5,x",
                                     "1,32,32,4,16,32,32,1,1,1,1,0,0,9,0,0,0,0,0.5,x",
                                     "1,32,32,4,16,32,32,1,1,1,1,0,0,0,0,0,0,0,nan,x",
                                     "1,32,32,4,16,32,32,1,1,1,1,0,0,0,0,0,0,0,-1,x",
                                     "1,32,32,4,16,32,32,1,1,1,1,0,0,0,0,0,0,0,0.5,",
                                     "99999999999,32,32,4,16,32,32,1,1,1,1,0,0,0,0,0,0,0,0.5,x",
                                     "1,32,32,4,16,32,32,1,1,1,1,0,0,0,0,0,0,0,0.5,a name that is longer than any way's name",
                                     "",
                                     "-1"};
  um_tuned_file f, again = {.count = 0};
  um_error err;
  size_t size;
  char *text = make_file(&f, &size), all[2048];
  const size_t before = (size_t)(strstr(text, "\n-\n") + 3 - text);

  memcpy(again.path, f.path, sizeof f.path);
  memcpy(again.key, f.key, sizeof f.key);
  for (size_t i = 0; i <= sizeof line / sizeof *line; i++) {
    const char *l = i < sizeof line / sizeof *line ? line[i] : "1,32,32,4,16,32,32,1,1,1,1,0,0,0,0,0,0,0,0.5,x";
    uint64_t h = 14695981039346656037u;
    int n = snprintf(all, sizeof all, "%.*s%s\n", (int)before, text, l);
    for (int k = 0; k < n; k++) h = (h ^ (unsigned char)all[k]) * 1099511628211u;
    n += snprintf(all + n, sizeof all - (size_t)n, "sum %016llx\n", (unsigned long long)h);
    write_bytes(f.path, all, (size_t)n);
    if (i < sizeof line / sizeof *line)
      CHECK(um_tuned_load(&again, &err) == UM_EFORMAT && again.count == 0);
    else
      CHECK(um_tuned_load(&again, &err) == UM_OK && again.count == 1); /* so the others failed for what they are */
  }
  um_tuned_free(&f);
  um_tuned_free(&again);
  free(text);
}

static void processes_do_not_harm_each_other(void) {
  enum { PROCESSES = 4, EACH = 12 };
  um_tuned_file f = {.count = 0};
  um_error err;
  int good = 0, mine = 0;
  char path[1024];

  snprintf(f.key, sizeof f.key, "version x\n");
  um_tuned_path(&f, folder);
  for (int p = 0; p < PROCESSES; p++) {
    if (fork() == 0) {
      int status = UM_OK;
      for (int i = 0; i < EACH && status == UM_OK; i++) {
        um_tuned t = {.conv = geometry, .name = "native x"};
        t.conv.N = 1 + p * EACH + i;
        status = um_tuned_put(&f, &t, &err);
        if (status == UM_OK) status = um_tuned_save(&f, &err);
      }
      _exit(status != UM_OK);
    }
  }
  for (int p = 0; p < PROCESSES; p++) {
    int status;
    wait(&status);
    good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  CHECK(good == PROCESSES);
  CHECK(cache_file(path, sizeof path)); /* and no temporary one */
  CHECK(um_tuned_load(&f, &err) == UM_OK);
  for (int i = 0; i < f.count; i++) mine += f.entry[i].conv.N >= 1 && f.entry[i].conv.N <= PROCESSES * EACH;
  CHECK(f.count >= EACH && mine == f.count);
  um_tuned_free(&f);
}

static void a_damaged_file_is_only_measured_again(void) {
  um_cuda *cuda = open_auto();
  char path[1024];

  offer(1, (fake[]){{"fake one", 1, GOOD, 0, false}});
  choose(cuda, NULL);
  close_it(cuda);
  CHECK(cache_file(path, sizeof path));
  write_bytes(path, "unmask tuner 2\nnonsense", 23);
  cuda = open_auto();
  offer(1, (fake[]){{"fake one", 1, GOOD, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake one") == 0 && ran > 0);
  close_it(cuda);
  cuda = open_auto();
  offer(1, (fake[]){{"fake one", 1, GOOD, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake one") == 0 && ran == 0);
  close_it(cuda);
}

static void a_folder_that_cannot_be_written_is_no_failure(void) {
  char file[1024], below[1100];
  um_cuda *cuda;

  snprintf(file, sizeof file, "%s/a file", folder);
  write_bytes(file, "x", 1);
  snprintf(below, sizeof below, "%s/folder", file);
  cuda = open_with(UM_ENGINE_AUTO, below, 0);
  offer(1, (fake[]){{"fake one", 1, GOOD, 0, false}});
  CHECK(strcmp(choose(cuda, NULL), "fake one") == 0);
  close_it(cuda);
}

/* Where the cache is. */
static void folders(void) {
  um_tuned_file f = {.key = "k"};

  um_tuned_path(&f, "");
  CHECK(f.path[0] == 0);
  um_tuned_path(&f, "/a/b");
  CHECK(strncmp(f.path, "/a/b/cuda-", 10) == 0);
  setenv("XDG_CACHE_HOME", "/c", 1);
  um_tuned_path(&f, NULL);
  CHECK(strncmp(f.path, "/c/unmask/cuda-", 15) == 0);
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/h", 1);
  um_tuned_path(&f, NULL);
  CHECK(strncmp(f.path, "/h/.cache/unmask/cuda-", 22) == 0);
  unsetenv("HOME");
  um_tuned_path(&f, NULL);
  CHECK(f.path[0] == 0);
}

static void short_memory_takes_the_next(void) {
  um_cuda *cuda = open_auto();
  size_t have, all;
  char text[32];
  int code;

  CHECK(cudaMemGetInfo(&have, &all) == cudaSuccess);
  snprintf(text, sizeof text, "%zu", all - have + (8 << 20));
  setenv("UM_CUDA_HOST_MEMORY", text, 1);
  /* Room for the tensors (a quarter of a MiB each), not for the fast way's scratch. */
  offer(2, (fake[]){{"fake large", 1, GOOD, 16 << 20, false}, {"fake small", 60, GOOD, 1 << 20, false}});
  CHECK(strcmp(choose(cuda, &code), "fake small") == 0);
  /* That was no lasting answer. */
  setenv("UM_CUDA_HOST_MEMORY", "1G", 1);
  offer(2, (fake[]){{"fake large", 1, GOOD, 16 << 20, false}, {"fake small", 200, GOOD, 1 << 20, false}});
  CHECK(strcmp(choose(cuda, &code), "fake large") == 0 && ran > 0);
  close_it(cuda);
  /* Not even for the tensors: the first way that fits, unmeasured. */
  cuda = open_with(UM_ENGINE_AUTO, "", 0);
  CHECK(cudaMemGetInfo(&have, &all) == cudaSuccess);
  snprintf(text, sizeof text, "%zu", all - have + (64 << 10));
  setenv("UM_CUDA_HOST_MEMORY", text, 1);
  offer(2, (fake[]){{"fake large", 1, GOOD, 16 << 20, false}, {"fake small", 12, GOOD, 1 << 10, false}});
  CHECK(strcmp(choose(cuda, &code), "fake small") == 0 && ran == 0);
  unsetenv("UM_CUDA_HOST_MEMORY");
  close_it(cuda);
}

/* um_cuda_choose itself, over the hand-written ways. */
static void native_ways_are_measured(void) {
  static const um_cuda_conv g[] = {
      {.N = 2, .H = 6, .W = 6, .C = 8, .K = 16, .P = 6, .Q = 6, .R = 3, .S = 3, .stride = {1, 1}, .pad = {1, 1}, .activation = UM_ACT_RELU},
      {.N = 3, .H = 1, .W = 1, .C = 40, .K = 24, .P = 1, .Q = 1, .R = 1, .S = 1, .stride = {1, 1}}};
  um_cuda *cuda;
  um_conv_way way;
  um_error err;
  char name[2][3][3][32];

  for (int again = 0; again < 2; again++) {
    cuda = open_auto();
    for (int i = 0; i < 2; i++) {
      for (int p = 0; p < 3; p++) {
        for (int pass = 0; pass < UM_CONV_PASSES; pass++) {
          um_cuda_conv question = g[i];
          question.precision = (um_precision)p;
          must(um_cuda_choose(cuda, &question, (um_conv_pass)pass, &way, &err), &err);
          CHECK(strncmp(way.name, "native ", 7) == 0 && way.run);
          if (again) CHECK(strcmp(way.name, name[i][p][pass]) == 0);
          snprintf(name[i][p][pass], sizeof name[i][p][pass], "%s", way.name);
          if (way.free_plan && way.plan) way.free_plan(way.plan);
        }
      }
    }
    CHECK(um_cuda_tuner_counts(cuda).measured == (again ? 0 : 18) && um_cuda_tuner_counts(cuda).remembered == (again ? 18 : 0));
    close_it(cuda);
  }
}

static void engines(void) {
  const um_cuda_conv g = {.N = 1, .H = 6, .W = 6, .C = 8, .K = 8, .P = 6, .Q = 6, .R = 3, .S = 3, .stride = {1, 1}, .pad = {1, 1}};
  um_cuda *cuda = open_with(UM_ENGINE_NATIVE, folder, 0);
  um_conv_way way, first;
  um_error err;
  char path[1024];

  must(um_cuda_choose(cuda, &g, UM_CONV_FORWARD, &way, &err), &err);
  memset(&first, 0, sizeof first);
  CHECK(um_cuda_native_ways(cuda, &g, UM_CONV_FORWARD, &first, 1) == 1 && strcmp(first.name, way.name) == 0);
  CHECK(!cache_file(path, sizeof path) && um_cuda_tuner_counts(cuda).measured == 0);
  /* The vendor's engine where there is none of the vendor's. */
  cuda->engine = UM_ENGINE_CUDNN;
  CHECK(um_cuda_choose(cuda, &g, UM_CONV_FORWARD, &way, &err) == UM_ECONFIG && strstr(err.text, "cudnn") && strstr(err.text, "native"));
  cuda->engine = UM_ENGINE_NATIVE;
  /* A way is found within the smallest of limits, or the message says which limit it was. */
  cuda->workspace_limit = 1;
  if (um_cuda_choose(cuda, &g, UM_CONV_FORWARD, &way, &err) == UM_OK)
    CHECK(way.scratch <= 1);
  else
    CHECK(strstr(err.text, "limit"));
  close_it(cuda);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } tests[] = {{"the_fastest_is_chosen", the_fastest_is_chosen},
               {"what_does_not_work_is_left_out", what_does_not_work_is_left_out},
               {"nothing_is_planned_while_recording", nothing_is_planned_while_recording},
               {"answers_are_remembered", answers_are_remembered},
               {"another_machine_is_measured_anew", another_machine_is_measured_anew},
               {"a_file_comes_back_as_it_was", a_file_comes_back_as_it_was},
               {"damage_is_never_trusted", damage_is_never_trusted},
               {"bad_answers_are_refused", bad_answers_are_refused},
               {"processes_do_not_harm_each_other", processes_do_not_harm_each_other},
               {"a_damaged_file_is_only_measured_again", a_damaged_file_is_only_measured_again},
               {"a_folder_that_cannot_be_written_is_no_failure", a_folder_that_cannot_be_written_is_no_failure},
               {"short_memory_takes_the_next", short_memory_takes_the_next},
               {"native_ways_are_measured", native_ways_are_measured},
               {"engines", engines},
               {"folders", folders}};
  int passed = 0, failed = 0;

  um_log_open("test_tune", getenv("UM_VERBOSE") ? UM_LOG_INFO : UM_LOG_WARN);
  snprintf(folder, sizeof folder, "%s/unmask-tune-XXXXXX", getenv("UM_TMP") ? getenv("UM_TMP") : "/tmp");
  if (!mkdtemp(folder)) return 1;
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    if (argc > 1 && strcmp(argv[1], tests[i].name) != 0) continue;
    const int before = problems;
    empty_folder();
    printf("[ RUN      ] %s\n", tests[i].name);
    fflush(stdout);
    tests[i].run();
    printf(problems == before ? "[       OK ] %s\n" : "[  FAILED  ] %s\n", tests[i].name);
    fflush(stdout);
    *(problems == before ? &passed : &failed) += 1;
  }
  empty_folder();
  rmdir(folder);
  printf("[  PASSED  ] %d test(s).\n", passed);
  if (failed) printf("[  FAILED  ] %d test(s).\n", failed);
  return failed != 0;
}
