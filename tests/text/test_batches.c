#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "heed/text.h"
#include "support/failing_allocator.h"

#include <stdlib.h>
#include <string.h>

enum { MANY = 20000 };
static int32_t sources[MANY], targets[MANY];

static int set_up(void **state)
{
    (void)state;
    heed_random r = {.seed = 3};
    for (int i = 0; i < MANY; i++) {
        sources[i] = 1 + (int32_t)heed_random_below(&r, 40);
        targets[i] = 1 + (int32_t)heed_random_below(&r, 4) + sources[i];
    }
    return 0;
}

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static heed_batches *make(heed_context *c, const heed_batches_config *config)
{
    heed_batches *b;
    assert_int_equal(heed_batches_create(c, config, &b), HEED_OK);
    return b;
}

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Every example once, the lengths told are the longest ones, and the size is kept. */
static void check_whole(const heed_batches *b, const heed_batches_config *config)
{
    char *seen = calloc(config->count, 1);
    assert_non_null(seen);
    size_t total = 0;
    int64_t padding = 0, padded = 0;
    for (int64_t i = 0; i < heed_batches_count(b); i++) {
        heed_text_batch batch = heed_batches_get(b, i);
        int32_t source_length = 0, target_length = 0;
        assert_true(batch.count >= 1);
        for (int64_t j = 0; j < batch.count; j++) {
            int64_t example = batch.examples[j];
            assert_in_range(example, 0, config->count - 1);
            assert_false(seen[example]);
            seen[example] = 1;
            source_length = larger(source_length, config->source_lengths[example]);
            if (config->target_lengths != NULL)
                target_length = larger(target_length, config->target_lengths[example]);
        }
        assert_int_equal(batch.source_length, source_length);
        assert_int_equal(batch.target_length, target_length);
        int64_t only = config->target_lengths != NULL ? target_length : source_length;
        int64_t weight = config->unit == HEED_BATCH_EXAMPLES ? 1
                         : config->unit == HEED_BATCH_TOKENS ? larger(source_length, target_length)
                         : config->unit == HEED_BATCH_TARGET_TOKENS ? only
                                                                    : source_length + target_length;
        assert_true(batch.count == 1 || batch.count * weight <= config->size);
        total += (size_t)batch.count;
        padded += batch.count * (source_length + target_length);
        for (int64_t j = 0; j < batch.count; j++)
            padding += source_length - config->source_lengths[batch.examples[j]] + target_length -
                       (config->target_lengths != NULL ? config->target_lengths[batch.examples[j]] : 0);
    }
    assert_int_equal(total, config->count);
    assert_true(heed_batches_padding(b) == (double)padding / (double)padded);
    free(seen);
}

static void test_every_example_once(void **state)
{
    (void)state;
    heed_context *c = context();
    static const size_t counts[] = {1, 2, 63, 64, 65, 6400, 6401, MANY};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int unit = 0; unit <= HEED_BATCH_ALL_TOKENS; unit++)
            for (int two_sides = 0; two_sides <= 1; two_sides++) {
                heed_batches_config config = {.count = counts[i],
                                              .source_lengths = sources,
                                              .target_lengths = two_sides ? targets : NULL,
                                              .size = unit != HEED_BATCH_EXAMPLES ? 1000 : 64,
                                              .unit = (heed_batch_unit)unit,
                                              .seed = 5};
                heed_batches *b = make(c, &config);
                check_whole(b, &config);
                if (unit == HEED_BATCH_EXAMPLES) /* no batch but the last is left open */
                    assert_int_equal(heed_batches_count(b), (counts[i] + 63) / 64);
                heed_batches_free(b);
            }
    heed_context_free(c);
}

static bool same(const heed_batches *a, const heed_batches *b)
{
    if (heed_batches_count(a) != heed_batches_count(b))
        return false;
    for (int64_t i = 0; i < heed_batches_count(a); i++) {
        heed_text_batch x = heed_batches_get(a, i), y = heed_batches_get(b, i);
        if (x.count != y.count || memcmp(x.examples, y.examples, (size_t)x.count * sizeof *x.examples) != 0)
            return false;
    }
    return true;
}

static void test_function_of_seed_and_epoch(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_batches_config config = {
        .count = MANY, .source_lengths = sources, .target_lengths = targets, .size = 64, .seed = 5, .epoch = 7};
    heed_batches *first = make(c, &config), *again = make(c, &config);
    config.epoch = 8;
    heed_batches *next_epoch = make(c, &config);
    config.epoch = 7;
    config.seed = 6;
    heed_batches *other_seed = make(c, &config);
    assert_true(same(first, again));
    assert_false(same(first, next_epoch));
    assert_false(same(first, other_seed));
    heed_batches_free(first);
    heed_batches_free(again);
    heed_batches_free(next_epoch);
    heed_batches_free(other_seed);
    heed_context_free(c);
}

/* Padding is a small part of what is computed, and long batches do not all come last. */
static void test_similar_lengths_together(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_batches_config config = {
        .count = MANY, .source_lengths = sources, .target_lengths = targets, .size = 64, .seed = 1};
    heed_batches *b = make(c, &config);
    double position_of_long = 0, number_of_long = 0;
    for (int64_t i = 0; i < heed_batches_count(b); i++) {
        heed_text_batch batch = heed_batches_get(b, i);
        if (batch.source_length > 30) {
            position_of_long += (double)i / (double)heed_batches_count(b);
            number_of_long++;
        }
    }
    assert_true(heed_batches_padding(b) < 0.03);
    assert_true(number_of_long > 50);
    assert_true(position_of_long / number_of_long > 0.4 && position_of_long / number_of_long < 0.6);
    heed_batches_free(b);
    heed_context_free(c);
}

/* Batches by tokens come in sizes that are multiples of 8, so that few shapes have to be planned. */
static void test_token_batches_are_round(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_batches_config config = {.count = MANY, .source_lengths = sources, .size = 1000, .unit = HEED_BATCH_TOKENS};
    heed_batches *b = make(c, &config);
    int64_t odd = 0;
    for (int64_t i = 0; i < heed_batches_count(b); i++)
        odd += heed_batches_get(b, i).count % 8 != 0;
    assert_true(odd <= MANY / 1000); /* one where each pool ends */
    heed_batches_free(b);

    int32_t one_long[] = {3, 5000, 2, 4}; /* what does not fit the budget is still learnt from */
    config = (heed_batches_config){.count = 4, .source_lengths = one_long, .size = 100, .unit = HEED_BATCH_TOKENS};
    b = make(c, &config);
    assert_int_equal(heed_batches_count(b), 2);
    check_whole(b, &config);
    heed_batches_free(b);
    heed_context_free(c);
}

static void test_misuse(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_batches *b;
    assert_int_equal(heed_batches_create(c, &(heed_batches_config){.size = 3}, &b), HEED_EINVAL);
    assert_int_equal(heed_batches_create(c, &(heed_batches_config){.count = 3, .source_lengths = sources}, &b),
                     HEED_EINVAL);
    assert_null(b);
    heed_batches_free(NULL);
    heed_context_free(c);
}

static heed_status batches_work(heed_context *c, void *user)
{
    (void)user;
    heed_batches_config config = {.count = 1000, .source_lengths = sources, .target_lengths = targets, .size = 16};
    heed_batches *b;
    heed_status status = heed_batches_create(c, &config, &b);
    heed_batches_free(b);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(batches_work, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_example_once),       cmocka_unit_test(test_function_of_seed_and_epoch),
        cmocka_unit_test(test_similar_lengths_together), cmocka_unit_test(test_token_batches_are_round),
        cmocka_unit_test(test_misuse),                   cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
