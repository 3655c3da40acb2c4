#include "kernels/generic.h"

#include <math.h>

static inline bool kept(const uint8_t *keep, int64_t i)
{
    return !keep || keep[i];
}

/* the largest of what is kept, -INFINITY if nothing is */
static float maximum_of_kept(int64_t n, const float *x, const uint8_t *keep)
{
    float top = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (kept(keep, i))
            top = top >= x[i] || isnan(top) ? top : x[i];
    return top;
}

void heed_generic_softmax(int64_t n, const float *x, const uint8_t *keep, float *y)
{
    float top = maximum_of_kept(n, x, keep);
    bool empty = top == -INFINITY; /* nothing kept, or nothing but minus infinity */
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        y[i] = kept(keep, i) && !empty ? expf(x[i] - top) : 0.0f;
        total += y[i];
    }
    float scale = (float)(1.0 / total);
    for (int64_t i = 0; i < n; i++)
        y[i] = kept(keep, i) && !empty ? y[i] * scale : 0.0f;
}

void heed_generic_softmax_gradient(int64_t n, const float *y, const float *dy, float *dx)
{
    float mean = heed_generic_dot(n, y, dy);
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - mean);
}

/* log(sum e^(x - top)), in double precision */
static double log_sum(int64_t n, const float *x, float top)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += expf(x[i] - top);
    return log(total);
}

float heed_generic_log_sum_exp(int64_t n, const float *x)
{
    float top = heed_generic_maximum(n, x);
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += exp((double)x[i] - (double)top);
    return top + (float)log(total);
}

void heed_generic_log_softmax(int64_t n, const float *x, float *y)
{
    float top = heed_generic_maximum(n, x);
    float shift = (float)log_sum(n, x, top);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] - top - shift;
}

void heed_generic_log_softmax_gradient(int64_t n, const float *y, const float *dy, float *dx)
{
    float total = heed_generic_sum(n, dy);
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] - expf(y[i]) * total;
}

void heed_generic_layer_norm(int64_t n, const float *x, const float *gamma, const float *beta, float epsilon, float *y,
                             float *mean, float *rstd)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    float center = (float)(sum / (double)n);
    for (int64_t i = 0; i < n; i++)
        squares += ((double)x[i] - center) * ((double)x[i] - center);
    float scale = (float)(1.0 / sqrt(squares / (double)n + (double)epsilon));
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - center) * scale * (gamma ? gamma[i] : 1.0f) + (beta ? beta[i] : 0.0f);
    *mean = center;
    *rstd = scale;
}

void heed_generic_layer_norm_gradient(int64_t n, const float *x, const float *gamma, float mean, float rstd,
                                      const float *dy, float *dx, float *dgamma, float *dbeta)
{
    double sum = 0, sum_normal = 0; /* of the gradient before gamma, plain and times the normalised x */
    for (int64_t i = 0; i < n; i++) {
        float normal = (x[i] - mean) * rstd, d = dy[i] * (gamma ? gamma[i] : 1.0f);
        sum += d;
        sum_normal += d * normal;
        if (dgamma)
            dgamma[i] += dy[i] * normal;
        if (dbeta)
            dbeta[i] += dy[i];
    }
    float average = (float)(sum / (double)n), average_normal = (float)(sum_normal / (double)n);
    for (int64_t i = 0; i < n; i++) {
        float normal = (x[i] - mean) * rstd, d = dy[i] * (gamma ? gamma[i] : 1.0f);
        dx[i] = rstd * (d - average - normal * average_normal);
    }
}

float heed_generic_exponentials(int64_t n, const float *x, float *y, float *top)
{
    double total = 0;
    *top = heed_generic_maximum(n, x);
    for (int64_t i = 0; i < n; i++) {
        y[i] = *top == -INFINITY ? 0.0f : expf(x[i] - *top);
        total += y[i];
    }
    return (float)total;
}

float heed_generic_softmax_cross_entropy(int64_t n, const float *x, int64_t label, float *p)
{
    float top = heed_generic_maximum(n, x);
    float loss = (float)log_sum(n, x, top) + (top - x[label]);
    if (p)
        heed_generic_softmax(n, x, NULL, p);
    return loss;
}
