/* Convolutions, their way back, their kernels' gradients and pools over many geometries, against plain loops in double
 * precision: on every instruction set, with the same bits at 1, 2 and 5 threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "ops/convolution.h"
#include "support/op_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the geometries: sizes that fill several tiles, that fill none, and windows that reach far over the edges */

typedef struct geometry {
    int64_t             batch, sizes[2], in, out; /* sizes[0] 0: one axis */
    heed_sliding_window windows[2];
    int                 groups;
} geometry;

static const geometry geometries[] = {
    {2, {0, 150}, 20, 37, {{3, 1, 1, 1, 1}}, 1},
    {2, {0, 150}, 16, 40, {{3, 1, 1, 2, 0}}, 1},
    {3, {0, 17}, 5, 9, {{4, 1, 1, 0, 0}}, 1},
    {1, {0, 9}, 3, 300, {{9, 1, 1, 8, 8}}, 1},
    {2, {0, 200}, 7, 33, {{5, 2, 1, 2, 1}}, 1},
    {2, {0, 201}, 7, 3, {{2, 5, 1, 0, 0}}, 1},
    {1, {0, 400}, 2, 4, {{7, 3, 1, 3, 3}}, 1},
    {2, {0, 90}, 8, 12, {{3, 1, 4, 4, 4}}, 1},
    {1, {0, 90}, 8, 12, {{3, 2, 3, 6, 0}}, 1},
    {1, {0, 5}, 4, 4, {{3, 1, 1, 9, 9}}, 1},
    {2, {0, 80}, 12, 18, {{3, 1, 1, 1, 1}}, 3},
    {2, {0, 80}, 6, 12, {{3, 2, 1, 1, 1}}, 6},
    {2, {0, 700}, 19, 19, {{5, 1, 1, 2, 2}}, 19},
    {2, {0, 90}, 8, 8, {{4, 3, 2, 3, 3}}, 8},
    {3, {0, 70}, 10, 11, {{1, 1, 1, 0, 0}}, 1},
    {3, {0, 70}, 10, 11, {{1, 2, 1, 0, 0}}, 1},
    {5, {0, 6}, 10, 11, {{6, 1, 1, 0, 0}}, 1},
    {2, {9, 70}, 5, 34, {{3, 1, 1, 1, 1}, {3, 1, 1, 1, 1}}, 1},
    {2, {9, 8}, 4, 6, {{2, 2, 1, 0, 1}, {3, 2, 1, 1, 1}}, 1},
    {1, {12, 11}, 4, 6, {{3, 1, 2, 2, 2}, {2, 1, 3, 1, 1}}, 2},
    {2, {7, 6}, 5, 5, {{3, 2, 1, 1, 1}, {3, 2, 1, 1, 1}}, 5},
    {2, {90, 6}, 3, 40, {{3, 1, 1, 0, 0}, {6, 1, 1, 0, 0}}, 1},
    {2, {90, 6}, 3, 40, {{3, 2, 1, 1, 0}, {6, 3, 1, 0, 2}}, 1},
    {2, {8, 9}, 3, 4, {{1, 1, 1, 0, 0}, {1, 1, 1, 0, 0}}, 1},
    {2, {1, 30}, 3, 4, {{1, 1, 1, 0, 0}, {4, 1, 1, 1, 2}}, 1},
    {1, {31, 9}, 3, 20, {{2, 2, 1, 1, 0}, {3, 1, 1, 1, 1}}, 1},
    {2, {30, 7}, 2, 9, {{3, 1, 2, 2, 2}, {2, 1, 1, 0, 1}}, 1},
    {1, {0, 130}, 1, 5, {{120, 1, 1, 60, 59}}, 1},
    {0, {0, 30}, 3, 4, {{4, 1, 1, 1, 2}}, 1},
    {70, {0, 9}, 12, 70, {{3, 1, 1, 1, 1}}, 1},
    {66, {0, 9}, 9, 10, {{4, 2, 2, 3, 3}}, 1},
    {9, {0, 4}, 12, 18, {{3, 1, 1, 2, 0}}, 3},
    {9, {0, 2}, 8, 9, {{7, 1, 1, 3, 3}}, 1},
    {70, {0, 3}, 4, 9, {{3, 1, 1, 1, 1}}, 1},
    {40, {5, 4}, 9, 20, {{3, 2, 1, 1, 1}, {2, 1, 2, 1, 1}}, 1},
    {12, {7, 6}, 8, 10, {{3, 1, 2, 2, 2}, {3, 3, 1, 1, 1}}, 2},
};
enum { GEOMETRY_COUNT = sizeof geometries / sizeof *geometries };

