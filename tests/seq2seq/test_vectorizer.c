/* Models that begin with a layer for texts, against what Keras and tf-keras made of the same texts: tests/fixtures/texts. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/json.h"
#include "heed/files.h"
#include "heed/vectorizer.h"
#include "support/context.h"
#include "support/failing_allocator.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

enum { MOST_TEXTS = 16 };
static const double tolerance = 1e-5;

typedef struct expected {
    heed_zone   zone;
    heed_arrays numbers;
    const char *texts[MOST_TEXTS];
    int64_t     count;
} expected;

static void open_expected(heed_context *c, const char *path, expected *e)
{
    char place[800];
    heed_json *description;
    *e = (expected){.numbers = {.context = c}};
    heed_zone_init(&e->zone, c);
    snprintf(place, sizeof place, "%s.npz", path);
    CHECK(c, heed_arrays_load(c, place, &e->numbers));
    const heed_array *text = heed_arrays_get(&e->numbers, "json");
    CHECK(c, heed_json_parse(&e->zone, place, text->data, (size_t)heed_array_count(text), &description));
    const heed_json *texts = heed_json_find(description, "texts");
    for (const heed_json *item = texts->first; item != NULL && e->count < MOST_TEXTS; item = item->next)
        e->texts[e->count++] = item->text;
}

static void close_expected(expected *e)
{
    heed_arrays_free(&e->numbers);
    heed_zone_free(&e->zone);
}

static double number_at(const heed_array *a, int64_t i)
{
    return a->dtype == HEED_FLOAT32 ? (double)((const float *)a->data)[i] : (double)((const int32_t *)a->data)[i];
}

static void check_equal(const char *path, const char *what, const heed_array *found, const heed_array *wanted)
{
    if (heed_array_count(found) != heed_array_count(wanted) || found->shape.dims[0] != wanted->shape.dims[0])
        fail_msg("%s: %s has another size", path, what);
    for (int64_t i = 0; i < heed_array_count(wanted); i++) {
        double a = number_at(found, i), b = number_at(wanted, i);
        if (!(fabs(a - b) <= tolerance * fmax(1.0, fabs(b))))
            fail_msg("%s: %s [%d] is %.7g, expected %.7g", path, what, (int)i, a, b);
    }
}

/* The texts as each input of the model takes them. */
static void vectorize_all(heed_context *c, heed_model *m, const char *path, const expected *e, heed_arrays *x)
{
    *x = (heed_arrays){.context = c};
    for (int i = 0; i < heed_model_input_count(m); i++) {
        heed_vectorizer *v;
        heed_array *a;
        char name[20];
        assert_true(heed_takes_texts(m, i));
        CHECK(c, heed_vectorizer_of(m, i, &v));
        CHECK(c, heed_vectorize(v, e->texts, e->count, &a));
        heed_vectorizer_free(v);
        snprintf(name, sizeof name, "v%d", i);
        check_equal(path, name, a, heed_arrays_get(&e->numbers, name));
        CHECK(c, heed_arrays_add(x, heed_model_input_name(m, i), a));
    }
}

static void check_model(heed_context *c, heed_model *m, const char *path, const expected *e)
{
    heed_arrays x, y = {.context = c};
    vectorize_all(c, m, path, e, &x);
    CHECK(c, heed_predict(m, &x, &y));
    check_equal(path, "y0", y.items[0].array, heed_arrays_get(&e->numbers, "y0"));
    heed_arrays_free(&x);
    heed_arrays_free(&y);
}

static void check_texts(heed_context *c, heed_model *m, const char *path, const expected *e)
{
    heed_arrays x;
    vectorize_all(c, m, path, e, &x);
    heed_arrays_free(&x);
}

/* As heed writes it again: with the layer, for which Keras looks, and to the same numbers. */
static void check_again(heed_context *c, heed_model *m, const char *path, const expected *e)
{
    static const char *const names[] = {"test_vectorizer.keras", "test_vectorizer.h5", "test_vectorizer.json"};
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        heed_model *saved;
        const char *name = names[i / 2];
        CHECK(c, heed_save_model(m, name, .keras = 2 + (int)i % 2));
        CHECK(c, heed_load(c, name, &saved));
        assert_int_equal(heed_model_input_count(saved), heed_model_input_count(m));
        assert_string_equal(heed_model_input_name(saved, 0), heed_model_input_name(m, 0));
        if (strstr(name, ".json") == NULL)
            check_model(c, saved, path, e);
        else
            check_texts(c, saved, path, e);
        heed_model_free(saved);
        remove(name);
    }
}

static void check_layer_is_written(heed_context *c, heed_model *m)
{
    char *json;
    CHECK(c, heed_model_to_json(m, &json));
    assert_true(strstr(json, "\"TextVectorization\"") != NULL || strstr(json, "\"StringLookup\"") != NULL);
    assert_non_null(strstr(json, "\"dtype\": \"string\""));
    heed_free(c, json);
}

