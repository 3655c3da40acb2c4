/* The recipe transformer: attention reads and writes (Vaswani et al. 2017, arXiv:1706.03762), of Keras' own layers; and
 * the models that decode with its weights. */
#include "layers/positions.h"
#include "seq2seq/decoding_layers.h"
#include "seq2seq/recipe.h"

#include "heed/convolution.h"
#include "heed/layers.h"
#include "heed/normalization.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TRANSFORMER_SETTINGS(X, config)                                                                                \
    HEED_RECIPE_SETTINGS(X, config)                                                                                    \
    X(config, INT, size, 128, "[2,)", "of a token's vector, and of what passes from layer to layer; even")             \
    X(config, INT, heads, 0, "[0,)", "of each attention; divides size. 0: about one for each 32 of it")                \
    X(config, INT, feed_forward, 256, "[1,)", "units inside of the layers between attentions")                         \
    X(config, INT, encoder_layers, 4, "[1,)", "that read")                                                             \
    X(config, INT, local_layers, 0, "[0,)",                                                                            \
      "how many of those that read do not attend, but see kernel_size tokens alone: the first ones")                   \
    X(config, INT, decoder_layers, 4, "[1,24]", "that write")                                                          \
    X(config, INT, kernel_size, 1, "[1,)",                                                                             \
      "tokens that the encoder's feed-forward layers look at: 3 are one and its neighbours")                           \
    X(config, FLOAT, dropout, 0.3, "[0,1)", "of the token vectors and of what each layer adds")                        \
    X(config, FLOAT, attention_dropout, 0.0, "[0,1)", "of the weights of attention")                                   \
    X(config, FLOAT, activation_dropout, 0.0, "[0,1)", "inside of the feed-forward layers")                            \
    X(config, ACTIVATION, activation, "relu", "", "inside of the feed-forward layers")                                 \
    X(config, TEXT, normalize, "before", "before|after",                                                               \
      "whether a layer's input is normalized, from which it learns soon; or the sum behind it, as the paper has it")   \
    X(config, TEXT, positions, "sinusoidal", "sinusoidal|learned", "how a token's place is told")                      \
    X(config, TEXT, share, "all", "all|target|none",                                                                   \
      "which tables are one: source's, target's and the output's; the latter two; or none")
typedef struct transformer_settings { TRANSFORMER_SETTINGS(HEED_OPTION_FIELD, ) } transformer_settings;

static int heads_of(const transformer_settings *s)
{
    enum { HEAD = 32 };
    int heads = s->heads > 0 ? s->heads : s->size < HEAD ? 1 : s->size / HEAD;
    while (s->heads == 0 && s->size % heads != 0)
        heads--;
    return heads;
}

/* Layers by name: how the decoding models find them again. */
#define TOKENS "tokens" /* where source and target share a table */
#define SOURCE_TOKENS "source_tokens"
#define TARGET_TOKENS "target_tokens"
#define SOURCE_POSITIONS "source_positions"
#define TARGET_POSITIONS "target_positions"
#define OUTPUT "output"
#define ENCODER "encoder"
#define DECODER "decoder"

enum { NAME = 64 };

/* Wires a model: one to be trained, whose layers are made; or one that decodes, whose layers are those of a trained
 * one. */
