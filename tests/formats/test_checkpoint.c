/* SavedModels and checkpoints: what they hold is compared with Keras by tests/model/test_keras_fixtures.c; here is what else a
 * path may mean, what is refused, and damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/keras_checkpoint.h"
#include "heed/files.h"
#include "heed/layers.h"
#include "heed/normalization.h"
#include "support/context.h"
#include "support/damage.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODELS HEED_FIXTURES "/models/"
#define TODAYS MODELS "frozen_tfkeras"

static const char *const writers[] = {MODELS "frozen_tf2.1", MODELS "frozen_tf2.4", TODAYS};
enum { WRITERS = sizeof writers / sizeof *writers };

static void expect_error(heed_context *c, heed_status found, heed_status expected, const char *part)
{
    assert_int_equal(found, expected);
    if (strstr(heed_error(c), part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", heed_error(c), part);
    heed_error_clear(c);
}

/* Whether the model predicts what Keras did. */
static void expect_predictions(heed_context *c, heed_model *m, const char *writer)
{
    char path[300];
    heed_arrays numbers = {.context = c};
    snprintf(path, sizeof path, "%s.npz", writer);
    assert_int_equal(heed_arrays_load(c, path, &numbers), HEED_OK);
    const heed_array *x = heed_arrays_get(&numbers, "x0"), *y = heed_arrays_get(&numbers, "y0");
    float found[12];
    heed_array out = {HEED_FLOAT32, {2, {6, 2}}, found};
    assert_int_equal(heed_predict_on_batch(m, x, 1, &out, 1), HEED_OK);
    for (int i = 0; i < 12; i++)
        assert_true(fabsf(found[i] - ((float *)y->data)[i]) < 1e-5f);
    heed_arrays_free(&numbers);
}

/* PREFIX, one of its files, and the SavedModel around one. */
static void takes_weights_out_of_checkpoints(void **state)
{
    static const char *const endings[] = {".weights", ".weights.index", ".weights.data-00000-of-00001", ""};
    heed_context *c = *state;
    for (size_t i = 0; i < WRITERS; i++)
        for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
            char json[300], weights[300];
            heed_model *m;
            snprintf(json, sizeof json, "%s.json", writers[i]);
            snprintf(weights, sizeof weights, "%s%s", writers[i], endings[k]);
            if (heed_load_model(c, json, &m, .weights = weights) != HEED_OK)
                fail_msg("%s: %s", weights, heed_error(c));
            expect_predictions(c, m, writers[i]);
            heed_model_free(m);
        }
}

static heed_model *new_model(heed_context *c, int units, int layers)
{
    heed_model *m = heed_sequential(c, "other");
    heed_input(m, .shape = {1, {4}});
    for (int i = 0; i < layers; i++)
        heed_add(m, heed_dense(.units = units));
    return m;
}

static void refuses_what_does_not_fit(void **state)
{
    heed_context *c = *state;
    heed_model *m;
    expect_error(c, heed_load_model(c, TODAYS ".json", &m, .weights = TODAYS ".weights", .weights_by_name = true), HEED_EUNSUPPORTED,
                 "names of layers");
    m = new_model(c, 4, 3); /* the file's first layer has four weights, and not two */
    expect_error(c, heed_load_weights(m, TODAYS ".weights"), HEED_EFORMAT, "(expected 2, found 4)");
    heed_model_free(m);
    m = heed_sequential(c, "fewer");
    heed_input(m, .shape = {1, {4}});
    heed_add(m, heed_batch_normalization());
    expect_error(c, heed_load_weights(m, TODAYS ".weights"), HEED_EFORMAT, "more layers with weights than the model (1)");
    heed_model_free(m);
    m = heed_sequential(c, "other shape");
    heed_input(m, .shape = {1, {5}});
    heed_add(m, heed_batch_normalization());
    heed_add(m, heed_dense(.units = 4));
    expect_error(c, heed_load_weights(m, TODAYS ".weights"), HEED_EFORMAT, "(expected 2, found 7)");
    heed_model_free(m);
}

static void put(unsigned char *bytes, size_t *size, unsigned field, const char *text, size_t length)
{
    bytes[(*size)++] = (unsigned char)(field << 3 | 2);
    bytes[(*size)++] = (unsigned char)length;
    memcpy(bytes + *size, text, length);
    *size += length;
}

