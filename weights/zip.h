/* zip archives (APPNOTE 6.3.9: stored and deflated entries, zip64) as torch.save, numpy.savez and Keras 3 write them. Reading maps the
 * file and trusts nothing in it: the central directory is checked whole when the archive is opened (places, sizes, names, overlaps),
 * an entry's checksum when it is read. Not read: encrypted, split or self-extracting archives. */
#ifndef UM_WEIGHTS_ZIP_H
#define UM_WEIGHTS_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* ---- reading ---- */

typedef struct um_zip um_zip;

typedef struct um_zip_entry {
  const char *name; /* 1 to 4096 bytes, no control characters, no two alike; nothing else is known of it: it is no path to open */
  uint64_t size;    /* unpacked; at most 1,032 times what it takes in the archive, which is all that deflate can do */
  uint64_t packed;
  int method; /* 0 stored, 8 deflated, else um_zip_get refuses it */
} um_zip_entry;

int um_zip_open(um_zip **out, const char *path, um_error *err);
/* The same of bytes in memory, which must outlive the archive; `path` is for messages. */
int um_zip_open_memory(um_zip **out, const void *data, size_t size, const char *path, um_error *err);
void um_zip_close(um_zip *z); /* NULL is fine */
int um_zip_count(const um_zip *z);
const um_zip_entry *um_zip_at(const um_zip *z, int index); /* in the order of the central directory */
int um_zip_find(const um_zip *z, const char *name);        /* index, or -1 */

/* An entry's bytes: where they lie in the mapped file when stored (any alignment), else unpacked into memory. */
typedef struct um_zip_bytes {
  const uint8_t *data;
  size_t size;
  void *owned; /* internal */
} um_zip_bytes;
/* UM_EFORMAT where the entry is larger than max or its checksum is wrong, UM_EUNSUPPORTED for other methods. */
int um_zip_get(um_zip_bytes *out, um_zip *z, int index, uint64_t max, um_error *err);
/* The first bytes of an entry, *size of them or as many as it has; *size gets how many. Without a checksum, for headers alone. */
int um_zip_head(um_zip *z, int index, uint8_t *out, size_t *size, um_error *err);
void um_zip_drop(um_zip_bytes *bytes); /* before um_zip_close; safe on a zeroed struct and twice */

/* ---- writing ---- */

typedef struct um_zip_writer um_zip_writer;

typedef struct um_zip_options {
  unsigned align; /* entries' data begin at multiples of this (a power of two up to 4096); 0: anywhere */
  bool zip64;     /* 64-bit fields even where nothing needs them; they are always there where something does */
} um_zip_options;

typedef struct um_zip_part {
  const void *data;
  size_t size;
} um_zip_part;

/* Goes to a temporary file in the same folder until um_zip_commit (um_writer of core/file.h). options may be NULL. */
int um_zip_create(um_zip_writer **out, const char *path, const um_zip_options *options, um_error *err);
/* An entry, stored: its parts one after the other. No time of writing goes into the file: equal content makes equal archives. */
int um_zip_add(um_zip_writer *w, const char *name, const um_zip_part *part, int parts, um_error *err);
/* Writes the directory, flushes and renames; frees w whatever happens. */
int um_zip_commit(um_zip_writer *w, um_error *err);
void um_zip_abandon(um_zip_writer *w); /* NULL is fine; the old file stays */

#endif
