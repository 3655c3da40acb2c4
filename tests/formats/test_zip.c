#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/zip.h"
#include "support/damage.h"
#include "support/failing_allocator.h"

#include <stdio.h>
#include <string.h>

static const char written[] = "test_zip.tmp";

static heed_context *new_context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static const heed_zip_member three[] = {{"b.txt", "hello", 5}, {"a/empty", "", 0}, {"a/x.bin", "\0\1\2\3", 4}};

/* Reads every member; the archive is closed in any case. */
static heed_status read_all(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    (void)user;
    heed_zip *z;
    HEED_TRY(heed_zip_open_memory(c, "t.zip", bytes, size, &z));
    heed_status status = HEED_OK;
    for (size_t i = 0; i < heed_zip_count(z) && status == HEED_OK; i++) {
        unsigned char *member;
        size_t member_size;
        status = heed_zip_read(z, i, 1 << 20, &member, &member_size);
        heed_release(c, member);
    }
    heed_zip_close(z);
    return status;
}

static void test_round_trip(void **state)
{
    (void)state;
    heed_context *c = new_context();
    assert_int_equal(heed_zip_write(c, written, three, 3), HEED_OK);
    heed_zip *z;
    assert_int_equal(heed_zip_open(c, written, &z), HEED_OK);
    assert_int_equal(heed_zip_count(z), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(heed_zip_name(z, i), three[i].name);
        unsigned char *bytes;
        size_t size, index;
        assert_int_equal(heed_zip_read(z, i, 5, &bytes, &size), HEED_OK);
        assert_int_equal(size, three[i].size);
        assert_memory_equal(bytes, three[i].bytes, size);
        assert_int_equal(bytes[size], 0);
        heed_release(c, bytes);
        assert_true(heed_zip_find(z, three[i].name, &index));
        assert_int_equal(index, i);
    }
    size_t index;
    unsigned char *bytes;
    size_t size;
    assert_false(heed_zip_find(z, "c", &index));
    assert_int_equal(heed_zip_read(z, 0, 4, &bytes, &size), HEED_EFORMAT);
    assert_null(bytes);
    assert_string_equal(heed_error(c), "test_zip.tmp: b.txt: too large (expected at most 4 bytes, found 5)");
    heed_zip_close(z);
    remove(written);
    heed_context_free(c);
}

