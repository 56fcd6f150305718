/* Keras 3's .keras: a zip with HDF5 inside. */
#include "tests/fuzz/keras_apart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return keras_apart(data, size, um_keras_zip_open); }
