/* Activations as layers, where they have options of their own. */
#include "heed/layers.h"
#include "layers/layer.h"
#include "layers/mask.h"

/* ---- Softmax ---- */

/* The order that brings the chosen axes to the end; returns how many there are, -1 for an axis that there is not. */
static int axes_last(const heed_shape *axes, int rank, int *order)
{
    bool chosen[HEED_MAX_RANK] = {false};
    int at = 0, count = 0;
    for (int i = 0; i < axes->rank; i++) {
        int axis = heed_axis(rank, (int)axes->dims[i]);
        if (axis < 0)
            return -1;
        count += !chosen[axis];
        chosen[axis] = true;
    }
    for (int last = 0; last < 2; last++)
        for (int i = 0; i < rank; i++)
            if (chosen[i] == (last == 1))
                order[at++] = i;
    return count;
}

/* The last `count` dimensions as one. */
static heed_tensor *join_last(heed_tensor *x, int count)
{
    if (x == NULL)
        return NULL;
    heed_shape shape = {x->shape.rank - count + 1, {0}};
    int64_t joined = 1;
    for (int i = 0; i < x->shape.rank; i++)
        if (i < shape.rank - 1)
            shape.dims[i] = x->shape.dims[i];
        else
            joined *= x->shape.dims[i];
    shape.dims[shape.rank - 1] = joined;
    return heed_op_reshape(x, &shape);
}

/* The mask of this call that is to be taken: the second input, or what rides on the first, if that fits. */
static heed_tensor *softmax_mask(heed_call *call)
{
    heed_tensor *x = call->inputs[0], *mask = call->input_count > 1 ? call->inputs[1] : NULL;
    if (mask == NULL && x->shape.rank == 2)
        mask = heed_mask_bool(call->masks[0], x->shape.dims[1]);
    if (mask != NULL && mask->dtype != HEED_BOOL)
        mask = heed_op_cast(mask, HEED_BOOL);
    return mask == NULL ? NULL : heed_op_broadcast(mask, &x->shape);
}

static heed_status softmax_call(heed_layer *layer, heed_call *call)
{
    const heed_softmax_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0], *mask = softmax_mask(call);
    int order[HEED_MAX_RANK], back[HEED_MAX_RANK], rank = x->shape.rank;
    int count = axes_last(&o->axis, rank, order);
    if (count < 1)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input has no such axis (expected some of %d)", rank);
    for (int i = 0; i < rank; i++)
        back[order[i]] = i;
    heed_tensor *turned = heed_op_transpose(x, order);
    if (mask != NULL)
        mask = join_last(heed_op_transpose(mask, order), count);
    heed_tensor *y = heed_op_softmax(join_last(turned, count), mask);
    if (y != NULL)
        y = call->outputs[0] = heed_op_transpose(heed_op_reshape(y, heed_tensor_shape(turned)), back);
    if (y != NULL && mask == NULL && count == 1 && call->graph->keras >= 214)
        y->logits = x;
    return HEED_OK;
}

const heed_layer_class heed_softmax_class = {
    .name = "Softmax",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_softmax_config, HEED_SOFTMAX_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 2,
    .passes_mask = true,
    .call = softmax_call,
    .equation = "y_i = e^{x_i} / sum_j e^{x_j}",
    .shapes = "x (B, ...), mask (bool, broadcast against x; may be left out) -> y (B, ...)",
    .masks = "the input's, or the second input: masked elements get no share; rows masked whole give zeros",
    .weights = "none",
    .source = "Keras, layers/activations/softmax.py",
    .differs = "rows masked whole give zeros, as in Keras 3.10 and later",
};

/* ---- ReLU and its kin ---- */

static heed_status relu_call(heed_layer *layer, heed_call *call)
{
    const heed_relu_config *o = heed_layer_config(layer);
    call->outputs[0] = heed_relu_general(call->inputs[0], o->negative_slope, o->max_value, o->threshold);
    return HEED_OK;
}

static heed_status leaky_relu_call(heed_layer *layer, heed_call *call)
{
    const heed_leaky_relu_config *o = heed_layer_config(layer);
    call->outputs[0] = heed_op_function(call->inputs[0], "leaky_relu", (float)o->negative_slope, 0.0f);
    return HEED_OK;
}

static heed_status elu_call(heed_layer *layer, heed_call *call)
{
    const heed_elu_config *o = heed_layer_config(layer);
    call->outputs[0] = heed_op_function(call->inputs[0], "elu", (float)o->alpha, 0.0f);
    return HEED_OK;
}

static heed_status prelu_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_prelu_config *o = heed_layer_config(layer);
    heed_shape shape = {inputs->rank - 1, {0}};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = inputs->dims[1 + i];
    for (int i = 0; i < o->shared_axes.rank; i++) {
        if (o->shared_axes.dims[i] >= inputs->rank)
            return heed_layer_fail(layer, HEED_ESHAPE, "shared_axes names an axis that the input has not (found %lld)",
                                   (long long)o->shared_axes.dims[i]);
        shape.dims[o->shared_axes.dims[i] - 1] = 1;
    }
    heed_layer_weight(layer, "alpha", &shape, o->alpha_initializer, o->alpha_regularizer, o->alpha_constraint, true);
    return HEED_OK;
}

static heed_status prelu_call(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0], *alpha = heed_graph_variable(call->graph, heed_layer_weight_at(layer, 0));
    heed_tensor *below = heed_op_multiply(alpha, heed_op_relu(heed_op_negative(x)));
    call->outputs[0] = heed_op_subtract(heed_op_relu(x), below);
    return HEED_OK;
}

#define ELEMENTWISE(layer, keras_name, LIST, build_function, equation_text, weights_text, source_text)                 \
    const heed_layer_class heed_##layer##_class = {.name = keras_name,                                                 \
                                                   .collection = "keras",                                              \
                                                   HEED_CLASS_OPTIONS(heed_##layer##_config, LIST),                    \
                                                   .min_inputs = 1,                                                    \
                                                   .max_inputs = 1,                                                    \
                                                   .passes_mask = true,                                                \
                                                   .build = build_function,                                            \
                                                   .call = layer##_call,                                               \
                                                   .equation = equation_text,                                          \
                                                   .shapes = "x (B, ...) -> y (B, ...)",                               \
                                                   .masks = "that of the input goes on; it does not count",            \
                                                   .weights = weights_text,                                            \
                                                   .source = source_text,                                              \
                                                   .differs = "nothing"};

ELEMENTWISE(relu, "ReLU", HEED_RELU_OPTIONS, NULL,
            "y = min(x, max_value) if x >= threshold, else negative_slope (x - threshold)", "none",
            "Keras, layers/activations/relu.py")
ELEMENTWISE(leaky_relu, "LeakyReLU", HEED_LEAKY_RELU_OPTIONS, NULL, "y = x if x > 0, else negative_slope x", "none",
            "Maas et al. 2013; Keras, layers/activations/leaky_relu.py")
ELEMENTWISE(elu, "ELU", HEED_ELU_OPTIONS, NULL, "y = x if x > 0, else alpha (e^x - 1)", "none",
            "Clevert et al. 2016; Keras, layers/activations/elu.py")
ELEMENTWISE(prelu, "PReLU", HEED_PRELU_OPTIONS, prelu_build, "y = x if x > 0, else alpha x",
            "alpha (the sizes of x without the batch; 1 along shared_axes)",
            "He et al. 2015; Keras, layers/activations/prelu.py")
