#include "kernels/check.h"

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static const double close = 4 * FLT_EPSILON;

static void check_lstm(const heed_kernels *k, int64_t u, const float *zx, const float *zh)
{
    const float *c_previous = random_input(u, -2, 2);
    float *gates = output_block(4 * u), *c = output_block(u), *h = output_block(u);
    k->lstm(u, zx, zh, c_previous, gates, c, h);
    for (int64_t j = 0; j < u; j++) {
        double z[4];
        for (int g = 0; g < 4; g++)
            z[g] = zh ? zx[g * u + j] + zh[g * u + j] : zx[g * u + j]; /* a sum of floats is one */
        double input = logistic(z[0]), forget = logistic(z[1]), candidate = tanh(z[2]), output = logistic(z[3]);
        double state = forget * c_previous[j] + input * candidate;
        CHECK_NEAR(k, "lstm input", j, gates[j], input, close * input + FLT_MIN);
        CHECK_NEAR(k, "lstm forget", j, gates[u + j], forget, close * forget + FLT_MIN);
        CHECK_NEAR(k, "lstm candidate", j, gates[2 * u + j], candidate, close);
        CHECK_NEAR(k, "lstm output", j, gates[3 * u + j], output, close * output + FLT_MIN);
        CHECK_NEAR(k, "lstm c", j, c[j], state, close * 3);
        CHECK_NEAR(k, "lstm h", j, h[j], output * tanh(state), close * 4);
    }
    float *same = output_copy(u, c_previous), *z = output_copy(4 * u, zx), *again = output_block(u);
    k->lstm(u, z, zh, same, z, same, again); /* gates over zx, c over c_previous */
    for (int64_t j = 0; j < u; j++) {
        CHECK_NEAR(k, "lstm in place", j, same[j], c[j], 0);
        CHECK_NEAR(k, "lstm in place", j, again[j], h[j], 0);
    }
}

static void test_lstm(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (u) {
            float range = heed_random_below(&source, 2) ? 2.0f : 120.0f;
            const float *zx = random_input(4 * u, -range, range);
            check_lstm(k, u, zx, random_input(4 * u, -range, range));
            check_lstm(k, u, zx, NULL);
            release_blocks();
        }
    }
}

static void test_lstm_gradient(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (u) {
            float *gates = random_input(4 * u, 0, 1);
            const float *before = random_input(u, -2, 2), *c = random_input(u, -2, 2);
            const float *dh = random_input(u, -1, 1), *dc = random_input(u, -1, 1);
            float *dz = output_block(4 * u), *dc_previous = output_block(u);
            k->lstm_gradient(u, gates, before, c, dh, dc, dz, dc_previous);
            for (int64_t j = 0; j < u; j++) {
                double i = gates[j], f = gates[u + j], g = gates[2 * u + j], o = gates[3 * u + j], t = tanh(c[j]);
                double dstate = dc[j] + dh[j] * o * (1 - t * t);
                CHECK_NEAR(k, "lstm dz input", j, dz[j], dstate * g * i * (1 - i), close);
                CHECK_NEAR(k, "lstm dz forget", j, dz[u + j], dstate * before[j] * f * (1 - f), close);
                CHECK_NEAR(k, "lstm dz candidate", j, dz[2 * u + j], dstate * i * (1 - g * g), close);
                CHECK_NEAR(k, "lstm dz output", j, dz[3 * u + j], dh[j] * t * o * (1 - o), close);
                CHECK_NEAR(k, "lstm dc", j, dc_previous[j], dstate * f, close * 2);
            }
            float *same = output_copy(u, dc), *over = output_copy(4 * u, gates);
            k->lstm_gradient(u, over, before, c, dh, same, over, same);
            for (int64_t j = 0; j < 4 * u; j++)
                CHECK_NEAR(k, "lstm gradient in place", j, over[j], dz[j], 0);
            release_blocks();
        }
    }
}

static void test_gru(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (u) {
            float range = heed_random_below(&source, 2) ? 2.0f : 120.0f;
            const float *zx = random_input(3 * u, -range, range), *zh = random_input(3 * u, -range, range);
            const float *before = random_input(u, -1, 1);
            float *gates = output_block(3 * u), *h = output_block(u), *same = output_copy(u, before);
            k->gru(u, zx, zh, before, gates, h);
            for (int64_t j = 0; j < u; j++) {
                float zu = zx[j] + zh[j], zr = zx[u + j] + zh[u + j];
                double update = logistic(zu), reset = logistic(zr);
                double inner = zx[2 * u + j] + reset * zh[2 * u + j], candidate = tanh(inner);
                CHECK_NEAR(k, "gru update", j, gates[j], update, close * update + FLT_MIN);
                CHECK_NEAR(k, "gru reset", j, gates[u + j], reset, close * reset + FLT_MIN);
                CHECK_NEAR(k, "gru candidate", j, gates[2 * u + j], candidate, close * (1 + 2 * range));
                CHECK_NEAR(k, "gru h", j, h[j], update * before[j] + (1 - update) * candidate,
                           close * (1 + 2 * range));
            }
            k->gru(u, zx, zh, same, gates, same);
            for (int64_t j = 0; j < u; j++)
                CHECK_NEAR(k, "gru in place", j, same[j], h[j], 0);
            release_blocks();
        }
    }
}

static void test_gru_gradient(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        EACH_LENGTH (u) {
            const float *gates = random_input(3 * u, 0, 1), *zh = random_input(3 * u, -2, 2);
            const float *before = random_input(u, -1, 1), *dh = random_input(u, -1, 1);
            float *dzx = output_block(3 * u), *dzh = output_block(3 * u), *dprevious = output_block(u);
            k->gru_gradient(u, gates, zh, before, dh, dzx, dzh, dprevious);
            for (int64_t j = 0; j < u; j++) {
                double z = gates[j], r = gates[u + j], c = gates[2 * u + j], d = dh[j];
                double dcandidate = d * (1 - z) * (1 - c * c);
                CHECK_NEAR(k, "gru dz update", j, dzx[j], d * (before[j] - c) * z * (1 - z), close);
                CHECK_NEAR(k, "gru dz reset", j, dzx[u + j], dcandidate * zh[2 * u + j] * r * (1 - r), close);
                CHECK_NEAR(k, "gru dz candidate", j, dzx[2 * u + j], dcandidate, close);
                CHECK_NEAR(k, "gru dzh update", j, dzh[j], dzx[j], 0);
                CHECK_NEAR(k, "gru dzh reset", j, dzh[u + j], dzx[u + j], 0);
                CHECK_NEAR(k, "gru dzh candidate", j, dzh[2 * u + j], dcandidate * r, close);
                CHECK_NEAR(k, "gru dh", j, dprevious[j], d * z, close);
            }
            release_blocks();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lstm),
        cmocka_unit_test(test_lstm_gradient),
        cmocka_unit_test(test_gru),
        cmocka_unit_test(test_gru_gradient),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
