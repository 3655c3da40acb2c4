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
    if (axis == 0 || inputs->rank == HEED_MAX_RANK)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input does not fit (expected axis 1 or more of at most %d, "
                               "found axis %d of %d)", HEED_MAX_RANK - 1, axis, inputs->rank);
    int64_t size = inputs->dims[axis];
    if (o->groups != -1 && size % o->groups != 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "groups does not divide the axis evenly (found %d groups of %lld)",
                               o->groups, (long long)size);
    heed_shift_build(layer, HEED_SHIFT_OF(o), &(heed_shape){1, {size}}, heed_layer_state(layer));
    return HEED_OK;
}

/* gamma or beta, cut into groups. */
static heed_tensor *cut_weight(heed_variable *v, const heed_tensor *x, int axis, const heed_shape *cut)
{
    heed_shape shape = {x->shape.rank + 1, {0}};
    if (v == NULL)
        return NULL;
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = i == axis || i == axis + 1 ? cut->dims[i] : 1;
    return heed_op_reshape(heed_graph_variable(x->graph, v), &shape);
}

/* The features' axis becomes two: groups, and features within a group. */
static heed_status group_normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_group_normalization_config *o = heed_layer_config(layer);
    const heed_shift *shift = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    int axis, within[HEED_MAX_RANK], count = 0;
    HEED_TRY(heed_normalized_axis(layer, &x->shape, o->axis, &axis));
    heed_shape cut = {x->shape.rank + 1, {0}};
    int64_t groups = o->groups == -1 ? x->shape.dims[axis] : o->groups;
    for (int i = 0; i < cut.rank; i++) {
        cut.dims[i] = i == axis ? groups : i == axis + 1 ? x->shape.dims[axis] / groups : x->shape.dims[i - (i > axis)];
        if (i > 0 && i != axis)
            within[count++] = i;
    }
    heed_tensor *gamma = cut_weight(shift->gamma, x, axis, &cut), *beta = cut_weight(shift->beta, x, axis, &cut);
    heed_tensor *pieces = heed_op_reshape(x, &cut), *mean = heed_op_mean(pieces, within, count, true);
    heed_tensor *variance = heed_variance(pieces, mean, within, count);
    call->outputs[0] = heed_op_reshape(heed_standardize(pieces, mean, variance, o->epsilon, gamma, beta), &x->shape);
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
