#include "kernels/generic.h"

#include <math.h>

static inline float recurrent_part(const float *zh, int64_t j)
{
    return zh ? zh[j] : 0.0f;
}

void heed_generic_lstm(int64_t u, const float *zx, const float *zh, const float *c_previous, float *gates, float *c,
                       float *h)
{
    for (int64_t j = 0; j < u; j++) {
        float input = heed_generic_sigmoid(zx[j] + recurrent_part(zh, j));
        float forget = heed_generic_sigmoid(zx[u + j] + recurrent_part(zh, u + j));
        float candidate = tanhf(zx[2 * u + j] + recurrent_part(zh, 2 * u + j));
        float output = heed_generic_sigmoid(zx[3 * u + j] + recurrent_part(zh, 3 * u + j));
        float state = forget * c_previous[j] + input * candidate;
        gates[j] = input;
        gates[u + j] = forget;
        gates[2 * u + j] = candidate;
        gates[3 * u + j] = output;
        c[j] = state;
        h[j] = output * tanhf(state);
    }
}

void heed_generic_lstm_gradient(int64_t u, const float *gates, const float *c_previous, const float *c, const float *dh,
                                const float *dc, float *dz, float *dc_previous)
{
    for (int64_t j = 0; j < u; j++) {
        float input = gates[j], forget = gates[u + j], candidate = gates[2 * u + j], output = gates[3 * u + j];
        float squashed = tanhf(c[j]), previous = c_previous[j], d = dh[j];
        float dstate = dc[j] + d * output * (1.0f - squashed * squashed);
        dz[j] = dstate * candidate * input * (1.0f - input);
        dz[u + j] = dstate * previous * forget * (1.0f - forget);
        dz[2 * u + j] = dstate * input * (1.0f - candidate * candidate);
        dz[3 * u + j] = d * squashed * output * (1.0f - output);
        dc_previous[j] = dstate * forget;
    }
}

void heed_generic_gru(int64_t u, const float *zx, const float *zh, const float *h_previous, float *gates, float *h)
{
    for (int64_t j = 0; j < u; j++) {
        float update = heed_generic_sigmoid(zx[j] + zh[j]);
        float reset = heed_generic_sigmoid(zx[u + j] + zh[u + j]);
        float candidate = tanhf(zx[2 * u + j] + reset * zh[2 * u + j]);
        gates[j] = update;
        gates[u + j] = reset;
        gates[2 * u + j] = candidate;
        h[j] = update * h_previous[j] + (1.0f - update) * candidate;
    }
}

void heed_generic_gru_gradient(int64_t u, const float *gates, const float *zh, const float *h_previous, const float *dh,
                               float *dzx, float *dzh, float *dh_previous)
{
    for (int64_t j = 0; j < u; j++) {
        float update = gates[j], reset = gates[u + j], candidate = gates[2 * u + j], d = dh[j];
        float dupdate = d * (h_previous[j] - candidate) * update * (1.0f - update);
        float dcandidate = d * (1.0f - update) * (1.0f - candidate * candidate);
        float dreset = dcandidate * zh[2 * u + j] * reset * (1.0f - reset);
        dzx[j] = dupdate;
        dzh[j] = dupdate;
        dzx[u + j] = dreset;
        dzh[u + j] = dreset;
        dzx[2 * u + j] = dcandidate;
        dzh[2 * u + j] = dcandidate * reset;
        dh_previous[j] = d * update;
    }
}
