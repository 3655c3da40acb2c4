/* Attention within windows, at the cost of the windows. With A the (Tq, Tk) matrix that is zero outside of them:
 * window_scores computes a product q k^T at the places of A alone, window_sum A v, window_spread A^T x. Each one's
 * gradient is made of the other two. */
#include "ops/window.h"

#include <string.h>

enum {
    TILE_PRODUCTS = 8 * HEED_TILE_ELEMENTS, /* multiplications that a tile of rows should have */
    MOST_BLOCKS = 16, /* blocks of keys that window_spread shares out; each looks at all windows */
    LEAST_KEYS = 64,
};

typedef struct window_attributes {
    int64_t width, keys; /* 0 where an operand tells */
} window_attributes;

static const window_attributes *attributes_of(const heed_node *n) { return n->attributes; }

heed_status heed_window_expect_starts(heed_node *n, int input, int64_t batch, int64_t queries)
{
    const heed_tensor *starts = n->inputs[input];
    char text[HEED_SHAPE_TEXT];
    HEED_TRY(heed_node_expect(n, input, HEED_INT32));
    if (starts->shape.rank == 2 && (starts->shape.dims[0] == batch || starts->shape.dims[0] == 1) &&
        starts->shape.dims[1] == queries)
        return HEED_OK;
    return heed_node_fail(n, "the windows' starts do not fit (expected (%lld, %lld), or 1 for the first, found %s)",
                          (long long)batch, (long long)queries, heed_text_of(starts, text));
}

/* Refuses operands 0 and 1 that are no two float arrays (B, T, ...) of one batch, equal in dimension `axis`. */
static heed_status expect_pair(heed_node *n, int axis, const char *expected)
{
    const heed_shape *a = &n->inputs[0]->shape, *b = &n->inputs[1]->shape;
    char first[HEED_SHAPE_TEXT], second[HEED_SHAPE_TEXT];
    for (int i = 0; i < 2; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    if (a->rank == 3 && b->rank == 3 && a->dims[0] == b->dims[0] && (axis == 0 || a->dims[axis] == b->dims[axis]))
        return HEED_OK;
    return heed_node_fail(n, "shapes do not fit (expected %s, found %s and %s)", expected,
                          heed_text_of(n->inputs[0], first), heed_text_of(n->inputs[1], second));
}

static heed_status expect_sizes(heed_node *n)
{
    const window_attributes *a = attributes_of(n);
    if (a->width >= 0 && a->keys >= 0)
        return HEED_OK;
    return heed_node_fail(n, "a size is out of range (expected a width from 1 on and no negative number of keys, "
                             "found %lld and %lld)", (long long)a->width, (long long)a->keys);
}

typedef struct window_work {
    const heed_kernels *kernels;
    const int32_t      *starts;
    int64_t             starts_step, batch, tq, tk, width, f;
    const float        *a, *b;    /* the operands */
    float              *y;
    int64_t             per_tile; /* rows of queries, or blocks of keys */
    int64_t             block, blocks; /* keys of a block, blocks of an item; window_spread only */
} window_work;

static window_work work_of(const heed_exec *x, const heed_node *n, int64_t width, int64_t keys)
{
    const heed_tensor *starts = n->inputs[2];
    window_work w = {.kernels = x->kernels, .starts = heed_data(x, starts),
                     .starts_step = heed_window_starts_step(starts), .batch = n->inputs[0]->shape.dims[0],
                     .tq = starts->shape.dims[1], .tk = keys, .width = width, .a = heed_data(x, n->inputs[0]),
                     .b = heed_data(x, n->inputs[1]), .y = heed_data(x, n->outputs[0]),
                     .f = heed_row_size(n->inputs[1])};
    int64_t of_row = width * w.f;
    w.per_tile = of_row >= TILE_PRODUCTS ? 1 : TILE_PRODUCTS / (of_row < 1 ? 1 : of_row);
    return w;
}

static int64_t start_of(const window_work *w, int64_t b, int64_t i) { return w->starts[b * w->starts_step + i]; }

/* The window of row `row` of all items' queries. */
static heed_window_part part_of(const window_work *w, int64_t row)
{
    return heed_window_within(start_of(w, row / w->tq, row % w->tq), w->width, 0, w->tk);
}

static void over_rows(const heed_exec *x, window_work *w, heed_tile_function *tile)
{
    heed_parallel(x->pool, heed_tiles(w->batch * w->tq, w->per_tile), tile, w);
}

/* ---- window_scores: query (B, Tq, F), key (B, Tk, F), starts: (B, Tq, width), q_i . k_j */

static heed_status window_scores_shape(heed_node *n)
{
    const heed_shape *q = &n->inputs[0]->shape;
    HEED_TRY(expect_pair(n, 2, "(B, Tq, F) and (B, Tk, F)"));
    HEED_TRY(heed_window_expect_starts(n, 2, q->dims[0], q->dims[1]));
    HEED_TRY(expect_sizes(n));
    heed_node_set(n, 0, HEED_FLOAT32, &(heed_shape){3, {q->dims[0], q->dims[1], attributes_of(n)->width}});
    return HEED_OK;
}

static void window_scores_tile(void *work, int64_t tile, int thread)
{
    const window_work *w = work;
    int64_t row, rows = heed_tile_range(w->batch * w->tq, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        heed_window_part p = part_of(w, row);
        const float *keys = w->b + (row / w->tq * w->tk + p.first) * w->f;
        float *y = w->y + row * w->width;
        if (p.count < w->width)
            memset(y, 0, (size_t)w->width * sizeof *y);
        for (int64_t j = 0; j < p.count; j++)
            y[p.skip + j] = w->kernels->dot(w->f, w->a + row * w->f, keys + j * w->f);
    }
}

static heed_status window_scores_forward(const heed_exec *x, const heed_node *n)
{
    window_work w = work_of(x, n, attributes_of(n)->width, n->inputs[1]->shape.dims[1]);
    over_rows(x, &w, window_scores_tile);
    return HEED_OK;
}

static heed_status window_scores_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[0] = heed_op_window_sum(dy[0], n->inputs[1], n->inputs[2]);
    dx[1] = heed_op_window_spread(dy[0], n->inputs[0], n->inputs[2], n->inputs[1]->shape.dims[1]);
    return n->graph->status;
}

