/* Layers of the models that decode, in which S sentences have W hypotheses each, R = S W rows. No file holds them. */
#ifndef HEED_SEQ2SEQ_DECODING_LAYERS_H
#define HEED_SEQ2SEQ_DECODING_LAYERS_H

#include "heed/model.h"

#define HEED_DECODING_OPTIONS(X, config)                                                                               \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, LAYER, attention, {0}, "", "the layer whose weights it uses")
typedef struct heed_decoding_config { HEED_DECODING_OPTIONS(HEED_OPTION_FIELD, ) } heed_decoding_config;

extern const heed_layer_class heed_with_padding_class, heed_by_sentence_class, heed_by_row_class,
    heed_keys_of_attention_class, heed_attention_of_keys_class, heed_attention_of_past_class, heed_start_of_cell_class,
    heed_step_of_cell_class;

#define HEED_DECODING_SPEC(class, layer)                                                                              \
    ((heed_spec){&(class), &(heed_decoding_config){.trainable = true, .attention = (layer)}})

/* (memory (S, Ts, ...), ids (S, Ts)) -> memory, with the mask that tells where ids are no padding. */
#define heed_with_padding() ((heed_spec){&heed_with_padding_class, NULL})
/* (x (R, 1, D), memory (S, ...)) -> (S, W, D): so that the hypotheses of a sentence ask its memory together. */
#define heed_by_sentence() ((heed_spec){&heed_by_sentence_class, NULL})
/* (S, W, D) -> (R, 1, D). */
#define heed_by_row() ((heed_spec){&heed_by_row_class, NULL})

/* With the weights of a MultiHeadAttention whose heads' sizes N and H make E = N H:
 * memory (S, Ts, D) -> its keys and values (S, Ts, E), */
#define heed_keys_of_attention(layer) HEED_DECODING_SPEC(heed_keys_of_attention_class, layer)
/* (x (R, 1, D), keys, values, source ids (S, Ts)) -> y (R, 1, D) and weights (R, N, Ts), */
#define heed_attention_of_keys(layer) HEED_DECODING_SPEC(heed_attention_of_keys_class, layer)
/* (x (R, 1, D), keys and values kept (M, E), rows (R, P) of them, see heed_op_attention_step) -> y (R, 1, D), and x's
 * own keys and values (R, 1, E). */
#define heed_attention_of_past(layer) HEED_DECODING_SPEC(heed_attention_of_past_class, layer)

/* With the weights of an RNN whose cell attends to a source, LuongAttentionCell or BahdanauAttentionCell:
 * memory (S, Ts, E) -> memory again and, where the cell compares queries with something else, keys (S, Ts, U), */
#define heed_start_of_cell(layer) HEED_DECODING_SPEC(heed_start_of_cell_class, layer)
/* (x (R, 1, F), source ids (S, Ts), all that start_of_cell gives, states (R, ...)) -> y (R, 1, D), the states, and
 * weights (R, 1, Ts). */
#define heed_step_of_cell(layer) HEED_DECODING_SPEC(heed_step_of_cell_class, layer)

/* Of ids (B, T), by operations that Keras has: which are tokens, no padding; each one's place in its row, from 1 on, and 0
 * for padding; and what may be seen, (B, 1, T), as MultiHeadAttention's attention_mask. (Masks that ride along get lost
 * there: Keras takes the query's mask off, and a sum of the query with what it got has none.) */
typedef struct heed_places {
    heed_symbol *token, *number, *seen;
} heed_places;

heed_places heed_places_of(heed_model *m, heed_symbol *ids);

#endif
