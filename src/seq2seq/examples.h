/* Pairs as ids: in memory, or, when there are too many, in a temporary file that is mapped. Where each begins, and how
 * long it is, is always in memory, 24 bytes a pair; with that an epoch is shuffled. */
#ifndef HEED_SEQ2SEQ_EXAMPLES_H
#define HEED_SEQ2SEQ_EXAMPLES_H

#include "base/spool.h"
#include "seq2seq/recipe.h"
#include "text/tokenizer.h"

typedef struct heed_examples {
    heed_context  *context;
    int64_t        count, left_out; /* left out: pairs with a side longer than the recipe allows, or without tokens */
    int64_t        first_left_out;  /* its line */
    int64_t        tokens[2], unknown[2]; /* of the source's and of the target's side; unknown: not in the vocabulary */
    heed_ids       ids;             /* sources and targets, one after another, as far as memory holds them */
    heed_spool     spool;           /* those before them, or all */
    const int32_t *all;             /* once they are all there */
    size_t         spooled;         /* ids */
    size_t        *begins;          /* (2 count + 1) in `all`: source i is begins[2i].., target i begins[2i+1].. */
    size_t         begin_capacity;
    int32_t       *source_lengths, *target_lengths; /* (count) */
    int32_t        longest_target;
} heed_examples;

/* Learns both vocabularies from a corpus. */
heed_status heed_examples_learn(heed_context *c, const heed_recipe_settings *s, const char *pairs, const char *targets,
                                heed_tokenizer **source, heed_tokenizer **target);
/* Reads a corpus as ids, and tells in the log what it left out. HEED_EFORMAT when no pair is left. */
heed_status heed_examples_read(heed_context *c, const heed_recipe_settings *s, const char *pairs, const char *targets,
                               heed_tokenizer *source, heed_tokenizer *target, heed_examples *out);
/* The same texts with their pieces of bpe cut by chance (the setting piece_dropout), which seed and epoch decide. */
heed_status heed_examples_cut_again(const heed_examples *from, const heed_recipe_settings *s, heed_tokenizer *source,
                                    heed_tokenizer *target, uint64_t seed, uint64_t epoch, heed_examples *out);
void        heed_examples_free(heed_examples *e); /* a zeroed one is allowed */

/* The ids of example i's side (0 source, 1 target). */
static inline const int32_t *heed_example(const heed_examples *e, int64_t i, int side)
{
    return e->all + e->begins[2 * i + side];
}

/* Fills a batch, (count, source_length) and (count, target_length + 1) twice: what the decoder is given (START, then
 * the target) and what it should answer (the target, then END); padding is 0. Returns the target tokens that are no
 * padding. */
int64_t heed_examples_fill(const heed_examples *e, const heed_text_batch *b, int32_t *source, int32_t *given,
                           int32_t *answer);

#endif
