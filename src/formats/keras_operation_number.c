/* Operations number by number, and reductions. */
#include "formats/keras_operation_run.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef heed_operation_use use;

/* ---- of two ---- */

typedef heed_tensor *binary_function(heed_tensor *a, heed_tensor *b);

static heed_tensor *arithmetic(const use *u, binary_function *function)
{
    heed_tensor *a = heed_use_operand(u, 0), *b = heed_use_operand(u, 1), *y = function(heed_as_floats(a), heed_as_floats(b));
    return heed_as_before(y, heed_is_floats(a) ? a : b);
}

static heed_tensor *comparison(const use *u, binary_function *function)
{
    heed_tensor *a = heed_use_operand(u, 0), *b = heed_use_operand(u, 1);
    bool whole = a != NULL && b != NULL && a->dtype == HEED_INT32 && b->dtype == HEED_INT32;
    return whole ? function(a, b) : function(heed_as_floats(a), heed_as_floats(b));
}

static heed_tensor *floor_of(heed_tensor *x)
{
    heed_tensor *whole = heed_as_floats(heed_op_cast(x, HEED_INT32));
    return heed_op_subtract(whole, heed_as_floats(heed_op_greater(whole, x)));
}

static heed_tensor *floor_divide(heed_tensor *a, heed_tensor *b) { return floor_of(heed_op_divide(a, b)); }
static heed_tensor *modulo(heed_tensor *a, heed_tensor *b)
{
    return heed_op_subtract(a, heed_op_multiply(floor_divide(a, b), b));
}

static heed_tensor *log_add_exp(heed_tensor *a, heed_tensor *b)
{
    heed_tensor *apart = heed_op_scale(heed_op_abs(heed_op_subtract(a, b)), -1.0f, 0.0f);
    return heed_op_add(heed_op_maximum(a, b), heed_op_function(apart, "softplus", 0, 0));
}

#define ARITHMETIC(name, function) static heed_tensor *name(const use *u) { return arithmetic(u, function); }
#define COMPARISON(name, function) static heed_tensor *name(const use *u) { return comparison(u, function); }
ARITHMETIC(run_add, heed_op_add)
ARITHMETIC(run_subtract, heed_op_subtract)
ARITHMETIC(run_multiply, heed_op_multiply)
ARITHMETIC(run_maximum, heed_op_maximum)
ARITHMETIC(run_minimum, heed_op_minimum)
ARITHMETIC(run_floor_divide, floor_divide)
ARITHMETIC(run_mod, modulo)
ARITHMETIC(run_log_add_exp, log_add_exp)
COMPARISON(run_equal, heed_op_equal)
COMPARISON(run_not_equal, heed_op_not_equal)
COMPARISON(run_less, heed_op_less)
COMPARISON(run_less_equal, heed_op_less_equal)
COMPARISON(run_greater, heed_op_greater)
COMPARISON(run_greater_equal, heed_op_greater_equal)

static heed_tensor *run_divide(const use *u) { return heed_op_divide(heed_as_floats(heed_use_operand(u, 0)), heed_as_floats(heed_use_operand(u, 1))); }
static heed_tensor *run_and(const use *u) { return heed_op_and(heed_as_bools(heed_use_operand(u, 0)), heed_as_bools(heed_use_operand(u, 1))); }
static heed_tensor *run_or(const use *u) { return heed_op_or(heed_as_bools(heed_use_operand(u, 0)), heed_as_bools(heed_use_operand(u, 1))); }
static heed_tensor *run_xor(const use *u)
{
    return heed_op_not_equal(heed_as_floats(heed_as_bools(heed_use_operand(u, 0))), heed_as_floats(heed_as_bools(heed_use_operand(u, 1))));
}

