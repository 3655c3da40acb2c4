/* Scaled dot product attention against its equation in double precision: all forms of masks, heads that share keys, the
 * weights beside the result; at any number of threads the same bits; and its refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "heed/graph.h"
#include "support/op_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NO_LIMIT = 1 << 30 };

typedef struct trial {
    int64_t    batch, tq, tk, heads, key_heads, d, dv;
    bool       lengths, keep, queries, mask; /* which masks there are */
    int64_t    mask_heads, mask_queries;     /* their sizes in the mask: 1 or whole */
    bool       banded;
    int64_t    behind, ahead;
    heed_blind blind;
    float      scale;
} trial;

typedef struct numbers {
    float   *q, *k, *v;
    int32_t *lengths, *query_lengths;
    uint8_t *keep, *mask;
    double  *result, *weights; /* expected */
} numbers;

static float *draw(heed_random *r, int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x + 1);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(heed_random_double(r) * 4 - 2);
    return x;
}

static uint8_t *draw_bools(heed_random *r, int64_t n)
{
    uint8_t *x = malloc((size_t)n + 1);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = heed_random_below(r, 3) > 0;
    return x;
}

/* Item 0 has all of its steps, item 1 none, the others some. */
static int32_t *draw_lengths(heed_random *r, int64_t batch, int64_t steps)
{
    int32_t *x = malloc((size_t)batch * sizeof *x + 1);
    assert_non_null(x);
    for (int64_t b = 0; b < batch; b++)
        x[b] = b == 0 ? (int32_t)steps : b == 1 ? 0 : (int32_t)heed_random_below(r, (uint32_t)steps + 1);
    return x;
}

static numbers draw_numbers(const trial *t)
{
    heed_random r = {.seed = 11};
    numbers x = {.q = draw(&r, t->batch * t->tq * t->heads * t->d), .k = draw(&r, t->batch * t->tk * t->key_heads * t->d),
                 .v = draw(&r, t->batch * t->tk * t->key_heads * t->dv), .lengths = draw_lengths(&r, t->batch, t->tk),
                 .query_lengths = draw_lengths(&r, t->batch, t->tq), .keep = draw_bools(&r, t->batch * t->tk),
                 .mask = draw_bools(&r, t->batch * t->heads * t->tq * t->tk)};
    x.query_lengths[t->batch > 1] = (int32_t)t->tq;
    if (t->batch > 1)
        memset(x.keep + t->tk, 0, (size_t)t->tk);
    x.result = calloc((size_t)(t->batch * t->tq * t->heads * t->dv) + 1, sizeof *x.result);
    x.weights = calloc((size_t)(t->batch * t->heads * t->tq * t->tk) + 1, sizeof *x.weights);
    assert_non_null(x.result);
    assert_non_null(x.weights);
    return x;
}

