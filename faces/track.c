/* Faces are linked in two steps, each the best pairing of the tracks that may go on with the faces of the frame: first those where the
 * face overlaps with the place where the track is going, then, of what is left, those that are near for the time that went by. A track
 * goes on over a second without its face, and to the next frame that was looked at however late that is (by overlap alone where it is
 * more than a second), but never over a cut: who is back after one is a new track, as boxes alone do not tell who is shown. */
#include "faces/track.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A second, and a little for the times of frames, which are rounded. */
#define GAP_S 1.02
/* Overlap (of the two boxes' union) from which a face goes on with a track. */
#define OVERLAP 0.2
/* How far a centre may be from where it is expected, in sides of the box: at once, and more a second. */
#define NEAR        0.6
#define NEAR_A_S    1.2
#define NEAR_GROWTH 1.6 /* by what factor the side may change */
/* The time over which the speed of a face is averaged. */
#define SPEED_S 0.3

/* A track that may go on. */
typedef struct active {
  int track;
  um_detection at;
  double time_s, speed_x, speed_y; /* pixels a second */
} active;

struct um_tracker {
  active *active;
  int count, capacity;
  bool begun;
  double time_s; /* of the frame before */
  int *before;   /* the tracks of its faces */
  int faces_before, before_capacity;
};

int um_tracker_open(um_tracker **out, um_error *err) {
  *out = calloc(1, sizeof **out);
  return *out ? UM_OK : um_fail(err, UM_ENOMEM, "tracks: no memory");
}

void um_tracker_close(um_tracker *t) {
  if (!t) return;
  free(t->active);
  free(t->before);
  free(t);
}

void um_tracks_free(um_tracks *t) {
  free(t->item);
  *t = (um_tracks){0};
}

bool um_track_kept(const um_tracks *t, int track) { return track < 0 || track >= t->count || t->item[track].fate == UM_KEPT; }

const char *um_fate_text(um_fate fate) {
  static const char *const texts[UM_FATES] = {"kept", "seen in one frame only", "seen briefly and doubtful", "not the main person"};
  return texts[fate];
}

static double side(const um_detection *d) { return sqrt(d->width * d->height); }

/* Where a track is at a later time. */
static um_detection expect(const active *a, double time_s) {
  um_detection d = a->at;
  d.x += a->speed_x * (time_s - a->time_s);
  d.y += a->speed_y * (time_s - a->time_s);
  return d;
}

static double overlap(const um_detection *a, const um_detection *b) {
  const double width = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
  const double height = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
  if (!(width > 0 && height > 0)) return 0;
  return width * height / (a->width * a->height + b->width * b->height - width * height);
}

/* Between the centres, in sides. */
static double distance(const um_detection *a, const um_detection *b) {
  const double x = a->x + a->width / 2 - b->x - b->width / 2, y = a->y + a->height / 2 - b->y - b->height / 2;
  return sqrt(x * x + y * y) / sqrt(side(a) * side(b));
}

static double gain_of_overlap(const active *a, const um_detection *d, double time_s) {
  const um_detection e = expect(a, time_s);
  const double share = overlap(&e, d);
  return share >= OVERLAP ? share : 0;
}

/* Speed is a guess, so that where it was seen last counts as well. */
static double gain_of_nearness(const active *a, const um_detection *d, double time_s) {
  const double gone = time_s - a->time_s, growth = side(d) / side(&a->at), reach = NEAR + NEAR_A_S * gone;
  if (gone > GAP_S || !(growth < NEAR_GROWTH && growth > 1 / NEAR_GROWTH)) return 0;
  const um_detection e = expect(a, time_s);
  const double away = fmin(distance(&e, d), distance(&a->at, d));
  return away < reach ? 1 - away / reach : 0;
}

/* Pairs what is not paired yet. track[i]: an index into t->active, -1: none yet. */
static int link(um_tracker *t, int *track, bool *taken, const um_tracker_frame *f, double *gain, int *column,
                double (*gain_of)(const active *, const um_detection *, double), um_error *err) {
  const size_t n = (size_t)f->count;
  for (int a = 0; a < t->count; a++)
    for (int i = 0; i < f->count; i++)
      gain[(size_t)a * n + (size_t)i] = taken[a] || track[i] >= 0 ? 0 : gain_of(&t->active[a], &f->face[i], f->time_s);
  int r = um_assign(column, gain, t->count, f->count, err);
  for (int a = 0; r == UM_OK && a < t->count; a++)
    if (column[a] >= 0) track[column[a]] = a, taken[a] = true;
  return r;
}

static void count_face(um_track *k, const um_tracker_frame *f, const um_detection *d) {
  k->faces++;
  k->pictures += !f->repeated;
  k->last = f->number, k->last_s = f->time_s;
  k->size += (side(d) - k->size) / (double)k->faces;
  k->score += (d->score - k->score) / (double)k->faces;
}

static void go_on(active *a, um_track *k, const um_tracker_frame *f, const um_detection *d) {
  const double gone = f->time_s - a->time_s;
  if (gone > 0) {
    const double share = 1 - exp(-gone / SPEED_S);
    a->speed_x += ((d->x + d->width / 2 - a->at.x - a->at.width / 2) / gone - a->speed_x) * share;
    a->speed_y += ((d->y + d->height / 2 - a->at.y - a->at.height / 2) / gone - a->speed_y) * share;
  }
  a->at = *d, a->time_s = f->time_s;
  count_face(k, f, d);
  k->fate = UM_KEPT;
}

