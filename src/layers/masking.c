#include "heed/layers.h"
#include "layers/layer.h"

static heed_status masking_call(heed_layer *layer, heed_call *call)
{
    const heed_masking_config *o = heed_layer_config(layer);
    const int last = -1;
    heed_tensor *x = call->inputs[0];
    heed_tensor *differs = heed_op_not_equal(x, heed_graph_scalar(call->graph, (float)o->mask_value));
    heed_tensor *valid = heed_op_any(differs, &last, 1, true);
    call->outputs[0] = heed_op_multiply(x, heed_op_cast(valid, HEED_FLOAT32));
    call->output_masks[0] = heed_op_squeeze(valid, -1);
    return HEED_OK;
}

const heed_layer_class heed_masking_class = {
    .name = "Masking",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_masking_config, HEED_MASKING_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .call = masking_call,
    .equation = "m = any(x != mask_value) over the features; y = m x",
    .shapes = "x (B, T, F) -> y (B, T, F)",
    .masks = "m goes on, in place of a mask that was there before",
    .weights = "none",
    .source = "Keras, layers/core/masking.py",
    .differs = "nothing",
};
