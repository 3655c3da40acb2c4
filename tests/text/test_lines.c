#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/text.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FILE_ONE "test_lines_one.tmp"
#define FILE_TWO "test_lines_two.tmp"

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static void write_one(const char *text) { heed_test_write_file(FILE_ONE, text, strlen(text)); }

/* All lines of FILE_ONE, "|" behind each; stops at a failure, whose status is returned. */
static heed_status read_all(heed_context *c, size_t limit, char *out, size_t size)
{
    heed_lines *l;
    out[0] = '\0';
    heed_status status = heed_lines_open(c, FILE_ONE, limit, &l);
    bool more = true;
    int64_t number = 0;
    while (status == HEED_OK && more) {
        heed_line line;
        status = heed_lines_next(l, &more, &line);
        if (status == HEED_OK && more) {
            assert_int_equal(line.number, ++number);
            assert_int_equal(line.length, strlen(line.text));
            size_t used = strlen(out);
            snprintf(out + used, size - used, "%s|", line.text);
        }
    }
    heed_lines_free(l);
    return status;
}

static void check_lines(const char *text, const char *expected)
{
    heed_context *c = context();
    char out[256];
    write_one(text);
    assert_int_equal(read_all(c, 0, out, sizeof out), HEED_OK);
    assert_string_equal(out, expected);
    heed_context_free(c);
}

static void test_line_ends(void **state)
{
    (void)state;
    check_lines("", "");
    check_lines("a", "a|");
    check_lines("a\n", "a|");
    check_lines("a\nb", "a|b|");
    check_lines("\n\na\n", "||a|");
    check_lines("a\r\nb\r\n", "a|b|");
    check_lines("a\r\nb\r", "a|b|");
    check_lines("a\rb\n", "a\rb|");
    check_lines("\xef\xbb\xbf" "a\n\xef\xbb\xbf" "b\n", "a|\xef\xbb\xbf" "b|");
    check_lines("\xef\xbb\xbf", "|");
}

static void test_line_limit(void **state)
{
    (void)state;
    heed_context *c = context();
    char out[256];
    write_one("12345\r\n1234\n12345");
    assert_int_equal(read_all(c, 5, out, sizeof out), HEED_OK);
    assert_string_equal(out, "12345|1234|12345|");
    write_one("1\n123456\n");
    assert_int_equal(read_all(c, 5, out, sizeof out), HEED_EFORMAT);
    assert_string_equal(heed_error(c), FILE_ONE ":2: too long a line (expected at most 5 bytes)");

    size_t size = 3 << 20; /* a line that never ends is given up before it fills the memory */
    char *long_line = malloc(size);
    assert_non_null(long_line);
    memset(long_line, 'x', size);
    heed_test_write_file(FILE_ONE, long_line, HEED_LINE_LIMIT);
    heed_lines *l;
    heed_line line;
    bool more;
    assert_int_equal(heed_lines_open(c, FILE_ONE, 0, &l), HEED_OK);
    assert_int_equal(heed_lines_next(l, &more, &line), HEED_OK);
    assert_int_equal(line.length, HEED_LINE_LIMIT);
    heed_lines_free(l);
    heed_test_write_file(FILE_ONE, long_line, size);
    assert_int_equal(read_all(c, 0, out, sizeof out), HEED_EFORMAT);
    assert_true(heed_memory_peak(c) < 4 * (size_t)HEED_LINE_LIMIT);
    free(long_line);
    heed_context_free(c);
}

static void test_line_errors(void **state)
{
    (void)state;
    heed_context *c = context();
    char out[256];
    write_one("fine\ncaf\xe9\n");
    assert_int_equal(read_all(c, 0, out, sizeof out), HEED_EFORMAT);
    assert_string_equal(heed_error(c), FILE_ONE ":2: not UTF-8 (found 0xE9 at byte 4)");
    assert_string_not_equal(heed_error_hint(c), "");
    heed_test_write_file(FILE_ONE, "a\0\n\0", 4);
    assert_int_equal(read_all(c, 0, out, sizeof out), HEED_EFORMAT);
    assert_string_equal(heed_error(c), FILE_ONE ":1: not text (expected UTF-8, found a NUL at byte 2)");
    heed_lines *l;
    assert_int_equal(heed_lines_open(c, "no/such/file", 0, &l), HEED_EIO);
    assert_string_equal(heed_error(c), "no/such/file: cannot open: No such file or directory");
    assert_null(l);
    heed_lines_free(NULL);
    assert_int_equal(heed_lines_open(c, ".", 0, &l), HEED_OK);
    heed_line line;
    bool more;
    assert_int_equal(heed_lines_next(l, &more, &line), HEED_EIO);
    heed_lines_free(l);
    heed_context_free(c);
}

