/* Models of the collections' layers, written in layers of Keras: heed reads its own file, which holds nothing else, and
 * computes what the collections' own software did. That real Keras opens these files,
 * tests/fixtures/make/check_builtin.py has seen. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/json.h"
#include "heed/attention.h"
#include "heed/files.h"
#include "heed/layers.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 32 };
static const char written[] = "test_builtin.keras";
/* One layer of each file src/formats/builtin_*.c. */
static const char *const samples[] = {"self_attention/seq_additive_width_3", "multi_head/wrapper_hidden",
                                      "layer_collection/resize_bilinear_23", "layer_collection/heads_plain",
                                      "layer_collection/discrete_resize_1"};

typedef struct trial {
    heed_context *context;
    heed_arrays   arrays;
    heed_zone     zone;
    heed_json    *json;
    heed_model   *model, *reread;
} trial;

static heed_array *numbered(trial *t, const char *prefix, int index)
{
    char name[32];
    snprintf(name, sizeof name, "%s%d", prefix, index);
    return heed_arrays_get(&t->arrays, name);
}

static heed_status open_fixture(trial *t, const char *path)
{
    const heed_json *from;
    HEED_TRY(heed_arrays_load(t->context, path, &t->arrays));
    const heed_array *text = heed_arrays_get(&t->arrays, "json");
    HEED_TRY(heed_json_parse(&t->zone, path, text->data, (size_t)heed_array_count(text), &t->json));
    from = heed_json_find(t->json, "from");
    const char *choices[] = {heed_json_is(from, HEED_JSON_STRING) ? from->text : NULL, NULL};
    heed_text config = {.context = t->context};
    heed_json_write(&config, heed_json_find(t->json, "config"), 0);
    heed_status status = heed_text_status(&config);
    if (status == HEED_OK)
        status = heed_load_model_memory(t->context, path, config.bytes, config.length,
                                        &(heed_load_config){.from = choices}, &t->model);
    heed_text_free(&config);
    return status;
}

static heed_status set_weights(trial *t)
{
    heed_array weights[MOST];
    int count = 0;
    for (heed_array *a; count < MOST && (a = numbered(t, "w", count)) != NULL; count++)
        weights[count] = *a;
    return heed_set_weights(t->model, weights, count);
}

static bool is_of_keras(heed_model *m)
{
    bool all = true;
    for (int i = 0; i < heed_model_layer_count(m); i++) {
        const char *collection = heed_layer_class_of(heed_model_layer_at(m, i))->collection;
        all &= strcmp(collection, "keras") == 0 || strcmp(collection, "keras.ops") == 0;
    }
    return all;
}

typedef const char *name_function(const heed_model *m, int index);

/* The fixture's arrays x0, x1, ... or y0, ... under the names that the model has for them. */
static heed_status take(trial *t, heed_model *m, const char *prefix, int count, name_function *name, heed_arrays *out)
{
    for (int i = 0; i < count; i++) {
        heed_array *given = numbered(t, prefix, i), *copy;
        HEED_TRY(heed_array_convert(t->context, given, given->dtype, &copy));
        HEED_TRY(heed_arrays_add(out, name(m, i), copy));
    }
    return HEED_OK;
}

static heed_status predict(trial *t, heed_model *m, heed_arrays *y)
{
    heed_arrays x = {.context = t->context};
    heed_status status = take(t, m, "x", heed_model_input_count(m), heed_model_input_name, &x);
    if (status == HEED_OK)
        status = heed_predict(m, &x, y, .batch_size = 1000);
    heed_arrays_free(&x);
    return status;
}

static double distance(const heed_array *a, const heed_array *b)
{
    const float *x = a->data, *y = b->data;
    double worst = heed_shape_equal(&a->shape, &b->shape) ? 0.0 : INFINITY;
    for (int64_t i = 0; i < heed_array_count(a) && worst < INFINITY; i++)
        worst = fmax(worst, fabs((double)x[i] - y[i]) / fmax(1.0, fabs((double)y[i])));
    return worst;
}

/* Single precision is poor where 10000 was subtracted, as the fixture's "rounding" tells. */
static bool compare(trial *t, const char *name)
{
    heed_arrays y = {.context = t->context};
    const heed_json *rounding = heed_json_find(t->json, "rounding");
    double limit = fmax(1e-5, heed_json_is(rounding, HEED_JSON_REAL) ? 2.0 * rounding->real : 0.0);
    bool good = predict(t, t->reread, &y) == HEED_OK;
    if (!good)
        print_error("%s: %s\n", name, heed_error(t->context));
    for (int k = 0; k < heed_model_output_count(t->reread) && good; k++) {
        const char *output = heed_model_output_name(t->reread, k);
        double found = distance(heed_arrays_get(&y, output), numbered(t, "y", k));
        good = found <= limit && strcmp(output, heed_model_output_name(t->model, k)) == 0;
        if (!good)
            print_error("%s: output '%s' differs by %.2g (expected at most %.2g)\n", name, output, found, limit);
    }
    heed_arrays_free(&y);
    return good;
}

