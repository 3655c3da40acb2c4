/* Decoding sentences together: reading them once, then step by step with every hypothesis a row. */
#ifndef HEED_SEQ2SEQ_DECODE_H
#define HEED_SEQ2SEQ_DECODE_H

#include "seq2seq/beam.h"
#include "seq2seq/examples.h"
#include "seq2seq/stepper.h"
#include "seq2seq/translator.h"

/* Rows decoded together: lines times hypotheses, unless batch_size says otherwise. */
enum { HEED_DECODE_ROWS = 256 };

typedef struct heed_decoding heed_decoding;

typedef struct heed_sentence {
    const int32_t *ids;
    int       length;
    int64_t   number; /* told by the caller; what is drawn depends on it */
    heed_beam beam;
    float    *weights; /* (most steps, width, maps, length): what each entry attended to */
    float    *covered; /* (length): scratch of its coverage */
    const heed_decoding *group; /* the one in which it is decoded */
} heed_sentence;

/* What becomes of a sentence that is decoded, one by one in no order that counts. */
typedef heed_status heed_sentence_decoded(void *user, const heed_sentence *s);

/* Decodes all, in groups of similar lengths; `sentences` has room for twice `count`. Every member of the configuration is
 * set; no hypothesis has more tokens than max_length. */
heed_status heed_decode(heed_translator *t, heed_sentence *sentences, int count, const heed_decode_config *config,
                        heed_sentence_decoded *each, void *user);

/* Alignments that were kept of each step: 0 where none were asked for. */
int heed_sentence_maps(const heed_sentence *s);
/* The tokens of an ended hypothesis, (length); and what they attended to, (maps, length, Ts), unless `maps` is NULL. */
void heed_sentence_trace(const heed_sentence *s, const heed_beam_end *end, int32_t *ids, float *maps);

/* What becomes of an example that was decoded, one by one in no order that counts. */
typedef heed_status heed_decoded(void *user, int64_t example, const int32_t *ids, int length);

/* Decodes the examples first..first+count-1, greedily. */
heed_status heed_decode_examples(heed_translator *t, const heed_examples *e, int64_t first, int count,
                                 heed_decoded *each, void *user);

#endif