const heed_op heed_kind_window_scores = {.name = "window_scores", .shape = window_scores_shape,
                                         .forward = window_scores_forward, .gradient = window_scores_gradient};

heed_tensor *heed_op_window_scores(heed_tensor *query, heed_tensor *key, heed_tensor *starts, int64_t width)
{
    return heed_node_output(NULL, &heed_kind_window_scores, &(window_attributes){.width = width},
                            sizeof(window_attributes), (heed_tensor *[]){query, key, starts}, 3);
}

/* ---- window_sum: weights (B, Tq, width), value (B, Tk, F), starts: (B, Tq, F), sum_j a_ij v_j */

static heed_status window_sum_shape(heed_node *n)
{
    const heed_shape *a = &n->inputs[0]->shape;
    HEED_TRY(expect_pair(n, 0, "(B, Tq, width) and (B, Tk, F)"));
    HEED_TRY(heed_window_expect_starts(n, 2, a->dims[0], a->dims[1]));
    heed_node_set(n, 0, HEED_FLOAT32, &(heed_shape){3, {a->dims[0], a->dims[1], heed_row_size(n->inputs[1])}});
    return HEED_OK;
}

static void window_sum_tile(void *work, int64_t tile, int thread)
{
    const window_work *w = work;
    int64_t row, rows = heed_tile_range(w->batch * w->tq, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        heed_window_part p = part_of(w, row);
        const float *values = w->b + (row / w->tq * w->tk + p.first) * w->f;
        w->kernels->gemm(1, w->f, p.count, w->a + row * w->width + p.skip, p.count, 1, values, w->f, 1,
                         w->y + row * w->f, w->f, NULL, 0);
    }
}

