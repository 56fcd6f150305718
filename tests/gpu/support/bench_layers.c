/* gpu_bench layers: every way of every pass. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

typedef struct place {
  const gpu_layer *layer;
  int batch, pass;
  um_precision precision;
} place;

static void to_json(bench *b, int provider, const um_conv_way *way, const gpu_time *t, void *context) {
  const place *p = context;
  if (!b->json) return;
  fprintf(b->json,
          "{\"who\": \"way\", \"layer\": \"%s\", \"pass\": \"%s\", \"precision\": \"%s\", \"batch\": %d, \"provider\": \"%s\", "
          "\"name\": \"%s\", \"scratch\": %zu, \"us\": %.3f, \"least_us\": %.3f, \"most_us\": %.3f, \"rough\": %s}\n",
          p->layer->name, gpu_pass_name(p->pass), gpu_precision_name(p->precision), p->batch, bench_provider[provider], way->name,
          way->scratch, t->median * 1e6, t->least * 1e6, t->most * 1e6, way->rough ? "true" : "false");
}

/* Speed of ours over the library's, as a geometric mean over layers. */
typedef struct ratios {
  double logs;
  int count;
} ratios;

/* A line for the pass as a whole: what profile.sh chooses by. */
static void pass_to_json(bench *b, const place *p, double arithmetic, double bytes, const bench_best best[3]) {
  char vendor[32] = "null";
  if (!b->json) return;
  if (best[1].name[0]) snprintf(vendor, sizeof vendor, "%.3f", best[1].time.median * 1e6);
  fprintf(b->json,
          "{\"who\": \"pass\", \"layer\": \"%s\", \"pass\": \"%s\", \"precision\": \"%s\", \"batch\": %d, \"arithmetic_us\": %.3f, "
          "\"bytes_us\": %.3f, \"native\": \"%s\", \"native_us\": %.3f, \"cudnn_us\": %s}\n",
          p->layer->name, gpu_pass_name(p->pass), gpu_precision_name(p->precision), p->batch, arithmetic * 1e6, bytes * 1e6, best[0].name,
          best[0].time.median * 1e6, vendor);
}

static int one_precision(bench *b, int batch, um_precision precision, um_error *err) {
  int count, status;
  const gpu_layer *l = gpu_layers(b->o.small, &count);
  ratios cudnn[GPU_PASSES + 1] = {{0}};
  double native_total = 0, cudnn_total = 0, floor_total = 0;
  bool all = true;
  printf("\n%s, batch %d, us a pass; %% of the matrix product's %.0f TFLOP/s; floors: arithmetic, bytes at %.2f TB/s\n",
         gpu_precision_name(precision), batch, b->flops[precision] * 1e-12, b->copy * 1e-12);
  printf("%-13s %-16s %8s %8s | %9s %5s %-26s | %9s %-22s | %9s %-14s | %s\n", "layer", "pass", "arith.", "bytes", "native", "%", "",
         "cuDNN", "", "cuBLASLt", "", "native's speed over cuDNN's");
  for (int i = 0; i < count; i++)
    for (int pass = 0; pass < GPU_PASSES; pass++) {
      const um_cuda_conv g = gpu_layer_geometry(&l[i], batch, precision);
      const double flop = gpu_layer_flop(&l[i], batch), arithmetic = flop / b->flops[precision];
      const double bytes = gpu_layer_bytes(&l[i], batch, precision, pass) / b->copy;
      bench_best best[3];
      if (pass == GPU_BACKWARD_DATA && l[i].first) continue;
      place at = {&l[i], batch, pass, precision};
      if ((status = bench_pass(b, best, &g, pass, to_json, &at, err)) != UM_OK) return um_fail_context(err, "%s", l[i].name);
      const double native = best[0].time.median, vendor = best[1].time.median;
      printf("%-13s %-16s %8.1f %8.1f | %9.1f %5.1f %-26s |", l[i].name, gpu_pass_name(pass), arithmetic * 1e6, bytes * 1e6, native * 1e6,
             100 * arithmetic / native, best[0].name);
      for (int p = 1; p < 3; p++)
        if (best[p].name[0])
          printf(" %9.1f %-*s |", best[p].time.median * 1e6, p == 1 ? 22 : 14, best[p].name);
        else
          printf(" %9s %-*s |", "-", p == 1 ? 22 : 14, "");
      if (best[1].name[0]) printf(" %.2f", vendor / native);
      printf("\n");
      fflush(stdout);
      if (l[i].kernel != 3) continue;
      pass_to_json(b, &at, arithmetic, bytes, best);
      all = all && best[1].name[0];
      native_total += l[i].count * native, floor_total += l[i].count * fmax(arithmetic, bytes);
      if (best[1].name[0]) {
        cudnn_total += l[i].count * vendor;
        cudnn[pass].logs += l[i].count * log(vendor / native), cudnn[pass].count += l[i].count;
        cudnn[GPU_PASSES].logs += l[i].count * log(vendor / native), cudnn[GPU_PASSES].count += l[i].count;
      }
    }
  printf("all convolutions of a step: native %.3f ms, the larger floors %.3f ms", native_total * 1e3, floor_total * 1e3);
  if (cudnn[GPU_PASSES].count) {
    printf(all ? ", cuDNN %.3f ms\n" : ", cuDNN (where it has a way) %.3f ms\n", cudnn_total * 1e3);
    printf("native's speed over cuDNN's, geometric mean over layers:");
    for (int pass = 0; pass <= GPU_PASSES; pass++)
      if (cudnn[pass].count)
        printf(" %s %.3f%s", pass < GPU_PASSES ? gpu_pass_name(pass) : "all", exp(cudnn[pass].logs / cudnn[pass].count),
               pass < GPU_PASSES ? "," : "");
    if (b->json)
      fprintf(b->json, "{\"who\": \"mean\", \"precision\": \"%s\", \"batch\": %d, \"native_over_cudnn\": %.4f, \"passes\": %d}\n",
              gpu_precision_name(precision), batch, exp(cudnn[GPU_PASSES].logs / cudnn[GPU_PASSES].count), cudnn[GPU_PASSES].count);
  }
  printf("\n");
  return UM_OK;
}

int bench_layers(bench *b, um_error *err) {
  const int batch = b->o.batch ? b->o.batch : b->o.small ? 1 : 32;
  static const um_precision order[] = {UM_PRECISION_BF16, UM_PRECISION_TF32, UM_PRECISION_FP32};
  int status = UM_OK;
  printf("\nLayers\n");
  for (int i = 0; i < 3 && status == UM_OK; i++) status = one_precision(b, batch, order[i], err);
  return status;
}
