/* How many n-grams two sequences share. */
#ifndef HEED_TEXT_NGRAMS_H
#define HEED_TEXT_NGRAMS_H

#include "base/memory.h"

/* Whatever it is of, as numbers of any value. */
typedef struct heed_sequence {
    const int32_t *items;
    size_t         count;
} heed_sequence;

/* Keeps its memory from one comparison to the next. Start with {.context = c}. */
typedef struct heed_ngrams {
    heed_context *context;
    struct heed_ngram_slot *slots; /* the n-grams of the order at hand; a power of two, half of them empty */
    size_t        slot_count;
    uint32_t      generation; /* slots of another are empty */
    int32_t      *numbers;
    size_t        room; /* in numbers */
} heed_ngrams;

static inline int64_t heed_ngram_count(size_t items, int order)
{
    return items >= (size_t)order ? (int64_t)items - order + 1 : 0;
}

/* For each order 1..orders: the n-grams of `sequence` that are in the references, each counted as often as the one that has
 * it most often. matches (orders). */
heed_status heed_ngrams_match(heed_ngrams *g, heed_sequence sequence, const heed_sequence *references, size_t count,
                              int orders, int64_t *matches);
void        heed_ngrams_free(heed_ngrams *g);

#endif