/* A constant exponent or a constant base. */
static heed_tensor *run_power(const use *u)
{
    double value;
    const heed_value *base = heed_use_argument(u, 0), *exponent = heed_use_argument(u, 1);
    heed_context *c = u->call->graph->context;
    if (exponent != NULL && heed_operand_input(exponent) < 0 &&
        heed_value_as_real(c, exponent, "exponent", &value) == HEED_OK)
        return heed_as_before(heed_op_power(heed_as_floats(heed_use_operand(u, 0)), (float)value), heed_use_operand(u, 0));
    if (base != NULL && heed_operand_input(base) < 0 && heed_value_as_real(c, base, "base", &value) == HEED_OK &&
        value > 0.0)
        return heed_op_exp(heed_op_scale(heed_as_floats(heed_use_operand(u, 1)), (float)log(value), 0.0f));
    return heed_use_refuse(u, "either the base or the exponent must be a constant, a base greater than 0");
}

static heed_tensor *run_where(const use *u)
{
    heed_tensor *a = heed_use_operand(u, 1), *b = heed_use_operand(u, 2), *condition = heed_as_bools(heed_use_operand(u, 0));
    return heed_as_before(heed_op_select(condition, heed_as_floats(a), heed_as_floats(b)), heed_is_floats(a) ? a : b);
}

/* ---- of one ---- */

static heed_tensor *floor_function(heed_tensor *x) { return floor_of(x); }
static heed_tensor *ceil_function(heed_tensor *x) { return heed_op_negative(floor_of(heed_op_negative(x))); }
static heed_tensor *log1p_function(heed_tensor *x) { return heed_op_function(x, "log1p", 0, 0); }
static heed_tensor *expm1_function(heed_tensor *x) { return heed_op_scale(heed_op_exp(x), 1.0f, -1.0f); }
static heed_tensor *log2_function(heed_tensor *x) { return heed_op_scale(heed_op_log(x), (float)(1.0 / log(2.0)), 0.0f); }
static heed_tensor *log10_function(heed_tensor *x)
{
    return heed_op_scale(heed_op_log(x), (float)(1.0 / log(10.0)), 0.0f);
}
static heed_tensor *exp2_function(heed_tensor *x) { return heed_op_exp(heed_op_scale(x, (float)log(2.0), 0.0f)); }
static heed_tensor *erf_function(heed_tensor *x) { return heed_op_function(x, "erf", 0, 0); }
static heed_tensor *sin_function(heed_tensor *x) { return heed_op_function(x, "sin", 0, 0); }
static heed_tensor *cos_function(heed_tensor *x) { return heed_op_function(x, "cos", 0, 0); }
static heed_tensor *is_nan(heed_tensor *x) { return heed_op_not_equal(x, x); }
static heed_tensor *without_nan(heed_tensor *x)
{
    heed_tensor *finite = heed_op_clip(x, -FLT_MAX, FLT_MAX);
    return x == NULL ? NULL : heed_op_select(is_nan(x), heed_graph_scalar(x->graph, 0.0f), finite);
}

#define UNARY(name, function) static heed_tensor *name(const use *u) { return function(heed_as_floats(heed_use_operand(u, 0))); }
#define WHOLE(name, function)                                                                                          \
    static heed_tensor *name(const use *u) { return heed_as_before(function(heed_as_floats(heed_use_operand(u, 0))), heed_use_operand(u, 0)); }
WHOLE(run_negative, heed_op_negative)
WHOLE(run_absolute, heed_op_abs)
WHOLE(run_square, heed_op_square)
WHOLE(run_sign, heed_op_sign)
UNARY(run_exp, heed_op_exp)
UNARY(run_exp2, exp2_function)
UNARY(run_expm1, expm1_function)
UNARY(run_log, heed_op_log)
UNARY(run_log1p, log1p_function)
UNARY(run_log2, log2_function)
UNARY(run_log10, log10_function)
UNARY(run_sqrt, heed_op_sqrt)
UNARY(run_rsqrt, heed_op_rsqrt)
UNARY(run_reciprocal, heed_op_reciprocal)
UNARY(run_sin, sin_function)
UNARY(run_cos, cos_function)
UNARY(run_erf, erf_function)
UNARY(run_floor, floor_function)
UNARY(run_ceil, ceil_function)
UNARY(run_is_nan, is_nan)
UNARY(run_nan_to_num, without_nan)
UNARY(run_stop_gradient, heed_op_stop_gradient)

