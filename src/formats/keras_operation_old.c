#include "formats/keras_operation_old.h"

#include "formats/keras_config.h"

#include <string.h>

/* A function of TensorFlow. Options are pairs "tensorflow=keras", with spaces between; operands are keywords that hold
 * tensors or constants to compute with. `fixed` are options as they are without being said. */
static const struct old_function {
    const char *function, *name, *operands, *options, *fixed;
} functions[] = {
    {"__operators__.add", "Add", "y", "", NULL},
    {"__operators__.getitem", "GetItem", "slice_spec", "", NULL},
    {"math.add", "Add", "y", "", NULL},
    {"math.subtract", "Subtract", "y", "", NULL},
    {"math.multiply", "Multiply", "y", "", NULL},
    {"math.truediv", "TrueDivide", "y", "", NULL},
    {"math.divide", "TrueDivide", "y", "", NULL},
    {"realdiv", "TrueDivide", "y", "", NULL},
    {"math.floordiv", "FloorDivide", "y", "", NULL},
    {"math.floormod", "Mod", "y", "", NULL},
    {"math.pow", "Power", "y", "", NULL},
    {"math.maximum", "Maximum", "y", "", NULL},
    {"math.minimum", "Minimum", "y", "", NULL},
    {"math.equal", "Equal", "y", "", NULL},
    {"math.not_equal", "NotEqual", "y", "", NULL},
    {"math.less", "Less", "y", "", NULL},
    {"math.less_equal", "LessEqual", "y", "", NULL},
    {"math.greater", "Greater", "y", "", NULL},
    {"math.greater_equal", "GreaterEqual", "y", "", NULL},
    {"math.logical_and", "LogicalAnd", "y", "", NULL},
    {"math.logical_or", "LogicalOr", "y", "", NULL},
    {"math.logical_xor", "LogicalXor", "y", "", NULL},
    {"math.logical_not", "LogicalNot", "", "", NULL},
    {"math.negative", "Negative", "", "", NULL},
    {"math.abs", "Absolute", "", "", NULL},
    {"math.sign", "Sign", "", "", NULL},
    {"math.square", "Square", "", "", NULL},
    {"math.sqrt", "Sqrt", "", "", NULL},
    {"math.rsqrt", "Rsqrt", "", "", NULL},
    {"math.reciprocal", "Reciprocal", "", "", NULL},
    {"math.exp", "Exp", "", "", NULL},
    {"math.expm1", "Expm1", "", "", NULL},
    {"math.log", "Log", "", "", NULL},
    {"math.log1p", "Log1p", "", "", NULL},
    {"math.sin", "Sin", "", "", NULL},
    {"math.cos", "Cos", "", "", NULL},
    {"math.tanh", "Tanh", "", "", NULL},
    {"math.erf", "Erf", "", "", NULL},
    {"math.floor", "Floor", "", "", NULL},
    {"math.ceil", "Ceil", "", "", NULL},
    {"math.is_nan", "Isnan", "", "", NULL},
    {"math.sigmoid", "Sigmoid", "", "", NULL},
    {"math.softplus", "Softplus", "", "", NULL},
    {"nn.relu", "Relu", "", "", NULL},
    {"nn.relu6", "Relu6", "", "", NULL},
    {"nn.elu", "Elu", "", "", NULL},
    {"nn.selu", "Selu", "", "", NULL},
    {"nn.gelu", "Gelu", "", "approximate=approximate", "{'approximate': False}"},
    {"nn.silu", "Silu", "", "", NULL},
    {"nn.softsign", "Softsign", "", "", NULL},
    {"nn.leaky_relu", "LeakyRelu", "", "alpha=negative_slope", "{'negative_slope': 0.2}"},
    {"nn.softmax", "Softmax", "", "axis=axis", "{'axis': -1}"},
    {"nn.log_softmax", "LogSoftmax", "", "axis=axis", "{'axis': -1}"},
    {"math.reduce_mean", "Mean", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_sum", "Sum", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_max", "Max", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_min", "Min", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_std", "Std", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_variance", "Var", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_any", "Any", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_all", "All", "", "axis=axis keepdims=keepdims", NULL},
    {"math.reduce_logsumexp", "Logsumexp", "", "axis=axis keepdims=keepdims", NULL},
    {"math.l2_normalize", "Normalize", "", "axis=axis", "{'axis': None, 'order': 2, 'epsilon': 1e-6}"},
    {"math.cumsum", "Cumsum", "", "axis=axis", "{'axis': 0}"},
    {"math.argmax", "Argmax", "", "axis=axis", "{'axis': 0}"},
    {"math.argmin", "Argmin", "", "axis=axis", "{'axis': 0}"},
    {"clip_by_value", "Clip", "", "clip_value_min=x_min clip_value_max=x_max", NULL},
    {"where", "Where", "x y", "", NULL},
    {"cast", "Cast", "", "dtype=dtype", NULL},
    {"reshape", "Reshape", "", "shape=newshape", NULL},
    {"transpose", "Transpose", "", "perm=axes", NULL},
    {"compat.v1.transpose", "Transpose", "", "perm=axes", NULL},
    {"expand_dims", "ExpandDims", "", "axis=axis", NULL},
    {"squeeze", "Squeeze", "", "axis=axis", NULL},
    {"compat.v1.squeeze", "Squeeze", "", "axis=axis", NULL},
    {"concat", "Concatenate", "", "axis=axis", NULL},
    {"stack", "Stack", "", "axis=axis", "{'axis': 0}"},
    {"unstack", "Unstack", "", "axis=axis num=num", "{'num': None, 'axis': 0}"},
    {"split", "Split", "", "num_or_size_splits=indices_or_sections axis=axis", "{'axis': 0}"},
    {"reverse", "Flip", "", "axis=axis", NULL},
    {"tile", "Tile", "", "multiples=repeats", NULL},
    {"repeat", "Repeat", "", "repeats=repeats axis=axis", NULL},
    {"pad", "Pad", "", "paddings=pad_width mode=mode", "{'mode': 'constant'}"},
    {"compat.v1.pad", "Pad", "", "paddings=pad_width mode=mode", "{'mode': 'constant'}"},
    {"zeros_like", "ZerosLike", "", "dtype=dtype", NULL},
    {"ones_like", "OnesLike", "", "dtype=dtype", NULL},
    {"one_hot", "OneHot", "", "depth=num_classes axis=axis", "{'axis': -1, 'dtype': 'float32', 'sparse': False}"},
    {"gather", "Take", "indices", "axis=axis", "{'axis': 0}"},
    {"compat.v1.gather", "Take", "indices", "axis=axis", "{'axis': 0}"},
    {"stop_gradient", "StopGradient", "", "", NULL},
    {"linalg.matmul", "Matmul", "b", "", NULL},
};

/* Keywords of a call that say nothing, or nothing as long as they are false or 0. */
static const struct {
    const char *name;
    bool        always;
} silent[] = {{"name", true},          {"validate_indices", true}, {"out_type", true},
              {"conjugate", false},    {"batch_dims", false},      {"transpose_a", false},
              {"transpose_b", false},  {"constant_values", false}};

bool heed_is_old_operation(const char *class_name)
{
    return strcmp(class_name, "TFOpLambda") == 0 || strcmp(class_name, "SlicingOpLambda") == 0 ||
           strcmp(class_name, "TensorFlowOpLayer") == 0;
}

static const struct old_function *find_function(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].function, name) == 0)
            return &functions[i];
    return NULL;
}