static int axes_of(const geometry *g) { return g->sizes[0] == 0 ? 1 : 2; }

/* Both axes; what has one is one element on the other. */
static heed_sliding_window window_of(const geometry *g, int axis)
{
    const heed_sliding_window one = {1, 1, 1, 0, 0};
    return axes_of(g) == 2 ? g->windows[axis] : axis == 0 ? one : g->windows[0];
}

static int64_t size_of(const geometry *g, int axis) { return axis == 0 && axes_of(g) == 1 ? 1 : g->sizes[axis]; }

static int64_t out_of(const geometry *g, int axis)
{
    heed_sliding_window w = window_of(g, axis);
    return (size_of(g, axis) + w.before + w.after - (w.size - 1) * w.dilation - 1) / w.stride + 1;
}

static heed_shape shape_of(const geometry *g, int64_t first, int64_t second, int64_t channels)
{
    return axes_of(g) == 1 ? (heed_shape){3, {g->batch, second, channels}}
                           : (heed_shape){4, {g->batch, first, second, channels}};
}

static heed_shape x_shape(const geometry *g) { return shape_of(g, size_of(g, 0), size_of(g, 1), g->in); }
static heed_shape y_shape(const geometry *g, int64_t channels)
{
    return shape_of(g, out_of(g, 0), out_of(g, 1), channels);
}

static heed_shape kernel_shape(const geometry *g)
{
    heed_shape s = shape_of(g, window_of(g, 0).size, window_of(g, 1).size, 0);
    for (int i = 0; i < axes_of(g); i++)
        s.dims[i] = s.dims[i + 1];
    s.dims[axes_of(g)] = g->in / g->groups;
    s.dims[axes_of(g) + 1] = g->out;
    return s;
}

/* ---- references */

/* Calls visit for each pair of an element of x and a window's tap over it: places of the element, the window and the
 * tap, channels aside. */
typedef void visit_function(void *user, int64_t element, int64_t window, int64_t tap);

static void each_pair(const geometry *g, visit_function *visit, void *user)
{
    heed_sliding_window a = window_of(g, 0), b = window_of(g, 1);
    for (int64_t e = 0; e < g->batch; e++)
        for (int64_t o = 0; o < out_of(g, 0); o++)
            for (int64_t p = 0; p < out_of(g, 1); p++)
                for (int64_t k = 0; k < a.size * b.size; k++) {
                    int64_t i = o * a.stride + k / b.size * a.dilation - a.before;
                    int64_t j = p * b.stride + k % b.size * b.dilation - b.before;
                    if (i >= 0 && i < size_of(g, 0) && j >= 0 && j < size_of(g, 1))
                        visit(user, (e * size_of(g, 0) + i) * size_of(g, 1) + j,
                              (e * out_of(g, 0) + o) * out_of(g, 1) + p, k);
                }
}

typedef struct reference {
    const geometry *g;
    const float    *source, *kernel;
    double         *y, *sizes; /* sums, and of their terms' absolute values */
    bool            back;
} reference;

static void add_term(void *user, int64_t element, int64_t window, int64_t tap)
{
    const reference *r = user;
    int64_t in = r->g->in, out = r->g->out, depth = in / r->g->groups, width = out / r->g->groups;
    for (int64_t f = 0; f < out; f++)
        for (int64_t c = 0; c < depth; c++) {
            int64_t channel = f / width * depth + c;
            int64_t from = r->back ? window * out + f : element * in + channel;
            int64_t to = r->back ? element * in + channel : window * out + f;
            double term = (double)r->source[from] * r->kernel[(tap * depth + c) * out + f];
            r->y[to] += term;
            r->sizes[to] += fabs(term);
        }
}

typedef struct kernel_reference {
    const geometry *g;
    const float    *x, *dy;
    double         *dw, *sizes;
} kernel_reference;

static void add_to_kernel(void *user, int64_t element, int64_t window, int64_t tap)
{
    const kernel_reference *r = user;
    int64_t in = r->g->in, out = r->g->out, depth = in / r->g->groups, width = out / r->g->groups;
    for (int64_t c = 0; c < depth; c++)
        for (int64_t f = 0; f < out; f++) {
            double term = (double)r->x[element * in + f / width * depth + c] * r->dy[window * out + f];
            r->dw[(tap * depth + c) * out + f] += term;
            r->sizes[(tap * depth + c) * out + f] += fabs(term);
        }
}

