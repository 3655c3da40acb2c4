/* Initializers by their statistics; regularizers and constraints by their values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/layers.h"
#include "layers/layer.h"
#include "layers/regularizers.h"

#include <math.h>
#include <string.h>

static int set_up(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 1}, (heed_context **)state);
}

static int tear_down(void **state)
{
    heed_context_free(*state);
    return 0;
}

/* A variable with room for 64 x 100 numbers, which is enough for every shape here. */
enum { ROOM = 20000 };
static float numbers[ROOM];

static const float *draw(heed_context *c, const char *initializer, heed_shape shape, uint64_t seed, uint64_t stream)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_variable v = {.name = (char[]){"kernel"}, .shape = shape, .count = heed_shape_count(&shape), .data = numbers};
    assert_true(v.count <= ROOM);
    assert_int_equal(heed_object_parse(&z, &heed_initializers, initializer, &v.initializer), HEED_OK);
    assert_int_equal(heed_variable_initialize(c, &v, seed, stream), HEED_OK);
    heed_zone_free(&z);
    return numbers;
}

static double mean_of(const float *x, int count)
{
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += x[i];
    return sum / count;
}

static double deviation_of(const float *x, int count)
{
    double mean = mean_of(x, count), sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / count);
}

static double greatest_of(const float *x, int count)
{
    double most = 0.0;
    for (int i = 0; i < count; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* 20,000 numbers: a standard error of the mean of 0.7 %, of the deviation of 0.5 % of a deviation. */
static void check_drawn(heed_context *c, const char *initializer, double deviation, double limit)
{
    const float *x = draw(c, initializer, (heed_shape){2, {200, 100}}, 7, 3);
    assert_true(fabs(mean_of(x, ROOM)) < 0.03 * deviation);
    assert_true(fabs(deviation_of(x, ROOM) / deviation - 1.0) < 0.02);
    double most = greatest_of(x, ROOM);
    if (limit > 0.0)
        assert_true(most <= limit && most > 0.99 * limit);
    else
        assert_true(most > 3.0 * deviation); /* a normal distribution that is not cut */
}

static void test_widths_follow_the_equations(void **state)
{
    heed_context *c = *state;
    const double in = 200.0, out = 100.0, average = 150.0, cut = 0.87962566103423978;
    check_drawn(c, "glorot_uniform", sqrt(1.0 / average), sqrt(3.0 / average));
    check_drawn(c, "he_uniform", sqrt(2.0 / in), sqrt(6.0 / in));
    check_drawn(c, "lecun_uniform", sqrt(1.0 / in), sqrt(3.0 / in));
    check_drawn(c, "glorot_normal", sqrt(1.0 / average), 2.0 * sqrt(1.0 / average) / cut);
    check_drawn(c, "HeNormal", sqrt(2.0 / in), 2.0 * sqrt(2.0 / in) / cut);
    check_drawn(c, "lecun_normal", sqrt(1.0 / in), 2.0 * sqrt(1.0 / in) / cut);
    check_drawn(c, "random_normal", 0.05, 0.0);
    check_drawn(c, "random_normal(stddev=2)", 2.0, 0.0);
    check_drawn(c, "truncated_normal", 0.05 * cut, 0.1);
    check_drawn(c, "uniform", 0.1 / sqrt(12.0), 0.05);
    check_drawn(c, "random_uniform(-0.5, 0.5)", 1.0 / sqrt(12.0), 0.5);
    check_drawn(c, "variance_scaling(3, 'fan_out', 'untruncated_normal')", sqrt(3.0 / out), 0.0);
}

static void test_fans_of_other_ranks(void **state)
{
    heed_context *c = *state;
    double limit = greatest_of(draw(c, "glorot_uniform", (heed_shape){1, {5000}}, 1, 1), 5000);
    assert_true(limit <= sqrt(3.0 / 5000) && limit > 0.99 * sqrt(3.0 / 5000));
    limit = greatest_of(draw(c, "glorot_uniform", (heed_shape){3, {3, 20, 30}}, 1, 1), 1800); /* fans 60 and 90 */
    assert_true(limit <= sqrt(3.0 / 75) && limit > 0.98 * sqrt(3.0 / 75));
}

static void test_constants(void **state)
{
    heed_context *c = *state;
    const float *x = draw(c, "constant(0.25)", (heed_shape){1, {3}}, 0, 0);
    assert_true(x[0] == 0.25f && x[2] == 0.25f);
    x = draw(c, "ones", (heed_shape){0}, 0, 0);
    assert_true(x[0] == 1.0f);
    x = draw(c, "identity(gain=2)", (heed_shape){2, {2, 3}}, 0, 0);
    const float expected[] = {2, 0, 0, 0, 2, 0};
    assert_memory_equal(x, expected, sizeof expected);
    x = draw(c, "unit_forget('zeros')", (heed_shape){1, {8}}, 0, 0);
    const float bias[] = {0, 0, 1, 1, 0, 0, 0, 0};
    assert_memory_equal(x, bias, sizeof bias);
}

/* rows or columns, whichever there are fewer of, have length 2 and right angles */
static void check_orthogonal(heed_context *c, int rows, int columns)
{
    const float *x = draw(c, "orthogonal(gain=2)", (heed_shape){2, {rows, columns}}, 5, 5);
    bool wide = rows < columns;
    int count = wide ? rows : columns, length = wide ? columns : rows;
    for (int i = 0; i < count; i++)
        for (int j = 0; j <= i; j++) {
            double dot = 0.0;
            for (int k = 0; k < length; k++)
                dot += wide ? (double)x[i * columns + k] * x[j * columns + k]
                            : (double)x[k * columns + i] * x[k * columns + j];
            assert_true(fabs(dot - (i == j ? 4.0 : 0.0)) < 1e-5);
        }
}

static void test_orthogonal(void **state)
{
    check_orthogonal(*state, 7, 7);
    check_orthogonal(*state, 10, 40);
    check_orthogonal(*state, 40, 10);
    check_orthogonal(*state, 1, 5);
    heed_shape vector = {1, {4}};
    heed_zone z;
    heed_zone_init(&z, *state);
    heed_variable v = {.name = (char[]){"bias"}, .shape = vector, .count = 4, .data = numbers};
    assert_int_equal(heed_object_parse(&z, &heed_initializers, "orthogonal", &v.initializer), HEED_OK);
    assert_int_equal(heed_variable_initialize(*state, &v, 0, 0), HEED_ESHAPE);
    assert_string_equal(heed_error(*state), "bias: orthogonal: only for two dimensions and more (found (4,))");
    heed_zone_free(&z);
}

static void test_numbers_depend_on_seed_and_stream_alone(void **state)
{
    float first[50];
    memcpy(first, draw(*state, "glorot_uniform", (heed_shape){2, {5, 10}}, 1, 2), sizeof first);
    draw(*state, "random_normal", (heed_shape){2, {50, 10}}, 1, 1);
    assert_memory_equal(draw(*state, "glorot_uniform", (heed_shape){2, {5, 10}}, 1, 2), first, sizeof first);
    assert_memory_not_equal(draw(*state, "glorot_uniform", (heed_shape){2, {5, 10}}, 1, 3), first, sizeof first);
    assert_memory_not_equal(draw(*state, "glorot_uniform", (heed_shape){2, {5, 10}}, 2, 2), first, sizeof first);
}

/* ---- regularizers ---- */

static double penalty(heed_context *c, const char *regularizer, heed_shape shape, const float *data)
{
    heed_graph *g;
    heed_object *o;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    assert_int_equal(heed_object_parse(&g->zone, &heed_regularizers, regularizer, &o), HEED_OK);
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &shape), *y = heed_penalty(x, o);
    assert_int_equal(heed_graph_plan(g, &y, 1), HEED_OK);
    heed_graph_bind(x, data);
    assert_int_equal(heed_graph_run(g, 0, 0), HEED_OK);
    double value = *(const float *)heed_tensor_data(y);
    heed_graph_free(g);
    return value;
}

static void test_regularizers(void **state)
{
    heed_context *c = *state;
    static const float x[] = {1, -2, 2, 0, 3, 4};
    heed_shape shape = {2, {2, 3}};
    assert_float_equal(penalty(c, "l1", shape, x), 0.12, 1e-6);
    assert_float_equal(penalty(c, "l2", shape, x), 0.34, 1e-6);
    assert_float_equal(penalty(c, "l2(0.5)", shape, x), 17.0, 1e-5);
    assert_float_equal(penalty(c, "l1_l2(l1=0.1, l2=1)", shape, x), 35.2, 1e-5);
    /* rows of length 3 and 5 with product 2: cosine 2/15, counted twice, over 2 pairs */
    assert_float_equal(penalty(c, "orthogonal_regularizer(factor=3)", shape, x), 3.0 * 2.0 / 15.0, 1e-6);
    /* columns (1,0), (-2,3), (2,4): cosines 2/sqrt(13), 2/sqrt(20), 8/sqrt(260) */
    double cosines = 2.0 / sqrt(13.0) + 2.0 / sqrt(20.0) + 8.0 / sqrt(260.0);
    assert_float_equal(penalty(c, "orthogonal_regularizer(factor=3, mode='columns')", shape, x), cosines, 1e-5);
}

/* ---- constraints ---- */

static void check_constrained(heed_context *c, const char *constraint, const float *expected)
{
    float x[] = {3, -1, 0.5f, 4, 0, 0}; /* columns of length 5, 1, 0.5 */
    heed_shape shape = {2, {2, 3}};
    heed_zone z;
    heed_object *o;
    heed_zone_init(&z, c);
    assert_int_equal(heed_object_parse(&z, &heed_constraints, constraint, &o), HEED_OK);
    heed_constrain(o, &shape, x);
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(x[i] - expected[i]) < 2e-6f);
    heed_zone_free(&z);
}

