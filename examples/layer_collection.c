/* The layers of keras-layer-collection, in C; docs/collections.md has both side by side. Each piece is run. The collection's
 * two applications are transformer.c and captions.c. */
#include "snippets.h"

/* A model whose inputs are sequences of 6 steps and 8 features. */
static heed_model *sequences(heed_context *c, const char *name, heed_symbol **x, int count)
{
    heed_model *m = heed_functional(c, name);
    for (int i = 0; i < count; i++)
        x[i] = heed_input(m, .shape = {2, {STEPS, 8}});
    return m;
}

static heed_model *scaled_dot_product(heed_context *c)
{
    heed_symbol *x[3];
    heed_model *m = sequences(c, "scaled", x, 3);
    heed_symbol *q = x[0], *k = x[1], *v = x[2];
    /* [Scaled dot product] */
    heed_symbol *y = heed_apply_to(heed_layer_collection_scaled_dot_product(), q, k, v);
    /* [end] */
    heed_outputs(m, y);
    return m;
}

static heed_model *multi_head(heed_context *c)
{
    heed_symbol *x[3];
    heed_model *m = sequences(c, "heads", x, 3);
    heed_symbol *q = x[0], *k = x[1], *v = x[2];
    /* [Several heads] */
    heed_symbol *y = heed_layer_collection_multi_head_attention(q, k, v, .h = 4, .d_k = 2, .d_v = 2, .d_model = 8);
    /* [end] */
    heed_outputs(m, y);
    heed_compile(m, .loss = "mse");
    return m;
}

static heed_model *several(heed_context *c)
{
    heed_symbol *in[2];
    heed_model *m = sequences(c, "layers", in, 2);
    heed_symbol *x = in[0], *source = in[1];
    /* [Normalization] */
    heed_symbol *normalized = heed_apply(heed_layer_collection_layer_normalization(), x);
    /* [end] */
    /* [A sequence of queries attends to a source] */
    heed_symbol *y = heed_apply_to(heed_sequence_attention(.similarity = "multiplicative"), source, x);
    /* [end] */
    heed_outputs(m, normalized, y);
    heed_compile(m, .loss = "mse");
    return m;
}

static heed_model *wrapped(heed_context *c)
{
    heed_symbol *in[2];
    heed_model *m = sequences(c, "wrapped", in, 2);
    heed_symbol *x = in[0], *regions = in[1];
    /* [Any recurrent layer, attending to its own input] */
    heed_symbol *y = heed_apply(heed_attention_rnn_wrapper(heed_gru(.units = 16)), x);
    /* [end] */
    /* [Any recurrent layer, attending to something else] */
    heed_layer *layer = heed_make(m, heed_external_attention_rnn_wrapper(
        heed_lstm(.units = 16, .return_sequences = true, .return_state = true), .return_attention = true));
    heed_symbol *out[4]; /* all steps, the two states, the attention */
    heed_call_layer(layer, (heed_symbol *[]){x, regions}, 2, NULL, out, 4);
    /* [end] */
    heed_outputs(m, y, out[0], out[3]);
    heed_compile(m, .loss = "mse");
    return m;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    bool good = try_out(scaled_dot_product(c), false) && try_out(multi_head(c), false) && try_out(several(c), false) &&
                try_out(wrapped(c), false);
    heed_context_free(c);
    return good ? 0 : 1;
}
