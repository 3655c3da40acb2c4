/* The output layer and its loss as one against both apart: the same loss and gradients, whatever the kernel's layout, bias,
 * weights, labels and sizes; on every instruction set, with the same bits at any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "graph/graph.h"
#include "ops/output_loss.h"
#include "support/failing_allocator.h"
#include "support/files.h"
#include "support/op_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Labels run from -1 to n: the outermost stand for no class. */
typedef struct trial {
    int64_t rows, n, d;
    bool    transposed, bias, weights, none_counts;
    float   smoothing;
    bool    frozen; /* x and bias alone are trained */
    float   consistency;
} trial;

static const trial trials[] = {
    {5, 1024, 3, true, false, false, false, 0, false, 0},
    {40, 1030, 16, true, true, true, false, 0.1f, false, 0},
    {40, 1030, 16, false, true, true, false, 0.1f, false, 0},
    {385, 1537, 20, true, false, true, false, 0.3f, false, 0},
    {385, 1537, 20, false, false, false, false, 0, false, 0},
    {900, 1100, 33, false, true, true, false, 0.2f, false, 0},
    {40, 1030, 16, true, true, true, true, 0.1f, false, 0},
    {40, 1030, 16, false, true, true, true, 0.1f, false, 0},
    {0, 1030, 16, true, true, true, false, 0.1f, false, 0},
    {40, 1030, 16, true, true, true, false, 0.1f, true, 0},
    {2, 1024, 3, true, false, false, false, 0, false, 1},
    {40, 1030, 16, false, true, true, false, 0.1f, false, 5},
    {770, 1537, 20, true, false, true, false, 0.3f, false, 0.5f},
    {1000, 1100, 33, false, true, false, false, 0, false, 5},
    {40, 1030, 16, true, true, true, true, 0.1f, false, 5},
};
enum { TRIALS = sizeof trials / sizeof *trials, OPERANDS = 5, RESULTS = 4 };
enum { X, KERNEL, BIAS, WEIGHTS, LABELS };

/* A graph with the loss and its gradients, apart or as one, and the operands' numbers. */
typedef struct probe {
    heed_context *context;
    heed_graph   *graph;
    heed_array    arrays[OPERANDS];
    heed_tensor  *results[RESULTS]; /* loss, gradients of x, kernel, bias; NULL where there is none */
} probe;

static void draw(probe *p, const trial *t)
{
    const heed_test_operand operands[OPERANDS] = {
        SMALL(t->rows, t->d), {HEED_TEST_ANY, {2, {t->transposed ? t->n : t->d, t->transposed ? t->d : t->n}}, 0},
        SMALL(t->n), POSITIVE(t->rows), IDS((int)t->n + 2, t->rows)};
    heed_test_draw_operands(operands, OPERANDS, p->arrays);
    for (int64_t i = 0; i < t->rows; i++) {
        ((int32_t *)p->arrays[LABELS].data)[i]--;
        if (i % 5 == 2 || t->none_counts)
            ((float *)p->arrays[WEIGHTS].data)[i] = 0;
    }
    for (int64_t i = 0, half = t->rows / 2; i < half && t->consistency != 0; i++) {
        int32_t *label = (int32_t *)p->arrays[LABELS].data + i;
        *label = label[half] = *label < 0 || *label >= t->n ? 0 : *label;
        ((float *)p->arrays[WEIGHTS].data)[half + i] = ((float *)p->arrays[WEIGHTS].data)[i];
    }
}

/* The loss the long way: what heed_op_output_loss says of itself. */
static heed_tensor *composed(const trial *t, heed_tensor *logits, heed_tensor *labels, heed_tensor *weights)
{
    heed_tensor *losses = heed_op_softmax_cross_entropy(logits, labels, t->smoothing);
    if (t->consistency != 0) {
        heed_tensor *p = heed_op_log_softmax(logits);
        heed_tensor *halves[] = {heed_op_slice(p, 0, t->rows / 2, t->rows / 2), heed_op_slice(p, 0, 0, t->rows / 2)};
        heed_tensor *apart = heed_op_subtract(p, heed_op_concatenate(halves, 2, 0));
        heed_tensor *far = heed_op_sum(heed_op_multiply(heed_op_exp(p), apart), (const int[]){1}, 1, false);
        losses = heed_op_add(losses, heed_op_scale(far, 0.5f * t->consistency, 0));
    }
    return heed_op_sum(weights == NULL ? losses : heed_op_multiply(losses, weights), NULL, 0, false);
}

