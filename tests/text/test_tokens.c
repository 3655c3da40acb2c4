#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/text.h"
#include "support/damage.h"
#include "support/failing_allocator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

/* ---- vocabularies ---- */

static void test_vocabulary(void **state)
{
    (void)state;
    heed_context *c = context();
    static const char *const tokens[] = {"b", "a", " ", "\xc3\xa9"};
    heed_vocabulary *v;
    assert_int_equal(heed_vocabulary_create(c, tokens, 4, &v), HEED_OK);
    assert_int_equal(heed_vocabulary_size(v), HEED_SPECIALS + 4);
    assert_string_equal(heed_vocabulary_token(v, HEED_PADDING), "");
    assert_string_equal(heed_vocabulary_token(v, HEED_UNKNOWN), "[UNK]");
    assert_string_equal(heed_vocabulary_token(v, HEED_START), "[START]");
    assert_string_equal(heed_vocabulary_token(v, HEED_END), "[END]");
    for (int32_t i = 0; i < 4; i++) {
        assert_string_equal(heed_vocabulary_token(v, HEED_SPECIALS + i), tokens[i]);
        assert_int_equal(heed_vocabulary_id(v, tokens[i], strlen(tokens[i])), HEED_SPECIALS + i);
    }
    assert_int_equal(heed_vocabulary_id(v, "", 0), HEED_UNKNOWN);
    assert_int_equal(heed_vocabulary_id(v, "z", 1), HEED_UNKNOWN);
    assert_int_equal(heed_vocabulary_id(v, "[END]", 5), HEED_UNKNOWN);
    assert_string_equal(heed_vocabulary_token(v, -1), "[UNK]");
    assert_string_equal(heed_vocabulary_token(v, HEED_SPECIALS + 4), "[UNK]");
    heed_vocabulary_free(v);
    heed_vocabulary_free(NULL);

    assert_int_equal(heed_vocabulary_create(c, (const char *[]){"a", "b", "a"}, 3, &v), HEED_EINVAL);
    assert_string_equal(heed_error(c), "vocabulary: token 2 is there already (found \"a\")");
    assert_int_equal(heed_vocabulary_create(c, (const char *[]){""}, 1, &v), HEED_EINVAL);
    assert_int_equal(heed_vocabulary_create(c, (const char *[]){"[UNK]"}, 1, &v), HEED_EINVAL);
    assert_null(v);
    heed_context_free(c);
}

static heed_status load(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    (void)user;
    heed_vocabulary *v;
    heed_status status = heed_vocabulary_load(c, "v", (const char *)bytes, size, &v);
    heed_vocabulary_free(v);
    return status;
}

static void test_vocabulary_as_text(void **state)
{
    (void)state;
    heed_context *c = context();
    static const char *const tokens[] = {"a", "\n", "\r", "\t", "\\", "\\n", " ", "x\ny\\", "\xe0\xa6\xae"};
    enum { COUNT = sizeof tokens / sizeof *tokens };
    heed_vocabulary *v, *again;
    char *bytes, *bytes_again;
    size_t size, size_again;
    assert_int_equal(heed_vocabulary_create(c, tokens, COUNT, &v), HEED_OK);
    assert_int_equal(heed_vocabulary_save(v, &bytes, &size), HEED_OK);
    static const char expected[] =
        "\n[UNK]\n[START]\n[END]\na\n\\n\n\\r\n\\t\n\\\\\n\\\\n\n \nx\\ny\\\\\n\xe0\xa6\xae\n";
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
    assert_int_equal(heed_vocabulary_load(c, "v", bytes, size, &again), HEED_OK);
    for (int32_t i = 0; i < COUNT; i++)
        assert_string_equal(heed_vocabulary_token(again, HEED_SPECIALS + i), tokens[i]);
    assert_int_equal(heed_vocabulary_save(again, &bytes_again, &size_again), HEED_OK);
    assert_int_equal(size_again, size);
    assert_memory_equal(bytes_again, bytes, size);
    heed_vocabulary_free(again);

    /* cut behind a line it is a smaller vocabulary; cut anywhere else it is refused */
    assert_int_equal(heed_test_truncate(load, NULL, bytes, size, 1 << 17), COUNT + 1);
    heed_test_flip(load, NULL, bytes, size, 1 << 17, 2000, 1);
    heed_free(c, bytes);
    heed_free(c, bytes_again);
    heed_vocabulary_free(v);
    heed_context_free(c);
}

