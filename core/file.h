/* Files: whole reads with a bound, and writes that either happen or do not (temporary file, fsync, rename). */
#ifndef UM_CORE_FILE_H
#define UM_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

/* The whole file, malloc'd, with a zero byte after it; UM_EFORMAT where it is larger than max. */
int um_file_read(char **data, size_t *size, const char *path, size_t max, um_error *err);

typedef struct um_writer {
  FILE *file;
  char path[4096], temporary[4096];
} um_writer;
int um_writer_open(um_writer *w, const char *path, um_error *err);
/* Flushes, syncs and renames; on any failure the temporary file is removed and the old file stays. */
int um_writer_commit(um_writer *w, um_error *err);
void um_writer_abandon(um_writer *w); /* safe after commit, and on a zeroed struct */
/* Writes a file that nobody relies on yet: under its own name, and not flushed to disk. Where it fails the file is removed. */
int um_file_put(const char *path, const void *data, size_t size, um_error *err);
/* What was written of a file is on the disk when this returns; that it has this name, when its folder is, too. */
int um_file_sync(const char *path, um_error *err);
void um_folder_sync(const char *folder);
/* Removes from a folder the temporary files of processes that were killed while they wrote. */
void um_writer_sweep(const char *folder);

int um_mkdirs(const char *path, um_error *err); /* like mkdir -p */
bool um_is_folder(const char *path);
bool um_is_file(const char *path);
/* "dir/name" into out; UM_EIO where it does not fit. */
int um_path_join(char *out, size_t size, const char *dir, const char *name, um_error *err);

/* SHA-256 (FIPS 180-4) and MD5 (RFC 1321: only to compare with published checksums) of a file, as lower-case hex. */
int um_sha256_file(char hex[65], const char *path, um_error *err);
int um_md5_file(char hex[33], const char *path, um_error *err);
void um_sha256(uint8_t digest[32], const void *data, size_t size);

/* The same by parts. */
typedef struct um_digest {
  uint32_t h[8];
  uint64_t bytes;
  uint8_t block[64];
  void (*compress)(uint32_t *h, const uint8_t *block);
} um_digest;
void um_sha256_begin(um_digest *d);
void um_digest_add(um_digest *d, const void *data, size_t size);
void um_sha256_end(um_digest *d, char hex[65]);

/* CRC-32C (Castagnoli; RFC 3720, appendix B.4). */
uint32_t um_crc32c(const void *data, size_t size);

double um_seconds(void); /* monotonic clock */

#endif
