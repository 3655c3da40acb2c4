#include "formats/keras_operation_run.h"

#include <math.h>
#include <string.h>

typedef heed_operation_use use;

heed_tensor *heed_use_refuse(const use *u, const char *what)
{
    return heed_graph_fail(u->call->graph, HEED_EUNSUPPORTED, "%s", what);
}

/* ---- options ---- */

const heed_value *heed_use_option(const use *u, const char *name)
{
    const heed_value *v = heed_value_find(u->options, name);
    if (v == NULL)
        v = heed_value_find(u->keywords, name);
    return v == NULL || v->type == HEED_VALUE_NULL ? NULL : v;
}

double heed_use_real(const use *u, const char *name, double otherwise)
{
    const heed_value *v = heed_use_option(u, name);
    double value = otherwise;
    if (v != NULL && heed_value_as_real(u->call->graph->context, v, name, &value) != HEED_OK)
        heed_graph_fail(u->call->graph, HEED_EFORMAT, "%s is no number", name);
    return value;
}

int heed_use_int(const use *u, const char *name, int otherwise) { return (int)heed_use_real(u, name, otherwise); }

bool heed_use_bool(const use *u, const char *name)
{
    const heed_value *v = heed_use_option(u, name);
    return heed_value_is(v, HEED_VALUE_BOOL) && v->boolean;
}

/* Integers, one or a list of them; None is HEED_ANY. */
int heed_use_ints(const use *u, const heed_value *v, int64_t *out)
{
    int count = 0;
    bool list = heed_value_is(v, HEED_VALUE_LIST);
    for (const heed_value *item = list ? v->first : v; item != NULL; item = list ? item->next : NULL) {
        int64_t value = HEED_ANY;
        if (count == HEED_MAX_RANK || (item->type != HEED_VALUE_NULL &&
                                       heed_value_as_int(u->call->graph->context, item, "option", &value) != HEED_OK)) {
            heed_use_refuse(u, "an option is no list of at most 8 integers");
            return count;
        }
        out[count++] = value;
    }
    return count;
}

int heed_use_axes(const use *u, const char *name, int *axes)
{
    int64_t values[HEED_MAX_RANK];
    int count = heed_use_ints(u, heed_use_option(u, name), values);
    for (int i = 0; i < count; i++)
        axes[i] = (int)values[i];
    return count;
}

/* ---- operands ---- */

static heed_status fill_numbers(heed_context *c, const heed_value *v, const heed_shape *shape, int axis, float **to)
{
    double value;
    if (axis < shape->rank) {
        if (!heed_value_is(v, HEED_VALUE_LIST) || (int64_t)v->count != shape->dims[axis])
            return heed_fail(c, HEED_EFORMAT, "a constant is no array of numbers");
        for (const heed_value *item = v->first; item != NULL; item = item->next)
            HEED_TRY(fill_numbers(c, item, shape, axis + 1, to));
        return HEED_OK;
    }
    if (heed_value_is(v, HEED_VALUE_BOOL))
        value = v->boolean;
    else
        HEED_TRY(heed_value_as_real(c, v, "constant", &value));
    *(*to)++ = (float)value;
    return HEED_OK;
}

heed_dtype heed_dtype_of_word(const char *word)
{
    return strncmp(word, "float", 5) == 0 || strcmp(word, "bfloat16") == 0 || strcmp(word, "half") == 0 ? HEED_FLOAT32
           : strcmp(word, "bool") == 0                                                                  ? HEED_BOOL
                                                                                                        : HEED_INT32;
}

