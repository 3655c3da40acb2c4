/* Windows over channels that do not mix, and sums of rows, on vectors: a vector of channels stays in registers over all
 * taps, rows or shares. */
#ifndef HEED_KERNELS_WINDOW_TMPL_H
#define HEED_KERNELS_WINDOW_TMPL_H

#include "kernels/kernels.h"
#include "kernels/simd.h"

enum { WINDOW_ROWS = 4 }; /* for which a loaded weight serves */

/* `rows` is a constant where this is inlined; `channels` are those of one vector */
INLINE void depthwise_rows(const int rows, int64_t taps, int64_t channels, const float *x, int64_t x_row, int64_t x_tap,
                           const float *w, int64_t w_tap, float *y, int64_t y_row)
{
    vec sums[WINDOW_ROWS];
    UNROLL for (int i = 0; i < rows; i++)
        sums[i] = v_load_some(y + i * y_row, channels);
    for (int64_t j = 0; j < taps; j++) {
        vec weight = v_load_some(w + j * w_tap, channels);
        UNROLL for (int i = 0; i < rows; i++)
            sums[i] = v_fma(v_load_some(x + i * x_row + j * x_tap, channels), weight, sums[i]);
    }
    UNROLL for (int i = 0; i < rows; i++)
        v_store_some(y + i * y_row, channels, sums[i]);
}

static void depthwise(int64_t rows, int64_t taps, int64_t channels, const float *x, int64_t x_row, int64_t x_tap,
                      const float *w, int64_t w_tap, float *y, int64_t y_row)
{
    for (int64_t c = 0; c < channels; c += VL) {
        int64_t i = 0;
        for (; i + WINDOW_ROWS <= rows; i += WINDOW_ROWS)
            depthwise_rows(WINDOW_ROWS, taps, channels - c, x + i * x_row + c, x_row, x_tap, w + c, w_tap,
                           y + i * y_row + c, y_row);
        for (; i < rows; i++)
            depthwise_rows(1, taps, channels - c, x + i * x_row + c, x_row, x_tap, w + c, w_tap, y + i * y_row + c,
                           y_row);
    }
}

static void depthwise_gradient(int64_t rows, int64_t channels, const float *x, int64_t x_row, const float *dy,
                               int64_t dy_row, float *dw)
{
    for (int64_t c = 0; c < channels; c += VL) {
        vec total = v_load_some(dw + c, channels - c);
        for (int64_t i = 0; i < rows; i++)
            total = v_fma(v_load_some(x + i * x_row + c, channels - c), v_load_some(dy + i * dy_row + c, channels - c),
                          total);
        v_store_some(dw + c, channels - c, total);
    }
}

static void gather(int64_t rows, int64_t runs, int64_t n, const float *x, int64_t x_row, int64_t x_run, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t r = 0; r < runs; r++, y += n)
            for (int64_t c = 0; c < n; c += VL)
                v_store_some(y + c, n - c, v_load_some(x + i * x_row + r * x_run + c, n - c));
}

static void blend(int64_t rows, int64_t n, const int64_t *starts, const heed_share *shares, const float *x, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < n; c += VL) {
            vec total = v_zero();
            for (int64_t j = starts[i]; j < starts[i + 1]; j++)
                total = v_fma(v_set(shares[j].weight), v_load_some(x + shares[j].row * n + c, n - c), total);
            v_store_some(y + i * n + c, n - c, total);
        }
}

#endif
