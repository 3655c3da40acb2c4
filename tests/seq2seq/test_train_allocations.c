/* A tiny translator from training to translating, with every allocation failing once. One thread does it all: nothing here for
 * ThreadSanitizer. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/seq2seq.h"
#include "support/failing_allocator.h"

#include <stdio.h>
#include <unistd.h>

#define PAIRS "test_train_allocations.tsv"

static void write_pairs(void)
{
    FILE *f = fopen(PAIRS, "w");
    assert_non_null(f);
    fputs("abba\t1221\ncaba\t1213\nbb\t22\nabccab\t213321\nbcc\t332\n", f);
    assert_int_equal(fclose(f), 0);
}

/* By a recipe and its settings. */
static heed_status whole_life(heed_context *c, void *user)
{
    const char *const *recipe = user;
    heed_train_config config = {.recipe = recipe[0],
                                .settings = recipe[1],
                                .pairs = PAIRS,
                                .validation = PAIRS,
                                .steps = 2};
    heed_trainer *t = NULL;
    heed_translator *d = NULL;
    heed_translation *r = NULL;
    heed_status status = heed_trainer_create(c, &config, &t);
    if (status == HEED_OK)
        status = heed_trainer_run(t);
    if (status == HEED_OK)
        status = heed_trainer_save(t, "test_train_allocations.keras");
    heed_trainer_free(t);
    if (status == HEED_OK)
        status = heed_translator_load(c, "test_train_allocations.keras", &d);
    if (status == HEED_OK)
        status = heed_translate(d, &(const char *){"ab"}, 1, NULL, &r);
    if (d != NULL && r != NULL)
        heed_translations_free(d, r, 1);
    heed_translator_free(d);
    return status;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    write_pairs();
    static const char *const recipes[][2] = {
        {"gru-attention", "units=2, embedding=2, target_embedding=2, output_units=2, batch_size=4"},
        {"bahdanau", "units=2, embedding=2, batch_size=4, batch_tokens=0, source_tokens='characters', "
                     "target_tokens='characters', average=1"},
    };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        heed_test_each_allocation_fails(whole_life, (void *)(uintptr_t)recipes[i]);
    unlink("test_train_allocations.keras");
    unlink(PAIRS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
