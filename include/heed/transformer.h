/**
 * @file transformer.h
 * The layers that KerasHub (KerasNLP before) builds Transformers of, under the names and with the options, defaults and weights
 * that they have there: whole blocks of attention and feed-forward layers, and what tells them where a token stands.
 *
 * Padding is hidden by masks that come along from Embedding(mask_zero) or TokenAndPositionEmbedding(mask_zero), or that are
 * given to a call by hand. B: batch, T: steps, F: features.
 */
#ifndef HEED_TRANSFORMER_H
#define HEED_TRANSFORMER_H

#include "heed/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every class here, as X(name). */
#define HEED_TRANSFORMER_CLASS_MAP(X)                                                                                  \
    X(transformer_encoder) X(transformer_decoder) X(position_embedding) X(sine_position_encoding)                      \
    X(token_and_position_embedding)

#define HEED_TRANSFORMER_BLOCK_OPTIONS(X, config)                                                                      \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, intermediate_dim, 0, "[1,)", "size within the feed-forward layers")                                 \
    X(config, INT, num_heads, 0, "[1,)", "number of heads; each of F / num_heads features")                            \
    X(config, FLOAT, dropout, 0.0, "[0,1)", "of the attention's weights, and of what each part adds")                  \
    X(config, ACTIVATION, activation, "relu", "", "within the feed-forward layers")                                    \
    X(config, FLOAT, layer_norm_epsilon, 1e-5, "[0,)", "keeps the normalizations' roots from 0")                       \
    X(config, INITIALIZER, kernel_initializer, "glorot_uniform", "", "how kernels begin")                              \
    X(config, INITIALIZER, bias_initializer, "zeros", "", "how biases begin")                                          \
    X(config, BOOL, normalize_first, false, "", "whether each part normalizes what it takes in, or what comes out")

/**
 * A block that reads (Vaswani et al. 2017, section 3.1): attention to itself and two dense layers, each added to what went in:
 *
 *     x' = norm(x + attention(x, x)); y = norm(x' + Dense(F)(activation(Dense(intermediate_dim)(x'))))
 *
 * or with normalize_first x' = x + attention(norm(x), norm(x)), and so on. A second input, (B, T, T), tells what may be seen.
 */
#define HEED_TRANSFORMER_ENCODER_OPTIONS(X, config) HEED_TRANSFORMER_BLOCK_OPTIONS(X, config)
typedef struct heed_transformer_encoder_config {
    HEED_TRANSFORMER_ENCODER_OPTIONS(HEED_OPTION_FIELD, )
} heed_transformer_encoder_config;
extern HEED_API const heed_layer_class heed_transformer_encoder_class;
#define heed_transformer_encoder(...) HEED_SPEC(transformer_encoder, HEED_TRANSFORMER_ENCODER_OPTIONS, __VA_ARGS__)

/**
 * A block that writes: as heed_transformer_encoder(), but a step sees none behind it, unless the call says
 * use_causal_mask=False. A second input (B, Ts, Fs), what was read, is attended to as well, in a part of its own between the two.
 */
#define HEED_TRANSFORMER_DECODER_OPTIONS(X, config)                                                                    \
    HEED_TRANSFORMER_BLOCK_OPTIONS(X, config)                                                                          \
    X(config, SHAPE, decoder_sequence_shape, {0}, "None", "what it was built for")                                     \
    X(config, SHAPE, encoder_sequence_shape, {0}, "None", "the same of what was read; None: nothing was")
typedef struct heed_transformer_decoder_config {
    HEED_TRANSFORMER_DECODER_OPTIONS(HEED_OPTION_FIELD, )
} heed_transformer_decoder_config;
extern HEED_API const heed_layer_class heed_transformer_decoder_class;
#define heed_transformer_decoder(...) HEED_SPEC(transformer_decoder, HEED_TRANSFORMER_DECODER_OPTIONS, __VA_ARGS__)

/** A learnt row for each step, for an input (B, T, F) of which only the shape counts; to be added to it. Weight: embeddings
 *  (sequence_length, F). */
#define HEED_POSITION_EMBEDDING_OPTIONS(X, config)                                                                     \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, sequence_length, 0, "[1,)", "steps at most")                                                        \
    X(config, INITIALIZER, initializer, "glorot_uniform", "", "how the rows begin")
typedef struct heed_position_embedding_config {
    HEED_POSITION_EMBEDDING_OPTIONS(HEED_OPTION_FIELD, )
} heed_position_embedding_config;
extern HEED_API const heed_layer_class heed_position_embedding_class;
#define heed_position_embedding(...) HEED_SPEC(position_embedding, HEED_POSITION_EMBEDDING_OPTIONS, __VA_ARGS__)

/** Waves for each step (Vaswani et al. 2017, section 3.5), for an input (B, T, F) of which only the shape counts: y_tf = sin(t /
 *  max_wavelength^(f/F)) for even f, and the cosine with f - 1 in the exponent for odd ones. */
#define HEED_SINE_POSITION_ENCODING_OPTIONS(X, config)                                                                 \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, max_wavelength, 10000.0, "(0,)", "of the last features, over 2 pi")
typedef struct heed_sine_position_encoding_config {
    HEED_SINE_POSITION_ENCODING_OPTIONS(HEED_OPTION_FIELD, )
} heed_sine_position_encoding_config;
extern HEED_API const heed_layer_class heed_sine_position_encoding_class;
#define heed_sine_position_encoding(...)                                                                               \
    HEED_SPEC(sine_position_encoding, HEED_SINE_POSITION_ENCODING_OPTIONS, __VA_ARGS__)

/** A row of a table for each id (B, T), plus one for its step: heed_reversible_embedding() and heed_position_embedding(). Weights:
 *  token_embedding/embeddings (vocabulary_size, embedding_dim), position_embedding/embeddings (sequence_length, embedding_dim). */
#define HEED_TOKEN_AND_POSITION_EMBEDDING_OPTIONS(X, config)                                                           \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, vocabulary_size, 0, "[1,)", "number of ids: 0 to vocabulary_size - 1")                              \
    X(config, INT, sequence_length, 0, "[1,)", "steps at most")                                                        \
    X(config, INT, embedding_dim, 0, "[1,)", "size of a row")                                                          \
    X(config, BOOL, tie_weights, true, "", "whether the way back, which Keras has, shares the table")                  \
    X(config, INITIALIZER, embeddings_initializer, "uniform", "", "how both tables begin")                             \
    X(config, BOOL, mask_zero, false, "", "whether id 0 is padding, which is masked")
typedef struct heed_token_and_position_embedding_config {
    HEED_TOKEN_AND_POSITION_EMBEDDING_OPTIONS(HEED_OPTION_FIELD, )
} heed_token_and_position_embedding_config;
extern HEED_API const heed_layer_class heed_token_and_position_embedding_class;
#define heed_token_and_position_embedding(...)                                                                         \
    HEED_SPEC(token_and_position_embedding, HEED_TOKEN_AND_POSITION_EMBEDDING_OPTIONS, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
