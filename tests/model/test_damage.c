/* Architectures from strangers: any text gives a model or an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/model.h"
#include "support/damage.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char  *architecture;
static size_t architecture_size;

/* Reads the text, and what came of it once more from what heed makes of it. */
static heed_status read_twice(heed_context *c, const char *text)
{
    heed_model *m, *again;
    char *json;
    heed_status status = heed_model_from_json(c, text, &m);
    if (status != HEED_OK)
        return status;
    status = heed_model_to_json(m, &json);
    heed_model_free(m);
    if (status != HEED_OK)
        return status;
    status = heed_model_from_json(c, json, &again);
    heed_free(c, json);
    if (status == HEED_OK)
        heed_model_free(again);
    return status;
}

static heed_status read_bytes(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    char *text = malloc(size + 1); /* not of the context: it is the test's own */
    assert_non_null(text);
    memcpy(text, bytes, size);
    text[size] = '\0';
    heed_status status = read_twice(c, text);
    free(text);
    return status;
}

static void survives_damage(void **state)
{
    size_t read = heed_test_flip(read_bytes, NULL, architecture, architecture_size, (size_t)1 << 30, 2000, 1);
    assert_true(read < 2000);
    for (size_t size = 1; size < architecture_size; size += 97) {
        heed_context *c;
        assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
        assert_int_not_equal(read_bytes(c, (const unsigned char *)architecture, size, NULL), HEED_OK);
        assert_string_not_equal(heed_error(c), "");
        heed_context_free(c);
    }
}

static heed_status read_whole(heed_context *c, void *user) { return read_twice(c, architecture); }

static void survives_every_failing_allocation(void **state) { heed_test_each_allocation_fails(read_whole, NULL); }

int main(void)
{
    architecture = heed_test_read_file(HEED_FIXTURES "/models/translator_keras3.json", &architecture_size);
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives_damage), cmocka_unit_test(survives_every_failing_allocation)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(architecture);
    return failed;
}
