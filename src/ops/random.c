/* Numbers drawn anew at each training step. */
#include "ops/op.h"

typedef struct random_attributes {
    heed_shape shape;
    bool       normal;
    uint32_t   draw;
} random_attributes;

static heed_status random_shape(heed_node *n)
{
    const random_attributes *a = n->attributes;
    if (heed_shape_count(&a->shape) < 0)
        return heed_node_fail(n, "a size is unknown or too large");
    heed_node_set(n, 0, HEED_FLOAT32, &a->shape);
    return HEED_OK;
}

typedef struct random_work {
    const heed_exec         *exec;
    const random_attributes *attributes;
    float                   *y;
    int64_t                  count;
} random_work;

static void random_tile(void *work, int64_t tile, int thread)
{
    const random_work *w = work;
    const heed_exec *x = w->exec;
    int64_t i, n = heed_tile_range(w->count, HEED_TILE_ELEMENTS, tile, &i);
    uint64_t stream = heed_exec_stream(x, w->attributes->draw), first = x->draw_offset + (uint64_t)i;
    if (w->attributes->normal)
        x->kernels->random_normal(n, x->seed, stream, first, w->y + i);
    else
        x->kernels->random_uniform(n, x->seed, stream, first, w->y + i);
}

static heed_status random_forward(const heed_exec *x, const heed_node *n)
{
    random_work w = {.exec = x, .attributes = n->attributes, .y = heed_data(x, n->outputs[0]),
                     .count = n->outputs[0]->count};
    heed_parallel(x->pool, heed_tiles(w.count, HEED_TILE_ELEMENTS), random_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_random = {
    .name = "random", .shape = random_shape, .forward = random_forward, .no_gradient = "it depends on nothing"};

static heed_tensor *random_numbers(heed_graph *g, const heed_shape *shape, bool normal)
{
    random_attributes a = {*shape, normal, g->draws++};
    return heed_node_output(g, &heed_kind_random, &a, sizeof a, NULL, 0);
}

heed_tensor *heed_op_random_uniform(heed_graph *g, const heed_shape *shape) { return random_numbers(g, shape, false); }
heed_tensor *heed_op_random_normal(heed_graph *g, const heed_shape *shape) { return random_numbers(g, shape, true); }
