/* Scaled dot product attention alone: heed_op_attention and its gradient. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct attention_bench {
    int64_t  batch, tq, tk, heads, d;
    int64_t  behind, ahead;
    int32_t *lengths; /* NULL: all keys */
    float   *data;    /* q, k, v, and the result's gradient, one behind the other */
} attention_bench;

static attention_bench open_bench(const bench_values *v)
{
    attention_bench b = {.batch = v->batch > 0 ? v->batch : 1, .tq = v->query_length, .heads = v->heads,
                         .tk = v->key_length > 0 ? v->key_length : v->query_length, .d = v->head_size};
    b.behind = b.ahead = b.tq + b.tk;
    if (v->width > 0) { /* as SeqSelfAttention centres its window */
        b.behind = v->causal ? v->width - 1 : v->width / 2;
        b.ahead = v->width - 1 - b.behind;
    } else if (v->causal) {
        b.ahead = 0;
    }
    return b;
}

static void close_bench(attention_bench *b)
{
    free(b->lengths);
    free(b->data);
}

static int64_t query_size(const attention_bench *b) { return b->batch * b->tq * b->heads * b->d; }
static int64_t key_size(const attention_bench *b) { return b->batch * b->tk * b->heads * b->d; }

static bool draw(attention_bench *b, bool lengths)
{
    int64_t floats = 2 * query_size(b) + 2 * key_size(b);
    b->data = malloc((size_t)floats * sizeof *b->data);
    b->lengths = lengths ? malloc((size_t)b->batch * sizeof *b->lengths) : NULL;
    if (b->data == NULL || (lengths && b->lengths == NULL))
        return false;
    bench_fill(b->data, floats);
    for (int64_t i = 0; i < b->batch && lengths; i++) /* from all of them down to half */
        b->lengths[i] = (int32_t)(b->tk - b->tk * i / (2 * b->batch));
    return true;
}

/* Pairs of a query and a key that it sees. */
static double pairs(const attention_bench *b)
{
    double count = 0;
    for (int64_t item = 0; item < b->batch; item++) {
        int64_t keys = b->lengths == NULL ? b->tk : b->lengths[item];
        for (int64_t i = 0; i < b->tq; i++) {
            int64_t first = i > b->behind ? i - b->behind : 0, end = i + b->ahead + 1 < keys ? i + b->ahead + 1 : keys;
            count += end > first ? (double)(end - first) : 0;
        }
    }
    return count * (double)b->heads;
}

/* Two products a pair forward; five backward, one of which makes the weights anew. */
static double operations(const attention_bench *b, bool backward)
{
    return pairs(b) * (double)b->d * 2 * (backward ? 2 + 5 : 2);
}

static heed_status build(heed_graph *g, const attention_bench *b, const bench_values *v)
{
    const heed_shape q = {4, {b->batch, b->tq, b->heads, b->d}}, k = {4, {b->batch, b->tk, b->heads, b->d}};
    heed_tensor *x[] = {heed_graph_input(g, HEED_FLOAT32, &q), heed_graph_input(g, HEED_FLOAT32, &k),
                        heed_graph_input(g, HEED_FLOAT32, &k)};
    heed_tensor *seed = heed_graph_input(g, HEED_FLOAT32, &q), *lengths = NULL, *wanted[5] = {NULL};
    if (v->lengths)
        lengths = heed_graph_input(g, HEED_INT32, &(heed_shape){1, {b->batch}});
    heed_op_attention_config config = {.key_mask = lengths, .banded = true, .behind = b->behind, .ahead = b->ahead};
    wanted[0] = heed_op_attention(x[0], x[1], x[2], &config, v->weights ? &wanted[1] : NULL);
    heed_status status = bench_plan(g, v->backward, seed, x, 3, wanted, v->weights ? 2 : 1);
    if (status != HEED_OK)
        return status;
    const float *data = b->data;
    heed_graph_bind(x[0], data);
    heed_graph_bind(seed, data + query_size(b));
    heed_graph_bind(x[1], data + 2 * query_size(b));
    heed_graph_bind(x[2], data + 2 * query_size(b) + key_size(b));
    if (lengths != NULL)
        heed_graph_bind(lengths, b->lengths);
    return HEED_OK;
}

int bench_attention(cli_session *s, const bench_values *v)
{
    attention_bench b = open_bench(v);
    heed_graph *g = NULL;
    char more[256];
    heed_status status = draw(&b, v->lengths) ? heed_graph_create(s->context, &g) : HEED_ENOMEM;
    if (status == HEED_OK)
        status = build(g, &b, v);
    bench_result r = {.work = "attention", .backward = v->backward, .rate = "gflops", .amount = 1e-9 * operations(&b, v->backward), .more = more};
    if (status == HEED_OK)
        status = bench_graph(g, v->steps, &r.best, &r.median);
    snprintf(more, sizeof more,
             ", \"batch\": %lld, \"heads\": %lld, \"query_length\": %lld, \"key_length\": %lld, \"head_size\": %lld, "
             "\"bytes\": %zu",
             (long long)b.batch, (long long)b.heads, (long long)b.tq, (long long)b.tk, (long long)b.d,
             status == HEED_OK ? heed_graph_bytes(g) : 0);
    if (status == HEED_OK)
        bench_print(s, v, &r);
    heed_graph_free(g);
    close_bench(&b);
    return status == HEED_OK ? CLI_DONE : bench_refused(s, status);
}
