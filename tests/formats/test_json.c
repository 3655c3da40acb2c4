#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/json.h"
#include "base/number.h"
#include "support/damage.h"
#include "support/failing_allocator.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    heed_context *c;
    heed_zone     zone;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &f.c), HEED_OK);
    heed_zone_init(&f.zone, f.c);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    heed_zone_free(&f->zone);
    heed_context_free(f->c);
    return 0;
}

static heed_json *parse(fixture *f, const char *text)
{
    heed_json *v;
    if (heed_json_parse(&f->zone, "t.json", text, strlen(text), &v) != HEED_OK)
        fail_msg("%s: %s", text, heed_error(f->c));
    return v;
}

/* The text comes out as it went in, or as `expected`. */
static void round_trip(fixture *f, const char *text, const char *expected)
{
    heed_text t = {.context = f->c};
    heed_json_write(&t, parse(f, text), 0);
    assert_int_equal(heed_text_status(&t), HEED_OK);
    assert_string_equal(t.bytes, expected);
    heed_text_free(&t);
}

static void test_round_trips(void **state)
{
    static const char *const same[] = {
        "null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "0.1", "1.0", "-0.0", "1e+300",
        "5e-324", "NaN", "Infinity", "-Infinity", "\"\"", "\"a\\\"b\\\\c\\nd\\u0000e\"", "\"\xd1\x8e\xf0\x9f\x98\x80\"", "[]", "{}",
        "[1, [2, {}], []]", "{\"b\": 1, \"a\": {\"c\": [null, true]}, \"\": 2}",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        round_trip(*state, same[i], same[i]);
    round_trip(*state, "\xef\xbb\xbf [ 1 ,\t2\r\n]", "[1, 2]");
    round_trip(*state, "\"\\/\\b\\f\\u00e9\\ud83d\\ude00\"", "\"/\\u0008\\u000c\xc3\xa9\xf0\x9f\x98\x80\"");
    round_trip(*state, "[1E2, 1.50, 123456789012345678901234567890]", "[100.0, 1.5, 1.2345678901234568e+29]");
}

static void test_indented(void **state)
{
    fixture *f = *state;
    heed_text t = {.context = f->c};
    heed_json_write(&t, parse(f, "{\"a\":[1,2],\"b\":{},\"c\":[]}"), 2);
    assert_string_equal(t.bytes, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}");
    heed_text_free(&t);
}

static void test_what_is_not_json(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"", "line 1, column 1: the text ends too early"},
        {"[1,\n 2", "line 2, column 3: the text ends too early"},
        {"[1,]", "line 1, column 4: expected a value"},
        {"{\"a\":1,}", "column 8: expected a name in double quotes"},
        {"{\"a\" 1}", "column 6: expected a colon"},
        {"[1 2]", "column 4: expected a comma or ]"},
        {"{\"a\":1 2}", "column 8: expected a comma or }"},
        {"[1] x", "column 5: something follows the end of the value"},
        {"01", "column 1: a number begins with 0"}, {"-00.5", "column 2: a number begins with 0"}, {"-", "ends too early"}, {"-a", "not a number"}, {"1.e5", "not a number"}, {"1ex", "not a number"},
        {"'a'", "expected a value"}, {"nul", "expected a value"},
        {"\"a\nb\"", "control character"}, {"\"\xff\"", "invalid UTF-8"}, {"\"\xc0\x80\"", "invalid UTF-8"},
        {"\"\xed\xa0\x80\"", "invalid UTF-8"}, {"\"\\x\"", "unknown escape"}, {"\"\\u12g4\"", "unknown escape"},
        {"\"\\ud800\"", "surrogate"}, {"\"\\udc00\"", "surrogate"}, {"\"\\ud800\\u0041\"", "surrogate"},
        {"{\"a\\u0000\":1}", "a name holds a NUL character"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_json *v;
        assert_int_equal(heed_json_parse(&f->zone, "t.json", bad[i].text, strlen(bad[i].text), &v), HEED_EFORMAT);
        assert_null(v);
        if (strstr(heed_error(f->c), bad[i].error) == NULL || strncmp(heed_error(f->c), "t.json: line ", 13) != 0)
            fail_msg("%s: expected \"%s\", found \"%s\"", bad[i].text, bad[i].error, heed_error(f->c));
    }
}

