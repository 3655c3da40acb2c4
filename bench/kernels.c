/* How fast the kernels are, by instruction set: bench_kernels [pattern [libblas.so]]
 * Only lines whose name contains the pattern are measured; a BLAS given is measured beside the products. */
#define _POSIX_C_SOURCE 200809L
#include "base/cpu.h"
#include "kernels/kernels.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                   int lda, const float *b, int ldb, float beta, float *c, int ldc);

static const heed_kernels *K;
static sgemm *blas;
static const char *pattern = "";

/* seconds of this thread, so that what else runs on the machine counts little */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef void work(void *arguments);

/* The shortest of many runs, in seconds a call. */
static double time_of(work *f, void *arguments)
{
    f(arguments);
    double best = 1e9, begin = now();
    int64_t calls = 1;
    for (int run = 0; run < 400 && (run < 7 || now() - begin < 0.2); run++) {
        double start = now();
        for (int64_t i = 0; i < calls; i++)
            f(arguments);
        double each = (now() - start) / (double)calls;
        if (run == 0)
            calls = each < 1e-4 ? (int64_t)(1e-4 / (each + 1e-9)) + 1 : 1;
        else if (each < best)
            best = each;
    }
    return best;
}

static float *noise(int64_t n)
{
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 127) / 64 * 64);
    if (!x)
        exit(1);
    K->random_uniform(n, 1, (uint64_t)n, 0, x);
    for (int64_t i = 0; i < n; i++)
        x[i] = 2.0f * x[i] - 1.0f;
    return x;
}

typedef struct product {
    int m, n, k;
    bool transposed_a, transposed_b;
    const char *what;
    float *a, *b, *c, *packed;
} product;

static void run_packed(void *arguments)
{
    product *p = arguments;
    K->gemm_packed(p->m, p->n, p->k, p->a, p->transposed_a ? 1 : p->k, p->transposed_a ? p->m : 1, p->packed, p->c,
                   p->n, NULL, 0);
}

static void run_pack(void *arguments)
{
    product *p = arguments;
    K->gemm_pack(p->n, p->k, p->b, p->transposed_b ? 1 : p->n, p->transposed_b ? p->k : 1, p->packed);
}

static void run_unpacked(void *arguments)
{
    product *p = arguments;
    K->gemm(p->m, p->n, p->k, p->a, p->transposed_a ? 1 : p->k, p->transposed_a ? p->m : 1, p->b,
            p->transposed_b ? 1 : p->n, p->transposed_b ? p->k : 1, p->c, p->n, NULL, 0);
}

static void run_blas(void *arguments)
{
    product *p = arguments;
    blas(101, p->transposed_a ? 112 : 111, p->transposed_b ? 112 : 111, p->m, p->n, p->k, 1.0f, p->a,
         p->transposed_a ? p->m : p->k, p->b, p->transposed_b ? p->k : p->n, 0.0f, p->c, p->n);
}

static void bench_products(void)
{
    static const product shapes[] = {
        {.m = 1, .n = 512, .k = 128, .what = "recurrent step"},
        {.m = 1, .n = 1024, .k = 256, .what = "recurrent step"},
        {.m = 4, .n = 512, .k = 128, .what = "recurrent step"},
        {.m = 8, .n = 512, .k = 128, .what = "recurrent step"},
        {.m = 16, .n = 512, .k = 128, .what = "recurrent step"},
        {.m = 32, .n = 512, .k = 128, .what = "recurrent step"},
        {.m = 32, .n = 384, .k = 128, .what = "recurrent step"},
        {.m = 32, .n = 1024, .k = 256, .what = "recurrent step"},
        {.m = 2000, .n = 384, .k = 64, .what = "input product"},
        {.m = 2000, .n = 512, .k = 128, .what = "input product"},
        {.m = 2000, .n = 1024, .k = 256, .what = "input product"},
        {.m = 128, .n = 512, .k = 2000, .transposed_a = true, .what = "weight gradient"},
        {.m = 256, .n = 1024, .k = 2000, .transposed_a = true, .what = "weight gradient"},
        {.m = 2000, .n = 128, .k = 512, .transposed_b = true, .what = "input gradient"},
        {.m = 1000, .n = 30, .k = 128, .what = "output layer"},
        {.m = 1000, .n = 8000, .k = 256, .what = "output layer"},
        {.m = 1000, .n = 8000, .k = 512, .what = "output layer"},
        {.m = 64, .n = 64, .k = 64, .transposed_b = true, .what = "attention scores"},
        {.m = 64, .n = 64, .k = 64, .what = "attention mix"},
        {.m = 1, .n = 64, .k = 64, .transposed_b = true, .what = "attention scores"},
        {.m = 1, .n = 64, .k = 64, .what = "attention mix"},
    };
    printf("GFLOP/s\n%-18s %5s %5s %5s %7s %9s %9s %9s %12s\n", "product", "m", "n", "k", "transp.", "packed",
           "unpacked", "BLAS", "pack ns/elt");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        product p = shapes[s];
        if (!strstr(p.what, pattern))
            continue;
        p.a = noise((int64_t)p.m * p.k);
        p.b = noise((int64_t)p.n * p.k);
        p.c = noise((int64_t)p.m * p.n);
        p.packed = noise((p.n + K->gemm_columns) * (int64_t)p.k);
        double flop = 2e-9 * p.m * p.n * p.k, elements = 1e-9 * p.n * p.k;
        run_pack(&p);
        printf("%-18s %5d %5d %5d %7s %9.1f %9.1f %9.1f %12.3f\n", p.what, p.m, p.n, p.k,
               p.transposed_a ? "A" : p.transposed_b ? "B" : "", flop / time_of(run_packed, &p),
               flop / time_of(run_unpacked, &p), blas ? flop / time_of(run_blas, &p) : NAN,
               time_of(run_pack, &p) / elements);
        free(p.a);
        free(p.b);
        free(p.c);
        free(p.packed);
    }
}

