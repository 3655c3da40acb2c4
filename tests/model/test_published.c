/* What files that people publish are like, and what becomes of files that cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/convolution.h"
#include "heed/files.h"
#include "heed/model.h"
#include "heed/normalization.h"

#include "formats/hdf5.h"
#include "formats/zip.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

static const char written[] = "test_published.file";

static int set_up(void **state) { return heed_context_create(NULL, (heed_context **)state); }

static int tear_down(void **state)
{
    heed_context_free(*state);
    remove(written);
    return 0;
}

static heed_model *make_tagger(heed_context *c, uint64_t seed)
{
    heed_model *m = heed_sequential(c, "tagger");
    heed_set_seed(m, seed);
    heed_input(m, .name = "x", .shape = {2, {HEED_ANY, 3}});
    heed_add(m, heed_lstm(.units = 2, .return_sequences = true, .name = "first"));
    heed_add(m, heed_dense(.units = 4, .name = "last"));
    CHECK(c, heed_build(m));
    return m;
}

static bool same_weights(const heed_model *a, const heed_model *b)
{
    bool same = heed_weight_count(a) == heed_weight_count(b);
    for (int i = 0; same && i < heed_weight_count(a); i++) {
        heed_variable *v = heed_weight_at(a, i), *w = heed_weight_at(b, i);
        same = memcmp(heed_variable_data(v), heed_variable_data(w),
                      (size_t)heed_shape_count(heed_variable_shape(v)) * sizeof(float)) == 0;
    }
    return same;
}

/* ---- names of Windows: layers\lstm\cell/vars/0 */

/* The file with one name for all groups above "vars". */
static void write_windows_names(heed_context *c, const char *path)
{
    heed_hdf5 *tree, *windows;
    CHECK(c, heed_hdf5_read_file(c, path, &tree));
    CHECK(c, heed_hdf5_create(c, &windows));
    for (const heed_hdf5 *n = tree; n != NULL; n = heed_hdf5_walk(tree, n)) {
        char place[200];
        heed_array *copy;
        if (n->array == NULL)
            continue;
        heed_hdf5_path(n, place, sizeof place);
        char *vars = strstr(place, "/vars/");
        for (char *at = place; (at = strchr(at, '/')) != NULL && at < vars;)
            *at = '\\';
        CHECK(c, heed_array_convert(c, n->array, n->array->dtype, &copy));
        CHECK(c, heed_hdf5_put(windows, place, copy));
    }
    assert_non_null(heed_hdf5_find(windows, "layers\\lstm\\cell/vars/0"));
    CHECK(c, heed_hdf5_write_file(windows, path));
    heed_hdf5_free(tree);
    heed_hdf5_free(windows);
}

static void test_names_of_windows(void **state)
{
    heed_context *c = *state;
    heed_model *m = make_tagger(c, 1), *other = make_tagger(c, 2);
    CHECK(c, heed_save_weights(m, "test_published.weights.h5"));
    write_windows_names(c, "test_published.weights.h5");
    assert_false(same_weights(m, other));
    CHECK(c, heed_load_weights(other, "test_published.weights.h5"));
    assert_true(same_weights(m, other));
    heed_model_free(m);
    heed_model_free(other);
}

static heed_status split_names(heed_context *c, void *user)
{
    (void)user;
    heed_hdf5 *tree, *group;
    HEED_TRY(heed_hdf5_create(c, &tree));
    heed_status status = heed_hdf5_group(tree, "layers\\lstm\\cell/vars", &group);
    if (status == HEED_OK)
        status = heed_hdf5_group(tree, "layers\\lstm/vars", &group);
    if (status == HEED_OK)
        status = heed_hdf5_split_names(tree);
    if (status == HEED_OK && (heed_hdf5_find(tree, "layers/lstm/cell/vars") == NULL ||
                              heed_hdf5_find(tree, "layers/lstm/vars") == NULL))
        status = HEED_EINTERNAL;
    heed_hdf5_free(tree);
    return status;
}

static void test_names_without_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(split_names, NULL);
}

/* ---- weights that do not fit change nothing */

static void test_weights_come_whole_or_not_at_all(void **state)
{
    heed_context *c = *state;
    heed_model *m = make_tagger(c, 1), *before = make_tagger(c, 1), *wider = heed_sequential(c, "wider");
    heed_input(wider, .name = "x", .shape = {2, {HEED_ANY, 3}});
    heed_add(wider, heed_lstm(.units = 2, .return_sequences = true));
    heed_add(wider, heed_dense(.units = 5));
    CHECK(c, heed_build(wider));
    static const char *const files[] = {"test_published.weights.h5", "test_published.h5", "test_published.npz"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (i == 0)
            CHECK(c, heed_save_weights(wider, files[i]));
        else
            CHECK(c, heed_save_model(wider, files[i]));
        assert_int_not_equal(heed_load_weights(m, files[i]), HEED_OK);
        assert_true(same_weights(m, before));
        remove(files[i]);
    }
    heed_model_free(m);
    heed_model_free(before);
    heed_model_free(wider);
}

