#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "train/run.h"

static volatile sig_atomic_t asked;

static void on_signal(int number) {
  (void)number;
  if (asked) _exit(130);
  asked = 1;
}

void stop_listen(void) {
  struct sigaction a, before;
  memset(&a, 0, sizeof a);
  a.sa_handler = on_signal;
  a.sa_flags = SA_RESTART;
  sigemptyset(&a.sa_mask);
  sigaction(SIGINT, &a, NULL);
  sigaction(SIGTERM, &a, NULL);
  /* A terminal that closes ends a run like Ctrl-C, unless it was started by nohup. */
  if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGHUP, &a, NULL);
  /* A file size limit shall fail the write, with a message, and not end the program. */
  signal(SIGXFSZ, SIG_IGN);
}

bool stop_wanted(void) { return asked != 0; }
