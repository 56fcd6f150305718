/* What the parts of the Haar detector share: haar_xml.c reads a cascade, haar_image.c prepares the grey picture, haar_scan.c
 * looks at windows, haar_group.c joins raw hits, haar.c holds them together. */
#ifndef UM_FACES_HAAR_INTERNAL_H
#define UM_FACES_HAAR_INTERNAL_H

#include "faces/haar.h"

#define HAAR_RECTS      3   /* rectangles of a feature at most, as in OpenCV */
#define HAAR_WINDOW_MAX 128 /* of a cascade's window: keeps the sum of squares in a window below 2^31 */
#define HAAR_TREE_NODES 32  /* of one weak classifier at most */

/* Weighted sum of up to three rectangles; tilted: turned by 45 degrees, (x, y) is the top corner. */
typedef struct haar_feature {
  struct {
    int x, y, width, height;
    float weight;
  } rect[HAAR_RECTS]; /* weight 0: unused */
  bool tilted;
} haar_feature;

/* A child above 0 is a node of the same tree (always after its parent), one at or below 0 is minus the index of a leaf. */
typedef struct haar_node {
  int feature, left, right; /* left where the feature's value is below the threshold */
  float threshold;
} haar_node;

typedef struct haar_tree {
  int node, nodes, leaf; /* first node, how many, first leaf (there is one more leaf than nodes) */
} haar_tree;

typedef struct haar_stage {
  int tree, trees;
  float threshold; /* as OpenCV keeps it: 1e-5 below the file's */
  float margin;    /* how far a sum of leaves taken in single precision can be off */
} haar_stage;

struct um_haar {
  int width, height; /* of the window */
  bool tilted;       /* some feature is */
  int stages, trees, nodes, leaves, features;
  haar_stage *stage;
  haar_tree *tree;
  haar_node *node;
  float *leaf;
  haar_feature *feature;
};

/* Fills *h from the text of a cascade; name is what messages call it. Everything that is used as an index is checked here. */
int haar_parse(um_haar *h, const char *text, size_t size, const char *name, um_error *err);
void haar_clear(um_haar *h);

/* cv::equalizeHist (OpenCV 4.6, imgproc/histogram.cpp): dst is dense. */
void haar_equalize(uint8_t *dst, const uint8_t *src, int width, int height, int stride);

/* One axis of cv::resize with INTER_LINEAR_EXACT on 8 bits: out[i] = in[at] (256 - part) + in[at + 1] part. */
typedef struct haar_tap {
  int at, part;
} haar_tap;
/* at + 1 is always inside of the input: what OpenCV clamps is expressed as a part of 0 or 256. in >= 2. */
void haar_taps(haar_tap *tap, int out, int in);

/* Sums over everything above and left of a corner, for a band of rows of the resized picture; row 0 and column 0 are zero, and
 * all arithmetic is modulo 2^32, which differences of corners do not notice. With step 2 a row holds first its even columns, then
 * (from `half` on) its odd ones, so that the windows of a row are neighbours in memory whatever the step. */
typedef struct haar_plane {
  int32_t *sum, *square, *tilted; /* tilted NULL where not wanted */
  int stride, half, step;
} haar_plane;

/* Resizes rows [row, row + rows) of the picture (width columns of x_tap; src_width columns in src) and sums them up into rows
 * 0..rows of the plane. scratch: haar_integrate_scratch(src_width, width) bytes. */
void haar_integrate(const haar_plane *p, const uint8_t *src, int src_width, int src_stride, const haar_tap *x_tap, int width,
                    const haar_tap *y_tap, int row, int rows, void *scratch);
size_t haar_integrate_scratch(int src_width, int width);

/* A cascade laid out for one geometry of plane: corner offsets in place of rectangles, in order of evaluation. */
typedef struct haar_weak {
  int corner[HAAR_RECTS][4]; /* relative to the window's origin in plane.sum */
  float weight[HAAR_RECTS];
  float threshold;
  float leaf[2];    /* of left and right, where they are leaves */
  int16_t child[2]; /* else the node, counted from the tree's first; 0: a leaf */
} haar_weak;

typedef struct haar_scan {
  const um_haar *cascade;
  haar_weak *weak; /* cascade->nodes of them */
  int norm[4];     /* corners of the rectangle that the variance is taken of: the window without its outermost ring */
  double area;
} haar_scan;

/* tilted: how far the plane of tilted sums lies behind that of sums. */
int haar_scan_init(haar_scan *s, const um_haar *h, const haar_plane *p, ptrdiff_t tilted, um_error *err);
void haar_scan_free(haar_scan *s);

/* Looks at the windows 0..n-1 of a row, one element apart in memory, as OpenCV walks them: a window that fails in the first stage
 * makes it skip the next one. Indices of the windows that pass go to hit[] (room for n); returns how many. scratch: room for n + 64
 * floats and n / 8 + 64 bytes. Reads up to 64 elements past the last window's. */
typedef int haar_row(const haar_scan *s, const int32_t *sum, const int32_t *square, int n, float *scratch, int *hit);
/* The plain one, and what this machine does best; variant i of those that this machine has, NULL after the last. */
haar_row haar_row_plain;
haar_row *haar_row_best(void);
haar_row *haar_row_variant(int i, const char **name);

/* um_haar_detect with a given row function: what tests compare variants with. */
int haar_detect_with(haar_row *row, const um_haar *h, const uint8_t *grey, int width, int height, int stride, const um_haar_options *o,
                     um_box **box, int *count, um_error *err);

/* cv::groupRectangles with eps 0.2: joins the n boxes in place, returns how many groups are left; score is the group's size. -1:
 * no memory. */
int haar_group(um_box *box, int n, int min_neighbours);

#endif
