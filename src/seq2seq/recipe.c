/* The recipes there are, and their settings. */
#include "seq2seq/recipe.h"

#include <stdio.h>
#include <string.h>

static const heed_recipe_kind *const kinds[] = {&heed_gru_attention_kind, &heed_bahdanau_kind, &heed_luong_kind,
                                               &heed_attention_keras_kind, &heed_transformer_kind};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

/* How recurrent models of sentences are trained: few pairs a step, few pieces of words. */
#define RECURRENT                                                                                                      \
    "source_tokens='bpe', target_tokens='bpe', vocabulary=6000, batch_tokens=1024, learning_rate=0.001, "              \
    "warmup_steps=500, label_smoothing=0.1, longest=200, epochs=40, validate_by='loss', average=5"

/* Each with the settings in which it differs from what its kind of model has by default. */
static const heed_recipe_info recipes[] = {
    {"gru-attention",
     "a bidirectional GRU reads, a GRU writes and attends to what was read (Bahdanau et al. 2014; attention after the "
     "step, as Luong et al. 2015)",
     "gru-attention", ""},
    {"dates", "settings for dates in many languages: letters in, digits out", "gru-attention",
     "lowercase=True, learning_rate=0.003"},
    {"bahdanau",
     "a bidirectional GRU reads, a GRU that attends within its step writes (Bahdanau et al. 2015, or Nematus' "
     "conditional form), of the size that suits some ten thousand pairs of sentences; the cell that attends is heed's, "
     "Keras has none",
     "bahdanau",
     RECURRENT},
    {"luong",
     "stacks of LSTM read and write, attention by products of their states (Luong et al. 2015), fed back or not; as "
     "large as bahdanau; the layers that attend are heed's, Keras has none",
     "luong", RECURRENT},
    {"attention-keras",
     "the example of attention_keras as it is, a baseline: one GRU reads words, one writes, AttentionLayer is behind "
     "it; of sentences up to 20 words, without dropout or token vectors",
     "attention-keras",
     "source_tokens='words', target_tokens='words', lowercase=True, target_lowercase=True, batch_size=64, "
     "learning_rate=0.001, schedule='constant', warmup_steps=0, clip_norm=0.0, longest=20, validate_by='loss'"},
    {"transformer",
     "attention reads and writes (Vaswani et al. 2017), beside it what reads sees each token's neighbours "
     "(kernel_size=1: attention alone), of the size that suits some ten thousand pairs of sentences",
     "transformer",
     "source_tokens='bpe', target_tokens='bpe', shared_vocabulary=True, vocabulary=5000, batch_tokens=512, "
     "learning_rate=0.0035, beta_2=0.99, warmup_steps=9000, clip_norm=0.0, label_smoothing=0.1, longest=200, epochs=70, "
     "validate_by='loss', average=5, kernel_size=3"},
    {"pronunciation",
     "settings for spellings and their pronunciations: letters in, phonemes out, each parted by a blank", "transformer",
     "source_tokens='words', target_tokens='words', batch_tokens=512, learning_rate=0.0015, beta_2=0.99, "
     "warmup_steps=3000, clip_norm=0.0, label_smoothing=0.1, longest=100, epochs=22, average=5, feed_forward=512, "
     "encoder_layers=5, decoder_layers=2, kernel_size=3, dropout=0.1, share='target'"},
};
enum { RECIPE_COUNT = sizeof recipes / sizeof *recipes };

int                     heed_recipe_count(void) { return RECIPE_COUNT; }
const heed_recipe_info *heed_recipe_at(int index)
{
    return index < 0 || index >= RECIPE_COUNT ? NULL : &recipes[index];
}

static const heed_recipe_kind *kind_of(const heed_recipe_info *r)
{
    int i = 0;
    while (i < KIND_COUNT - 1 && strcmp(kinds[i]->name, r->model) != 0)
        i++;
    return kinds[i];
}

