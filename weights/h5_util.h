/* The few things that reading Keras files needs of HDF5's C API, each of them wary of the file. Internal to weights/. */
#ifndef UM_WEIGHTS_H5_UTIL_H
#define UM_WEIGHTS_H5_UTIL_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

typedef struct um_h5_strings {
  char **text;
  int count;
} um_h5_strings;
void um_h5_strings_free(um_h5_strings *s);

/* The innermost message of HDF5's error stack ("truncated file: eof = 96, ..."), without which a failure has no reason. */
const char *um_h5_reason(char *text, size_t size);

/* True where the object has the attribute, whole or in parts (NAME0, NAME1, ...: h5py's limit is 64 KiB an attribute, and Keras
 * splits lists past 64,512 bytes). */
bool um_h5_has(hid_t object, const char *name);

/* The strings of an attribute, fixed or variable in length, whole or in parts. An attribute without elements (which h5py writes as an
 * empty list of float64) has none. `where` is what messages call the object. */
int um_h5_read_strings(um_h5_strings *out, hid_t object, const char *name, const char *where, um_error *err);

/* Opens the object at a path below group, component by component: only hard links are followed, so that a file cannot name another. */
int um_h5_open(hid_t *out, hid_t group, const char *path, const char *where, um_error *err);

/* Rank and extent of a dataset; UM_EFORMAT where it is not one, has more than `room` dimensions or is empty. */
int um_h5_shape(hid_t dataset, int *ndim, int64_t *dim, int room, const char *where, um_error *err);

/* "f32", "f16", "i64", "u8" ...: the type of a dataset's values, for people. */
void um_h5_dtype(char *text, size_t size, hid_t dataset);

/* All `count` values of a floating-point dataset of any width up to 64 bits as float32. What the header claims of chunks and storage
 * is held against count and the file's size before HDF5 is asked to read. */
int um_h5_read_floats(float *out, hid_t dataset, int64_t count, uint64_t file_size, const char *where, um_error *err);

#endif
