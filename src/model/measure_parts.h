/* What the files of measures share. */
#ifndef HEED_MODEL_MEASURE_PARTS_H
#define HEED_MODEL_MEASURE_PARTS_H

#include "model/measure.h"

#include <stddef.h>

static const float EPSILON = 1e-7f; /* Keras' */
static const int   LAST = -1;

static inline heed_tensor *sum_last(heed_tensor *x) { return heed_op_sum(x, &LAST, 1, false); }
static inline heed_tensor *sum_last_kept(heed_tensor *x) { return heed_op_sum(x, &LAST, 1, true); }
static inline heed_tensor *mean_last(heed_tensor *x) { return heed_op_mean(x, &LAST, 1, false); }
static inline heed_tensor *number(heed_tensor *like, float value)
{
    return like == NULL ? NULL : heed_graph_scalar(like->graph, value);
}
static inline heed_tensor *floats(heed_tensor *x)
{
    return x == NULL || x->dtype == HEED_FLOAT32 ? x : heed_op_cast(x, HEED_FLOAT32);
}
static inline int rank_of(const heed_tensor *x) { return x == NULL ? 0 : x->shape.rank; }

/* Keras' rule where ranks differ by one: a last dimension of 1 is dropped, or added to a vector. */
static inline void match_ranks(heed_tensor **a, heed_tensor **b)
{
    heed_tensor **longer = rank_of(*a) == rank_of(*b) + 1 ? a : rank_of(*b) == rank_of(*a) + 1 ? b : NULL;
    if (longer == NULL || heed_tensor_dim(*longer, -1) != 1)
        return;
    heed_tensor **shorter = longer == a ? b : a;
    if (rank_of(*shorter) == 1)
        *shorter = heed_op_expand(*shorter, -1);
    else
        *longer = heed_op_squeeze(*longer, -1);
}

/* ---- classes */

typedef struct plain_config {
    HEED_MEASURE_OPTIONS(HEED_OPTION_FIELD, )
} plain_config;

#define MEASURE(id, word, title, config, OPTIONS, ...)                                                                 \
    const heed_measure_class heed_measure_##id = {                                                                     \
        .class = {.name = word, .keras = title, .passed_over = "dtype", HEED_CLASS_OPTIONS(config, OPTIONS)},          \
        __VA_ARGS__};
#define PLAIN(id, word, title, ...) MEASURE(id, word, title, plain_config, HEED_MEASURE_OPTIONS, __VA_ARGS__)

/* Metrics of counts: how often what was predicted, against thresholds or another class. */
#define COUNTED_METRICS(X)                                                                                             \
    X(precision) X(recall) X(true_positives) X(false_positives) X(true_negatives) X(false_negatives) X(auc)            \
    X(sensitivity_at_specificity) X(specificity_at_sensitivity) X(precision_at_recall) X(recall_at_precision)          \
    X(f1_score) X(fbeta_score) X(iou) X(binary_iou) X(mean_iou) X(one_hot_iou) X(one_hot_mean_iou)
#define AGREEMENT_METRICS(X) X(r2_score) X(pearson_correlation) X(concordance_correlation)
/* Losses of a file of their own, each a metric too by its function. */
#define FURTHER_LOSSES(X) X(binary_focal) X(categorical_focal) X(dice) X(tversky) X(circle) X(generalized) X(ctc)
#define DECLARE(id) extern const heed_measure_class heed_measure_##id;
COUNTED_METRICS(DECLARE)
AGREEMENT_METRICS(DECLARE)
FURTHER_LOSSES(DECLARE)
#undef DECLARE

/* ---- cross entropies, for their kin */

typedef enum heed_squash { HEED_SQUASH_SIGMOID, HEED_SQUASH_SOFTMAX } heed_squash;

/* What a softmax or sigmoid was taken of; NULL when the prediction is not fresh from the one that the loss goes with. Losses
 * then skip the way through probabilities and its clipping, as Keras does on TensorFlow. */
heed_tensor *heed_logits_behind(const heed_tensor *p, heed_squash squash);
/* Number by number, of `logits`, or where those are NULL of p, which is clipped. */
heed_tensor *heed_binary_entropy(heed_tensor *t, heed_tensor *p, heed_tensor *logits);
/* Class numbers as int32, without a last dimension of 1 that the prediction's classes stand for. */
heed_tensor *heed_labels_for(heed_tensor *t, const heed_tensor *p);

#endif
