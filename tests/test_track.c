/* Who is who: the pairing against all pairings, made-up trajectories whose people are known, gaps and cuts by the clock, what is
 * background and who is the main person. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faces/track.h"

static uint32_t seed = 1;
static uint32_t chance(uint32_t below) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % below;
}

/* The greatest sum of gains over all pairings. */
static double best_of_all(const double *gain, int rows, int columns, int row, unsigned taken) {
  if (row == rows) return 0;
  double best = best_of_all(gain, rows, columns, row + 1, taken); /* this row has none */
  for (int c = 0; c < columns; c++) {
    if (taken >> c & 1) continue;
    best = fmax(best, gain[row * columns + c] + best_of_all(gain, rows, columns, row + 1, taken | 1u << c));
  }
  return best;
}

static void best_pairing(void **state) {
  um_error err = {0};
  int column[6];
  (void)state;
  for (int n = 0; n < 3000; n++) {
    double gain[36], sum = 0;
    const int rows = 1 + (int)chance(6), columns = 1 + (int)chance(6);
    unsigned taken = 0;
    for (int i = 0; i < rows * columns; i++) gain[i] = chance(3) ? 0 : n % 2 ? chance(1000) / 1000. : chance(4);
    assert_int_equal(um_assign(column, gain, rows, columns, &err), UM_OK);
    for (int r = 0; r < rows; r++) {
      if (column[r] < 0) continue;
      assert_in_range(column[r], 0, columns - 1);
      assert_false(taken >> column[r] & 1);
      assert_true(gain[r * columns + column[r]] > 0);
      taken |= 1u << column[r];
      sum += gain[r * columns + column[r]];
    }
    const double best = best_of_all(gain, rows, columns, 0, 0);
    if (fabs(sum - best) > 1e-9) fail_msg("%d x %d: %g, the best is %g", rows, columns, sum, best);
  }
  /* Taking the greatest first (0.9) would leave the second row with nothing. */
  const double gain[4] = {0.9, 0.8, 0.7, 0};
  assert_int_equal(um_assign(column, gain, 2, 2, &err), UM_OK);
  assert_int_equal(column[0], 1);
  assert_int_equal(column[1], 0);
  assert_int_equal(um_assign(column, gain, 0, 2, &err), UM_OK);
  assert_int_equal(um_assign(column, gain, 2, 0, &err), UM_OK);
  assert_int_equal(column[1], -1);
}

/* A square of side `side` about a centre. */
static um_detection face_at(double x, double y, double side) {
  return (um_detection){.x = x - side / 2, .y = y - side / 2, .width = side, .height = side, .score = 1};
}

typedef struct walk {
  um_tracker *t;
  um_tracks tracks;
  int64_t frame;
  double fps, start_s;
  int track[16];
} walk;

static void begin(walk *w, double fps) {
  um_error err = {0};
  *w = (walk){.fps = fps};
  if (um_tracker_open(&w->t, &err) < 0) fail_msg("%s", err.text);
}

static void add_as(walk *w, const um_detection *face, int count, bool cut, bool repeated) {
  um_error err = {0};
  const um_tracker_frame f = {
      .number = w->frame, .time_s = w->start_s + (double)w->frame / w->fps, .cut = cut, .repeated = repeated, .face = face, .count = count};
  w->frame++;
  for (int i = 0; i < 16; i++) w->track[i] = -7;
  if (um_tracker_add(w->t, &w->tracks, w->track, &f, &err) < 0) fail_msg("%s", err.text);
  for (int i = 0; i < count; i++) assert_in_range(w->track[i], 0, w->tracks.count - 1);
}
static void add(walk *w, const um_detection *face, int count) { add_as(w, face, count, false, false); }

static void end(walk *w, um_face_choice choice) { um_tracker_finish(w->t, &w->tracks, choice, true, 0); }
static void done(walk *w) {
  um_tracker_close(w->t);
  um_tracks_free(&w->tracks);
}

typedef um_detection (*path_of)(int who, double time_s);

