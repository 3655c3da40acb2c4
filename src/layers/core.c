/* Layers without weights that change numbers one by one. */
#include "heed/layers.h"
#include "layers/layer.h"

static heed_status identity_call(heed_layer *layer, heed_call *call)
{
    call->outputs[0] = call->inputs[0];
    return HEED_OK;
}

static heed_status activation_call(heed_layer *layer, heed_call *call)
{
    const heed_activation_config *o = heed_layer_config(layer);
    call->outputs[0] = heed_activate(call->inputs[0], o->activation);
    return HEED_OK;
}

/* What is drawn for all that share a draw: as the input, but for the sizes that noise_shape gives, of its last axes where
 * it has fewer. */
static heed_shape noise_shape(const heed_dropout_config *o, const heed_shape *input)
{
    heed_shape shape = *input;
    int before = o->noise_shape.rank == 0 ? 0 : shape.rank - o->noise_shape.rank;
    for (int i = 0; i < before; i++)
        shape.dims[i] = 1;
    for (int i = 0; i < o->noise_shape.rank; i++)
        if (o->noise_shape.dims[i] != HEED_ANY)
            shape.dims[before + i] = o->noise_shape.dims[i];
    return shape;
}

static heed_status dropout_init(heed_layer *layer)
{
    const heed_dropout_config *o = heed_layer_config(layer);
    for (int i = 0; i < o->noise_shape.rank; i++)
        if (o->noise_shape.dims[i] != HEED_ANY && o->noise_shape.dims[i] < 1)
            return heed_layer_fail(layer, HEED_EINVAL, "noise_shape has a size below 1 (found %lld)",
                                   (long long)o->noise_shape.dims[i]);
    return HEED_OK;
}

heed_tensor *heed_shared_dropout(heed_tensor *x, double rate, const heed_shape *shape)
{
    if (x == NULL || rate == 0.0)
        return x;
    if (rate == 1.0)
        return heed_op_scale(x, 0.0f, 0.0f);
    return heed_op_multiply(x, heed_op_dropout(heed_graph_fill(x->graph, shape, 1.0f), (float)rate));
}

static heed_status dropout_call(heed_layer *layer, heed_call *call)
{
    const heed_dropout_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0];
    char text[128];
    if (o->noise_shape.rank > x->shape.rank)
        return heed_layer_fail(layer, HEED_ESHAPE,
                               "noise_shape has a higher rank than the input (expected %d numbers at most, found %s)",
                               x->shape.rank, heed_shape_text(&o->noise_shape, text, sizeof text));
    heed_shape shape = noise_shape(o, &x->shape);
    if (!call->training)
        call->outputs[0] = x;
    else if (o->noise_shape.rank == 0 && o->rate < 1.0)
        call->outputs[0] = heed_op_dropout(x, (float)o->rate);
    else
        call->outputs[0] = heed_shared_dropout(x, o->rate, &shape);
    return HEED_OK;
}

static heed_status activity_regularization_call(heed_layer *layer, heed_call *call)
{
    const heed_activity_regularization_config *o = heed_layer_config(layer);
    heed_tensor *x = call->outputs[0] = call->inputs[0];
    heed_tensor *absolute = heed_op_sum(heed_op_abs(x), NULL, 0, false);
    heed_tensor *squares = heed_op_sum(heed_op_square(x), NULL, 0, false);
    heed_tensor *penalty = heed_op_add(heed_op_scale(absolute, (float)o->l1, 0.0f),
                                       heed_op_scale(squares, (float)o->l2, 0.0f));
    int64_t batch = heed_tensor_dim(x, 0);
    heed_call_add_loss(call, heed_op_scale(penalty, batch > 0 ? 1.0f / (float)batch : 0.0f, 0.0f));
    return HEED_OK;
}

const heed_layer_class heed_input_layer_class = {
    .name = "InputLayer",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_input_layer_config, HEED_INPUT_LAYER_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .call = identity_call,
    .equation = "y = x",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on",
    .weights = "none",
    .source = "Keras, layers/core/input_layer.py",
    .differs = "sparse and ragged inputs do not exist here",
};

const heed_layer_class heed_activation_class = {
    .name = "Activation",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_activation_config, HEED_ACTIVATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .call = activation_call,
    .equation = "y = activation(x)",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "none",
    .source = "Keras, layers/activations/activation.py",
    .differs = "nothing",
};

const heed_layer_class heed_dropout_class = {
    .name = "Dropout",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_dropout_config, HEED_DROPOUT_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = dropout_init,
    .call = dropout_call,
    .equation = "y = x m / (1 - rate) in training, each m 0 with probability rate, else 1; y = x otherwise",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "none",
    .source = "Srivastava et al. 2014, section 4; Keras, layers/regularization/dropout.py",
    .differs = "the numbers are drawn otherwise: a function of the model's seed and the step",
};

const heed_layer_class heed_activity_regularization_class = {
    .name = "ActivityRegularization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_activity_regularization_config, HEED_ACTIVITY_REGULARIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .call = activity_regularization_call,
    .equation = "y = x; penalty (l1 sum |x| + l2 sum x^2) / B",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "none",
    .source = "Keras, layers/regularization/activity_regularization.py",
    .differs = "nothing",
};
