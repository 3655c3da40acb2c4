/* One LSTM step, all gates at once. */
#include "ops/walk.h"

/* Operands: zx (R, 4u), zh (R, 4u) if there is one, c_previous (R, u). Outputs: h, c (R, u), and the activated gates
 * (R, 4u) for the gradient. */
static heed_status lstm_shape(heed_node *n)
{
    const heed_tensor *c_previous = n->inputs[n->input_count - 1];
    char expected[HEED_SHAPE_TEXT], found[HEED_SHAPE_TEXT];
    HEED_TRY(heed_node_expect_rows(n, n->input_count - 1));
    heed_shape wide = c_previous->shape;
    wide.dims[wide.rank - 1] *= 4;
    for (int i = 0; i < n->input_count; i++) {
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
        if (i < n->input_count - 1 && !heed_shape_equal(&n->inputs[i]->shape, &wide))
            return heed_node_fail(n, "operand %d does not fit the state (expected %s, found %s)", i + 1,
                                  heed_shape_text(&wide, expected, sizeof expected), heed_text_of(n->inputs[i], found));
    }
    heed_node_set(n, 0, HEED_FLOAT32, &c_previous->shape);
    heed_node_set(n, 1, HEED_FLOAT32, &c_previous->shape);
    heed_node_set(n, 2, HEED_FLOAT32, &wide);
    return HEED_OK;
}

typedef struct lstm_work {
    const heed_kernels *kernels;
    const float        *zx, *zh, *c_previous;
    float              *h, *c, *gates;
    const float        *dh, *dc;          /* gradient only */
    float              *dz, *dc_previous; /* gradient only */
    int64_t             rows, u, per_tile;
} lstm_work;

static void lstm_tile(void *work, int64_t tile, int thread)
{
    const lstm_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row), u = w->u;
    for (int64_t end = row + rows; row < end; row++)
        w->kernels->lstm(u, w->zx + row * 4 * u, w->zh == NULL ? NULL : w->zh + row * 4 * u, w->c_previous + row * u,
                         w->gates + row * 4 * u, w->c + row * u, w->h + row * u);
}

static heed_status lstm_forward(const heed_exec *x, const heed_node *n)
{
    lstm_work w = {.kernels = x->kernels, .zx = heed_data(x, n->inputs[0]),
                   .zh = n->input_count == 3 ? heed_data(x, n->inputs[1]) : NULL,
                   .c_previous = heed_data(x, n->inputs[n->input_count - 1]), .h = heed_data(x, n->outputs[0]),
                   .c = heed_data(x, n->outputs[1]), .gates = heed_data(x, n->outputs[2]),
                   .rows = heed_row_count(n->outputs[0]), .u = heed_row_size(n->outputs[0])};
    w.per_tile = heed_tile_rows(4 * w.u);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), lstm_tile, &w);
    return HEED_OK;
}

static heed_tensor *or_zeros(heed_tensor *dy, const heed_tensor *like)
{
    return dy != NULL ? dy : heed_graph_fill(like->graph, &like->shape, 0);
}

static heed_status lstm_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    int last = n->input_count - 1;
    heed_tensor *c = n->outputs[1], *gates = n->outputs[2];
    heed_tensor *inputs[] = {gates, n->inputs[last], c, or_zeros(dy[0], c), or_zeros(dy[1], c)};
    heed_node *g = heed_node_add(n->graph, &heed_kind_lstm_gradient, NULL, 0, inputs, 5, 2);
    if (g == NULL)
        return n->graph->status;
    for (int i = 0; i < last; i++)
        dx[i] = g->outputs[0];
    dx[last] = g->outputs[1];
    return HEED_OK;
}

const heed_op heed_kind_lstm = {
    .name = "lstm", .shape = lstm_shape, .forward = lstm_forward, .gradient = lstm_gradient};

/* ---- dz (R, 4u), which serves zx and zh alike, and dc_previous (R, u), from gates, c_previous, c, dh and dc */

static heed_status lstm_gradient_shape(heed_node *n)
{
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    heed_node_set(n, 1, HEED_FLOAT32, &n->inputs[1]->shape);
    return HEED_OK;
}

static void lstm_gradient_tile(void *work, int64_t tile, int thread)
{
    const lstm_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row), u = w->u;
    for (int64_t end = row + rows; row < end; row++)
        w->kernels->lstm_gradient(u, w->gates + row * 4 * u, w->c_previous + row * u, w->c + row * u, w->dh + row * u,
                                  w->dc + row * u, w->dz + row * 4 * u, w->dc_previous + row * u);
}

static heed_status lstm_gradient_forward(const heed_exec *x, const heed_node *n)
{
    lstm_work w = {.kernels = x->kernels, .gates = heed_data(x, n->inputs[0]), .c_previous = heed_data(x, n->inputs[1]),
                   .c = heed_data(x, n->inputs[2]), .dh = heed_data(x, n->inputs[3]), .dc = heed_data(x, n->inputs[4]),
                   .dz = heed_data(x, n->outputs[0]), .dc_previous = heed_data(x, n->outputs[1]),
                   .rows = heed_row_count(n->outputs[1]), .u = heed_row_size(n->outputs[1])};
    w.per_tile = heed_tile_rows(4 * w.u);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), lstm_gradient_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_lstm_gradient = {
    .name = "lstm_gradient", .shape = lstm_gradient_shape, .forward = lstm_gradient_forward, .in_place = 1,
    .no_gradient = "second derivatives are not taken"};

void heed_op_lstm(heed_tensor *zx, heed_tensor *zh, heed_tensor *c_previous, heed_tensor **h, heed_tensor **c)
{
    heed_tensor *inputs[] = {zx, zh == NULL ? c_previous : zh, c_previous};
    heed_node *n = heed_node_add(NULL, &heed_kind_lstm, NULL, 0, inputs, zh == NULL ? 2 : 3, 3);
    *h = n == NULL ? NULL : n->outputs[0];
    *c = n == NULL ? NULL : n->outputs[1];
}
