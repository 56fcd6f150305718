/* Numbers about scores: score is P(positive), in [0, 1]. All are NaN where n is 0 or a score is NaN. */
#ifndef UM_CORE_METRICS_H
#define UM_CORE_METRICS_H

#include <stdbool.h>

/* Area under the ROC curve (Mann & Whitney's U over the pairs; ties count a half); NaN where a class is missing. */
double um_auc(const double *score, const bool *positive, int n);
/* Mean cross-entropy, scores clipped to [1e-7, 1 - 1e-7] as in Keras. */
double um_log_loss(const double *score, const bool *positive, int n);
/* Share of (score > threshold) == positive. */
double um_accuracy(const double *score, const bool *positive, int n, double threshold);

#endif
