/* Some neighbouring elements of an axis. */
#include "ops/walk.h"

typedef struct slice_attributes {
    int     axis;
    int64_t begin, size;
} slice_attributes;

static heed_status slice_shape(heed_node *n)
{
    const slice_attributes *a = n->attributes;
    heed_shape shape = n->inputs[0]->shape;
    int64_t size = shape.dims[a->axis];
    char text[HEED_SHAPE_TEXT];
    if (a->begin < 0 || a->size < 0 || a->begin > size || a->size > size - a->begin)
        return heed_node_fail(n, "%lld elements from %lld on are not in axis %d of %s", (long long)a->size,
                              (long long)a->begin, a->axis, heed_text_of(n->inputs[0], text));
    shape.dims[a->axis] = a->size;
    heed_node_set(n, 0, n->inputs[0]->dtype, &shape);
    return HEED_OK;
}

static heed_status slice_forward(const heed_exec *x, const heed_node *n)
{
    const slice_attributes *a = n->attributes;
    heed_around from = heed_shape_around(&n->inputs[0]->shape, a->axis);
    size_t element = heed_dtype_size(n->outputs[0]->dtype) * (size_t)from.after; /* of the axis */
    const unsigned char *source = heed_data(x, n->inputs[0]);
    heed_copy_rows(x, from.before, (size_t)a->size * element, source + (size_t)a->begin * element,
                   (size_t)from.n * element, heed_data(x, n->outputs[0]), (size_t)a->size * element);
    return HEED_OK;
}

static heed_status slice_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const slice_attributes *a = n->attributes;
    int64_t after = n->inputs[0]->shape.dims[a->axis] - a->begin - a->size;
    dx[0] = heed_op_pad(dy[0], a->axis, a->begin, after, 0);
    return n->graph->status;
}

const heed_op heed_kind_slice = {
    .name = "slice", .shape = slice_shape, .forward = slice_forward, .gradient = slice_gradient};

heed_tensor *heed_op_slice(heed_tensor *x, int axis, int64_t begin, int64_t size)
{
    int at = x == NULL ? -1 : heed_op_axis(x, "slice", axis);
    if (at < 0)
        return NULL;
    if (begin == 0 && size == x->shape.dims[at])
        return x;
    slice_attributes a = {at, begin, size};
    return heed_node_output(NULL, &heed_kind_slice, &a, sizeof a, &x, 1);
}