/* ---- a layer that nobody knows is told before any weight is read */

static const char unknown[] = "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"m\", \"layers\": [{\"class_name\": "
                              "\"Strange\", \"config\": {\"name\": \"odd\", \"width\": 3}}]}}";

static void expect_unknown(heed_context *c)
{
    heed_model *m;
    assert_int_equal(heed_load(c, written, &m), HEED_ENOTFOUND);
    if (strstr(heed_error(c), "Strange") == NULL || strstr(heed_error(c), "odd") == NULL)
        fail_msg("%s", heed_error(c));
}

static void test_unknown_layers_come_before_weights(void **state)
{
    heed_context *c = *state;
    const heed_zip_member members[] = {{"config.json", unknown, sizeof unknown - 1},
                                       {"model.weights.h5", "no weights", 10}};
    CHECK(c, heed_zip_write(c, written, members, 2));
    expect_unknown(c);

    /* numbers that are packed, and not as they should be: the type says so before the data is looked at */
    heed_hdf5 *tree;
    heed_array *a;
    CHECK(c, heed_hdf5_create(c, &tree));
    CHECK(c, heed_hdf5_set_string(tree, "model_config", unknown));
    CHECK(c, heed_array_create(c, HEED_FLOAT32, &(heed_shape){1, {1 << 20}}, &a));
    CHECK(c, heed_hdf5_put(tree, "model_weights/odd/kernel", a));
    CHECK(c, heed_hdf5_write_file(tree, written));
    heed_hdf5_free(tree);
    size_t before = heed_memory_peak(c);
    expect_unknown(c);
    assert_in_range(heed_memory_peak(c) - before, 0, (5 << 20) + (1 << 18)); /* the file, and no array beside it */
}

/* ---- architectures packed as a text; names beside configs */

static void test_text_of_a_text(void **state)
{
    heed_context *c = *state;
    heed_model *m = make_tagger(c, 1), *again;
    char *json, packed[8192];
    CHECK(c, heed_model_to_json(m, &json));
    size_t used = 0;
    packed[used++] = '"';
    for (const char *at = json; *at != '\0'; at++) {
        if (*at == '"')
            packed[used++] = '\\';
        packed[used++] = *at;
        assert_in_range(used, 0, sizeof packed - 3);
    }
    packed[used++] = '"';
    heed_test_write_file(written, packed, used);
    CHECK(c, heed_load(c, written, &again));
    assert_int_equal(heed_weight_count(again), heed_weight_count(m));
    heed_free(c, json);
    heed_model_free(m);
    heed_model_free(again);
}

static void test_names_beside_configs(void **state)
{
    static const char json[] = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"Strange\", "
                               "\"name\": \"odd\", \"config\": {\"width\": 3}}]}}";
    heed_test_write_file(written, json, sizeof json - 1);
    expect_unknown(*state);
}

/* ---- kernels of Keras 1 with channels first, and of Theano */

static void put_list(heed_context *c, heed_hdf5 *tree, const char *backend, heed_array *kernel, heed_array *bias)
{
    static const char *const layers[] = {"conv"}, *const weights[] = {"conv_W", "conv_b"};
    heed_hdf5 *group;
    CHECK(c, heed_hdf5_set_strings(tree, "layer_names", layers, 1));
    if (backend != NULL)
        CHECK(c, heed_hdf5_set_string(tree, "backend", backend));
    CHECK(c, heed_hdf5_put(tree, "conv/conv_W", kernel));
    CHECK(c, heed_hdf5_put(tree, "conv/conv_b", bias));
    CHECK(c, heed_hdf5_group(tree, "conv", &group));
    CHECK(c, heed_hdf5_set_strings(group, "weight_names", weights, 2));
}

