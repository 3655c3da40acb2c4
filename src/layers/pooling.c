/* Pools: of windows, and of everything. */
#include "heed/convolution.h"

#include "layers/spatial.h"

/* ---- of windows ---- */

typedef struct pooling {
    int64_t size[HEED_MOST_AXES], strides[HEED_MOST_AXES];
} pooling;

static heed_status set_up(heed_layer *layer, int axes)
{
    pooling *p = heed_layer_alloc(layer, sizeof *p);
    if (p == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_layer_sizes(layer, "pool_size", axes, p->size));
    HEED_TRY(heed_layer_sizes(layer, "strides", axes, p->strides));
    for (int i = 0; i < axes; i++) {
        if (p->size[i] < 1)
            return heed_layer_fail(layer, HEED_EINVAL, "pool_size is missing (expected 1 or more, found None)");
        p->strides[i] = p->strides[i] == 0 ? p->size[i] : p->strides[i];
    }
    return HEED_OK;
}

static heed_status pooling1d_init(heed_layer *layer) { return set_up(layer, 1); }
static heed_status pooling2d_init(heed_layer *layer) { return set_up(layer, 2); }

typedef heed_tensor *pool_function(heed_tensor *x, const heed_sliding_window *windows);

static heed_status pool(heed_layer *layer, heed_call *call, int axes, const char *padding, pool_function *f)
{
    const pooling *p = heed_layer_state(layer);
    heed_sliding_window windows[HEED_MOST_AXES];
    heed_tensor *x;
    HEED_TRY(heed_take_spatial(layer, call, axes, &x));
    for (int i = 0; i < axes; i++) {
        int64_t elements = heed_tensor_dim(x, 1 + i);
        windows[i] = heed_window_over(elements, p->size[i], p->strides[i], 1, padding);
        if (p->size[i] > elements + windows[i].before + windows[i].after)
            return heed_layer_fail(layer, HEED_ESHAPE,
                                   "pool_size reaches over the input on axis %d, which padding 'valid' does not allow "
                                   "(expected at most %lld, found %lld)", 1 + i, (long long)elements,
                                   (long long)p->size[i]);
    }
    call->outputs[0] = heed_channels_back(f(x, windows), heed_channels_first(layer));
    return HEED_OK;
}

#define POOLING_CALL(name, axes, config, function)                                                                     \
    static heed_status name(heed_layer *layer, heed_call *call)                                                        \
    {                                                                                                                  \
        return pool(layer, call, axes, ((const config *)heed_layer_config(layer))->padding, function);                 \
    }
POOLING_CALL(max_pooling1d_call, 1, heed_pooling1d_config, heed_op_max_pool)
POOLING_CALL(max_pooling2d_call, 2, heed_pooling2d_config, heed_op_max_pool)
POOLING_CALL(average_pooling1d_call, 1, heed_pooling1d_config, heed_op_average_pool)
POOLING_CALL(average_pooling2d_call, 2, heed_pooling2d_config, heed_op_average_pool)

/* ---- of everything ---- */

/* The axes between batch and channels. */
static heed_status find_axes(heed_layer *layer, const heed_call *call, int count, int *axes)
{
    HEED_TRY(heed_check_axes(layer, &call->inputs[0]->shape, count));
    for (int i = 0; i < count; i++)
        axes[i] = 1 + i + (heed_channels_first(layer) ? 1 : 0);
    return HEED_OK;
}

static bool keeps(const heed_layer *layer)
{
    return ((const heed_global_pooling_config *)heed_layer_config(layer))->keepdims;
}

static heed_status global_max(heed_layer *layer, heed_call *call, int count)
{
    int axes[HEED_MOST_AXES];
    HEED_TRY(find_axes(layer, call, count, axes));
    call->outputs[0] = heed_op_max(call->inputs[0], axes, count, keeps(layer));
    return HEED_OK;
}

static heed_status global_average(heed_layer *layer, heed_call *call, int count)
{
    int axes[HEED_MOST_AXES];
    HEED_TRY(find_axes(layer, call, count, axes));
    call->outputs[0] = heed_op_mean(call->inputs[0], axes, count, keeps(layer));
    return HEED_OK;
}

static heed_status global_max_pooling1d_call(heed_layer *layer, heed_call *call) { return global_max(layer, call, 1); }
static heed_status global_max_pooling2d_call(heed_layer *layer, heed_call *call) { return global_max(layer, call, 2); }

static heed_status global_average_pooling2d_call(heed_layer *layer, heed_call *call)
{
    return global_average(layer, call, 2);
}

