#include "formats/keras_config.h"

/* Of members with equal names the last counts, in the place of the first. */
static heed_status fill_dict(heed_zone *z, const heed_json *from, heed_value *to)
{
    heed_index known = {NULL};
    for (const heed_json *item = from->first; item != NULL; item = item->next) {
        heed_value *value = heed_value_of_json(z, item), *before = heed_index_find_text(&known, item->key);
        if (value == NULL || (value->key = heed_zone_strdup(z, item->key)) == NULL)
            return HEED_ENOMEM;
        if (before != NULL) {
            value->next = before->next;
            *before = *value;
            continue;
        }
        HEED_TRY(heed_value_append(to, value));
        HEED_TRY(heed_index_put_text(&known, z, item->key, value));
    }
    return HEED_OK;
}

static heed_status fill_list(heed_zone *z, const heed_json *from, heed_value *to)
{
    for (const heed_json *item = from->first; item != NULL; item = item->next)
        HEED_TRY(heed_value_append(to, heed_value_of_json(z, item)));
    return HEED_OK;
}

/* What an object stands for that Keras writes for a number or list of another type; `v` for any other. */
static const heed_json *plain(const heed_json *v)
{
    static const char *const tokens[][2] = {{"__numpy__", "config"}, {"__tensor__", "config"}, {"__tuple__", "items"}};
    const heed_json *class_name = heed_json_find(v, "class_name");
    for (size_t i = 0; class_name != NULL && i < sizeof tokens / sizeof *tokens; i++)
        if (heed_json_is_string(class_name, tokens[i][0])) {
            const heed_json *held = heed_json_find(v, tokens[i][1]);
            const heed_json *value = i < 2 ? heed_json_find(held, "value") : held;
            return value == NULL ? v : value;
        }
    return v;
}

heed_value *heed_value_of_json(heed_zone *z, const heed_json *token)
{
    const heed_json *v = plain(token);
    const char *activation = heed_keras3_activation_name(v);
    heed_value *out;
    if (activation != NULL)
        return heed_value_text(z, activation);
    switch (v->type) {
    case HEED_JSON_NULL: return heed_value_null(z);
    case HEED_JSON_BOOL: return heed_value_bool(z, v->boolean);
    case HEED_JSON_INT: return heed_value_int(z, v->integer);
    case HEED_JSON_REAL: return heed_value_real(z, v->real);
    case HEED_JSON_STRING: return heed_value_text(z, v->text);
    case HEED_JSON_ARRAY:
        out = heed_value_list(z);
        return out == NULL || fill_list(z, v, out) != HEED_OK ? NULL : out;
    default:
        out = heed_value_dict(z);
        return out == NULL || fill_dict(z, v, out) != HEED_OK ? NULL : out;
    }
}

static heed_status fill_json(heed_zone *z, const heed_value *from, heed_json *to)
{
    for (const heed_value *item = from->first; item != NULL; item = item->next) {
        heed_json *value = heed_json_of_value(z, item);
        HEED_TRY(from->type == HEED_VALUE_DICT ? heed_json_add(z, to, item->key, value) : heed_json_append(to, value));
    }
    return HEED_OK;
}

heed_json *heed_json_of_value(heed_zone *z, const heed_value *v)
{
    heed_json *out;
    if (v == NULL)
        return NULL;
    switch (v->type) {
    case HEED_VALUE_NULL: return heed_json_null(z);
    case HEED_VALUE_BOOL: return heed_json_bool(z, v->boolean);
    case HEED_VALUE_INT: return heed_json_int(z, v->integer);
    case HEED_VALUE_REAL: return heed_json_real(z, v->real);
    case HEED_VALUE_TEXT: return heed_json_string(z, v->text);
    case HEED_VALUE_LIST: out = heed_json_array(z); break;
    case HEED_VALUE_DICT: out = heed_json_object(z); break;
    default: return heed_json_string(z, heed_value_expression(z, v));
    }
    return out == NULL || fill_json(z, v, out) != HEED_OK ? NULL : out;
}
