#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/text.h"
#include "support/failing_allocator.h"
#include "text/unicode.h"

#include <stdio.h>
#include <string.h>

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static void test_valid_text(void **state)
{
    (void)state;
    heed_context *c = context();
    static const char *const texts[] = {"", "a", "caf\xc3\xa9", "\xe0\xa6\xae\xe0\xa7\x87", "\xf0\x9f\x99\x82",
                                        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\x7f"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(heed_utf8_check(c, "x", texts[i], strlen(texts[i])), HEED_OK);
    heed_context_free(c);
}

/* Each broken sequence, at the start, in the middle and at the end of a text; the byte told is where it begins. */
static void test_invalid_text_at_every_position(void **state)
{
    (void)state;
    heed_context *c = context();
    static const char *const broken[] = {
        "\x80",             /* a continuation without a start */
        "\xbf\xbf",         /* two */
        "\xc3",             /* a start without its continuation */
        "\xc0\xaf",         /* two bytes for what needs one */
        "\xc1\xbf",         /* the same */
        "\xe0\x9f\xbf",     /* three bytes for what needs two */
        "\xe2\x82",         /* cut short */
        "\xed\xa0\x80",     /* half of a surrogate pair */
        "\xed\xbf\xbf",     /* the other half */
        "\xf0\x8f\xbf\xbf", /* four bytes for what needs three */
        "\xf0\x9f\x99",     /* cut short */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80", /* a byte that never occurs */
        "\xfe", "\xff",
    };
    static const char *const around[] = {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82"};
    enum { AROUND = sizeof around / sizeof *around };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        for (size_t before = 0; before < AROUND; before++)
            for (size_t after = 0; after < AROUND; after++) {
                char text[32], expected[64];
                snprintf(text, sizeof text, "%s%s%s", around[before], broken[i], around[after]);
                assert_int_equal(heed_utf8_check(c, "f:3", text, strlen(text)), HEED_EFORMAT);
                snprintf(expected, sizeof expected, "f:3: not UTF-8 (found 0x%02X at byte %zu)",
                         (unsigned char)broken[i][0], strlen(around[before]) + 1);
                assert_string_equal(heed_error(c), expected);
            }
    assert_int_equal(heed_utf8_check(c, "x", "ab\0c", 4), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "x: not text (expected UTF-8, found a NUL at byte 3)");
    heed_context_free(c);
}

static void test_words(void **state)
{
    (void)state;
    static const char text[] = " \t a\xc2\xa0\xe3\x80\x80" "bc \n"; /* no-break and ideographic spaces */
    heed_word word = heed_utf8_word(text, strlen(text));
    assert_int_equal(word.space, 3);
    assert_int_equal(word.length, 1);
    word = heed_utf8_word(text + 4, strlen(text) - 4);
    assert_int_equal(word.space, 5);
    assert_int_equal(word.length, 2);
    word = heed_utf8_word(text + 11, strlen(text) - 11);
    assert_int_equal(word.length, 0);
}

static void check_form(heed_normalizer *n, const char *text, const char *expected)
{
    const char *out;
    size_t length;
    assert_int_equal(heed_normalize(n, text, strlen(text), &out, &length), HEED_OK);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(out, expected, length);
}

static void test_forms(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_normalizer composed = {.context = c, .form = HEED_NFC};
    check_form(&composed, "", "");
    check_form(&composed, "Plain", "Plain");
    check_form(&composed, "e\xcc\x81t\xc3\xa9", "\xc3\xa9t\xc3\xa9");
    check_form(&composed, "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"); /* Hangul letters to a syllable */
    heed_normalizer lower = {.context = c, .lowercase = true};
    check_form(&lower, "\xc3\x89T\xc3\x89 \xce\xa3\xce\x91\xce\xa3 I",
               "\xc3\xa9t\xc3\xa9 \xcf\x83\xce\xb1\xcf\x82 i"); /* a final sigma; no Turkish rule */
    check_form(&lower, "e\xcc\x81", "e\xcc\x81");
    heed_normalizer both = {.context = c, .lowercase = true, .form = HEED_NFC};
    check_form(&both, "E\xcc\x81", "\xc3\xa9");
    check_form(&both, "\xc4\xb0", "i\xcc\x87"); /* longer in lower case */
    char dots[3 * 200 + 1] = "";
    for (int i = 0; i < 200; i++)
        memcpy(dots + 2 * i, "\xc4\xb0", 3);
    const char *out;
    size_t length;
    assert_int_equal(heed_normalize(&both, dots, 400, &out, &length), HEED_OK);
    assert_int_equal(length, 600);
    heed_normalizer neither = {.context = c};
    check_form(&neither, "E\xcc\x81", "E\xcc\x81");
    heed_normalizer_free(&composed);
    heed_normalizer_free(&lower);
    heed_normalizer_free(&both);
    heed_context_free(c);
}

static heed_status normalize_work(heed_context *c, void *user)
{
    (void)user;
    heed_normalizer n = {.context = c, .lowercase = true, .form = HEED_NFC};
    const char *out;
    size_t length;
    heed_status status = heed_normalize(&n, "E\xcc\x81\xc4\xb0\xc4\xb0", 7, &out, &length);
    heed_normalizer_free(&n);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(normalize_work, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_text), cmocka_unit_test(test_invalid_text_at_every_position),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_forms),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
