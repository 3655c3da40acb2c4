/* What keras-multi-head's description shows, in C; docs/collections.md has both side by side. Each piece is run. */
#include "snippets.h"

static heed_model *same_layer(heed_context *c)
{
    /* [One layer several times] */
    heed_model *m = heed_sequential(c, "five_lstms");
    heed_input(m, .dtype = HEED_INT32, .shape = {1, {STEPS}});
    heed_add(m, heed_embedding(.input_dim = 100, .output_dim = 20));
    heed_add(m, heed_multi_head(.layer = heed_lstm(.units = 32), .layer_num = 5));
    heed_add(m, heed_flatten());
    heed_add(m, heed_dense(.units = 4, .activation = "softmax"));
    heed_compile(m, .loss = "categorical_crossentropy");
    /* [end] */
    return m;
}

static heed_model *other_layers(heed_context *c)
{
    heed_model *m = heed_sequential(c, "three_widths");
    heed_input(m, .dtype = HEED_INT32, .shape = {1, {STEPS}});
    /* [Several layers] */
    heed_add(m, heed_embedding(.input_dim = 100, .output_dim = 20));
    heed_add(m, heed_multi_head(.layers = HEED_SPECS(heed_conv1d(.filters = 32, .kernel_size = 3, .padding = "same"),
                                                     heed_conv1d(.filters = 32, .kernel_size = 5, .padding = "same"),
                                                     heed_conv1d(.filters = 32, .kernel_size = 7, .padding = "same"))));
    /* [end] */
    return m;
}

static heed_model *projected(heed_context *c)
{
    heed_model *m = heed_sequential(c, "projected");
    heed_input(m, .shape = {2, {STEPS, 20}});
    /* [A projection for each] */
    heed_add(m, heed_multi_head(.layer = heed_gru(.units = 8), .layer_num = 3, .hidden_dim = 20));
    /* [end] */
    return m;
}

static heed_model *kept_apart(heed_context *c)
{
    /* [Heads that are to differ] */
    heed_model *m = heed_sequential(c, "kept_apart");
    heed_input(m, .dtype = HEED_INT32, .shape = {1, {STEPS}});
    heed_add(m, heed_embedding(.input_dim = 5, .output_dim = 3));
    heed_add(m, heed_multi_head(.layer = heed_bidirectional(heed_lstm(.units = 16)), .layer_num = 5,
                                .reg_index = HEED_DIMS(2, 1, 4), .reg_slice = ":, 32:48", .reg_factor = 0.1));
    heed_add(m, heed_flatten());
    heed_add(m, heed_dense(.units = 2, .activation = "softmax"));
    heed_compile(m, .loss = "categorical_crossentropy");
    /* [end] */
    return m;
}

static heed_model *attention(heed_context *c)
{
    /* [Attention with several heads] */
    heed_model *m = heed_functional(c, "self_attention");
    heed_symbol *x = heed_input(m, .shape = {2, {2, 3}});
    heed_outputs(m, heed_apply(heed_multi_head_multi_head_attention(.head_num = 3, .activation = "relu"), x));
    heed_compile(m, .optimizer = "adam", .loss = "mse");
    /* [end] */
    return m;
}

static heed_model *attention_of_three(heed_context *c)
{
    /* [Queries, keys and values] */
    heed_model *m = heed_functional(c, "attention");
    heed_symbol *q = heed_input(m, .name = "query", .shape = {2, {2, 3}});
    heed_symbol *k = heed_input(m, .name = "key", .shape = {2, {4, 5}});
    heed_symbol *v = heed_input(m, .name = "value", .shape = {2, {4, 6}});
    heed_outputs(m, heed_apply_to(heed_multi_head_multi_head_attention(.head_num = 3, .activation = "relu"), q, k, v));
    heed_compile(m, .optimizer = "adam", .loss = "mse");
    /* [end] */
    return m;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    bool good = try_out(same_layer(c), false) && try_out(other_layers(c), false) && try_out(projected(c), false) &&
                try_out(kept_apart(c), false) && try_out(attention(c), false) && try_out(attention_of_three(c), false);
    heed_context_free(c);
    return good ? 0 : 1;
}
