/* What is in a video file, packet by packet, through FFmpeg's demuxers: to compare files with one another. */
#ifndef UM_TESTS_SUPPORT_PACKETS_H
#define UM_TESTS_SUPPORT_PACKETS_H

#include <stdint.h>

typedef struct packet {
  double time_s, duration_s; /* when it is shown or heard */
  int size;
  uint8_t sha256[32];
} packet;

typedef struct packets {
  packet *at; /* of pictures in the order in which they are shown, else as they come */
  int count;
  double begin_s; /* of the file's first stream of pictures */
  char codec[32];
  int width, height;
  double length_s; /* of the stream, as its container says; 0 where it does not */
} packets;

/* Those of the n-th stream of pictures ('v') or sound ('a'); count 0 and codec "" where there is none. Fails the test where the file does
 * not open. */
void packets_read(packets *p, const char *path, char kind, int n);
void packets_free(packets *p);
/* Fails unless both have the same packets to the byte, each at most `late` seconds off from where their files' pictures begin. */
void packets_same(const packets *a, const packets *b, double late);

#endif