/* Adds the people's faces in an order that changes; each person must stay one track. hidden: whose face is not seen, or NULL. */
static void follow(const char *name, path_of path, int people, double fps, double seconds, bool (*hidden)(int who, double time_s)) {
  walk w;
  int track_of[8];
  begin(&w, fps);
  for (int i = 0; i < 8; i++) track_of[i] = -1;
  for (int k = 0; k < (int)(seconds * fps); k++) {
    const double time_s = k / fps;
    um_detection face[8];
    int who[8], n = 0;
    for (int p = 0; p < people; p++)
      if (!hidden || !hidden(p, time_s)) who[n] = p, face[n++] = path(p, time_s);
    for (int i = n - 1; i > 0; i--) {
      const int j = (int)chance((uint32_t)i + 1), keep = who[i];
      const um_detection other = face[i];
      face[i] = face[j], who[i] = who[j], face[j] = other, who[j] = keep;
    }
    add(&w, face, n);
    for (int i = 0; i < n; i++) {
      if (track_of[who[i]] < 0) track_of[who[i]] = w.track[i];
      if (track_of[who[i]] != w.track[i])
        fail_msg("%s at %g a second: at %g s person %d is track %d, was %d", name, fps, time_s, who[i], w.track[i], track_of[who[i]]);
    }
  }
  end(&w, UM_FACES_ALL);
  if (w.tracks.count != people) fail_msg("%s at %g a second: %d tracks of %d people", name, fps, w.tracks.count, people);
  for (int i = 0; i < w.tracks.count; i++) assert_int_equal(w.tracks.item[i].fate, UM_KEPT);
  done(&w);
}

/* Two of the same size pass one another, one somewhat higher; each moves by half its width in half a second. */
static um_detection passing(int who, double time_s) { return face_at(who ? 560 - 80 * time_s : 80 + 80 * time_s, who ? 228 : 200, 80); }
static um_detection passing_upright(int who, double time_s) {
  const um_detection d = passing(who, time_s);
  return (um_detection){.x = d.y, .y = d.x, .width = d.width, .height = d.height, .score = 1};
}
/* As they pass, the face behind is not found. */
static bool behind(int who, double time_s) { return who && fabs(passing(0, time_s).x - passing(1, time_s).x) < 50; }
/* One walks past two who stand; all differ in size. */
static um_detection past_two(int who, double time_s) {
  return who == 0 ? face_at(50 + 100 * time_s, 210, 100) : face_at(who == 1 ? 250 : 420, 195, who == 1 ? 80 : 70);
}
/* Four heads, each going round in a circle of its own; circles touch. */
static um_detection circles(int who, double time_s) {
  const double a = (who % 2 ? -1 : 1) * 1.2 * time_s + who;
  return face_at(150 + 130 * (who % 2) + 40 * cos(a), 150 + 130 * (who / 2.) + 40 * sin(a), 70 + 5 * who);
}
/* One comes nearer: the face grows fourfold in 4 s. Another nods quickly. */
static um_detection growing(int who, double time_s) {
  return who ? face_at(500, 200 + 20 * sin(9 * time_s), 60) : face_at(200 + 10 * time_s, 200, 40 * pow(2, time_s / 2));
}
/* A head that turns away twice for 0.8 s. */
static bool turned(int who, double time_s) { return who == 0 && ((time_s > 1 && time_s < 1.8) || (time_s > 3 && time_s < 3.8)); }
/* Fast: 1.1 widths in half a second, from a stand. */
static um_detection fast(int who, double time_s) { return face_at((who ? 100 : 40) + fmax(0, time_s - 1) * 130, who ? 400 : 100, 60); }

static void each_person_one_track(void **state) {
  static const double rates[] = {2, 5, 12.5, 30};
  (void)state;
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
    follow("passing", passing, 2, rates[i], 6, NULL);
    follow("passing upright", passing_upright, 2, rates[i], 6, NULL);
    follow("passing, one hidden", passing, 2, rates[i], 6, behind);
    follow("past two", past_two, 3, rates[i], 5, NULL);
    follow("circles", circles, 4, rates[i], 8, NULL);
    follow("growing", growing, 2, rates[i], 4, NULL);
    follow("turned", circles, 3, rates[i], 6, turned);
    follow("fast", fast, 2, rates[i], 4, NULL);
  }
}

