/* Damaged copies of a good file, for tests of readers: cut at every 1 % of its length, and each of some bytes changed. */
#ifndef UM_TESTS_SUPPORT_DAMAGE_H
#define UM_TESTS_SUPPORT_DAMAGE_H

#include <stddef.h>

/* Gives the path of each damaged copy (a file in memory) to `reader`, which must not crash and returns a status. At a failure it must
 * have set a message; a cut file must fail. header: bytes from the start that are changed, with 0x01, 0x80 and 0xff, one at a time; tail: the
 * same from the end. Returns how many of the copies were read without an error (changed bytes need not matter). */
int damage_all(const char *good, size_t header, size_t tail, int (*reader)(const char *path, char message[1024]));

#endif
