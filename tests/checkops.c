/* checkops: every op of every backend against ref on random shapes with poisoned outputs and guarded memory, and ref's own
 * gradients against finite differences. The idea is dav1d's checkasm.
 *
 *   checkops [--seed N] [--backend NAME] [OP]      checks (all of them, or one op)
 *   checkops --bench [--backend NAME] [OP]         times the ops on VGG16's shapes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

/* ref is among them for its own sake: against itself the numbers are right, but poison, guards and const inputs still count. A program
 * that was linked with CUDA (the real one, or the emulated device of tests/cuda_host) is there for that alone. */
static const char *const on_host[] = {"ref", "cpu"}, *const on_device[] = {"cuda"};

int main(int argc, char **argv) {
  const char *only = NULL, *backend = NULL;
  bool bench = false;
  uint64_t seed = 42;
  int passed = 0, failed = 0;
  const char *const *backends = um_cuda_open ? on_device : on_host;
  const size_t n_backends = um_cuda_open ? 1 : 2;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--bench") == 0) {
      bench = true;
    } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = strtoull(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--backend") == 0 && i + 1 < argc) {
      backend = argv[++i];
    } else if (argv[i][0] == '-') {
      fprintf(stderr, "usage: checkops [--bench] [--seed N] [--backend NAME] [OP]\n");
      return 2;
    } else {
      only = argv[i];
    }
  }
  if (!bench && !only && !backend && !um_cuda_open) {
    failed += check_gradients(seed, &passed);
  }
  for (size_t i = 0; i < n_backends; i++) {
    um_backend *be;
    um_error err = {0};
    if (backend ? strcmp(backend, backends[i]) != 0 : bench && strcmp(backends[i], "ref") == 0) continue; /* not for its speed */
    if (um_backend_open(&be, backends[i], 0, &err) != UM_OK) {
      printf("%s: %s\n", backends[i], err.text);
      failed++;
      continue;
    }
    if (bench)
      failed += check_bench(be, only);
    else
      failed += check_against_ref(be, seed, only, &passed);
    be->ops->close(be);
  }
  if (bench) return failed != 0;
  printf("[  PASSED  ] %d test(s).\n", passed);
  if (failed) printf("[  FAILED  ] %d test(s)\n", failed);
  return failed != 0;
}