/* The keywords of the operation's only call, which stand with its first tensor; NULL: none. */
static const heed_json *call_keywords(const heed_json *object)
{
    const heed_json *node = heed_json_at(heed_json_find(object, "inbound_nodes"), 0);
    while (heed_json_is(node, HEED_JSON_ARRAY) && !heed_json_is(heed_json_at(node, 0), HEED_JSON_STRING))
        node = heed_json_at(node, 0);
    const heed_json *keywords = heed_json_at(node, 3);
    return heed_json_is(keywords, HEED_JSON_OBJECT) ? keywords : NULL;
}

/* Whether `word` is one of those with spaces between; of pairs, *value is set to what stands behind "word=". */
static bool is_among(const char *words, const char *word, const char **value)
{
    size_t length = strlen(word);
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        if (strncmp(words, word, length) == 0 && (size == length || words[length] == '=')) {
            *value = words + length + 1;
            return true;
        }
        words += size + strspn(words + size, " ");
    }
    return false;
}

static bool is_silent(const heed_json *v)
{
    bool none = (v->type == HEED_JSON_BOOL && !v->boolean) || (v->type == HEED_JSON_INT && v->integer == 0);
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (strcmp(silent[i].name, v->key) == 0)
            return silent[i].always || none;
    return false;
}

