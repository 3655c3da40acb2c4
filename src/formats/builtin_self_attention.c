/* keras-self-attention's layers, and attention_keras' one, by Keras' own. */
#include "formats/builtin.h"

#include <math.h>
#include <string.h>

/* ---- SeqSelfAttention ---- */

typedef heed_seq_self_attention_config self_options;

static bool is_additive(const self_options *o) { return strcmp(o->attention_type, "additive") == 0; }
static bool is_linear(const char *activation) { return activation == NULL || strcmp(activation, "linear") == 0; }
static bool is_factored(const self_options *o) { return !o->corrected && strcmp(o->masking, "factor") == 0; }
static bool has_window(const self_options *o)
{
    bool applied = o->corrected || strcmp(o->masking, "penalty_without_window") != 0;
    return applied && (o->history_only || o->attention_width != HEED_NONE);
}

/* Whether Keras' own attention computes it: nothing but, at most, the steps behind is hidden. Keras 2 wants additive
 * scores to be of as many features as the values. */
static bool is_plain(const heed_builtin *b, const self_options *o)
{
    if (b->target->keras == 2 && is_additive(o) && o->units != heed_formula_features(b->inputs[0]))
        return false;
    return !b->masked[0] && !is_factored(o) && is_linear(o->attention_activation) &&
           o->attention_regularizer_weight == 0.0 && (!has_window(o) || o->attention_width == HEED_NONE);
}

/* x through a dense layer of that name, with weights of these names. */
static heed_symbol *project(heed_builtin *b, const self_options *o, const char *name, int64_t units, const char *kernel,
                            const char *bias)
{
    const heed_dense_manner manner = {.name = name, HEED_MANNER_OF(o)};
    return heed_builtin_dense(b, b->inputs[0], units, HEED_WHOLE(heed_builtin_weight(b, kernel)),
                              HEED_WHOLE(heed_builtin_weight(b, bias)), &manner);
}

static heed_symbol *query_of(heed_builtin *b, const self_options *o)
{
    return is_additive(o) ? project(b, o, "query", o->units, "Add_Wt", "Add_bh")
                          : project(b, o, "query", heed_formula_features(b->inputs[0]), "Mul_Wa", "");
}

static heed_symbol *key_of(heed_builtin *b, const self_options *o)
{
    return is_additive(o) ? project(b, o, "key", o->units, "Add_Wx", "") : b->inputs[0];
}

/* ba adds the same to every key's score, so it changes no weight of attention. */
static heed_status plain_attention(heed_builtin *b, const self_options *o)
{
    heed_symbol *sequences[] = {query_of(b, o), b->inputs[0], key_of(b, o)};
    const heed_variable *scale = heed_builtin_weight(b, "Add_Wa");
    return heed_builtin_attend(b, sequences, scale, has_window(o), o->return_attention);
}

/* ba as the only weight of a dense layer on 1. */
static heed_symbol *add_number(heed_builtin *b, const self_options *o, heed_symbol *e, const heed_variable *ba)
{
    const heed_dense_manner manner = {.name = "shift", .kernel_initializer = o->bias_initializer,
                                      .kernel_regularizer = o->bias_regularizer,
                                      .kernel_constraint = o->bias_constraint};
    heed_symbol *one = heed_formula("OnesLike", NULL, heed_formula("Max", "axis=[1, 2], keepdims=True", e, NULL), NULL);
    return heed_formula_of("Add", e, heed_builtin_dense(b, one, 1, HEED_WHOLE(ba), HEED_NO_WEIGHT, &manner));
}

static heed_symbol *scores(heed_builtin *b, const self_options *o)
{
    const heed_dense_manner manner = {.name = "score", HEED_MANNER_OF(o)};
    const heed_variable *wa = heed_builtin_weight(b, "Add_Wa");
    const heed_variable *ba = heed_builtin_weight(b, is_additive(o) ? "Add_ba" : "Mul_ba");
    heed_symbol *q = query_of(b, o), *k = key_of(b, o), *e;
    if (is_additive(o)) {
        e = heed_builtin_additive_scores(b, q, k, HEED_WHOLE(wa), HEED_WHOLE(ba), &manner);
    } else {
        e = heed_formula_matmul(q, heed_formula_turned(k));
        e = ba == NULL || is_linear(o->attention_activation) ? e : add_number(b, o, e, ba);
    }
    return is_linear(o->attention_activation) ? e
                                              : heed_apply(heed_activation(.activation = o->attention_activation), e);
}

