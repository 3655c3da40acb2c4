/* Keras' Attention (Luong) and AdditiveAttention (Bahdanau). */
#include "heed/layers.h"
#include "layers/attend.h"
#include "layers/layer.h"
#include "layers/mask.h"

#include <string.h>

typedef struct attention {
    heed_variable *scale, *concat_weight;
} attention;

/* What a call is about; the key is by default the value. */
typedef struct attending {
    heed_tensor *query, *value, *key;
    heed_tensor *query_mask, *value_mask; /* bool (B, T), or NULL */
} attending;

static heed_status take_inputs(heed_layer *layer, const heed_call *call, attending *a)
{
    for (int i = 0; i < call->input_count; i++) {
        char text[128];
        if (call->inputs[i]->shape.rank != 3)
            return heed_layer_fail(layer, HEED_ESHAPE, "input %d is no sequence (expected rank 3, found %s)", i + 1,
                                   heed_shape_text(&call->inputs[i]->shape, text, sizeof text));
    }
    a->query = call->inputs[0];
    a->value = call->inputs[1];
    a->key = call->input_count > 2 ? call->inputs[2] : a->value;
    HEED_TRY(heed_check_batches(layer, call));
    HEED_TRY(heed_check_dot_product(layer, &a->query->shape, &a->key->shape, &a->value->shape));
    a->query_mask = heed_mask_bool(call->masks[0], a->query->shape.dims[1]);
    a->value_mask = heed_mask_bool(call->masks[1], a->value->shape.dims[1]);
    return heed_graph_status(call->graph);
}

/* Which keys each query may see: bool, broadcast against (B, Tq, Tk); NULL: all. */
static heed_tensor *visible(const heed_call *call, const attending *a)
{
    heed_tensor *mask = a->value_mask == NULL ? NULL : heed_op_expand(a->value_mask, 1);
    if (heed_call_argument(call, "use_causal_mask", 0) == 0)
        return mask;
    int64_t queries = a->query->shape.dims[1], keys = a->value->shape.dims[1];
    heed_tensor *causal = heed_window_causal(call->graph, queries, keys);
    return mask == NULL ? causal : heed_op_and(mask, causal);
}

/* Weights from scores, and the weighted values. As in Keras, 1e9 is taken from what is not to be seen: a query that may
 * see nothing spreads over everything. */
static heed_status attend(heed_layer *layer, heed_call *call, const attending *a, heed_tensor *scores, double dropout)
{
    heed_tensor *mask = visible(call, a);
    if (mask != NULL)
        scores = heed_op_add(scores, heed_op_scale(heed_op_cast(mask, HEED_FLOAT32), 1e9f, -1e9f));
    heed_tensor *weights = heed_op_softmax(scores, NULL);
    if (call->training && dropout > 0.0)
        weights = dropout < 1.0 ? heed_op_dropout(weights, (float)dropout) : heed_op_scale(weights, 0.0f, 0.0f);
    heed_tensor *result = heed_op_matmul(weights, a->value);
    if (a->query_mask != NULL)
        result = heed_op_multiply(result, heed_op_cast(heed_op_expand(a->query_mask, -1), HEED_FLOAT32));
    heed_call_publish(call, layer, weights);
    call->outputs[0] = result;
    call->output_masks[0] = call->masks[0];
    if (heed_call_argument(call, "return_attention_scores", 0) != 0) {
        call->outputs[1] = weights;
        call->output_count = 2;
    }
    return HEED_OK;
}

static heed_status attention_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(attention)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static bool is_concat(const heed_attention_config *o) { return strcmp(o->score_mode, "concat") == 0; }

static heed_status attention_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_attention_config *o = heed_layer_config(layer);
    attention *a = heed_layer_state(layer);
    const heed_shape single = {0};
    if (o->use_scale)
        a->scale = heed_layer_weight(layer, "scale", &single, "ones", NULL, NULL, true);
    if (is_concat(o))
        a->concat_weight = heed_layer_weight(layer, "concat_score_weight", &single, "ones", NULL, NULL, true);
    return HEED_OK;
}

static heed_tensor *scaled(const attention *a, heed_tensor *x)
{
    return a->scale == NULL || x == NULL ? x : heed_op_multiply(x, heed_graph_variable(x->graph, a->scale));
}

/* w sum_d tanh(scale (q_d + k_d)) */
static heed_tensor *concat_scores(const attention *a, const attending *x)
{
    heed_tensor *weight = heed_graph_variable(x->query->graph, a->concat_weight);
    heed_shape each = {1, {heed_tensor_dim(x->query, -1)}};
    heed_tensor *weights = heed_op_broadcast(heed_op_reshape(weight, &(heed_shape){1, {1}}), &each);
    return heed_op_additive_scores(scaled(a, x->query), scaled(a, x->key), weights);
}

