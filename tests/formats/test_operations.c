/* Operations among the layers of a model: what is refused, and with which words; the form without modules that Keras 3 writes
 * into HDF5; memory that runs out. What they compute is held against Keras in tests/model/test_keras_fixtures.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/context.h"
#include "support/failing_allocator.h"
#include "heed/files.h"
#include "heed/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INPUT                                                                                                          \
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 4, 3], \"dtype\": \"float32\", \"name\": "  \
    "\"x\"}, \"name\": \"x\", \"inbound_nodes\": []}"
#define TENSOR(name)                                                                                                   \
    "{\"class_name\": \"__keras_tensor__\", \"config\": {\"shape\": [null, 4, 3], \"dtype\": \"float32\", "            \
    "\"keras_history\": [\"" name "\", 0, 0]}}"
#define MODEL(layers)                                                                                                  \
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": [" INPUT layers                        \
    "], \"input_layers\": [\"x\", 0, 0], \"output_layers\": [\"y\", 0, 0]}}"
/* An operation called y. */
#define OPERATION(place, title, config, arguments)                                                                     \
    MODEL(", {\"module\": \"keras.src.ops." place "\", \"class_name\": \"" title "\", \"config\": {\"name\": \"y\""    \
          config "}, \"name\": \"y\", \"inbound_nodes\": [{\"args\": [" arguments "], \"kwargs\": {}}]}")
#define OLD(function, nodes)                                                                                           \
    MODEL(", {\"class_name\": \"TFOpLambda\", \"config\": {\"name\": \"y\", \"function\": \"" function                 \
          "\"}, \"name\": \"y\", \"inbound_nodes\": [" nodes "]}")

#define NODE(op, inputs, constants, nodes)                                                                             \
    MODEL(", {\"class_name\": \"TensorFlowOpLayer\", \"config\": {\"name\": \"y\", \"node_def\": {\"op\": \"" op      \
          "\", \"input\": [" inputs "], \"attr\": {}}, \"constants\": {" constants "}}, \"name\": \"y\", "              \
          "\"inbound_nodes\": [[" nodes "]]}")

