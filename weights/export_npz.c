/* A model as numpy's .npz: an array a parameter, named and laid out as in the model, and the metadata as JSON. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/model_data.h"
#include "weights/npz.h"
#include "weights/zip.h"

enum { HEADER_ROOM = 256, ALIGN = 64 };

/* Array format 1.0: the data begin at a multiple of 64 bytes. Returns how many bytes the header has. */
static size_t put_header(char out[HEADER_ROOM], const um_tensor *t) {
  static const char magic[8] = "\x93NUMPY\1";
  memcpy(out, magic, sizeof magic);
  size_t n = 10;
  n += (size_t)snprintf(out + n, HEADER_ROOM - n, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
  for (int i = 0; i < t->ndim; i++) n += (size_t)snprintf(out + n, HEADER_ROOM - n, "%s%" PRId64, i ? ", " : "", t->dim[i]);
  n += (size_t)snprintf(out + n, HEADER_ROOM - n, "%s), }", t->ndim == 1 ? "," : "");
  const size_t size = (n + 1 + ALIGN - 1) / ALIGN * ALIGN;
  memset(out + n, ' ', size - n - 1);
  out[size - 1] = '\n';
  out[8] = (char)(size - 10);
  out[9] = 0;
  return size;
}

static char *metadata_text(char **pair) {
  cJSON *json = cJSON_CreateObject();
  char *text = NULL;
  bool ok = json != NULL;
  for (int i = 0; ok && pair[i]; i += 2) ok = cJSON_AddStringToObject(json, pair[i], pair[i + 1]) != NULL;
  if (ok) text = cJSON_Print(json);
  cJSON_Delete(json);
  return text;
}

int um_export_npz(const um_model_data *d, const um_export_options *o, const char *path, um_error *err) {
  const um_zip_options options = {.align = ALIGN};
  um_zip_writer *w = NULL;
  char **pair = um_model_metadata(d, err), *text = pair ? metadata_text(pair) : NULL;
  int status = UM_OK;
  (void)o;
  if (!pair)
    status = UM_ENOMEM;
  else if (!text)
    status = um_fail(err, UM_ENOMEM, "%s: no memory for the metadata", path);
  if (!status) status = um_zip_create(&w, path, &options, err);
  for (int i = 0; i < d->count && !status; i++) {
    char header[HEADER_ROOM], name[UM_NAME_MAX + 16];
    const um_tensor *t = &d->tensor[i];
    const size_t size = put_header(header, t);
    const um_zip_part part[2] = {{header, size}, {t->data, (size_t)um_tensor_count(t) * sizeof(float)}};
    snprintf(name, sizeof name, "%s.npy", d->name[i]);
    status = um_zip_add(w, name, part, 2, err);
  }
  if (!status) status = um_zip_add(w, UM_NPZ_METADATA, &(um_zip_part){text, strlen(text)}, 1, err);
  if (!status)
    status = um_zip_commit(w, err);
  else
    um_zip_abandon(w);
  free(pair);
  free(text);
  return status;
}
