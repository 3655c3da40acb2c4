/* keras-self-attention's ScaledDotProductAttention and ResidualScaledDotProductAttention. */
#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/layer.h"

/* Inputs: q, k, v, or x for all three; residual: and behind them the scores so far. */
static heed_status scaled_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    bool residual = layer->layer_class == &heed_residual_scaled_dot_product_attention_class;
    int sequences = residual ? count - 1 : count;
    if (sequences != 1 && sequences != 3)
        return heed_layer_fail(layer, HEED_EINVAL, "the number of inputs does not fit (expected %s, found %d)",
                               residual ? "x and previous, or q, k, v and previous" : "x, or q, k and v", count);
    HEED_TRY(heed_check_sequences(layer, inputs, sequences));
    return sequences == 1 ? HEED_OK : heed_check_dot_product(layer, &inputs[0], &inputs[1], &inputs[2]);
}

/* Weights from scores; the key's mask counts. */
static heed_tensor *weigh(heed_layer *layer, const heed_call *call, heed_tensor *scores, heed_tensor *key_mask)
{
    const heed_self_attention_scaled_dot_product_config *o = heed_layer_config(layer);
    int64_t queries = heed_tensor_dim(scores, 1), keys = heed_tensor_dim(scores, 2);
    heed_tensor *mask = heed_mask_bool(key_mask, keys);
    heed_tensor *seen[] = {o->history_only ? heed_window_causal(call->graph, queries, keys) : NULL,
                           heed_op_expand(mask, 1)};
    return heed_attention_weights(scores, seen, 2, o->corrected);
}

/* As first written, 10000 is taken from a score for each reason to hide it: a query that sees nothing looks where there is
 * one reason only. */
static heed_status scaled_call(heed_layer *layer, heed_call *call)
{
    const heed_self_attention_scaled_dot_product_config *o = heed_layer_config(layer);
    HEED_TRY(heed_check_batches(layer, call));
    bool self = call->input_count == 1;
    int key = self ? 0 : 1, value = self ? 0 : 2;
    heed_tensor *x[] = {call->inputs[0], call->inputs[key], call->inputs[value]}, *weights;
    heed_op_attention_config config = {.key_mask = call->masks[key], .banded = o->history_only,
                                       .behind = INT64_MAX / 2,
                                       .blind = o->corrected ? HEED_BLIND_ZEROS : HEED_BLIND_SECOND};
    call->outputs[0] = heed_attend(layer, call, x, &config, o->return_attention ? &weights : NULL);
    if (o->return_attention)
        call->outputs[call->output_count++] = weights;
    return HEED_OK;
}

static heed_status residual_call(heed_layer *layer, heed_call *call)
{
    const heed_self_attention_scaled_dot_product_config *o = heed_layer_config(layer);
    bool self = call->input_count == 2;
    int key = self ? 0 : 1, value = self ? 0 : 2;
    HEED_TRY(heed_check_batches(layer, call));
    heed_tensor *products = heed_scaled_dot_scores(call->inputs[0], call->inputs[key]), *previous = call->inputs[value + 1];
    HEED_TRY(heed_graph_status(call->graph));
    char expected[128], found[128];
    if (!heed_shape_equal(&previous->shape, &products->shape))
        return heed_layer_fail(layer, HEED_ESHAPE, "the scores so far do not fit (expected %s, found %s)",
                               heed_shape_text(&products->shape, expected, sizeof expected),
                               heed_shape_text(&previous->shape, found, sizeof found));
    heed_tensor *e = heed_op_add(products, previous);
    heed_tensor *a = weigh(layer, call, e, call->masks[key]);
    heed_call_publish(call, layer, a);
    call->outputs[0] = heed_op_matmul(a, call->inputs[value]);
    call->outputs[call->output_count++] = e;
    if (o->return_attention)
        call->outputs[call->output_count++] = a;
    return HEED_OK;
}

const heed_layer_class heed_self_attention_scaled_dot_product_class = {
    .name = "ScaledDotProductAttention",
    .collection = "keras-self-attention",
    HEED_CLASS_OPTIONS(heed_self_attention_scaled_dot_product_config, HEED_SELF_ATTENTION_SCALED_DOT_PRODUCT_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 3,
    .passes_mask = true,
    .build = scaled_build,
    .call = scaled_call,
    .equation = "a = softmax(q k^T / sqrt(d)); y = a v",
    .shapes = "x (B, T, F), or q (B, Tq, d), k (B, Tk, d) and v (B, Tk, F)\n"
              "-> y (B, Tq, F); with return_attention a (B, Tq, Tk) too",
    .masks = "masked keys get no weight; a query that sees none gives zeros; the query's goes on",
    .weights = "none",
    .source = "Vaswani et al. 2017, equation 1; keras-self-attention, scaled_dot_attention.py",
    .differs = "corrected=True leaves padding out; as first written 10000 was taken from a score for each reason "
               "to hide it, so that where all that may be seen is padding, what may not be seen got the weight.",
};

const heed_layer_class heed_residual_scaled_dot_product_attention_class = {
    .name = "ResidualScaledDotProductAttention",
    .collection = "keras-self-attention",
    HEED_CLASS_OPTIONS(heed_residual_scaled_dot_product_attention_config,
                       HEED_RESIDUAL_SCALED_DOT_PRODUCT_ATTENTION_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 4,
    .passes_mask = true,
    .build = scaled_build,
    .call = residual_call,
    .equation = "e = q k^T / sqrt(d) + previous; a = softmax(e); y = a v",
    .shapes = "x (B, T, F) and previous (B, T, T), or q (B, Tq, d), k (B, Tk, d), v (B, Tk, F)\n"
              "and previous (B, Tq, Tk) -> y (B, Tq, F), e (B, Tq, Tk); with return_attention a (B, Tq, Tk) too",
    .masks = "masked keys get no weight; a query that sees none gives zeros; the query's goes on with y",
    .weights = "none",
    .source = "He et al. 2020, RealFormer; keras-self-attention, real_former.py",
    .differs = "corrected=True leaves padding out, as in ScaledDotProductAttention. The original does not run "
               "without any mask.",
};