/* ---- gzip ---- */

static size_t compress_text(const char *text, unsigned char *out, size_t size)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)text, .avail_in = (unsigned)strlen(text)};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = (unsigned)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return size - z.avail_out;
}

static void test_gzip(void **state)
{
    (void)state;
    heed_context *c = context();
    unsigned char bytes[512];
    char out[256];
    size_t one = compress_text("first\nsec", bytes, sizeof bytes);
    heed_test_write_file(FILE_ONE, bytes, one);
    assert_int_equal(read_all(c, 0, out, sizeof out), HEED_OK);
    assert_string_equal(out, "first|sec|");
    size_t two = one + compress_text("ond\n", bytes + one, sizeof bytes - one); /* two members are one text */
    heed_test_write_file(FILE_ONE, bytes, two);
    assert_int_equal(read_all(c, 0, out, sizeof out), HEED_OK);
    assert_string_equal(out, "first|second|");
    for (size_t cut = 2; cut < two; cut++) {
        heed_test_write_file(FILE_ONE, bytes, cut);
        assert_int_equal(read_all(c, 0, out, sizeof out), cut == one ? HEED_OK : HEED_EFORMAT);
    }
    for (size_t i = 10; i < one; i++) {
        unsigned char kept = bytes[i];
        bytes[i] ^= 0x55;
        heed_test_write_file(FILE_ONE, bytes, one);
        assert_int_equal(read_all(c, 0, out, sizeof out), HEED_EFORMAT);
        bytes[i] = kept;
    }
    heed_context_free(c);
}

/* ---- corpora ---- */

/* All pairs of FILE_ONE (and FILE_TWO), as "source>target|". */
static heed_status read_pairs(heed_context *c, bool two, char *out, size_t size)
{
    heed_corpus *s;
    out[0] = '\0';
    heed_status status = heed_corpus_open(c, FILE_ONE, two ? FILE_TWO : NULL, &s);
    bool more = true;
    while (status == HEED_OK && more) {
        heed_pair pair;
        status = heed_corpus_next(s, &more, &pair);
        if (status == HEED_OK && more) {
            assert_int_equal(pair.source_length, strlen(pair.source));
            assert_int_equal(pair.target_length, strlen(pair.target));
            size_t used = strlen(out);
            snprintf(out + used, size - used, "%s>%s|", pair.source, pair.target);
        }
    }
    heed_corpus_free(s);
    return status;
}

static void check_pairs_fail(const char *one, const char *two, const char *error)
{
    heed_context *c = context();
    char out[256];
    write_one(one);
    if (two != NULL)
        heed_test_write_file(FILE_TWO, two, strlen(two));
    assert_int_equal(read_pairs(c, two != NULL, out, sizeof out), HEED_EFORMAT);
    assert_string_equal(heed_error(c), error);
    heed_context_free(c);
}

