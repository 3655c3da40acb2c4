/* The kernels in plain C, which serve any processor and are what the others are held against. kernels.h says what each
 * does. */
#ifndef HEED_KERNELS_GENERIC_H
#define HEED_KERNELS_GENERIC_H

#include "kernels/kernels.h"

#include <math.h>

/* 1 / (1 + e^-x), without overflow and with all its digits on either side */
static inline float heed_generic_sigmoid(float x)
{
    float e = expf(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

enum { HEED_GENERIC_COLUMNS = 8 };

void heed_generic_gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                       const float *b, int64_t b_row, int64_t b_column, float *c, int64_t ldc, const float *start,
                 int64_t start_row);
void heed_generic_gemm_pack(int64_t n, int64_t k, const float *b, int64_t b_row, int64_t b_column, float *packed);
void heed_generic_gemm_packed(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                              const float *packed, float *c, int64_t ldc, const float *start,
                 int64_t start_row);

void heed_generic_unary(heed_unary_function f, int64_t n, const float *x, float a, float b, float *y);
void heed_generic_unary_gradient(heed_unary_function f, int64_t n, const float *x, const float *y, const float *dy,
                                 float a, float b, float *dx);

float heed_generic_sum(int64_t n, const float *x);
float heed_generic_maximum(int64_t n, const float *x);
float heed_generic_dot(int64_t n, const float *a, const float *b);
int64_t heed_generic_find_above(int64_t n, const float *x, float limit);
void  heed_generic_add_columns(int64_t rows, int64_t columns, const float *x, int64_t ldx, float *y);

void heed_generic_depthwise(int64_t rows, int64_t taps, int64_t channels, const float *x, int64_t x_row, int64_t x_tap,
                            const float *w, int64_t w_tap, float *y, int64_t y_row);
void heed_generic_depthwise_gradient(int64_t rows, int64_t channels, const float *x, int64_t x_row, const float *dy,
                                     int64_t dy_row, float *dw);
void heed_generic_gather(int64_t rows, int64_t runs, int64_t n, const float *x, int64_t x_row, int64_t x_run, float *y);
void heed_generic_blend(int64_t rows, int64_t n, const int64_t *starts, const heed_share *shares, const float *x,
                        float *y);

void  heed_generic_softmax(int64_t n, const float *x, const uint8_t *keep, float *y);
void  heed_generic_softmax_gradient(int64_t n, const float *y, const float *dy, float *dx);
void  heed_generic_log_softmax(int64_t n, const float *x, float *y);
float heed_generic_log_sum_exp(int64_t n, const float *x);
void  heed_generic_log_softmax_gradient(int64_t n, const float *y, const float *dy, float *dx);
void  heed_generic_layer_norm(int64_t n, const float *x, const float *gamma, const float *beta, float epsilon, float *y,
                              float *mean, float *rstd);
void  heed_generic_layer_norm_gradient(int64_t n, const float *x, const float *gamma, float mean, float rstd,
                                       const float *dy, float *dx, float *dgamma, float *dbeta);
float heed_generic_exponentials(int64_t n, const float *x, float *y, float *top);
float heed_generic_softmax_cross_entropy(int64_t n, const float *x, int64_t label, float *p);

void heed_generic_lstm(int64_t u, const float *zx, const float *zh, const float *c_previous, float *gates, float *c,
                       float *h);
void heed_generic_lstm_gradient(int64_t u, const float *gates, const float *c_previous, const float *c, const float *dh,
                                const float *dc, float *dz, float *dc_previous);
void heed_generic_gru(int64_t u, const float *zx, const float *zh, const float *h_previous, float *gates, float *h);
void heed_generic_gru_gradient(int64_t u, const float *gates, const float *zh, const float *h_previous, const float *dh,
                               float *dzx, float *dzh, float *dh_previous);

bool heed_generic_additive_exp(int64_t n, const float *x, float *exp2x);
void heed_generic_additive_scores(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k,
                                  const float *v, float *e, int64_t lde);
void heed_generic_additive_scores_tanh(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k,
                                       const float *v, float *e, int64_t lde);
void heed_generic_additive_gradient(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k,
                                    const float *v, const float *de, int64_t lde, float *dq, float *dk, float *dv);
void heed_generic_additive_gradient_tanh(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k,
                                         const float *v, const float *de, int64_t lde, float *dq, float *dk, float *dv);

void heed_generic_attention_hide(int64_t n, const uint8_t *keep, float *s);
void heed_generic_attention_softmax(int64_t m, int64_t n, float *s, int64_t lds, float *top, float *total, int64_t d,
                                    float *o, int64_t ldo);
void heed_generic_attention_row(int64_t n, int64_t heads, int64_t size, const float *q, const float *const *keys,
                                const float *const *values, float scale, float *weights, int64_t ldw, float *y);
void heed_generic_attention_finish(int64_t m, int64_t d, const float *o, int64_t ldo, const float *top,
                                   const float *total, float *y, int64_t ldy, float *norm);
void heed_generic_attention_gradient(int64_t m, int64_t n, float *s, float *dp, int64_t ld, const float *norm,
                                     const float *delta, float scale);

void heed_generic_random_uniform(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y);
void heed_generic_random_normal(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y);
void heed_generic_dropout(int64_t n, const float *x, float rate, uint64_t seed, uint64_t stream, uint64_t first,
                          float *y);

#endif
