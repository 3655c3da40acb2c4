/* Reductions on vectors: four running vectors, so that one addition need not wait for another. */
#ifndef HEED_KERNELS_REDUCE_TMPL_H
#define HEED_KERNELS_REDUCE_TMPL_H

#include "kernels/simd_math.h"

/* Adds STEP(vector of elements, i, left) over all n elements to a float TOTAL. */
#define HEED_SUM_OVER(n, total, STEP)                                                                                  \
    do {                                                                                                               \
        vec part[4] = {v_zero(), v_zero(), v_zero(), v_zero()};                                                        \
        int64_t at = 0;                                                                                                \
        for (; at + 4 * VL <= (n); at += 4 * VL) {                                                                     \
            part[0] = STEP(at, VL, part[0]);                                                                           \
            part[1] = STEP(at + VL, VL, part[1]);                                                                      \
            part[2] = STEP(at + 2 * VL, VL, part[2]);                                                                  \
            part[3] = STEP(at + 3 * VL, VL, part[3]);                                                                  \
        }                                                                                                              \
        for (; at < (n); at += VL)                                                                                     \
            part[0] = STEP(at, (n) - at, part[0]);                                                                     \
        total = v_sum(v_add(v_add(part[0], part[1]), v_add(part[2], part[3])));                                        \
    } while (0)

static float sum(int64_t n, const float *x)
{
    float total;
#define STEP(i, left, so_far) v_add(so_far, v_load_some(x + (i), left))
    HEED_SUM_OVER(n, total, STEP);
#undef STEP
    return total;
}

static float dot(int64_t n, const float *a, const float *b)
{
    float total;
#define STEP(i, left, so_far) v_fma(v_load_some(a + (i), left), v_load_some(b + (i), left), so_far)
    HEED_SUM_OVER(n, total, STEP);
#undef STEP
    return total;
}

/* sum of (x - center)^2 */
static float sum_of_deviations(int64_t n, const float *x, float center)
{
    float total;
    const int64_t whole = n / VL * VL; /* what a short vector is filled up with is not at the center */
    const vec middle = v_set(center);
#define STEP(i, left, so_far) v_fma(v_subtract(v_load(x + (i)), middle), v_subtract(v_load(x + (i)), middle), so_far)
    HEED_SUM_OVER(whole, total, STEP);
#undef STEP
    for (int64_t i = whole; i < n; i++)
        total += (x[i] - center) * (x[i] - center);
    return total;
}

/* which of the (up to VL) elements at i are kept */
INLINE mask kept(const uint8_t *keep, int64_t i, int64_t left)
{
    int64_t count = left < VL ? left : VL;
    return keep ? v_bytes(keep + i, count) : v_first(count);
}

/* the largest of what is kept, -INFINITY if nothing is, NaN if a kept one is */
static float maximum_of_kept(int64_t n, const float *x, const uint8_t *keep)
{
    const vec lowest = v_set(-INFINITY);
    vec top = lowest, strange = v_zero();
    for (int64_t i = 0; i < n; i += VL) {
        vec some = v_select(kept(keep, i, n - i), v_load_some(x + i, n - i), lowest);
        top = v_maximum(some, top);
        strange = v_select(v_is_nan(some), some, strange);
    }
    return any(v_is_nan(strange)) ? NAN : v_largest(top);
}

static float maximum(int64_t n, const float *x)
{
    return maximum_of_kept(n, x, NULL);
}

static int64_t find_above(int64_t n, const float *x, float limit)
{
    const vec low = v_set(limit);
    int64_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        mask above = v_less(low, v_load(x + i));
        UNROLL for (int t = 1; t < 4; t++)
            above = either(above, v_less(low, v_load(x + i + t * VL)));
        if (any(above))
            break;
    }
    while (i < n && !(x[i] > limit))
        i++;
    return i;
}

static void add_columns(int64_t rows, int64_t columns, const float *x, int64_t ldx, float *y)
{
    int64_t j = 0;
    for (; j + 4 * VL <= columns; j += 4 * VL) {
        vec total[4];
        UNROLL for (int t = 0; t < 4; t++)
            total[t] = v_load(y + j + t * VL);
        for (int64_t i = 0; i < rows; i++) {
            UNROLL for (int t = 0; t < 4; t++)
                total[t] = v_add(total[t], v_load(x + i * ldx + j + t * VL));
        }
        UNROLL for (int t = 0; t < 4; t++)
            v_store(y + j + t * VL, total[t]);
    }
    for (; j < columns; j += VL) {
        vec total = v_load_some(y + j, columns - j);
        for (int64_t i = 0; i < rows; i++)
            total = v_add(total, v_load_some(x + i * ldx + j, columns - j));
        v_store_some(y + j, columns - j, total);
    }
}

#endif