/* One face at these places along a line, half a second apart, in sides of the box; the tracks that come of it. */
static int tracks_of(const double *at, int count) {
  int tracks[2];
  for (int upright = 0; upright < 2; upright++) {
    walk w;
    begin(&w, 2);
    for (int i = 0; i < count; i++) {
      const double along = 200 + 60 * at[i];
      const um_detection face = upright ? face_at(100, along, 60) : face_at(along, 100, 60);
      add(&w, &face, 1);
    }
    tracks[upright] = w.tracks.count;
    done(&w);
  }
  assert_int_equal(tracks[0], tracks[1]);
  return tracks[0];
}

static void near_enough(void **state) {
  static const double near[] = {0, 1.1}, far[] = {0, 1.3}, faster[] = {0, 1.1, 2.8}, back[] = {0, 1.1, 0.6}, leap[] = {0, 0, 1.5};
  walk w;
  (void)state;
  assert_int_equal(tracks_of(near, 2), 1);
  assert_int_equal(tracks_of(far, 2), 2);
  assert_int_equal(tracks_of(faster, 3), 1); /* on its way */
  assert_int_equal(tracks_of(back, 3), 1);
  assert_int_equal(tracks_of(leap, 3), 2);
  begin(&w, 2); /* of two that are near the nearer */
  um_detection face[2] = {face_at(200, 100, 60)};
  add(&w, face, 1);
  face[0] = face_at(130, 100, 60), face[1] = face_at(200, 164, 60);
  add(&w, face, 2);
  assert_int_equal(w.track[1], 0);
  done(&w);
  begin(&w, 2); /* not so a much larger one */
  face[0] = face_at(200, 100, 60);
  add(&w, face, 1);
  face[0] = face_at(282, 100, 100);
  add(&w, face, 1);
  assert_int_equal(w.track[0], 1);
  done(&w);
}

/* Boxes tremble; that is no speed. */
static void trembling(void **state) {
  walk w;
  (void)state;
  begin(&w, 30);
  for (int k = 0; k < 60; k++) {
    const int off = k % 2 ? 3 : -3;
    const um_detection face[2] = {face_at(100 + off, 100, 60), face_at(260 - off, 100, 60)};
    add(&w, face, k < 30 || k > 56 ? 2 : 0); /* the last seen steps lead to one another's places */
    if (k < 30 || k > 56) assert_true(w.track[0] == 0 && w.track[1] == 1);
  }
  done(&w);
}

/* Which track a face gets that is back after so long, having last been seen at 2 s. */
static int back_after(double seconds, double fps, bool something_else) {
  walk w;
  const um_detection face = face_at(100, 100, 50), other = face_at(400, 300, 50);
  int last = -1, first = -1;
  begin(&w, fps);
  w.start_s = 1e6 / 3; /* differences of large numbers */
  for (int k = 0; k <= (int)((3 + seconds) * fps + 0.5); k++) {
    const double time_s = k / fps;
    const bool seen = time_s <= 2 + 1e-9 || time_s >= 2 + seconds - 1e-9;
    const um_detection both[2] = {something_else ? other : face, face};
    add(&w, both + !something_else, something_else + seen);
    if (seen) last = w.track[something_else];
    if (k == 0) first = last;
  }
  done(&w);
  return last - first;
}

static void gaps_by_the_clock(void **state) {
  static const double rates[] = {2, 4, 10, 30};
  (void)state;
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
    for (int other = 0; other < 2; other++) {
      assert_int_equal(back_after(1, rates[i], other), 0);
      assert_int_equal(back_after(1.5, rates[i], other), 1);
    }
  assert_int_equal(back_after(1.1, 10, false), 1);
  assert_int_equal(back_after(1 + 1. / 30 + 0.01, 30, false), 1);
}

/* Frames further apart than a second: a face goes on to the next where it overlaps, to no later one, and is not background. */
static void seldom_looked_at(void **state) {
  walk w;
  um_detection face[2] = {face_at(100, 100, 50), face_at(300, 100, 50)};
  (void)state;
  begin(&w, 0.25);
  add(&w, face, 2);
  face[0] = face_at(125, 100, 55), face[1] = face_at(350, 100, 50); /* the second is near, but does not overlap */
  add(&w, face, 2);
  assert_int_equal(w.track[0], 0);
  assert_int_equal(w.track[1], 2);
  add(&w, NULL, 0);
  add(&w, face, 2);
  assert_int_equal(w.track[0], 3);
  end(&w, UM_FACES_ALL);
  assert_int_equal(w.tracks.count, 5);
  for (int i = 0; i < 5; i++) assert_int_equal(w.tracks.item[i].fate, UM_KEPT);
  done(&w);
}

