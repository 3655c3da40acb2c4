#include "layers/layer.h"
#include "layers/object.h"

#include <math.h>

typedef struct activation_class {
    heed_object_class class;
    heed_tensor *(*apply)(heed_tensor *x, const void *config);
} activation_class;

/* ---- functions of single numbers ---- */

/* A function of the elementwise table without options; `a` is its parameter there. */
#define PLAIN(function, kernel, a)                                                                                     \
    static heed_tensor *apply_##function(heed_tensor *x, const void *config)                                           \
    {                                                                                                                  \
        return heed_op_function(x, kernel, a, 0.0f);                                                                   \
    }                                                                                                                  \
    static const activation_class function##_activation = {{.name = #function}, apply_##function};

PLAIN(relu6, "relu6", 0.0f)
PLAIN(selu, "selu", 0.0f)
PLAIN(silu, "silu", 0.0f)
PLAIN(hard_sigmoid, "hard_sigmoid", 1.0f / 6.0f)
PLAIN(hard_sigmoid_keras2, "hard_sigmoid", 0.2f) /* what files of Keras 2 call hard_sigmoid */
PLAIN(hard_silu, "hard_silu", 1.0f / 6.0f)
PLAIN(mish, "mish", 0.0f)
PLAIN(softplus, "softplus", 0.0f)
PLAIN(softsign, "softsign", 0.0f)
PLAIN(sigmoid, "sigmoid", 0.0f)
PLAIN(log_sigmoid, "log_sigmoid", 0.0f)
PLAIN(tanh, "tanh", 0.0f)
PLAIN(hard_tanh, "hard_tanh", 0.0f)
PLAIN(tanh_shrink, "tanh_shrink", 0.0f)
PLAIN(exponential, "exp", 0.0f)
PLAIN(sparse_plus, "sparse_plus", 0.0f)
PLAIN(sparse_sigmoid, "sparse_sigmoid", 0.0f)

static heed_tensor *apply_linear(heed_tensor *x, const void *config) { return x; }
static const activation_class linear_activation = {{.name = "linear"}, apply_linear};

