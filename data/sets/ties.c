/* Groups that belong together: a union-find over their names. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "data/sets/scan.h"

int set_tie_groups(set_scan *s, const char *child, const char *parent, um_error *err) {
  if ((s->ties & (s->ties - 1)) == 0) {
    set_tie *grown = s->ties < INT_MAX / 4 ? realloc(s->tie, (s->ties ? 2 * (size_t)s->ties : 1) * sizeof *grown) : NULL;
    if (!grown) return um_fail(err, UM_ENOMEM, "no memory for the groups of %d files", s->ties);
    s->tie = grown;
  }
  set_tie *t = &s->tie[s->ties++];
  *t = (set_tie){strdup(child), strdup(parent)};
  return t->child && t->parent ? UM_OK : um_fail(err, UM_ENOMEM, "no memory for the groups of %d files", s->ties);
}

typedef struct node {
  const char *name;
  int up;     /* the way to the root; itself at the root */
  int called; /* of a root: the node whose name all take */
  bool child;
} node;

static int by_name(const void *a, const void *b) { return strcmp(((const node *)a)->name, ((const node *)b)->name); }

static int find(const node *n, int count, const char *name) {
  const node key = {.name = name}, *hit = bsearch(&key, n, (size_t)count, sizeof key, by_name);
  return hit ? (int)(hit - n) : -1;
}

static int root_of(node *n, int i) {
  while (n[i].up != i) i = n[i].up = n[n[i].up].up;
  return i;
}

/* Whether a is the better name for all: not a child, then the first. Nodes are sorted by name. */
static bool better(const node *n, int a, int b) { return n[a].child != n[b].child ? n[b].child : a < b; }

int set_ties_apply(set_scan *s, um_error *err) {
  node *n = s->ties ? calloc(2 * (size_t)s->ties, sizeof *n) : NULL;
  int count = 0, r = UM_OK;
  if (!s->ties) return UM_OK;
  if (!n) return um_fail(err, UM_ENOMEM, "no memory for the groups of %d files", s->ties);
  for (int i = 0; i < s->ties; i++) {
    n[count++].name = s->tie[i].child;
    n[count++].name = s->tie[i].parent;
  }
  qsort(n, (size_t)count, sizeof *n, by_name);
  int kept = 1;
  for (int i = 1; i < count; i++)
    if (strcmp(n[i].name, n[kept - 1].name) != 0) n[kept++] = n[i];
  count = kept;
  for (int i = 0; i < count; i++) n[i].up = n[i].called = i;
  for (int i = 0; i < s->ties; i++)
    if (strcmp(s->tie[i].child, s->tie[i].parent) != 0) n[find(n, count, s->tie[i].child)].child = true;
  for (int i = 0; i < s->ties; i++) {
    int a = root_of(n, find(n, count, s->tie[i].child)), b = root_of(n, find(n, count, s->tie[i].parent));
    if (a == b) continue;
    if (better(n, n[a].called, n[b].called)) n[b].called = n[a].called;
    n[a].up = b;
  }
  for (int i = 0; r == UM_OK && i < s->out->count; i++) {
    const int at = find(n, count, s->out->item[i].group);
    if (at >= 0 && um_source_set(&s->out->item[i].group, n[n[root_of(n, at)].called].name) < 0)
      r = um_fail(err, UM_ENOMEM, "no memory for the groups of %d files", s->out->count);
  }
  free(n);
  return r;
}