static void check_load_fails(const char *text, const char *error)
{
    heed_context *c = context();
    heed_vocabulary *v;
    assert_int_equal(heed_vocabulary_load(c, "v", text, strlen(text), &v), HEED_EFORMAT);
    assert_string_equal(heed_error(c), error);
    assert_null(v);
    heed_context_free(c);
}

static void test_vocabulary_from_bad_text(void **state)
{
    (void)state;
    check_load_fails("", "v:1: the special tokens are cut off");
    check_load_fails("a\nb\n", "v:1: not a vocabulary (expected the special tokens first)");
    check_load_fails("\n[UNK]\n[END]\n", "v:3: not a vocabulary (expected the special tokens first)");
    check_load_fails("\n[UNK]\n[START]\n[END]\na\nb\na\n", "v:7: a token that was there before");
    check_load_fails("\n[UNK]\n[START]\n[END]\n\n", "v:5: a token that was there before");
    check_load_fails("\n[UNK]\n[START]\n[END]\n[UNK]\n", "v:5: a token that was there before");
    check_load_fails("\n[UNK]\n[START]\n[END]\n\\x\n", "v:5: an unknown escape (expected \\n, \\r, \\t or \\\\)");
    check_load_fails("\n[UNK]\n[START]\n[END]\nab\\\n", "v:5: an unknown escape (expected \\n, \\r, \\t or \\\\)");
    check_load_fails("\n[UNK]\n[START]\n[END]\n\xff\n", "v: not UTF-8 (found 0xFF at byte 22)");
}

/* Ten thousand tokens: the table has to grow, and must still find each of them. */
static void test_large_vocabulary(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    heed_context *c = context();
    char (*names)[16] = malloc(COUNT * sizeof *names);
    const char **tokens = malloc(COUNT * sizeof *tokens);
    assert_non_null(names);
    assert_non_null(tokens);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i * 7919);
        tokens[i] = names[i];
    }
    heed_vocabulary *v;
    assert_int_equal(heed_vocabulary_create(c, tokens, COUNT, &v), HEED_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(heed_vocabulary_id(v, tokens[i], strlen(tokens[i])), HEED_SPECIALS + i);
    assert_int_equal(heed_vocabulary_id(v, "t1", 2), HEED_UNKNOWN);
    heed_vocabulary_free(v);
    free(tokens);
    free(names);
    heed_context_free(c);
}

/* ---- tokenizers ---- */

static heed_tokenizer *learn(heed_context *c, const heed_tokenizer_config *config, const char *text)
{
    heed_tokenizer *t;
    assert_int_equal(heed_tokenizer_create(c, config, &t), HEED_OK);
    assert_int_equal(heed_tokenizer_count(t, text, strlen(text)), HEED_OK);
    assert_int_equal(heed_tokenizer_learn(t), HEED_OK);
    return t;
}

