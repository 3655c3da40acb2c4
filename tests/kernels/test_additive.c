#include "kernels/check.h"

typedef struct attention {
    int64_t tq, tk, u, lde;
    const float *q, *k, *v;
    float *exp_q, *exp_k;
    bool beyond;
} attention;

static attention random_attention(const heed_kernels *k, int64_t tq, int64_t tk, int64_t u, float range)
{
    attention a = {.tq = tq, .tk = tk, .u = u, .lde = tk + heed_random_below(&source, 3)};
    a.q = random_input(tq * u, -range, range);
    a.k = random_input(tk * u, -range, range);
    a.v = random_input(u, -1, 1);
    a.exp_q = output_block(tq * u);
    a.exp_k = output_block(tk * u);
    a.beyond = k->additive_exp(tq * u, a.q, a.exp_q);
    a.beyond |= k->additive_exp(tk * u, a.k, a.exp_k);
    return a;
}

static double sum_of_magnitudes(int64_t n, const float *x)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += fabsf(x[i]);
    return total;
}

/* The error of one term: the exponentials' relative errors move the tanh by at most half of them each. */
static const double term = 8 * FLT_EPSILON;

static int64_t matrix_size(const attention *a)
{
    return a->tq ? (a->tq - 1) * a->lde + a->tk : 0;
}

static void check_scores(const heed_kernels *k, const attention *a)
{
    float *e = output_block(matrix_size(a)), *direct = output_block(matrix_size(a));
    k->additive_scores(a->tq, a->tk, a->u, a->exp_q, a->exp_k, a->v, e, a->lde);
    k->additive_scores_tanh(a->tq, a->tk, a->u, a->q, a->k, a->v, direct, a->lde);
    double bound = term * (sum_of_magnitudes(a->u, a->v) + 1);
    for (int64_t i = 0; i < a->tq; i++) {
        for (int64_t j = 0; j < a->tk; j++) {
            double expected = 0;
            for (int64_t l = 0; l < a->u; l++)
                expected += a->v[l] * tanh((double)a->q[i * a->u + l] + a->k[j * a->u + l]);
            CHECK_NEAR(k, "additive_scores_tanh", i * a->lde + j, direct[i * a->lde + j], expected, bound);
            if (!a->beyond)
                CHECK_NEAR(k, "additive_scores", i * a->lde + j, e[i * a->lde + j], expected, bound);
        }
    }
    for (int64_t i = 0; i < matrix_size(a); i++) /* between the rows nothing is written */
        assert_true(i % a->lde < a->tk || (isnan(e[i]) && isnan(direct[i])));
}

typedef void gradient_kernel(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                             const float *de, int64_t lde, float *dq, float *dk, float *dv);

static void check_gradient(const heed_kernels *k, const attention *a, gradient_kernel *f, bool exponentials)
{
    const float *de = random_input(matrix_size(a), -1, 1);
    const float *q = exponentials ? a->exp_q : a->q, *key = exponentials ? a->exp_k : a->k;
    double *expected = calloc((size_t)(a->tq * a->u + a->tk * a->u + a->u + 1), sizeof *expected);
    assert_non_null(expected);
    double *dq = expected, *dk = dq + a->tq * a->u, *dv = dk + a->tk * a->u;
    for (int64_t i = 0; i < a->tq; i++) {
        for (int64_t j = 0; j < a->tk; j++) {
            for (int64_t l = 0; l < a->u; l++) {
                double y = tanh((double)a->q[i * a->u + l] + a->k[j * a->u + l]), d = de[i * a->lde + j];
                dq[i * a->u + l] += d * a->v[l] * (1 - y * y);
                dk[j * a->u + l] += d * a->v[l] * (1 - y * y);
                dv[l] += d * y;
            }
        }
    }
    for (int given = 0; given < 8; given++) { /* any of the three may be NULL */
        int64_t sizes[3] = {a->tq * a->u, a->tk * a->u, a->u}, counts[3] = {a->tk, a->tq, a->tq * a->tk};
        const float *before[3];
        float *after[3];
        for (int g = 0; g < 3; g++) {
            before[g] = random_input(sizes[g], -1, 1);
            after[g] = given >> g & 1 ? output_copy(sizes[g], before[g]) : NULL;
        }
        f(a->tq, a->tk, a->u, q, key, a->v, de, a->lde, after[0], after[1], after[2]);
        const double *offset = expected;
        for (int g = 0; g < 3; offset += sizes[g], g++)
            for (int64_t l = 0; after[g] && l < sizes[g]; l++)
                CHECK_NEAR(k, "additive gradient", l, after[g][l], before[g][l] + offset[l],
                           term * ((double)counts[g] + 1));
    }
    free(expected);
}

static void check_sizes(int64_t tq, int64_t tk, int64_t u, float range)
{
    EACH_TABLE (k) {
        attention a = random_attention(k, tq, tk, u, range);
        assert_true(!a.beyond || range > 43);
        check_scores(k, &a);
        release_blocks();
        a = random_attention(k, tq, tk, u, range);
        if (!a.beyond)
            check_gradient(k, &a, k->additive_gradient, true);
        release_blocks();
        a = random_attention(k, tq, tk, u, range);
        check_gradient(k, &a, k->additive_gradient_tanh, false);
        release_blocks();
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const int64_t counts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++)
            EACH_LENGTH (u)
                if (u < 50 || (i + j) % 5 == 0)
                    check_sizes(counts[i], counts[j], u, 2);
}

static void test_ranges(void **state)
{
    (void)state;
    static const float ranges[] = {1e-4f, 0.1f, 5, 20, 43, 60, 1e4f, 1e30f};
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
        check_sizes(6, 9, 40, ranges[r]);
}

static void test_exp(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            float *x = random_input(n, -43.5f, 43.5f), *y = output_block(n);
            assert_false(k->additive_exp(n, x, y));
            for (int64_t i = 0; i < n; i++)
                CHECK_NEAR(k, "additive_exp", i, y[i], exp(2.0 * x[i]), 1.5 * ulp(exp(2.0 * x[i])));
            for (int64_t i = 0; i < n; i++) {
                static const float beyond[] = {43.6f, -43.6f, 1e30f, -1e38f, INFINITY, -INFINITY, NAN};
                for (size_t b = 0; b < sizeof beyond / sizeof *beyond; b++) {
                    float old = x[i];
                    x[i] = beyond[b];
                    assert_true(k->additive_exp(n, x, y));
                    double clamped = beyond[b] < 0 ? exp(-87) : exp(87);
                    CHECK_NEAR(k, "additive_exp", i, y[i], isnan(beyond[b]) ? NAN : clamped, 1.5 * ulp(clamped));
                    x[i] = old;
                }
            }
            release_blocks();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
