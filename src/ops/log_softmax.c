/* log softmax over the last axis. */
#include "ops/walk.h"

static heed_status log_softmax_shape(heed_node *n)
{
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    HEED_TRY(heed_node_expect_rows(n, 0));
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    return HEED_OK;
}

typedef struct log_softmax_work {
    const heed_kernels *kernels;
    const float        *x, *dy; /* dy: gradient only, where x is the result */
    float              *y;
    int64_t             n, rows, per_tile;
} log_softmax_work;

static void log_softmax_tile(void *work, int64_t tile, int thread)
{
    const log_softmax_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        int64_t at = row * w->n;
        if (w->dy == NULL)
            w->kernels->log_softmax(w->n, w->x + at, w->y + at);
        else
            w->kernels->log_softmax_gradient(w->n, w->x + at, w->dy + at, w->y + at);
    }
}

/* serves the gradient too, which has a second operand */
static heed_status log_softmax_forward(const heed_exec *x, const heed_node *n)
{
    log_softmax_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]),
                          .dy = n->input_count == 2 ? heed_data(x, n->inputs[1]) : NULL,
                          .y = heed_data(x, n->outputs[0]), .n = heed_row_size(n->outputs[0]),
                          .rows = heed_row_count(n->outputs[0])};
    w.per_tile = heed_tile_rows(w.n);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), log_softmax_tile, &w);
    return HEED_OK;
}

static heed_status log_softmax_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[] = {n->outputs[0], dy[0]};
    dx[0] = heed_node_output(n->graph, &heed_kind_log_softmax_gradient, NULL, 0, inputs, 2);
    return n->graph->status;
}

const heed_op heed_kind_log_softmax = {
    .name = "log_softmax", .shape = log_softmax_shape, .forward = log_softmax_forward, .gradient = log_softmax_gradient,
    .in_place = 1};

/* dx = dy - e^y sum(dy) */
const heed_op heed_kind_log_softmax_gradient = {
    .name = "log_softmax_gradient", .shape = log_softmax_shape, .forward = log_softmax_forward, .in_place = 2,
    .no_gradient = "second derivatives are not taken"};

heed_tensor *heed_op_log_softmax(heed_tensor *x)
{
    return heed_node_output(NULL, &heed_kind_log_softmax, NULL, 0, &x, 1);
}
