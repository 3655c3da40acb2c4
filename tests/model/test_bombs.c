/* Architectures that ask for what no machine has, or that nobody meant: an error or a model, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/context.h"
#include "formats/json.h"
#include "heed/files.h"
#include "support/context.h"
#include "support/files.h"
#include "support/run_once.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t memory = (size_t)64 << 20;

static int with_context(void **state)
{
    heed_context_config config = {.threads = 1, .memory = memory};
    return heed_context_create(&config, (heed_context **)state) == HEED_OK ? 0 : -1;
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
        status = heed_test_run_once(m);
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

static void sizes_beyond_memory(void **state)
{
    static const struct {
        const char *input, *layer;
    } bombs[] = {
        {"[null, 8]", LAYER("Dense", "\"units\": 2147483648")},
        {"[null, 8]", LAYER("Dense", "\"units\": 4611686018427387904")},
        {"[null, 8]", LAYER("Dense", "\"units\": 1000000000000, \"use_bias\": false")},
        {"[null, 3]", LAYER("Embedding", "\"input_dim\": 1000000000000, \"output_dim\": 64")},
        {"[null, 3]", LAYER("Embedding", "\"input_dim\": 3, \"output_dim\": 9223372036854775807")},
        {"[null, 3]", LAYER("RepeatVector", "\"n\": 1000000000")},
        {"[1, 1]", LAYER("RepeatVector", "\"n\": 4611686018427387904")},
        {"[4611686018427387904, 1]", LAYER("Activation", "\"activation\": \"relu\"")},
        {"[1, 9223372036854775807]", LAYER("Flatten", "\"data_format\": \"channels_last\"")},
        {"[null, 5, 3]", LAYER("LSTM", "\"units\": 100000000")},
        {"[null, 5, 3]", LAYER("ZeroPadding1D", "\"padding\": 1000000000")},
        {"[null, 5, 3]", LAYER("ZeroPadding1D", "\"padding\": 4611686018427387904")},
        {"[null, 5, 3]", LAYER("UpSampling1D", "\"size\": 9223372036854775807")},
        {"[null, 5, 3]", LAYER("Conv1D", "\"filters\": 1000000000, \"kernel_size\": 1000000000")},
        {"[null, 5, 3]", LAYER("Conv1DTranspose", "\"filters\": 1, \"kernel_size\": 1, \"strides\": 9223372036854775807")},
        {"[null, 5, 3]", LAYER("Conv1D", "\"filters\": 1, \"kernel_size\": 3, \"dilation_rate\": 9223372036854775807")},
    };
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        char json[1000];
        heed_status status = load_and_run(*state, sequence_of(json, sizeof json, bombs[i].input, bombs[i].layer));
        if (status == HEED_OK || heed_error(*state)[0] == '\0')
            fail_msg("%s: status %d, \"%s\"", bombs[i].layer, (int)status, heed_error(*state));
        assert_true(heed_memory_peak(*state) <= memory);
    }
}

/* A layer of a size that could be is wired without memory for its weights: they may yet not be in the file. */
static void weights_have_no_memory_before_numbers(void **state)
{
    char json[1000];
    heed_model *m;
    sequence_of(json, sizeof json, "[null, 8]", LAYER("Dense", "\"units\": 100000000"));
    assert_int_equal(heed_model_from_json(*state, json, &m), HEED_OK);
    assert_int_equal(heed_parameter_count(m, false), 900000000);
    assert_true(heed_memory_peak(*state) < 1 << 20);
    assert_int_equal(heed_build(m), HEED_ENOMEM);
    assert_non_null(strstr(heed_error(*state), "out of memory"));
    heed_model_free(m);
}

/* ---- errors within models within models ---- */

/* Stacks in stacks, so deep, around a layer. */
static char *nest(int depth, const char *layer)
{
    static const char head[] = "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"stack\", \"layers\": ["
                               "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 4]}}, ";
    char *json = malloc((size_t)depth * (sizeof head + 3) + strlen(layer) + 1);
    assert_non_null(json);
    json[0] = '\0';
    for (int i = 0; i < depth; i++)
        strcat(json, head);
    strcat(json, layer);
    for (int i = 0; i < depth; i++)
        strcat(json, "]}}");
    return json;
}

/* The error begins with where it is and ends with why. */
static void check_reason(heed_context *c, int depth, const char *layer, const char *reason)
{
    heed_model *m;
    char *json = nest(depth, layer);
    assert_int_not_equal(heed_model_from_json(c, json, &m), HEED_OK);
    const char *error = heed_error(c), *found = strstr(error, reason);
    if (found == NULL || strcmp(found, reason) != 0 || strncmp(error, "architecture: config.layers[1]", 30) != 0)
        fail_msg("%d deep: \"%s\" (expected \"architecture: config.layers[1]...%s\")", depth, error, reason);
    free(json);
}

