/* The recipe luong: stacks of LSTM, and attention by products (Luong et al. 2015, arXiv:1508.04025), whose vector is
 * fed to the next step or not; and the models that decode with its weights. */
#include "seq2seq/decoding_layers.h"
#include "seq2seq/recipe.h"

#include "heed/attention.h"
#include "heed/convolution.h"
#include "heed/layers.h"

#include <stdio.h>
#include <string.h>

#define LUONG_SETTINGS(X, config)                                                                                      \
    HEED_RECIPE_SETTINGS(X, config)                                                                                    \
    X(config, INT, embedding, 256, "[1,)", "size of a token's vector, and of what attention and state make together")  \
    X(config, INT, units, 256, "[1,)", "state of each layer")                                                          \
    X(config, INT, layers, 2, "[1,8]", "of LSTM, that read and that write")                                            \
    X(config, TEXT, directions, "both", "both|forward",                                                                \
      "in which the first layer reads; both: half of the units each way, so that units are even")                      \
    X(config, TEXT, score, "general", "dot|general|concat", "how decoder and encoder states are compared")             \
    X(config, BOOL, feeding, true, "", "whether a step is given what the step before attended to (section 3.3)")       \
    X(config, TEXT, share, "target", "target|none", "whether the table of the target's tokens is the output's too")    \
    X(config, FLOAT, dropout, 0.3, "[0,1)", "of token vectors, between layers, and before the output layer")
typedef struct luong_settings { LUONG_SETTINGS(HEED_OPTION_FIELD, ) } luong_settings;

/* Layers by name: how the decoding models find them again. */
#define SOURCE_TOKENS "source_tokens"
#define TARGET_TOKENS "target_tokens"
#define DECODER "decoder" /* all of its layers, where it is fed; else numbered */
#define ENCODER "encoder"
#define ATTENTION "attention"
#define OUTPUT "output"

enum { MOST_LAYERS = 8, MOST_STATES = 2 * MOST_LAYERS + 1, NAME = 32 };

/* Wires a model: one to be trained, whose layers are made; or one that decodes, whose layers are those of a trained
 * one. */
typedef struct wiring {
    heed_model           *m, *trained; /* trained NULL: layers are made */
    const luong_settings *s;
} wiring;

/* A layer with weights. The spec counts when it is made. */
static heed_layer *layer_of(const wiring *w, const char *name, heed_spec spec)
{
    return heed_recipe_layer(w->m, w->trained, name, spec);
}

static heed_symbol *drop(const wiring *w, heed_symbol *x)
{
    return w->trained == NULL && w->s->dropout > 0 ? heed_apply(heed_dropout(.rate = w->s->dropout), x) : x;
}

/* What a layer drops of its input: the first one's are token vectors, which are dropped already. */
static double dropout_of(const wiring *w, int layer) { return layer == 0 ? 0 : w->s->dropout; }

static int state_count(const luong_settings *s) { return 2 * s->layers + s->feeding; }

static bool is_concat(const luong_settings *s) { return strcmp(s->score, "concat") == 0; }

/* ---- reading */

/* What was read (B, Ts, units), and what the decoder begins with: h and c of each layer; zeros for what is fed. */
typedef struct memory {
    heed_symbol *x, *states[MOST_STATES];
} memory;

/* Layer `i`, x to x; its last h and c are set. */
static heed_symbol *read_layer(const wiring *w, int i, heed_symbol *x, heed_symbol **states)
{
    const luong_settings *s = w->s;
    bool both = i == 0 && strcmp(s->directions, "both") == 0;
    heed_symbol *outputs[5] = {NULL};
    char name[NAME];
    snprintf(name, sizeof name, "%s_%d", ENCODER, i + 1);
    heed_spec lstm = heed_lstm(.name = both ? NULL : name, .units = both ? s->units / 2 : s->units,
                               .return_sequences = true, .return_state = true, .dropout = dropout_of(w, i));
    heed_layer *layer = layer_of(w, name, both ? heed_bidirectional(lstm, .name = name) : lstm);
    heed_call_layer(layer, &x, 1, NULL, outputs, both ? 5 : 3);
    for (int k = 0; k < 2; k++)
        states[k] = both ? heed_apply_to(heed_concatenate(), outputs[1 + k], outputs[3 + k]) : outputs[1 + k];
    return outputs[0];
}

