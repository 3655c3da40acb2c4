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

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
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
    K->gemm_packed(p->m, p->n, p->k, p->a, p->transposed_a ? 1 : p->k, p->transposed_a ? p->m : 1, p->packed, p->c, p->n,
                   false);
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
            p->transposed_b ? 1 : p->n, p->transposed_b ? p->k : 1, p->c, p->n, false);
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
    }
    return 0;
}