/* The mean of the steps that are kept; 0 where none is. Before 2.2 Keras took all. */
static heed_status global_average_pooling1d_call(heed_layer *layer, heed_call *call)
{
    int axis;
    heed_tensor *x = call->inputs[0];
    if (call->masks[0] == NULL || heed_keras_before(layer, 202))
        return global_average(layer, call, 1);
    HEED_TRY(find_axes(layer, call, 1, &axis));
    heed_tensor *keep = heed_op_expand(heed_mask_bool(call->masks[0], heed_tensor_dim(x, axis)), axis == 1 ? 2 : 1);
    heed_tensor *none = heed_graph_scalar(call->graph, 0.0f), *one = heed_graph_scalar(call->graph, 1.0f);
    heed_tensor *sum = heed_op_sum(heed_op_select(keep, x, none), &axis, 1, keeps(layer));
    heed_tensor *count = heed_op_sum(heed_op_cast(keep, HEED_FLOAT32), &axis, 1, keeps(layer));
    call->outputs[0] = heed_op_divide(sum, heed_op_maximum(count, one));
    return HEED_OK;
}

/* ---- classes ---- */

static const char masks_end[] = "dropped, as in Keras";

#define SEQUENCES "x (B, T, C) -> y (B, T', C); with channels_first (B, C, T) -> (B, C, T')"
#define PICTURES  "x (B, H, W, C) -> y (B, H', W', C); with channels_first (B, C, H, W) -> (B, C, H', W')"

#define POOLING_CLASS(id, class_name, axes, what, shape, file)                                                         \
    const heed_layer_class heed_##id##_class = {                                                                       \
        .name = class_name,                                                                                            \
        .collection = "keras",                                                                                         \
        HEED_CLASS_OPTIONS(heed_##id##_config, HEED_POOLING##axes##D_OPTIONS),                                         \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .init = pooling##axes##d_init,                                                                                 \
        .call = id##_call,                                                                                             \
        .equation = what,                                                                                              \
        .shapes = shape,                                                                                               \
        .masks = masks_end,                                                                                            \
        .weights = "none",                                                                                             \
        .source = "Keras, layers/pooling/" file,                                                                       \
        .differs = "nothing",                                                                                          \
    };
POOLING_CLASS(max_pooling1d, "MaxPooling1D", 1, "y_t = max_j x_(t s + j), s strides, j below pool_size", SEQUENCES,
              "max_pooling1d.py")
POOLING_CLASS(max_pooling2d, "MaxPooling2D", 2,
              "y_tu = max_jk x_(t s + j, u s + k), s strides, j and k below pool_size",
              PICTURES, "max_pooling2d.py")
POOLING_CLASS(average_pooling1d, "AveragePooling1D", 1,
              "y_t = mean_j x_(t s + j), s strides, j below pool_size; what 'same' adds does not count", SEQUENCES,
              "average_pooling1d.py")
POOLING_CLASS(average_pooling2d, "AveragePooling2D", 2,
              "y_tu = mean_jk x_(t s + j, u s + k), s strides, j, k below pool_size; what 'same' adds does not count",
              PICTURES, "average_pooling2d.py")

#define WHOLE_SEQUENCES "x (B, T, C) -> y (B, C), or (B, 1, C) with keepdims; with channels_first x (B, C, T)"
#define WHOLE_PICTURES  "x (B, H, W, C) -> y (B, C), or (B, 1, 1, C) with keepdims; with channels_first x (B, C, H, W)"

#define GLOBAL_POOLING_CLASS(id, class_name, what, shape, mask, file, difference)                                      \
    const heed_layer_class heed_##id##_class = {                                                                       \
        .name = class_name,                                                                                            \
        .collection = "keras",                                                                                         \
        HEED_CLASS_OPTIONS(heed_##id##_config, HEED_GLOBAL_POOLING_OPTIONS),                                           \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .call = id##_call,                                                                                             \
        .equation = what,                                                                                              \
        .shapes = shape,                                                                                               \
        .masks = mask,                                                                                                 \
        .weights = "none",                                                                                             \
        .source = "Keras, layers/pooling/" file,                                                                       \
        .differs = difference,                                                                                         \
    };
GLOBAL_POOLING_CLASS(global_max_pooling1d, "GlobalMaxPooling1D", "y = max_t x_t", WHOLE_SEQUENCES,
                     "dropped, as in Keras", "global_max_pooling1d.py", "nothing")
GLOBAL_POOLING_CLASS(global_max_pooling2d, "GlobalMaxPooling2D", "y = max_tu x_tu", WHOLE_PICTURES,
                     "dropped, as in Keras", "global_max_pooling2d.py", "nothing")
GLOBAL_POOLING_CLASS(global_average_pooling1d, "GlobalAveragePooling1D", "y = mean_t x_t, of the steps that are kept",
                     WHOLE_SEQUENCES,
                     "that of the input counts; it does not go on; a row that is masked whole gives zeros",
                     "global_average_pooling1d.py", "a row that is masked whole, for which Keras divides 0 by 0")
GLOBAL_POOLING_CLASS(global_average_pooling2d, "GlobalAveragePooling2D", "y = mean_tu x_tu", WHOLE_PICTURES,
                     "dropped, as in Keras", "global_average_pooling2d.py", "nothing")
