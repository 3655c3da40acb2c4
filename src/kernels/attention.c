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

void heed_generic_attention_gradient(int64_t m, int64_t n, float *s, float *dp, int64_t ld, const float *norm,
                                     const float *delta, float scale)
{
    for (int64_t i = 0; i < m; i++, s += ld, dp += ld)
        for (int64_t j = 0; j < n; j++) {
            s[j] = exp2f(s[j] - norm[i]);
            dp[j] = s[j] * scale * (dp[j] - delta[i]);
        }
}
