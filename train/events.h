/* TensorBoard's event files: records of TFRecord's framing (length, masked CRC-32C, bytes, masked CRC-32C) that hold Event messages of
 * tensorflow/core/util/event.proto. Written as the run goes, never read here. */
#ifndef UM_TRAIN_EVENTS_H
#define UM_TRAIN_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct events events;

/* Makes a new file in the folder `dir`, which is made where it is not there. */
int events_open(events **out, const char *dir, um_error *err);
void events_scalar(events *e, const char *tag, int64_t step, double value);
void events_image_png(events *e, const char *tag, int64_t step, const void *png, size_t size, int height, int width);
/* What was written is seen by readers after this; UM_EIO where any of it could not be. */
int events_flush(events *e, um_error *err);
void events_close(events *e); /* NULL is fine */

#endif
