/* The model of the recipe gru-attention, of Keras' own layers, and the two halves of it that decode. */
#include "seq2seq/decoding_layers.h"
#include "seq2seq/recipe.h"

#include "heed/layers.h"

#define GRU_ATTENTION_SETTINGS(X, config)                                                                              \
    HEED_RECIPE_SETTINGS(X, config)                                                                                    \
    X(config, INT, embedding, 64, "[1,)", "size of the source's token vectors")                                        \
    X(config, INT, target_embedding, 32, "[1,)", "size of the target's token vectors")                                 \
    X(config, INT, units, 128, "[1,)", "state of each direction of the encoder; the decoder's has twice as many")      \
    X(config, TEXT, attention, "additive", "additive|dot", "how decoder and encoder states are compared")              \
    X(config, INT, output_units, 128, "[1,)", "units between attention and the output layer")                          \
    X(config, FLOAT, dropout, 0.0, "[0,1)", "of the token vectors and before the output layer")
typedef struct gru_attention_settings { GRU_ATTENTION_SETTINGS(HEED_OPTION_FIELD, ) } gru_attention_settings;

/* Layers by name: how the decoding halves find them again, in a model just made or read from a file. */
#define SOURCE_EMBEDDING "source_embedding"
#define TARGET_EMBEDDING "target_embedding"
#define ENCODER "encoder"
#define ENCODER_STATE "encoder_state"
#define DECODER "decoder"
#define ATTENTION "attention"
#define JOIN "attended"
#define COMBINE "combine"
#define OUTPUT "output"

static const char with_weights[] = "return_attention_scores=True";

static heed_symbol *drop(heed_symbol *x, double rate)
{
    return rate > 0 ? heed_apply(heed_dropout(.rate = rate), x) : x;
}

/* A recurrent layer with its states, from one where there is one; returns the sequence. */
static heed_symbol *run(heed_layer *layer, heed_symbol *x, heed_symbol *initial, heed_symbol **outputs, int count)
{
    heed_symbol *inputs[] = {x, initial};
    return heed_call_layer(layer, inputs, initial == NULL ? 1 : 2, NULL, outputs, count);
}

static heed_symbol *attend(heed_layer *layer, heed_symbol *query, heed_symbol *memory, heed_symbol **weights)
{
    heed_symbol *outputs[2] = {NULL};
    heed_call_layer(layer, (heed_symbol *[]){query, memory}, 2, with_weights, outputs, 2);
    *weights = outputs[1];
    return outputs[0];
}

static heed_layer *attention_layer(heed_model *m, const gru_attention_settings *s)
{
    if (s->attention[0] == 'a')
        return heed_make(m, heed_additive_attention(.name = ATTENTION));
    return heed_make(m, heed_attention(.name = ATTENTION, .use_scale = true));
}

static heed_status wire(heed_model *m, const void *settings, int32_t source_size, int32_t target_size,
                        heed_symbol **out)
{
    const gru_attention_settings *s = settings;
    heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *target = heed_input(m, .name = "target", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});

    heed_symbol *x = heed_apply(heed_embedding(.name = SOURCE_EMBEDDING, .input_dim = source_size,
                                               .output_dim = s->embedding, .mask_zero = true),
                                source);
    heed_layer *encoder =
        heed_make(m, heed_bidirectional(heed_gru(.units = s->units, .return_sequences = true, .return_state = true),
                                        .name = ENCODER));
    heed_symbol *read[3] = {NULL};
    run(encoder, drop(x, s->dropout), NULL, read, 3);
    heed_symbol *state = heed_apply_to(heed_concatenate(.name = ENCODER_STATE), read[1], read[2]);

    heed_symbol *y = heed_apply(heed_embedding(.name = TARGET_EMBEDDING, .input_dim = target_size,
                                               .output_dim = s->target_embedding, .mask_zero = true), target);
    heed_layer *decoder =
        heed_make(m, heed_gru(.name = DECODER, .units = 2 * s->units, .return_sequences = true, .return_state = true));
    heed_symbol *written[2] = {NULL}, *weights;
    run(decoder, drop(y, s->dropout), state, written, 2);
    heed_symbol *attended = attend(attention_layer(m, s), written[0], read[0], &weights);
    heed_symbol *both = heed_apply_to(heed_concatenate(.name = JOIN), written[0], attended);
    heed_symbol *h = heed_apply(heed_dense(.name = COMBINE, .units = s->output_units, .activation = "tanh"), both);
    *out = heed_apply(heed_dense(.name = OUTPUT, .units = target_size, .activation = "softmax"), drop(h, s->dropout));
    return HEED_OK;
}