static bool check_fixture(heed_context *c, const char *group, const char *name, int keras)
{
    char path[600];
    trial t = {.context = c, .arrays = {.context = c}};
    heed_zone_init(&t.zone, c);
    snprintf(path, sizeof path, "%s/keras/%s/%s", HEED_FIXTURES, group, name);
    heed_status status = open_fixture(&t, path);
    if (status == HEED_OK)
        status = set_weights(&t);
    if (status == HEED_OK)
        status = heed_save_model(t.model, written, .builtin = true, .keras = keras);
    if (status == HEED_OK)
        status = heed_load_model(c, written, &t.reread);
    if (status != HEED_OK)
        print_error("%s/%s: %s\n", group, name, heed_error(c));
    bool good = status == HEED_OK && is_of_keras(t.reread) && compare(&t, name);
    heed_model_free(t.model);
    heed_model_free(t.reread);
    heed_arrays_free(&t.arrays);
    heed_zone_free(&t.zone);
    return good;
}

static int is_fixture(const struct dirent *e) { return strstr(e->d_name, ".npz") != NULL; }

static void check_group(void **state)
{
    struct dirent **files;
    char folder[600];
    heed_context *c;
    int bad = 0;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    snprintf(folder, sizeof folder, "%s/keras/%s", HEED_FIXTURES, (const char *)*state);
    int count = scandir(folder, &files, is_fixture, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        for (int keras = 2; keras <= 3; keras++)
            bad += !check_fixture(c, *state, files[i]->d_name, keras);
        free(files[i]);
    }
    free(files);
    remove(written);
    heed_context_free(c);
    assert_int_equal(bad, 0);
}

static heed_status write_builtin(heed_context *c, void *user)
{
    trial t = {.context = c, .arrays = {.context = c}};
    heed_zone_init(&t.zone, c);
    heed_status status = open_fixture(&t, user);
    if (status == HEED_OK)
        status = set_weights(&t);
    if (status == HEED_OK)
        status = heed_compile(t.model, .optimizer = "adam", .loss = "mse");
    if (status == HEED_OK)
        status = heed_optimizer_build(t.model);
    if (status == HEED_OK)
        status = heed_save_model(t.model, written, .builtin = true);
    heed_model_free(t.model);
    heed_arrays_free(&t.arrays);
    heed_zone_free(&t.zone);
    return status;
}

/* ---- the optimizer's state ---- */

/* A step of training towards half of what the fixture's layer gave. */
static heed_status train(trial *t, heed_model *m)
{
    heed_arrays x = {.context = t->context}, y = {.context = t->context};
    heed_status status = take(t, m, "x", heed_model_input_count(m), heed_model_input_name, &x);
    if (status == HEED_OK)
        status = take(t, m, "y", heed_model_output_count(m), heed_model_output_name, &y);
    for (size_t k = 0; k < y.count; k++)
        for (int64_t i = 0; i < heed_array_count(y.items[k].array); i++)
            ((float *)y.items[k].array->data)[i] *= 0.5f;
    if (status == HEED_OK)
        status = heed_fit(m, &x, &y, .batch_size = 1000, .no_shuffle = true);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    return status;
}

static void count_lost_states(void *user, heed_log_level level, const char *text)
{
    *(int *)user += level == HEED_LOG_WARNING && strstr(text, "the optimizer's state is left out") != NULL;
}

