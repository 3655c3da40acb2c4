/* Measures: what a prediction is worth, element by element. Losses are measures to be made small; metrics are measures
 * to be looked at, and every loss is a metric too. */
#ifndef HEED_MODEL_MEASURE_H
#define HEED_MODEL_MEASURE_H

#include "heed/model.h"

#include "layers/layer.h"
#include "layers/object.h"

typedef struct heed_measure_class {
    heed_object_class class;
    /* Values from truth (float32 or int32) and prediction, of one rank fewer for most. *valid may be set to a mask,
     * bool: what counts at all. */
    heed_tensor *(*values)(const void *config, heed_tensor *truth, heed_tensor *prediction, heed_tensor **valid);
    bool sparse;      /* the truth is a class's number, without the axis of classes */
    bool of_sequences; /* a value is of a whole sequence: *valid comes in as the mask of its steps, and is used up */
    bool ignores_mask; /* a metric that counts masked steps too, as Keras' does */
    /* For metrics that are no mean of values; then `values` is NULL. What a batch adds to the metric's sums: a vector. */
    heed_tensor *(*sums)(const void *config, heed_tensor *truth, heed_tensor *prediction, heed_tensor *weights);
    /* What the sums come to; NULL: the first over the second, which are a total and a count. */
    double (*result)(const void *config, const double *sums, int64_t count);
} heed_measure_class;

extern const heed_object_family heed_losses, heed_metrics;

/* What every measure's config begins with. */
#define HEED_MEASURE_OPTIONS(X, C)                                                                                     \
    X(C, TEXT, name, NULL, "", "what results are called by")                                                           \
    X(C, TEXT, reduction, "sum_over_batch_size", "sum_over_batch_size|mean|sum|mean_with_sample_weight",               \
      "how a loss's values become one number")

typedef struct heed_measure_common {
    HEED_MEASURE_OPTIONS(HEED_OPTION_FIELD, )
} heed_measure_common;

/* The measure that "accuracy" (or "crossentropy") means for such a truth and prediction, whose loss may be NULL: a name. */
const char *heed_measure_resolve(const char *name, const heed_tensor *truth, const heed_tensor *prediction,
                                 const heed_object *loss);

/* A loss as one number: values weighted by `weights` (float, NULL: 1) and `mask` (bool, NULL: all count), and reduced.
 * `alone`: nobody else asks for the prediction, which then need not be made whole (see ops/output_loss.h). */
heed_tensor *heed_loss_number(const heed_object *loss, heed_tensor *truth, heed_tensor *prediction,
                              heed_tensor *weights, heed_tensor *mask, bool alone);
/* The loss with what a batch asks of it, label_smoothing and consistency; itself when that is nothing. HEED_EINVAL for a
 * loss without classes by number. */
heed_status heed_loss_for_batch(heed_zone *z, const heed_object *loss, const heed_batch *b, const heed_object **out);
/* What a metric's sums come to; NULL metric: a mean. */
double heed_metric_result(const heed_object *metric, const double *sums, int64_t count);
/* What a batch adds to a metric's sums: a vector. */
heed_tensor *heed_metric_sums(const heed_object *metric, heed_tensor *truth, heed_tensor *prediction,
                              heed_tensor *weights, heed_tensor *mask);

#endif
