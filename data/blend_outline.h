/* The outline of a face from five points. */
#ifndef UM_DATA_BLEND_OUTLINE_H
#define UM_DATA_BLEND_OUTLINE_H

#include <stdbool.h>

typedef struct um_point {
  double x, y;
} um_point;

/* Five points as detectors give them: eyes, nose, corners of the mouth, left and right as seen in the picture; x y each. */
enum { UM_POINTS = 10 };

/* From outline to parts: the whole face; without the forehead; brows to mouth; eyes with brows, and nose with mouth, apart. */
typedef enum um_outline_kind {
  UM_OUTLINE_FACE,
  UM_OUTLINE_BROWS_DOWN,
  UM_OUTLINE_INNER,
  UM_OUTLINE_PARTS,
  UM_OUTLINE_KINDS
} um_outline_kind;

enum { UM_HULLS_MAX = 2, UM_HULL_POINTS_MAX = 48 };

typedef struct um_hulls {
  int count;
  int points[UM_HULLS_MAX];
  um_point point[UM_HULLS_MAX][UM_HULL_POINTS_MAX]; /* convex, turning one way */
  double unit;                                      /* the distance between the eyes, of the fitted face */
} um_hulls;

/* Fits a mean face to the points by a similarity (rotation, scale, move; least squares: Umeyama 1991) and gives convex hulls of its parts.
 * False, and the outline of a face that fills a crop of height x width, where points is NULL or the fit is none of a face in
 * such a picture: eyes nearer than a hundredth of the longer side or further apart than twice that side, or the centre outside of the picture. */
bool um_outline(um_hulls *h, um_outline_kind kind, const float points[UM_POINTS], int height, int width);

/* The points of that face: the mean over crops of a detector without a margin. */
void um_outline_guess(float points[UM_POINTS], int height, int width);

/* The convex hull of n points (Andrew's monotone chain); point is overwritten; returns how many are left. */
int um_convex_hull(um_point *point, int n);

/* Sets to 1 the values whose pixel's centre (x, y whole) lies in the convex polygon or on its edge. */
void um_fill_convex(float *values, int height, int width, const um_point *point, int n);

#endif
