/**
 * @file convolution.h
 * Layers along time or over pictures: convolutions, pools, what pads, crops and enlarges, and noise. Named as in Keras,
 * with Keras' options, defaults and weights; and the two layers of keras-layer-collection that resize pictures.
 *
 * Sequences are (B, T, C), pictures (B, H, W, C); with data_format "channels_first", (B, C, T) and (B, C, H, W). Layers
 * for sequences take plain numbers: heed_conv1d(.filters = 8, .kernel_size = 3). Those for pictures take sizes, one for
 * both axes or one for each: heed_conv2d(.filters = 8, .kernel_size = {2, {3, 5}}); see HEED_OPTION_SIZES.
 *
 * Where padding is "valid", windows stay within the input; "same" adds zeros (in a pool: nothing) so that there is a
 * window for each stride; "causal" adds them before alone, so that a step sees none after it.
 *
 * As in Keras, masks end here, but for noise.
 */
#ifndef HEED_CONVOLUTION_H
#define HEED_CONVOLUTION_H

#include "heed/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every class here, as X(name). */
#define HEED_CONVOLUTION_CLASS_MAP(X)                                                                                  \
    X(conv1d) X(conv2d) X(separable_conv1d) X(separable_conv2d) X(depthwise_conv1d) X(depthwise_conv2d)                \
    X(conv1d_transpose) X(conv2d_transpose)                                                                            \
    X(max_pooling1d) X(max_pooling2d) X(average_pooling1d) X(average_pooling2d)                                        \
    X(global_max_pooling1d) X(global_max_pooling2d) X(global_average_pooling1d) X(global_average_pooling2d)            \
    X(zero_padding1d) X(zero_padding2d) X(cropping1d) X(cropping2d)                                                    \
    X(up_sampling1d) X(up_sampling2d) X(resize2d) X(discrete_resize2d)                                                 \
    X(spatial_dropout1d) X(spatial_dropout2d) X(gaussian_noise) X(gaussian_dropout) X(rescaling)

/* ------------------------------------------------------------------------------------------------ options in common */

/* Of an option that is INT for sequences and SIZES for pictures: no default, None, 1 and 2. */
#define HEED_MISSING_INT   0
#define HEED_MISSING_SIZES {0}
#define HEED_NONE_INT      HEED_NONE
#define HEED_NONE_SIZES    {0}
#define HEED_ONE_INT       1
#define HEED_ONE_SIZES     {1, {1}}
#define HEED_TWO_INT       2
#define HEED_TWO_SIZES     {1, {2}}

#define HEED_DATA_FORMAT_OPTION(X, config)                                                                             \
    X(config, TEXT, data_format, "channels_last", "channels_last|channels_first|None", "where the channels stand")

