/* Keras 3's .keras (keras/src/saving/saving_lib.py): a zip of metadata.json, config.json and model.weights.h5, which is read from memory.
 * To be run by weights/apart.c, as everything that reads HDF5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/keras.h"
#include "weights/zip.h"

enum { MAX_METADATA = 1 << 20 };

/* An entry of text, malloc'd, with a zero after it. */
static int take_text(char **out, um_zip *z, const char *name, uint64_t max, const char *path, um_error *err) {
  um_zip_bytes bytes = {0};
  const int index = um_zip_find(z, name);
  *out = NULL;
  if (index < 0) return um_fail(err, UM_EFORMAT, "%s: a zip file without %s: not a model saved by Keras", path, name);
  int status = um_zip_get(&bytes, z, index, max, err);
  if (status) return status;
  if (!(*out = malloc(bytes.size + 1)))
    status = um_fail(err, UM_ENOMEM, "%s: no memory for %s", path, name);
  else
    memcpy(*out, bytes.data, bytes.size), (*out)[bytes.size] = 0;
  um_zip_drop(&bytes);
  return status;
}

/* HDF5 on bytes in memory, which it copies. */
static int open_image(um_keras_file *k, um_zip_bytes *bytes, const char *path, um_error *err) {
  char why[256];
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  k->size = bytes->size;
  if (access >= 0 && bytes->size > 0 && H5Pset_fapl_core(access, 1 << 16, false) >= 0 &&
      H5Pset_file_image(access, (void *)(uintptr_t)bytes->data, bytes->size) >= 0)
    k->file = H5Fopen("model.weights.h5", H5F_ACC_RDONLY, access);
  if (access >= 0) H5Pclose(access);
  if (k->file >= 0) return UM_OK;
  return um_fail(err, UM_EFORMAT, "%s: model.weights.h5 in it is not readable as HDF5: %s; fetch or copy the file again", path,
                 um_h5_reason(why, sizeof why));
}

static void take_version(um_weight_source *s, const um_keras_file *k) {
  char version[32] = "";
  const char *at = strstr(k->metadata, "\"keras_version\"");
  if (at && (at = strchr(at, ':')) && (at = strchr(at, '"')))
    snprintf(version, sizeof version, "%.*s", (int)strspn(at + 1, "0123456789.abcdevr"), at + 1);
  snprintf(s->kind, sizeof s->kind, "Keras .keras%s%s", version[0] ? ", keras " : "", version);
}

int um_keras_zip_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err) {
  um_zip *z = NULL;
  um_zip_bytes bytes = {0};
  struct stat st;
  char *config = NULL;
  int index, status = um_keras_begin(s, path, err);
  if (status) return status;
  um_keras_file *k = s->handle;
  if ((status = um_zip_open(&z, path, err))) goto done;
  if ((status = take_text(&config, z, "config.json", UM_KERAS_CONFIG_MAX, path, err))) goto done;
  if ((status = take_text(&k->metadata, z, "metadata.json", MAX_METADATA, path, err))) goto done;
  take_version(s, k);
  k->has_config = true;
  if ((status = um_keras_config_read(&k->config, config, err))) goto done;
  if ((index = um_zip_find(z, "model.weights.h5")) < 0) {
    status =
        um_fail(err, UM_EUNSUPPORTED, "%s: without model.weights.h5: its weights are in another form; save it with Keras' default", path);
    goto done;
  }
  /* Keras stores; someone may have packed it again, but weights do not pack well. */
  const uint64_t size = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
  if ((status = um_zip_get(&bytes, z, index, 32 * size + (16 << 20), err))) goto done;
  status = open_image(k, &bytes, path, err);
  um_zip_drop(&bytes);
  if (!status) status = um_keras_list(s, graph, err);
done:
  um_zip_drop(&bytes);
  um_zip_close(z);
  free(config);
  if (status) um_weight_source_close(s);
  return status;
}
