/* The softmax inside of attention, on vectors: a block of scores at a time, in powers of two. */
#ifndef HEED_KERNELS_ATTENTION_TMPL_H
#define HEED_KERNELS_ATTENTION_TMPL_H

#include "kernels/rows_tmpl.h"

static void attention_hide(int64_t n, const uint8_t *keep, float *s)
{
    for (int64_t j = 0; j < n; j += VL) {
        int64_t left = n - j < VL ? n - j : VL;
        v_store_some(s + j, left, v_select(v_bytes(keep + j, left), v_load_some(s + j, left), v_set(-INFINITY)));
    }
}

/* 2^x for x <= 0, 1.5 ulp; 0 from -160 on down */
INLINE vec v_exp2_negative(vec x)
{
    x = v_maximum(v_set(-160.0f), x);
    vec n = v_round(x), r = v_subtract(x, n);
    vec p = v_set(0.000155946779f);
    p = v_fma(p, r, v_set(0.00134066436f));
    p = v_fma(p, r, v_set(0.00961769279f));
    p = v_fma(p, r, v_set(0.0555031039f));
    p = v_fma(p, r, v_set(0.240226522f));
    p = v_fma(p, r, v_set(0.693147242f));
    return v_scale(v_fma(p, r, v_set(1.0f)), n);
}

/* the largest of a row of scores; NaN if the last of some lane is */
INLINE float largest_score(int64_t n, const float *s)
{
    vec top[4];
    UNROLL for (int t = 0; t < 4; t++)
        top[t] = v_set(-INFINITY);
    int64_t j = 0;
    for (; j + 4 * VL <= n; j += 4 * VL) {
        UNROLL for (int t = 0; t < 4; t++)
            top[t] = v_maximum(top[t], v_load(s + j + t * VL));
    }
    for (; j + VL <= n; j += VL)
        top[0] = v_maximum(top[0], v_load(s + j));
    if (j < n)
        top[1] = v_select(v_first(n - j), v_maximum(top[1], v_load_first(s + j, n - j)), top[1]);
    return v_largest(v_maximum(v_maximum(top[0], top[1]), v_maximum(top[2], top[3])));
}

/* s = 2^(s - top); gives the sum. */
INLINE float powers(int64_t n, float top, float *s)
{
    const vec shift = v_set(top);
    vec total[2] = {v_zero(), v_zero()};
    int64_t j = 0;
    for (; j + 2 * VL <= n; j += 2 * VL) {
        UNROLL for (int t = 0; t < 2; t++) {
            vec p = v_exp2_negative(v_subtract(v_load(s + j + t * VL), shift));
            v_store(s + j + t * VL, p);
            total[t] = v_add(total[t], p);
        }
    }
    for (; j < n; j += VL) {
        vec p = v_exp2_negative(v_subtract(v_load_some(s + j, n - j), shift));
        v_store_some(s + j, n - j, p);
        total[0] = v_add(total[0], n - j < VL ? v_select(v_first(n - j), p, v_zero()) : p);
    }
    return v_sum(v_add(total[0], total[1]));
}

static void attention_softmax(int64_t m, int64_t n, float *s, int64_t lds, float *top, float *total, int64_t d,
                              float *o, int64_t ldo)
{
    for (int64_t i = 0; i < m; i++) {
        float before = top[i], now = largest_score(n, s + i * lds);
        if (now > before)
            top[i] = now;
        else
            now = before;
        float sum = powers(n, now == -INFINITY ? 0.0f : now, s + i * lds);
        if (before == now) {
            total[i] += sum;
            continue;
        }
        float factor = exp2f(before - now);
        total[i] = total[i] * factor + sum;
        if (before == -INFINITY) /* nothing there yet but zeros */
            continue;
        const vec f = v_set(factor);
        for (int64_t j = 0; j < d; j += VL)
            v_store_some(o + i * ldo + j, d - j, v_multiply(f, v_load_some(o + i * ldo + j, d - j)));
    }
}

static void attention_finish(int64_t m, int64_t d, const float *o, int64_t ldo, const float *top, const float *total,
                             float *y, int64_t ldy, float *norm)
{
    for (int64_t i = 0; i < m; i++) {
        const bool any = total[i] != 0.0f;
        const vec factor = v_set(any ? 1.0f / total[i] : 0.0f);
        for (int64_t j = 0; j < d; j += VL)
            v_store_some(y + i * ldy + j, d - j, v_multiply(factor, v_load_some(o + i * ldo + j, d - j)));
        norm[i] = any ? top[i] + log2f(total[i]) : INFINITY;
    }
}

static void attention_gradient(int64_t m, int64_t n, float *s, float *dp, int64_t ld, const float *norm,
                               const float *delta, float scale)
{
    const vec factor = v_set(scale);
    for (int64_t i = 0; i < m; i++) {
        const vec shift = v_set(norm[i]), center = v_set(delta[i]);
        float *p = s + i * ld, *ds = dp + i * ld;
        for (int64_t j = 0; j < n; j += VL) {
            vec weight = v_exp2_negative(v_subtract(v_load_some(p + j, n - j), shift));
            v_store_some(p + j, n - j, weight);
            vec slope = v_multiply(factor, v_subtract(v_load_some(ds + j, n - j), center));
            v_store_some(ds + j, n - j, v_multiply(weight, slope));
        }
    }
}

/* weights[i] = scale q.keys[i], of a head whose part of a key begins at `at` */
INLINE void scores_of_row(int64_t n, int64_t size, const float *q, const float *const *keys, int64_t at, float scale,
                          float *weights)
{
    for (int64_t i = 0; i < n; i++) {
        const float *key = keys[i] + at;
        vec total = v_zero();
        for (int64_t j = 0; j < size; j += VL)
            total = v_fma(v_load_some(q + at + j, size - j), v_load_some(key + j, size - j), total);
        weights[i] = scale * v_sum(total);
    }
}

static void attention_row(int64_t n, int64_t heads, int64_t size, const float *q, const float *const *keys,
                          const float *const *values, float scale, float *weights, int64_t ldw, float *y)
{
    for (int64_t at = 0; at < heads * size; at += size, weights += ldw) {
        scores_of_row(n, size, q, keys, at, scale, weights);
        softmax(n, weights, NULL, weights);
        for (int64_t j = 0; j < size; j += VL) {
            vec total = v_zero();
            for (int64_t i = 0; i < n; i++)
                total = v_fma(v_set(weights[i]), v_load_some(values[i] + at + j, size - j), total);
            v_store_some(y + at + j, size - j, total);
        }
    }
}

#endif
