/* How faces are found in videos and cut out. A model's file carries what its training had, and scoring repeats it; the folder that
 * extract writes carries the same (extract.json), so that training can take it over. */
#ifndef UM_CORE_FACE_SETTINGS_H
#define UM_CORE_FACE_SETTINGS_H

#include "core/error.h"
#include "core/json.h"

typedef enum um_interpolation { UM_NEAREST, UM_BILINEAR } um_interpolation;

/* Which faces of a video: the largest of each frame; all; those of the person who is longest in view. */
typedef enum um_face_choice { UM_FACES_LARGEST, UM_FACES_ALL, UM_FACES_MAIN } um_face_choice;

/* RECIPE: the square of side 2 r + 1 around the rounded centre of the box, r = round((w + h) / 4). SQUARE: of the longer side, around
 * the centre, unrounded until the pixels are cut. TIGHT: the box itself. The margin widens each. */
typedef enum um_crop_shape { UM_CROP_RECIPE, UM_CROP_SQUARE, UM_CROP_TIGHT } um_crop_shape;

typedef struct um_face_settings {
  char detector[32]; /* "haar", "haar-strict", "mtcnn" */
  um_face_choice choice;
  int min_face; /* least side of a face in pixels of the frames that are looked at; 0: the detector's own */
  um_crop_shape crop;
  double margin;           /* share of the radius, or of half the side, on each side */
  bool align;              /* turned so that the eyes are level, where the detector gives eyes */
  int size;                /* crops are resized to size x size; 0: as they are cut */
  um_interpolation resize; /* how */
  double fps;              /* frames a second; 0: all */
  int max_size;            /* frames are scaled to fit max_size x max_size before; 0: as they are */
} um_face_settings;

/* The recipe's: haar, the largest face, its square without a margin, 2 frames a second that fit 1000. */
void um_face_settings_recipe(um_face_settings *s);
/* What goes best with a detector: the recipe's with a Haar cascade. Those that give points find faces well enough that a person can be
 * followed, and their boxes end at the chin and the hairline, while a fake's seams may lie outside of these: the person longest in view,
 * a square, a margin of 0.3. */
void um_face_settings_usual(um_face_settings *s, const char *detector);
/* "auto", which a config may hold, becomes "haar". */
void um_face_settings_settle(um_face_settings *s);
/* Equal in all that decides about the pixels of a crop. */
bool um_face_settings_same(const um_face_settings *a, const um_face_settings *b);
/* From a file that holds such an object (extract.json), which may have other members. */
int um_face_settings_read(um_face_settings *s, const char *path, um_error *err);
/* Members of a JSON object; false without memory. */
bool um_face_settings_put(cJSON *o, const um_face_settings *s);
/* And back: false where one is wrong. Detector, margin, fps and max_size must be there; the others, which older files have not, are
 * the recipe's where they are not. */
bool um_face_settings_get(um_face_settings *s, const cJSON *o);
/* The words of choice and crop: "largest", "all", "main"; "recipe", "square", "tight"; NULL past the last. */
const char *um_face_choice_name(int choice);
const char *um_crop_shape_name(int crop);

#endif
