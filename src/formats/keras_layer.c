/* Reading: a layer, or a stack of them, from what a file says. */
#include "formats/keras_code.h"
#include "formats/keras_lambda.h"
#include "formats/keras_missing.h"
#include "formats/keras_older.h"
#include "heed/layers.h"

#include <stdio.h>
#include <string.h>

/* ---- objects */

heed_status heed_keras_class_of(heed_context *c, const heed_json *object, const char **out)
{
    const heed_json *registered = heed_json_find(object, "registered_name");
    HEED_TRY(heed_json_get_string(c, object, "class_name", out));
    if (heed_json_is(registered, HEED_JSON_STRING)) {
        const char *mark = strrchr(registered->text, '>');
        *out = mark == NULL ? registered->text : mark + 1;
    }
    return HEED_OK;
}

bool heed_keras_is_old(const heed_keras_reading *r)
{
    return r->version != NULL && (r->version[0] == '1' || r->version[0] == '2');
}

int heed_keras_number(const char *version)
{
    int major = 0, minor = 0;
    if (version == NULL || sscanf(version, "%d.%d", &major, &minor) < 1 || major < 0 || minor < 0 || minor > 99)
        return 0;
    if (major != 2 || minor > 4 || minor == 3)
        return 100 * major + minor;
    return strstr(version, "-tf") != NULL ? 204 : minor == 4 ? 205 : 200 + minor;
}

int heed_keras_meaning(const heed_json *object, const heed_keras_reading *r)
{
    const heed_json *as_in = heed_json_find(object, "as_in_keras");
    return heed_json_is(as_in, HEED_JSON_INT) ? (int)as_in->integer : heed_keras_number(r->version);
}

/* Files may hold more types than models compute with. */
static heed_status read_dtype(heed_context *c, const heed_json *config, heed_dtype *out)
{
    const heed_json *dtype = heed_json_find(config, "dtype");
    if (dtype != NULL && dtype->type == HEED_JSON_OBJECT)
        dtype = heed_json_find(heed_json_find(dtype, "config"), "name");
    *out = HEED_FLOAT32;
    if (!heed_json_is(dtype, HEED_JSON_STRING))
        return HEED_OK;
    if (strcmp(dtype->text, "string") == 0)
        return heed_json_fail(c, dtype, HEED_EUNSUPPORTED, "inputs of text are not supported");
    if (strncmp(dtype->text, "int", 3) == 0 || strncmp(dtype->text, "uint", 4) == 0)
        *out = HEED_INT32;
    else if (strcmp(dtype->text, "bool") == 0)
        *out = HEED_BOOL;
    return HEED_OK;
}

/* [None, 7, 5]; null says nothing. */
static heed_status read_shape(heed_context *c, const heed_json *list, heed_shape *out)
{
    *out = (heed_shape){0};
    if (!heed_json_is(list, HEED_JSON_ARRAY) || list->count > HEED_MAX_RANK)
        return heed_json_fail(c, list, HEED_EFORMAT, "expected the sizes of at most %d dimensions", HEED_MAX_RANK);
    for (const heed_json *item = list->first; item != NULL; item = item->next) {
        int64_t *dim = &out->dims[out->rank++];
        *dim = HEED_ANY;
        if (item->type == HEED_JSON_NULL)
            continue;
        HEED_TRY(heed_json_as_int(c, item, dim));
        if (*dim < 0)
            return heed_json_fail(c, item, HEED_EFORMAT, "a size is negative");
    }
    return HEED_OK;
}

static const heed_json *shape_of_input(const heed_json *config)
{
    const heed_json *shape = heed_json_find(config, "batch_shape");
    return shape != NULL ? shape : heed_json_find(config, "batch_input_shape");
}

static heed_status read_input_layer(heed_context *c, const char *name, const heed_json *config, heed_layer **out)
{
    heed_shape shape;
    heed_dtype dtype;
    const heed_json *sizes = shape_of_input(config);
    if (sizes == NULL)
        return heed_json_fail(c, config, HEED_EFORMAT, "an input without batch_shape");
    HEED_TRY(read_shape(c, sizes, &shape));
    HEED_TRY(read_dtype(c, config, &dtype));
    return heed_input_layer_create(c, name, dtype, &shape, out);
}

static heed_status read_inner_model(heed_context *c, const heed_json *object, const heed_keras_reading *r,
                                    heed_layer **out)
{
    heed_model *inner;
    heed_status status = heed_keras_read_model(c, object, r, &inner);
    if (status != HEED_OK)
        return status == HEED_ENOMEM ? status : heed_json_explain(c, object, status);
    *out = heed_model_layer(inner); /* holds the model, and is released in its place */
    return HEED_OK;
}

