#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "heed/text.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

/* The scores of one line. */
static heed_scores score(const heed_scorer_config *config, const char *hypothesis, const char *reference)
{
    heed_context *c = context();
    heed_scorer *s;
    assert_int_equal(heed_scorer_create(c, config, &s), HEED_OK);
    assert_int_equal(heed_scorer_add(s, hypothesis, reference), HEED_OK);
    heed_scores scores = heed_scorer_result(s);
    heed_scorer_free(s);
    heed_context_free(c);
    return scores;
}

static void check(const heed_scorer_config *config, const char *hypothesis, const char *reference, int64_t exact,
                  int64_t edits, int64_t tokens)
{
    heed_scores r = score(config, hypothesis, reference);
    assert_int_equal(r.lines, 1);
    assert_int_equal(r.exact, exact);
    assert_int_equal(r.edits, edits);
    assert_int_equal(r.reference_tokens, tokens);
}

static void test_words(void **state)
{
    (void)state;
    heed_scorer_config words = {0};
    check(&words, "a b c", "a b c", 1, 0, 3);
    check(&words, "a b c", "a x c", 0, 1, 3);
    check(&words, "a c", "a b c", 0, 1, 3);
    check(&words, "a b b c", "a b c", 0, 1, 3);
    check(&words, "", "a b", 0, 2, 2);
    check(&words, "a b", "", 0, 2, 0);
    check(&words, "", "", 1, 0, 0);
    check(&words, "b a", "a b", 0, 2, 2);
    check(&words, "ab", "a b", 0, 2, 2);
    check(&words, "a  b", "a b", 0, 0, 2); /* other bytes, the same tokens */
    check(&words, "A", "a", 0, 1, 1);
    check(&(heed_scorer_config){.lowercase = true}, "\xc3\x89 A", "\xc3\xa9 a", 1, 0, 2);
    check(&words, "a | b", "a | b", 1, 0, 3);
}

static void test_characters(void **state)
{
    (void)state;
    heed_scorer_config characters = {.tokenize = "char"};
    check(&characters, "kitten", "sitting", 0, 3, 7);
    check(&characters, "\xc3\xa9t\xc3\xa9", "ete", 0, 2, 3);
    check(&characters, "2009-03-12", "2009-03-21", 0, 2, 10);
}

static void test_alternatives(void **state)
{
    (void)state;
    heed_scorer_config several = {.alternatives = true};
    check(&several, "a b c", "x | a b c | a b", 1, 0, 3);
    check(&several, "a b c", "a b c d e | a b", 0, 1, 2);
    check(&several, "a b c", "a b c", 1, 0, 3);
    check(&several, "a", "a b | c", 0, 1, 1); /* as near, but shorter */
    check(&several, "", "a | ", 1, 0, 0);
    check(&several, "a|b", "a|b", 1, 0, 1);
}

static void test_totals(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_scorer *s;
    assert_int_equal(heed_scorer_create(c, &(heed_scorer_config){0}, &s), HEED_OK);
    assert_true(isnan(heed_scorer_result(s).exact_match));
    assert_true(isnan(heed_scorer_result(s).token_error_rate));
    assert_int_equal(heed_scorer_add(s, "a b", "a b"), HEED_OK);
    assert_int_equal(heed_scorer_add(s, "a b", "a c d"), HEED_OK);
    heed_scores r = heed_scorer_result(s);
    assert_int_equal(r.lines, 2);
    assert_true(r.exact_match == 0.5);
    assert_true(r.token_error_rate == 2.0 / 5.0);
    assert_int_equal(heed_scorer_add(s, "\xff", "a"), HEED_EFORMAT);
    assert_int_equal(heed_scorer_add(s, "a", "a\xff"), HEED_EFORMAT);
    assert_int_equal(heed_scorer_result(s).lines, 2);
    heed_scorer_free(s);
    heed_scorer_free(NULL);
    assert_int_equal(heed_scorer_create(c, &(heed_scorer_config){.tokenize = "13b"}, &s), HEED_ENOTFOUND);
    heed_context_free(c);
}

/* The definition, without a thought for speed. */
static int64_t slow_distance(const char *a, const char *b)
{
    if (*a == '\0' || *b == '\0')
        return (int64_t)(strlen(a) + strlen(b));
    if (*a == *b)
        return slow_distance(a + 1, b + 1);
    int64_t replaced = slow_distance(a + 1, b + 1);
    int64_t deleted = slow_distance(a + 1, b), inserted = slow_distance(a, b + 1);
    int64_t least = replaced < deleted ? replaced : deleted;
    return 1 + (least < inserted ? least : inserted);
}

