/* Writing for Keras 2: Keras 3's objects, said in its words. */
#include "formats/keras_config.h"
#include "formats/keras_operation_old.h"

#include <string.h>

/* ---- layers ---- */

/* What Keras 2 calls otherwise (`was`), or does not know (NULL). */
static const struct changed {
    const char *class_name; /* NULL: of any class */
    const char *key, *was;
} changed[] = {
    {"InputLayer", "batch_shape", "batch_input_shape"},
    {"InputLayer", "optional", NULL},
    {"LeakyReLU", "negative_slope", "alpha"},
    {"LayerNormalization", "rms_scaling", NULL},
    {"MultiHeadAttention", "seed", NULL},
    {"MultiHeadAttention", "use_gate", NULL},
    {"MultiHeadAttention", "sliding_window", NULL},
    {"Attention", "seed", NULL},
    {"AdditiveAttention", "seed", NULL},
    {"AdditiveAttention", "score_mode", NULL},
    {"ZeroPadding1D", "data_format", NULL},
    {"Cropping1D", "data_format", NULL},
    {"UpSampling1D", "data_format", NULL},
    {"CategoricalCrossentropy", "dtype", NULL},
    {"SparseCategoricalCrossentropy", "dtype", NULL},
    {"BinaryCrossentropy", "dtype", NULL},
    {"Huber", "dtype", NULL},
    {"MeanSquaredError", "dtype", NULL},
    {"MeanAbsoluteError", "dtype", NULL},
    {"MeanAbsolutePercentageError", "dtype", NULL},
    {"MeanSquaredLogarithmicError", "dtype", NULL},
    {"LogCosh", "dtype", NULL},
    {"Poisson", "dtype", NULL},
    {"KLDivergence", "dtype", NULL},
    {"CosineSimilarity", "dtype", NULL},
    {"Hinge", "dtype", NULL},
    {"SquaredHinge", "dtype", NULL},
    {"CategoricalHinge", "dtype", NULL},
    {NULL, "loss_scale_factor", NULL},
    {NULL, "gradient_accumulation_steps", NULL},
    {NULL, "quantization_config", NULL},
    {NULL, "lora_rank", NULL},
};

static const struct changed *find_changed(const char *class_name, const char *key)
{
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        if (strcmp(changed[i].key, key) == 0 &&
            (changed[i].class_name == NULL || strcmp(changed[i].class_name, class_name) == 0))
            return &changed[i];
    return NULL;
}

static heed_status convert(heed_zone *z, const heed_json *v, const char *class_name, heed_json **out);

/* Keras 2 keeps the type of a layer as its name. */
static const heed_json *policy_name(const heed_json *v)
{
    return heed_json_is_string(heed_json_find(v, "class_name"), "DTypePolicy")
               ? heed_json_find(heed_json_find(v, "config"), "name")
               : NULL;
}

