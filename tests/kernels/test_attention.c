#include "kernels/check.h"

/* Scores of m rows of n in a matrix of row distance ld; some are hidden, those of row 0 all, if there are several rows. */
static float *random_scores(int64_t m, int64_t n, int64_t ld, float range)
{
    float *s = output_block(m ? (m - 1) * ld + n : 0);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            bool hidden = (i == 0 && m > 1) || heed_random_below(&source, 5) == 0;
            s[i * ld + j] = hidden ? -INFINITY : random_float(-range, range);
        }
    return s;
}

static void check_gaps(const float *x, int64_t m, int64_t n, int64_t ld)
{
    for (int64_t i = 0; m > 0 && i < (m - 1) * ld + n; i++)
        assert_true(i % ld < n || isnan(x[i]));
}

/* Two blocks one after the other, against the softmax of both. */
static void check_softmax(const heed_kernels *k, int64_t m, int64_t n, int64_t d, float range)
{
    int64_t ld = n + heed_random_below(&source, 3), ldo = d + heed_random_below(&source, 3);
    float *blocks_of_scores[2], *given[2], *top = output_block(m), *total = output_block(m);
    float *o = output_block(m ? (m - 1) * ldo + d : 0);
    for (int64_t i = 0; i < m; i++) {
        top[i] = -INFINITY;
        total[i] = 0;
    }
    for (int b = 0; b < 2; b++) {
        given[b] = random_scores(m, n, ld, range);
        blocks_of_scores[b] = output_copy(m ? (m - 1) * ld + n : 0, given[b]);
        float before[16];
        memcpy(before, top, (size_t)m * sizeof *top);
        for (int64_t i = 0; i < m; i++)
            for (int64_t l = 0; l < d; l++)
                o[i * ldo + l] = before[i] == -INFINITY ? 0 : 1;
        k->attention_softmax(m, n, blocks_of_scores[b], ld, top, total, d, o, ldo);
        check_gaps(blocks_of_scores[b], m, n, ld);
        for (int64_t i = 0; i < m; i++) {
            double largest = before[i];
            for (int64_t j = 0; j < n; j++)
                largest = fmax(largest, given[b][i * ld + j]);
            CHECK_NEAR(k, "attention_softmax top", i, top[i], largest, 0);
            for (int64_t j = 0; j < n; j++) {
                double p = largest == -INFINITY ? 0 : exp2(given[b][i * ld + j] - largest);
                CHECK_NEAR(k, "attention_softmax", i * ld + j, blocks_of_scores[b][i * ld + j], p,
                           (3 + 2 * range) * ulp(p) + 1e-37); /* the difference rounds */
            }
            double factor = before[i] == -INFINITY ? 0 : exp2(before[i] - largest);
            for (int64_t l = 0; l < d; l++)
                CHECK_NEAR(k, "attention_softmax o", l, o[i * ldo + l], factor, (3 + 2 * range) * ulp(factor));
        }
    }
    for (int64_t i = 0; i < m; i++) {
        double sum = 0;
        for (int b = 0; b < 2; b++)
            for (int64_t j = 0; j < n && top[i] != -INFINITY; j++)
                sum += exp2((double)given[b][i * ld + j] - top[i]);
        CHECK_NEAR(k, "attention_softmax total", i, total[i], sum, 1e-6 * sum);
    }
    check_gaps(o, m, d, ldo);
}

static void check_gradient(const heed_kernels *k, int64_t m, int64_t n, float range)
{
    int64_t ld = n + heed_random_below(&source, 3), size = m ? (m - 1) * ld + n : 0;
    float *given = random_scores(m, n, ld, range), *s = output_copy(size, given), *dp = output_block(size);
    float *norm = random_input(m, range, range + 4), *delta = random_input(m, -1, 1), *above = input_block(size);
    if (m > 1)
        norm[0] = INFINITY; /* a row that sees nothing */
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            dp[i * ld + j] = above[i * ld + j] = random_float(-2, 2);
    k->attention_gradient(m, n, s, dp, ld, norm, delta, 0.7f);
    check_gaps(s, m, n, ld);
    check_gaps(dp, m, n, ld);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            int64_t at = i * ld + j;
            double p = exp2((double)given[at] - norm[i]), ds = 0.7f * p * ((double)above[at] - delta[i]);
            CHECK_NEAR(k, "attention_gradient p", at, s[at], p, 8 * range * ulp(p) + 1e-37);
            CHECK_NEAR(k, "attention_gradient ds", at, dp[at], ds, 8 * range * ulp(ds) + 1e-6 * p + 1e-37);
        }
}

