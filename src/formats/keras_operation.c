#include "formats/keras_operation.h"

#include "formats/keras_config.h"
#include "formats/keras_operation_old.h"
#include "formats/keras_operation_run.h"

#include <string.h>

/* ---- operands that are tensors ---- */

heed_value *heed_operand_of_input(heed_zone *z, int input)
{
    heed_value *v = heed_value_dict(z);
    return v == NULL || heed_value_set(z, v, "input", heed_value_int(z, input)) != HEED_OK ? NULL : v;
}

int heed_operand_input(const heed_value *argument)
{
    const heed_value *input = heed_value_find(argument, "input");
    return heed_value_is(input, HEED_VALUE_INT) && argument->count == 1 ? (int)input->integer : -1;
}

/* ---- running ---- */

static int count_tensors(const heed_value *v)
{
    int count = heed_operand_input(v) >= 0;
    for (const heed_value *item = heed_value_is(v, HEED_VALUE_LIST) ? v->first : NULL; item != NULL; item = item->next)
        count += count_tensors(item);
    return count;
}

heed_status heed_operation_call(heed_layer *layer, heed_call *call)
{
    const heed_operation_config *o = heed_layer_config(layer);
    const heed_operation_row *row = (const heed_operation_row *)(const void *)layer->layer_class;
    const heed_call_arguments *a = call->arguments;
    const heed_value *keywords = a == NULL ? NULL : a->keywords;
    heed_value *options;
    HEED_TRY(heed_value_parse(&call->graph->zone, row->class.name, o->saved, &options));
    heed_operation_use u = {layer, call, heed_value_find(keywords, "arguments"), options, keywords};
    if (count_tensors(u.arguments) != call->input_count)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "tensors among its keywords are not supported");
    call->outputs[0] = row->run(&u);
    return heed_graph_status(call->graph);
}

/* ---- the rows ---- */

static const heed_operation_row *find_row(const char *name)
{
    static const heed_operation_row *const lists[] = {heed_number_operations, heed_shape_operations,
                                                      heed_product_operations};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const heed_operation_row *row = lists[i]; row->run != NULL; row++)
            if (strcmp(row->class.name, name) == 0)
                return row;
    return NULL;
}

/* In HDF5, Keras 3 leaves modules out; but a layer of the same name would say whether it is trainable. */
bool heed_is_operation_object(const heed_json *object)
{
    const heed_json *module = heed_json_find(object, "module"), *class_name = heed_json_find(object, "class_name");
    if (!heed_json_is(class_name, HEED_JSON_STRING))
        return false;
    if (heed_json_is(module, HEED_JSON_STRING))
        return strncmp(module->text, "keras.src.ops", 13) == 0 || heed_is_old_operation(class_name->text);
    return heed_is_old_operation(class_name->text) ||
           (find_row(class_name->text) != NULL &&
            heed_json_find(heed_json_find(object, "config"), "trainable") == NULL);
}

bool heed_is_operation(const heed_layer *layer)
{
    return strcmp(layer->layer_class->collection, HEED_OPERATION_COLLECTION) == 0;
}

const char *heed_operation_module(const heed_layer *layer)
{
    return ((const heed_operation_row *)(const void *)layer->layer_class)->module;
}

const char *heed_operation_saved(const heed_layer *layer)
{
    return ((const heed_operation_config *)heed_layer_config(layer))->saved;
}

const char *heed_operation_operands(const heed_layer *layer)
{
    const char *operands = ((const heed_operation_config *)heed_layer_config(layer))->operands;
    return operands == NULL ? "" : operands;
}

const char *const *heed_operation_parameters(const heed_layer *layer)
{
    static const char *const none[] = {NULL};
    const heed_operation_row *row = (const heed_operation_row *)(const void *)layer->layer_class;
    return row->parameters == NULL ? none : row->parameters;
}

/* ---- from files ---- */