/* Sizes around those at which the reader's memory grows. */
static void test_large_members(void **state)
{
    (void)state;
    heed_context *c = new_context();
    static const size_t sizes[] = {(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 21) + 1, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *content = heed_alloc_raw(c, sizes[i], 1), *bytes;
        for (size_t k = 0; k < sizes[i]; k++)
            content[k] = (unsigned char)(k * 7 + k / 251);
        heed_zip_member member = {.name = "large", .bytes = content, .size = sizes[i]};
        assert_int_equal(heed_zip_write(c, written, &member, 1), HEED_OK);
        heed_zip *z;
        size_t size;
        assert_int_equal(heed_zip_open(c, written, &z), HEED_OK);
        assert_int_equal(heed_zip_read(z, 0, sizes[i], &bytes, &size), HEED_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(bytes, content, size);
        heed_release(c, bytes);
        heed_release(c, content);
        heed_zip_close(z);
    }
    remove(written);
    heed_context_free(c);
}

static void test_equal_content_gives_equal_bytes(void **state)
{
    (void)state;
    heed_context *c = new_context();
    unsigned char *one, *two;
    size_t size_one, size_two;
    assert_int_equal(heed_zip_write(c, written, three, 3), HEED_OK);
    assert_int_equal(heed_file_read(c, written, 1 << 20, &one, &size_one), HEED_OK);
    assert_true(heed_zip_is(one, size_one));
    assert_int_equal(heed_zip_write(c, written, three, 3), HEED_OK);
    assert_int_equal(heed_file_read(c, written, 1 << 20, &two, &size_two), HEED_OK);
    assert_int_equal(size_one, size_two);
    assert_memory_equal(one, two, size_one);
    /* the date stands at 12 in the first header, as 16-bit time and date: midnight on the 1st of January of year 0 = 1980 */
    assert_memory_equal(one + 10, "\0\0\x21\0", 4);
    heed_release(c, one);
    heed_release(c, two);
    remove(written);
    heed_context_free(c);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const safe[] = {"a", "a/b", "a/", ".a", "a..b", "...", "a b/\xc3\xa9"};
    static const char *const unsafe[] = {"", "/", "/a", "a//b", "..", "../a", "a/../b", "a/..", ".", "./a", "a\\b", "C:a", "a//"};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        assert_true(heed_zip_name_is_safe(safe[i]));
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
        assert_false(heed_zip_name_is_safe(unsafe[i]));
}

/* Writes `members`, reads the file back, and puts `to` wherever `from` stands in it. */
static unsigned char *forge(heed_context *c, const heed_zip_member *members, size_t count, const char *from, const char *to,
                            size_t length, size_t *size)
{
    unsigned char *bytes;
    assert_int_equal(heed_zip_write(c, written, members, count), HEED_OK);
    assert_int_equal(heed_file_read(c, written, 1 << 20, &bytes, size), HEED_OK);
    remove(written);
    for (size_t i = 0; i + length <= *size; i++)
        if (memcmp(bytes + i, from, length) == 0)
            memcpy(bytes + i, to, length);
    return bytes;
}

static void expect_refusal(const heed_zip_member *members, size_t count, const char *from, const char *to, size_t length,
                           heed_status status, const char *error)
{
    heed_context *c = new_context();
    size_t size;
    unsigned char *bytes = forge(c, members, count, from, to, length, &size);
    assert_int_equal(read_all(c, bytes, size, NULL), status);
    if (strstr(heed_error(c), error) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", error, heed_error(c));
    heed_release(c, bytes);
    heed_context_free(c);
}

static void test_refusals(void **state)
{
    (void)state;
    static const heed_zip_member text[] = {{"xx/yy", "0123456789", 10}}, two[] = {{"one", "1", 1}, {"two", "2", 1}};
    expect_refusal(text, 1, "xx/yy", "../yy", 5, HEED_EFORMAT, "leads elsewhere");
    expect_refusal(text, 1, "xx/yy", "/x/yy", 5, HEED_EFORMAT, "leads elsewhere");
    expect_refusal(two, 2, "two", "one", 3, HEED_EFORMAT, "two members are called \"one\"");
    expect_refusal(text, 1, "0123456789", "0123456780", 10, HEED_EFORMAT, "CRC");
    /* both sizes stand in a row; the second is the unpacked one */
    expect_refusal(text, 1, "\12\0\0\0\12\0\0\0", "\12\0\0\0\xff\xff\0\0", 8, HEED_EFORMAT, "claims 65535 bytes from 10");
    heed_context *c = new_context();
    heed_zip *z;
    assert_int_equal(heed_zip_open(c, "/no/such/file", &z), HEED_EIO);
    assert_null(z);
    assert_int_equal(heed_zip_write(c, "/no/such/file", two, 2), HEED_EIO);
    assert_int_equal(heed_zip_write(c, written, two, 0), HEED_EINVAL);
    heed_context_free(c);
}

static void test_damage(void **state)
{
    (void)state;
    heed_context *c = new_context();
    size_t size;
    unsigned char *bytes = forge(c, three, 3, "", "", 0, &size);
    assert_int_equal(heed_test_truncate(read_all, NULL, bytes, size, 2 << 20), 1);
    heed_test_flip(read_all, NULL, bytes, size, 2 << 20, 20000, 2);
    heed_release(c, bytes);
    heed_context_free(c);
}

static heed_status write_and_read(heed_context *c, void *user)
{
    (void)user;
    HEED_TRY(heed_zip_write(c, written, three, 3));
    heed_zip *z;
    HEED_TRY(heed_zip_open(c, written, &z));
    unsigned char *bytes;
    size_t size;
    heed_status status = heed_zip_read(z, 0, 100, &bytes, &size);
    heed_release(c, bytes);
    heed_zip_close(z);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(write_and_read, NULL);
    remove(written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_large_members), cmocka_unit_test(test_equal_content_gives_equal_bytes),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_damage),     cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
