/* A translator's life: made by training, or read from a file. */
#include "seq2seq/translator.h"

#include "model/program.h"

#include <stdio.h>
#include <string.h>

void heed_translator_free(heed_translator *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < 2; i++)
        heed_decoding_models_free(&t->decoding[i]);
    heed_tokenizer_free(t->target);
    heed_tokenizer_free(t->source);
    if (!t->borrowed)
        heed_model_free(t->model);
    heed_zone_free(&t->zone);
    heed_release(t->context, t);
}

heed_status heed_translator_wrap(heed_context *c, heed_model *model, bool borrowed, const heed_recipe *recipe,
                                 int32_t longest_target, heed_tokenizer *source, heed_tokenizer *target,
                                 heed_translator **out)
{
    heed_translator *t = *out = heed_alloc(c, 1, sizeof *t);
    if (t == NULL) {
        heed_tokenizer_free(source);
        heed_tokenizer_free(target);
        if (!borrowed)
            heed_model_free(model);
        return HEED_ENOMEM;
    }
    *t = (heed_translator){.context = c, .model = model, .borrowed = borrowed, .longest_target = longest_target,
                           .source = source, .target = target};
    heed_zone_init(&t->zone, c);
    heed_status status = heed_recipe_copy(&t->zone, recipe, &t->recipe);
    t->settings_text = status == HEED_OK ? heed_recipe_write(&t->zone, &t->recipe) : NULL;
    if (t->settings_text == NULL) {
        heed_translator_free(t);
        *out = NULL;
        return HEED_ENOMEM;
    }
    return HEED_OK;
}

/* ---- the file */

static heed_status write_tokenizer(heed_translator *t, const heed_tokenizer *tokenizer, const char *name)
{
    char *bytes;
    size_t size;
    HEED_TRY(heed_tokenizer_save(tokenizer, &bytes, &size));
    heed_status status = heed_set_asset(t->model, name, bytes, size);
    heed_free(t->context, bytes);
    return status;
}

heed_status heed_translator_write_assets(heed_translator *t)
{
    HEED_TRY(write_tokenizer(t, t->source, HEED_ASSET_SOURCE));
    HEED_TRY(write_tokenizer(t, t->target, HEED_ASSET_TARGET));
    heed_text text = {.context = t->context};
    heed_text_printf(&text, "recipe='%s', longest_target=%d, settings=%s\n", t->recipe.name, (int)t->longest_target,
                     t->settings_text);
    heed_status status = heed_text_status(&text);
    if (status == HEED_OK)
        status = heed_set_asset(t->model, HEED_ASSET_RECIPE, text.bytes, text.length);
    heed_text_free(&text);
    return status;
}

/* An asset as text in the zone. */
static heed_status asset_text(heed_zone *z, const char *path, const heed_model *m, const char *name, char **out,
                              size_t *size)
{
    const void *bytes = heed_asset(m, name, size);
    if (bytes == NULL) {
        heed_fail(z->context, HEED_EFORMAT, "%s: a model, but no translator (expected assets/%s)", path, name);
        heed_hint(z->context, "heed train makes translators; heed predict runs any model");
        return HEED_EFORMAT;
    }
    char *text = *out = heed_zone_alloc(z, *size + 1, 1);
    if (text == NULL)
        return HEED_ENOMEM;
    memcpy(text, bytes, *size);
    return HEED_OK;
}

static heed_status read_recipe(heed_zone *z, const char *path, const char *text, heed_recipe *recipe,
                               int32_t *longest_target)
{
    heed_context *c = z->context;
    heed_value *given;
    int64_t longest;
    const char *name;
    HEED_TRY(heed_value_parse_arguments(z, path, text, &given));
    const heed_value *named = heed_value_find(given, "recipe"), *length = heed_value_find(given, "longest_target");
    const heed_value *settings = heed_value_find(given, "settings");
    if (named == NULL || length == NULL || settings == NULL)
        return heed_fail(c, HEED_EFORMAT, "%s: assets/%s is not whole", path, HEED_ASSET_RECIPE);
    HEED_TRY(heed_value_as_text(c, named, path, &name));
    HEED_TRY(heed_value_as_int(c, length, path, &longest));
    if (name == NULL || longest < 0 || longest > INT32_MAX)
        return heed_fail(c, HEED_EFORMAT, "%s: assets/%s does not name a recipe", path, HEED_ASSET_RECIPE);
    *longest_target = (int32_t)longest;
    return heed_recipe_restore(z, path, name, settings, recipe);
}

static heed_status read_tokenizer(heed_zone *z, const char *path, const heed_model *m, const heed_recipe_settings *s,
                                  bool source, heed_tokenizer **out)
{
    const char *asset = source ? HEED_ASSET_SOURCE : HEED_ASSET_TARGET;
    char *text;
    size_t size;
    HEED_TRY(asset_text(z, path, m, asset, &text, &size));
    const char *name = heed_zone_printf(z, "%s: assets/%s", path, asset);
    heed_tokenizer_config config = heed_recipe_tokenizer(s, source);
    return name == NULL ? HEED_ENOMEM : heed_tokenizer_load(z->context, &config, name, text, size, out);
}

heed_status heed_translator_from_model(heed_context *c, const char *path, heed_model *model, heed_translator **out)
{
    *out = NULL;
    heed_zone z;
    heed_zone_init(&z, c);
    char *text;
    size_t size;
    heed_recipe recipe;
    int32_t longest = 0;
    heed_tokenizer *source = NULL, *target = NULL;
    heed_status status = asset_text(&z, path, model, HEED_ASSET_RECIPE, &text, &size);
    if (status == HEED_OK)
        status = read_recipe(&z, path, text, &recipe, &longest);
    if (status == HEED_OK)
        status = read_tokenizer(&z, path, model, recipe.settings, true, &source);
    if (status == HEED_OK)
        status = read_tokenizer(&z, path, model, recipe.settings, false, &target);
    if (status == HEED_OK) {
        status = heed_translator_wrap(c, model, false, &recipe, longest, source, target, out);
    } else {
        heed_tokenizer_free(target);
        heed_tokenizer_free(source);
        heed_model_free(model);
    }
    heed_zone_free(&z);
    return status;
}

heed_status heed_translator_load(heed_context *c, const char *path, heed_translator **out)
{
    *out = NULL;
    heed_model *model;
    HEED_TRY(heed_load(c, path, &model));
    return heed_translator_from_model(c, path, model, out);
}

void heed_translator_renew(heed_translator *t)
{
    for (int i = 0; i < 2; i++)
        if (t->decoding[i].step != NULL) {
            heed_model_release_weights(t->decoding[i].encoder);
            heed_model_release_weights(t->decoding[i].step);
        }
}

heed_model *heed_translator_model(heed_translator *t)
{
    heed_translator_renew(t); /* whoever asks may change them */
    return t->model;
}

const char *heed_translator_recipe(const heed_translator *t) { return t->recipe.name; }
void heed_translator_map_name(const heed_translator *t, int map, char *text, size_t size)
{
    if (t->recipe.kind->map_name == NULL)
        snprintf(text, size, "attention");
    else
        t->recipe.kind->map_name(t->recipe.settings, map, text, size);
}
const char *heed_translator_settings(const heed_translator *t) { return t->settings_text; }
