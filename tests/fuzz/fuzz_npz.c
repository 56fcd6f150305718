/* numpy's .npz and .npy. */
#include "tests/fuzz/weights_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return weights_all(data, size, um_npz_open); }
