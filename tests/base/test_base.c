#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void test_random_known_answers(void **state)
{
    (void)state;
    /* the known answers published with Random123 for philox4x32-10 */
    uint32_t out[4];
    heed_random_block(0, 0, 0, out);
    assert_int_equal(out[0], 0x6627e8d5);
    assert_int_equal(out[1], 0xe169c58d);
    assert_int_equal(out[2], 0xbc57ac4c);
    assert_int_equal(out[3], 0x9b00dbd8);
    heed_random_block(UINT64_MAX, UINT64_MAX, UINT64_MAX, out);
    assert_int_equal(out[0], 0x408f276d);
    assert_int_equal(out[1], 0x41c83b0e);
    assert_int_equal(out[2], 0xa20bc7c6);
    assert_int_equal(out[3], 0x6d5451fd);
}

static void add_tile(void *work, int64_t tile, int thread)
{
    (void)thread;
    ((int *)work)[tile]++;
}

static void test_parallel_runs_each_tile_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        heed_context *c;
        assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads}, &c), HEED_OK);
        int counts[300] = {0};
        for (int round = 1; round <= 50; round++) {
            heed_parallel(c->pool, 300, add_tile, counts);
            for (int i = 0; i < 300; i++)
                assert_int_equal(counts[i], round);
        }
        heed_context_free(c);
    }
}

/* Little work again and again, and pauses in which the workers fall asleep: none is done twice or left out, and every
 * tile is done when the call returns. */
static void test_parallel_in_bursts(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 9; threads += 7) {
        heed_context *c;
        assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads}, &c), HEED_OK);
        int counts[7] = {0}, expected[7] = {0};
        for (int round = 0; round < 20000; round++) {
            int tiles = round % 8;
            heed_parallel(c->pool, tiles, add_tile, counts);
            for (int i = 0; i < 7; i++) {
                expected[i] += i < tiles;
                assert_int_equal(counts[i], expected[i]);
            }
            if (round % 400 == 0)
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        heed_context_free(c);
    }
}

static void test_memory(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    size_t before = heed_memory_used(c);
    assert_null(heed_alloc(c, SIZE_MAX / 2, 4));
    assert_non_null(strstr(heed_error(c), "out of memory"));
    heed_zone z;
    heed_zone_init(&z, c);
    for (size_t i = 1; i < 3000; i += 7) {
        unsigned char *p = heed_zone_alloc(&z, i, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xff, i * 3);
    }
    assert_string_equal(heed_zone_printf(&z, "%s %d", "a", 7), "a 7");
    heed_zone_free(&z);
    heed_text t = {.context = c};
    for (int i = 0; i < 1000; i++)
        heed_text_printf(&t, "%d,", i % 10);
    assert_int_equal(t.length, 2000);
    assert_int_equal(heed_text_status(&t), HEED_OK);
    heed_text_free(&t);
    assert_int_equal(heed_memory_used(c), before);
    heed_context_free(c);
}

static void test_context_refuses_nonsense(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 257}, &c), HEED_EINVAL);
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = -1}, &c), HEED_EINVAL);
    assert_int_equal(heed_context_create(&(heed_context_config){.cpu = "z80"}, &c), HEED_EINVAL);
    assert_null(c);
}

static void test_files_whole_or_not_at_all(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    unsigned char *bytes;
    size_t size;
    assert_int_equal(heed_file_read(c, "/no/such/file", 10, &bytes, &size), HEED_EIO);
    assert_non_null(strstr(heed_error(c), "/no/such/file"));
    assert_int_equal(heed_file_read(c, "/", 10, &bytes, &size), HEED_EIO);
    assert_int_equal(heed_file_write(c, "/no/such/file", "x", 1), HEED_EIO);
    assert_int_equal(heed_file_write(c, "test_base.tmp", "one\ntwo", 7), HEED_OK);
    assert_int_equal(heed_file_read(c, "test_base.tmp", 7, &bytes, &size), HEED_OK);
    assert_int_equal(size, 7);
    assert_string_equal((char *)bytes, "one\ntwo");
    heed_release(c, bytes);
    assert_int_equal(heed_file_read(c, "test_base.tmp", 6, &bytes, &size), HEED_EFORMAT);
    heed_output o;
    assert_int_equal(heed_output_open(c, "test_base.tmp", &o), HEED_OK);
    assert_int_equal(heed_output_write(&o, "lost", 4), HEED_OK);
    heed_output_abandon(&o);
    assert_int_equal(heed_file_read(c, "test_base.tmp", 7, &bytes, &size), HEED_OK);
    assert_string_equal((char *)bytes, "one\ntwo");
    heed_release(c, bytes);
    remove("test_base.tmp");
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_known_answers), cmocka_unit_test(test_parallel_runs_each_tile_once),
        cmocka_unit_test(test_parallel_in_bursts),
        cmocka_unit_test(test_memory),               cmocka_unit_test(test_context_refuses_nonsense),
        cmocka_unit_test(test_files_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