/* Size tells faces apart, and a patch within a face is not it. */
static void sizes(void **state) {
  walk w;
  um_detection face = face_at(100, 100, 100), half = face_at(100, 100, 40), larger = face_at(100, 100, 150);
  (void)state;
  begin(&w, 10);
  add(&w, &face, 1);
  add(&w, &half, 1); /* a sixth of the area */
  assert_int_equal(w.track[0], 1);
  add(&w, &larger, 1); /* 2.25 times the first's */
  assert_int_equal(w.track[0], 0);
  done(&w);
  /* Near without overlap: by as much as half its width, but no other size. */
  begin(&w, 2);
  face = face_at(100, 100, 60);
  add(&w, &face, 1);
  const um_detection two[2] = {face_at(165, 100, 20), face_at(100, 165, 60)};
  add(&w, two, 2);
  assert_int_equal(w.track[0], 1);
  assert_int_equal(w.track[1], 0);
  done(&w);
}

static void a_cut_ends_all(void **state) {
  walk w;
  const um_detection face[2] = {face_at(100, 100, 50), face_at(300, 100, 60)};
  (void)state;
  begin(&w, 2);
  add_as(&w, face, 2, true, false); /* before the first there is nothing to cut off */
  add_as(&w, face, 2, false, false);
  add_as(&w, face, 2, true, false);
  assert_int_equal(w.track[0], 2);
  assert_int_equal(w.track[1], 3);
  add_as(&w, face, 2, true, false); /* alone in its shot */
  assert_int_equal(w.track[0], 4);
  add_as(&w, face, 1, true, false);
  add_as(&w, face, 1, false, false);
  assert_int_equal(w.track[0], 6);
  end(&w, UM_FACES_ALL);
  assert_int_equal(w.tracks.cuts, 3);
  static const int faces[] = {2, 2, 1, 1, 1, 1, 2};
  assert_int_equal(w.tracks.count, 7);
  for (int i = 0; i < 7; i++) {
    assert_int_equal(w.tracks.item[i].faces, faces[i]);
    assert_int_equal(w.tracks.item[i].fate, UM_KEPT);
  }
  done(&w);
}

/* One patch at a time, in a video of 2 frames a second of somebody who sits there; where the patch is, and where the shot's cuts are. */
static um_fate fate_of_patch(double fps, int frames, int from, int to, int cut1, int cut2, bool background) {
  walk w;
  const um_detection face[2] = {face_at(100, 100, 50), face_at(300, 200, 40)};
  int patch = -1;
  begin(&w, fps);
  for (int k = 0; k < frames; k++) {
    const bool here = k >= from && k <= to;
    add_as(&w, face, 1 + here, k == cut1 || k == cut2, false);
    if (here && patch < 0) patch = w.track[1];
  }
  um_tracker_finish(w.t, &w.tracks, UM_FACES_ALL, background, 0);
  const um_fate fate = w.tracks.item[patch].fate;
  assert_int_equal(um_track_kept(&w.tracks, patch), fate == UM_KEPT);
  assert_true(um_track_kept(&w.tracks, 0));
  assert_true(um_track_kept(&w.tracks, -1));
  done(&w);
  return fate;
}

static void background(void **state) {
  (void)state;
  assert_int_equal(fate_of_patch(2, 9, 4, 4, -1, -1, true), UM_ONE_FRAME);
  assert_int_equal(fate_of_patch(30, 9, 4, 4, -1, -1, true), UM_ONE_FRAME);
  assert_int_equal(fate_of_patch(2, 9, 0, 0, -1, -1, true), UM_ONE_FRAME);
  assert_int_equal(fate_of_patch(2, 9, 8, 8, -1, -1, true), UM_ONE_FRAME);
  assert_int_equal(fate_of_patch(1, 9, 4, 4, -1, -1, true), UM_ONE_FRAME);
  assert_int_equal(fate_of_patch(2, 9, 4, 5, -1, -1, true), UM_KEPT);
  assert_int_equal(fate_of_patch(2, 9, 4, 4, -1, -1, false), UM_KEPT);
  assert_int_equal(fate_of_patch(2, 1, 0, 0, -1, -1, true), UM_KEPT);     /* nothing around it was looked at */
  assert_int_equal(fate_of_patch(0.5, 9, 4, 4, -1, -1, true), UM_KEPT);   /* nothing near it */
  assert_int_equal(fate_of_patch(2, 9, 4, 4, 4, 5, true), UM_KEPT);       /* alone in its shot */
  assert_int_equal(fate_of_patch(2, 9, 4, 4, 4, -1, true), UM_ONE_FRAME); /* the first of its shot */
  assert_int_equal(fate_of_patch(2, 9, 4, 4, 5, -1, true), UM_ONE_FRAME); /* the last */
  assert_int_equal(fate_of_patch(2, 9, 0, 0, 1, -1, true), UM_KEPT);
  assert_int_equal(fate_of_patch(2, 9, 8, 8, 8, -1, true), UM_KEPT);
}

