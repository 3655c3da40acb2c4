/* Model files from strangers: whatever the bytes, they give a model or an error, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/files.h"
#include "support/damage.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include "base/context.h"

#include <stdio.h>
#include <stdlib.h>

#define SAMPLE(name) HEED_FIXTURES "/models/" name

static const char *const files[] = {SAMPLE("tagger_trained_tfkeras.h5"), SAMPLE("two_ends_trained_keras3.h5"),
                                    SAMPLE("nested_keras3.keras"), SAMPLE("attention_decoder_trained_keras208.h5")};
enum { FILES = sizeof files / sizeof *files };

static const size_t most_memory = (size_t)64 << 20;

static heed_status read_model(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    heed_model *m;
    (void)user;
    heed_status status = heed_load_model_memory(c, "damaged", bytes, size, NULL, &m);
    if (status == HEED_OK)
        heed_model_free(m);
    return status;
}

static void survives_cuts(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t size;
        char *bytes = heed_test_read_file(files[i], &size);
        assert_true(heed_test_truncate(read_model, NULL, bytes, size, most_memory) >= 1);
        free(bytes);
    }
}

static void survives_flips(void **state)
{
    (void)state;
    for (int i = 0; i < FILES; i++) {
        size_t size;
        char *bytes = heed_test_read_file(files[i], &size);
        assert_true(heed_test_flip(read_model, NULL, bytes, size, most_memory, 500, (uint64_t)i) < 500);
        free(bytes);
    }
}

static heed_status load_and_save(heed_context *c, void *user)
{
    heed_model *m;
    HEED_TRY(heed_load_model(c, user, &m));
    heed_status status = heed_save_model(m, "test_damaged_files.h5");
    if (status == HEED_OK)
        status = heed_save_model(m, "test_damaged_files.h5", .keras = 2);
    heed_model_free(m);
    return status;
}

static void survives_every_failing_allocation(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(load_and_save, (void *)(uintptr_t)files[1]);
    remove("test_damaged_files.h5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives_cuts), cmocka_unit_test(survives_flips),
                                       cmocka_unit_test(survives_every_failing_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
