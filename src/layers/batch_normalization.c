#include "layers/mask.h"
#include "layers/normalize.h"

typedef struct batch_normalization {
    heed_shift     shift;
    heed_variable *mean, *variance;
} batch_normalization;

static heed_status batch_normalization_init(heed_layer *layer)
{
    const heed_batch_normalization_config *o = heed_layer_config(layer);
    if (o->renorm)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "renorm is not supported (expected false, found true)");
    return heed_layer_alloc(layer, sizeof(batch_normalization)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status batch_normalization_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_batch_normalization_config *o = heed_layer_config(layer);
    batch_normalization *n = heed_layer_state(layer);
    int axis;
    HEED_TRY(heed_normalized_axis(layer, inputs, o->axis, &axis));
    heed_shape size = {1, {inputs->dims[axis]}};
    heed_shift_build(layer, HEED_SHIFT_OF(o), &size, &n->shift);
    n->mean = heed_layer_weight(layer, "moving_mean", &size, o->moving_mean_initializer, NULL, NULL, false);
    n->variance =
        heed_layer_weight(layer, "moving_variance", &size, o->moving_variance_initializer, NULL, NULL, false);
    return HEED_OK;
}

/* Mean and variance of each feature over what the mask leaves; `axes` are all but the features'. */
static void take_moments(heed_tensor *x, heed_tensor *mask, const int *axes, int count, heed_tensor **mean,
                         heed_tensor **variance)
{
    static const float epsilon = 1e-7f; /* Keras', so that nothing is left gives 0 */
    mask = heed_mask_like(mask, x);
    if (mask == NULL) {
        *mean = heed_op_mean(x, axes, count, true);
        *variance = heed_variance(x, *mean, axes, count);
        return;
    }
    heed_tensor *none = heed_graph_scalar(x->graph, 0.0f);
    heed_tensor *each = heed_op_broadcast(heed_op_cast(mask, HEED_FLOAT32), &x->shape);
    heed_tensor *share = heed_op_reciprocal(heed_op_scale(heed_op_sum(each, axes, count, true), 1.0f, epsilon));
    *mean = heed_op_multiply(heed_op_sum(heed_op_select(mask, x, none), axes, count, true), share);
    heed_tensor *apart = heed_op_select(mask, heed_op_subtract(x, *mean), none);
    *variance = heed_op_multiply(heed_op_sum(heed_op_square(apart), axes, count, true), share);
}

/* Whether TensorFlow's fused kernels do it, in tf.keras and, where these can on a processor, in Keras alone. */
static bool is_fused(int keras, int rank, int axis)
{
    if (rank == 5)
        return heed_keras_within(keras, 206, 300) && (axis == 1 || axis == 4);
    return rank == 4 && (axis == 3 ? heed_keras_within(keras, 201, 300) : axis == 1 && heed_keras_within(keras, 204, 300));
}

/* Masks count in Keras from 2.12 on, but not in fused kernels. */
static bool is_blind(int keras, int rank, int axis)
{
    return heed_keras_within(keras, 1, 212) || is_fused(keras, rank, axis);
}

/* How much of a batch's variance is kept, over n numbers a feature, by versions of Keras that estimate the unbiased one:
 * alone, and in what TensorFlow's fused kernels tell, which do pictures, later volumes too. */
static double share_kept(int keras, const heed_shape *x, int axis, double n, double epsilon)
{
    bool fused = is_fused(keras, x->rank, axis), alone = heed_keras_within(keras, 201, 204);
    return n <= 1.0 ? 1.0 : (fused ? n / (n - 1.0) : 1.0) * (alone ? n / (n - 1.0 - epsilon) : 1.0);
}

/* Has a moving average go its share of the way to `times` this batch's value. */
static void move(heed_call *call, heed_variable *average, heed_tensor *value, double times, double momentum)
{
    if (average == NULL)
        return;
    heed_tensor *stays = heed_op_scale(heed_call_value(call, average), (float)momentum, 0.0f);
    heed_tensor *fresh = heed_op_scale(heed_op_reshape(value, &average->shape), (float)((1.0 - momentum) * times), 0.0f);
    heed_call_update(call, average, heed_op_add(stays, heed_op_stop_gradient(fresh)));
}

/* Keras alone took a frozen layer's statistics of the batch, too, from 2.1.3 on without keeping them. TensorFlow 1's says
 * that it is of the same version as TensorFlow 2.0's, which is taken for it. */
static bool takes_of_batch(const heed_layer *layer, const heed_call *call)
{
    return call->training && (heed_layer_trainable(layer) || heed_keras_within(call->graph->keras, 1, 204));
}

static bool keeps_of_batch(const heed_layer *layer, const heed_call *call)
{
    return heed_layer_trainable(layer) || heed_keras_within(call->graph->keras, 1, 201);
}

static heed_status batch_normalization_call(heed_layer *layer, heed_call *call)
{
    const heed_batch_normalization_config *o = heed_layer_config(layer);
    const batch_normalization *n = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0], *mean, *variance;
    int axis, others[HEED_MAX_RANK], count = 0, keras = call->graph->keras;
    HEED_TRY(heed_normalized_axis(layer, &x->shape, o->axis, &axis));
    for (int i = 0; i < x->shape.rank; i++)
        if (i != axis)
            others[count++] = i;
    if (takes_of_batch(layer, call)) {
        take_moments(x, is_blind(keras, x->shape.rank, axis) ? NULL : call->masks[0], others, count, &mean, &variance);
        if (keeps_of_batch(layer, call)) {
            double numbers = (double)x->count / (double)x->shape.dims[axis];
            double kept = share_kept(keras, &x->shape, axis, numbers, o->epsilon);
            move(call, n->mean, mean, 1.0, o->momentum);
            move(call, n->variance, variance, kept, o->momentum);
        }
    } else {
        mean = heed_weight_like(n->mean, x, &axis, 1);
        variance = heed_weight_like(n->variance, x, &axis, 1);
    }
    heed_tensor *gamma = heed_weight_like(n->shift.gamma, x, &axis, 1);
    heed_tensor *beta = heed_weight_like(n->shift.beta, x, &axis, 1);
    call->outputs[0] = heed_standardize(x, mean, variance, o->epsilon, gamma, beta);
    return HEED_OK;
}

const heed_layer_class heed_batch_normalization_class = {
    .name = "BatchNormalization",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_batch_normalization_config, HEED_BATCH_NORMALIZATION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = batch_normalization_init,
    .build = batch_normalization_build,
    .call = batch_normalization_call,
    .equation = "y = (x - mean) / sqrt(variance + epsilon) gamma + beta, for each feature\n"
                "in training mean and variance are the batch's, and moving averages of them are kept:\n"
                "moving = momentum moving + (1 - momentum) batch; otherwise they are the moving averages",
    .shapes = "x (B, ...) -> y (B, ...)",
    .masks = "masked steps are left out of mean and variance; the mask goes on",
    .weights = "gamma (size of the axis): with scale\n"
               "beta (size of the axis): with center\n"
               "moving_mean (size of the axis): not trained\n"
               "moving_variance (size of the axis): not trained",
    .source = "Ioffe and Szegedy 2015, algorithms 1 and 2; Keras, layers/normalization/batch_normalization.py",
    .differs = "inside of TimeDistributed all steps are normalized together, where Keras 3 takes each on its own;\n"
               "Keras 2 moves the variance of inputs of rank 4 by n/(n - 1) times the batch's",
};