/* A picture that is shown twice is one picture: its patch is seen in one. A picture that is shown only twice has none around it. */
static void repeated_pictures(void **state) {
  walk w;
  const um_detection face[2] = {face_at(100, 100, 50), face_at(300, 200, 40)};
  (void)state;
  begin(&w, 2);
  add(&w, face, 1);
  add(&w, face, 2);
  add_as(&w, face, 2, false, true);
  assert_int_equal(w.track[1], 1);
  for (int i = 0; i < 3; i++) add_as(&w, face, 2, false, true);
  add(&w, face, 1);
  assert_int_equal(w.track[0], 0);
  end(&w, UM_FACES_ALL);
  assert_int_equal(w.tracks.count, 2);
  assert_int_equal(w.tracks.item[0].faces, 7);
  assert_int_equal(w.tracks.item[0].pictures, 3);
  assert_int_equal(w.tracks.item[1].faces, 5);
  assert_int_equal(w.tracks.item[1].pictures, 1);
  assert_int_equal(w.tracks.item[1].fate, UM_ONE_FRAME);
  done(&w);
  begin(&w, 2);
  add(&w, face, 2);
  add_as(&w, face, 2, false, true);
  end(&w, UM_FACES_ALL);
  assert_int_equal(w.tracks.item[1].fate, UM_KEPT);
  done(&w);
  begin(&w, 2); /* the next picture is within a second of its end */
  add(&w, face, 2);
  for (int i = 0; i < 3; i++) add_as(&w, face, 2, false, true);
  add(&w, face, 1);
  end(&w, UM_FACES_ALL);
  assert_int_equal(w.tracks.item[0].fate, UM_KEPT);
  assert_int_equal(w.tracks.item[1].fate, UM_ONE_FRAME);
  done(&w);
}

/* A brief visitor of some score, beside somebody who sits there: in which frames, at 2 a second, of 9; cut: the first of a shot, or -1. */
static um_fate fate_of_visitor(int from, int to, double score, int cut, double sure, bool background) {
  walk w;
  um_detection face[2] = {face_at(100, 100, 50), face_at(300, 200, 40)};
  int visitor = -1;
  face[0].score = 0.5, face[1].score = score;
  begin(&w, 2);
  for (int k = 0; k < 9; k++) {
    const bool here = k >= from && k <= to;
    add_as(&w, face, 1 + here, k == cut, false);
    if (here && visitor < 0) visitor = w.track[1];
  }
  um_tracker_finish(w.t, &w.tracks, UM_FACES_ALL, background, sure);
  const um_fate fate = w.tracks.item[visitor].fate;
  assert_true(um_track_kept(&w.tracks, 0)); /* in view for long, whatever the score */
  done(&w);
  return fate;
}

