#include "kernels/check.h"

/* What each function should be, in double precision. a and b are its parameters; slopes may use the given y. */
typedef double reference(double x, double a, double b, double y);

#define REFERENCE(name, VALUE)                                                                                         \
    static double name(double x, double a, double b, double y)                                                         \
    {                                                                                                                  \
        (void)x, (void)a, (void)b, (void)y;                                                                            \
        return VALUE;                                                                                                  \
    }

static double sign_of(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

static double clip_to(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double finite_of(double x) /* as the kernels: so that infinity times zero is zero */
{
    return clip_to(x, -FLT_MAX, FLT_MAX);
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double soft(double x)
{
    return (x < 0 ? 0 : x) + log1p(exp(-fabs(x)));
}

static double normal_distribution(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double gelu_argument(double x)
{
    double y = clip_to(x, -50, 50);
    return sqrt(2 / 3.14159265358979323846) * (y + 0.044715 * y * y * y);
}

static double gelu_tanh_derivative(double x)
{
    double s = logistic(2 * gelu_argument(x)), y = clip_to(x, -50, 50);
    return s + 2 * y * s * (1 - s) * sqrt(2 / 3.14159265358979323846) * (1 + 3 * 0.044715 * y * y);
}

static double selu_of(double x)
{
    return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
}

static double selu_slope_of(double x)
{
    return 1.0507009873554805 * (x > 0 ? 1 : 1.6732632423543772 * exp(x));
}

static double mish_derivative(double x)
{
    double t = tanh(soft(x));
    return t + finite_of(x) * logistic(x) * (1 - t * t);
}

static double root_of(double x, double a)
{
    return sqrt(x * x + a);
}

static double hard(double x, double a)
{
    return clip_to(a * x + 0.5, 0, 1);
}

static double hard_slope(double x, double a)
{
    return a * x + 0.5 > 0 && a * x + 0.5 < 1 ? a : 0;
}

/* Columns: function, parameters, value, its bound, slope, its bound. A bound of (u, c) is u units in the last place of
 * what is expected plus c float epsilons of max(1, |x|): c is for differences of numbers of x's size. */
#define FUNCTIONS(X)                                                                                                   \
    X(NEGATIVE, 0, 0, -x, 0, 0, -1, 0, 0)                                                                              \
    X(ABS, 0, 0, fabs(x), 0, 0, sign_of(x), 0, 0)                                                                      \
    X(SIGN, 0, 0, sign_of(x), 0, 0, 0, 0, 0)                                                                           \
    X(SQUARE, 0, 0, x *x, 0.5, 0, 2 * x, 0, 0)                                                                         \
    X(SQRT, 0, 0, sqrt(x), 0.5, 0, 0.5 / y, 0.5, 0)                                                                    \
    X(RSQRT, 0, 0, 1 / sqrt(x), 1.5, 0, -0.5 * y * y * y, 1.5, 0)                                                      \
    X(RECIPROCAL, 0, 0, 1 / x, 0.5, 0, -y *y, 0.5, 0)                                                                  \
    X(EXP, 0, 0, exp(x), 1.5, 0, y, 0, 0)                                                                              \
    X(LOG, 0, 0, log(x), 1.5, 0, 1 / x, 0.5, 0)                                                                        \
    X(LOG1P, 0, 0, log1p(x), 1.5, 0, 1 / (1 + x), 1.5, 0)                                                              \
    X(SCALE, 1.7f, -0.3f, a *x + b, 1, 1, a, 0, 0)                                                                     \
    X(CLIP, -0.5f, 2, clip_to(x, a, b), 0, 0, x >= a && x <= b, 0, 0)                                                  \
    X(POWER, 2.5f, 0, pow(x, a), 1, 0, a *pow(x, a - 1), 2, 0)                                                         \
    X(TANH, 0, 0, tanh(x), 3, 0, 1 - y * y, 1, 0.5)                                                                    \
    X(SIGMOID, 0, 0, logistic(x), 3, 0, y *(1 - y), 2, 0)                                                              \
    X(RELU, 0, 0, x < 0 ? 0 : x, 0, 0, x > 0, 0, 0)                                                                    \
    X(RELU6, 0, 0, clip_to(x, 0, 6), 0, 0, x > 0 && x < 6, 0, 0)                                                       \
    X(LEAKY_RELU, 0.2f, 0, x > 0 ? x : a * x, 0.5, 0, x > 0 ? 1 : a, 0, 0)                                             \
    X(ELU, 1.3f, 0, x > 0 ? x : a * expm1(x), 3, 0, x > 0 ? 1 : a * exp(x), 3, 0)                                      \
    X(SELU, 0, 0, selu_of(x), 4, 0, selu_slope_of(x), 4, 0)                                                            \
    X(CELU, 0.7f, 0, x > 0 ? x : a * expm1(x / a), 4, 1, x > 0 ? 1 : exp(x / a), 3, 1)                                 \
    X(GELU, 0, 0, finite_of(x) * normal_distribution(x), 4, 1,                                                         \
      normal_distribution(x) + finite_of(x) * exp(-0.5 * x * x) / sqrt(2 * 3.14159265358979323846), 4, 2)              \
    X(GELU_TANH, 0, 0, finite_of(x) * logistic(2 * gelu_argument(x)), 4, 2, gelu_tanh_derivative(x), 4, 4)             \
    X(SILU, 0, 0, finite_of(x) * logistic(x), 4, 0, logistic(x) + logistic(x) * finite_of(x) * logistic(-x), 4, 2)     \
    X(MISH, 0, 0, finite_of(x) * tanh(soft(x)), 6, 0, mish_derivative(x), 4, 3)                                        \
    X(SOFTPLUS, 0, 0, soft(x), 3, 0, logistic(x), 3, 0)                                                                \
    X(SOFTSIGN, 0, 0, isinf(x) ? sign_of(x) : x / (1 + fabs(x)), 1.5, 0, 1 / ((1 + fabs(x)) * (1 + fabs(x))), 5, 0)    \
    X(HARD_SIGMOID, 0.2f, 0, hard(x, a), 1, 1, hard_slope(x, a), 0, 0)                                                 \
    X(HARD_SILU, 0.2f, 0, finite_of(x) * hard(x, a), 2, 2, hard(x, a) + finite_of(x) * hard_slope(x, a), 2, 2)         \
    X(LOG_SIGMOID, 0, 0, -soft(-x), 3, 0, logistic(-x), 3, 0)                                                          \
    X(HARD_TANH, 0, 0, clip_to(x, -1, 1), 0, 0, x >= -1 && x <= 1, 0, 0)                                               \
    X(TANH_SHRINK, 0, 0, x - tanh(x), 1, 3, tanh(x) * tanh(x), 7, 0)                                                   \
    X(SOFT_SHRINK, 0.5f, 0, x > a ? x - a : x < -a ? x + a : 0, 0.5, 0, fabs(x) > a, 0, 0)                             \
    X(HARD_SHRINK, 0.5f, 0, fabs(x) > a ? x : 0, 0, 0, fabs(x) > a, 0, 0)                                              \
    X(THRESHOLD, 0.5f, -2, x > a ? x : b, 0, 0, x > a, 0, 0)                                                           \
    X(SQUAREPLUS, 4, 0, x < 0 ? 0.5 * a / (root_of(x, a) - x) : 0.5 * (x + root_of(x, a)), 3, 0,                       \
      0.5 + 0.5 * (finite_of(x) / root_of(finite_of(x), a)), 2, 1)                                                     \
    X(SPARSE_PLUS, 0, 0, x <= -1 ? 0 : x < 1 ? 0.25 * (x + 1) * (x + 1) : x, 2, 0, clip_to(0.5 * (x + 1), 0, 1), 1, 0) \
    X(SPARSE_SIGMOID, 0, 0, clip_to(0.5 * (x + 1), 0, 1), 1, 0, fabs(x) < 1 ? 0.5 : 0, 0, 0)                           \
    X(SIN, 0, 0, sin(x), 1, 0, cos(x), 1, 0)                                                                           \
    X(COS, 0, 0, cos(x), 1, 0, -sin(x), 1, 0)                                                                          \
    X(ERF, 0, 0, erf(x), 1, 0, 2 / sqrt(3.14159265358979323846) * exp(-x * x), 2, 1)

#define DEFINE(id, a_value, b_value, VALUE, u, c, SLOPE, slope_u, slope_c)                                             \
    REFERENCE(value_of_##id, VALUE) REFERENCE(slope_of_##id, SLOPE)
FUNCTIONS(DEFINE)

typedef struct function {
    const char *name;
    heed_unary_function id;
    float a, b;
    reference *value, *slope;
    double value_ulps, value_size, slope_ulps, slope_size;
} function;

static const function functions[] = {
#define ROW(id, a_value, b_value, VALUE, u, c, SLOPE, slope_u, slope_c)                                                \
    {#id, HEED_UNARY_##id, a_value, b_value, value_of_##id, slope_of_##id, u, c, slope_u, slope_c},
    FUNCTIONS(ROW)
};
_Static_assert(sizeof functions / sizeof *functions == HEED_UNARY_COUNT, "a function is not tested");

static const float specials[] = {
    0.0f, -0.0f, 1e-45f, -1e-45f, 1e-39f, -1e-39f, FLT_MIN, -FLT_MIN, 1e-20f, -1e-20f, 1e-7f, -1e-7f, 1e-4f, -1e-4f,
    0.1f, -0.1f, 0.25f, -0.25f, 0.3465f, -0.3465f, 0.3467f, -0.3467f, 0.5f, -0.5f, 0.75f, -0.75f, 0.99999994f,
    -0.99999994f, 1, -1, 1.0000001f, -1.0000001f, 1.5f, -1.5f, 2, -2, 5, -5, 6, -6, 8.7f, -8.7f, 10, -10, 14.4f, -14.4f,
    20, -20, 44, -44, 87.3f, -87.3f, 88.7f, -88.7f, 88.8f, -88.8f, 90, -90, 103.2f, -103.2f, 104.5f, -104.5f, 500, -500,
    1e5f, -1e5f, 1e10f, -1e10f, 1e16f, -1e16f, 1.5e19f, -1.5e19f, 3e38f, -3e38f, FLT_MAX, -FLT_MAX, INFINITY, -INFINITY,
    NAN,
};
enum { SPECIAL_COUNT = sizeof specials / sizeof *specials };

static float *interesting_input(int64_t n)
{
    float *x = input_block(n);
    for (int64_t i = 0; i < n; i++) {
        switch (heed_random_below(&source, 4)) {
        case 0: x[i] = specials[heed_random_below(&source, SPECIAL_COUNT)]; break;
        case 1: x[i] = random_float(-1, 1); break;
        case 2: x[i] = random_float(-20, 20); break;
        default: x[i] = random_float(-100, 100) * expf(random_float(-20, 5)); break;
        }
    }
    return x;
}

/* Numbers too small to be normal may become zero, in composed functions on the way. */
static double bound(double expected, double ulps, double size, double x)
{
    double magnitude = fabs(x) < 1 ? 1 : fabs(x) < 1e3 ? fabs(x) : 1e3;
    return ulps * ulp(expected) + size * FLT_EPSILON * magnitude + (ulps > 1.5 || size > 0 ? FLT_MIN : 0);
}

/* what a double is as a float, where that overflows */
static double as_float(double x)
{
    return fabs(x) > FLT_MAX * (1 + FLT_EPSILON / 4) ? copysign(INFINITY, x) : x;
}

static bool overflows_nearly(double found, double expected)
{
    return isinf(found) && fabs(expected) > FLT_MAX * (1 - 4 * FLT_EPSILON);
}

static void check_function(const heed_kernels *k, const function *f, int64_t n, const float *x)
{
    float *y = output_block(n), *dx = output_block(n), *in_place = output_copy(n, x);
    const float *dy = random_input(n, 0.5f, 1.5f);
    k->unary(f->id, n, x, f->a, f->b, y);
    k->unary(f->id, n, in_place, f->a, f->b, in_place);
    k->unary_gradient(f->id, n, x, y, dy, f->a, f->b, dx);
    for (int64_t i = 0; i < n; i++) {
        double expected = isnan(x[i]) && f->id != HEED_UNARY_THRESHOLD ? NAN : as_float(f->value(x[i], f->a, f->b, 0));
        if (!overflows_nearly(y[i], expected) &&
            !near_to(y[i], expected, bound(expected, f->value_ulps, f->value_size, x[i])))
            fail_msg("%s %s(%.9g): found %.9g, expected %.9g", k->name, f->name, (double)x[i], (double)y[i], expected);
        if (memcmp(&y[i], &in_place[i], sizeof *y) != 0 && !isnan(y[i]))
            fail_msg("%s %s(%.9g): %.9g, but in place %.9g", k->name, f->name, (double)x[i], (double)y[i],
                     (double)in_place[i]);
        double slope = as_float(dy[i] * as_float(f->slope(x[i], f->a, f->b, y[i])));
        if (!isnan(x[i]) && !overflows_nearly(dx[i], slope) &&
            !near_to(dx[i], slope, bound(slope, f->slope_ulps + 1, f->slope_size, x[i])))
            fail_msg("%s gradient of %s at %.9g: found %.9g, expected %.9g", k->name, f->name, (double)x[i],
                     (double)dx[i], slope);
    }
}

static void test_unary_specials(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        for (int f = 0; f < HEED_UNARY_COUNT; f++) {
            float *x = input_block(SPECIAL_COUNT);
            memcpy(x, specials, sizeof specials);
            check_function(k, &functions[f], SPECIAL_COUNT, x);
            release_blocks();
        }
    }
}

static void test_unary_lengths(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        for (int f = 0; f < HEED_UNARY_COUNT; f++) {
            EACH_LENGTH (n) {
                check_function(k, &functions[f], n, interesting_input(n));
                release_blocks();
            }
            check_function(k, &functions[f], 20000, interesting_input(20000));
            release_blocks();
        }
    }
}

/* NaN comes out as NaN, but for functions that compare it with a threshold */
static void test_unary_nan(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        for (int f = 0; f < HEED_UNARY_COUNT; f++) {
            float x = NAN, y = 0;
            k->unary(functions[f].id, 1, &x, functions[f].a, functions[f].b, &y);
            if (functions[f].id != HEED_UNARY_THRESHOLD && !isnan(y))
                fail_msg("%s %s(NaN) is %g", k->name, functions[f].name, (double)y);
        }
    }
}

static double binary_reference(heed_binary_function f, double p, double q)
{
    switch (f) {
    case HEED_BINARY_ADD: return p + q;
    case HEED_BINARY_SUBTRACT: return p - q;
    case HEED_BINARY_MULTIPLY: return p * q;
    case HEED_BINARY_DIVIDE: return p / q;
    case HEED_BINARY_MAXIMUM: return isnan(p) || isnan(q) ? NAN : p > q ? p : q;
    case HEED_BINARY_MINIMUM: return isnan(p) || isnan(q) ? NAN : p < q ? p : q;
    case HEED_BINARY_COUNT: break;
    }
    return 0;
}

static void test_binary(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        for (int f = 0; f < HEED_BINARY_COUNT; f++) {
            for (int steps = 0; steps < 4; steps++) {
                EACH_LENGTH (n) {
                    int64_t a_step = steps & 1, b_step = steps >> 1;
                    const float *a = interesting_input(a_step ? n : n > 0), *b = interesting_input(b_step ? n : n > 0);
                    float *y = output_block(n);
                    k->binary((heed_binary_function)f, n, a, a_step, b, b_step, y);
                    for (int64_t i = 0; i < n; i++) {
                        double expected = binary_reference((heed_binary_function)f, a[i * a_step], b[i * b_step]);
                        CHECK_NEAR(k, "binary", i, y[i], as_float(expected), 0.5 * ulp(expected));
                    }
                    if (a_step && n) {
                        float *in_place = output_copy(n, a);
                        k->binary((heed_binary_function)f, n, in_place, 1, b, b_step, in_place);
                        for (int64_t i = 0; i < n; i++)
                            CHECK_NEAR(k, "binary in place", i, in_place[i], y[i], 0);
                    }
                    release_blocks();
                }
            }
        }
    }
}

static void test_axpy_and_multiply_add(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            const float *a = random_input(n, -2, 2), *b = random_input(n, -2, 2), *start = random_input(n, -2, 2);
            float *y = output_copy(n, start), *z = output_copy(n, start);
            k->axpy(n, 0.7f, a, y);
            k->multiply_add(n, a, b, z);
            for (int64_t i = 0; i < n; i++) {
                double size = FLT_EPSILON * 4;
                CHECK_NEAR(k, "axpy", i, y[i], start[i] + (double)0.7f * a[i], size);
                CHECK_NEAR(k, "multiply_add", i, z[i], start[i] + (double)a[i] * b[i], size);
            }
            release_blocks();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary_specials), cmocka_unit_test(test_unary_lengths), cmocka_unit_test(test_unary_nan),
        cmocka_unit_test(test_binary),         cmocka_unit_test(test_axpy_and_multiply_add),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
