/* Scaled dot product attention, what its forward and its gradient share: sizes, what a query sees, and how the work is cut.
 *
 * Keys are taken a block at a time, of which the scores of a few queries are kept: nothing of Tq x Tk is stored. A unit of
 * work is a run of queries of one batch item, for the heads that share one head of keys. */
#ifndef HEED_OPS_ATTENTION_H
#define HEED_OPS_ATTENTION_H

#include "ops/walk.h"

enum { HEED_ATTENTION_KEYS = 256 }; /* of a block */

/* Operands: query, key and value; the masks that there are, where the attributes say; for the gradient also those behind
 * `own`, the operands of the forward. */
enum { HEED_QUERY, HEED_KEY, HEED_VALUE, HEED_MASKS };
enum { HEED_RESULT, HEED_NORM, HEED_WEIGHTS }; /* outputs of the forward: (B, Tq, N, Dv), (B, N, Tq), (B, N, Tq, Tk) */
enum { HEED_OF_RESULT, HEED_OF_NORM, HEED_OF_GRADIENT, HEED_OF_WEIGHTS }; /* operands behind those; then weights' gradient */

typedef struct heed_attention_attributes {
    float           scale, dropout;
    uint32_t        draw;
    int64_t         behind, ahead;
    heed_blind      blind;
    bool            weights;
    int             key_mask, query_mask, mask; /* operand, or 0: none */
    int             own;
} heed_attention_attributes;

typedef struct heed_attention_sizes {
    int64_t batch, tq, tk, heads, key_heads, group, d, dv; /* group: heads for each head of keys */
} heed_attention_sizes;

heed_attention_sizes heed_attention_sizes_of(const heed_node *n);

/* What the queries of one batch item see, those of one head at a time. */
typedef struct heed_sight {
    const heed_kernels *kernels;
    int64_t             tk, behind, ahead, first, last; /* keys first..last-1 may be seen at all */
    int64_t             queries;                        /* those from here on are hidden */
    const uint8_t      *keep, *keep_queries;            /* (Tk), (Tq), or NULL */
    const uint8_t      *mask, *masks;                   /* of one head, of all of them; or NULL */
    int64_t             mask_head, mask_query, mask_key; /* steps, 0 where one serves all */
    heed_blind          blind;
} heed_sight;

typedef struct heed_range { /* begin..end-1; nothing where end <= begin */
    int64_t begin, end;
} heed_range;

heed_sight heed_sight_of(const heed_exec *x, const heed_node *n, int64_t item);
void       heed_sight_turn(heed_sight *s, int64_t head);
/* Whether query i sees no key and is to look elsewhere for that: see heed_blind. */
bool heed_sight_is_blind(const heed_sight *s, int64_t i);
/* The keys that some of queries i..i+m-1 see; blind[0..m-1] of those. */
heed_range heed_sight_range(const heed_sight *s, int64_t i, int64_t m, const uint8_t *blind);
/* The same over some heads, blind (heads, m). */
heed_range heed_sight_range_of_heads(const heed_sight *s, int64_t i, int64_t m, int64_t heads, const uint8_t *blind);
/* -INFINITY for what query i does not see of the n keys from j on. */
void heed_sight_cover(const heed_sight *s, int64_t i, bool blind, int64_t j, int64_t n, float *scores);

/* A block of keys, cut to what some queries see of it: from key `begin`, a whole number of panels behind the block's first. */
static inline heed_range heed_range_cut(heed_range seen, int64_t block, int64_t n, int64_t panel)
{
    int64_t begin = seen.begin > block ? block + (seen.begin - block) / panel * panel : block;
    return (heed_range){begin, seen.end < block + n ? seen.end : block + n};
}

/* Blocks begin at whole multiples of their size, whoever looks at them. */
static inline int64_t heed_range_first_block(heed_range seen)
{
    return seen.begin / HEED_ATTENTION_KEYS * HEED_ATTENTION_KEYS;
}

#define HEED_LOG2_E 1.44269504088896341f

/* Packs n keys, so that queries against them make scores in powers of two. */
void heed_attention_pack_keys(const heed_kernels *k, const heed_attention_sizes *z, const float *keys, int64_t n,
                              float scale, float *packed);

/* c (m, columns) += a (m, depth) b, b's rows from `row` on of a block packed with `rows` of them. */
void heed_attention_product(const heed_kernels *k, int64_t m, int64_t columns, int64_t depth, const float *a, int64_t lda,
                            const float *packed, int64_t rows, int64_t row, float *c, int64_t ldc);

/* Leaves out what the draw leaves out, of m rows of weights over n keys from (head, i, j) on; head counts over the batch. */
void heed_attention_drop(const heed_exec *x, const heed_attention_attributes *at, const heed_attention_sizes *z, int64_t head,
                         int64_t i, int64_t m, int64_t j, int64_t n, float *weights, int64_t ld);

#endif