static heed_tensor *run_not(const use *u) { return heed_op_not(heed_as_bools(heed_use_operand(u, 0))); }

static heed_tensor *run_cast(const use *u)
{
    const heed_value *dtype = heed_use_option(u, "dtype");
    heed_tensor *x = heed_use_operand(u, 0);
    heed_dtype wanted = heed_value_is(dtype, HEED_VALUE_TEXT) ? heed_dtype_of_word(dtype->text) : HEED_FLOAT32;
    return x == NULL || x->dtype == wanted ? x : heed_op_cast(x, wanted);
}

static heed_tensor *run_clip(const use *u)
{
    float low = (float)heed_use_real(u, "x_min", -INFINITY), high = (float)heed_use_real(u, "x_max", INFINITY);
    return heed_as_before(heed_op_clip(heed_as_floats(heed_use_operand(u, 0)), low, high), heed_use_operand(u, 0));
}

/* ---- activations, by the names that layers know them by ---- */

static heed_tensor *activation(const use *u, const char *name)
{
    heed_zone *z = &u->call->graph->zone;
    heed_value *call = heed_value_call(z, name);
    for (const heed_value *item = u->options->first; call != NULL && item != NULL; item = item->next)
        if (item->type != HEED_VALUE_NULL && strcmp(item->key, "name") != 0 && strcmp(item->key, "dtype") != 0 &&
            heed_value_set(z, call, item->key, heed_value_copy(z, item)) != HEED_OK)
            call = NULL;
    const char *expression = call == NULL ? NULL : heed_value_expression(z, call);
    if (expression == NULL)
        return heed_graph_fail(u->call->graph, HEED_ENOMEM, "out of memory");
    return heed_activate(heed_as_floats(heed_use_operand(u, 0)), expression);
}

#define ACTIVATION_MAP(X)                                                                                              \
    X(Sigmoid, "", sigmoid) X(Relu, "", relu) X(Relu6, "", relu6) X(Elu, "alpha", elu) X(Selu, "", selu)               \
    X(Celu, "alpha", celu) X(LeakyRelu, "negative_slope", leaky_relu) X(Gelu, "approximate", gelu) X(Silu, "", silu)   \
    X(Softplus, "", softplus) X(Softsign, "", softsign) X(HardSigmoid, "", hard_sigmoid) X(HardSilu, "", hard_silu)    \
    X(HardTanh, "", hard_tanh) X(LogSigmoid, "", log_sigmoid) X(TanhShrink, "", tanh_shrink)                           \
    X(SoftShrink, "threshold", soft_shrink) X(HardShrink, "threshold", hard_shrink)                                    \
    X(Threshold, "threshold default_value", threshold) X(Squareplus, "b", squareplus) X(SparsePlus, "", sparse_plus)   \
    X(SparseSigmoid, "", sparse_sigmoid) X(Glu, "axis", glu) X(Softmax, "axis", softmax)                               \
    X(LogSoftmax, "axis", log_softmax) X(Sparsemax, "axis", sparsemax)
#define ACTIVATION(title, options, word)                                                                               \
    static heed_tensor *run_##title(const use *u) { return activation(u, #word); }
ACTIVATION_MAP(ACTIVATION)

static heed_tensor *run_tanh(const use *u) { return heed_op_tanh(heed_as_floats(heed_use_operand(u, 0))); }

/* ---- reductions ---- */

typedef heed_tensor *reduction(heed_tensor *x, const int *axes, int count, bool keep);

static heed_tensor *reduce(const use *u, reduction *function, heed_tensor *x)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    return function(x, axes, count, heed_use_bool(u, "keepdims"));
}

