/* Runs a fuzz target where clang's libFuzzer is not at hand: every file of the corpus, then simple mutations of them, without knowing what
 * they reach. It takes libFuzzer's options that tests/fuzz/run.sh gives, and writes the input that was running when the sanitizer found
 * something where -artifact_prefix says. Usage: fuzz_NAME [-max_total_time=S] [-seed=N] [-timeout=S] [-malloc_limit_mb=N]
 * [-artifact_prefix=P] FILE|DIR... */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_SEEDS = 4096, MAX_SIZE = 1 << 16 };

/* gcc's and clang's sanitizers have these; without one they are not there. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));
__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                                                    void (*on_free)(const volatile void *));
__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

typedef struct seed {
  uint8_t *data;
  size_t size;
} seed;

static seed seeds[MAX_SEEDS];
static int seed_count;
static const char *prefix = "";
static const uint8_t *current; /* what is running */
static size_t current_size;
static unsigned long runs;
static volatile long balance;        /* of memory blocks */
static size_t malloc_max = SIZE_MAX; /* bytes at once */
static uint64_t state;

static uint32_t draw(uint32_t below) { /* splitmix64 */
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return below ? (uint32_t)((z ^ z >> 31) % below) : 0;
}

/* Only calls that a signal handler may make. */
static void keep(const char *what) {
  char path[4096];
  snprintf(path, sizeof path, "%s%s-%lu", prefix, what, runs);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return;
  if (write(fd, current, current_size) == (ssize_t)current_size) dprintf(2, "input written to %s\n", path);
  close(fd);
}

static void on_death(void) { keep("crash"); }

static void on_abort(int signal_number) { /* FUZZ_CHECK, and gcc's undefined-behaviour sanitizer, whose death has no callback */
  keep("crash");
  signal(signal_number, SIG_DFL);
}

static void on_alarm(int signal_number) {
  (void)signal_number;
  dprintf(2, "timeout\n");
  keep("timeout");
  _exit(70);
}

static void on_malloc(const volatile void *p, size_t size) {
  (void)p;
  balance++;
  if (size > malloc_max) abort();
}

static void on_free(const volatile void *p) {
  if (p) balance--;
}

static void run(const uint8_t *data, size_t size, unsigned timeout) {
  uint8_t *copy = malloc(size ? size : 1); /* its end is the end of the memory block */
  FUZZ_CHECK(copy);
  if (size > 0) memcpy(copy, data, size);
  current = copy, current_size = size;
  runs++;
  for (int again = 0; again < 2; again++) { /* what a library keeps for good it takes in the first run */
    long before = balance;
    alarm(timeout);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    if (balance == before) break;
    if (again && __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check()) {
      keep("leak");
      _exit(77);
    }
  }
  free(copy);
}

static void add_path(const char *path) {
  struct stat st;
  char inside[4096];
  if (stat(path, &st) != 0) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(1);
  }
  if (S_ISDIR(st.st_mode)) {
    struct dirent **name;
    int n = scandir(path, &name, NULL, alphasort); /* sorted: the same seed gives the same run */
    for (int i = 0; i < n; i++) {
      snprintf(inside, sizeof inside, "%s/%s", path, name[i]->d_name);
      if (name[i]->d_name[0] != '.') add_path(inside);
      free(name[i]);
    }
    if (n >= 0) free(name);
    return;
  }
  FILE *f = fopen(path, "rb");
  seed s = {malloc((size_t)st.st_size + 1), (size_t)st.st_size};
  if (!f || !s.data || fread(s.data, 1, s.size, f) != s.size || seed_count == MAX_SEEDS) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(1);
  }
  fclose(f);
  seeds[seed_count++] = s;
}

/* One change; returns the new size. */
static size_t change(uint8_t *data, size_t size) {
  static const uint32_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
  size_t at = draw((uint32_t)size), n = 1 + draw(size - at < 64 ? (uint32_t)(size - at) : 64);
  const seed *other = &seeds[draw((uint32_t)seed_count)];
  switch (size == 0 ? 4 : draw(7)) {
  case 0: data[at] ^= (uint8_t)(1u << draw(8)); return size;
  case 1: data[at] = (uint8_t)draw(256); return size;
  case 2: { /* a number that is on the edge of something */
    uint32_t value = numbers[draw(sizeof numbers / sizeof *numbers)];
    size_t bytes = 1u << draw(3);
    if (bytes > size - at) bytes = size - at;
    for (size_t i = 0, big = draw(2); i < bytes; i++) data[at + i] = (uint8_t)(value >> 8 * (big ? bytes - 1 - i : i));
    return size;
  }
  case 3: /* a piece left out */
    if (n > size - at) n = size - at;
    memmove(data + at, data + at + n, size - at - n);
    return size - n;
  case 4: { /* a piece of another file put in */
    size_t from = draw((uint32_t)other->size);
    if (other->size == 0) return size;
    if (n > other->size - from) n = other->size - from;
    if (n > MAX_SIZE - size) n = MAX_SIZE - size;
    memmove(data + at + n, data + at, size - at);
    memcpy(data + at, other->data + from, n);
    return size + n;
  }
  case 5: /* a piece over another place */
    for (size_t from = draw((uint32_t)size); n > 0 && at < size && from < size; n--) data[at++] = data[from++];
    return size;
  default: return draw(8) ? size : at; /* cut, now and then */
  }
}

int main(int argc, char **argv) {
  static uint8_t data[MAX_SIZE];
  double seconds = 0;
  unsigned timeout = 10;
  struct timespec t;
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "-max_total_time=", 16) == 0) seconds = atof(argv[i] + 16);
    if (strncmp(argv[i], "-seed=", 6) == 0) state = strtoull(argv[i] + 6, NULL, 10);
    if (strncmp(argv[i], "-timeout=", 9) == 0) timeout = (unsigned)atoi(argv[i] + 9);
    if (strncmp(argv[i], "-malloc_limit_mb=", 17) == 0) malloc_max = (size_t)atol(argv[i] + 17) << 20;
    if (strncmp(argv[i], "-artifact_prefix=", 17) == 0) prefix = argv[i] + 17;
    if (argv[i][0] != '-') add_path(argv[i]);
  }
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(on_death);
  if (__sanitizer_install_malloc_and_free_hooks) __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  signal(SIGALRM, on_alarm);
  signal(SIGABRT, on_abort);
  clock_gettime(CLOCK_MONOTONIC, &t);
  const double start = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
  for (int i = 0; i < seed_count; i++) run(seeds[i].data, seeds[i].size, timeout);
  for (bool more = seed_count > 0; more;) {
    clock_gettime(CLOCK_MONOTONIC, &t);
    more = (double)t.tv_sec + (double)t.tv_nsec / 1e9 - start < seconds;
    const seed *s = &seeds[draw((uint32_t)seed_count)];
    size_t size = s->size < MAX_SIZE ? s->size : MAX_SIZE;
    memcpy(data, s->data, size);
    for (uint32_t n = 1 + draw(5); n > 0; n--) size = change(data, size);
    if (more) run(data, size, timeout);
  }
  fprintf(stderr, "stat::number_of_executed_units: %lu\n", runs);
  for (int i = 0; i < seed_count; i++) free(seeds[i].data);
  return 0;
}
