/* Softmax and normalisation of rows on vectors. */
#ifndef HEED_KERNELS_ROWS_TMPL_H
#define HEED_KERNELS_ROWS_TMPL_H

#include "kernels/reduce_tmpl.h"

static void clear(int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.0f;
}

/* y = e^(x - top) of what is kept, else 0; y may be NULL. Gives the sum. */
INLINE float sum_of_exponentials(int64_t n, const float *x, const uint8_t *keep, float top, float *y)
{
    vec total = v_zero();
    for (int64_t i = 0; i < n; i += VL) {
        vec e = v_exp(v_subtract(v_load_some(x + i, n - i), v_set(top)));
        e = v_select(kept(keep, i, n - i), e, v_zero());
        total = v_add(total, e);
        if (y)
            v_store_some(y + i, n - i, e);
    }
    return v_sum(total);
}

static void scale(int64_t n, const uint8_t *keep, float factor, float *y)
{
    for (int64_t i = 0; i < n; i += VL) {
        vec scaled = v_multiply(v_load_some(y + i, n - i), v_set(factor));
        v_store_some(y + i, n - i, keep ? v_select(kept(keep, i, n - i), scaled, v_zero()) : scaled);
    }
}

static void softmax(int64_t n, const float *x, const uint8_t *keep, float *y)
{
    float top = maximum_of_kept(n, x, keep);
    if (top == -INFINITY) { /* nothing is kept, or nothing but minus infinity */
        clear(n, y);
        return;
    }
    float total = keep ? sum_of_exponentials(n, x, keep, top, y) : sum_of_exponentials(n, x, NULL, top, y); /* two loops, inlined */
    scale(n, keep, 1.0f / total, y);
}

static void softmax_gradient(int64_t n, const float *y, const float *dy, float *dx)
{
    const vec mean = v_set(dot(n, y, dy));
    for (int64_t i = 0; i < n; i += VL)
        v_store_some(dx + i, n - i,
                     v_multiply(v_load_some(y + i, n - i), v_subtract(v_load_some(dy + i, n - i), mean)));
}

static float log_sum_exp(int64_t n, const float *x)
{
    float top = maximum(n, x);
    return top + logf(sum_of_exponentials(n, x, NULL, top, NULL));
}

static void log_softmax(int64_t n, const float *x, float *y)
{
    float top = maximum(n, x), shift = logf(sum_of_exponentials(n, x, NULL, top, NULL));
    for (int64_t i = 0; i < n; i += VL)
        v_store_some(y + i, n - i, v_subtract(v_subtract(v_load_some(x + i, n - i), v_set(top)), v_set(shift)));
}

static void log_softmax_gradient(int64_t n, const float *y, const float *dy, float *dx)
{
    const vec total = v_set(sum(n, dy));
    for (int64_t i = 0; i < n; i += VL)
        v_store_some(dx + i, n - i, v_fnma(v_exp(v_load_some(y + i, n - i)), total, v_load_some(dy + i, n - i)));
}

static float exponentials(int64_t n, const float *x, float *y, float *top)
{
    *top = maximum(n, x);
    if (*top != -INFINITY)
        return sum_of_exponentials(n, x, NULL, *top, y);
    clear(n, y);
    return 0.0f;
}

static float softmax_cross_entropy(int64_t n, const float *x, int64_t label, float *p)
{
    float top = maximum(n, x), right = x[label];
    float total = p ? sum_of_exponentials(n, x, NULL, top, p) : sum_of_exponentials(n, x, NULL, top, NULL);
    if (p)
        scale(n, NULL, 1.0f / total, p);
    return logf(total) + (top - right);
}

INLINE vec load_or(const float *p, int64_t i, int64_t left, float value)
{
    return p ? v_load_some(p + i, left) : v_set(value);
}

static void layer_norm(int64_t n, const float *x, const float *gamma, const float *beta, float epsilon, float *y,
                       float *mean, float *rstd)
{
    const float center = sum(n, x) / (float)n;
    const float factor = 1.0f / sqrtf(sum_of_deviations(n, x, center) / (float)n + epsilon);
    for (int64_t i = 0; i < n; i += VL) {
        vec normal = v_multiply(v_subtract(v_load_some(x + i, n - i), v_set(center)), v_set(factor));
        v_store_some(y + i, n - i, v_fma(normal, load_or(gamma, i, n - i, 1.0f), load_or(beta, i, n - i, 0.0f)));
    }
    *mean = center;
    *rstd = factor;
}

static void layer_norm_gradient(int64_t n, const float *x, const float *gamma, float mean, float rstd, const float *dy,
                                float *dx, float *dgamma, float *dbeta)
{
    const vec center = v_set(mean), factor = v_set(rstd);
    vec total = v_zero(), total_normal = v_zero(); /* of the gradient before gamma, plain and times the normalised x */
    for (int64_t i = 0; i < n; i += VL) {
        vec normal = v_multiply(v_subtract(v_load_some(x + i, n - i), center), factor);
        vec above = v_load_some(dy + i, n - i), d = v_multiply(above, load_or(gamma, i, n - i, 1.0f));
        total = v_add(total, d);
        total_normal = v_fma(d, normal, total_normal);
        if (dgamma)
            v_store_some(dgamma + i, n - i, v_fma(above, normal, v_load_some(dgamma + i, n - i)));
        if (dbeta)
            v_store_some(dbeta + i, n - i, v_add(above, v_load_some(dbeta + i, n - i)));
    }
    const vec average = v_set(v_sum(total) / (float)n), average_normal = v_set(v_sum(total_normal) / (float)n);
    for (int64_t i = 0; i < n; i += VL) {
        vec normal = v_multiply(v_subtract(v_load_some(x + i, n - i), center), factor);
        vec d = v_multiply(v_load_some(dy + i, n - i), load_or(gamma, i, n - i, 1.0f));
        v_store_some(dx + i, n - i, v_multiply(factor, v_fnma(normal, average_normal, v_subtract(d, average))));
    }
}

#endif
