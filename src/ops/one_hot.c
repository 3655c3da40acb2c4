/* ids as rows of zeros with a single one. */
#include "ops/walk.h"

#include <string.h>

static heed_status one_hot_shape(heed_node *n)
{
    int64_t depth = *(const int64_t *)n->attributes;
    HEED_TRY(heed_node_expect(n, 0, HEED_INT32));
    heed_shape shape = n->inputs[0]->shape;
    if (depth < 0 || shape.rank == HEED_MAX_RANK)
        return heed_node_fail(n, "depth or rank out of range (expected depth >= 0 and rank < %d, found %lld and %d)",
                              HEED_MAX_RANK, (long long)depth, shape.rank);
    shape.dims[shape.rank++] = depth;
    heed_node_set(n, 0, HEED_FLOAT32, &shape);
    return HEED_OK;
}

typedef struct one_hot_work {
    const int32_t *ids;
    float         *y; /* (count, depth) */
    int64_t        count, depth, per_tile;
} one_hot_work;

static void one_hot_tile(void *work, int64_t tile, int thread)
{
    const one_hot_work *w = work;
    int64_t i, n = heed_tile_range(w->count, w->per_tile, tile, &i);
    memset(w->y + i * w->depth, 0, (size_t)(n * w->depth) * sizeof *w->y);
    for (int64_t end = i + n; i < end; i++)
        if (w->ids[i] >= 0 && w->ids[i] < w->depth)
            w->y[i * w->depth + w->ids[i]] = 1;
}

static heed_status one_hot_forward(const heed_exec *x, const heed_node *n)
{
    one_hot_work w = {.ids = heed_data(x, n->inputs[0]), .y = heed_data(x, n->outputs[0]), .count = n->inputs[0]->count,
                      .depth = heed_row_size(n->outputs[0])};
    w.per_tile = heed_tile_rows(w.depth);
    heed_parallel(x->pool, heed_tiles(w.count, w.per_tile), one_hot_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_one_hot = {
    .name = "one_hot", .shape = one_hot_shape, .forward = one_hot_forward, .no_gradient = "ids are not continuous"};

heed_tensor *heed_op_one_hot(heed_tensor *ids, int64_t depth)
{
    return heed_node_output(NULL, &heed_kind_one_hot, &depth, sizeof depth, &ids, 1);
}
