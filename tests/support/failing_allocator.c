#include "support/failing_allocator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void *allocate(void *user, size_t size)
{
    heed_test_allocator *a = user;
    a->calls++;
    if (a->fail_at != 0 && (a->calls == a->fail_at || (a->keep_failing && a->calls > a->fail_at)))
        return NULL;
    void *memory = size > SIZE_MAX - 63 ? NULL : aligned_alloc(64, (size + 63) & ~(size_t)63);
    a->live += memory != NULL;
    return memory;
}

static void release(void *user, void *memory)
{
    heed_test_allocator *a = user;
    a->live--;
    free(memory);
}

heed_allocator heed_test_allocator_interface(heed_test_allocator *a)
{
    return (heed_allocator){allocate, release, a};
}

static void fail_each(heed_test_work *work, void *user, bool keep_failing)
{
    heed_test_allocator a = {0};
    heed_context_config config = {.threads = 1, .allocator = heed_test_allocator_interface(&a)};
    heed_context *c;
    assert_int_equal(heed_context_create(&config, &c), HEED_OK);
    size_t live = a.live, used = heed_memory_used(c);
    a.keep_failing = keep_failing;
    bool reached = true;
    for (a.fail_at = keep_failing && HEED_TEST_ALLOCATION_STEP > 1 ? 2 : 1; reached; a.fail_at += HEED_TEST_ALLOCATION_STEP) {
        a.calls = 0;
        heed_error_clear(c);
        heed_status status = work(c, user);
        reached = a.calls >= a.fail_at;
        if (status != (reached ? HEED_ENOMEM : HEED_OK))
            fail_msg("allocation %zu of %zu %s: status %d, \"%s\"", a.fail_at, a.calls, reached ? "failed" : "worked",
                     (int)status, heed_error(c));
        if (reached && heed_error(c)[0] == '\0')
            fail_msg("allocation %zu failed without an error text", a.fail_at);
        if (a.live != live || heed_memory_used(c) != used)
            fail_msg("allocation %zu failed: %zu blocks left behind", a.fail_at, a.live - live);
    }
    a.fail_at = 0;
    heed_context_free(c);
    assert_int_equal(a.live, 0);
}

void heed_test_each_allocation_fails(heed_test_work *work, void *user)
{
    fail_each(work, user, false);
    fail_each(work, user, true);
}
