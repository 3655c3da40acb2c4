#include "heed/layers.h"
#include "layers/layer.h"

typedef struct dense {
    heed_variable *kernel, *bias;
} dense;

static heed_status dense_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(dense)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status dense_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_dense_config *o = heed_layer_config(layer);
    dense *d = heed_layer_state(layer);
    char text[128];
    if (inputs->rank < 2)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input has too few dimensions (expected 2 or more, found %s)",
                               heed_shape_text(inputs, text, sizeof text));
    heed_shape kernel = {2, {inputs->dims[inputs->rank - 1], o->units}}, bias = {1, {o->units}};
    d->kernel = heed_layer_weight(layer, "kernel", &kernel, o->kernel_initializer, o->kernel_regularizer,
                                  o->kernel_constraint, true);
    if (o->use_bias)
        d->bias = heed_layer_weight(layer, "bias", &bias, o->bias_initializer, o->bias_regularizer, o->bias_constraint,
                                    true);
    return HEED_OK;
}

static heed_status dense_call(heed_layer *layer, heed_call *call)
{
    const heed_dense_config *o = heed_layer_config(layer);
    const dense *d = heed_layer_state(layer);
    heed_tensor *kernel = heed_graph_variable(call->graph, d->kernel);
    heed_tensor *bias = o->use_bias ? heed_graph_variable(call->graph, d->bias) : NULL;
    call->outputs[0] = heed_activate(heed_op_dense(call->inputs[0], kernel, bias), o->activation);
    return HEED_OK;
}

const heed_layer_class heed_dense_class = {
    .name = "Dense",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_dense_config, HEED_DENSE_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = dense_init,
    .build = dense_build,
    .call = dense_call,
    .equation = "y = activation(x W + b)",
    .shapes = "x (B, ..., F) -> y (B, ..., units)",
    .masks = "that of the input goes on; it does not count",
    .weights = "kernel (F, units)\n"
               "bias (units): with use_bias",
    .source = "Keras, layers/core/dense.py",
    .differs = "nothing",
};
