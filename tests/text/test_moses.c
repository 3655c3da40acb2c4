#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/failing_allocator.h"
#include "support/files.h"
#include "text/moses.h"

#include <stdlib.h>
#include <string.h>

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static void check(const char *language, const char *text, const char *tokens, const char *again)
{
    heed_context *c = context();
    heed_moses m;
    const char *out;
    size_t length;
    assert_int_equal(heed_moses_init(&m, c, language), HEED_OK);
    assert_int_equal(heed_moses_tokenize(&m, text, strlen(text), &out, &length), HEED_OK);
    assert_string_equal(out, tokens);
    assert_int_equal(length, strlen(tokens));
    assert_int_equal(heed_moses_join(&m, tokens, strlen(tokens), &out, &length), HEED_OK);
    assert_string_equal(out, again);
    assert_int_equal(length, strlen(again));
    heed_moses_free(&m);
    heed_context_free(c);
}

static void test_as_sacremoses(void **state)
{
    (void)state;
    char *lines = heed_test_read_file(HEED_FIXTURES "/text/moses.tsv", NULL);
    int count = 0;
    for (char *line = lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
        char *parts[4] = {line};
        *end = '\0';
        for (int i = 1; i < 4; i++) {
            char *tab = strchr(parts[i - 1], '\t');
            assert_non_null(tab);
            *tab = '\0';
            parts[i] = tab + 1;
        }
        check(parts[0], parts[1], parts[2], parts[3]);
    }
    assert_int_equal(count, 28);
    free(lines);
}

static void test_edges(void **state)
{
    (void)state;
    check("en", "", "", "");
    check("en", " \t ", "", "");
    check("en", "\x01" "a\x02", "a", "a");
    check("en", "..", "..", "..");
    check("en", "'", "'", "'");
    check("en", ",", ",", ",");
    heed_context *c = context();
    heed_moses m;
    assert_int_equal(heed_moses_init(&m, c, "english"), HEED_EINVAL);
    assert_string_equal(heed_error(c), "moses: not a language (expected a code of two or three letters, found \"english\")");
    heed_context_free(c);
}

/* In a tokenizer: capitals are seen before they go, and the text comes back. */
static heed_status use(heed_context *c, void *user)
{
    static const char text[] = "Mr. Smith isn't here, is he?";
    char **out = user, *decoded = NULL;
    heed_tokenizer *t;
    heed_ids ids = {.context = c};
    HEED_TRY(heed_tokenizer_create(c, &(heed_tokenizer_config){.kind = "words", .moses = "en", .lowercase = true}, &t));
    heed_status status = heed_tokenizer_count(t, text, strlen(text));
    if (status == HEED_OK)
        status = heed_tokenizer_learn(t);
    if (status == HEED_OK)
        status = heed_tokenizer_encode(t, text, strlen(text), &ids);
    if (status == HEED_OK)
        status = heed_tokenizer_decode(t, ids.ids, ids.count, &decoded);
    if (out != NULL) {
        assert_int_equal(ids.count, 9);
        assert_string_equal(heed_tokenizer_token(t, ids.ids[0]), "mr.");
        assert_string_equal(decoded, "mr. smith isn't here, is he?");
    }
    heed_free(c, decoded);
    heed_ids_free(&ids);
    heed_tokenizer_free(t);
    return status;
}

static void test_in_a_tokenizer(void **state)
{
    (void)state;
    heed_context *c = context();
    char *out;
    assert_int_equal(use(c, &out), HEED_OK);
    heed_context_free(c);
    heed_test_each_allocation_fails(use, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_sacremoses), cmocka_unit_test(test_edges), cmocka_unit_test(test_in_a_tokenizer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
