/* Steps of recurrent layers on vectors, across the units of one row. */
#ifndef HEED_KERNELS_RECURRENT_TMPL_H
#define HEED_KERNELS_RECURRENT_TMPL_H

#include "kernels/simd_math.h"

/* x + h of the gate that starts at `offset`; h may be NULL */
INLINE vec gate_sum(const float *x, const float *h, int64_t offset, int64_t left)
{
    vec sum = v_load_some(x + offset, left);
    return h ? v_add(sum, v_load_some(h + offset, left)) : sum;
}

/* y (1 - y) d, the gradient through a sigmoid of value y */
INLINE vec through_sigmoid(vec y, vec d)
{
    return v_multiply(v_fnma(y, y, y), d);
}

/* (1 - y^2) d, the gradient through a tanh of value y */
INLINE vec through_tanh(vec y, vec d)
{
    return v_multiply(v_fnma(y, y, v_set(1.0f)), d);
}

static void lstm(int64_t u, const float *zx, const float *zh, const float *c_previous, float *gates, float *c, float *h)
{
    for (int64_t j = 0; j < u; j += VL) {
        const int64_t left = u - j;
        vec input = v_sigmoid(gate_sum(zx, zh, j, left));
        vec forget = v_sigmoid(gate_sum(zx, zh, u + j, left));
        vec candidate = v_tanh(gate_sum(zx, zh, 2 * u + j, left));
        vec output = v_sigmoid(gate_sum(zx, zh, 3 * u + j, left));
        vec state = v_fma(forget, v_load_some(c_previous + j, left), v_multiply(input, candidate));
        v_store_some(gates + j, left, input);
        v_store_some(gates + u + j, left, forget);
        v_store_some(gates + 2 * u + j, left, candidate);
        v_store_some(gates + 3 * u + j, left, output);
        v_store_some(c + j, left, state);
        v_store_some(h + j, left, v_multiply(output, v_tanh(state)));
    }
}

static void lstm_gradient(int64_t u, const float *gates, const float *c_previous, const float *c, const float *dh,
                          const float *dc, float *dz, float *dc_previous)
{
    for (int64_t j = 0; j < u; j += VL) {
        const int64_t left = u - j;
        vec input = v_load_some(gates + j, left), forget = v_load_some(gates + u + j, left);
        vec candidate = v_load_some(gates + 2 * u + j, left), output = v_load_some(gates + 3 * u + j, left);
        vec previous = v_load_some(c_previous + j, left), squashed = v_tanh(v_load_some(c + j, left));
        vec d = v_load_some(dh + j, left);
        vec dstate = v_add(v_load_some(dc + j, left), through_tanh(squashed, v_multiply(d, output)));
        v_store_some(dz + j, left, through_sigmoid(input, v_multiply(dstate, candidate)));
        v_store_some(dz + u + j, left, through_sigmoid(forget, v_multiply(dstate, previous)));
        v_store_some(dz + 2 * u + j, left, through_tanh(candidate, v_multiply(dstate, input)));
        v_store_some(dz + 3 * u + j, left, through_sigmoid(output, v_multiply(d, squashed)));
        v_store_some(dc_previous + j, left, v_multiply(dstate, forget));
    }
}

static void gru(int64_t u, const float *zx, const float *zh, const float *h_previous, float *gates, float *h)
{
    for (int64_t j = 0; j < u; j += VL) {
        const int64_t left = u - j;
        vec update = v_sigmoid(gate_sum(zx, zh, j, left));
        vec reset = v_sigmoid(gate_sum(zx, zh, u + j, left));
        vec candidate = v_tanh(v_fma(reset, v_load_some(zh + 2 * u + j, left), v_load_some(zx + 2 * u + j, left)));
        vec previous = v_load_some(h_previous + j, left);
        v_store_some(gates + j, left, update);
        v_store_some(gates + u + j, left, reset);
        v_store_some(gates + 2 * u + j, left, candidate);
        v_store_some(h + j, left, v_fma(update, v_subtract(previous, candidate), candidate));
    }
}

static void gru_gradient(int64_t u, const float *gates, const float *zh, const float *h_previous, const float *dh,
                         float *dzx, float *dzh, float *dh_previous)
{
    for (int64_t j = 0; j < u; j += VL) {
        const int64_t left = u - j;
        vec update = v_load_some(gates + j, left), reset = v_load_some(gates + u + j, left);
        vec candidate = v_load_some(gates + 2 * u + j, left), previous = v_load_some(h_previous + j, left);
        vec d = v_load_some(dh + j, left), inner = v_load_some(zh + 2 * u + j, left);
        vec dupdate = through_sigmoid(update, v_multiply(d, v_subtract(previous, candidate)));
        vec dcandidate = through_tanh(candidate, v_fnma(d, update, d));
        vec dreset = through_sigmoid(reset, v_multiply(dcandidate, inner));
        v_store_some(dzx + j, left, dupdate);
        v_store_some(dzh + j, left, dupdate);
        v_store_some(dzx + u + j, left, dreset);
        v_store_some(dzh + u + j, left, dreset);
        v_store_some(dzx + 2 * u + j, left, dcandidate);
        v_store_some(dzh + 2 * u + j, left, v_multiply(dcandidate, reset));
        v_store_some(dh_previous + j, left, v_multiply(d, update));
    }
}

#endif