/* The penalty, times 0, is part of what comes out, or Keras would not compute it. */
static heed_symbol *regularized(heed_builtin *b, const self_options *o, heed_symbol *y, heed_symbol *a)
{
    heed_symbol *x = b->inputs[0];
    heed_symbol *identity = heed_formula("Where", NULL, heed_formula_window(x, x, 0.0, 0.0), "1.0, 0.0");
    heed_symbol *likeness = heed_formula_of("Subtract", heed_formula_matmul(a, heed_formula_turned(a)), identity);
    heed_symbol *watched = heed_apply(heed_activity_regularization(.l2 = o->attention_regularizer_weight), likeness);
    heed_symbol *sum = heed_formula("Sum", "axis=[1, 2], keepdims=True", watched, NULL);
    return heed_formula_of("Add", y, heed_formula("Multiply", NULL, sum, "0.0"));
}

static heed_symbol *window_of(heed_symbol *x, const self_options *o)
{
    double width = (double)o->attention_width, behind = o->history_only ? width - 1.0 : floor(width / 2.0);
    if (!has_window(o))
        return NULL;
    return o->attention_width == HEED_NONE ? heed_formula_window(x, x, INFINITY, 0.0)
                                           : heed_formula_window(x, x, behind, width - 1.0 - behind);
}

heed_status heed_builtin_seq_self_attention(heed_builtin *b)
{
    const self_options *o = heed_layer_config(b->layer);
    heed_symbol *x = b->inputs[0], *mask = b->masked[0] ? heed_formula_mask(x) : NULL;
    if (is_plain(b, o))
        return plain_attention(b, o);
    heed_symbol *seen[] = {window_of(x, o), heed_formula_keys(mask)};
    if (mask != NULL && !o->corrected) /* a pair is hidden when both, or one, are */
        seen[1] = heed_formula_of(is_factored(o) ? "LogicalAnd" : "LogicalOr", seen[1],
                                  heed_formula("ExpandDims", "axis=2", mask, NULL));
    heed_symbol *a = heed_formula_weights(scores(b, o), seen, 2,
                                          o->corrected     ? HEED_HIDE_CORRECTED
                                          : is_factored(o) ? HEED_HIDE_FACTORED
                                                           : HEED_HIDE_PENALIZED);
    heed_symbol *y = heed_formula_matmul(a, x);
    if (o->attention_regularizer_weight > 0.0)
        y = regularized(b, o, y, a);
    b->outputs[0] = heed_formula_masked(y, mask);
    b->outputs[1] = a;
    b->output_count = o->return_attention ? 2 : 1;
    return HEED_OK;
}

/* ---- SeqWeightedAttention ---- */

heed_status heed_builtin_seq_weighted_attention(heed_builtin *b)
{
    const heed_seq_weighted_attention_config *o = heed_layer_config(b->layer);
    heed_symbol *x = b->inputs[0], *mask = b->masked[0] ? heed_formula_keys(heed_formula_mask(x)) : NULL;
    const heed_dense_manner manner = {.name = "score", .kernel_initializer = "uniform", .bias_initializer = "zeros"};
    heed_symbol *e = heed_formula_turned(heed_builtin_dense(b, x, 1, HEED_WHOLE(heed_builtin_weight(b, "W")),
                                                            HEED_WHOLE(heed_builtin_weight(b, "b")), &manner));
    if (mask != NULL && !o->corrected && strcmp(o->masking, "factor") != 0) {
        e = heed_formula_of("Add", e, heed_formula("Where", NULL, mask, "0.0, -10000.0"));
        mask = NULL;
    }
    heed_symbol *a = heed_formula_weights(e, &mask, 1, o->corrected ? HEED_HIDE_CORRECTED : HEED_HIDE_FACTORED);
    heed_shape features = {1, {heed_formula_features(x)}}, steps = {1, {-1}};
    b->outputs[0] = heed_apply(heed_reshape(.target_shape = features), heed_formula_matmul(a, x));
    if (!o->return_attention)
        return HEED_OK;
    b->outputs[b->output_count++] = heed_apply(heed_reshape(.target_shape = steps), a);
    return HEED_OK;
}

/* ---- ScaledDotProductAttention, with the scores so far or without ---- */

static heed_symbol *scaled_query(heed_builtin *b)
{
    double scale = 1.0 / sqrt((double)heed_formula_features(b->inputs[0]));
    return heed_apply(heed_rescaling(.scale = scale), b->inputs[0]);
}

