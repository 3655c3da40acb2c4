/* datalogue's AttentionDecoder, in C, as the descriptions of LSTM_Attention use it: a decoder that reads the whole sequence at
 * each of its steps. docs/collections.md has this beside Python. Each piece is run. */
#include "snippets.h"

enum { CHARACTERS = 30, DIGITS = 12 };

static heed_model *encoder_decoder(heed_context *c)
{
    /* [Encoder and decoder] */
    heed_model *m = heed_sequential(c, "encoder_decoder");
    heed_input(m, .shape = {2, {STEPS, 50}});
    heed_add(m, heed_lstm(.units = 64, .return_sequences = true));
    heed_add(m, heed_attention_decoder(.units = 64, .output_dim = 50));
    heed_compile(m, .optimizer = "adam", .loss = "categorical_crossentropy", .metrics = {"accuracy"});
    /* [end] */
    return m;
}

static heed_model *dates(heed_context *c, bool probabilities)
{
    /* [The translator of dates, and the same showing where it looks] */
    heed_model *m = heed_functional(c, probabilities ? "looks" : "dates");
    heed_symbol *text = heed_input(m, .dtype = HEED_INT32, .shape = {1, {20}});
    heed_symbol *h = heed_apply(heed_embedding(.input_dim = CHARACTERS, .output_dim = 32), text);
    h = heed_apply(heed_bidirectional(heed_lstm(.units = 32, .return_sequences = true)), h);
    h = heed_apply(heed_attention_decoder(.units = 32, .output_dim = DIGITS, .return_probabilities = probabilities), h);
    heed_outputs(m, h);
    /* [end] */
    if (!probabilities)
        heed_compile(m, .optimizer = "adam", .loss = "categorical_crossentropy");
    return m;
}

static heed_model *as_first_written(heed_context *c)
{
    heed_model *m = heed_sequential(c, "as_first_written");
    heed_input(m, .shape = {2, {STEPS, 8}});
    /* [As first written] */
    heed_add(m, heed_attention_decoder(.units = 16, .output_dim = 5, .corrected = false));
    /* [end] */
    return m;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    bool good = try_out(encoder_decoder(c), false) && try_out(dates(c, false), false) && try_out(dates(c, true), false) &&
                try_out(as_first_written(c), false);
    heed_context_free(c);
    return good ? 0 : 1;
}