static bool is_known(const heed_operation_row *row, const char *key)
{
    size_t length = strlen(key);
    if (strcmp(key, "name") == 0)
        return true;
    for (const char *at = row->options; (at = strstr(at, key)) != NULL; at += length)
        if ((at == row->options || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* Whether heed knows what each option means. */
static bool knows_options(const heed_operation_row *row, const heed_value *config)
{
    for (const heed_value *item = config->first; item != NULL; item = item->next)
        if (item->type != HEED_VALUE_NULL && !is_known(row, item->key))
            return false;
    return true;
}

/* Keras 3's config of an operation of Keras 2; what of it belongs to a call goes on to the calls. */
static heed_status translate(heed_zone *z, const heed_json *object, const char **class_name, heed_value **config,
                             const char **operands)
{
    const heed_json *name = heed_json_find(object, "name");
    *config = heed_value_dict(z);
    if (heed_json_is(name, HEED_JSON_STRING))
        HEED_TRY(heed_value_set(z, *config, "name", heed_value_text(z, name->text)));
    return *config == NULL ? HEED_ENOMEM : heed_old_operation_read(z, object, class_name, *config, operands);
}

static heed_status read_object(heed_zone *z, const heed_json *object, const heed_operation_row **row,
                               heed_operation_config *o)
{
    const char *class_name;
    heed_value *config;
    *row = NULL;
    HEED_TRY(heed_json_get_string(z->context, object, "class_name", &class_name));
    if (heed_is_old_operation(class_name)) {
        HEED_TRY(translate(z, object, &class_name, &config, &o->operands));
    } else {
        heed_json *found;
        HEED_TRY(heed_json_need(z->context, object, "config", HEED_JSON_OBJECT, &found));
        config = heed_value_of_json(z, found);
    }
    if (config == NULL)
        return HEED_ENOMEM;
    const heed_value *name = heed_value_find(config, "name");
    o->name = heed_value_is(name, HEED_VALUE_TEXT) ? name->text : NULL;
    o->saved = heed_value_expression(z, config);
    *row = class_name == NULL ? NULL : find_row(class_name);
    if (*row != NULL && !knows_options(*row, config))
        *row = NULL;
    return o->saved == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_operation_create(heed_context *c, const heed_json *object, heed_layer **out)
{
    const heed_operation_row *row;
    heed_operation_config o = {.trainable = true};
    heed_zone z;
    *out = NULL;
    heed_zone_init(&z, c);
    heed_status status = read_object(&z, object, &row, &o);
    if (status == HEED_OK && row != NULL)
        status = heed_layer_create(c, (heed_spec){&row->class, &o}, out);
    heed_zone_free(&z);
    return status;
}

/* From options as in Python. */
static heed_status read_options(heed_zone *z, const char *class_name, const char *options,
                                const heed_operation_row **row, heed_operation_config *o)
{
    heed_context *c = z->context;
    heed_value *given, *config = heed_value_dict(z);
    *row = find_row(class_name);
    if (*row == NULL)
        return heed_fail(c, HEED_ENOTFOUND, "%s: there is no operation of this name", class_name);
    HEED_TRY(heed_value_parse_arguments(z, class_name, options == NULL ? "" : options, &given));
    for (const heed_value *item = given->first; item != NULL; item = item->next) {
        if (item->key == NULL)
            return heed_fail(c, HEED_EINVAL, "%s: an option without a name (expected NAME=VALUE, found %s)", class_name,
                             options);
        HEED_TRY(heed_value_set(z, config, item->key, heed_value_copy(z, item)));
    }
    if (config == NULL)
        return HEED_ENOMEM;
    if (!knows_options(*row, config))
        return heed_fail(c, HEED_EINVAL, "%s: an option does not fit (expected of %s, found %s)", class_name,
                         *(*row)->options == '\0' ? "none" : (*row)->options, options);
    o->saved = heed_value_expression(z, config);
    return o->saved == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_operation_named(heed_context *c, const char *class_name, const char *options, heed_layer **out)
{
    const heed_operation_row *row;
    heed_operation_config o = {.trainable = true};
    heed_zone z;
    *out = NULL;
    heed_zone_init(&z, c);
    heed_status status = read_options(&z, class_name, options, &row, &o);
    if (status == HEED_OK)
        status = heed_layer_create(c, (heed_spec){&row->class, &o}, out);
    heed_zone_free(&z);
    return status;
}

static heed_status refuse(heed_zone *z, const heed_json *object)
{
    const heed_json *config = heed_json_find(object, "config"), *name = heed_json_find(object, "name");
    const heed_json *class_name = heed_json_find(object, "class_name"), *nodes = heed_json_find(object, "inbound_nodes");
    heed_value *options = config == NULL ? NULL : heed_value_of_json(z, config);
    const char *text = options == NULL ? "" : heed_value_expression(z, options);
    bool often = heed_is_old_operation(class_name->text) && heed_json_is(nodes, HEED_JSON_ARRAY) && nodes->count > 1;
    return heed_json_fail(z->context, object, HEED_EUNSUPPORTED, "the operation '%s' cannot be run: %s(%s)%s",
                          heed_json_is(name, HEED_JSON_STRING) ? name->text : "", class_name->text,
                          text == NULL ? "" : text, often ? ", called more than once" : "");
}

heed_status heed_operation_refuse(heed_context *c, const heed_json *object)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_status status = refuse(&z, object);
    heed_zone_free(&z);
    return status;
}
