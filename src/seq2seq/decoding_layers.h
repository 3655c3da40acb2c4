/* Layers of the models that decode, in which S sentences have W hypotheses each, R = S W rows. No file holds them. */
#ifndef HEED_SEQ2SEQ_DECODING_LAYERS_H
#define HEED_SEQ2SEQ_DECODING_LAYERS_H

#include "heed/layer.h"

typedef struct heed_decoding_config { HEED_LAYER_OPTIONS(HEED_OPTION_FIELD, ) } heed_decoding_config;

extern const heed_layer_class heed_with_padding_class, heed_by_sentence_class, heed_by_row_class;

/* (memory (S, Ts, ...), ids (S, Ts)) -> memory, with the mask that tells where ids are no padding. */
#define heed_with_padding() ((heed_spec){&heed_with_padding_class, NULL})
/* (x (R, 1, D), memory (S, ...)) -> (S, W, D): so that the hypotheses of a sentence ask its memory together. */
#define heed_by_sentence() ((heed_spec){&heed_by_sentence_class, NULL})
/* (S, W, D) -> (R, 1, D). */
#define heed_by_row() ((heed_spec){&heed_by_row_class, NULL})

#endif
