/* Where the largest of each row is. */
#include "ops/walk.h"

static heed_status argmax_shape(heed_node *n)
{
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    HEED_TRY(heed_node_expect_rows(n, 0));
    if (heed_row_size(n->inputs[0]) == 0)
        return heed_node_fail(n, "the last axis is empty (expected at least 1 element, found 0)");
    heed_shape shape = heed_shape_of_rows(&n->inputs[0]->shape);
    heed_node_set(n, 0, HEED_INT32, &shape);
    return HEED_OK;
}

typedef struct argmax_work {
    const float *x; /* (rows, n) */
    int32_t     *y; /* (rows) */
    int64_t      rows, n, per_tile;
} argmax_work;

static void argmax_tile(void *work, int64_t tile, int thread)
{
    const argmax_work *w = work;
    int64_t row, count = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + count; row < end; row++) {
        const float *x = w->x + row * w->n;
        int64_t best = 0;
        for (int64_t i = 1; i < w->n; i++)
            if (x[i] > x[best])
                best = i;
        w->y[row] = (int32_t)best;
    }
}

static heed_status argmax_forward(const heed_exec *x, const heed_node *n)
{
    argmax_work w = {.x = heed_data(x, n->inputs[0]), .y = heed_data(x, n->outputs[0]), .rows = n->outputs[0]->count,
                     .n = heed_row_size(n->inputs[0])};
    w.per_tile = heed_tile_rows(w.n);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), argmax_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_argmax = {
    .name = "argmax", .shape = argmax_shape, .forward = argmax_forward, .no_gradient = "an index is not continuous"};

heed_tensor *heed_op_argmax(heed_tensor *x) { return heed_node_output(NULL, &heed_kind_argmax, NULL, 0, &x, 1); }