typedef struct wiring {
    heed_model                 *m, *trained; /* trained NULL: layers are made */
    const transformer_settings *s;
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

/* ---- tokens and their places */

static bool one_table(const wiring *w) { return strcmp(w->s->share, "all") == 0; }

static heed_layer *table(const wiring *w, bool source, int32_t size)
{
    const char *name = one_table(w) ? TOKENS : source ? SOURCE_TOKENS : TARGET_TOKENS;
    char normal[64];
    snprintf(normal, sizeof normal, "random_normal(stddev=%.6g)", 1 / sqrt(w->s->size));
    return layer_of(w, name, heed_reversible_embedding(.name = name, .input_dim = size, .output_dim = w->s->size,
                                                       .embeddings_initializer = normal));
}

static int64_t most_tokens(const void *settings)
{
    const transformer_settings *s = settings;
    return (strcmp(s->positions, "learned") == 0 ? 1 : 4) * (int64_t)s->longest;
}

/* Tokens at their places, from 1 on: 0 is padding's. */
static heed_symbol *embed(const wiring *w, bool source, heed_layer *tokens, heed_symbol *ids, heed_symbol *places)
{
    const char *name = source ? SOURCE_POSITIONS : TARGET_POSITIONS;
    bool learned = strcmp(w->s->positions, "learned") == 0;
    int rows = (int)most_tokens(w->s) + 2; /* padding, and START or END */
    heed_layer *at = layer_of(w, name, heed_embedding(.name = name, .input_dim = rows, .output_dim = w->s->size,
                                                      .trainable = learned));
    heed_symbol *x = heed_apply(heed_rescaling(.scale = sqrt(w->s->size)), heed_recipe_call(tokens, ids, NULL));
    return drop(w, heed_apply_to(heed_merge_add(), x, heed_recipe_call(at, places, NULL)), w->s->dropout);
}

/* Row 0 is padding's and stays clear. */
static void set_sinusoids(heed_variable *v)
{
    const heed_shape *shape = heed_variable_shape(v);
    int64_t size = shape->dims[1];
    float *x = heed_variable_data(v);
    memset(x, 0, (size_t)size * sizeof *x);
    heed_position_waves(shape->dims[0] - 1, size, 10000, x + size);
}

static heed_status begin(heed_model *m, const void *settings)
{
    const transformer_settings *s = settings;
    const char *const names[] = {SOURCE_POSITIONS, TARGET_POSITIONS};
    for (int i = 0; i < 2 && strcmp(s->positions, "learned") != 0; i++) {
        heed_layer *layer;
        HEED_TRY(heed_recipe_find_layer(m, names[i], &layer));
        set_sinusoids(heed_layer_weight_at(layer, 0));
    }
    return HEED_OK;
}

/* ---- blocks */

/* One of a stack of equal blocks. */
typedef struct block {
    const wiring *w;
    const char   *side;
    int           index;
} block;

static const char *name_in(const block *b, const char *what, char *text)
{
    snprintf(text, NAME, "%s_%d_%s", b->side, b->index + 1, what);
    return text;
}

static heed_symbol *normalize(const wiring *w, const char *name, heed_symbol *x)
{
    return heed_recipe_call(layer_of(w, name, heed_layer_normalization(.name = name, .epsilon = 1e-6)), x, NULL);
}

static bool before(const wiring *w) { return w->s->normalize[0] == 'b'; }

/* What goes into a part of a block, and what comes of it with what the part made: x + y, normalized before or after. */
static heed_symbol *enter(const block *b, const char *norm, heed_symbol *x)
{
    char name[NAME];
    return before(b->w) ? normalize(b->w, name_in(b, norm, name), x) : x;
}

static heed_symbol *leave(const block *b, const char *norm, heed_symbol *x, heed_symbol *y)
{
    char name[NAME];
    heed_symbol *sum = heed_apply_to(heed_merge_add(), x, drop(b->w, y, b->w->s->dropout));
    return before(b->w) ? sum : normalize(b->w, name_in(b, norm, name), sum);
}

/* What the parts of a block add begins small beside what they add it to, at about half the strength that glorot_uniform
 * would give them: normalized after the sum, a stack hardly learns otherwise (Zhang et al. 2019, arXiv:1908.11365; the
 * sizes are those that fairseq begins with), and normalized before, it learns faster too. */
static const char *uniform(double variance, char *text)
{
    double most = sqrt(3 * variance);
    snprintf(text, NAME, "random_uniform(minval=%.6g, maxval=%.6g)", -most, most);
    return text;
}

/* Variances are of the matrices that the projections are: Keras would count the fans of a kernel (size, heads, key_dim)
 * as those of a convolution. */
static heed_layer *attention(const block *b, const char *what)
{
    const transformer_settings *s = b->w->s;
    char name[NAME], kernel[NAME];
    int  heads = heads_of(s);
    name_in(b, what, name);
    return layer_of(b->w, name, heed_multi_head_attention(.name = name, .num_heads = heads,
                                                          .key_dim = s->size / heads,
                                                          .dropout = s->attention_dropout,
                                                          .kernel_initializer = uniform(0.5 / s->size, kernel)));
}

static heed_layer *dense(const block *b, const char *what, int inputs, int units, const char *activation)
{
    char name[NAME], kernel[NAME];
    name_in(b, what, name);
    return layer_of(b->w, name, heed_dense(.name = name, .units = units, .activation = activation,
                                           .kernel_initializer = uniform(1 / (3.0 * inputs), kernel)));
}

/* Over several tokens, as the blocks of Ren et al. 2019, arXiv:1905.09263, section 3.1. `tokens` is 0 where padding is, of
 * which none may see anything. */
static heed_symbol *convolve(const block *b, heed_symbol *x, heed_symbol *tokens)
{
    const transformer_settings *s = b->w->s;
    char name[NAME], kernel[NAME];
    name_in(b, "inner", name);
    uniform(1 / (3.0 * s->size * s->kernel_size), kernel);
    heed_layer *layer = layer_of(b->w, name, heed_conv1d(.name = name, .filters = s->feed_forward,
                                                         .kernel_size = s->kernel_size, .padding = "same",
                                                         .activation = s->activation, .kernel_initializer = kernel));
    x = heed_operate(b->w->m, "Multiply", NULL, (heed_symbol *[]){x, tokens}, 2, NULL);
    return heed_recipe_call(layer, x, NULL);
}

/* `tokens` as above; NULL: each is looked at alone. */
static heed_symbol *feed_forward(const block *b, heed_symbol *x, heed_symbol *tokens)
{
    const transformer_settings *s = b->w->s;
    heed_symbol *y = enter(b, "feed_forward_norm", x);
    y = tokens != NULL ? convolve(b, y, tokens)
                       : heed_recipe_call(dense(b, "inner", s->size, s->feed_forward, s->activation), y, NULL);
    y = drop(b->w, y, s->activation_dropout);
    y = heed_recipe_call(dense(b, "outer", s->feed_forward, s->size, NULL), y, NULL);
    return leave(b, "feed_forward_norm", x, y);
}

/* With normalization before each part, what leaves the last block has had none. */
static heed_symbol *finish(const wiring *w, const char *side, heed_symbol *x)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s_norm", side);
    return before(w) ? normalize(w, name, x) : x;
}

