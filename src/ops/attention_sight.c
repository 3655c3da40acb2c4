/* What a query of an attention sees: limits first, which leave out whole blocks, then what a mask says key by key. */
#include "ops/attention.h"

#include <math.h>
#include <string.h>

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

heed_attention_sizes heed_attention_sizes_of(const heed_node *n)
{
    const heed_shape *q = &n->inputs[HEED_QUERY]->shape, *k = &n->inputs[HEED_KEY]->shape, *v = &n->inputs[HEED_VALUE]->shape;
    return (heed_attention_sizes){.batch = q->dims[0], .tq = q->dims[1], .tk = k->dims[1], .heads = q->dims[2],
                             .key_heads = k->dims[2], .group = q->dims[2] / larger(1, k->dims[2]), .d = q->dims[3],
                             .dv = v->dims[3]};
}

/* Keys outside of the first and last that is kept need not be looked at; nor the mask, when all between are kept. */
static void trim(heed_sight *s)
{
    if (s->keep == NULL)
        return;
    while (s->last > 0 && !s->keep[s->last - 1])
        s->last--;
    while (s->first < s->last && !s->keep[s->first])
        s->first++;
    if (s->first == s->last || memchr(s->keep + s->first, 0, (size_t)(s->last - s->first)) == NULL)
        s->keep = NULL;
}

/* A mask that is the same for all heads and queries says which keys there are. */
static void take_as_positions(heed_sight *s)
{
    if (s->mask_head != 0 || s->mask_query != 0 || s->mask_key == 0 || s->keep != NULL || s->blind == HEED_BLIND_SECOND)
        return;
    s->keep = s->mask;
    s->mask = s->masks = NULL;
    s->mask_key = 0;
    trim(s);
}

/* A mask of positions is lengths, int32 (B), or bool (B, T). */
static const uint8_t *positions(const heed_exec *x, const heed_tensor *mask, int64_t item, int64_t *length)
{
    if (mask->dtype == HEED_BOOL)
        return (const uint8_t *)heed_data(x, mask) + item * mask->shape.dims[1];
    *length = larger(0, smaller(*length, ((const int32_t *)heed_data(x, mask))[item]));
    return NULL;
}

void heed_sight_turn(heed_sight *s, int64_t head)
{
    if (s->masks != NULL)
        s->mask = s->masks + head * s->mask_head;
}

heed_sight heed_sight_of(const heed_exec *x, const heed_node *n, int64_t item)
{
    const heed_attention_attributes *at = n->attributes;
    heed_attention_sizes z = heed_attention_sizes_of(n);
    heed_sight s = {.kernels = x->kernels, .tk = z.tk, .behind = at->behind, .ahead = at->ahead, .last = z.tk,
                         .queries = z.tq, .blind = at->blind};
    if (at->key_mask != 0)
        s.keep = positions(x, n->inputs[at->key_mask], item, &s.last);
    if (at->query_mask != 0)
        s.keep_queries = positions(x, n->inputs[at->query_mask], item, &s.queries);
    trim(&s);
    if (at->mask == 0)
        return s;
    const heed_shape *m = &n->inputs[at->mask]->shape; /* four dimensions, each 1 or whole */
    int64_t strides[4];
    heed_dense_strides(m, strides);
    s.masks = (const uint8_t *)heed_data(x, n->inputs[at->mask]) + (m->dims[0] == 1 ? 0 : item * strides[0]);
    s.mask_head = m->dims[1] == 1 ? 0 : strides[1];
    s.mask_query = m->dims[2] == 1 ? 0 : strides[2];
    s.mask_key = m->dims[3] == 1 ? 0 : strides[3];
    heed_sight_turn(&s, 0);
    take_as_positions(&s);
    return s;
}

static bool is_hidden(const heed_sight *s, int64_t i)
{
    return i >= s->queries || (s->keep_queries != NULL && !s->keep_queries[i]);
}

/* What the limits leave to query i. */
static heed_range limits(const heed_sight *s, int64_t i)
{
    return (heed_range){larger(s->first, i - s->behind), smaller(s->last, i + s->ahead + 1)};
}