static void check_file(heed_context *c, const char *path)
{
    expected e;
    heed_model *m;
    open_expected(c, path, &e);
    if (heed_load(c, path, &m) != HEED_OK)
        fail_msg("%s: %s", path, heed_error(c));
    assert_non_null(strstr(heed_model_input_name(m, 0), "text"));
    check_model(c, m, path, &e);
    check_layer_is_written(c, m);
    check_again(c, m, path, &e);
    heed_model_free(m);
    close_expected(&e);
}

static int is_model(const struct dirent *e)
{
    return strstr(e->d_name, ".npz") == NULL && (strstr(e->d_name, ".keras") != NULL || strstr(e->d_name, ".h5") != NULL);
}

static void test_as_keras(void **state)
{
    struct dirent **files;
    int count = scandir(HEED_FIXTURES "/texts", &files, is_model, alphasort);
    assert_true(count > 30);
    for (int i = 0; i < count; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/texts/%s", HEED_FIXTURES, files[i]->d_name);
        check_file(*state, path);
        free(files[i]);
    }
    free(files);
}

static void test_no_texts(void **state)
{
    heed_context *c = *state;
    heed_model *m;
    heed_vectorizer *v;
    CHECK(c, heed_load(c, HEED_FIXTURES "/models/tagger_keras3.keras", &m));
    assert_false(heed_takes_texts(m, 0));
    assert_false(heed_takes_texts(m, 1));
    assert_int_equal(heed_vectorizer_of(m, 0, &v), HEED_ENOTFOUND);
    assert_null(v);
    heed_vectorizer_free(v);
    heed_model_free(m);
}

static void check_description(heed_context *c, const char *description, heed_status status, const char *error)
{
    heed_model *m;
    heed_vectorizer *v;
    CHECK(c, heed_load(c, HEED_FIXTURES "/models/tagger_keras3.keras", &m));
    char name[100];
    snprintf(name, sizeof name, "text/%s.json", heed_model_input_name(m, 0));
    CHECK(c, heed_set_asset(m, name, description, strlen(description)));
    assert_int_equal(heed_vectorizer_of(m, 0, &v), status);
    if (strstr(heed_error(c), error) == NULL)
        fail_msg("%s: %s", description, heed_error(c));
    heed_model_free(m);
}

static void test_what_is_refused(void **state)
{
    heed_context *c = *state;
    check_description(c, "{", HEED_EFORMAT, "the text layer");
    check_description(c, "{}", HEED_EFORMAT, "lacks the text layer's vocabulary");
    check_description(c, "{\"config\": {\"standardize\": {\"class_name\": \"function\"}, \"vocabulary\": []}}", HEED_EUNSUPPORTED,
                      "standardize");
    check_description(c, "{\"config\": {\"split\": \"sentences\", \"vocabulary\": []}}", HEED_EUNSUPPORTED, "split=sentences");
    check_description(c, "{\"config\": {\"num_oov_indices\": 2, \"vocabulary\": []}}", HEED_EUNSUPPORTED, "num_oov_indices=2");
    check_description(c, "{\"config\": {\"vocabulary\": [\"a\", \"a\"]}}", HEED_EFORMAT, "'a' twice");
    check_description(c, "{\"config\": {\"output_mode\": \"tf_idf\", \"vocabulary\": [\"a\"]}}", HEED_EFORMAT, "idf_weights");
    check_description(c, "{\"config\": {\"ngrams\": 99, \"vocabulary\": [\"a\"]}}", HEED_EUNSUPPORTED, "n-grams");
    check_description(c, "{\"config\": {\"output_sequence_length\": -5, \"vocabulary\": [\"a\"]}}", HEED_EFORMAT, "out of range");
}

static heed_status vectorize_once(heed_context *c, void *user)
{
    static const char *const texts[] = {"the cat", "a dog, and a cat"};
    heed_model *m = NULL;
    heed_vectorizer *v = NULL;
    heed_array *a = NULL;
    heed_status status = heed_load(c, user, &m);
    if (status == HEED_OK)
        status = heed_vectorizer_of(m, 0, &v);
    if (status == HEED_OK)
        status = heed_vectorize(v, texts, 2, &a);
    if (status == HEED_OK)
        status = heed_save(m, "test_vectorizer.keras");
    if (status == HEED_OK)
        status = heed_save(m, "test_vectorizer.h5");
    heed_array_free(c, a);
    heed_vectorizer_free(v);
    heed_model_free(m);
    return status;
}

static void test_while_memory_fails(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(vectorize_once, HEED_FIXTURES "/texts/ngrams_keras3.keras");
    heed_test_each_allocation_fails(vectorize_once, HEED_FIXTURES "/texts/tf_idf_tfkeras.keras");
    remove("test_vectorizer.keras");
    remove("test_vectorizer.h5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_keras),
        cmocka_unit_test(test_no_texts),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_while_memory_fails),
    };
    return cmocka_run_group_tests(tests, heed_test_with_context, heed_test_without_context);
}
