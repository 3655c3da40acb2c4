/* -log softmax(logits)[label], a row each. The softmax is not kept: the gradient takes it again from the logits, whose
 * memory it may take over. */
#include "ops/walk.h"

#include <string.h>

static heed_status expect_logits_and_labels(heed_node *n)
{
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    HEED_TRY(heed_node_expect(n, 1, HEED_INT32));
    HEED_TRY(heed_node_expect_rows(n, 0));
    heed_shape rows = heed_shape_of_rows(&n->inputs[0]->shape);
    char expected[HEED_SHAPE_TEXT], found[HEED_SHAPE_TEXT];
    if (!heed_shape_equal(&rows, &n->inputs[1]->shape))
        return heed_node_fail(n, "the labels do not fit the logits (expected %s, found %s)",
                              heed_shape_text(&rows, expected, sizeof expected), heed_text_of(n->inputs[1], found));
    return HEED_OK;
}

static heed_status cross_entropy_shape(heed_node *n)
{
    HEED_TRY(expect_logits_and_labels(n));
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[1]->shape);
    return HEED_OK;
}

typedef struct cross_entropy_work {
    const heed_kernels *kernels;
    const float        *x;      /* (rows, n) */
    const int32_t      *labels; /* (rows) */
    const float        *dy;     /* (rows); gradient only */
    float              *out;    /* the loss (rows); dx (rows, n) */
    int64_t             n, rows, per_tile;
} cross_entropy_work;

static void cross_entropy_tile(void *work, int64_t tile, int thread)
{
    const cross_entropy_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        int32_t label = w->labels[row];
        bool counts = label >= 0 && label < w->n;
        w->out[row] = counts ? w->kernels->softmax_cross_entropy(w->n, w->x + row * w->n, label, NULL) : 0;
    }
}

/* dx = dy (softmax(x) - one_hot(label)) */
static void cross_entropy_gradient_tile(void *work, int64_t tile, int thread)
{
    const cross_entropy_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        int32_t label = w->labels[row];
        float *dx = w->out + row * w->n;
        if (label < 0 || label >= w->n || w->dy[row] == 0) {
            memset(dx, 0, (size_t)w->n * sizeof *dx);
            continue;
        }
        w->kernels->softmax(w->n, w->x + row * w->n, NULL, dx);
        dx[label] -= 1;
        w->kernels->unary(HEED_UNARY_SCALE, w->n, dx, w->dy[row], 0, dx);
    }
}

static void run_rows(const heed_exec *x, const heed_node *n, const float *dy, heed_tile_function *function)
{
    cross_entropy_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]),
                            .labels = heed_data(x, n->inputs[1]), .dy = dy, .out = heed_data(x, n->outputs[0]),
                            .n = heed_row_size(n->inputs[0]), .rows = n->inputs[1]->count};
    w.per_tile = heed_tile_rows(w.n);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), function, &w);
}

static heed_status cross_entropy_forward(const heed_exec *x, const heed_node *n)
{
    run_rows(x, n, NULL, cross_entropy_tile);
    return HEED_OK;
}

static heed_status cross_entropy_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[] = {n->inputs[0], n->inputs[1], dy[0]};
    dx[0] = heed_node_output(n->graph, &heed_kind_softmax_cross_entropy_gradient, NULL, 0, inputs, 3);
    return n->graph->status;
}

const heed_op heed_kind_softmax_cross_entropy = {.name = "softmax_cross_entropy", .shape = cross_entropy_shape,
                                                 .forward = cross_entropy_forward, .gradient = cross_entropy_gradient};

static heed_status cross_entropy_gradient_shape(heed_node *n)
{
    HEED_TRY(expect_logits_and_labels(n));
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    return HEED_OK;
}

static heed_status cross_entropy_gradient_forward(const heed_exec *x, const heed_node *n)
{
    run_rows(x, n, heed_data(x, n->inputs[2]), cross_entropy_gradient_tile);
    return HEED_OK;
}

const heed_op heed_kind_softmax_cross_entropy_gradient = {
    .name = "softmax_cross_entropy_gradient", .shape = cross_entropy_gradient_shape,
    .forward = cross_entropy_gradient_forward, .in_place = 1, .no_gradient = "second derivatives are not taken"};

heed_tensor *heed_op_softmax_cross_entropy(heed_tensor *logits, heed_tensor *labels)
{
    return heed_node_output(NULL, &heed_kind_softmax_cross_entropy, NULL, 0, (heed_tensor *[]){logits, labels}, 2);
}
