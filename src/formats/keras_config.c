/* Reading: layers are made in the order of the file, then their calls are wired. */
#include "formats/keras_wiring.h"
#include "formats/keras_operation.h"

#include <string.h>

/* ---- functional models */

/* Keras 3 leaves out in HDF5 whether something is an operation or a layer: what says nothing of training, and is no
 * layer that heed knows, must be an operation that it does not know. */
static bool is_unknown_operation(const heed_wiring *r, const heed_json *object)
{
    const heed_json *call = heed_json_at(heed_json_find(object, "inbound_nodes"), 0);
    const heed_json *name = heed_json_find(object, "class_name"), *config = heed_json_find(object, "config");
    return heed_json_find(call, "args") != NULL && heed_json_find(object, "module") == NULL &&
           heed_json_find(config, "trainable") == NULL &&
           heed_json_is(name, HEED_JSON_STRING) && !heed_keras_is_model_class(name->text) &&
           heed_find_layer(r->context, name->text, NULL) == NULL;
}

static heed_status read_entry(heed_wiring *r, const heed_json *object, heed_wiring_entry *e)
{
    heed_context *c = r->context;
    const heed_json *nodes = heed_json_find(object, "inbound_nodes"), *config = heed_json_find(object, "config");
    const heed_json *name = heed_json_find(object, "name");
    if (name == NULL)
        name = heed_json_find(config, "name");
    if (!heed_json_is(name, HEED_JSON_STRING))
        return heed_json_fail(c, object, HEED_EFORMAT, "a layer without a name");
    e->object = object;
    e->name = name->text;
    e->first_call = -1;
    e->next = heed_json_is(nodes, HEED_JSON_ARRAY) ? nodes->first : NULL;
    if (heed_wiring_find(r, e->name) != NULL)
        return heed_json_fail(c, object, HEED_EFORMAT, "two layers are called '%s'", e->name);
    if (heed_is_operation_object(object)) {
        HEED_TRY(heed_operation_create(c, object, &e->layer));
        if (e->layer != NULL)
            heed_layer_set_keras(e->layer, heed_keras_meaning(object, r->reading));
        return HEED_OK;
    }
    return is_unknown_operation(r, object) ? HEED_OK : heed_keras_read_layer(c, object, r->reading, &e->layer);
}

/* The elements of a list, or the members of an object by their sorted names, as Keras orders them. */
static heed_status list_items(heed_wiring *r, const heed_json *list, const heed_json ***out)
{
    size_t count = 0;
    const heed_json **items = *out = heed_zone_alloc(&r->zone, list->count, sizeof *items);
    if (items == NULL)
        return HEED_ENOMEM;
    for (const heed_json *item = list->first; item != NULL; item = item->next) {
        size_t at = count++;
        for (; list->type == HEED_JSON_OBJECT && at > 0 && strcmp(items[at - 1]->key, item->key) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
    return HEED_OK;
}

/* Input layers become inputs in the order that input_layers says, not in that of the list. */
static heed_status read_inputs(heed_wiring *r, const heed_json *list)
{
    if (heed_json_is(heed_json_at(list, 0), HEED_JSON_STRING)) { /* one input, without the list around it */
        heed_wiring_place o;
        HEED_TRY(heed_wiring_origin(r, list, &o));
        if (o.from->layer == NULL || !heed_is_input_layer(o.from->layer))
            return heed_json_fail(r->context, list, HEED_EFORMAT, "'%s' is no input layer", o.from->name);
        heed_symbol *s = heed_wire_input(r->model, o.from->layer);
        return s == NULL ? heed_model_status(r->model) : heed_wiring_add_call(r, o.from, s->wire);
    }
    if (list == NULL || (list->type != HEED_JSON_ARRAY && list->type != HEED_JSON_OBJECT))
        return heed_fail(r->context, HEED_EFORMAT, "%s: the model has no list of inputs", heed_model_name(r->model));
    const heed_json **items;
    HEED_TRY(list_items(r, list, &items));
    for (size_t i = 0; i < list->count; i++) {
        if (items[i]->type != HEED_JSON_ARRAY)
            return heed_json_fail(r->context, items[i], HEED_EFORMAT, "expected a layer's name, a call and an output");
        HEED_TRY(read_inputs(r, items[i]));
    }
    return HEED_OK;
}

typedef struct outputs {
    heed_symbol *symbols[HEED_MAX_OUTPUTS];
    int          count;
} outputs;

static heed_status read_outputs(heed_wiring *r, const heed_json *list, outputs *out)
{
    if (heed_json_is(heed_json_at(list, 0), HEED_JSON_STRING)) {
        heed_wiring_place o;
        HEED_TRY(heed_wiring_origin(r, list, &o));
        if (heed_keras_is_old(r->reading))
            o.call -= o.from->first_call;
        else
            heed_wiring_skip_own(&o);
        if (out->count == HEED_MAX_OUTPUTS)
            return heed_json_fail(r->context, list, HEED_EUNSUPPORTED, "more than %d outputs", HEED_MAX_OUTPUTS);
        if (o.from->layer == NULL)
            return heed_operation_refuse(r->context, o.from->object);
        HEED_TRY(heed_wiring_symbol(r, list, &o, &out->symbols[out->count]));
        if (out->symbols[out->count++] == NULL)
            return heed_json_fail(r->context, list, HEED_EFORMAT, "layer '%s' has no call %lld", o.from->name,
                                  (long long)o.call);
        return HEED_OK;
    }
    if (list == NULL || (list->type != HEED_JSON_ARRAY && list->type != HEED_JSON_OBJECT))
        return heed_fail(r->context, HEED_EFORMAT, "%s: the model has no list of outputs", heed_model_name(r->model));
    const heed_json **items;
    HEED_TRY(list_items(r, list, &items));
    for (size_t i = 0; i < list->count; i++) {
        if (items[i]->type != HEED_JSON_ARRAY)
            return heed_json_fail(r->context, items[i], HEED_EFORMAT, "expected a layer's name, a call and an output");
        HEED_TRY(read_outputs(r, items[i], out));
    }
    return HEED_OK;
}

/* The layers in the file's order: Keras numbers weights in files by it. Those that nothing uses are left out. */
static heed_status close_in_file_order(heed_wiring *r, const outputs *o)
{
    heed_layer **layers = heed_zone_alloc(&r->zone, r->count, sizeof *layers);
    size_t count = 0;
    if (layers == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i].call_count > 0)
            layers[count++] = r->entries[i].layer;
    return heed_model_close(r->model, o->symbols, o->count, layers, count);
}

static void find_first_calls(heed_wiring *r, const heed_json *ends)
{
    for (size_t i = 0; i < r->count; i++)
        heed_wiring_note_calls(r, heed_json_find(r->entries[i].object, "inbound_nodes"));
    heed_wiring_note_calls(r, ends);
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i].first_call < 0)
            r->entries[i].first_call = 0;
}

