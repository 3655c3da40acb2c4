/* Kernels: pointers, sizes and strides in, numbers out. No allocation, no threads, no graph types; no byte outside of what
 * the arguments describe is read or written. Pointers need no alignment beyond their type's. Unless said otherwise an
 * output may be the same pointer as an input of the same size, but must not overlap it otherwise.
 *
 * One table an instruction set; heed_kernels_for() picks it. The generic table is plain C, serves any processor, and is
 * what the others are held against. A kernel's result depends on its arguments alone (bits too), never on the thread.
 *
 * Shapes stand in comments as (rows, columns); `ld*` is the distance between rows in elements. */
#ifndef HEED_KERNELS_KERNELS_H
#define HEED_KERNELS_KERNELS_H

#include "heed/base.h"

/* Functions of one argument with up to two parameters a, b; the names and equations are those of Keras' activations. */
#define HEED_UNARY_MAP(X)                                                                                              \
    X(NEGATIVE, "negative")         /* -x */                                                                           \
    X(ABS, "abs")                   /* |x| */                                                                          \
    X(SIGN, "sign")                 /* -1, 0, 1; gradient 0 */                                                         \
    X(SQUARE, "square")             /* x^2 */                                                                          \
    X(SQRT, "sqrt")                                                                                                    \
    X(RSQRT, "rsqrt")               /* 1/sqrt(x) */                                                                    \
    X(RECIPROCAL, "reciprocal")     /* 1/x */                                                                          \
    X(EXP, "exp")                                                                                                      \
    X(LOG, "log")                                                                                                      \
    X(LOG1P, "log1p")                                                                                                  \
    X(SCALE, "scale")               /* a x + b */                                                                      \
    X(CLIP, "clip")                 /* min(max(x, a), b); gradient 1 for a <= x <= b, else 0 */                        \
    X(POWER, "power")               /* x^a */                                                                          \
    X(TANH, "tanh")                                                                                                    \
    X(SIGMOID, "sigmoid")                                                                                              \
    X(RELU, "relu")                 /* max(x, 0); gradient 0 at 0 */                                                   \
    X(RELU6, "relu6")               /* min(max(x, 0), 6) */                                                            \
    X(LEAKY_RELU, "leaky_relu")     /* x > 0 ? x : a x */                                                              \
    X(ELU, "elu")                   /* x > 0 ? x : a (e^x - 1) */                                                      \
    X(SELU, "selu")                 /* 1.0507009873554805 * elu(x, 1.6732632423543772) */                              \
    X(CELU, "celu")                 /* x > 0 ? x : a (e^(x/a) - 1) */                                                  \
    X(GELU, "gelu")                 /* x Phi(x), by erf */                                                             \
    X(GELU_TANH, "gelu_tanh")       /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */                                \
    X(SILU, "silu")                 /* x sigmoid(x) */                                                                 \
    X(MISH, "mish")                 /* x tanh(softplus(x)) */                                                          \
    X(SOFTPLUS, "softplus")         /* log(1 + e^x), without overflow */                                               \
    X(SOFTSIGN, "softsign")         /* x / (1 + |x|) */                                                                \
    X(HARD_SIGMOID, "hard_sigmoid") /* clip(a x + 0.5, 0, 1): a = 1/6 in Keras 3, 0.2 in Keras 2 */                    \
    X(HARD_SILU, "hard_silu")       /* x hard_sigmoid(x), a as there */                                                \
    X(LOG_SIGMOID, "log_sigmoid")   /* -softplus(-x) */                                                                \
    X(HARD_TANH, "hard_tanh")       /* clip(x, -1, 1) */                                                               \
    X(TANH_SHRINK, "tanh_shrink")   /* x - tanh(x) */                                                                  \
    X(SOFT_SHRINK, "soft_shrink")   /* x > a ? x - a : x < -a ? x + a : 0 */                                           \
    X(HARD_SHRINK, "hard_shrink")   /* |x| > a ? x : 0 */                                                              \
    X(THRESHOLD, "threshold")       /* x > a ? x : b */                                                                \
    X(SQUAREPLUS, "squareplus")     /* (x + sqrt(x^2 + a)) / 2, a = 4 in Keras */                                      \
    X(SPARSE_PLUS, "sparse_plus")   /* x <= -1: 0; x < 1: (x + 1)^2 / 4; else x */                                     \
    X(SPARSE_SIGMOID, "sparse_sigmoid") /* x <= -1: 0; x < 1: (x + 1) / 2; else 1 */                                   \
    X(SIN, "sin")                                                                                                      \
    X(COS, "cos")                                                                                                      \
    X(ERF, "erf")                   /* the error function */