static bool holds_tensor(const heed_json *v)
{
    for (const heed_json *item = heed_json_is(v, HEED_JSON_ARRAY) ? v->first : NULL; item != NULL; item = item->next)
        if (item->type == HEED_JSON_STRING || holds_tensor(item))
            return true;
    return false;
}

/* Sizes of pieces as places to cut at; a size that is a tensor, as in (shape(x)[0], 12), as what is left. */
static heed_status adapt(heed_zone *z, const char *name, const heed_json *v, heed_value **value)
{
    int64_t at = 0, size;
    if (!heed_json_is(v, HEED_JSON_ARRAY) || (strcmp(name, "indices_or_sections") != 0 && strcmp(name, "newshape") != 0))
        return HEED_OK;
    bool cuts = strcmp(name, "newshape") != 0;
    heed_value *list = heed_value_list(z);
    for (const heed_json *item = v->first; item != NULL && !(cuts && item->next == NULL); item = item->next) {
        size = HEED_ANY;
        if (cuts || !holds_tensor(item))
            HEED_TRY(heed_json_as_int(z->context, item, &size));
        if (cuts && size < 0)
            return heed_json_fail(z->context, item, HEED_EUNSUPPORTED, "only the last piece may be what is left");
        at += size;
        HEED_TRY(heed_value_append(list, heed_value_int(z, cuts ? at : size)));
    }
    *value = list;
    return HEED_OK;
}

static heed_status read_keyword(heed_zone *z, const struct old_function *f, const heed_json *v, heed_value *config,
                                bool *known)
{
    const char *end, *keras = NULL;
    *known = true;
    if (v->type == HEED_JSON_NULL || is_among(f->operands, v->key, &end) || is_silent(v))
        return HEED_OK;
    *known = is_among(f->options, v->key, &keras);
    if (!*known)
        return HEED_OK;
    const char *name = heed_zone_printf(z, "%.*s", (int)strcspn(keras, " "), keras);
    heed_value *value = heed_value_of_json(z, v);
    if (name == NULL)
        return HEED_ENOMEM;
    HEED_TRY(adapt(z, name, v, &value));
    if (heed_value_is(value, HEED_VALUE_TEXT) && strcmp(value->text, "CONSTANT") == 0)
        value = heed_value_text(z, "constant");
    return heed_value_set(z, config, name, value);
}

heed_status heed_old_matmul(heed_zone *z, bool turn_a, bool turn_b, const char **class_name, heed_value *config)
{
    if (!turn_a && !turn_b)
        return HEED_OK;
    const char *text = heed_zone_printf(z, "...%s,...%s->...ik", turn_a ? "ji" : "ij", turn_b ? "kj" : "jk");
    *class_name = "Einsum";
    return heed_value_set(z, config, "subscripts", heed_value_text(z, text));
}

static bool is_true(const heed_json *keywords, const char *key)
{
    const heed_json *v = heed_json_find(keywords, key);
    return heed_json_is(v, HEED_JSON_BOOL) && v->boolean;
}

heed_status heed_old_operation_read(heed_zone *z, const heed_json *object, const char **class_name, heed_value *config,
                                    const char **operands)
{
    const heed_json *function = heed_json_find(heed_json_find(object, "config"), "function");
    const heed_json *nodes = heed_json_find(object, "inbound_nodes"), *keywords = call_keywords(object);
    const struct old_function *f = heed_json_is(function, HEED_JSON_STRING) ? find_function(function->text) : NULL;
    *class_name = NULL;
    if (heed_json_is_string(heed_json_find(object, "class_name"), "TensorFlowOpLayer"))
        return heed_node_operation_read(z, object, class_name, config, operands);
    if (f == NULL || !heed_json_is(nodes, HEED_JSON_ARRAY) || nodes->count > 1)
        return HEED_OK;
    heed_value *fixed = NULL;
    if (f->fixed != NULL)
        HEED_TRY(heed_value_parse(z, f->name, f->fixed, &fixed));
    for (const heed_value *item = fixed == NULL ? NULL : fixed->first; item != NULL; item = item->next)
        HEED_TRY(heed_value_set(z, config, item->key, heed_value_copy(z, item)));
    const char *name = f->name;
    if (strcmp(name, "Matmul") == 0)
        HEED_TRY(heed_old_matmul(z, is_true(keywords, "transpose_a"), is_true(keywords, "transpose_b"), &name, config));
    for (const heed_json *v = keywords == NULL ? NULL : keywords->first; v != NULL; v = v->next) {
        bool known = strncmp(v->key, "transpose_", 10) == 0 && strcmp(f->name, "Matmul") == 0;
        if (!known)
            HEED_TRY(read_keyword(z, f, v, config, &known));
        if (!known)
            return HEED_OK;
    }
    *operands = f->operands;
    *class_name = name;
    return HEED_OK;
}