static heed_tensor *all_of(heed_tensor *x, const int *axes, int count, bool keep)
{
    return heed_op_not(heed_op_any(heed_op_not(x), axes, count, keep));
}

static heed_tensor *variance_of(heed_tensor *x, const int *axes, int count, bool keep)
{
    heed_tensor *apart = heed_op_subtract(x, heed_op_mean(x, axes, count, true));
    return heed_op_mean(heed_op_square(apart), axes, count, keep);
}

static heed_tensor *deviation_of(heed_tensor *x, const int *axes, int count, bool keep)
{
    return heed_op_sqrt(variance_of(x, axes, count, keep));
}

static heed_tensor *log_sum_exp(heed_tensor *x, const int *axes, int count, bool keep)
{
    heed_tensor *most = heed_op_stop_gradient(heed_op_max(x, axes, count, true));
    heed_tensor *sum = heed_op_log(heed_op_sum(heed_op_exp(heed_op_subtract(x, most)), axes, count, keep));
    return heed_op_add(sum, keep ? most : heed_op_max(heed_op_stop_gradient(x), axes, count, false));
}

#define REDUCTION(name, function) static heed_tensor *name(const use *u) { return reduce(u, function, heed_as_floats(heed_use_operand(u, 0))); }
REDUCTION(run_mean, heed_op_mean)
REDUCTION(run_var, variance_of)
REDUCTION(run_std, deviation_of)
REDUCTION(run_log_sum_exp, log_sum_exp)

#define WHOLE_REDUCTION(name, function)                                                                                \
    static heed_tensor *name(const use *u)                                                                             \
    {                                                                                                                  \
        return heed_as_before(reduce(u, function, heed_as_floats(heed_use_operand(u, 0))), heed_use_operand(u, 0));                                   \
    }
WHOLE_REDUCTION(run_sum, heed_op_sum)
WHOLE_REDUCTION(run_max, heed_op_max)
WHOLE_REDUCTION(run_min, heed_op_min)

static heed_tensor *run_any(const use *u) { return reduce(u, heed_op_any, heed_as_bools(heed_use_operand(u, 0))); }
static heed_tensor *run_all(const use *u) { return reduce(u, all_of, heed_as_bools(heed_use_operand(u, 0))); }
static heed_tensor *run_count_nonzero(const use *u)
{
    return heed_op_cast(reduce(u, heed_op_sum, heed_as_floats(heed_as_bools(heed_use_operand(u, 0)))), HEED_INT32);
}

static heed_tensor *run_moments(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axes", axes);
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0));
    bool keep = heed_use_bool(u, "keepdims");
    u->call->output_count = 2;
    u->call->outputs[1] = variance_of(x, axes, count, keep);
    return heed_op_mean(x, axes, count, keep);
}

/* The euclidean length, or with ord 1 the sum of sizes; of vectors only. */
static heed_tensor *run_norm(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes), order = heed_use_int(u, "ord", 0);
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0));
    if (order != 0 && (order > 2 || order < 0 || count != 1))
        return heed_use_refuse(u, "only the orders 1 and 2 of vectors are supported");
    if (order == 1)
        return heed_op_sum(heed_op_abs(x), axes, count, heed_use_bool(u, "keepdims"));
    return heed_op_sqrt(heed_op_sum(heed_op_square(x), axes, count, heed_use_bool(u, "keepdims")));
}

static heed_tensor *run_normalize(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    double epsilon = heed_use_real(u, "epsilon", 1e-7);
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0));
    if (heed_use_int(u, "order", 2) != 2)
        return heed_use_refuse(u, "only order 2 is supported");
    heed_tensor *squares = heed_op_sum(heed_op_square(x), axes, count, true);
    return heed_op_multiply(x, heed_op_rsqrt(heed_op_maximum(squares, heed_graph_scalar(u->call->graph, (float)(epsilon * epsilon)))));
}