/* The hard sigmoid of Keras 2, by its own name there; Keras 3's is another function. */
static heed_status convert_text(heed_zone *z, const heed_json *v, heed_json **out)
{
    if (v->key != NULL && strstr(v->key, "activation") != NULL && strcmp(v->text, "hard_sigmoid") == 0)
        return heed_json_fail(z->context, v, HEED_EUNSUPPORTED, "Keras 2 has another hard_sigmoid");
    *out = heed_json_string_of(z, v->text, v->length);
    if (strcmp(v->text, "hard_sigmoid_keras2") == 0)
        *out = heed_json_string(z, "hard_sigmoid");
    if (strcmp(v->text, "keras.src.models.functional") == 0)
        *out = heed_json_string(z, "keras.src.engine.functional");
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status convert_members(heed_zone *z, const heed_json *v, const char *class_name, heed_json *out)
{
    for (const heed_json *item = v->first; item != NULL; item = item->next) {
        bool member = v->type == HEED_JSON_OBJECT && class_name != NULL;
        const struct changed *c = member ? find_changed(class_name, item->key) : NULL;
        heed_json *converted;
        if (c != NULL && c->was == NULL)
            continue;
        HEED_TRY(convert(z, item, NULL, &converted));
        HEED_TRY(v->type == HEED_JSON_ARRAY ? heed_json_append(out, converted)
                                            : heed_json_set(z, out, c == NULL ? item->key : c->was, converted));
    }
    return HEED_OK;
}

/* Keras 2 has the shapes of attention's inputs, which Keras 3 has beside it, in the config. */
static heed_status move_shapes(heed_zone *z, const heed_json *v, heed_json *out)
{
    static const char *const names[] = {"query_shape", "value_shape", "key_shape"};
    const heed_json *shapes = heed_json_find(heed_json_find(v, "build_config"), "shapes_dict");
    heed_json *config = heed_json_find(out, "config");
    for (int i = 0; i < 3; i++) {
        const heed_json *shape = heed_json_find(shapes, names[i]);
        if (shape == NULL && i == 2) /* the key is the value */
            shape = heed_json_find(shapes, names[1]);
        HEED_TRY(heed_json_set(z, config, names[i], shape == NULL ? heed_json_null(z) : heed_json_copy(z, shape)));
    }
    return HEED_OK;
}

/* An object of a class, whose config is converted as of that class. */
static heed_status convert_object(heed_zone *z, const heed_json *v, heed_json *out)
{
    const char *class_name = heed_json_find(v, "class_name")->text;
    if (heed_json_is_string(heed_json_find(v, "module"), "keras_hub.layers"))
        return heed_json_fail(z->context, v, HEED_EUNSUPPORTED, "%s, of KerasHub, cannot be written for Keras 2", class_name);
    bool attends = strcmp(class_name, "MultiHeadAttention") == 0 &&
                   heed_json_find(heed_json_find(v, "config"), "key_dim") != NULL;
    for (const heed_json *item = v->first; item != NULL; item = item->next) {
        heed_json *converted;
        if (attends && strcmp(item->key, "build_config") == 0)
            continue;
        HEED_TRY(convert(z, item, strcmp(item->key, "config") == 0 ? class_name : NULL, &converted));
        HEED_TRY(heed_json_set(z, out, item->key, converted));
    }
    return attends ? move_shapes(z, v, out) : HEED_OK;
}

/* ---- calls ---- */

static const heed_json *history_of(const heed_json *v)
{
    return heed_json_is_string(heed_json_find(v, "class_name"), "__keras_tensor__")
               ? heed_json_find(heed_json_find(v, "config"), "keras_history")
               : NULL;
}

/* ["layer", call, output]; kwargs are taken over. */
static heed_status old_tensor(heed_zone *z, const heed_index *models, const heed_json *history, heed_json *kwargs,
                              heed_json **out)
{
    const char *name = heed_json_at(history, 0)->text;
    int64_t call = heed_json_at(history, 1)->integer + (heed_index_find_text(models, name) != NULL);
    *out = heed_json_array(z);
    HEED_TRY(heed_json_append(*out, heed_json_string(z, name)));
    HEED_TRY(heed_json_append(*out, heed_json_int(z, call)));
    HEED_TRY(heed_json_append(*out, heed_json_copy(z, heed_json_at(history, 2))));
    return kwargs == NULL ? HEED_OK : heed_json_append(*out, kwargs);
}

/* A keyword, in which tensors are lists. */
static heed_status old_keyword(heed_zone *z, const heed_index *models, const heed_json *v, heed_json **out)
{
    const heed_json *history = history_of(v);
    if (history != NULL)
        return old_tensor(z, models, history, NULL, out);
    if (v->type != HEED_JSON_ARRAY) {
        *out = heed_json_copy(z, v);
        return *out == NULL ? HEED_ENOMEM : HEED_OK;
    }
    *out = heed_json_array(z);
    for (const heed_json *item = v->first; item != NULL; item = item->next) {
        heed_json *converted;
        HEED_TRY(old_keyword(z, models, item, &converted));
        HEED_TRY(heed_json_append(*out, converted));
    }
    return HEED_OK;
}

/* Adds the tensors of an argument to a call's list, each with the call's keywords. */
static heed_status add_tensors(heed_zone *z, const heed_index *models, const heed_json *v, const heed_json *kwargs,
                               heed_json *list)
{
    const heed_json *history = history_of(v);
    if (history != NULL) {
        heed_json *tensor;
        HEED_TRY(old_tensor(z, models, history, heed_json_copy(z, kwargs), &tensor));
        return heed_json_append(list, tensor);
    }
    for (const heed_json *item = v->type == HEED_JSON_ARRAY ? v->first : NULL; item != NULL; item = item->next)
        HEED_TRY(add_tensors(z, models, item, kwargs, list));
    return HEED_OK;
}

/* {"args", "kwargs"} as [["layer", call, output, {kwargs}], ...]: initial states are inputs, and the second and
 * third argument of attention keywords. */
static heed_status old_call(heed_zone *z, const heed_index *models, const heed_json *call, heed_json **out)
{
    static const char *const names[] = {"value", "key"};
    const heed_json *args = heed_json_find(call, "args"), *given = heed_json_find(call, "kwargs");
    heed_json *kwargs = heed_json_object(z), *converted;
    const heed_json *states = heed_json_find(given, "initial_state");
    for (const heed_json *item = given->first; item != NULL; item = item->next) {
        if (item == states)
            continue;
        HEED_TRY(old_keyword(z, models, item, &converted));
        HEED_TRY(heed_json_set(z, kwargs, item->key, converted));
    }
    int at = 0;
    const heed_json *second = args->first == NULL ? NULL : args->first->next;
    for (const heed_json *item = second; item != NULL && at < 2; item = item->next) {
        HEED_TRY(old_keyword(z, models, item, &converted));
        HEED_TRY(heed_json_set(z, kwargs, names[at++], converted));
    }
    *out = heed_json_array(z);
    if (args->first != NULL)
        HEED_TRY(add_tensors(z, models, args->first, kwargs, *out));
    return states == NULL ? HEED_OK : add_tensors(z, models, states, kwargs, *out);
}

/* The calls of a layer. */
static heed_status convert_calls(heed_zone *z, const heed_index *models, const heed_json *layer, heed_json *out)
{
    const heed_json *nodes = heed_json_find(layer, "inbound_nodes");
    heed_json *list = heed_json_array(z), *call;
    if (nodes == NULL)
        return HEED_OK;
    for (const heed_json *node = nodes->first; node != NULL; node = node->next) {
        HEED_TRY(old_call(z, models, node, &call));
        HEED_TRY(heed_json_append(list, call));
    }
    return heed_json_set(z, out, "inbound_nodes", list);
}

/* ---- operations: functions of TensorFlow, each called once ---- */

static bool is_operation(const heed_json *layer)
{
    const heed_json *module = heed_json_find(layer, "module");
    return heed_json_is(module, HEED_JSON_STRING) && strncmp(module->text, "keras.src.ops", 13) == 0;
}

static heed_status refuse_operation(heed_zone *z, const heed_json *layer)
{
    return heed_fail(z->context, HEED_EUNSUPPORTED, "the operation '%s' cannot be written for Keras 2",
                     heed_json_find(layer, "name")->text);
}

/* {"class_name": "__slice__", "config": {"start", ...}} as {"start", ...}; lists of such. */
static heed_status old_operand(heed_zone *z, const heed_index *models, const heed_json *v, heed_json **out)
{
    if (heed_json_is_string(heed_json_find(v, "class_name"), "__slice__")) {
        *out = heed_json_copy(z, heed_json_find(v, "config"));
        return *out == NULL ? HEED_ENOMEM : HEED_OK;
    }
    if (history_of(v) != NULL || v->type != HEED_JSON_ARRAY)
        return old_keyword(z, models, v, out);
    *out = heed_json_array(z);
    for (const heed_json *item = v->first; item != NULL; item = item->next) {
        heed_json *converted;
        HEED_TRY(old_operand(z, models, item, &converted));
        HEED_TRY(heed_json_append(*out, converted));
    }
    return HEED_OK;
}

/* Sets the arguments behind the first as keywords of these names; *fit: whether they have one each. */
static heed_status name_operands(heed_zone *z, const heed_index *models, const heed_json *args, const char *names,
                                 heed_json *keywords, bool *fit)
{
    for (const heed_json *item = args->first->next; item != NULL; item = item->next) {
        size_t length = strcspn(names, " ");
        heed_json *converted;
        *fit = length > 0;
        if (!*fit)
            return HEED_OK;
        HEED_TRY(old_operand(z, models, item, &converted));
        HEED_TRY(heed_json_set(z, keywords, heed_zone_printf(z, "%.*s", (int)length, names), converted));
        names += length + strspn(names + length, " ");
    }
    return HEED_OK;
}

static bool is_number(const heed_json *v) { return v->type == HEED_JSON_INT || v->type == HEED_JSON_REAL; }

/* The first operand: a list of tensors; one alone, or ["_CONSTANT_VALUE", -1, number], goes without a list around it.
 * NULL: it is neither. */
static heed_status first_operand(heed_zone *z, const heed_index *models, const heed_json *v, heed_json *keywords,
                                 heed_json **out)
{
    heed_json *list = heed_json_array(z);
    *out = list;
    if (is_number(v)) {
        HEED_TRY(heed_json_append(list, heed_json_string(z, "_CONSTANT_VALUE")));
        HEED_TRY(heed_json_append(list, heed_json_int(z, -1)));
        HEED_TRY(heed_json_append(list, heed_json_copy(z, v)));
        return heed_json_append(list, keywords);
    }
    HEED_TRY(add_tensors(z, models, v, keywords, list));
    if (list->count == 0)
        *out = NULL;
    else if (history_of(v) != NULL)
        *out = list->first;
    return HEED_OK;
}

static heed_status convert_operation(heed_zone *z, const heed_index *models, const heed_json *layer, heed_json **out)
{
    const heed_json *class_name = heed_json_find(layer, "class_name"), *name = heed_json_find(layer, "name");
    const heed_json *nodes = heed_json_find(layer, "inbound_nodes"), *call = heed_json_at(nodes, 0);
    const heed_json *args = heed_json_find(call, "args"), *options = heed_json_find(layer, "config");
    const char *function, *operands;
    heed_json *keywords = heed_json_object(z), *config = heed_json_object(z), *first;
    bool fit = true;
    HEED_TRY(heed_old_operation_write(z, class_name->text, options, &function, &operands, keywords));
    if (function == NULL || nodes->count != 1 || heed_json_find(call, "kwargs")->count > 0)
        return refuse_operation(z, layer);
    HEED_TRY(name_operands(z, models, args, operands, keywords, &fit));
    HEED_TRY(first_operand(z, models, args->first, keywords, &first));
    if (!fit || first == NULL)
        return refuse_operation(z, layer);
    heed_json *list = heed_json_array(z);
    HEED_TRY(heed_json_append(list, heed_json_copy(z, first)));
    bool slices = strcmp(class_name->text, "GetItem") == 0;
    const char *title = slices ? "SlicingOpLambda" : "TFOpLambda";
    HEED_TRY(heed_json_set(z, config, "name", heed_json_string(z, name->text)));
    HEED_TRY(heed_json_set(z, config, "trainable", heed_json_bool(z, true)));
    HEED_TRY(heed_json_set(z, config, "dtype", heed_json_string(z, "float32")));
    HEED_TRY(heed_json_set(z, config, "function", heed_json_string(z, function)));
    *out = heed_json_object(z);
    HEED_TRY(heed_json_set(z, *out, "module", heed_json_string(z, "keras.src.layers.core.tf_op_layer")));
    HEED_TRY(heed_json_set(z, *out, "class_name", heed_json_string(z, title)));
    HEED_TRY(heed_json_set(z, *out, "config", config));
    HEED_TRY(heed_json_set(z, *out, "registered_name", heed_json_string(z, title)));
    HEED_TRY(heed_json_set(z, *out, "name", heed_json_string(z, name->text)));
    return heed_json_set(z, *out, "inbound_nodes", list);
}

/* ---- wiring ---- */

/* Where inputs or outputs are: always a list. Keras 3 counts a functional model's own wiring here too, but no
 * stack's. */
static heed_status convert_ends(heed_zone *z, const heed_index *models, const heed_json *ends, heed_json **out)
{
    bool one = heed_json_is(heed_json_at(ends, 0), HEED_JSON_STRING);
    *out = heed_json_array(z);
    for (const heed_json *end = one ? ends : ends->first; end != NULL; end = one ? NULL : end->next) {
        heed_json *copy = heed_json_array(z);
        const char *name = heed_json_at(end, 0)->text;
        int64_t call = heed_json_at(end, 1)->integer;
        call += heed_json_is_string(heed_json_find(heed_index_find_text(models, name), "class_name"), "Sequential");
        HEED_TRY(heed_json_append(copy, heed_json_string(z, name)));
        HEED_TRY(heed_json_append(copy, heed_json_int(z, call)));
        HEED_TRY(heed_json_append(copy, heed_json_copy(z, heed_json_at(end, 2))));
        HEED_TRY(heed_json_append(*out, copy));
    }
    return HEED_OK;
}

/* Those of the layers that are models, by name: Keras 2 counts their own wiring as their first call. */
static heed_status index_models(heed_zone *z, const heed_json *layers, heed_index *out)
{
    for (heed_json *layer = layers->first; layer != NULL; layer = layer->next) {
        const heed_json *name = heed_json_find(layer, "name"), *class_name = heed_json_find(layer, "class_name");
        if (heed_json_is(name, HEED_JSON_STRING) && heed_json_is(class_name, HEED_JSON_STRING) &&
            heed_keras_is_model_class(class_name->text))
            HEED_TRY(heed_index_put_text(out, z, name->text, layer));
    }
    return HEED_OK;
}

/* The config of a functional model. */
static heed_status convert_wiring(heed_zone *z, const heed_json *config, heed_json *out)
{
    const heed_json *layers = heed_json_find(config, "layers");
    heed_json *list = heed_json_array(z), *ends;
    heed_index models = {NULL};
    HEED_TRY(index_models(z, layers, &models));
    for (const heed_json *layer = layers->first; layer != NULL; layer = layer->next) {
        heed_json *bare = heed_json_object(z), *converted;
        if (is_operation(layer)) {
            HEED_TRY(convert_operation(z, &models, layer, &converted));
            HEED_TRY(heed_json_append(list, converted));
            continue;
        }
        for (const heed_json *item = layer->first; item != NULL; item = item->next)
            if (strcmp(item->key, "inbound_nodes") != 0)
                HEED_TRY(heed_json_set(z, bare, item->key, heed_json_copy(z, item)));
        HEED_TRY(convert(z, bare, NULL, &converted));
        HEED_TRY(convert_calls(z, &models, layer, converted));
        HEED_TRY(heed_json_append(list, converted));
    }
    HEED_TRY(heed_json_set(z, out, "layers", list));
    HEED_TRY(convert_ends(z, &models, heed_json_find(config, "input_layers"), &ends));
    HEED_TRY(heed_json_set(z, out, "input_layers", ends));
    HEED_TRY(convert_ends(z, &models, heed_json_find(config, "output_layers"), &ends));
    return heed_json_set(z, out, "output_layers", ends);
}

static bool is_wiring_key(const char *key)
{
    return strcmp(key, "layers") == 0 || strcmp(key, "input_layers") == 0 || strcmp(key, "output_layers") == 0;
}

static heed_status convert_functional(heed_zone *z, const heed_json *config, heed_json *out)
{
    for (const heed_json *item = config->first; item != NULL; item = item->next)
        if (!is_wiring_key(item->key))
            HEED_TRY(heed_json_set(z, out, item->key, heed_json_copy(z, item)));
    return convert_wiring(z, config, out);
}

/* ---- any value ---- */

static heed_status convert(heed_zone *z, const heed_json *v, const char *class_name, heed_json **out)
{
    const heed_json *policy = policy_name(v);
    if (policy != NULL)
        v = policy;
    if (v->type == HEED_JSON_STRING)
        return convert_text(z, v, out);
    if (v->type != HEED_JSON_ARRAY && v->type != HEED_JSON_OBJECT) {
        *out = heed_json_copy(z, v);
        return *out == NULL ? HEED_ENOMEM : HEED_OK;
    }
    *out = v->type == HEED_JSON_ARRAY ? heed_json_array(z) : heed_json_object(z);
    if (*out == NULL)
        return HEED_ENOMEM;
    if (class_name != NULL && strcmp(class_name, "Functional") == 0 && heed_json_find(v, "layers") != NULL)
        return convert_functional(z, v, *out);
    bool object = heed_json_is(heed_json_find(v, "class_name"), HEED_JSON_STRING) &&
                  heed_json_find(v, "config") != NULL;
    return object ? convert_object(z, v, *out) : convert_members(z, v, class_name, *out);
}

heed_status heed_keras2_object(heed_zone *z, const heed_json *object, heed_json **out)
{
    return convert(z, object, NULL, out);
}
