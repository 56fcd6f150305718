#include "plot/made.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks are chained: each begins with the address of the one before. */
typedef union head {
  void *before;
  max_align_t aligned;
} head;

void *um_plot_keep(um_plot *p, size_t count, size_t size) {
  if (size > 0 && count > (SIZE_MAX - sizeof(head)) / size) return NULL;
  head *h = calloc(1, sizeof *h + count * size);
  if (!h) return NULL;
  h->before = p->memory;
  p->memory = h;
  return h + 1;
}

void um_plot_free(um_plot *p) {
  for (head *h = p->memory, *before; h; h = before) {
    before = h->before;
    free(h);
  }
  *p = (um_plot){0};
}

const char *um_plot_keep_text(um_plot *p, const char *format, ...) {
  va_list args;
  char *text = NULL;
  va_start(args, format);
  const int n = vasprintf(&text, format, args);
  va_end(args);
  if (n < 0) return NULL;
  char *kept = um_plot_keep(p, (size_t)n + 1, 1);
  if (kept) memcpy(kept, text, (size_t)n);
  free(text);
  return kept;
}

void um_plot_made_look(um_plot_series *s, int n) {
  static const uint32_t colour[] = {0x222222, 0x009e73, 0xcc79a7, 0xb07d00, 0x56b4e9};
  s->colour = colour[n % 5];
  s->dash = (um_plot_dash)(UM_DASH_SOLID + n % 4);
}

int um_plot_made(um_plot *p, int status, um_error *err) {
  if (!status) return UM_OK;
  um_plot_free(p);
  return status == UM_ENOMEM ? um_fail(err, UM_ENOMEM, "no memory for a plot") : status;
}
