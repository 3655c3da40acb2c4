#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/value.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int set_up(void **state) { return heed_context_create(&(heed_context_config){.threads = 1}, (heed_context **)state); }

static int tear_down(void **state)
{
    heed_context_free(*state);
    return 0;
}

static void check_round(heed_context *c, const char *text, const char *expected)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_value *v, *again;
    assert_int_equal(heed_value_parse(&z, "test", text, &v), HEED_OK);
    char *written = heed_value_expression(&z, v);
    assert_string_equal(written, expected);
    assert_int_equal(heed_value_parse(&z, "test", written, &again), HEED_OK);
    assert_string_equal(heed_value_expression(&z, again), expected);
    heed_zone_free(&z);
}

static void test_expressions_are_read_and_written(void **state)
{
    heed_context *c = *state;
    check_round(c, "5", "5");
    check_round(c, " -7 ", "-7");
    check_round(c, "-9223372036854775808", "-9223372036854775808");
    check_round(c, "0.1", "0.1");
    check_round(c, "1e-7", "1e-07");
    check_round(c, "2.", "2.0");
    check_round(c, ".5", "0.5");
    check_round(c, "1e300", "1e+300");
    check_round(c, "inf", "inf");
    check_round(c, "-inf", "-inf");
    check_round(c, "nan", "nan");
    check_round(c, "None", "None");
    check_round(c, "true", "True");
    check_round(c, "False", "False");
    check_round(c, "relu", "'relu'");
    check_round(c, "\"it's\\n\\\\\"", "'it\\'s\\n\\\\'");
    check_round(c, "'\xd8\xb4'", "'\xd8\xb4'");
    check_round(c, "[1, 2,3 ,]", "[1, 2, 3]");
    check_round(c, "(1, -1)", "[1, -1]");
    check_round(c, "[]", "[]");
    check_round(c, "{'a': None, 'b': [True]}", "{'a': None, 'b': [True]}");
    check_round(c, "l2(0.01)", "l2(0.01)");
    check_round(c, "f()", "f()");
    check_round(c, "adam( learning_rate = cosine_decay(0.001,10000), clipnorm=1)",
                "adam(learning_rate=cosine_decay(0.001, 10000), clipnorm=1)");
}

static void test_arguments(void **state)
{
    heed_context *c = *state;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_value *v;
    assert_int_equal(heed_value_parse_arguments(&z, "Dense", "5, activation='relu', use_bias=False", &v), HEED_OK);
    assert_int_equal(v->count, 3);
    int64_t units;
    bool bias;
    const char *activation;
    assert_int_equal(heed_value_as_int(c, v->first, "units", &units), HEED_OK);
    assert_int_equal(units, 5);
    assert_int_equal(heed_value_as_text(c, heed_value_find(v, "activation"), "activation", &activation), HEED_OK);
    assert_string_equal(activation, "relu");
    assert_int_equal(heed_value_as_bool(c, heed_value_find(v, "use_bias"), "use_bias", &bias), HEED_OK);
    assert_false(bias);
    assert_null(heed_value_find(v, "units"));
    assert_int_equal(heed_value_parse_arguments(&z, "Dense", "", &v), HEED_OK);
    assert_int_equal(v->count, 0);
    heed_zone_free(&z);
}

static void test_conversions(void **state)
{
    heed_context *c = *state;
    heed_zone z;
    heed_zone_init(&z, c);
    int64_t integer;
    double real;
    assert_int_equal(heed_value_as_int(c, heed_value_real(&z, 3.0), "x", &integer), HEED_OK);
    assert_int_equal(integer, 3);
    assert_int_equal(heed_value_as_int(c, heed_value_real(&z, 3.5), "x", &integer), HEED_EINVAL);
    assert_string_equal(heed_error(c), "x is not what it should be (expected an integer, found 3.5)");
    assert_int_equal(heed_value_as_int(c, heed_value_real(&z, 1e19), "x", &integer), HEED_EINVAL);
    assert_int_equal(heed_value_as_int(c, heed_value_real(&z, NAN), "x", &integer), HEED_EINVAL);
    assert_int_equal(heed_value_as_real(c, heed_value_int(&z, 3), "x", &real), HEED_OK);
    assert_true(real == 3.0);
    assert_int_equal(heed_value_as_real(c, heed_value_text(&z, "3"), "x", &real), HEED_EINVAL);
    heed_zone_free(&z);
}

static void test_dicts_keep_their_order(void **state)
{
    heed_zone z;
    heed_zone_init(&z, *state);
    heed_value *d = heed_value_dict(&z);
    assert_int_equal(heed_value_set(&z, d, "b", heed_value_int(&z, 1)), HEED_OK);
    assert_int_equal(heed_value_set(&z, d, "a", heed_value_int(&z, 2)), HEED_OK);
    assert_int_equal(heed_value_set(&z, d, "b", heed_value_int(&z, 3)), HEED_OK);
    assert_int_equal(heed_value_set(&z, d, "c", NULL), HEED_ENOMEM);
    heed_value *copy = heed_value_copy(&z, d);
    assert_string_equal(heed_value_expression(&z, copy), "{'b': 3, 'a': 2}");
    heed_zone_free(&z);
}

static void test_mistakes_are_told(void **state)
{
    heed_context *c = *state;
    static const char *const bad[] = {"",      "l2(",      "l2(0.01",      "[1 2]", "'open", "a b",    "f(x=1, 2)", "f(x=1, x=2)",
                                      "{1: 2}", "{'a' 2}", "f(1=2)",       "1x",    "#",     "'\\q'",  ")",         "f(,)",
                                      "-",      "[1,,2]",  "f(a=)",        "'\\",   "++1",   "f(a=1=2)"};
    heed_zone z;
    heed_zone_init(&z, c);
    heed_value *v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_error_clear(c);
        assert_int_equal(heed_value_parse(&z, "thing", bad[i], &v), HEED_EINVAL);
        assert_non_null(strstr(heed_error(c), "thing: "));
    }
    char deep[400];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(heed_value_parse(&z, "thing", deep, &v), HEED_EINVAL);
    assert_non_null(strstr(heed_error(c), "nested too deeply"));
    heed_zone_free(&z);
}

static heed_status parse_and_write(heed_context *c, void *user)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_value *v;
    heed_status status = heed_value_parse(&z, "x", "f(1, [2.5, None, 'text'], key={'a': g(True)})", &v);
    if (status == HEED_OK && (v = heed_value_copy(&z, v)) == NULL)
        status = HEED_ENOMEM;
    if (status == HEED_OK && heed_value_expression(&z, v) == NULL)
        status = HEED_ENOMEM;
    heed_zone_free(&z);
    return status;
}

static void test_allocations_may_fail(void **state) { heed_test_each_allocation_fails(parse_and_write, NULL); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_expressions_are_read_and_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arguments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conversions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dicts_keep_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes_are_told, set_up, tear_down),
        cmocka_unit_test(test_allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
