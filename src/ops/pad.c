/* Copies of a value before and after an axis. */
#include "ops/walk.h"

typedef struct pad_attributes {
    int     axis;
    int64_t before, after;
    float   value;
} pad_attributes;

static heed_status pad_shape(heed_node *n)
{
    const pad_attributes *a = n->attributes;
    if (a->before < 0 || a->after < 0)
        return heed_node_fail(n, "a negative number of elements to add (expected 0 or more, found %lld before and %lld "
                              "after)", (long long)a->before, (long long)a->after);
    heed_shape shape = n->inputs[0]->shape;
    if (a->before > INT64_MAX - a->after || shape.dims[a->axis] > INT64_MAX - a->after - a->before)
        return heed_node_fail(n, "the result is too large");
    shape.dims[a->axis] += a->before + a->after;
    heed_node_set(n, 0, n->inputs[0]->dtype, &shape);
    return HEED_OK;
}

/* The value as the result's type holds it. */
typedef union pad_value {
    float   of_float;
    int32_t of_int;
    uint8_t of_bool;
} pad_value;

static pad_value value_of(heed_dtype dtype, float value)
{
    if (dtype == HEED_FLOAT32)
        return (pad_value){.of_float = value};
    if (dtype == HEED_INT32)
        return (pad_value){.of_int = (int32_t)value};
    return (pad_value){.of_bool = value != 0};
}

static heed_status pad_forward(const heed_exec *x, const heed_node *n)
{
    const pad_attributes *a = n->attributes;
    const heed_tensor *y = n->outputs[0];
    pad_value value = value_of(y->dtype, a->value);
    size_t size = heed_dtype_size(y->dtype);
    heed_around from = heed_shape_around(&n->inputs[0]->shape, a->axis);
    size_t element = size * (size_t)from.after, row = (size_t)from.n * element; /* of the axis */
    unsigned char *result = heed_data(x, y);
    heed_fill(x, y->count, size, &value, result);
    heed_copy_rows(x, from.before, row, heed_data(x, n->inputs[0]), row, result + (size_t)a->before * element,
                   row + (size_t)(a->before + a->after) * element);
    return HEED_OK;
}

static heed_status pad_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const pad_attributes *a = n->attributes;
    dx[0] = heed_op_slice(dy[0], a->axis, a->before, n->inputs[0]->shape.dims[a->axis]);
    return n->graph->status;
}

const heed_op heed_kind_pad = {.name = "pad", .shape = pad_shape, .forward = pad_forward, .gradient = pad_gradient};

heed_tensor *heed_op_pad(heed_tensor *x, int axis, int64_t before, int64_t after, float value)
{
    int at = x == NULL ? -1 : heed_op_axis(x, "pad", axis);
    if (at < 0)
        return NULL;
    if (before == 0 && after == 0)
        return x;
    pad_attributes a = {at, before, after, value};
    return heed_node_output(NULL, &heed_kind_pad, &a, sizeof a, &x, 1);
}
