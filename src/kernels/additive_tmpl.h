/* Additive attention on vectors. With r = 1 / (1 + e^2(q+k)), tanh(q + k) is 1 - 2 r and its slope 4 r (1 - r), so that
 * a pair of elements costs a reciprocal and a few multiply-adds. Tiles of queries by keys share what they load.
 *
 * Lanes that are left over hold zeros; their r is a number, and their v is zero. */
#ifndef HEED_KERNELS_ADDITIVE_TMPL_H
#define HEED_KERNELS_ADDITIVE_TMPL_H

#include "kernels/simd_math.h"

#define EXPONENT_LIMIT 87.0f

enum { TILE_QUERIES = 2, TILE_KEYS = VL == 16 ? 4 : 2 };

static bool additive_exp(int64_t n, const float *x, float *exp2x)
{
    const vec limit = v_set(EXPONENT_LIMIT);
    vec largest = v_zero(), strange = v_zero();
    for (int64_t i = 0; i < n; i += VL) {
        vec some = v_load_some(x + i, n - i), twice = v_add(some, some);
        largest = v_maximum(v_abs(twice), largest);
        strange = v_select(v_is_nan(twice), twice, strange);
        v_store_some(exp2x + i, n - i, v_exp(v_minimum(limit, v_maximum(v_negative(limit), twice))));
    }
    return any(v_less(limit, largest)) || any(v_is_nan(strange));
}

/* Half the tanh, 1/2 - r. Its sum over u, unlike that of r, is not much larger than the score that it becomes. */
typedef vec half_tanh(vec q, vec k);

/* 1 + e^2q e^2k; the bound keeps its reciprocal a normal number, which is nothing by then */
INLINE vec denominator(vec exp_q, vec exp_k)
{
    return v_minimum(v_set(8e37f), v_fma(exp_q, exp_k, v_set(1.0f)));
}

INLINE vec half_tanh_factored(vec exp_q, vec exp_k)
{
    return v_minus_reciprocal(v_set(0.5f), denominator(exp_q, exp_k));
}

INLINE vec half_tanh_direct(vec q, vec k)
{
    return v_multiply(v_set(0.5f), v_tanh(v_add(q, k)));
}

