/* Additive attention scores, sum_u v_u tanh(q_u + k_u), from exponentials of q and of k that are taken once:
 * tanh(q + k) = 1 - 2 / (1 + e^2q e^2k). A pair then costs no exponential, and no (B, Tq, Tk, U) array is built. The
 * exponentials are a node of their own, so that a recurrent decoder takes those of the keys once, not at each step. With
 * windows (see ops/window.h) a query is compared with the keys of its window alone. */
#include "ops/window.h"

#include <string.h>

/* ---- e^2x (B, T, U), and whether an x of a batch item is too large for that (B): its scores take tanh itself */

static heed_status additive_exp_shape(heed_node *n)
{
    const heed_shape *shape = &n->inputs[0]->shape;
    heed_node_set(n, 0, HEED_FLOAT32, shape);
    heed_node_set(n, 1, HEED_BOOL, &(heed_shape){1, {shape->dims[0]}});
    return HEED_OK;
}

typedef struct exp_work {
    const heed_kernels *kernels;
    const float        *x;
    float              *exp2x;
    uint8_t            *beyond;
    int64_t             batch, size, per_tile; /* size: elements of an item */
} exp_work;

static void additive_exp_tile(void *work, int64_t tile, int thread)
{
    const exp_work *w = work;
    int64_t b, n = heed_tile_range(w->batch, w->per_tile, tile, &b);
    for (int64_t end = b + n; b < end; b++)
        w->beyond[b] = w->kernels->additive_exp(w->size, w->x + b * w->size, w->exp2x + b * w->size);
}

