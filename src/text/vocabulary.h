/* What the makers of vocabularies need beyond heed/text.h. */
#ifndef HEED_TEXT_VOCABULARY_H
#define HEED_TEXT_VOCABULARY_H

#include "heed/text.h"

/* Whether a token reads like one of the special ones, which no text may bring in. */
bool heed_vocabulary_reserved(const char *token);

/* As heed_vocabulary_create, with a score for each token (NULL: without scores). They are saved with the tokens, behind
 * a TAB. */
heed_status heed_vocabulary_create_scored(heed_context *c, const char *const *tokens, const float *scores, size_t count,
                                          heed_vocabulary **out);
heed_status heed_vocabulary_copy(const heed_vocabulary *v, heed_vocabulary **out);
/* The scores by id, those of special tokens 0; NULL when there are none. */
const float *heed_vocabulary_scores(const heed_vocabulary *v);
/* Bytes of the longest token that is no special one. */
size_t heed_vocabulary_longest(const heed_vocabulary *v);

#endif