static memory read_source(const wiring *w, heed_symbol *source, int32_t size)
{
    const luong_settings *s = w->s;
    heed_layer *tokens = layer_of(w, SOURCE_TOKENS, heed_embedding(.name = SOURCE_TOKENS, .input_dim = size,
                                                                   .output_dim = s->embedding, .mask_zero = true));
    heed_symbol *vectors = heed_recipe_call(tokens, source, NULL);
    memory m = {.x = drop(w, vectors)};
    for (int i = 0; i < s->layers; i++)
        m.x = read_layer(w, i, m.x, &m.states[2 * i]);
    if (s->feeding)
        m.states[2 * s->layers] = heed_apply(heed_rescaling(.scale = 0), heed_apply(heed_global_average_pooling1d(),
                                                                                    vectors));
    return m;
}

/* ---- writing */

static heed_layer *target_table(const wiring *w, int32_t size)
{
    return layer_of(w, TARGET_TOKENS, heed_reversible_embedding(.name = TARGET_TOKENS, .input_dim = size,
                                                                .output_dim = w->s->embedding));
}

/* With feeding: all layers are one cell, around which attention is. */
static heed_layer *fed_decoder(const wiring *w)
{
    const luong_settings *s = w->s;
    heed_lstm_cell_config configs[MOST_LAYERS];
    heed_spec cells[MOST_LAYERS];
    for (int i = 0; i < s->layers; i++) {
        heed_spec cell = heed_lstm_cell(.units = s->units, .dropout = dropout_of(w, i));
        configs[i] = *(const heed_lstm_cell_config *)cell.config;
        cells[i] = (heed_spec){cell.layer_class, &configs[i]};
    }
    heed_stacked_rnn_cells_config stack = {.trainable = true, .cells = {s->layers, cells}};
    heed_spec all = s->layers == 1 ? cells[0] : (heed_spec){&heed_stacked_rnn_cells_class, &stack};
    heed_spec cell = heed_luong_attention_cell(all, .units = s->embedding, .score = s->score);
    return layer_of(w, DECODER, heed_rnn(cell, .name = DECODER, .return_sequences = true));
}

/* Without: layers one after the other, states to states; returns what the last gives. */
static heed_symbol *write_layers(const wiring *w, heed_symbol *x, heed_symbol *const *states, heed_symbol **new_states)
{
    for (int i = 0; i < w->s->layers; i++) {
        char name[NAME];
        snprintf(name, sizeof name, "%s_%d", DECODER, i + 1);
        heed_spec lstm = heed_lstm(.name = name, .units = w->s->units, .return_sequences = true, .return_state = true,
                                   .dropout = dropout_of(w, i));
        heed_symbol *inputs[] = {x, states[2 * i], states[2 * i + 1]}, *outputs[3] = {NULL};
        x = heed_call_layer(layer_of(w, name, lstm), inputs, 3, NULL, outputs, 3);
        new_states[2 * i] = outputs[1];
        new_states[2 * i + 1] = outputs[2];
    }
    return x;
}

/* h~, and what each query attended to. */
static heed_symbol *attend(const wiring *w, heed_symbol *query, heed_symbol *read, heed_symbol **weights)
{
    heed_symbol *outputs[2] = {NULL};
    heed_layer *attention = layer_of(w, ATTENTION, heed_luong_attention(.name = ATTENTION, .units = w->s->embedding,
                                                                        .score = w->s->score,
                                                                        .return_attention = true));
    heed_call_layer(attention, (heed_symbol *[]){query, read}, 2, NULL, outputs, 2);
    *weights = outputs[1];
    return outputs[0];
}

static heed_symbol *logits(const wiring *w, heed_layer *tokens, heed_symbol *x, int32_t size)
{
    x = drop(w, x);
    if (strcmp(w->s->share, "target") == 0)
        return heed_call_layer(tokens, &x, 1, "reverse=True", NULL, 1);
    return heed_recipe_call(layer_of(w, OUTPUT, heed_dense(.name = OUTPUT, .units = size)), x, NULL);
}

static heed_status wire(heed_model *m, const void *settings, int32_t source_size, int32_t target_size,
                        heed_symbol **out)
{
    wiring w = {.m = m, .s = settings};
    if (strcmp(w.s->directions, "both") == 0 && w.s->units % 2 != 0)
        return heed_fail(heed_model_context(m), HEED_EINVAL, "luong: both directions share the units, which are odd "
                         "(expected an even number, found %d)", w.s->units);
    heed_symbol *source = heed_recipe_ids(m, "source", HEED_ANY), *target = heed_recipe_ids(m, "target", HEED_ANY);
    memory of_source = read_source(&w, source, source_size);
    heed_layer *tokens = target_table(&w, target_size);
    heed_symbol *y = drop(&w, heed_recipe_call(tokens, target, NULL));
    if (w.s->feeding) {
        heed_symbol *inputs[MOST_STATES + 2] = {y};
        int states = state_count(w.s);
        memcpy(inputs + 1, of_source.states, (size_t)states * sizeof *inputs);
        inputs[1 + states] = of_source.x;
        y = heed_call_layer(fed_decoder(&w), inputs, 2 + states, NULL, NULL, 1);
    } else {
        heed_symbol *ended[MOST_STATES], *weights;
        y = attend(&w, write_layers(&w, y, of_source.states, ended), of_source.x, &weights);
    }
    *out = logits(&w, tokens, y, target_size);
    return HEED_OK;
}