static heed_status build(probe *p, const trial *t, bool as_one)
{
    heed_tensor *x[OPERANDS];
    HEED_TRY(heed_graph_create(p->context, &p->graph));
    for (int i = 0; i < OPERANDS; i++)
        x[i] = heed_graph_input(p->graph, p->arrays[i].dtype, &p->arrays[i].shape);
    HEED_TRY(heed_graph_status(p->graph));
    heed_tensor *weights = t->weights ? x[WEIGHTS] : NULL;
    heed_tensor *logits = t->transposed ? heed_op_matmul_transposed(x[X], false, x[KERNEL], true)
                                        : heed_op_dense(x[X], x[KERNEL], t->bias ? x[BIAS] : NULL);
    bool fits = heed_output_loss_fits(logits, logits);
    HEED_TRY(heed_graph_status(p->graph));
    assert_true(fits);
    heed_tensor *loss = as_one ? heed_op_output_loss(logits, x[LABELS], weights, t->smoothing, t->consistency)
                               : composed(t, logits, x[LABELS], weights);
    heed_tensor *scaled = heed_op_scale(loss, 0.25f, 0);
    const int of[] = {X, KERNEL, BIAS};
    heed_tensor *leaves[3], *wanted[RESULTS];
    size_t leaf_count = 0, wanted_count = 1;
    for (int i = 0; i < 3; i++)
        if ((of[i] != KERNEL || !t->frozen) && (of[i] != BIAS || (t->bias && !t->transposed)))
            leaves[leaf_count++] = x[of[i]];
    HEED_TRY(heed_graph_gradients(scaled, NULL, leaves, leaf_count, p->results + 1));
    p->results[0] = wanted[0] = loss;
    for (size_t i = 0; i < leaf_count; i++)
        wanted[wanted_count++] = p->results[i + 1];
    HEED_TRY(heed_graph_plan(p->graph, wanted, wanted_count));
    for (int i = 0; i < OPERANDS; i++)
        heed_graph_bind(x[i], p->arrays[i].data);
    return heed_graph_run(p->graph, 1, 1);
}

static void close_probe(probe *p)
{
    heed_graph_free(p->graph);
    p->graph = NULL;
    memset(p->results, 0, sizeof p->results);
}

/* All results one after another; freed by the caller. */
static float *results_of(const trial *t, const char *cpu, int threads, bool as_one, int64_t *count, size_t *bytes)
{
    probe p = {0};
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads, .cpu = cpu}, &p.context), HEED_OK);
    draw(&p, t);
    if (build(&p, t, as_one) != HEED_OK)
        fail_msg("%s", heed_error(p.context));
    *count = 0;
    for (int i = 0; i < RESULTS; i++)
        *count += p.results[i] == NULL ? 0 : p.results[i]->count;
    float *out = malloc((size_t)*count * sizeof *out), *at = out;
    assert_non_null(out);
    for (int i = 0; i < RESULTS; i++) {
        if (p.results[i] == NULL || p.results[i]->count == 0)
            continue;
        memcpy(at, heed_tensor_data(p.results[i]), (size_t)p.results[i]->count * sizeof *at);
        at += p.results[i]->count;
    }
    *bytes = heed_graph_bytes(p.graph);
    close_probe(&p);
    heed_test_free(p.arrays, OPERANDS);
    heed_context_free(p.context);
    return out;
}

