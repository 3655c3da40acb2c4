/**
 * @file attention.h
 * The attention layers of keras-self-attention, keras-multi-head, attention_keras and keras-layer-collection, under the
 * names and with the options, defaults and weights that they have there. Keras' own and AttentionDecoder are in
 * layers.h.
 *
 * In C a layer is named as its class in snake_case: heed_seq_self_attention(...). Where two collections have a class of
 * one name, the collection stands before it: heed_self_attention_scaled_dot_product(...) and
 * heed_layer_collection_scaled_dot_product(...).
 *
 * **As first written, and as meant.** Where the original has a fault, described at each layer, the option `corrected`
 * decides: true, the default of every layer made here, computes what was meant; false computes what the original
 * computed. A layer read from a file of the original, which does not say, has false. Corrected, padding gets no
 * attention, and where there is nothing to attend to the result is zero.
 *
 * Masks come along from Masking or Embedding(mask_zero). B: batch, T: steps, F: features.
 */
#ifndef HEED_ATTENTION_H
#define HEED_ATTENTION_H

#include "heed/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every class here, as X(name). */
#define HEED_ATTENTION_CLASS_MAP(X)                                                                                    \
    X(seq_self_attention) X(seq_weighted_attention)                                                                    \
    X(self_attention_scaled_dot_product) X(residual_scaled_dot_product_attention)                                      \
    X(multi_head) X(multi_head_multi_head_attention) X(attention_layer)                                                \
    X(layer_collection_scaled_dot_product) X(layer_collection_layer_normalization) X(sequence_attention)               \
    X(attention_rnn_wrapper) X(external_attention_rnn_wrapper)                                                         \
    X(luong_attention) X(luong_attention_cell) X(bahdanau_attention_cell)

#define HEED_CORRECTED_OPTION(X, config)                                                                               \
    X(config, BOOL, corrected, true, "", "whether it computes what was meant, or what was first written")
#define HEED_RETURN_ATTENTION_OPTION(X, config)                                                                        \
    X(config, BOOL, return_attention, false, "", "whether the weights of attention follow as the last output")
#define HEED_HISTORY_ONLY_OPTION(X, config)                                                                            \
    X(config, BOOL, history_only, false, "", "whether a step attends to no step after it")

/* ------------------------------------------------------------------------------------------------ keras-self-attention */

/**
 * Each step attends to all steps, or to those in a window around it:
 *
 *     additive:       e_ij = tanh(x_i Wt + x_j Wx + bh) Wa + ba
 *     multiplicative: e_ij = x_i Wa x_j^T + ba
 *     a = softmax over j of attention_activation(e); y_i = sum_j a_ij x_j
 *
 * Weights: Wt (F, units), Wx (F, units), bh (units), Wa (units, 1), ba (1); or Wa (F, F), ba (1). Window of width w:
 * steps i - w/2 to i - w/2 + w - 1, or with history_only i - w + 1 to i. attention_regularizer_weight adds that times
 * the sum of (A A^T - I)^2, a mean over the batch, to the loss.
 *
 * With a width, time and memory grow with T times that width, not with T^2, unless all of the attention is asked for.
 *
 * As first written, only padding is kept from attending to padding: other steps attend to it. And padding with nothing but
 * padding in its window attends to all steps that are hidden from it alike, those outside of the window too; here so up to
 * 4,096 steps, beyond that it attends to its window.
 *
 * Which first writing, `masking` says. Up to version 0.45 ("factor") the exponential of a hidden score was multiplied by 0
 * and 1e-7 added to their sum; padding then neither attended nor was attended to. Version 0.46 ("penalty_without_window")
 * never applied the window, nor history_only. A file does not tell: heed_read_from() does.
 */
#define HEED_SEQ_SELF_ATTENTION_OPTIONS(X, config)                                                                     \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, units, 32, "[1,)", "size of the sum inside of tanh, when additive")                                 \
    X(config, INT, attention_width, HEED_NONE, "[1,)", "steps in the window; None: all")                               \
    X(config, TEXT, attention_type, "additive", "additive|multiplicative", "how two steps are compared")               \
    HEED_RETURN_ATTENTION_OPTION(X, config)                                                                            \
    HEED_HISTORY_ONLY_OPTION(X, config)                                                                                \
    X(config, BOOL, use_additive_bias, true, "", "whether bh is added")                                                \
    X(config, BOOL, use_attention_bias, true, "", "whether ba is added")                                               \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_normal")                                                            \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    X(config, ACTIVATION, attention_activation, NULL, "", "applied to the scores")                                     \
    X(config, FLOAT, attention_regularizer_weight, 0.0, "[0,)", "of the penalty on steps that attend alike")           \
    HEED_CORRECTED_OPTION(X, config)                                                                                   \
    X(config, TEXT, masking, "penalty", "penalty|penalty_without_window|factor",                                       \
      "as first written: the way of keras-self-attention 0.47 and later, of 0.46, or of 0.45 and before")
