/* Layers that add zeros around steps and pictures, or take some away. */
#include "heed/convolution.h"

#include "layers/spatial.h"

/* Whether the option gives as many numbers as there are sides, asked when the layer is made. */
static heed_status check_sides(heed_layer *layer, const char *option, int axes)
{
    int64_t sides[HEED_MOST_AXES][2];
    return heed_layer_pairs(layer, option, axes, sides);
}

static heed_status zero_padding1d_init(heed_layer *layer) { return check_sides(layer, "padding", 1); }
static heed_status zero_padding2d_init(heed_layer *layer) { return check_sides(layer, "padding", 2); }
static heed_status cropping1d_init(heed_layer *layer) { return check_sides(layer, "cropping", 1); }
static heed_status cropping2d_init(heed_layer *layer) { return check_sides(layer, "cropping", 2); }

/* ---- ZeroPadding ---- */

static heed_status pad(heed_layer *layer, heed_call *call, int axes)
{
    int64_t zeros[HEED_MOST_AXES][2];
    heed_tensor *x = call->inputs[0];
    HEED_TRY(heed_check_axes(layer, &x->shape, axes));
    HEED_TRY(heed_layer_pairs(layer, "padding", axes, zeros));
    for (int i = 0; i < axes; i++)
        x = heed_op_pad(x, 1 + i + (heed_channels_first(layer) ? 1 : 0), zeros[i][0], zeros[i][1], 0.0f);
    call->outputs[0] = x;
    return HEED_OK;
}

static heed_status zero_padding1d_call(heed_layer *layer, heed_call *call) { return pad(layer, call, 1); }
static heed_status zero_padding2d_call(heed_layer *layer, heed_call *call) { return pad(layer, call, 2); }

/* ---- Cropping ---- */

static heed_status crop(heed_layer *layer, heed_call *call, int axes)
{
    int64_t sides[HEED_MOST_AXES][2];
    heed_tensor *x = call->inputs[0];
    HEED_TRY(heed_check_axes(layer, &x->shape, axes));
    HEED_TRY(heed_layer_pairs(layer, "cropping", axes, sides));
    for (int i = 0; i < axes && x != NULL; i++) {
        int axis = 1 + i + (heed_channels_first(layer) ? 1 : 0);
        int64_t size = heed_tensor_dim(x, axis), left = size - sides[i][0] - sides[i][1];
        if (left < 1)
            return heed_layer_fail(layer, HEED_ESHAPE,
                                   "cropping leaves nothing of axis %d (expected a sum below %lld, found %lld "
                                   "and %lld)", axis, (long long)size, (long long)sides[i][0], (long long)sides[i][1]);
        x = heed_op_slice(x, axis, sides[i][0], left);
    }
    call->outputs[0] = x;
    return HEED_OK;
}

static heed_status cropping1d_call(heed_layer *layer, heed_call *call) { return crop(layer, call, 1); }
static heed_status cropping2d_call(heed_layer *layer, heed_call *call) { return crop(layer, call, 2); }

/* ---- classes ---- */

#define BORDER_CLASS(id, class_name, LIST, what, shape, file)                                                          \
    const heed_layer_class heed_##id##_class = {                                                                       \
        .name = class_name,                                                                                            \
        .collection = "keras",                                                                                         \
        HEED_CLASS_OPTIONS(heed_##id##_config, LIST),                                                                  \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .init = id##_init,                                                                                             \
        .call = id##_call,                                                                                             \
        .equation = what,                                                                                              \
        .shapes = shape,                                                                                               \
        .masks = "dropped, as in Keras: what comes out has other steps",                                               \
        .weights = "none",                                                                                             \
        .source = "Keras, layers/reshaping/" file,                                                                     \
        .differs = "nothing",                                                                                          \
    };
BORDER_CLASS(zero_padding1d, "ZeroPadding1D", HEED_ZERO_PADDING_OPTIONS, "zeros before and after the steps",
             "x (B, T, C) -> y (B, before + T + after, C); with channels_first (B, C, T)", "zero_padding1d.py")
BORDER_CLASS(zero_padding2d, "ZeroPadding2D", HEED_ZERO_PADDING_OPTIONS, "zeros around the picture",
             "x (B, H, W, C) -> y (B, top + H + bottom, left + W + right, C); with channels_first (B, C, H, W)",
             "zero_padding2d.py")
BORDER_CLASS(cropping1d, "Cropping1D", HEED_CROPPING1D_OPTIONS, "the steps without the first and the last of them",
             "x (B, T, C) -> y (B, T - before - after, C)", "cropping1d.py")
BORDER_CLASS(cropping2d, "Cropping2D", HEED_CROPPING2D_OPTIONS, "the picture without its border",
             "x (B, H, W, C) -> y (B, H - top - bottom, W - left - right, C); with channels_first (B, C, H, W)",
             "cropping2d.py")
