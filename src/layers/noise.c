/* Layers that disturb in training, and Rescaling. */
#include "heed/convolution.h"

#include "layers/spatial.h"

#include <math.h>

/* ---- SpatialDropout ---- */

static heed_status spatial_dropout(heed_layer *layer, heed_call *call, int axes, double rate)
{
    heed_tensor *x = call->inputs[0];
    HEED_TRY(heed_check_axes(layer, &x->shape, axes));
    heed_shape shape = x->shape;
    for (int i = 0; i < axes; i++)
        shape.dims[1 + i + (heed_channels_first(layer) ? 1 : 0)] = 1;
    call->outputs[0] = call->training ? heed_shared_dropout(x, rate, &shape) : x;
    return HEED_OK;
}

static heed_status spatial_dropout1d_call(heed_layer *layer, heed_call *call)
{
    return spatial_dropout(layer, call, 1, ((const heed_spatial_dropout1d_config *)heed_layer_config(layer))->rate);
}

static heed_status spatial_dropout2d_call(heed_layer *layer, heed_call *call)
{
    return spatial_dropout(layer, call, 2, ((const heed_spatial_dropout2d_config *)heed_layer_config(layer))->rate);
}

/* ---- Gaussian ---- */

static heed_tensor *normal_like(heed_tensor *x, double mean, double deviation)
{
    return heed_op_scale(heed_op_random_normal(x->graph, &x->shape), (float)deviation, (float)mean);
}

static heed_status gaussian_noise_call(heed_layer *layer, heed_call *call)
{
    const heed_gaussian_noise_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0];
    bool acts = call->training && o->stddev > 0.0;
    call->outputs[0] = acts ? heed_op_add(x, normal_like(x, 0.0, o->stddev)) : x;
    return HEED_OK;
}

static heed_status gaussian_dropout_call(heed_layer *layer, heed_call *call)
{
    const heed_gaussian_dropout_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0];
    bool acts = call->training && o->rate > 0.0;
    call->outputs[0] = acts ? heed_op_multiply(x, normal_like(x, 1.0, sqrt(o->rate / (1.0 - o->rate)))) : x;
    return HEED_OK;
}

/* ---- Rescaling ---- */

static heed_status rescaling_call(heed_layer *layer, heed_call *call)
{
    const heed_rescaling_config *o = heed_layer_config(layer);
    heed_tensor *x = heed_op_cast(call->inputs[0], HEED_FLOAT32);
    call->outputs[0] = heed_op_scale(x, (float)o->scale, (float)o->offset);
    return HEED_OK;
}

/* ---- classes ---- */

#define NOISE_CLASS(id, class_name, LIST, what, shape, file)                                                           \
    const heed_layer_class heed_##id##_class = {                                                                       \
        .name = class_name,                                                                                            \
        .collection = "keras",                                                                                         \
        HEED_CLASS_OPTIONS(heed_##id##_config, LIST),                                                                  \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .passes_mask = true,                                                                                           \
        .call = id##_call,                                                                                             \
        .equation = what,                                                                                              \
        .shapes = shape,                                                                                               \
        .masks = "that of the input goes on; it does not count",                                                       \
        .weights = "none",                                                                                             \
        .source = file,                                                                                                \
        .differs = "nothing",                                                                                          \
    };
NOISE_CLASS(spatial_dropout1d, "SpatialDropout1D", HEED_SPATIAL_DROPOUT1D_OPTIONS,
            "y = x m / (1 - rate) in training, m 0 with probability rate, else 1, one a channel; y = x otherwise",
            "x (B, T, C) -> y (B, T, C)",
            "Tompson et al. 2014, section 3.2; Keras, layers/regularization/spatial_dropout.py")
NOISE_CLASS(spatial_dropout2d, "SpatialDropout2D", HEED_SPATIAL_DROPOUT2D_OPTIONS,
            "y = x m / (1 - rate) in training, m 0 with probability rate, else 1, one a channel; y = x otherwise",
            "x (B, H, W, C), or with channels_first (B, C, H, W) -> y of the same shape",
            "Tompson et al. 2014, section 3.2; Keras, layers/regularization/spatial_dropout.py")
NOISE_CLASS(gaussian_noise, "GaussianNoise", HEED_GAUSSIAN_NOISE_OPTIONS,
            "y = x + stddev n in training, n normal; y = x otherwise", "x (B, ...) -> y (B, ...)",
            "Keras, layers/regularization/gaussian_noise.py")
NOISE_CLASS(gaussian_dropout, "GaussianDropout", HEED_GAUSSIAN_DROPOUT_OPTIONS,
            "y = x (1 + sqrt(rate / (1 - rate)) n) in training, n normal; y = x otherwise", "x (B, ...) -> y (B, ...)",
            "Srivastava et al. 2014, section 10; Keras, layers/regularization/gaussian_dropout.py")
NOISE_CLASS(rescaling, "Rescaling", HEED_RESCALING_OPTIONS, "y = scale x + offset", "x (B, ...) -> y (B, ...)",
            "Keras, layers/preprocessing/rescaling.py")
