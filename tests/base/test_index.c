#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/index.h"
#include "support/failing_allocator.h"

#include <stdio.h>

static int with_zone(void **state)
{
    static heed_zone zone;
    heed_context *c;
    if (heed_context_create(&(heed_context_config){.threads = 1}, &c) != HEED_OK)
        return -1;
    heed_zone_init(&zone, c);
    *state = &zone;
    return 0;
}

static int without_zone(void **state)
{
    heed_zone *z = *state;
    heed_zone_free(z);
    heed_context_free(z->context);
    return 0;
}

static void finds_nothing_in_nothing(void **state)
{
    (void)state;
    heed_index x = {0};
    assert_null(heed_index_find_text(&x, ""));
    assert_null(heed_index_find_address(&x, &x));
}

/* Beginnings of one another, the empty text, bytes above 127. */
static void tells_texts_apart(void **state)
{
    static const char *const keys[] = {"dense", "dense_1", "dense_10", "dens", "", "d", "\xc3\xa9", "\xff", "Dense"};
    enum { KEYS = sizeof keys / sizeof *keys };
    heed_index x = {0};
    for (size_t i = 0; i < KEYS; i++) {
        assert_null(heed_index_find_text(&x, keys[i]));
        assert_int_equal(heed_index_put_text(&x, *state, keys[i], (void *)keys[i]), HEED_OK);
    }
    for (size_t i = 0; i < KEYS; i++)
        assert_ptr_equal(heed_index_find_text(&x, keys[i]), keys[i]);
    assert_null(heed_index_find_text(&x, "dense_"));
    assert_null(heed_index_find_text(&x, "dense_100"));
    assert_ptr_equal(heed_index_find(&x, "dense/kernel", 5), keys[0]);
}

static void the_first_one_stays(void **state)
{
    int one, two;
    heed_index x = {0};
    assert_int_equal(heed_index_put_text(&x, *state, "a", &one), HEED_OK);
    assert_int_equal(heed_index_put_text(&x, *state, "a", &two), HEED_OK);
    assert_ptr_equal(heed_index_find_text(&x, "a"), &one);
}

static void finds_addresses_among_many(void **state)
{
    enum { COUNT = 50000 };
    static char things[COUNT];
    heed_index x = {0};
    for (size_t i = 0; i < COUNT; i += 2)
        assert_int_equal(heed_index_put_address(&x, *state, &things[i], &things[i]), HEED_OK);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(heed_index_find_address(&x, &things[i]), i % 2 == 0 ? &things[i] : NULL);
}

static heed_status fill(heed_context *c, void *user)
{
    (void)user;
    heed_zone z;
    heed_index x = {0};
    heed_status status = HEED_OK;
    heed_zone_init(&z, c);
    for (int i = 0; i < 1000 && status == HEED_OK; i++) {
        char name[20];
        snprintf(name, sizeof name, "dense_%d", i);
        status = heed_index_put_text(&x, &z, name, &x);
        if ((heed_index_find_text(&x, name) != NULL) != (status == HEED_OK))
            status = HEED_EINTERNAL;
    }
    heed_zone_free(&z);
    return status;
}

static void survives_every_failing_allocation(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing_in_nothing),
        cmocka_unit_test_setup_teardown(tells_texts_apart, with_zone, without_zone),
        cmocka_unit_test_setup_teardown(the_first_one_stays, with_zone, without_zone),
        cmocka_unit_test_setup_teardown(finds_addresses_among_many, with_zone, without_zone),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
