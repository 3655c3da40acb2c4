/* Functions of one argument on vectors; elementwise.c says the same in plain C. */
#ifndef HEED_KERNELS_ELEMENTWISE_TMPL_H
#define HEED_KERNELS_ELEMENTWISE_TMPL_H

#include "kernels/generic.h"
#include "kernels/simd_math.h"

INLINE vec add(vec a, vec b) { return v_add(a, b); }
INLINE vec subtract(vec a, vec b) { return v_subtract(a, b); }
INLINE vec times(vec a, vec b) { return v_multiply(a, b); }
INLINE vec over(vec a, vec b) { return v_divide(a, b); }
INLINE vec one(void) { return v_set(1.0f); }
INLINE vec half(void) { return v_set(0.5f); }

/* `yes` where a > b, else `no` */
INLINE vec where_greater(vec a, vec b, vec yes, vec no)
{
    return v_select(v_less(b, a), yes, no);
}

/* 1 where low < x < high, else 0 */
INLINE vec inside(vec low, vec x, vec high)
{
    return v_select(both(v_less(low, x), v_less(x, high)), one(), v_zero());
}

/* 1 where low <= x <= high, else 0 */
INLINE vec within(vec low, vec x, vec high)
{
    return v_select(both(v_less_equal(low, x), v_less_equal(x, high)), one(), v_zero());
}

INLINE vec sign(vec x)
{
    return where_greater(x, v_zero(), one(), where_greater(v_zero(), x, v_set(-1.0f), x));
}

INLINE vec clip(vec x, vec low, vec high)
{
    return v_minimum(high, v_maximum(low, x));
}

INLINE vec elu(vec x, vec a)
{
    return where_greater(x, v_zero(), x, times(a, v_expm1_negative(x)));
}

INLINE vec elu_slope(vec x, vec a)
{
    return where_greater(x, v_zero(), one(), times(a, v_exp(x)));
}

INLINE vec gelu_slope(vec x)
{
    vec density = times(v_set(0.39894228040143267794f), v_exp(times(v_set(-0.5f), times(x, x))));
    return v_fma(v_finite(x), density, v_normal_distribution(x));
}

/* twice the argument of gelu_tanh's tanh; beyond 50 it no longer matters, and the cube must not overflow */
INLINE vec gelu_tanh_argument(vec x)
{
    vec y = clip(x, v_set(-50.0f), v_set(50.0f));
    return times(v_set(2.0f * 0.79788456080286535588f), v_fma(times(v_set(0.044715f), times(y, y)), y, y));
}

INLINE vec gelu_tanh_slope(vec x)
{
    vec s = v_sigmoid(gelu_tanh_argument(x)), y = clip(x, v_set(-50.0f), v_set(50.0f));
    vec inner = v_fma(v_set(3.0f * 0.044715f), times(y, y), one());
    vec slope = times(times(y, times(v_set(2.0f * 0.79788456080286535588f), inner)), subtract(one(), s));
    return v_fma(s, slope, s);
}

INLINE vec silu_slope(vec x)
{
    vec s = v_sigmoid(x);
    return v_fma(s, times(v_finite(x), v_sigmoid(v_negative(x))), s);
}

INLINE vec mish_slope(vec x)
{
    vec t = v_tanh(v_softplus(x));
    return v_fma(times(v_finite(x), v_sigmoid(x)), v_fnma(t, t, one()), t);
}

INLINE vec hard_sigmoid(vec x, vec a)
{
    return clip(v_fma(a, x, half()), v_zero(), one());
}

INLINE vec hard_sigmoid_slope(vec x, vec a)
{
    return times(a, inside(v_zero(), v_fma(a, x, half()), one()));
}

/* where |x| is so large that squares overflow, or 1 + |x| is |x|, `far` */
INLINE vec unless_far(vec x, vec far, vec near)
{
    return where_greater(v_abs(x), v_set(1e15f), far, near);
}

INLINE vec squareplus_root(vec x, vec a)
{
    return unless_far(x, v_abs(x), v_sqrt(v_fma(x, x, a)));
}

