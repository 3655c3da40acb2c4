#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/array.h"
#include "support/failing_allocator.h"

static heed_status add_one(heed_arrays *a, const char *name)
{
    heed_array *array;
    heed_shape  shape = {.rank = 2, .dims = {2, 3}};
    heed_status status = heed_array_create(a->context, HEED_FLOAT32, &shape, &array);
    return status == HEED_OK ? heed_arrays_add(a, name, array) : status;
}

static heed_status three_arrays(heed_context *c, void *user)
{
    int *rounds = user;
    ++*rounds;
    heed_arrays a = {.context = c};
    heed_status status = add_one(&a, "x");
    if (status == HEED_OK)
        status = add_one(&a, "y");
    if (status == HEED_OK)
        status = add_one(&a, "z");
    heed_arrays_free(&a);
    return status;
}

static void test_every_allocation_is_failed(void **state)
{
    (void)state;
    int rounds = 0;
    heed_test_each_allocation_fails(three_arrays, &rounds);
    /* an array, its data and its name, three times, and the list; each fails once alone and once for good, then it works */
    assert_int_equal(rounds, HEED_TEST_ALLOCATION_STEP == 1 ? 2 * (3 * 3 + 1 + 1) : 5 + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_is_failed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
