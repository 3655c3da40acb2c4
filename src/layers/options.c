#include "layers/options.h"

#include "layers/layer.h"
#include "layers/object.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void *field_of(void *config, const heed_option *o) { return (char *)config + o->offset; }
static const void *field_in(const void *config, const heed_option *o) { return (const char *)config + o->offset; }

/* The family that an option's expression is of; NULL for the other types. */
static const heed_object_family *family_of(heed_option_type type)
{
    switch (type) {
    case HEED_OPTION_ACTIVATION: return &heed_activations;
    case HEED_OPTION_INITIALIZER: return &heed_initializers;
    case HEED_OPTION_REGULARIZER: return &heed_regularizers;
    case HEED_OPTION_CONSTRAINT: return &heed_constraints;
    default: return NULL;
    }
}

static size_t size_of(heed_option_type type)
{
    switch (type) {
    case HEED_OPTION_INT: return sizeof(int);
    case HEED_OPTION_FLOAT: return sizeof(double);
    case HEED_OPTION_BOOL: return sizeof(bool);
    case HEED_OPTION_SHAPE:
    case HEED_OPTION_SIZES: return sizeof(heed_shape);
    case HEED_OPTION_LAYER: return sizeof(heed_spec);
    case HEED_OPTION_LAYERS: return sizeof(heed_specs);
    default: return sizeof(const char *);
    }
}

const heed_option *heed_options_find(heed_option_table t, const char *name)
{
    for (int i = 0; i < t.count; i++)
        if (strcmp(t.rows[i].name, name) == 0)
            return &t.rows[i];
    return NULL;
}

void *heed_options_field(heed_option_table t, void *config, const char *name, heed_option_type type)
{
    const heed_option *o = heed_options_find(t, name);
    return o == NULL || o->type != type ? NULL : field_of(config, o);
}

void heed_options_transfer(heed_option_table from, const void *source, heed_option_table to, void *target)
{
    for (int i = 0; i < to.count; i++) {
        const heed_option *o = heed_options_find(from, to.rows[i].name);
        if (o != NULL && o->type == to.rows[i].type)
            memcpy(field_of(target, &to.rows[i]), field_in(source, o), size_of(o->type));
    }
}

/* ---- copying ---- */

static heed_status copy_spec(heed_zone *z, heed_spec *spec)
{
    if (spec->layer_class == NULL || heed_spec_shared(*spec) != NULL)
        return HEED_OK;
    spec->config = heed_options_copy(z, HEED_TABLE_OF(spec->layer_class), spec->config);
    return spec->config == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status copy_specs(heed_zone *z, heed_specs *specs)
{
    heed_spec *items = heed_zone_alloc(z, (size_t)specs->count, sizeof *items);
    if (items == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < specs->count; i++) {
        items[i] = specs->items[i];
        HEED_TRY(copy_spec(z, &items[i]));
    }
    specs->items = items;
    return HEED_OK;
}

static heed_status copy_text(heed_zone *z, const char **text)
{
    if (*text == NULL)
        return HEED_OK;
    *text = heed_zone_strdup(z, *text);
    return *text == NULL ? HEED_ENOMEM : HEED_OK;
}

/* Gives the field, so far a plain copy, what it points to. */
static heed_status deepen(heed_zone *z, const heed_option *o, void *field)
{
    switch (o->type) {
    case HEED_OPTION_INT:
    case HEED_OPTION_FLOAT:
    case HEED_OPTION_BOOL:
    case HEED_OPTION_SHAPE:
    case HEED_OPTION_SIZES: return HEED_OK;
    case HEED_OPTION_LAYER: return copy_spec(z, field);
    case HEED_OPTION_LAYERS: return copy_specs(z, field);
    default: return copy_text(z, field);
    }
}

void *heed_options_copy(heed_zone *z, heed_option_table t, const void *config)
{
    void *copy = heed_zone_alloc(z, 1, t.size);
    if (copy == NULL || t.size == 0)
        return copy;
    memcpy(copy, config == NULL ? t.defaults : config, t.size);
    for (int i = 0; i < t.count; i++)
        if (deepen(z, &t.rows[i], field_of(copy, &t.rows[i])) != HEED_OK)
            return NULL;
    return copy;
}

/* ---- checking ---- */

bool heed_option_takes_none(const heed_option *o) { return strstr(o->range, "|None") != NULL; }

/* "[1,)", "(0,1]", "[0,1)|None": a missing limit is none. */
static bool in_range(const char *range, double value)
{
    double low = -INFINITY, high = INFINITY;
    const char *comma = strchr(range, ',');
    if (comma == NULL)
        return true;
    sscanf(range + 1, "%lf", &low);
    sscanf(comma + 1, "%lf", &high);
    bool above = *range == '[' ? value >= low : value > low;
    bool below = *strpbrk(comma, ")]") == ']' ? value <= high : value < high || high == INFINITY;
    return above && below;
}

static bool is_among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *w = words; w != NULL; w = strchr(w, '|') == NULL ? NULL : strchr(w, '|') + 1)
        if (strncmp(w, word, length) == 0 && (w[length] == '|' || w[length] == '\0'))
            return true;
    return false;
}

