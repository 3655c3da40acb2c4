#include "layers/object.h"

#include <string.h>

/* Class `name` of the family, by its own name, Keras' or another that it goes by; NULL when there is none. */
static const heed_object_class *find_class(const heed_object_family *f, const char *name)
{
    const char *mark = strrchr(name, '>'); /* "Custom>Adam" */
    name = mark == NULL ? name : mark + 1;
    for (int i = 0; f->aliases != NULL && f->aliases[i][0] != NULL; i++)
        if (strcmp(f->aliases[i][0], name) == 0)
            name = f->aliases[i][1];
    for (const heed_object_class *const *c = f->classes; *c != NULL; c++)
        if (strcmp((*c)->name, name) == 0 || ((*c)->keras != NULL && strcmp((*c)->keras, name) == 0))
            return *c;
    return NULL;
}

static heed_status need_class(heed_context *c, const heed_object_family *f, const char *name,
                              const heed_object_class **out)
{
    *out = find_class(f, name);
    if (*out != NULL)
        return HEED_OK;
    heed_guess guess = {.word = name};
    for (const heed_object_class *const *class = f->classes; *class != NULL; class++)
        heed_guess_offer(&guess, (*class)->name);
    heed_fail(c, HEED_ENOTFOUND, "no %s of this name: %s", f->word, name);
    if (guess.best != NULL)
        heed_hint(c, "did you mean %s?", guess.best);
    return HEED_ENOTFOUND;
}

/* Whether a key says nothing here: the class's own such key, or what the first tf.keras wrote everywhere. */
static bool is_passed_over(const heed_object_class *class, const char *key)
{
    return (class->passed_over != NULL && strcmp(key, class->passed_over) == 0) ||
           (strcmp(key, "dtype") == 0 && heed_options_find(HEED_TABLE_OF(class), key) == NULL);
}

/* The options in `given` (a dict or call; NULL: none) without the keys that are passed over. */
static heed_status without_passed_over(heed_zone *z, const heed_object_class *class, const heed_value *given,
                                       heed_value **out)
{
    *out = heed_value_call(z, class->name);
    if (*out == NULL)
        return HEED_ENOMEM;
    for (const heed_value *item = given == NULL ? NULL : given->first; item != NULL; item = item->next) {
        if (item->key != NULL && is_passed_over(class, item->key))
            continue;
        const heed_option *o = item->key == NULL ? NULL : heed_options_find(HEED_TABLE_OF(class), item->key);
        bool none = o != NULL && heed_option_takes_none(o);
        if (item->type == HEED_VALUE_NULL && !none) /* a default by another name; later versions of Keras add such keys */
            continue;
        heed_value *copy = heed_value_copy(z, item);
        HEED_TRY(item->key != NULL ? heed_value_set(z, *out, item->key, copy) : heed_value_append(*out, copy));
    }
    return HEED_OK;
}

static heed_status make_object(heed_zone *z, const heed_object_family *f, const heed_value *v, heed_object **out)
{
    const heed_object_class *class;
    HEED_TRY(need_class(z->context, f, v->text, &class));
    heed_value *given;
    HEED_TRY(without_passed_over(z, class, v->type == HEED_VALUE_CALL ? v : NULL, &given));
    heed_option_table t = HEED_TABLE_OF(class);
    heed_object *o = heed_zone_alloc(z, 1, sizeof *o);
    void *config = heed_options_copy(z, t, NULL);
    if (o == NULL || config == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_options_read(z, class->name, t, 0, given, config));
    HEED_TRY(heed_options_check(z->context, class->name, t, config));
    *o = (heed_object){class, config};
    *out = o;
    return HEED_OK;
}

heed_status heed_object_parse(heed_zone *z, const heed_object_family *f, const char *expression, heed_object **out)
{
    heed_value *v;
    *out = NULL;
    HEED_TRY(heed_value_parse(z, f->word, expression, &v));
    if (v->type != HEED_VALUE_TEXT && v->type != HEED_VALUE_CALL)
        return heed_value_unexpected(z->context, v, f->word, "a name, or a name with arguments");
    return make_object(z, f, v, out);
}

/* {"class_name": "L2", "config": {...}} as l2(...); {"class_name": "function", "config": "relu"} as relu. */
static heed_status read_saved(heed_zone *z, const heed_object_family *f, const heed_value *v, const char *what,
                              const char **out)
{
    const heed_value *name = heed_value_find(v, "class_name"), *config = heed_value_find(v, "config");
    if (heed_value_is(config, HEED_VALUE_TEXT)) {
        *out = config->text;
        return HEED_OK;
    }
    if (!heed_value_is(name, HEED_VALUE_TEXT))
        return heed_value_unexpected(z->context, v, what, "a class_name and a config");
    const heed_object_class *class;
    heed_value *call;
    HEED_TRY(need_class(z->context, f, name->text, &class));
    HEED_TRY(without_passed_over(z, class, config, &call));
    *out = call->count == 0 ? class->name : heed_value_expression(z, call);
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_object_expression(heed_zone *z, const heed_object_family *f, const heed_value *v, const char *what,
                                   const char **out)
{
    switch (v->type) {
    case HEED_VALUE_NULL: *out = NULL; return HEED_OK;
    case HEED_VALUE_TEXT: *out = v->text; return HEED_OK;
    case HEED_VALUE_CALL: *out = heed_value_expression(z, v); return *out == NULL ? HEED_ENOMEM : HEED_OK;
    case HEED_VALUE_DICT: return read_saved(z, f, v, what, out);
    default: return heed_value_unexpected(z->context, v, what, f->word);
    }
}

static heed_value *saved_object(heed_zone *z, const heed_object_family *f, const heed_object *o)
{
    heed_value *saved = heed_value_dict(z), *config = heed_value_dict(z);
    if (config == NULL || heed_value_set(z, saved, "module", heed_value_text(z, f->module)) != HEED_OK ||
        heed_value_set(z, saved, "class_name", heed_value_text(z, o->object_class->keras)) != HEED_OK ||
        heed_options_write(z, HEED_TABLE_OF(o->object_class), o->config, config) != HEED_OK ||
        (o->object_class->passed_over != NULL &&
         heed_value_set(z, config, o->object_class->passed_over, heed_value_null(z)) != HEED_OK) ||
        heed_value_set(z, saved, "config", config) != HEED_OK ||
        heed_value_set(z, saved, "registered_name", heed_value_null(z)) != HEED_OK)
        return NULL;
    return saved;
}

heed_value *heed_object_value(heed_zone *z, const heed_object_family *f, const char *expression)
{
    heed_object *o;
    if (expression == NULL)
        return f == &heed_activations ? heed_value_text(z, "linear") : heed_value_null(z);
    if (heed_object_parse(z, f, expression, &o) != HEED_OK)
        return NULL;
    return o->object_class->keras == NULL ? heed_value_text(z, expression) : saved_object(z, f, o);
}
