/* Loops so plain that every instruction set's own compilation of them is its best. */
#ifndef HEED_KERNELS_LOOPS_TMPL_H
#define HEED_KERNELS_LOOPS_TMPL_H

#include "kernels/kernels.h"

#include <math.h>

static void binary(heed_binary_function f, int64_t n, const float *a, int64_t a_step, const float *b, int64_t b_step,
                   float *y)
{
    if (n < 1)
        return;
    const float a0 = a[0], b0 = b[0];
#define LOOP(P, Q, VALUE)                                                                                              \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const float p = (P), q = (Q);                                                                                  \
        y[i] = (VALUE);                                                                                                \
    }
#define EACH(ID, VALUE)                                                                                                \
    case HEED_BINARY_##ID:                                                                                             \
        if (a_step && b_step)                                                                                          \
            LOOP(a[i], b[i], VALUE)                                                                                    \
        else if (a_step)                                                                                               \
            LOOP(a[i], b0, VALUE)                                                                                      \
        else                                                                                                           \
            LOOP(a0, b[i * b_step], VALUE)                                                                             \
        break;
    switch (f) {
        EACH(ADD, p + q)
        EACH(SUBTRACT, p - q)
        EACH(MULTIPLY, p * q)
        EACH(DIVIDE, p / q)
        EACH(MAXIMUM, p > q || isnan(p) ? p : q)
        EACH(MINIMUM, p < q || isnan(p) ? p : q)
    case HEED_BINARY_COUNT:
        break;
    }
#undef EACH
#undef LOOP
}

static void axpy(int64_t n, float alpha, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += alpha * x[i];
}

static void multiply_add(int64_t n, const float *a, const float *b, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a[i] * b[i];
}

static void claim(int64_t n, const float *x, const float *y, float *left, float *dx)
{
    for (int64_t i = 0; i < n; i++) {
        const bool equal = x[i] == y[i];
        dx[i] += equal ? left[i] : 0.0f;
        left[i] = equal ? 0.0f : left[i];
    }
}

static double sum_of_squares(int64_t n, const float *x)
{
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; i++)
        total += (double)x[i] * x[i];
    return total;
}

#endif