static void brief_and_doubtful(void **state) {
  (void)state;
  assert_int_equal(fate_of_visitor(3, 5, 0.97, -1, 0.98, true), UM_DOUBTFUL); /* a second */
  assert_int_equal(fate_of_visitor(3, 4, 0.97, -1, 0.98, true), UM_DOUBTFUL);
  assert_int_equal(fate_of_visitor(0, 1, 0.97, -1, 0.98, true), UM_DOUBTFUL); /* the shot goes on without it */
  assert_int_equal(fate_of_visitor(7, 8, 0.97, -1, 0.98, true), UM_DOUBTFUL); /* and began so */
  assert_int_equal(fate_of_visitor(3, 3, 0.97, -1, 0.98, true), UM_ONE_FRAME);
  assert_int_equal(fate_of_visitor(3, 6, 0.97, -1, 0.98, true), UM_KEPT); /* longer */
  assert_int_equal(fate_of_visitor(3, 5, 0.99, -1, 0.98, true), UM_KEPT); /* sure */
  assert_int_equal(fate_of_visitor(3, 5, 0.97, -1, 0, true), UM_KEPT);    /* scores that are no probabilities */
  assert_int_equal(fate_of_visitor(3, 5, 0.97, -1, 0.98, false), UM_KEPT);
  assert_int_equal(fate_of_visitor(0, 1, 0.97, 2, 0.98, true), UM_KEPT); /* all through its shot */
  assert_int_equal(fate_of_visitor(7, 8, 0.97, 7, 0.98, true), UM_KEPT);
}

static void the_main_person(void **state) {
  walk w;
  um_detection face[3] = {face_at(100, 100, 90), face_at(300, 200, 40), face_at(500, 100, 60)};
  (void)state;
  begin(&w, 2); /* the second is in 6 frames, the larger ones in 5 and 1 */
  for (int k = 0; k < 6; k++) {
    const um_detection now[3] = {face[1], face[0], face[2]};
    add(&w, now, k == 5 ? 1 : k == 2 ? 3 : 2);
  }
  end(&w, UM_FACES_MAIN);
  assert_int_equal(w.tracks.main, 0);
  assert_int_equal(w.tracks.item[0].fate, UM_KEPT);
  assert_int_equal(w.tracks.item[1].fate, UM_NOT_MAIN);
  assert_int_equal(w.tracks.item[2].fate, UM_ONE_FRAME); /* why is told as it is */
  done(&w);
  begin(&w, 2); /* as long: the larger */
  for (int k = 0; k < 3; k++) add(&w, face + 1, 2);
  end(&w, UM_FACES_MAIN);
  assert_int_equal(w.tracks.main, 1);
  assert_int_equal(w.tracks.item[0].fate, UM_NOT_MAIN);
  done(&w);
  begin(&w, 2); /* and of equals the first; with ALL both stay */
  face[2] = face_at(500, 100, 40);
  for (int k = 0; k < 3; k++) add(&w, face + 1, 2);
  end(&w, UM_FACES_ALL);
  assert_int_equal(w.tracks.main, 0);
  assert_int_equal(w.tracks.item[1].fate, UM_KEPT);
  done(&w);
  begin(&w, 2); /* nobody but a patch */
  add(&w, NULL, 0);
  add(&w, face, 1);
  end(&w, UM_FACES_MAIN);
  assert_int_equal(w.tracks.main, -1);
  done(&w);
}

static void what_a_track_says(void **state) {
  walk w;
  (void)state;
  begin(&w, 4);
  w.frame = 10, w.start_s = 100;
  add(&w, NULL, 0);
  for (int k = 0; k < 3; k++) {
    um_detection face = {.x = 10, .y = 20, .width = 20 + 5 * k, .height = 20 + 5 * k, .score = 0.5 + 0.1 * k};
    add(&w, &face, 1);
  }
  add(&w, NULL, 0);
  end(&w, UM_FACES_ALL);
  const um_track *t = &w.tracks.item[0];
  assert_int_equal(t->first, 11);
  assert_int_equal(t->last, 13);
  assert_true(t->first_s == 100 + 11 / 4. && t->last_s == 100 + 13 / 4.);
  assert_int_equal(t->faces, 3);
  assert_true(fabs(t->size - 25) < 1e-9);
  assert_true(fabs(t->score - 0.6) < 1e-9);
  done(&w);
}

