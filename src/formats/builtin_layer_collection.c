/* keras-layer-collection's layers by Keras' own. */
#include "formats/builtin.h"

#include <math.h>
#include <string.h>

/* ---- ScaledDotProductAttention ---- */

heed_status heed_builtin_collection_scaled_dot_product(heed_builtin *b)
{
    const heed_layer_collection_scaled_dot_product_config *o = heed_layer_config(b->layer);
    heed_symbol *sequences[3], *seen[2] = {NULL};
    for (int i = 0; i < 3; i++)
        sequences[i] = b->masked[i] ? heed_formula_unmasked(b->inputs[i]) : b->inputs[i];
    heed_symbol *q = heed_apply(heed_rescaling(.scale = 1.0 / sqrt((double)heed_formula_features(sequences[0]))),
                                sequences[0]);
    if (b->input_count == 4)
        seen[0] = heed_formula("Cast", "dtype='bool'", b->inputs[3], NULL);
    if (o->corrected && b->masked[1])
        seen[1] = heed_formula_keys(heed_formula_mask(b->inputs[1]));
    if (seen[0] == NULL && seen[1] == NULL) {
        HEED_TRY(heed_builtin_attend(b, (heed_symbol *[]){q, sequences[2], sequences[1]}, NULL, false,
                                     o->return_attention));
    } else {
        heed_symbol *e = heed_formula_matmul(q, heed_formula_turned(sequences[1]));
        b->outputs[1] = heed_formula_weights(e, seen, 2, o->corrected ? HEED_HIDE_CORRECTED : HEED_HIDE_EVEN);
        b->outputs[0] = heed_formula_matmul(b->outputs[1], sequences[2]);
        b->output_count = o->return_attention ? 2 : 1;
    }
    if (o->corrected && b->masked[0])
        b->outputs[0] = heed_formula_masked(b->outputs[0], heed_formula_mask(b->inputs[0]));
    return HEED_OK;
}

/* ---- LayerNormalization ---- */

/* The collection adds epsilon to the deviation, Keras its square to the variance: the same but for deviations as small
 * as epsilon, where they differ by up to the root of 2. */
heed_status heed_builtin_collection_layer_normalization(heed_builtin *b)
{
    const heed_layer_collection_layer_normalization_config *o = heed_layer_config(b->layer);
    if (o->epsilon > 1e-7)
        return heed_builtin_refuse(b, "its epsilon counts, and is added to the deviation; Keras adds it to the variance");
    heed_layer *layer = heed_make(b->model, heed_layer_normalization(.epsilon = o->epsilon * o->epsilon));
    if (layer != NULL)
        b->outputs[0] = heed_call_layer(layer, b->inputs, 1, NULL, NULL, 0);
    HEED_TRY(heed_builtin_fill(b, layer, 0, HEED_WHOLE(heed_builtin_weight(b, "gain"))));
    return heed_builtin_fill(b, layer, 1, HEED_WHOLE(heed_builtin_weight(b, "bias")));
}

/* ---- SequenceAttention ---- */

static heed_symbol *part(heed_builtin *b, heed_symbol *x, const char *name, const heed_variable *w, int64_t row)
{
    const heed_sequence_attention_config *o = heed_layer_config(b->layer);
    const heed_dense_manner manner = {.name = name, .kernel_initializer = o->kernel_initializer};
    return heed_builtin_dense(b, x, w->shape.dims[1], (heed_weight_part){w, row, heed_formula_features(x), 0, 0},
                              HEED_NO_WEIGHT, &manner);
}

/* As first written: scores that no query has a part in, one for each step of the source. */
static heed_symbol *scores_by_step(heed_builtin *b, heed_symbol *source, heed_symbol *query, const heed_variable *w,
                                   const heed_variable *v)
{
    heed_symbol *sums = heed_formula_of("Add", part(b, source, "source", w, 0),
                                        part(b, query, "query", w, heed_formula_features(source)));
    heed_symbol *e = heed_builtin_dense(b, heed_formula("Tanh", NULL, sums, NULL), 1, HEED_WHOLE(v), HEED_NO_WEIGHT,
                                        NULL);
    return heed_formula_turned(e);
}

