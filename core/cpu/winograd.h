/* Winograd's minimal filtering F(4x4, 3x3) for the three passes of a 3x3 convolution of stride 1, on AVX-512.
 *
 * Activations are nChw16c, kernels OIhw16i16o (oneDNN's names), channels multiples of 16. Results do not depend on the number of
 * threads. Written because oneDNN 3 has no such convolution for f32 any more, and 2.6's spends as long on memory as on arithmetic. */
#ifndef UM_CORE_CPU_WINOGRAD_H
#define UM_CORE_CPU_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct um_wino {
  int64_t n;             /* batch */
  int64_t c, k;          /* channels in and out, multiples of 16 */
  int64_t height, width; /* of the input */
  int64_t out_h, out_w;  /* of the output */
  int pad_top, pad_left; /* 0 to 2 */
  int threads;           /* at most so many run a pass */
} um_wino;

/* Whether this processor can. */
bool um_wino_here(void);

/* Bytes of a transformed kernel, and of the scratch of a pass. transformed: forward gets its kernel that way. */
size_t um_wino_kernel_bytes(const um_wino *g);
size_t um_wino_forward_scratch(const um_wino *g, bool transformed);
size_t um_wino_backward_data_scratch(const um_wino *g);
size_t um_wino_backward_weights_scratch(const um_wino *g);

/* A plain kernel (H W I O) to what forward wants with transformed = true. */
void um_wino_kernel(const um_wino *g, float *u, const float *plain);

/* y = act(conv(x, w) + b). w: OIhw16i16o, or transformed by um_wino_kernel. */
void um_wino_forward(const um_wino *g, float *y, const float *x, const float *w, bool transformed, const float *b, bool relu,
                     void *scratch);
void um_wino_backward_data(const um_wino *g, float *dx, const float *dy, const float *w, void *scratch);
void um_wino_backward_weights(const um_wino *g, float *dw, float *db, const float *x, const float *dy, void *scratch);

#endif
