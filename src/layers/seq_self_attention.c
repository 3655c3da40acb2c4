/* keras-self-attention's SeqSelfAttention. */
#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/layer.h"

#include <string.h>

typedef struct self_attention {
    heed_variable *wt, *wx, *bh, *wa, *ba;
} self_attention;

static bool is_additive(const heed_seq_self_attention_config *o) { return strcmp(o->attention_type, "additive") == 0; }

static heed_status self_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(self_attention)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_variable *kernel(heed_layer *layer, const char *name, int64_t rows, int64_t columns)
{
    const heed_seq_self_attention_config *o = heed_layer_config(layer);
    return heed_layer_weight(layer, name, &(heed_shape){2, {rows, columns}}, o->kernel_initializer,
                             o->kernel_regularizer,
                             o->kernel_constraint, true);
}

static heed_variable *bias(heed_layer *layer, const char *name, int64_t size)
{
    const heed_seq_self_attention_config *o = heed_layer_config(layer);
    return heed_layer_weight(layer, name, &(heed_shape){1, {size}}, o->bias_initializer, o->bias_regularizer,
                             o->bias_constraint,
                             true);
}

static heed_status self_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_seq_self_attention_config *o = heed_layer_config(layer);
    self_attention *s = heed_layer_state(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, count));
    int64_t features = inputs->dims[2];
    if (is_additive(o)) {
        s->wt = kernel(layer, "Add_Wt", features, o->units);
        s->wx = kernel(layer, "Add_Wx", features, o->units);
        if (o->use_additive_bias)
            s->bh = bias(layer, "Add_bh", o->units);
        s->wa = kernel(layer, "Add_Wa", o->units, 1);
    } else
        s->wa = kernel(layer, "Mul_Wa", features, features);
    if (o->use_attention_bias)
        s->ba = bias(layer, is_additive(o) ? "Add_ba" : "Mul_ba", 1);
    return HEED_OK;
}

/* The variable in the graph; NULL for none. */
static heed_tensor *in_graph(heed_graph *g, heed_variable *v) { return v == NULL ? NULL : heed_graph_variable(g, v); }

static heed_tensor *scores(const heed_seq_self_attention_config *o, const self_attention *s, heed_tensor *x)
{
    heed_graph *g = x->graph;
    heed_tensor *wa = in_graph(g, s->wa), *e;
    if (is_additive(o)) {
        heed_tensor *query = heed_op_dense(x, in_graph(g, s->wt), in_graph(g, s->bh));
        heed_tensor *key = heed_op_matmul(x, in_graph(g, s->wx));
        e = heed_op_additive_scores(query, key, heed_op_squeeze(wa, 1));
    } else
        e = heed_op_matmul_transposed(heed_op_matmul(x, wa), false, x, true);
    return heed_activate(s->ba == NULL ? e : heed_op_add(e, in_graph(g, s->ba)), o->attention_activation);
}

static heed_tensor *window(const heed_seq_self_attention_config *o, const heed_tensor *x)
{
    int64_t steps = heed_tensor_dim(x, 1), width = o->attention_width;
    if (o->history_only)
        return heed_window(x->graph, steps, steps, width == HEED_NONE ? steps : width - 1, 0);
    return width == HEED_NONE ? NULL : heed_window(x->graph, steps, steps, width / 2, width - 1 - width / 2);
}

/* The sum of (A A^T - I)^2, a mean over the batch. */
static heed_tensor *likeness(heed_graph *g, heed_tensor *a)
{
    int64_t batch = heed_tensor_dim(a, 0), steps = heed_tensor_dim(a, 1);
    heed_tensor *identity = heed_op_cast(heed_window(g, steps, steps, 0, 0), HEED_FLOAT32);
    heed_tensor *difference = heed_op_subtract(heed_op_matmul_transposed(a, false, a, true), identity);
    return heed_op_scale(heed_op_sum(heed_op_square(difference), NULL, 0, false), 1.0f / (float)batch, 0.0f);
}

static heed_status self_call(heed_layer *layer, heed_call *call)
{
    const heed_seq_self_attention_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0], *mask = heed_mask_bool(call->masks[0], heed_tensor_dim(x, 1));
    heed_tensor *seen[] = {window(o, x), heed_op_expand(mask, 1)};
    if (mask != NULL && !o->corrected)
        seen[1] = heed_op_or(seen[1], heed_op_expand(mask, 2));
    heed_tensor *a = heed_attention_weights(scores(o, heed_layer_state(layer), x), seen, 2, o->corrected);
    heed_call_publish(call, layer, a);
    call->outputs[0] = heed_op_matmul(a, x);
    if (o->attention_regularizer_weight > 0.0)
        heed_call_add_loss(call, heed_op_scale(likeness(call->graph, a), (float)o->attention_regularizer_weight, 0.0f));
    if (o->return_attention)
        call->outputs[call->output_count++] = a;
    return HEED_OK;
}

const heed_layer_class heed_seq_self_attention_class = {
    .name = "SeqSelfAttention",
    .collection = "keras-self-attention",
    HEED_CLASS_OPTIONS(heed_seq_self_attention_config, HEED_SEQ_SELF_ATTENTION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = self_init,
    .build = self_build,
    .call = self_call,
    .equation = "additive: e_ij = tanh(x_i Wt + x_j Wx + bh) Wa + ba\n"
                "multiplicative: e_ij = x_i Wa x_j^T + ba\n"
                "a = softmax over j of attention_activation(e); y_i = sum_j a_ij x_j\n"
                "attention_width w: j from i - w/2 to i - w/2 + w - 1; with history_only from i - w + 1 to i\n"
                "attention_regularizer_weight r: the loss grows by r sum (a a^T - I)^2, a mean over the batch",
    .shapes = "x (B, T, F) -> y (B, T, F); with return_attention a (B, T, T) too",
    .masks = "masked steps get no attention; a row masked whole gives zeros; the mask goes on",
    .weights = "Add_Wt (F, units): additive\n"
               "Add_Wx (F, units): additive\n"
               "Add_bh (units): additive, with use_additive_bias\n"
               "Add_Wa (units, 1): additive\n"
               "Mul_Wa (F, F): multiplicative\n"
               "Add_ba (1): additive, with use_attention_bias\n"
               "Mul_ba (1): multiplicative, with use_attention_bias",
    .source = "Zheng et al. 2018, OpenTag (additive); Luong et al. 2015 (general); keras-self-attention, "
              "seq_self_attention.py",
    .differs = "corrected=True leaves padding out; as first written only padding was kept from attending to "
               "padding, and the other steps attended to it.",
};
