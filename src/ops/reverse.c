/* An axis from its end to its beginning. */
#include "ops/walk.h"

static heed_status reverse_shape(heed_node *n)
{
    heed_node_set(n, 0, n->inputs[0]->dtype, &n->inputs[0]->shape);
    return HEED_OK;
}

static heed_status reverse_forward(const heed_exec *x, const heed_node *n)
{
    heed_around a = heed_shape_around(&n->outputs[0]->shape, *(const int *)n->attributes);
    if (n->outputs[0]->count == 0)
        return HEED_OK;
    size_t size = heed_dtype_size(n->outputs[0]->dtype);
    const unsigned char *last = heed_data(x, n->inputs[0]);
    last += (size_t)((a.n - 1) * a.after) * size;
    heed_walk walk;
    heed_walk_start(&walk, &(heed_shape){3, {a.before, a.n, a.after}});
    heed_walk_strides(&walk, (int64_t[]){a.n * a.after, -a.after, 1});
    heed_walk_copy(x, &walk, size, last, heed_data(x, n->outputs[0]));
    return HEED_OK;
}

static heed_status reverse_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[0] = heed_op_reverse(dy[0], *(const int *)n->attributes);
    return n->graph->status;
}

const heed_op heed_kind_reverse = {
    .name = "reverse", .shape = reverse_shape, .forward = reverse_forward, .gradient = reverse_gradient};

heed_tensor *heed_op_reverse(heed_tensor *x, int axis)
{
    int at = x == NULL ? -1 : heed_op_axis(x, "reverse", axis);
    if (at >= 0 && x->node != NULL && x->node->op == &heed_kind_reverse && *(const int *)x->node->attributes == at)
        return x->node->inputs[0]; /* turned back */
    return at < 0 ? NULL : heed_node_output(NULL, &heed_kind_reverse, &at, sizeof at, &x, 1);
}
