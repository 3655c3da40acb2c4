#include "kernels/generic.h"

#include <float.h>
#include <math.h>

#define SQRT_HALF 0.70710678118654752440f
#define SQRT_2_OVER_PI 0.79788456080286535588f
#define ONE_OVER_SQRT_2PI 0.39894228040143267794f
#define SELU_SCALE 1.0507009873554805f
#define SELU_ALPHA 1.6732632423543772f

/* Comparisons are written so that a NaN comes out as NaN. */

static inline float sign(float x)
{
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
}

static inline float clip(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* for products with a factor that goes to zero faster than x grows: infinity times zero would be NaN */
static inline float finite(float x)
{
    return clip(x, -FLT_MAX, FLT_MAX);
}

static inline float softplus(float x)
{
    return (x < 0.0f ? 0.0f : x) + log1pf(expf(-fabsf(x)));
}

static inline float normal_distribution(float x)
{
    return 0.5f * erfcf(-x * SQRT_HALF);
}

static inline float gelu_tanh_argument(float x)
{
    float y = clip(x, -50.0f, 50.0f); /* tanh of it is 1 long before; the cube must not overflow */
    return SQRT_2_OVER_PI * (y + 0.044715f * y * y * y);
}

static inline float hard_sigmoid(float x, float a)
{
    return clip(a * x + 0.5f, 0.0f, 1.0f);
}

/* sqrt(x^2 + a), where the square would overflow |x| */
static inline float squareplus_root(float x, float a)
{
    return fabsf(x) > 1e15f ? fabsf(x) : sqrtf(x * x + a);
}

static inline float squareplus(float x, float a)
{
    float root = squareplus_root(x, a);
    return x < 0.0f ? 0.5f * a / (root - x) : 0.5f * x + 0.5f * root; /* the same number, without cancellation */
}

static inline float softsign(float x)
{
    return fabsf(x) > 1e15f ? sign(x) : x / (1.0f + fabsf(x));
}

static inline float square(float x)
{
    return x * x;
}

void heed_generic_unary(heed_unary_function f, int64_t n, const float *input, float a, float b, float *output)
{
#define EACH(ID, VALUE)                                                                                                \
    case HEED_UNARY_##ID:                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            float x = input[i];                                                                                        \
            output[i] = (VALUE);                                                                                       \
        }                                                                                                              \
        break;
    switch (f) {
        EACH(NEGATIVE, -x)
        EACH(ABS, fabsf(x))
        EACH(SIGN, sign(x))
        EACH(SQUARE, x * x)
        EACH(SQRT, sqrtf(x))
        EACH(RSQRT, 1.0f / sqrtf(x))
        EACH(RECIPROCAL, 1.0f / x)
        EACH(EXP, expf(x))
        EACH(LOG, logf(x))
        EACH(LOG1P, log1pf(x))
        EACH(SCALE, a * x + b)
        EACH(CLIP, clip(x, a, b))
        EACH(POWER, powf(x, a))
        EACH(TANH, tanhf(x))
        EACH(SIGMOID, heed_generic_sigmoid(x))
        EACH(RELU, x < 0.0f ? 0.0f : x)
        EACH(RELU6, clip(x, 0.0f, 6.0f))
        EACH(LEAKY_RELU, x > 0.0f ? x : a * x)
        EACH(ELU, x > 0.0f ? x : a * expm1f(x))
        EACH(SELU, SELU_SCALE * (x > 0.0f ? x : SELU_ALPHA * expm1f(x)))
        EACH(CELU, x > 0.0f ? x : a * expm1f(x / a))
        EACH(GELU, finite(x) * normal_distribution(x))
        EACH(GELU_TANH, finite(x) * heed_generic_sigmoid(2.0f * gelu_tanh_argument(x)))
        EACH(SILU, finite(x) * heed_generic_sigmoid(x))
        EACH(MISH, finite(x) * tanhf(softplus(x)))
        EACH(SOFTPLUS, softplus(x))
        EACH(SOFTSIGN, softsign(x))
        EACH(HARD_SIGMOID, hard_sigmoid(x, a))
        EACH(HARD_SILU, finite(x) * hard_sigmoid(x, a))
        EACH(LOG_SIGMOID, -softplus(-x))
        EACH(HARD_TANH, clip(x, -1.0f, 1.0f))
        EACH(TANH_SHRINK, x - tanhf(x))
        EACH(SOFT_SHRINK, x > a ? x - a : x < -a ? x + a : x - x)
        EACH(HARD_SHRINK, fabsf(x) > a ? x : 0.0f * x)
        EACH(THRESHOLD, x > a ? x : b)
        EACH(SQUAREPLUS, squareplus(x, a))
        EACH(SPARSE_PLUS, x <= -1.0f ? 0.0f : x < 1.0f ? 0.25f * square(x + 1.0f) : x)
        EACH(SPARSE_SIGMOID, clip(0.5f * (x + 1.0f), 0.0f, 1.0f))
        EACH(SIN, sinf(x))
        EACH(COS, cosf(x))
        EACH(ERF, erff(x))
    case HEED_UNARY_COUNT:
        break;
    }
#undef EACH
}

