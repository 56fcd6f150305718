/* A small folder of pictures, and a loader on it, for the tests of the loader. */
#ifndef UM_TESTS_SUPPORT_LOADER_FIXTURE_H
#define UM_TESTS_SUPPORT_LOADER_FIXTURE_H

#include "data/loader.h"

enum { PICTURES = 23, H = 20, W = 26, PIXELS = H * W * 3 };

extern um_dataset dataset;
extern const um_augmentation_config recipe;

/* As cmocka's set-up and tear-down: 8 fakes and 15 reals of many sizes, some of them of the target's, in tmp_path("loader"). */
int make_dataset(void **state);
int free_dataset(void **state);

um_loader_options options(void);  /* batches of 5, two workers, an epoch */
um_loader_options training(void); /* shuffled, with the recipe's transform, four epochs */
um_loader *open_loader(const um_dataset *d, const um_loader_options *o);
um_batch *next(um_loader *l);
/* All that a run gives out from a place on, as one hash a batch (FNV-1a); how many batches. */
int trace(uint64_t *hash, int room, const um_dataset *d, const um_loader_options *o);

#endif