/* The tokens learnt, in the order of their ids, "|" behind each. */
static void check_learns(const heed_tokenizer_config *config, const char *text, const char *expected)
{
    heed_context *c = context();
    heed_tokenizer *t = learn(c, config, text);
    char found[256] = "";
    for (int32_t id = HEED_SPECIALS; id < heed_tokenizer_size(t); id++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s|", heed_tokenizer_token(t, id));
    }
    assert_string_equal(found, expected);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_learning(void **state)
{
    (void)state;
    check_learns(&(heed_tokenizer_config){0}, "banana bc", "a|b|n| |c|");
    check_learns(&(heed_tokenizer_config){.kind = "characters", .most_tokens = HEED_SPECIALS + 2}, "banana bc", "a|b|");
    check_learns(&(heed_tokenizer_config){.least_count = 2}, "banana bc", "a|b|n|");
    check_learns(&(heed_tokenizer_config){0}, "\xf0\x9f\x99\x82\xef\xbf\xbd\xc3\xa9z", /* not by UTF-16 */
                 "z|\xc3\xa9|\xef\xbf\xbd|\xf0\x9f\x99\x82|");
    check_learns(&(heed_tokenizer_config){0}, "e\xcc\x81", "\xc3\xa9|");
    check_learns(&(heed_tokenizer_config){.normal_form = "none"}, "e\xcc\x81", "e|\xcc\x81|");
    check_learns(&(heed_tokenizer_config){.kind = "words"}, " the cat  the\tdog\n", "the|cat|dog|");
    check_learns(&(heed_tokenizer_config){.kind = "words", .lowercase = true}, "The cat THE", "the|cat|");
    check_learns(&(heed_tokenizer_config){.kind = "words"}, "a [END] [UNK] b", "a|b|");
    check_learns(&(heed_tokenizer_config){0}, "", "");
}

static void check_encodes(heed_tokenizer *t, heed_context *c, const char *text, size_t count, const int32_t *expected)
{
    heed_ids ids = {.context = c};
    assert_int_equal(heed_tokenizer_encode(t, text, strlen(text), &ids), HEED_OK);
    assert_int_equal(ids.count, count);
    if (count > 0)
        assert_memory_equal(ids.ids, expected, count * sizeof *expected);
    heed_ids_free(&ids);
}

static void check_decodes(const heed_tokenizer *t, heed_context *c, size_t count, const int32_t *ids,
                          const char *expected)
{
    char *text;
    assert_int_equal(heed_tokenizer_decode(t, ids, count, &text), HEED_OK);
    assert_string_equal(text, expected);
    heed_free(c, text);
}

static void test_characters(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_tokenizer *t = learn(c, &(heed_tokenizer_config){0}, "aab\xc3\xa9"); /* a 4, b 5, e acute 6 */
    check_encodes(t, c, "ba\xc3\xa9x", 4, (int32_t[]){5, 4, 6, HEED_UNKNOWN});
    check_encodes(t, c, "e\xcc\x81", 1, (int32_t[]){6});
    check_encodes(t, c, "", 0, NULL);
    check_decodes(t, c, 6, (int32_t[]){HEED_START, 5, HEED_PADDING, 6, HEED_END, 4}, "b\xc3\xa9");
    check_decodes(t, c, 3, (int32_t[]){5, HEED_UNKNOWN, 999}, "b[UNK][UNK]");
    check_decodes(t, c, 0, NULL, "");
    heed_ids ids = {.context = c};
    assert_int_equal(heed_tokenizer_encode(t, "a\xff", 2, &ids), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "text: not UTF-8 (found 0xFF at byte 2)");
    assert_int_equal(ids.count, 0);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_words(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_tokenizer *t = learn(c, &(heed_tokenizer_config){.kind = "words", .lowercase = true}, "the the cat");
    check_encodes(t, c, "  THE \xe3\x80\x80 Cat dog [END] ", 4, (int32_t[]){4, 5, HEED_UNKNOWN, HEED_UNKNOWN});
    check_encodes(t, c, "  ", 0, NULL);
    check_decodes(t, c, 4, (int32_t[]){HEED_START, 4, 5, HEED_END}, "the cat");
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_saved_tokenizer(void **state)
{
    (void)state;
    heed_context *c = context();
    const heed_tokenizer_config config = {.kind = "words", .lowercase = true};
    heed_tokenizer *t = learn(c, &config, "one two two three\\"), *again;
    char *bytes;
    size_t size;
    assert_int_equal(heed_tokenizer_save(t, &bytes, &size), HEED_OK);
    assert_int_equal(heed_tokenizer_load(c, &config, "assets/source.txt", bytes, size, &again), HEED_OK);
    assert_int_equal(heed_tokenizer_size(again), heed_tokenizer_size(t));
    check_encodes(again, c, "TWO three\\ four", 3, (int32_t[]){4, 6, HEED_UNKNOWN});
    heed_tokenizer_free(again);
    assert_int_equal(heed_tokenizer_load(c, &config, "assets/source.txt", bytes, size - 1, &again), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "assets/source.txt:7: the last line is cut off");
    assert_null(again);
    heed_free(c, bytes);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_tokenizer_misuse(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_tokenizer *t;
    assert_int_equal(heed_tokenizer_create(c, &(heed_tokenizer_config){.kind = "syllables"}, &t), HEED_ENOTFOUND);
    assert_string_equal(heed_error(c), "tokens: no such kind (expected characters, words, bpe or unigram, found \"syllables\")");
    assert_int_equal(heed_tokenizer_create(c, &(heed_tokenizer_config){.most_tokens = HEED_SPECIALS}, &t), HEED_EINVAL);
    assert_int_equal(heed_tokenizer_create(c, &(heed_tokenizer_config){.most_tokens = -1}, &t), HEED_EINVAL);
    assert_int_equal(heed_tokenizer_create(c, &(heed_tokenizer_config){.least_count = -1}, &t), HEED_EINVAL);
    assert_null(t);
    heed_tokenizer_free(NULL);
    assert_int_equal(heed_tokenizer_create(c, &(heed_tokenizer_config){0}, &t), HEED_OK);
    heed_ids ids = {.context = c};
    char *text;
    size_t size;
    assert_int_equal(heed_tokenizer_size(t), 0);
    assert_int_equal(heed_tokenizer_encode(t, "a", 1, &ids), HEED_ESTATE);
    assert_int_equal(heed_tokenizer_decode(t, NULL, 0, &text), HEED_ESTATE);
    assert_int_equal(heed_tokenizer_save(t, &text, &size), HEED_ESTATE);
    assert_int_equal(heed_tokenizer_count(t, "\xff", 1), HEED_EFORMAT);
    assert_int_equal(heed_tokenizer_learn(t), HEED_OK);
    assert_int_equal(heed_tokenizer_learn(t), HEED_ESTATE);
    assert_int_equal(heed_tokenizer_count(t, "a", 1), HEED_ESTATE);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

/* ---- no memory ---- */

static heed_status use(heed_context *c, heed_tokenizer *t, const heed_tokenizer_config *config)
{
    static const char text[] = "One two E\xcc\x81 three four five six seven eight nine";
    heed_ids ids = {.context = c};
    heed_tokenizer *again = NULL;
    char *bytes = NULL, *decoded = NULL;
    size_t size;
    heed_status status = heed_tokenizer_count(t, text, strlen(text));
    if (status == HEED_OK)
        status = heed_tokenizer_learn(t);
    if (status == HEED_OK)
        status = heed_tokenizer_encode(t, text, strlen(text), &ids);
    if (status == HEED_OK)
        status = heed_tokenizer_decode(t, ids.ids, ids.count, &decoded);
    if (status == HEED_OK)
        status = heed_tokenizer_save(t, &bytes, &size);
    if (status == HEED_OK)
        status = heed_tokenizer_load(c, config, "v", bytes, size, &again);
    heed_tokenizer_free(again);
    heed_free(c, bytes);
    heed_free(c, decoded);
    heed_ids_free(&ids);
    return status;
}

static heed_status tokenizer_work(heed_context *c, void *user)
{
    const heed_tokenizer_config *config = user;
    heed_tokenizer *t;
    heed_status status = heed_tokenizer_create(c, config, &t);
    if (status == HEED_OK)
        status = use(c, t, config);
    heed_tokenizer_free(t);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_tokenizer_config words = {.kind = "words", .lowercase = true}, characters = {0};
    heed_test_each_allocation_fails(tokenizer_work, &words);
    heed_test_each_allocation_fails(tokenizer_work, &characters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_vocabulary_as_text),
        cmocka_unit_test(test_vocabulary_from_bad_text),
        cmocka_unit_test(test_large_vocabulary),
        cmocka_unit_test(test_learning),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_saved_tokenizer),
        cmocka_unit_test(test_tokenizer_misuse),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
