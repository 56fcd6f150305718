/* From items to minibatches: worker threads decode into fixed slots of free batches; batches come out in order. Nothing is
 * allocated after open (but for what decoding and resizing need); the result does not depend on the number of workers. */
#ifndef UM_DATA_LOADER_H
#define UM_DATA_LOADER_H

#include "data/dataset.h"
#include "data/image.h"
#include "data/transform.h"

typedef struct um_loader um_loader;

typedef struct um_batch {
  uint8_t *pixels;        /* n x H x W x 3, RGB */
  float *label;           /* n: 0 or 1 */
  float *weight;          /* n: of the sample in the loss */
  um_warp_sample *sample; /* n: affine and flips */
  int *item;              /* n: index into the dataset */
  int n;                  /* samples; may be short of the batch size, and 0 where all of its pictures were unreadable */
  int epoch, index;       /* which batch of which epoch */
} um_batch;

/* Where pixels are kept: memory that a device can copy from by itself, say. alloc NULL: malloc. */
typedef struct um_loader_memory {
  void *(*alloc)(void *context, size_t bytes);
  void (*free)(void *context, void *p);
  void *context;
} um_loader_memory;

/* Another source of pixels than files: the picture of an item, into im, which is {0} or an earlier one. Called by all workers at once, each with
 * an im of its own; never with a blend, but with its origin. A negative status leaves the item out. */
typedef int (*um_loader_read)(void *context, int item, um_image *im, um_error *err);

typedef struct um_loader_options {
  int batch_size, height, width;
  um_interpolation interpolation;
  bool shuffle; /* order of an epoch: um_rng_shuffle at (SHUFFLE, epoch) */
  /* An epoch has as many draws of each class as the largest class has items: the items of a smaller one come again, in rounds, each in an order
   * of its own (SHUFFLE, epoch, 1 + 16 round + class) and with draws of its own. */
  bool balanced;
  const float *class_weight;                  /* um_batch.weight by class, one for each of the dataset's; NULL: 1 */
  const um_augmentation_config *augmentation; /* NULL: none; a blend is then the same in every epoch */
  um_loader_read read;                        /* NULL: files */
  void *read_context;
  uint64_t seed;
  int workers;                  /* 0: auto (cores, at most 8) */
  int batches;                  /* bound on batches in flight; 0: 4 */
  int64_t cache_bytes;          /* resized pictures kept in memory, up to this */
  int first_epoch, first_batch; /* where to begin (resume) */
  int epochs;                   /* where to stop; 0: never */
  um_loader_memory memory;
} um_loader_options;

typedef struct um_loader_stats {
  double wait_seconds; /* that um_loader_next waited */
  int64_t decoded, cached;
  int64_t blended, guessed; /* self-blended pictures made; those of them whose face's points were unknown (um_blend) */
  int skipped;              /* distinct items that could not be read: left out of their batches */
} um_loader_stats;

int um_loader_open(um_loader **out, const um_dataset *d, const um_loader_options *o, um_error *err);
int um_loader_batches(const um_loader *l); /* of an epoch: ceil(draws / batch), draws being the items where not balanced */
/* The next batch in order, waiting for it; NULL in *b after the last epoch. It stays the caller's until um_loader_return. */
int um_loader_next(um_loader *l, um_batch **b, um_error *err);
void um_loader_return(um_loader *l, um_batch *b);
void um_loader_stats_of(um_loader *l, um_loader_stats *s);
/* The i-th skipped item: its index in the dataset and the reason. */
const char *um_loader_skipped(um_loader *l, int i, int *item);
void um_loader_close(um_loader *l); /* joins the workers, whatever they are doing */

#endif