static void test_depth(void **state)
{
    fixture *f = *state;
    char text[2 * HEED_JSON_MAX_DEPTH + 3];
    heed_json *v;
    for (int depth = HEED_JSON_MAX_DEPTH; depth <= HEED_JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        heed_status expected = depth <= HEED_JSON_MAX_DEPTH ? HEED_OK : HEED_EFORMAT;
        assert_int_equal(heed_json_parse(&f->zone, "t.json", text, (size_t)depth * 2, &v), expected);
    }
    assert_non_null(strstr(heed_error(f->c), "nested too deeply"));
}

static void test_looking(void **state)
{
    fixture *f = *state;
    heed_context *c = f->c;
    heed_json *v = parse(f, "{\"layers\": [0, {\"config\": {\"units\": 3, \"rate\": 0.5, \"bias\": true, \"name\": \"x\","
                            " \"nul\": \"a\\u0000\", \"whole\": 4.0, \"twice\": 1, \"twice\": 2}}]}");
    heed_json *config = heed_json_find(heed_json_at(heed_json_find(v, "layers"), 1), "config");
    int64_t integer;
    double real;
    bool boolean;
    const char *text;
    assert_int_equal(heed_json_get_int(c, config, "units", &integer), HEED_OK);
    assert_int_equal(integer, 3);
    assert_int_equal(heed_json_get_int(c, config, "whole", &integer), HEED_OK);
    assert_int_equal(integer, 4);
    assert_int_equal(heed_json_get_int(c, config, "twice", &integer), HEED_OK);
    assert_int_equal(integer, 2);
    assert_int_equal(heed_json_get_real(c, config, "rate", &real), HEED_OK);
    assert_true(real == 0.5);
    assert_int_equal(heed_json_get_real(c, config, "units", &real), HEED_OK);
    assert_true(real == 3);
    assert_int_equal(heed_json_get_bool(c, config, "bias", &boolean), HEED_OK);
    assert_true(boolean);
    assert_int_equal(heed_json_get_string(c, config, "name", &text), HEED_OK);
    assert_string_equal(text, "x");
    assert_true(heed_json_is_string(heed_json_find(config, "name"), "x"));
    assert_false(heed_json_is_string(heed_json_find(config, "nul"), "a"));
    assert_null(heed_json_find(NULL, "x"));
    assert_null(heed_json_at(heed_json_find(v, "layers"), 2));

    assert_int_equal(heed_json_get_int(c, config, "name", &integer), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "t.json: layers[1].config.name: expected an integer, found a string");
    assert_int_equal(heed_json_get_int(c, config, "rate", &integer), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "t.json: layers[1].config.rate: expected an integer, found a number");
    assert_int_equal(heed_json_get_bool(c, config, "units", &boolean), HEED_EFORMAT);
    assert_int_equal(heed_json_get_string(c, config, "nul", &text), HEED_EFORMAT);
    assert_int_equal(heed_json_get_real(c, config, "none", &real), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "t.json: layers[1].config: \"none\" is missing (expected a number)");
    heed_json *member;
    assert_int_equal(heed_json_need(c, v, "layers", HEED_JSON_OBJECT, &member), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "t.json: layers: expected an object, found a list");
    assert_int_equal(heed_json_need(c, heed_json_at(heed_json_find(v, "layers"), 0), "a", HEED_JSON_INT, &member), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "t.json: layers[0]: expected an object, found an integer");
}

