/* A picture from a formula in integers, the same as tests/golden/container.py makes. */
#ifndef UM_TESTS_SUPPORT_PICTURE_H
#define UM_TESTS_SUPPORT_PICTURE_H

#include <stdint.h>

#include "data/image.h"

void test_picture(uint8_t *rgb, int height, int width); /* height x width x 3 */

/* Waves of all directions whose strength falls with their frequency, as in photographs; another picture for each `which`. Fails the test
 * without memory. */
void test_photo(um_image *im, int width, int height, uint32_t which);

#endif
