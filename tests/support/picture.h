/* A picture from a formula in integers, the same as tests/golden/container.py makes. */
#ifndef UM_TESTS_SUPPORT_PICTURE_H
#define UM_TESTS_SUPPORT_PICTURE_H

#include <stdint.h>

void test_picture(uint8_t *rgb, int height, int width); /* height x width x 3 */

#endif
