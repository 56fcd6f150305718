/* manifest.csv: the footage that each picture comes from, and where the face's points are. */
#ifndef UM_DATA_MANIFEST_H
#define UM_DATA_MANIFEST_H

#include "data/dataset.h"

/* Gives items of d, walked from dir, what dir's manifest.csv, or that of the folder above, says: the group, and where there are such
 * columns points, part, video and track. Nothing happens where there is none, or where the one above names none of the items. */
int um_manifest_apply(um_dataset *d, const char *dir, um_error *err);
/* item.by of those that the manifest names becomes their value of a column; UM_ECONFIG where there is no manifest or no such column. */
int um_manifest_column(um_dataset *d, const char *dir, const char *column, um_error *err);

#endif
