/* -log softmax(logits)[label], a row each; smoothed, the truth is spread: label has 1 - s + s/n of it and every other class
 * s/n, so that a row costs s (logits[label] - mean(logits)) more. The softmax is not kept: the gradient takes it again from the logits, whose
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
    float               smoothing;
    int64_t             n, rows, per_tile;
} cross_entropy_work;

static float cross_entropy_row(const cross_entropy_work *w, const float *x, int32_t label)
{
    float loss = w->kernels->softmax_cross_entropy(w->n, x, label, NULL);
    return w->smoothing == 0 ? loss : loss + w->smoothing * (x[label] - w->kernels->sum(w->n, x) / (float)w->n);
}

static void cross_entropy_tile(void *work, int64_t tile, int thread)
{
    const cross_entropy_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        int32_t label = w->labels[row];
        bool counts = label >= 0 && label < w->n;
        w->out[row] = counts ? cross_entropy_row(w, w->x + row * w->n, label) : 0;
    }
}

/* dx = dy (softmax(x) - (1 - s) one_hot(label) - s/n) */
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
        dx[label] -= 1 - w->smoothing;
        w->kernels->unary(HEED_UNARY_SCALE, w->n, dx, w->dy[row], -w->dy[row] * w->smoothing / (float)w->n, dx);
    }
}

static void run_rows(const heed_exec *x, const heed_node *n, const float *dy, heed_tile_function *function)
{
    cross_entropy_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]),
                            .labels = heed_data(x, n->inputs[1]), .dy = dy, .out = heed_data(x, n->outputs[0]),
                            .smoothing = *(const float *)n->attributes, .n = heed_row_size(n->inputs[0]), .rows = n->inputs[1]->count};
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
    dx[0] = heed_node_output(n->graph, &heed_kind_softmax_cross_entropy_gradient, n->attributes, sizeof(float), inputs, 3);
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

heed_tensor *heed_op_softmax_cross_entropy(heed_tensor *logits, heed_tensor *labels, float smoothing)
{
    heed_tensor *inputs[] = {logits, labels};
    return heed_node_output(NULL, &heed_kind_softmax_cross_entropy, &smoothing, sizeof smoothing, inputs, 2);
}