/* e (rows, columns) = 2 sum_u v tanh/2; rows and columns are constants */
INLINE void score_tile(half_tanh *f, const int rows, const int columns, int64_t u, const float *q, const float *k,
                       const float *v, float *e, int64_t lde)
{
    vec sums[TILE_QUERIES][TILE_KEYS];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < columns; j++)
            sums[i][j] = v_zero();
    for (int64_t l = 0; l < u; l += VL) {
        const vec weight = v_load_some(v + l, u - l);
        vec query[TILE_QUERIES];
        UNROLL for (int i = 0; i < rows; i++)
            query[i] = v_load_some(q + i * u + l, u - l);
        UNROLL for (int j = 0; j < columns; j++) {
            const vec key = v_load_some(k + j * u + l, u - l);
            UNROLL for (int i = 0; i < rows; i++)
                sums[i][j] = v_fma(weight, f(query[i], key), sums[i][j]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < columns; j++)
            e[i * lde + j] = 2.0f * v_sum(sums[i][j]);
}

INLINE void score_row(half_tanh *f, const int rows, int64_t tk, int64_t u, const float *q, const float *k,
                      const float *v, float *e, int64_t lde)
{
    int64_t j = 0;
    for (; j + TILE_KEYS <= tk; j += TILE_KEYS)
        score_tile(f, rows, TILE_KEYS, u, q, k + j * u, v, e + j, lde);
    for (; j < tk; j++)
        score_tile(f, rows, 1, u, q, k + j * u, v, e + j, lde);
}

INLINE void score(half_tanh *f, int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                  float *e, int64_t lde)
{
    int64_t i = 0;
    for (; i + TILE_QUERIES <= tq; i += TILE_QUERIES)
        score_row(f, TILE_QUERIES, tk, u, q + i * u, k, v, e + i * lde, lde);
    for (; i < tq; i++)
        score_row(f, 1, tk, u, q + i * u, k, v, e + i * lde, lde);
}

static void additive_scores(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k, const float *v,
                            float *e, int64_t lde)
{
    score(half_tanh_factored, tq, tk, u, exp_q, exp_k, v, e, lde);
}

static void additive_scores_tanh(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                                 float *e, int64_t lde)
{
    score(half_tanh_direct, tq, tk, u, q, k, v, e, lde);
}

/* r itself, which the slope is made of: exact to its last digits where it is small */
typedef vec reciprocal(vec q, vec k);

INLINE vec reciprocal_factored(vec exp_q, vec exp_k)
{
    return v_negative(v_minus_reciprocal(v_zero(), denominator(exp_q, exp_k)));
}

INLINE vec reciprocal_direct(vec q, vec k)
{
    return v_sigmoid(v_multiply(v_set(-2.0f), v_add(q, k)));
}

INLINE void add_product(float *y, int64_t left, vec a, vec b) /* y += a b, y may be NULL */
{
    if (y)
        v_store_some(y, left, v_fma(a, b, v_load_some(y, left)));
}

INLINE float *row_of(float *x, int64_t row, int64_t u)
{
    return x ? x + row * u : NULL;
}

/* Adds the gradients of one tile. With w = de r of a pair, de tanh is de - 2 w, and de times the slope 4 w (1 - r). */
INLINE void gradient_tile(reciprocal *r, const int rows, const int columns, int64_t u, const float *q, const float *k,
                          const float *v, const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    float total = 0;
    vec d[TILE_QUERIES][TILE_KEYS];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int j = 0; j < columns; j++) {
            d[i][j] = v_set(de[i * lde + j]);
            total += de[i * lde + j];
        }
    }
    for (int64_t l = 0; l < u; l += VL) {
        const vec weight = v_multiply(v_set(4.0f), v_load_some(v + l, u - l));
        vec query[TILE_QUERIES], query_sum[TILE_QUERIES], tile_sum = v_zero();
        UNROLL for (int i = 0; i < rows; i++) {
            query[i] = v_load_some(q + i * u + l, u - l);
            query_sum[i] = v_zero();
        }
        UNROLL for (int j = 0; j < columns; j++) {
            const vec key = v_load_some(k + j * u + l, u - l);
            vec key_sum = v_zero();
            UNROLL for (int i = 0; i < rows; i++) {
                vec part = r(query[i], key), w = v_multiply(d[i][j], part), slope = v_fnma(w, part, w);
                query_sum[i] = v_add(query_sum[i], slope);
                key_sum = v_add(key_sum, slope);
                tile_sum = v_add(tile_sum, w);
            }
            add_product(dk ? dk + j * u + l : NULL, u - l, weight, key_sum);
        }
        UNROLL for (int i = 0; i < rows; i++)
            add_product(dq ? dq + i * u + l : NULL, u - l, weight, query_sum[i]);
        if (dv)
            v_store_some(dv + l, u - l,
                         v_add(v_load_some(dv + l, u - l), v_fnma(v_set(2.0f), tile_sum, v_set(total))));
    }
}

INLINE void gradient_row(reciprocal *r, const int rows, int64_t tk, int64_t u, const float *q, const float *k,
                         const float *v, const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    int64_t j = 0;
    for (; j + TILE_KEYS <= tk; j += TILE_KEYS)
        gradient_tile(r, rows, TILE_KEYS, u, q, k + j * u, v, de + j, lde, dq, row_of(dk, j, u), dv);
    for (; j < tk; j++)
        gradient_tile(r, rows, 1, u, q, k + j * u, v, de + j, lde, dq, row_of(dk, j, u), dv);
}

INLINE void gradient(reciprocal *r, int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                     const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    int64_t i = 0;
    for (; i + TILE_QUERIES <= tq; i += TILE_QUERIES)
        gradient_row(r, TILE_QUERIES, tk, u, q + i * u, k, v, de + i * lde, lde, row_of(dq, i, u), dk, dv);
    for (; i < tq; i++)
        gradient_row(r, 1, tk, u, q + i * u, k, v, de + i * lde, lde, row_of(dq, i, u), dk, dv);
}

static void additive_gradient(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k, const float *v,
                              const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    gradient(reciprocal_factored, tq, tk, u, exp_q, exp_k, v, de, lde, dq, dk, dv);
}

static void additive_gradient_tanh(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                                   const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    gradient(reciprocal_direct, tq, tk, u, q, k, v, de, lde, dq, dk, dv);
}

#endif