/* The farthest that the builtin model is from the one it was made of, having been trained for two more steps. */
static double part_after_two_steps(const char *fixture, const char *optimizer, int *lost)
{
    char path[600];
    trial t = {0};
    heed_arrays ours = {0}, theirs = {0};
    double worst = 0.0;
    *lost = 0;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1, .log = count_lost_states, .log_user = lost},
                                         &t.context), HEED_OK);
    t.arrays.context = ours.context = theirs.context = t.context;
    heed_zone_init(&t.zone, t.context);
    snprintf(path, sizeof path, "%s/keras/%s.npz", HEED_FIXTURES, fixture);
    heed_status status = open_fixture(&t, path);
    if (status == HEED_OK)
        status = set_weights(&t);
    if (status == HEED_OK)
        status = heed_compile(t.model, .optimizer = optimizer, .loss = "mse");
    for (int i = 0; i < 3 && status == HEED_OK; i++)
        status = train(&t, t.model);
    if (status == HEED_OK)
        status = heed_save_model(t.model, written, .builtin = true);
    if (status == HEED_OK)
        status = heed_load_model(t.context, written, &t.reread);
    for (int i = 0; i < 2 && status == HEED_OK; i++) {
        status = train(&t, t.model);
        if (status == HEED_OK)
            status = train(&t, t.reread);
    }
    if (status == HEED_OK)
        status = predict(&t, t.model, &ours);
    if (status == HEED_OK)
        status = predict(&t, t.reread, &theirs);
    if (status != HEED_OK)
        fail_msg("%s, %s: %s", fixture, optimizer, heed_error(t.context));
    for (size_t i = 0; i < ours.count; i++)
        worst = fmax(worst, distance(theirs.items[i].array, ours.items[i].array));
    heed_arrays_free(&ours);
    heed_arrays_free(&theirs);
    heed_model_free(t.model);
    heed_model_free(t.reread);
    heed_arrays_free(&t.arrays);
    heed_zone_free(&t.zone);
    heed_context_free(t.context);
    remove(written);
    return worst;
}

static void training_goes_on(void **state)
{
    static const char *const optimizers[] = {
        "adam(0.01, amsgrad=True)", "sgd(0.05, momentum=0.9, use_ema=True, ema_overwrite_frequency=2)", "nadam(0.01)",
        "rmsprop(exponential_decay(0.01, 2, 0.5), gradient_accumulation_steps=2)"};
    (void)state;
    for (size_t f = 0; f < sizeof samples / sizeof *samples; f++)
        for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
            int lost;
            double worst = part_after_two_steps(samples[f], optimizers[i], &lost);
            if (lost != 0 || worst > 1e-5)
                fail_msg("%s, %s: %d states lost, farthest %.2g", samples[f], optimizers[i], lost, worst);
        }
}

/* Adafactor keeps sums over rows and columns, which are others where a matrix is cut into heads. */
static void lost_states_are_told(void **state)
{
    int lost;
    (void)state;
    part_after_two_steps("multi_head/attention_four_heads", "adafactor(0.01)", &lost);
    assert_int_equal(lost, 1);
}

static void survives_every_failing_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/keras/%s.npz", HEED_FIXTURES, samples[i]);
        heed_test_each_allocation_fails(write_builtin, path);
    }
    remove(written);
}

/* ---- layers written as their own ---- */

/* Keras has a layer of the same name, with the same options. */
static void files_tell_whose_a_layer_is(void **state)
{
    static const char *const names[] = {"test_builtin.keras", "test_builtin.h5", "test_builtin.json"};
    heed_context *c;
    (void)state;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    heed_model *m = heed_sequential(c, "stack"), *again;
    heed_input(m, .shape = {2, {3, 4}});
    heed_add(m, heed_layer_collection_layer_normalization(.epsilon = 0.01));
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        const char *path = names[i / 2], *from[] = {"keras", NULL};
        assert_int_equal(heed_save_model(m, path, .keras = 2 + (int)i % 2), HEED_OK);
        assert_int_equal(heed_load_model(c, path, &again), HEED_OK);
        assert_string_equal(heed_layer_class_of(heed_model_layer_at(again, 0))->collection, "keras-layer-collection");
        heed_model_free(again);
        if (strstr(path, ".json") != NULL) { /* the caller knows better */
            assert_int_equal(heed_load_model(c, path, &again, .from = from), HEED_OK);
            assert_string_equal(heed_layer_class_of(heed_model_layer_at(again, 0))->collection, "keras");
            heed_model_free(again);
        }
        remove(path);
    }
    heed_model_free(m);
    heed_context_free(c);
}

int main(void)
{
    static char groups[][24] = {"self_attention", "multi_head", "attention_layer", "layer_collection"};
    enum { GROUPS = sizeof groups / sizeof *groups };
    struct CMUnitTest tests[GROUPS + 4] = {cmocka_unit_test(survives_every_failing_allocation),
                                           cmocka_unit_test(training_goes_on), cmocka_unit_test(lost_states_are_told),
                                           cmocka_unit_test(files_tell_whose_a_layer_is)};
    for (size_t i = 0; i < GROUPS; i++)
        tests[i + 4] = (struct CMUnitTest){groups[i], check_group, NULL, NULL, groups[i]};
    return _cmocka_run_group_tests("builtin", tests, GROUPS + 4, NULL, NULL);
}
