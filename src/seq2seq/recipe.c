/* The recipes there are, and their settings. */
#include "seq2seq/recipe.h"

#include <string.h>

static const heed_recipe_settings standard = {HEED_RECIPE_SETTINGS(HEED_OPTION_DEFAULT, )};
static const heed_option rows[] = {HEED_RECIPE_SETTINGS(HEED_OPTION_ROW, heed_recipe_settings)};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

const heed_option_table heed_recipe_table = {rows, ROW_COUNT, sizeof(heed_recipe_settings), &standard};

static const heed_recipe_info recipes[] = {
    {"gru-attention",
     "a bidirectional GRU reads, a GRU writes and attends to what was read (Bahdanau et al. 2014; attention after the "
     "step, as Luong et al. 2015)",
     ""},
    {"dates", "gru-attention with settings for dates in many languages: letters in, digits out",
     "lowercase=True, learning_rate=0.003"},
};
enum { RECIPE_COUNT = sizeof recipes / sizeof *recipes };

int                     heed_recipe_count(void) { return RECIPE_COUNT; }
const heed_recipe_info *heed_recipe_at(int index) { return index < 0 || index >= RECIPE_COUNT ? NULL : &recipes[index]; }

/* What --list-recipes shows: the rows of the table with their defaults as text. */
#define HEED_SETTING_INFO(config, type, name, value, range, meaning) {#name, #value, range, meaning},
static const heed_setting_info settings[] = {HEED_RECIPE_SETTINGS(HEED_SETTING_INFO, )};

int                      heed_setting_count(void) { return ROW_COUNT; }
const heed_setting_info *heed_setting_at(int index) { return index < 0 || index >= ROW_COUNT ? NULL : &settings[index]; }

static const heed_recipe_info *find(const char *name)
{
    for (int i = 0; i < RECIPE_COUNT; i++)
        if (strcmp(recipes[i].name, name) == 0)
            return &recipes[i];
    return NULL;
}

/* From "units=128, ..." as people write it, or {'units': 128, ...} as heed_recipe_write does. */
static heed_status apply(heed_zone *z, const char *recipe, const char *text, heed_recipe_settings *s)
{
    heed_value *given;
    if (text[0] == '{')
        HEED_TRY(heed_value_parse(z, recipe, text, &given));
    else
        HEED_TRY(heed_value_parse_arguments(z, recipe, text, &given));
    return heed_options_read(z, recipe, heed_recipe_table, 0, given, s);
}

heed_status heed_recipe_read(heed_zone *z, const char *recipe, const char *changes, const char **name,
                             heed_recipe_settings *out)
{
    const heed_recipe_info *r = find(recipe == NULL ? recipes[0].name : recipe);
    if (r == NULL) {
        heed_status status = heed_fail(z->context, HEED_ENOTFOUND, "%s: no recipe of this name", recipe);
        heed_hint(z->context, "the recipes are gru-attention and dates; heed train --list-recipes explains them");
        return status;
    }
    *name = r->name;
    *out = standard;
    HEED_TRY(apply(z, r->name, r->changes, out));
    if (changes != NULL)
        HEED_TRY(apply(z, r->name, changes, out));
    return heed_options_check(z->context, r->name, heed_recipe_table, out);
}

char *heed_recipe_write(heed_zone *z, const heed_recipe_settings *s)
{
    heed_value *all = heed_value_dict(z);
    if (all == NULL || heed_options_write(z, heed_recipe_table, s, all) != HEED_OK)
        return NULL;
    return heed_value_expression(z, all);
}

heed_tokenizer_config heed_recipe_tokenizer(const heed_recipe_settings *s, bool source)
{
    return (heed_tokenizer_config){.kind = source ? s->source_tokens : s->target_tokens, .lowercase = source && s->lowercase,
                                   .most_tokens = (int32_t)s->vocabulary, .least_count = source ? s->least_count : 1};
}
