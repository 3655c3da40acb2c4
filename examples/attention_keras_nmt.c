/* attention_keras' translator, in C: the model that is trained, the encoder and the one-step decoder that share its weights,
 * translation step by step that keeps what each word attended to, and the picture of it. English phrases become French ones,
 * whose adjectives stand behind the noun: "the big red ball" is "le ballon rouge grand" here. docs/collections.md has this
 * beside Python. */
#include <heed/attention.h>
#include <heed/layers.h>
#include <heed/model.h>
#include <heed/plot.h>

#include <stdio.h>
#include <string.h>

enum { SENTENCES = 800, SOURCE = 9, TARGET = 11, WORDS = 20, UNITS = 48 };
enum { PADDING, BEGIN, END };

static const char *const english[WORDS] = {"", "sos", "eos", "the", "and", "big", "small", "old", "red", "blue", "green",
                                           "black", "ball", "car", "house", "dog", "tree", "boat", "hat", "cup"};
static const char *const french[WORDS] = {"", "sos", "eos", "le", "et", "grand", "petit", "vieux", "rouge", "bleu", "vert",
                                          "noir", "ballon", "char", "logis", "chien", "pin", "bateau", "chapeau", "bol"};

/* ---- data ---- */

static uint32_t draw(uint32_t *random, uint32_t first, uint32_t behind)
{
    *random = *random * 1664525 + 1013904223;
    return first + (*random >> 16) % (behind - first);
}

/* "the SIZE COLOUR THING", or two of them with "and" between; behind it PADDING. */
static void make_sentence(uint32_t *random, int *source, int *target)
{
    int length = 0, phrases = 1 + (int)draw(random, 0, 2);
    memset(source, 0, SOURCE * sizeof *source);
    memset(target, 0, TARGET * sizeof *target);
    target[0] = BEGIN;
    for (int i = 0; i < phrases; i++) {
        int size = (int)draw(random, 5, 8), colour = (int)draw(random, 8, 12), thing = (int)draw(random, 12, WORDS);
        if (i > 0) {
            source[length++] = 4;
            target[length] = 4;
        }
        const int here[] = {3, size, colour, thing}, there[] = {3, thing, colour, size};
        memcpy(source + length, here, sizeof here);
        memcpy(target + 1 + length, there, sizeof there);
        length += 4;
    }
    target[1 + length] = END;
}

static void one_hot(float *row, int word)
{
    memset(row, 0, WORDS * sizeof *row);
    row[word] = 1.0f;
}

/* Source, target up to its last word, and target from its second word on, all one-hot. */
static heed_status make_data(heed_arrays *x, heed_arrays *y)
{
    heed_shape source_shape = {3, {SENTENCES, SOURCE, WORDS}}, target_shape = {3, {SENTENCES, TARGET - 1, WORDS}};
    heed_array *a[3];
    heed_arrays *into[] = {x, x, y};
    const char *const names[] = {"source", "target", "words"};
    for (int i = 0; i < 3; i++) {
        heed_status status = heed_array_create(x->context, HEED_FLOAT32, i == 0 ? &source_shape : &target_shape, &a[i]);
        if (status == HEED_OK)
            status = heed_arrays_add(into[i], names[i], a[i]);
        if (status != HEED_OK)
            return status;
    }
    uint32_t random = 1;
    for (int n = 0; n < SENTENCES; n++) {
        int source[SOURCE], target[TARGET];
        make_sentence(&random, source, target);
        for (int t = 0; t < SOURCE; t++)
            one_hot((float *)a[0]->data + (n * SOURCE + t) * WORDS, source[t]);
        for (int t = 0; t + 1 < TARGET; t++) {
            one_hot((float *)a[1]->data + (n * (TARGET - 1) + t) * WORDS, target[t]);
            one_hot((float *)a[2]->data + (n * (TARGET - 1) + t) * WORDS, target[t + 1]);
        }
    }
    return HEED_OK;
}

/* ---- the three models ---- */

typedef struct translator {
    heed_model *training, *encoder, *decoder;
} translator;

static heed_status build(heed_context *c, translator *t)
{
    /* [The model that is trained] */
    heed_model *m = heed_functional(c, "training");
    heed_symbol *source = heed_input(m, .name = "source", .shape = {2, {SOURCE, WORDS}});
    heed_symbol *target = heed_input(m, .name = "target", .shape = {2, {HEED_ANY, WORDS}});
    heed_layer *encoder = heed_make(m, heed_gru(.units = UNITS, .return_sequences = true, .return_state = true));
    heed_layer *decoder = heed_make(m, heed_gru(.units = UNITS, .return_sequences = true, .return_state = true));
    heed_layer *attention = heed_make(m, heed_attention_layer());
    heed_layer *words = heed_make(m, heed_time_distributed(heed_dense(.units = WORDS, .activation = "softmax")));
    heed_symbol *encoded[2], *decoded[2], *context[2];
    heed_call_layer(encoder, &source, 1, NULL, encoded, 2);
    heed_call_layer(decoder, (heed_symbol *[]){target, encoded[1]}, 2, NULL, decoded, 2);
    heed_call_layer(attention, (heed_symbol *[]){encoded[0], decoded[0]}, 2, NULL, context, 2);
    heed_symbol *both = heed_apply_to(heed_concatenate(), decoded[0], context[0]);
    heed_outputs(m, heed_call_layer(words, &both, 1, NULL, NULL, 1));
    heed_compile(m, .optimizer = "adam(0.01)", .loss = "categorical_crossentropy");
    /* [end] */
    t->training = m;
    if (heed_model_status(m) != HEED_OK)
        return heed_model_status(m);

    /* [The encoder and one step of the decoder, of the same weights] */
    heed_submodel(m, "encoder", &source, 1, encoded, 2, &t->encoder);

    heed_model *d = t->decoder = heed_functional(c, "decoder");
    heed_symbol *states = heed_input(d, .name = "encoded", .shape = {2, {SOURCE, UNITS}});
    heed_symbol *state = heed_input(d, .name = "state", .shape = {1, {UNITS}});
    heed_symbol *word = heed_input(d, .name = "word", .shape = {2, {1, WORDS}});
    heed_call_layer(decoder, (heed_symbol *[]){word, state}, 2, NULL, decoded, 2);
    heed_call_layer(attention, (heed_symbol *[]){states, decoded[0]}, 2, NULL, context, 2);
    both = heed_apply_to(heed_concatenate(), decoded[0], context[0]);
    heed_outputs(d, heed_call_layer(words, &both, 1, NULL, NULL, 1), context[1], decoded[1]);
    /* [end] */
    return t->encoder == NULL ? HEED_EINVAL : heed_model_status(d);
}

