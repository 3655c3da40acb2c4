/* The recipe attention-keras: the model of the example of attention_keras, layer by layer, name by name; and the models
 * that decode with its weights. */
#include "seq2seq/decoding_layers.h"
#include "seq2seq/recipe.h"

#include "heed/attention.h"
#include "heed/layers.h"

#include <stdio.h>

#define ATTENTION_KERAS_SETTINGS(X, config)                                                                            \
    HEED_RECIPE_SETTINGS(X, config)                                                                                    \
    X(config, INT, units, 96, "[1,)", "state of the encoder and of the decoder")
typedef struct attention_keras_settings {
    ATTENTION_KERAS_SETTINGS(HEED_OPTION_FIELD, )
} attention_keras_settings;

/* Layers by name, the original's. */
#define ENCODER "encoder_gru"
#define DECODER "decoder_gru"
#define ATTENTION "attention_layer"
#define OUTPUT "time_distributed_layer"

/* Wires a model: one to be trained, whose layers are made; or one that decodes, whose layers are those of a trained
 * one. */
typedef struct wiring {
    heed_model                     *m, *trained; /* trained NULL: layers are made */
    const attention_keras_settings *s;
} wiring;

static heed_layer *gru(const wiring *w, const char *name)
{
    return heed_recipe_layer(w->m, w->trained, name, heed_gru(.name = name, .units = w->s->units,
                                                              .return_sequences = true, .return_state = true));
}

/* Tokens as the original gives them, a one among zeros. Padding, number 0, is zeros alone, and masked: the original,
 * whose sentences are all padded to one length, learns it as a word. */
static heed_symbol *one_hot(const wiring *w, heed_symbol *ids, int32_t size)
{
    char options[64];
    snprintf(options, sizeof options, "num_classes=%d", (int)size - 1);
    heed_symbol *number = heed_operate(w->m, "Subtract", NULL, &ids, 1, "1");
    return heed_apply(heed_masking(), heed_operate(w->m, "OneHot", options, &number, 1, NULL));
}

/* A GRU over token vectors, from a state where there is one: its sequence; *state is its last. */
static heed_symbol *run(heed_layer *layer, heed_symbol *x, heed_symbol *from, heed_symbol **state)
{
    heed_symbol *outputs[2] = {NULL};
    heed_call_layer(layer, (heed_symbol *[]){x, from}, from == NULL ? 1 : 2, NULL, outputs, 2);
    *state = outputs[1];
    return outputs[0];
}

/* What each query attends to. */
static heed_symbol *attend(const wiring *w, heed_symbol *read, heed_symbol *query, heed_symbol **weights)
{
    heed_symbol *outputs[2] = {NULL};
    heed_layer *attention = heed_recipe_layer(w->m, w->trained, ATTENTION, heed_attention_layer(.name = ATTENTION));
    heed_call_layer(attention, (heed_symbol *[]){read, query}, 2, NULL, outputs, 2);
    *weights = outputs[1];
    return outputs[0];
}

static heed_symbol *predict(const wiring *w, heed_symbol *state, heed_symbol *attended, int32_t size)
{
    heed_spec dense = heed_dense(.name = "softmax_layer", .units = size, .activation = "softmax");
    heed_layer *output = heed_recipe_layer(w->m, w->trained, OUTPUT, heed_time_distributed(dense, .name = OUTPUT));
    return heed_recipe_call(output, heed_apply_to(heed_concatenate(.name = "concat_layer"), state, attended), NULL);
}

static heed_status wire(heed_model *m, const void *settings, int32_t source_size, int32_t target_size,
                        heed_symbol **out)
{
    wiring w = {.m = m, .s = settings};
    heed_symbol *source = heed_recipe_ids(m, "source", HEED_ANY), *target = heed_recipe_ids(m, "target", HEED_ANY);
    heed_symbol *state, *weights;
    heed_symbol *read = run(gru(&w, ENCODER), one_hot(&w, source, source_size), NULL, &state);
    heed_symbol *written = run(gru(&w, DECODER), one_hot(&w, target, target_size), state, &state);
    *out = predict(&w, written, attend(&w, read, written, &weights), target_size);
    return HEED_OK;
}

/* ---- decoding */

/* Tokens of a side, as the kernel of its GRU tells. */
static int32_t size_of(heed_model *trained, const char *name)
{
    heed_layer *layer;
    if (heed_recipe_find_layer(trained, name, &layer) != HEED_OK)
        return 2;
    return (int32_t)heed_variable_shape(heed_layer_weight_at(layer, 0))->dims[0] + 1;
}

static heed_status wire_encoder(const wiring *w)
{
    heed_symbol *state, *source = one_hot(w, heed_recipe_ids(w->m, "source", HEED_ANY), size_of(w->trained, ENCODER));
    heed_symbol *read = run(gru(w, ENCODER), source, NULL, &state);
    return heed_outputs(w->m, read, state);
}

static heed_status wire_step(const wiring *w, bool with)
{
    int units = w->s->units;
    heed_symbol *source = heed_recipe_ids(w->m, "source", HEED_ANY), *state, *weights;
    heed_symbol *read = heed_input(w->m, .name = "memory", .shape = {2, {HEED_ANY, units}});
    heed_symbol *token = one_hot(w, heed_recipe_ids(w->m, "token", 1), size_of(w->trained, DECODER));
    heed_symbol *from = heed_input(w->m, .name = "state", .shape = {1, {units}});

    heed_symbol *written = run(gru(w, DECODER), token, from, &state);
    heed_symbol *query = heed_apply_to(heed_by_sentence(), written, read);
    heed_symbol *attended = attend(w, heed_apply_to(heed_with_padding(), read, source), query, &weights);
    heed_symbol *p = predict(w, written, heed_apply(heed_by_row(), attended), 0);
    return with ? heed_outputs(w->m, p, state, heed_apply(heed_by_row(), weights)) : heed_outputs(w->m, p, state);
}

static heed_status wire_decoding(heed_model *trained, const void *settings, bool weights, heed_decoding_models *out)
{
    wiring encoder = {out->encoder, trained, settings}, step = {out->step, trained, settings};
    out->memory_count = out->state_count = 1;
    HEED_TRY(wire_encoder(&encoder));
    return wire_step(&step, weights);
}

const heed_recipe_kind heed_attention_keras_kind = {
    .name = "attention-keras",
    HEED_RECIPE_OPTIONS(attention_keras_settings, ATTENTION_KERAS_SETTINGS),
    .wire = wire,
    .wire_decoding = wire_decoding,
};
