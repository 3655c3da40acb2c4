#include "kernels/check.h"

static void test_sums(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            const float *a = random_input(n, -1, 2), *b = random_input(n, -1, 2);
            double sum = 0, dot = 0, squares = 0, sum_size = 0, dot_size = 0;
            for (int64_t i = 0; i < n; i++) {
                sum += a[i];
                dot += (double)a[i] * b[i];
                squares += (double)a[i] * a[i];
                sum_size += fabs(a[i]);
                dot_size += fabs((double)a[i] * b[i]);
            }
            CHECK_NEAR(k, "sum", n, k->sum(n, a), sum, 2 * FLT_EPSILON * sum_size);
            CHECK_NEAR(k, "dot", n, k->dot(n, a, b), dot, 2 * FLT_EPSILON * dot_size);
            CHECK_NEAR(k, "sum_of_squares", n, k->sum_of_squares(n, a), squares,
                       DBL_EPSILON * sqrt((double)n + 1) * squares);
            release_blocks();
        }
    }
}

static void test_maximum(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            float *x = random_input(n, -5, -1);
            assert_true(n > 0 || k->maximum(0, x) == -INFINITY);
            for (int64_t i = 0; i < n; i++) {
                float old = x[i];
                x[i] = -0.5f;
                CHECK_NEAR(k, "maximum", i, k->maximum(n, x), -0.5, 0);
                x[i] = INFINITY;
                CHECK_NEAR(k, "maximum", i, k->maximum(n, x), INFINITY, 0);
                x[i] = NAN;
                CHECK_NEAR(k, "maximum", i, k->maximum(n, x), NAN, 0);
                x[i] = old;
            }
            release_blocks();
        }
    }
}

static void test_add_columns(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int64_t rows = 0; rows < 6; rows++) {
                int64_t ldx = n + heed_random_below(&source, 3);
                const float *x = random_input(rows ? (rows - 1) * ldx + n : 0, -1, 1), *start = random_input(n, -1, 1);
                float *y = output_copy(n, start);
                k->add_columns(rows, n, x, ldx, y);
                for (int64_t j = 0; j < n; j++) {
                    double expected = start[j];
                    for (int64_t i = 0; i < rows; i++)
                        expected += x[i * ldx + j];
                    CHECK_NEAR(k, "add_columns", j, y[j], expected, 8 * FLT_EPSILON);
                }
                release_blocks();
            }
        }
    }
}

static double log_sum(int64_t n, const float *x, const uint8_t *keep)
{
    double top = -INFINITY, total = 0;
    for (int64_t i = 0; i < n; i++)
        top = (!keep || keep[i]) && x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < n; i++)
        total += (!keep || keep[i]) && top > -INFINITY ? exp(x[i] - top) : 0;
    return top + log(total);
}

/* The relative errors of exponential and sum, and the absolute one of x - maximum, which is about log(expected) */
static double softmax_bound(double expected)
{
    return FLT_EPSILON * (6 - log(expected + FLT_MIN)) * expected + FLT_MIN;
}

static void check_softmax(const heed_kernels *k, int64_t n, const float *x, const uint8_t *keep)
{
    float *y = output_block(n), *in_place = output_copy(n, x);
    k->softmax(n, x, keep, y);
    k->softmax(n, in_place, keep, in_place);
    double shift = log_sum(n, x, keep);
    for (int64_t i = 0; i < n; i++) {
        double expected = (!keep || keep[i]) && x[i] > -INFINITY ? exp(x[i] - shift) : 0;
        CHECK_NEAR(k, keep ? "softmax of kept" : "softmax", i, y[i], expected, softmax_bound(expected));
        CHECK_NEAR(k, "softmax in place", i, in_place[i], y[i], 0);
    }
}

static uint8_t *random_bytes(int64_t n, uint32_t one_in)
{
    uint8_t *bytes = malloc(n ? (size_t)n : 1);
    assert_non_null(bytes);
    for (int64_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(heed_random_below(&source, one_in) ? 0 : 1 + heed_random_below(&source, 255));
    return bytes;
}

static void test_softmax(void **state)
{
    (void)state;
    static const float ranges[] = {1, 10, 80, 1e4f};
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int r = 0; r < 4; r++) {
                float *x = random_input(n, -ranges[r], ranges[r]);
                check_softmax(k, n, x, NULL);
                for (uint32_t one_in = 1; one_in <= 40; one_in *= 2) {
                    uint8_t *keep = random_bytes(n, one_in);
                    check_softmax(k, n, x, keep);
                    free(keep);
                }
                for (int64_t i = 0; i < n; i += 1 + heed_random_below(&source, 3))
                    x[i] = -INFINITY;
                check_softmax(k, n, x, NULL);
                release_blocks();
            }
        }
    }
}

