#include "layers/normalize.h"

static heed_status group_normalization_init(heed_layer *layer)
{
    const heed_group_normalization_config *o = heed_layer_config(layer);
    if (o->groups == 0)
        return heed_layer_fail(layer, HEED_EINVAL, "groups is out of range (expected 1 or more, or -1, found 0)");
    return heed_layer_alloc(layer, sizeof(heed_shift)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status group_normalization_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_group_normalization_config *o = heed_layer_config(layer);
    int axis;
    HEED_TRY(heed_normalized_axis(layer, inputs, o->axis, &axis));
    if (axis == 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "axis 0 is the batch");
    int64_t size = inputs->dims[axis];
    if (o->groups != -1 && size % o->groups != 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "groups does not divide the axis evenly (found %d groups of %lld)",
                               o->groups, (long long)size);
    heed_shift_build(layer, HEED_SHIFT_OF(o), &(heed_shape){1, {size}}, heed_layer_state(layer));
    return HEED_OK;
}

/* For each feature, the mean over its group's features and all other axes but the batch: (B, 1, ..., F, ..., 1). First over
 * the other axes, whose sums run along whole rows; what is left is small. */
static heed_tensor *group_mean(heed_tensor *x, int axis, int64_t groups)
{
    int others[HEED_MAX_RANK], count = 0;
    for (int i = 1; x != NULL && i < x->shape.rank; i++)
        if (i != axis)
            others[count++] = i;
    heed_tensor *mean = count == 0 ? x : heed_op_mean(x, others, count, true);
    if (mean == NULL)
        return NULL;
    heed_shape features = mean->shape, cut = {3, {features.dims[0], groups, features.dims[axis] / groups}};
    const int within = 2;
    mean = heed_op_mean(heed_op_reshape(mean, &cut), &within, 1, true);
    return heed_op_reshape(heed_op_broadcast(mean, &cut), &features);
}

static heed_status group_normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_group_normalization_config *o = heed_layer_config(layer);
    const heed_shift *shift = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    int axis;
    HEED_TRY(heed_normalized_axis(layer, &x->shape, o->axis, &axis));
    int64_t groups = o->groups == -1 ? x->shape.dims[axis] : o->groups;
    heed_tensor *mean = group_mean(x, axis, groups);
    heed_tensor *variance = group_mean(heed_op_square(heed_op_subtract(x, mean)), axis, groups);
    call->outputs[0] = heed_standardize(x, mean, variance, o->epsilon, heed_weight_like(shift->gamma, x, &axis, 1),
                                        heed_weight_like(shift->beta, x, &axis, 1));
    return HEED_OK;
}

const heed_layer_class heed_group_normalization_class = {
    .name = "GroupNormalization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_group_normalization_config, HEED_GROUP_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = group_normalization_init,
    .build = group_normalization_build,
    .call = group_normalization_call,
    .equation = "y = (x - mean) / sqrt(variance + epsilon) gamma + beta\n"
                "mean and variance over all but the batch, within each group of features",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "gamma (size of the axis): with scale\n"
               "beta (size of the axis): with center",
    .source = "Wu and He 2018, section 3; Keras, layers/normalization/group_normalization.py",
    .differs = "nothing",
};