/* ---- decoding */

static heed_status wire_encoder(heed_model *trained, heed_model *m)
{
    heed_layer *embedding, *encoder, *join;
    HEED_TRY(heed_recipe_find_layer(trained, SOURCE_EMBEDDING, &embedding));
    HEED_TRY(heed_recipe_find_layer(trained, ENCODER, &encoder));
    HEED_TRY(heed_recipe_find_layer(trained, ENCODER_STATE, &join));
    heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *read[3] = {NULL};
    run(encoder, heed_recipe_call(embedding, source, NULL), NULL, read, 3);
    return heed_outputs(m, read[0], heed_recipe_call(join, read[1], read[2]));
}

static heed_status wire_step(heed_model *trained, const heed_model *encoder, bool with, heed_model *m)
{
    heed_layer *embedding, *decoder, *attention, *join, *combine, *output;
    HEED_TRY(heed_recipe_find_layer(trained, TARGET_EMBEDDING, &embedding));
    HEED_TRY(heed_recipe_find_layer(trained, DECODER, &decoder));
    HEED_TRY(heed_recipe_find_layer(trained, ATTENTION, &attention));
    HEED_TRY(heed_recipe_find_layer(trained, JOIN, &join));
    HEED_TRY(heed_recipe_find_layer(trained, COMBINE, &combine));
    HEED_TRY(heed_recipe_find_layer(trained, OUTPUT, &output));
    int64_t size = heed_model_output_shape(encoder, 1)->dims[1];
    heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *memory = heed_input(m, .name = "memory", .shape = {2, {HEED_ANY, size}});
    heed_symbol *token = heed_input(m, .name = "token", .dtype = HEED_INT32, .shape = {1, {1}});
    heed_symbol *state = heed_input(m, .name = "state", .shape = {1, {size}});

    heed_symbol *masked = heed_apply_to(heed_with_padding(), memory, source);
    heed_symbol *written[2] = {NULL}, *weights;
    run(decoder, heed_recipe_call(embedding, token, NULL), state, written, 2);
    heed_symbol *query = heed_apply_to(heed_by_sentence(), written[0], memory);
    heed_symbol *attended = heed_apply(heed_by_row(), attend(attention, query, masked, &weights));
    heed_symbol *both = heed_recipe_call(join, written[0], attended);
    heed_symbol *p = heed_recipe_call(output, heed_recipe_call(combine, both, NULL), NULL);
    return with ? heed_outputs(m, p, written[1], heed_apply(heed_by_row(), weights)) : heed_outputs(m, p, written[1]);
}

static heed_status wire_decoding(heed_model *trained, const void *settings, bool weights, heed_decoding_models *out)
{
    out->memory_count = out->state_count = 1;
    HEED_TRY(wire_encoder(trained, out->encoder));
    return wire_step(trained, out->encoder, weights, out->step);
}

const heed_recipe_kind heed_gru_attention_kind = {
    .name = "gru-attention",
    HEED_RECIPE_OPTIONS(gru_attention_settings, GRU_ATTENTION_SETTINGS),
    .wire = wire,
    .wire_decoding = wire_decoding,
};