/* 1 where a token is and 0 for padding, (B, T, 1); NULL where no layer asks. */
static heed_symbol *ones(const wiring *w, const heed_places *places)
{
    heed_symbol *token = places->token;
    if (w->s->kernel_size == 1)
        return NULL;
    token = heed_operate(w->m, "Cast", "dtype='float32'", &token, 1, NULL);
    return heed_operate(w->m, "ExpandDims", "axis=-1", &token, 1, NULL);
}

/* The source's tokens, `seen` being false for padding. */
static heed_symbol *attend_to_each_other(const block *b, heed_symbol *x, heed_symbol *seen)
{
    heed_symbol *q = enter(b, "attention_norm", x), *inputs[] = {q, q, q, seen};
    return leave(b, "attention_norm", x, heed_call_layer(attention(b, "attention"), inputs, 4, NULL, NULL, 1));
}

static heed_symbol *encode(const wiring *w, heed_symbol *x, const heed_places *places)
{
    heed_symbol *tokens = ones(w, places);
    for (int i = 0; i < w->s->encoder_layers; i++) {
        block b = {w, ENCODER, i};
        if (i >= w->s->local_layers)
            x = attend_to_each_other(&b, x, places->seen);
        x = feed_forward(&b, x, tokens);
    }
    return finish(w, ENCODER, x);
}

/* How a decoder's block attends: to the target so far, and to the source. */
typedef struct attending {
    heed_symbol *(*to_target)(const struct attending *a, int index, heed_layer *layer, heed_symbol *x);
    heed_symbol *(*to_source)(const struct attending *a, int index, heed_layer *layer, heed_symbol *x);
    void *user;
} attending;

static heed_symbol *decode(const wiring *w, heed_symbol *x, const attending *a)
{
    for (int i = 0; i < w->s->decoder_layers; i++) {
        block b = {w, DECODER, i};
        heed_symbol *y = a->to_target(a, i, attention(&b, "self_attention"), enter(&b, "self_attention_norm", x));
        x = leave(&b, "self_attention_norm", x, y);
        y = a->to_source(a, i, attention(&b, "attention"), enter(&b, "attention_norm", x));
        x = feed_forward(&b, leave(&b, "attention_norm", x, y), NULL);
    }
    return finish(w, DECODER, x);
}

