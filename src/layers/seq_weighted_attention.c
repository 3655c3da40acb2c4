/* keras-self-attention's SeqWeightedAttention. */
#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/layer.h"

#include <string.h>

typedef struct weighted_attention {
    heed_variable *w, *b;
} weighted_attention;

static heed_status weighted_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(weighted_attention)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status weighted_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_seq_weighted_attention_config *o = heed_layer_config(layer);
    weighted_attention *w = heed_layer_state(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, count));
    w->w = heed_layer_weight(layer, "W", &(heed_shape){2, {inputs->dims[2], 1}}, "uniform", NULL, NULL, true);
    if (o->use_bias)
        w->b = heed_layer_weight(layer, "b", &(heed_shape){1, {1}}, "zeros", NULL, NULL, true);
    return HEED_OK;
}

/* Softmax with 1e-7 added to its divisor. */
static heed_tensor *weights_as_written(const heed_seq_weighted_attention_config *o, heed_tensor *logits,
                                       heed_tensor *mask)
{
    if (strcmp(o->masking, "factor") == 0)
        return heed_attention_factored(logits, &mask, 1);
    return heed_attention_factored(heed_attention_penalized(logits, &mask, 1), NULL, 0);
}

static heed_status weighted_call(heed_layer *layer, heed_call *call)
{
    const heed_seq_weighted_attention_config *o = heed_layer_config(layer);
    const weighted_attention *w = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0], *mask = heed_mask_bool(call->masks[0], heed_tensor_dim(x, 1));
    heed_tensor *b = w->b == NULL ? NULL : heed_graph_variable(call->graph, w->b);
    heed_tensor *logits = heed_op_squeeze(heed_op_dense(x, heed_graph_variable(call->graph, w->w), b), -1);
    heed_tensor *a = o->corrected ? heed_attention_weights(logits, &mask, 1, true) : weights_as_written(o, logits, mask);
    heed_tensor *row = heed_op_expand(a, 1);
    heed_call_publish(call, layer, row);
    call->outputs[0] = heed_op_squeeze(heed_op_matmul(row, x), 1);
    if (o->return_attention)
        call->outputs[call->output_count++] = a;
    return HEED_OK;
}

const heed_layer_class heed_seq_weighted_attention_class = {
    .name = "SeqWeightedAttention",
    .collection = "keras-self-attention",
    HEED_CLASS_OPTIONS(heed_seq_weighted_attention_config, HEED_SEQ_WEIGHTED_ATTENTION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = weighted_init,
    .build = weighted_build,
    .call = weighted_call,
    .equation = "a = softmax over i of x_i W + b; y = sum_i a_i x_i",
    .shapes = "x (B, T, F) -> y (B, F); with return_attention a (B, T) too",
    .masks = "masked steps get no weight; a row masked whole gives zeros; none goes on",
    .weights = "W (F, 1)\n"
               "b (1): with use_bias",
    .source = "Felbo et al. 2017, DeepMoji; keras-self-attention, seq_weighted_attention.py",
    .differs = "corrected=True divides by the sum; as first written 1e-7 was added to it, and a row masked whole "
               "spread over all; up to 0.45 (masking factor) it gave zeros.",
};
