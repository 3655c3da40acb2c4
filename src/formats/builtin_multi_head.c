/* keras-multi-head's layers by Keras' own. */
#include "formats/builtin.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- MultiHeadAttention ---- */

typedef heed_multi_head_multi_head_attention_config options;
enum { QUERY, KEY, VALUE, OUTPUT, PROJECTIONS };

static const char *const weights[PROJECTIONS][2] = {{"Wq", "bq"}, {"Wk", "bk"}, {"Wv", "bv"}, {"Wo", "bo"}};

static bool is_linear(const options *o) { return o->activation == NULL || strcmp(o->activation, "linear") == 0; }

/* Keras' layer has no activation; its projections are these ones, cut into heads. */
static heed_status attend_linearly(heed_builtin *b, const options *o, heed_symbol *const query_value_key[3],
                                   int64_t width)
{
    heed_spec spec = heed_multi_head_attention(.num_heads = o->head_num, .key_dim = (int)(width / o->head_num),
                                               .use_bias = o->use_bias, .output_shape = {1, {width}},
                                               HEED_MANNER_OF(o));
    heed_layer *attention = heed_make(b->model, spec);
    const char *keywords = o->history_only ? "use_causal_mask=True" : NULL;
    if (attention != NULL)
        b->outputs[0] = heed_call_layer(attention, query_value_key, 3, keywords, NULL, 0);
    for (int i = 0, at = 0; i < PROJECTIONS; i++)
        for (int j = 0; j < 1 + o->use_bias; j++)
            HEED_TRY(heed_builtin_fill(b, attention, at++, HEED_WHOLE(heed_builtin_weight(b, weights[i][j]))));
    return HEED_OK;
}

static heed_symbol *project(heed_builtin *b, int which, heed_symbol *x, int64_t width)
{
    static const char *const names[PROJECTIONS] = {"query", "key", "value", "attention_output"};
    const options *o = heed_layer_config(b->layer);
    const heed_dense_manner manner = {.name = names[which], .activation = o->activation, HEED_MANNER_OF(o)};
    return heed_builtin_dense(b, x, width, HEED_WHOLE(heed_builtin_weight(b, weights[which][0])),
                              HEED_WHOLE(heed_builtin_weight(b, weights[which][1])), &manner);
}

/* (B, T, n d) to (B, n, T, d), or for keys (B, n, d, T). */
static heed_symbol *split(heed_symbol *x, int64_t heads, int64_t size, bool turned)
{
    heed_shape shape = {3, {-1, heads, size}}, order = turned ? (heed_shape){3, {2, 3, 1}} : (heed_shape){3, {2, 1, 3}};
    return heed_apply(heed_permute(.dims = order), heed_apply(heed_reshape(.target_shape = shape), x));
}

static heed_symbol *joined(heed_symbol *x, int64_t width)
{
    heed_shape order = {3, {2, 1, 3}}, shape = {2, {-1, width}};
    return heed_apply(heed_reshape(.target_shape = shape), heed_apply(heed_permute(.dims = order), x));
}

/* For all heads: (B, Tq, Tk) to (B, 1, Tq, Tk). */
static heed_symbol *for_heads(heed_symbol *seen) { return heed_formula("ExpandDims", "axis=1", seen, NULL); }

heed_status heed_builtin_multi_head_attention(heed_builtin *b)
{
    const options *o = heed_layer_config(b->layer);
    int key = b->input_count == 1 ? 0 : KEY, value = b->input_count == 1 ? 0 : VALUE;
    heed_symbol *q = b->inputs[0], *k = b->inputs[key], *v = b->inputs[value];
    int64_t width = heed_formula_features(v), size = width / o->head_num;
    if (!b->masked[0] && !b->masked[key] && !b->masked[value] && is_linear(o))
        return attend_linearly(b, o, (heed_symbol *[]){q, v, k}, width);
    heed_symbol *heads[] = {split(project(b, QUERY, q, width), o->head_num, size, false),
                            split(project(b, KEY, k, width), o->head_num, size, true),
                            split(project(b, VALUE, v, width), o->head_num, size, false)};
    heed_symbol *e = heed_formula_matmul(heed_apply(heed_rescaling(.scale = 1.0 / sqrt((double)size)), heads[QUERY]),
                                         heads[KEY]);
    heed_symbol *seen[] = {o->history_only ? for_heads(heed_formula_window(q, k, INFINITY, 0.0)) : NULL,
                           b->masked[key] ? for_heads(heed_formula_keys(heed_formula_mask(k))) : NULL};
    heed_symbol *a = heed_formula_weights(e, seen, 2, o->corrected ? HEED_HIDE_CORRECTED : HEED_HIDE_COUNTED);
    heed_symbol *y = project(b, OUTPUT, joined(heed_formula_matmul(a, heads[VALUE]), width), width);
    b->outputs[0] = b->masked[0] ? heed_formula_masked(y, heed_formula_mask(q)) : y;
    return HEED_OK;
}

/* ---- MultiHead ---- */

/* Head k's share of the projection; the input itself where there is none. */
static heed_symbol *seen_by_head(heed_builtin *b, const heed_multi_head_config *o, int head)
{
    const heed_variable *w = heed_builtin_weight(b, "W"), *bias = heed_builtin_weight(b, "b");
    int64_t from = head * (int64_t)o->hidden_dim, size = o->hidden_dim;
    char name[32];
    snprintf(name, sizeof name, "projection_%d", head + 1);
    const heed_dense_manner manner = {.name = name, .kernel_initializer = "uniform", .bias_initializer = "zeros"};
    return w == NULL ? b->inputs[0]
                     : heed_builtin_dense(b, b->inputs[0], size, (heed_weight_part){w, 0, 0, from, size},
                                          (heed_weight_part){bias, 0, 0, from, size}, &manner);
}

static heed_status run_head(heed_builtin *b, const heed_multi_head_config *o, int head, heed_symbol **out)
{
    heed_symbol *x = seen_by_head(b, o, head);
    heed_layer *layer;
    HEED_TRY(heed_model_status(b->model));
    heed_builtin_call call = {b->target, 1, {x->shape}, {x->dtype}, {b->masked[0]}};
    HEED_TRY(heed_builtin_layer(b->layer->children[head].layer, &call, &layer));
    *out = heed_call_layer(layer, &x, 1, NULL, NULL, 0);
    heed_layer_release(layer);
    return heed_model_status(b->model);
}

heed_status heed_builtin_multi_head(heed_builtin *b)
{
    const heed_multi_head_config *o = heed_layer_config(b->layer);
    int heads = (int)b->layer->child_count;
    heed_symbol *outputs[HEED_MAX_OUTPUTS], *mask = NULL;
    if (heads > HEED_MAX_OUTPUTS)
        return heed_builtin_refuse(b, "it has too many heads to write them one by one");
    if (o->corrected && o->reg_factor > 0.0 && o->reg_index.rank > 0)
        return heed_builtin_refuse(b, "reg_factor keeps the heads apart by a term of the loss that sees all of them");
    for (int i = 0; i < heads; i++) {
        HEED_TRY(run_head(b, o, i, &outputs[i]));
        if (i == 0 && outputs[0]->masked)
            mask = heed_formula_mask(outputs[0]);
        outputs[i] = heed_formula("ExpandDims", "axis=-1", outputs[i], NULL);
    }
    heed_symbol *all = heads == 1 ? outputs[0] : heed_apply_list(heed_concatenate(), outputs, heads);
    b->outputs[0] = heed_formula_masked(all, mask);
    return HEED_OK;
}
