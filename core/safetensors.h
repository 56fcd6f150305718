/* safetensors files: u64 little-endian header length, JSON header, raw tensors. Reading maps the file and trusts nothing in it. */
#ifndef UM_CORE_SAFETENSORS_H
#define UM_CORE_SAFETENSORS_H

#include "core/error.h"
#include "core/tensor.h"

typedef struct um_st um_st; /* an open file */

typedef struct um_st_entry {
  const char *name;
  um_tensor tensor; /* plain; data points into the mapped file */
} um_st_entry;

int um_st_open(um_st **out, const char *path, um_error *err);
void um_st_close(um_st *st);
int um_st_count(const um_st *st);
const um_st_entry *um_st_at(const um_st *st, int i);
const um_st_entry *um_st_find(const um_st *st, const char *name); /* NULL where there is none */
const char *um_st_metadata(const um_st *st, const char *key);     /* NULL where there is none */

/* Writing: entries with host data, then metadata as pairs key, value, ..., NULL. Goes to a temporary file in the same folder, is
 * flushed to disk, then renamed over `path`: a full disk leaves the old file as it was. */
int um_st_write(const char *path, const um_st_entry *entry, int count, const char *const *metadata, um_error *err);

/* The same with data that is asked for when its turn comes (plain, entry i's bytes into data), so that only the largest tensor
 * is in memory. A negative status of `source` ends the writing; the old file stays. */
typedef int (*um_st_source)(void *arg, int i, void *data, um_error *err);
int um_st_write_from(const char *path, const um_st_entry *entry, int count, const char *const *metadata, um_st_source source, void *arg,
                     um_error *err);

#endif
