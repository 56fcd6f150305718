/* MTCNN (Zhang, Zhang, Li & Qiao 2016, "Joint face detection and alignment using multi-task cascaded convolutional networks"), with the
 * networks, the weights and the arithmetic of facenet-pytorch 2.6.0 (models/mtcnn.py, models/utils/detect_face.py): PNet looks at every
 * 12 x 12 window of an image pyramid, RNet and ONet at what is left of them. What the files faces/mtcnn*.c have in common; others go
 * through faces/detector.h. */
#ifndef UM_FACES_MTCNN_H
#define UM_FACES_MTCNN_H

#include "core/model.h"
#include "faces/detector.h"

/* ---- the networks (mtcnn_nets.c) ---- */

typedef enum um_mtcnn_net { UM_MTCNN_PNET, UM_MTCNN_RNET, UM_MTCNN_ONET, UM_MTCNN_NETS } um_mtcnn_net;

/* Values of the last node, by pixel (PNet) or by picture: P(no face), P(face), the box's four shifts, and ONet's five points, x then y. */
enum { UM_MTCNN_BOX = 2, UM_MTCNN_POINT = 6, UM_MTCNN_PNET_OUT = 6, UM_MTCNN_RNET_OUT = 6, UM_MTCNN_ONET_OUT = 16 };
/* Sides of what they look at, and the distance between PNet's windows. */
enum { UM_MTCNN_CELL = 12, UM_MTCNN_STRIDE = 2, UM_MTCNN_RNET_SIDE = 24, UM_MTCNN_ONET_SIDE = 48 };

/* Appends a network to an empty graph; PNet takes any picture from 12 x 12 on. */
int um_mtcnn_graph(um_graph *g, um_mtcnn_net net, int64_t height, int64_t width, um_error *err);

typedef struct um_mtcnn_param {
  char name[UM_NAME_MAX + 8]; /* as in a model: "conv1/kernel" */
  float *value;               /* in our layout, plain */
  int64_t count;
} um_mtcnn_param;

typedef struct um_mtcnn_weights {
  um_mtcnn_param *param;
  int count;
} um_mtcnn_weights;

/* From a file of any format that has facenet-pytorch's names ("conv1.weight") and shapes; others are UM_EFORMAT. */
int um_mtcnn_weights_read(um_mtcnn_weights *w, um_mtcnn_net net, const char *path, um_error *err);
void um_mtcnn_weights_free(um_mtcnn_weights *w);                           /* safe on a zeroed struct */
const float *um_mtcnn_values(const um_mtcnn_weights *w, const char *name); /* of a name that the network has */

/* A model for inference, with its weights in it. */
int um_mtcnn_model(um_model **out, um_mtcnn_net net, int64_t height, int64_t width, int64_t batch, const um_mtcnn_weights *w,
                   um_backend *be, um_error *err);

/* ---- boxes (mtcnn_boxes.c); everything in float and in facenet-pytorch's order, so that its rounding is repeated ---- */

typedef struct um_mtcnn_box {
  float x1, y1, x2, y2, score;
  float shift[4];
  float point[UM_POINTS][2];
} um_mtcnn_box;

typedef struct um_mtcnn_boxes {
  um_mtcnn_box *item;
  int count, room;
} um_mtcnn_boxes;

int um_mtcnn_boxes_add(um_mtcnn_boxes *b, const um_mtcnn_box *box, int count, um_error *err);
void um_mtcnn_boxes_free(um_mtcnn_boxes *b);
/* The window of PNet's output at (row, column) of the pyramid's level `scale` (generateBoundingBox). */
void um_mtcnn_cell(um_mtcnn_box *box, int row, int column, double scale);
/* Non-maximum suppression of those from `first` on: by falling score, those stay whose overlap with none that stays is above the
 * threshold. NMS_UNION: of the area of both (torchvision's nms); NMS_LEAST: of the smaller one (nms_numpy "Min"). */