/* How well each token fits. */
static heed_symbol *logits(const wiring *w, heed_layer *tokens, heed_symbol *x, int32_t size)
{
    if (strcmp(w->s->share, "none") != 0)
        return heed_call_layer(tokens, &x, 1, "reverse=True", NULL, 1);
    return heed_recipe_call(layer_of(w, OUTPUT, heed_dense(.name = OUTPUT, .units = size)), x, NULL);
}

/* ---- training */

/* What the source's tokens came to, and which of them are some. */
typedef struct memory {
    heed_symbol *x, *seen;
} memory;

static memory read(const wiring *w, heed_layer *tokens, heed_symbol *source)
{
    heed_places places = heed_places_of(w->m, source);
    return (memory){encode(w, embed(w, true, tokens, source, places.number), &places), places.seen};
}

/* Padding comes behind the tokens, so that no token sees it. */
static heed_symbol *to_target(const attending *a, int index, heed_layer *layer, heed_symbol *x)
{
    return heed_call_layer(layer, (heed_symbol *[]){x, x}, 2, "use_causal_mask=True", NULL, 1);
}

static heed_symbol *to_source(const attending *a, int index, heed_layer *layer, heed_symbol *x)
{
    const memory *m = a->user;
    return heed_call_layer(layer, (heed_symbol *[]){x, m->x, m->x, m->seen}, 4, NULL, NULL, 1);
}

static heed_status check(heed_context *c, const transformer_settings *s, int32_t source_size, int32_t target_size)
{
    if (s->size % heads_of(s) != 0)
        return heed_fail(c, HEED_EINVAL, "transformer: heads does not divide size (found %d and %d)", s->heads,
                         s->size);
    if (s->size % 2 != 0)
        return heed_fail(c, HEED_EINVAL, "transformer: size is odd (expected an even number, found %d)", s->size);
    if (s->local_layers > s->encoder_layers)
        return heed_fail(c, HEED_EINVAL, "transformer: local_layers is more than encoder_layers (found %d and %d)",
                         s->local_layers, s->encoder_layers);
    if (strcmp(s->share, "all") == 0 && (!s->shared_vocabulary || source_size != target_size)) {
        heed_fail(c, HEED_EINVAL, "transformer: share is 'all', but each side has a vocabulary of its own");
        heed_hint(c, "set shared_vocabulary=True, or share=target");
        return HEED_EINVAL;
    }
    return HEED_OK;
}