typedef struct pool_reference {
    const geometry *g;
    const float    *x;
    double         *y, *counts;
    bool            mean;
} pool_reference;

static void take_element(void *user, int64_t element, int64_t window, int64_t tap)
{
    const pool_reference *r = user;
    for (int64_t c = 0; c < r->g->in; c++) {
        int64_t to = window * r->g->in + c;
        double x = r->x[element * r->g->in + c];
        if (r->mean)
            r->y[to] += x;
        else
            r->y[to] = r->counts[to] == 0 || x > r->y[to] ? x : r->y[to];
        r->counts[to]++;
    }
}

/* ---- running */

static float *draw(int64_t count, uint64_t stream)
{
    heed_random r = {.seed = 5, .stream = stream};
    float *x = malloc((size_t)(count + 1) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(2 * heed_random_double(&r) - 1);
    return x;
}

typedef heed_tensor *build_function(const geometry *g, heed_tensor *const *x);

static heed_tensor *build_convolution(const geometry *g, heed_tensor *const *x)
{
    return heed_op_convolution(x[0], x[1], x[2], g->windows, g->groups);
}

static heed_tensor *build_back(const geometry *g, heed_tensor *const *x)
{
    return heed_op_convolution_transpose(x[0], x[1], x[2], g->windows, g->groups,
                                         axes_of(g) == 1 ? g->sizes + 1 : g->sizes);
}

static heed_tensor *build_kernel_gradient(const geometry *g, heed_tensor *const *x)
{
    return heed_op_convolution_kernel_gradient(x[0], x[1], g->windows, g->groups);
}

static heed_tensor *build_max(const geometry *g, heed_tensor *const *x) { return heed_op_max_pool(x[0], g->windows); }

static heed_tensor *build_mean(const geometry *g, heed_tensor *const *x)
{
    return heed_op_average_pool(x[0], g->windows);
}

/* The result, a copy; its shape must be as expected. */
static float *run(const char *cpu, int threads, const geometry *g, build_function *build, const heed_shape *shapes,
                  float *const *operands, int count, const heed_shape *expected)
{
    heed_context *c;
    heed_graph *graph;
    heed_tensor *x[3];
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads, .cpu = cpu}, &c), HEED_OK);
    assert_int_equal(heed_graph_create(c, &graph), HEED_OK);
    for (int i = 0; i < count; i++)
        x[i] = heed_graph_input(graph, HEED_FLOAT32, &shapes[i]);
    heed_tensor *y = build(g, x);
    if (y == NULL)
        fail_msg("%s", heed_error(c));
    assert_true(heed_shape_equal(heed_tensor_shape(y), expected));
    assert_int_equal(heed_graph_plan(graph, &y, 1), HEED_OK);
    for (int i = 0; i < count; i++)
        heed_graph_bind(x[i], operands[i]);
    assert_int_equal(heed_graph_run(graph, 1, 1), HEED_OK);
    size_t bytes = (size_t)heed_shape_count(expected) * sizeof(float);
    float *copy = malloc(bytes + 1);
    memcpy(copy, heed_tensor_data(y), bytes);
    heed_graph_free(graph);
    heed_context_free(c);
    return copy;
}

static void check(int number, const geometry *g, build_function *build, const heed_shape *shapes,
                  float *const *operands, int count, const heed_shape *shape, const double *expected,
                  const double *bounds)
{
    const char *cpus[3];
    int cpu_count = heed_test_cpus(cpus);
    int64_t elements = heed_shape_count(shape);
    for (int k = 0; k < cpu_count; k++) {
        float *y = run(cpus[k], 1, g, build, shapes, operands, count, shape);
        for (int64_t i = 0; i < elements; i++)
            if (!(fabs(y[i] - expected[i]) <= bounds[i]))
                fail_msg("%s, geometry %d: element %lld is %.9g, expected %.9g", cpus[k], number, (long long)i,
                         (double)y[i], expected[i]);
        for (int threads = 2; threads <= 5; threads += 3) {
            float *again = run(cpus[k], threads, g, build, shapes, operands, count, shape);
            assert_memory_equal(y, again, (size_t)elements * sizeof(float));
            free(again);
        }
        free(y);
    }
}

