#include "formats/keras_operation.h"

#include "formats/keras_config.h"

#include <string.h>

#define OPERATION_OPTIONS(X, C)                                                                                        \
    HEED_LAYER_OPTIONS(X, C)                                                                                           \
    X(C, SHAPE, axis, {0}, "", "along which; None: all")                                                               \
    X(C, BOOL, keepdims, false, "", "whether reduced dimensions stay, as 1")                                           \
    X(C, TEXT, dtype, NULL, "", "what is cast to")                                                                     \
    X(C, TEXT, module, NULL, "", "where Keras has it")                                                                 \
    X(C, TEXT, saved, NULL, "", "its config in the file")
typedef struct operation_config {
    OPERATION_OPTIONS(HEED_OPTION_FIELD, )
} operation_config;

/* ---- operands */

/* The `index`-th argument of a call: an input, or a constant of the type of the first input. */
static heed_tensor *operand(const heed_call *call, int index)
{
    const heed_call_arguments *a = call->arguments;
    const heed_value *list = a == NULL ? NULL : heed_value_find(a->keywords, "arguments");
    int input = 0, at = 0;
    if (list == NULL)
        return index < call->input_count ? call->inputs[index] : NULL;
    for (const heed_value *item = list->first; item != NULL; item = item->next, at++) {
        bool tensor = item->type == HEED_VALUE_NULL;
        if (at == index && tensor)
            return input < call->input_count ? call->inputs[input] : NULL;
        if (at == index) {
            double value = 0.0;
            if (heed_value_as_real(call->graph->context, item, "argument", &value) != HEED_OK)
                return heed_graph_fail(call->graph, HEED_EUNSUPPORTED, "an argument is no number");
            heed_tensor *constant = heed_graph_scalar(call->graph, (float)value);
            return call->inputs[0]->dtype == HEED_FLOAT32 ? constant : heed_op_cast(constant, call->inputs[0]->dtype);
        }
        input += tensor;
    }
    return NULL;
}

/* ---- of one and of two */

typedef heed_tensor *binary_function(heed_tensor *a, heed_tensor *b);
typedef heed_tensor *unary_function(heed_tensor *x);
typedef heed_tensor *reduction(heed_tensor *x, const int *axes, int count, bool keep);

static heed_status call_binary(heed_call *call, binary_function *function)
{
    call->outputs[0] = function(operand(call, 0), operand(call, 1));
    return HEED_OK;
}

static heed_status call_unary(heed_call *call, unary_function *function)
{
    call->outputs[0] = function(operand(call, 0));
    return HEED_OK;
}

static heed_status call_reduction(heed_layer *layer, heed_call *call, reduction *function)
{
    const operation_config *o = layer->config;
    int axes[HEED_MAX_RANK];
    for (int i = 0; i < o->axis.rank; i++)
        axes[i] = (int)o->axis.dims[i];
    call->outputs[0] = function(operand(call, 0), axes, o->axis.rank, o->keepdims);
    return HEED_OK;
}

static heed_tensor *softmax(heed_tensor *x) { return heed_op_softmax(x, NULL); }

/* ---- getitem */

/* {"class_name": "__slice__", "config": {"start", "stop", "step"}} */
static heed_tensor *take_slice(heed_tensor *x, int axis, const heed_value *config)
{
    int64_t size = heed_tensor_dim(x, axis), begin = 0, end = size, step = 1;
    heed_context *c = x->graph->context;
    const heed_value *parts[] = {heed_value_find(config, "start"), heed_value_find(config, "stop"),
                                 heed_value_find(config, "step")};
    int64_t *numbers[] = {&begin, &end, &step};
    for (int i = 0; i < 3; i++)
        if (parts[i] != NULL && parts[i]->type != HEED_VALUE_NULL &&
            heed_value_as_int(c, parts[i], "slice", numbers[i]) != HEED_OK)
            return heed_graph_fail(x->graph, HEED_EFORMAT, "a slice is no integer");
    if (step != 1)
        return heed_graph_fail(x->graph, HEED_EUNSUPPORTED, "slices with a step are not supported");
    begin = begin < 0 ? begin + size : begin;
    end = end < 0 ? end + size : end;
    begin = begin < 0 ? 0 : begin > size ? size : begin;
    end = end > size ? size : end;
    return heed_op_slice(x, axis, begin, end < begin ? 0 : end - begin);
}