static heed_status window_sum_forward(const heed_exec *x, const heed_node *n)
{
    window_work w = work_of(x, n, heed_row_size(n->inputs[0]), n->inputs[1]->shape.dims[1]);
    over_rows(x, &w, window_sum_tile);
    return HEED_OK;
}

static heed_status window_sum_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[0] = heed_op_window_scores(dy[0], n->inputs[1], n->inputs[2], heed_row_size(n->inputs[0]));
    dx[1] = heed_op_window_spread(n->inputs[0], dy[0], n->inputs[2], n->inputs[1]->shape.dims[1]);
    return n->graph->status;
}

const heed_op heed_kind_window_sum = {.name = "window_sum", .shape = window_sum_shape, .forward = window_sum_forward,
                                      .gradient = window_sum_gradient};

heed_tensor *heed_op_window_sum(heed_tensor *weights, heed_tensor *value, heed_tensor *starts)
{
    return heed_node_output(NULL, &heed_kind_window_sum, &(window_attributes){0}, sizeof(window_attributes),
                            (heed_tensor *[]){weights, value, starts}, 3);
}

/* ---- window_spread: weights (B, Tq, width), x (B, Tq, F), starts: (B, keys, F), row j = sum_i a_ij x_i. A tile is a
 * block of keys, which takes what it needs from every window in order. */

static heed_status window_spread_shape(heed_node *n)
{
    const heed_shape *x = &n->inputs[1]->shape;
    HEED_TRY(expect_pair(n, 1, "(B, Tq, width) and (B, Tq, F)"));
    HEED_TRY(heed_window_expect_starts(n, 2, x->dims[0], x->dims[1]));
    HEED_TRY(expect_sizes(n));
    heed_node_set(n, 0, HEED_FLOAT32, &(heed_shape){3, {x->dims[0], attributes_of(n)->keys, x->dims[2]}});
    return HEED_OK;
}

static void window_spread_tile(void *work, int64_t tile, int thread)
{
    const window_work *w = work;
    int64_t b = tile / w->blocks, key, keys = heed_tile_range(w->tk, w->block, tile % w->blocks, &key);
    float *item = w->y + b * w->tk * w->f;
    memset(item + key * w->f, 0, (size_t)(keys * w->f) * sizeof *item);
    for (int64_t i = 0; i < w->tq; i++) {
        heed_window_part p = heed_window_within(start_of(w, b, i), w->width, key, key + keys);
        const float *weights = w->a + (b * w->tq + i) * w->width + p.skip, *x = w->b + (b * w->tq + i) * w->f;
        for (int64_t j = 0; j < p.count; j++)
            w->kernels->axpy(w->f, weights[j], x, item + (p.first + j) * w->f);
    }
}

static heed_status window_spread_forward(const heed_exec *x, const heed_node *n)
{
    window_work w = work_of(x, n, heed_row_size(n->inputs[0]), attributes_of(n)->keys);
    w.block = heed_tiles(w.tk, MOST_BLOCKS);
    w.block = w.block < LEAST_KEYS ? LEAST_KEYS : w.block;
    w.blocks = heed_tiles(w.tk, w.block);
    heed_parallel(x->pool, w.batch * w.blocks, window_spread_tile, &w);
    return HEED_OK;
}

static heed_status window_spread_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[0] = heed_op_window_scores(n->inputs[1], dy[0], n->inputs[2], heed_row_size(n->inputs[0]));
    dx[1] = heed_op_window_sum(n->inputs[0], dy[0], n->inputs[2]);
    return n->graph->status;
}

const heed_op heed_kind_window_spread = {.name = "window_spread", .shape = window_spread_shape,
                                         .forward = window_spread_forward, .gradient = window_spread_gradient};

heed_tensor *heed_op_window_spread(heed_tensor *weights, heed_tensor *x, heed_tensor *starts, int64_t keys)
{
    return heed_node_output(NULL, &heed_kind_window_spread, &(window_attributes){.keys = keys},
                            sizeof(window_attributes), (heed_tensor *[]){weights, x, starts}, 3);
}
