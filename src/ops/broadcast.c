/* x repeated along its sizes of 1, and along new dimensions before them. */
#include "ops/walk.h"

static heed_status broadcast_shape(heed_node *n)
{
    const heed_shape *to = n->attributes;
    heed_shape both;
    char expected[HEED_SHAPE_TEXT], found[HEED_SHAPE_TEXT];
    if (heed_shape_count(to) < 0 || !heed_shape_broadcast(&n->inputs[0]->shape, to, &both) ||
        !heed_shape_equal(&both, to))
        return heed_node_fail(n, "the shape does not fit (expected one that broadcasts to %s, found %s)",
                              heed_shape_text(to, expected, sizeof expected), heed_text_of(n->inputs[0], found));
    heed_node_set(n, 0, n->inputs[0]->dtype, to);
    return HEED_OK;
}

static heed_status broadcast_forward(const heed_exec *x, const heed_node *n)
{
    heed_walk walk;
    heed_walk_start(&walk, &n->outputs[0]->shape);
    heed_walk_broadcast(&walk, &n->inputs[0]->shape);
    heed_walk_copy(x, &walk, heed_dtype_size(n->outputs[0]->dtype), heed_data(x, n->inputs[0]),
                   heed_data(x, n->outputs[0]));
    return HEED_OK;
}

static heed_status broadcast_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[0] = heed_unbroadcast(dy[0], n->inputs[0]);
    return n->graph->status;
}

const heed_op heed_kind_broadcast = {
    .name = "broadcast", .shape = broadcast_shape, .forward = broadcast_forward, .gradient = broadcast_gradient};

heed_tensor *heed_op_broadcast(heed_tensor *x, const heed_shape *shape)
{
    if (x == NULL || heed_shape_equal(&x->shape, shape))
        return x;
    return heed_node_output(NULL, &heed_kind_broadcast, shape, sizeof *shape, &x, 1);
}
