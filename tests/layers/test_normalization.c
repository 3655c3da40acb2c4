/* What the normalizing layers and EinsumDense refuse; how wide their kernels begin. What they compute is held against
 * Keras in test_fixtures.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/context.h"
#include "heed/model.h"
#include "heed/normalization.h"

#include <math.h>
#include <string.h>

/* The sentence of what a layer says of an input of so many features in 4 steps. */
static const char *refusal(heed_context *c, heed_spec spec, int features)
{
    heed_model *m = heed_sequential(c, "m");
    heed_input(m, .shape = {2, {4, features}});
    heed_add(m, spec);
    heed_status status = heed_build(m);
    heed_model_free(m);
    return status == HEED_OK ? "nothing" : heed_error(c);
}

#define assert_says(text, part)                                                                                        \
    do {                                                                                                               \
        const char *said = text;                                                                                       \
        if (strstr(said, part) == NULL)                                                                                \
            fail_msg("expected \"%s\" in \"%s\"", part, said);                                                         \
    } while (0)

static void test_what_normalization_refuses(void **state)
{
    heed_context *c = *state;
    assert_says(refusal(c, heed_batch_normalization(.axis = 3), 6), "no such axis (expected one of 3, found 3)");
    assert_says(refusal(c, heed_batch_normalization(.momentum = 1.5), 6), "momentum is out of range (expected [0,1]");
    assert_says(refusal(c, heed_batch_normalization(.renorm = true), 6), "renorm is not supported");
    assert_says(refusal(c, heed_group_normalization(.groups = 4), 6), "groups does not divide");
    assert_says(refusal(c, heed_group_normalization(.groups = 0), 6), "groups is out of range");
    assert_says(refusal(c, heed_group_normalization(.groups = 1, .axis = 0), 6), "axis");
    assert_says(refusal(c, heed_layer_normalization(.axis = {0}), 6), "axis names none");
    assert_says(refusal(c, heed_rms_normalization(.axis = {1, {5}}), 6), "no such axis");
    assert_says(refusal(c, heed_unit_normalization(.axis = {1, {-4}}), 6), "no such axis");
    assert_says(refusal(c, heed_group_normalization(.groups = 3), 6), "nothing");
}

static void test_keras_2_has_the_axis_in_a_list(void **state)
{
    heed_layer *layer;
    assert_int_equal(heed_layer_create_text(*state, "BatchNormalization", "axis=[2], momentum=0.5", &layer), HEED_OK);
    const heed_batch_normalization_config *o = heed_layer_config(layer);
    assert_int_equal(o->axis, 2);
    heed_layer_release(layer);
}

static heed_spec dense_of(const char *equation, const char *bias_axes)
{
    static heed_einsum_dense_config o;
    o = *(const heed_einsum_dense_config *)heed_einsum_dense_class.defaults;
    o.equation = equation;
    o.output_shape = (heed_shape){2, {HEED_ANY, 5}};
    o.bias_axes = bias_axes;
    return (heed_spec){&heed_einsum_dense_class, &o};
}

static void test_what_equations_are_refused(void **state)
{
    heed_context *c = *state;
    assert_says(refusal(c, dense_of("abc,cd->abd", "d"), 6), "nothing");
    assert_says(refusal(c, dense_of(NULL, NULL), 6), "there is none");
    assert_says(refusal(c, dense_of("ab,bc->ac", NULL), 6), "not as many as its operand's dimensions");
    assert_says(refusal(c, dense_of("abb,bc->ac", NULL), 6), "stands twice");
    assert_says(refusal(c, dense_of("abc->ac", NULL), 6), "fewer terms");
    assert_says(refusal(c, dense_of("abc,cd,de->abe", NULL), 6), "more terms");
    assert_says(refusal(c, dense_of("abc,cd->abx", NULL), 6), "that no operand has");
    assert_says(refusal(c, dense_of("ab1,cd->abd", NULL), 6), "no letter");
    assert_says(refusal(c, dense_of("abc,cd->abd,", NULL), 6), "behind the result");
    assert_says(refusal(c, dense_of("abc,cdx->abd", NULL), 6), "neither input nor output has the kernel's x");
    assert_says(refusal(c, dense_of("abc,cd->abd", "z"), 6), "bias_axes: the output has no z");
    assert_says(refusal(c, dense_of("abc,cd->ad", NULL), 6), "output_shape has 2 sizes (expected 1");
    assert_says(refusal(c, dense_of("abc,bd->adc", NULL), 6), "does not fit the input along c (expected 6, found 5)");
}

/* Where the kernel's letters are (inputs, heads, size), a head's sum is over the first alone: the shape by itself would
 * tell otherwise. */
static void test_fans_follow_the_letters(void **state)
{
    heed_model *m = heed_sequential(*state, "m");
    heed_input(m, .shape = {2, {4, 50}});
    heed_add(m, heed_einsum_dense(.equation = "abc,cde->abde", .output_shape = {3, {HEED_ANY, 20, 30}},
                                  .kernel_initializer = "lecun_uniform"));
    assert_int_equal(heed_build(m), HEED_OK);
    heed_variable *kernel = heed_weight_at(m, 0);
    const float *x = heed_variable_data(kernel);
    double most = 0.0;
    for (int i = 0; i < 50 * 20 * 30; i++)
        most = fmax(most, fabs(x[i]));
    assert_true(fabs(most - sqrt(3.0 / 50.0)) < 1e-3);
    heed_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_normalization_refuses, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_keras_2_has_the_axis_in_a_list, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_what_equations_are_refused, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_fans_follow_the_letters, heed_test_with_context, heed_test_without_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
