/* The same numbers in another shape: nothing moves. */
#include "ops/walk.h"

static heed_status reshape_shape(heed_node *n)
{
    const heed_tensor *x = n->inputs[0];
    heed_shape shape = *(const heed_shape *)n->attributes;
    int unknown = -1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dims[i] != HEED_ANY)
            continue;
        if (unknown >= 0)
            return heed_node_fail(n, "more than one size is left open (expected one at most)");
        unknown = i;
    }
    if (unknown >= 0) {
        shape.dims[unknown] = 1;
        int64_t others = heed_shape_count(&shape);
        shape.dims[unknown] = others > 0 ? x->count / others : HEED_ANY;
    }
    char asked[HEED_SHAPE_TEXT], found[HEED_SHAPE_TEXT];
    if (heed_shape_count(&shape) != x->count)
        return heed_node_fail(n, "the number of elements does not fit (expected %s, found %s)",
                              heed_shape_text(n->attributes, asked, sizeof asked), heed_text_of(x, found));
    heed_node_set(n, 0, x->dtype, &shape);
    return HEED_OK;
}

static heed_status reshape_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[0] = heed_op_reshape(dy[0], &n->inputs[0]->shape);
    return n->graph->status;
}

const heed_op heed_kind_reshape = {
    .name = "reshape", .shape = reshape_shape, .gradient = reshape_gradient, .alias = true};

heed_tensor *heed_op_reshape(heed_tensor *x, const heed_shape *shape)
{
    if (x == NULL || heed_shape_equal(&x->shape, shape))
        return x;
    return heed_node_output(NULL, &heed_kind_reshape, shape, sizeof *shape, &x, 1);
}

heed_tensor *heed_op_expand(heed_tensor *x, int axis)
{
    if (x == NULL)
        return NULL;
    char text[HEED_SHAPE_TEXT];
    int rank = x->shape.rank, at = heed_axis(rank + 1, axis);
    if (at < 0 || rank == HEED_MAX_RANK)
        return heed_graph_fail(x->graph, HEED_ESHAPE,
                               "expand: no place for a dimension at axis %d of %s (rank %d at most)", axis,
                               heed_text_of(x, text), HEED_MAX_RANK);
    heed_shape shape = {.rank = rank + 1};
    for (int i = 0; i <= rank; i++)
        shape.dims[i] = i == at ? 1 : x->shape.dims[i < at ? i : i - 1];
    return heed_op_reshape(x, &shape);
}

heed_tensor *heed_op_squeeze(heed_tensor *x, int axis)
{
    int at = x == NULL ? -1 : heed_op_axis(x, "squeeze", axis);
    if (at < 0)
        return NULL;
    char text[HEED_SHAPE_TEXT];
    if (x->shape.dims[at] != 1)
        return heed_graph_fail(x->graph, HEED_ESHAPE, "squeeze: axis %d of %s is not 1", axis, heed_text_of(x, text));
    heed_shape shape = {.rank = x->shape.rank - 1};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = x->shape.dims[i < at ? i : i + 1];
    return heed_op_reshape(x, &shape);
}