static heed_status wire(heed_model *m, const void *settings, int32_t source_size, int32_t target_size,
                        heed_symbol **out)
{
    HEED_TRY(check(heed_model_context(m), settings, source_size, target_size));
    wiring w = {.m = m, .s = settings};
    heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *target = heed_input(m, .name = "target", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_layer *source_tokens = table(&w, true, source_size);
    heed_layer *tokens = one_table(&w) ? source_tokens : table(&w, false, target_size);
    memory of_source = read(&w, source_tokens, source);
    attending a = {to_target, to_source, &of_source};
    heed_symbol *y = decode(&w, embed(&w, false, tokens, target, heed_places_of(m, target).number), &a);
    *out = logits(&w, tokens, y, target_size);
    return HEED_OK;
}

/* ---- decoding */

enum { MOST_LAYERS = 24 };

typedef struct step_wiring {
    heed_model  *m;
    heed_symbol *source, *past, *keys[MOST_LAYERS], *values[MOST_LAYERS]; /* of the memory */
    heed_symbol *past_keys[MOST_LAYERS], *past_values[MOST_LAYERS];
    heed_symbol *own[2 * MOST_LAYERS]; /* what the caches get */
    heed_symbol *weights[MOST_LAYERS];
} step_wiring;

static heed_symbol *step_to_target(const attending *a, int index, heed_layer *layer, heed_symbol *x)
{
    step_wiring *s = a->user;
    heed_symbol *inputs[] = {x, s->past_keys[index], s->past_values[index], s->past}, *outputs[3] = {NULL};
    heed_call_layer(heed_make(s->m, heed_attention_of_past(heed_shared(layer))), inputs, 4, NULL, outputs, 3);
    s->own[2 * index] = outputs[1];
    s->own[2 * index + 1] = outputs[2];
    return outputs[0];
}

static heed_symbol *step_to_source(const attending *a, int index, heed_layer *layer, heed_symbol *x)
{
    step_wiring *s = a->user;
    heed_symbol *inputs[] = {x, s->keys[index], s->values[index], s->source}, *outputs[2] = {NULL};
    heed_call_layer(heed_make(s->m, heed_attention_of_keys(heed_shared(layer))), inputs, 4, NULL, outputs, 2);
    s->weights[index] = outputs[1];
    return outputs[0];
}

/* The memory, as the keys and values of each of the decoder's layers. */
static heed_status wire_encoder(const wiring *w)
{
    heed_symbol *source = heed_input(w->m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    memory of_source = read(w, table(w, true, 0), source);
    heed_symbol *outputs[2 * MOST_LAYERS] = {NULL};
    for (int i = 0; i < w->s->decoder_layers; i++) {
        block b = {w, DECODER, i};
        heed_layer *keys = heed_make(w->m, heed_keys_of_attention(heed_shared(attention(&b, "attention"))));
        heed_call_layer(keys, &of_source.x, 1, NULL, &outputs[2 * i], 2);
    }
    return heed_outputs_list(w->m, outputs, 2 * w->s->decoder_layers);
}

static heed_status wire_step(const wiring *w, bool weights)
{
    int layers = w->s->decoder_layers, size = w->s->size, n;
    step_wiring s = {.m = w->m};
    char name[NAME];
    s.source = heed_input(w->m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    for (int i = 0; i < 2 * layers; i++) {
        snprintf(name, sizeof name, "%s_%d", i % 2 == 0 ? "keys" : "values", i / 2 + 1);
        heed_symbol *x = heed_input(w->m, .name = name, .shape = {2, {HEED_ANY, size}});
        *(i % 2 == 0 ? &s.keys[i / 2] : &s.values[i / 2]) = x;
    }
    heed_symbol *token = heed_input(w->m, .name = "token", .dtype = HEED_INT32, .shape = {1, {1}});
    heed_symbol *position = heed_input(w->m, .name = "position", .dtype = HEED_INT32, .shape = {1, {1}});
    s.past = heed_input(w->m, .name = "past", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    for (int i = 0; i < 2 * layers; i++) {
        snprintf(name, sizeof name, "past_%s_%d", i % 2 == 0 ? "keys" : "values", i / 2 + 1);
        heed_symbol *x = heed_input(w->m, .name = name, .shape = {1, {size}});
        *(i % 2 == 0 ? &s.past_keys[i / 2] : &s.past_values[i / 2]) = x;
    }
    heed_layer *tokens = table(w, false, 0);
    attending a = {step_to_target, step_to_source, &s};
    heed_symbol *y = logits(w, tokens, decode(w, embed(w, false, tokens, token, position), &a), 0);
    heed_symbol *outputs[2 + 2 * MOST_LAYERS] = {y};
    for (n = 1; n <= 2 * layers; n++)
        outputs[n] = s.own[n - 1];
    if (weights)
        outputs[n++] = layers == 1 ? s.weights[0] : heed_apply_list(heed_concatenate(.axis = 1), s.weights, layers);
    return heed_outputs_list(w->m, outputs, n);
}

static void map_name(const void *settings, int map, char *text, size_t size)
{
    int heads = heads_of(settings);
    snprintf(text, size, "layer %d, head %d", map / heads + 1, map % heads + 1);
}

static heed_status wire_decoding(heed_model *trained, const void *settings, bool weights, heed_decoding_models *out)
{
    wiring encoder = {out->encoder, trained, settings}, step = {out->step, trained, settings};
    out->memory_count = out->cache_count = 2 * encoder.s->decoder_layers;
    out->logits = true;
    HEED_TRY(wire_encoder(&encoder));
    return wire_step(&step, weights);
}

const heed_recipe_kind heed_transformer_kind = {
    .name = "transformer",
    HEED_RECIPE_OPTIONS(transformer_settings, TRANSFORMER_SETTINGS),
    .logits = true,
    .wire = wire,
    .begin = begin,
    .most_tokens = most_tokens,
    .map_name = map_name,
    .wire_decoding = wire_decoding,
};