bool heed_sight_is_blind(const heed_sight *s, int64_t i)
{
    if (s->blind == HEED_BLIND_ZEROS || is_hidden(s, i))
        return false;
    heed_range r = limits(s, i);
    for (int64_t j = r.begin; j < r.end; j++)
        if ((s->keep == NULL || s->keep[j]) && (s->mask == NULL || s->mask[i * s->mask_query + j * s->mask_key]))
            return false;
    return true;
}

heed_range heed_sight_range(const heed_sight *s, int64_t i, int64_t m, const uint8_t *blind)
{
    m = smaller(m, s->queries - i);
    if (m <= 0)
        return (heed_range){0, 0};
    for (int64_t k = 0; k < m; k++)
        if (blind[k])
            return (heed_range){0, s->tk};
    return (heed_range){limits(s, i).begin, limits(s, i + m - 1).end};
}

heed_range heed_sight_range_of_heads(const heed_sight *s, int64_t i, int64_t m, int64_t heads, const uint8_t *blind)
{
    heed_range all = heed_sight_range(s, i, m, blind);
    for (int64_t h = 1; h < heads; h++) {
        heed_range one = heed_sight_range(s, i, m, blind + h * m);
        all = (heed_range){smaller(all.begin, one.begin), larger(all.end, one.end)};
    }
    return all;
}

static void fill(int64_t begin, int64_t end, float value, float *scores)
{
    for (int64_t j = begin; j < end; j++)
        scores[j] = value;
}

/* A query that sees nothing looks at all keys alike, or at those that are hidden for one reason only. */
static void cover_blind(const heed_sight *s, int64_t i, int64_t j, int64_t n, float *scores)
{
    if (s->blind != HEED_BLIND_SECOND) {
        fill(0, n, 0.0f, scores);
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        bool near = j + k >= i - s->behind && j + k <= i + s->ahead;
        bool kept = j + k >= s->first && j + k < s->last && (s->keep == NULL || s->keep[j + k]);
        if (near == kept)
            scores[k] = -INFINITY;
    }
}

void heed_sight_cover(const heed_sight *s, int64_t i, bool blind, int64_t j, int64_t n, float *scores)
{
    if (blind) {
        cover_blind(s, i, j, n, scores);
        return;
    }
    heed_range r = limits(s, i);
    if (is_hidden(s, i) || (s->mask != NULL && s->mask_key == 0 && !s->mask[i * s->mask_query]))
        r.end = 0;
    int64_t begin = smaller(n, larger(0, r.begin - j)), end = smaller(n, larger(begin, r.end - j));
    fill(0, begin, -INFINITY, scores);
    fill(end, n, -INFINITY, scores);
    if (s->keep != NULL)
        s->kernels->attention_hide(end - begin, s->keep + j + begin, scores + begin);
    if (s->mask_key != 0)
        s->kernels->attention_hide(end - begin, s->mask + i * s->mask_query + j + begin, scores + begin);
}

void heed_attention_pack_keys(const heed_kernels *k, const heed_attention_sizes *z, const float *keys, int64_t n,
                              float scale, float *packed)
{
    k->gemm_pack(n, z->d, keys, 1, z->key_heads * z->d, packed);
    k->unary(HEED_UNARY_SCALE, heed_round_up(n, k->gemm_columns) * z->d, packed, scale * HEED_LOG2_E, 0.0f, packed);
}

void heed_attention_product(const heed_kernels *k, int64_t m, int64_t columns, int64_t depth, const float *a, int64_t lda,
                            const float *packed, int64_t rows, int64_t row, float *c, int64_t ldc)
{
    const int64_t panel = k->gemm_columns;
    for (int64_t j = 0; j < columns; j += panel)
        k->gemm_packed(m, smaller(panel, columns - j), depth, a, lda, 1, packed + j * rows + row * panel, c + j, ldc, c + j,
                       ldc);
}

void heed_attention_drop(const heed_exec *x, const heed_attention_attributes *at, const heed_attention_sizes *z, int64_t head,
                         int64_t i, int64_t m, int64_t j, int64_t n, float *weights, int64_t ld)
{
    const int64_t row = heed_round_up(z->tk, 4);
    for (int64_t k = 0; k < m; k++)
        x->kernels->dropout(n, weights + k * ld, at->dropout, x->seed, heed_exec_stream(x, at->draw),
                            x->draw_offset + (uint64_t)((head * z->tq + i + k) * row + j), weights + k * ld);
}