static inline float elu_slope(float x, float a)
{
    return x > 0.0f ? 1.0f : a * expf(x);
}

static inline float gelu_slope(float x)
{
    return normal_distribution(x) + finite(x) * ONE_OVER_SQRT_2PI * expf(-0.5f * x * x);
}

static inline float gelu_tanh_slope(float x)
{
    float s = heed_generic_sigmoid(2.0f * gelu_tanh_argument(x)), y = clip(x, -50.0f, 50.0f);
    return s + 2.0f * y * s * (1.0f - s) * SQRT_2_OVER_PI * (1.0f + 3.0f * 0.044715f * y * y);
}

static inline float silu_slope(float x)
{
    float s = heed_generic_sigmoid(x);
    return s + s * (finite(x) * heed_generic_sigmoid(-x));
}

static inline float mish_slope(float x)
{
    float t = tanhf(softplus(x));
    return t + finite(x) * heed_generic_sigmoid(x) * (1.0f - t * t);
}

static inline float hard_sigmoid_slope(float x, float a)
{
    float y = a * x + 0.5f;
    return y > 0.0f && y < 1.0f ? a : 0.0f;
}

void heed_generic_unary_gradient(heed_unary_function f, int64_t n, const float *input, const float *output,
                                 const float *dy, float a, float b, float *dx)
{
#define EACH(ID, SLOPE)                                                                                                \
    case HEED_UNARY_##ID:                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            float x = input[i], y = output[i];                                                                         \
            (void)x;                                                                                                   \
            (void)y;                                                                                                   \
            dx[i] = dy[i] * (SLOPE);                                                                                   \
        }                                                                                                              \
        break;
    switch (f) {
        EACH(NEGATIVE, -1.0f)
        EACH(ABS, sign(x))
        EACH(SIGN, 0.0f)
        EACH(SQUARE, 2.0f * x)
        EACH(SQRT, 0.5f / y)
        EACH(RSQRT, -0.5f * y * y * y)
        EACH(RECIPROCAL, -y * y)
        EACH(EXP, y)
        EACH(LOG, 1.0f / x)
        EACH(LOG1P, 1.0f / (1.0f + x))
        EACH(SCALE, a)
        EACH(CLIP, x >= a && x <= b ? 1.0f : 0.0f)
        EACH(POWER, a == 0.0f ? 0.0f : a * powf(x, a - 1.0f))
        EACH(TANH, 1.0f - y * y)
        EACH(SIGMOID, y * (1.0f - y))
        EACH(RELU, x > 0.0f ? 1.0f : 0.0f)
        EACH(RELU6, x > 0.0f && x < 6.0f ? 1.0f : 0.0f)
        EACH(LEAKY_RELU, x > 0.0f ? 1.0f : a)
        EACH(ELU, elu_slope(x, a))
        EACH(SELU, SELU_SCALE * elu_slope(x, SELU_ALPHA))
        EACH(CELU, elu_slope(x / a, 1.0f))
        EACH(GELU, gelu_slope(x))
        EACH(GELU_TANH, gelu_tanh_slope(x))
        EACH(SILU, silu_slope(x))
        EACH(MISH, mish_slope(x))
        EACH(SOFTPLUS, heed_generic_sigmoid(x))
        EACH(SOFTSIGN, square(1.0f / (1.0f + fabsf(x))))
        EACH(HARD_SIGMOID, hard_sigmoid_slope(x, a))
        EACH(HARD_SILU, hard_sigmoid(x, a) + finite(x) * hard_sigmoid_slope(x, a))
        EACH(LOG_SIGMOID, heed_generic_sigmoid(-x))
        EACH(HARD_TANH, x >= -1.0f && x <= 1.0f ? 1.0f : 0.0f)
        EACH(TANH_SHRINK, square(tanhf(x)))
        EACH(SOFT_SHRINK, fabsf(x) > a ? 1.0f : 0.0f)
        EACH(HARD_SHRINK, fabsf(x) > a ? 1.0f : 0.0f)
        EACH(THRESHOLD, x > a ? 1.0f : 0.0f)
        EACH(SQUAREPLUS, 0.5f + 0.5f * (finite(x) / squareplus_root(finite(x), a)))
        EACH(SPARSE_PLUS, clip(0.5f * (x + 1.0f), 0.0f, 1.0f))
        EACH(SPARSE_SIGMOID, fabsf(x) < 1.0f ? 0.5f : 0.0f)
        EACH(SIN, cosf(x))
        EACH(COS, -sinf(x))
        EACH(ERF, 1.12837916709551257390f * expf(-x * x))
    case HEED_UNARY_COUNT:
        break;
    }
#undef EACH
}
