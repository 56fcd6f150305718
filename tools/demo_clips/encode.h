/* H.264 in MP4 through FFmpeg's libraries. */
#ifndef DEMO_ENCODE_H
#define DEMO_ENCODE_H

#include <stdint.h>

#include "core/error.h"

typedef struct encoder encoder;

/* What films are encoded with here: "libx264" where libavcodec has it, else the best of what it has; NULL where it has nothing. */
const char *encoder_name(void);

/* Writes to a temporary file beside `path`, which encoder_finish renames. width and height are even. */
int encoder_open(encoder **out, const char *path, int width, int height, int fps, um_error *err);
/* rgb: height x width x 3. */
int encoder_frame(encoder *e, const uint8_t *rgb, um_error *err);
int encoder_finish(encoder *e, um_error *err);
/* Frees; a film that was not finished is removed. Safe on NULL. */
void encoder_close(encoder *e);

#endif
