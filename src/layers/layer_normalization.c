#include "layers/normalize.h"

static heed_status layer_normalization_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(heed_shift)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status layer_normalization_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_layer_normalization_config *o = heed_layer_config(layer);
    heed_shift_config wanted = *HEED_SHIFT_OF(o);
    heed_shape sizes;
    int axes[HEED_MAX_RANK];
    HEED_TRY(heed_normalized_axes(layer, inputs, &o->axis, axes, &sizes));
    wanted.scale |= o->rms_scaling;
    wanted.center &= !o->rms_scaling;
    heed_shift_build(layer, &wanted, &sizes, heed_layer_state(layer));
    return HEED_OK;
}

static heed_status layer_normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_layer_normalization_config *o = heed_layer_config(layer);
    const heed_shift *shift = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    heed_shape sizes;
    int axes[HEED_MAX_RANK], count = o->axis.rank;
    HEED_TRY(heed_normalized_axes(layer, &x->shape, &o->axis, axes, &sizes));
    if (count == 1 && axes[0] == x->shape.rank - 1 && !o->rms_scaling) {
        heed_tensor *gamma = shift->gamma == NULL ? NULL : heed_graph_variable(call->graph, shift->gamma);
        heed_tensor *beta = shift->beta == NULL ? NULL : heed_graph_variable(call->graph, shift->beta);
        call->outputs[0] = heed_op_layer_norm(x, gamma, beta, (float)o->epsilon);
        return HEED_OK;
    }
    heed_tensor *gamma = heed_weight_like(shift->gamma, x, axes, count);
    heed_tensor *beta = heed_weight_like(shift->beta, x, axes, count);
    heed_tensor *mean = heed_op_mean(x, axes, count, true), *variance = heed_variance(x, mean, axes, count);
    heed_tensor *from = o->rms_scaling ? heed_graph_scalar(call->graph, 0.0f) : mean;
    call->outputs[0] = heed_standardize(x, from, variance, o->epsilon, gamma, beta);
    return HEED_OK;
}

const heed_layer_class heed_layer_normalization_class = {
    .name = "LayerNormalization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_layer_normalization_config, HEED_LAYER_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = layer_normalization_init,
    .build = layer_normalization_build,
    .call = layer_normalization_call,
    .equation = "y = (x - mean(x)) / sqrt(var(x) + epsilon) gamma + beta",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "gamma (sizes of the axes): with scale\n"
               "beta (sizes of the axes): with center, without rms_scaling",
    .source = "Ba et al. 2016, section 3; Keras, layers/normalization/layer_normalization.py",
    .differs = "nothing",
};
