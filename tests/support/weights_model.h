/* The small model of tests/golden/weights/ (keras_weights.py, torch_files.py, npz_files.py), for tests of readers and writers. */
#ifndef UM_TESTS_SUPPORT_WEIGHTS_MODEL_H
#define UM_TESTS_SUPPORT_WEIGHTS_MODEL_H

#include "weights/model_data.h"

#define OK(call)                                                                                                                           \
  do {                                                                                                                                     \
    um_error failure_ = {0}, *err = &failure_;                                                                                             \
    if ((call) < 0) fail_msg("%s: %s", #call, failure_.text);                                                                              \
  } while (0)

extern um_graph weights_model_graph; /* between build and drop, which are a group's set-up and tear-down */
int weights_model_build(void **state);
int weights_model_drop(void **state);

/* Value i of parameter p. */
float weights_model_value(int p, uint32_t i);

/* Reads the whole model from a file and fails where a value is another; parameter `rounded` (-1: none) is to the nearest bf16. */
void weights_model_check(const char *path, int rounded, const char *kind);

/* The model with awkward values (bits of all kinds, none of them infinite or NaN) and settings, exported and read back without its graph being given:
 * everything must be the same, bit by bit; and the same model makes the same file. */
void weights_model_round_trip(um_exporter *export_model, const char *name, const char *kind);

/* Opens a file and reads every tensor of up to 512 values. */
int weights_model_read_all(um_weight_open *open_file, const char *path, char message[1024]);
/* The same for damage_all. */
int weights_model_read_npz(const char *path, char message[1024]);
int weights_model_read_torch(const char *path, char message[1024]);

#endif