static void test_as_one_as_apart(void **state)
{
    (void)state;
    const char *cpus[3];
    int cpu_count = heed_test_cpus(cpus);
    for (int k = 0; k < cpu_count; k++)
        for (int i = 0; i < TRIALS; i++) {
            int64_t count, as_many;
            size_t bytes, fewer;
            float *apart = results_of(&trials[i], cpus[k], 1, false, &count, &bytes);
            float *as_one = results_of(&trials[i], cpus[k], 1, true, &as_many, &fewer);
            assert_int_equal(count, as_many);
            for (int64_t j = 0; j < count; j++)
                if (!(fabsf(as_one[j] - apart[j]) <= 2e-6f * (float)trials[i].rows + 1e-5f * fabsf(apart[j])))
                    fail_msg("trial %d on %s: number %lld is %g, not %g", i, cpus[k], (long long)j, (double)as_one[j],
                             (double)apart[j]);
            assert_true(trials[i].rows < 900 || fewer < bytes);
            for (int threads = 2; threads <= 5; threads += 3) {
                float *again = results_of(&trials[i], cpus[k], threads, true, &as_many, &fewer);
                assert_memory_equal(again, as_one, (size_t)count * sizeof *again);
                free(again);
            }
            free(as_one);
            free(apart);
        }
}

/* Logits of minus infinity are classes that cannot be; a number that is none is not lost. */
static void test_strange_logits(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    for (int strange = 0; strange < 2; strange++) {
        enum { N = 1200 };
        float bias[N] = {0}, x = 1, kernel[N] = {0};
        int32_t label = N - 1;
        for (int i = 0; i < N - 2; i++)
            bias[i] = strange == 0 ? -INFINITY : i == 700 ? NAN : 0;
        heed_graph *g;
        assert_int_equal(heed_graph_create(c, &g), HEED_OK);
        heed_tensor *of[] = {heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {1, 1}}),
                             heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {1, N}}),
                             heed_graph_input(g, HEED_FLOAT32, &(heed_shape){1, {N}}),
                             heed_graph_input(g, HEED_INT32, &(heed_shape){1, {1}})}, *wanted[4];
        wanted[0] = heed_op_output_loss(heed_op_dense(of[0], of[1], of[2]), of[3], NULL, 0, 0);
        assert_int_equal(heed_graph_gradients(wanted[0], NULL, of, 3, wanted + 1), HEED_OK);
        assert_int_equal(heed_graph_plan(g, wanted, 4), HEED_OK);
        const void *const data[] = {&x, kernel, bias, &label};
        for (int i = 0; i < 4; i++)
            heed_graph_bind(of[i], data[i]);
        assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
        float loss = *(const float *)heed_tensor_data(wanted[0]);
        const float *dbias = heed_tensor_data(wanted[3]);
        if (strange == 1) {
            assert_true(isnan(loss) && isnan(dbias[0]));
        } else {
            assert_float_equal(loss, log(2), 1e-6);
            assert_float_equal(dbias[0], 0, 0);
            assert_float_equal(dbias[N - 2], 0.5, 1e-6);
            assert_float_equal(dbias[N - 1], -0.5, 1e-6);
        }
        heed_graph_free(g);
    }
    heed_context_free(c);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    heed_graph *g;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {2, 3, 4}});
    heed_tensor *kernel = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {4, 1024}});
    heed_tensor *few = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {4, 1023}});
    heed_tensor *many = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {2, 4, 1024}});
    heed_tensor *logits = heed_op_matmul(x, kernel);
    heed_tensor *softmax = heed_op_softmax(logits, NULL);
    assert_true(heed_output_loss_fits(logits, softmax));
    assert_false(heed_output_loss_fits(NULL, x));
    assert_false(heed_output_loss_fits(x, x));
    assert_false(heed_output_loss_fits(logits, logits)); /* which the softmax reads */
    heed_op_square(softmax);
    assert_false(heed_output_loss_fits(logits, softmax)); /* which is read now */
    heed_tensor *others[] = {heed_op_matmul(x, few), heed_op_matmul(x, many), heed_op_tanh(logits),
                             heed_op_matmul_transposed(kernel, true, kernel, false)};
    for (int i = 0; i < 4; i++)
        assert_false(heed_output_loss_fits(others[i], others[i]));
    heed_tensor *labels = heed_graph_input(g, HEED_INT32, &(heed_shape){1, {6}});
    assert_null(heed_op_output_loss(logits, labels, NULL, 0, 0));
    assert_string_equal(heed_error(c), "output_loss: labels do not fit the logits (expected (2, 3), found (6,))");
    heed_graph_free(g);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    x = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {3, 4}});
    kernel = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {4, 1024}});
    labels = heed_graph_input(g, HEED_INT32, &(heed_shape){1, {3}});
    assert_null(heed_op_output_loss(heed_op_matmul(x, kernel), labels, NULL, 0, 5));
    assert_string_equal(heed_error(c), "output_loss: consistency: no two halves (expected an even number of rows, found 3)");
    heed_graph_free(g);
    heed_context_free(c);
}

