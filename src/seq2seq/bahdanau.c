/* The recipe bahdanau: a recurrent decoder that attends within its step (Bahdanau et al. 2015, arXiv:1409.0473), with
 * Nematus' conditional step if wanted; and the models that decode with its weights. */
#include "seq2seq/decoding_layers.h"
#include "seq2seq/recipe.h"

#include "heed/attention.h"
#include "heed/convolution.h"
#include "heed/layers.h"

#include <stdio.h>
#include <string.h>

#define BAHDANAU_SETTINGS(X, config)                                                                                   \
    HEED_RECIPE_SETTINGS(X, config)                                                                                    \
    X(config, INT, embedding, 256, "[1,)", "size of a token's vector")                                                 \
    X(config, INT, units, 256, "[1,)", "state of each direction of the encoder, and of the decoder")                   \
    X(config, INT, encoder_layers, 1, "[1,8]", "that read, one after the other, each in both directions")              \
    X(config, INT, attention_units, 256, "[1,)", "inside of the scores that decide what is attended to")               \
    X(config, TEXT, step, "conditional", "conditional|paper",                                                          \
      "how the decoder steps: a GRU, attention by its new state, another GRU, as Nematus; or attention by the old "    \
      "state, then one GRU, as the paper")                                                                             \
    X(config, TEXT, start, "mean", "mean|last",                                                                        \
      "what the decoder's first state is made of: the mean of what was read, or what both directions end with")        \
    X(config, TEXT, share, "target", "target|none", "whether the table of the target's tokens is the output's too")    \
    X(config, FLOAT, source_dropout, 0.4, "[0,1)", "of the source's token vectors")                                    \
    X(config, FLOAT, target_dropout, 0.1, "[0,1)", "of the target's token vectors")                                    \
    X(config, FLOAT, context_dropout, 0.5, "[0,1)", "of what was read")                                                \
    X(config, FLOAT, output_dropout, 0.5, "[0,1)", "before the output layer")
typedef struct bahdanau_settings { BAHDANAU_SETTINGS(HEED_OPTION_FIELD, ) } bahdanau_settings;

/* Layers by name: how the decoding models find them again. */
#define SOURCE_TOKENS "source_tokens"
#define TARGET_TOKENS "target_tokens"
#define START "start"
#define DECODER "decoder"
#define READOUT "readout"
#define OUTPUT "output"

/* Wires a model: one to be trained, whose layers are made; or one that decodes, whose layers are those of a trained
 * one. */
typedef struct wiring {
    heed_model              *m, *trained; /* trained NULL: layers are made */
    const bahdanau_settings *s;
} wiring;

/* A layer with weights. The spec counts when it is made. */
static heed_layer *layer_of(const wiring *w, const char *name, heed_spec spec)
{
    return heed_recipe_layer(w->m, w->trained, name, spec);
}

static heed_symbol *drop(const wiring *w, heed_symbol *x, double rate)
{
    return w->trained == NULL && rate > 0 ? heed_apply(heed_dropout(.rate = rate), x) : x;
}

/* ---- reading */

/* What was read (B, Ts, 2 units), and the decoder's first state. */
typedef struct memory {
    heed_symbol *x, *state;
} memory;

static memory read_source(const wiring *w, heed_symbol *source, int32_t size)
{
    const bahdanau_settings *s = w->s;
    heed_symbol *outputs[3] = {NULL};
    heed_layer *tokens = layer_of(w, SOURCE_TOKENS, heed_embedding(.name = SOURCE_TOKENS, .input_dim = size,
                                                                   .output_dim = s->embedding, .mask_zero = true));
    outputs[0] = drop(w, heed_recipe_call(tokens, source, NULL), s->source_dropout);
    for (int i = 0; i < s->encoder_layers; i++) {
        char name[32];
        snprintf(name, sizeof name, "encoder_%d", i + 1);
        heed_symbol *x = i == 0 ? outputs[0] : drop(w, outputs[0], s->context_dropout);
        heed_spec gru = heed_gru(.units = s->units, .return_sequences = true, .return_state = true);
        heed_call_layer(layer_of(w, name, heed_bidirectional(gru, .name = name)), &x, 1, NULL, outputs, 3);
    }
    memory m = {.x = drop(w, outputs[0], s->context_dropout)};
    heed_symbol *ends = strcmp(s->start, "mean") == 0
                            ? heed_apply(heed_global_average_pooling1d(), m.x)
                            : heed_apply_to(heed_concatenate(), outputs[1], outputs[2]);
    heed_layer *start = layer_of(w, START, heed_dense(.name = START, .units = s->units, .activation = "tanh"));
    m.state = heed_recipe_call(start, ends, NULL);
    return m;
}

/* ---- writing */