static void free_numbers(numbers *x)
{
    void *all[] = {x->q, x->k, x->v, x->lengths, x->query_lengths, x->keep, x->mask, x->result, x->weights};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* ---- the equation */

static bool near(const trial *t, int64_t i, int64_t j) { return !t->banded || (j >= i - t->behind && j <= i + t->ahead); }

static bool kept(const trial *t, const numbers *x, int64_t b, int64_t j)
{
    return (!t->lengths || j < x->lengths[b]) && (!t->keep || x->keep[b * t->tk + j]);
}

static bool sees(const trial *t, const numbers *x, int64_t b, int64_t h, int64_t i, int64_t j)
{
    int64_t head = t->mask_heads == 1 ? 0 : h, query = t->mask_queries == 1 ? 0 : i;
    bool masked = t->mask && !x->mask[((b * t->mask_heads + head) * t->mask_queries + query) * t->tk + j];
    return !masked && near(t, i, j) && kept(t, x, b, j);
}

static double score(const trial *t, const numbers *x, int64_t b, int64_t h, int64_t i, int64_t j)
{
    int64_t key_head = h / (t->heads / t->key_heads);
    const float *q = x->q + ((b * t->tq + i) * t->heads + h) * t->d;
    const float *k = x->k + ((b * t->tk + j) * t->key_heads + key_head) * t->d;
    double s = 0;
    for (int64_t l = 0; l < t->d; l++)
        s += (double)q[l] * k[l];
    return s * (t->scale != 0 ? (double)t->scale : 1 / sqrt((double)t->d));
}

static void expect_row(const trial *t, const numbers *x, int64_t b, int64_t h, int64_t i)
{
    double *w = x->weights + ((b * t->heads + h) * t->tq + i) * t->tk, total = 0, top = -INFINITY;
    double *o = x->result + ((b * t->tq + i) * t->heads + h) * t->dv;
    bool blind = true;
    if (t->queries && i >= x->query_lengths[b])
        return;
    for (int64_t j = 0; j < t->tk; j++)
        blind = blind && !sees(t, x, b, h, i, j);
    for (int64_t j = 0; j < t->tk; j++) {
        bool seen = !blind ? sees(t, x, b, h, i, j)
                           : t->blind == HEED_BLIND_SECOND ? near(t, i, j) != kept(t, x, b, j) : t->blind != HEED_BLIND_ZEROS;
        w[j] = !seen ? -INFINITY : blind && t->blind != HEED_BLIND_SECOND ? 0 : score(t, x, b, h, i, j);
        top = fmax(top, w[j]);
    }
    for (int64_t j = 0; j < t->tk; j++)
        total += w[j] = w[j] == -INFINITY ? 0 : exp(w[j] - top);
    for (int64_t j = 0; j < t->tk; j++) {
        w[j] = total > 0 ? w[j] / total : 0;
        const float *v = x->v + ((b * t->tk + j) * t->key_heads + h / (t->heads / t->key_heads)) * t->dv;
        for (int64_t l = 0; l < t->dv; l++)
            o[l] += w[j] * v[l];
    }
}

static void expect(const trial *t, numbers *x)
{
    for (int64_t b = 0; b < t->batch; b++)
        for (int64_t h = 0; h < t->heads; h++)
            for (int64_t i = 0; i < t->tq; i++)
                expect_row(t, x, b, h, i);
}

/* ---- the operation */

static heed_tensor *constant(heed_graph *g, heed_dtype dtype, heed_shape shape, void *data)
{
    return heed_graph_constant(g, &(heed_array){dtype, shape, data});
}

static heed_tensor *build(heed_graph *g, const trial *t, const numbers *x, heed_tensor **weights)
{
    heed_tensor *q = constant(g, HEED_FLOAT32, (heed_shape){4, {t->batch, t->tq, t->heads, t->d}}, x->q);
    heed_tensor *k = constant(g, HEED_FLOAT32, (heed_shape){4, {t->batch, t->tk, t->key_heads, t->d}}, x->k);
    heed_tensor *v = constant(g, HEED_FLOAT32, (heed_shape){4, {t->batch, t->tk, t->key_heads, t->dv}}, x->v);
    heed_op_attention_config config = {.scale = t->scale, .banded = t->banded, .behind = t->behind, .ahead = t->ahead,
                                       .blind = t->blind};
    if (t->lengths)
        config.key_mask = constant(g, HEED_INT32, (heed_shape){1, {t->batch}}, x->lengths);
    if (t->keep)
        config.key_mask = constant(g, HEED_BOOL, (heed_shape){2, {t->batch, t->tk}}, x->keep);
    if (t->queries)
        config.query_mask = constant(g, HEED_INT32, (heed_shape){1, {t->batch}}, x->query_lengths);
    if (t->mask)
        config.mask = constant(g, HEED_BOOL, (heed_shape){4, {t->batch, t->mask_heads, t->mask_queries, t->tk}}, x->mask);
    return heed_op_attention(q, k, v, &config, weights);
}

static void check_near(const char *what, const char *cpu, const float *found, const double *expected, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(found[i] - expected[i]) <= 3e-6))
            fail_msg("%s %lld on %s: found %.9g, expected %.9g", what, (long long)i, cpu, (double)found[i], expected[i]);
}

/* Result, and weights if wanted, by so many threads; the result is copied to `out`. */
static void run(const trial *t, const numbers *x, const char *cpu, int threads, bool with_weights, float *out)
{
    heed_context *c;
    heed_graph *g;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads, .cpu = cpu}, &c), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *wanted[2], *weights = NULL;
    wanted[0] = build(g, t, x, with_weights ? &weights : NULL);
    wanted[1] = weights;
    if (heed_graph_plan(g, wanted, with_weights ? 2 : 1) != HEED_OK)
        fail_msg("%s", heed_error(c));
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    int64_t n = heed_shape_count(heed_tensor_shape(wanted[0]));
    memcpy(out, heed_tensor_data(wanted[0]), (size_t)n * sizeof *out);
    check_near("result", cpu, out, x->result, n);
    if (with_weights)
        check_near("weight", cpu, heed_tensor_data(weights), x->weights, heed_shape_count(heed_tensor_shape(weights)));
    heed_graph_free(g);
    heed_context_free(c);
}

