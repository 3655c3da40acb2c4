/* A layer as it would be written down: Dense(units=5, activation='relu'). */
#include "layers/layer.h"

#include <string.h>

static bool is_default(heed_zone *z, const heed_value *item, const heed_value *defaults)
{
    const heed_value *other = heed_value_find(defaults, item->key);
    const char *own = heed_value_expression(z, item), *standard = other == NULL ? NULL : heed_value_expression(z, other);
    return own != NULL && standard != NULL && strcmp(own, standard) == 0;
}

/* What a class's options are when nobody sets them; an empty dict for what is no layer. NULL when there is no memory. */
static heed_value *defaults_of(heed_zone *z, const heed_layer_class *class)
{
    heed_value *defaults = heed_value_dict(z);
    if (defaults == NULL || class == NULL)
        return defaults;
    return heed_options_write(z, HEED_TABLE_OF(class), class->defaults, defaults) == HEED_OK ? defaults : NULL;
}

static heed_value *written(heed_zone *z, const char *name, const heed_layer_class *class, const heed_value *options);

/* An object in Keras' form, {"class_name": ..., "config": ...}, as a call; anything else as it is. */
static heed_value *shortened(heed_zone *z, const heed_value *v)
{
    const heed_value *name = heed_value_find(v, "class_name"), *config = heed_value_find(v, "config");
    if (!heed_value_is(name, HEED_VALUE_TEXT) || !heed_value_is(config, HEED_VALUE_DICT))
        return heed_value_copy(z, v);
    return written(z, name->text, heed_find_layer(z->context, name->text, NULL), config);
}

/* The call, with the options that are set otherwise than by default. */
static heed_value *written(heed_zone *z, const char *name, const heed_layer_class *class, const heed_value *options)
{
    heed_value *call = heed_value_call(z, name), *defaults = defaults_of(z, class);
    if (call == NULL || defaults == NULL || options == NULL)
        return NULL;
    for (const heed_value *item = options->first; item != NULL; item = item->next) {
        bool said = strcmp(item->key, "name") != 0 && !is_default(z, item, defaults) &&
                    (class != NULL || !heed_value_is(item, HEED_VALUE_NULL));
        if (said && heed_value_set(z, call, item->key, shortened(z, item)) != HEED_OK)
            return NULL;
    }
    return call;
}

heed_status heed_layer_text(const heed_layer *layer, char **text)
{
    heed_text out = {.context = layer->context};
    heed_zone z;
    *text = NULL;
    heed_zone_init(&z, layer->context);
    const heed_layer_class *class = layer->layer_class;
    const heed_value *call = written(&z, class->name, class, heed_layer_options_value(&z, layer));
    if (call != NULL)
        heed_value_write(&out, call);
    heed_zone_free(&z);
    heed_status status = call == NULL ? HEED_ENOMEM : heed_text_status(&out);
    if (status == HEED_OK)
        *text = out.bytes;
    else
        heed_text_free(&out);
    return status;
}
