/* keras-layer-collection's MultiHeadAttention, which applies layers: the same as the original, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/files.h"
#include "support/context.h"
#include "support/failing_allocator.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 5, FEATURES = 3, HEADS = 2, MOST_WEIGHTS = 16 };

static heed_model *build(heed_context *c, heed_symbol *qkv[3])
{
    static const char *const names[] = {"q", "k", "v"};
    heed_model *m = heed_functional(c, "heads");
    for (int i = 0; i < 3; i++)
        qkv[i] = heed_input(m, .name = names[i], .shape = {2, {STEPS, FEATURES}});
    return m;
}

static const heed_array *numbered(const heed_arrays *a, const char *prefix, int index)
{
    char name[16];
    snprintf(name, sizeof name, "%s%d", prefix, index);
    return heed_arrays_get(a, name);
}

static void check_same(const heed_array *found, const heed_array *expected)
{
    assert_true(heed_shape_equal(&found->shape, &expected->shape));
    for (int64_t i = 0; i < heed_array_count(expected); i++)
        assert_float_equal(((const float *)found->data)[i], ((const float *)expected->data)[i], 1e-5);
}

static void test_computes_what_the_original_computes(void **state)
{
    heed_context *c = *state;
    heed_symbol *x[3], *attention;
    heed_model *m = build(c, x);
    heed_symbol *y = heed_layer_collection_multi_head_attention(x[0], x[1], x[2], .h = HEADS, .d_k = 2, .d_v = 4,
                                                                .attention = &attention);
    assert_int_equal(heed_outputs(m, y, attention), HEED_OK);
    heed_arrays saved = {.context = c}, given = {.context = c}, found = {.context = c};
    assert_int_equal(heed_arrays_load(c, HEED_FIXTURES "/keras/layer_collection/heads_attention.npz", &saved), HEED_OK);
    heed_array weights[MOST_WEIGHTS];
    int count = 0;
    for (const heed_array *w; (w = numbered(&saved, "w", count)) != NULL; count++)
        weights[count] = *w;
    assert_int_equal(count, 3 * HEADS + 2);
    assert_int_equal(heed_set_weights(m, weights, count), HEED_OK);
    for (int i = 0; i < 3; i++) {
        heed_array *copy;
        assert_int_equal(heed_array_convert(c, numbered(&saved, "x", i), HEED_FLOAT32, &copy), HEED_OK);
        assert_int_equal(heed_arrays_add(&given, heed_model_input_name(m, i), copy), HEED_OK);
    }
    assert_int_equal(heed_predict(m, &given, &found), HEED_OK);
    for (int k = 0; k < 2; k++)
        check_same(heed_arrays_get(&found, heed_model_output_name(m, k)), numbered(&saved, "y", k));
    heed_arrays_free(&found);
    heed_arrays_free(&given);
    heed_arrays_free(&saved);
    heed_model_free(m);
}

static void test_what_is_left_open_comes_from_the_key(void **state)
{
    heed_context *c = *state;
    heed_symbol *x[3];
    heed_model *m = build(c, x);
    heed_symbol *y = heed_layer_collection_multi_head_attention(x[0], x[1], x[2], .h = HEADS, .d_v = 4);
    assert_int_equal(heed_outputs(m, y), HEED_OK);
    assert_int_equal(heed_symbol_shape(y)->dims[2], FEATURES);
    assert_int_equal(heed_parameter_count(m, false),
                     HEADS * (2 * FEATURES * FEATURES + FEATURES * 4) + HEADS * 4 * FEATURES + FEATURES);
    heed_model_free(m);
}

static void test_refuses_options_out_of_range(void **state)
{
    heed_context *c = *state;
    heed_symbol *x[3];
    heed_model *m = build(c, x);
    assert_null(heed_layer_collection_multi_head_attention(x[0], x[1], x[2], .h = 1, .d_v = 4));
    assert_int_equal(heed_model_status(m), HEED_EINVAL);
    assert_non_null(strstr(heed_error(c), "expected h from 2 to 64 and the others from 1 on, found h 1"));
    heed_model_free(m);
    m = build(c, x);
    assert_null(heed_layer_collection_multi_head_attention(x[0], x[1], x[2], .h = 2));
    assert_non_null(strstr(heed_error(c), "d_v 0"));
    assert_null(heed_layer_collection_multi_head_attention(NULL, x[1], x[2], .h = 2));
    heed_model_free(m);
}

static heed_status life(heed_context *c, void *user)
{
    (void)user;
    heed_symbol *x[3], *attention = NULL;
    heed_model *m = build(c, x);
    heed_symbol *y = heed_layer_collection_multi_head_attention(x[0], x[1], x[2], .h = 2, .d_v = 4,
                                                                .attention = &attention);
    heed_outputs(m, y, attention);
    heed_status status = heed_model_status(m);
    heed_model_free(m);
    return status;
}

static void test_survives_every_failing_allocation(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(life, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_computes_what_the_original_computes),
        cmocka_unit_test(test_what_is_left_open_comes_from_the_key),
        cmocka_unit_test(test_refuses_options_out_of_range),
        cmocka_unit_test(test_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, heed_test_with_context, heed_test_without_context);
}
