/* The model of the recipe gru-attention, of Keras' own layers, and the two halves of it that decode. */
#include "seq2seq/recipe.h"

#include "heed/layers.h"

#include <stdio.h>

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

static heed_symbol *call(heed_layer *layer, heed_symbol *a, heed_symbol *b, const char *keywords, heed_symbol **outputs, int count)
{
    heed_symbol *inputs[] = {a, b};
    return heed_call_layer(layer, inputs, b == NULL ? 1 : 2, keywords, outputs, count);
}

static heed_layer *attention_layer(heed_model *m, const heed_recipe_settings *s)
{
    if (s->attention[0] == 'a')
        return heed_make(m, heed_additive_attention(.name = ATTENTION));
    return heed_make(m, heed_attention(.name = ATTENTION, .use_scale = true));
}

static heed_status compile(heed_model *m, const heed_recipe_settings *s)
{
    char optimizer[128];
    snprintf(optimizer, sizeof optimizer, "adam(learning_rate=%.9g, global_clipnorm=%.9g)", s->learning_rate, s->clip_norm);
    return heed_compile(m, .optimizer = optimizer, .loss = "sparse_categorical_crossentropy");
}

heed_status heed_recipe_build(heed_context *c, const heed_recipe_settings *s, int32_t source_size, int32_t target_size,
                              heed_model **out)
{
    heed_model *m = heed_functional(c, "translator");
    heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *target = heed_input(m, .name = "target", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});

    heed_symbol *x = heed_apply(heed_embedding(.name = SOURCE_EMBEDDING, .input_dim = source_size, .output_dim = s->embedding,
                                               .mask_zero = true), source);
    heed_layer *encoder = heed_make(m, heed_bidirectional(heed_gru(.units = s->units, .return_sequences = true, .return_state = true),
                                                          .name = ENCODER));
    heed_symbol *read[3] = {NULL};
    call(encoder, drop(x, s->dropout), NULL, NULL, read, 3);
    heed_symbol *state = heed_apply_to(heed_concatenate(.name = ENCODER_STATE), read[1], read[2]);

    heed_symbol *y = heed_apply(heed_embedding(.name = TARGET_EMBEDDING, .input_dim = target_size,
                                               .output_dim = s->target_embedding, .mask_zero = true), target);
    heed_layer *decoder = heed_make(m, heed_gru(.name = DECODER, .units = 2 * s->units, .return_sequences = true, .return_state = true));
    heed_symbol *written[2] = {NULL}, *attended[2] = {NULL};
    call(decoder, drop(y, s->dropout), state, NULL, written, 2);
    call(attention_layer(m, s), written[0], read[0], with_weights, attended, 2);
    heed_symbol *both = heed_apply_to(heed_concatenate(.name = JOIN), written[0], attended[0]);
    heed_symbol *h = heed_apply(heed_dense(.name = COMBINE, .units = s->output_units, .activation = "tanh"), both);
    heed_symbol *p = heed_apply(heed_dense(.name = OUTPUT, .units = target_size, .activation = "softmax"), drop(h, s->dropout));
    heed_status status = heed_outputs(m, p);
    if (status == HEED_OK)
        status = compile(m, s);
    if (status != HEED_OK) {
        heed_model_free(m);
        m = NULL;
    }
    *out = m;
    return status;
}

/* ---- decoding */

static heed_status find(heed_model *m, const char *name, heed_layer **out)
{
    *out = heed_model_find_layer(m, name);
    return *out != NULL ? HEED_OK
                        : heed_fail(heed_model_context(m), HEED_EFORMAT, "%s: no layer '%s', which a translator has",
                                    heed_model_name(m), name);
}

static heed_status make_encoder(heed_model *trained, heed_model **out)
{
    heed_layer *embedding, *encoder, *join;
    HEED_TRY(find(trained, SOURCE_EMBEDDING, &embedding));
    HEED_TRY(find(trained, ENCODER, &encoder));
    HEED_TRY(find(trained, ENCODER_STATE, &join));
    heed_model *m = *out = heed_functional(heed_model_context(trained), "encoder");
    heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *read[3] = {NULL};
    call(encoder, call(embedding, source, NULL, NULL, NULL, 1), NULL, NULL, read, 3);
    return heed_outputs(m, read[0], call(join, read[1], read[2], NULL, NULL, 1));
}

static heed_status make_step(heed_model *trained, int64_t size, heed_model **out)
{
    heed_layer *embedding, *decoder, *attention, *join, *combine, *output;
    HEED_TRY(find(trained, TARGET_EMBEDDING, &embedding));
    HEED_TRY(find(trained, DECODER, &decoder));
    HEED_TRY(find(trained, ATTENTION, &attention));
    HEED_TRY(find(trained, JOIN, &join));
    HEED_TRY(find(trained, COMBINE, &combine));
    HEED_TRY(find(trained, OUTPUT, &output));
    heed_model *m = *out = heed_functional(heed_model_context(trained), "decoder_step");
    heed_symbol *memory = heed_input(m, .name = "memory", .shape = {2, {HEED_ANY, size}});
    heed_symbol *token = heed_input(m, .name = "token", .dtype = HEED_INT32, .shape = {1, {1}});
    heed_symbol *state = heed_input(m, .name = "state", .shape = {1, {size}});
    /* a bidirectional layer's outputs are zeros at the padding, and practically nowhere else */
    heed_symbol *masked = heed_apply(heed_masking(.mask_value = 0), memory);
    heed_symbol *written[2] = {NULL}, *attended[2] = {NULL};
    call(decoder, call(embedding, token, NULL, NULL, NULL, 1), state, NULL, written, 2);
    call(attention, written[0], masked, with_weights, attended, 2);
    heed_symbol *both = call(join, written[0], attended[0], NULL, NULL, 1);
    heed_symbol *p = call(output, call(combine, both, NULL, NULL, NULL, 1), NULL, NULL, NULL, 1);
    return heed_outputs(m, p, attended[1], written[1]);
}

heed_status heed_recipe_decoding_models(heed_model *trained, heed_decoding_models *out)
{
    *out = (heed_decoding_models){0};
    heed_status status = make_encoder(trained, &out->encoder);
    if (status == HEED_OK) {
        const heed_shape *state = heed_model_output_shape(out->encoder, 1);
        out->size = state->dims[state->rank - 1];
        status = make_step(trained, out->size, &out->step);
    }
    if (status != HEED_OK)
        heed_decoding_models_free(out);
    return status;
}

void heed_decoding_models_free(heed_decoding_models *d)
{
    heed_model_free(d->step);
    heed_model_free(d->encoder);
    *d = (heed_decoding_models){0};
}
