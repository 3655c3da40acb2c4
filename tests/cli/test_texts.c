/* heed predict, fit, evaluate and convert on models that begin with layers for texts: tests/fixtures/texts/trained. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/json.h"
#include "heed/files.h"
#include "support/command.h"
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAINED HEED_FIXTURES "/texts/trained/"

static heed_context *context;
static heed_arrays fixture; /* of the model under test */

/* ---- a fixture's arrays as files: texts.txt, y.npy, numbers.npy ---- */

static void save_texts(const heed_array *description)
{
    heed_zone z;
    heed_json *object;
    heed_text lines = {.context = context};
    heed_zone_init(&z, context);
    assert_int_equal(heed_json_parse(&z, "json", description->data, (size_t)heed_array_count(description), &object), HEED_OK);
    for (const heed_json *item = heed_json_find(object, "texts")->first; item != NULL; item = item->next)
        heed_text_printf(&lines, "%s\n", item->text);
    assert_int_equal(heed_text_status(&lines), HEED_OK);
    heed_test_write_file("texts.txt", lines.bytes, lines.length);
    heed_text_free(&lines);
    heed_zone_free(&z);
}

static void save_array(const char *name, const char *path)
{
    heed_arrays one = {.context = context};
    heed_array *copy;
    const heed_array *a = heed_arrays_get(&fixture, name);
    if (a == NULL)
        return;
    assert_int_equal(heed_array_convert(context, a, a->dtype, &copy), HEED_OK);
    assert_int_equal(heed_arrays_add(&one, name, copy), HEED_OK);
    assert_int_equal(heed_arrays_save(&one, path), HEED_OK);
    heed_arrays_free(&one);
}

static void open_fixture(const char *path)
{
    char place[800];
    snprintf(place, sizeof place, "%s.npz", path);
    fixture = (heed_arrays){.context = context};
    if (heed_arrays_load(context, place, &fixture) != HEED_OK)
        fail_msg("%s", heed_error(context));
    save_texts(heed_arrays_get(&fixture, "json"));
    save_array("y", "y.npy");
    save_array("numbers", "numbers.npy");
}

/* Runs "heed COMMAND MODEL INPUTS REST", where INPUTS come by this option. */
static void run(const char *command, const char *model, const char *option, bool mixed, const char *rest)
{
    char line[1600], inputs[200];
    if (mixed)
        snprintf(inputs, sizeof inputs, "%s text=texts.txt %s numbers=numbers.npy", option, option);
    else
        snprintf(inputs, sizeof inputs, "%s texts.txt", option);
    snprintf(line, sizeof line, "heed %s %s %s %s --quiet", command, model, inputs, rest);
    if (heed_test_run(line) != 0)
        fail_msg("%s: %s", line, heed_test_err);
}

static float number_of(const char *name, int index) { return ((const float *)heed_arrays_get(&fixture, name)->data)[index]; }

static void check_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-5 * fmax(1.0, fabs(expected))))
        fail_msg("found %.8g, expected %.8g", found, expected);
}

/* ---- what Keras did ---- */

static void check_prediction(const char *model, bool mixed)
{
    heed_arrays y = {.context = context};
    run("predict", model, "--input", mixed, "--output o.npy --batch-size 2");
    assert_int_equal(heed_arrays_load(context, "o.npy", &y), HEED_OK);
    const heed_array *found = y.items[0].array, *expected = heed_arrays_get(&fixture, "after");
    assert_true(heed_shape_equal(&found->shape, &expected->shape));
    for (int64_t i = 0; i < heed_array_count(expected); i++)
        check_near((double)((const float *)found->data)[i], (double)((const float *)expected->data)[i]);
    heed_arrays_free(&y);
}

static void check_as_keras(const char *path, bool mixed)
{
    char line[100], *text, *row;
    open_fixture(path);
    run("evaluate", path, "--x", mixed, "--y y.npy --batch-size 3 --json");
    check_near(atof(strchr(heed_test_out, ':') + 1), (double)number_of("before", 0));
    run("fit", path, "--x", mixed, "--y y.npy --batch-size 2 --epochs 2 --no-shuffle --history h.csv --save s.keras");
    row = text = heed_test_read_file("h.csv", NULL);
    for (int epoch = 0; epoch < 2; epoch++) {
        row = strchr(row, '\n') + 1;
        check_near(atof(strchr(row, ',') + 1), (double)number_of("loss", epoch));
    }
    free(text);
    check_prediction("s.keras", mixed);
    snprintf(line, sizeof line, "heed convert s.keras s.h5");
    assert_int_equal(heed_test_run(line), 0);
    check_prediction("s.h5", mixed);
    heed_arrays_free(&fixture);
}

static void test_texts(void **state)
{
    (void)state;
    check_as_keras(TRAINED "trained_keras3.keras", false);
    check_as_keras(TRAINED "trained_tfkeras.keras", false);
}

static void test_texts_beside_numbers(void **state)
{
    (void)state;
    check_as_keras(TRAINED "trained_mixed_keras3.keras", true);
    check_as_keras(TRAINED "trained_mixed_tfkeras.keras", true);
}

static void test_refusals(void **state)
{
    (void)state;
    open_fixture(TRAINED "trained_mixed_keras3.keras");
    heed_test_fails("heed predict " TRAINED "trained_mixed_keras3.keras --input texts.txt --output o.npz", 1,
                    "heed: functional: input 'numbers' is missing (found text)\n");
    heed_test_write_file("short.txt", "one\ntwo\n", 8);
    heed_test_fails("heed predict " TRAINED "trained_mixed_keras3.keras --input numbers=numbers.npy --input short.txt --output o.npz",
                    1, "heed: short.txt: text has fewer rows than the arrays before it\n");
    heed_test_fails("heed evaluate " TRAINED "trained_keras3.keras --x /dev/null --y y.npy", 1,
                    "heed: /dev/null: there are no lines in it\n");
    heed_test_fails("heed predict " HEED_FIXTURES "/texts/twice_keras3.keras --input texts.txt --output o.npz", 1,
                    "heed: texts.txt: several inputs take texts (expected the name of one)\nhint: NAME=FILE says it\n");
    heed_arrays_free(&fixture);
}

static int remove_files(void **state)
{
    heed_test_run("rm -f texts.txt short.txt y.npy numbers.npy o.npy o.npz h.csv s.keras s.h5");
    return heed_test_forget_command(state);
}

int main(void)
{
    if (!heed_test_has_command() || heed_context_create(NULL, &context) != HEED_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_texts_beside_numbers),
        cmocka_unit_test(test_refusals),
    };
    int failed = cmocka_run_group_tests(tests, NULL, remove_files);
    heed_context_free(context);
    return failed;
}
