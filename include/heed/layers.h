/**
 * @file layers.h
 * The layers, named as in Keras, with Keras' options, defaults and equations.
 *
 * Each heed_NAME(...) gives a heed_spec, with keyword arguments:
 *
 *     heed_add(m, heed_dense(.units = 5, .activation = "softmax"));
 *
 * An option not given has the default of its row below; the row also has its range and meaning. Options that end in
 * _initializer, _regularizer, _constraint or activation are expressions: see heed_option_type.
 *
 * In C++, whose initializers cannot do this, use heed_layer_create_text().
 */
#ifndef HEED_LAYERS_H
#define HEED_LAYERS_H

#include "heed/layer.h"

#include <math.h>

/* An option is given after its default, in one initializer. Compilers can warn of that (-Wextra); from here to the end
 * of the file that includes this header they do not. */
#if defined(__GNUC__) && !defined(__cplusplus)
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A spec of class heed_NAME_class with the defaults of LIST, then the options given. */
#define HEED_SPEC(name, LIST, ...)                                                                                     \
    ((heed_spec){&heed_##name##_class, &(const heed_##name##_config){LIST(HEED_OPTION_DEFAULT, ) __VA_ARGS__}})

/** Several specs as the value of an option. */
#define HEED_SPECS(...)                                                                                                \
    {(int)(sizeof((const heed_spec[]){__VA_ARGS__}) / sizeof(heed_spec)), (const heed_spec[]){__VA_ARGS__}}

/** Every class here, as X(name). */
#define HEED_LAYER_CLASS_MAP(X)                                                                                        \
    X(input_layer) X(dense) X(einsum_dense) X(embedding) X(reversible_embedding) X(activation) X(dropout)              \
    X(alpha_dropout) X(identity)                                                                                       \
    X(lstm) X(lstm_cell) X(gru) X(gru_cell) X(simple_rnn) X(simple_rnn_cell) X(rnn) X(stacked_rnn_cells)               \
    X(bidirectional) X(time_distributed)                                                                               \
    X(masking) X(flatten) X(reshape) X(permute) X(repeat_vector)                                                       \
    X(add) X(subtract) X(multiply) X(average) X(maximum) X(minimum) X(concatenate) X(dot)                              \
    X(softmax) X(relu) X(leaky_relu) X(elu) X(prelu)                                                                   \
    X(activity_regularization)                                                                                         \
    X(attention) X(additive_attention) X(multi_head_attention) X(group_query_attention) X(attention_decoder)

/* ------------------------------------------------------------------------------------------------ options in common */

#define HEED_WEIGHT_OPTIONS(X, config, weight, initializer)                                                            \
    X(config, INITIALIZER, weight##_initializer, initializer, "", "how the " #weight " begins")                        \
    X(config, REGULARIZER, weight##_regularizer, NULL, "", "penalty on the " #weight)                                  \
    X(config, CONSTRAINT, weight##_constraint, NULL, "", "what the " #weight " is held to after each update")

#define HEED_NOISE_SHAPE_OPTION(X, config)                                                                             \
    X(config, SHAPE, noise_shape, {0}, "None",                                                                         \
      "of the draw, where it is to be shared: 1 along shared axes; None: the input's size")

#define HEED_ACTIVITY_OPTION(X, config)                                                                                \
    X(config, REGULARIZER, activity_regularizer, NULL, "", "penalty on the output, for each example")

/* ------------------------------------------------------------------------------------------------ core */

/** Stands for data that come from outside. A model makes these itself: heed_input() in model.h. */
#define HEED_INPUT_LAYER_OPTIONS(X, config)                                                                            \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, batch_shape, {0}, "", "with the batch; None where a size is not known")                           \
    X(config, TEXT, dtype, "float32", "float32|int32|bool", "what the data are converted to")                          \
    X(config, BOOL, sparse, false, "", "always false")                                                                 \
    X(config, BOOL, ragged, false, "", "always false")                                                                 \
    X(config, BOOL, optional, false, "", "whether the input may be left out")
typedef struct heed_input_layer_config { HEED_INPUT_LAYER_OPTIONS(HEED_OPTION_FIELD, ) } heed_input_layer_config;
extern HEED_API const heed_layer_class heed_input_layer_class;
#define heed_input_layer(...) HEED_SPEC(input_layer, HEED_INPUT_LAYER_OPTIONS, __VA_ARGS__)

/** y = activation(x W + b), over the last axis. Weights: kernel (F, units), bias (units). */
#define HEED_DENSE_OPTIONS(X, config)                                                                                  \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, units, 0, "[1,)", "size of the output")                                                             \
    X(config, ACTIVATION, activation, NULL, "", "applied to the sum")                                                  \
    X(config, BOOL, use_bias, true, "", "whether b is added")                                                          \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")                                                           \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_dense_config { HEED_DENSE_OPTIONS(HEED_OPTION_FIELD, ) } heed_dense_config;
extern HEED_API const heed_layer_class heed_dense_class;
#define heed_dense(...) HEED_SPEC(dense, HEED_DENSE_OPTIONS, __VA_ARGS__)

/** y = activation(einsum(x, W) + b): products and sums over the letters of an equation, "abc,cd->abd"; an ellipsis
 *  stands for any number of dimensions: "...x,xy->...y". Weights: kernel, bias, of the letters' sizes. */
#define HEED_EINSUM_DENSE_OPTIONS(X, config)                                                                           \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, TEXT, equation, NULL, "", "letters of the input, the kernel and the output")                             \
    X(config, SHAPE, output_shape, {0}, "[-1,)", "without the batch and the ellipsis; None: the input's size")         \
    X(config, ACTIVATION, activation, NULL, "", "applied to the sum")                                                  \
    X(config, TEXT, bias_axes, NULL, "", "letters of the output along which b differs; None: no b")                    \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")                                                           \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_einsum_dense_config { HEED_EINSUM_DENSE_OPTIONS(HEED_OPTION_FIELD, ) } heed_einsum_dense_config;
extern HEED_API const heed_layer_class heed_einsum_dense_class;
#define heed_einsum_dense(...) HEED_SPEC(einsum_dense, HEED_EINSUM_DENSE_OPTIONS, __VA_ARGS__)

/** A row of a table for each id. Weight: embeddings (input_dim, output_dim). */
#define HEED_EMBEDDING_OPTIONS(X, config)                                                                              \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, input_dim, 0, "[1,)", "number of ids: 0 to input_dim - 1")                                          \
    X(config, INT, output_dim, 0, "[1,)", "size of a row")                                                             \
    HEED_WEIGHT_OPTIONS(X, config, embeddings, "uniform")                                                              \
    X(config, BOOL, mask_zero, false, "", "whether id 0 is padding, which is masked")                                  \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_embedding_config { HEED_EMBEDDING_OPTIONS(HEED_OPTION_FIELD, ) } heed_embedding_config;
extern HEED_API const heed_layer_class heed_embedding_class;
#define heed_embedding(...) HEED_SPEC(embedding, HEED_EMBEDDING_OPTIONS, __VA_ARGS__)

/**
 * An embedding that can also be called the other way, with reverse=True: from a vector to how well each id fits, x
 * embeddings^T, with the same weights (Press and Wolf 2016, arXiv:1608.05859). Weights: embeddings (input_dim,
 * output_dim); without tie_weights, reverse_embeddings (output_dim, input_dim) too.
 */
#define HEED_REVERSIBLE_EMBEDDING_OPTIONS(X, config)                                                                   \
    HEED_EMBEDDING_OPTIONS(X, config)                                                                                  \
    X(config, BOOL, tie_weights, true, "", "whether both ways have one table")                                         \
    X(config, TEXT, reverse_dtype, NULL, "float32|None", "of the product; here always float32")                        \
    X(config, FLOAT, logit_soft_cap, INFINITY, "(0,)", "c: the reverse way gives c tanh(y / c)")
typedef struct heed_reversible_embedding_config { HEED_REVERSIBLE_EMBEDDING_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_reversible_embedding_config;
extern HEED_API const heed_layer_class heed_reversible_embedding_class;
#define heed_reversible_embedding(...)                                                                                 \
    HEED_SPEC(reversible_embedding, HEED_REVERSIBLE_EMBEDDING_OPTIONS, __VA_ARGS__)

/** y = activation(x). */
#define HEED_ACTIVATION_OPTIONS(X, config)                                                                             \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, ACTIVATION, activation, NULL, "", "the function")                                                        \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_activation_config { HEED_ACTIVATION_OPTIONS(HEED_OPTION_FIELD, ) } heed_activation_config;
extern HEED_API const heed_layer_class heed_activation_class;
#define heed_activation(...) HEED_SPEC(activation, HEED_ACTIVATION_OPTIONS, __VA_ARGS__)

/** In training, each number is dropped (0) with probability rate, and the others are multiplied by 1/(1 - rate). */
#define HEED_DROPOUT_OPTIONS(X, config)                                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, rate, 0.0, "[0,1]", "share of the numbers dropped")                                               \
    HEED_NOISE_SHAPE_OPTION(X, config)
typedef struct heed_dropout_config { HEED_DROPOUT_OPTIONS(HEED_OPTION_FIELD, ) } heed_dropout_config;
extern HEED_API const heed_layer_class heed_dropout_class;
#define heed_dropout(...) HEED_SPEC(dropout, HEED_DROPOUT_OPTIONS, __VA_ARGS__)

/**
 * Dropout that keeps the mean and the variance of what selu gives (Klambauer et al. 2017, "Self-Normalizing Neural
 * Networks", arXiv:1706.02515, section 3): in training, each number becomes selu's least, -1.7581, with probability rate,
 * and all are then scaled and shifted.
 */
#define HEED_ALPHA_DROPOUT_OPTIONS(X, config)                                                                          \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, rate, 0.0, "[0,1)", "share of the numbers that are replaced")                                     \
    HEED_NOISE_SHAPE_OPTION(X, config)
typedef struct heed_alpha_dropout_config { HEED_ALPHA_DROPOUT_OPTIONS(HEED_OPTION_FIELD, ) } heed_alpha_dropout_config;
extern HEED_API const heed_layer_class heed_alpha_dropout_class;
#define heed_alpha_dropout(...) HEED_SPEC(alpha_dropout, HEED_ALPHA_DROPOUT_OPTIONS, __VA_ARGS__)

/** y = x. A name for a place in a model. */
#define HEED_IDENTITY_OPTIONS(X, config) HEED_LAYER_OPTIONS(X, config)
typedef struct heed_identity_config { HEED_IDENTITY_OPTIONS(HEED_OPTION_FIELD, ) } heed_identity_config;
extern HEED_API const heed_layer_class heed_identity_class;
#define heed_identity(...) HEED_SPEC(identity, HEED_IDENTITY_OPTIONS, __VA_ARGS__)

/** y = x, with a penalty on it for each example. */
#define HEED_ACTIVITY_REGULARIZATION_OPTIONS(X, config)                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, l1, 0.0, "[0,)", "factor of the sum of absolute values")                                          \
    X(config, FLOAT, l2, 0.0, "[0,)", "factor of the sum of squares")
typedef struct heed_activity_regularization_config {
    HEED_ACTIVITY_REGULARIZATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_activity_regularization_config;
extern HEED_API const heed_layer_class heed_activity_regularization_class;
#define heed_activity_regularization(...)                                                                              \
    HEED_SPEC(activity_regularization, HEED_ACTIVITY_REGULARIZATION_OPTIONS, __VA_ARGS__)

/** Steps of which every feature equals mask_value are masked, and set to 0. */
#define HEED_MASKING_OPTIONS(X, config)                                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, mask_value, 0.0, "", "what padding consists of")
typedef struct heed_masking_config { HEED_MASKING_OPTIONS(HEED_OPTION_FIELD, ) } heed_masking_config;
extern HEED_API const heed_layer_class heed_masking_class;
#define heed_masking(...) HEED_SPEC(masking, HEED_MASKING_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ shapes */

/** (B, ...) to (B, n). */
#define HEED_FLATTEN_OPTIONS(X, config)                                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, TEXT, data_format, "channels_last", "channels_last|channels_first|None",                                 \
      "channels_first: axis 1 is moved to the end before")
typedef struct heed_flatten_config { HEED_FLATTEN_OPTIONS(HEED_OPTION_FIELD, ) } heed_flatten_config;
extern HEED_API const heed_layer_class heed_flatten_class;
#define heed_flatten(...) HEED_SPEC(flatten, HEED_FLATTEN_OPTIONS, __VA_ARGS__)

/** (B, ...) to (B, target_shape). */
#define HEED_RESHAPE_OPTIONS(X, config)                                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, target_shape, {0}, "[-1,)", "without the batch; one size may be -1, what is left")
typedef struct heed_reshape_config { HEED_RESHAPE_OPTIONS(HEED_OPTION_FIELD, ) } heed_reshape_config;
extern HEED_API const heed_layer_class heed_reshape_class;
#define heed_reshape(...) HEED_SPEC(reshape, HEED_RESHAPE_OPTIONS, __VA_ARGS__)

/** Axis i of the output is axis dims[i] of the input. */
#define HEED_PERMUTE_OPTIONS(X, config)                                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, dims, {0}, "[1,)", "a permutation of 1, 2, ...; the batch, axis 0, stays")
typedef struct heed_permute_config { HEED_PERMUTE_OPTIONS(HEED_OPTION_FIELD, ) } heed_permute_config;
extern HEED_API const heed_layer_class heed_permute_class;
#define heed_permute(...) HEED_SPEC(permute, HEED_PERMUTE_OPTIONS, __VA_ARGS__)

/** (B, F) to (B, n, F). */
#define HEED_REPEAT_VECTOR_OPTIONS(X, config)                                                                          \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, n, 0, "[1,)", "how many times")
typedef struct heed_repeat_vector_config { HEED_REPEAT_VECTOR_OPTIONS(HEED_OPTION_FIELD, ) } heed_repeat_vector_config;
extern HEED_API const heed_layer_class heed_repeat_vector_class;
#define heed_repeat_vector(...) HEED_SPEC(repeat_vector, HEED_REPEAT_VECTOR_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ merging */

/*
 * Several inputs become one, number by number; a smaller rank is expanded behind the batch, sizes of 1 are repeated.
 * Where every input is masked, a step of the output is masked if it is in all of them (Keras 3.4 and later); a masked
 * step does not count: as 1 in a product, not at all for the greatest and the least.
 */
#define HEED_MERGE_OPTIONS(X, config) HEED_LAYER_OPTIONS(X, config)
typedef struct heed_merge_config { HEED_MERGE_OPTIONS(HEED_OPTION_FIELD, ) } heed_merge_config;
typedef heed_merge_config heed_add_config, heed_subtract_config, heed_multiply_config, heed_average_config,
    heed_maximum_config, heed_minimum_config;
extern HEED_API const heed_layer_class heed_add_class, heed_subtract_class, heed_multiply_class, heed_average_class,
    heed_maximum_class, heed_minimum_class;
#define heed_merge_add(...)      HEED_SPEC(add, HEED_MERGE_OPTIONS, __VA_ARGS__)
#define heed_merge_subtract(...) HEED_SPEC(subtract, HEED_MERGE_OPTIONS, __VA_ARGS__) /* of two */
#define heed_merge_multiply(...) HEED_SPEC(multiply, HEED_MERGE_OPTIONS, __VA_ARGS__)
#define heed_merge_average(...)  HEED_SPEC(average, HEED_MERGE_OPTIONS, __VA_ARGS__)
#define heed_merge_maximum(...)  HEED_SPEC(maximum, HEED_MERGE_OPTIONS, __VA_ARGS__)
#define heed_merge_minimum(...)  HEED_SPEC(minimum, HEED_MERGE_OPTIONS, __VA_ARGS__)

/** The inputs one behind the other. */
#define HEED_CONCATENATE_OPTIONS(X, config)                                                                            \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, axis, -1, "", "along which")
typedef struct heed_concatenate_config { HEED_CONCATENATE_OPTIONS(HEED_OPTION_FIELD, ) } heed_concatenate_config;
extern HEED_API const heed_layer_class heed_concatenate_class;
#define heed_concatenate(...) HEED_SPEC(concatenate, HEED_CONCATENATE_OPTIONS, __VA_ARGS__)

/** Sums of products of two inputs along an axis of each. */
#define HEED_DOT_OPTIONS(X, config)                                                                                    \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, axes, {0}, "", "one axis for both, or one for each; not the batch, 0")                            \
    X(config, BOOL, normalize, false, "", "whether both are scaled to length 1 along it before")
typedef struct heed_dot_config { HEED_DOT_OPTIONS(HEED_OPTION_FIELD, ) } heed_dot_config;
extern HEED_API const heed_layer_class heed_dot_class;
#define heed_dot(...) HEED_SPEC(dot, HEED_DOT_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ activations */

/** Shares that sum to 1; masked elements get none. A second input is a mask (bool, of x's shape). */
#define HEED_SOFTMAX_OPTIONS(X, config)                                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, SHAPE, axis, HEED_DIMS(1, -1), "", "over which; several are taken together")
typedef struct heed_softmax_config { HEED_SOFTMAX_OPTIONS(HEED_OPTION_FIELD, ) } heed_softmax_config;
extern HEED_API const heed_layer_class heed_softmax_class;
#define heed_softmax(...) HEED_SPEC(softmax, HEED_SOFTMAX_OPTIONS, __VA_ARGS__)

/** min(x, max_value) from the threshold on, else negative_slope (x - threshold). */
#define HEED_RELU_OPTIONS(X, config)                                                                                   \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, max_value, INFINITY, "[0,)", "the greatest output; None: no limit")                               \
    X(config, FLOAT, negative_slope, 0.0, "[0,)", "slope below the threshold")                                         \
    X(config, FLOAT, threshold, 0.0, "[0,)", "where the upper branch begins")
typedef struct heed_relu_config { HEED_RELU_OPTIONS(HEED_OPTION_FIELD, ) } heed_relu_config;
extern HEED_API const heed_layer_class heed_relu_class;
#define heed_relu(...) HEED_SPEC(relu, HEED_RELU_OPTIONS, __VA_ARGS__)

/** x, or negative_slope x below 0. */
#define HEED_LEAKY_RELU_OPTIONS(X, config)                                                                             \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, negative_slope, 0.3, "[0,)", "slope below 0")
typedef struct heed_leaky_relu_config { HEED_LEAKY_RELU_OPTIONS(HEED_OPTION_FIELD, ) } heed_leaky_relu_config;
extern HEED_API const heed_layer_class heed_leaky_relu_class;
#define heed_leaky_relu(...) HEED_SPEC(leaky_relu, HEED_LEAKY_RELU_OPTIONS, __VA_ARGS__)

/** x, or alpha (e^x - 1) below 0. */
#define HEED_ELU_OPTIONS(X, config)                                                                                    \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, alpha, 1.0, "", "what very negative numbers come to, negated")
typedef struct heed_elu_config { HEED_ELU_OPTIONS(HEED_OPTION_FIELD, ) } heed_elu_config;
extern HEED_API const heed_layer_class heed_elu_class;
#define heed_elu(...) HEED_SPEC(elu, HEED_ELU_OPTIONS, __VA_ARGS__)

/** x, or alpha x below 0, alpha learned. Weight: alpha, an input's shape. */
#define HEED_PRELU_OPTIONS(X, config)                                                                                  \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    HEED_WEIGHT_OPTIONS(X, config, alpha, "zeros")                                                                     \
    X(config, SHAPE, shared_axes, {0}, "[1,)|None", "axes along which one alpha serves all")
typedef struct heed_prelu_config { HEED_PRELU_OPTIONS(HEED_OPTION_FIELD, ) } heed_prelu_config;
extern HEED_API const heed_layer_class heed_prelu_class;
#define heed_prelu(...) HEED_SPEC(prelu, HEED_PRELU_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ attention */

/*
 * Keras' Attention and AdditiveAttention. Inputs: query (B, Tq, D), value (B, Tk, V), and key (B, Tk, D), by default
 * the value. The value's mask leaves steps out; the query's mask zeroes the output's steps, and is the output's mask.
 * Keywords of the call: use_causal_mask (step i sees steps up to i), return_attention_scores (the weights, (B, Tq, Tk),
 * as a second output).
 */

/** softmax(q k' scale) v; with score_mode concat, w sum(tanh(scale (q + k))) for q k'. Weights: scale,
 *  concat_score_weight. */
#define HEED_ATTENTION_OPTIONS(X, config)                                                                              \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, BOOL, use_scale, false, "", "whether scores have a learned scale")                                       \
    X(config, TEXT, score_mode, "dot", "dot|concat", "what a score is")                                                \
    X(config, FLOAT, dropout, 0.0, "[0,1]", "share of the weights dropped in training")
typedef struct heed_attention_config { HEED_ATTENTION_OPTIONS(HEED_OPTION_FIELD, ) } heed_attention_config;
extern HEED_API const heed_layer_class heed_attention_class;
#define heed_attention(...) HEED_SPEC(attention, HEED_ATTENTION_OPTIONS, __VA_ARGS__)

/** softmax(sum_d scale_d tanh(q_d + k_d)) v. Weight: scale (D). */
#define HEED_ADDITIVE_ATTENTION_OPTIONS(X, config)                                                                     \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, BOOL, use_scale, true, "", "whether features have a learned weight")                                     \
    X(config, FLOAT, dropout, 0.0, "[0,1]", "share of the weights dropped in training")
typedef struct heed_additive_attention_config {
    HEED_ADDITIVE_ATTENTION_OPTIONS(HEED_OPTION_FIELD, )
} heed_additive_attention_config;
extern HEED_API const heed_layer_class heed_additive_attention_class;
#define heed_additive_attention(...) HEED_SPEC(additive_attention, HEED_ADDITIVE_ATTENTION_OPTIONS, __VA_ARGS__)

#define HEED_PROJECTED_ATTENTION_OPTIONS(X, config)                                                                    \
    X(config, FLOAT, dropout, 0.0, "[0,1)", "share of the weights dropped in training")                                \
    X(config, BOOL, use_bias, true, "", "whether the projections have a bias")                                         \
    X(config, BOOL, use_gate, false, "", "whether each head's result is gated by the query")                           \
    X(config, INT, sliding_window, HEED_NONE, "[1,)", "keys less than so far from the query are seen; None: all")      \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")                                                           \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")

/**
 * Keras' MultiHeadAttention. Inputs: query (B, Tq, F), value (B, Tk, V), then, if wanted, key (B, Tk, K), by default the
 * value, and behind it the attention mask, bools or 0 and 1 that broadcast to (B, N, Tq, Tk) or (B, Tq, Tk): false hides a
 * key from a query. All are projected for each head: q = query Wq + bq and so on; y = (softmax(q k' / sqrt(key_dim)) v of
 * all heads) Wo + bo. Weights: query/kernel (F, N, key_dim), query/bias (N, key_dim), the same of key, gate and value,
 * attention_output/kernel (N, value_dim, F), attention_output/bias (F).
 *
 * Keywords of the call: use_causal_mask (step i sees steps up to i), return_attention_scores (the weights, (B, N, Tq, Tk),
 * as a second output). Nothing of Tq x Tk is kept unless it is asked for. Inputs of more axes, (B, ..., F), attend over
 * attention_axes, by default all.
 */
#define HEED_MULTI_HEAD_ATTENTION_OPTIONS(X, config)                                                                   \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, num_heads, 0, "[1,)", "number of heads")                                                            \
    X(config, INT, key_dim, 0, "[1,)", "size of a head's queries and keys")                                            \
    X(config, INT, value_dim, HEED_NONE, "[1,)", "size of a head's values; None: key_dim")                             \
    X(config, SHAPE, output_shape, {0}, "[1,)|None", "of a step of the output; None: as the query's")                  \
    X(config, SHAPE, attention_axes, {0}, "None", "axes to attend over; None: all but the first and the last")         \
    HEED_PROJECTED_ATTENTION_OPTIONS(X, config)
typedef struct heed_multi_head_attention_config {
    HEED_MULTI_HEAD_ATTENTION_OPTIONS(HEED_OPTION_FIELD, )
} heed_multi_head_attention_config;
extern HEED_API const heed_layer_class heed_multi_head_attention_class;
#define heed_multi_head_attention(...)                                                                                 \
    HEED_SPEC(multi_head_attention, HEED_MULTI_HEAD_ATTENTION_OPTIONS, __VA_ARGS__)

/** Keras' GroupQueryAttention: as heed_multi_head_attention(), but num_query_heads / num_key_value_heads heads in a row
 *  share a head of keys and values. Query and value have the same features. */
#define HEED_GROUP_QUERY_ATTENTION_OPTIONS(X, config)                                                                  \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, head_dim, 0, "[1,)", "size of a head")                                                              \
    X(config, INT, num_query_heads, 0, "[1,)", "number of heads")                                                      \
    X(config, INT, num_key_value_heads, 0, "[1,)", "number of heads of keys and values; divides num_query_heads")      \
    HEED_PROJECTED_ATTENTION_OPTIONS(X, config)
typedef struct heed_group_query_attention_config {
    HEED_GROUP_QUERY_ATTENTION_OPTIONS(HEED_OPTION_FIELD, )
} heed_group_query_attention_config;
extern HEED_API const heed_layer_class heed_group_query_attention_class;
#define heed_group_query_attention(...)                                                                                \
    HEED_SPEC(group_query_attention, HEED_GROUP_QUERY_ATTENTION_OPTIONS, __VA_ARGS__)

/** The decoder with attention of datalogue's keras-attention: reads a sequence (B, T, F) whole at each of T steps.
 *
 *     e_j = V tanh(s W_a + x_j U_a + b_a); a = softmax(e); c = sum_j a_j x_j
 *     r, z = sigmoid(y W + s U + c C + b), each with its own weights; p = tanh(y W_p + (r s) U_p + c C_p + b_p)
 *     s' = (1 - z) s + z p; y' = softmax(y W_o + s' U_o + c C_o + b_o)
 *
 * from s = tanh(x_1 W_s), y = 0, as equations 1 to 8 of Bahdanau, Cho and Bengio 2014 have it: y' from the new state s', and no
 * attention to masked steps. As first written (`corrected` false), y' is computed from the state before the step, and padding
 * is attended to. */
#define HEED_ATTENTION_DECODER_OPTIONS(X, config)                                                                      \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, units, 0, "[1,)", "size of the state")                                                              \
    X(config, INT, output_dim, 0, "[1,)", "number of classes")                                                         \
    X(config, BOOL, return_probabilities, false, "",                                                                   \
      "whether the output is the attention, (B, T, T), instead; as first written (B, T, T, 1)")                        \
    X(config, BOOL, corrected, true, "", "see above; files of the original are read as first written")                                                                 \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")                                                           \
    HEED_WEIGHT_OPTIONS(X, config, recurrent, "orthogonal")                                                            \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_attention_decoder_config {
    HEED_ATTENTION_DECODER_OPTIONS(HEED_OPTION_FIELD, )
} heed_attention_decoder_config;
extern HEED_API const heed_layer_class heed_attention_decoder_class;
#define heed_attention_decoder(...) HEED_SPEC(attention_decoder, HEED_ATTENTION_DECODER_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ recurrent */

/*
 * A recurrent layer runs a cell over time. Inputs: the sequence (B, T, F), then, if wanted, the initial states (B,
 * units). Outputs: the last output (B, units), or all of them (B, T, units) with return_sequences; then the final
 * states with return_state. A masked step keeps the states and repeats the output before it. As in Keras 3, a layer
 * that is given initial states runs over the padding too; its output carries the mask all the same.
 */
#define HEED_RNN_OPTIONS(X, config)                                                                                    \
    X(config, BOOL, return_sequences, false, "", "whether all outputs are given, or the last one")                     \
    X(config, BOOL, return_state, false, "", "whether the final states are given too, behind the output")              \
    X(config, BOOL, go_backwards, false, "",                                                                           \
      "whether to run from the last step to the first; outputs come in that order")                                    \
    X(config, BOOL, stateful, false, "", "whether a batch goes on from the states of the one before")                  \
    X(config, BOOL, unroll, false, "", "no influence here")                                                            \
    X(config, BOOL, zero_output_for_mask, false, "", "whether a masked step's output is zero")                         \
    X(config, BOOL, time_major, false, "", "whether sequences are (T, B, F), as Keras 2 allowed")

/* Weights of a cell of g gates: kernel (F, g units), recurrent_kernel (units, g units), bias (g units). */
#define HEED_CELL_OPTIONS(X, config)                                                                                   \
    X(config, BOOL, use_bias, true, "", "whether the bias is added")                                                   \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")                                                           \
    HEED_WEIGHT_OPTIONS(X, config, recurrent, "orthogonal")                                                            \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    X(config, FLOAT, dropout, 0.0, "[0,1]", "share of the inputs dropped in training; the same at all steps")          \
    X(config, FLOAT, recurrent_dropout, 0.0, "[0,1]", "share of the state dropped in training; the same at all steps")

/** [i f c o] = x K + h R + b; c' = s(f) c + s(i) a(c); h' = s(o) a(c'); s: recurrent_activation, a: activation. */
#define HEED_LSTM_EQUATION_OPTIONS(X, config)                                                                          \
    X(config, INT, units, 0, "[1,)", "size of the state and the output")                                               \
    X(config, ACTIVATION, activation, "tanh", "", "of the candidate and the output")                                   \
    X(config, ACTIVATION, recurrent_activation, "sigmoid", "", "of the gates")                                         \
    HEED_CELL_OPTIONS(X, config)                                                                                       \
    X(config, BOOL, unit_forget_bias, true, "", "whether the forget gate's bias begins with 1")
#define HEED_LSTM_CELL_OPTIONS(X, config) HEED_LAYER_OPTIONS(X, config) HEED_LSTM_EQUATION_OPTIONS(X, config)
#define HEED_LSTM_OPTIONS(X, config)                                                                                   \
    HEED_LAYER_OPTIONS(X, config) HEED_LSTM_EQUATION_OPTIONS(X, config) HEED_RNN_OPTIONS(X, config)                    \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_lstm_cell_config { HEED_LSTM_CELL_OPTIONS(HEED_OPTION_FIELD, ) } heed_lstm_cell_config;
typedef struct heed_lstm_config { HEED_LSTM_OPTIONS(HEED_OPTION_FIELD, ) } heed_lstm_config;
extern HEED_API const heed_layer_class heed_lstm_cell_class, heed_lstm_class;
#define heed_lstm_cell(...) HEED_SPEC(lstm_cell, HEED_LSTM_CELL_OPTIONS, __VA_ARGS__)
#define heed_lstm(...)      HEED_SPEC(lstm, HEED_LSTM_OPTIONS, __VA_ARGS__)

/** [z r h] of x K + b and of h R + b'; z, r = s(.); with reset_after h~ = a(x_h + r (h R_h + b'_h)), otherwise
 *  h~ = a(x_h + (r h) R_h); h' = z h + (1 - z) h~. The bias is (2, 3 units) with reset_after, else (3 units). */
#define HEED_GRU_EQUATION_OPTIONS(X, config)                                                                           \
    X(config, INT, units, 0, "[1,)", "size of the state and the output")                                               \
    X(config, ACTIVATION, activation, "tanh", "", "of the candidate")                                                  \
    X(config, ACTIVATION, recurrent_activation, "sigmoid", "", "of the gates")                                         \
    HEED_CELL_OPTIONS(X, config)                                                                                       \
    X(config, BOOL, reset_after, true, "", "whether the reset gate acts behind the product with the state")
#define HEED_GRU_CELL_OPTIONS(X, config) HEED_LAYER_OPTIONS(X, config) HEED_GRU_EQUATION_OPTIONS(X, config)
#define HEED_GRU_OPTIONS(X, config)                                                                                    \
    HEED_LAYER_OPTIONS(X, config) HEED_GRU_EQUATION_OPTIONS(X, config) HEED_RNN_OPTIONS(X, config)                     \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_gru_cell_config { HEED_GRU_CELL_OPTIONS(HEED_OPTION_FIELD, ) } heed_gru_cell_config;
typedef struct heed_gru_config { HEED_GRU_OPTIONS(HEED_OPTION_FIELD, ) } heed_gru_config;
extern HEED_API const heed_layer_class heed_gru_cell_class, heed_gru_class;
#define heed_gru_cell(...) HEED_SPEC(gru_cell, HEED_GRU_CELL_OPTIONS, __VA_ARGS__)
#define heed_gru(...)      HEED_SPEC(gru, HEED_GRU_OPTIONS, __VA_ARGS__)

/** h' = activation(x K + b + h R). */
#define HEED_SIMPLE_RNN_EQUATION_OPTIONS(X, config)                                                                    \
    X(config, INT, units, 0, "[1,)", "size of the state and the output")                                               \
    X(config, ACTIVATION, activation, "tanh", "", "applied to the sum")                                                \
    HEED_CELL_OPTIONS(X, config)
#define HEED_SIMPLE_RNN_CELL_OPTIONS(X, config)                                                                        \
    HEED_LAYER_OPTIONS(X, config) HEED_SIMPLE_RNN_EQUATION_OPTIONS(X, config)
#define HEED_SIMPLE_RNN_OPTIONS(X, config)                                                                             \
    HEED_LAYER_OPTIONS(X, config) HEED_SIMPLE_RNN_EQUATION_OPTIONS(X, config) HEED_RNN_OPTIONS(X, config)              \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_simple_rnn_cell_config {
    HEED_SIMPLE_RNN_CELL_OPTIONS(HEED_OPTION_FIELD, )
} heed_simple_rnn_cell_config;
typedef struct heed_simple_rnn_config { HEED_SIMPLE_RNN_OPTIONS(HEED_OPTION_FIELD, ) } heed_simple_rnn_config;
extern HEED_API const heed_layer_class heed_simple_rnn_cell_class, heed_simple_rnn_class;
#define heed_simple_rnn_cell(...) HEED_SPEC(simple_rnn_cell, HEED_SIMPLE_RNN_CELL_OPTIONS, __VA_ARGS__)
#define heed_simple_rnn(...)      HEED_SPEC(simple_rnn, HEED_SIMPLE_RNN_OPTIONS, __VA_ARGS__)

/** A recurrent layer around any cell, one of your own too:
 *  heed_rnn(heed_lstm_cell(.units = 8), .return_sequences = true).
 *  More inputs than the sequence and the states are constants, seen by the cell at each step. */
#define HEED_RNN_LAYER_OPTIONS(X, config)                                                                              \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, cell, {0}, "", "what a step computes")                                                            \
    HEED_RNN_OPTIONS(X, config)                                                                                        \
    HEED_ACTIVITY_OPTION(X, config)
typedef struct heed_rnn_config { HEED_RNN_LAYER_OPTIONS(HEED_OPTION_FIELD, ) } heed_rnn_config;
extern HEED_API const heed_layer_class heed_rnn_class;
#define heed_rnn(...) HEED_SPEC(rnn, HEED_RNN_LAYER_OPTIONS, .cell = __VA_ARGS__)

/** Cells one on top of the other, as one cell:
 *  heed_stacked_rnn_cells(heed_gru_cell(.units = 8), heed_gru_cell(.units = 4)).
 *  The states are those of each cell in turn; the output is the last cell's. */
#define HEED_STACKED_RNN_CELLS_OPTIONS(X, config)                                                                      \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYERS, cells, {0}, "", "from the input's side on")
typedef struct heed_stacked_rnn_cells_config {
    HEED_STACKED_RNN_CELLS_OPTIONS(HEED_OPTION_FIELD, )
} heed_stacked_rnn_cells_config;
extern HEED_API const heed_layer_class heed_stacked_rnn_cells_class;
#define heed_stacked_rnn_cells(...)                                                                                    \
    HEED_SPEC(stacked_rnn_cells, HEED_STACKED_RNN_CELLS_OPTIONS, .cells = HEED_SPECS(__VA_ARGS__))

/** A recurrent layer forwards, and another backwards whose output is turned round again:
 *  heed_bidirectional(heed_lstm(.units = 128), .merge_mode = "sum"). Initial and final states: forward, then
 *  backward. */
#define HEED_BIDIRECTIONAL_OPTIONS(X, config)                                                                          \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, layer, {0}, "", "the one forwards")                                                               \
    X(config, TEXT, merge_mode, "concat", "concat|sum|mul|ave|None", "how both become one; None: two outputs")         \
    X(config, LAYER, backward_layer, {0}, "", "the one backwards; by default a copy of `layer`")
typedef struct heed_bidirectional_config { HEED_BIDIRECTIONAL_OPTIONS(HEED_OPTION_FIELD, ) } heed_bidirectional_config;
extern HEED_API const heed_layer_class heed_bidirectional_class;
#define heed_bidirectional(...) HEED_SPEC(bidirectional, HEED_BIDIRECTIONAL_OPTIONS, .layer = __VA_ARGS__)

/** A layer applied to each step: heed_time_distributed(heed_dense(.units = 5)). */
#define HEED_TIME_DISTRIBUTED_OPTIONS(X, config)                                                                       \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, layer, {0}, "", "what is applied")
typedef struct heed_time_distributed_config {
    HEED_TIME_DISTRIBUTED_OPTIONS(HEED_OPTION_FIELD, )
} heed_time_distributed_config;
extern HEED_API const heed_layer_class heed_time_distributed_class;
#define heed_time_distributed(...) HEED_SPEC(time_distributed, HEED_TIME_DISTRIBUTED_OPTIONS, .layer = __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