/* ---- translating ---- */

static int likeliest(const float *shares)
{
    int best = 0;
    for (int i = 1; i < WORDS; i++)
        best = shares[i] > shares[best] ? i : best;
    return best;
}

/* What one sentence became: its words, and what each attended to. */
typedef struct translation {
    int   words[TARGET], count;
    float attention[TARGET][SOURCE];
} translation;

static heed_status translate(const translator *t, const int *sentence, translation *out)
{
    float source[SOURCE * WORDS], encoded[SOURCE * UNITS], state[UNITS], next_state[UNITS], word[WORDS], shares[WORDS];
    out->count = 0;
    for (int i = 0; i < SOURCE; i++)
        one_hot(source + i * WORDS, sentence[i]);
    /* [Translation, step by step] */
    heed_array text = {HEED_FLOAT32, {3, {1, SOURCE, WORDS}}, source};
    heed_array states[] = {{HEED_FLOAT32, {3, {1, SOURCE, UNITS}}, encoded}, {HEED_FLOAT32, {2, {1, UNITS}}, state}};
    heed_status status = heed_predict_on_batch(t->encoder, &text, 1, states, 2);
    one_hot(word, BEGIN);
    for (int i = 0; i < TARGET && status == HEED_OK; i++) {
        heed_array inputs[] = {states[0], states[1], {HEED_FLOAT32, {3, {1, 1, WORDS}}, word}};
        heed_array outputs[] = {{HEED_FLOAT32, {3, {1, 1, WORDS}}, shares},
                                {HEED_FLOAT32, {3, {1, 1, SOURCE}}, out->attention[i]},
                                {HEED_FLOAT32, {2, {1, UNITS}}, next_state}};
        status = heed_predict_on_batch(t->decoder, inputs, 3, outputs, 3);
        memcpy(state, next_state, sizeof state);
        out->words[out->count++] = likeliest(shares);
        if (likeliest(shares) == END)
            break;
        one_hot(word, likeliest(shares));
    }
    /* [end] */
    return status;
}

static bool print(void *user, const char *bytes, size_t size)
{
    (void)user;
    return fwrite(bytes, 1, size, stdout) == size;
}

static heed_status draw_attention(heed_context *c, const int *sentence, const translation *t)
{
    const char *across[SOURCE], *down[TARGET];
    size_t length = 0;
    while (length < SOURCE && sentence[length] != PADDING)
        length++;
    for (size_t i = 0; i < length; i++)
        across[i] = english[sentence[i]];
    float weights[TARGET * SOURCE];
    for (int i = 0; i < t->count; i++) {
        down[i] = french[t->words[i]];
        memcpy(weights + (size_t)i * length, t->attention[i], length * sizeof *weights);
    }
    /* [The picture] */
    heed_alignment picture = {across, length, down, (size_t)t->count, weights, .title = "what each word attended to"};
    heed_status status = heed_plot_save(c, "attention.svg", &picture, 1, NULL);
    /* [end] */
    return status == HEED_OK ? heed_plot_terminal(c, &picture, NULL, print, NULL) : status;
}

/* Translates sentences that were not trained on (but for chance); returns how many of them came out right. */
static heed_status judge(heed_context *c, const translator *t, int sentences, int *right)
{
    uint32_t random = 4711;
    *right = 0;
    for (int n = 0; n < sentences; n++) {
        int source[SOURCE], target[TARGET];
        translation found;
        make_sentence(&random, source, target);
        heed_status status = translate(t, source, &found);
        if (status == HEED_OK && n == 0)
            status = draw_attention(c, source, &found);
        if (status != HEED_OK)
            return status;
        *right += memcmp(found.words, target + 1, (size_t)found.count * sizeof *target) == 0;
    }
    return HEED_OK;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    enum { JUDGED = 50 };
    translator t = {NULL, NULL, NULL};
    heed_arrays x = {.context = c}, y = {.context = c};
    int right = 0;
    heed_status status = build(c, &t);
    if (status == HEED_OK)
        status = make_data(&x, &y);
    if (status == HEED_OK)
        status = heed_fit(t.training, &x, &y, .epochs = 12);
    if (status == HEED_OK)
        status = judge(c, &t, JUDGED, &right);
    if (status == HEED_OK)
        printf("%d of %d sentences right\n", right, JUDGED);
    else
        fprintf(stderr, "%s\n", heed_error(c));
    heed_model_free(t.decoder);
    heed_model_free(t.encoder);
    heed_model_free(t.training);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_context_free(c);
    return right > JUDGED * 8 / 10 ? 0 : 1;
}