static heed_layer *target_table(const wiring *w, int32_t size)
{
    return layer_of(w, TARGET_TOKENS, heed_reversible_embedding(.name = TARGET_TOKENS, .input_dim = size,
                                                                .output_dim = w->s->embedding));
}

static heed_layer *decoder(const wiring *w)
{
    const bahdanau_settings *s = w->s;
    heed_spec gru = heed_gru_cell(.units = s->units), none = {NULL, NULL};
    heed_spec cell = heed_bahdanau_attention_cell(gru, .first = strcmp(s->step, "conditional") == 0 ? gru : none,
                                                  .units = s->attention_units);
    return layer_of(w, DECODER, heed_rnn(cell, .name = DECODER, .return_sequences = true));
}

/* How well each token fits, by the decoder's state with its context and the vector of the token before: the deep output
 * of section A.2.2, with tanh in place of maxout. */
static heed_symbol *logits(const wiring *w, heed_layer *tokens, heed_symbol *state, heed_symbol *before, int32_t size)
{
    const bahdanau_settings *s = w->s;
    heed_layer *readout =
        layer_of(w, READOUT, heed_dense(.name = READOUT, .units = s->embedding, .activation = "tanh"));
    heed_symbol *x = heed_recipe_call(readout, heed_apply_to(heed_concatenate(), state, before), NULL);
    x = drop(w, x, s->output_dropout);
    if (strcmp(s->share, "target") == 0)
        return heed_call_layer(tokens, &x, 1, "reverse=True", NULL, 1);
    return heed_recipe_call(layer_of(w, OUTPUT, heed_dense(.name = OUTPUT, .units = size)), x, NULL);
}

static heed_status wire(heed_model *m, const void *settings, int32_t source_size, int32_t target_size,
                        heed_symbol **out)
{
    wiring w = {.m = m, .s = settings};
    heed_symbol *source = heed_recipe_ids(m, "source", HEED_ANY), *target = heed_recipe_ids(m, "target", HEED_ANY);
    memory of_source = read_source(&w, source, source_size);
    heed_layer *tokens = target_table(&w, target_size);
    heed_symbol *y = drop(&w, heed_recipe_call(tokens, target, NULL), w.s->target_dropout);
    heed_symbol *inputs[] = {y, of_source.state, of_source.x};
    heed_symbol *written = heed_call_layer(decoder(&w), inputs, 3, NULL, NULL, 1);
    *out = logits(&w, tokens, written, y, target_size);
    return HEED_OK;
}

/* ---- decoding */

static heed_status wire_encoder(const wiring *w)
{
    memory m = read_source(w, heed_recipe_ids(w->m, "source", HEED_ANY), 0);
    heed_symbol *outputs[2] = {NULL};
    heed_call_layer(heed_make(w->m, heed_start_of_cell(heed_shared(decoder(w)))), &m.x, 1, NULL, outputs, 2);
    return heed_outputs(w->m, outputs[0], outputs[1], m.state);
}

static heed_status wire_step(const wiring *w, bool weights)
{
    const bahdanau_settings *s = w->s;
    heed_symbol *source = heed_recipe_ids(w->m, "source", HEED_ANY);
    heed_symbol *read = heed_input(w->m, .name = "memory", .shape = {2, {HEED_ANY, 2 * s->units}});
    heed_symbol *keys = heed_input(w->m, .name = "keys", .shape = {2, {HEED_ANY, s->attention_units}});
    heed_symbol *token = heed_recipe_ids(w->m, "token", 1);
    heed_symbol *state = heed_input(w->m, .name = "state", .shape = {1, {s->units}});

    heed_layer *tokens = target_table(w, 0);
    heed_symbol *y = heed_recipe_call(tokens, token, NULL);
    heed_symbol *inputs[] = {y, source, read, keys, state}, *outputs[3] = {NULL};
    heed_call_layer(heed_make(w->m, heed_step_of_cell(heed_shared(decoder(w)))), inputs, 5, NULL, outputs, 3);
    heed_symbol *fit = logits(w, tokens, outputs[0], y, 0);
    return weights ? heed_outputs(w->m, fit, outputs[1], outputs[2]) : heed_outputs(w->m, fit, outputs[1]);
}

static heed_status wire_decoding(heed_model *trained, const void *settings, bool weights, heed_decoding_models *out)
{
    wiring encoder = {out->encoder, trained, settings}, step = {out->step, trained, settings};
    out->memory_count = 2;
    out->state_count = 1;
    out->logits = true;
    HEED_TRY(wire_encoder(&encoder));
    return wire_step(&step, weights);
}

const heed_recipe_kind heed_bahdanau_kind = {
    .name = "bahdanau",
    HEED_RECIPE_OPTIONS(bahdanau_settings, BAHDANAU_SETTINGS),
    .logits = true,
    .wire = wire,
    .wire_decoding = wire_decoding,
};