static void test_constraints(void **state)
{
    heed_context *c = *state;
    check_constrained(c, "max_norm", (float[]){1.2f, -1, 0.5f, 1.6f, 0, 0});
    check_constrained(c, "MaxNorm(max_value=0.75)", (float[]){0.45f, -0.75f, 0.5f, 0.6f, 0, 0});
    check_constrained(c, "non_neg", (float[]){3, 0, 0.5f, 4, 0, 0});
    check_constrained(c, "unit_norm", (float[]){0.6f, -1, 1, 0.8f, 0, 0});
    check_constrained(c, "unit_norm(axis=1)",
                      (float[]){3 / sqrtf(10.25f), -1 / sqrtf(10.25f), 0.5f / sqrtf(10.25f), 1, 0, 0});
    check_constrained(c, "unit_norm([0, 1])", (float[]){3 / sqrtf(26.25f), -1 / sqrtf(26.25f), 0.5f / sqrtf(26.25f),
                                                       4 / sqrtf(26.25f), 0, 0});
    check_constrained(c, "min_max_norm(0.8, 2)", (float[]){1.2f, -1, 0.8f, 1.6f, 0, 0});
    check_constrained(c, "min_max_norm(min_value=0, max_value=1, rate=0.5)", (float[]){1.8f, -1, 0.5f, 2.4f, 0, 0});
}

