#include "layers/normalize.h"

heed_status heed_normalized_axis(heed_layer *layer, const heed_shape *input, int named, int *axis)
{
    char text[128];
    *axis = heed_axis(input->rank, named);
    if (*axis < 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input has no such axis (expected one of %d, found %d)",
                               input->rank, named);
    if (input->dims[*axis] == HEED_ANY)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input's size along axis %d is not known (found %s)", named,
                               heed_shape_text(input, text, sizeof text));
    return HEED_OK;
}

heed_status heed_normalized_axes(heed_layer *layer, const heed_shape *input, const heed_shape *named, int *axes,
                                 heed_shape *sizes)
{
    if (named->rank < 1)
        return heed_layer_fail(layer, HEED_EINVAL, "axis names none");
    *sizes = (heed_shape){named->rank, {0}};
    for (int i = 0; i < named->rank; i++) {
        axes[i] = heed_axis(input->rank, (int)named->dims[i]);
        if (axes[i] < 0)
            return heed_layer_fail(layer, HEED_ESHAPE, "the input has no such axis (expected one of %d, found %lld)",
                                   input->rank, (long long)named->dims[i]);
        sizes->dims[i] = input->dims[axes[i]];
    }
    return HEED_OK;
}

void heed_shift_build(heed_layer *layer, const heed_shift_config *o, const heed_shape *sizes, heed_shift *shift)
{
    if (o->scale)
        shift->gamma = heed_layer_weight(layer, "gamma", sizes, o->gamma_initializer, o->gamma_regularizer,
                                         o->gamma_constraint, true);
    if (o->center)
        shift->beta = heed_layer_weight(layer, "beta", sizes, o->beta_initializer, o->beta_regularizer,
                                        o->beta_constraint, true);
}

heed_tensor *heed_weight_like(heed_variable *v, const heed_tensor *x, const int *axes, int count)
{
    heed_shape shape = {x->shape.rank, {0}};
    if (v == NULL)
        return NULL;
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = 1;
    for (int i = 0; i < count; i++)
        shape.dims[axes[i]] = x->shape.dims[axes[i]];
    return heed_op_reshape(heed_graph_variable(x->graph, v), &shape);
}

heed_tensor *heed_standardize(heed_tensor *x, heed_tensor *mean, heed_tensor *variance, double epsilon,
                              heed_tensor *gamma, heed_tensor *beta)
{
    heed_tensor *factor = heed_op_rsqrt(heed_op_scale(variance, 1.0f, (float)epsilon));
    if (gamma != NULL)
        factor = heed_op_multiply(factor, gamma);
    heed_tensor *y = heed_op_multiply(heed_op_subtract(x, mean), factor);
    return beta == NULL ? y : heed_op_add(y, beta);
}

heed_tensor *heed_variance(heed_tensor *x, heed_tensor *mean, const int *axes, int count)
{
    return heed_op_mean(heed_op_square(heed_op_subtract(x, mean)), axes, count, true);
}
