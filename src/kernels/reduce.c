#include "kernels/generic.h"

#include <math.h>

/* Sums of floats are kept in double precision here, so that a reference is one. */

float heed_generic_sum(int64_t n, const float *x)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += x[i];
    return (float)total;
}

float heed_generic_maximum(int64_t n, const float *x)
{
    float top = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        top = top >= x[i] || isnan(top) ? top : x[i];
    return top;
}

float heed_generic_dot(int64_t n, const float *a, const float *b)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)a[i] * b[i];
    return (float)total;
}

void heed_generic_add_columns(int64_t rows, int64_t columns, const float *x, int64_t ldx, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            y[j] += x[i * ldx + j];
}

int64_t heed_generic_find_above(int64_t n, const float *x, float limit)
{
    int64_t i = 0;
    while (i < n && !(x[i] > limit))
        i++;
    return i;
}