static void check(trial t)
{
    t.batch = t.batch == 0 ? 3 : t.batch;
    t.mask_heads = t.mask_heads == 0 ? 1 : t.mask_heads;
    t.mask_queries = t.mask_queries == 0 ? t.tq : t.mask_queries;
    numbers x = draw_numbers(&t);
    expect(&t, &x);
    const char *cpus[3];
    int count = heed_test_cpus(cpus);
    size_t size = (size_t)(t.batch * t.tq * t.heads * t.dv);
    float *a = malloc(size * sizeof *a + 1), *b = malloc(size * sizeof *b + 1);
    for (int i = 0; i < count; i++) {
        run(&t, &x, cpus[i], 1, false, a);
        run(&t, &x, cpus[i], 2, false, b);
        assert_memory_equal(a, b, size * sizeof *a);
        run(&t, &x, cpus[i], 3, true, b);
        assert_memory_equal(a, b, size * sizeof *a);
    }
    free(a);
    free(b);
    free_numbers(&x);
}

static void test_sizes(void **state)
{
    (void)state;
    check((trial){.tq = 1, .tk = 1, .heads = 1, .key_heads = 1, .d = 1, .dv = 1});
    check((trial){.tq = 5, .tk = 7, .heads = 2, .key_heads = 2, .d = 4, .dv = 3});
    check((trial){.tq = 49, .tk = 33, .heads = 3, .key_heads = 3, .d = 17, .dv = 33});
    check((trial){.tq = 100, .tk = 257, .heads = 1, .key_heads = 1, .d = 64, .dv = 64});
    check((trial){.tq = 500, .tk = 531, .heads = 1, .key_heads = 1, .d = 8, .dv = 40, .batch = 1});
    check((trial){.tq = 3, .tk = 600, .heads = 2, .key_heads = 2, .d = 32, .dv = 5, .scale = 0.3f});
    check((trial){.tq = 4, .tk = 0, .heads = 2, .key_heads = 2, .d = 3, .dv = 5});
    check((trial){.tq = 0, .tk = 4, .heads = 2, .key_heads = 2, .d = 3, .dv = 5});
}

static void test_shared_keys(void **state)
{
    (void)state;
    check((trial){.tq = 6, .tk = 9, .heads = 4, .key_heads = 2, .d = 4, .dv = 3});
    check((trial){.tq = 130, .tk = 70, .heads = 6, .key_heads = 1, .d = 8, .dv = 8, .lengths = true});
    check((trial){.tq = 20, .tk = 300, .heads = 4, .key_heads = 2, .d = 8, .dv = 8, .mask = true, .mask_heads = 4});
}

static void test_masks(void **state)
{
    (void)state;
    const trial small = {.tq = 11, .tk = 13, .heads = 2, .key_heads = 2, .d = 4, .dv = 5};
    const trial large = {.tq = 120, .tk = 530, .heads = 2, .key_heads = 2, .d = 8, .dv = 16};
    for (int i = 0; i < 16; i++) {
        const trial sizes[] = {small, large};
        for (int k = 0; k < 2; k++) {
            trial t = sizes[k];
            t.lengths = (i & 3) == 1;
            t.keep = (i & 3) == 2;
            t.queries = (i & 3) == 3;
            t.mask = i & 4;
            t.banded = i & 8;
            t.behind = i & 1 ? NO_LIMIT : 3;
            t.ahead = i & 2 ? 4 : 0;
            check(t);
        }
    }
    trial t = small;
    t.mask = true;
    t.mask_queries = 1;
    check(t);
    t.mask_heads = 2;
    check(t);
}

static void test_bands(void **state)
{
    (void)state;
    const trial long_one = {.tq = 700, .tk = 700, .heads = 1, .key_heads = 1, .d = 8, .dv = 8, .banded = true, .batch = 2};
    static const int64_t bands[][2] = {{7, 7}, {15, 0}, {0, 0}, {300, 2}, {NO_LIMIT, 0}, {NO_LIMIT, -1}, {-3, 40}, {0, NO_LIMIT}};
    for (size_t i = 0; i < sizeof bands / sizeof *bands; i++) {
        trial t = long_one;
        t.behind = bands[i][0];
        t.ahead = bands[i][1];
        check(t);
    }
    trial t = long_one;
    t.tk = 90; /* most queries have no key near */
    t.behind = t.ahead = 5;
    check(t);
}

