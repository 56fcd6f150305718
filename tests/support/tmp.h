/* Temporary folders of tests: in a folder of the program's own below $UM_TMP where tests/run.sh set it, else a folder of this process in /tmp. */
#ifndef UM_TESTS_SUPPORT_TMP_H
#define UM_TESTS_SUPPORT_TMP_H

/* "TMP/name", the folders above it made; valid until 16 more calls. */
const char *tmp_path(const char *name);

/* Writes a file, failing the program where that does not work. */
void tmp_write(const char *path, const void *data, unsigned long size);

/* How many files and folders lie in a folder, hidden ones left out. */
int files_in(const char *folder);

#endif
