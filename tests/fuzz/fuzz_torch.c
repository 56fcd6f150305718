/* State dicts of torch.save, zip and legacy. */
#include "tests/fuzz/weights_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return weights_all(data, size, um_torch_open); }
