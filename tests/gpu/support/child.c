#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double gpu_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { ARGUMENTS = 40 };

/* Only what may be called between fork and exec. */
static void become(char *const argv[], const gpu_child_options *how, int in, int out) {
  if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) _exit(126);
  if (how->errors) {
    const int log = open(how->errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0) _exit(126);
  }
  execv("/proc/self/exe", argv);
  _exit(127);
}

/* The words of how it was started, in `text`; argv gets the pointers. */
static bool arguments(char *argv[ARGUMENTS], char text[][24], const gpu_options *o, const gpu_child_options *how) {
  const struct {
    const char *name, *value;
  } option[] = {{"--device", o->device}, {"--cache", o->cache}, {"--batch", text[0]}, {"--steps", text[1]}, {"--seed", text[2]}};
  int n = 0;
  snprintf(text[0], 24, "%d", o->batch);
  snprintf(text[1], 24, "%d", o->steps);
  snprintf(text[2], 24, "%llu", (unsigned long long)o->seed);
  argv[n++] = (char *)(uintptr_t)o->program;
  for (size_t i = 0; i < sizeof option / sizeof *option; i++)
    if (strcmp(option[i].value, "0") != 0) argv[n++] = (char *)(uintptr_t)option[i].name, argv[n++] = (char *)(uintptr_t)option[i].value;
  if (o->small) argv[n++] = (char *)(uintptr_t) "--small";
  for (int i = 0; how->words[i]; i++) {
    if (n >= ARGUMENTS - 1) return false;
    argv[n++] = (char *)(uintptr_t)how->words[i];
  }
  argv[n] = NULL;
  return true;
}

bool gpu_child_start(gpu_child *c, const gpu_options *o, const gpu_child_options *how) {
  char *argv[ARGUMENTS], text[3][24];
  int to[2] = {-1, -1}, from[2] = {-1, -1};
  *c = (gpu_child){0};
  if (!arguments(argv, text, o, how)) return check_fail("too many words for a process");
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) return check_fail("a pipe: %s", strerror(errno));
  char *before = getenv("LD_LIBRARY_PATH"), *kept = before ? strdup(before) : NULL, *path = NULL;
  if (how->library_path && asprintf(&path, "%s%s%s", how->library_path, kept ? ":" : "", kept ? kept : "") > 0)
    setenv("LD_LIBRARY_PATH", path, 1);
  fflush(NULL);
  c->pid = fork();
  if (c->pid == 0) become(argv, how, to[0], from[1]);
  const int why = errno;
  if (path && kept) setenv("LD_LIBRARY_PATH", kept, 1);
  if (path && !kept) unsetenv("LD_LIBRARY_PATH");
  free(path), free(kept);
  close(to[0]), close(from[1]);
  c->to = to[1], c->from = from[0];
  if (c->pid > 0) return true;
  close(c->to), close(c->from);
  *c = (gpu_child){0};
  return check_fail("a process of its own: %s", strerror(why));
}

/* Takes the first line off the text; false where it holds none. */
static bool take_line(gpu_child *c, char *line, size_t size) {
  char *end = memchr(c->text, '\n', c->length);
  if (!end) return false;
  snprintf(line, size, "%.*s", (int)(end - c->text), c->text);
  c->length -= (size_t)(end + 1 - c->text);
  memmove(c->text, end + 1, c->length);
  return true;
}

bool gpu_child_line(gpu_child *c, const char *word, char *rest, size_t size, double seconds) {
  const double until = gpu_now() + seconds;
  const size_t n = strlen(word);
  char line[sizeof c->text];
  if (c->pid <= 0) return check_fail("\"%s\" was waited for, and there is no process", word);
  for (;;) {
    while (take_line(c, line, sizeof line)) {
      if (strncmp(line, word, n) == 0 && (line[n] == ' ' || line[n] == 0)) {
        if (rest) snprintf(rest, size, "%s", line[n] ? line + n + 1 : "");
        return true;
      }
      printf("    (other process) %s\n", line);
    }
    const double left = until - gpu_now();
    struct pollfd p = {.fd = c->from, .events = POLLIN};
    if (left <= 0 || c->length == sizeof c->text) return check_fail("no line \"%s\" within %.0f s", word, seconds);
    if (poll(&p, 1, (int)(left * 1e3) + 1) <= 0) continue;
    const ssize_t got = read(c->from, c->text + c->length, sizeof c->text - c->length);
    if (got == 0) return check_fail("the other process ended before it said \"%s\"", word);
    if (got > 0) c->length += (size_t)got;
  }
}

bool gpu_child_say(gpu_child *c, const char *line) {
  char text[256];
  const int n = snprintf(text, sizeof text, "%s\n", line);
  return c->pid > 0 && write(c->to, text, (size_t)n) == n;
}

int gpu_child_end(gpu_child *c, double seconds, double *seconds_taken) {
  const double begin = gpu_now();
  int status = 0, result = -1;
  if (c->pid <= 0) return -1;
  close(c->to);
  for (;;) {
    const pid_t done = waitpid(c->pid, &status, WNOHANG);
    if (done == c->pid) {
      result = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
      break;
    }
    if (done < 0 || gpu_now() - begin > seconds) {
      check_fail("the other process is still there after %.0f s", seconds);
      kill(c->pid, SIGKILL);
      waitpid(c->pid, &status, 0);
      break;
    }
    usleep(5000);
  }
  if (seconds_taken) *seconds_taken = gpu_now() - begin;
  close(c->from);
  *c = (gpu_child){0};
  return result;
}
