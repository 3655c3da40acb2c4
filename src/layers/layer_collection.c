/* keras-layer-collection's ScaledDotProductAttention, LayerNormalization and SequenceAttention. */
#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/layer.h"

#include <math.h>
#include <string.h>

/* ---- ScaledDotProductAttention ---- */

static heed_status scaled_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    HEED_TRY(heed_check_sequences(layer, inputs, 3));
    return heed_check_dot_product(layer, &inputs[0], &inputs[1], &inputs[2]);
}

/* Numbers or bools to bools: true where a query sees a key. */
static heed_tensor *given_mask(const heed_call *call)
{
    heed_tensor *mask = call->input_count < 4 ? NULL : call->inputs[3];
    return mask == NULL || mask->dtype == HEED_BOOL ? mask : heed_op_cast(mask, HEED_BOOL);
}

/* As first written, 1e10 is taken from hidden scores before they are scaled: a query that sees nothing spreads over all. */
static heed_status scaled_call(heed_layer *layer, heed_call *call)
{
    const heed_layer_collection_scaled_dot_product_config *o = heed_layer_config(layer);
    heed_op_attention_config config = {.mask = given_mask(call), .blind = HEED_BLIND_EVEN};
    heed_tensor *weights;
    if (o->corrected) {
        config.blind = HEED_BLIND_ZEROS;
        config.key_mask = call->masks[1];
        call->output_masks[0] = call->masks[0];
    }
    call->outputs[0] = heed_attend(layer, call, call->inputs, &config, o->return_attention ? &weights : NULL);
    if (o->return_attention)
        call->outputs[call->output_count++] = weights;
    return HEED_OK;
}

const heed_layer_class heed_layer_collection_scaled_dot_product_class = {
    .name = "ScaledDotProductAttention",
    .collection = "keras-layer-collection",
    HEED_CLASS_OPTIONS(heed_layer_collection_scaled_dot_product_config,
                       HEED_LAYER_COLLECTION_SCALED_DOT_PRODUCT_OPTIONS),
    .min_inputs = 3,
    .max_inputs = 4,
    .build = scaled_build,
    .call = scaled_call,
    .equation = "a = softmax(q k^T / sqrt(d)); y = a v",
    .shapes = "q (B, Tq, d), k (B, Tk, d), v (B, Tk, F), seen (B, Tq, Tk; bools or 0 and 1; may be left out)\n"
              "-> y (B, Tq, F); with return_attention a (B, Tq, Tk) too",
    .masks = "the key's and the fourth input count: hidden keys get no weight, a query that sees none gives zeros; "
             "the query's goes on",
    .weights = "none",
    .source = "Vaswani et al. 2017, equation 1; keras-layer-collection, kulc/attention.py",
    .differs = "corrected=True takes masks that come along; the original raises on them. As first written 1e10 was "
               "taken from hidden scores before they were scaled, and a query that sees nothing spread over "
               "everything.",
};

/* ---- LayerNormalization ---- */

typedef struct normalization {
    heed_variable *gain, *bias;
} normalization;

static heed_status normalization_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(normalization)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status normalization_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    normalization *n = heed_layer_state(layer);
    heed_shape shape = {1, {inputs->rank < 2 ? HEED_ANY : inputs->dims[inputs->rank - 1]}};
    n->gain = heed_layer_weight(layer, "gain", &shape, "ones", NULL, NULL, true);
    n->bias = heed_layer_weight(layer, "bias", &shape, "zeros", NULL, NULL, true);
    return HEED_OK;
}

static heed_status normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_layer_collection_layer_normalization_config *o = heed_layer_config(layer);
    const normalization *n = heed_layer_state(layer);
    const int last = -1;
    heed_tensor *x = call->inputs[0], *centred = heed_op_subtract(x, heed_op_mean(x, &last, 1, true));
    heed_tensor *deviation = heed_op_sqrt(heed_op_mean(heed_op_square(centred), &last, 1, true));
    heed_tensor *scaled = heed_op_divide(centred, heed_op_scale(deviation, 1.0f, (float)o->epsilon));
    heed_tensor *gain = heed_graph_variable(call->graph, n->gain), *bias = heed_graph_variable(call->graph, n->bias);
    call->outputs[0] = heed_op_add(heed_op_multiply(scaled, gain), bias);
    return HEED_OK;
}

