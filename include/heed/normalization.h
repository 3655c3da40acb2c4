/**
 * @file normalization.h
 * Layers that bring numbers to mean 0 and variance 1, or to length 1. As in layers.h, heed_NAME(...) gives a heed_spec
 * with keyword arguments.
 */
#ifndef HEED_NORMALIZATION_H
#define HEED_NORMALIZATION_H

#include "heed/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every class here, as X(name). */
#define HEED_NORMALIZATION_CLASS_MAP(X)                                                                                \
    X(batch_normalization) X(layer_normalization) X(group_normalization) X(rms_normalization) X(unit_normalization)     \
    X(normalization)

/* beta and gamma: what is added to, and multiplied with, the normalized numbers. */
#define HEED_SHIFT_OPTIONS(X, config)                                                                                  \
    X(config, BOOL, center, true, "", "whether beta is added")                                                         \
    X(config, BOOL, scale, true, "", "whether gamma is multiplied with")                                               \
    HEED_WEIGHT_OPTIONS(X, config, beta, "zeros")                                                                      \
    HEED_WEIGHT_OPTIONS(X, config, gamma, "ones")

/** y = (x - mean) / sqrt(variance + epsilon) gamma + beta, with a mean and a variance for each feature: in training those
 *  of the batch, from which masked steps are left out, and otherwise their moving averages. A layer that is not trainable
 *  uses the averages in training too, and leaves them as they are. Weights: gamma, beta, and, not trained but moved by
 *  each step, moving_mean and moving_variance; all of axis' size. */
#define HEED_BATCH_NORMALIZATION_OPTIONS(X, config)                                                                    \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, axis, -1, "", "the features' axis")                                                                 \
    X(config, FLOAT, momentum, 0.99, "[0,1]", "share of the averages that stays at each step")                         \
    X(config, FLOAT, epsilon, 1e-3, "[0,)", "keeps the root from 0")                                                   \
    HEED_SHIFT_OPTIONS(X, config)                                                                                      \
    X(config, INITIALIZER, moving_mean_initializer, "zeros", "", "how moving_mean begins")                             \
    X(config, INITIALIZER, moving_variance_initializer, "ones", "", "how moving_variance begins")                      \
    X(config, BOOL, renorm, false, "", "always false")                                                                 \
    X(config, BOOL, synchronized, false, "", "no influence here")
typedef struct heed_batch_normalization_config {
    HEED_BATCH_NORMALIZATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_batch_normalization_config;
extern HEED_API const heed_layer_class heed_batch_normalization_class;
#define heed_batch_normalization(...) HEED_SPEC(batch_normalization, HEED_BATCH_NORMALIZATION_OPTIONS, __VA_ARGS__)

/** y = (x - mean) / sqrt(variance + epsilon) gamma + beta, over the given axes. Weights: gamma, beta, of those axes'
 *  sizes. */
#define HEED_LAYER_NORMALIZATION_OPTIONS(X, config)                                                                    \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, axis, HEED_DIMS(1, -1), "", "one axis or several")                                                \
    X(config, FLOAT, epsilon, 1e-3, "[0,)", "keeps the root from 0")                                                   \
    X(config, BOOL, rms_scaling, false, "",                                                                            \
      "as Keras has it: x / sqrt(variance + epsilon) gamma, without mean and beta")                                    \
    HEED_SHIFT_OPTIONS(X, config)
typedef struct heed_layer_normalization_config {
    HEED_LAYER_NORMALIZATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_layer_normalization_config;
extern HEED_API const heed_layer_class heed_layer_normalization_class;
#define heed_layer_normalization(...) HEED_SPEC(layer_normalization, HEED_LAYER_NORMALIZATION_OPTIONS, __VA_ARGS__)

/** As LayerNormalization, over all but the batch, within each of so many groups of features. Weights: gamma, beta, of
 *  axis' size. Masks are passed on, but have no influence. */
#define HEED_GROUP_NORMALIZATION_OPTIONS(X, config)                                                                    \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, groups, 32, "[-1,)", "into how many groups the axis is cut, evenly; -1: each feature is one")       \
    X(config, INT, axis, -1, "", "the features' axis")                                                                 \
    X(config, FLOAT, epsilon, 1e-3, "[0,)", "keeps the root from 0")                                                   \
    HEED_SHIFT_OPTIONS(X, config)
typedef struct heed_group_normalization_config {
    HEED_GROUP_NORMALIZATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_group_normalization_config;
extern HEED_API const heed_layer_class heed_group_normalization_class;
#define heed_group_normalization(...) HEED_SPEC(group_normalization, HEED_GROUP_NORMALIZATION_OPTIONS, __VA_ARGS__)

/** y = x / sqrt(mean(x^2) + epsilon) scale, over the given axes. Weight: scale, of those axes' sizes. Masks end here, as
 *  in Keras. */
#define HEED_RMS_NORMALIZATION_OPTIONS(X, config)                                                                      \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, axis, HEED_DIMS(1, -1), "", "one axis or several")                                                \
    X(config, FLOAT, epsilon, 1e-6, "[0,)", "keeps the root from 0")
typedef struct heed_rms_normalization_config {
    HEED_RMS_NORMALIZATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_rms_normalization_config;
extern HEED_API const heed_layer_class heed_rms_normalization_class;
#define heed_rms_normalization(...) HEED_SPEC(rms_normalization, HEED_RMS_NORMALIZATION_OPTIONS, __VA_ARGS__)

/** y = x / sqrt(sum(x^2)), over the given axes; what is 0 stays 0. */
#define HEED_UNIT_NORMALIZATION_OPTIONS(X, config)                                                                     \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, axis, HEED_DIMS(1, -1), "", "one axis or several")
typedef struct heed_unit_normalization_config {
    HEED_UNIT_NORMALIZATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_unit_normalization_config;
extern HEED_API const heed_layer_class heed_unit_normalization_class;
#define heed_unit_normalization(...) HEED_SPEC(unit_normalization, HEED_UNIT_NORMALIZATION_OPTIONS, __VA_ARGS__)

/** y = (x - mean) / sqrt(variance), by what is known of the features beforehand: given, or weights that a file brings and
 *  that are not trained: mean, variance and count. An axis of no number: one mean and one variance for all. */
#define HEED_NORMALIZATION_OPTIONS(X, config)                                                                          \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, axis, HEED_DIMS(1, -1), "None", "which have a mean and a variance for each of their places")      \
    X(config, NUMBERS, mean, NULL, "", "one, or one for each place; None: a weight")                                   \
    X(config, NUMBERS, variance, NULL, "", "likewise")                                                                 \
    X(config, BOOL, invert, false, "", "whether the way back is gone")
typedef struct heed_normalization_config {
    HEED_NORMALIZATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_normalization_config;
extern HEED_API const heed_layer_class heed_normalization_class;
#define heed_normalization(...) HEED_SPEC(normalization, HEED_NORMALIZATION_OPTIONS, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
