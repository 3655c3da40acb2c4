#include "formats/keras_text.h"

#include "layers/layer.h"

#include <string.h>

/* ---- finding ---- */

static const char *text_of(const heed_json *object, const char *key)
{
    const heed_json *v = heed_json_find(object, key);
    return heed_json_is(v, HEED_JSON_STRING) ? v->text : NULL;
}

static const char *name_of(const heed_json *layer)
{
    const char *name = text_of(heed_json_find(layer, "config"), "name");
    return name != NULL ? name : text_of(layer, "name");
}

static bool is_class(const heed_json *layer, const char *class_name)
{
    return heed_json_is_string(heed_json_find(layer, "class_name"), class_name);
}

static bool is_text_layer(const heed_json *layer)
{
    const heed_json *invert = heed_json_find(heed_json_find(layer, "config"), "invert");
    return (is_class(layer, "TextVectorization") || is_class(layer, "StringLookup")) && name_of(layer) != NULL &&
           !(heed_json_is(invert, HEED_JSON_BOOL) && invert->boolean);
}

static bool is_string_input(const heed_json *layer)
{
    return is_class(layer, "InputLayer") && name_of(layer) != NULL &&
           heed_json_is_string(heed_json_find(heed_json_find(layer, "config"), "dtype"), "string");
}

/* The first name of a layer in what a call is given, in either form. */
static const char *first_source(const heed_json *v)
{
    const char *found = NULL;
    if (heed_json_is(v, HEED_JSON_ARRAY) && heed_json_is(v->first, HEED_JSON_STRING))
        return v->first->text;
    const heed_json *history = heed_json_find(v, "keras_history");
    if (history != NULL)
        return first_source(history);
    if (heed_json_is(v, HEED_JSON_ARRAY) || heed_json_is(v, HEED_JSON_OBJECT))
        for (const heed_json *item = v->first; item != NULL && found == NULL; item = item->next)
            found = first_source(item);
    return found;
}

/* The string input that a text layer reads: in a functional model the one that it is called on, else the one before it. */
static const heed_json *source_of(const heed_json *layers, const heed_json *layer)
{
    const heed_json *nodes = heed_json_find(layer, "inbound_nodes");
    const char *name = nodes == NULL ? NULL : first_source(nodes);
    for (const heed_json *item = layers->first; item != NULL; item = item->next)
        if (is_string_input(item) && (nodes == NULL ? item->next == layer : name != NULL && strcmp(name_of(item), name) == 0))
            return item;
    return NULL;
}

/* ---- what it gives ---- */

static const heed_json *option(const heed_json *layer, const char *key)
{
    return heed_json_option(heed_json_find(layer, "config"), key);
}

/* How many numbers a text becomes where it does not become a sequence; NULL where the file does not tell. */
static heed_json *depth_of(heed_zone *z, const heed_json *layer)
{
    const heed_json *pads = option(layer, "pad_to_max_tokens"), *most = option(layer, "max_tokens");
    const heed_json *size = option(layer, "vocabulary_size"), *words = option(layer, "vocabulary");
    if (heed_json_is(pads, HEED_JSON_BOOL) && pads->boolean && most != NULL)
        return heed_json_copy(z, most);
    if (size == NULL && heed_json_is(words, HEED_JSON_ARRAY))
        return heed_json_int(z, (int64_t)words->count + !heed_json_is_string(words->first, "[UNK]"));
    return size == NULL ? heed_json_null(z) : heed_json_copy(z, size);
}

static heed_json *shape_of(heed_zone *z, const heed_json *layer, const heed_json *source, bool sequence)
{
    heed_json *shape = heed_json_array(z);
    const heed_json *given = source == NULL ? NULL : option(source, "batch_shape");
    if (given == NULL && source != NULL)
        given = option(source, "batch_input_shape");
    const heed_json *length = option(layer, "output_sequence_length");
    if (heed_json_append(shape, heed_json_null(z)) != HEED_OK)
        return NULL;
    if (sequence && is_class(layer, "StringLookup")) /* a number for each text, perhaps in a row of its own */
        return !heed_json_is(given, HEED_JSON_ARRAY) || given->count < 2 ||
                       heed_json_append(shape, heed_json_int(z, 1)) == HEED_OK ? shape : NULL;
    heed_json *size = !sequence ? depth_of(z, layer) : length == NULL ? heed_json_null(z) : heed_json_copy(z, length);
    return heed_json_append(shape, size) == HEED_OK ? shape : NULL;
}

