/* gpu_bench --only and --floors. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

/* ---- one pass ---- */

/* The next part of LAYER/PASS/PRECISION/WAY; false where there is none or it is too long. */
static bool part(const char **text, char *out, size_t size) {
  const char *end = strchr(*text, '/');
  const size_t n = end ? (size_t)(end - *text) : strlen(*text);
  if (n == 0 || n >= size) return false;
  memcpy(out, *text, n);
  out[n] = 0;
  *text += end ? n + 1 : n;
  return true;
}

typedef struct chosen {
  const gpu_layer *layer;
  int pass, precision;
  char way[64]; /* "": the one that engine native takes */
} chosen;

static int find(chosen *c, const gpu_options *o, um_error *err) {
  const char *at = o->only;
  char layer[64], pass[32], precision[8];
  int count;
  const gpu_layer *l = gpu_layers(o->small, &count);
  *c = (chosen){.pass = GPU_PASSES, .precision = 3};
  if (part(&at, layer, sizeof layer) && part(&at, pass, sizeof pass) && part(&at, precision, sizeof precision)) {
    for (int i = 0; i < count; i++)
      if (strcmp(l[i].name, layer) == 0) c->layer = &l[i];
    for (int i = 0; i < GPU_PASSES; i++)
      if (strcmp(gpu_pass_name(i), pass) == 0) c->pass = i;
    for (int i = 0; i < 3; i++)
      if (strcmp(gpu_precision_name((um_precision)i), precision) == 0) c->precision = i;
  }
  if (!c->layer || c->pass == GPU_PASSES || c->precision == 3 || (*at && !part(&at, c->way, sizeof c->way)) || *at)
    return um_fail(err, UM_ECONFIG,
                   "--only %s: expected LAYER/PASS/PRECISION or LAYER/PASS/PRECISION/WAY, as \"block1_conv2/backward weights/bf16\"",
                   o->only);
  if (c->layer->first && c->pass == GPU_BACKWARD_DATA)
    return um_fail(err, UM_ECONFIG, "--only %s: nobody wants the gradient of this layer's input", o->only);
  return UM_OK;
}

int bench_only(bench *b, um_error *err) {
  const int batch = b->o.batch ? b->o.batch : b->o.small ? 1 : 32, launches = b->o.steps ? b->o.steps : 2;
  chosen c;
  int status = find(&c, &b->o, err), ways = 0, at = 0;
  um_conv_way way[UM_CONV_WAYS] = {0};
  if (status != UM_OK) return status;
  const um_cuda_conv g = gpu_layer_geometry(c.layer, batch, (um_precision)c.precision);
  ways = um_cuda_native_ways((um_cuda *)b->be, &g, (um_conv_pass)c.pass, way, UM_CONV_WAYS);
  while (c.way[0] && at < ways && strcmp(way[at].name, c.way) != 0) at++;
  if (at >= ways)
    return um_fail(err, UM_ECONFIG, "--only %s: this pass has %d ways on this device, and none of this name; the first is \"%s\"",
                   b->o.only, ways, ways ? way[0].name : "");
  status = bench_launch(b, &g, c.pass, &way[at], launches, err);
  if (status == UM_OK)
    printf("%s, %s, %s, batch %d: \"%s\" launched %d times\n", c.layer->name, gpu_pass_name(c.pass),
           gpu_precision_name((um_precision)c.precision), batch, way[at].name, launches);
  return status;
}

/* ---- floors ---- */

void bench_floors(const gpu_options *o) {
  static const int batches[] = {32, 128};
  int count;
  const gpu_layer *l = gpu_layers(o->small, &count);
  for (int n = 0; n < (o->batch ? 1 : 2); n++) {
    const int batch = o->batch ? o->batch : batches[n];
    double all[2] = {0};
    int passes = 0;
    printf("%sbf16, batch %d:\n\n", n ? "\n" : "", batch);
    printf("| layer | layers like it | map | channels | pass | multiplications, 10^9 | least bytes, MB | multiplications a byte |\n");
    printf("|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < count; i++)
      for (int pass = 0; pass < GPU_PASSES; pass++) {
        if (l[i].kernel != 3 || (pass == GPU_BACKWARD_DATA && l[i].first)) continue;
        const double products = gpu_layer_flop(&l[i], batch) / 2, bytes = gpu_layer_bytes(&l[i], batch, UM_PRECISION_BF16, pass);
        printf("| %s | %d | %d | %d to %d | %s | %.3f | %.2f | %.0f |\n", l[i].name, l[i].count, l[i].side, l[i].in, l[i].out,
               gpu_pass_name(pass), products * 1e-9, bytes * 1e-6, products / bytes);
        all[0] += l[i].count * products, all[1] += l[i].count * bytes, passes += l[i].count;
      }
    printf("| all | | | | %d passes | %.3f | %.2f | %.0f |\n", passes, all[0] * 1e-9, all[1] * 1e-6, all[0] / all[1]);
  }
}
