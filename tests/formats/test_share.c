/* One loaded model, run by several threads at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/files.h"
#include "support/failing_allocator.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MODELS HEED_FIXTURES "/models/"

enum { THREADS = 3, RUNS = 20, MOST = 4 };

typedef struct worker {
    heed_context *context;
    heed_model   *model;
    heed_arrays   x, y;
    heed_status   status;
} worker;

static const char *const files[] = {"nested_keras3.keras", "translator_keras3.keras", "tagger_trained_tfkeras.h5",
                                    "attention_decoder_trained_keras208.h5"};

/* The inputs x0, x1, ... of a fixture under the model's names. */
static void load_inputs(heed_context *c, const heed_model *m, const char *path, heed_arrays *out)
{
    char numbers[420], name[16];
    heed_arrays all;
    snprintf(numbers, sizeof numbers, "%s.npz", path);
    assert_int_equal(heed_arrays_load(c, numbers, &all), HEED_OK);
    *out = (heed_arrays){.context = c};
    for (int i = 0; i < heed_model_input_count(m); i++) {
        heed_array *copy;
        snprintf(name, sizeof name, "x%d", i);
        const heed_array *a = heed_arrays_get(&all, name);
        assert_non_null(a);
        assert_int_equal(heed_array_convert(c, a, a->dtype, &copy), HEED_OK);
        assert_int_equal(heed_arrays_add(out, heed_model_input_name(m, i), copy), HEED_OK);
    }
    heed_arrays_free(&all);
}

/* Runs at batches of its own, so that the threads are not in step. */
static void *work(void *user)
{
    worker *w = user;
    for (int i = 0; i < RUNS && w->status == HEED_OK; i++) {
        heed_arrays_free(&w->y);
        w->y = (heed_arrays){.context = w->context};
        w->status = heed_predict(w->model, &w->x, &w->y, .batch_size = 1 + i % MOST);
    }
    return NULL;
}

static void check_equal(const heed_arrays *a, const heed_arrays *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const heed_array *p = a->items[i].array, *q = b->items[i].array;
        assert_string_equal(a->items[i].name, b->items[i].name);
        assert_true(heed_shape_equal(&p->shape, &q->shape));
        assert_memory_equal(p->data, q->data, (size_t)heed_array_count(p) * heed_dtype_size(p->dtype));
    }
}

static void check_file(heed_context *c, const char *path)
{
    heed_model *m;
    heed_arrays x, y = {.context = c};
    if (heed_load_model(c, path, &m) != HEED_OK)
        fail_msg("%s", heed_error(c));
    load_inputs(c, m, path, &x);
    assert_int_equal(heed_predict(m, &x, &y, .batch_size = 1), HEED_OK);
    worker workers[THREADS] = {{0}};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        worker *w = &workers[i];
        assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1 + i % 2}, &w->context), HEED_OK);
        if (heed_share_model(m, w->context, &w->model) != HEED_OK)
            fail_msg("%s", heed_error(w->context));
        load_inputs(w->context, w->model, path, &w->x);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        worker *w = &workers[i];
        assert_int_equal(w->status, HEED_OK);
        check_equal(&w->y, &y);
        heed_arrays_free(&w->x);
        heed_arrays_free(&w->y);
        heed_model_free(w->model);
        heed_context_free(w->context);
    }
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    heed_model_free(m);
}

static void test_threads(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[400];
        snprintf(path, sizeof path, MODELS "%s", files[i]);
        check_file(c, path);
    }
    heed_context_free(c);
}

static void test_weights_stay(void **state)
{
    (void)state;
    heed_context *c, *other;
    heed_model *m, *copy;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    assert_int_equal(heed_context_create(NULL, &other), HEED_OK);
    assert_int_equal(heed_load(c, MODELS "nested_keras3.keras", &m), HEED_OK);
    assert_int_equal(heed_share_model(m, other, &copy), HEED_OK);
    assert_ptr_equal(heed_variable_data(heed_weight_at(m, 0)), heed_variable_data(heed_weight_at(copy, 0)));
    assert_int_equal(heed_compile(copy, .loss = "mse"), HEED_ESTATE);
    assert_int_equal(heed_load_weights(copy, MODELS "nested_keras3.weights.h5"), HEED_ESTATE);
    assert_non_null(strstr(heed_error(other), "its weights are another model's"));
    heed_model_free(copy);
    heed_model_free(m);
    heed_context_free(other);
    heed_context_free(c);
}

static heed_status share(heed_context *c, void *user)
{
    heed_model *copy;
    heed_status status = heed_share_model(user, c, &copy);
    heed_model_free(copy);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_context *c;
    heed_model *m;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    assert_int_equal(heed_load(c, MODELS "translator_keras3.keras", &m), HEED_OK);
    heed_test_each_allocation_fails(share, m);
    heed_model_free(m);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_weights_stay),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