/* what is left out is 0 whatever lies there; what is kept is NaN where the maximum is no finite number */
static void test_softmax_strange(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        for (int64_t n = 2; n < 40; n++) {
            float *x = random_input(n, -1, 1), *y = output_block(n);
            uint8_t *keep = random_bytes(n, 1);
            int64_t strange = heed_random_below(&source, (uint32_t)n);
            x[strange] = NAN;
            k->softmax(n, x, NULL, y);
            for (int64_t i = 0; i < n; i++)
                assert_true(isnan(y[i]));
            keep[strange] = 0;
            check_softmax(k, n, x, keep);
            keep[strange] = 1;
            keep[(strange + 1) % n] = 0;
            k->softmax(n, x, keep, y);
            for (int64_t i = 0; i < n; i++)
                CHECK_NEAR(k, "softmax beside NaN", i, y[i], keep[i] ? NAN : 0, 0);
            free(keep);
            release_blocks();
        }
    }
}

static void test_softmax_gradient(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            const float *x = random_input(n, -3, 3), *dy = random_input(n, -1, 1);
            float *y = output_block(n), *dx = output_block(n);
            k->softmax(n, x, NULL, y);
            k->softmax_gradient(n, y, dy, dx);
            double mean = 0;
            for (int64_t i = 0; i < n; i++)
                mean += (double)y[i] * dy[i];
            for (int64_t i = 0; i < n; i++)
                CHECK_NEAR(k, "softmax_gradient", i, dx[i], y[i] * (dy[i] - mean), 8 * FLT_EPSILON * y[i]);
            release_blocks();
        }
    }
}

static void test_log_softmax(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            float range = heed_random_below(&source, 2) ? 3.0f : 60.0f;
            const float *x = random_input(n, -range, range), *dy = random_input(n, -1, 1);
            float *y = output_block(n), *dx = output_block(n);
            k->log_softmax(n, x, y);
            k->log_softmax_gradient(n, y, dy, dx);
            double shift = log_sum(n, x, NULL), total = 0;
            if (n > 0)
                CHECK_NEAR(k, "log_sum_exp", n, k->log_sum_exp(n, x), shift, 4 * FLT_EPSILON * (1 + range));
            for (int64_t i = 0; i < n; i++)
                total += dy[i];
            for (int64_t i = 0; i < n; i++) {
                CHECK_NEAR(k, "log_softmax", i, y[i], x[i] - shift, 4 * FLT_EPSILON * (1 + range));
                CHECK_NEAR(k, "log_softmax_gradient", i, dx[i], dy[i] - exp(y[i]) * total,
                           4 * FLT_EPSILON * (1 + fabs(total)) * sqrt((double)n));
            }
            release_blocks();
        }
    }
}

static void test_exponentials(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            float range = heed_random_below(&source, 2) ? 3.0f : 60.0f;
            float *x = random_input(n, -range, range), *y = output_block(n), top;
            double sum = 0, largest = -INFINITY;
            for (int64_t i = 0; i < n; i++)
                largest = fmax(largest, x[i]);
            float total = k->exponentials(n, x, y, &top);
            CHECK_NEAR(k, "top", n, top, largest, 0);
            for (int64_t i = 0; i < n; i++) {
                CHECK_NEAR(k, "exponentials", i, y[i], exp(x[i] - largest), softmax_bound(exp(x[i] - largest)));
                sum += exp(x[i] - largest);
            }
            CHECK_NEAR(k, "their sum", n, total, sum, 4 * FLT_EPSILON * sum);
            for (int64_t i = 0; i < n; i++)
                x[i] = -INFINITY;
            assert_true(k->exponentials(n, x, x, &top) == 0 && top == -INFINITY);
            for (int64_t i = 0; i < n; i++)
                assert_true(x[i] == 0);
            release_blocks();
        }
    }
}