static void test_distance_against_definition(void **state)
{
    (void)state;
    heed_random r = {.seed = 11};
    for (int round = 0; round < 300; round++) {
        char a[8] = "", b[8] = "";
        for (uint32_t i = heed_random_below(&r, 7); i > 0; i--)
            a[i - 1] = "ab"[heed_random_below(&r, 2)];
        for (uint32_t i = heed_random_below(&r, 7); i > 0; i--)
            b[i - 1] = "abc"[heed_random_below(&r, 3)];
        check(&(heed_scorer_config){.tokenize = "char"}, a, b, strcmp(a, b) == 0, slow_distance(a, b),
              (int64_t)strlen(b));
    }
}

static heed_status score_work(heed_context *c, void *user)
{
    heed_scorer *s;
    heed_status status = heed_scorer_create(c, user, &s);
    if (status == HEED_OK)
        status = heed_scorer_add(s, "One two three", "one | Two three four");
    heed_scorer_free(s);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_scorer_config config = {.lowercase = true, .alternatives = true};
    heed_test_each_allocation_fails(score_work, &config);
}

/* ---- against sacreBLEU */

static void write_lines(heed_context *c, heed_scorer *s, char bleu[512], char chrf[512])
{
    heed_scores r = heed_scorer_result(s);
    char *bleu_signature, *chrf_signature;
    assert_int_equal(heed_scorer_bleu_signature(s, &bleu_signature), HEED_OK);
    assert_int_equal(heed_scorer_chrf_signature(s, &chrf_signature), HEED_OK);
    snprintf(bleu, 512, "BLEU|%s = %.9f %.1f/%.1f/%.1f/%.1f (BP = %.3f ratio = %.3f hyp_len = %d ref_len = %d)",
             bleu_signature, r.bleu, r.bleu_precisions[0], r.bleu_precisions[1], r.bleu_precisions[2],
             r.bleu_precisions[3], r.bleu_brevity, (double)r.bleu_length / (double)r.bleu_reference_length,
             (int)r.bleu_length, (int)r.bleu_reference_length);
    snprintf(chrf, 512, "chrF2%.*s|%s = %.9f", r.chrf_word_order, "++", chrf_signature, r.chrf);
    heed_free(c, bleu_signature);
    heed_free(c, chrf_signature);
}

/* The next line, NUL-terminated; NULL behind the last. */
static char *take_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *rest = end + 1;
    return line;
}

static void check_case(heed_context *c, const char *head, char **rest)
{
    char tokenize[8], bleu[512], chrf[512];
    int lowercase, words;
    assert_int_equal(sscanf(head, "@ %7s %d %d", tokenize, &lowercase, &words), 3);
    heed_scorer_config config = {.alternatives = true, .tokenize = tokenize, .lowercase = lowercase,
                                 .chrf_word_order = words};
    heed_scorer *s;
    assert_int_equal(heed_scorer_create(c, &config, &s), HEED_OK);
    const char *expected_bleu = take_line(rest), *expected_chrf = take_line(rest);
    while (**rest != '@' && **rest != '\0') {
        char *line = take_line(rest), *tab = strchr(line, '\t');
        assert_non_null(tab);
        *tab = '\0';
        assert_int_equal(heed_scorer_add(s, line, tab + 1), HEED_OK);
    }
    write_lines(c, s, bleu, chrf);
    assert_string_equal(bleu, expected_bleu);
    assert_string_equal(chrf, expected_chrf);
    heed_scorer_free(s);
}

static void test_as_sacrebleu(void **state)
{
    (void)state;
    heed_context *c = context();
    char *lines = heed_test_read_file(HEED_FIXTURES "/text/scores.txt", NULL), *rest = lines, *head;
    int cases = 0;
    for (; (head = take_line(&rest)) != NULL; cases++)
        check_case(c, head, &rest);
    assert_int_equal(cases, 20);
    free(lines);
    heed_context_free(c);
}

/* An empty reference is none of what the line before had. */
static void test_empty_after_another(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_scorer *s;
    assert_int_equal(heed_scorer_create(c, &(heed_scorer_config){.alternatives = true, .lowercase = true}, &s), HEED_OK);
    assert_int_equal(heed_scorer_add(s, "a", "a | b | c"), HEED_OK);
    assert_int_equal(heed_scorer_add(s, "", ""), HEED_OK);
    heed_scores r = heed_scorer_result(s);
    assert_int_equal(r.exact, 2);
    assert_int_equal(r.reference_tokens, 1);
    heed_scorer_free(s);
    assert_int_equal(heed_scorer_create(c, &(heed_scorer_config){.chrf_word_order = 9}, &s), HEED_EINVAL);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),  cmocka_unit_test(test_characters),
        cmocka_unit_test(test_alternatives), cmocka_unit_test(test_totals),
        cmocka_unit_test(test_distance_against_definition), cmocka_unit_test(test_as_sacrebleu),
        cmocka_unit_test(test_empty_after_another), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
