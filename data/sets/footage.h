/* What files' names say about the original footage: the one place for facts about names. */
#ifndef UM_DATA_SETS_FOOTAGE_H
#define UM_DATA_SETS_FOOTAGE_H

#include <stdbool.h>

/* FaceForensics++ has 1000 original videos in 500 pairs, in each of which either face was put on the other's video; its makers'
 * split keeps pairs together. */
int um_ffpp_partner(int video);      /* -1 where the number is none of them */
const char *um_ffpp_part(int video); /* "train", "val" or "test" by the makers' split; "" likewise */

/* A fake is called TARGET_SOURCE and a real one TARGET, three digits each, after the method or "youtube" where several are put together. False
 * where the name is not such. *source is -1 for a real one. */
bool um_ffpp_name(const char *stem, int *target, int *source);

/* The group of a pair: "ffpp_" and its smaller number. */
void um_ffpp_group(char group[16], int video);

/* The group that a file's name (without ending) tells: the pair's for names of FaceForensics++, else `otherwise`. malloc'd; NULL: no memory. */
char *um_footage_group(const char *stem, const char *otherwise);

#endif