static heed_tensor *take_index(heed_tensor *x, int axis, int64_t index)
{
    int64_t size = heed_tensor_dim(x, axis);
    index = index < 0 ? index + size : index;
    if (index < 0 || index >= size)
        return heed_graph_fail(x->graph, HEED_EINVAL, "an index is out of range (expected below %lld)",
                               (long long)size);
    return heed_op_squeeze(heed_op_slice(x, axis, index, 1), axis);
}

static heed_tensor *take_items(heed_tensor *x, const heed_value *key)
{
    int axis = 0;
    bool list = key->type == HEED_VALUE_LIST;
    for (const heed_value *item = list ? key->first : key; item != NULL && x != NULL; item = list ? item->next : NULL) {
        const heed_value *name = heed_value_find(item, "class_name");
        bool slice = heed_value_is(name, HEED_VALUE_TEXT) && strcmp(name->text, "__slice__") == 0;
        if (slice)
            x = take_slice(x, axis++, heed_value_find(item, "config"));
        else if (item->type == HEED_VALUE_INT)
            x = take_index(x, axis, item->integer);
        else
            return heed_graph_fail(x->graph, HEED_EUNSUPPORTED, "only integers and slices are supported as indices");
    }
    return x;
}

static heed_status call_get_item(heed_layer *layer, heed_call *call)
{
    const heed_call_arguments *a = call->arguments;
    const heed_value *list = a == NULL ? NULL : heed_value_find(a->keywords, "arguments");
    if (list == NULL || list->count != 2)
        return heed_layer_fail(layer, HEED_EFORMAT, "it has no index");
    call->outputs[0] = take_items(call->inputs[0], list->last);
    return HEED_OK;
}

/* ---- shapes and types */

static heed_status call_expand(heed_layer *layer, heed_call *call)
{
    const operation_config *o = layer->config;
    call->outputs[0] = heed_op_expand(call->inputs[0], o->axis.rank == 1 ? (int)o->axis.dims[0] : -1);
    return HEED_OK;
}

static heed_status call_squeeze(heed_layer *layer, heed_call *call)
{
    const operation_config *o = layer->config;
    call->outputs[0] = heed_op_squeeze(call->inputs[0], o->axis.rank == 1 ? (int)o->axis.dims[0] : -1);
    return HEED_OK;
}

static heed_status call_cast(heed_layer *layer, heed_call *call)
{
    const operation_config *o = layer->config;
    heed_dtype dtype = o->dtype == NULL || o->dtype[0] == 'f' ? HEED_FLOAT32
                       : o->dtype[0] == 'b'                   ? HEED_BOOL
                                                              : HEED_INT32;
    call->outputs[0] = heed_op_cast(call->inputs[0], dtype);
    return HEED_OK;
}

/* ---- the table */

#define BINARY_MAP(X)                                                                                                  \
    X(Add, heed_op_add) X(Subtract, heed_op_subtract) X(Multiply, heed_op_multiply) X(Divide, heed_op_divide)          \
    X(TrueDivide, heed_op_divide) X(Maximum, heed_op_maximum) X(Minimum, heed_op_minimum) X(Equal, heed_op_equal)      \
    X(NotEqual, heed_op_not_equal) X(Less, heed_op_less) X(LessEqual, heed_op_less_equal) X(Greater, heed_op_greater)  \
    X(GreaterEqual, heed_op_greater_equal) X(LogicalAnd, heed_op_and) X(LogicalOr, heed_op_or) X(Matmul, heed_op_matmul)
#define UNARY_MAP(X)                                                                                                   \
    X(Negative, heed_op_negative) X(Absolute, heed_op_abs) X(Exp, heed_op_exp) X(Log, heed_op_log)                     \
    X(Sqrt, heed_op_sqrt) X(Square, heed_op_square) X(Tanh, heed_op_tanh) X(Sigmoid, heed_op_sigmoid)                  \
    X(Relu, heed_op_relu) X(LogicalNot, heed_op_not) X(Softmax, softmax)
#define REDUCTION_MAP(X)                                                                                               \
    X(Mean, heed_op_mean) X(Sum, heed_op_sum) X(Max, heed_op_max) X(Min, heed_op_min) X(Any, heed_op_any)
