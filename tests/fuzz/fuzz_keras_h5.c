/* Keras' HDF5 files: notop, full .h5, .weights.h5. */
#include "tests/fuzz/keras_apart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return keras_apart(data, size, um_keras_h5_open); }
