#include "support/damage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Reads a copy of exactly `size` bytes. */
static bool survive(heed_context *c, heed_test_reader *read, void *user, const unsigned char *bytes, size_t size,
                    size_t most_memory)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    size_t before = heed_memory_used(c);
    heed_error_clear(c);
    heed_status status = read(c, copy, size, user);
    free(copy);
    if (status != HEED_OK)
        assert_true(heed_error(c)[0] != '\0');
    assert_int_equal(heed_memory_used(c), before);
    assert_true(heed_memory_peak(c) <= before + most_memory);
    return status == HEED_OK;
}

static heed_context *new_context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

size_t heed_test_truncate(heed_test_reader *read, void *user, const void *bytes, size_t size, size_t most_memory)
{
    heed_context *c = new_context();
    size_t good = 0;
    for (size_t length = 0; length <= size; length++)
        good += survive(c, read, user, bytes, length, most_memory);
    heed_context_free(c);
    return good;
}

void heed_test_damage(heed_random *r, unsigned char *bytes, size_t size)
{
    for (uint32_t k = 1 + heed_random_below(r, 8); k > 0; k--) {
        unsigned char *at = bytes + heed_random_below(r, (uint32_t)size);
        uint32_t word = heed_random_u32(r);
        *at = word >> 8 & 3 ? *at ^ (unsigned char)(1u << word % 8) : (unsigned char)(word >> 16);
    }
}

size_t heed_test_flip(heed_test_reader *read, void *user, const void *bytes, size_t size, size_t most_memory, size_t count,
                      uint64_t seed)
{
    heed_context *c = new_context();
    heed_random r = {.seed = seed};
    unsigned char *damaged = malloc(size);
    assert_non_null(damaged);
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(damaged, bytes, size);
        heed_test_damage(&r, damaged, size);
        good += survive(c, read, user, damaged, size, most_memory);
    }
    free(damaged);
    heed_context_free(c);
    return good;
}
