#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "train/run.h"

#define TERMINAL_SECONDS 0.1 /* between two lines that overwrite each other */
#define PLAIN_SECONDS    30  /* between two lines of a log */

const char *duration_text(double seconds, char *text, size_t size) {
  int64_t s = seconds > 0 ? (int64_t)(seconds + 0.5) : 0;
  if (s >= 3600)
    snprintf(text, size, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
  else
    snprintf(text, size, "%d:%02d", (int)(s / 60), (int)(s % 60));
  return text;
}

const char *count_text(int64_t n, char text[32]) {
  char digits[32];
  int length = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') text[at++] = ',';
    text[at++] = digits[i];
  }
  text[at] = 0;
  return text;
}

void progress_begin(progress *p, const char *what, int steps, int first) {
  *p = (progress){.what = what, .steps = steps, .first = first, .start = um_seconds()};
  p->shown = p->start;
}

void progress_show(progress *p, int step, int pictures, double loss, double accuracy) {
  char head[64], tail[128], left[32], bar[64] = "";
  int columns;
  double now = um_seconds(), seconds = now - p->start;
  bool terminal = um_log_terminal(&columns);

  p->pictures += pictures;
  if (now - p->shown < (terminal ? TERMINAL_SECONDS : PLAIN_SECONDS)) return;
  p->shown = now;
  double a_step = seconds / (step - p->first > 0 ? step - p->first : 1);
  duration_text(a_step * (p->steps - step), left, sizeof left);
  snprintf(head, sizeof head, "%s%d/%d", p->what, step, p->steps);
  int n = 0;
  if (columns >= 96) n = snprintf(tail, sizeof tail, "%.3g s/step, ", a_step);
  snprintf(tail + n, sizeof tail - (size_t)n, "%.1f img/s, loss %.4f - accuracy %.4f, %s left",
           seconds > 0 ? (double)p->pictures / seconds : 0, loss, accuracy, left);
  /* The bar takes what the line has left. */
  int room = columns - 1 - (int)strlen(head) - (int)strlen(tail) - 4;
  if (room > 30) room = 30;
  if (terminal && room >= 5) {
    int full = (int)((int64_t)room * step / (p->steps > 0 ? p->steps : 1));
    bar[0] = '[';
    for (int i = 0; i < room; i++) bar[1 + i] = i < full ? '=' : i == full ? '>' : '.';
    memcpy(bar + 1 + room, "] ", 3);
  }
  um_log_progress(!terminal, "%s %s%s", head, bar, tail);
}
