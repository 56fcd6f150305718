/* The score over the time of a video, a line a person, on bands of the verdicts. */
#ifndef UM_PLOT_TIMELINE_H
#define UM_PLOT_TIMELINE_H

#include "plot/plot.h"

typedef struct um_timeline_person {
  const char *name;    /* "person 1"; NULL: not in the legend */
  const double *time;  /* seconds, ascending */
  const double *score; /* 0 to 1; NaN: a gap */
  int count;
} um_timeline_person;

typedef struct um_timeline_moment {
  double from, to; /* seconds */
} um_timeline_moment;

typedef struct um_timeline {
  const char *title; /* may be NULL */
  const um_timeline_person *people;
  int person_count;
  const um_timeline_moment *moments; /* the most suspicious seconds, shaded; the first is named and darker */
  int moment_count;
  double real_below, fake_above; /* between them the verdict is uncertain; equal: there is no such band; NaN: no bands */
  double seconds;                /* of the video; 0: as far as there are scores */
  double gap;   /* a line is broken where scores are further apart than so many seconds; 0: than three times the median distance */
  double width; /* as um_plot's; 0: 760 */
} um_timeline;

/* Fills a plot that um_plot_free frees; strings and numbers are copied. */
int um_plot_timeline(um_plot *out, const um_timeline *t, um_error *err);

#endif