/* Everything else: a name, how many elements a call counts for, and the call. Buffers of N floats are shared. */
enum { N = 4096, UNITS = 256, QUERIES = 64 };

static float *x, *y, *z, *w, *positive, *exp_q, *exp_k;
static volatile float sink;

#define CASES(X)                                                                                                       \
    X("unary exp", N, K->unary(HEED_UNARY_EXP, N, x, 0, 0, y))                                                         \
    X("unary log", N, K->unary(HEED_UNARY_LOG, N, positive, 0, 0, y))                                                  \
    X("unary tanh", N, K->unary(HEED_UNARY_TANH, N, x, 0, 0, y))                                                       \
    X("unary sigmoid", N, K->unary(HEED_UNARY_SIGMOID, N, x, 0, 0, y))                                                 \
    X("unary relu", N, K->unary(HEED_UNARY_RELU, N, x, 0, 0, y))                                                       \
    X("unary gelu", N, K->unary(HEED_UNARY_GELU, N, x, 0, 0, y))                                                       \
    X("unary mish", N, K->unary(HEED_UNARY_MISH, N, x, 0, 0, y))                                                       \
    X("unary softplus", N, K->unary(HEED_UNARY_SOFTPLUS, N, x, 0, 0, y))                                               \
    X("unary sin", N, K->unary(HEED_UNARY_SIN, N, x, 0, 0, y))                                                         \
    X("gradient tanh", N, K->unary_gradient(HEED_UNARY_TANH, N, x, y, z, 0, 0, w))                                     \
    X("gradient gelu", N, K->unary_gradient(HEED_UNARY_GELU, N, x, y, z, 0, 0, w))                                     \
    X("binary add", N, K->binary(HEED_BINARY_ADD, N, x, 1, z, 1, y))                                                   \
    X("binary add scalar", N, K->binary(HEED_BINARY_ADD, N, x, 1, z, 0, y))                                            \
    X("binary maximum", N, K->binary(HEED_BINARY_MAXIMUM, N, x, 1, z, 1, y))                                           \
    X("axpy", N, K->axpy(N, 1e-9f, x, y))                                                                              \
    X("multiply_add", N, K->multiply_add(N, x, z, y))                                                                  \
    X("sum", N, sink = K->sum(N, x))                                                                                   \
    X("maximum", N, sink = K->maximum(N, x))                                                                           \
    X("dot", N, sink = K->dot(N, x, z))                                                                                \
    X("sum_of_squares", N, sink = (float)K->sum_of_squares(N, x))                                                      \
    X("add_columns", N, K->add_columns(N / UNITS, UNITS, x, UNITS, y))                                                 \
    X("softmax of 64", 64, K->softmax(64, x, NULL, y))                                                                 \
    X("softmax of 64 kept", 64, K->softmax(64, x, (const uint8_t *)z, y))                                              \
    X("softmax of 4096", N, K->softmax(N, x, NULL, y))                                                                 \
    X("softmax_gradient", N, K->softmax_gradient(N, x, z, y))                                                          \
    X("log_softmax", N, K->log_softmax(N, x, y))                                                                       \
    X("cross entropy", N, sink = K->softmax_cross_entropy(N, x, 5, y))                                                 \
    X("layer_norm of 256", UNITS, K->layer_norm(UNITS, x, z, w, 1e-3f, y, y + N, y + N + 1))                           \
    X("layer_norm_gradient", UNITS, K->layer_norm_gradient(UNITS, x, z, 0, 1, w, y, y + UNITS, y + 2 * UNITS))         \
    X("lstm (unit)", UNITS, K->lstm(UNITS, x, z, w, y, y + 4 * UNITS, y + 5 * UNITS))                                  \
    X("lstm_gradient", UNITS, K->lstm_gradient(UNITS, x, z, w, z, w, y, y + 4 * UNITS))                                \
    X("gru (unit)", UNITS, K->gru(UNITS, x, z, w, y, y + 3 * UNITS))                                                   \
    X("gru_gradient", UNITS, K->gru_gradient(UNITS, x, z, w, z, y, y + 3 * UNITS, y + 6 * UNITS))                      \
    X("additive_exp", QUERIES * UNITS, K->additive_exp(QUERIES * UNITS, x, exp_q))                                     \
    X("additive_scores", QUERIES * QUERIES * UNITS,                                                                    \
      K->additive_scores(QUERIES, QUERIES, UNITS, exp_q, exp_k, w, y, QUERIES))                                        \
    X("additive_scores u=250", QUERIES * QUERIES * 250,                                                                \
      K->additive_scores(QUERIES, QUERIES, 250, exp_q, exp_k, w, y, QUERIES))                                          \
    X("additive_scores tq=1", QUERIES * UNITS, K->additive_scores(1, QUERIES, UNITS, exp_q, exp_k, w, y, QUERIES))     \
    X("additive_scores_tanh", QUERIES * QUERIES * UNITS,                                                               \
      K->additive_scores_tanh(QUERIES, QUERIES, UNITS, x, z, w, y, QUERIES))                                           \
    X("additive_gradient", QUERIES * QUERIES * UNITS,                                                                  \
      K->additive_gradient(QUERIES, QUERIES, UNITS, exp_q, exp_k, w, z, QUERIES, y, y + N * 4, y + N * 8))             \
    X("additive_gradient tq=1", QUERIES * UNITS,                                                                       \
      K->additive_gradient(1, QUERIES, UNITS, exp_q, exp_k, w, z, QUERIES, y, y + N * 4, y + N * 8))                   \
    X("additive_gradient_tanh", QUERIES * QUERIES * UNITS,                                                             \
      K->additive_gradient_tanh(QUERIES, QUERIES, UNITS, x, z, w, z, QUERIES, y, y + N * 4, y + N * 8))                \
    X("random_uniform", N, K->random_uniform(N, 1, 2, 0, y))                                                           \
    X("random_normal", N, K->random_normal(N, 1, 2, 0, y))                                                             \
    X("dropout", N, K->dropout(N, x, 0.3f, 1, 2, 0, y))                                                                \
    X("sgd", N, K->sgd(N, y, z, 1e-9f))                                                                                \
    X("momentum", N, K->momentum(N, y, z, w, 1e-9f, 0.9f, true))                                                       \
    X("adam", N, K->adam(N, y, z, w, positive, NULL, 1e-9f, 0.9f, 0.999f, 1e-7f))                                      \
    X("rmsprop", N, K->rmsprop(N, y, z, positive, NULL, NULL, 1e-9f, 0.9f, 0, 1e-7f))                                  \
    X("adagrad", N, K->adagrad(N, y, z, positive, 1e-9f, 1e-7f))