static void check_convolution(int number, bool back)
{
    const geometry *g = &geometries[number];
    int64_t bias_size = back ? g->in : g->out;
    heed_shape shapes[] = {back ? y_shape(g, g->out) : x_shape(g), kernel_shape(g), {1, {bias_size}}};
    heed_shape shape = back ? x_shape(g) : y_shape(g, g->out);
    int64_t count = heed_shape_count(&shape);
    float *operands[3];
    for (int i = 0; i < 3; i++)
        operands[i] = draw(heed_shape_count(&shapes[i]), (uint64_t)i);
    double *y = malloc((size_t)count * sizeof *y + 1), *bounds = malloc((size_t)count * sizeof *bounds + 1);
    for (int64_t i = 0; i < count; i++)
        bounds[i] = fabs(y[i] = operands[2][i % bias_size]);
    each_pair(g, add_term, &(reference){g, operands[0], operands[1], y, bounds, back});
    for (int64_t i = 0; i < count; i++)
        bounds[i] *= 1e-6;
    check(number, g, back ? build_back : build_convolution, shapes, operands, 3, &shape, y, bounds);
    for (int i = 0; i < 3; i++)
        free(operands[i]);
    free(y);
    free(bounds);
}

static void test_convolution(void **state)
{
    for (int i = 0; i < GEOMETRY_COUNT; i++)
        check_convolution(i, false);
}

static void test_way_back(void **state)
{
    for (int i = 0; i < GEOMETRY_COUNT; i++)
        check_convolution(i, true);
}

static void test_kernel_gradient(void **state)
{
    for (int number = 0; number < GEOMETRY_COUNT; number++) {
        const geometry *g = &geometries[number];
        heed_shape shapes[] = {x_shape(g), y_shape(g, g->out)}, shape = kernel_shape(g);
        int64_t count = heed_shape_count(&shape);
        float *operands[] = {draw(heed_shape_count(&shapes[0]), 0), draw(heed_shape_count(&shapes[1]), 1)};
        double *dw = calloc((size_t)count + 1, sizeof *dw), *bounds = calloc((size_t)count + 1, sizeof *bounds);
        each_pair(g, add_to_kernel, &(kernel_reference){g, operands[0], operands[1], dw, bounds});
        for (int64_t i = 0; i < count; i++)
            bounds[i] *= 1e-6;
        check(number, g, build_kernel_gradient, shapes, operands, 2, &shape, dw, bounds);
        free(operands[0]);
        free(operands[1]);
        free(dw);
        free(bounds);
    }
}

static bool is_pool(const geometry *g)
{
    bool fits = true;
    for (int i = 0; i < axes_of(g); i++) {
        const heed_sliding_window *w = &g->windows[i];
        fits = fits && w->dilation == 1 && w->before < w->size && w->after < w->size;
    }
    return fits;
}

static void check_pool(int number, bool mean)
{
    const geometry *g = &geometries[number];
    heed_shape from = x_shape(g), shape = y_shape(g, g->in);
    int64_t count = heed_shape_count(&shape);
    float *x = draw(heed_shape_count(&from), 0);
    double *y = calloc((size_t)count + 1, sizeof *y), *counts = calloc((size_t)count + 1, sizeof *counts);
    each_pair(g, take_element, &(pool_reference){g, x, y, counts, mean});
    for (int64_t i = 0; i < count; i++) {
        y[i] = mean ? y[i] / counts[i] : y[i];
        counts[i] = mean ? 1e-6 : 0; /* from here on the tolerance */
    }
    check(number, g, mean ? build_mean : build_max, &from, &x, 1, &shape, y, counts);
    free(x);
    free(y);
    free(counts);
}

static void test_pools(void **state)
{
    for (int i = 0; i < GEOMETRY_COUNT; i++)
        for (int mean = 0; mean < 2 && is_pool(&geometries[i]); mean++)
            check_pool(i, mean == 1);
}

/* Of equals in a window the first takes the whole gradient. */
static void test_first_of_equals(void **state)
{
    heed_context *c;
    heed_graph *g;
    const float x[] = {0, 0, 0, 1, 1, 0}, expected[] = {2, 0, 0, 3, 0, 0};
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *in = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {1, 6, 1}}), *gradient;
    heed_tensor *y = heed_op_max_pool(in, &(heed_sliding_window){3, 3, 1, 0, 0});
    heed_array seed = {HEED_FLOAT32, {3, {1, 2, 1}}, (float[]){2, 3}};
    assert_int_equal(heed_graph_gradients(y, heed_graph_constant(g, &seed), &in, 1, &gradient), HEED_OK);
    assert_int_equal(heed_graph_plan(g, &gradient, 1), HEED_OK);
    heed_graph_bind(in, x);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    assert_memory_equal(heed_tensor_data(gradient), expected, sizeof expected);
    heed_graph_free(g);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_way_back),
        cmocka_unit_test(test_kernel_gradient),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_first_of_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