/* An input layer of what the text layer gives. */
static heed_status input_for(heed_zone *z, const heed_json *layer, const heed_json *source, const char *name,
                             heed_json **out)
{
    const heed_json *mode = option(layer, "output_mode");
    bool sequence = mode == NULL || heed_json_is_string(mode, "int");
    heed_json *config = heed_json_object(z), *shape = shape_of(z, layer, source, sequence);
    *out = heed_json_object(z);
    HEED_TRY(heed_json_set(z, config, "name", heed_json_string(z, name)));
    HEED_TRY(heed_json_set(z, config, "batch_input_shape", shape == NULL ? NULL : heed_json_copy(z, shape)));
    HEED_TRY(heed_json_set(z, config, "batch_shape", shape));
    HEED_TRY(heed_json_set(z, config, "dtype", heed_json_string(z, sequence ? "int32" : "float32")));
    HEED_TRY(heed_json_set(z, *out, "class_name", heed_json_string(z, "InputLayer")));
    HEED_TRY(heed_json_set(z, *out, "config", config));
    HEED_TRY(heed_json_set(z, *out, "name", heed_json_string(z, name)));
    return heed_json_set(z, *out, "inbound_nodes", heed_json_array(z));
}

/* ---- taking out ---- */

static void set_text(heed_json *string, const char *text)
{
    string->text = text;
    string->length = strlen(text);
}

void heed_keras_rename_layer(heed_json *v, const char *from, const char *to)
{
    if (v->type != HEED_JSON_ARRAY && v->type != HEED_JSON_OBJECT)
        return;
    heed_json *first = v->first;
    if (v->type == HEED_JSON_ARRAY && heed_json_is_string(first, from) && heed_json_is(first->next, HEED_JSON_INT))
        set_text(first, to);
    for (heed_json *item = first; item != NULL; item = item->next)
        heed_keras_rename_layer(item, from, to);
}

const char *heed_keras_text_path(heed_zone *z, const char *class_name, int before)
{
    char snake[128];
    heed_snake_case(class_name, snake, sizeof snake);
    return before == 0 ? heed_zone_printf(z, "layers/%s", snake) : heed_zone_printf(z, "layers/%s_%d", snake, before);
}

static int count_before(const heed_keras_texts *taken, const char *class_name)
{
    int before = 0;
    for (size_t i = 0; i < taken->count; i++)
        before += is_class(taken->items[i].layer, class_name);
    return before;
}

/* One text layer: `source` becomes its outcome, or it does so itself where there is no layer before it. */
static heed_status take_out(heed_zone *z, heed_json *config, const heed_json *layer, heed_keras_texts *texts)
{
    heed_keras_text *out = &texts->items[texts->count];
    const heed_json *layers = heed_json_find(config, "layers"), *source = source_of(layers, layer);
    const char *name = name_of(source == NULL ? layer : source), *own = name_of(layer);
    const char *class_name = heed_json_find(layer, "class_name")->text;
    heed_json *rest = heed_json_array(z);
    *out = (heed_keras_text){name, NULL, heed_json_copy(z, layer),
                             heed_keras_text_path(z, class_name, count_before(texts, class_name))};
    if (source != NULL)
        out->source = heed_json_copy(z, source);
    if (out->layer == NULL || out->path == NULL || (source != NULL && out->source == NULL))
        return HEED_ENOMEM;
    texts->count++;
    for (const heed_json *item = layers->first; item != NULL; item = item->next) {
        heed_json *copy;
        if (item == layer && source != NULL)
            continue;
        if (item == layer || item == source)
            HEED_TRY(input_for(z, layer, source, name, &copy));
        else
            copy = heed_json_copy(z, item);
        HEED_TRY(heed_json_append(rest, copy));
    }
    HEED_TRY(heed_json_set(z, config, "layers", rest));
    heed_keras_rename_layer(config, own, name);
    return HEED_OK;
}

