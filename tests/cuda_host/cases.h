/* The frame of the emulated device's own tests: each case runs in a process of its own (a kernel that failed stays failed), once for
 * each of the seeds, and must come to the same value every time. */
#ifndef UM_TESTS_CUDA_HOST_CASES_H
#define UM_TESTS_CUDA_HOST_CASES_H

#include "cuda/device.cuh"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS = 9, CRASHES = -1 };

typedef struct emu_case {
  const char *name;
  int (*run)();
  int want; /* its value */
} emu_case;

static unsigned char *device_bytes(size_t n) {
  void *p;
  if (cudaMalloc(&p, n) != cudaSuccess) exit(99);
  return (unsigned char *)p;
}

template <class T> static T *host_array(size_t n) {
  void *p;
  if (cudaMallocHost(&p, n * sizeof(T)) != cudaSuccess) exit(99);
  return (T *)p;
}

static void must(cudaError_t e) {
  if (e == cudaSuccess) return;
  fprintf(stderr, "%s\n", cudaGetErrorName(e));
  exit(98);
}

/* What the case's value is under a seed; CRASHES where a signal ended it. What it said goes to the log. */
static int run_case(const emu_case *c, int seed, FILE *log) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    char text[16];
    snprintf(text, sizeof text, "%d", seed);
    setenv("UM_CUDA_HOST_SEED", text, 1);
    dup2(fileno(log), 2);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would end the process in another way */
    _exit(c->run());
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) return 95;
  return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHES;
}

/* The exit status of a test program. */
static int run_cases(const emu_case *cases, size_t n) {
  int passed = 0, failed = 0;
  for (size_t i = 0; i < n; i++) {
    FILE *log = tmpfile();
    if (!log) return 1;
    bool right = true;
    for (int seed = 1; seed <= SEEDS; seed++) {
      const int got = run_case(&cases[i], seed, log);
      if (got == cases[i].want) continue;
      right = false;
      printf("%s: seed %d: %d, not %d\n", cases[i].name, seed, got, cases[i].want);
    }
    if (!right) {
      char line[400];
      rewind(log);
      for (int l = 0; l < 20 && fgets(line, sizeof line, log); l++) printf("    %s", line);
    }
    fclose(log);
    printf("[ %s ] %s\n", right ? "      OK" : " FAILED ", cases[i].name);
    if (right)
      passed++;
    else
      failed++;
  }
  printf("[  PASSED  ] %d test(s).\n", passed);
  if (failed) printf("[  FAILED  ] %d test(s)\n", failed);
  return failed != 0;
}

#endif