#define COUNT_ONE(config, type, name, value, range, meaning) +1
int heed_common_setting_count(void) { return HEED_RECIPE_SETTINGS(COUNT_ONE, ); }

int heed_setting_count(int recipe)
{
    const heed_recipe_info *r = heed_recipe_at(recipe);
    return r == NULL ? 0 : kind_of(r)->option_count;
}

const heed_setting_info *heed_setting_at(int recipe, int index)
{
    return index < 0 || index >= heed_setting_count(recipe) ? NULL : &kind_of(&recipes[recipe])->settings[index];
}

static heed_status find(heed_context *c, const char *name, const heed_recipe_info **out)
{
    for (int i = 0; i < RECIPE_COUNT; i++)
        if (name == NULL || strcmp(recipes[i].name, name) == 0) {
            *out = &recipes[i];
            return HEED_OK;
        }
    heed_text names = {.context = c};
    for (int i = 0; i < RECIPE_COUNT; i++)
        heed_text_printf(&names, "%s%s", i == 0 ? "" : i == RECIPE_COUNT - 1 ? " and " : ", ", recipes[i].name);
    HEED_TRY(heed_text_status(&names));
    heed_status status = heed_fail(c, HEED_ENOTFOUND, "%s: no recipe of this name", name);
    heed_hint(c, "the recipes are %s; heed train --list-recipes explains them", names.bytes);
    heed_text_free(&names);
    return status;
}

/* From "units=128, ..." as people write it. */
static heed_status apply(heed_zone *z, const heed_recipe *r, const char *text, void *settings)
{
    heed_value *given;
    HEED_TRY(heed_value_parse_arguments(z, r->name, text, &given));
    return heed_options_read(z, r->name, HEED_TABLE_OF(r->kind), 0, given, settings);
}

