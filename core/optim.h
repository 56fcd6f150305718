/* The optimizers' arithmetic in plain C, float by float as Keras does it: what `ref` runs, and what a backend may call on a part
 * of the buffers from each of its threads. */
#ifndef UM_CORE_OPTIM_H
#define UM_CORE_OPTIM_H

#include "core/ops.h"

/* The arithmetic of um_ops.optimizer_step alone. rate: um_optimizer_rate. m or v may be NULL where um_optimizer_states says that they
 * are not needed. */
void um_optimizer_apply(const um_optimizer *o, double rate, float *w, const float *g, float *m, float *v, int64_t count);

/* The same, but values whose gradient is not finite stay as they are. Returns the index of the first such, or count. */
int64_t um_optimizer_apply_finite(const um_optimizer *o, double rate, float *w, const float *g, float *m, float *v, int64_t count);

/* What comes before the step of values that decay: w -= rate w, where the gradient is finite. decay: as optimizer_step's, its bit 0 that
 * of w[0]. */
void um_optimizer_decay(float *w, const float *g, const uint32_t *decay, double rate, int64_t count);

/* The index of the first value that is not finite, or count. */
int64_t um_first_not_finite(const float *x, int64_t count);

#endif
