/* Operations as TensorFlow 1.15 to 2.3 wrote them: TensorFlowOpLayer, a node of TensorFlow's graph. */
#include "formats/keras_config.h"
#include "formats/keras_operation.h"
#include "formats/keras_operation_old.h"

#include <stdlib.h>
#include <string.h>

/* A kind of node. A constant operand may be an option: "1=axis" is the one at place 1, "-1=axis" the last; an attribute as
 * well: "keep_dims=keepdims". */
static const struct node_kind {
    const char *op, *name, *constant, *attribute;
    bool        list; /* the tensors are one argument */
} kinds[] = {
    {"Add", "Add", NULL, NULL, false},
    {"AddV2", "Add", NULL, NULL, false},
    {"Sub", "Subtract", NULL, NULL, false},
    {"Mul", "Multiply", NULL, NULL, false},
    {"RealDiv", "TrueDivide", NULL, NULL, false},
    {"Pow", "Power", NULL, NULL, false},
    {"Maximum", "Maximum", NULL, NULL, false},
    {"Minimum", "Minimum", NULL, NULL, false},
    {"Equal", "Equal", NULL, NULL, false},
    {"NotEqual", "NotEqual", NULL, NULL, false},
    {"Less", "Less", NULL, NULL, false},
    {"LessEqual", "LessEqual", NULL, NULL, false},
    {"Greater", "Greater", NULL, NULL, false},
    {"GreaterEqual", "GreaterEqual", NULL, NULL, false},
    {"LogicalAnd", "LogicalAnd", NULL, NULL, false},
    {"LogicalOr", "LogicalOr", NULL, NULL, false},
    {"LogicalNot", "LogicalNot", NULL, NULL, false},
    {"Select", "Where", NULL, NULL, false},
    {"SelectV2", "Where", NULL, NULL, false},
    {"Neg", "Negative", NULL, NULL, false},
    {"Abs", "Absolute", NULL, NULL, false},
    {"Sign", "Sign", NULL, NULL, false},
    {"Square", "Square", NULL, NULL, false},
    {"Sqrt", "Sqrt", NULL, NULL, false},
    {"Rsqrt", "Rsqrt", NULL, NULL, false},
    {"Exp", "Exp", NULL, NULL, false},
    {"Log", "Log", NULL, NULL, false},
    {"Log1p", "Log1p", NULL, NULL, false},
    {"Tanh", "Tanh", NULL, NULL, false},
    {"Sigmoid", "Sigmoid", NULL, NULL, false},
    {"Relu", "Relu", NULL, NULL, false},
    {"Relu6", "Relu6", NULL, NULL, false},
    {"Elu", "Elu", NULL, NULL, false},
    {"Selu", "Selu", NULL, NULL, false},
    {"Softplus", "Softplus", NULL, NULL, false},
    {"Softsign", "Softsign", NULL, NULL, false},
    {"Softmax", "Softmax", NULL, NULL, false},
    {"Mean", "Mean", "1=axis", "keep_dims=keepdims", false},
    {"Sum", "Sum", "1=axis", "keep_dims=keepdims", false},
    {"Max", "Max", "1=axis", "keep_dims=keepdims", false},
    {"Min", "Min", "1=axis", "keep_dims=keepdims", false},
    {"Any", "Any", "1=axis", "keep_dims=keepdims", false},
    {"All", "All", "1=axis", "keep_dims=keepdims", false},
    {"ExpandDims", "ExpandDims", "1=axis", NULL, false},
    {"Squeeze", "Squeeze", NULL, "squeeze_dims=axis", false},
    {"Reshape", "Reshape", "1=newshape", NULL, false},
    {"Transpose", "Transpose", "1=axes", NULL, false},
    {"Tile", "Tile", "1=repeats", NULL, false},
    {"ConcatV2", "Concatenate", "-1=axis", NULL, true},
    {"Pack", "Stack", NULL, "axis=axis", true},
    {"MatMul", "Matmul", NULL, NULL, false},
    {"BatchMatMul", "Matmul", NULL, NULL, false},
    {"BatchMatMulV2", "Matmul", NULL, NULL, false},
    {"StridedSlice", "GetItem", NULL, NULL, false},
};

typedef struct node {
    const heed_json *definition, *constants;
    int              inputs;
} node;

static const heed_json *constant_at(const node *n, int place)
{
    char key[16] = {(char)('0' + place)};
    return place < 0 || place > 9 ? NULL : heed_json_find(n->constants, key);
}

/* An attribute: {"b": true}, {"i": "2"}, {"list": {"i": ["1"]}}; numbers are texts there. */
static const heed_json *attribute(const node *n, const char *name)
{
    return heed_json_find(heed_json_find(n->definition, "attr"), name);
}

static bool is_set(const node *n, const char *name)
{
    const heed_json *flag = heed_json_find(attribute(n, name), "b");
    return heed_json_is(flag, HEED_JSON_BOOL) && flag->boolean;
}

static long number_of(const heed_json *text) { return heed_json_is(text, HEED_JSON_STRING) ? strtol(text->text, NULL, 10) : 0; }
static long number(const node *n, const char *name) { return number_of(heed_json_find(attribute(n, name), "i")); }

static heed_status set_attribute(heed_zone *z, const heed_json *v, const char *name, heed_value *config)
{
    const heed_json *flag = heed_json_find(v, "b"), *whole = heed_json_find(v, "i");
    const heed_json *list = heed_json_find(heed_json_find(v, "list"), "i");
    if (heed_json_is(flag, HEED_JSON_BOOL))
        return heed_value_set(z, config, name, heed_value_bool(z, flag->boolean));
    if (whole != NULL)
        return heed_value_set(z, config, name, heed_value_int(z, number_of(whole)));
    heed_value *numbers = list == NULL ? NULL : heed_value_list(z);
    for (const heed_json *item = list == NULL ? NULL : list->first; item != NULL; item = item->next)
        HEED_TRY(heed_value_append(numbers, heed_value_int(z, number_of(item))));
    return list == NULL ? HEED_OK : heed_value_set(z, config, name, numbers);
}