static heed_status make(heed_zone *z, heed_json **out)
{
    heed_json *o = *out = heed_json_object(z), *list = heed_json_array(z);
    HEED_TRY(heed_json_set(z, o, "a", heed_json_int(z, 1)));
    HEED_TRY(heed_json_set(z, o, "list", list));
    HEED_TRY(heed_json_add(z, o, "z", heed_json_null(z)));
    HEED_TRY(heed_json_append(list, heed_json_real(z, heed_number_from_float(0.001f))));
    HEED_TRY(heed_json_append(list, heed_json_string(z, NULL)));
    HEED_TRY(heed_json_set(z, o, "a", heed_json_string(z, "first, still")));
    return heed_json_set(z, o, "z", heed_json_bool(z, false));
}

static void test_making(void **state)
{
    fixture *f = *state;
    heed_json *o;
    assert_int_equal(make(&f->zone, &o), HEED_OK);
    heed_json *twin = heed_json_copy(&f->zone, o);
    assert_int_equal(heed_json_set(&f->zone, o, "more", heed_json_int(&f->zone, 1)), HEED_OK);
    assert_int_equal(o->count, 4);
    heed_text t = {.context = f->c};
    heed_json_write(&t, twin, 0);
    assert_string_equal(t.bytes, "{\"a\": \"first, still\", \"list\": [0.001, null], \"z\": false}");
    heed_text_free(&t);
}

static heed_status make_write_parse(heed_context *c, void *user)
{
    (void)user;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_text t = {.context = c};
    heed_json *o = NULL;
    heed_status status = make(&z, &o);
    for (int i = 0; status == HEED_OK && i < 300; i++)
        status = heed_json_append(heed_json_find(o, "list"), heed_json_string(&z, "element"));
    if (status == HEED_OK) {
        heed_json_write(&t, o, 4);
        status = heed_text_status(&t);
    }
    if (status == HEED_OK)
        status = heed_json_parse(&z, "t.json", t.bytes, t.length, &o);
    if (status == HEED_OK && heed_json_copy(&z, o) == NULL)
        status = HEED_ENOMEM;
    heed_text_free(&t);
    heed_zone_free(&z);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(make_write_parse, NULL);
}

static void test_numbers_are_shortest_and_exact(void **state)
{
    fixture *f = *state;
    char text[HEED_NUMBER_SIZE];
    assert_string_equal(heed_number_write_double(0.1, text), "0.1");
    assert_string_equal(heed_number_write_double(1.0 / 3, text), "0.3333333333333333");
    assert_string_equal(heed_number_write_float(0.1f, text), "0.1");
    assert_string_equal(heed_number_write_float(-(float)NAN, text), "nan");
    assert_string_equal(heed_number_write_float(16777216.0f, text), "16777216");
    static const double hard[] = {DBL_MAX, DBL_MIN, 5e-324, 0.1 + 0.2, 9007199254740993.0, 1e23, 2.2250738585072011e-308};
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
        const char *end;
        double back = heed_number_read(heed_number_write_double(hard[i], text), &end);
        assert_true(back == hard[i] && *end == '\0');
    }
    /* a comma for the point, where the machine has such a locale */
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL)
        round_trip(f, "[0.5]", "[0.5]");
    setlocale(LC_NUMERIC, "C");
}

static heed_status parse_bytes(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    (void)user;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_json *v;
    heed_status status = heed_json_parse(&z, "t.json", bytes, size, &v);
    heed_zone_free(&z);
    return status;
}

static void test_damage(void **state)
{
    (void)state;
    static const char text[] = "{\"module\": \"keras\", \"config\": {\"units\": [1, -2.5e-3, null, true, NaN, {\"a\\u00e9\": \"\xc3\xa9\"}]}}";
    assert_int_equal(heed_test_truncate(parse_bytes, NULL, text, strlen(text), 1 << 16), 1);
    heed_test_flip(parse_bytes, NULL, text, strlen(text), 1 << 16, 20000, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trips), TEST(test_indented), TEST(test_what_is_not_json), TEST(test_depth), TEST(test_looking),
        TEST(test_making), TEST(test_no_memory), TEST(test_numbers_are_shortest_and_exact), TEST(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