/* A number, a list of numbers, or {"class_name": "__tensor__", "config": {"value", "dtype"}}. */
static heed_tensor *constant(const use *u, const heed_value *v)
{
    heed_graph *g = u->call->graph;
    const heed_value *config = heed_value_find(v, "config"), *word = heed_value_find(config, "dtype");
    const heed_value *numbers = config == NULL ? v : heed_value_find(config, "value"), *innermost = numbers;
    heed_shape shape = {0};
    for (; heed_value_is(innermost, HEED_VALUE_LIST) && shape.rank < HEED_MAX_RANK; innermost = innermost->first)
        shape.dims[shape.rank++] = (int64_t)innermost->count;
    if (innermost == NULL)
        return heed_use_refuse(u, "a constant is empty");
    heed_dtype dtype = heed_value_is(word, HEED_VALUE_TEXT)     ? heed_dtype_of_word(word->text)
                       : heed_value_is(innermost, HEED_VALUE_INT) ? HEED_INT32
                       : heed_value_is(innermost, HEED_VALUE_BOOL) ? HEED_BOOL
                                                                   : HEED_FLOAT32;
    float *data = heed_zone_alloc(&g->zone, (size_t)heed_shape_count(&shape), sizeof *data), *at = data;
    if (data == NULL)
        return heed_graph_fail(g, HEED_ENOMEM, "out of memory");
    if (fill_numbers(g->context, numbers, &shape, 0, &at) != HEED_OK)
        return heed_graph_fail(g, HEED_EFORMAT, "%s", heed_error(g->context));
    heed_tensor *t = heed_graph_constant(g, &(heed_array){HEED_FLOAT32, shape, data});
    return dtype == HEED_FLOAT32 ? t : heed_op_cast(t, dtype);
}

const heed_value *heed_use_argument(const use *u, int index)
{
    const heed_value *item = u->arguments == NULL ? NULL : u->arguments->first;
    for (int i = 0; i < index && item != NULL; i++)
        item = item->next;
    return item;
}

static heed_tensor *operand_of(const use *u, const heed_value *v)
{
    if (v == NULL || v->type == HEED_VALUE_NULL)
        return heed_use_refuse(u, "an argument is missing");
    int input = heed_operand_input(v);
    return input < 0 ? constant(u, v) : input < u->call->input_count ? u->call->inputs[input] : NULL;
}

heed_tensor *heed_use_operand(const use *u, int index) { return operand_of(u, heed_use_argument(u, index)); }

heed_tensor *heed_use_optional(const use *u, int index)
{
    const heed_value *v = heed_use_argument(u, index);
    return v == NULL || v->type == HEED_VALUE_NULL ? NULL : heed_as_floats(operand_of(u, v));
}

/* A list of operands; one operand counts as such. */
int heed_use_operands(const use *u, int index, heed_tensor **out)
{
    const heed_value *v = heed_use_argument(u, index);
    bool list = heed_value_is(v, HEED_VALUE_LIST);
    int count = 0;
    for (const heed_value *item = list ? v->first : v; item != NULL; item = list ? item->next : NULL) {
        if (count == HEED_MAX_OUTPUTS) {
            heed_use_refuse(u, "there are too many operands");
            return 0;
        }
        out[count++] = operand_of(u, item);
    }
    return count;
}

/* 0, 1, 2... with `more` added. */
static heed_tensor *numbers_from(heed_graph *g, int64_t count, int64_t more)
{
    float *data = heed_zone_alloc(&g->zone, (size_t)count, sizeof *data);
    if (data == NULL)
        return heed_graph_fail(g, HEED_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++)
        data[i] = (float)(i + more);
    return heed_graph_constant(g, &(heed_array){HEED_FLOAT32, {1, {count}}, data});
}

heed_tensor *heed_use_triangle(const use *u, int64_t rows, int64_t columns, int64_t k)
{
    heed_graph *g = u->call->graph;
    return heed_op_greater_equal(heed_op_expand(numbers_from(g, rows, k), -1), numbers_from(g, columns, 0));
}

/* ---- types ---- */

bool heed_is_floats(const heed_tensor *x) { return x == NULL || x->dtype == HEED_FLOAT32; }
heed_tensor *heed_as_floats(heed_tensor *x) { return heed_is_floats(x) ? x : heed_op_cast(x, HEED_FLOAT32); }
heed_tensor *heed_as_bools(heed_tensor *x)
{
    return x == NULL || x->dtype == HEED_BOOL ? x : heed_op_cast(x, HEED_BOOL);
}
/* What was computed of whole numbers, as floats, is a whole number again. */
heed_tensor *heed_as_before(heed_tensor *y, const heed_tensor *before)
{
    return heed_is_floats(before) ? y : heed_op_cast(y, HEED_INT32);
}
