#include "kernels/generic.h"

#include <math.h>

#define CLAMP 87.0f /* e^87 is finite, and so is 1 + its square in the reciprocal that follows */

bool heed_generic_additive_exp(int64_t n, const float *x, float *exp2x)
{
    bool beyond = false;
    for (int64_t i = 0; i < n; i++) {
        float twice = 2.0f * x[i];
        beyond |= !(fabsf(twice) <= CLAMP); /* a NaN is beyond too */
        exp2x[i] = expf(twice < -CLAMP ? -CLAMP : twice > CLAMP ? CLAMP : twice);
    }
    return beyond;
}

/* tanh(q + k) of the factored exponentials e^2q, e^2k */
static inline float factored(float exp_q, float exp_k)
{
    return 1.0f - 2.0f / (1.0f + exp_q * exp_k);
}

static inline float direct(float q, float k)
{
    return tanhf(q + k);
}

typedef float squash(float q, float k);

static inline void scores(squash *f, int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                          float *e, int64_t lde)
{
    for (int64_t i = 0; i < tq; i++) {
        for (int64_t j = 0; j < tk; j++) {
            double score = 0;
            for (int64_t l = 0; l < u; l++)
                score += (double)v[l] * f(q[i * u + l], k[j * u + l]);
            e[i * lde + j] = (float)score;
        }
    }
}

static inline void gradient(squash *f, int64_t tq, int64_t tk, int64_t u, const float *q, const float *k,
                            const float *v, const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    for (int64_t i = 0; i < tq; i++) {
        for (int64_t j = 0; j < tk; j++) {
            float d = de[i * lde + j];
            for (int64_t l = 0; l < u; l++) {
                float y = f(q[i * u + l], k[j * u + l]);
                float dsum = d * v[l] * (1.0f - y * y);
                if (dq)
                    dq[i * u + l] += dsum;
                if (dk)
                    dk[j * u + l] += dsum;
                if (dv)
                    dv[l] += d * y;
            }
        }
    }
}

void heed_generic_additive_scores(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k,
                                  const float *v, float *e, int64_t lde)
{
    scores(factored, tq, tk, u, exp_q, exp_k, v, e, lde);
}

void heed_generic_additive_scores_tanh(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k,
                                       const float *v, float *e, int64_t lde)
{
    scores(direct, tq, tk, u, q, k, v, e, lde);
}

void heed_generic_additive_gradient(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k,
                                    const float *v, const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    gradient(factored, tq, tk, u, exp_q, exp_k, v, de, lde, dq, dk, dv);
}

void heed_generic_additive_gradient_tanh(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k,
                                         const float *v, const float *de, int64_t lde, float *dq, float *dk, float *dv)
{
    gradient(direct, tq, tk, u, q, k, v, de, lde, dq, dk, dv);
}