static void test_the_blind(void **state)
{
    (void)state;
    for (heed_blind blind = HEED_BLIND_ZEROS; blind <= HEED_BLIND_SECOND; blind++) {
        trial t = {.tq = 60, .tk = 300, .heads = 2, .key_heads = 1, .d = 4, .dv = 3, .lengths = true, .blind = blind};
        check(t);
        t.banded = true;
        t.behind = NO_LIMIT;
        check(t);
        t.lengths = false;
        t.keep = true;
        t.queries = true;
        check(t);
    }
}

/* ---- gradients, where there are several blocks of keys and tiles of queries: against those of matmul and softmax */

static heed_tensor *heads_first(heed_tensor *x) { return heed_op_transpose(x, (const int[]){0, 2, 1, 3}); }

static heed_tensor *composed(heed_tensor *const *x, const trial *t, heed_tensor *seen)
{
    heed_tensor *k = heed_op_repeat(heads_first(x[1]), 1, t->heads / t->key_heads);
    heed_tensor *v = heed_op_repeat(heads_first(x[2]), 1, t->heads / t->key_heads);
    heed_tensor *e = heed_op_matmul_transposed(heads_first(x[0]), false, k, true);
    return heads_first(heed_op_matmul(heed_op_softmax(heed_op_scale(e, 1.0f / sqrtf((float)t->d), 0), seen), v));
}

/* What a query sees, (Tq, Tk). */
static uint8_t *seen_by_band(const trial *t)
{
    uint8_t *seen = malloc((size_t)(t->tq * t->tk) + 1);
    assert_non_null(seen);
    for (int64_t i = 0; i < t->tq * t->tk; i++)
        seen[i] = near(t, i / t->tk, i % t->tk);
    return seen;
}

static void check_gradients(trial t, int threads, const char *cpu)
{
    heed_context *c;
    heed_graph *g;
    t.batch = 1;
    numbers x = draw_numbers(&t);
    uint8_t *seen = seen_by_band(&t);
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads, .cpu = cpu}, &c), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    const heed_shape q = {4, {1, t.tq, t.heads, t.d}}, k = {4, {1, t.tk, t.key_heads, t.d}};
    const heed_shape v = {4, {1, t.tk, t.key_heads, t.dv}}, y = {4, {1, t.tq, t.heads, t.dv}};
    heed_tensor *of[] = {constant(g, HEED_FLOAT32, q, x.q), constant(g, HEED_FLOAT32, k, x.k),
                         constant(g, HEED_FLOAT32, v, x.v)};
    heed_tensor *seed = constant(g, HEED_FLOAT32, y, x.q), *gradients[6];
    heed_op_attention_config config = {.banded = t.banded, .behind = t.behind, .ahead = t.ahead};
    heed_tensor *mask = constant(g, HEED_BOOL, (heed_shape){2, {t.tq, t.tk}}, seen);
    assert_int_equal(heed_graph_gradients(heed_op_attention(of[0], of[1], of[2], &config, NULL), seed, of, 3, gradients),
                     HEED_OK);
    assert_int_equal(heed_graph_gradients(composed(of, &t, mask), seed, of, 3, gradients + 3), HEED_OK);
    assert_int_equal(heed_graph_plan(g, gradients, 6), HEED_OK);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    for (int i = 0; i < 3; i++) {
        const float *found = heed_tensor_data(gradients[i]), *expected = heed_tensor_data(gradients[i + 3]);
        for (int64_t n = heed_shape_count(heed_tensor_shape(gradients[i])), at = 0; at < n; at++)
            if (!(fabsf(found[at] - expected[at]) <= 1e-5f * fmaxf(1, fabsf(expected[at]))))
                fail_msg("gradient %d, element %lld on %s: found %g, expected %g", i, (long long)at, cpu,
                         (double)found[at], (double)expected[at]);
    }
    heed_graph_free(g);
    heed_context_free(c);
    free(seen);
    free_numbers(&x);
}