/* From scores; which of the inputs is the key, and which the value. */
static heed_symbol *hidden_weights(heed_builtin *b, heed_symbol *e, int key, heed_hiding hiding)
{
    const heed_self_attention_scaled_dot_product_config *o = heed_layer_config(b->layer);
    heed_symbol *q = b->inputs[0], *k = b->inputs[key];
    heed_symbol *seen[] = {o->history_only ? heed_formula_window(q, k, INFINITY, 0.0) : NULL,
                           b->masked[key] ? heed_formula_keys(heed_formula_mask(k)) : NULL};
    return heed_formula_weights(e, seen, 2, o->corrected ? HEED_HIDE_CORRECTED : hiding);
}

static heed_symbol *with_query_mask(heed_builtin *b, heed_symbol *y)
{
    return b->masked[0] ? heed_formula_masked(y, heed_formula_mask(b->inputs[0])) : y;
}

heed_status heed_builtin_scaled_dot_product(heed_builtin *b)
{
    const heed_self_attention_scaled_dot_product_config *o = heed_layer_config(b->layer);
    int key = b->input_count == 1 ? 0 : 1, value = b->input_count == 1 ? 0 : 2;
    heed_symbol *q = scaled_query(b), *k = b->inputs[key], *v = b->inputs[value];
    if (!b->masked[0] && !b->masked[key] && !b->masked[value])
        return heed_builtin_attend(b, (heed_symbol *[]){q, v, k}, NULL, o->history_only, o->return_attention);
    heed_symbol *e = heed_formula_matmul(q, heed_formula_turned(k)), *a = hidden_weights(b, e, key, HEED_HIDE_COUNTED);
    b->outputs[0] = with_query_mask(b, heed_formula_matmul(a, v));
    b->outputs[1] = a;
    b->output_count = o->return_attention ? 2 : 1;
    return HEED_OK;
}

heed_status heed_builtin_residual_scaled_dot_product(heed_builtin *b)
{
    const heed_residual_scaled_dot_product_attention_config *o = heed_layer_config(b->layer);
    int key = b->input_count == 2 ? 0 : 1, value = b->input_count == 2 ? 0 : 2;
    heed_symbol *products = heed_formula_matmul(scaled_query(b), heed_formula_turned(b->inputs[key]));
    heed_symbol *e = heed_formula_of("Add", products, b->inputs[value + 1]);
    heed_symbol *a = hidden_weights(b, e, key, HEED_HIDE_PENALIZED);
    b->outputs[0] = with_query_mask(b, heed_formula_matmul(a, b->inputs[value]));
    b->outputs[1] = e;
    b->outputs[2] = a;
    b->output_count = o->return_attention ? 3 : 2;
    return HEED_OK;
}

/* ---- AttentionLayer ---- */

heed_status heed_builtin_attention_layer(heed_builtin *b)
{
    const heed_attention_layer_config *o = heed_layer_config(b->layer);
    heed_symbol *source = b->inputs[0], *states = b->inputs[1];
    const heed_dense_manner query = {.name = "query", .kernel_initializer = "uniform"},
                            key = {.name = "key", .kernel_initializer = "uniform"};
    const heed_variable *v = heed_builtin_weight(b, "V_a");
    int64_t units = heed_formula_features(source);
    heed_symbol *plain = b->masked[0] ? heed_formula_unmasked(source) : source;
    heed_symbol *q = heed_builtin_dense(b, b->masked[1] ? heed_formula_unmasked(states) : states, units,
                                        HEED_WHOLE(heed_builtin_weight(b, "U_a")), HEED_NO_WEIGHT, &query);
    heed_symbol *k = heed_builtin_dense(b, plain, units, HEED_WHOLE(heed_builtin_weight(b, "W_a")), HEED_NO_WEIGHT,
                                        &key);
    if (!o->corrected || !b->masked[0]) {
        HEED_TRY(heed_builtin_attend(b, (heed_symbol *[]){q, plain, k}, v, false, true));
    } else {
        heed_symbol *mask = heed_formula_keys(heed_formula_mask(source));
        heed_symbol *e = heed_builtin_additive_scores(b, q, k, HEED_WHOLE(v), HEED_NO_WEIGHT, NULL);
        b->outputs[1] = heed_formula_weights(e, &mask, 1, HEED_HIDE_CORRECTED);
        b->outputs[0] = heed_formula_matmul(b->outputs[1], plain);
        b->output_count = 2;
    }
    if (o->corrected && b->masked[1])
        b->outputs[0] = heed_formula_masked(b->outputs[0], heed_formula_mask(states));
    return HEED_OK;
}
