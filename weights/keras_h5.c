/* Keras' HDF5 files (keras/src/legacy/saving/legacy_h5_format.py and its forebears from Keras 1.2 on). A group with the attribute
 * layer_names: the root of a weights file, /model_weights of a saved model. Each name is a group below it with the attribute
 * weight_names; each of those is a path below the group to a dataset. Names of weights changed with every generation:
 *   Keras 1    block1_conv1/block1_conv1_W_1:0
 *   Keras 2    block1_conv1/block1_conv1/kernel:0        (again _1 where a session had built the layer before)
 *   Keras 3    block1_conv1/block1_conv1/kernel
 *   a model inside a model   vgg16/block1_conv1/kernel:0  (layer_names has vgg16 alone)
 * so only the attributes are followed, and a weight's name is taken apart from its end. Files without layer_names may be Keras 3's store
 * (keras_store.c). */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/keras.h"

bool um_keras_cut_number(char *text) {
  size_t n = strlen(text), digits = 0;
  while (digits < n && isdigit((unsigned char)text[n - 1 - digits])) digits++;
  if (digits == 0 || digits + 1 >= n || text[n - 1 - digits] != '_') return false;
  text[n - 1 - digits] = 0;
  return true;
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n > m && strcmp(text + n - m, end) == 0;
}

/* A layer of the model that asks, or of the one in the file. */
static bool known(const um_keras_file *k, const um_graph *graph, const char *layer) {
  return (graph && um_graph_find(graph, layer) >= 0) || (k->has_config && um_keras_config_find(&k->config, layer) >= 0);
}

/* What our model calls the weight `weight` of the layer `layer`, into name. */
static void model_name(char *name, size_t size, const um_keras_file *k, const um_graph *graph, const char *layer, const char *weight) {
  char text[1024], *leaf, *owner = NULL;
  snprintf(text, sizeof text, "%s", weight);
  char *colon = strrchr(text, ':');
  if (colon && isdigit((unsigned char)colon[1])) *colon = 0;
  if ((leaf = strrchr(text, '/'))) {
    *leaf++ = 0;
    owner = strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
  } else {
    leaf = text;
  }
  um_keras_cut_number(leaf);
  if (ends_with(leaf, "_W") || ends_with(leaf, "_b")) { /* Keras 1: LAYER_W, LAYER_b */
    bool kernel = ends_with(leaf, "_W");
    leaf[strlen(leaf) - 2] = 0;
    if (!owner) owner = leaf;
    leaf = kernel ? "kernel" : "bias";
  }
  if (!known(k, graph, layer) && owner && strcmp(owner, layer) != 0) {
    if (known(k, graph, owner)) {
      layer = owner;
    } else {
      char stem[sizeof text];
      snprintf(stem, sizeof stem, "%s", owner);
      if (um_keras_cut_number(stem) && known(k, graph, stem)) {
        snprintf(name, size, "%s/%s", stem, leaf);
        return;
      }
      snprintf(name, size, "%s/%s/%s", layer, owner, leaf);
      return;
    }
  }
  snprintf(name, size, "%s/%s", layer, leaf);
}

static int list_layer(um_weight_source *s, const um_graph *graph, const char *layer, um_error *err) {
  um_keras_file *k = s->handle;
  um_h5_strings names = {0};
  hid_t group = -1, dataset = -1;
  char where[1300], name[2100], from[2100];
  int code = um_h5_open(&group, k->weights, layer, s->path, err);
  if (code) return code;
  snprintf(where, sizeof where, "%.600s: layer %.600s", s->path, layer);
  if (H5Iget_type(group) != H5I_GROUP) {
    code = um_fail(err, UM_EFORMAT, "%s: expected a group", where);
    goto done;
  }
  if ((code = um_h5_read_strings(&names, group, "weight_names", where, err))) goto done;
  for (int i = 0; i < names.count; i++) {
    model_name(name, sizeof name, k, graph, layer, names.text[i]);
    snprintf(from, sizeof from, "%.1000s/%.1000s", layer, names.text[i]);
    um_weight_item *item = um_weight_source_add(s, name, from);
    if (!item) {
      code = um_fail(err, UM_ENOMEM, "%s: no memory for its list of tensors", where);
      goto done;
    }
    if ((code = um_h5_open(&dataset, group, names.text[i], where, err))) goto done;
    snprintf(where, sizeof where, "%.300s: %.900s", s->path, from);
    code = um_h5_shape(dataset, &item->ndim, item->dim, UM_WEIGHT_MAX_DIMS, where, err);
    if (!code) um_h5_dtype(item->dtype, sizeof item->dtype, dataset);
    H5Oclose(dataset);
    if (code) goto done;
  }
done:
  um_h5_strings_free(&names);
  H5Oclose(group);
  return code;
}

/* One string attribute of the file or the weights group, "" where there is none. */
static void attribute_text(char *text, size_t size, const um_keras_file *k, const char *name) {
  um_h5_strings s = {0};
  text[0] = 0;
  if (um_h5_read_strings(&s, k->weights, name, "", NULL) && um_h5_read_strings(&s, k->file, name, "", NULL)) return;
  if (s.count > 0) snprintf(text, size, "%s", s.text[0]);
  um_h5_strings_free(&s);
}