static void test_pairs(void **state)
{
    (void)state;
    heed_context *c = context();
    char out[256];
    write_one("a b\tc\r\nd\te f");
    assert_int_equal(read_pairs(c, false, out, sizeof out), HEED_OK);
    assert_string_equal(out, "a b>c|d>e f|");
    write_one("");
    assert_int_equal(read_pairs(c, false, out, sizeof out), HEED_OK);
    assert_string_equal(out, "");
    write_one("a\tb\nc\n");
    heed_test_write_file(FILE_TWO, "1\n2", 3);
    assert_int_equal(read_pairs(c, true, out, sizeof out), HEED_OK);
    assert_string_equal(out, "a\tb>1|c>2|");
    heed_corpus *s;
    assert_int_equal(heed_corpus_open(c, "-", "-", &s), HEED_EINVAL);
    assert_int_equal(heed_corpus_open(c, FILE_ONE, "no/such/file", &s), HEED_EIO);
    assert_null(s);
    heed_context_free(c);

    check_pairs_fail("a\tb\nc d\n", NULL, FILE_ONE ":2: no TAB (expected source TAB target, found one text)");
    check_pairs_fail("a\tb\n\n", NULL, FILE_ONE ":2: no TAB (expected source TAB target, found one text)");
    check_pairs_fail("a\tb\tc\n", NULL,
                     FILE_ONE ":1: more than one TAB (expected source TAB target, found a third text)");
    check_pairs_fail("\tb\n", NULL, FILE_ONE ":1: the source is empty");
    check_pairs_fail("a\t \r\n", NULL, FILE_ONE ":1: the target is empty");
    check_pairs_fail("a\t\xff\n", NULL, FILE_ONE ":1: not UTF-8 (found 0xFF at byte 3)");
    check_pairs_fail("a\n\n", "1\n2\n", FILE_ONE ":2: the source is empty");
    check_pairs_fail("a\nb\n", "1\n\n", FILE_TWO ":2: the target is empty");
    check_pairs_fail("a\nb\n", "1\n", FILE_TWO ": too few lines (expected 2, as " FILE_ONE " has, found 1)");
    check_pairs_fail("a\n", "1\n2\n3", FILE_ONE ": too few lines (expected 3, as " FILE_TWO " has, found 1)");
}

/* With faults passed over, the other pairs stay, and those of two files stay together. */
static void check_skips(const char *one, const char *two, const char *expected, int not_text, int not_two, int empty)
{
    heed_context *c = context();
    heed_corpus *s;
    char out[256] = "";
    write_one(one);
    if (two != NULL)
        heed_test_write_file(FILE_TWO, two, strlen(two));
    assert_int_equal(heed_corpus_open(c, FILE_ONE, two != NULL ? FILE_TWO : NULL, &s), HEED_OK);
    heed_corpus_skip_faults(s);
    bool more = true;
    while (more) {
        heed_pair pair;
        assert_int_equal(heed_corpus_next(s, &more, &pair), HEED_OK);
        size_t used = strlen(out);
        if (more)
            snprintf(out + used, sizeof out - used, "%s>%s%d|", pair.source, pair.target, (int)pair.number);
    }
    assert_string_equal(out, expected);
    assert_int_equal(heed_corpus_skipped(s, HEED_PAIR_NOT_TEXT), not_text);
    assert_int_equal(heed_corpus_skipped(s, HEED_PAIR_NOT_TWO), not_two);
    assert_int_equal(heed_corpus_skipped(s, HEED_PAIR_EMPTY), empty);
    heed_corpus_free(s);
    heed_context_free(c);
}

static void test_skipped_pairs(void **state)
{
    (void)state;
    check_skips("a\tb\n\nc\td\te\nf\t\xff\ng\t \n\th\ni\tj\n", NULL, "a>b1|i>j7|", 1, 2, 2);
    check_skips("a\n\nb\n\xff\nd\n", "1\n2\n\n\xff\n5\n", "a>11|d>55|", 1, 0, 2);
    check_skips("\n", NULL, "", 0, 1, 0);
}

static heed_status corpus_work(heed_context *c, void *two)
{
    char out[256];
    return read_pairs(c, two != NULL, out, sizeof out);
}

static void test_no_memory(void **state)
{
    (void)state;
    bool two = true;
    write_one("a\tb\nc\td\n");
    heed_test_write_file(FILE_TWO, "1\n2", 3);
    heed_test_each_allocation_fails(corpus_work, NULL);
    heed_test_each_allocation_fails(corpus_work, &two);
    unsigned char bytes[256];
    heed_test_write_file(FILE_ONE, bytes, compress_text("a\tb\nc\td\n", bytes, sizeof bytes));
    heed_test_each_allocation_fails(corpus_work, NULL);
}

static int remove_files(void **state)
{
    (void)state;
    remove(FILE_ONE);
    remove(FILE_TWO);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_ends), cmocka_unit_test(test_line_limit), cmocka_unit_test(test_line_errors),
        cmocka_unit_test(test_gzip),      cmocka_unit_test(test_pairs),      cmocka_unit_test(test_skipped_pairs),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, remove_files);
}
