#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "faces/track.h"

/* What a run of the method works with; columns are counted from 1, 0 is the row that looks for one. */
typedef struct scratch {
  double *row_potential, *column_potential, *least;
  int *owner; /* the row that has the column, from 1; 0: none */
  int *from;  /* the column before it on the shortest path */
  bool *done;
} scratch;

/* rows <= columns; gain(i, j) = g[i * row_step + j * column_step]. */
static void solve(scratch *s, const double *g, int rows, int columns, size_t row_step, size_t column_step) {
  for (int i = 1; i <= rows; i++) {
    int at = 0;
    s->owner[0] = i;
    for (int j = 0; j <= columns; j++) s->least[j] = DBL_MAX, s->done[j] = false;
    do { /* Dijkstra over columns, until one is reached that nobody has */
      const int row = s->owner[at];
      double step = DBL_MAX;
      int next = 0;
      s->done[at] = true;
      for (int j = 1; j <= columns; j++) {
        if (s->done[j]) continue;
        const double cost =
            -g[(size_t)(row - 1) * row_step + (size_t)(j - 1) * column_step] - s->row_potential[row] - s->column_potential[j];
        if (cost < s->least[j]) s->least[j] = cost, s->from[j] = at;
        if (s->least[j] < step) step = s->least[j], next = j;
      }
      for (int j = 0; j <= columns; j++)
        if (s->done[j])
          s->row_potential[s->owner[j]] += step, s->column_potential[j] -= step;
        else
          s->least[j] -= step;
      at = next;
    } while (s->owner[at]);
    for (; at; at = s->from[at]) s->owner[at] = s->owner[s->from[at]];
  }
}

int um_assign(int *column, const double *gain, int rows, int columns, um_error *err) {
  const bool turned = rows > columns;
  const int few = turned ? columns : rows, many = turned ? rows : columns;
  const size_t n = (size_t)many + 1;
  int status = UM_OK;
  for (int i = 0; i < rows; i++) column[i] = -1;
  if (few < 1) return UM_OK;
  scratch s = {.row_potential = calloc((size_t)few + 1, sizeof(double)),
               .column_potential = calloc(n, sizeof(double)),
               .least = malloc(n * sizeof(double)),
               .owner = calloc(n, sizeof(int)),
               .from = calloc(n, sizeof(int)),
               .done = malloc(n * sizeof(bool))};
  if (!s.row_potential || !s.column_potential || !s.least || !s.owner || !s.from || !s.done) {
    status = um_fail(err, UM_ENOMEM, "no memory to link %d faces with %d", rows, columns);
    goto done;
  }
  solve(&s, gain, few, many, turned ? 1 : (size_t)columns, turned ? (size_t)columns : 1);
  for (int j = 1; j <= many; j++) {
    if (!s.owner[j]) continue;
    const int r = turned ? j - 1 : s.owner[j] - 1, c = turned ? s.owner[j] - 1 : j - 1;
    if (gain[(size_t)r * (size_t)columns + (size_t)c] > 0) column[r] = c;
  }
done:
  free(s.row_potential), free(s.column_potential), free(s.least), free(s.owner), free(s.from), free(s.done);
  return status;
}
