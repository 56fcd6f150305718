/* manifest.csv: the footage that each picture comes from, and where the face's points are. */
#ifndef UM_DATA_MANIFEST_H
#define UM_DATA_MANIFEST_H

#include "data/dataset.h"

/* Gives items of d, walked from dir, the groups, and the points where there is such a column, that dir's manifest.csv, or that of the folder above, names. Nothing happens where there
 * is none, or where the one above names none of the items. */
int um_manifest_apply(um_dataset *d, const char *dir, um_error *err);

#endif
