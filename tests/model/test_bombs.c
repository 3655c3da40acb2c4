/* Architectures that ask for what no machine has, or that nobody meant: an error or a model, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/files.h"

#include <stdio.h>

static int with_context(void **state)
{
    heed_context_config config = {.threads = 1};
    return heed_context_create(&config, (heed_context **)state) == HEED_OK ? 0 : -1;
}

static int without_context(void **state)
{
    heed_context_free(*state);
    return 0;
}

/* ---- a model, run once on as small an input as it takes ---- */

static heed_status add_input(heed_model *m, int index, heed_arrays *x)
{
    heed_array *a;
    heed_shape shape = *heed_model_input_shape(m, index);
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] == HEED_ANY)
            shape.dims[i] = i == 0 ? 1 : 3;
    heed_status status = heed_array_create(x->context, heed_model_input_dtype(m, index), &shape, &a);
    return status == HEED_OK ? heed_arrays_add(x, heed_model_input_name(m, index), a) : status;
}

static heed_status run(heed_model *m)
{
    heed_context *c = heed_model_context(m);
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_status status = HEED_OK;
    for (int i = 0; i < heed_model_input_count(m) && status == HEED_OK; i++)
        status = add_input(m, i, &x);
    if (status == HEED_OK)
        status = heed_predict(m, &x, &y);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    return status;
}

static heed_status load_and_run(heed_context *c, const char *json)
{
    heed_model *m;
    char *text;
    heed_status status = heed_model_from_json(c, json, &m);
    if (status != HEED_OK)
        return status;
    status = heed_summary(m, &text);
    if (status == HEED_OK)
        heed_free(c, text);
    if (status == HEED_OK)
        status = run(m);
    heed_model_free(m);
    return status;
}

/* ---- single layers ---- */

#define LAYER(name, options) "{\"class_name\": \"" name "\", \"config\": {\"name\": \"bomb\", " options "}}"

static char *sequence_of(char *text, size_t size, const char *input, const char *layer)
{
    snprintf(text, size,
             "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"m\", \"layers\": [{\"class_name\": "
             "\"InputLayer\", \"config\": {\"name\": \"x\", \"batch_shape\": %s, \"dtype\": \"float32\"}}, %s]}}",
             input, layer);
    return text;
}

/* More bytes than can be counted: the count must not come round to a few. */
static void sizes_beyond_counting(void **state)
{
    static const struct {
        const char *input, *layer;
    } bombs[] = {
        {"[1, 1]", LAYER("RepeatVector", "\"n\": 4611686018427387904")},
        {"[1, 5, 3]", LAYER("ZeroPadding1D", "\"padding\": 1000000000000000")},
        {"[1, 5, 3]", LAYER("UpSampling1D", "\"size\": 9223372036854775807")},
    };
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        char json[1000];
        heed_status status = load_and_run(*state, sequence_of(json, sizeof json, bombs[i].input, bombs[i].layer));
        if (status == HEED_OK || heed_error(*state)[0] == '\0')
            fail_msg("%s: status %d, \"%s\"", bombs[i].layer, (int)status, heed_error(*state));
        assert_true(heed_memory_peak(*state) < 1 << 20);
    }
}

/* ---- wiring ---- */

#define NODE(name, class, options, from) \
    "{\"class_name\": \"" class "\", \"name\": \"" name "\", \"config\": {\"name\": \"" name "\"" options \
    "}, \"inbound_nodes\": " from "}"

static void an_input_that_nothing_uses(void **state)
{
    static const char json[] =
        "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": ["
        NODE("x", "InputLayer", ", \"batch_input_shape\": [null, 3]", "[]") ", "
        NODE("idle", "InputLayer", ", \"batch_input_shape\": [null, 2]", "[]") ", "
        NODE("y", "Activation", ", \"activation\": \"relu\"", "[[[\"x\", 0, 0, {}]]]")
        "], \"input_layers\": [[\"x\", 0, 0], [\"idle\", 0, 0]], \"output_layers\": [[\"y\", 0, 0]]}}";
    assert_int_equal(load_and_run(*state, json), HEED_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sizes_beyond_counting, with_context, without_context),
        cmocka_unit_test_setup_teardown(an_input_that_nothing_uses, with_context, without_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