static void reasons_come_out_of_any_depth(void **state)
{
    for (int depth = 2; depth <= 30; depth += 7) {
        check_reason(*state, depth, LAYER("Wobble", "\"name\": \"w\", \"amount\": 3"),
                     ": layer 'w': no layer of this class: Wobble (its options: amount=3)");
        check_reason(*state, depth, LAYER("TransformerEncoder", "\"name\": \"w\", \"embed_dim\": 8"), /* not KerasHub's */
                     ": layer 'w': no layer of this class: TransformerEncoder (its options: embed_dim=8)");
        check_reason(*state, depth, LAYER("Dense", "\"name\": \"w\", \"units\": -3"),
                     ": Dense layer 'w': units is out of range (expected [1,), found -3)");
        check_reason(*state, depth, LAYER("Dense", "\"name\": \"w\", \"units\": \"many\""),
                     ": layer 'w': Dense: units is not what it should be (expected an integer, found 'many')");
        check_reason(*state, depth, LAYER("Reshape", "\"name\": \"w\", \"target_shape\": [3, 5]"),
                     "(expected (1009, 3, 5), found (1009, 4))");
    }
}

/* Each of the layers that a mistake comes by puts its name in front. */
static void a_long_error_keeps_its_end(void **state)
{
    heed_context *c = *state;
    heed_fail(c, HEED_EINVAL, "the reason");
    for (int i = 0; i < 200; i++)
        heed_fail_in(c, HEED_EINVAL, "Functional layer 'one of many'");
    const char *error = heed_error(c);
    assert_string_equal(error + strlen(error) - strlen(": the reason"), ": the reason");
    assert_int_equal(strncmp(error, "Functional layer 'one of many': ...: Functional layer", 53), 0);
}

/* ---- wiring ---- */

#define NODE(name, class, options, from) \
    "{\"class_name\": \"" class "\", \"name\": \"" name "\", \"config\": {\"name\": \"" name "\"" options "}, \"inbound_nodes\": " from "}"

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

/* Models in models, each of which calls the next one twice: 2^30 calls. */
static void models_that_unfold(void **state)
{
    enum { DEPTH = 30 };
    heed_text text = {.context = *state};
    heed_model *m;
    for (int i = DEPTH; i > 0; i--)
        heed_text_printf(&text, "%s{\"name\": \"m%d\", \"input_layers\": [[\"x\", 0, 0]], \"output_layers\": [[\"m%d\", 2, 0]], "
                                "\"layers\": [" NODE("x", "InputLayer", ", \"batch_input_shape\": [null, 3]", "[]")
                                ", {\"class_name\": \"Functional\", \"name\": \"m%d\", \"inbound_nodes\": "
                                "[[[\"x\", 0, 0, {}]], [[\"m%d\", 1, 0, {}]]], \"config\": ",
                         i == DEPTH ? "{\"class_name\": \"Functional\", \"config\": " : "", i, i - 1, i - 1, i - 1);
    heed_text_printf(&text, "{\"name\": \"m0\", \"input_layers\": [[\"x\", 0, 0]], \"output_layers\": [[\"y\", 0, 0]], "
                            "\"layers\": [" NODE("x", "InputLayer", ", \"batch_input_shape\": [null, 3]", "[]") ", "
                            NODE("y", "Activation", ", \"activation\": \"relu\"", "[[[\"x\", 0, 0, {}]]]") "]}");
    for (int i = DEPTH; i > 0; i--)
        heed_text_printf(&text, "}]}");
    heed_text_printf(&text, "}");
    assert_int_equal(heed_text_status(&text), HEED_OK);
    assert_int_equal(heed_model_from_json(*state, text.bytes, &m), HEED_EUNSUPPORTED);
    heed_text_free(&text);
}

/* ---- as many layers as there is room for ---- */

/* A chain of dense layers, listed from the first or from the last on. */
static char *chain_of(heed_context *c, int layers, bool backwards)
{
    heed_text text = {.context = c};
    heed_text_printf(&text, "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"input_layers\": [[\"l0\", 0, 0]], "
                            "\"output_layers\": [[\"l%d\", 0, 0]], \"layers\": [", layers);
    for (int k = 0; k <= layers; k++) {
        int i = backwards ? layers - k : k;
        heed_text_printf(&text, k == 0 ? "" : ", ");
        if (i == 0)
            heed_text_printf(&text, NODE("l0", "InputLayer", ", \"batch_input_shape\": [null, 2]", "[]"));
        else
            heed_text_printf(&text, NODE("l%d", "Dense", ", \"units\": 2", "[[[\"l%d\", 0, 0, {}]]]"), i, i, i - 1);
    }
    heed_text_printf(&text, "]}}");
    assert_int_equal(heed_text_status(&text), HEED_OK);
    return text.bytes;
}

