/* Dimensions in another order. */
#include "ops/walk.h"

#include <string.h>

typedef struct transpose_attributes {
    int order[HEED_MAX_RANK]; /* dimension i of the result is dimension order[i] of x */
} transpose_attributes;

static heed_status transpose_shape(heed_node *n)
{
    const transpose_attributes *a = n->attributes;
    const heed_shape *from = &n->inputs[0]->shape;
    heed_shape shape = {.rank = from->rank};
    unsigned seen = 0;
    for (int i = 0; i < from->rank; i++) {
        int d = a->order[i];
        if (d < 0 || d >= from->rank || (seen >> d & 1))
            return heed_node_fail(n, "the order is not one of %d dimensions (expected each of 0..%d once, found %d)",
                                  from->rank, from->rank - 1, d);
        seen |= 1u << d;
        shape.dims[i] = from->dims[d];
    }
    heed_node_set(n, 0, n->inputs[0]->dtype, &shape);
    return HEED_OK;
}

static heed_status transpose_forward(const heed_exec *x, const heed_node *n)
{
    const transpose_attributes *a = n->attributes;
    int64_t dense[HEED_MAX_RANK], strides[HEED_MAX_RANK] = {0};
    heed_dense_strides(&n->inputs[0]->shape, dense);
    for (int i = 0; i < n->inputs[0]->shape.rank; i++)
        strides[i] = dense[a->order[i]];
    heed_walk walk;
    heed_walk_start(&walk, &n->outputs[0]->shape);
    heed_walk_strides(&walk, strides);
    heed_walk_copy(x, &walk, heed_dtype_size(n->outputs[0]->dtype), heed_data(x, n->inputs[0]),
                   heed_data(x, n->outputs[0]));
    return HEED_OK;
}

static heed_status transpose_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const transpose_attributes *a = n->attributes;
    int back[HEED_MAX_RANK];
    for (int i = 0; i < n->inputs[0]->shape.rank; i++)
        back[a->order[i]] = i;
    dx[0] = heed_op_transpose(dy[0], back);
    return n->graph->status;
}

const heed_op heed_kind_transpose = {
    .name = "transpose", .shape = transpose_shape, .forward = transpose_forward, .gradient = transpose_gradient};

heed_tensor *heed_op_transpose(heed_tensor *x, const int *order)
{
    if (x == NULL)
        return NULL;
    transpose_attributes a = {{0}};
    memcpy(a.order, order, (size_t)x->shape.rank * sizeof *order);
    return heed_node_output(NULL, &heed_kind_transpose, &a, sizeof a, &x, 1);
}
