/* Each row brought to mean 0 and variance 1, then scaled and shifted. */
#include "ops/walk.h"

#include <string.h>

/* Operands: x (rows, n), then gamma (n) and beta (n) where there are any. Outputs: y, and mean and rstd (rows) for the
 * gradient. */
typedef struct layer_norm_attributes {
    float epsilon;
    bool  has_gamma, has_beta;
} layer_norm_attributes;

static heed_tensor *gamma_of(const heed_node *n)
{
    return ((const layer_norm_attributes *)n->attributes)->has_gamma ? n->inputs[1] : NULL;
}

static heed_tensor *beta_of(const heed_node *n)
{
    return ((const layer_norm_attributes *)n->attributes)->has_beta ? n->inputs[n->input_count - 1] : NULL;
}

static heed_status layer_norm_shape(heed_node *n)
{
    const heed_tensor *x = n->inputs[0];
    HEED_TRY(heed_node_expect_rows(n, 0));
    for (int i = 0; i < n->input_count; i++) {
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
        const heed_shape *found = &n->inputs[i]->shape;
        char text[HEED_SHAPE_TEXT];
        if (i > 0 && (found->rank != 1 || found->dims[0] != heed_row_size(x)))
            return heed_node_fail(n, "gamma or beta does not fit (expected (%lld,), found %s)",
                                  (long long)heed_row_size(x), heed_text_of(n->inputs[i], text));
    }
    heed_shape rows = heed_shape_of_rows(&x->shape);
    heed_node_set(n, 0, HEED_FLOAT32, &x->shape);
    heed_node_set(n, 1, HEED_FLOAT32, &rows);
    heed_node_set(n, 2, HEED_FLOAT32, &rows);
    return HEED_OK;
}

typedef struct layer_norm_work {
    const heed_kernels *kernels;
    const float        *x, *gamma, *beta;
    float              *y, *mean, *rstd;
    float               epsilon;
    int64_t             rows, n, per_tile;
    /* gradient only */
    const float *dy;
    float       *dx, *partials; /* (tiles, 2, n): dgamma and dbeta of each tile; NULL: not asked for */
} layer_norm_work;

static void layer_norm_tile(void *work, int64_t tile, int thread)
{
    const layer_norm_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++)
        w->kernels->layer_norm(w->n, w->x + row * w->n, w->gamma, w->beta, w->epsilon, w->y + row * w->n, w->mean + row,
                               w->rstd + row);
}

static heed_status layer_norm_forward(const heed_exec *x, const heed_node *n)
{
    const layer_norm_attributes *a = n->attributes;
    layer_norm_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .y = heed_data(x, n->outputs[0]),
                         .mean = heed_data(x, n->outputs[1]), .rstd = heed_data(x, n->outputs[2]),
                         .epsilon = a->epsilon, .rows = n->outputs[1]->count, .n = heed_row_size(n->outputs[0])};
    w.gamma = gamma_of(n) == NULL ? NULL : heed_data(x, gamma_of(n));
    w.beta = beta_of(n) == NULL ? NULL : heed_data(x, beta_of(n));
    w.per_tile = heed_tile_rows(w.n);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), layer_norm_tile, &w);
    return HEED_OK;
}

static heed_status layer_norm_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *gamma = gamma_of(n), *beta = beta_of(n);
    heed_tensor *inputs[] = {n->inputs[0], n->outputs[1], n->outputs[2], dy[0], gamma};
    bool shares = gamma != NULL || beta != NULL;
    heed_node *g = heed_node_add(n->graph, &heed_kind_layer_norm_gradient, NULL, 0, inputs, gamma == NULL ? 4 : 5,
                                 shares ? 3 : 1);
    if (g == NULL)
        return n->graph->status;
    dx[0] = g->outputs[0];
    if (gamma != NULL)
        dx[1] = g->outputs[1];
    if (beta != NULL)
        dx[n->input_count - 1] = g->outputs[2];
    return HEED_OK;
}