/* Pictures as a function of the place, drawn with a border that the stride skips. */
enum { WIDE = 200, HIGH = 120, STRIDE = 211 };
typedef int (*drawing)(int x, int y);
static int ramps(int x, int y) { return (x * 2 + y) % 160 + 40; }
static int ramps_brighter(int x, int y) { return ramps(x, y) + 40; }
static int ramps_stronger(int x, int y) { return (int)fmin(255, ramps(x, y) * 1.4); }
static int dim(int x, int y) { return 60 + (x * 3 + y * 2) / 20; }
static int lights_on(int x, int y) { return (dim(x, y) - 60) * 5 + 40; }
static int blocks(int x, int y) { return 20 + 24 * ((x / 20 * 7 + y / 20 * 11 + x / 20 * (y / 20) * 5) % 8); }
static int blocks_further(int x, int y) { return blocks(x + 60, y); } /* a turn of the camera */
static int blocks_inset(int x, int y) { return x < 80 && y < 70 ? 250 : blocks(x, y); }
static int night(int x, int y) { return 10 + (x / 25 * 7 + y / 30 * 3) % 5 * 5; }
static int black(int x, int y) { return 0 * (x + y); }

static um_glance glance(drawing draw) {
  static uint8_t grey[STRIDE * HIGH];
  um_glance g;
  memset(grey, 255, sizeof grey);
  for (int y = 0; y < HIGH; y++)
    for (int x = 0; x < WIDE; x++) grey[y * STRIDE + x] = (uint8_t)draw(x, y);
  um_glance_take(&g, grey, WIDE, HIGH, STRIDE);
  return g;
}

static bool is_cut(drawing a, drawing b) {
  const um_glance before = glance(a), after = glance(b);
  assert_int_equal(um_glance_cut(&before, &after), um_glance_cut(&after, &before));
  return um_glance_cut(&before, &after);
}

static void cuts_are_noticed(void **state) {
  (void)state;
  assert_false(is_cut(ramps, ramps));
  assert_false(is_cut(ramps, ramps_brighter));
  assert_false(is_cut(ramps, ramps_stronger));
  assert_false(is_cut(dim, lights_on));
  assert_false(is_cut(blocks, blocks_further));
  assert_false(is_cut(blocks, blocks_inset));
  assert_false(is_cut(black, black));
  assert_true(is_cut(ramps, blocks));
  assert_true(is_cut(blocks, night));
  assert_true(is_cut(ramps, night));
  assert_true(is_cut(black, ramps));
}

/* The thumbnail and the histogram of pictures whose answer is known. */
static void what_a_glance_holds(void **state) {
  static uint8_t grey[64 * 96];
  um_glance g;
  (void)state;
  for (int y = 0; y < 96; y++)
    for (int x = 0; x < 64; x++) grey[64 * y + x] = (uint8_t)(x / 2 * 4 + (x & 1) * 2 + y / 3); /* cells of 2 x 3 */
  um_glance_take(&g, grey, 64, 96, 64);
  for (int y = 0; y < 32; y++)
    for (int x = 0; x < 32; x++) assert_int_equal(g.thumbnail[32 * y + x], 4 * x + 1 + y);
  double all = 0;
  for (int b = 0; b < UM_GLANCE_BINS; b++) all += g.histogram[b];
  assert_true(fabs(all - 1) < 1e-6);
  for (int i = 0; i < 64 * 96; i++) grey[i] = i % 3 ? 7 : 200;
  um_glance_take(&g, grey, 64, 96, 64);
  assert_true(fabs(g.histogram[1] - 2 / 3.) < 1e-6);
  assert_true(fabs(g.histogram[50] - 1 / 3.) < 1e-6);
  /* Smaller than the thumbnail: each cell still holds a pixel, and none beyond the picture is read. */
  static const uint8_t tiny[2] = {10, 90};
  uint8_t *exact = malloc(2);
  memcpy(exact, tiny, 2);
  um_glance_take(&g, exact, 2, 1, 2);
  assert_int_equal(g.thumbnail[0], 10);
  assert_int_equal(g.thumbnail[1023], 90);
  free(exact);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(best_pairing),
      cmocka_unit_test(each_person_one_track),
      cmocka_unit_test(gaps_by_the_clock),
      cmocka_unit_test(seldom_looked_at),
      cmocka_unit_test(near_enough),
      cmocka_unit_test(trembling),
      cmocka_unit_test(sizes),
      cmocka_unit_test(a_cut_ends_all),
      cmocka_unit_test(background),
      cmocka_unit_test(repeated_pictures),
      cmocka_unit_test(brief_and_doubtful),
      cmocka_unit_test(the_main_person),
      cmocka_unit_test(what_a_track_says),
      cmocka_unit_test(cuts_are_noticed),
      cmocka_unit_test(what_a_glance_holds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