static heed_status read_functional(heed_wiring *r, const heed_json *config)
{
    heed_json *layers;
    HEED_TRY(heed_json_need(r->context, config, "layers", HEED_JSON_ARRAY, &layers));
    r->entries = heed_zone_alloc(&r->zone, layers->count, sizeof *r->entries);
    if (r->entries == NULL)
        return HEED_ENOMEM;
    for (const heed_json *item = layers->first; item != NULL; item = item->next) {
        heed_wiring_entry e = {0};
        HEED_TRY(read_entry(r, item, &e));
        HEED_TRY(heed_wiring_add(r, &e));
    }
    find_first_calls(r, heed_json_find(config, "output_layers"));
    HEED_TRY(read_inputs(r, heed_json_find(config, "input_layers")));
    HEED_TRY(heed_wiring_run(r));
    outputs o = {.count = 0};
    HEED_TRY(read_outputs(r, heed_json_find(config, "output_layers"), &o));
    return close_in_file_order(r, &o);
}

static heed_status read_wired(heed_context *c, const heed_json *config, const heed_keras_reading *reading,
                              heed_model *m)
{
    heed_wiring r = {.context = c, .model = m, .reading = reading};
    heed_zone_init(&r.zone, c);
    heed_status status = read_functional(&r, config);
    for (size_t i = 0; i < r.count; i++)
        heed_layer_release(r.entries[i].layer); /* the model holds what it uses */
    heed_zone_free(&r.zone);
    return status;
}

/* What calls itself "2.3.0-tf" (TensorFlow 2.1 and 2.2) has the layers of Keras 2.3, but learns as TensorFlow's. */
static int meaning_of_model(const heed_json *object, const heed_keras_reading *r)
{
    int meaning = heed_keras_meaning(object, r);
    return meaning == 203 && strstr(r->version, "-tf") != NULL ? 204 : meaning;
}

static heed_status read_model(heed_context *c, const heed_json *object, const heed_keras_reading *r, heed_model **out)
{
    const char *class_name;
    HEED_TRY(heed_keras_class_of(c, object, &class_name));
    if (!heed_keras_is_model_class(class_name))
        return heed_json_fail(c, object, HEED_EUNSUPPORTED,
                              "only Functional and Sequential models can be read (found %s)", class_name);
    const heed_json *config = heed_json_find(object, "config"), *name = heed_json_find(config, "name");
    const heed_json *trainable = heed_json_find(config, "trainable");
    const char *own = heed_json_is(name, HEED_JSON_STRING) ? name->text : NULL;
    bool sequential = strcmp(class_name, "Sequential") == 0;
    if (config == NULL)
        return heed_json_fail(c, object, HEED_EFORMAT, "a model without a config");
    heed_model *m = sequential ? heed_sequential(c, own) : heed_functional(c, own);
    if (m == NULL)
        return HEED_ENOMEM;
    m->layer->keras = meaning_of_model(object, r);
    if (heed_json_is(trainable, HEED_JSON_BOOL))
        heed_layer_set_trainable(m->layer, trainable->boolean);
    heed_status status = sequential ? heed_keras_read_sequential(object, r, m) : read_wired(c, config, r, m);
    if (status == HEED_OK)
        *out = m;
    else
        heed_model_free(m);
    return status;
}

heed_status heed_keras_read_model(heed_context *c, const heed_json *object, const heed_keras_reading *r,
                                  heed_model **out)
{
    heed_keras_reading known = r == NULL ? (heed_keras_reading){0} : *r;
    const heed_json *own_version = heed_json_find(object, "keras_version");
    *out = NULL;
    if (known.version == NULL)
        known.version = heed_json_is(own_version, HEED_JSON_STRING) ? own_version->text : NULL;
    return read_model(c, object, &known, out);
}