/* The config in the file, where it has one. */
static int read_config(um_weight_source *s, um_error *err) {
  um_keras_file *k = s->handle;
  um_h5_strings config = {0};
  int code = UM_OK;
  if (k->has_config || !um_h5_has(k->file, "model_config") || um_h5_read_strings(&config, k->file, "model_config", s->path, NULL))
    return UM_OK;
  if (config.count == 1) {
    k->has_config = true;
    code = um_keras_config_read(&k->config, config.text[0], err);
  }
  um_h5_strings_free(&config);
  return code;
}

/* What would load without complaint and mean something else. */
static int check_meaning(um_weight_source *s, um_error *err) {
  um_keras_file *k = s->handle;
  char backend[64], version[64];
  attribute_text(backend, sizeof backend, k, "backend");
  attribute_text(version, sizeof version, k, "keras_version");
  if (strcmp(backend, "theano") == 0)
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: written by Keras on Theano, whose kernels are flipped; load and save it with Keras on TensorFlow", s->path);
  if (k->has_config && k->config.channels_first)
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: its model is channels_first, so that Flatten orders values otherwise than here; expected channels_last", s->path);
  if (!s->kind[0]) snprintf(s->kind, sizeof s->kind, "Keras HDF5%s%s", version[0] ? ", keras " : "", version);
  return UM_OK;
}

/* The group that has layer_names. */
static int find_weights(um_weight_source *s, um_error *err) {
  um_keras_file *k = s->handle;
  if (um_h5_has(k->file, "layer_names")) {
    k->weights = H5Oopen(k->file, "/", H5P_DEFAULT);
    return k->weights >= 0 ? UM_OK : um_fail(err, UM_EFORMAT, "%s: its root group cannot be opened", s->path);
  }
  if (H5Lexists(k->file, "model_weights", H5P_DEFAULT) > 0) {
    int code = um_h5_open(&k->weights, k->file, "model_weights", s->path, err);
    if (code) return code;
    if (H5Iget_type(k->weights) == H5I_GROUP && um_h5_has(k->weights, "layer_names")) return UM_OK;
    return um_fail(err, UM_EFORMAT, "%s: model_weights has no attribute layer_names: not a model saved by Keras", s->path);
  }
  return um_fail(err, UM_EFORMAT, "%s: an HDF5 file, but not one of Keras: neither layer_names, model_weights nor layers", s->path);
}

int um_keras_list(um_weight_source *s, const um_graph *graph, um_error *err) {
  um_keras_file *k = s->handle;
  um_h5_strings layers = {0};
  int code = read_config(s, err);
  if (code) return code;
  if (um_keras_is_store(k)) {
    if ((code = check_meaning(s, err)) || (code = um_keras_store_list(s, graph, err))) return code;
  } else {
    if ((code = find_weights(s, err)) || (code = check_meaning(s, err))) return code;
    if ((code = um_h5_read_strings(&layers, k->weights, "layer_names", s->path, err))) return code;
    for (int i = 0; i < layers.count && !code; i++) code = list_layer(s, graph, layers.text[i], err);
    um_h5_strings_free(&layers);
  }
  if (!code) code = um_keras_finish(s, graph, err);
  if (!code && k->has_config) s->model = um_keras_model;
  return code;
}

static void close_file(um_weight_source *s) {
  um_keras_file *k = s->handle;
  if (k->weights >= 0) H5Oclose(k->weights);
  if (k->file >= 0) H5Fclose(k->file);
  H5Eset_auto2(H5E_DEFAULT, k->print, k->print_context);
  um_keras_config_free(&k->config);
  free(k->metadata);
  free(k->item);
  free(k);
}

int um_keras_begin(um_weight_source *s, const char *path, um_error *err) {
  *s = (um_weight_source){.path = path, .read = um_keras_read_item, .close = close_file};
  um_keras_file *k = s->handle = malloc(sizeof *k);
  if (!k) return um_fail(err, UM_ENOMEM, "%s: no memory to open it", path);
  *k = (um_keras_file){.file = -1, .weights = -1};
  /* HDF5 prints its error stack by itself; ours is the message that the user sees. */
  H5Eget_auto2(H5E_DEFAULT, &k->print, &k->print_context);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  return UM_OK;
}

int um_keras_h5_open(um_weight_source *s, const char *path, const um_graph *graph, um_error *err) {
  char why[256];
  struct stat st;
  int code = um_keras_begin(s, path, err);
  if (code) return code;
  um_keras_file *k = s->handle;
  if (stat(path, &st) == 0) k->size = (uint64_t)st.st_size;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(access, false, true); /* a folder that cannot be locked (NFS, read-only) can still be read */
#endif
  k->file = H5Fopen(path, H5F_ACC_RDONLY, access);
  if (access >= 0) H5Pclose(access);
  if (k->file < 0)
    code = um_fail(err, UM_EFORMAT, "%s: not readable as HDF5: %s; fetch or copy the file again", path, um_h5_reason(why, sizeof why));
  else
    code = um_keras_list(s, graph, err);
  if (code) um_weight_source_close(s);
  return code;
}
