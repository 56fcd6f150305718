/* Models for Keras: the legacy .h5 that Keras 2 and 3 load (keras/src/legacy/saving/legacy_h5_format.py), and Keras 3's .keras
 * (keras/src/saving/saving_lib.py). Both carry what unmask says of a model in places that Keras does not look at: attributes of the file,
 * keys of metadata.json. No date goes in: equal models make equal files. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/h5_util.h"
#include "weights/keras_layers.h"
#include "weights/zip.h"

#define KERAS_VERSION "3.8.0" /* whose layout this is */

enum { ATTRIBUTE_MAX = 64512 }; /* bytes; what is longer is split, as Keras does */

/* An HDF5 file being written. The first failure is kept; nothing is done after it. */
typedef struct h5_out {
  hid_t file;
  bool failed;
  char why[256];
  H5E_auto2_t print;
  void *print_context;
} h5_out;

static bool good(h5_out *f, bool ok) {
  if (!ok && !f->failed) {
    f->failed = true;
    um_h5_reason(f->why, sizeof f->why);
  }
  return !f->failed;
}

static void begin(h5_out *f) {
  *f = (h5_out){.file = -1};
  H5Eget_auto2(H5E_DEFAULT, &f->print, &f->print_context);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void end(h5_out *f) {
  if (f->file >= 0) good(f, H5Fclose(f->file) >= 0);
  f->file = -1;
  H5Eset_auto2(H5E_DEFAULT, f->print, f->print_context);
}

/* A group at a path, and those above it. */
static hid_t make_group(h5_out *f, hid_t at, const char *path) {
  hid_t links = H5Pcreate(H5P_LINK_CREATE), group = -1;
  if (good(f, links >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0)) {
    group = H5Gcreate2(at, path, links, H5P_DEFAULT, H5P_DEFAULT);
    good(f, group >= 0);
  }
  if (links >= 0) H5Pclose(links);
  return group;
}

/* A text of variable length, as h5py writes a str. */
static void put_text(h5_out *f, hid_t object, const char *name, const char *text) {
  if (f->failed) return;
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  hid_t attribute = -1;
  if (good(f, type >= 0 && space >= 0 && H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0) &&
      good(f, (attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0))
    good(f, H5Awrite(attribute, type, &text) >= 0);
  if (attribute >= 0) H5Aclose(attribute);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
}

/* n texts of `size` bytes each, padded with zeros, as h5py writes an array of bytes. */
static void put_fixed(h5_out *f, hid_t object, const char *name, const char *texts, size_t size, int n) {
  const hsize_t extent = (hsize_t)n;
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &extent, NULL);
  hid_t attribute = -1;
  if (good(f, type >= 0 && space >= 0 && H5Tset_size(type, size) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0) &&
      good(f, (attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0) && n > 0)
    good(f, H5Awrite(attribute, type, texts) >= 0);
  if (attribute >= 0) H5Aclose(attribute);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
}

/* A list of names; in parts name0, name1, ... where it is too long for one attribute. */
static void put_names(h5_out *f, hid_t object, const char *name, const char *const *text, int n) {
  size_t size = 1;
  for (int i = 0; i < n; i++)
    if (strlen(text[i]) > size) size = strlen(text[i]);
  char *all = calloc((size_t)n + 1, size), part[64];
  if (!good(f, all != NULL)) return;
  for (int i = 0; i < n; i++) memcpy(all + (size_t)i * size, text[i], strlen(text[i]));
  const int room = (int)(ATTRIBUTE_MAX / size);
  if (n <= room) put_fixed(f, object, name, all, size, n);
  for (int first = 0, k = 0; n > room && first < n; first += room, k++) {
    snprintf(part, sizeof part, "%s%d", name, k);
    put_fixed(f, object, part, all + (size_t)first * size, size, n - first < room ? n - first : room);
  }
  free(all);
}

/* A dataset at a path below `at`, and the groups above it. No time of writing. */
static void put_tensor(h5_out *f, hid_t at, const char *path, const um_tensor *t) {
  hsize_t extent[UM_MAX_DIMS];
  if (f->failed) return;
  for (int i = 0; i < t->ndim; i++) extent[i] = (hsize_t)t->dim[i];
  const hid_t links = H5Pcreate(H5P_LINK_CREATE), how = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(t->ndim, extent, NULL);
  hid_t set = -1;
  if (good(f, links >= 0 && how >= 0 && space >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0 &&
                  H5Pset_obj_track_times(how, false) >= 0) &&
      good(f, (set = H5Dcreate2(at, path, H5T_IEEE_F32LE, space, links, how, H5P_DEFAULT)) >= 0))
    good(f, H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, t->data) >= 0);
  if (set >= 0) H5Dclose(set);
  if (space >= 0) H5Sclose(space);
  if (how >= 0) H5Pclose(how);
  if (links >= 0) H5Pclose(links);
}

/* Weight i of a layer as Keras has it: an alpha over pictures is 1 x 1 x C. */
static um_tensor weight_of(const um_keras_out *l, const um_model_data *d, int i) {
  um_tensor t = d->tensor[l->weight[i]];
  if (strcmp(l->word[i], "alpha") == 0 && l->ndim == 3) {
    t.dim[2] = t.dim[0], t.dim[0] = t.dim[1] = 1;
    t.ndim = 3;
  }
  return t;
}

static int weights_of(const um_keras_out *l) { return (l->weight[0] >= 0) + (l->weight[1] >= 0); }

static int finish(h5_out *f, const char *path, um_error *err) {
  end(f);
  return f->failed ? um_fail(err, UM_EIO, "%s: cannot be written: %s", path, f->why) : UM_OK;
}

/* ---- .h5 ---- */

/* A layer's group: the list of its weights, and where it says they are: LAYER/kernel:0. */
static void put_layer(h5_out *f, hid_t weights, const um_keras_out *l, const um_model_data *d) {
  char text[2][UM_NAME_MAX + 32];
  const char *const names[2] = {text[0], text[1]};
  const hid_t group = make_group(f, weights, l->name);
  const int n = weights_of(l);
  if (group < 0) return;
  for (int i = 0; i < n; i++) snprintf(text[i], sizeof text[i], "%s/%s:0", l->name, l->word[i]);
  put_names(f, group, "weight_names", names, n);
  for (int i = 0; i < n; i++) {
    const um_tensor t = weight_of(l, d, i);
    put_tensor(f, group, text[i], &t);
  }
  H5Gclose(group);
}

static void put_model(h5_out *f, const um_keras_layers *k, const um_model_data *d) {
  const char **names = malloc(sizeof *names * (size_t)k->count);
  const hid_t weights = make_group(f, f->file, "model_weights");
  if (good(f, names != NULL) && weights >= 0) {
    for (int i = 0; i < k->count; i++) names[i] = k->layer[i].name;
    put_names(f, weights, "layer_names", names, k->count);
    put_text(f, weights, "backend", "tensorflow");
    put_text(f, weights, "keras_version", KERAS_VERSION);
    for (int i = 0; i < k->count && !f->failed; i++) put_layer(f, weights, &k->layer[i], d);
  }
  if (weights >= 0) H5Gclose(weights);
  free(names);
}

int um_export_keras_h5(const um_model_data *d, const um_export_options *o, const char *path, um_error *err) {
  um_keras_layers k = {0};
  char *config = NULL, **metadata = NULL;
  h5_out f;
  (void)o;
  int status = um_keras_layers_make(&k, d, err);
  if (status) return um_fail_context(err, "%s", path);
  if (!(config = um_keras_layers_config(&k, false))) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for its config", path);
    goto done;
  }
  if (!(metadata = um_model_metadata(d, err))) {
    status = UM_ENOMEM;
    goto done;
  }
  begin(&f);
  if (good(&f, (f.file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) >= 0)) {
    put_text(&f, f.file, "backend", "tensorflow");
    put_text(&f, f.file, "keras_version", KERAS_VERSION);
    put_text(&f, f.file, "model_config", config);
    for (int i = 0; metadata[i]; i += 2) put_text(&f, f.file, metadata[i], metadata[i + 1]);
    put_model(&f, &k, d);
  }
  status = finish(&f, path, err);
done:
  free(metadata);
  free(config);
  um_keras_layers_free(&k);
  return status;
}

