#include "heed/layers.h"
#include "layers/layer.h"

typedef struct layer_normalization {
    heed_variable *gamma, *beta;
} layer_normalization;

static heed_status normalization_init(heed_layer *layer)
{
    const heed_layer_normalization_config *o = heed_layer_config(layer);
    if (o->axis.rank < 1)
        return heed_layer_fail(layer, HEED_EINVAL, "axis names none");
    return heed_layer_alloc(layer, sizeof(layer_normalization)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status normalization_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_layer_normalization_config *o = heed_layer_config(layer);
    layer_normalization *n = heed_layer_state(layer);
    heed_shape shape = {o->axis.rank, {0}};
    for (int i = 0; i < shape.rank; i++) {
        int axis = heed_axis(inputs->rank, (int)o->axis.dims[i]);
        if (axis < 0)
            return heed_layer_fail(layer, HEED_ESHAPE, "the input has no such axis (expected one of %d, found %lld)",
                                   inputs->rank, (long long)o->axis.dims[i]);
        shape.dims[i] = inputs->dims[axis];
    }
    if (o->scale || o->rms_scaling)
        n->gamma = heed_layer_weight(layer, "gamma", &shape, o->gamma_initializer, o->gamma_regularizer,
                                     o->gamma_constraint, true);
    if (o->center && !o->rms_scaling)
        n->beta = heed_layer_weight(layer, "beta", &shape, o->beta_initializer, o->beta_regularizer,
                                    o->beta_constraint, true);
    return HEED_OK;
}

/* A weight as it broadcasts against x; NULL for none. */
static heed_tensor *weight_like(heed_variable *v, const heed_tensor *x, const int *axes, int count)
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

static heed_status normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_layer_normalization_config *o = heed_layer_config(layer);
    const layer_normalization *n = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    int axes[HEED_MAX_RANK], count = o->axis.rank;
    for (int i = 0; i < count; i++)
        axes[i] = heed_axis(x->shape.rank, (int)o->axis.dims[i]);
    if (count == 1 && axes[0] == x->shape.rank - 1 && !o->rms_scaling) {
        heed_tensor *gamma = n->gamma == NULL ? NULL : heed_graph_variable(call->graph, n->gamma);
        heed_tensor *beta = n->beta == NULL ? NULL : heed_graph_variable(call->graph, n->beta);
        call->outputs[0] = heed_op_layer_norm(x, gamma, beta, (float)o->epsilon);
        return HEED_OK;
    }
    heed_tensor *centred = heed_op_subtract(x, heed_op_mean(x, axes, count, true));
    heed_tensor *variance = heed_op_mean(heed_op_square(centred), axes, count, true);
    heed_tensor *root = heed_op_rsqrt(heed_op_scale(variance, 1.0f, (float)o->epsilon));
    heed_tensor *y = heed_op_multiply(o->rms_scaling ? x : centred, root);
    if (n->gamma != NULL)
        y = heed_op_multiply(y, weight_like(n->gamma, x, axes, count));
    if (n->beta != NULL)
        y = heed_op_add(y, weight_like(n->beta, x, axes, count));
    call->outputs[0] = y;
    return HEED_OK;
}

const heed_layer_class heed_layer_normalization_class = {
    .name = "LayerNormalization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_layer_normalization_config, HEED_LAYER_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = normalization_init,
    .build = normalization_build,
    .call = normalization_call,
    .equation = "y = (x - mean(x)) / sqrt(var(x) + epsilon) gamma + beta",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "that of the input goes on; it does not count",
    .weights = "gamma (sizes of the axes): with scale\n"
               "beta (sizes of the axes): with center, without rms_scaling",
    .source = "Ba et al. 2016, section 3; Keras, layers/normalization/layer_normalization.py",
    .differs = "nothing",
};