heed_status heed_builtin_sequence_attention(heed_builtin *b)
{
    const heed_sequence_attention_config *o = heed_layer_config(b->layer);
    const heed_variable *w = heed_builtin_weight(b, "w_a"), *v = heed_builtin_weight(b, "v_a");
    heed_symbol *source = b->inputs[0], *query = b->inputs[1];
    heed_symbol *mask = o->corrected && b->masked[0] ? heed_formula_keys(heed_formula_mask(source)) : NULL, *e;
    if (v == NULL)
        e = heed_formula_matmul(part(b, query, "query", w, 0), heed_formula_turned(source));
    else if (o->corrected)
        e = heed_builtin_additive_scores(b, part(b, query, "query", w, heed_formula_features(source)),
                                         part(b, source, "source", w, 0), HEED_WHOLE(v), HEED_NO_WEIGHT, NULL);
    else
        e = scores_by_step(b, source, query, w, v);
    heed_symbol *a = heed_formula_weights(e, &mask, 1, HEED_HIDE_CORRECTED), *y;
    if (o->corrected)
        y = heed_formula_matmul(a, source);
    else if (v == NULL)
        y = heed_formula_matmul(heed_formula_turned(a), source);
    else
        y = heed_formula_matmul(heed_formula_turned(a), heed_formula("Sum", "axis=1, keepdims=True", source, NULL));
    b->outputs[0] = o->corrected && b->masked[1] ? heed_formula_masked(y, heed_formula_mask(query)) : y;
    return HEED_OK;
}

/* ---- AttentionRNNWrapper and ExternalAttentionRNNWrapper ---- */

/* Without tanh, the state adds the same to every score: all steps attend alike. (B, 1, L) */
static heed_symbol *attention_of_all_steps(heed_builtin *b, heed_symbol *source, int64_t features,
                                           const heed_dense_manner *manner)
{
    heed_symbol *keys = heed_builtin_dense(b, source, features, HEED_WHOLE(heed_builtin_weight(b, "W1")),
                                           HEED_WHOLE(heed_builtin_weight(b, "b2")), manner);
    heed_symbol *e = heed_builtin_dense(b, keys, 1, HEED_WHOLE(heed_builtin_weight(b, "V")), HEED_NO_WEIGHT, manner);
    return heed_formula_softmax(heed_formula_turned(e));
}

/* The recurrent layer, on x and what is attended to. */
static heed_status run_recurrence(heed_builtin *b, heed_symbol *x, int first_state)
{
    heed_layer *layer = b->layer->children[0].layer;
    heed_symbol *inputs[HEED_MAX_OUTPUTS] = {x};
    int count = 1;
    for (int i = first_state; i < b->input_count; i++)
        inputs[count++] = b->inputs[i];
    heed_wire *w = heed_wire_layer(b->model, layer, inputs, NULL, count, NULL);
    if (w == NULL)
        return heed_model_status(b->model);
    for (b->output_count = 0; b->output_count < w->output_count; b->output_count++)
        b->outputs[b->output_count] = w->outputs[b->output_count];
    return HEED_OK;
}

heed_status heed_builtin_attention_rnn(heed_builtin *b)
{
    /* the other one's begins alike */
    const heed_external_attention_rnn_wrapper_config *o = heed_layer_config(b->layer);
    bool external = b->layer->layer_class == &heed_external_attention_rnn_wrapper_class;
    const heed_dense_manner manner = {.kernel_initializer = o->weight_initializer,
                                      .bias_initializer = o->weight_initializer};
    heed_symbol *x = b->inputs[0], *source = b->inputs[external];
    const heed_variable *w3 = heed_builtin_weight(b, "W3");
    int64_t features = heed_formula_features(x);
    if (o->corrected)
        return heed_builtin_refuse(b, "each step attends by the state of the step before");
    heed_symbol *a = attention_of_all_steps(b, source, features, &manner), *seen = heed_formula_matmul(a, source);
    heed_symbol *own = heed_builtin_dense(b, x, features, (heed_weight_part){w3, 0, features, 0, 0},
                                          HEED_WHOLE(heed_builtin_weight(b, "b3")), &manner);
    heed_weight_part of_seen = {w3, features, heed_formula_features(source), 0, 0};
    heed_symbol *both = heed_formula_of("Add", own,
                                        heed_builtin_dense(b, seen, features, of_seen, HEED_NO_WEIGHT, &manner));
    heed_symbol *input = b->masked[0] ? heed_formula_masked(both, heed_formula_mask(x)) : both;
    HEED_TRY(run_recurrence(b, input, 1 + external));
    if (external && o->return_attention) {
        heed_symbol *column = heed_formula("Max", "axis=-1, keepdims=True", x, NULL);
        b->outputs[b->output_count++] = heed_formula_matmul(heed_formula("OnesLike", NULL, column, NULL), a);
    }
    return HEED_OK;
}
