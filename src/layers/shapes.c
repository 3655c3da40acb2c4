/* Layers that put the same numbers into another shape. */
#include "heed/layers.h"
#include "layers/spatial.h"

#include <string.h>

/* ---- Flatten ---- */

static heed_status flatten_call(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0];
    if (x->shape.rank < 1)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input has no batch");
    x = heed_channels_last(x, heed_channels_first(layer) && x->shape.rank > 2);
    int64_t batch = heed_tensor_dim(x, 0), rest = 1;
    for (int i = 1; x != NULL && i < x->shape.rank; i++)
        rest *= x->shape.dims[i];
    call->outputs[0] = heed_op_reshape(x, &(heed_shape){2, {batch, rest}});
    return HEED_OK;
}

const heed_layer_class heed_flatten_class = {
    .name = "Flatten",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_flatten_config, HEED_FLATTEN_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .call = flatten_call,
    .equation = "(B, ...) to (B, n)",
    .shapes = "x (B, ...) -> y (B, n), n the product of the sizes",
    .masks = "dropped, as in Keras: what comes out has other steps",
    .weights = "none",
    .source = "Keras, layers/reshaping/flatten.py",
    .differs = "nothing",
};

/* ---- Reshape ---- */

static heed_status reshape_init(heed_layer *layer)
{
    const heed_reshape_config *o = heed_layer_config(layer);
    int open = 0;
    for (int i = 0; i < o->target_shape.rank; i++)
        open += o->target_shape.dims[i] == HEED_ANY;
    if (open > 1)
        return heed_layer_fail(layer, HEED_EINVAL, "target_shape leaves more than one size open (found %d)", open);
    if (o->target_shape.rank >= HEED_MAX_RANK)
        return heed_layer_fail(layer, HEED_EINVAL, "target_shape has too many sizes (expected at most %d, found %d)",
                               HEED_MAX_RANK - 1, o->target_shape.rank);
    return HEED_OK;
}

static heed_status reshape_call(heed_layer *layer, heed_call *call)
{
    const heed_shape *target = &((const heed_reshape_config *)heed_layer_config(layer))->target_shape;
    heed_shape shape = {1 + target->rank, {heed_tensor_dim(call->inputs[0], 0)}};
    memcpy(shape.dims + 1, target->dims, (size_t)target->rank * sizeof *target->dims);
    call->outputs[0] = heed_op_reshape(call->inputs[0], &shape);
    return HEED_OK;
}

const heed_layer_class heed_reshape_class = {
    .name = "Reshape",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_reshape_config, HEED_RESHAPE_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = reshape_init,
    .call = reshape_call,
    .equation = "(B, ...) to (B, target_shape)",
    .shapes = "x (B, ...) -> y (B, target_shape)",
    .masks = "dropped, as in Keras: what comes out has other steps",
    .weights = "none",
    .source = "Keras, layers/reshaping/reshape.py",
    .differs = "nothing",
};

/* ---- Permute ---- */

static heed_status permute_init(heed_layer *layer)
{
    const heed_shape *dims = &((const heed_permute_config *)heed_layer_config(layer))->dims;
    char text[128];
    unsigned seen = 0;
    for (int i = 0; i < dims->rank; i++)
        if (dims->dims[i] <= dims->rank)
            seen |= 1u << dims->dims[i];
    if (dims->rank == 0 || dims->rank >= HEED_MAX_RANK || seen != (2u << dims->rank) - 2)
        return heed_layer_fail(layer, HEED_EINVAL, "dims is no permutation of 1, 2, ... (found %s)",
                               heed_shape_text(dims, text, sizeof text));
    return HEED_OK;
}

static heed_status permute_call(heed_layer *layer, heed_call *call)
{
    const heed_shape *dims = &((const heed_permute_config *)heed_layer_config(layer))->dims;
    int order[HEED_MAX_RANK] = {0};
    if (call->inputs[0]->shape.rank != 1 + dims->rank)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input's rank does not fit dims (expected %d, found %d)",
                               1 + dims->rank, call->inputs[0]->shape.rank);
    for (int i = 0; i < dims->rank; i++)
        order[1 + i] = (int)dims->dims[i];
    call->outputs[0] = heed_op_transpose(call->inputs[0], order);
    return HEED_OK;
}

const heed_layer_class heed_permute_class = {
    .name = "Permute",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_permute_config, HEED_PERMUTE_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = permute_init,
    .call = permute_call,
    .equation = "axis i of y is axis dims[i] of x",
    .shapes = "x (B, ...) -> y (B, ...), sizes in the new order",
    .masks = "dropped, as in Keras: what comes out has other steps",
    .weights = "none",
    .source = "Keras, layers/reshaping/permute.py",
    .differs = "nothing",
};

/* ---- RepeatVector ---- */

static heed_status repeat_vector_call(heed_layer *layer, heed_call *call)
{
    const heed_repeat_vector_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0];
    char text[128];
    if (x->shape.rank != 2)
        return heed_layer_fail(layer, HEED_ESHAPE, "it takes one vector for each example (expected rank 2, found %s)",
                               heed_shape_text(&x->shape, text, sizeof text));
    heed_shape shape = {3, {x->shape.dims[0], o->n, x->shape.dims[1]}};
    call->outputs[0] = heed_op_broadcast(heed_op_expand(x, 1), &shape);
    return HEED_OK;
}

const heed_layer_class heed_repeat_vector_class = {
    .name = "RepeatVector",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_repeat_vector_config, HEED_REPEAT_VECTOR_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .call = repeat_vector_call,
    .equation = "y_t = x for t = 1..n",
    .shapes = "x (B, F) -> y (B, n, F)",
    .masks = "dropped, as in Keras: what comes out has other steps",
    .weights = "none",
    .source = "Keras, layers/reshaping/repeat_vector.py",
    .differs = "nothing",
};
