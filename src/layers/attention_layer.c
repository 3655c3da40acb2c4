/* attention_keras' AttentionLayer. */
#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/layer.h"

typedef struct attention_layer {
    heed_variable *w, *u, *v;
} attention_layer;

static heed_status attention_layer_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(attention_layer)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_variable *weight(heed_layer *layer, const char *name, int64_t rows, int64_t columns)
{
    return heed_layer_weight(layer, name, &(heed_shape){2, {rows, columns}}, "uniform", NULL, NULL, true);
}

static heed_status attention_layer_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    attention_layer *a = heed_layer_state(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, count));
    int64_t encoder = inputs[0].dims[2], decoder = inputs[1].dims[2];
    a->w = weight(layer, "W_a", encoder, encoder);
    a->u = weight(layer, "U_a", decoder, encoder);
    a->v = weight(layer, "V_a", encoder, 1);
    return HEED_OK;
}

static heed_status attention_layer_call(heed_layer *layer, heed_call *call)
{
    const heed_attention_layer_config *o = heed_layer_config(layer);
    const attention_layer *w = heed_layer_state(layer);
    heed_graph *g = call->graph;
    HEED_TRY(heed_check_batches(layer, call));
    heed_tensor *encoded = call->inputs[0], *mask = NULL;
    if (o->corrected) {
        mask = heed_op_expand(heed_mask_bool(call->masks[0], heed_tensor_dim(encoded, 1)), 1);
        call->output_masks[0] = call->masks[1];
    }
    heed_tensor *query = heed_op_matmul(call->inputs[1], heed_graph_variable(g, w->u));
    heed_tensor *key = heed_op_matmul(encoded, heed_graph_variable(g, w->w));
    heed_tensor *scores = heed_op_additive_scores(query, key, heed_op_squeeze(heed_graph_variable(g, w->v), 1));
    heed_tensor *a = heed_attention_weights(scores, &mask, 1, o->corrected);
    heed_call_publish(call, layer, a);
    call->outputs[0] = heed_op_matmul(a, encoded);
    call->outputs[1] = a;
    call->output_count = 2;
    return HEED_OK;
}

const heed_layer_class heed_attention_layer_class = {
    .name = "AttentionLayer",
    .collection = "attention_keras",
    HEED_CLASS_OPTIONS(heed_attention_layer_config, HEED_ATTENTION_LAYER_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 2,
    .init = attention_layer_init,
    .build = attention_layer_build,
    .call = attention_layer_call,
    .equation = "e_ij = tanh(s_j W_a + h_i U_a) V_a; a = softmax over j of e; c_i = sum_j a_ij s_j",
    .shapes = "s (B, Te, E), h (B, Td, D) -> c (B, Td, E), a (B, Td, Te)",
    .masks = "masked steps of s get no weight; a row masked whole gives zeros; that of h goes on with c",
    .weights = "W_a (E, E)\n"
               "U_a (D, E)\n"
               "V_a (E, 1)",
    .source = "Bahdanau et al. 2015, section A.1.2; attention_keras, src/layers/attention.py",
    .differs = "corrected=True leaves padding out; as first written masks were dropped. The original declared c as "
               "(B, Td, D).",
};
