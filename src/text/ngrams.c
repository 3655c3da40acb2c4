#include "text/ngrams.h"

#include <string.h>

/* An n-gram is named by the name of its beginning, an n-gram one shorter, and its last item. Names count from 0. */
typedef struct heed_ngram_slot {
    int32_t  beginning, last, name;
    uint32_t generation;
} heed_ngram_slot;

/* One comparison; the arrays have an element for each item of all sequences. */
typedef struct comparison {
    heed_ngrams *ngrams;
    int32_t     *names; /* of the n-grams that begin at the items */
    int32_t     *own, *now, *most; /* by name: in the sequence, in the reference at hand, in the one that has most */
    int32_t      named;
} comparison;

static heed_status reserve(heed_ngrams *g, size_t items)
{
    if (items > INT32_MAX / 8)
        return heed_fail(g->context, HEED_EUNSUPPORTED, "score: lines are too long (%zu tokens together)", items);
    size_t slots = 64;
    while (slots < 2 * items)
        slots *= 2;
    if (slots > g->slot_count) {
        heed_release(g->context, g->slots);
        g->slot_count = 0;
        if ((g->slots = heed_alloc(g->context, slots, sizeof *g->slots)) == NULL)
            return HEED_ENOMEM;
        g->slot_count = slots;
        g->generation = 0;
    }
    if (4 * items > g->room) {
        heed_release(g->context, g->numbers);
        g->room = 0;
        if ((g->numbers = heed_alloc_raw(g->context, 4 * items, sizeof *g->numbers)) == NULL)
            return HEED_ENOMEM;
        g->room = 4 * items;
    }
    return HEED_OK;
}

static void next_generation(heed_ngrams *g)
{
    if (++g->generation == 0) { /* those of 2^32 orders ago would seem to be of this one */
        memset(g->slots, 0, g->slot_count * sizeof *g->slots);
        g->generation = 1;
    }
}

static int32_t name_of(comparison *c, int32_t beginning, int32_t last)
{
    heed_ngrams *g = c->ngrams;
    uint64_t hash = ((uint64_t)(uint32_t)beginning << 32 | (uint32_t)last) * 0x9e3779b97f4a7c15u;
    for (size_t at = (size_t)(hash >> 32) & (g->slot_count - 1);; at = (at + 1) & (g->slot_count - 1)) {
        heed_ngram_slot *slot = &g->slots[at];
        if (slot->generation != g->generation) {
            *slot = (heed_ngram_slot){beginning, last, c->named++, g->generation};
            c->own[slot->name] = c->now[slot->name] = c->most[slot->name] = 0;
        }
        if (slot->beginning == beginning && slot->last == last)
            return slot->name;
    }
}

/* Names the n-grams of a sequence, after those one shorter. */
static void name_all(comparison *c, heed_sequence s, int order, int32_t *names)
{
    for (int64_t i = 0; i < heed_ngram_count(s.count, order); i++)
        names[i] = name_of(c, order == 1 ? 0 : names[i], s.items[i + order - 1]);
}

static int64_t match_order(comparison *c, heed_sequence s, const heed_sequence *references, size_t count, int order)
{
    int64_t matches = 0;
    c->named = 0;
    next_generation(c->ngrams);
    name_all(c, s, order, c->names);
    for (int64_t i = 0; i < heed_ngram_count(s.count, order); i++)
        c->own[c->names[i]]++;
    int32_t *names = c->names + s.count;
    for (size_t r = 0; r < count; names += references[r++].count) {
        int64_t ngrams = heed_ngram_count(references[r].count, order);
        name_all(c, references[r], order, names);
        for (int64_t i = 0; i < ngrams; i++)
            if (++c->now[names[i]] > c->most[names[i]])
                c->most[names[i]]++;
        for (int64_t i = 0; i < ngrams; i++)
            c->now[names[i]] = 0;
    }
    for (int32_t name = 0; name < c->named; name++)
        matches += c->own[name] < c->most[name] ? c->own[name] : c->most[name];
    return matches;
}

heed_status heed_ngrams_match(heed_ngrams *g, heed_sequence sequence, const heed_sequence *references, size_t count,
                              int orders, int64_t *matches)
{
    size_t items = sequence.count;
    for (size_t r = 0; r < count; r++)
        items += references[r].count;
    memset(matches, 0, (size_t)orders * sizeof *matches);
    if (items == 0)
        return HEED_OK;
    HEED_TRY(reserve(g, items));
    int32_t *n = g->numbers;
    comparison c = {.ngrams = g, .names = n, .own = n + items, .now = n + 2 * items, .most = n + 3 * items};
    for (int order = 1; order <= orders; order++)
        matches[order - 1] = match_order(&c, sequence, references, count, order);
    return HEED_OK;
}

void heed_ngrams_free(heed_ngrams *g)
{
    heed_release(g->context, g->slots);
    heed_release(g->context, g->numbers);
    *g = (heed_ngrams){.context = g->context};
}
