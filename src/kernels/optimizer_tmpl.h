/* Optimizer updates: plain loops, which every instruction set compiles for itself. */
#ifndef HEED_KERNELS_OPTIMIZER_TMPL_H
#define HEED_KERNELS_OPTIMIZER_TMPL_H

#include "kernels/kernels.h"

#include <math.h>

static void sgd(int64_t n, float *w, const float *g, float rate)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        w[i] -= rate * g[i];
}

static void momentum(int64_t n, float *w, const float *g, float *m, float rate, float momentum, bool nesterov)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] - rate * g[i];
        w[i] += nesterov ? momentum * m[i] - rate * g[i] : m[i];
    }
}

static void adam(int64_t n, float *w, const float *g, float *m, float *v, float *v_max, float alpha, float beta1,
                 float beta2, float epsilon)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        m[i] += (g[i] - m[i]) * (1.0f - beta1);
        v[i] += (g[i] * g[i] - v[i]) * (1.0f - beta2);
        float scale = v[i];
        if (v_max) {
            v_max[i] = v_max[i] > scale ? v_max[i] : scale;
            scale = v_max[i];
        }
        w[i] -= alpha * m[i] / (sqrtf(scale) + epsilon);
    }
}

static void rmsprop(int64_t n, float *w, const float *g, float *v, float *average, float *m, float rate,
                    float rho, float momentum, float epsilon)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        v[i] = rho * v[i] + (1.0f - rho) * g[i] * g[i];
        float variance = v[i];
        if (average) {
            average[i] = rho * average[i] + (1.0f - rho) * g[i];
            variance -= average[i] * average[i];
            variance = variance < 0.0f ? 0.0f : variance; /* rounding; its root must stay a number */
        }
        float step = rate * g[i] / sqrtf(variance + epsilon);
        if (m) {
            m[i] = momentum * m[i] + step;
            step = m[i];
        }
        w[i] -= step;
    }
}

static void adagrad(int64_t n, float *w, const float *g, float *accumulator, float rate, float epsilon)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        accumulator[i] += g[i] * g[i];
        w[i] -= rate * g[i] / sqrtf(accumulator[i] + epsilon);
    }
}

#endif