/* Weights, of x's shape or of its one axis, count for a mean. */
static heed_tensor *run_average(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0)), *weights = heed_use_optional(u, 1);
    if (weights == NULL || x == NULL)
        return heed_op_mean(x, axes, count, false);
    if (weights->shape.rank == 1 && count == 1)
        for (int axis = heed_axis(x->shape.rank, axes[0]); axis >= 0 && axis < x->shape.rank - 1; axis++)
            weights = heed_op_expand(weights, -1);
    weights = heed_op_broadcast(weights, &x->shape);
    return heed_op_divide(heed_op_sum(heed_op_multiply(x, weights), axes, count, false), heed_op_sum(weights, axes, count, false));
}

/* ---- normalizations, over axes whose sizes the scale and the offset have ---- */

enum { SCALE = 1, OFFSET = 2 };

/* An operand that is there for the normalized axes alone, with 1 for the others. */
static heed_tensor *along(const use *u, int index, const heed_tensor *x, const int *axes, int count)
{
    heed_tensor *v = heed_use_optional(u, index);
    if (v == NULL || x == NULL || v->shape.rank == x->shape.rank)
        return v;
    heed_shape shape = {x->shape.rank, {0}};
    for (int i = 0; i < x->shape.rank; i++)
        shape.dims[i] = 1;
    for (int i = 0; i < count; i++) {
        int axis = heed_axis(x->shape.rank, axes[i]);
        if (axis >= 0)
            shape.dims[axis] = x->shape.dims[axis];
    }
    return heed_op_reshape(v, &shape);
}

static heed_tensor *run_layer_norm(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0)), *gamma = along(u, SCALE, x, axes, count);
    heed_tensor *beta = along(u, OFFSET, x, axes, count);
    bool scaled = heed_use_bool(u, "rms_scaling"); /* Keras' older way: not centred */
    heed_tensor *inverse = heed_op_rsqrt(heed_op_scale(variance_of(x, axes, count, true), 1.0f, (float)heed_use_real(u, "epsilon", 1e-7)));
    heed_tensor *y = heed_op_multiply(scaled ? x : heed_op_subtract(x, heed_op_mean(x, axes, count, true)), inverse);
    y = gamma == NULL ? y : heed_op_multiply(y, gamma);
    return beta == NULL || scaled ? y : heed_op_add(y, beta);
}

static heed_tensor *run_rms_norm(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0)), *scale = along(u, SCALE, x, axes, count);
    heed_tensor *mean = heed_op_mean(heed_op_square(x), axes, count, true);
    heed_tensor *y = heed_op_multiply(x, heed_op_rsqrt(heed_op_scale(mean, 1.0f, (float)heed_use_real(u, "epsilon", 1e-7))));
    return scale == NULL ? y : heed_op_multiply(y, scale);
}

/* ---- the table ---- */

