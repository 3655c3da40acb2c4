#include "bench.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void bench_print(const cli_session *s, const bench_values *v, const bench_result *r)
{
    int threads = heed_threads(s->context);
    double rate = r->inverse ? r->best / r->amount : r->amount / r->best;
    if (v->json)
        printf("{\"work\": \"%s\", \"threads\": %d, \"ms\": %.4f, \"median_ms\": %.4f, \"%s\": %.6g%s%s}\n", r->work, threads,
               1e3 * r->best, 1e3 * r->median, r->rate, rate, r->backward ? ", \"backward\": true" : "", r->more);
    else
        printf("%s%s, %d threads: %.3f ms at best, %.3f median; %.6g %s\n", r->work,
               r->backward ? " with backward" : "", threads, 1e3 * r->best, 1e3 * r->median, rate, r->rate);
}

void bench_fill(float *x, int64_t count)
{
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
}

float *bench_floats(double count)
{
    float *x = count > 1e15 ? NULL : malloc((size_t)count * sizeof *x + 1);
    if (x != NULL)
        bench_fill(x, (int64_t)count);
    return x;
}

int bench_refused(const cli_session *s, heed_status status)
{
    if (status == HEED_ENOMEM && *heed_error(s->context) == '\0')
        return cli_error(CLI_FAILED, "smaller sizes take less", "bench: out of memory");
    return cli_refused(s, status);
}

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

heed_status bench_plan(heed_graph *g, bool backward, heed_tensor *seed, heed_tensor *const *operands,
                       size_t operand_count, heed_tensor **wanted, size_t count)
{
    heed_status status = heed_graph_status(g);
    if (status == HEED_OK && backward) {
        status = heed_graph_gradients(wanted[0], seed, operands, operand_count, wanted + count);
        count += operand_count;
    }
    return status == HEED_OK ? heed_graph_plan(g, wanted, count) : status;
}

heed_status bench_time(heed_status (*work)(void *user), void *user, int64_t steps, double *best, double *median)
{
    double *seconds = malloc((size_t)steps * sizeof *seconds);
    heed_status status = seconds == NULL ? HEED_ENOMEM : work(user);
    for (int64_t i = 0; i < steps && status == HEED_OK; i++) {
        double begin = now();
        status = work(user);
        seconds[i] = now() - begin;
    }
    if (status == HEED_OK) {
        qsort(seconds, (size_t)steps, sizeof *seconds, by_size);
        *best = seconds[0];
        *median = seconds[steps / 2];
    }
    free(seconds);
    return status;
}

static heed_status run_graph(void *graph) { return heed_graph_run(graph, 1, 1); }

heed_status bench_graph(heed_graph *g, int64_t steps, double *best, double *median)
{
    return bench_time(run_graph, g, steps, best, median);
}