#define HEED_KERNEL_SIZE_OPTION(X, config, TYPE)                                                                       \
    X(config, TYPE, kernel_size, HEED_MISSING_##TYPE, "[1,)", "elements of a window")

/* How windows lie. */
#define HEED_WINDOW_OPTIONS(X, config, TYPE, PADDINGS)                                                                 \
    X(config, TYPE, strides, HEED_ONE_##TYPE, "[1,)", "elements from a window to the next")                            \
    X(config, TEXT, padding, "valid", PADDINGS, "what is added around the input")

#define HEED_SUM_OPTIONS(X, config)                                                                                    \
    X(config, ACTIVATION, activation, NULL, "", "applied to the sum")                                                  \
    X(config, BOOL, use_bias, true, "", "whether b is added")

/* ------------------------------------------------------------------------------------------------ convolutions */

/** y_t = activation(sum_j x_(t s + j d) W_j + b), s the stride and d the dilation. Weights: kernel (k, C/groups,
 *  filters), or (k, l, C/groups, filters); bias (filters). Either stride or dilation is 1. */
#define HEED_CONV_OPTIONS(X, config, TYPE, PADDINGS)                                                                   \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, filters, 0, "[1,)", "channels of the output")                                                       \
    HEED_KERNEL_SIZE_OPTION(X, config, TYPE)                                                                           \
    HEED_WINDOW_OPTIONS(X, config, TYPE, PADDINGS)                                                                     \
    HEED_DATA_FORMAT_OPTION(X, config)                                                                                 \
    X(config, TYPE, dilation_rate, HEED_ONE_##TYPE, "[1,)", "distance of a window's elements")                         \
    X(config, INT, groups, 1, "[1,)", "into which channels and filters are cut, each on its own")                      \
    HEED_SUM_OPTIONS(X, config)                                                                                        \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")                                                           \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_ACTIVITY_OPTION(X, config)
#define HEED_CONV1D_OPTIONS(X, config) HEED_CONV_OPTIONS(X, config, INT, "valid|same|causal")
#define HEED_CONV2D_OPTIONS(X, config) HEED_CONV_OPTIONS(X, config, SIZES, "valid|same")
typedef struct heed_conv1d_config { HEED_CONV1D_OPTIONS(HEED_OPTION_FIELD, ) } heed_conv1d_config;
typedef struct heed_conv2d_config { HEED_CONV2D_OPTIONS(HEED_OPTION_FIELD, ) } heed_conv2d_config;
extern HEED_API const heed_layer_class heed_conv1d_class, heed_conv2d_class;
#define heed_conv1d(...) HEED_SPEC(conv1d, HEED_CONV1D_OPTIONS, __VA_ARGS__)
#define heed_conv2d(...) HEED_SPEC(conv2d, HEED_CONV2D_OPTIONS, __VA_ARGS__)

/** Each channel on its own, then all of them at each place: a depthwise convolution without bias, and a product.
 *  Weights: depthwise_kernel (k, C, m), or (k, l, C, m), m the depth_multiplier; pointwise_kernel (1, C m, filters),
 *  or (1, 1, C m, filters); bias (filters). Channel c of the input becomes channels c m to c m + m - 1 between. */
#define HEED_SEPARABLE_CONV_OPTIONS(X, config, TYPE, PADDINGS)                                                         \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, filters, 0, "[1,)", "channels of the output")                                                       \
    HEED_KERNEL_SIZE_OPTION(X, config, TYPE)                                                                           \
    HEED_WINDOW_OPTIONS(X, config, TYPE, PADDINGS)                                                                     \
    HEED_DATA_FORMAT_OPTION(X, config)                                                                                 \
    X(config, TYPE, dilation_rate, HEED_ONE_##TYPE, "[1,)", "distance of a window's elements")                         \
    X(config, INT, depth_multiplier, 1, "[1,)", "m: channels that one becomes")                                        \
    HEED_SUM_OPTIONS(X, config)                                                                                        \
    HEED_WEIGHT_OPTIONS(X, config, depthwise, "glorot_uniform")                                                        \
    HEED_WEIGHT_OPTIONS(X, config, pointwise, "glorot_uniform")                                                        \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_ACTIVITY_OPTION(X, config)
#define HEED_SEPARABLE_CONV1D_OPTIONS(X, config) HEED_SEPARABLE_CONV_OPTIONS(X, config, INT, "valid|same|causal")
#define HEED_SEPARABLE_CONV2D_OPTIONS(X, config) HEED_SEPARABLE_CONV_OPTIONS(X, config, SIZES, "valid|same")
typedef struct heed_separable_conv1d_config { HEED_SEPARABLE_CONV1D_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_separable_conv1d_config;
typedef struct heed_separable_conv2d_config { HEED_SEPARABLE_CONV2D_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_separable_conv2d_config;
extern HEED_API const heed_layer_class heed_separable_conv1d_class, heed_separable_conv2d_class;
#define heed_separable_conv1d(...) HEED_SPEC(separable_conv1d, HEED_SEPARABLE_CONV1D_OPTIONS, __VA_ARGS__)
#define heed_separable_conv2d(...) HEED_SPEC(separable_conv2d, HEED_SEPARABLE_CONV2D_OPTIONS, __VA_ARGS__)

/** Each channel on its own: channel c becomes c m to c m + m - 1. Weights: kernel (k, C, m), or (k, l, C, m); bias
 *  (C m). */
#define HEED_DEPTHWISE_CONV_OPTIONS(X, config, TYPE, PADDINGS)                                                         \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    HEED_KERNEL_SIZE_OPTION(X, config, TYPE)                                                                           \
    HEED_WINDOW_OPTIONS(X, config, TYPE, PADDINGS)                                                                     \
    X(config, INT, depth_multiplier, 1, "[1,)", "m: channels that one becomes")                                        \
    HEED_DATA_FORMAT_OPTION(X, config)                                                                                 \
    X(config, TYPE, dilation_rate, HEED_ONE_##TYPE, "[1,)", "distance of a window's elements")                         \
    HEED_SUM_OPTIONS(X, config)                                                                                        \
    HEED_WEIGHT_OPTIONS(X, config, depthwise, "glorot_uniform")                                                        \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_ACTIVITY_OPTION(X, config)
#define HEED_DEPTHWISE_CONV1D_OPTIONS(X, config) HEED_DEPTHWISE_CONV_OPTIONS(X, config, INT, "valid|same|causal")
#define HEED_DEPTHWISE_CONV2D_OPTIONS(X, config) HEED_DEPTHWISE_CONV_OPTIONS(X, config, SIZES, "valid|same")
typedef struct heed_depthwise_conv1d_config { HEED_DEPTHWISE_CONV1D_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_depthwise_conv1d_config;
typedef struct heed_depthwise_conv2d_config { HEED_DEPTHWISE_CONV2D_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_depthwise_conv2d_config;
extern HEED_API const heed_layer_class heed_depthwise_conv1d_class, heed_depthwise_conv2d_class;
#define heed_depthwise_conv1d(...) HEED_SPEC(depthwise_conv1d, HEED_DEPTHWISE_CONV1D_OPTIONS, __VA_ARGS__)
#define heed_depthwise_conv2d(...) HEED_SPEC(depthwise_conv2d, HEED_DEPTHWISE_CONV2D_OPTIONS, __VA_ARGS__)

/** A convolution's way back: y_(t s + j d) = sum over t, j of x_t W_j^T, then b and the activation. T becomes T s
 *  with "same"; (T - 1) s + (k - 1) d + 1, and T s at least, with "valid"; output_padding adds so many to the
 *  shortest length that would give T again. Weights: kernel (k, filters, C), or (k, l, filters, C); bias (filters). */
#define HEED_CONV_TRANSPOSE_OPTIONS(X, config, TYPE)                                                                   \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, filters, 0, "[1,)", "channels of the output")                                                       \
    HEED_KERNEL_SIZE_OPTION(X, config, TYPE)                                                                           \
    HEED_WINDOW_OPTIONS(X, config, TYPE, "valid|same")                                                                 \
    X(config, TYPE, output_padding, HEED_NONE_##TYPE, "[0,)",                                                          \
      "less than strides: elements beyond the shortest length; None: the length above")                                \
    HEED_DATA_FORMAT_OPTION(X, config)                                                                                 \
    X(config, TYPE, dilation_rate, HEED_ONE_##TYPE, "[1,)", "distance of a window's elements")                         \
    HEED_SUM_OPTIONS(X, config)                                                                                        \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")                                                           \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_ACTIVITY_OPTION(X, config)
#define HEED_CONV1D_TRANSPOSE_OPTIONS(X, config) HEED_CONV_TRANSPOSE_OPTIONS(X, config, INT)
#define HEED_CONV2D_TRANSPOSE_OPTIONS(X, config) HEED_CONV_TRANSPOSE_OPTIONS(X, config, SIZES)
typedef struct heed_conv1d_transpose_config { HEED_CONV1D_TRANSPOSE_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_conv1d_transpose_config;
typedef struct heed_conv2d_transpose_config { HEED_CONV2D_TRANSPOSE_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_conv2d_transpose_config;
extern HEED_API const heed_layer_class heed_conv1d_transpose_class, heed_conv2d_transpose_class;
#define heed_conv1d_transpose(...) HEED_SPEC(conv1d_transpose, HEED_CONV1D_TRANSPOSE_OPTIONS, __VA_ARGS__)
#define heed_conv2d_transpose(...) HEED_SPEC(conv2d_transpose, HEED_CONV2D_TRANSPOSE_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ pools */

/** The greatest, or the mean, of each window, a channel at a time. What "same" adds does not count. */
#define HEED_POOLING_OPTIONS(X, config, TYPE)                                                                          \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, TYPE, pool_size, HEED_TWO_##TYPE, "[1,)", "elements of a window")                                        \
    X(config, TYPE, strides, HEED_NONE_##TYPE, "[1,)", "elements from a window to the next; None: pool_size")          \
    X(config, TEXT, padding, "valid", "valid|same", "whether windows reach over the end")                              \
    HEED_DATA_FORMAT_OPTION(X, config)
#define HEED_POOLING1D_OPTIONS(X, config) HEED_POOLING_OPTIONS(X, config, INT)
#define HEED_POOLING2D_OPTIONS(X, config) HEED_POOLING_OPTIONS(X, config, SIZES)
typedef struct heed_pooling1d_config { HEED_POOLING1D_OPTIONS(HEED_OPTION_FIELD, ) } heed_pooling1d_config;
typedef struct heed_pooling2d_config { HEED_POOLING2D_OPTIONS(HEED_OPTION_FIELD, ) } heed_pooling2d_config;
typedef heed_pooling1d_config heed_max_pooling1d_config, heed_average_pooling1d_config;
typedef heed_pooling2d_config heed_max_pooling2d_config, heed_average_pooling2d_config;
extern HEED_API const heed_layer_class heed_max_pooling1d_class, heed_max_pooling2d_class, heed_average_pooling1d_class,
    heed_average_pooling2d_class;
#define heed_max_pooling1d(...)     HEED_SPEC(max_pooling1d, HEED_POOLING1D_OPTIONS, __VA_ARGS__)
#define heed_max_pooling2d(...)     HEED_SPEC(max_pooling2d, HEED_POOLING2D_OPTIONS, __VA_ARGS__)
#define heed_average_pooling1d(...) HEED_SPEC(average_pooling1d, HEED_POOLING1D_OPTIONS, __VA_ARGS__)
#define heed_average_pooling2d(...) HEED_SPEC(average_pooling2d, HEED_POOLING2D_OPTIONS, __VA_ARGS__)

/** The greatest, or the mean, of all steps or all of a picture: (B, C). GlobalAveragePooling1D leaves masked steps out;
 *  where all are masked it gives zeros. */
#define HEED_GLOBAL_POOLING_OPTIONS(X, config)                                                                         \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    HEED_DATA_FORMAT_OPTION(X, config)                                                                                 \
    X(config, BOOL, keepdims, false, "", "whether axes of 1 stay where the others were")
typedef struct heed_global_pooling_config { HEED_GLOBAL_POOLING_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_global_pooling_config;
typedef heed_global_pooling_config heed_global_max_pooling1d_config, heed_global_max_pooling2d_config,
    heed_global_average_pooling1d_config, heed_global_average_pooling2d_config;
extern HEED_API const heed_layer_class heed_global_max_pooling1d_class, heed_global_max_pooling2d_class,
    heed_global_average_pooling1d_class, heed_global_average_pooling2d_class;
#define heed_global_max_pooling1d(...) HEED_SPEC(global_max_pooling1d, HEED_GLOBAL_POOLING_OPTIONS, __VA_ARGS__)
#define heed_global_max_pooling2d(...) HEED_SPEC(global_max_pooling2d, HEED_GLOBAL_POOLING_OPTIONS, __VA_ARGS__)
#define heed_global_average_pooling1d(...) HEED_SPEC(global_average_pooling1d, HEED_GLOBAL_POOLING_OPTIONS, __VA_ARGS__)
#define heed_global_average_pooling2d(...) HEED_SPEC(global_average_pooling2d, HEED_GLOBAL_POOLING_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ borders */

/** Zeros around the steps, or around the picture: a number for all sides, one for each axis, or ((top, bottom), (left,
 *  right)); for sequences one number or (before, after). */
#define HEED_ZERO_PADDING_OPTIONS(X, config)                                                                           \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SIZES, padding, HEED_ONE_SIZES, "[0,)", "how many zeros")                                                \
    HEED_DATA_FORMAT_OPTION(X, config)
typedef struct heed_zero_padding1d_config { HEED_ZERO_PADDING_OPTIONS(HEED_OPTION_FIELD, ) } heed_zero_padding1d_config;
typedef heed_zero_padding1d_config heed_zero_padding2d_config;
extern HEED_API const heed_layer_class heed_zero_padding1d_class, heed_zero_padding2d_class;
#define heed_zero_padding1d(...) HEED_SPEC(zero_padding1d, HEED_ZERO_PADDING_OPTIONS, __VA_ARGS__)
#define heed_zero_padding2d(...) HEED_SPEC(zero_padding2d, HEED_ZERO_PADDING_OPTIONS, __VA_ARGS__)

/** Takes steps, or the picture's sides, away; given as the padding of heed_zero_padding2d(). */
#define HEED_CROPPING1D_OPTIONS(X, config)                                                                             \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SIZES, cropping, HEED_ONE_SIZES, "[0,)", "how many steps before and after")
#define HEED_CROPPING2D_OPTIONS(X, config)                                                                             \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SIZES, cropping, HEED_DIMS(1, 0), "[0,)", "how much of each side")                                       \
    HEED_DATA_FORMAT_OPTION(X, config)
typedef struct heed_cropping1d_config { HEED_CROPPING1D_OPTIONS(HEED_OPTION_FIELD, ) } heed_cropping1d_config;
typedef struct heed_cropping2d_config { HEED_CROPPING2D_OPTIONS(HEED_OPTION_FIELD, ) } heed_cropping2d_config;
extern HEED_API const heed_layer_class heed_cropping1d_class, heed_cropping2d_class;
#define heed_cropping1d(...) HEED_SPEC(cropping1d, HEED_CROPPING1D_OPTIONS, __VA_ARGS__)
#define heed_cropping2d(...) HEED_SPEC(cropping2d, HEED_CROPPING2D_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ sizes */

/** Each step `size` times. */
#define HEED_UP_SAMPLING1D_OPTIONS(X, config)                                                                          \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, size, 2, "[1,)", "how many times")
typedef struct heed_up_sampling1d_config { HEED_UP_SAMPLING1D_OPTIONS(HEED_OPTION_FIELD, ) } heed_up_sampling1d_config;
extern HEED_API const heed_layer_class heed_up_sampling1d_class;
#define heed_up_sampling1d(...) HEED_SPEC(up_sampling1d, HEED_UP_SAMPLING1D_OPTIONS, __VA_ARGS__)

/** A picture `size` times as high and wide. */
#define HEED_UP_SAMPLING2D_OPTIONS(X, config)                                                                          \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SIZES, size, HEED_TWO_SIZES, "[1,)", "how many times")                                                   \
    HEED_DATA_FORMAT_OPTION(X, config)                                                                                 \
    X(config, TEXT, interpolation, "nearest", "nearest|bilinear|bicubic|lanczos3|lanczos5", "what stands between")
typedef struct heed_up_sampling2d_config { HEED_UP_SAMPLING2D_OPTIONS(HEED_OPTION_FIELD, ) } heed_up_sampling2d_config;
extern HEED_API const heed_layer_class heed_up_sampling2d_class;
#define heed_up_sampling2d(...) HEED_SPEC(up_sampling2d, HEED_UP_SAMPLING2D_OPTIONS, __VA_ARGS__)

/**
 * keras-layer-collection's Resize2D: a picture brought to output_shape (height, width), as TensorFlow 1 resizes:
 * element i of the output lies at i in/out of the input, so that the first elements of both lie on each other and the
 * last do not. Files of the original do not hold output_shape and method.
 */
#define HEED_RESIZE2D_OPTIONS(X, config)                                                                               \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SIZES, output_shape, {0}, "[1,)", "height and width")                                                    \
    X(config, TEXT, method, "bilinear", "bilinear|nearest_neighbor|bicubic|area", "what stands between")
typedef struct heed_resize2d_config { HEED_RESIZE2D_OPTIONS(HEED_OPTION_FIELD, ) } heed_resize2d_config;
extern HEED_API const heed_layer_class heed_resize2d_class;
#define heed_resize2d(...) HEED_SPEC(resize2d, HEED_RESIZE2D_OPTIONS, __VA_ARGS__)

/**
 * keras-layer-collection's DiscreteResize2D: a picture enlarged by whole factors f, bilinearly, by a transposed
 * convolution whose kernel is not trained: w_ij = (1 - |i - c| / f) (1 - |j - c| / f) within a channel, c the middle.
 * Weight: W (k, l, C, C), k = 2 f - f mod 2. Files of the original do not hold the factors: they follow from W.
 */
#define HEED_DISCRETE_RESIZE2D_OPTIONS(X, config)                                                                      \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SIZES, upscaling_factor, {0}, "[1,)", "how many times as high and wide")
typedef struct heed_discrete_resize2d_config { HEED_DISCRETE_RESIZE2D_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_discrete_resize2d_config;
extern HEED_API const heed_layer_class heed_discrete_resize2d_class;
#define heed_discrete_resize2d(...) HEED_SPEC(discrete_resize2d, HEED_DISCRETE_RESIZE2D_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ noise, scale */

/** Dropout of whole channels: all steps of one, or all of its picture. */
#define HEED_SPATIAL_DROPOUT1D_OPTIONS(X, config)                                                                      \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, rate, 0.0, "[0,1]", "share of the channels dropped")
#define HEED_SPATIAL_DROPOUT2D_OPTIONS(X, config)                                                                      \
    HEED_SPATIAL_DROPOUT1D_OPTIONS(X, config) HEED_DATA_FORMAT_OPTION(X, config)
typedef struct heed_spatial_dropout1d_config { HEED_SPATIAL_DROPOUT1D_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_spatial_dropout1d_config;
typedef struct heed_spatial_dropout2d_config { HEED_SPATIAL_DROPOUT2D_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_spatial_dropout2d_config;
extern HEED_API const heed_layer_class heed_spatial_dropout1d_class, heed_spatial_dropout2d_class;
#define heed_spatial_dropout1d(...) HEED_SPEC(spatial_dropout1d, HEED_SPATIAL_DROPOUT1D_OPTIONS, __VA_ARGS__)
#define heed_spatial_dropout2d(...) HEED_SPEC(spatial_dropout2d, HEED_SPATIAL_DROPOUT2D_OPTIONS, __VA_ARGS__)

/** In training, x plus normal numbers. */
#define HEED_GAUSSIAN_NOISE_OPTIONS(X, config)                                                                         \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, stddev, 0.0, "[0,)", "their standard deviation")
typedef struct heed_gaussian_noise_config { HEED_GAUSSIAN_NOISE_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_gaussian_noise_config;
extern HEED_API const heed_layer_class heed_gaussian_noise_class;
#define heed_gaussian_noise(...) HEED_SPEC(gaussian_noise, HEED_GAUSSIAN_NOISE_OPTIONS, __VA_ARGS__)

/** In training, x times normal numbers of mean 1 and variance rate / (1 - rate): that of dropout. */
#define HEED_GAUSSIAN_DROPOUT_OPTIONS(X, config)                                                                       \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, rate, 0.0, "[0,1)", "as of dropout")
typedef struct heed_gaussian_dropout_config { HEED_GAUSSIAN_DROPOUT_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_gaussian_dropout_config;
extern HEED_API const heed_layer_class heed_gaussian_dropout_class;
#define heed_gaussian_dropout(...) HEED_SPEC(gaussian_dropout, HEED_GAUSSIAN_DROPOUT_OPTIONS, __VA_ARGS__)

/** y = scale x + offset. */
#define HEED_RESCALING_OPTIONS(X, config)                                                                              \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, scale, 1.0, "", "what x is multiplied with")                                                      \
    X(config, FLOAT, offset, 0.0, "", "what is added")
typedef struct heed_rescaling_config { HEED_RESCALING_OPTIONS(HEED_OPTION_FIELD, ) } heed_rescaling_config;
extern HEED_API const heed_layer_class heed_rescaling_class;
#define heed_rescaling(...) HEED_SPEC(rescaling, HEED_RESCALING_OPTIONS, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
