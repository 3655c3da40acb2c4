/* Layers without weights that change numbers one by one, or none. */
#include "heed/layers.h"
#include "layers/layer.h"

#include <math.h>

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
static heed_status noise_shape(heed_layer *layer, const heed_shape *given, const heed_shape *input,
                               heed_shape *out)
{
    char text[128];
    int before = given->rank == 0 ? 0 : input->rank - given->rank;
    *out = *input;
    if (before < 0)
        return heed_layer_fail(layer, HEED_ESHAPE,
                               "noise_shape has a higher rank than the input (expected %d numbers at most, found %s)",
                               input->rank, heed_shape_text(given, text, sizeof text));
    for (int i = 0; i < before; i++)
        out->dims[i] = 1;
    for (int i = 0; i < given->rank; i++)
        if (given->dims[i] != HEED_ANY)
            out->dims[before + i] = given->dims[i];
    return HEED_OK;
}

static heed_status check_noise_shape(heed_layer *layer, const heed_shape *given)
{
    for (int i = 0; i < given->rank; i++)
        if (given->dims[i] != HEED_ANY && given->dims[i] < 1)
            return heed_layer_fail(layer, HEED_EINVAL, "noise_shape has a size below 1 (found %lld)",
                                   (long long)given->dims[i]);
    return HEED_OK;
}

static heed_status dropout_init(heed_layer *layer)
{
    return check_noise_shape(layer, &((const heed_dropout_config *)heed_layer_config(layer))->noise_shape);
}

static heed_status alpha_dropout_init(heed_layer *layer)
{
    return check_noise_shape(layer, &((const heed_alpha_dropout_config *)heed_layer_config(layer))->noise_shape);
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
    heed_shape shape;
    HEED_TRY(noise_shape(layer, &o->noise_shape, &x->shape, &shape));
    if (!call->training)
        call->outputs[0] = x;
    else if (o->noise_shape.rank == 0 && o->rate < 1.0)
        call->outputs[0] = heed_op_dropout(x, (float)o->rate);
    else
        call->outputs[0] = heed_shared_dropout(x, o->rate, &shape);
    return HEED_OK;
}

/* What selu tends to below: -alpha scale. */
static const double SELU_LEAST = -1.6732632423543772848 * 1.0507009873554804934;

static heed_status alpha_dropout_call(heed_layer *layer, heed_call *call)
{
    const heed_alpha_dropout_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0];
    heed_shape shape;
    HEED_TRY(noise_shape(layer, &o->noise_shape, &x->shape, &shape));
    call->outputs[0] = x;
    if (!call->training || o->rate == 0.0)
        return HEED_OK;
    double a = 1.0 / sqrt((1.0 - o->rate) * (1.0 + o->rate * SELU_LEAST * SELU_LEAST)), b = -a * SELU_LEAST * o->rate;
    heed_tensor *ones = heed_graph_fill(call->graph, &shape, 1.0f);
    heed_tensor *scaled = heed_op_scale(heed_op_dropout(ones, (float)o->rate), (float)(a * (1.0 - o->rate)), 0.0f); /* a m */
    heed_tensor *replaced = heed_op_scale(scaled, (float)-SELU_LEAST, (float)(a * SELU_LEAST + b));
    call->outputs[0] = heed_op_add(heed_op_multiply(x, scaled), replaced);
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
    heed_call_penalize(call, x, penalty);
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

const heed_layer_class heed_alpha_dropout_class = {
    .name = "AlphaDropout",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_alpha_dropout_config, HEED_ALPHA_DROPOUT_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = alpha_dropout_init,
    .call = alpha_dropout_call,
    .equation = "y = a (m x + (1 - m) s) + b in training, each m 0 with probability rate, else 1, s = -1.7581, "
                "a = ((1 - rate)(1 + rate s^2))^{-1/2}, b = -a rate s; y = x otherwise",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "none",
    .source = "Klambauer et al. 2017, section 3; Keras, layers/regularization/alpha_dropout.py",
    .differs = "the numbers are drawn otherwise: a function of the model's seed and the step",
};

const heed_layer_class heed_identity_class = {
    .name = "Identity",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_identity_config, HEED_IDENTITY_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .call = identity_call,
    .equation = "y = x",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; in a file of Keras 2, none does",
    .weights = "none",
    .source = "Keras, layers/core/identity.py",
    .differs = "nothing",
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