static void test_gradients_of_many_blocks(void **state)
{
    (void)state;
    static const trial trials[] = {
        {.tq = 200, .tk = 600, .heads = 2, .key_heads = 2, .d = 16, .dv = 16},
        {.tq = 300, .tk = 300, .heads = 4, .key_heads = 2, .d = 8, .dv = 8, .banded = true, .behind = NO_LIMIT},
        {.tq = 530, .tk = 530, .heads = 1, .key_heads = 1, .d = 33, .dv = 33, .banded = true, .behind = 9, .ahead = 9},
        {.tq = 700, .tk = 300, .heads = 1, .key_heads = 1, .d = 5, .dv = 5, .banded = true, .behind = 20},
    };
    const char *cpus[3];
    int count = heed_test_cpus(cpus);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof trials / sizeof *trials; k++)
            check_gradients(trials[k], 1 + (int)k % 3, cpus[i]);
}

/* Twenty thousand steps take room for the operands and their gradients, and little more; a band takes time for its width. */
static void test_long_sequences_fit(void **state)
{
    (void)state;
    heed_context *c;
    heed_graph *g;
    enum { STEPS = 20000, HEADS = 8, SIZE = 64 };
    const heed_shape shape = {4, {1, STEPS, HEADS, SIZE}};
    const size_t operand = (size_t)STEPS * HEADS * SIZE * sizeof(float);
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 2}, &c), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x[3], *wanted[4];
    for (int i = 0; i < 3; i++)
        x[i] = heed_graph_input(g, HEED_FLOAT32, &shape);
    wanted[0] = heed_op_attention(x[0], x[1], x[2], &(heed_op_attention_config){.dropout = 0.1f}, NULL);
    assert_int_equal(heed_graph_gradients(heed_op_square(wanted[0]), wanted[0], x, 3, wanted + 1), HEED_OK);
    assert_int_equal(heed_graph_plan(g, wanted, 4), HEED_OK);
    assert_true(heed_graph_bytes(g) < 10 * operand); /* the weights alone would take 312 */
    heed_graph_free(g);
    heed_context_free(c);
}

/* ---- refusals */

static void check_refused(heed_context *c, heed_shape q, heed_shape k, heed_shape v, heed_op_attention_config *config,
                          const char *reason)
{
    heed_graph *g;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    if (config->mask != NULL)
        config->mask = heed_graph_input(g, HEED_BOOL, &(heed_shape){2, {3, 3}});
    if (config->key_mask != NULL)
        config->key_mask = heed_graph_input(g, HEED_BOOL, &(heed_shape){2, {2, 3}});
    heed_tensor *y = heed_op_attention(heed_graph_input(g, HEED_FLOAT32, &q), heed_graph_input(g, HEED_FLOAT32, &k),
                                       heed_graph_input(g, HEED_FLOAT32, &v), config, NULL);
    assert_null(y);
    if (strstr(heed_error(c), reason) == NULL)
        fail_msg("\"%s\" does not say: %s", heed_error(c), reason);
    heed_graph_free(g);
}

static void test_refusals(void **state)
{
    (void)state;
    heed_context *c;
    heed_tensor *some = (heed_tensor *)&c; /* whatever: made in the graph */
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    const heed_shape x = {4, {2, 5, 4, 3}};
    heed_op_attention_config plain = {0}, mask = {.mask = some}, keys = {.key_mask = some}, dropout = {.dropout = 1};
    check_refused(c, x, x, (heed_shape){3, {2, 5, 3}}, &plain, "shapes do not fit");
    check_refused(c, x, (heed_shape){4, {2, 5, 4, 2}}, x, &plain, "shapes do not fit");
    check_refused(c, x, (heed_shape){4, {2, 5, 3, 3}}, (heed_shape){4, {2, 5, 3, 3}}, &plain, "do not divide");
    check_refused(c, x, x, x, &mask, "the mask does not fit (expected bool that broadcasts to (2, 4, 5, 5), found (1, 1, 3, 3))");
    check_refused(c, x, x, x, &keys, "the mask does not fit (expected (2, 5), found (2, 3))");
    check_refused(c, x, x, x, &dropout, "dropout");
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_shared_keys), cmocka_unit_test(test_masks),
        cmocka_unit_test(test_bands), cmocka_unit_test(test_the_blind),   cmocka_unit_test(test_gradients_of_many_blocks),
        cmocka_unit_test(test_long_sequences_fit), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