/* The arguments: constants in their places, but for that at `skipped`, and the call's tensors in order. */
static heed_value *arguments_of(heed_zone *z, const node *n, int skipped, bool list)
{
    heed_value *all = heed_value_list(z), *inner = list ? heed_value_list(z) : all;
    int tensor = 0;
    for (int i = 0; i < n->inputs; i++) {
        const heed_json *constant = constant_at(n, i);
        if (i != skipped && heed_value_append(inner, constant == NULL ? heed_operand_of_input(z, tensor++)
                                                                      : heed_value_of_json(z, constant)) != HEED_OK)
            return NULL;
    }
    return !list || heed_value_append(all, inner) == HEED_OK ? all : NULL;
}

static bool has_bit(long mask, int bit) { return (mask >> bit & 1) != 0; }

/* x[begin:end:step] of all dimensions that are named, some of which drop out. Without an ellipsis and new dimensions. */
static heed_status read_slices(heed_zone *z, const node *n, heed_value **out)
{
    const heed_json *parts[] = {constant_at(n, 1), constant_at(n, 2), constant_at(n, 3)};
    static const char *const names[] = {"start", "stop", "step"};
    const long open[] = {number(n, "begin_mask"), number(n, "end_mask"), 0}, drops = number(n, "shrink_axis_mask");
    heed_value *key = heed_value_list(z);
    *out = NULL;
    for (int k = 0; k < 3; k++)
        if (!heed_json_is(parts[k], HEED_JSON_ARRAY) || parts[k]->count != parts[0]->count)
            return HEED_OK;
    if (number(n, "ellipsis_mask") != 0 || number(n, "new_axis_mask") != 0 || parts[0]->count > HEED_MAX_RANK)
        return HEED_OK;
    for (int i = 0; i < (int)parts[0]->count; i++) {
        heed_value *token = heed_value_dict(z), *config = heed_value_dict(z);
        for (int k = 0; k < 3; k++) {
            heed_value *number = has_bit(open[k], i) ? heed_value_null(z)
                                                     : heed_value_of_json(z, heed_json_at(parts[k], (size_t)i));
            HEED_TRY(heed_value_set(z, config, names[k], number));
        }
        HEED_TRY(heed_value_set(z, token, "class_name", heed_value_text(z, "__slice__")));
        HEED_TRY(heed_value_set(z, token, "config", config));
        HEED_TRY(heed_value_append(
            key, has_bit(drops, i) ? heed_value_of_json(z, heed_json_at(parts[0], (size_t)i)) : token));
    }
    *out = heed_value_list(z);
    HEED_TRY(heed_value_append(*out, heed_operand_of_input(z, 0)));
    return heed_value_append(*out, key);
}

static heed_status read_options(heed_zone *z, const struct node_kind *kind, const node *n, int place, heed_value *config)
{
    if (kind->constant != NULL && constant_at(n, place) != NULL)
        HEED_TRY(heed_value_set(z, config, strchr(kind->constant, '=') + 1, heed_value_of_json(z, constant_at(n, place))));
    if (kind->attribute == NULL)
        return HEED_OK;
    const char *sign = strchr(kind->attribute, '=');
    const char *name = heed_zone_printf(z, "%.*s", (int)(sign - kind->attribute), kind->attribute);
    return name == NULL ? HEED_ENOMEM : set_attribute(z, attribute(n, name), sign + 1, config);
}

heed_status heed_node_operation_read(heed_zone *z, const heed_json *object, const char **class_name, heed_value *config,
                                     const char **operands)
{
    const heed_json *own = heed_json_find(object, "config");
    node n = {.definition = heed_json_find(own, "node_def"), .constants = heed_json_find(own, "constants")};
    const heed_json *op = heed_json_find(n.definition, "op"), *inputs = heed_json_find(n.definition, "input");
    const struct node_kind *kind = NULL;
    *class_name = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && heed_json_is(op, HEED_JSON_STRING); i++)
        if (strcmp(kinds[i].op, op->text) == 0)
            kind = &kinds[i];
    if (kind == NULL || !heed_json_is(inputs, HEED_JSON_ARRAY))
        return HEED_OK;
    n.inputs = (int)inputs->count;
    int place = kind->constant == NULL ? -1 : kind->constant[0] == '-' ? n.inputs - 1 : 1;
    const char *name = kind->name;
    heed_value *arguments = NULL;
    if (kind->constant != NULL && constant_at(&n, place) == NULL) /* an option that is computed */
        return HEED_OK;
    HEED_TRY(read_options(z, kind, &n, place, config));
    if (strcmp(name, "Matmul") == 0)
        HEED_TRY(heed_old_matmul(z, is_set(&n, "adj_x") || is_set(&n, "transpose_a"),
                                 is_set(&n, "adj_y") || is_set(&n, "transpose_b"), &name, config));
    if (strcmp(name, "GetItem") == 0) {
        HEED_TRY(read_slices(z, &n, &arguments));
        if (arguments == NULL) /* slices of a kind that heed does not know */
            return HEED_OK;
    } else {
        arguments = arguments_of(z, &n, place, kind->list);
    }
    const char *text = arguments == NULL ? NULL : heed_value_expression(z, arguments);
    *operands = text == NULL ? NULL : heed_zone_printf(z, "=%s", text);
    *class_name = name;
    return *operands == NULL ? HEED_ENOMEM : HEED_OK;
}
