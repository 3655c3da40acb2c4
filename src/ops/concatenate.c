/* Tensors one behind the other along an axis. */
#include "ops/walk.h"

static heed_status concatenate_shape(heed_node *n)
{
    int axis = *(const int *)n->attributes;
    heed_shape shape = n->inputs[0]->shape;
    shape.dims[axis] = 0;
    for (int i = 0; i < n->input_count; i++) {
        const heed_tensor *x = n->inputs[i];
        HEED_TRY(heed_node_expect(n, i, n->inputs[0]->dtype));
        heed_shape others = x->shape;
        if (others.rank == shape.rank)
            others.dims[axis] = shape.dims[axis];
        char expected[HEED_SHAPE_TEXT], found[HEED_SHAPE_TEXT];
        if (!heed_shape_equal(&others, &shape))
            return heed_node_fail(n, "operand %d does not fit (expected %s but for axis %d, found %s)", i + 1,
                                  heed_text_of(n->inputs[0], expected), axis, heed_text_of(x, found));
        shape.dims[axis] += x->shape.dims[axis];
    }
    heed_node_set(n, 0, n->inputs[0]->dtype, &shape);
    return HEED_OK;
}

static heed_status concatenate_forward(const heed_exec *x, const heed_node *n)
{
    int axis = *(const int *)n->attributes;
    size_t size = heed_dtype_size(n->outputs[0]->dtype);
    heed_around to = heed_shape_around(&n->outputs[0]->shape, axis);
    size_t row = (size_t)(to.n * to.after) * size;
    unsigned char *y = heed_data(x, n->outputs[0]);
    for (int i = 0; i < n->input_count; i++) {
        size_t part = (size_t)(n->inputs[i]->shape.dims[axis] * to.after) * size;
        heed_copy_rows(x, to.before, part, heed_data(x, n->inputs[i]), part, y, row);
        y += part;
    }
    return HEED_OK;
}

static heed_status concatenate_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    int axis = *(const int *)n->attributes;
    int64_t begin = 0;
    for (int i = 0; i < n->input_count; i++) {
        int64_t size = n->inputs[i]->shape.dims[axis];
        dx[i] = heed_op_slice(dy[0], axis, begin, size);
        begin += size;
    }
    return n->graph->status;
}

const heed_op heed_kind_concatenate = {
    .name = "concatenate", .shape = concatenate_shape, .forward = concatenate_forward,
    .gradient = concatenate_gradient};

heed_tensor *heed_op_concatenate(heed_tensor *const *x, int count, int axis)
{
    if (count < 1 || x[0] == NULL)
        return NULL;
    axis = heed_op_axis(x[0], "concatenate", axis);
    if (axis < 0)
        return NULL;
    if (count == 1)
        return x[0];
    return heed_node_output(NULL, &heed_kind_concatenate, &axis, sizeof axis, x, count);
}
