/* What training asks of a tokenizer beside the public part (heed/text.h). */
#ifndef HEED_TEXT_TOKENIZER_H
#define HEED_TEXT_TOKENIZER_H

#include "heed/text.h"

#include "text/pieces.h"

/* Whether it makes pieces that could also be others: those of BPE. */
bool heed_tokenizer_cuts_by_chance(const heed_tokenizer *t);
/* Appends the ids of the same text with some joints of its pieces left out by chance. */
heed_status heed_tokenizer_cut_again(heed_tokenizer *t, const int32_t *ids, size_t count, const heed_chance *chance,
                                     heed_ids *out);

#endif
