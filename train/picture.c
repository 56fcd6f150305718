#include <stdlib.h>

#include "data/grid.h"
#include "train/run.h"

#define PICTURES_MAX 64

/* The warp of the reference backend: the same as every backend's, and on the host. */
int run_write_picture(const run *r, const um_batch *b, um_error *err) {
  int n = b->n < PICTURES_MAX ? b->n : PICTURES_MAX, height = r->config.data.target_size[0], width = r->config.data.target_size[1];
  const int64_t dim[4] = {n, height, width, 3};
  um_tensor pixels = um_tensor_plain(UM_U8, 4, dim), warped = um_tensor_plain(UM_F32, 4, dim);
  um_backend *ref = NULL;
  float *values = NULL;
  char path[4096];
  int status = run_path(r, path, "augmented.png", err);

  if (status || n == 0) return status;
  if ((status = um_ref_open(&ref, err))) return status;
  if ((status = ref->ops->alloc(ref, &pixels.data, pixels.bytes, err))) goto done;
  if ((status = ref->ops->alloc(ref, &warped.data, warped.bytes, err))) goto done;
  if ((status = ref->ops->upload(ref, pixels.data, b->pixels, pixels.bytes, err))) goto done;
  if ((status = ref->ops->warp(ref, &warped, &pixels, b->sample, &(um_control){.n = n}, &r->warp, err))) goto done;
  values = malloc(warped.bytes);
  if (!values) {
    status = um_fail(err, UM_ENOMEM, "%s: no memory for %zu bytes", path, warped.bytes);
    goto done;
  }
  if ((status = ref->ops->download(ref, values, warped.data, warped.bytes, err))) goto done;
  status = um_grid_write(values, n, height, width, &r->warp, path, err);
done:
  free(values);
  if (pixels.data) ref->ops->free(ref, pixels.data);
  if (warped.data) ref->ops->free(ref, warped.data);
  ref->ops->close(ref);
  return status;
}