/* ---- .keras ---- */

/* Keras 3's store of variables, as the bytes of an HDF5 file; malloc'd. */
static int make_store(char **image, size_t *size, const um_keras_layers *k, const um_model_data *d, const char *path, um_error *err) {
  h5_out f;
  *image = NULL;
  begin(&f);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (good(&f, access >= 0 && H5Pset_fapl_core(access, 1 << 20, false) >= 0) &&
      good(&f, (f.file = H5Fcreate("model.weights.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access)) >= 0)) {
    const hid_t root = make_group(&f, f.file, "vars");
    if (root >= 0) put_text(&f, root, "name", "unmask");
    if (root >= 0) H5Gclose(root);
    for (int i = 0; i < k->count && !f.failed; i++) {
      const um_keras_out *l = &k->layer[i];
      char at[128], number[16] = "";
      if (l->number) snprintf(number, sizeof number, "_%d", l->number);
      snprintf(at, sizeof at, "layers/%s%s/vars", l->store, number);
      const hid_t vars = make_group(&f, f.file, at);
      if (vars < 0) break;
      put_text(&f, vars, "name", l->name);
      for (int w = 0; w < weights_of(l); w++) {
        const um_tensor t = weight_of(l, d, w);
        put_tensor(&f, vars, w ? "1" : "0", &t);
      }
      H5Gclose(vars);
    }
    ssize_t n = -1;
    if (good(&f, !f.failed && H5Fflush(f.file, H5F_SCOPE_GLOBAL) >= 0 && (n = H5Fget_file_image(f.file, NULL, 0)) > 0) &&
        good(&f, (*image = malloc((size_t)n)) != NULL))
      good(&f, H5Fget_file_image(f.file, *image, (size_t)n) == n);
    *size = n > 0 ? (size_t)n : 0;
  }
  if (access >= 0) H5Pclose(access);
  const int status = finish(&f, path, err);
  if (status) {
    free(*image);
    *image = NULL;
  }
  return status;
}

static char *metadata_json(char *const *metadata) {
  cJSON *o = cJSON_CreateObject();
  bool ok = o && cJSON_AddStringToObject(o, "keras_version", KERAS_VERSION);
  for (int i = 0; ok && metadata[i]; i += 2) ok = cJSON_AddStringToObject(o, metadata[i], metadata[i + 1]) != NULL;
  char *text = ok ? cJSON_PrintUnformatted(o) : NULL;
  cJSON_Delete(o);
  return text;
}

int um_export_keras(const um_model_data *d, const um_export_options *o, const char *path, um_error *err) {
  um_keras_layers k = {0};
  char *config = NULL, **metadata = NULL, *about = NULL, *image = NULL;
  size_t size = 0;
  um_zip_writer *zip = NULL;
  (void)o;
  int status = um_keras_layers_make(&k, d, err);
  if (status) return um_fail_context(err, "%s", path);
  if (!(metadata = um_model_metadata(d, err))) {
    status = UM_ENOMEM;
    goto done;
  }
  config = um_keras_layers_config(&k, true);
  about = metadata_json(metadata);
  if (!config || !about) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for its config", path);
    goto done;
  }
  if ((status = make_store(&image, &size, &k, d, path, err))) goto done;
  if ((status = um_zip_create(&zip, path, NULL, err))) goto done;
  /* The order in which Keras writes them; readers tell by the first that this is no other kind of zip. */
  status = um_zip_add(zip, "metadata.json", &(um_zip_part){about, strlen(about)}, 1, err);
  if (!status) status = um_zip_add(zip, "config.json", &(um_zip_part){config, strlen(config)}, 1, err);
  if (!status) status = um_zip_add(zip, "model.weights.h5", &(um_zip_part){image, size}, 1, err);
  if (!status) {
    status = um_zip_commit(zip, err);
    zip = NULL;
  }
done:
  um_zip_abandon(zip);
  free(image);
  free(about);
  free(config);
  free(metadata);
  um_keras_layers_free(&k);
  return status;
}