static heed_status check_words(heed_context *c, const char *who, const heed_option *o, const char *word)
{
    if (strchr(o->range, '|') == NULL || is_among(o->range, word == NULL ? "None" : word))
        return HEED_OK;
    return heed_fail(c, HEED_EINVAL, "%s: %s is not one of its words (expected %s, found %s)", who, o->name, o->range,
                     word == NULL ? "None" : word);
}

static heed_status check_number(heed_context *c, const char *who, const heed_option *o, double value)
{
    if (*o->range == '\0' ? !isnan(value) : in_range(o->range, value))
        return HEED_OK;
    return heed_fail(c, HEED_EINVAL, "%s: %s is out of range (expected %s, found %g)", who, o->name,
                     *o->range == '\0' ? "a number" : o->range, value);
}

static heed_status check_shape(heed_context *c, const char *who, const heed_option *o, const heed_shape *shape)
{
    if (shape->rank < 0 || shape->rank > HEED_MAX_RANK)
        return heed_fail(c, HEED_EINVAL, "%s: %s has too many numbers (expected at most %d, found %d)", who, o->name,
                         HEED_MAX_RANK, shape->rank);
    for (int i = 0; i < shape->rank; i++)
        HEED_TRY(check_number(c, who, o, (double)shape->dims[i]));
    return HEED_OK;
}

static heed_status check_expression(heed_context *c, const char *who, const heed_option *o, const char *expression)
{
    if (expression == NULL)
        return HEED_OK;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_object *object;
    heed_status status = heed_object_parse(&z, family_of(o->type), expression, &object);
    heed_zone_free(&z);
    if (status == HEED_OK)
        return HEED_OK;
    heed_fail_in(c, status, o->name);
    return heed_fail_in(c, status, who);
}

static bool is_number(const heed_value *v) { return v->type == HEED_VALUE_INT || v->type == HEED_VALUE_REAL; }

static bool is_text(const heed_value *v) { return v->type == HEED_VALUE_TEXT; }

/* A list of such values and of such lists; or one of them. */
static bool are_all(const heed_value *v, bool (*such)(const heed_value *))
{
    if (!heed_value_is(v, HEED_VALUE_LIST))
        return such(v);
    for (const heed_value *item = v->first; item != NULL; item = item->next)
        if (!are_all(item, such))
            return false;
    return true;
}

static heed_status check_list(heed_context *c, const char *who, const heed_option *o, const char *expression)
{
    bool texts = o->type == HEED_OPTION_TEXTS;
    if (expression == NULL)
        return HEED_OK;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_value *v;
    heed_status status = heed_value_parse(&z, o->name, expression, &v);
    if (status == HEED_OK && (!are_all(v, texts ? is_text : is_number) || (texts && !heed_value_is(v, HEED_VALUE_LIST))))
        status = heed_value_unexpected(c, v, o->name, texts ? "a list of texts" : "a number or a list of numbers");
    heed_zone_free(&z);
    return status == HEED_OK ? HEED_OK : heed_fail_in(c, status, who);
}