typedef enum um_mtcnn_overlap { UM_MTCNN_UNION, UM_MTCNN_LEAST } um_mtcnn_overlap;
int um_mtcnn_suppress(um_mtcnn_boxes *b, int first, double threshold, um_mtcnn_overlap overlap, um_error *err);
void um_mtcnn_shift_cells(um_mtcnn_boxes *b); /* the shifts of PNet, which counts no last pixel; and of the others (bbreg) */
void um_mtcnn_shift(um_mtcnn_boxes *b);
void um_mtcnn_square(um_mtcnn_boxes *b); /* rerec */
/* The pixels of a box (pad): false where there are none in the picture. right and bottom are not included. */
bool um_mtcnn_pixels(const um_mtcnn_box *box, int width, int height, int *left, int *top, int *right, int *bottom);

/* ---- pixels (mtcnn_area.c) ---- */

/* A rectangle of a picture: width x height pixels of RGB, rows `stride` bytes apart. */
typedef struct um_mtcnn_picture {
  const uint8_t *rgb;
  int64_t stride;
  int width, height;
} um_mtcnn_picture;

/* Averaging of areas, as torch's adaptive average pooling (interpolate's mode "area") does it: element i of `out` is the mean of
 * elements first[i] to last[i] - 1 of `in`. */
typedef struct um_mtcnn_span {
  int first, last;
} um_mtcnn_span;
void um_mtcnn_spans(um_mtcnn_span *span, int in, int out);

/* Room for um_mtcnn_area, in bytes. */
size_t um_mtcnn_area_room(int in_width);
/* A row of the picture resized: the mean over rows.first to rows.last - 1 and the columns of each of `out_width` spans, minus 127.5, by
 * 128. out: column c of channel k at out[c * step + k * plane]. room: um_mtcnn_area_room bytes, aligned to 64. */
void um_mtcnn_area(float *out, int64_t step, int64_t plane, const um_mtcnn_picture *in, um_mtcnn_span rows, const um_mtcnn_span *columns,
                   int out_width, void *room);
/* A whole rectangle, resized to side x side x 3, dense. */
void um_mtcnn_area_square(float *out, const um_mtcnn_picture *in, int side, void *room);

/* The pyramid of facenet-pytorch. */
typedef struct um_mtcnn_level {
  double scale;
  int height, width; /* of the resized picture */
} um_mtcnn_level;
enum { UM_MTCNN_LEVELS = 64 };
/* How many levels a picture has; their sizes. */
int um_mtcnn_pyramid(um_mtcnn_level level[UM_MTCNN_LEVELS], int width, int height, int min_face);
/* Rows (columns) of PNet's output for a picture that has so many. */
static inline int um_mtcnn_cells(int side) { return (side - 1) / 2 - 4; }

/* ---- the stages (mtcnn_stages.c) ---- */

/* facenet-pytorch's threshold of the first. */
static const float um_mtcnn_proposed = 0.6f;

/* What a thread of its own needs to look at pictures: networks bound to a backend, and room. Kept from picture to picture. */
typedef struct um_mtcnn_context um_mtcnn_context;
int um_mtcnn_context_make(um_mtcnn_context **out, const um_mtcnn_weights weights[UM_MTCNN_NETS], um_backend *be, int at_once,
                          um_error *err);
void um_mtcnn_context_free(um_mtcnn_context *c);
/* The first stage. Pictures of one size, at most at_once of them: windows of all levels with a P(face) of at least 0.6 into found[0] to
 * found[count - 1], each level's suppressed at 0.5. */
int um_mtcnn_propose(um_mtcnn_context *c, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count, int min_face, um_error *err);
/* RNet's or ONet's word on boxes of pictures: those stay whose P(face) is above `threshold`, with its score, shifts and points. */
int um_mtcnn_judge(um_mtcnn_context *c, um_mtcnn_net net, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count,
                   float threshold, um_error *err);

/* The same by code of its own for x86 processors (mtcnn_rows.c). *out is NULL where there is none for this one. wide: AVX-512 where the
 * processor has it, else AVX2. */
typedef struct um_mtcnn_rows um_mtcnn_rows;
int um_mtcnn_rows_make(um_mtcnn_rows **out, const um_mtcnn_weights *pnet, int threads, bool wide, um_error *err);
void um_mtcnn_rows_free(um_mtcnn_rows *r);
int um_mtcnn_rows_propose(um_mtcnn_rows *r, um_mtcnn_boxes *found, const um_mtcnn_picture *picture, int count, int min_face, um_error *err);

#endif
