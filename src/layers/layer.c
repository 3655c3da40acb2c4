/* A layer's life: made, built, called, asked. */
#include "layers/layer.h"

#include "layers/object.h"

#include <stdio.h>
#include <string.h>

/* ---- names ---- */

/* Splits before a capital that begins a word, and between a small letter and a capital, as Keras does. */
char *heed_snake_case(const char *class_name, char *text, size_t size)
{
    size_t used = 0;
    if (strcmp(class_name, "GroupQueryAttention") == 0)
        class_name = "GroupedQueryAttention"; /* what Keras calls it inside, which its names follow */
    for (const char *p = class_name; *p != '\0' && used + 2 < size; p++) {
        bool capital = *p >= 'A' && *p <= 'Z';
        bool after_small = p > class_name && p[-1] >= 'a' && p[-1] <= 'z';
        bool begins_word = p > class_name && p[1] >= 'a' && p[1] <= 'z';
        if (capital && (after_small || begins_word))
            text[used++] = '_';
        text[used++] = (char)(capital ? *p - 'A' + 'a' : *p);
    }
    text[used] = '\0';
    return text;
}

char *heed_layer_describe(const heed_layer *layer, char *text, size_t size)
{
    if (layer->name == NULL)
        snprintf(text, size, "%.60s layer", layer->layer_class->name);
    else
        snprintf(text, size, "%.60s layer '%.60s'", layer->layer_class->name, layer->name);
    return text;
}

heed_status heed_layer_fail(heed_layer *layer, heed_status status, const char *format, ...)
{
    char who[160], text[HEED_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return heed_fail(layer->context, status, "%s: %.300s", heed_layer_describe(layer, who, sizeof who), text);
}

heed_status heed_layer_explain(const heed_layer *layer, heed_status status)
{
    char who[160];
    heed_layer_describe(layer, who, sizeof who);
    bool named = strncmp(heed_error(layer->context), who, strlen(who)) == 0;
    return named ? status : heed_fail_in(layer->context, status, who);
}

heed_status heed_layer_set_name(heed_layer *layer, const char *name)
{
    char *copy = heed_zone_strdup(&layer->zone, name);
    if (copy == NULL)
        return HEED_ENOMEM;
    layer->name = copy;
    ((heed_layer_common *)layer->config)->name = copy;
    return HEED_OK;
}

/* ---- making and freeing ---- */

static heed_status set_up(heed_layer *layer, const void *config)
{
    const heed_layer_class *class = layer->layer_class;
    heed_option_table t = HEED_TABLE_OF(class);
    layer->config = heed_options_copy(&layer->zone, t, config);
    if (layer->config == NULL)
        return HEED_ENOMEM;
    const heed_layer_common *common = layer->config;
    layer->name = (char *)(uintptr_t)common->name;
    layer->trainable = common->trainable;
    char who[160];
    HEED_TRY(heed_options_check(layer->context, heed_layer_describe(layer, who, sizeof who), t, layer->config));
    return class->init == NULL ? HEED_OK : class->init(layer);
}

/* Marks a spec whose config is a layer. */
static const heed_layer_class shared_class = {.name = "shared", .collection = "heed"};

heed_spec heed_shared(heed_layer *layer) { return (heed_spec){layer == NULL ? NULL : &shared_class, layer}; }

heed_layer *heed_spec_shared(heed_spec spec)
{
    return spec.layer_class == &shared_class ? (heed_layer *)(uintptr_t)spec.config : NULL;
}

heed_status heed_layer_create(heed_context *c, heed_spec spec, heed_layer **out)
{
    *out = heed_spec_shared(spec);
    if (*out != NULL) {
        heed_layer_retain(*out);
        return HEED_OK;
    }
    if (spec.layer_class == NULL)
        return heed_fail(c, HEED_EINVAL, "a layer is missing (its spec names no class)");
    heed_layer *layer = heed_alloc(c, 1, sizeof *layer);
    if (layer == NULL)
        return HEED_ENOMEM;
    layer->context = c;
    layer->layer_class = spec.layer_class;
    layer->references = 1;
    heed_zone_init(&layer->zone, c);
    heed_status status = set_up(layer, spec.config);
    if (status != HEED_OK) {
        heed_layer_explain(layer, status);
        heed_layer_release(layer);
        return status;
    }
    *out = layer;
    return HEED_OK;
}

void heed_layer_retain(heed_layer *layer) { layer->references++; }

static void free_variables(heed_context *c, heed_variable **variables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!variables[i]->borrowed)
            heed_release(c, variables[i]->data);
    heed_release(c, variables);
}

