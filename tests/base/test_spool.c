#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/spool.h"
#include "support/failing_allocator.h"

#include <stdlib.h>
#include <string.h>

static heed_status work(heed_context *c, void *user)
{
    (void)user;
    heed_spool s;
    const void *all = NULL;
    heed_status status = heed_spool_open(c, &s);
    if (status == HEED_OK)
        status = heed_spool_write(&s, "one", 3);
    if (status == HEED_OK)
        status = heed_spool_write(&s, "two", 3);
    if (status == HEED_OK)
        status = heed_spool_map(&s, &all);
    if (status == HEED_OK)
        assert_memory_equal(all, "onetwo", 6);
    heed_spool_close(&s);
    return status;
}

static void test_spool(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(work, NULL);
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    assert_int_equal(work(c, NULL), HEED_OK);
    heed_spool empty;
    const void *all = &empty;
    assert_int_equal(heed_spool_open(c, &empty), HEED_OK);
    assert_int_equal(heed_spool_map(&empty, &all), HEED_OK);
    assert_null(all);
    heed_spool_close(&empty);
    heed_spool_close(&empty);

    setenv("TMPDIR", "no/such/folder", 1);
    assert_int_equal(work(c, NULL), HEED_EIO);
    assert_string_equal(heed_error(c), "a temporary file in no/such/folder: cannot make it: No such file or directory");
    unsetenv("TMPDIR");
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