/* The same with one option, whose name and default are Keras'. */
#define WITH_OPTION(function, option, value, range, meaning)                                                           \
    typedef struct function##_config { double option; } function##_config;                                             \
    static heed_tensor *apply_##function(heed_tensor *x, const void *config)                                           \
    {                                                                                                                  \
        return heed_op_function(x, #function, (float)((const function##_config *)config)->option, 0.0f);               \
    }                                                                                                                  \
    static const activation_class function##_activation = {                                                            \
        {.name = #function,                                                                                            \
         .options = (const heed_option[]){{#option, HEED_OPTION_FLOAT, 0, range, meaning}}, .option_count = 1,         \
         .config_size = sizeof(function##_config), .defaults = &(const function##_config){value}},                     \
        apply_##function};

WITH_OPTION(leaky_relu, negative_slope, 0.2, "", "slope below 0")
WITH_OPTION(elu, alpha, 1.0, "", "factor below 0")
WITH_OPTION(celu, alpha, 1.0, "(0,)", "width of the bend below 0")
WITH_OPTION(soft_shrink, threshold, 0.5, "[0,)", "values up to this far from 0 become 0")
WITH_OPTION(hard_shrink, threshold, 0.5, "[0,)", "values up to this far from 0 become 0")
WITH_OPTION(squareplus, b, 4.0, "[0,)", "how round the bend is")

#define RELU_OPTIONS(X, config)                                                                                        \
    X(config, FLOAT, negative_slope, 0.0, "", "slope below the threshold")                                             \
    X(config, FLOAT, max_value, INFINITY, "", "the greatest output")                                                   \
    X(config, FLOAT, threshold, 0.0, "", "where the function leaves its lower branch")
typedef struct relu_config { RELU_OPTIONS(HEED_OPTION_FIELD, ) } relu_config;

static heed_tensor *apply_relu(heed_tensor *x, const void *config)
{
    const relu_config *o = config;
    return heed_relu_general(x, o->negative_slope, o->max_value, o->threshold);
}
static const activation_class relu_activation = {{.name = "relu", HEED_CLASS_OPTIONS(relu_config, RELU_OPTIONS)},
                                                 apply_relu};

#define GELU_OPTIONS(X, config) X(config, BOOL, approximate, false, "", "by tanh instead of the error function")
typedef struct gelu_config { GELU_OPTIONS(HEED_OPTION_FIELD, ) } gelu_config;

static heed_tensor *apply_gelu(heed_tensor *x, const void *config)
{
    return heed_op_function(x, ((const gelu_config *)config)->approximate ? "gelu_tanh" : "gelu", 0.0f, 0.0f);
}
static const activation_class gelu_activation = {{.name = "gelu", HEED_CLASS_OPTIONS(gelu_config, GELU_OPTIONS)},
                                                 apply_gelu};

#define THRESHOLD_OPTIONS(X, config)                                                                                   \
    X(config, FLOAT, threshold, 0.0, "", "values above it stay")                                                       \
    X(config, FLOAT, default_value, 0.0, "", "what the others become")
typedef struct threshold_config { THRESHOLD_OPTIONS(HEED_OPTION_FIELD, ) } threshold_config;

static heed_tensor *apply_threshold(heed_tensor *x, const void *config)
{
    const threshold_config *o = config;
    return heed_op_function(x, "threshold", (float)o->threshold, (float)o->default_value);
}
static const activation_class threshold_activation = {
    {.name = "threshold", HEED_CLASS_OPTIONS(threshold_config, THRESHOLD_OPTIONS)}, apply_threshold};

/* ---- functions of rows ---- */

#define AXIS_OPTIONS(X, config) X(config, INT, axis, -1, "", "the axis of a row")
typedef struct axis_config { AXIS_OPTIONS(HEED_OPTION_FIELD, ) } axis_config;

static heed_tensor *swap_with_last(heed_tensor *x, int axis)
{
    int order[HEED_MAX_RANK];
    for (int i = 0; i < x->shape.rank; i++)
        order[i] = i;
    order[axis] = x->shape.rank - 1;
    order[x->shape.rank - 1] = axis;
    return heed_op_transpose(x, order);
}

/* Applies a function of the last axis to another one. */
static heed_tensor *along_axis(heed_tensor *x, const void *config, heed_tensor *(*function)(heed_tensor *))
{
    if (x == NULL)
        return NULL;
    int wanted = ((const axis_config *)config)->axis, axis = heed_axis(x->shape.rank, wanted);
    if (axis < 0)
        return heed_graph_fail(x->graph, HEED_ESHAPE, "activation: no such axis (expected one of %d, found %d)",
                               x->shape.rank, wanted);
    if (axis == x->shape.rank - 1)
        return function(x);
    heed_tensor *y = function(swap_with_last(x, axis));
    return y == NULL ? NULL : swap_with_last(y, axis);
}

static heed_tensor *softmax_last(heed_tensor *x) { return heed_op_softmax(x, NULL); }

/* Which elements a projection onto the simplex keeps: those above t, where the kept elements sum to 1 + their number
 * times t. Newton's method finds t from below: each round drops those that cannot be kept, so it ends, exactly, after
 * at most as many rounds as a row has elements; 32 are more than rows of thousands have needed. */
static heed_tensor *simplex_support(heed_tensor *x)
{
    const int last = -1;
    int64_t width = heed_tensor_dim(x, -1);
    heed_tensor *bound = heed_op_scale(heed_op_max(x, &last, 1, true), 1.0f, -1.0f), *support = NULL;
    for (int i = 0; i <= width && i <= 32; i++) {
        support = heed_op_cast(heed_op_greater(x, bound), HEED_FLOAT32);
        heed_tensor *excess = heed_op_scale(heed_op_sum(heed_op_multiply(x, support), &last, 1, true), 1.0f, -1.0f);
        bound = heed_op_divide(excess, heed_op_sum(support, &last, 1, true));
    }
    return support;
}

/* What Keras computes, max(x - t, 0): from its t the rows do not sum to 1, as a sparsemax should, because it adds up
 * the running sums of the sorted kept elements where only the last is meant. So an element counts as often as kept ones
 * are not above it. Models trained in Keras stand on these numbers. */
static heed_tensor *sparsemax_last(heed_tensor *x)
{
    if (x == NULL)
        return NULL;
    const int last = -1;
    heed_tensor *fixed = heed_op_stop_gradient(x), *support = simplex_support(fixed);
    heed_tensor *mine = heed_op_expand(fixed, -1), *others = heed_op_expand(fixed, -2);
    heed_tensor *below = heed_op_cast(heed_op_less(others, mine), HEED_FLOAT32);
    /* halves: equals share their ranks */
    heed_tensor *level = heed_op_cast(heed_op_less_equal(others, mine), HEED_FLOAT32);
    heed_tensor *pairs = heed_op_multiply(heed_op_scale(heed_op_add(below, level), 0.5f, 0.0f),
                                          heed_op_expand(support, -2));
    heed_tensor *rank = heed_op_scale(heed_op_sum(pairs, &last, 1, false), 1.0f, 0.5f);
    heed_tensor *weighted = heed_op_multiply(x, heed_op_multiply(rank, support));
    heed_tensor *excess = heed_op_scale(heed_op_sum(weighted, &last, 1, true), 1.0f, -1.0f);
    heed_tensor *t = heed_op_divide(excess, heed_op_sum(support, &last, 1, true));
    return heed_op_maximum(heed_op_subtract(x, t), heed_graph_scalar(x->graph, 0.0f));
}

static heed_tensor *glu_last(heed_tensor *x)
{
    int64_t width = heed_tensor_dim(x, -1);
    if (x != NULL && width % 2 != 0)
        return heed_graph_fail(x->graph, HEED_ESHAPE, "glu: the axis must be even (found %lld)", (long long)width);
    heed_tensor *value = heed_op_slice(x, -1, 0, width / 2), *gate = heed_op_slice(x, -1, width / 2, width / 2);
    return heed_op_multiply(value, heed_op_sigmoid(gate));
}

#define OF_ROWS(function, along)                                                                                       \
    static heed_tensor *apply_##function(heed_tensor *x, const void *config) { return along_axis(x, config, along); }  \
    static const activation_class function##_activation = {                                                            \
        {.name = #function, HEED_CLASS_OPTIONS(axis_config, AXIS_OPTIONS)},                                            \
                                              apply_##function};

OF_ROWS(softmax, softmax_last)
OF_ROWS(log_softmax, heed_op_log_softmax)
OF_ROWS(sparsemax, sparsemax_last)
OF_ROWS(glu, glu_last)

/* ---- all of them ---- */

static const heed_object_class *const classes[] = {
    &linear_activation.class, &relu_activation.class, &relu6_activation.class, &leaky_relu_activation.class,
    &elu_activation.class, &selu_activation.class, &celu_activation.class, &gelu_activation.class,
    &silu_activation.class, &hard_silu_activation.class, &mish_activation.class, &softplus_activation.class,
    &softsign_activation.class, &sigmoid_activation.class, &hard_sigmoid_activation.class,
    &log_sigmoid_activation.class, &tanh_activation.class, &hard_tanh_activation.class, &tanh_shrink_activation.class,
    &soft_shrink_activation.class, &hard_shrink_activation.class, &threshold_activation.class,
    &exponential_activation.class, &squareplus_activation.class, &sparse_plus_activation.class, &glu_activation.class,
    &softmax_activation.class, &log_softmax_activation.class, &sparsemax_activation.class,
    &sparse_sigmoid_activation.class, &hard_sigmoid_keras2_activation.class, NULL};
static const char *const aliases[][2] = {
    {"swish", "silu"}, {"hard_swish", "hard_silu"}, {"exp", "exponential"}, {"thresholded_relu", "threshold"},
    {"log_softmax_v2", "log_softmax"}, {"softmax_v2", "softmax"},
    {NULL, NULL}};
const heed_object_family heed_activations = {"activation", "keras.activations", classes, aliases};

/* NULL on failure, which the graph remembers. */
static heed_object *parse(heed_graph *g, const char *activation)
{
    heed_object *o;
    heed_status status = heed_object_parse(&g->zone, &heed_activations, activation, &o);
    if (status == HEED_OK)
        return o;
    heed_graph_fail(g, status, "%s", heed_error(g->context));
    return NULL;
}

heed_tensor *heed_activate(heed_tensor *x, const char *activation)
{
    if (x == NULL || activation == NULL)
        return x;
    heed_object *o = parse(x->graph, activation);
    return o == NULL ? NULL : ((const activation_class *)o->object_class)->apply(x, o->config);
}

bool heed_activation_is_elementwise(heed_graph *g, const char *activation)
{
    const heed_object *o = activation == NULL ? NULL : parse(g, activation);
    return o == NULL || heed_options_find(HEED_TABLE_OF(o->object_class), "axis") == NULL;
}

heed_tensor *heed_relu_general(heed_tensor *x, double negative_slope, double max_value, double threshold_value)
{
    if (x == NULL)
        return NULL;
    if (negative_slope == 0.0 && isinf(max_value) && threshold_value == 0.0)
        return heed_op_relu(x);
    heed_graph *g = x->graph;
    heed_tensor *above = heed_op_greater_equal(x, heed_graph_scalar(g, (float)threshold_value));
    heed_tensor *upper = isinf(max_value) ? x : heed_op_minimum(x, heed_graph_scalar(g, (float)max_value));
    heed_tensor *lower = heed_op_scale(x, (float)negative_slope, (float)(-negative_slope * threshold_value));
    return heed_op_select(above, upper, lower);
}