void heed_layer_release(heed_layer *layer)
{
    if (layer == NULL || --layer->references > 0)
        return;
    heed_context *c = layer->context;
    if (layer->layer_class->free != NULL)
        layer->layer_class->free(layer);
    for (size_t i = 0; i < layer->child_count; i++)
        heed_layer_release(layer->children[i].layer);
    heed_release(c, layer->children);
    free_variables(c, layer->variables, layer->variable_count);
    free_variables(c, layer->states, layer->state_count);
    heed_zone_free(&layer->zone);
    heed_release(c, layer);
}

void *heed_layer_alloc(heed_layer *layer, size_t size) { return layer->state = heed_zone_alloc(&layer->zone, 1, size); }

/* ---- for init and build ---- */

static heed_status add_child(heed_layer *layer, const char *attribute, heed_layer *child)
{
    void *children = layer->children;
    HEED_TRY(heed_grow(layer->context, &children, &layer->child_capacity, layer->child_count, sizeof *layer->children));
    layer->children = children;
    attribute = heed_zone_strdup(&layer->zone, attribute);
    if (attribute == NULL)
        return HEED_ENOMEM;
    layer->children[layer->child_count++] = (struct heed_child){attribute, child};
    return HEED_OK;
}

heed_status heed_layer_child(heed_layer *layer, const char *attribute, heed_spec spec, heed_layer **child)
{
    char name[80];
    HEED_TRY(heed_layer_create(layer->context, spec, child));
    heed_status status = HEED_OK;
    if ((*child)->name == NULL)
        status = heed_layer_set_name(*child, heed_snake_case(spec.layer_class->name, name, sizeof name));
    if (status == HEED_OK)
        status = add_child(layer, attribute, *child);
    if (status != HEED_OK) {
        heed_layer_release(*child);
        *child = NULL;
    } else if (!layer->trainable) {
        heed_layer_set_trainable(*child, false);
    }
    return status;
}

static heed_status parse_optional(heed_zone *z, const heed_object_family *f, const char *expression, heed_object **out)
{
    *out = NULL;
    return expression == NULL ? HEED_OK : heed_object_parse(z, f, expression, out);
}

static heed_status make_variable(heed_layer *layer, const char *name, const heed_shape *shape, heed_variable **out)
{
    int64_t count = heed_shape_count(shape);
    char text[128];
    if (count < 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "%s needs input sizes that are not known (its shape would be %s)",
                               name,
                               heed_shape_text(shape, text, sizeof text));
    heed_variable *v = heed_zone_alloc(&layer->zone, 1, sizeof *v);
    if (v == NULL || (v->name = heed_zone_strdup(&layer->zone, name)) == NULL)
        return HEED_ENOMEM;
    v->shape = *shape;
    v->count = count;
    v->context = layer->context;
    *out = v;
    return HEED_OK;
}

/* Makes room for one more in a list of variables. */
static heed_status grow_variables(heed_layer *layer, heed_variable ***list, size_t *capacity, size_t count)
{
    void *items = *list;
    heed_status status = heed_grow(layer->context, &items, capacity, count, sizeof **list);
    *list = items;
    return status;
}

static void insert_weight(heed_layer *layer, heed_variable *v, bool trainable)
{
    size_t at = trainable ? layer->declared_trainable++ : layer->variable_count;
    for (size_t i = layer->variable_count++; i > at; i--)
        layer->variables[i] = layer->variables[i - 1];
    layer->variables[at] = v;
}

static heed_status add_weight(heed_layer *layer, const char *name, const heed_shape *shape, const char *initializer,
                              const char *regularizer, const char *constraint, bool trainable, heed_variable **out)
{
    heed_object *objects[3];
    heed_zone *z = &layer->zone;
    HEED_TRY(parse_optional(z, &heed_initializers, initializer == NULL ? "glorot_uniform" : initializer, &objects[0]));
    HEED_TRY(parse_optional(z, &heed_regularizers, regularizer, &objects[1]));
    HEED_TRY(parse_optional(z, &heed_constraints, constraint, &objects[2]));
    HEED_TRY(grow_variables(layer, &layer->variables, &layer->variable_capacity, layer->variable_count));
    HEED_TRY(make_variable(layer, name, shape, out));
    (*out)->initializer = objects[0];
    (*out)->regularizer = objects[1];
    (*out)->constraint = objects[2];
    (*out)->trainable = trainable && layer->trainable;
    insert_weight(layer, *out, trainable);
    return HEED_OK;
}

heed_variable *heed_layer_weight(heed_layer *layer, const char *name, const heed_shape *shape, const char *initializer,
                                 const char *regularizer, const char *constraint, bool trainable)
{
    heed_variable *v;
    heed_status status = add_weight(layer, name, shape, initializer, regularizer, constraint, trainable, &v);
    if (status == HEED_OK)
        return v;
    heed_layer_explain(layer, status);
    if (layer->weights_status == HEED_OK)
        layer->weights_status = status;
    return NULL;
}

