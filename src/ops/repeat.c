/* Each element of an axis several times: a a b b. */
#include "ops/walk.h"

typedef struct repeat_attributes {
    int     axis;
    int64_t times;
} repeat_attributes;

static heed_status repeat_shape(heed_node *n)
{
    const repeat_attributes *a = n->attributes;
    heed_shape shape = n->inputs[0]->shape;
    int64_t size = shape.dims[a->axis];
    if (a->times < 0 || (size > 0 && a->times > INT64_MAX / size))
        return heed_node_fail(n, "not a number of times (expected 0 or more, found %lld)", (long long)a->times);
    shape.dims[a->axis] = size * a->times;
    heed_node_set(n, 0, n->inputs[0]->dtype, &shape);
    return HEED_OK;
}

static heed_status repeat_forward(const heed_exec *x, const heed_node *n)
{
    const repeat_attributes *r = n->attributes;
    heed_around a = heed_shape_around(&n->inputs[0]->shape, r->axis);
    heed_walk walk;
    heed_walk_start(&walk, &(heed_shape){4, {a.before, a.n, r->times, a.after}});
    heed_walk_strides(&walk, (int64_t[]){a.n * a.after, a.after, 0, 1});
    heed_walk_copy(x, &walk, heed_dtype_size(n->outputs[0]->dtype), heed_data(x, n->inputs[0]),
                   heed_data(x, n->outputs[0]));
    return HEED_OK;
}

static heed_status repeat_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const repeat_attributes *r = n->attributes;
    heed_around a = heed_shape_around(&n->inputs[0]->shape, r->axis);
    heed_tensor *parts = heed_op_reshape(dy[0], &(heed_shape){4, {a.before, a.n, r->times, a.after}});
    dx[0] = heed_op_reshape(heed_op_sum(parts, (int[]){2}, 1, false), &n->inputs[0]->shape);
    return n->graph->status;
}

const heed_op heed_kind_repeat = {
    .name = "repeat", .shape = repeat_shape, .forward = repeat_forward, .gradient = repeat_gradient};

heed_tensor *heed_op_repeat(heed_tensor *x, int axis, int64_t times)
{
    int at = x == NULL ? -1 : heed_op_axis(x, "repeat", axis);
    if (at < 0)
        return NULL;
    if (times == 1)
        return x;
    repeat_attributes a = {at, times};
    return heed_node_output(NULL, &heed_kind_repeat, &a, sizeof a, &x, 1);
}
