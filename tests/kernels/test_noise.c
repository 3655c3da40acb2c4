#include "kernels/check.h"

static float uniform(uint64_t seed, uint64_t stream, uint64_t i)
{
    uint32_t words[4];
    heed_random_block(seed, stream, i / 4, words);
    return (float)(words[i % 4] >> 8) * 0x1p-24f;
}

static uint64_t random_first(void)
{
    /* far enough for the block's number to cross 32 bits now and then */
    return 4 * (uint64_t)heed_random_below(&source, 2000) + (heed_random_below(&source, 2) ? 0x3ffffff00ull : 0);
}

static void test_known_answers(void **state)
{
    (void)state;
    /* the words published for Philox4x32-10 under key 0 and counter 0 */
    static const uint32_t words[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    EACH_TABLE (k) {
        float *y = output_block(4);
        k->random_uniform(4, 0, 0, 0, y);
        for (int i = 0; i < 4; i++)
            assert_true(y[i] == (float)(words[i] >> 8) / 16777216.0f);
        release_blocks();
    }
}

static void test_uniform(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int again = 0; again < 4; again++) {
                uint64_t seed = heed_random_u32(&source) * 0x100000001ull, stream = 5 + seed * 3;
                uint64_t first = random_first();
                float *y = output_block(n);
                k->random_uniform(n, seed, stream, first, y);
                for (int64_t i = 0; i < n; i++)
                    CHECK_NEAR(k, "random_uniform", i, y[i], uniform(seed, stream, first + (uint64_t)i), 0);
                release_blocks();
            }
        }
    }
}

static void test_normal(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            uint64_t seed = heed_random_u32(&source), first = random_first();
            float *y = output_block(n);
            k->random_normal(n, seed, 9, first, y);
            for (int64_t i = 0; i < n; i++) {
                uint64_t at = first + (uint64_t)i;
                double radius = sqrt(-2 * log(1 - (double)uniform(seed, 9, at & ~1ull)));
                double angle = 2 * 3.14159265358979323846 * uniform(seed, 9, at | 1);
                CHECK_NEAR(k, "random_normal", i, y[i], radius * (at & 1 ? sin(angle) : cos(angle)),
                           radius * 6 * FLT_EPSILON);
            }
            release_blocks();
        }
    }
}

static void test_normal_moments(void **state)
{
    (void)state;
    enum { N = 1 << 16 };
    EACH_TABLE (k) {
        float *y = output_block(N);
        k->random_normal(N, 1, 2, 0, y);
        double mean = 0, square = 0, fourth = 0;
        for (int i = 0; i < N; i++) {
            mean += y[i] / (double)N;
            square += (double)y[i] * y[i] / N;
            fourth += (double)y[i] * y[i] * y[i] * y[i] / N;
        }
        /* five standard deviations of each mean */
        CHECK_NEAR(k, "mean", 0, mean, 0, 5 / sqrt(N));
        CHECK_NEAR(k, "variance", 0, square, 1, 5 * sqrt(2.0 / N));
        CHECK_NEAR(k, "fourth moment", 0, fourth, 3, 5 * sqrt(96.0 / N));
        release_blocks();
    }
}

static void test_dropout(void **state)
{
    (void)state;
    static const float rates[] = {0, 0.1f, 0.5f, 0.9f};
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            for (int r = 0; r < 4; r++) {
                uint64_t seed = heed_random_u32(&source), first = random_first();
                const float *x = random_input(n, 1, 2);
                float *y = output_block(n), *in_place = output_copy(n, x);
                k->dropout(n, x, rates[r], seed, 3, first, y);
                k->dropout(n, in_place, rates[r], seed, 3, first, in_place);
                for (int64_t i = 0; i < n; i++) {
                    bool keep = uniform(seed, 3, first + (uint64_t)i) >= rates[r];
                    double expected = keep ? (double)x[i] / (1 - (double)rates[r]) : 0;
                    CHECK_NEAR(k, "dropout", i, y[i], expected, 2 * ulp(expected) * keep);
                    CHECK_NEAR(k, "dropout in place", i, in_place[i], y[i], 0);
                }
                release_blocks();
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),  cmocka_unit_test(test_uniform), cmocka_unit_test(test_normal),
        cmocka_unit_test(test_normal_moments), cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
