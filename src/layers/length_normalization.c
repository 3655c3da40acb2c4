/* Normalization by length: RMSNormalization, UnitNormalization. */
#include "layers/normalize.h"

/* ---- RMSNormalization ---- */

typedef struct rms_normalization {
    heed_variable *scale;
} rms_normalization;

static heed_status rms_normalization_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(rms_normalization)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status rms_normalization_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_rms_normalization_config *o = heed_layer_config(layer);
    rms_normalization *n = heed_layer_state(layer);
    int axes[HEED_MAX_RANK];
    heed_shape sizes;
    HEED_TRY(heed_normalized_axes(layer, inputs, &o->axis, axes, &sizes));
    n->scale = heed_layer_weight(layer, "scale", &sizes, "ones", NULL, NULL, true);
    return HEED_OK;
}

static heed_status rms_normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_rms_normalization_config *o = heed_layer_config(layer);
    const rms_normalization *n = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    int axes[HEED_MAX_RANK];
    heed_shape sizes;
    HEED_TRY(heed_normalized_axes(layer, &x->shape, &o->axis, axes, &sizes));
    heed_tensor *square = heed_op_mean(heed_op_square(x), axes, sizes.rank, true);
    heed_tensor *factor = heed_op_rsqrt(heed_op_scale(square, 1.0f, (float)o->epsilon));
    heed_tensor *scale = heed_weight_like(n->scale, x, axes, sizes.rank);
    call->outputs[0] = heed_op_multiply(heed_op_multiply(x, factor), scale);
    return HEED_OK;
}

const heed_layer_class heed_rms_normalization_class = {
    .name = "RMSNormalization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_rms_normalization_config, HEED_RMS_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = rms_normalization_init,
    .build = rms_normalization_build,
    .call = rms_normalization_call,
    .equation = "y = x / sqrt(mean(x^2) + epsilon) scale",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "they do not count, and end here, as in Keras",
    .weights = "scale (sizes of the axes)",
    .source = "Zhang and Sennrich 2019, equation 4; Keras, layers/normalization/rms_normalization.py",
    .differs = "scale lies along the axes that are named; Keras lays it along the last ones, and fails where it does not "
               "fit there",
};

/* ---- UnitNormalization ---- */

static heed_status unit_normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_unit_normalization_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0];
    int axes[HEED_MAX_RANK];
    heed_shape sizes;
    HEED_TRY(heed_normalized_axes(layer, &x->shape, &o->axis, axes, &sizes));
    heed_tensor *square = heed_op_sum(heed_op_square(x), axes, sizes.rank, true);
    heed_tensor *least = heed_graph_scalar(call->graph, 1e-24f);
    call->outputs[0] = heed_op_multiply(x, heed_op_rsqrt(heed_op_maximum(square, least)));
    return HEED_OK;
}

const heed_layer_class heed_unit_normalization_class = {
    .name = "UnitNormalization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_unit_normalization_config, HEED_UNIT_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .call = unit_normalization_call,
    .equation = "y = x / sqrt(sum(x^2))",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "none",
    .source = "Keras, layers/normalization/unit_normalization.py",
    .differs = "the gradient of what is 0 is finite",
};
