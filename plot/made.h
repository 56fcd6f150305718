/* For makers of plots: memory that belongs to a plot. */
#ifndef UM_PLOT_MADE_H
#define UM_PLOT_MADE_H

#include <stddef.h>

#include "plot/plot.h"

/* Zeroed, until um_plot_free; NULL where there is none. */
void *um_plot_keep(um_plot *p, size_t count, size_t size);
/* A formatted string that the plot owns; NULL where there is no memory. */
const char *um_plot_keep_text(um_plot *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How the n-th of several sets of scores or people is drawn: colours that stand neither for fake nor for real, each with its dash. */
void um_plot_made_look(um_plot_series *s, int n);
/* The end of a maker: where status is not UM_OK the plot is freed; for UM_ENOMEM the message is set. */
int um_plot_made(um_plot *p, int status, um_error *err);

#endif
