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

/* How a step sees the others. */
typedef struct view {
    heed_tensor *starts; /* of the windows (graph.h), width steps wide; NULL: every step is compared with every step */
    int64_t      behind, width; /* of a step's window: from so many steps before it on; width HEED_NONE: all steps */
    heed_tensor *mask;   /* bool (B, T), or NULL */
} view;

/* So many steps at most are compared with every step for the sake of padding: 64 MB of scores a sequence. */
enum { MOST_WHOLE_ROWS = 4096 };

static bool is_factored(const heed_seq_self_attention_config *o)
{
    return !o->corrected && strcmp(o->masking, "factor") == 0;
}

/* Whether what is outside of the window is hidden by a penalty, if by anything. */
static bool penalizes_window(const heed_seq_self_attention_config *o) { return strcmp(o->masking, "penalty") == 0; }

/* Whether windows do not tell everything. An activation may need whole rows; and, as first written, padding that has but
 * padding in its window attends to all that is hidden from it, steps outside of the window too. */
static bool needs_whole_rows(const heed_seq_self_attention_config *o, heed_tensor *x, const heed_tensor *mask)
{
    if (!o->corrected && (!penalizes_window(o) || (mask != NULL && heed_tensor_dim(x, 1) <= MOST_WHOLE_ROWS)))
        return true;
    return !heed_activation_is_elementwise(x->graph, o->attention_activation);
}

static view view_of(const heed_seq_self_attention_config *o, heed_tensor *x, heed_tensor *mask)
{
    int64_t steps = heed_tensor_dim(x, 1), width = o->attention_width;
    view v = {.width = width, .behind = o->history_only ? width - 1 : width / 2,
              .mask = heed_mask_bool(mask, steps)};
    if (width != HEED_NONE && heed_windows_pay(width, steps) && !needs_whole_rows(o, x, v.mask))
        v.starts = heed_window_starts(x->graph, steps, v.behind);
    return v;
}

/* Before ba and the activation: (B, T, T), or within windows (B, T, width). */
static heed_tensor *compared(const heed_seq_self_attention_config *o, const self_attention *s, const view *v,
                             heed_tensor *x)
{
    heed_graph *g = x->graph;
    heed_tensor *wa = in_graph(g, s->wa);
    if (!is_additive(o)) {
        heed_tensor *query = heed_op_matmul(x, wa);
        return v->starts == NULL ? heed_op_matmul_transposed(query, false, x, true)
                                 : heed_op_window_scores(query, x, v->starts, v->width);
    }
    heed_tensor *query = heed_op_dense(x, in_graph(g, s->wt), in_graph(g, s->bh));
    heed_tensor *key = heed_op_matmul(x, in_graph(g, s->wx)), *scale = heed_op_squeeze(wa, 1);
    return v->starts == NULL ? heed_op_additive_scores(query, key, scale)
                             : heed_op_window_additive_scores(query, key, scale, v->starts, v->width);
}

static heed_tensor *scores(const heed_seq_self_attention_config *o, const self_attention *s, const view *v,
                           heed_tensor *x)
{
    heed_tensor *e = compared(o, s, v, x);
    return heed_activate(s->ba == NULL ? e : heed_op_add(e, in_graph(x->graph, s->ba)), o->attention_activation);
}

static heed_tensor *window(const heed_seq_self_attention_config *o, const view *v, const heed_tensor *x)
{
    int64_t steps = heed_tensor_dim(x, 1);
    if (!o->corrected && strcmp(o->masking, "penalty_without_window") == 0)
        return NULL;
    if (v->width == HEED_NONE)
        return o->history_only ? heed_window_causal(x->graph, steps, steps) : NULL;
    return heed_window(x->graph, steps, steps, v->behind, v->width - 1 - v->behind);
}

/* From scores (B, T, width). */
static heed_tensor *weights_in_windows(const heed_seq_self_attention_config *o, const view *v, heed_tensor *x,
                                       heed_tensor *e)
{
    int64_t steps = heed_tensor_dim(x, 1);
    heed_tensor *valid = heed_window_visible(v->starts, v->mask, steps, v->width);
    if (v->mask == NULL || o->corrected)
        return heed_op_softmax(e, valid);
    heed_tensor *seen = heed_op_or(valid, heed_op_expand(v->mask, 2));
    return heed_op_softmax(heed_attention_penalized(e, &seen, 1), heed_window_visible(v->starts, NULL, steps, v->width));
}

/* From scores (B, T, T). */
static heed_tensor *weights(const heed_seq_self_attention_config *o, const view *v, heed_tensor *x, heed_tensor *e)
{
    heed_tensor *seen[] = {window(o, v, x), heed_op_expand(v->mask, 1)};
    if (v->mask != NULL && !o->corrected)
        seen[1] = (is_factored(o) ? heed_op_and : heed_op_or)(seen[1], heed_op_expand(v->mask, 2));
    return is_factored(o) ? heed_attention_factored(e, seen, 2) : heed_attention_weights(e, seen, 2, o->corrected);
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
    heed_tensor *x = call->inputs[0];
    view v = view_of(o, x, call->masks[0]);
    heed_tensor *e = scores(o, heed_layer_state(layer), &v, x);
    heed_tensor *a = v.starts == NULL ? weights(o, &v, x, e) : weights_in_windows(o, &v, x, e);
    call->outputs[0] = v.starts == NULL ? heed_op_matmul(a, x) : heed_op_window_sum(a, x, v.starts);
    bool penalized = o->attention_regularizer_weight > 0.0;
    if (!penalized && !o->return_attention && !heed_call_wants_attention(call))
        return HEED_OK;
    heed_tensor *whole = v.starts == NULL ? a : heed_op_window_dense(a, v.starts, heed_tensor_dim(x, 1));
    heed_call_publish(call, layer, whole);
    if (penalized)
        heed_call_add_loss(call, heed_op_scale(likeness(call->graph, whole), (float)o->attention_regularizer_weight,
                                               0.0f));
    if (o->return_attention)
        call->outputs[call->output_count++] = whole;
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
               "padding, and the other steps attended to it. masking tells which version of the original, and "
               "`heed_read_from` of a file.",
};