static void test_every_object_survives_its_saved_form(void **state)
{
    heed_context *c = *state;
    const heed_object_family *families[] = {&heed_initializers, &heed_regularizers, &heed_constraints,
                                            &heed_activations};
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (const heed_object_class *const *class = families[f]->classes; *class != NULL; class++) {
            heed_zone z;
            heed_zone_init(&z, c);
            heed_object *before, *after;
            const char *expression;
            heed_value *saved = heed_object_value(&z, families[f], (*class)->name);
            assert_non_null(saved);
            assert_int_equal(heed_object_expression(&z, families[f], saved, "x", &expression), HEED_OK);
            assert_int_equal(heed_object_parse(&z, families[f], (*class)->name, &before), HEED_OK);
            assert_int_equal(heed_object_parse(&z, families[f], expression, &after), HEED_OK);
            assert_ptr_equal(before->object_class, *class);
            assert_ptr_equal(after->object_class, *class);
            heed_value *a = heed_value_dict(&z), *b = heed_value_dict(&z);
            assert_int_equal(heed_options_write(&z, HEED_TABLE_OF(*class), before->config, a), HEED_OK);
            assert_int_equal(heed_options_write(&z, HEED_TABLE_OF(*class), after->config, b), HEED_OK);
            assert_string_equal(heed_value_expression(&z, a), heed_value_expression(&z, b));
            heed_zone_free(&z);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_widths_follow_the_equations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fans_of_other_ranks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_constants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_orthogonal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_depend_on_seed_and_stream_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_regularizers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_constraints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_object_survives_its_saved_form, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
