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

/* An option is given after its default, in one initializer. Compilers can warn of that (-Wextra); from here to the end of
 * the file that includes this header they do not. */
#if defined(__GNUC__) && !defined(__cplusplus)
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A spec of class heed_NAME_class with the defaults of LIST, then the options given. */
#define HEED_SPEC(name, LIST, ...)                                                                                     \
    ((heed_spec){&heed_##name##_class, &(const heed_##name##_config){LIST(HEED_OPTION_DEFAULT, ) __VA_ARGS__}})

/** Every class here, as X(name). */
#define HEED_LAYER_CLASS_MAP(X)                                                                                        \
    X(input_layer) X(dense) X(embedding) X(activation) X(dropout)

/* ------------------------------------------------------------------------------------------------ options in common */

#define HEED_WEIGHT_OPTIONS(X, config, weight, initializer)                                                            \
    X(config, INITIALIZER, weight##_initializer, initializer, "", "how the " #weight " begins")                        \
    X(config, REGULARIZER, weight##_regularizer, NULL, "", "penalty on the " #weight)                                  \
    X(config, CONSTRAINT, weight##_constraint, NULL, "", "what the " #weight " is held to after each update")

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
    X(config, SHAPE, noise_shape, {0}, "", "of the draw, where it is to be shared: 1 along shared axes; None: the input's size")
typedef struct heed_dropout_config { HEED_DROPOUT_OPTIONS(HEED_OPTION_FIELD, ) } heed_dropout_config;
extern HEED_API const heed_layer_class heed_dropout_class;
#define heed_dropout(...) HEED_SPEC(dropout, HEED_DROPOUT_OPTIONS, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