#define COUNT_CASE(name, elements, CALL) +1
enum { CASE_COUNT = 0 CASES(COUNT_CASE) };

static void run_case(void *arguments)
{
    int which = *(const int *)arguments, at = 0;
#define RUN_CASE(name, elements, CALL)                                                                                 \
    if (at++ == which) {                                                                                               \
        CALL;                                                                                                          \
        return;                                                                                                        \
    }
    CASES(RUN_CASE)
}

static void bench_rest(void)
{
    static const struct {
        const char *name;
        double elements;
    } cases[CASE_COUNT] = {
#define CASE_ROW(name, elements, CALL) {name, elements},
        CASES(CASE_ROW)};
    x = noise(N * 16);
    y = noise(N * 16);
    z = noise(N * 16);
    w = noise(N * 16);
    positive = noise(N * 16);
    exp_q = noise(N * 4);
    exp_k = noise(N * 4);
    for (int i = 0; i < N * 16; i++)
        positive[i] += 1.5f;
    K->additive_exp(N * 4, x, exp_q);
    K->additive_exp(N * 4, z, exp_k);
    printf("%-24s %s\n", "kernel", "ns an element");
    for (int i = 0; i < CASE_COUNT; i++)
        if (strstr(cases[i].name, pattern))
            printf("%-24s %.4f\n", cases[i].name, 1e9 * time_of(run_case, &i) / cases[i].elements);
    float *all[] = {x, y, z, w, positive, exp_q, exp_k};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

int main(int count, char **arguments)
{
    if (count > 1)
        pattern = arguments[1];
    if (count > 2) {
        void *library = dlopen(arguments[2], RTLD_NOW);
        if (library)
            *(void **)&blas = dlsym(library, "cblas_sgemm");
    }
    for (int cpu = HEED_CPU_GENERIC; cpu <= (int)heed_cpu_detect(); cpu++) {
        K = heed_kernels_for((heed_cpu)cpu);
        printf("== %s\n", K->name);
        bench_products();
        bench_rest();
    }
    return 0;
}