static heed_status check_spec(heed_context *c, const char *who, const heed_spec *spec)
{
    if (spec->layer_class == NULL || heed_spec_shared(*spec) != NULL)
        return HEED_OK;
    heed_option_table t = HEED_TABLE_OF(spec->layer_class);
    const void *config = spec->config == NULL ? t.defaults : spec->config;
    heed_status status = heed_options_check(c, spec->layer_class->name, t, config);
    return status == HEED_OK ? HEED_OK : heed_fail_in(c, status, who);
}

static heed_status check_specs(heed_context *c, const char *who, const heed_specs *specs)
{
    for (int i = 0; i < specs->count; i++)
        HEED_TRY(check_spec(c, who, &specs->items[i]));
    return HEED_OK;
}

/* None is there where it is the default. */
static heed_status check_int(heed_context *c, const char *who, const heed_option *o, int standard, int value)
{
    if (value != HEED_NONE)
        return check_number(c, who, o, value);
    if (standard == HEED_NONE)
        return HEED_OK;
    return heed_fail(c, HEED_EINVAL, "%s: %s is missing (expected %s, found None)", who, o->name,
                     *o->range == '\0' ? "an integer" : o->range);
}

/* Infinity is None, and there where None may be; without a range it is a number like others. */
static heed_status check_float(heed_context *c, const char *who, const heed_option *o, double standard, double value)
{
    if (isinf(value) && heed_option_takes_none(o))
        return HEED_OK;
    if (!isinf(value) || isinf(standard) || *o->range == '\0')
        return check_number(c, who, o, value);
    return heed_fail(c, HEED_EINVAL, "%s: %s is out of range (expected %s, found %g)", who, o->name, o->range, value);
}

static heed_status check_option(heed_context *c, const char *who, const heed_option *o, const void *standard,
                                const void *field)
{
    switch (o->type) {
    case HEED_OPTION_INT: return check_int(c, who, o, *(const int *)standard, *(const int *)field);
    case HEED_OPTION_FLOAT: return check_float(c, who, o, *(const double *)standard, *(const double *)field);
    case HEED_OPTION_BOOL: return HEED_OK;
    case HEED_OPTION_TEXT: return check_words(c, who, o, *(const char *const *)field);
    case HEED_OPTION_NUMBERS:
    case HEED_OPTION_TEXTS: return check_list(c, who, o, *(const char *const *)field);
    case HEED_OPTION_SHAPE:
    case HEED_OPTION_SIZES: return check_shape(c, who, o, field);
    case HEED_OPTION_LAYER: return check_spec(c, who, field);
    case HEED_OPTION_LAYERS: return check_specs(c, who, field);
    default: return check_expression(c, who, o, *(const char *const *)field);
    }
}

heed_status heed_options_check(heed_context *c, const char *who, heed_option_table t, const void *config)
{
    for (int i = 0; i < t.count; i++)
        HEED_TRY(check_option(c, who, &t.rows[i], field_in(t.defaults, &t.rows[i]), field_in(config, &t.rows[i])));
    return HEED_OK;
}

/* ---- reading ---- */

/* One number in a list stands for itself: so Keras 2 has the axis of BatchNormalization, Keras 3 a metric's threshold. */
static const heed_value *only_item(const heed_value *v)
{
    return v->type == HEED_VALUE_LIST && v->count == 1 ? v->first : v;
}

static heed_status read_int(heed_context *c, const heed_value *v, const char *what, bool none, int *out)
{
    int64_t wide;
    v = only_item(v);
    if (none && v->type == HEED_VALUE_NULL) {
        *out = HEED_NONE;
        return HEED_OK;
    }
    bool alone = v->type == HEED_VALUE_LIST && v->count == 1; /* Keras writes the sizes of one axis so */
    HEED_TRY(heed_value_as_int(c, alone ? v->first : v, what, &wide));
    if (wide <= HEED_NONE || wide > INT_MAX)
        return heed_value_unexpected(c, v, what, "an integer of 32 bits");
    *out = (int)wide;
    return HEED_OK;
}

static heed_status read_float(heed_context *c, const heed_value *v, const char *what, bool none, double *out)
{
    v = only_item(v);
    if (none && v->type == HEED_VALUE_NULL) {
        *out = INFINITY;
        return HEED_OK;
    }
    return heed_value_as_real(c, v, what, out);
}