typedef enum heed_unary_function {
#define HEED_UNARY_ENUM(id, name) HEED_UNARY_##id,
    HEED_UNARY_MAP(HEED_UNARY_ENUM)
#undef HEED_UNARY_ENUM
    HEED_UNARY_COUNT
} heed_unary_function;

/* Functions of two arguments. Comparisons give 1.0f or 0.0f. */
#define HEED_BINARY_MAP(X)                                                                                             \
    X(ADD, "add") X(SUBTRACT, "subtract") X(MULTIPLY, "multiply") X(DIVIDE, "divide")                                  \
    X(MAXIMUM, "maximum") X(MINIMUM, "minimum")

typedef enum heed_binary_function {
#define HEED_BINARY_ENUM(id, name) HEED_BINARY_##id,
    HEED_BINARY_MAP(HEED_BINARY_ENUM)
#undef HEED_BINARY_ENUM
    HEED_BINARY_COUNT
} heed_binary_function;

/* Of a weighted sum of rows. */
typedef struct heed_share {
    int64_t row;
    float   weight;
} heed_share;

typedef struct heed_kernels {
    const char *name; /* "generic", "avx2", "avx512" */

    /* ---- products. A (m, k) has element (i, l) at a[i*a_row + l*a_column]; B (k, n) at b[l*b_row + j*b_column]; C (m, n)
     * at c[i*ldc + j]. Either stride of A or B is 1. C = S + A B, S (m, n) at start[i*start_row + j], NULL: zeros; start_row 0
     * makes S one row for all, a bias; S may be C itself. Otherwise nothing overlaps.
     * gemm works on B as it lies, for few rows or a single use. For many rows B is packed once (gemm_pack, into
     * gemm_packed_size floats, 64-byte aligned) and used often (gemm_packed). C's element (i, j) has the same bits
     * however the rows and (in multiples of gemm_columns) the columns are cut into calls, packed or not as long as it is
     * the same of the two. */
    int64_t gemm_columns; /* the width of a packed panel */
    void (*gemm)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column, const float *b,
                 int64_t b_row, int64_t b_column, float *c, int64_t ldc, const float *start,
                 int64_t start_row);
    /* Panel p holds columns p*gemm_columns.. (short of n: zeros) of all k rows, at packed + p*gemm_columns*k; so a caller
     * can pack, or use, panels one by one: packed size of n columns is round_up(n, gemm_columns) * k. */
    void (*gemm_pack)(int64_t n, int64_t k, const float *b, int64_t b_row, int64_t b_column, float *packed);
    void (*gemm_packed)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column,
                        const float *packed, float *c, int64_t ldc, const float *start,
                 int64_t start_row);

    /* ---- element by element, n elements */
    void (*unary)(heed_unary_function f, int64_t n, const float *x, float a, float b, float *y);
    /* dx = dy f'(x); y is f(x), for the functions whose derivative is cheaper in it */
    void (*unary_gradient)(heed_unary_function f, int64_t n, const float *x, const float *y, const float *dy, float a,
                           float b, float *dx);
    /* y[i] = f(a[i*a_step], b[i*b_step]), steps 0 or 1 */
    void (*binary)(heed_binary_function f, int64_t n, const float *a, int64_t a_step, const float *b, int64_t b_step,
                   float *y);
    void (*axpy)(int64_t n, float alpha, const float *x, float *y);    /* y += alpha x */
    void (*multiply_add)(int64_t n, const float *a, const float *b, float *y); /* y += a b */

    /* ---- reductions */
    float  (*sum)(int64_t n, const float *x);
    float  (*maximum)(int64_t n, const float *x); /* -INFINITY for n = 0; NaN if any is */
    float  (*dot)(int64_t n, const float *a, const float *b);
    int64_t (*find_above)(int64_t n, const float *x, float limit); /* the first i with x[i] > limit; n if there is none */
    double (*sum_of_squares)(int64_t n, const float *x); /* in double precision */
    void   (*add_columns)(int64_t rows, int64_t columns, const float *x, int64_t ldx, float *y); /* y[j] += sum_i x[i,j] */

    /* ---- windows over channels that do not mix: y[i,c] += sum_j x[i,j,c] w[j,c], with x[i,j,c] at x[i*x_row + j*x_tap + c],
     * w[j,c] at w[j*w_tap + c] and y[i,c] at y[i*y_row + c]; w_tap may be negative, rows of x may overlap */
    void (*depthwise)(int64_t rows, int64_t taps, int64_t channels, const float *x, int64_t x_row, int64_t x_tap,
                      const float *w, int64_t w_tap, float *y, int64_t y_row);
    /* dw[c] += sum_i x[i*x_row + c] dy[i*dy_row + c] */
    void (*depthwise_gradient)(int64_t rows, int64_t channels, const float *x, int64_t x_row, const float *dy,
                               int64_t dy_row, float *dw);
    /* y (rows, runs, n), dense, from pieces that may overlap: y[i,r,c] = x[i*x_row + r*x_run + c] */
    void (*gather)(int64_t rows, int64_t runs, int64_t n, const float *x, int64_t x_row, int64_t x_run, float *y);
    /* y (rows, n), dense: row i is the sum of those rows of x (..., n) that shares[starts[i]] to before
     * shares[starts[i + 1]] tell, each times its weight */
    void (*blend)(int64_t rows, int64_t n, const int64_t *starts, const heed_share *shares, const float *x, float *y);
    /* Gives a maximum's gradient to the first that equals it: where x = y, dx += left and left = 0. */
    void (*claim)(int64_t n, const float *x, const float *y, float *left, float *dx);

    /* ---- rows. keep: one byte an element, 0 leaves it out, or NULL. What is left out gets 0; so does all of a row of
     * which nothing is kept. */
    void (*softmax)(int64_t n, const float *x, const uint8_t *keep, float *y);
    void (*softmax_gradient)(int64_t n, const float *y, const float *dy, float *dx); /* dx = y (dy - sum(y dy)) */
    void (*log_softmax)(int64_t n, const float *x, float *y);
    float (*log_sum_exp)(int64_t n, const float *x); /* log(sum e^x) */
    void (*log_softmax_gradient)(int64_t n, const float *y, const float *dy, float *dx); /* dx = dy - e^y sum(dy) */
    /* y = (x - mean) rstd gamma + beta, rstd = 1/sqrt(variance + epsilon); gamma, beta may be NULL. mean, rstd: one each */
    void (*layer_norm)(int64_t n, const float *x, const float *gamma, const float *beta, float epsilon, float *y,
                       float *mean, float *rstd);
    /* dx as above; dgamma += dy (x-mean) rstd and dbeta += dy where not NULL */
    void (*layer_norm_gradient)(int64_t n, const float *x, const float *gamma, float mean, float rstd, const float *dy,
                                float *dx, float *dgamma, float *dbeta);
    /* y = e^(x - top), top the largest of x; gives the sum of y. All of it minus infinity: zeros */
    float (*exponentials)(int64_t n, const float *x, float *y, float *top);
    /* loss of one row of logits against class `label` (0..n-1): log(sum e^x) - x[label]; p = softmax(x), may be NULL */
    float (*softmax_cross_entropy)(int64_t n, const float *x, int64_t label, float *p);

    /* ---- recurrent steps, one row each (Keras' gate orders); logistic sigmoid and tanh.
     * LSTM, order i, f, c, o: z = zx + zh (4u each; zh may be NULL). gates receives the activated i, f, c~, o (4u). */
    void (*lstm)(int64_t u, const float *zx, const float *zh, const float *c_previous, float *gates, float *c, float *h);
    /* dc is the gradient that reaches c from the next step; dz (4u) and dc_previous (u) are written */
    void (*lstm_gradient)(int64_t u, const float *gates, const float *c_previous, const float *c, const float *dh,
                          const float *dc, float *dz, float *dc_previous);
    /* GRU with reset_after, order z, r, h: zx (3u) holds x's products and input bias, zh (3u) the state's products and
     * recurrent bias. gates receives z, r, h~ (3u). h' = z h + (1-z) h~, h~ = tanh(zx_h + r zh_h). */
    void (*gru)(int64_t u, const float *zx, const float *zh, const float *h_previous, float *gates, float *h);
    /* dzx, dzh (3u each) and the direct part of dh_previous (u), z dh, are written */
    void (*gru_gradient)(int64_t u, const float *gates, const float *zh, const float *h_previous, const float *dh,
                         float *dzx, float *dzh, float *dh_previous);

    /* ---- additive attention scores, e[i,j] = sum_u v[u] tanh(q[i,u] + k[j,u]), by factored exponentials:
     * tanh(q+k) = 1 - 2/(1 + e^{2q} e^{2k}). additive_exp makes e^{2x} with 2x clamped to +-87, n elements. Where some
     * |x| passes 43.5 the clamp would lie: additive_exp then returns true, and the caller uses the *_tanh kernels, which
     * take q and k themselves. q (tq, u), k (tk, u), dense rows; e (tq, tk) with lde. */
    bool (*additive_exp)(int64_t n, const float *x, float *exp2x);
    void (*additive_scores)(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k, const float *v,
                            float *e, int64_t lde);
    void (*additive_scores_tanh)(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                                 float *e, int64_t lde);
    /* dq (tq, u), dk (tk, u), dv (u) are added to; any may be NULL */
    void (*additive_gradient)(int64_t tq, int64_t tk, int64_t u, const float *exp_q, const float *exp_k, const float *v,
                              const float *de, int64_t lde, float *dq, float *dk, float *dv);
    void (*additive_gradient_tanh)(int64_t tq, int64_t tk, int64_t u, const float *q, const float *k, const float *v,
                                   const float *de, int64_t lde, float *dq, float *dk, float *dv);

    /* ---- scaled dot product attention over one block of keys; scores s (m, n) in powers of two, -INFINITY what is hidden */
    void (*attention_hide)(int64_t n, const uint8_t *keep, float *s); /* a row of scores: those whose byte is 0 */
    /* The softmax so far, of which top (m), total (m) and o (m, d) hold the largest score, the sum and the weighted values:
     * at first -INFINITY, 0 and 0. s becomes 2^(s - top) with the new top; total and o are brought to it, and total takes
     * in the new ones: o is left to the caller. */
    void (*attention_softmax)(int64_t m, int64_t n, float *s, int64_t lds, float *top, float *total, int64_t d, float *o,
                              int64_t ldo);
    /* y = o / total and norm (m) = top + log2(total); zeros and INFINITY where total is 0 */
    void (*attention_finish)(int64_t m, int64_t d, const float *o, int64_t ldo, const float *top, const float *total,
                             float *y, int64_t ldy, float *norm);
    /* s becomes the weights p = 2^(s - norm), norm (m) = top + log2(total), and dp their scores' gradient
     * scale p (dp - delta), delta (m) */
    void (*attention_gradient)(int64_t m, int64_t n, float *s, float *dp, int64_t ld, const float *norm,
                               const float *delta, float scale);

    /* One query q (heads*size) and n >= 1 keys and values, (heads*size) each, that may lie anywhere: weights (heads, n), with
     * distance ldw, are each head's softmax of scale q.k, and y (heads*size) the values' sum by them. */
    void (*attention_row)(int64_t n, int64_t heads, int64_t size, const float *q, const float *const *keys,
                          const float *const *values, float scale, float *weights, int64_t ldw, float *y);

    /* ---- random numbers: element i is a function of (seed, stream, first + i); `first` is a multiple of 4 */
    void (*random_uniform)(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y); /* [0,1), 24 bits */
    void (*random_normal)(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, float *y);  /* Box and Muller */
    /* y = x / (1-rate) where uniform(i) >= rate, else 0; so the backward pass is the same call on dy */
    void (*dropout)(int64_t n, const float *x, float rate, uint64_t seed, uint64_t stream, uint64_t first, float *y);

    /* ---- optimizer updates of n weights in place, as Keras has them */
    void (*sgd)(int64_t n, float *w, const float *g, float rate);
    void (*momentum)(int64_t n, float *w, const float *g, float *m, float rate, float momentum, bool nesterov);
    /* alpha = rate sqrt(1-beta2^t)/(1-beta1^t); v_max NULL without amsgrad */
    void (*adam)(int64_t n, float *w, const float *g, float *m, float *v, float *v_max, float alpha, float beta1,
                 float beta2, float epsilon);
    /* average NULL: not centered; m NULL: no momentum */
    void (*rmsprop)(int64_t n, float *w, const float *g, float *v, float *average, float *m, float rate, float rho,
                    float momentum, float epsilon);
    void (*adagrad)(int64_t n, float *w, const float *g, float *accumulator, float rate, float epsilon);
} heed_kernels;

/* The table of an instruction set. Never NULL; what a build lacks falls back to the next lower. */
const heed_kernels *heed_kernels_for(heed_cpu cpu);

#endif
