/* A matrix product alone, (m, k) by (k, n). */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

int bench_gemm(cli_session *s, const bench_values *v)
{
    char more[128];
    heed_graph *g = NULL;
    double m = (double)v->m, n = (double)v->n, k = (double)v->k;
    bench_result r = {.work = "gemm", .rate = "gflops", .amount = 2e-9 * m * n * k, .more = more};
    snprintf(more, sizeof more, ", \"m\": %lld, \"n\": %lld, \"k\": %lld", (long long)v->m, (long long)v->n,
             (long long)v->k);
    float *data = bench_floats((m + n) * k);
    heed_status status = data == NULL ? HEED_ENOMEM : heed_graph_create(s->context, &g);
    if (status == HEED_OK) {
        heed_tensor *a = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {v->m, v->k}});
        heed_tensor *b = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {v->k, v->n}});
        heed_tensor *product = heed_op_matmul(a, b);
        status = heed_graph_status(g) != HEED_OK ? heed_graph_status(g) : heed_graph_plan(g, &product, 1);
        heed_graph_bind(a, data);
        heed_graph_bind(b, data + v->m * v->k);
    }
    if (status == HEED_OK)
        status = bench_graph(g, v->steps, &r.best, &r.median);
    if (status == HEED_OK)
        bench_print(s, v, &r);
    heed_graph_free(g);
    free(data);
    return status == HEED_OK ? CLI_DONE : bench_refused(s, status);
}
