/* The optimizers' arithmetic in plain C, float by float as Keras does it: what `ref` runs, and what a backend may call on a part
 * of the buffers from each of its threads. */
#ifndef UM_CORE_OPTIM_H
#define UM_CORE_OPTIM_H

#include "core/ops.h"

/* The contract of um_ops.optimizer_step. m or v may be NULL where um_optimizer_states says that they are not needed. */
void um_optimizer_apply(const um_optimizer *o, float *w, const float *g, float *m, float *v, int64_t count, int64_t step);

#endif