static void test_find_above(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            float *x = random_input(n, -1, 0), limit = random_float(-1, 0);
            if (n > 2) {
                x[0] = NAN;
                x[n / 2] = -INFINITY;
            }
            int64_t expected = 0;
            while (expected < n && !(x[expected] > limit))
                expected++;
            assert_int_equal(k->find_above(n, x, limit), expected);
            assert_int_equal(k->find_above(n, x, 0.5f), n);
            for (int64_t i = n - 1; i >= 0; i -= 1 + n / 20) {
                x[i] = 1;
                assert_int_equal(k->find_above(n, x, 0.5f), i);
            }
            release_blocks();
        }
    }
}

static void test_cross_entropy(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            if (n == 0)
                continue;
            float range = heed_random_below(&source, 2) ? 3.0f : 60.0f;
            float *x = random_input(n, -range, range), *p = output_block(n);
            int64_t label = heed_random_below(&source, (uint32_t)n);
            double shift = log_sum(n, x, NULL), bound = 4 * FLT_EPSILON * (1 + range);
            CHECK_NEAR(k, "cross entropy", n, k->softmax_cross_entropy(n, x, label, NULL), shift - x[label], bound);
            CHECK_NEAR(k, "cross entropy", n, k->softmax_cross_entropy(n, x, label, p), shift - x[label], bound);
            for (int64_t i = 0; i < n; i++)
                CHECK_NEAR(k, "its softmax", i, p[i], exp(x[i] - shift), softmax_bound(exp(x[i] - shift)));
            double expected = shift - x[label];
            CHECK_NEAR(k, "in place", n, k->softmax_cross_entropy(n, x, label, x), expected, bound);
            release_blocks();
        }
    }
}

static void check_layer_norm(const heed_kernels *k, int64_t n, const float *gamma, const float *beta)
{
    const float *x = random_input(n, 1, 3), *dy = random_input(n, -1, 1), *before = random_input(2 * n, -1, 1);
    float *y = output_block(n), *mean = output_block(1), *rstd = output_block(1), *dx = output_block(n);
    float *dgamma = gamma ? output_copy(n, before) : NULL, *dbeta = beta ? output_copy(n, before + n) : NULL;
    const float epsilon = 1e-3f;
    k->layer_norm(n, x, gamma, beta, epsilon, y, mean, rstd);
    double center = 0, variance = 0, sum = 0, sum_normal = 0;
    for (int64_t i = 0; i < n; i++)
        center += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        variance += (x[i] - center) * (x[i] - center) / (double)n;
    double factor = 1 / sqrt(variance + (double)epsilon), eps = 4 * FLT_EPSILON;
    CHECK_NEAR(k, "layer_norm mean", n, *mean, center, eps);
    /* an error of the mean matters as much as the deviations are small */
    CHECK_NEAR(k, "layer_norm rstd", n, *rstd, factor, eps * factor * (1 + factor));
    for (int64_t i = 0; i < n; i++) {
        double normal = (x[i] - center) * factor, d = dy[i] * (gamma ? (double)gamma[i] : 1);
        CHECK_NEAR(k, "layer_norm", i, y[i], normal * (gamma ? (double)gamma[i] : 1) + (beta ? (double)beta[i] : 0),
                   2 * eps * (1 + factor) * (1 + fabs(normal)));
        sum += d / (double)n;
        sum_normal += d * normal / (double)n;
    }
    k->layer_norm_gradient(n, x, gamma, *mean, *rstd, dy, dx, dgamma, dbeta);
    for (int64_t i = 0; i < n; i++) {
        double normal = (x[i] - center) * factor, d = dy[i] * (gamma ? (double)gamma[i] : 1);
        double bound = 2 * eps * (1 + factor) * (1 + fabs(normal));
        CHECK_NEAR(k, "layer_norm dx", i, dx[i], factor * (d - sum - normal * sum_normal), 2 * factor * bound);
        if (gamma)
            CHECK_NEAR(k, "layer_norm dgamma", i, dgamma[i], before[i] + dy[i] * normal, bound);
        if (beta)
            CHECK_NEAR(k, "layer_norm dbeta", i, dbeta[i], (double)before[n + i] + dy[i], eps);
    }
}

static void test_layer_norm(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int given = 0; n > 0 && given < 4; given++) {
                const float *gamma = given & 1 ? random_input(n, -1, 1) : NULL;
                check_layer_norm(k, n, gamma, given & 2 ? random_input(n, -1, 1) : NULL);
                release_blocks();
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),            cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_add_columns),     cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_softmax_strange), cmocka_unit_test(test_softmax_gradient),
        cmocka_unit_test(test_log_softmax),     cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_layer_norm),      cmocka_unit_test(test_exponentials),
        cmocka_unit_test(test_find_above),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