/* What takes a time that grows with the square of their number would not end here while somebody waits. */
static void many_layers(void **state)
{
    enum { LAYERS = 20000 };
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1, .memory = (size_t)500 << 20}, &c), HEED_OK);
    for (int backwards = 0; backwards < 2; backwards++) {
        char *json = chain_of(c, LAYERS, backwards), *text;
        heed_model *m;
        assert_int_equal(heed_model_from_json(c, json, &m), HEED_OK);
        assert_int_equal(heed_weight_count(m), 2 * LAYERS);
        assert_int_equal(heed_summary(m, &text), HEED_OK);
        heed_free(c, text);
        heed_model_free(m);
        heed_free(c, json);
    }
    heed_context_free(c);
    (void)state;
}

/* The same for files with weights and an optimizer's state. */
static void many_weights(void **state)
{
    enum { LAYERS = 2000 };
    static const char *const files[] = {"bombs.keras", "bombs.h5"};
    heed_context *c;
    heed_model *m, *again;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1, .memory = (size_t)500 << 20}, &c), HEED_OK);
    char *json = chain_of(c, LAYERS, false);
    assert_int_equal(heed_model_from_json(c, json, &m), HEED_OK);
    assert_int_equal(heed_compile(m, .optimizer = "adam", .loss = "mse"), HEED_OK);
    assert_int_equal(heed_optimizer_build(m), HEED_OK);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(heed_save_model(m, files[i]), HEED_OK);
        assert_int_equal(heed_load(c, files[i], &again), HEED_OK);
        assert_int_equal(heed_optimizer_count(again), heed_optimizer_count(m));
        heed_model_free(again);
        remove(files[i]);
    }
    heed_model_free(m);
    heed_free(c, json);
    heed_context_free(c);
    (void)state;
}

/* ---- every value of an architecture replaced ---- */

static heed_json *next_value(heed_json *v)
{
    if ((v->type == HEED_JSON_ARRAY || v->type == HEED_JSON_OBJECT) && v->first != NULL)
        return v->first;
    while (v != NULL && v->next == NULL)
        v = v->parent;
    return v == NULL ? NULL : v->next;
}

static void try_value(heed_context *c, heed_json *root, heed_json *v, const char *text)
{
    heed_json *other, old = *v;
    heed_text written = {.context = c};
    heed_zone z;
    heed_zone_init(&z, c);
    assert_int_equal(heed_json_parse(&z, "value", text, strlen(text), &other), HEED_OK);
    *v = *other;
    v->key = old.key;
    v->parent = old.parent;
    v->next = old.next;
    heed_json_write(&written, root, 0);
    *v = old;
    heed_zone_free(&z);
    heed_error_clear(c);
    heed_status status = load_and_run(c, written.bytes);
    if (status == HEED_EINTERNAL || (status != HEED_OK && heed_error(c)[0] == '\0'))
        fail_msg("status %d, \"%s\": %s", (int)status, heed_error(c), written.bytes);
    heed_text_free(&written);
}

/* HEED_BOMBS=1 tries each value in turn everywhere, and not one of them in each place. */
static void values_that_nobody_meant(void **state)
{
    static const char *const values[] = {"9223372036854775807", "1000000000", "-1", "0", "NaN", "1e308", "null", "\"x\"", "[]",
                                         "{}", "[[[]]]", "[1000000000, 1000000000]", "true"};
    enum { VALUES = sizeof values / sizeof *values };
    heed_context *c = *state;
    size_t size, at = 0;
    char *text = heed_test_read_file(HEED_FIXTURES "/models/translator_keras3.json", &size);
    heed_zone z;
    heed_zone_init(&z, c);
    heed_json *root;
    assert_int_equal(heed_json_parse(&z, "architecture", text, size, &root), HEED_OK);
    for (heed_json *v = next_value(root); v != NULL; v = next_value(v), at++)
        for (size_t i = 0; i < VALUES; i++)
            if (i == at % VALUES || getenv("HEED_BOMBS") != NULL)
                try_value(c, root, v, values[i]);
    heed_zone_free(&z);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sizes_beyond_memory, with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(reasons_come_out_of_any_depth, with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(a_long_error_keeps_its_end, with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(weights_have_no_memory_before_numbers, with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(an_input_that_nothing_uses, with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(models_that_unfold, with_context, heed_test_without_context),
        cmocka_unit_test(many_layers),
        cmocka_unit_test(many_weights),
        cmocka_unit_test_setup_teardown(values_that_nobody_meant, with_context, heed_test_without_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