const heed_op heed_kind_layer_norm = {
    .name = "layer_norm", .shape = layer_norm_shape, .forward = layer_norm_forward, .gradient = layer_norm_gradient};

/* ---- dx (rows, n); dgamma and dbeta (n) where the node has them, summed over tiles of rows, then over the tiles in
 * order. Operands: x, mean, rstd, dy, and gamma if there is one. */

enum { LEAST_ROWS = 16 }; /* of a tile, so that the partial sums are at most an 8th of x */

static int64_t gradient_rows(int64_t n)
{
    int64_t rows = heed_tile_rows(n);
    return rows < LEAST_ROWS ? LEAST_ROWS : rows;
}

static heed_status layer_norm_gradient_shape(heed_node *n)
{
    heed_shape row = {1, {heed_row_size(n->inputs[0])}};
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    for (int i = 1; i < n->output_count; i++)
        heed_node_set(n, i, HEED_FLOAT32, &row);
    return HEED_OK;
}

static size_t layer_norm_gradient_scratch(const heed_node *n, int threads)
{
    int64_t size = heed_row_size(n->inputs[0]), tiles = heed_tiles(n->inputs[1]->count, gradient_rows(size));
    return n->output_count == 1 ? 0 : (size_t)(tiles * 2 * size) * sizeof(float);
}

static void layer_norm_gradient_tile(void *work, int64_t tile, int thread)
{
    const layer_norm_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    float *dgamma = NULL, *dbeta = NULL;
    if (w->partials != NULL) {
        dgamma = w->partials + tile * 2 * w->n;
        dbeta = dgamma + w->n;
        memset(dgamma, 0, (size_t)(2 * w->n) * sizeof *dgamma);
    }
    for (int64_t end = row + rows; row < end; row++)
        w->kernels->layer_norm_gradient(w->n, w->x + row * w->n, w->gamma, w->mean[row], w->rstd[row],
                                        w->dy + row * w->n, w->dx + row * w->n, dgamma, dbeta);
}

static heed_status layer_norm_gradient_forward(const heed_exec *x, const heed_node *n)
{
    layer_norm_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .mean = heed_data(x, n->inputs[1]),
                         .rstd = heed_data(x, n->inputs[2]), .dy = heed_data(x, n->inputs[3]),
                         .gamma = n->input_count == 5 ? heed_data(x, n->inputs[4]) : NULL,
                         .dx = heed_data(x, n->outputs[0]),
                         .partials = n->output_count == 3 ? heed_scratch(x, n) : NULL, .rows = n->inputs[1]->count,
                         .n = heed_row_size(n->inputs[0])};
    w.per_tile = gradient_rows(w.n);
    int64_t tiles = heed_tiles(w.rows, w.per_tile);
    heed_parallel(x->pool, tiles, layer_norm_gradient_tile, &w);
    for (int i = 1; i < n->output_count; i++) {
        float *sum = heed_data(x, n->outputs[i]);
        memset(sum, 0, (size_t)w.n * sizeof *sum);
        x->kernels->add_columns(tiles, w.n, w.partials + (i - 1) * w.n, 2 * w.n, sum);
    }
    return HEED_OK;
}

const heed_op heed_kind_layer_norm_gradient = {
    .name = "layer_norm_gradient", .shape = layer_norm_gradient_shape, .scratch = layer_norm_gradient_scratch,
    .forward = layer_norm_gradient_forward, .in_place = 4, .no_gradient = "second derivatives are not taken"};

heed_tensor *heed_op_layer_norm(heed_tensor *x, heed_tensor *gamma, heed_tensor *beta, float epsilon)
{
    layer_norm_attributes a = {epsilon, gamma != NULL, beta != NULL};
    heed_tensor *inputs[3] = {x};
    int count = 1;
    if (gamma != NULL)
        inputs[count++] = gamma;
    if (beta != NULL)
        inputs[count++] = beta;
    heed_node *n = heed_node_add(NULL, &heed_kind_layer_norm, &a, sizeof a, inputs, count, 3);
    return n == NULL ? NULL : n->outputs[0];
}
