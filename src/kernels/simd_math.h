/* Elementary functions of vectors. Polynomials are minimax fits made for this file; the bounds stated are of the whole
 * function in units in the last place (tests/kernels holds them). NaN gives NaN, infinities give limits. */
#ifndef HEED_KERNELS_SIMD_MATH_H
#define HEED_KERNELS_SIMD_MATH_H

#include "kernels/simd.h"

#include <float.h>
#include <math.h>

#define LOG2_E 1.44269504088896341f
#define LN2_HIGH 0.693359375f /* few enough bits that whole multiples are exact */
#define LN2_LOW (-2.12194440054690583e-4f)

/* x = n ln 2 + r with whole n and |r| <= ln(2)/2 */
INLINE vec v_reduce(vec x, vec *n)
{
    *n = v_round(v_multiply(x, v_set(LOG2_E)));
    return v_fnma(*n, v_set(LN2_LOW), v_fnma(*n, v_set(LN2_HIGH), x));
}

/* e^x, 1.5 ulp */
INLINE vec v_exp(vec x)
{
    vec n, r = v_reduce(v_minimum(v_set(89.0f), v_maximum(v_set(-104.0f), x)), &n);
    vec p = v_set(0.00138144591f);
    p = v_fma(p, r, v_set(0.00836878177f));
    p = v_fma(p, r, v_set(0.0416683927f));
    p = v_fma(p, r, v_set(0.166665196f));
    p = v_fma(p, r, v_set(0.49999994f));
    p = v_fma(p, r, v_set(1.0f));
    return v_scale(v_fma(p, r, v_set(1.0f)), n);
}

/* e^x - 1 for x in -80..80, 2 ulp */
INLINE vec v_expm1_bounded(vec x)
{
    vec n, r = v_reduce(x, &n), power;
    vec p = v_set(0.000198460068f);
    p = v_fma(p, r, v_set(0.00139407243f));
    p = v_fma(p, r, v_set(0.00833338965f));
    p = v_fma(p, r, v_set(0.0416663587f));
    p = v_fma(p, r, v_set(0.166666657f));
    p = v_fma(p, r, v_set(0.5f));
    p = v_fma(v_multiply(p, r), r, r);
    power = v_power_of_two(n);
    return v_fma(power, p, v_subtract(power, v_set(1.0f)));
}

/* e^x - 1 for x <= 0 */
INLINE vec v_expm1_negative(vec x)
{
    return v_expm1_bounded(v_maximum(v_set(-40.0f), x));
}

/* 3 ulp */
INLINE vec v_tanh(vec x)
{
    vec e = v_expm1_bounded(v_minimum(v_set(20.0f), v_abs(v_add(x, x))));
    return v_with_sign(v_divide(e, v_add(e, v_set(2.0f))), x);
}

/* 1 / (1 + e^-x), 3 ulp */
INLINE vec v_sigmoid(vec x)
{
    vec one = v_set(1.0f), e = v_exp(v_negative(v_abs(x))); /* of -|x|, which cannot overflow */
    return v_divide(v_select(v_less(x, v_zero()), e, one), v_add(one, e));
}

/* log((1 + f) 2^e) for f in -0.25..0.5 */
INLINE vec v_log_of(vec f, vec e)
{
    vec p = v_set(0.0376711525f);
    p = v_fma(p, f, v_set(-0.0911600813f));
    p = v_fma(p, f, v_set(0.117006391f));
    p = v_fma(p, f, v_set(-0.12727806f));
    p = v_fma(p, f, v_set(0.142762437f));
    p = v_fma(p, f, v_set(-0.166552946f));
    p = v_fma(p, f, v_set(0.199996039f));
    p = v_fma(p, f, v_set(-0.250001639f));
    p = v_fma(p, f, v_set(0.333333403f));
    vec square = v_multiply(f, f);
    vec small = v_fma(e, v_set(LN2_LOW), v_multiply(v_multiply(p, f), square));
    return v_fma(e, v_set(LN2_HIGH), v_add(v_fnma(v_set(0.5f), square, small), f));
}

/* the logarithm of x where it is not a finite positive number */
INLINE vec v_log_outside(vec x)
{
    return v_select(v_less(v_zero(), x), x,
                    v_select(v_less_equal(v_zero(), x), v_set(-INFINITY), v_set(NAN)));
}

INLINE mask v_is_positive(vec x) /* and finite */
{
    return both(v_less(v_zero(), x), v_less(x, v_set(INFINITY)));
}

/* 1.5 ulp */
INLINE vec v_log(vec x)
{
    vec e, mantissa = v_split(x, &e);
    return v_select(v_is_positive(x), v_log_of(v_subtract(mantissa, v_set(1.0f)), e), v_log_outside(x));
}

/* log(1 + x), 1.5 ulp */
INLINE vec v_log1p(vec x)
{
    vec sum = v_add(v_set(1.0f), x), e;
    v_split(sum, &e);
    vec power = v_scale(v_set(1.0f), v_negative(e));
    /* (1 + x) / 2^e - 1 from x itself, as the sum has lost bits */
    vec f = v_fma(x, power, v_subtract(power, v_set(1.0f)));
    return v_select(v_is_positive(sum), v_log_of(f, e), v_log_outside(sum));
}

/* log(1 + e^x) */
INLINE vec v_softplus(vec x)
{
    return v_add(v_maximum(v_zero(), x), v_log1p(v_exp(v_negative(v_abs(x)))));
}

/* The normal distribution function, 4 ulp. Its tail beyond a > 0 is e^(-a^2/2) times a polynomial in 1/(1 + 0.3 a). */
INLINE vec v_normal_distribution(vec x)
{
    vec a = v_minimum(v_set(14.5f), v_abs(x));
    vec t = v_divide(v_set(1.0f), v_fma(v_set(0.3f), a, v_set(1.0f)));
    vec p = v_set(-0.0200198367f);
    p = v_fma(p, t, v_set(0.108890928f));
    p = v_fma(p, t, v_set(-0.219089836f));
    p = v_fma(p, t, v_set(0.178256735f));
    p = v_fma(p, t, v_set(-0.0666551217f));
    p = v_fma(p, t, v_set(0.0881577879f));
    p = v_fma(p, t, v_set(0.0817509666f));
    p = v_fma(p, t, v_set(0.109301761f));
    p = v_fma(p, t, v_set(0.119735591f));
    p = v_fma(p, t, v_set(0.119670331f));
    p = v_fma(p, t, v_set(7.06305627e-07f));
    vec square = v_multiply(a, a), rest = v_fms(a, a, square); /* a^2 in two parts: its rounding would be amplified */
    vec tail = v_multiply(v_exp(v_multiply(v_set(-0.5f), square)), v_fnma(v_multiply(v_set(0.5f), rest), p, p));
    return v_select(v_less(v_zero(), x), v_subtract(v_set(1.0f), tail), tail);
}

/* infinities become the largest numbers: for products with a factor that vanishes there */
INLINE vec v_finite(vec x)
{
    return v_minimum(v_set(FLT_MAX), v_maximum(v_set(-FLT_MAX), x));
}

#endif