heed_variable *heed_layer_carried(heed_layer *layer, size_t index, const heed_shape *shape)
{
    char name[32];
    snprintf(name, sizeof name, "state%zu", index);
    for (size_t i = 0; i < layer->state_count; i++)
        if (strcmp(layer->states[i]->name, name) == 0 && heed_shape_equal(&layer->states[i]->shape, shape))
            return layer->states[i];
    heed_variable *v;
    if (grow_variables(layer, &layer->states, &layer->state_capacity, layer->state_count) != HEED_OK ||
        make_variable(layer, name, shape, &v) != HEED_OK)
        return NULL;
    layer->states[layer->state_count++] = v;
    return v;
}

void heed_layer_reset(heed_layer *layer)
{
    for (size_t i = 0; i < layer->state_count; i++)
        if (layer->states[i]->data != NULL)
            memset(layer->states[i]->data, 0, (size_t)layer->states[i]->count * sizeof(float));
    for (size_t i = 0; i < layer->child_count; i++)
        heed_layer_reset(layer->children[i].layer);
}

static heed_status wrong_count(heed_layer *layer, int count)
{
    const heed_layer_class *class = layer->layer_class;
    char most[32] = "";
    if (class->max_inputs == 0)
        snprintf(most, sizeof most, " or more");
    else if (class->max_inputs > class->min_inputs)
        snprintf(most, sizeof most, " to %d", class->max_inputs);
    return heed_layer_fail(layer, HEED_EINVAL,
                           "it is given another number of inputs than it takes (expected %d%s, found %d)",
                           class->min_inputs, most, count);
}

heed_status heed_layer_check_count(heed_layer *layer, int count)
{
    const heed_layer_class *class = layer->layer_class;
    if (count < class->min_inputs || (class->max_inputs > 0 && count > class->max_inputs))
        return wrong_count(layer, count);
    return HEED_OK;
}

heed_status heed_layer_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    if (layer->built)
        return HEED_OK;
    HEED_TRY(heed_layer_check_count(layer, count));
    layer->built_shapes = heed_zone_alloc(&layer->zone, (size_t)count, sizeof *inputs);
    if (layer->built_shapes == NULL)
        return HEED_ENOMEM;
    memcpy(layer->built_shapes, inputs, (size_t)count * sizeof *inputs);
    layer->built_count = count;
    heed_status status = layer->layer_class->build == NULL ? HEED_OK : layer->layer_class->build(layer, inputs, count);
    if (status == HEED_OK)
        status = layer->weights_status;
    layer->built = status == HEED_OK;
    return status == HEED_OK ? HEED_OK : heed_layer_explain(layer, status);
}

/* ---- asking ---- */

heed_context           *heed_layer_context(const heed_layer *layer) { return layer->context; }
const heed_layer_class *heed_layer_class_of(const heed_layer *layer) { return layer->layer_class; }
const char             *heed_layer_name(const heed_layer *layer) { return layer->name; }
const void             *heed_layer_config(const heed_layer *layer) { return layer->config; }
void                   *heed_layer_state(const heed_layer *layer) { return layer->state; }
bool                    heed_layer_trainable(const heed_layer *layer) { return layer->trainable; }

void heed_layer_set_trainable(heed_layer *layer, bool trainable)
{
    layer->trainable = trainable;
    ((heed_layer_common *)layer->config)->trainable = trainable;
    for (size_t i = 0; i < layer->declared_trainable; i++)
        layer->variables[i]->trainable = trainable;
    for (size_t i = 0; i < layer->child_count; i++)
        heed_layer_set_trainable(layer->children[i].layer, trainable);
}

void heed_layer_set_keras(heed_layer *layer, int version)
{
    layer->keras = version;
    for (size_t i = 0; i < layer->child_count; i++)
        heed_layer_set_keras(layer->children[i].layer, version);
}

int heed_layer_weight_count(const heed_layer *layer)
{
    int count = (int)layer->variable_count;
    for (size_t i = 0; i < layer->child_count; i++)
        count += heed_layer_weight_count(layer->children[i].layer);
    return count;
}

heed_variable *heed_layer_weight_at(const heed_layer *layer, int index)
{
    if (index < 0)
        return NULL;
    if ((size_t)index < layer->variable_count)
        return layer->variables[index];
    index -= (int)layer->variable_count;
    for (size_t i = 0; i < layer->child_count; i++) {
        int count = heed_layer_weight_count(layer->children[i].layer);
        if (index < count)
            return heed_layer_weight_at(layer->children[i].layer, index);
        index -= count;
    }
    return NULL;
}

const char       *heed_variable_name(const heed_variable *v) { return v->name; }
const heed_shape *heed_variable_shape(const heed_variable *v) { return &v->shape; }
float            *heed_variable_data(heed_variable *v) { return heed_variable_claim(v) == HEED_OK ? v->data : NULL; }
bool              heed_variable_trainable(const heed_variable *v) { return v->trainable; }