static heed_status read_shape(heed_context *c, const heed_value *v, const char *what, heed_shape *out)
{
    *out = (heed_shape){0};
    if (v->type == HEED_VALUE_NULL)
        return HEED_OK;
    if (v->type != HEED_VALUE_LIST) {
        out->rank = 1;
        return heed_value_as_int(c, v, what, &out->dims[0]);
    }
    if (v->count > HEED_MAX_RANK)
        return heed_value_unexpected(c, v, what, "at most 8 integers");
    for (const heed_value *item = v->first; item != NULL; item = item->next) {
        int64_t *dim = &out->dims[out->rank++];
        *dim = HEED_ANY;
        if (item->type != HEED_VALUE_NULL)
            HEED_TRY(heed_value_as_int(c, item, what, dim));
    }
    return HEED_OK;
}

/* ((1, 2), (3, 4)) is 1, 2, 3, 4. */
static heed_status read_sizes(heed_context *c, const heed_value *v, const char *what, heed_shape *out)
{
    if (v->type != HEED_VALUE_LIST || v->first == NULL || v->first->type != HEED_VALUE_LIST)
        return read_shape(c, v, what, out);
    *out = (heed_shape){0};
    for (const heed_value *item = v->first; item != NULL; item = item->next) {
        heed_shape pair;
        HEED_TRY(read_shape(c, item, what, &pair));
        if (pair.rank != 2 || out->rank + 2 > HEED_MAX_RANK)
            return heed_value_unexpected(c, v, what, "at most 4 pairs of integers");
        out->dims[out->rank++] = pair.dims[0];
        out->dims[out->rank++] = pair.dims[1];
    }
    return HEED_OK;
}

static heed_status read_specs(heed_zone *z, const heed_value *v, const char *what, heed_specs *out)
{
    *out = (heed_specs){0};
    if (v->type == HEED_VALUE_NULL)
        return HEED_OK;
    if (v->type != HEED_VALUE_LIST || v->count > INT_MAX)
        return heed_value_unexpected(z->context, v, what, "a list of layers");
    heed_spec *items = heed_zone_alloc(z, v->count, sizeof *items);
    if (items == NULL)
        return HEED_ENOMEM;
    for (const heed_value *item = v->first; item != NULL; item = item->next)
        HEED_TRY(heed_spec_read(z, what, item, &items[out->count++]));
    out->items = items;
    return HEED_OK;
}

