/* Where the largest of each row is. */
#include "ops/walk.h"

#include <math.h>

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
    const heed_kernels *kernels;
    const float        *x; /* (rows, n) */
    int32_t            *y; /* (rows) */
    int64_t             rows, n, per_tile;
} argmax_work;

/* Elements whose largest is taken at once; only among those of the best such block is its place looked for. */
enum { BLOCK = 256 };

/* A NaN counts as the largest of all. */
static bool above(float x, float best) { return x > best || (isnan(x) && !isnan(best)); }

static int64_t place_of_largest(const heed_kernels *k, int64_t n, const float *x)
{
    int64_t block = 0;
    float best = k->maximum(n < BLOCK ? n : BLOCK, x);
    for (int64_t i = BLOCK; i < n; i += BLOCK) {
        float top = k->maximum(n - i < BLOCK ? n - i : BLOCK, x + i);
        if (above(top, best)) {
            best = top;
            block = i;
        }
    }
    while (x[block] != best && !isnan(x[block]))
        block++;
    return block;
}

static void argmax_tile(void *work, int64_t tile, int thread)
{
    const argmax_work *w = work;
    int64_t row, count = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + count; row < end; row++)
        w->y[row] = (int32_t)place_of_largest(w->kernels, w->n, w->x + row * w->n);
}

static heed_status argmax_forward(const heed_exec *x, const heed_node *n)
{
    argmax_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .y = heed_data(x, n->outputs[0]),
                     .rows = n->outputs[0]->count, .n = heed_row_size(n->inputs[0])};
    w.per_tile = heed_tile_rows(w.n);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), argmax_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_argmax = {
    .name = "argmax", .shape = argmax_shape, .forward = argmax_forward, .no_gradient = "an index is not continuous"};

heed_tensor *heed_op_argmax(heed_tensor *x) { return heed_node_output(NULL, &heed_kind_argmax, NULL, 0, &x, 1); }