#define ACTIVATION_ROW(title, options, word) HEED_OPERATION(title, nn, options, run_##title)
const heed_operation_row heed_number_operations[] = {
    HEED_OPERATION(Add, numpy, "", run_add)
    HEED_OPERATION(Subtract, numpy, "", run_subtract)
    HEED_OPERATION(Multiply, numpy, "", run_multiply)
    HEED_OPERATION(Divide, numpy, "", run_divide)
    HEED_OPERATION(TrueDivide, numpy, "", run_divide)
    HEED_OPERATION(FloorDivide, numpy, "", run_floor_divide)
    HEED_OPERATION(Mod, numpy, "", run_mod)
    HEED_OPERATION(Power, numpy, "", run_power)
    HEED_OPERATION(Maximum, numpy, "", run_maximum)
    HEED_OPERATION(Minimum, numpy, "", run_minimum)
    HEED_OPERATION(Logaddexp, numpy, "", run_log_add_exp)
    HEED_OPERATION(Equal, numpy, "", run_equal)
    HEED_OPERATION(NotEqual, numpy, "", run_not_equal)
    HEED_OPERATION(Less, numpy, "", run_less)
    HEED_OPERATION(LessEqual, numpy, "", run_less_equal)
    HEED_OPERATION(Greater, numpy, "", run_greater)
    HEED_OPERATION(GreaterEqual, numpy, "", run_greater_equal)
    HEED_OPERATION(LogicalAnd, numpy, "", run_and)
    HEED_OPERATION(LogicalOr, numpy, "", run_or)
    HEED_OPERATION(LogicalXor, numpy, "", run_xor)
    HEED_OPERATION(LogicalNot, numpy, "", run_not)
    HEED_OPERATION(Where, numpy, "", run_where)
    HEED_OPERATION(Clip, numpy, "x_min x_max", run_clip)
    HEED_OPERATION(Negative, numpy, "", run_negative)
    HEED_OPERATION(Absolute, numpy, "", run_absolute)
    HEED_OPERATION(Sign, numpy, "", run_sign)
    HEED_OPERATION(Square, numpy, "", run_square)
    HEED_OPERATION(Sqrt, numpy, "", run_sqrt)
    HEED_OPERATION(Rsqrt, math, "", run_rsqrt)
    HEED_OPERATION(Reciprocal, numpy, "", run_reciprocal)
    HEED_OPERATION(Exp, numpy, "", run_exp)
    HEED_OPERATION(Exp2, numpy, "", run_exp2)
    HEED_OPERATION(Expm1, numpy, "", run_expm1)
    HEED_OPERATION(Log, numpy, "", run_log)
    HEED_OPERATION(Log1p, numpy, "", run_log1p)
    HEED_OPERATION(Log2, numpy, "", run_log2)
    HEED_OPERATION(Log10, numpy, "", run_log10)
    HEED_OPERATION(Sin, numpy, "", run_sin)
    HEED_OPERATION(Cos, numpy, "", run_cos)
    HEED_OPERATION(Tanh, numpy, "", run_tanh)
    HEED_OPERATION(Erf, math, "", run_erf)
    HEED_OPERATION(Floor, numpy, "", run_floor)
    HEED_OPERATION(Ceil, numpy, "", run_ceil)
    HEED_OPERATION(Isnan, numpy, "", run_is_nan)
    HEED_OPERATION(NanToNum, numpy, "nan", run_nan_to_num)
    HEED_OPERATION(StopGradient, core, "", run_stop_gradient)
    HEED_OPERATION(Cast, core, "dtype", run_cast)
    HEED_OPERATION(Mean, numpy, "axis keepdims", run_mean)
    HEED_OPERATION_CALLED(Average, numpy, "axis", run_average, "x", "weights")
    HEED_OPERATION(Sum, numpy, "axis keepdims", run_sum)
    HEED_OPERATION(Max, numpy, "axis keepdims", run_max)
    HEED_OPERATION(Min, numpy, "axis keepdims", run_min)
    HEED_OPERATION(Var, numpy, "axis keepdims", run_var)
    HEED_OPERATION(Std, numpy, "axis keepdims", run_std)
    HEED_OPERATION(Any, numpy, "axis keepdims", run_any)
    HEED_OPERATION(All, numpy, "axis keepdims", run_all)
    HEED_OPERATION(CountNonzero, numpy, "axis", run_count_nonzero)
    HEED_OPERATION(Logsumexp, math, "axis keepdims", run_log_sum_exp)
    HEED_OPERATION(Norm, linalg, "ord axis keepdims", run_norm)
    HEED_OPERATION(Normalize, nn, "axis order epsilon", run_normalize)
    HEED_OPERATION(Moments, nn, "axes keepdims synchronized", run_moments)
    HEED_OPERATION_CALLED(LayerNorm, nn, "axis epsilon rms_scaling", run_layer_norm, "x", "gamma", "beta")
    HEED_OPERATION_CALLED(RMSNorm, nn, "axis epsilon", run_rms_norm, "x", "scale")
    ACTIVATION_MAP(ACTIVATION_ROW)
    {.run = NULL},
};
