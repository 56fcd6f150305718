/* Videos and pictures once more through H.264, as those who pass them on do. */
#ifndef UM_DATA_REENCODE_H
#define UM_DATA_REENCODE_H

#include <stdbool.h>

#include "data/image.h"

/* UM_OK where there is x264, whose rate factor `crf` is; else UM_EUNSUPPORTED. */
int um_reencode_check(um_error *err);

/* Decodes the video and encodes it at its size and with its times, without sound, into a file in a folder of its own in $TMPDIR or /tmp;
 * um_reencode_remove removes both. The same bytes always: one thread encodes. stopped (may be NULL) is asked before each frame: UM_EINTERRUPTED.
 * On failure nothing is left behind. */
int um_reencode(char path[4096], const char *video, double crf, bool (*stopped)(void *arg), void *arg, um_error *err);
void um_reencode_remove(const char *path);

/* The picture as the only frame of a video. (Of several alike, x264 gives the first what all others repeat: 3 to 6 dB more at 25 frames,
 * which no frame of a moving video gets.) */
int um_reencode_picture(um_image *im, double crf, um_error *err);

#endif
