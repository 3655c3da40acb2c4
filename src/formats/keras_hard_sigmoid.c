/* Keras 2's hard sigmoid, min(max(0.2 x + 0.5, 0), 1), written for Keras 3, whose own is another function. Any layer may be
 * an activation there: here a chain of two, under a name that tells it when heed reads it again. */
#include "formats/keras_config.h"

#include <string.h>

static const char NAME[] = "hard_sigmoid_keras2";

static heed_status append_layer(heed_zone *z, heed_json *layers, const char *class_name, heed_json *config)
{
    heed_json *layer = heed_json_object(z);
    HEED_TRY(heed_json_set(z, layer, "module", heed_json_string(z, "keras.layers")));
    HEED_TRY(heed_json_set(z, layer, "class_name", heed_json_string(z, class_name)));
    HEED_TRY(heed_json_set(z, layer, "config", config));
    HEED_TRY(heed_json_set(z, layer, "registered_name", heed_json_null(z)));
    return heed_json_append(layers, layer);
}

static heed_status write_chain(heed_zone *z, heed_json **out)
{
    heed_json *line = heed_json_object(z), *limits = heed_json_object(z), *config = heed_json_object(z);
    heed_json *layers = heed_json_array(z);
    HEED_TRY(heed_json_set(z, line, "name", heed_json_string(z, "line")));
    HEED_TRY(heed_json_set(z, line, "scale", heed_json_real(z, 0.2)));
    HEED_TRY(heed_json_set(z, line, "offset", heed_json_real(z, 0.5)));
    HEED_TRY(heed_json_set(z, limits, "name", heed_json_string(z, "limits")));
    HEED_TRY(heed_json_set(z, limits, "max_value", heed_json_real(z, 1.0)));
    HEED_TRY(append_layer(z, layers, "Rescaling", line));
    HEED_TRY(append_layer(z, layers, "ReLU", limits));
    HEED_TRY(heed_json_set(z, config, "name", heed_json_string(z, NAME)));
    HEED_TRY(heed_json_set(z, config, "trainable", heed_json_bool(z, true)));
    HEED_TRY(heed_json_set(z, config, "layers", layers));
    *out = heed_json_object(z);
    HEED_TRY(heed_json_set(z, *out, "module", heed_json_string(z, "keras")));
    HEED_TRY(heed_json_set(z, *out, "class_name", heed_json_string(z, "Sequential")));
    HEED_TRY(heed_json_set(z, *out, "config", config));
    return heed_json_set(z, *out, "registered_name", heed_json_null(z));
}

static bool names_it(const heed_json *item)
{
    return item->key != NULL && strstr(item->key, "activation") != NULL && heed_json_is_string(item, NAME);
}

heed_status heed_keras3_activations(heed_zone *z, heed_json *v)
{
    bool holds = v->type == HEED_JSON_ARRAY || v->type == HEED_JSON_OBJECT;
    for (heed_json *item = holds ? v->first : NULL, *next; item != NULL; item = next) {
        heed_json *chain;
        next = item->next;
        if (!names_it(item)) {
            HEED_TRY(heed_keras3_activations(z, item));
            continue;
        }
        HEED_TRY(write_chain(z, &chain));
        HEED_TRY(heed_json_set(z, v, item->key, chain));
    }
    return HEED_OK;
}

const char *heed_keras3_activation_name(const heed_json *v)
{
    const heed_json *name = heed_json_find(heed_json_find(v, "config"), "name");
    bool chain = v->key != NULL && strstr(v->key, "activation") != NULL && heed_json_is_string(name, NAME);
    return chain && heed_json_is_string(heed_json_find(v, "class_name"), "Sequential") ? NAME : NULL;
}