/* A kernel (2, 3, 2, 5) as it was kept: (5, 2, 2, 3), and turned around by Theano. */
static void test_kernels_of_other_times(void **state)
{
    heed_context *c = *state;
    for (int theano = 0; theano < 2; theano++) {
        heed_model *m = heed_sequential(c, "old");
        heed_input(m, .name = "x", .shape = {3, {4, 4, 2}});
        heed_add(m, heed_conv2d(.filters = 5, .kernel_size = HEED_DIMS(2, 2, 3), .name = "conv"));
        CHECK(c, heed_build(m));
        heed_hdf5 *tree;
        heed_array *kernel, *bias;
        CHECK(c, heed_hdf5_create(c, &tree));
        CHECK(c, heed_array_create(c, HEED_FLOAT32, &(heed_shape){4, {5, 2, 2, 3}}, &kernel));
        CHECK(c, heed_array_create(c, HEED_FLOAT32, &(heed_shape){1, {5}}, &bias));
        for (int i = 0; i < 60; i++)
            ((float *)kernel->data)[i] = (float)i;
        put_list(c, tree, theano ? "theano" : NULL, kernel, bias);
        CHECK(c, heed_hdf5_write_file(tree, written));
        CHECK(c, heed_load_weights(m, written));
        const float *now = heed_variable_data(heed_weight_at(m, 0));
        for (int place = 0; place < 6; place++)
            for (int in = 0; in < 2; in++)
                for (int out = 0; out < 5; out++) {
                    int was = theano ? 5 - place : place;
                    assert_true(now[(place * 2 + in) * 5 + out] == (float)((out * 2 + in) * 6 + was));
                }
        heed_hdf5_free(tree);
        heed_model_free(m);
    }
}

/* ---- what code holds is told */

