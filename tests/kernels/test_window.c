#include "kernels/check.h"

enum { MOST_ROWS = 7, MOST_TAPS = 5 };

static void check_depthwise(const heed_kernels *k, int64_t rows, int64_t taps, int64_t channels, bool backwards)
{
    int64_t x_row = channels * heed_random_below(&source, 3), x_tap = channels + heed_random_below(&source, 2);
    int64_t w_tap = channels + heed_random_below(&source, 2), y_row = channels + heed_random_below(&source, 3);
    int64_t last_x = rows > 0 && taps > 0 ? (rows - 1) * x_row + (taps - 1) * x_tap + channels : 0;
    const float *x = random_input(last_x, -1, 1);
    const float *w = random_input(taps > 0 ? (taps - 1) * w_tap + channels : 0, -1, 1);
    const float *start = random_input(rows > 0 ? (rows - 1) * y_row + channels : 0, -1, 1);
    float *y = output_copy(rows > 0 ? (rows - 1) * y_row + channels : 0, start);
    if (backwards && taps > 0) {
        w += (taps - 1) * w_tap;
        w_tap = -w_tap;
    }
    k->depthwise(rows, taps, channels, x, x_row, x_tap, w, w_tap, y, y_row);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < y_row && i * y_row + c < (rows - 1) * y_row + channels; c++) {
            double expected = start[i * y_row + c];
            for (int64_t j = 0; j < taps && c < channels; j++)
                expected += (double)x[i * x_row + j * x_tap + c] * w[j * w_tap + c];
            CHECK_NEAR(k, "depthwise", i * y_row + c, y[i * y_row + c], expected, 8 * FLT_EPSILON);
        }
    release_blocks();
}

static void test_depthwise(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (channels) {
            for (int64_t rows = 0; rows < MOST_ROWS; rows++)
                for (int64_t taps = 0; taps < MOST_TAPS; taps++)
                    check_depthwise(k, rows, taps, channels, (rows + taps) % 2 == 1);
        }
    }
}

static void test_depthwise_gradient(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (channels) {
            for (int64_t rows = 0; rows < MOST_ROWS; rows++) {
                int64_t x_row = 2 * channels, dy_row = channels + heed_random_below(&source, 2);
                const float *x = random_input(rows > 0 ? (rows - 1) * x_row + channels : 0, -1, 1);
                const float *dy = random_input(rows > 0 ? (rows - 1) * dy_row + channels : 0, -1, 1);
                const float *start = random_input(channels, -1, 1);
                float *dw = output_copy(channels, start);
                k->depthwise_gradient(rows, channels, x, x_row, dy, dy_row, dw);
                for (int64_t c = 0; c < channels; c++) {
                    double expected = start[c];
                    for (int64_t i = 0; i < rows; i++)
                        expected += (double)x[i * x_row + c] * dy[i * dy_row + c];
                    CHECK_NEAR(k, "depthwise_gradient", c, dw[c], expected, 8 * FLT_EPSILON);
                }
                release_blocks();
            }
        }
    }
}

/* The first of three equals takes all. */
static void test_claim(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            const float *y = random_input(n, -1, 1), *lower = random_input(n, -3, -2), *dy = random_input(n, -1, 1);
            float *left = output_copy(n, dy), *first = output_copy(n, lower), *second = output_copy(n, lower);
            float *none = output_copy(n, lower);
            k->claim(n, lower, y, left, none);
            k->claim(n, y, y, left, first);
            k->claim(n, y, y, left, second);
            for (int64_t i = 0; i < n; i++) {
                CHECK_NEAR(k, "claim of less", i, none[i], lower[i], 0);
                CHECK_NEAR(k, "first claim", i, first[i], lower[i] + dy[i], 0);
                CHECK_NEAR(k, "second claim", i, second[i], lower[i], 0);
                CHECK_NEAR(k, "left", i, left[i], 0, 0);
            }
            release_blocks();
        }
    }
}

/* Pieces that overlap by half. */
static void test_gather(void **state)
{
    enum { ROWS = 5, RUNS = 3 };
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            int64_t x_row = n / 2 + 1, x_run = 3 * n + 2;
            const float *x = random_input((ROWS - 1) * x_row + (RUNS - 1) * x_run + n, -1, 1);
            float *y = output_block(ROWS * RUNS * n);
            k->gather(ROWS, RUNS, n, x, x_row, x_run, y);
            for (int64_t i = 0; i < ROWS * RUNS * n; i++)
                CHECK_NEAR(k, "gather", i, y[i], x[i / (RUNS * n) * x_row + i / n % RUNS * x_run + i % n], 0);
            release_blocks();
        }
    }
}

/* Rows of none, one and two shares. */
static void test_blend(void **state)
{
    enum { ROWS = 7, FROM = 5 };
    int64_t starts[ROWS + 1] = {0};
    heed_share shares[2 * ROWS];
    (void)state;
    for (int i = 0; i < ROWS; i++)
        starts[i + 1] = starts[i] + i % 3;
    for (int64_t j = 0; j < starts[ROWS]; j++)
        shares[j] = (heed_share){heed_random_below(&source, FROM), 0.25f + 0.5f * (float)j};
    EACH_TABLE (k) {
        EACH_LENGTH (n) {
            const float *x = random_input(FROM * n, -1, 1);
            float *y = output_block(ROWS * n);
            k->blend(ROWS, n, starts, shares, x, y);
            for (int64_t i = 0; i < ROWS * n; i++) {
                double expected = 0.0;
                for (int64_t j = starts[i / n]; j < starts[i / n + 1]; j++)
                    expected += (double)shares[j].weight * x[shares[j].row * n + i % n];
                CHECK_NEAR(k, "blend", i, y[i], expected, 16 * FLT_EPSILON);
            }
            release_blocks();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_depthwise_gradient),
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_blend),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