heed_value *heed_old_operand_value(heed_zone *z, const heed_json *v)
{
    if (heed_json_is(v, HEED_JSON_ARRAY)) {
        heed_value *list = heed_value_list(z);
        for (const heed_json *item = v->first; item != NULL; item = item->next)
            if (heed_value_append(list, heed_old_operand_value(z, item)) != HEED_OK)
                return NULL;
        return list;
    }
    bool slice = heed_json_find(v, "start") != NULL, ellipsis = heed_json_find(v, "class_name") != NULL;
    if (!slice && !ellipsis)
        return heed_value_of_json(z, v);
    heed_value *token = heed_value_dict(z), *config = slice ? heed_value_of_json(z, v) : heed_value_dict(z);
    const char *name = slice ? "__slice__" : "__ellipsis__";
    if (heed_value_set(z, token, "class_name", heed_value_text(z, name)) != HEED_OK ||
        heed_value_set(z, token, "config", config) != HEED_OK)
        return NULL;
    return token;
}

/* ---- the way back ---- */

/* The pair "tensorflow=keras" of such a name; its first word goes to *name. */
static heed_status find_pair(heed_zone *z, const char *pairs, const char *keras, const char **name)
{
    size_t length = strlen(keras);
    *name = NULL;
    for (const char *at = pairs; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " ")) {
        size_t own = strcspn(at, "="), size = strcspn(at, " ");
        if (size - own - 1 == length && strncmp(at + own + 1, keras, length) == 0) {
            *name = heed_zone_printf(z, "%.*s", (int)own, at);
            return *name == NULL ? HEED_ENOMEM : HEED_OK;
        }
    }
    return HEED_OK;
}

/* Whether the function has an option so without being told. */
static heed_status is_fixed(heed_zone *z, const struct old_function *f, const heed_json *option, bool *fixed)
{
    heed_value *all = NULL, *given = heed_value_of_json(z, option);
    if (f->fixed != NULL)
        HEED_TRY(heed_value_parse(z, f->name, f->fixed, &all));
    const heed_value *own = heed_value_find(all, option->key);
    const char *a = own == NULL ? NULL : heed_value_expression(z, own), *b = heed_value_expression(z, given);
    *fixed = a != NULL && b != NULL && strcmp(a, b) == 0;
    return b == NULL ? HEED_ENOMEM : HEED_OK;
}

/* Places to cut at as sizes of pieces, the last of which is what is left. */
static heed_status copy_option(heed_zone *z, const heed_json *option, heed_json **out)
{
    int64_t at = 0, next;
    *out = heed_json_copy(z, option);
    if (!heed_json_is(option, HEED_JSON_ARRAY) || strcmp(option->key, "indices_or_sections") != 0)
        return HEED_OK;
    *out = heed_json_array(z);
    for (const heed_json *item = option->first; item != NULL; item = item->next, at = next) {
        HEED_TRY(heed_json_as_int(z->context, item, &next));
        HEED_TRY(heed_json_append(*out, heed_json_int(z, next - at)));
    }
    return heed_json_append(*out, heed_json_int(z, -1));
}

heed_status heed_old_operation_write(heed_zone *z, const char *class_name, const heed_json *config,
                                     const char **function, const char **operands, heed_json *keywords)
{
    const struct old_function *f = NULL;
    *function = NULL;
    for (size_t i = 0; i < sizeof functions / sizeof *functions && f == NULL; i++)
        if (strcmp(functions[i].name, class_name) == 0)
            f = &functions[i];
    if (f == NULL)
        return HEED_OK;
    for (const heed_json *item = config->first; item != NULL; item = item->next) {
        const char *name;
        heed_json *copy;
        bool fixed = item->type == HEED_JSON_NULL || strcmp(item->key, "name") == 0;
        HEED_TRY(find_pair(z, f->options, item->key, &name));
        if (!fixed && name != NULL) {
            HEED_TRY(copy_option(z, item, &copy));
            HEED_TRY(heed_json_set(z, keywords, name, copy));
        } else if (!fixed) {
            HEED_TRY(is_fixed(z, f, item, &fixed));
        }
        if (!fixed && name == NULL)
            return HEED_OK;
    }
    *function = f->function;
    *operands = f->operands;
    return HEED_OK;
}