/* ---- decoding */

static heed_status wire_encoder(const wiring *w, int memories)
{
    memory m = read_source(w, heed_recipe_ids(w->m, "source", HEED_ANY), 0);
    heed_symbol *outputs[2 + MOST_STATES] = {m.x};
    if (w->s->feeding)
        heed_call_layer(heed_make(w->m, heed_start_of_cell(heed_shared(fed_decoder(w)))), &m.x, 1, NULL, outputs,
                        memories);
    memcpy(outputs + memories, m.states, (size_t)state_count(w->s) * sizeof *outputs);
    return heed_outputs_list(w->m, outputs, memories + state_count(w->s));
}

/* h~ of a token; the states and the weights are set. */
static heed_symbol *fed_step(const wiring *w, heed_symbol *source, heed_symbol *const *memories, int count,
                             heed_symbol *y, heed_symbol *const *states, heed_symbol **results)
{
    heed_symbol *inputs[4 + MOST_STATES] = {y, source}, *outputs[2 + MOST_STATES] = {NULL};
    int n = state_count(w->s);
    memcpy(inputs + 2, memories, (size_t)count * sizeof *inputs);
    memcpy(inputs + 2 + count, states, (size_t)n * sizeof *inputs);
    heed_layer *step = heed_make(w->m, heed_step_of_cell(heed_shared(fed_decoder(w))));
    heed_call_layer(step, inputs, 2 + count + n, NULL, outputs, 2 + n);
    memcpy(results, outputs + 1, (size_t)(n + 1) * sizeof *results);
    return outputs[0];
}

static heed_symbol *unfed_step(const wiring *w, heed_symbol *source, heed_symbol *read, heed_symbol *y,
                               heed_symbol *const *states, heed_symbol **results)
{
    heed_symbol *weights, *h = write_layers(w, y, states, results);
    heed_symbol *masked = heed_apply_to(heed_with_padding(), read, source);
    heed_symbol *vector = attend(w, heed_apply_to(heed_by_sentence(), h, read), masked, &weights);
    results[state_count(w->s)] = heed_apply(heed_by_row(), weights);
    return heed_apply(heed_by_row(), vector);
}

static heed_status wire_step(const wiring *w, int memory_count, bool weights)
{
    const luong_settings *s = w->s;
    int states = state_count(s);
    char name[NAME];
    heed_symbol *source = heed_recipe_ids(w->m, "source", HEED_ANY), *memories[2], *state[MOST_STATES];
    for (int i = 0; i < memory_count; i++) /* keys are as wide as states */
        memories[i] = heed_input(w->m, .name = i == 0 ? "memory" : "keys", .shape = {2, {HEED_ANY, s->units}});
    heed_symbol *token = heed_recipe_ids(w->m, "token", 1);
    for (int i = 0; i < states; i++) {
        snprintf(name, sizeof name, "state_%d", i + 1);
        state[i] = heed_input(w->m, .name = name, .shape = {1, {i < 2 * s->layers ? s->units : s->embedding}});
    }
    heed_layer *tokens = target_table(w, 0);
    heed_symbol *y = heed_recipe_call(tokens, token, NULL), *outputs[2 + MOST_STATES];
    y = s->feeding ? fed_step(w, source, memories, memory_count, y, state, outputs + 1)
                   : unfed_step(w, source, memories[0], y, state, outputs + 1);
    outputs[0] = logits(w, tokens, y, 0);
    return heed_outputs_list(w->m, outputs, 1 + states + weights);
}

static heed_status wire_decoding(heed_model *trained, const void *settings, bool weights, heed_decoding_models *out)
{
    wiring encoder = {out->encoder, trained, settings}, step = {out->step, trained, settings};
    out->memory_count = encoder.s->feeding && is_concat(encoder.s) ? 2 : 1;
    out->state_count = state_count(encoder.s);
    out->logits = true;
    HEED_TRY(wire_encoder(&encoder, out->memory_count));
    return wire_step(&step, out->memory_count, weights);
}

const heed_recipe_kind heed_luong_kind = {
    .name = "luong",
    HEED_RECIPE_OPTIONS(luong_settings, LUONG_SETTINGS),
    .logits = true,
    .wire = wire,
    .wire_decoding = wire_decoding,
};
