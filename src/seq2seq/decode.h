/* Decoding pairs whose answer is known. */
#ifndef HEED_SEQ2SEQ_DECODE_H
#define HEED_SEQ2SEQ_DECODE_H

#include "seq2seq/examples.h"
#include "seq2seq/translator.h"

/* What becomes of an example that was decoded, one by one in no order that counts. */
typedef heed_status heed_decoded(void *user, int64_t example, const int32_t *ids, int length);

/* Decodes the examples first..first+count-1, greedily. */
heed_status heed_decode_examples(heed_translator *t, const heed_examples *e, int64_t first, int count,
                                 heed_decoded *each, void *user);

#endif