/* ---- consistency, against PyTorch */

/* The numbers of the fixture's line `name count ...`. */
static int read_line(const char *lines, const char *name, float *out, int most)
{
    char begin[32];
    int used, count = 0;
    snprintf(begin, sizeof begin, "%s ", name);
    const char *line = strncmp(lines, begin, strlen(begin)) == 0 ? lines : strstr(lines, begin);
    while (line != NULL && line > lines && line[-1] != '\n')
        line = strstr(line + 1, begin);
    assert_non_null(line);
    assert_int_equal(sscanf(line + strlen(begin), "%d%n", &count, &used), 1);
    assert_in_range(count, 1, most);
    char *at = (char *)line + strlen(begin) + used;
    for (int i = 0; i < count; i++)
        out[i] = strtof(at, &at);
    return count;
}

static void test_consistency_as_pytorch(void **state)
{
    (void)state;
    enum { ROWS = 6, D = 4, N = 7 };
    char *lines = heed_test_read_file(HEED_FIXTURES "/losses/r_drop.txt", NULL);
    float x[ROWS * D], kernel[D * N], numbers[ROWS], expected[3][D * N];
    int32_t labels[ROWS];
    assert_int_equal(read_line(lines, "x", x, ROWS * D), ROWS * D);
    assert_int_equal(read_line(lines, "kernel", kernel, D * N), D * N);
    assert_int_equal(read_line(lines, "labels", numbers, ROWS), ROWS);
    for (int i = 0; i < ROWS; i++)
        labels[i] = (int32_t)numbers[i];
    const int counts[] = {read_line(lines, "loss", expected[0], 1), read_line(lines, "dx", expected[1], ROWS * D),
                          read_line(lines, "dkernel", expected[2], D * N)};
    heed_context *c;
    heed_graph *g;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *of[] = {heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {ROWS, D}}),
                         heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {D, N}}),
                         heed_graph_input(g, HEED_INT32, &(heed_shape){1, {ROWS}})}, *wanted[3];
    wanted[0] = heed_op_output_loss(heed_op_matmul(of[0], of[1]), of[2], NULL, 0.1f, 5);
    assert_int_equal(heed_graph_gradients(wanted[0], NULL, of, 2, wanted + 1), HEED_OK);
    assert_int_equal(heed_graph_plan(g, wanted, 3), HEED_OK);
    const void *const data[] = {x, kernel, labels};
    for (int i = 0; i < 3; i++)
        heed_graph_bind(of[i], data[i]);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < counts[i]; k++)
            assert_float_equal(((const float *)heed_tensor_data(wanted[i]))[k], expected[i][k],
                               1e-5 * fmax(1, fabs((double)expected[i][k])));
    heed_graph_free(g);
    heed_context_free(c);
    free(lines);
}

static heed_status work(heed_context *c, void *user)
{
    probe p = {.context = c};
    memcpy(p.arrays, user, sizeof p.arrays);
    heed_status status = build(&p, &trials[2], true);
    heed_graph_free(p.graph);
    return status;
}

static void test_allocation_failure(void **state)
{
    (void)state;
    probe p = {0};
    draw(&p, &trials[2]);
    heed_test_each_allocation_fails(work, p.arrays);
    heed_test_free(p.arrays, OPERANDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_one_as_apart),
        cmocka_unit_test(test_strange_logits),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_consistency_as_pytorch),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
