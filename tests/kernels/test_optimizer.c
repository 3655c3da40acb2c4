#include "kernels/check.h"

/* w before, its gradient, and up to three buffers of non-negative numbers */
typedef struct weights {
    const float *w, *g, *buffer[3];
    float *new_w, *new_buffer[3];
} weights;

static weights random_weights(int64_t n)
{
    weights s = {.w = random_input(n, -1, 1), .g = random_input(n, -1, 1)};
    s.new_w = output_copy(n, s.w);
    for (int b = 0; b < 3; b++) {
        s.buffer[b] = random_input(n, 0.3f, 1);
        s.new_buffer[b] = output_copy(n, s.buffer[b]);
    }
    return s;
}

static const double close = 4 * FLT_EPSILON;

static void test_sgd_and_momentum(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            weights s = random_weights(n);
            k->sgd(n, s.new_w, s.g, 0.1f);
            for (int64_t i = 0; i < n; i++)
                CHECK_NEAR(k, "sgd", i, s.new_w[i], s.w[i] - (double)0.1f * s.g[i], close);
            for (int nesterov = 0; nesterov < 2; nesterov++) {
                s = random_weights(n);
                k->momentum(n, s.new_w, s.g, s.new_buffer[0], 0.1f, 0.9f, nesterov);
                for (int64_t i = 0; i < n; i++) {
                    double step = (double)0.1f * s.g[i], m = (double)0.9f * s.buffer[0][i] - step;
                    CHECK_NEAR(k, "momentum m", i, s.new_buffer[0][i], m, close);
                    double change = nesterov ? (double)0.9f * m - step : m;
                    CHECK_NEAR(k, "momentum w", i, s.new_w[i], s.w[i] + change, close);
                }
            }
            release_blocks();
        }
    }
}

static void test_adam(void **state)
{
    (void)state;
    const float alpha = 0.01f, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-7f;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int amsgrad = 0; amsgrad < 2; amsgrad++) {
                weights s = random_weights(n);
                float *m = s.new_buffer[0], *v = s.new_buffer[1], *top = amsgrad ? s.new_buffer[2] : NULL;
                k->adam(n, s.new_w, s.g, m, v, top, alpha, beta1, beta2, epsilon);
                for (int64_t i = 0; i < n; i++) {
                    double g = s.g[i], m0 = s.buffer[0][i], v0 = s.buffer[1][i], scale;
                    double m1 = m0 + (g - m0) * (1 - (double)beta1), v1 = v0 + (g * g - v0) * (1 - (double)beta2);
                    scale = amsgrad && s.buffer[2][i] > v1 ? s.buffer[2][i] : v1;
                    CHECK_NEAR(k, "adam m", i, m[i], m1, close);
                    CHECK_NEAR(k, "adam v", i, v[i], v1, close);
                    double step = alpha * m1 / (sqrt(scale) + (double)epsilon);
                    CHECK_NEAR(k, "adam w", i, s.new_w[i], s.w[i] - step, close);
                    if (amsgrad)
                        CHECK_NEAR(k, "adam v_max", i, top[i], scale, close);
                }
                release_blocks();
            }
        }
    }
}

static void test_rmsprop(void **state)
{
    (void)state;
    const float rate = 0.01f, rho = 0.9f, momentum = 0.8f, epsilon = 1e-3f;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int given = 0; given < 4; given++) {
                weights s = random_weights(n);
                float *v = s.new_buffer[0], *average = given & 1 ? s.new_buffer[1] : NULL;
                float *m = given & 2 ? s.new_buffer[2] : NULL;
                k->rmsprop(n, s.new_w, s.g, v, average, m, rate, rho, momentum, epsilon);
                for (int64_t i = 0; i < n; i++) {
                    double g = s.g[i], r = (double)rho, v1 = r * s.buffer[0][i] + (1 - r) * g * g;
                    double a1 = r * s.buffer[1][i] + (1 - r) * g;
                    double variance = average ? fmax(v1 - a1 * a1, 0) : v1;
                    double step = rate * g / sqrt(variance + (double)epsilon);
                    double m1 = (double)momentum * s.buffer[2][i] + step;
                    /* where the variance nearly vanishes, its rounding counts for more */
                    double bound = close * (1 + fabs(step) / (variance + (double)epsilon));
                    CHECK_NEAR(k, "rmsprop v", i, v[i], v1, close);
                    if (average)
                        CHECK_NEAR(k, "rmsprop average", i, average[i], a1, close);
                    if (m)
                        CHECK_NEAR(k, "rmsprop m", i, m[i], m1, bound);
                    CHECK_NEAR(k, "rmsprop w", i, s.new_w[i], s.w[i] - (m ? m1 : step), bound);
                }
                release_blocks();
            }
        }
    }
}

static void test_adagrad(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            weights s = random_weights(n);
            k->adagrad(n, s.new_w, s.g, s.new_buffer[0], 0.1f, 1e-7f);
            for (int64_t i = 0; i < n; i++) {
                double a1 = s.buffer[0][i] + (double)s.g[i] * s.g[i];
                CHECK_NEAR(k, "adagrad accumulator", i, s.new_buffer[0][i], a1, close);
                CHECK_NEAR(k, "adagrad w", i, s.new_w[i], s.w[i] - (double)0.1f * s.g[i] / sqrt(a1 + 1e-7), close);
            }
            release_blocks();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd_and_momentum),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_rmsprop),
        cmocka_unit_test(test_adagrad),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
