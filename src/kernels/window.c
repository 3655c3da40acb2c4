#include "kernels/generic.h"

#include <string.h>

void heed_generic_depthwise(int64_t rows, int64_t taps, int64_t channels, const float *x, int64_t x_row, int64_t x_tap,
                            const float *w, int64_t w_tap, float *y, int64_t y_row)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < channels; c++) {
            double total = y[i * y_row + c];
            for (int64_t j = 0; j < taps; j++)
                total += (double)x[i * x_row + j * x_tap + c] * w[j * w_tap + c];
            y[i * y_row + c] = (float)total;
        }
}

void heed_generic_depthwise_gradient(int64_t rows, int64_t channels, const float *x, int64_t x_row, const float *dy,
                                     int64_t dy_row, float *dw)
{
    for (int64_t c = 0; c < channels; c++) {
        double total = dw[c];
        for (int64_t i = 0; i < rows; i++)
            total += (double)x[i * x_row + c] * dy[i * dy_row + c];
        dw[c] = (float)total;
    }
}

void heed_generic_gather(int64_t rows, int64_t runs, int64_t n, const float *x, int64_t x_row, int64_t x_run, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t r = 0; r < runs; r++, y += n)
            memcpy(y, x + i * x_row + r * x_run, (size_t)n * sizeof *y);
}

void heed_generic_blend(int64_t rows, int64_t n, const int64_t *starts, const heed_share *shares, const float *x,
                        float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < n; c++) {
            double total = 0.0;
            for (int64_t j = starts[i]; j < starts[i + 1]; j++)
                total += (double)shares[j].weight * x[shares[j].row * n + c];
            y[i * n + c] = (float)total;
        }
}
