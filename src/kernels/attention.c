#include "kernels/generic.h"

void heed_generic_attention_hide(int64_t n, const uint8_t *keep, float *s)
{
    for (int64_t j = 0; j < n; j++)
        if (!keep[j])
            s[j] = -INFINITY;
}

void heed_generic_attention_softmax(int64_t m, int64_t n, float *s, int64_t lds, float *top, float *total, int64_t d,
                                    float *o, int64_t ldo)
{
    for (int64_t i = 0; i < m; i++, s += lds, o += ldo) {
        float before = top[i];
        for (int64_t j = 0; j < n; j++)
            if (s[j] > top[i])
                top[i] = s[j];
        double sum = 0;
        for (int64_t j = 0; j < n; j++)
            sum += s[j] = exp2f(top[i] == -INFINITY ? s[j] : s[j] - top[i]);
        float factor = before == top[i] ? 1.0f : exp2f(before - top[i]);
        total[i] = (float)(total[i] * (double)factor + sum);
        for (int64_t j = 0; j < d; j++)
            o[j] *= factor;
    }
}

void heed_generic_attention_finish(int64_t m, int64_t d, const float *o, int64_t ldo, const float *top,
                                   const float *total, float *y, int64_t ldy, float *norm)
{
    for (int64_t i = 0; i < m; i++) {
        bool any = total[i] != 0.0f;
        for (int64_t j = 0; j < d; j++)
            y[i * ldy + j] = any ? o[i * ldo + j] / total[i] : 0.0f;
        norm[i] = any ? top[i] + log2f(total[i]) : INFINITY;
    }
}

void heed_generic_attention_gradient(int64_t m, int64_t n, float *s, float *dp, int64_t ld, const float *norm,
                                     const float *delta, float scale)
{
    for (int64_t i = 0; i < m; i++, s += ld, dp += ld)
        for (int64_t j = 0; j < n; j++) {
            s[j] = exp2f(s[j] - norm[i]);
            dp[j] = s[j] * scale * (dp[j] - delta[i]);
        }
}

void heed_generic_attention_row(int64_t n, int64_t heads, int64_t size, const float *q, const float *const *keys,
                                const float *const *values, float scale, float *weights, int64_t ldw, float *y)
{
    for (int64_t h = 0; h < heads; h++, weights += ldw) {
        for (int64_t i = 0; i < n; i++)
            weights[i] = scale * heed_generic_dot(size, q + h * size, keys[i] + h * size);
        heed_generic_softmax(n, weights, NULL, weights);
        for (int64_t j = h * size; j < (h + 1) * size; j++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += (double)weights[i] * (double)values[i][j];
            y[j] = (float)sum;
        }
    }
}