static void check_finish(const heed_kernels *k, int64_t m, int64_t d)
{
    int64_t ldo = d + heed_random_below(&source, 3), ldy = d + heed_random_below(&source, 3);
    float *o = random_input(m ? (m - 1) * ldo + d : 0, -2, 2), *y = output_block(m ? (m - 1) * ldy + d : 0);
    float *top = random_input(m, -9, 9), *total = random_input(m, 1, 50), *norm = output_block(m);
    if (m > 1)
        total[1] = 0; /* a row that sees nothing */
    k->attention_finish(m, d, o, ldo, top, total, y, ldy, norm);
    check_gaps(y, m, d, ldy);
    for (int64_t i = 0; i < m; i++) {
        double expected = (double)top[i] + log2((double)total[i]);
        for (int64_t j = 0; j < d; j++) {
            double quotient = total[i] == 0 ? 0 : (double)o[i * ldo + j] / (double)total[i];
            CHECK_NEAR(k, "attention_finish", j, y[i * ldy + j], quotient, 2 * ulp(quotient));
        }
        if (total[i] == 0)
            assert_true(norm[i] == INFINITY);
        else
            CHECK_NEAR(k, "attention_finish norm", i, norm[i], expected, 1e-6 * (1 + fabs(expected)));
    }
}

static void test_every_size(void **state)
{
    (void)state;
    static const int64_t rows[] = {0, 1, 2, 5};
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int r = 0; r < 4; r++) {
                check_softmax(k, rows[r], n, lengths[(n + r) % LENGTH_COUNT] % 70, r == 3 ? 60.0f : 4.0f);
                check_gradient(k, rows[r], n, r == 3 ? 60.0f : 4.0f);
                check_finish(k, rows[r], n);
                release_blocks();
            }
        }
    }
}

static void test_hide(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            float *given = random_input(n, -1, 1), *s = output_copy(n, given);
            uint8_t keep[300];
            for (int64_t i = 0; i < n; i++)
                keep[i] = (uint8_t)(heed_random_below(&source, 3) * 100);
            k->attention_hide(n, keep, s);
            for (int64_t i = 0; i < n; i++)
                CHECK_NEAR(k, "attention_hide", i, s[i], keep[i] ? given[i] : -INFINITY, 0);
            release_blocks();
        }
    }
}

/* Keys and values lie anywhere; some of them twice. */
static void check_row(const heed_kernels *k, int64_t n, int64_t heads, int64_t size)
{
    enum { MOST = 40 };
    int64_t width = heads * size, ldw = n + heed_random_below(&source, 3);
    const float *q = random_input(width, -1, 1), *keys[MOST], *values[MOST];
    float *weights = output_block((heads - 1) * ldw + n), *y = output_block(width);
    for (int64_t i = 0; i < n; i++) {
        bool again = i > 0 && heed_random_below(&source, 4) == 0;
        keys[i] = again ? keys[i - 1] : random_input(width, -1, 1);
        values[i] = again ? values[i - 1] : random_input(width, -1, 1);
    }
    k->attention_row(n, heads, size, q, keys, values, 0.7f, weights, ldw, y);
    for (int64_t h = 0; h < heads; h++) {
        double scores[MOST], total = 0;
        for (int64_t i = 0; i < n; i++) {
            scores[i] = 0;
            for (int64_t j = h * size; j < (h + 1) * size; j++)
                scores[i] += 0.7 * (double)q[j] * (double)keys[i][j];
            total += scores[i] = exp(scores[i]);
        }
        for (int64_t i = 0; i < n; i++)
            CHECK_NEAR(k, "attention_row", h * ldw + i, weights[h * ldw + i], scores[i] / total,
                       1e-6 * (double)(1 + size / 16));
        for (int64_t j = h * size; j < (h + 1) * size; j++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += scores[i] / total * (double)values[i][j];
            CHECK_NEAR(k, "attention_row y", j, y[j], sum, 2e-6 * (double)(1 + size / 16));
        }
    }
    check_gaps(weights, heads, n, ldw);
    release_blocks();
}

static void test_rows(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 3, 8, 16, 17, 32, 64, 100};
    EACH_TABLE (k)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int64_t n = 1; n < 30; n += 1 + n / 4)
                check_row(k, n, 1 + n % 3, sizes[i]);
}

/* Scores far apart, and none at all: no NaN comes of it. */
static void test_extremes(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        float s[] = {-INFINITY, 3e38f, -3e38f, 0}, top = -INFINITY, total = 0, o = 0;
        k->attention_softmax(1, 1, s, 4, &top, &total, 1, &o, 1);
        assert_true(s[0] == 0 && top == -INFINITY && total == 0 && o == 0);
        k->attention_softmax(1, 3, s + 1, 4, &top, &total, 1, &o, 1);
        assert_true(s[1] == 1 && s[2] == 0 && s[3] == 0 && top == 3e38f && total == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_hide),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
