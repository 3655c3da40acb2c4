/* What keras-self-attention's description shows, in C; docs/collections.md has both side by side. Each piece is run. */
#include "snippets.h"

static heed_model *whole_model(heed_context *c)
{
    /* [A tagger whose every step attends to all] */
    heed_model *m = heed_sequential(c, "tagger");
    heed_input(m, .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_add(m, heed_embedding(.input_dim = 10000, .output_dim = 300, .mask_zero = true));
    heed_add(m, heed_bidirectional(heed_lstm(.units = 128, .return_sequences = true)));
    heed_add(m, heed_seq_self_attention(.attention_activation = "sigmoid"));
    heed_add(m, heed_dense(.units = 5));
    heed_compile(m, .optimizer = "adam", .loss = "categorical_crossentropy", .metrics = {"categorical_accuracy"});
    /* [end] */
    return m;
}

/* A model that begins with a sequence of 8 features. */
static heed_model *sequence_of(heed_context *c, const char *name)
{
    heed_model *m = heed_sequential(c, name);
    heed_input(m, .shape = {2, {HEED_ANY, 8}});
    return m;
}

static heed_model *local(heed_context *c)
{
    heed_model *m = sequence_of(c, "local");
    /* [Local attention] */
    heed_add(m, heed_seq_self_attention(.attention_width = 15, .attention_activation = "sigmoid", .name = "near"));
    /* [end] */
    return m;
}

static heed_model *multiplicative(heed_context *c)
{
    heed_model *m = sequence_of(c, "multiplicative");
    /* [Multiplicative attention] */
    heed_add(m, heed_seq_self_attention(.attention_width = 15, .attention_type = "multiplicative",
                                        .kernel_regularizer = "l2(1e-6)", .use_attention_bias = false));
    /* [end] */
    return m;
}

static heed_model *history(heed_context *c)
{
    heed_model *m = sequence_of(c, "history");
    /* [Nothing but the past] */
    heed_add(m, heed_seq_self_attention(.attention_width = 3, .history_only = true));
    /* [end] */
    return m;
}

static heed_model *regularized(heed_context *c)
{
    /* [Steps that are to attend to different things] */
    heed_model *m = heed_functional(c, "regularized");
    heed_symbol *words = heed_input(m, .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *h = heed_apply(heed_embedding(.input_dim = 32, .output_dim = 16, .mask_zero = true), words);
    h = heed_apply(heed_bidirectional(heed_lstm(.units = 16, .return_sequences = true)), h);
    h = heed_apply(heed_seq_self_attention(.attention_type = "multiplicative", .kernel_regularizer = "l2(1e-4)",
                                           .bias_regularizer = "l1(1e-4)", .attention_regularizer_weight = 1e-4), h);
    heed_outputs(m, heed_apply(heed_dense(.units = 5, .name = "tags"), h));
    heed_compile(m, .loss = "sparse_categorical_crossentropy", .metrics = {"sparse_categorical_accuracy"});
    /* [end] */
    return m;
}

static heed_model *weighted(heed_context *c)
{
    heed_model *m = sequence_of(c, "weighted");
    /* [A sequence as its weighted mean] */
    heed_add(m, heed_seq_weighted_attention());
    /* [end] */
    return m;
}

static heed_model *realformer(heed_context *c)
{
    heed_model *m = heed_functional(c, "realformer");
    heed_symbol *x = heed_input(m, .shape = {2, {STEPS, 8}}), *scores = heed_input(m, .shape = {2, {STEPS, STEPS}});
    /* [Scores that go on from layer to layer] */
    heed_layer *layer = heed_make(m, heed_residual_scaled_dot_product_attention(.history_only = true));
    heed_symbol *outputs[2];
    heed_call_layer(layer, (heed_symbol *[]){x, scores}, 2, NULL, outputs, 2);
    /* [end] */
    heed_outputs_list(m, outputs, 2);
    return m;
}

static heed_model *loaded(heed_context *c)
{
    heed_model *saved = whole_model(c), *m = NULL;
    if (heed_save(saved, "self_attention.keras") != HEED_OK)
        fprintf(stderr, "%s\n", heed_error(c));
    heed_model_free(saved);
    /* [Loading: the layers are known] */
    heed_load(c, "self_attention.keras", &m);
    /* [end] */
    return m;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    bool good = try_out(whole_model(c), false) && try_out(local(c), false) && try_out(multiplicative(c), false) &&
                try_out(history(c), false) && try_out(regularized(c), true) && try_out(weighted(c), false) &&
                try_out(realformer(c), false) && try_out(loaded(c), false);
    heed_context_free(c);
    return good ? 0 : 1;
}