static void test_code_is_told(void **state)
{
    heed_context *c = *state;
    static const struct {
        const char *code, *told;
    } codes[] = {
        /* lambda x: x / 127.5 - 1., by Python 3.7 and 3.11 */
        {"4wEAAAAAAAAAAQAAAAIAAABDAAAAcwwAAAB8AGQBGwBkAhgAUwApA07nAAAAAADgX0DnAAAAAAAA8D+pACkB2gF4cgMAAAByAwAAANoIPHN0cmlu"
         "Zz7aCDxsYW1iZGE+AwAAAPMAAAAA",
         "(it holds compiled Python code that deals with 127.5, 1)"},
        {"4wEAAAAAAAAAAAAAAAIAAAADAAAA8xIAAACXAHwAZAF6CwAAZAJ6CgAAUwApA07nAAAAAADgX0DnAAAAAAAA8D+pACkB2gF4cwEAAAAg+gg8c3Ry"
         "aW5nPvoIPGxhbWJkYT5yBwAAAAMAAABzDgAAAIAAiEGIZYlHkEKJSoAA8wAAAAA=",
         "(it holds compiled Python code that deals with 127.5, 1)"},
        /* a function with one in it, by the same */
        {"4wEAAAAAAAAABAAAAAQAAABDAAAAcx4AAAB8AFwCfQF9AmQBZAKEAH0DfAF0AKABfAKhARcAUwApA05jAQAAAAAAAAABAAAAAgAAAFMAAABzCAAA"
         "AHwAZAEUAFMAKQJO6QMAAACpACkB2gFxcgIAAAByAgAAANoIPHN0cmluZz7aCDxsYW1iZGE+BwAAAPMAAAAAehNnLjxsb2NhbHM+LjxsYW1iZGE+"
         "KQLaAUvaA2V4cCkE2gFh2gFt2gFz2gFocgIAAAByAgAAAHIEAAAA2gFnBQAAAHMGAAAAAAEIAQgB",
         "deals with 3, g.<locals>.<lambda>, K, exp)"},
        {"4wEAAAAAAAAAAAAAAAQAAAADAAAA80wAAACXAHwAXAIAAH0BfQJkAYQAfQN8AXQAAAAAAAAAAAAAAKABAAAAAAAAAAAAAAAAAAAAAAAAAAB8AqYB"
         "AACrAQAAAAAAAAAAegAAAFMAKQJOYwEAAAAAAAAAAAAAAAIAAAATAAAA8wwAAACXAHwAZAF6BQAAUwApAk7pAwAAAKkAKQHaAXFzAQAAACD6CDxz"
         "dHJpbmc++gg8bGFtYmRhPnoTZy48bG9jYWxzPi48bGFtYmRhPgcAAABzCgAAAIAAkAGQIZEDgADzAAAAACkC2gFL2gNleHApBNoBYdoBbdoBc9oB"
         "aHMEAAAAICAgIHIGAAAA2gFncg8AAAAFAAAAcyYAAACAANgICYFDgEGAYdgGE4BtgEHYCwyNUY9VilWQMYlYjFiJOtAEFXIIAAAA",
         "deals with 3, K, exp)"},
        {"4w", "(it holds compiled Python code)"},
        {"", "(it holds compiled Python code)"},
        {"no code", "(it holds compiled Python code)"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char json[1200];
        int length = snprintf(json, sizeof json, "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": "
                              "\"Lambda\", \"config\": {\"name\": \"odd\", \"function_type\": \"lambda\", \"function\": "
                              "[\"%s\", null, null]}}]}}", codes[i].code);
        heed_model *m;
        heed_test_write_file(written, json, (size_t)length);
        assert_int_equal(heed_load(c, written, &m), HEED_EUNSUPPORTED);
        if (strstr(heed_error(c), codes[i].told) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", codes[i].told, heed_error(c));
    }
}

/* ---- features by mean and variance that a file brings */

static void test_normalization_by_weights(void **state)
{
    heed_context *c = *state;
    heed_model *m = heed_sequential(c, "known");
    heed_input(m, .name = "x", .shape = {1, {2}});
    heed_add(m, heed_normalization(.name = "features"));
    CHECK(c, heed_build(m));
    float mean[2] = {1, -2}, variance[2] = {4, 0}, count = 6, x[1][2] = {{5, -2 + 3e-7f}}, y[1][2];
    const heed_array weights[] = {
        {HEED_FLOAT32, {1, {2}}, mean}, {HEED_FLOAT32, {1, {2}}, variance}, {HEED_FLOAT32, {0}, &count}};
    CHECK(c, heed_set_weights(m, weights, 3));
    heed_array in = {HEED_FLOAT32, {2, {1, 2}}, x}, out = {HEED_FLOAT32, {2, {1, 2}}, y};
    CHECK(c, heed_predict_on_batch(m, &in, 1, &out, 1));
    assert_true(fabsf(y[0][0] - 2) < 1e-6f);
    assert_true(fabsf(y[0][1] - (x[0][1] + 2) / 1e-7f) < 1e-3f); /* no division by 0 */
    heed_model_free(m);
}

/* A scale for each channel, as pictures are prepared for EfficientNet: what it is to heed, and to Keras. */
static void test_rescaling_by_feature(void **state)
{
    heed_context *c = *state;
    static const char json[] = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"Rescaling\", "
                               "\"config\": {\"name\": \"r\", \"batch_input_shape\": [null, 2], \"scale\": [2.0, 0.5], "
                               "\"offset\": 3.0}}]}}";
    heed_model *m;
    float x[1][2] = {{5, -4}}, y[1][2];
    heed_test_write_file(written, json, sizeof json - 1);
    CHECK(c, heed_load(c, written, &m));
    heed_array in = {HEED_FLOAT32, {2, {1, 2}}, x}, out = {HEED_FLOAT32, {2, {1, 2}}, y};
    CHECK(c, heed_predict_on_batch(m, &in, 1, &out, 1));
    assert_true(fabsf(y[0][0] - 13) < 1e-5f && fabsf(y[0][1] - 1) < 1e-5f);
    heed_model_free(m);
}

/* A metric that nobody knows does not keep a model from being trained as its file says. */
static void test_unknown_metrics(void **state)
{
    heed_context *c = *state;
    heed_hdf5 *tree;
    heed_model *m;
    CHECK(c, heed_hdf5_create(c, &tree));
    CHECK(c, heed_hdf5_set_string(tree, "keras_version", "2.1.2"));
    CHECK(c, heed_hdf5_set_string(tree, "model_config",
                                  "{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"Activation\", \"config\": "
                                  "{\"name\": \"a\", \"batch_input_shape\": [null, 2], \"activation\": \"tanh\"}}]}"));
    CHECK(c, heed_hdf5_set_string(tree, "training_config",
                                  "{\"loss\": \"mse\", \"metrics\": [\"accuracy\", \"qscore\"], \"optimizer_config\": "
                                  "{\"class_name\": \"RMSprop\", \"config\": {\"lr\": 0.5}}}"));
    heed_hdf5 *group;
    CHECK(c, heed_hdf5_group(tree, "model_weights", &group));
    CHECK(c, heed_hdf5_set_strings(group, "layer_names", NULL, 0));
    CHECK(c, heed_hdf5_write_file(tree, written));
    heed_hdf5_free(tree);
    CHECK(c, heed_load(c, written, &m));
    assert_true(heed_is_compiled(m));
    heed_model_free(m);
}

/* ---- unknown lengths of which thousands are cut off */

static void test_long_crops(void **state)
{
    heed_context *c = *state;
    heed_model *m = heed_sequential(c, "gene");
    heed_input(m, .name = "x", .shape = {2, {HEED_ANY, 4}});
    heed_add(m, heed_conv1d(.filters = 2, .kernel_size = 3, .padding = "same"));
    heed_add(m, heed_cropping1d(.cropping = HEED_DIMS(2, 5000, 5000)));
    CHECK(c, heed_build(m));
    const heed_shape *out = heed_model_output_shape(m, 0);
    assert_int_equal(out->rank, 3);
    assert_int_equal(out->dims[0], HEED_ANY);
    assert_int_equal(out->dims[1], HEED_ANY);
    assert_int_equal(out->dims[2], 2);
    heed_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_of_windows, set_up, tear_down),
        cmocka_unit_test(test_names_without_memory),
        cmocka_unit_test_setup_teardown(test_weights_come_whole_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_layers_come_before_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_of_a_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_beside_configs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kernels_of_other_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_code_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_normalization_by_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rescaling_by_feature, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_metrics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_crops, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
