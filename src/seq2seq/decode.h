/* Decoding pairs whose answer is known. */
#ifndef HEED_SEQ2SEQ_DECODE_H
#define HEED_SEQ2SEQ_DECODE_H

#include "seq2seq/examples.h"
#include "seq2seq/translator.h"

/* Adds to *right how many of the examples first..first+count-1 greedy decoding gets exactly right. */
heed_status heed_count_exact(heed_translator *t, const heed_examples *e, int64_t first, int count, int64_t *right);

#endif