/* Room for the frame's faces, as if all were new tracks. */
static int make_room(um_tracker *t, um_tracks *all, int more, um_error *err) {
  if (more > INT_MAX / 4 - all->count || more > INT_MAX / 4 - t->count) goto none;
  if (t->count + more > t->capacity) {
    const int room = 2 * (t->count + more);
    active *grown = realloc(t->active, (size_t)room * sizeof *grown);
    if (!grown) goto none;
    t->active = grown, t->capacity = room;
  }
  if (all->count + more > all->capacity) {
    const int room = 2 * (all->count + more);
    um_track *grown = realloc(all->item, (size_t)room * sizeof *grown);
    if (!grown) goto none;
    all->item = grown, all->capacity = room;
  }
  if (more > t->before_capacity) {
    int *grown = realloc(t->before, (size_t)more * sizeof *grown);
    if (!grown) goto none;
    t->before = grown, t->before_capacity = more;
  }
  return UM_OK;
none:
  return um_fail(err, UM_ENOMEM, "no memory for %d tracks", all->count);
}

/* The same picture once more: who was there is there. */
static void repeat(um_tracker *t, um_tracks *all, int *track, const um_tracker_frame *f) {
  for (int i = 0; i < f->count && i < t->faces_before; i++) {
    track[i] = t->before[i];
    count_face(&all->item[track[i]], f, &f->face[i]);
    for (int a = 0; a < t->count; a++)
      if (t->active[a].track == track[i]) t->active[a].time_s = f->time_s;
  }
}

/* Forgets tracks that cannot go on, and notes that a face of the frame before is not alone: this frame was looked at, too. */
static void forget(um_tracker *t, um_tracks *all, const um_tracker_frame *f, bool near) {
  int kept = 0;
  for (int a = 0; a < t->count; a++) {
    active *at = &t->active[a];
    um_track *k = &all->item[at->track];
    const bool seen_before = at->time_s == t->time_s;
    if (near && k->pictures == 1) k->fate = UM_ONE_FRAME;
    if (near && !seen_before) k->partial = true;
    if (!f->cut && (seen_before || f->time_s - at->time_s <= GAP_S)) t->active[kept++] = *at;
  }
  t->count = kept;
}

int um_tracker_add(um_tracker *t, um_tracks *all, int *track, const um_tracker_frame *f, um_error *err) {
  const bool near = t->begun && !f->cut && f->time_s - t->time_s <= GAP_S;
  int r = make_room(t, all, f->count, err), *column = NULL;
  double *gain = NULL;
  bool *taken = NULL;
  if (r < 0) return r;
  if (f->repeated && t->begun && f->count == t->faces_before) {
    repeat(t, all, track, f);
    t->time_s = f->time_s;
    return UM_OK;
  }
  forget(t, all, f, near);
  for (int i = 0; i < f->count; i++) track[i] = -1;
  if (t->count > 0 && f->count > 0) {
    gain = malloc((size_t)t->count * (size_t)f->count * sizeof *gain);
    column = malloc((size_t)t->count * sizeof *column);
    taken = calloc((size_t)t->count, sizeof *taken);
    r = gain && column && taken ? UM_OK : um_fail(err, UM_ENOMEM, "no memory to link %d faces with %d", t->count, f->count);
    if (r == UM_OK) r = link(t, track, taken, f, gain, column, gain_of_overlap, err);
    if (r == UM_OK) r = link(t, track, taken, f, gain, column, gain_of_nearness, err);
  }
  for (int i = 0; r == UM_OK && i < f->count; i++) {
    const um_detection *d = &f->face[i];
    if (track[i] >= 0) {
      active *a = &t->active[track[i]];
      track[i] = a->track;
      go_on(a, &all->item[a->track], f, d);
    } else {
      track[i] = all->count++;
      all->item[track[i]] = (um_track){.first = f->number, .first_s = f->time_s, .partial = near, .fate = near ? UM_ONE_FRAME : UM_KEPT};
      count_face(&all->item[track[i]], f, d);
      t->active[t->count++] = (active){.track = track[i], .at = *d, .time_s = f->time_s};
    }
    t->before[i] = track[i];
  }
  t->faces_before = f->count;
  all->cuts += t->begun && f->cut;
  t->begun = true;
  t->time_s = f->time_s;
  free(gain), free(column), free(taken);
  return r;
}

/* Longer in view; of equals the larger face. */
static bool before(const um_track *a, const um_track *b) { return a->faces != b->faces ? a->faces > b->faces : a->size > b->size; }

void um_tracker_finish(um_tracker *t, um_tracks *all, um_face_choice choice, bool background, double sure) {
  all->main = -1;
  for (int i = 0; i < all->count; i++) {
    um_track *k = &all->item[i];
    if (background && k->fate == UM_KEPT && k->partial && k->score < sure && k->last_s - k->first_s <= GAP_S) k->fate = UM_DOUBTFUL;
    if (!background) k->fate = UM_KEPT;
    if (k->fate == UM_KEPT && (all->main < 0 || before(k, &all->item[all->main]))) all->main = i;
  }
  for (int i = 0; choice == UM_FACES_MAIN && i < all->count; i++)
    if (all->item[i].fate == UM_KEPT && i != all->main) all->item[i].fate = UM_NOT_MAIN;
  t->count = t->faces_before = 0;
  t->begun = false;
}