/* The next text layer that can be taken out: behind an input, or the first of a stack. */
static const heed_json *next_text_layer(const heed_json *layers)
{
    for (const heed_json *item = layers->first; item != NULL; item = item->next)
        if (is_text_layer(item) &&
            (source_of(layers, item) != NULL || (item == layers->first && heed_json_find(item, "inbound_nodes") == NULL)))
            return item;
    return NULL;
}

heed_status heed_keras_take_texts(heed_zone *z, heed_json *object, heed_keras_texts *out)
{
    heed_json *config = heed_json_find(object, "config");
    const heed_json *layers = heed_json_find(config, "layers"), *layer;
    *out = (heed_keras_texts){NULL, 0};
    if (!heed_json_is(layers, HEED_JSON_ARRAY) || next_text_layer(layers) == NULL)
        return HEED_OK;
    out->items = heed_zone_alloc(z, layers->count, sizeof *out->items);
    if (out->items == NULL)
        return HEED_ENOMEM;
    while ((layer = next_text_layer(heed_json_find(config, "layers"))) != NULL)
        HEED_TRY(take_out(z, config, layer, out));
    return HEED_OK;
}

/* ---- keeping ---- */

static heed_status add_idf(heed_zone *z, const heed_keras_text *t, const heed_hdf5 *weights, heed_json *object)
{
    const char *place = heed_zone_printf(z, "%s/vars/idf_weights", t->path);
    const heed_hdf5 *node = weights == NULL || place == NULL ? NULL : heed_hdf5_find(weights, place);
    if (node == NULL || node->array == NULL)
        return HEED_OK;
    heed_array *numbers;
    heed_json *list = heed_json_array(z);
    HEED_TRY(heed_array_convert(z->context, node->array, HEED_FLOAT32, &numbers));
    heed_status status = HEED_OK;
    for (int64_t i = 0; i < heed_array_count(numbers) && status == HEED_OK; i++)
        status = heed_json_append(list, heed_json_real(z, ((const float *)numbers->data)[i]));
    heed_array_free(z->context, numbers);
    return status == HEED_OK ? heed_json_set(z, object, "idf_weights", list) : status;
}

static heed_status keep_text(heed_zone *z, heed_model *m, const heed_keras_text *t, size_t place,
                             const heed_hdf5 *weights)
{
    heed_json *object = heed_json_object(z);
    const char *name = heed_zone_printf(z, "text/%s.json", t->input);
    const char *words = heed_zone_printf(z, "%s/vocabulary.txt", t->path);
    if (name == NULL || words == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_json_set(z, object, "class_name", heed_json_copy(z, heed_json_find(t->layer, "class_name"))));
    HEED_TRY(heed_json_set(z, object, "config", heed_json_copy(z, heed_json_find(t->layer, "config"))));
    if (t->source != NULL)
        HEED_TRY(heed_json_set(z, object, "source", heed_json_copy(z, t->source)));
    HEED_TRY(heed_json_set(z, object, "place", heed_json_int(z, (int64_t)place)));
    HEED_TRY(heed_json_set(z, object, "vocabulary", heed_json_string(z, words)));
    HEED_TRY(add_idf(z, t, weights, object));
    heed_text text = {.context = m->context};
    heed_json_write(&text, object, 0);
    heed_status status = heed_text_status(&text);
    if (status == HEED_OK)
        status = heed_set_asset(m, name, text.bytes, text.length);
    heed_text_free(&text);
    return status;
}

/* Sequences of no given length are as long as the longest of a batch. */
static void mark_padded(heed_model *m, const heed_keras_text *t)
{
    const heed_json *mode = option(t->layer, "output_mode");
    bool sequence = mode == NULL || heed_json_is_string(mode, "int");
    if (!is_class(t->layer, "TextVectorization") || !sequence || option(t->layer, "output_sequence_length") != NULL)
        return;
    for (int i = 0; i < m->input_count; i++)
        m->inputs[i]->padded |= strcmp(heed_model_input_name(m, i), t->input) == 0;
}

heed_status heed_keras_keep_texts(heed_zone *z, heed_model *m, const heed_keras_texts *texts, const heed_hdf5 *weights)
{
    for (size_t i = 0; i < texts->count; i++) {
        HEED_TRY(keep_text(z, m, &texts->items[i], i, weights));
        mark_padded(m, &texts->items[i]);
    }
    return HEED_OK;
}
