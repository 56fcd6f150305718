/* What the parts of the footage share. */
#ifndef UM_FACES_FOOTAGE_INTERNAL_H
#define UM_FACES_FOOTAGE_INTERNAL_H

#include <pthread.h>

#include "faces/footage.h"

/* A face and where its picture lies in the pack. */
typedef struct entry {
  um_footage_face face;
  int64_t offset, bytes;
} entry;

/* Faces of one video, in the order of frames. */
typedef struct list {
  entry *item;
  int count, capacity;
} list;
void um_footage_list_free(list *l);
int um_footage_list_add(list *l, const entry *e, um_error *err);
/* footage_list.c: KEY.csv. Reading trusts nothing. */
int um_footage_list_read(list *l, const char *path, um_error *err);
int um_footage_list_write(const list *l, const char *path, um_error *err);

/* A video. */
typedef struct clip {
  char key[41];
  list list;
  int first;     /* of its faces, over all videos */
  char *skipped; /* why it has none; NULL: it has some */
  bool there;    /* its pack is */
  bool making;   /* a thread makes it */
  int readers;   /* threads that read it */
  int64_t bytes; /* of its pack */
  uint64_t used; /* when it was read last, in um_footage.clock's counts */
} clip;

struct um_footage {
  um_footage_options o;
  const um_sources *sources;
  um_face_finder *finder; /* while lists are made */
  clip *clip;             /* by source */
  int *clip_of;           /* by face */
  int faces;

  pthread_mutex_t lock;
  pthread_cond_t made;
  int next, done; /* while lists are made */
  int64_t so_far;
  uint64_t clock;
  int64_t bytes;   /* of this dataset's packs that are there */
  int64_t foreign; /* of other packs in the folder */
  um_footage_stats stats;
  bool failed;
  um_error error;
};

/* "cache_dir/KEY.ENDING". */
int um_footage_path(char path[4096], const um_footage *f, const clip *c, const char *ending, um_error *err);
/* footage_pack.c: makes room for `more` bytes: packs of others first, the oldest, then our own that nobody reads, the longest unread. Lock held. */
void um_footage_make_room(um_footage *f, int64_t more);
/* Looks what lies in the folder. */
void um_footage_survey(um_footage *f);
/* The pack of a clip again from its list, by decoding its video. */
int um_footage_make_pack(um_footage *f, int source, um_error *err);

#endif
