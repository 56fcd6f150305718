/* Numbers about scores: ROC AUC (ties count a half), log loss (clipped at 1e-7, as in Keras), accuracy. score is P(positive). */
#ifndef UM_CORE_METRICS_H
#define UM_CORE_METRICS_H

#include <stdbool.h>

double um_auc(const double *score, const bool *positive, int n); /* NaN where a class is missing */
double um_log_loss(const double *score, const bool *positive, int n);
double um_accuracy(const double *score, const bool *positive, int n, double threshold);

#endif
