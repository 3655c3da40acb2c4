/* Summaries against what Keras prints, to the character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/keras_config.h"
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a terminal of so many columns leaves for the table: Keras takes four off, and no more than it wants. */
static int width_for(int terminal, const heed_json *options, int wanted)
{
    const heed_json *given = heed_json_find(options, "line_length");
    if (given != NULL)
        return (int)given->integer;
    return terminal - 4 < wanted ? terminal - 4 : wanted;
}

static bool is_true(const heed_json *options, const char *key)
{
    const heed_json *v = heed_json_find(options, key);
    return v != NULL && v->boolean;
}

/* What Keras has after one fit, as far as a summary tells. */
static heed_status prepare_training(heed_model *m)
{
    HEED_TRY(heed_compile(m, .optimizer = "adam", .loss = "mse"));
    return heed_optimizer_build(m);
}

static void check_width(heed_model *m, const char *name, const heed_json *options, int terminal)
{
    char path[400], *text;
    bool trainable = is_true(options, "show_trainable"), nested = is_true(options, "expand_nested");
    bool wired = !heed_model_is_sequential(m);
    int width = width_for(terminal, options, (wired ? 108 : 88) + (trainable ? 12 : 0));
    snprintf(path, sizeof path, "%s/summary/%s_%d.txt", HEED_FIXTURES, name, terminal);
    char *expected = heed_test_read_file(path, NULL);
    heed_status status =
        heed_summary(m, &text, .line_length = width, .show_trainable = trainable, .expand_nested = nested);
    assert_int_equal(status, HEED_OK);
    if (strcmp(text, expected) != 0)
        fail_msg("%s on %d columns: found\n%s\nexpected\n%s", name, terminal, text, expected);
    heed_free(heed_model_context(m), text);
    free(expected);
}

static void check_summary(void **state)
{
    const char *name = *state;
    char path[400];
    heed_context *c;
    heed_zone z;
    heed_json *json;
    heed_model *m;
    size_t size;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    heed_zone_init(&z, c);
    snprintf(path, sizeof path, "%s/summary/%s.json", HEED_FIXTURES, name);
    char *bytes = heed_test_read_file(path, &size);
    assert_int_equal(heed_json_parse(&z, name, bytes, size, &json), HEED_OK);
    if (heed_keras_read_model(c, heed_json_find(json, "config"), NULL, &m) != HEED_OK)
        fail_msg("%s", heed_error(c));
    if (strcmp(name, "trained") == 0)
        assert_int_equal(prepare_training(m), HEED_OK);
    check_width(m, name, heed_json_find(json, "options"), 80);
    check_width(m, name, heed_json_find(json, "options"), 120);
    heed_model_free(m);
    free(bytes);
    heed_zone_free(&z);
    heed_context_free(c);
}

int main(void)
{
    static const char *const names[] = {
        "dense",  "dense_line_60", "encoder_decoder", "frozen", "frozen_trainable", "long_names",
        "masked", "nested",        "nested_expanded", "tagger", "trained",          "unbuilt"};
    enum { COUNT = sizeof names / sizeof *names };
    struct CMUnitTest tests[COUNT];
    for (int i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){names[i], check_summary, NULL, NULL, (void *)(uintptr_t)names[i]};
    return _cmocka_run_group_tests("summaries", tests, COUNT, NULL, NULL);
}