static heed_status begin(heed_zone *z, const heed_recipe_info *info, heed_recipe *out, void **settings)
{
    *out = (heed_recipe){.name = info->name, .kind = kind_of(info)};
    out->settings = *settings = heed_options_copy(z, HEED_TABLE_OF(out->kind), NULL);
    return *settings == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_recipe_read(heed_zone *z, const char *name, const char *changes, heed_recipe *out)
{
    const heed_recipe_info *info;
    void *settings;
    HEED_TRY(find(z->context, name, &info));
    HEED_TRY(begin(z, info, out, &settings));
    HEED_TRY(apply(z, out, info->changes, settings));
    if (changes != NULL)
        HEED_TRY(apply(z, out, changes, settings));
    return heed_options_check(z->context, out->name, HEED_TABLE_OF(out->kind), settings);
}

heed_status heed_recipe_restore(heed_zone *z, const char *who, const char *name, const heed_value *given,
                                heed_recipe *out)
{
    const heed_recipe_info *info;
    void *settings;
    HEED_TRY(find(z->context, name, &info));
    HEED_TRY(begin(z, info, out, &settings));
    HEED_TRY(heed_options_read(z, who, HEED_TABLE_OF(out->kind), 0, given, settings));
    return heed_options_check(z->context, who, HEED_TABLE_OF(out->kind), settings);
}

char *heed_recipe_write(heed_zone *z, const heed_recipe *r)
{
    heed_value *all = heed_value_dict(z);
    if (all == NULL || heed_options_write(z, HEED_TABLE_OF(r->kind), r->settings, all) != HEED_OK)
        return NULL;
    return heed_value_expression(z, all);
}

heed_status heed_recipe_copy(heed_zone *z, const heed_recipe *r, heed_recipe *out)
{
    *out = *r; /* names and kinds live as long as the program */
    out->settings = heed_options_copy(z, HEED_TABLE_OF(r->kind), r->settings);
    return out->settings == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_tokenizer_config heed_recipe_tokenizer(const heed_recipe_settings *s, bool source)
{
    bool as_source = source || s->target_vocabulary == 0;
    return (heed_tokenizer_config){
        .kind = source ? s->source_tokens : s->target_tokens,
        .normal_form = s->normal_form,
        .moses = source ? s->source_moses : s->target_moses,
        .lowercase = source ? s->lowercase : s->target_lowercase,
        .most_tokens = (int32_t)(as_source ? s->vocabulary : s->target_vocabulary),
        .least_count = source ? s->least_count : 1,
        .character_coverage = s->character_coverage,
        .longest_piece = (int32_t)s->longest_piece,
        .split_digits = s->split_digits,
        .fewer_tokens = s->fewer_tokens,
    };
}

/* ---- models */

static heed_status compile(heed_model *m, const heed_recipe *r)
{
    const heed_recipe_settings *s = r->settings;
    char optimizer[160], clip[48] = "";
    if (s->clip_norm > 0)
        snprintf(clip, sizeof clip, ", global_clipnorm=%.9g", s->clip_norm);
    snprintf(optimizer, sizeof optimizer, "adam(learning_rate=%.9g, beta_2=%.9g%s)", s->learning_rate, s->beta_2, clip);
    return heed_compile(m, .optimizer = optimizer,
                        .loss = r->kind->logits ? "sparse_categorical_crossentropy(from_logits=True, ignore_class=0)"
                                                : "sparse_categorical_crossentropy");
}

heed_status heed_recipe_build(heed_context *c, const heed_recipe *r, int32_t source_size, int32_t target_size,
                              heed_model **out)
{
    heed_model *m = heed_functional(c, "translator");
    heed_symbol *output = NULL;
    heed_status status = r->kind->wire(m, r->settings, source_size, target_size, &output);
    if (status == HEED_OK)
        status = heed_outputs(m, output);
    if (status == HEED_OK)
        status = compile(m, r);
    if (status != HEED_OK) {
        heed_model_free(m);
        m = NULL;
    }
    *out = m;
    return status;
}

heed_status heed_recipe_begin(heed_model *m, const heed_recipe *r)
{
    HEED_TRY(heed_build(m));
    return r->kind->begin == NULL ? HEED_OK : r->kind->begin(m, r->settings);
}

int64_t heed_recipe_most_tokens(const heed_recipe *r)
{
    return r->kind->most_tokens == NULL ? 4 * r->settings->longest : r->kind->most_tokens(r->settings);
}

heed_status heed_recipe_decoding_models(const heed_recipe *r, heed_model *trained, bool weights,
                                        heed_decoding_models *out)
{
    heed_context *c = heed_model_context(trained);
    *out = (heed_decoding_models){.encoder = heed_functional(c, "encoder"), .step = heed_functional(c, "decoder_step")};
    heed_status status = r->kind->wire_decoding(trained, r->settings, weights, out);
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

heed_symbol *heed_recipe_ids(heed_model *m, const char *name, int64_t length)
{
    return heed_input(m, .name = name, .dtype = HEED_INT32, .shape = {1, {length}});
}

heed_status heed_recipe_find_layer(heed_model *m, const char *name, heed_layer **out)
{
    *out = heed_model_find_layer(m, name);
    return *out != NULL ? HEED_OK
                        : heed_fail(heed_model_context(m), HEED_EFORMAT, "%s: no layer '%s', which a translator has",
                                    heed_model_name(m), name);
}

heed_layer *heed_recipe_layer(heed_model *m, heed_model *trained, const char *name, heed_spec spec)
{
    heed_layer *layer = NULL;
    if (trained == NULL)
        return heed_make(m, spec);
    heed_recipe_find_layer(trained, name, &layer);
    return layer;
}

heed_symbol *heed_recipe_call(heed_layer *layer, heed_symbol *a, heed_symbol *b)
{
    heed_symbol *inputs[] = {a, b};
    return heed_call_layer(layer, inputs, b == NULL ? 1 : 2, NULL, NULL, 1);
}