bool heed_keras_is_model_class(const char *class_name)
{
    static const char *const names[] = {"Functional", "Model", "Sequential"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], class_name) == 0)
            return true;
    return false;
}

/* Puts the layer's name into an error that lacks it. */
static heed_status name_layer(heed_context *c, heed_status status, const char *name)
{
    char who[160];
    snprintf(who, sizeof who, "layer '%.120s'", name);
    return strstr(heed_error(c), who) != NULL ? status : heed_fail_in(c, status, who);
}

/* A model applied to each step; NULL where `object` is something else. */
static const heed_json *model_in_time(const char *class_name, const heed_json *config)
{
    const heed_json *inner = strcmp(class_name, "TimeDistributed") == 0 ? heed_json_find(config, "layer") : NULL;
    const heed_json *inner_class = heed_json_find(inner, "class_name");
    return heed_json_is(inner_class, HEED_JSON_STRING) && heed_keras_is_model_class(inner_class->text) ? inner : NULL;
}

static heed_status read_model_in_time(heed_context *c, const heed_json *inner, const char *name,
                                      const heed_json *config,
                                      const heed_keras_reading *r, heed_layer **out)
{
    heed_layer *model = NULL;
    const heed_json *trainable = heed_json_find(config, "trainable");
    bool trained = !heed_json_is(trainable, HEED_JSON_BOOL) || trainable->boolean;
    HEED_TRY(read_inner_model(c, inner, r, &model));
    heed_spec spec = heed_time_distributed(heed_shared(model), .name = name, .trainable = trained);
    heed_status status = heed_layer_create(c, spec, out);
    heed_layer_release(model);
    return status;
}

/* ---- what the user says beside the file */

/* The first of `texts` that begins with the name and `mark`: what stands behind. */
static const char *said_of(const char *const *texts, const char *name, char mark)
{
    size_t length = name == NULL ? 0 : strlen(name);
    for (; texts != NULL && *texts != NULL && name != NULL; texts++)
        if (strncmp(*texts, name, length) == 0 && (*texts)[length] == mark)
            return *texts + length + 1;
    return NULL;
}

/* Whose class this one shall be, where the user says so and the collection has it. */
static heed_status choose_origin(heed_context *c, const heed_keras_reading *r, const char *class_name)
{
    const char *const *first = r->options == NULL ? NULL : r->options->from;
    for (const char *const *from = first; from != NULL && *from != NULL; from++) {
        char collection[64];
        size_t length = strcspn(*from, "=");
        HEED_TRY(heed_read_from(c, *from)); /* says so if there is no such collection */
        snprintf(collection, sizeof collection, "%.*s", (int)length, *from);
        if (heed_find_layer(c, class_name, collection) != NULL)
            return HEED_OK;
    }
    return r->options == NULL || r->options->from == NULL ? HEED_OK : heed_read_from(c, NULL);
}

/* Whose layer of this name it is, where a file that heed wrote tells and the caller does not. NULL: to be found out. */
static const char *told_collection(heed_context *c, const heed_json *object, const char *class_name)
{
    const heed_json *told = heed_json_find(object, "as_in_collection");
    bool known = heed_json_is(told, HEED_JSON_STRING) && heed_find_layer(c, class_name, told->text) != NULL;
    return known && c->origin.collection[0] == '\0' ? told->text : NULL;
}

/* "5", "relu", "1,2": a list where there are commas outside of brackets. */
static heed_status read_value(heed_zone *z, const char *option, const char *text, heed_value **out)
{
    bool list = strchr(text, ',') != NULL && strpbrk(text, "([{'\"") == NULL;
    const char *expression = list ? heed_zone_printf(z, "[%s]", text) : text;
    return expression == NULL ? HEED_ENOMEM : heed_value_parse(z, option, expression, out);
}

/* Sets what the user says of a layer, and of those within it. */
static heed_status apply_settings(heed_zone *z, const heed_keras_reading *r, heed_value *config)
{
    const heed_value *name = heed_value_find(config, "name");
    const char *const *set = r->options == NULL ? NULL : r->options->set;
    for (size_t i = 0; set != NULL && set[i] != NULL; i++) {
        const char *equals = strchr(set[i], '='), *dot = equals;
        while (dot != NULL && dot > set[i] && *dot != '.')
            dot--;
        if (equals == NULL || dot == set[i])
            return heed_fail(z->context, HEED_EINVAL, "%s: expected LAYER.OPTION=VALUE", set[i]);
        size_t length = (size_t)(dot - set[i]);
        if (!heed_value_is(name, HEED_VALUE_TEXT) || strlen(name->text) != length ||
            strncmp(name->text, set[i], length) != 0)
            continue;
        const char *option = heed_zone_printf(z, "%.*s", (int)(equals - dot - 1), dot + 1);
        heed_value *value;
        if (option == NULL)
            return HEED_ENOMEM;
        HEED_TRY(read_value(z, option, equals + 1, &value));
        HEED_TRY(heed_value_set(z, config, option, value));
        if (r->set_used != NULL)
            r->set_used[i] = true;
    }
    for (heed_value *item = config->first; item != NULL; item = item->next)
        if (item->type == HEED_VALUE_DICT || item->type == HEED_VALUE_LIST)
            HEED_TRY(apply_settings(z, r, item));
    return HEED_OK;
}

