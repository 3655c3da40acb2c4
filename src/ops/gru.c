/* One GRU step with reset_after, all gates at once. */
#include "ops/walk.h"

/* Operands: zx, zh (R, 3u), h_previous (R, u). Outputs: h (R, u), and the activated gates (R, 3u) for the gradient. */
static heed_status gru_shape(heed_node *n)
{
    char expected[HEED_SHAPE_TEXT], found[HEED_SHAPE_TEXT];
    HEED_TRY(heed_node_expect_rows(n, 2));
    heed_shape wide = n->inputs[2]->shape;
    wide.dims[wide.rank - 1] *= 3;
    for (int i = 0; i < 3; i++) {
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
        if (i < 2 && !heed_shape_equal(&n->inputs[i]->shape, &wide))
            return heed_node_fail(n, "operand %d does not fit the state (expected %s, found %s)", i + 1,
                                  heed_shape_text(&wide, expected, sizeof expected), heed_text_of(n->inputs[i], found));
    }
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[2]->shape);
    heed_node_set(n, 1, HEED_FLOAT32, &wide);
    return HEED_OK;
}

typedef struct gru_work {
    const heed_kernels *kernels;
    const float        *zx, *zh, *h_previous;
    float              *h, *gates;
    const float        *dh;                       /* gradient only */
    float              *dzx, *dzh, *dh_previous;  /* gradient only */
    int64_t             rows, u, per_tile;
} gru_work;

static void gru_tile(void *work, int64_t tile, int thread)
{
    const gru_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row), u = w->u;
    for (int64_t end = row + rows; row < end; row++)
        w->kernels->gru(u, w->zx + row * 3 * u, w->zh + row * 3 * u, w->h_previous + row * u, w->gates + row * 3 * u,
                        w->h + row * u);
}

static heed_status gru_forward(const heed_exec *x, const heed_node *n)
{
    gru_work w = {.kernels = x->kernels, .zx = heed_data(x, n->inputs[0]), .zh = heed_data(x, n->inputs[1]),
                  .h_previous = heed_data(x, n->inputs[2]), .h = heed_data(x, n->outputs[0]),
                  .gates = heed_data(x, n->outputs[1]), .rows = heed_row_count(n->outputs[0]),
                  .u = heed_row_size(n->outputs[0])};
    w.per_tile = heed_tile_rows(3 * w.u);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), gru_tile, &w);
    return HEED_OK;
}

static heed_status gru_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[] = {n->outputs[1], n->inputs[1], n->inputs[2], dy[0]};
    heed_node *g = heed_node_add(n->graph, &heed_kind_gru_gradient, NULL, 0, inputs, 4, 3);
    for (int i = 0; i < 3 && g != NULL; i++)
        dx[i] = g->outputs[i];
    return n->graph->status;
}

const heed_op heed_kind_gru = {
    .name = "gru", .shape = gru_shape, .forward = gru_forward, .gradient = gru_gradient, .in_place = 3};

/* ---- dzx, dzh (R, 3u) and dh_previous (R, u), from gates, zh, h_previous and dh */

static heed_status gru_gradient_shape(heed_node *n)
{
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    heed_node_set(n, 1, HEED_FLOAT32, &n->inputs[0]->shape);
    heed_node_set(n, 2, HEED_FLOAT32, &n->inputs[2]->shape);
    return HEED_OK;
}

static void gru_gradient_tile(void *work, int64_t tile, int thread)
{
    const gru_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row), u = w->u;
    for (int64_t end = row + rows; row < end; row++)
        w->kernels->gru_gradient(u, w->gates + row * 3 * u, w->zh + row * 3 * u, w->h_previous + row * u,
                                 w->dh + row * u, w->dzx + row * 3 * u, w->dzh + row * 3 * u, w->dh_previous + row * u);
}

static heed_status gru_gradient_forward(const heed_exec *x, const heed_node *n)
{
    gru_work w = {.kernels = x->kernels, .gates = heed_data(x, n->inputs[0]), .zh = heed_data(x, n->inputs[1]),
                  .h_previous = heed_data(x, n->inputs[2]), .dh = heed_data(x, n->inputs[3]),
                  .dzx = heed_data(x, n->outputs[0]), .dzh = heed_data(x, n->outputs[1]),
                  .dh_previous = heed_data(x, n->outputs[2]), .rows = heed_row_count(n->outputs[2]),
                  .u = heed_row_size(n->outputs[2])};
    w.per_tile = heed_tile_rows(3 * w.u);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), gru_gradient_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_gru_gradient = {
    .name = "gru_gradient", .shape = gru_gradient_shape, .forward = gru_gradient_forward, .in_place = 1,
    .no_gradient = "second derivatives are not taken"};

heed_tensor *heed_op_gru(heed_tensor *zx, heed_tensor *zh, heed_tensor *h_previous)
{
    heed_node *n = heed_node_add(NULL, &heed_kind_gru, NULL, 0, (heed_tensor *[]){zx, zh, h_previous}, 3, 2);
    return n == NULL ? NULL : n->outputs[0];
}