/* What Keras leaves of a model whose class is a user's own, and a SavedModel of another library. */
static void tells_what_no_layers_are_in(void **state)
{
    static const char metadata[] = "{\"name\": \"mine\", \"class_name\": \"Mine\", \"keras_version\": \"2.11.0\"}";
    unsigned char node[200], file[200];
    size_t node_size = 0, size = 0;
    heed_context *c = *state;
    heed_model *m;
    mkdir("test_checkpoint", 0777);
    heed_test_write_file("test_checkpoint/saved_model.pb", "", 0);
    expect_error(c, heed_load_model(c, TODAYS ".json", &m, .weights = "test_checkpoint"), HEED_EIO, "variables/variables.index");
    expect_error(c, heed_load_model(c, "test_checkpoint", &m), HEED_EUNSUPPORTED, "that Keras did not save");
    put(node, &node_size, 3, "root", 4);
    put(node, &node_size, 5, metadata, sizeof metadata - 1);
    put(file, &size, 1, (char *)node, node_size);
    heed_test_write_file("test_checkpoint/keras_metadata.pb", file, size);
    expect_error(c, heed_load_model(c, "test_checkpoint", &m), HEED_EUNSUPPORTED, "a class of its own (Mine)");
    heed_test_write_file("test_checkpoint/keras_metadata.pb", file, size - 1); /* its message is cut */
    expect_error(c, heed_load_model(c, "test_checkpoint", &m), HEED_EUNSUPPORTED, "that Keras did not save");
    unlink("test_checkpoint/keras_metadata.pb");
    unlink("test_checkpoint/saved_model.pb");
    rmdir("test_checkpoint");
}

/* ---- damage: one file of a checkpoint at a time, the other as it was */

typedef struct damaging {
    const char *damaged; /* its ending */
} damaging;

static heed_status read_damaged(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    const damaging *d = user;
    char path[64];
    heed_checkpoint *checkpoint;
    heed_status status;
    snprintf(path, sizeof path, "test_checkpoint%s", d->damaged);
    unlink(path); /* a new file is made sooner than an old one is emptied */
    heed_test_write_file(path, bytes, size);
    HEED_TRY(heed_checkpoint_open(c, "test_checkpoint", &checkpoint));
    status = HEED_OK;
    for (size_t i = 0; i < checkpoint->object_count && status == HEED_OK; i++) {
        heed_array *a;
        if (checkpoint->objects[i].key == NULL)
            continue;
        status = heed_checkpoint_array(checkpoint, checkpoint->objects[i].key, &a);
        heed_array_free(c, a);
    }
    heed_checkpoint_free(checkpoint);
    return status;
}

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { CHECKED = 0 };
#else
enum { CHECKED = 1 }; /* checksums */
#endif

static void survives_damage(void **state)
{
    static const char *const endings[] = {".index", ".data-00000-of-00001"};
    for (int i = 0; i < 2; i++) {
        damaging d = {.damaged = endings[i]};
        char from[300], to[64];
        size_t size, whole_size;
        snprintf(from, sizeof from, TODAYS ".weights%s", endings[!i]);
        snprintf(to, sizeof to, "test_checkpoint%s", endings[!i]);
        char *whole = heed_test_read_file(from, &whole_size);
        heed_test_write_file(to, whole, whole_size);
        snprintf(from, sizeof from, TODAYS ".weights%s", endings[i]);
        char *bytes = heed_test_read_file(from, &size);
        /* checksums are behind all numbers and the whole index, but not the text of the graph; so a cut shows, the last byte apart */
        assert_int_equal(heed_test_truncate(read_damaged, &d, bytes, size, 1 << 20), 1);
        size_t read = heed_test_flip(read_damaged, &d, bytes, size, 1 << 20, 300, 7);
        assert_true(i == 0 && CHECKED ? read < 15 : read <= 300); /* of the index, only what the footer holds for nothing */
        free(bytes);
        free(whole);
    }
    unlink("test_checkpoint.index");
    unlink("test_checkpoint.data-00000-of-00001");
}

static void needs_its_numbers(void **state)
{
    heed_context *c = *state;
    size_t size;
    char *index = heed_test_read_file(TODAYS ".weights.index", &size);
    heed_test_write_file("test_alone.index", index, size);
    heed_checkpoint *checkpoint;
    expect_error(c, heed_checkpoint_open(c, "test_alone", &checkpoint), HEED_EIO, "test_alone.data-00000-of-00001");
    unlink("test_alone.index");
    free(index);
}

static heed_status load(heed_context *c, void *user)
{
    heed_model *m;
    HEED_TRY(heed_load_model(c, user, &m));
    heed_model_free(m);
    return HEED_OK;
}

static void survives_every_failing_allocation(void **state)
{
    heed_test_each_allocation_fails(load, MODELS "frozen_tf2.4");
    heed_test_each_allocation_fails(load, TODAYS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_weights_out_of_checkpoints), cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(tells_what_no_layers_are_in),      cmocka_unit_test(survives_damage),
        cmocka_unit_test(needs_its_numbers),                cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, heed_test_with_context, heed_test_without_context);
}