static void check_refused(heed_context *c, const char *json, const char *part)
{
    heed_model *m;
    assert_int_not_equal(heed_model_from_json(c, json, &m), HEED_OK);
    if (strstr(heed_error(c), part) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", part, heed_error(c));
}

static void test_what_cannot_be_run_is_named_with_place_and_options(void **state)
{
    heed_context *c = *state;
    check_refused(c, OPERATION("math", "TopK", ", \"k\": 2, \"sorted\": true", TENSOR("x")),
                  "layers[1]: the operation 'y' cannot be run: TopK({'name': 'y', 'k': 2, 'sorted': True})");
    check_refused(c, OPERATION("numpy", "Max", ", \"axis\": 1, \"initial\": 0.5", TENSOR("x")),
                  "cannot be run: Max({'name': 'y', 'axis': 1, 'initial': 0.5})");
    check_refused(c, OLD("signal.fft", "[\"x\", 0, 0, {}]"), "'function': 'signal.fft'");
    check_refused(c, OLD("math.exp", "[\"x\", 0, 0, {\"strange\": 1}]"), "'function': 'math.exp'");
    check_refused(c, OLD("math.exp", "[\"x\", 0, 0, {}], [\"x\", 0, 0, {}]"), "called more than once");
    check_refused(c, OLD("einsum", "[\"_CONSTANT_VALUE\", -1, \"abc->a\", {}]"), "'function': 'einsum'");
    check_refused(c, NODE("FFT", "\"x\"", "", "[\"x\", 0, 0, {}]"), "'op': 'FFT'");
    check_refused(c, NODE("Reshape", "\"x\", \"shape\"", "", "[\"x\", 0, 0, {}], [\"x\", 0, 0, {}]"), "'op': 'Reshape'");
    check_refused(c, NODE("StridedSlice", "\"x\", \"a\", \"b\", \"c\"", "\"1\": [0]", "[\"x\", 0, 0, {}]"), "'op': 'StridedSlice'");
}

static void test_what_a_call_may_not_ask_for(void **state)
{
    heed_context *c = *state;
    check_refused(c, OPERATION("numpy", "Power", "", TENSOR("x") ", " TENSOR("x")), "must be a constant");
    check_refused(c, OPERATION("numpy", "GetItem", "", TENSOR("x") ", [0.5]"), "only integers, slices, None and ...");
    check_refused(c, OPERATION("numpy", "GetItem", "", TENSOR("x") ", [{\"class_name\": \"__slice__\", \"config\": {}}, 4]"),
                  "an index is out of range (expected below 4)");
    check_refused(c, OPERATION("numpy", "GetItem", "", TENSOR("x")), "it has no index");
    check_refused(c, OPERATION("numpy", "Split", ", \"indices_or_sections\": 3, \"axis\": 1", TENSOR("x")), "come out even");
    check_refused(c, OPERATION("numpy", "Pad", ", \"mode\": \"reflect\"", TENSOR("x")), "only the mode");
    check_refused(c, OPERATION("numpy", "Transpose", ", \"axes\": [0, 1]", TENSOR("x")), "not as many");
    check_refused(c, OPERATION("numpy", "Einsum", ", \"subscripts\": \"ab->a\"", TENSOR("x")), "ab->a cannot be computed");
    check_refused(c, OPERATION("numpy", "Add", "", TENSOR("x") ", [[1.0], 2.0]"), "no array of numbers");
    check_refused(c, OPERATION("numpy", "Add", "", TENSOR("x")), "an argument is missing");
    check_refused(c, OPERATION("numpy", "Where", "", TENSOR("x")), "an argument is missing");
    check_refused(c, OPERATION("linalg", "Norm", ", \"ord\": 3, \"axis\": 1", TENSOR("x")), "orders 1 and 2");
    check_refused(c, OPERATION("numpy", "Roll", ", \"shift\": 1", TENSOR("x")), "an axis must be named");
}

/* As Keras 3.15.1 writes it into HDF5: without modules, an Add that is an operation among layers. */
static const char without_modules[] =
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"trainable\": true, \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, null], \"dtype\": \"int32\", \"name\": \"ids\"}, "
    "\"name\": \"ids\", \"inbound_nodes\": []}, "
    "{\"class_name\": \"Embedding\", \"config\": {\"name\": \"embed\", \"trainable\": true, \"input_dim\": 5, \"output_dim\": 3, "
    "\"mask_zero\": true}, \"name\": \"embed\", \"inbound_nodes\": [{\"args\": [" TENSOR("ids") "], \"kwargs\": {}}]}, "
    "{\"class_name\": \"NotEqual\", \"config\": {\"name\": \"not_equal\"}, \"name\": \"not_equal\", "
    "\"inbound_nodes\": [{\"args\": [" TENSOR("ids") ", 0], \"kwargs\": {}}]}, "
    "{\"class_name\": \"LSTM\", \"config\": {\"name\": \"lstm\", \"trainable\": true, \"units\": 3}, \"name\": \"lstm\", "
    "\"inbound_nodes\": [{\"args\": [" TENSOR("embed") "], \"kwargs\": {\"training\": false, \"mask\": " TENSOR("not_equal")
    "}}]}, "
    "{\"class_name\": \"Add\", \"config\": {\"name\": \"add\"}, \"name\": \"add\", "
    "\"inbound_nodes\": [{\"args\": [" TENSOR("lstm") ", 1], \"kwargs\": {}}]}], "
    "\"input_layers\": [\"ids\", 0, 0], \"output_layers\": [\"add\", 0, 0]}}";

static void test_operations_without_modules(void **state)
{
    heed_context *c = *state;
    heed_model *m;
    char *json;
    int32_t padded[] = {2, 3, 0, 0}, bare[] = {2, 3};
    float y[2][3];
    assert_int_equal(heed_model_from_json(c, without_modules, &m), HEED_OK);
    heed_array x[2] = {{HEED_INT32, {2, {1, 4}}, padded}, {HEED_INT32, {2, {1, 2}}, bare}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            heed_predict_on_batch(m, &x[i], 1, &(heed_array){HEED_FLOAT32, {2, {1, 3}}, y[i]}, 1), HEED_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(fabsf(y[0][i] - y[1][i]) < 1e-6f); /* padding has no influence */
        assert_true(y[0][i] > 0.0f && y[0][i] != 1.0f);
    }
    assert_int_equal(heed_model_to_json(m, &json), HEED_OK);
    assert_non_null(strstr(json, "\"keras.src.ops.numpy\""));
    heed_free(c, json);
    heed_model_free(m);
}

/* A model is the same after a way through Keras 2's form of it. */
static void check_keras2(heed_context *c, const char *json)
{
    float values[3 * 4 * 3], y[2][3 * 4 * 3];
    const heed_array x = {HEED_FLOAT32, {3, {3, 4, 3}}, values};
    heed_model *m[2];
    for (int i = 0; i < 3 * 4 * 3; i++)
        values[i] = sinf((float)i);
    assert_int_equal(heed_model_from_json(c, json, &m[0]), HEED_OK);
    assert_int_equal(heed_save_model(m[0], "test_operations.keras", .keras = 2), HEED_OK);
    assert_int_equal(heed_load_model(c, "test_operations.keras", &m[1]), HEED_OK);
    const heed_shape *shape = heed_model_output_shape(m[0], 0);
    heed_array out = {HEED_FLOAT32, *shape, NULL};
    out.shape.dims[0] = 3;
    for (int i = 0; i < 2; i++) {
        out.data = y[i];
        assert_int_equal(heed_predict_on_batch(m[i], &x, 1, &out, 1), HEED_OK);
        heed_model_free(m[i]);
    }
    assert_memory_equal(y[0], y[1], (size_t)heed_shape_count(&out.shape) * sizeof(float));
}

static void test_the_way_through_keras_2(void **state)
{
    heed_context *c = *state;
    check_keras2(c, OPERATION("numpy", "Subtract", "", "2.5, " TENSOR("x")));
    check_keras2(c, OPERATION("numpy", "Multiply", "", TENSOR("x") ", 3"));
    check_keras2(c, OPERATION("numpy", "Split", ", \"indices_or_sections\": [1, 3], \"axis\": 1", TENSOR("x")));
    check_keras2(c, OPERATION("numpy", "Split", ", \"indices_or_sections\": 3, \"axis\": 2", TENSOR("x")));
}

static heed_status read_model(heed_context *c, void *user)
{
    heed_model *m = NULL;
    char *json = NULL;
    heed_status status = heed_model_from_json(c, user, &m);
    if (status == HEED_OK)
        status = heed_model_to_json(m, &json);
    heed_free(c, json);
    heed_model_free(m);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(read_model, (void *)(uintptr_t)without_modules);
    heed_test_each_allocation_fails(
        read_model, (void *)(uintptr_t)OPERATION("numpy", "Concatenate", ", \"axis\": 1", "[" TENSOR("x") ", " TENSOR("x") "]"));
    heed_test_each_allocation_fails(
        read_model, (void *)(uintptr_t)NODE("Mean", "\"x\", \"axes\"", "\"1\": [1, 2]", "[\"x\", 0, 0, {}]"));
    heed_test_each_allocation_fails(
        read_model, (void *)(uintptr_t)OLD("math.multiply", "[\"x\", 0, 0, {\"y\": [1.0, 2.0, 3.0], \"name\": null}]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_cannot_be_run_is_named_with_place_and_options, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_what_a_call_may_not_ask_for, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_operations_without_modules, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_the_way_through_keras_2, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