typedef struct heed_seq_self_attention_config { HEED_SEQ_SELF_ATTENTION_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_seq_self_attention_config;
extern HEED_API const heed_layer_class heed_seq_self_attention_class;
#define heed_seq_self_attention(...) HEED_SPEC(seq_self_attention, HEED_SEQ_SELF_ATTENTION_OPTIONS, __VA_ARGS__)

/**
 * A sequence becomes its weighted mean: a = softmax over the steps of x W + b; y = sum_i a_i x_i, (B, F). Weights: W
 * (F, 1), b (1). With return_attention, a (B, T) too. As first written, 1e-7 is added to softmax's divisor.
 */
#define HEED_SEQ_WEIGHTED_ATTENTION_OPTIONS(X, config)                                                                 \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, BOOL, use_bias, true, "", "whether b is added")                                                          \
    HEED_RETURN_ATTENTION_OPTION(X, config)                                                                            \
    HEED_CORRECTED_OPTION(X, config)                                                                                   \
    X(config, TEXT, masking, "penalty", "penalty|factor",                                                              \
      "as first written: the way of keras-self-attention 0.46 and later, or of 0.45 and before")
typedef struct heed_seq_weighted_attention_config { HEED_SEQ_WEIGHTED_ATTENTION_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_seq_weighted_attention_config;
extern HEED_API const heed_layer_class heed_seq_weighted_attention_class;
#define heed_seq_weighted_attention(...) HEED_SPEC(seq_weighted_attention, HEED_SEQ_WEIGHTED_ATTENTION_OPTIONS, __VA_ARGS__)

/**
 * ScaledDotProductAttention of keras-self-attention: a = softmax(q k^T / sqrt(d)); y = a v. Inputs: x, which is all
 * three, or q (B, Tq, d), k (B, Tk, d) and v (B, Tk, F). The key's mask counts; the query's is passed on. No weights.
 *
 * As first written, 10000 is taken from a hidden score for each reason to hide it, so that where all keys up to a step
 * are padding, the steps after it, or the padding, get the weight.
 */
#define HEED_SELF_ATTENTION_SCALED_DOT_PRODUCT_OPTIONS(X, config)                                                      \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    HEED_RETURN_ATTENTION_OPTION(X, config)                                                                            \
    HEED_HISTORY_ONLY_OPTION(X, config)                                                                                \
    HEED_CORRECTED_OPTION(X, config)
typedef struct heed_self_attention_scaled_dot_product_config
    { HEED_SELF_ATTENTION_SCALED_DOT_PRODUCT_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_self_attention_scaled_dot_product_config;
extern HEED_API const heed_layer_class heed_self_attention_scaled_dot_product_class;
#define heed_self_attention_scaled_dot_product(...)                                                                    \
    HEED_SPEC(self_attention_scaled_dot_product, HEED_SELF_ATTENTION_SCALED_DOT_PRODUCT_OPTIONS, __VA_ARGS__)

/**
 * RealFormer's attention, whose scores go on from layer to layer: e = q k^T / sqrt(d) + previous; a = softmax(e); y = a
 * v. Inputs: x and previous (B, T, T), or q, k, v and previous (B, Tq, Tk). Outputs: y, e before anything is hidden,
 * and with return_attention a. No weights. As first written, hidden scores are as in
 * heed_self_attention_scaled_dot_product().
 */
#define HEED_RESIDUAL_SCALED_DOT_PRODUCT_ATTENTION_OPTIONS(X, config)                                                  \
    HEED_SELF_ATTENTION_SCALED_DOT_PRODUCT_OPTIONS(X, config)
typedef heed_self_attention_scaled_dot_product_config heed_residual_scaled_dot_product_attention_config;
extern HEED_API const heed_layer_class heed_residual_scaled_dot_product_attention_class;
#define heed_residual_scaled_dot_product_attention(...)                                                                \
    HEED_SPEC(residual_scaled_dot_product_attention, HEED_RESIDUAL_SCALED_DOT_PRODUCT_ATTENTION_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ keras-multi-head */

/**
 * The same layer n times, or n layers, side by side: their outputs (B, ...) stand along a new last axis, (B, ..., n).
 * With hidden_dim each gets a projection of its own: head k sees x W_k + b_k. Weights: W (F, hidden_dim n), b
 * (hidden_dim n), then those of the layers. The mask is what the first layer makes of it.
 *
 * reg_factor keeps the heads apart: for each weight that reg_index names, reg_factor times the sum of (M M^T - I)^2 is
 * added to the loss, where row k of M is that weight of head k, cut to reg_slice. As first written, that term is a
 * constant, of no influence: it is passed over in files of the original.
 */
#define HEED_MULTI_HEAD_OPTIONS(X, config)                                                                             \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, layer, {0}, "", "the layer that is repeated")                                                     \
    X(config, INT, layer_num, 1, "[1,)", "how many times")                                                             \
    X(config, LAYERS, layers, {0}, "", "or the layers, all of them; then layer and layer_num do not count")            \
    X(config, INT, hidden_dim, HEED_NONE, "[1,)", "size of each projection; None: the layers get the input itself")    \
    X(config, BOOL, use_bias, true, "", "whether the projections have a bias")                                         \
    X(config, SHAPE, reg_index, {0}, "[0,)|None", "numbers of the weights of a layer that are kept apart")             \
    X(config, TEXT, reg_slice, NULL, "", "the part of them that counts, as in Python: \"0:4\" or \":, 0:4\"; None: all") \
    X(config, FLOAT, reg_factor, 0.0, "[0,)", "of the term in the loss")                                               \
    HEED_CORRECTED_OPTION(X, config)
typedef struct heed_multi_head_config { HEED_MULTI_HEAD_OPTIONS(HEED_OPTION_FIELD, ) } heed_multi_head_config;
extern HEED_API const heed_layer_class heed_multi_head_class;
#define heed_multi_head(...) HEED_SPEC(multi_head, HEED_MULTI_HEAD_OPTIONS, __VA_ARGS__)

/**
 * MultiHeadAttention of keras-multi-head: q = f(q Wq + bq), and so k and v, are cut along their features into head_num
 * heads; a = softmax(q k^T / sqrt(d)) in each; y = f((the heads' a v, side by side) Wo + bo), where f is the
 * activation. Inputs: x, which is all three, or q, k, v. Weights: Wq, bq, Wk, bk, Wv, bv, Wo, bo; each is as wide as v,
 * which head_num divides. The key's mask counts; the query's is passed on.
 *
 * The original's activation is relu unless told otherwise, which no paper has; here it is none. As first written,
 * hidden scores are as in heed_self_attention_scaled_dot_product().
 */
#define HEED_MULTI_HEAD_MULTI_HEAD_ATTENTION_OPTIONS(X, config)                                                        \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, head_num, 0, "[1,)", "number of heads")                                                             \
    X(config, ACTIVATION, activation, NULL, "", "of the projections, the last one too")                                \
    X(config, BOOL, use_bias, true, "", "whether the projections have a bias")                                         \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_normal")                                                            \
    HEED_WEIGHT_OPTIONS(X, config, bias, "zeros")                                                                      \
    HEED_HISTORY_ONLY_OPTION(X, config)                                                                                \
    HEED_CORRECTED_OPTION(X, config)
typedef struct heed_multi_head_multi_head_attention_config
    { HEED_MULTI_HEAD_MULTI_HEAD_ATTENTION_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_multi_head_multi_head_attention_config;
extern HEED_API const heed_layer_class heed_multi_head_multi_head_attention_class;
#define heed_multi_head_multi_head_attention(...)                                                                      \
    HEED_SPEC(multi_head_multi_head_attention, HEED_MULTI_HEAD_MULTI_HEAD_ATTENTION_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ attention_keras */

/**
 * Bahdanau's attention of a decoder to an encoder: e_ij = tanh(s_j W_a + h_i U_a) V_a; a = softmax over j; c_i = sum_j
 * a_ij s_j. Inputs: the encoder's outputs s (B, Te, E) and the decoder's h (B, Td, D). Outputs: c (B, Td, E) and a (B,
 * Td, Te). Weights: W_a (E, E), U_a (D, E), V_a (E, 1). As first written, masks are dropped: padding of the encoder is
 * attended to.
 */
#define HEED_ATTENTION_LAYER_OPTIONS(X, config)                                                                        \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    HEED_CORRECTED_OPTION(X, config)
typedef struct heed_attention_layer_config { HEED_ATTENTION_LAYER_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_attention_layer_config;
extern HEED_API const heed_layer_class heed_attention_layer_class;
#define heed_attention_layer(...) HEED_SPEC(attention_layer, HEED_ATTENTION_LAYER_OPTIONS, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ keras-layer-collection */

/**
 * ScaledDotProductAttention of keras-layer-collection: a = softmax(q k^T / sqrt(d)); y = a v. Inputs: q (B, Tq, d), k
 * (B, Tk, d), v (B, Tk, F), and, if wanted, which keys a query sees, (B, Tq, Tk), as bools or as 0 and 1. No weights.
 * As first written, 1e10 is taken from hidden scores before they are scaled, and masks that come along do not count.
 */
#define HEED_LAYER_COLLECTION_SCALED_DOT_PRODUCT_OPTIONS(X, config)                                                    \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    HEED_RETURN_ATTENTION_OPTION(X, config)                                                                            \
    HEED_CORRECTED_OPTION(X, config)
typedef struct heed_layer_collection_scaled_dot_product_config
    { HEED_LAYER_COLLECTION_SCALED_DOT_PRODUCT_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_layer_collection_scaled_dot_product_config;
extern HEED_API const heed_layer_class heed_layer_collection_scaled_dot_product_class;
#define heed_layer_collection_scaled_dot_product(...)                                                                  \
    HEED_SPEC(layer_collection_scaled_dot_product, HEED_LAYER_COLLECTION_SCALED_DOT_PRODUCT_OPTIONS, __VA_ARGS__)

/** LayerNormalization of keras-layer-collection: y = gain (x - mean) / (deviation + epsilon) + bias, over the last axis. Weights:
 *  gain, bias (F). Files of the original do not hold epsilon: they have the default. Those that heed writes do, and tell whose
 *  layer it is. */
#define HEED_LAYER_COLLECTION_LAYER_NORMALIZATION_OPTIONS(X, config)                                                   \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, epsilon, 1e-8, "[0,)", "added to the standard deviation")
typedef struct heed_layer_collection_layer_normalization_config
    { HEED_LAYER_COLLECTION_LAYER_NORMALIZATION_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_layer_collection_layer_normalization_config;
extern HEED_API const heed_layer_class heed_layer_collection_layer_normalization_class;
#define heed_layer_collection_layer_normalization(...)                                                                 \
    HEED_SPEC(layer_collection_layer_normalization, HEED_LAYER_COLLECTION_LAYER_NORMALIZATION_OPTIONS, __VA_ARGS__)

/**
 * A query sequence attends to a source. Inputs: the source s (B, T, S) and the query q (B, Tq, Q); output (B, Tq, S):
 *
 *     additive:       e_ij = tanh([s_j q_i] w_a) v_a^T     weights w_a (S + Q, S), v_a (1, S)
 *     multiplicative: e_ij = q_i w_a s_j^T                 weight w_a (Q, S)
 *     a = softmax over j of e; y_i = sum_j a_ij s_j
 *
 * As first written, the sum is along the other axis, y_j = sum_i a_ij s_i, additive scores take q_j for q_i, both
 * lengths must agree, and masks do not count.
 */
#define HEED_SEQUENCE_ATTENTION_OPTIONS(X, config)                                                                     \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, TEXT, similarity, "additive",                                                                            \
      "additive|multiplicative|_additive_similarity|_multiplicative_similarity", "how query and source are compared")  \
    X(config, INITIALIZER, kernel_initializer, "glorot_uniform", "", "how the weights begin")                          \
    HEED_CORRECTED_OPTION(X, config)
typedef struct heed_sequence_attention_config { HEED_SEQUENCE_ATTENTION_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_sequence_attention_config;
extern HEED_API const heed_layer_class heed_sequence_attention_class;
#define heed_sequence_attention(...) HEED_SPEC(sequence_attention, HEED_SEQUENCE_ATTENTION_OPTIONS, __VA_ARGS__)

/**
 * A recurrent layer whose every step sees, beside its input, a weighted mean of the whole input: with h the first
 * state,
 *
 *     e_j = tanh(x_j W1 + b2 + h W2) V; a = softmax(e); x' = [x_t, sum_j a_j x_j] W3 + b3; y_t, h' = cell(x', h)
 *
 * Inputs: x (B, T, F), then, if wanted, the initial states. Outputs: those of the layer. Weights: W1 (F, F), W2 (units,
 * F), W3 (2 F, F), b2 (F), b3 (F), V (F, 1), then the cell's. As first written there is no tanh, so that the state has
 * no influence on a, and padding is attended to.
 */
#define HEED_ATTENTION_RNN_WRAPPER_OPTIONS(X, config)                                                                  \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, layer, {0}, "", "LSTM, GRU, SimpleRNN or RNN around any cell")                                    \
    X(config, INITIALIZER, weight_initializer, "glorot_uniform", "", "how its own weights begin, biases too")          \
    HEED_CORRECTED_OPTION(X, config)
typedef struct heed_attention_rnn_wrapper_config { HEED_ATTENTION_RNN_WRAPPER_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_attention_rnn_wrapper_config;
extern HEED_API const heed_layer_class heed_attention_rnn_wrapper_class;
#define heed_attention_rnn_wrapper(...) HEED_SPEC(attention_rnn_wrapper, HEED_ATTENTION_RNN_WRAPPER_OPTIONS, .layer = __VA_ARGS__)

/**
 * The same, attending to a second sequence: regions of an image, say. Inputs: x (B, T, F), what is attended to (B, L,
 * S), then, if wanted, the initial states. Outputs: those of the layer, then with return_attention a (B, T, L).
 * Weights: W1 (S, F), W2 (units, F), W3 (F + S, F), b2 (F), b3 (F), V (F, 1), then the cell's.
 */
#define HEED_EXTERNAL_ATTENTION_RNN_WRAPPER_OPTIONS(X, config)                                                         \
    HEED_ATTENTION_RNN_WRAPPER_OPTIONS(X, config)                                                                      \
    HEED_RETURN_ATTENTION_OPTION(X, config)
typedef struct heed_external_attention_rnn_wrapper_config
    { HEED_EXTERNAL_ATTENTION_RNN_WRAPPER_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_external_attention_rnn_wrapper_config;
extern HEED_API const heed_layer_class heed_external_attention_rnn_wrapper_class;
#define heed_external_attention_rnn_wrapper(...)                                                                       \
    HEED_SPEC(external_attention_rnn_wrapper, HEED_EXTERNAL_ATTENTION_RNN_WRAPPER_OPTIONS, .layer = __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------ Luong's attention */

/**
 * The attention of Luong, Pham and Manning 2015 ("Effective Approaches to Attention-based Neural Machine Translation",
 * arXiv 1508.04025), in rows. Inputs: queries h (B, T, H), a decoder's states, and the source s (B, S, E), an encoder's.
 * Outputs: h~ (B, T, units) and, with return_attention, a (B, T, S).
 *
 *     dot:     e_ij = h_i . s_j                        (equation 7)      E = H
 *     general: e_ij = h_i W_a s_j^T                    (equation 7)      W_a (H, E)
 *     concat:  e_ij = v_a . tanh([h_i, s_j] W_a)       (equation 7)      W_a (H + E, score_units), v_a (score_units)
 *     a_i = softmax over j of e_ij; c_i = sum_j a_ij s_j                 (equation 6)
 *     h~_i = tanh([c_i, h_i] W_c)                      (equation 5)      W_c (E + H, units)
 *
 * Local, only j with |j - p_i| <= D = reach have a part in the softmax. local-m: p_i = i (section 3.2). local-p, with W_p
 * (H, score_units) and v_p (score_units):
 *
 *     p_i = S sigmoid(v_p . tanh(h_i W_p))             (equation 9)
 *     a_ij exp(-(j - p_i)^2 / (2 (D/2)^2)) in place of a_ij              (equation 10)
 *
 * Positions count from 0. The source's mask hides steps, and S in equation 9 is the number of the others. Weights, in
 * order: W_a, v_a, W_p, v_p, W_c, as far as there are such. Local, time and memory grow with T (2 D + 1), not with T S.
 */
#define HEED_LUONG_OPTIONS(X, config)                                                                                  \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, units, HEED_NONE, "[1,)", "size of h~; None: that of h")                                            \
    X(config, TEXT, score, "general", "dot|general|concat", "how h and s are compared")                                \
    X(config, TEXT, window, "global", "global|local-m|local-p",                                                        \
      "what of the source is seen: all, the steps around the query's own, or those around a predicted one")            \
    X(config, INT, reach, 10, "[1,)", "D, the steps on either side of p that are seen; local only")                    \
    X(config, INT, score_units, HEED_NONE, "[1,)", "size inside of tanh, of concat and local-p; None: that of h")      \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")
#define HEED_LUONG_ATTENTION_OPTIONS(X, config)                                                                        \
    HEED_LUONG_OPTIONS(X, config)                                                                                      \
    HEED_RETURN_ATTENTION_OPTION(X, config)
typedef struct heed_luong_attention_config { HEED_LUONG_ATTENTION_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_luong_attention_config;
extern HEED_API const heed_layer_class heed_luong_attention_class;
#define heed_luong_attention(...) HEED_SPEC(luong_attention, HEED_LUONG_ATTENTION_OPTIONS, __VA_ARGS__)

/**
 * Input feeding (section 3.3): a cell whose input is, beside x_t, what was attended to a step before. Around any cell, your
 * own too; h_t is the cell's output, h~_t as above is the output and the next step's h~_{t-1}, zeros at first:
 *
 *     h_t, state = cell([x_t, h~_{t-1}], state)
 *
 * For heed_rnn(), called on the sequence (B, T, F), then, if wanted, initial states, then the source (B, S, E), whose mask
 * counts. States: the cell's, h~ (B, units), and for local-m the number of the step (B, 1), from 0 on. Weights: those above,
 * then the cell's. heed_predict() collects the attention. A step looks at all of the source, local too: it is local in what
 * it computes, not in what that costs.
 */
#define HEED_LUONG_ATTENTION_CELL_OPTIONS(X, config)                                                                   \
    HEED_LUONG_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, cell, {0}, "", "LSTMCell, GRUCell, SimpleRNNCell, StackedRNNCells, or a cell of your own")
typedef struct heed_luong_attention_cell_config { HEED_LUONG_ATTENTION_CELL_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_luong_attention_cell_config;
extern HEED_API const heed_layer_class heed_luong_attention_cell_class;
#define heed_luong_attention_cell(...)                                                                                 \
    HEED_SPEC(luong_attention_cell, HEED_LUONG_ATTENTION_CELL_OPTIONS, .cell = __VA_ARGS__)

/* -------------------------------------------------------------------------------------------- Bahdanau's attention */

/**
 * The decoder of Bahdanau, Cho and Bengio 2015 ("Neural Machine Translation by Jointly Learning to Align and
 * Translate", arXiv 1409.0473, appendix A), around any cell, your own too: what is attended to enters the step.
 *
 *     e_j = v_a . tanh(q W_a + s_j U_a); a = softmax over j of e_j; c = sum_j a_j s_j
 *     q = h_{t-1}; h_t, state = cell([x_t, c], state)
 *
 * q is the cell's first state. With a `first` cell, whose states are as those of the cell, the step is the conditional
 * one of Nematus (Sennrich et al. 2017, "Nematus: a Toolkit for Neural Machine Translation", arXiv 1703.04357):
 *
 *     q, state' = first(x_t, state); h_t, state = cell(c, state')
 *
 * For heed_rnn(), called on the sequence (B, T, F), then, if wanted, initial states, then the source (B, S, E), whose
 * mask counts. The output is [h_t, c] (B, H + E). Weights: W_a (H, units), U_a (E, units), v_a (units), then those of
 * `first` and of the cell. heed_predict() collects the attention.
 */
#define HEED_BAHDANAU_ATTENTION_CELL_OPTIONS(X, config)                                                                \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, cell, {0}, "", "LSTMCell, GRUCell, SimpleRNNCell, StackedRNNCells, or a cell of your own")        \
    X(config, LAYER, first, {0}, "", "a cell that takes the input before anything is attended to; None: none does")    \
    X(config, INT, units, HEED_NONE, "[1,)", "size inside of tanh; None: that of q")                                   \
    HEED_WEIGHT_OPTIONS(X, config, kernel, "glorot_uniform")
typedef struct heed_bahdanau_attention_cell_config { HEED_BAHDANAU_ATTENTION_CELL_OPTIONS(HEED_OPTION_FIELD, ) }
    heed_bahdanau_attention_cell_config;
extern HEED_API const heed_layer_class heed_bahdanau_attention_cell_class;
#define heed_bahdanau_attention_cell(...)                                                                              \
    HEED_SPEC(bahdanau_attention_cell, HEED_BAHDANAU_ATTENTION_CELL_OPTIONS, .cell = __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