/* ---- Lambda */

/* A function of Keras' own, by its name; NULL for any other. */
static const char *named_function(const heed_json *config)
{
    const heed_json *function = heed_json_find(config, "function"), *type = heed_json_find(config, "function_type");
    if (heed_json_is_string(heed_json_find(function, "class_name"), "function"))
        function = heed_json_find(function, "config");
    else if (!heed_json_is_string(type, "function"))
        return NULL;
    return heed_json_is(function, HEED_JSON_STRING) ? function->text : NULL;
}

/* Only what the user says, or a function of Keras' own, is computed. */
static heed_status read_lambda(heed_context *c, const heed_json *object, const heed_json *config, const char *name,
                               const heed_keras_reading *r, heed_layer **out)
{
    const heed_json *own = heed_json_find(config, "expression"); /* as heed saves it */
    const char *said = r->options == NULL ? NULL : said_of(r->options->lambda, name, '=');
    const char *function = named_function(config);
    if (said == NULL && heed_json_is(own, HEED_JSON_STRING))
        said = own->text;
    if (said == NULL && function != NULL) {
        heed_spec spec = heed_activation(.name = name, .activation = function);
        if (heed_layer_create(c, spec, out) == HEED_OK)
            return HEED_OK;
    }
    if (said != NULL)
        return heed_lambda_create(c, name, said, out);
    char code[160];
    heed_keras_code_text(heed_json_find(config, "function"), code, sizeof code);
    heed_status status =
        heed_json_fail(c, object, HEED_EUNSUPPORTED, "Lambda layer '%s': code in files is never run (it holds %s%s%s)",
                       name == NULL ? "" : name, function != NULL ? "the function " : "compiled Python code",
                       function == NULL && code[0] != '\0' ? " that deals with " : "",
                       function != NULL ? function : code);
    heed_hint(c, "say what it computes of x: --lambda '%s=x / 127.5 - 1', or .lambda in heed_load_config",
              name == NULL ? "NAME" : name);
    return status;
}

/* ---- any layer */

/* The options of an unknown layer, to be recognized by. */
static heed_status unknown_layer(heed_zone *z, const heed_json *object, const char *class_name, const char *name,
                                 const heed_value *options)
{
    heed_context *c = z->context;
    char text[240] = "", hint[HEED_ERROR_SIZE];
    size_t used = 0;
    for (const heed_value *item = options->first; item != NULL && used + 48 < sizeof text; item = item->next) {
        bool plain = item->type != HEED_VALUE_DICT && item->type != HEED_VALUE_LIST && item->type != HEED_VALUE_NULL;
        const char *value = plain && strcmp(item->key, "name") != 0 ? heed_value_expression(z, item) : NULL;
        if (value != NULL)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.20s=%.20s", used > 0 ? ", " : "", item->key,
                                     value);
    }
    snprintf(hint, sizeof hint, "%s", heed_error_hint(c));
    heed_json_fail(c, object, HEED_ENOTFOUND, "layer '%s': no layer of this class: %s (its options: %s)",
                   name == NULL ? "" : name, class_name, text);
    if (hint[0] != '\0')
        heed_hint(c, "%s", hint);
    else
        heed_hint(c, "a layer of your own can be made known by heed_register_layer()");
    return HEED_ENOTFOUND;
}

static heed_status create_layer(heed_zone *z, const heed_json *object, const heed_json *config, const char *class_name,
                                const char *name, const heed_keras_reading *r, heed_layer **out)
{
    heed_context *c = z->context;
    heed_value *options = heed_value_of_json(z, config);
    if (options != NULL)
        heed_older_classes(options);
    if (options != NULL && r->version != NULL && r->version[0] == '1')
        HEED_TRY(heed_keras1_config(z, class_name, options));
    if (options != NULL && heed_keras_is_old(r))
        options = heed_keras2_value(z, options);
    if (options == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_keras_complete(z, class_name, name, r, options));
    HEED_TRY(heed_rescaling_by_feature(z, &class_name, &options));
    HEED_TRY(apply_settings(z, r, options));
    HEED_TRY(choose_origin(c, r, class_name));
    heed_status status = heed_layer_create_value(c, class_name, told_collection(c, object, class_name), options, out);
    bool nameless = heed_find_layer(c, class_name, NULL) == NULL, explained = heed_error_hint(c)[0] != '\0';
    bool own = status == HEED_ENOTFOUND && (nameless || !explained);
    return own ? unknown_layer(z, object, class_name, name, options) : status;
}

