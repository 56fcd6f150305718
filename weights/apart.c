/* HDF5 in a process of its own. Its library trusts what it finds in a file: of 1,500 copies of a good file with one byte changed, version
 * 1.10.8 crashes on 8 (H5HG_read copies as many bytes of a name as the file says). So a child opens and reads the file, and answers over a
 * socket: its list of tensors first, then the values of one tensor a request, in memory that both share. If it dies, that is an error
 * message here. It has a bounded time of the processor and bounded memory, and ends when its parent does. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weights/source.h"

enum { MAX_ITEMS = 1 << 17, MAX_TEXT = 8192 };

typedef struct apart {
  int socket;
  pid_t child;
  float *shared; /* room for the largest tensor asked for */
  int64_t room;
  int seconds; /* of the processor, that the child may take */
} apart;

typedef struct request {
  int32_t index; /* MODEL: the model in the file, else a tensor */
  int64_t count;
} request;
enum { MODEL = -1, MAX_GRAPH = 1 << 22 };

/* All of it or false; a closed socket is no signal. */
static bool send_all(int to, const void *data, size_t size) {
  const char *at = data;
  while (size > 0) {
    ssize_t n = send(to, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= (size_t)n;
  }
  return true;
}

static bool receive_all(int from, void *data, size_t size) {
  char *at = data;
  while (size > 0) {
    ssize_t n = recv(from, at, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= (size_t)n;
  }
  return true;
}

static bool send_text(int to, const char *text) {
  uint32_t n = (uint32_t)strnlen(text, MAX_TEXT - 1);
  return send_all(to, &n, sizeof n) && send_all(to, text, n);
}

static bool receive_text(int from, char text[MAX_TEXT]) {
  uint32_t n;
  if (!receive_all(from, &n, sizeof n) || n >= MAX_TEXT || !receive_all(from, text, n)) return false;
  text[n] = 0;
  return true;
}

static bool send_list(int to, const um_weight_source *s) {
  const bool model = s->model != NULL;
  if (!send_text(to, s->kind) || !send_text(to, s->note) || !send_all(to, &model, sizeof model) ||
      !send_all(to, &s->count, sizeof s->count))
    return false;
  for (int i = 0; i < s->count; i++) {
    const um_weight_item *item = &s->item[i];
    if (!send_text(to, item->name) || !send_text(to, item->from) || !send_all(to, &item->ndim, sizeof item->ndim) ||
        !send_all(to, item->dim, sizeof item->dim) || !send_all(to, &item->layout, sizeof item->layout) ||
        !send_all(to, item->chw, sizeof item->chw) || !send_text(to, item->dtype))
      return false;
  }
  return true;
}

/* The answer to MODEL, behind which what is known of preprocessing came: an error, or the graph as JSON and what is said of it. */
static bool send_model(int to, um_weight_source *s) {
  um_graph graph = {0};
  um_preprocess p;
  um_error answer = {0};
  unsigned said = 0;
  char *text = NULL;
  if (!receive_all(to, &p, sizeof p)) return false;
  if (s->model(s, &graph, &p, &said, &answer) == UM_OK) um_graph_to_json(&graph, &text, &answer);
  uint32_t n = text ? (uint32_t)strlen(text) : 0;
  bool ok = send_all(to, &answer, sizeof answer);
  if (ok && answer.code == UM_OK)
    ok = send_all(to, &n, sizeof n) && send_all(to, text, n) && send_all(to, &p, sizeof p) && send_all(to, &said, sizeof said);
  free(text);
  um_graph_free(&graph);
  return ok;
}

/* What a whole file of this size takes at 16 MB/s, on top of 10 s: HDF5 1.10.8 reads some damaged files without end. $UM_HDF5_SECONDS
 * is taken in its place. */
static int seconds_for(int64_t size) {
  const char *said = getenv("UM_HDF5_SECONDS");
  const long seconds = said ? strtol(said, NULL, 10) : 10 + (long)(size >> 24);
  return seconds < 1 ? 1 : seconds > 86400 ? 86400 : (int)seconds;
}

/* No more memory than the file can be in need of: a text in it may claim to be gigabytes long. */
static void limit_memory(int64_t size) {
  unsigned long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  const bool known = f && fscanf(f, "%lu", &pages) == 1;
  if (f) fclose(f);
  const rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (512u << 20) + 16 * (rlim_t)size;
  if (known) setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
}

/* The child. It only leaves through _exit: what the parent registered to happen at its end is not the child's to do. */
static void serve(const apart *a, int socket, const char *path, int64_t size, const um_graph *graph, um_weight_open *open_file) {
  const struct rlimit time = {(rlim_t)a->seconds, (rlim_t)a->seconds + 1}, none = {0, 0}; /* SIGXCPU first */
  um_weight_source s = {0};
  um_error err = {0};
  request r;

  /* What dying libraries print is no message for people; ours goes over the socket. */
  const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM};
  for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], SIG_DFL); /* the parent's handlers are not the child's */
  signal(SIGINT, SIG_IGN);                                                                /* Ctrl-C is for the parent to answer */
  int nowhere = open("/dev/null", O_WRONLY);
  if (nowhere >= 0) dup2(nowhere, 2);
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_CORE, &none);
  limit_memory(size);
  open_file(&s, path, graph, &err);
  if (!send_all(socket, &err, sizeof err) || (err.code == UM_OK && !send_list(socket, &s))) _exit(1);
  while (err.code == UM_OK && receive_all(socket, &r, sizeof r)) {
    if (r.index == MODEL && s.model) {
      if (!send_model(socket, &s)) _exit(1);
      continue;
    }
    if (r.index < 0 || r.index >= s.count || r.count < 0 || r.count > a->room) _exit(1);
    um_error answer = {0};
    s.read(&s, r.index, a->shared, r.count, &answer);
    if (!send_all(socket, &answer, sizeof answer)) _exit(1);
  }
  _exit(0);
}