INLINE vec squareplus(vec x, vec a)
{
    vec root = squareplus_root(x, a);
    return where_greater(v_zero(), x, over(times(half(), a), subtract(root, x)), v_fma(half(), x, times(half(), root)));
}

INLINE vec softsign(vec x)
{
    return unless_far(x, sign(x), over(x, add(one(), v_abs(x))));
}

INLINE vec soft_shrink(vec x, vec a)
{
    vec near = subtract(x, x); /* 0, or NaN */
    return where_greater(x, a, subtract(x, a), where_greater(v_negative(a), x, add(x, a), near));
}

INLINE vec square(vec x)
{
    return times(x, x);
}

static void unary(heed_unary_function f, int64_t n, const float *input, float a_value, float b_value, float *output)
{
    const vec a = v_set(a_value), b = v_set(b_value);
#define EACH(ID, VALUE)                                                                                                \
    case HEED_UNARY_##ID:                                                                                              \
        for (int64_t i = 0; i < n; i += VL) {                                                                          \
            const vec x = v_load_some(input + i, n - i);                                                               \
            v_store_some(output + i, n - i, VALUE);                                                                    \
        }                                                                                                              \
        break;
    switch (f) {
        EACH(NEGATIVE, v_negative(x))
        EACH(ABS, v_abs(x))
        EACH(SIGN, sign(x))
        EACH(SQUARE, square(x))
        EACH(SQRT, v_sqrt(x))
        EACH(RSQRT, over(one(), v_sqrt(x)))
        EACH(RECIPROCAL, over(one(), x))
        EACH(EXP, v_exp(x))
        EACH(LOG, v_log(x))
        EACH(LOG1P, v_log1p(x))
        EACH(SCALE, v_fma(a, x, b))
        EACH(CLIP, clip(x, a, b))
        EACH(TANH, v_tanh(x))
        EACH(SIGMOID, v_sigmoid(x))
        EACH(RELU, v_maximum(v_zero(), x))
        EACH(RELU6, clip(x, v_zero(), v_set(6.0f)))
        EACH(LEAKY_RELU, where_greater(x, v_zero(), x, times(a, x)))
        EACH(ELU, elu(x, a))
        EACH(SELU, times(v_set(1.0507009873554805f), elu(x, v_set(1.6732632423543772f))))
        EACH(CELU, where_greater(x, v_zero(), x, times(a, v_expm1_negative(over(x, a)))))
        EACH(GELU, times(v_finite(x), v_normal_distribution(x)))
        EACH(GELU_TANH, times(v_finite(x), v_sigmoid(gelu_tanh_argument(x))))
        EACH(SILU, times(v_finite(x), v_sigmoid(x)))
        EACH(MISH, times(v_finite(x), v_tanh(v_softplus(x))))
        EACH(SOFTPLUS, v_softplus(x))
        EACH(SOFTSIGN, softsign(x))
        EACH(HARD_SIGMOID, hard_sigmoid(x, a))
        EACH(HARD_SILU, times(v_finite(x), hard_sigmoid(x, a)))
        EACH(LOG_SIGMOID, v_negative(v_softplus(v_negative(x))))
        EACH(HARD_TANH, clip(x, v_set(-1.0f), one()))
        EACH(TANH_SHRINK, subtract(x, v_tanh(x)))
        EACH(SOFT_SHRINK, soft_shrink(x, a))
        EACH(HARD_SHRINK, where_greater(v_abs(x), a, x, times(v_zero(), x)))
        EACH(THRESHOLD, where_greater(x, a, x, b))
        EACH(SQUAREPLUS, squareplus(x, a))
        EACH(SPARSE_PLUS, v_select(v_less_equal(x, v_set(-1.0f)), v_zero(),
                                   where_greater(one(), x, times(v_set(0.25f), square(add(x, one()))), x)))
        EACH(SPARSE_SIGMOID, clip(times(half(), add(x, one())), v_zero(), one()))
    case HEED_UNARY_POWER:
    case HEED_UNARY_SIN:
    case HEED_UNARY_COS:
    case HEED_UNARY_ERF: /* rare, and the C library's are good */
        heed_generic_unary(f, n, input, a_value, b_value, output);
        break;
    case HEED_UNARY_COUNT:
        break;
    }
#undef EACH
}