heed_status heed_keras_read_layer(heed_context *c, const heed_json *object, const heed_keras_reading *r,
                                  heed_layer **out)
{
    const char *class_name, *name = NULL;
    heed_json *config;
    *out = NULL;
    HEED_TRY(heed_keras_class_of(c, object, &class_name));
    if (heed_keras_is_model_class(class_name))
        return read_inner_model(c, object, r, out);
    HEED_TRY(heed_json_need(c, object, "config", HEED_JSON_OBJECT, &config));
    const heed_json *own = heed_json_find(config, "name");
    if (own == NULL)
        own = heed_json_find(object, "name"); /* classes whose get_config forgets it */
    if (heed_json_is(own, HEED_JSON_STRING))
        name = own->text;
    class_name = heed_older_class(class_name);
    if (strcmp(class_name, "InputLayer") == 0)
        return read_input_layer(c, name, config, out);
    if (strcmp(class_name, "Lambda") == 0)
        return read_lambda(c, object, config, name, r, out);
    const heed_json *inner = model_in_time(class_name, config);
    if (inner != NULL)
        return read_model_in_time(c, inner, name, config, r, out);
    heed_zone z;
    heed_zone_init(&z, c);
    heed_status status = create_layer(&z, object, config, class_name, name, r, out);
    heed_zone_free(&z);
    if (status == HEED_OK)
        heed_layer_set_keras(*out, heed_keras_meaning(object, r));
    return status == HEED_OK || name == NULL ? status : name_layer(c, status, name);
}

/* ---- sequential */

/* What stands before a stack that begins with this layer: an input of the shape that the first layer says (Keras 2),
 * or of the model's that it is. NULL: it is not known. */
static heed_status read_first_input(const heed_json *object, heed_layer *first, heed_layer **out)
{
    heed_context *c = first->context;
    const heed_json *config = heed_json_find(object, "config");
    const heed_model *model = heed_layer_model(first);
    *out = NULL;
    if (heed_is_input_layer(first))
        return HEED_OK;
    if (shape_of_input(config) != NULL)
        return read_input_layer(c, NULL, config, out);
    return model == NULL || model->input_count != 1
               ? HEED_OK
               : heed_input_layer_create(c, NULL, model->inputs[0]->dtype, &model->inputs[0]->shape, out);
}

static heed_status add_to_stack(heed_model *m, const heed_json *object, const heed_keras_reading *r, bool first)
{
    heed_layer *layer = NULL, *input = NULL;
    HEED_TRY(heed_keras_read_layer(m->context, object, r, &layer));
    heed_status status = first ? read_first_input(object, layer, &input) : HEED_OK;
    if (input != NULL)
        heed_add_layer(m, input);
    if (status == HEED_OK)
        heed_add_layer(m, layer);
    heed_layer_release(input);
    heed_layer_release(layer);
    return status != HEED_OK ? status : heed_model_status(m);
}

/* A sequential model that was built without an input layer knows its shape all the same. */
static const heed_json *built_shape(const heed_json *object, const heed_json *config)
{
    const heed_json *shape = heed_json_find(config, "build_input_shape");
    if (!heed_json_is(shape, HEED_JSON_ARRAY))
        shape = heed_json_find(heed_json_find(object, "build_config"), "input_shape");
    return heed_json_is(shape, HEED_JSON_ARRAY) ? shape : NULL;
}

heed_status heed_keras_read_sequential(const heed_json *object, const heed_keras_reading *r, heed_model *m)
{
    heed_context *c = m->context;
    const heed_json *config = heed_json_find(object, "config");
    const heed_json *layers = heed_json_is(config, HEED_JSON_ARRAY) ? config : heed_json_find(config, "layers");
    if (!heed_json_is(layers, HEED_JSON_ARRAY))
        return heed_json_fail(c, object, HEED_EFORMAT, "a sequential model without a list of layers");
    for (const heed_json *item = layers->first; item != NULL; item = item->next)
        HEED_TRY(add_to_stack(m, item, r, item == layers->first));
    if (m->input_count > 0)
        return heed_model_complete(m);
    const heed_json *sizes = built_shape(object, config);
    heed_shape shape;
    if (sizes == NULL)
        return HEED_OK;
    HEED_TRY(read_shape(c, sizes, &shape));
    if (shape.rank > 0)
        shape.dims[0] = HEED_ANY;
    return heed_model_chain(m, HEED_FLOAT32, &shape);
}
