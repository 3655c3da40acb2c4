/* From one of float32, int32 and bool to another. */
#include "ops/walk.h"

static heed_status cast_shape(heed_node *n)
{
    heed_node_set(n, 0, *(const heed_dtype *)n->attributes, &n->inputs[0]->shape);
    return HEED_OK;
}

/* Towards zero; what int32 does not hold becomes the nearest it does, NaN 0. */
static int32_t truncate_float(float x)
{
    if (x >= 0x1p31f)
        return INT32_MAX;
    if (x <= -0x1p31f)
        return INT32_MIN;
    return x == x ? (int32_t)x : 0;
}

typedef struct cast_work {
    heed_dtype  from, to;
    const void *x;
    void       *y;
    int64_t     count;
} cast_work;

static void cast_tile(void *work, int64_t tile, int thread)
{
    const cast_work *w = work;
    int64_t begin, n = heed_tile_range(w->count, HEED_TILE_ELEMENTS, tile, &begin), end = begin + n;
#define CAST(from_type, to_type, VALUE)                                                                                \
    do {                                                                                                               \
        const from_type *x = w->x;                                                                                     \
        to_type *y = w->y;                                                                                             \
        for (int64_t i = begin; i < end; i++)                                                                          \
            y[i] = (to_type)(VALUE);                                                                                   \
    } while (0)
    if (w->from == HEED_FLOAT32 && w->to == HEED_INT32)
        CAST(float, int32_t, truncate_float(x[i]));
    else if (w->from == HEED_FLOAT32)
        CAST(float, uint8_t, x[i] != 0);
    else if (w->from == HEED_INT32 && w->to == HEED_FLOAT32)
        CAST(int32_t, float, x[i]);
    else if (w->from == HEED_INT32)
        CAST(int32_t, uint8_t, x[i] != 0);
    else if (w->to == HEED_FLOAT32)
        CAST(uint8_t, float, x[i]);
    else
        CAST(uint8_t, int32_t, x[i]);
#undef CAST
}

static heed_status cast_forward(const heed_exec *x, const heed_node *n)
{
    cast_work work = {.from = n->inputs[0]->dtype, .to = n->outputs[0]->dtype, .x = heed_data(x, n->inputs[0]),
                      .y = heed_data(x, n->outputs[0]), .count = n->outputs[0]->count};
    heed_parallel(x->pool, heed_tiles(work.count, HEED_TILE_ELEMENTS), cast_tile, &work);
    return HEED_OK;
}

const heed_op heed_kind_cast = {
    .name = "cast", .shape = cast_shape, .forward = cast_forward,
    .no_gradient = "one of the two types is not continuous (float32 to float32 is no node)"};

heed_tensor *heed_op_cast(heed_tensor *x, heed_dtype dtype)
{
    if (x == NULL || x->dtype == dtype)
        return x;
    if (dtype != HEED_FLOAT32 && dtype != HEED_INT32 && dtype != HEED_BOOL)
        return heed_graph_fail(x->graph, HEED_EINVAL,
                               "cast: not a type to compute with (expected float32, int32 or bool, found %s)",
                               heed_dtype_name(dtype));
    return heed_node_output(NULL, &heed_kind_cast, &dtype, sizeof dtype, &x, 1);
}
