/* Running sums along an axis. */
#include "ops/walk.h"

static heed_status cumsum_shape(heed_node *n)
{
    if (n->inputs[0]->dtype == HEED_BOOL)
        return heed_node_fail(n, "sums are of float32 or int32 (found bool)");
    heed_node_set(n, 0, n->inputs[0]->dtype, &n->inputs[0]->shape);
    return HEED_OK;
}

typedef struct cumsum_work {
    const void *x;
    void       *y;
    heed_around around;
    int64_t     per_tile;
    bool        whole; /* int32 */
} cumsum_work;

#define CUMSUM(type)                                                                                                   \
    do {                                                                                                               \
        const type *x = (const type *)w->x + from;                                                                     \
        type *y = (type *)w->y + from;                                                                                 \
        for (int64_t k = 0; k < a->after; k++)                                                                         \
            y[k] = x[k];                                                                                               \
        for (int64_t k = a->after; k < a->n * a->after; k++)                                                           \
            y[k] = y[k - a->after] + x[k];                                                                             \
    } while (0)

static void cumsum_tile(void *work, int64_t tile, int thread)
{
    const cumsum_work *w = work;
    const heed_around *a = &w->around;
    int64_t row, rows = heed_tile_range(a->before, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        int64_t from = row * a->n * a->after;
        if (w->whole)
            CUMSUM(int32_t);
        else
            CUMSUM(float);
    }
}

static heed_status cumsum_forward(const heed_exec *x, const heed_node *n)
{
    const heed_tensor *t = n->outputs[0];
    cumsum_work w = {heed_data(x, n->inputs[0]), heed_data(x, t),
                     heed_shape_around(&t->shape, *(const int *)n->attributes), 0, t->dtype == HEED_INT32};
    if (t->count == 0)
        return HEED_OK;
    w.per_tile = heed_tile_rows(w.around.n * w.around.after);
    heed_parallel(x->pool, heed_tiles(w.around.before, w.per_tile), cumsum_tile, &w);
    return HEED_OK;
}

static heed_status cumsum_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    int axis = *(const int *)n->attributes;
    dx[0] = heed_op_reverse(heed_op_cumsum(heed_op_reverse(dy[0], axis), axis), axis);
    return n->graph->status;
}

const heed_op heed_kind_cumsum = {
    .name = "cumsum", .shape = cumsum_shape, .forward = cumsum_forward, .gradient = cumsum_gradient};

heed_tensor *heed_op_cumsum(heed_tensor *x, int axis)
{
    int at = x == NULL ? -1 : heed_op_axis(x, "cumsum", axis);
    return at < 0 ? NULL : heed_node_output(NULL, &heed_kind_cumsum, &at, sizeof at, &x, 1);
}