#define OTHER_MAP(X)                                                                                                   \
    X(GetItem, call_get_item) X(ExpandDims, call_expand) X(Squeeze, call_squeeze) X(Cast, call_cast)

#define BINARY(title, function)                                                                                        \
    static heed_status run_##title(heed_layer *layer, heed_call *call) { return call_binary(call, function); }
#define UNARY(title, function)                                                                                         \
    static heed_status run_##title(heed_layer *layer, heed_call *call) { return call_unary(call, function); }
#define REDUCTION(title, function)                                                                                     \
    static heed_status run_##title(heed_layer *layer, heed_call *call) { return call_reduction(layer, call, function); }
#define OTHER(title, function)                                                                                         \
    static heed_status run_##title(heed_layer *layer, heed_call *call) { return function(layer, call); }
BINARY_MAP(BINARY)
UNARY_MAP(UNARY)
REDUCTION_MAP(REDUCTION)
OTHER_MAP(OTHER)

static const char COLLECTION[] = "keras.ops";

#define ROW(title, function)                                                                                           \
    {.name = #title, .collection = COLLECTION, .min_inputs = 1, .max_inputs = 2, .call = run_##title,                  \
     HEED_CLASS_OPTIONS(operation_config, OPERATION_OPTIONS)},
static const heed_layer_class classes[] = {BINARY_MAP(ROW) UNARY_MAP(ROW) REDUCTION_MAP(ROW) OTHER_MAP(ROW)};

/* ---- from and to files */

bool heed_is_operation_object(const heed_json *object)
{
    const heed_json *module = heed_json_find(object, "module");
    return heed_json_is(module, HEED_JSON_STRING) && strncmp(module->text, "keras.src.ops", 13) == 0;
}

bool heed_is_operation(const heed_layer *layer) { return layer->layer_class->collection == COLLECTION; }

const char *heed_operation_module(const heed_layer *layer) { return ((const operation_config *)layer->config)->module; }
const char *heed_operation_config(const heed_layer *layer) { return ((const operation_config *)layer->config)->saved; }

static heed_status read_axis(heed_context *c, const heed_json *v, heed_shape *out)
{
    if (v == NULL || v->type == HEED_JSON_NULL)
        return HEED_OK;
    if (v->type != HEED_JSON_ARRAY)
        return heed_json_as_int(c, v, &out->dims[out->rank++]);
    for (const heed_json *item = v->first; item != NULL; item = item->next) {
        if (out->rank == HEED_MAX_RANK)
            return heed_json_fail(c, v, HEED_EFORMAT, "too many axes");
        HEED_TRY(heed_json_as_int(c, item, &out->dims[out->rank++]));
    }
    return HEED_OK;
}

static heed_status create(heed_zone *z, const heed_layer_class *class, const heed_json *object, heed_layer **out)
{
    heed_json *config;
    HEED_TRY(heed_json_need(z->context, object, "config", HEED_JSON_OBJECT, &config));
    const heed_json *name = heed_json_find(config, "name"), *dtype = heed_json_find(config, "dtype");
    const heed_json *keep = heed_json_find(config, "keepdims");
    operation_config o = {.trainable = true, .module = heed_json_find(object, "module")->text};
    o.name = heed_json_is(name, HEED_JSON_STRING) ? name->text : NULL;
    o.dtype = heed_json_is(dtype, HEED_JSON_STRING) ? dtype->text : NULL;
    o.keepdims = heed_json_is(keep, HEED_JSON_BOOL) && keep->boolean;
    HEED_TRY(read_axis(z->context, heed_json_find(config, "axis"), &o.axis));
    heed_value *value = heed_value_of_json(z, config);
    o.saved = value == NULL ? NULL : heed_value_expression(z, value);
    return o.saved == NULL ? HEED_ENOMEM : heed_layer_create(z->context, (heed_spec){class, &o}, out);
}

heed_status heed_operation_create(heed_context *c, const heed_json *object, heed_layer **out)
{
    const char *name;
    *out = NULL;
    HEED_TRY(heed_json_get_string(c, object, "class_name", &name));
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strcmp(classes[i].name, name) != 0)
            continue;
        heed_zone z;
        heed_zone_init(&z, c);
        heed_status status = create(&z, &classes[i], object, out);
        heed_zone_free(&z);
        return status;
    }
    return HEED_OK;
}
