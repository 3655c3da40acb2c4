/* Elements left out at random, the others scaled up; the gradient is the same draw applied to dy. */
#include "ops/op.h"

typedef struct dropout_attributes {
    float    rate;
    uint32_t draw;
} dropout_attributes;

static heed_status dropout_shape(heed_node *n)
{
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    return HEED_OK;
}

typedef struct dropout_work {
    const heed_exec          *exec;
    const dropout_attributes *attributes;
    const float              *x;
    float                    *y;
    int64_t                   count;
} dropout_work;

static void dropout_tile(void *work, int64_t tile, int thread)
{
    const dropout_work *w = work;
    const heed_exec *x = w->exec;
    int64_t i, n = heed_tile_range(w->count, HEED_TILE_ELEMENTS, tile, &i);
    x->kernels->dropout(n, w->x + i, w->attributes->rate, x->seed, heed_exec_stream(x, w->attributes->draw),
                        x->draw_offset + (uint64_t)i, w->y + i);
}

static heed_status dropout_forward(const heed_exec *x, const heed_node *n)
{
    dropout_work w = {.exec = x, .attributes = n->attributes, .x = heed_data(x, n->inputs[0]),
                      .y = heed_data(x, n->outputs[0]), .count = n->outputs[0]->count};
    heed_parallel(x->pool, heed_tiles(w.count, HEED_TILE_ELEMENTS), dropout_tile, &w);
    return HEED_OK;
}

static heed_status dropout_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[0] = heed_node_output(n->graph, &heed_kind_dropout, n->attributes, sizeof(dropout_attributes), dy, 1);
    return n->graph->status;
}

const heed_op heed_kind_dropout = {
    .name = "dropout", .shape = dropout_shape, .forward = dropout_forward, .gradient = dropout_gradient, .in_place = 1};

heed_tensor *heed_op_dropout(heed_tensor *x, float rate)
{
    if (x == NULL || rate == 0)
        return x;
    if (!(rate > 0 && rate <= 1))
        return heed_graph_fail(x->graph, HEED_EINVAL, "dropout: the rate is out of range (expected 0..1, found %g)",
                               (double)rate);
    dropout_attributes a = {rate, x->graph->draws++};
    return heed_node_output(NULL, &heed_kind_dropout, &a, sizeof a, &x, 1);
}