static void unary_gradient(heed_unary_function f, int64_t n, const float *input, const float *output, const float *dy,
                           float a_value, float b_value, float *dx)
{
    const vec a = v_set(a_value), b = v_set(b_value);
#define EACH(ID, SLOPE)                                                                                                \
    case HEED_UNARY_##ID:                                                                                              \
        for (int64_t i = 0; i < n; i += VL) {                                                                          \
            const vec x = v_load_some(input + i, n - i), y = v_load_some(output + i, n - i);                           \
            (void)x;                                                                                                   \
            (void)y;                                                                                                   \
            v_store_some(dx + i, n - i, times(v_load_some(dy + i, n - i), SLOPE));                                     \
        }                                                                                                              \
        break;
    switch (f) {
        EACH(NEGATIVE, v_set(-1.0f))
        EACH(ABS, sign(x))
        EACH(SIGN, v_zero())
        EACH(SQUARE, add(x, x))
        EACH(SQRT, over(half(), y))
        EACH(RSQRT, times(v_set(-0.5f), times(y, square(y))))
        EACH(RECIPROCAL, v_negative(square(y)))
        EACH(EXP, y)
        EACH(LOG, over(one(), x))
        EACH(LOG1P, over(one(), add(one(), x)))
        EACH(SCALE, a)
        EACH(CLIP, within(a, x, b))
        EACH(TANH, v_fnma(y, y, one()))
        EACH(SIGMOID, times(y, subtract(one(), y)))
        EACH(RELU, where_greater(x, v_zero(), one(), v_zero()))
        EACH(RELU6, inside(v_zero(), x, v_set(6.0f)))
        EACH(LEAKY_RELU, where_greater(x, v_zero(), one(), a))
        EACH(ELU, elu_slope(x, a))
        EACH(SELU, times(v_set(1.0507009873554805f), elu_slope(x, v_set(1.6732632423543772f))))
        EACH(CELU, elu_slope(over(x, a), one()))
        EACH(GELU, gelu_slope(x))
        EACH(GELU_TANH, gelu_tanh_slope(x))
        EACH(SILU, silu_slope(x))
        EACH(MISH, mish_slope(x))
        EACH(SOFTPLUS, v_sigmoid(x))
        EACH(SOFTSIGN, square(over(one(), add(one(), v_abs(x)))))
        EACH(HARD_SIGMOID, hard_sigmoid_slope(x, a))
        EACH(HARD_SILU, v_fma(v_finite(x), hard_sigmoid_slope(x, a), hard_sigmoid(x, a)))
        EACH(LOG_SIGMOID, v_sigmoid(v_negative(x)))
        EACH(HARD_TANH, within(v_set(-1.0f), x, one()))
        EACH(TANH_SHRINK, square(v_tanh(x)))
        EACH(SOFT_SHRINK, where_greater(v_abs(x), a, one(), v_zero()))
        EACH(HARD_SHRINK, where_greater(v_abs(x), a, one(), v_zero()))
        EACH(THRESHOLD, where_greater(x, a, one(), v_zero()))
        EACH(SQUAREPLUS, v_fma(half(), over(v_finite(x), squareplus_root(v_finite(x), a)), half()))
        EACH(SPARSE_PLUS, clip(times(half(), add(x, one())), v_zero(), one()))
        EACH(SPARSE_SIGMOID, times(half(), inside(v_set(-1.0f), x, one())))
    case HEED_UNARY_POWER:
    case HEED_UNARY_SIN:
    case HEED_UNARY_COS:
    case HEED_UNARY_ERF:
        heed_generic_unary_gradient(f, n, input, output, dy, a_value, b_value, dx);
        break;
    case HEED_UNARY_COUNT:
        break;
    }
#undef EACH
}

#endif