const heed_layer_class heed_layer_collection_layer_normalization_class = {
    .name = "LayerNormalization",
    .collection = "keras-layer-collection",
    HEED_CLASS_OPTIONS(heed_layer_collection_layer_normalization_config,
                       HEED_LAYER_COLLECTION_LAYER_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = normalization_init,
    .build = normalization_build,
    .call = normalization_call,
    .equation = "y = gain (x - mean) / (deviation + epsilon) + bias",
    .shapes = "x (B, ..., F) -> y (B, ..., F)",
    .masks = "that of the input goes on; it does not count",
    .weights = "gain (F)\n"
               "bias (F)",
    .source = "Ba, Kiros and Hinton 2016; keras-layer-collection, kulc/layer_normalization.py",
    .differs = "any rank and any mask, where the original takes (B, T, F) without one. an epsilon other than 1e-8 is saved.",
};

/* ---- SequenceAttention ---- */

typedef struct sequence_attention {
    heed_variable *w, *v;
} sequence_attention;

static bool is_additive(const heed_sequence_attention_config *o) { return strstr(o->similarity, "additive") != NULL; }

static heed_status sequence_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(sequence_attention)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status sequence_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_sequence_attention_config *o = heed_layer_config(layer);
    sequence_attention *s = heed_layer_state(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, count));
    int64_t source = inputs[0].dims[2], query = inputs[1].dims[2];
    heed_shape w = {2, {is_additive(o) ? source + query : query, source}}, v = {2, {1, source}};
    s->w = heed_layer_weight(layer, "w_a", &w, o->kernel_initializer, NULL, NULL, true);
    if (is_additive(o))
        s->v = heed_layer_weight(layer, "v_a", &v, o->kernel_initializer, NULL, NULL, true);
    return HEED_OK;
}

/* v tanh([s_j q_i] w); as first written v tanh([s_j q_j] w), for every i the same. */
static heed_tensor *additive_scores(const sequence_attention *s, heed_tensor *source, heed_tensor *query,
                                    bool corrected)
{
    heed_graph *g = source->graph;
    heed_tensor *w = heed_graph_variable(g, s->w), *v = heed_op_squeeze(heed_graph_variable(g, s->v), 0);
    int64_t features = heed_tensor_dim(source, 2);
    heed_tensor *keys = heed_op_matmul(source, heed_op_slice(w, 0, 0, features));
    heed_tensor *queries = heed_op_matmul(query, heed_op_slice(w, 0, features, heed_tensor_dim(query, 2)));
    if (corrected)
        return heed_op_additive_scores(queries, keys, v);
    heed_shape each = {3, {heed_tensor_dim(source, 0), heed_tensor_dim(source, 1), heed_tensor_dim(source, 1)}};
    heed_tensor *nothing = heed_graph_fill(g, &(heed_shape){3, {each.dims[0], 1, features}}, 0.0f);
    return heed_op_broadcast(heed_op_additive_scores(nothing, heed_op_add(keys, queries), v), &each);
}

static heed_status sequence_call(heed_layer *layer, heed_call *call)
{
    const heed_sequence_attention_config *o = heed_layer_config(layer);
    const sequence_attention *s = heed_layer_state(layer);
    heed_tensor *source = call->inputs[0], *query = call->inputs[1], *mask = NULL;
    HEED_TRY(heed_check_batches(layer, call));
    if (!o->corrected && heed_tensor_dim(source, 1) != heed_tensor_dim(query, 1))
        return heed_layer_fail(layer, HEED_ESHAPE, "source and query differ in length (expected %lld, found %lld)",
                               (long long)heed_tensor_dim(source, 1), (long long)heed_tensor_dim(query, 1));
    if (o->corrected) {
        mask = heed_op_expand(heed_mask_bool(call->masks[0], heed_tensor_dim(source, 1)), 1);
        call->output_masks[0] = call->masks[1];
    }
    heed_tensor *scores =
        is_additive(o) ? additive_scores(s, source, query, o->corrected)
                       : heed_op_matmul_transposed(heed_op_matmul(query, heed_graph_variable(call->graph, s->w)),
                                                   false, source, true);
    heed_tensor *a = heed_attention_weights(scores, &mask, 1, o->corrected);
    heed_call_publish(call, layer, a);
    call->outputs[0] = heed_op_matmul_transposed(a, !o->corrected, source, false);
    return HEED_OK;
}

const heed_layer_class heed_sequence_attention_class = {
    .name = "SequenceAttention",
    .collection = "keras-layer-collection",
    HEED_CLASS_OPTIONS(heed_sequence_attention_config, HEED_SEQUENCE_ATTENTION_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 2,
    .init = sequence_init,
    .build = sequence_build,
    .call = sequence_call,
    .equation = "additive: e_ij = tanh([s_j q_i] w_a) v_a^T; multiplicative: e_ij = q_i w_a s_j^T\n"
                "a = softmax over j of e; y_i = sum_j a_ij s_j",
    .shapes = "s (B, T, S), q (B, Tq, Q) -> y (B, Tq, S)",
    .masks = "masked steps of s get no weight; a row masked whole gives zeros; that of q goes on",
    .weights = "w_a (S + Q, S) when additive, (Q, S) when multiplicative\n"
               "v_a (1, S): additive",
    .source = "Luong et al. 2015, equation 8 (concat, general); keras-layer-collection, kulc/attention.py",
    .differs = "corrected=True computes the above; as first written the sum was along the other axis (y_j = sum_i "
               "a_ij s_i), additive scores took q_j for q_i, both lengths had to agree, and masks raised. Can be "
               "saved, any batch size.",
};
