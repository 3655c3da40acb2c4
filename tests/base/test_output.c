#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/output.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH "test_output.tmp"

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

/* Pieces of every size around the buffer's come out as they went in. */
static void test_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 1, 65536, 65537, 3, 200000, 65536, 2};
    static char piece[200000];
    heed_context *c = context();
    heed_writer *w;
    assert_int_equal(heed_writer_open(c, PATH, &w), HEED_OK);
    size_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(piece, 'a' + (int)i, sizes[i]);
        assert_int_equal(heed_writer_write(w, piece, sizes[i]), HEED_OK);
        total += sizes[i];
    }
    assert_int_equal(heed_writer_printf(w, "%s %d\n", "end", 7), HEED_OK);
    assert_int_not_equal(access(PATH, F_OK), 0); /* not there before it is whole */
    assert_int_equal(heed_writer_commit(w), HEED_OK);
    heed_writer_free(w);
    size_t size, at = 0;
    char *bytes = heed_test_read_file(PATH, &size);
    assert_int_equal(size, total + 6);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(bytes[at++], 'a' + (int)i);
    assert_string_equal(bytes + at, "end 7\n");
    free(bytes);
    remove(PATH);
    heed_context_free(c);
}

static void test_abandoned(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_writer *w;
    assert_int_equal(heed_writer_open(c, PATH, &w), HEED_OK);
    assert_int_equal(heed_writer_write(w, "x", 1), HEED_OK);
    heed_writer_free(w);
    heed_writer_free(NULL);
    assert_int_not_equal(access(PATH, F_OK), 0);
    heed_context_free(c);
}

static void test_failure_is_remembered(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_writer *w;
    assert_int_equal(heed_writer_open(c, "/dev/full", &w), HEED_OK);
    assert_int_equal(heed_writer_printf(w, "x"), HEED_OK);
    assert_int_equal(heed_writer_flush(w), HEED_EIO);
    assert_string_equal(heed_error(c), "/dev/full: cannot write: No space left on device");
    assert_int_equal(heed_writer_write(w, "x", 1), HEED_EIO);
    assert_int_equal(heed_writer_printf(w, "x"), HEED_EIO);
    assert_int_equal(heed_writer_commit(w), HEED_EIO);
    heed_writer_free(w);
    heed_context_free(c);
}

static heed_status writer_work(heed_context *c, void *user)
{
    heed_writer *w;
    heed_status status = heed_writer_open(c, user, &w);
    if (status == HEED_OK) {
        heed_writer_printf(w, "%200d", 3);
        status = heed_writer_commit(w);
    }
    heed_writer_free(w);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    char file[] = PATH, device[] = "/dev/null";
    heed_test_each_allocation_fails(writer_work, file);
    heed_test_each_allocation_fails(writer_work, device);
    remove(PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_failure_is_remembered),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
