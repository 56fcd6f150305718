#include "train/events.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "weights/protobuf.h"

/* Field numbers of event.proto and summary.proto. */
enum { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_FILE_VERSION = 3, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, VALUE_IMAGE = 4 };
enum { IMAGE_HEIGHT = 1, IMAGE_WIDTH = 2, IMAGE_COLORSPACE = 3, IMAGE_ENCODED = 4, RGB = 3 };

struct events {
  FILE *file;
  char path[4096];
  bool failed; /* for want of memory */
};

/* TFRecord's: a checksum of data that holds checksums would be weak otherwise. */
static uint32_t masked(const void *data, size_t size) {
  const uint32_t crc = um_crc32c(data, size);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void little_endian(uint8_t *to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* Takes the event over. */
static void write_record(events *e, um_pb_out *event) {
  uint8_t head[12], tail[4];
  if (event->failed) e->failed = true;
  little_endian(head, event->size, 8);
  little_endian(head + 8, masked(head, 8), 4);
  little_endian(tail, masked(event->data, event->size), 4);
  if (!event->failed) { /* what cannot be written shows in ferror */
    fwrite(head, 1, sizeof head, e->file);
    fwrite(event->data, 1, event->size, e->file);
    fwrite(tail, 1, sizeof tail, e->file);
  }
  um_pb_out_free(event);
}

static um_pb_out new_event(int64_t step) {
  um_pb_out o = {0};
  struct timespec now;
  uint8_t bytes[9] = {EVENT_WALL_TIME << 3 | UM_PB_FIXED64};
  uint64_t bits;
  clock_gettime(CLOCK_REALTIME, &now);
  const double seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
  memcpy(&bits, &seconds, sizeof bits);
  little_endian(bytes + 1, bits, 8);
  um_pb_put_raw(&o, bytes, sizeof bytes);
  um_pb_put_varint(&o, EVENT_STEP, (uint64_t)step);
  return o;
}

static void write_value(events *e, int64_t step, um_pb_out *value) {
  um_pb_out event = new_event(step), summary = {0};
  um_pb_put_message(&summary, SUMMARY_VALUE, value);
  um_pb_put_message(&event, EVENT_SUMMARY, &summary);
  write_record(e, &event);
}

int events_open(events **out, const char *dir, um_error *err) {
  char name[256], host[128] = "";
  *out = NULL;
  events *e = calloc(1, sizeof *e);
  if (!e) return um_fail(err, UM_ENOMEM, "no memory");
  if (gethostname(host, sizeof host - 1) != 0 || !*host) snprintf(host, sizeof host, "localhost");
  snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%d.unmask", (long long)time(NULL), host, (int)getpid());
  int status = um_mkdirs(dir, err);
  if (!status) status = um_path_join(e->path, sizeof e->path, dir, name, err);
  if (!status && !(e->file = fopen(e->path, "ab"))) status = um_fail(err, UM_EIO, "%s: %s", e->path, strerror(errno));
  if (status) {
    free(e);
    return status;
  }
  um_pb_out event = new_event(0);
  um_pb_put_text(&event, EVENT_FILE_VERSION, "brain.Event:2");
  write_record(e, &event);
  *out = e;
  return UM_OK;
}

void events_scalar(events *e, const char *tag, int64_t step, double value) {
  um_pb_out v = {0};
  if (isnan(value)) return; /* not measured */
  um_pb_put_text(&v, VALUE_TAG, tag);
  um_pb_put_float(&v, VALUE_SIMPLE, (float)value);
  write_value(e, step, &v);
}

void events_image_png(events *e, const char *tag, int64_t step, const void *png, size_t size, int height, int width) {
  um_pb_out v = {0}, image = {0};
  um_pb_put_text(&v, VALUE_TAG, tag);
  um_pb_put_varint(&image, IMAGE_HEIGHT, (uint64_t)height);
  um_pb_put_varint(&image, IMAGE_WIDTH, (uint64_t)width);
  um_pb_put_varint(&image, IMAGE_COLORSPACE, RGB);
  um_pb_put_bytes(&image, IMAGE_ENCODED, png, size);
  um_pb_put_message(&v, VALUE_IMAGE, &image);
  write_value(e, step, &v);
}

int events_flush(events *e, um_error *err) {
  if (e->failed) return um_fail(err, UM_ENOMEM, "%s: no memory for an event", e->path);
  if (fflush(e->file) != 0 || ferror(e->file)) return um_fail(err, UM_EIO, "%s: cannot write: %s", e->path, strerror(errno));
  return UM_OK;
}

void events_close(events *e) {
  if (!e) return;
  fclose(e->file);
  free(e);
}
