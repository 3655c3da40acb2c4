/* A layer as it would be written down: Dense(units=5, activation='relu'). */
#include "layers/layer.h"

#include <string.h>

static bool is_default(heed_zone *z, const heed_value *item, const heed_value *defaults)
{
    const heed_value *other = heed_value_find(defaults, item->key);
    if (other == NULL)
        return false;
    const char *own = heed_value_expression(z, item), *standard = heed_value_expression(z, other);
    return own != NULL && standard != NULL && strcmp(own, standard) == 0;
}

static heed_status write_text(heed_zone *z, const heed_layer *layer, heed_text *out)
{
    const heed_layer_class *class = layer->layer_class;
    heed_value *call = heed_value_call(z, class->name), *defaults = heed_value_dict(z);
    heed_value *options = heed_layer_options_value(z, layer);
    if (call == NULL || defaults == NULL || options == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_options_write(z, HEED_TABLE_OF(class), class->defaults, defaults));
    for (const heed_value *item = options->first; item != NULL; item = item->next)
        if (strcmp(item->key, "name") != 0 && !is_default(z, item, defaults))
            HEED_TRY(heed_value_set(z, call, item->key, heed_value_copy(z, item)));
    heed_value_write(out, call);
    return heed_text_status(out);
}

heed_status heed_layer_text(const heed_layer *layer, char **text)
{
    heed_text out = {.context = layer->context};
    heed_zone z;
    *text = NULL;
    heed_zone_init(&z, layer->context);
    heed_status status = write_text(&z, layer, &out);
    heed_zone_free(&z);
    if (status == HEED_OK)
        *text = out.bytes;
    else
        heed_text_free(&out);
    return status;
}
