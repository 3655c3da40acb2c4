/* Learning the pieces that words are cut into. */
#ifndef HEED_TEXT_SUBWORDS_H
#define HEED_TEXT_SUBWORDS_H

#include "text/pieces.h"
#include "text/sample.h"

typedef struct heed_subwords_config {
    heed_pieces_kind kind;
    int32_t          tokens;             /* size of the vocabulary, special tokens included */
    double           character_coverage; /* (0,1] */
    int32_t          longest_piece;      /* code points, 1..64 */
    bool             split_digits;
    bool             fewer;              /* a text that has not as many pieces is no error */
} heed_subwords_config;

/* Learns from texts of words with single spaces between. HEED_EUNSUPPORTED when heed was built without SentencePiece. */
heed_status heed_subwords_learn(heed_context *c, const heed_subwords_config *config, const heed_sample *const *samples,
                                size_t count, heed_vocabulary **out);

#endif