static heed_status additive_exp_forward(const heed_exec *x, const heed_node *n)
{
    exp_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .exp2x = heed_data(x, n->outputs[0]),
                  .beyond = heed_data(x, n->outputs[1]), .batch = n->outputs[1]->count,
                  .size = heed_shape_around(&n->inputs[0]->shape, 0).after};
    w.per_tile = heed_tile_rows(w.size);
    heed_parallel(x->pool, heed_tiles(w.batch, w.per_tile), additive_exp_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_additive_exp = {
    .name = "additive_exp", .shape = additive_exp_shape, .forward = additive_exp_forward,
    .no_gradient = "additive_scores gives that of its operand"};

/* ---- scores */

/* STARTS is there where there are windows; behind it dy, in the gradient. */
enum { QUERY, KEY, SCALE, EXP_QUERY, EXP_KEY, BEYOND_QUERY, BEYOND_KEY, STARTS, OPERANDS };

typedef struct scores_attributes {
    bool    windows;
    int64_t width; /* of the windows */
} scores_attributes;

static const scores_attributes *attributes_of(const heed_node *n) { return n->attributes; }

enum {
    TILE_PAIRS = 8 * HEED_TILE_ELEMENTS, /* elements of (Tq, Tk, U) that a tile of scores should go through */
    FEW_ITEMS = 8, /* with fewer batch items than these, the queries of an item are shared out in the gradient too */
    LEAST_QUERIES = 16,
};

/* Sets the scores' last dimension, once the operands are known to fit. */
static heed_status set_scores(heed_node *n)
{
    const heed_shape *q = &n->inputs[QUERY]->shape;
    bool windows = attributes_of(n)->windows;
    int64_t columns = windows ? attributes_of(n)->width : n->inputs[KEY]->shape.dims[1];
    if (windows)
        HEED_TRY(heed_window_expect_starts(n, STARTS, q->dims[0], q->dims[1]));
    if (columns < 0)
        return heed_node_fail(n, "the width is negative (found %lld)", (long long)columns);
    heed_node_set(n, 0, HEED_FLOAT32, &(heed_shape){3, {q->dims[0], q->dims[1], columns}});
    return HEED_OK;
}

static heed_status additive_scores_shape(heed_node *n)
{
    const heed_tensor *q = n->inputs[QUERY], *k = n->inputs[KEY], *v = n->inputs[SCALE];
    int64_t u = heed_row_size(v);
    char a[HEED_SHAPE_TEXT], b[HEED_SHAPE_TEXT], c[HEED_SHAPE_TEXT];
    if (q->shape.rank != 3 || k->shape.rank != 3 || v->shape.rank != 1 || q->shape.dims[0] != k->shape.dims[0] ||
        q->shape.dims[2] != u || k->shape.dims[2] != u)
        return heed_node_fail(n, "shapes do not fit (expected (B, Tq, U), (B, Tk, U) and (U), found %s, %s and %s)",
                              heed_text_of(q, a), heed_text_of(k, b), heed_text_of(v, c));
    for (int i = 0; i <= SCALE; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    return set_scores(n);
}

typedef struct scores_work {
    const heed_kernels *kernels;
    int64_t             batch, tq, tk, u;
    const int32_t      *starts;      /* NULL: every query sees every key */
    int64_t             starts_step; /* from one item to the next */
    int64_t             columns;     /* of a row of scores: tk, or the width of the windows */
    const float        *q, *k, *v, *exp_q, *exp_k;
    const uint8_t      *beyond_q, *beyond_k;
    float              *e;               /* (B, Tq, columns) */
    int64_t             block, blocks;   /* queries of a block, blocks of an item */
    int64_t             per_tile, units; /* a unit is a block of an item */
    /* gradient only */
    const float *de;
    float       *dq, *dk;
    float       *more_dk; /* (B, blocks-1, Tk, U): what the blocks but the first give; the first writes dk */
    float       *more_dv; /* (B, blocks, U) */
} scores_work;

static scores_work scores_of(const heed_exec *x, const heed_node *n)
{
    const heed_shape *q = &n->inputs[QUERY]->shape, *k = &n->inputs[KEY]->shape;
    bool windows = attributes_of(n)->windows;
    return (scores_work){
        .kernels = x->kernels, .batch = q->dims[0], .tq = q->dims[1], .tk = k->dims[1], .u = q->dims[2],
        .starts = windows ? heed_data(x, n->inputs[STARTS]) : NULL,
        .starts_step = windows ? heed_window_starts_step(n->inputs[STARTS]) : 0,
        .columns = windows ? attributes_of(n)->width : k->dims[1],
        .q = heed_data(x, n->inputs[QUERY]), .k = heed_data(x, n->inputs[KEY]), .v = heed_data(x, n->inputs[SCALE]),
        .exp_q = heed_data(x, n->inputs[EXP_QUERY]), .exp_k = heed_data(x, n->inputs[EXP_KEY]),
        .beyond_q = heed_data(x, n->inputs[BEYOND_QUERY]), .beyond_k = heed_data(x, n->inputs[BEYOND_KEY])};
}

static bool beyond(const scores_work *w, int64_t b) { return w->beyond_q[b] || w->beyond_k[b]; }

/* Some queries of an item that see the same keys, from one on. */
typedef struct meeting {
    int64_t b, query, queries, key, keys;
    int64_t place; /* in a row of scores, of the first key */
} meeting;

/* What query `query` of item b meets: `queries` that see every key, or itself with its window. */
static meeting meet(const scores_work *w, int64_t b, int64_t query, int64_t queries)
{
    if (w->starts == NULL)
        return (meeting){b, query, queries, 0, w->tk, 0};
    heed_window_part p = heed_window_within(w->starts[b * w->starts_step + query], w->columns, 0, w->tk);
    return (meeting){b, query, 1, p.first, p.count, p.skip};
}

static void score(const scores_work *w, meeting m)
{
    int64_t q = (m.b * w->tq + m.query) * w->u, k = (m.b * w->tk + m.key) * w->u;
    float *e = w->e + (m.b * w->tq + m.query) * w->columns;
    if (m.keys < w->columns)
        memset(e, 0, (size_t)(m.queries * w->columns) * sizeof *e);
    if (beyond(w, m.b))
        w->kernels->additive_scores_tanh(m.queries, m.keys, w->u, w->q + q, w->k + k, w->v, e + m.place, w->columns);
    else
        w->kernels->additive_scores(m.queries, m.keys, w->u, w->exp_q + q, w->exp_k + k, w->v, e + m.place, w->columns);
}

static void scores_tile(void *work, int64_t tile, int thread)
{
    const scores_work *w = work;
    int64_t unit, n = heed_tile_range(w->units, w->per_tile, tile, &unit);
    for (int64_t end = unit + n; unit < end; unit++) {
        int64_t b = unit / w->blocks, query, queries = heed_tile_range(w->tq, w->block, unit % w->blocks, &query);
        for (meeting m; queries > 0; query += m.queries, queries -= m.queries)
            score(w, m = meet(w, b, query, queries));
    }
}

static heed_status additive_scores_forward(const heed_exec *x, const heed_node *n)
{
    scores_work w = scores_of(x, n);
    w.e = heed_data(x, n->outputs[0]);
    int64_t of_query = w.columns * w.u > 0 ? w.columns * w.u : 1; /* pairs */
    w.block = TILE_PAIRS / of_query;
    w.block = w.block < 1 ? 1 : w.block < w.tq ? w.block : w.tq > 0 ? w.tq : 1;
    w.blocks = heed_tiles(w.tq, w.block);
    w.units = w.batch * w.blocks;
    w.per_tile = TILE_PAIRS / (of_query * w.block);
    w.per_tile = w.per_tile < 1 ? 1 : w.per_tile;
    heed_parallel(x->pool, heed_tiles(w.units, w.per_tile), scores_tile, &w);
    return HEED_OK;
}

static heed_status additive_scores_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[OPERANDS + 1];
    memcpy(inputs, n->inputs, (size_t)n->input_count * sizeof *inputs);
    inputs[n->input_count] = dy[0];
    heed_node *g = heed_node_add(n->graph, &heed_kind_additive_scores_gradient, n->attributes, sizeof(scores_attributes),
                                 inputs, n->input_count + 1, 3);
    for (int i = QUERY; i <= SCALE && g != NULL; i++)
        dx[i] = g->outputs[i];
    return n->graph->status;
}

const heed_op heed_kind_additive_scores = {.name = "additive_scores", .shape = additive_scores_shape,
                                           .forward = additive_scores_forward, .gradient = additive_scores_gradient};

/* ---- dq, dk and dv. A unit is all queries of a batch item, or a block of them where there are few items; what units
 * share is summed in their order. */

static heed_status additive_gradient_shape(heed_node *n)
{
    for (int i = QUERY; i <= SCALE; i++)
        heed_node_set(n, i, HEED_FLOAT32, &n->inputs[i]->shape);
    return HEED_OK;
}

/* Queries of a block. */
static int64_t gradient_block(int64_t batch, int64_t tq)
{
    int64_t blocks = batch > 0 && batch < FEW_ITEMS ? heed_tiles(FEW_ITEMS, batch) : 1;
    int64_t block = heed_tiles(tq, blocks);
    return block < LEAST_QUERIES ? LEAST_QUERIES : block;
}

static int64_t gradient_blocks(int64_t batch, int64_t tq)
{
    int64_t blocks = heed_tiles(tq, gradient_block(batch, tq));
    return blocks < 1 ? 1 : blocks; /* without queries: one block that sets dk to zero */
}

static size_t additive_gradient_scratch(const heed_node *n, int threads)
{
    const heed_shape *q = &n->inputs[QUERY]->shape, *k = &n->inputs[KEY]->shape;
    int64_t blocks = gradient_blocks(q->dims[0], q->dims[1]);
    return (size_t)(q->dims[0] * ((blocks - 1) * k->dims[1] + blocks) * q->dims[2]) * sizeof(float);
}

/* Adds the gradients of what met; dk is of the item's first key. */
static void add_gradient(const scores_work *w, meeting m, float *dk, float *dv)
{
    int64_t u = w->u, q = (m.b * w->tq + m.query) * u, k = (m.b * w->tk + m.key) * u;
    const float *de = w->de + (m.b * w->tq + m.query) * w->columns + m.place;
    float *dq = w->dq + q;
    dk += m.key * u;
    if (beyond(w, m.b))
        w->kernels->additive_gradient_tanh(m.queries, m.keys, u, w->q + q, w->k + k, w->v, de, w->columns, dq, dk, dv);
    else
        w->kernels->additive_gradient(m.queries, m.keys, u, w->exp_q + q, w->exp_k + k, w->v, de, w->columns, dq, dk,
                                      dv);
}

static void additive_gradient_tile(void *work, int64_t tile, int thread)
{
    const scores_work *w = work;
    int64_t unit, n = heed_tile_range(w->units, w->per_tile, tile, &unit), u = w->u, keys = w->tk * u;
    for (int64_t end = unit + n; unit < end; unit++) {
        int64_t b = unit / w->blocks, block = unit % w->blocks;
        int64_t query, queries = heed_tile_range(w->tq, w->block, block, &query);
        float *dq = w->dq + (b * w->tq + query) * u, *dv = w->more_dv + unit * u;
        float *dk = block == 0 ? w->dk + b * keys : w->more_dk + (b * (w->blocks - 1) + block - 1) * keys;
        memset(dq, 0, (size_t)(queries * u) * sizeof *dq);
        memset(dk, 0, (size_t)keys * sizeof *dk);
        memset(dv, 0, (size_t)u * sizeof *dv);
        for (meeting m; queries > 0; query += m.queries, queries -= m.queries)
            add_gradient(w, m = meet(w, b, query, queries), dk, dv);
    }
}

/* adds to dk of an item what its other blocks gave */
static void add_blocks_tile(void *work, int64_t b, int thread)
{
    const scores_work *w = work;
    int64_t keys = w->tk * w->u, more = w->blocks - 1;
    w->kernels->add_columns(more, keys, w->more_dk + b * more * keys, keys, w->dk + b * keys);
}

static heed_status additive_gradient_forward(const heed_exec *x, const heed_node *n)
{
    scores_work w = scores_of(x, n);
    w.de = heed_data(x, n->inputs[n->input_count - 1]);
    w.dq = heed_data(x, n->outputs[QUERY]);
    w.dk = heed_data(x, n->outputs[KEY]);
    w.block = gradient_block(w.batch, w.tq);
    w.blocks = gradient_blocks(w.batch, w.tq);
    w.units = w.batch * w.blocks;
    w.more_dk = heed_scratch(x, n);
    w.more_dv = w.more_dk + w.batch * (w.blocks - 1) * w.tk * w.u;
    int64_t of_unit = (w.block < w.tq ? w.block : w.tq) * w.columns * w.u;
    w.per_tile = TILE_PAIRS / (of_unit > 0 ? of_unit : 1);
    w.per_tile = w.per_tile < 1 ? 1 : w.per_tile;
    heed_parallel(x->pool, heed_tiles(w.units, w.per_tile), additive_gradient_tile, &w);
    if (w.blocks > 1)
        heed_parallel(x->pool, w.batch, add_blocks_tile, &w);
    float *dv = heed_data(x, n->outputs[SCALE]);
    memset(dv, 0, (size_t)w.u * sizeof *dv);
    x->kernels->add_columns(w.units, w.u, w.more_dv, w.u, dv);
    return HEED_OK;
}

const heed_op heed_kind_additive_scores_gradient = {
    .name = "additive_scores_gradient", .shape = additive_gradient_shape, .scratch = additive_gradient_scratch,
    .forward = additive_gradient_forward, .no_gradient = "second derivatives are not taken"};

/* ---- building */

/* NULL, without a word, for what additive_scores will refuse itself. */
static heed_node *exponentials(heed_tensor *x)
{
    bool fits = x != NULL && x->shape.rank == 3 && x->dtype == HEED_FLOAT32;
    return fits ? heed_node_add(NULL, &heed_kind_additive_exp, NULL, 0, &x, 1, 2) : NULL;
}

static heed_tensor *additive(heed_tensor *query, heed_tensor *key, heed_tensor *scale, heed_tensor *starts,
                             scores_attributes attributes)
{
    heed_node *q = exponentials(query), *k = exponentials(key);
    heed_tensor *inputs[OPERANDS] = {query, key, scale, [STARTS] = starts};
    for (int i = 0; i < 2; i++) {
        inputs[EXP_QUERY + 2 * i] = q == NULL ? query : q->outputs[i];
        inputs[EXP_KEY + 2 * i] = k == NULL ? key : k->outputs[i];
    }
    return heed_node_output(NULL, &heed_kind_additive_scores, &attributes, sizeof attributes, inputs,
                            attributes.windows ? OPERANDS : STARTS);
}

heed_tensor *heed_op_additive_scores(heed_tensor *query, heed_tensor *key, heed_tensor *scale)
{
    return additive(query, key, scale, NULL, (scores_attributes){0});
}

heed_tensor *heed_op_window_additive_scores(heed_tensor *query, heed_tensor *key, heed_tensor *scale,
                                            heed_tensor *starts, int64_t width)
{
    return additive(query, key, scale, starts, (scores_attributes){true, width});
}
