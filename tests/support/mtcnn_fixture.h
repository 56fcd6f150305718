/* The networks of MTCNN with weights from a formula, as tests/golden/mtcnn.py makes them, and the numbers that it wrote. */
#ifndef UM_TESTS_SUPPORT_MTCNN_FIXTURE_H
#define UM_TESTS_SUPPORT_MTCNN_FIXTURE_H

#include "faces/mtcnn.h"

/* For cmocka_run_group_tests: before the tests files of all three networks in a temporary folder, UM_MANIFEST and UM_WEIGHTS that lead to them, and
 * what is in them; the program fails where that does not work. After the tests it is freed. */
extern um_mtcnn_weights mtcnn_weights[UM_MTCNN_NETS];
int mtcnn_setup(void **state);
int mtcnn_teardown(void **state);

/* The numbers of a line of a golden file, "name count numbers"; *count gets how many. malloc'd; the program fails where there is none. */
double *mtcnn_golden(const char *path, const char *name, int *count);

/* |got - want| <= tolerance everywhere; else the program fails, saying where. */
void mtcnn_near(const char *what, const float *got, const double *want, int count, double tolerance);
/* What a detector found, largest first, against a line of golden numbers: 15 a face (corners, score, points). Prints nothing where all
 * is well; returns the largest distance in pixels, *score the largest difference of scores. */
double mtcnn_same_faces(const char *what, const um_found *found, const double *want, int count, double *score);

/* The checks that every backend must pass: networks against golden numbers, and the whole search; pictures together as one by one. */
void mtcnn_check_networks(um_backend *be);
/* be NULL: the detector's own. small: the smaller picture alone. */
void mtcnn_check_search(um_backend *be, bool small);

#endif
