/* Normalization: features by a mean and a variance that are known beforehand. */
#include "layers/normalize.h"

#include "base/value.h"

typedef struct feature_normalization {
    heed_variable *mean, *variance; /* (sizes of the axes); NULL where the options give them */
    heed_array    *given[2];        /* mean, variance, as they broadcast; NULL where they are weights */
} feature_normalization;

static void feature_normalization_free(heed_layer *layer)
{
    feature_normalization *n = heed_layer_state(layer);
    for (int i = 0; n != NULL && i < 2; i++)
        heed_array_free(layer->context, n->given[i]);
}

static heed_status feature_normalization_init(heed_layer *layer)
{
    const heed_normalization_config *o = heed_layer_config(layer);
    if ((o->mean == NULL) != (o->variance == NULL))
        return heed_layer_fail(layer, HEED_EINVAL, "mean and variance are given together or not at all");
    return heed_layer_alloc(layer, sizeof(feature_normalization)) == NULL ? HEED_ENOMEM : HEED_OK;
}

/* The axes that have numbers of their own, which may be none. */
static heed_status own_axes(heed_layer *layer, const heed_shape *input, int *axes, heed_shape *sizes)
{
    const heed_normalization_config *o = heed_layer_config(layer);
    *sizes = (heed_shape){0};
    return o->axis.rank == 0 ? HEED_OK : heed_normalized_axes(layer, input, &o->axis, axes, sizes);
}

static heed_status take_number(heed_layer *layer, const heed_value *v, const char *option, float *out)
{
    double number;
    HEED_TRY(heed_value_as_real(layer->context, v, option, &number));
    *out = (float)number;
    return HEED_OK;
}

/* "[0.5, 0.25]" or "0.5": as many numbers as `sizes` has, or one for all. */
static heed_status read_numbers(heed_layer *layer, heed_zone *z, const char *option, const char *text,
                                const heed_shape *sizes, heed_array **out)
{
    heed_value *value;
    HEED_TRY(heed_value_parse(z, option, text, &value));
    while (heed_value_is(value, HEED_VALUE_LIST) && heed_value_is(value->first, HEED_VALUE_LIST) && value->count == 1)
        value = value->first;
    bool list = heed_value_is(value, HEED_VALUE_LIST) && value->count != 1;
    if (list && (int64_t)value->count != heed_shape_count(sizes))
        return heed_layer_fail(layer, HEED_ESHAPE, "%s has another size than the axes (expected %lld numbers, found %zu)",
                               option, (long long)heed_shape_count(sizes), value->count);
    HEED_TRY(heed_array_create(layer->context, HEED_FLOAT32, list ? sizes : &(heed_shape){0}, out));
    float *numbers = (*out)->data;
    if (!heed_value_is(value, HEED_VALUE_LIST))
        return take_number(layer, value, option, numbers);
    for (const heed_value *item = value->first; item != NULL; item = item->next)
        HEED_TRY(take_number(layer, item, option, numbers++));
    return HEED_OK;
}

static heed_status feature_normalization_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_normalization_config *o = heed_layer_config(layer);
    feature_normalization *n = heed_layer_state(layer);
    int axes[HEED_MAX_RANK];
    heed_shape sizes;
    HEED_TRY(own_axes(layer, inputs, axes, &sizes));
    for (int i = 0; i < sizes.rank; i++)
        if (sizes.dims[i] == HEED_ANY)
            return heed_layer_fail(layer, HEED_ESHAPE, "the input's size along axis %d is not known", axes[i]);
    if (o->mean == NULL) {
        n->mean = heed_layer_weight(layer, "mean", &sizes, "zeros", NULL, NULL, false);
        n->variance = heed_layer_weight(layer, "variance", &sizes, "ones", NULL, NULL, false);
        heed_layer_weight(layer, "count", &(heed_shape){0}, "zeros", NULL, NULL, false); /* of what Keras saw */
        return HEED_OK;
    }
    heed_zone z;
    heed_zone_init(&z, layer->context);
    heed_status status = read_numbers(layer, &z, "mean", o->mean, &sizes, &n->given[0]);
    if (status == HEED_OK)
        status = read_numbers(layer, &z, "variance", o->variance, &sizes, &n->given[1]);
    heed_zone_free(&z);
    return status;
}

/* Numbers over `axes` as they broadcast against x. */
static heed_tensor *numbers_like(const heed_array *given, heed_variable *v, heed_tensor *x, const int *axes, int count)
{
    if (v != NULL)
        return heed_weight_like(v, x, axes, count);
    heed_tensor *t = heed_graph_constant(x->graph, given);
    heed_shape shape = {x->shape.rank, {0}};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = 1;
    for (int i = 0; i < given->shape.rank; i++)
        shape.dims[axes[i]] = given->shape.dims[i];
    return heed_op_reshape(t, &shape);
}

static heed_status feature_normalization_call(heed_layer *layer, heed_call *call)
{
    const float least = 1e-7f;
    const heed_normalization_config *o = heed_layer_config(layer);
    const feature_normalization *n = heed_layer_state(layer);
    heed_tensor *x = heed_op_cast(call->inputs[0], HEED_FLOAT32);
    int axes[HEED_MAX_RANK];
    heed_shape sizes;
    HEED_TRY(own_axes(layer, &x->shape, axes, &sizes));
    heed_tensor *mean = numbers_like(n->given[0], n->mean, x, axes, sizes.rank);
    heed_tensor *variance = numbers_like(n->given[1], n->variance, x, axes, sizes.rank);
    heed_tensor *deviation = heed_op_maximum(heed_op_sqrt(variance), heed_graph_scalar(call->graph, least));
    call->outputs[0] = o->invert ? heed_op_add(mean, heed_op_multiply(x, deviation))
                                 : heed_op_divide(heed_op_subtract(x, mean), deviation);
    return HEED_OK;
}

const heed_layer_class heed_normalization_class = {
    .name = "Normalization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_normalization_config, HEED_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = feature_normalization_init,
    .build = feature_normalization_build,
    .call = feature_normalization_call,
    .free = feature_normalization_free,
    .equation = "y = (x - mean) / max(sqrt(variance), 1e-7)\n"
                "invert: y = mean + x max(sqrt(variance), 1e-7)",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "mean (sizes of the axes), not trained: unless it is given\n"
               "variance (sizes of the axes), not trained: likewise\n"
               "count (), not trained: of the elements that Keras adapted to; likewise",
    .source = "Keras, layers/preprocessing/normalization.py",
    .differs = "there is no adapt: mean and variance are read from a file, given, or set (heed_set_weights)",
};