/* The message for a child that did not answer. */
static int died(um_weight_source *s, um_error *err) {
  apart *a = s->handle;
  int status = 0;
  close(a->socket);
  a->socket = -1;
  while (waitpid(a->child, &status, 0) < 0 && errno == EINTR) continue;
  a->child = -1;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
    return um_fail(err, UM_EFORMAT, "%s: not read within %d s: a damaged file; fetch or copy the file again, or give $UM_HDF5_SECONDS",
                   s->path, a->seconds);
  return um_fail(err, UM_EFORMAT, "%s: HDF5 breaks down over it (%s): a damaged file; fetch or copy the file again", s->path,
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it ended early");
}

static int ask_model(um_weight_source *s, um_graph *graph, um_preprocess *p, unsigned *said, um_error *err) {
  apart *a = s->handle;
  const request r = {.index = MODEL};
  um_preprocess read;
  um_error answer;
  uint32_t n = 0;
  if (!send_all(a->socket, &r, sizeof r) || !send_all(a->socket, p, sizeof *p) || !receive_all(a->socket, &answer, sizeof answer))
    return died(s, err);
  if (answer.code != UM_OK) {
    if (err) *err = answer;
    return answer.code;
  }
  if (!receive_all(a->socket, &n, sizeof n) || n > MAX_GRAPH) return died(s, err);
  char *text = malloc((size_t)n + 1);
  if (!text) return um_fail(err, UM_ENOMEM, "%s: no memory for its model", s->path);
  int status = UM_OK;
  if (!receive_all(a->socket, text, n) || !receive_all(a->socket, &read, sizeof read) || !receive_all(a->socket, said, sizeof *said))
    status = died(s, err);
  text[n] = 0;
  if (status == UM_OK) status = um_graph_from_json(graph, text, err);
  free(text);
  if (status != UM_OK) return status;
  if (*said & UM_SAYS_CLASSES) memcpy(p->classes, read.classes, sizeof p->classes);
  if (*said & UM_SAYS_PREPROCESS) {
    memcpy(read.classes, p->classes, sizeof read.classes);
    *p = read;
  }
  return UM_OK;
}

static int receive_list(um_weight_source *s, um_error *err) {
  apart *a = s->handle;
  char kind[MAX_TEXT], note[MAX_TEXT], name[MAX_TEXT], from[MAX_TEXT];
  int count;
  bool model;
  if (!receive_text(a->socket, kind) || !receive_text(a->socket, note) || !receive_all(a->socket, &model, sizeof model) ||
      !receive_all(a->socket, &count, sizeof count) || count < 0 || count > MAX_ITEMS)
    return died(s, err);
  snprintf(s->kind, sizeof s->kind, "%.*s", (int)sizeof s->kind - 1, kind);
  snprintf(s->note, sizeof s->note, "%.*s", (int)sizeof s->note - 1, note);
  if (model) s->model = ask_model;
  for (int i = 0; i < count; i++) {
    um_weight_item *item;
    if (!receive_text(a->socket, name) || !receive_text(a->socket, from)) return died(s, err);
    if (!(item = um_weight_source_add(s, name, from))) return um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", s->path);
    if (!receive_all(a->socket, &item->ndim, sizeof item->ndim) || !receive_all(a->socket, item->dim, sizeof item->dim) || item->ndim < 0 ||
        item->ndim > UM_WEIGHT_MAX_DIMS || !receive_all(a->socket, &item->layout, sizeof item->layout) ||
        !receive_all(a->socket, item->chw, sizeof item->chw) || !receive_text(a->socket, kind))
      return died(s, err);
    snprintf(item->dtype, sizeof item->dtype, "%.*s", (int)sizeof item->dtype - 1, kind);
  }
  return UM_OK;
}

static int read_item(um_weight_source *s, int index, float *values, int64_t count, um_error *err) {
  apart *a = s->handle;
  request r = {.index = index, .count = count};
  um_error answer;
  if (count > a->room)
    return um_fail(err, UM_EINTERNAL, "%s: %s: %" PRId64 " values, room for %" PRId64, s->path, s->item[index].from, count, a->room);
  if (!send_all(a->socket, &r, sizeof r) || !receive_all(a->socket, &answer, sizeof answer)) return died(s, err);
  if (answer.code != UM_OK) {
    if (err) *err = answer;
    return answer.code;
  }
  memcpy(values, a->shared, (size_t)count * sizeof *values);
  return UM_OK;
}

static void close_file(um_weight_source *s) {
  apart *a = s->handle;
  if (a->socket >= 0) close(a->socket); /* which ends the child */
  while (a->child > 0 && waitpid(a->child, NULL, 0) < 0 && errno == EINTR) continue;
  if (a->shared) munmap(a->shared, (size_t)a->room * sizeof *a->shared);
  free(a);
}

int um_weight_source_apart(um_weight_source *s, const char *path, const um_graph *graph, um_weight_open *open_file, int64_t room,
                           um_error *err) {
  int pair[2], code;
  um_error answer;
  struct stat st;
  const int64_t size = stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
  apart *a = malloc(sizeof *a);

  if (!a) return um_fail(err, UM_ENOMEM, "%s: no memory to open it", path);
  *a = (apart){.socket = -1, .child = -1, .room = room > 0 ? room : 1, .seconds = seconds_for(size)};
  *s = (um_weight_source){.path = path, .read = read_item, .close = close_file, .handle = a};
  void *shared = mmap(NULL, (size_t)a->room * sizeof *a->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    code = um_fail(err, UM_ENOMEM, "%s: no memory for a tensor of %" PRId64 " values", path, a->room);
    goto fail;
  }
  a->shared = shared;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    code = um_fail(err, UM_EIO, "%s: no process to read it in: %s", path, strerror(errno));
    goto fail;
  }
  a->socket = pair[0];
  if ((a->child = fork()) == 0) {
    close(pair[0]);
    serve(a, pair[1], path, size, graph, open_file);
  }
  close(pair[1]);
  if (a->child < 0) {
    code = um_fail(err, UM_EIO, "%s: no process to read it in: %s", path, strerror(errno));
    goto fail;
  }
  if (!receive_all(a->socket, &answer, sizeof answer)) {
    code = died(s, err);
    goto fail;
  }
  if (answer.code != UM_OK) {
    if (err) *err = answer;
    code = answer.code;
    goto fail;
  }
  if ((code = receive_list(s, err))) goto fail;
  return UM_OK;
fail:
  um_weight_source_close(s);
  return code;
}
