/* Softmax over the last axis, what a mask leaves out apart. */
#include "ops/walk.h"

#include <string.h>

static heed_status softmax_shape(heed_node *n)
{
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    HEED_TRY(heed_node_expect_rows(n, 0));
    if (n->input_count == 2) {
        HEED_TRY(heed_node_expect(n, 1, HEED_BOOL));
        heed_shape both;
        HEED_TRY(heed_node_broadcast(n, "softmax", &both));
        char x[HEED_SHAPE_TEXT], mask[HEED_SHAPE_TEXT];
        if (!heed_shape_equal(&both, &n->inputs[0]->shape))
            return heed_node_fail(n, "the mask does not fit (expected a shape that broadcasts to %s, found %s)",
                                  heed_text_of(n->inputs[0], x), heed_text_of(n->inputs[1], mask));
    }
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    return HEED_OK;
}

typedef struct softmax_work {
    const heed_kernels *kernels;
    const float        *x, *dy; /* dy: gradient only, where x is the softmax */
    float              *y;
    int64_t             n, rows, per_tile;
    const uint8_t      *mask;   /* NULL: none */
    int64_t             mask_n; /* elements of a row of the mask: n, or 1 for the whole row */
} softmax_work;

/* rows of the result; the operand walks along the rows of the mask */
static void softmax_run(void *work, int64_t rows, int64_t at, const int64_t *offsets, const int64_t *steps)
{
    const softmax_work *w = work;
    for (int64_t i = 0; i < rows; i++) {
        const uint8_t *keep = w->mask == NULL ? NULL : w->mask + (offsets[0] + i * steps[0]) * w->mask_n;
        int64_t begin = (at + i) * w->n;
        if (keep != NULL && w->mask_n != w->n && !*keep)
            memset(w->y + begin, 0, (size_t)w->n * sizeof *w->y);
        else
            w->kernels->softmax(w->n, w->x + begin, w->mask_n == w->n ? keep : NULL, w->y + begin);
    }
}

static heed_status softmax_forward(const heed_exec *x, const heed_node *n)
{
    softmax_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .y = heed_data(x, n->outputs[0]),
                      .n = heed_row_size(n->outputs[0])};
    heed_shape rows = heed_shape_of_rows(&n->outputs[0]->shape), mask_rows = {0};
    if (n->input_count == 2) {
        w.mask = heed_data(x, n->inputs[1]);
        w.mask_n = heed_row_size(n->inputs[1]);
        mask_rows = heed_shape_of_rows(&n->inputs[1]->shape);
    }
    heed_walk walk;
    heed_walk_start(&walk, &rows);
    heed_walk_broadcast(&walk, &mask_rows);
    heed_walk_parallel(x, &walk, heed_tile_rows(w.n), softmax_run, &w);
    return HEED_OK;
}

static heed_status softmax_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[] = {n->outputs[0], dy[0]};
    dx[0] = heed_node_output(n->graph, &heed_kind_softmax_gradient, NULL, 0, inputs, 2);
    return n->graph->status;
}

const heed_op heed_kind_softmax = {
    .name = "softmax", .shape = softmax_shape, .forward = softmax_forward, .gradient = softmax_gradient, .in_place = 1};

/* ---- dx = y (dy - sum(y dy)); what was left out has y = 0 and gets 0 */

static heed_status softmax_gradient_shape(heed_node *n)
{
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    return HEED_OK;
}

static void softmax_gradient_tile(void *work, int64_t tile, int thread)
{
    const softmax_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++)
        w->kernels->softmax_gradient(w->n, w->x + row * w->n, w->dy + row * w->n, w->y + row * w->n);
}

static heed_status softmax_gradient_forward(const heed_exec *x, const heed_node *n)
{
    softmax_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .dy = heed_data(x, n->inputs[1]),
                      .y = heed_data(x, n->outputs[0]), .n = heed_row_size(n->outputs[0]),
                      .rows = heed_row_count(n->outputs[0])};
    w.per_tile = heed_tile_rows(w.n);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), softmax_gradient_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_softmax_gradient = {
    .name = "softmax_gradient", .shape = softmax_gradient_shape, .forward = softmax_gradient_forward, .in_place = 2,
    .no_gradient = "second derivatives are not taken"};

heed_tensor *heed_op_softmax(heed_tensor *x, heed_tensor *mask)
{
    return heed_node_output(NULL, &heed_kind_softmax, NULL, 0, (heed_tensor *[]){x, mask}, mask == NULL ? 1 : 2);
}