static heed_status read_list(heed_zone *z, const heed_value *v, const char **out)
{
    *out = v->type == HEED_VALUE_NULL   ? NULL
           : v->type == HEED_VALUE_TEXT ? v->text
                                        : heed_value_expression(z, v);
    return *out == NULL && v->type != HEED_VALUE_NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status read_option(heed_zone *z, const heed_option *o, const heed_value *v, const void *default_field,
                               void *field)
{
    heed_context *c = z->context;
    switch (o->type) {
    case HEED_OPTION_INT: return read_int(c, v, o->name, *(const int *)default_field == HEED_NONE, field);
    case HEED_OPTION_FLOAT:
        return read_float(c, v, o->name, isinf(*(const double *)default_field) || heed_option_takes_none(o), field);
    case HEED_OPTION_BOOL: return heed_value_as_bool(c, v, o->name, field);
    case HEED_OPTION_TEXT: return heed_value_as_text(c, v, o->name, field);
    case HEED_OPTION_NUMBERS:
    case HEED_OPTION_TEXTS: return read_list(z, v, field);
    case HEED_OPTION_SHAPE: return read_shape(c, v, o->name, field);
    case HEED_OPTION_SIZES: return read_sizes(c, v, o->name, field);
    case HEED_OPTION_LAYER: return heed_spec_read(z, o->name, v, field);
    case HEED_OPTION_LAYERS: return read_specs(z, v, o->name, field);
    default: return heed_object_expression(z, family_of(o->type), v, o->name, field);
    }
}

static heed_status unknown_option(heed_context *c, const char *who, heed_option_table t, const char *key)
{
    heed_guess guess = {.word = key};
    for (int i = 0; i < t.count; i++)
        heed_guess_offer(&guess, t.rows[i].name);
    heed_fail(c, HEED_EINVAL, "%s: no option of this name: %s", who, key);
    if (guess.best != NULL)
        heed_hint(c, "did you mean %s?", guess.best);
    return HEED_EINVAL;
}

heed_status heed_options_read(heed_zone *z, const char *who, heed_option_table t, int first, const heed_value *given,
                              void *config)
{
    if (given->type != HEED_VALUE_DICT && given->type != HEED_VALUE_CALL)
        return heed_value_unexpected(z->context, given, who, "options");
    for (const heed_value *item = given->first; item != NULL; item = item->next) {
        const heed_option *by_place = item->key == NULL && first < t.count ? &t.rows[first++] : NULL;
        const heed_option *o = item->key != NULL ? heed_options_find(t, item->key) : by_place;
        if (o == NULL && item->key != NULL)
            return unknown_option(z->context, who, t, item->key);
        if (o == NULL)
            return heed_fail(z->context, HEED_EINVAL, "%s: too many options without a name (found %zu)", who,
                             given->count);
        heed_status status = read_option(z, o, item, field_in(t.defaults, o), field_of(config, o));
        if (status != HEED_OK)
            return heed_fail_in(z->context, status, who);
    }
    return HEED_OK;
}

/* ---- writing ---- */

static heed_value *shape_value(heed_zone *z, const heed_shape *shape)
{
    return heed_value_ints(z, shape->dims, shape->rank);
}

static heed_value *sizes_value(heed_zone *z, const heed_shape *sizes)
{
    if (sizes->rank < 2)
        return sizes->rank == 0 ? heed_value_null(z) : heed_value_int(z, sizes->dims[0]);
    if (sizes->rank == 2)
        return shape_value(z, sizes);
    heed_value *list = heed_value_list(z);
    for (int i = 0; i + 1 < sizes->rank; i += 2) {
        heed_shape pair = {2, {sizes->dims[i], sizes->dims[i + 1]}};
        if (heed_value_append(list, shape_value(z, &pair)) != HEED_OK)
            return NULL;
    }
    return list;
}

static heed_value *specs_value(heed_zone *z, const heed_specs *specs)
{
    heed_value *list = heed_value_list(z);
    for (int i = 0; i < specs->count; i++)
        if (heed_value_append(list, heed_spec_value(z, specs->items[i])) != HEED_OK)
            return NULL;
    return list;
}

static heed_value *list_value(heed_zone *z, const heed_option *o, const char *expression)
{
    heed_value *v;
    if (expression == NULL)
        return heed_value_null(z);
    return heed_value_parse(z, o->name, expression, &v) == HEED_OK ? v : NULL;
}

static heed_value *option_value(heed_zone *z, const heed_option *o, const void *field)
{
    switch (o->type) {
    case HEED_OPTION_INT:
        return *(const int *)field == HEED_NONE ? heed_value_null(z) : heed_value_int(z, *(const int *)field);
    case HEED_OPTION_FLOAT:
        return isinf(*(const double *)field) ? heed_value_null(z) : heed_value_real(z, *(const double *)field);
    case HEED_OPTION_BOOL: return heed_value_bool(z, *(const bool *)field);
    case HEED_OPTION_TEXT: return heed_value_text(z, *(const char *const *)field);
    case HEED_OPTION_NUMBERS:
    case HEED_OPTION_TEXTS: return list_value(z, o, *(const char *const *)field);
    case HEED_OPTION_SHAPE:
        return ((const heed_shape *)field)->rank == 0 && strstr(o->range, "None") != NULL ? heed_value_null(z)
                                                                                         : shape_value(z, field);
    case HEED_OPTION_SIZES: return sizes_value(z, field);
    case HEED_OPTION_LAYER: return heed_spec_value(z, *(const heed_spec *)field);
    case HEED_OPTION_LAYERS: return specs_value(z, field);
    default: return heed_object_value(z, family_of(o->type), *(const char *const *)field);
    }
}

heed_status heed_options_write(heed_zone *z, heed_option_table t, const void *config, heed_value *dict)
{
    for (int i = 0; i < t.count; i++)
        HEED_TRY(heed_value_set(z, dict, t.rows[i].name, option_value(z, &t.rows[i], field_in(config, &t.rows[i]))));
    return HEED_OK;
}
