/* Additive attention alone: scores, softmax and the weighted sum, and their gradients; with a width, within windows. */
#include "bench.h"
#include "heed/layer.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct additive_bench {
    int64_t  batch, tq, tk, units, width; /* width 0: all keys */
    int64_t  behind;                      /* keys of a window before the query's own */
    bool     causal;
    int32_t *lengths; /* NULL: all keys count */
    float   *data;
} additive_bench;

static additive_bench open_bench(const bench_values *v)
{
    additive_bench b = {.batch = v->batch > 0 ? v->batch : 1, .tq = v->query_length, .width = v->width,
                        .tk = v->key_length > 0 ? v->key_length : v->query_length,
                        .units = v->units > 0 ? v->units : 128, .causal = v->causal};
    b.behind = b.causal ? b.width - 1 : b.width / 2; /* as SeqSelfAttention centres its window */
    return b;
}

static int64_t query_size(const additive_bench *b) { return b->batch * b->tq * b->units; }
static int64_t key_size(const additive_bench *b) { return b->batch * b->tk * b->units; }

static bool draw(additive_bench *b, bool lengths)
{
    double rows = (double)b->batch * 2 * ((double)b->tq + (double)b->tk);
    b->data = bench_floats((rows + 1) * (double)b->units);
    b->lengths = lengths ? malloc((size_t)b->batch * sizeof *b->lengths) : NULL;
    if (b->data == NULL || (lengths && b->lengths == NULL))
        return false;
    for (int64_t i = 0; i < b->batch && lengths; i++) /* from all of them down to half */
        b->lengths[i] = (int32_t)(b->tk - b->tk * i / (2 * b->batch));
    return true;
}

/* 0, 1, ... as floats in that shape. */
static heed_tensor *positions(heed_graph *g, int64_t count, heed_shape shape)
{
    float *x = malloc((size_t)count * sizeof *x);
    if (x == NULL)
        return heed_graph_fail(g, HEED_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)i;
    heed_tensor *t = heed_graph_constant(g, &(heed_array){HEED_FLOAT32, shape, x});
    free(x);
    return t;
}

/* What a query sees: bool that broadcasts against (B, Tq, Tk); NULL: all. */
static heed_tensor *visible(heed_graph *g, const additive_bench *b, heed_tensor *lengths)
{
    heed_tensor *mask = heed_mask_bool(lengths, b->tk);
    mask = mask == NULL ? NULL : heed_op_expand(mask, 1);
    if (!b->causal || b->width > 0)
        return mask;
    heed_tensor *before = heed_op_less_equal(positions(g, b->tk, (heed_shape){3, {1, 1, b->tk}}),
                                             positions(g, b->tq, (heed_shape){3, {1, b->tq, 1}}));
    return mask == NULL ? before : heed_op_and(mask, before);
}

enum { QUERY, KEY, SCALE, VALUE, OPERANDS };

/* The weighted sum; *weights (B, Tq, Tk) too where it is not NULL. */
static heed_tensor *attend(heed_graph *g, const additive_bench *b, heed_tensor *const *x, heed_tensor *lengths,
                           heed_tensor **weights)
{
    heed_tensor *mask = visible(g, b, lengths), *a;
    if (b->width == 0) {
        a = heed_op_softmax(heed_op_additive_scores(x[QUERY], x[KEY], x[SCALE]), mask);
        if (weights != NULL)
            *weights = a;
        return heed_op_matmul(a, x[VALUE]);
    }
    heed_tensor *first = heed_op_scale(positions(g, b->tq, (heed_shape){2, {1, b->tq}}), 1.0f, -(float)b->behind);
    heed_tensor *starts = heed_op_cast(first, HEED_INT32);
    if (mask == NULL)
        mask = heed_op_cast(heed_graph_fill(g, &(heed_shape){3, {1, 1, b->tk}}, 1.0f), HEED_BOOL);
    heed_tensor *e = heed_op_window_additive_scores(x[QUERY], x[KEY], x[SCALE], starts, b->width);
    a = heed_op_softmax(e, heed_op_window_take(mask, starts, b->width));
    if (weights != NULL)
        *weights = heed_op_window_dense(a, starts, b->tk);
    return heed_op_window_sum(a, x[VALUE], starts);
}

static heed_status build(heed_graph *g, const additive_bench *b, const bench_values *v)
{
    const heed_shape q = {3, {b->batch, b->tq, b->units}}, k = {3, {b->batch, b->tk, b->units}}, u = {1, {b->units}};
    const heed_shape *shapes[OPERANDS] = {[QUERY] = &q, [KEY] = &k, [SCALE] = &u, [VALUE] = &k};
    const int64_t sizes[OPERANDS] = {query_size(b), key_size(b), b->units, key_size(b)};
    heed_tensor *x[OPERANDS], *wanted[2 + OPERANDS] = {NULL}, *lengths = NULL;
    const float *data = b->data;
    for (int i = 0; i < OPERANDS; i++)
        x[i] = heed_graph_input(g, HEED_FLOAT32, shapes[i]);
    heed_tensor *seed = heed_graph_input(g, HEED_FLOAT32, &q);
    if (b->lengths != NULL)
        lengths = heed_graph_input(g, HEED_INT32, &(heed_shape){1, {b->batch}});
    wanted[0] = attend(g, b, x, lengths, v->weights ? &wanted[1] : NULL);
    heed_status status = bench_plan(g, v->backward, seed, x, OPERANDS, wanted, v->weights ? 2 : 1);
    if (status != HEED_OK)
        return status;
    for (int i = 0; i < OPERANDS; data += sizes[i++])
        heed_graph_bind(x[i], data);
    heed_graph_bind(seed, data);
    if (lengths != NULL)
        heed_graph_bind(lengths, b->lengths);
    return HEED_OK;
}

int bench_additive(cli_session *s, const bench_values *v)
{
    additive_bench b = open_bench(v);
    heed_graph *g = NULL;
    char more[256];
    heed_status status = draw(&b, v->lengths) ? heed_graph_create(s->context, &g) : HEED_ENOMEM;
    if (status == HEED_OK)
        status = build(g, &b, v);
    /* elements of (B, Tq, Tk, units), which is never built, or of the windows */
    double elements = (double)b.batch * (double)b.tq * (double)(b.width > 0 ? b.width : b.tk) * (double)b.units;
    bench_result r = {.work = "additive", .backward = v->backward, .rate = "ns_per_element",
                      .amount = 1e-9 * elements, .inverse = true, .more = more};
    if (status == HEED_OK)
        status = bench_graph(g, v->steps, &r.best, &r.median);
    snprintf(more, sizeof more,
             ", \"batch\": %lld, \"query_length\": %lld, \"key_length\": %lld, \"units\": %lld, \"width\": %lld, "
             "\"bytes\": %zu",
             (long long)b.batch, (long long)b.tq, (long long)b.tk, (long long)b.units, (long long)b.width,
             status == HEED_OK ? heed_graph_bytes(g) : 0);
    if (status == HEED_OK)
        bench_print(s, v, &r);
    heed_graph_free(g);
    free(b.lengths);
    free(b.data);
    return status == HEED_OK ? CLI_DONE : bench_refused(s, status);
}