/* The dot score, without its (B, Tq, Tk). */
static heed_status attend_dot(heed_layer *layer, heed_call *call, const attending *x, bool returned)
{
    const heed_attention_config *o = heed_layer_config(layer);
    heed_tensor *weights = NULL, *const sequences[] = {scaled(heed_layer_state(layer), x->query), x->key, x->value};
    heed_op_attention_config config = {.scale = 1.0f, .key_mask = call->masks[1], .blind = HEED_BLIND_EVEN,
                                       .banded = heed_call_argument(call, "use_causal_mask", 0) != 0,
                                       .behind = INT64_MAX / 2,
                                       .dropout = call->training ? (float)o->dropout : 0.0f};
    heed_tensor *y = heed_attend(layer, call, sequences, &config, returned ? &weights : NULL);
    if (x->query_mask != NULL)
        y = heed_op_multiply(y, heed_op_cast(heed_op_expand(x->query_mask, -1), HEED_FLOAT32));
    call->outputs[0] = y;
    call->output_masks[0] = call->masks[0];
    if (returned)
        call->outputs[call->output_count++] = weights;
    return HEED_OK;
}

static heed_status attention_call(heed_layer *layer, heed_call *call)
{
    const heed_attention_config *o = heed_layer_config(layer);
    const attention *a = heed_layer_state(layer);
    attending x;
    HEED_TRY(take_inputs(layer, call, &x));
    bool returned = heed_call_argument(call, "return_attention_scores", 0) != 0;
    bool dropped = call->training && o->dropout > 0.0; /* the weights that Keras returns are those left by dropout */
    if (!is_concat(o) && !(dropped && (returned || o->dropout == 1.0)))
        return attend_dot(layer, call, &x, returned);
    heed_tensor *scores = is_concat(o) ? concat_scores(a, &x)
                                       : scaled(a, heed_op_matmul_transposed(x.query, false, x.key, true));
    return attend(layer, call, &x, scores, o->dropout);
}

const heed_layer_class heed_attention_class = {
    .name = "Attention",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_attention_config, HEED_ATTENTION_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 3,
    .init = attention_init,
    .build = attention_build,
    .call = attention_call,
    .equation = "e_ij = q_i . k_j scale; a = softmax(e); y_i = sum_j a_ij v_j\n"
                "score_mode concat: e_ij = w sum_d tanh(scale (q_id + k_jd))",
    .shapes = "q (B, Tq, D), v (B, Tk, V), k (B, Tk, D; by default v) -> y (B, Tq, V)\n"
              "with return_attention_scores in the call, the weights (B, Tq, Tk) too",
    .masks = "the value's leaves steps out; the query's zeroes steps of y and goes on",
    .weights = "scale (): with use_scale\n"
               "concat_score_weight (): with score_mode concat",
    .source = "Luong et al. 2015, section 3.1 (dot); Keras, layers/attention/attention.py",
    .differs = "nothing",
};

static heed_status additive_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_additive_attention_config *o = heed_layer_config(layer);
    attention *a = heed_layer_state(layer);
    heed_shape shape = {1, {inputs->dims[inputs->rank - 1]}};
    if (o->use_scale)
        a->scale = heed_layer_weight(layer, "scale", &shape, "glorot_uniform", NULL, NULL, true);
    return HEED_OK;
}

static heed_status additive_call(heed_layer *layer, heed_call *call)
{
    const heed_additive_attention_config *o = heed_layer_config(layer);
    const attention *a = heed_layer_state(layer);
    attending x;
    HEED_TRY(take_inputs(layer, call, &x));
    heed_shape each = {1, {heed_tensor_dim(x.query, -1)}};
    heed_tensor *scale = a->scale != NULL ? heed_graph_variable(call->graph, a->scale)
                                          : heed_graph_fill(call->graph, &each, 1.0f);
    return attend(layer, call, &x, heed_op_additive_scores(x.query, x.key, scale), o->dropout);
}

const heed_layer_class heed_additive_attention_class = {
    .name = "AdditiveAttention",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_additive_attention_config, HEED_ADDITIVE_ATTENTION_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 3,
    .init = attention_init,
    .build = additive_build,
    .call = additive_call,
    .equation = "e_ij = sum_d scale_d tanh(q_id + k_jd); a = softmax(e); y_i = sum_j a_ij v_j",
    .shapes = "q (B, Tq, D), v (B, Tk, V), k (B, Tk, D; by default v) -> y (B, Tq, V)\n"
              "with return_attention_scores in the call, the weights (B, Tq, Tk) too",
    .masks = "the value's leaves steps out; the query's zeroes steps of y and goes on",
    .weights = "scale (D): with use_scale",
    .source = "Bahdanau et al. 2015, section A.1.2; Keras, layers/attention/additive_attention.py",
    .differs = "nothing",
};
