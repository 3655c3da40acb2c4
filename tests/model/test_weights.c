/* Weights on their own: files of weights, freezing, what lies inside of a model; and the log of a training. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/files.h"
#include "heed/normalization.h"
#include "heed/model.h"
#include "support/context.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODELS HEED_FIXTURES "/models/"
#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

/* ---- files of weights */

static void check_weights(heed_context *c, heed_model *m, const char *numbers)
{
    heed_arrays arrays = {.context = c};
    CHECK(c, heed_arrays_load(c, numbers, &arrays));
    for (int i = 0; i < heed_weight_count(m); i++) {
        char name[20];
        snprintf(name, sizeof name, "w%d", i);
        const heed_array *w = heed_arrays_get(&arrays, name);
        assert_non_null(w);
        assert_memory_equal(heed_variable_data(heed_weight_at(m, i)), w->data, (size_t)heed_array_count(w) * sizeof(float));
    }
    heed_arrays_free(&arrays);
}

static void blank(heed_model *m)
{
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        for (int64_t k = 0; k < heed_shape_count(heed_variable_shape(v)); k++)
            heed_variable_data(v)[k] = -7.0f;
    }
}

static void test_weights_of_real_files(void **state)
{
    static const char *const writers[] = {"keras3", "tfkeras"};
    heed_context *c = *state;
    for (int i = 0; i < 2; i++) {
        heed_model *m;
        char model[300], weights[300], numbers[310];
        snprintf(model, sizeof model, MODELS "nested_%s.keras", writers[i]);
        snprintf(weights, sizeof weights, MODELS "nested_%s.weights.h5", writers[i]);
        snprintf(numbers, sizeof numbers, "%s.npz", weights);
        CHECK(c, heed_load(c, model, &m));
        blank(m);
        CHECK(c, heed_load_weights(m, weights));
        check_weights(c, m, numbers);
        CHECK(c, heed_save_weights(m, "test_weights.weights.h5"));
        blank(m);
        CHECK(c, heed_load_weights(m, "test_weights.weights.h5"));
        check_weights(c, m, numbers);
        heed_model_free(m);
    }
}

static heed_model *make_small(heed_context *c, int units)
{
    heed_model *m = heed_sequential(c, "small");
    heed_input(m, .name = "x", .shape = {1, {3}});
    heed_add(m, heed_dense(.units = 4, .activation = "tanh", .name = "first"));
    heed_add(m, heed_batch_normalization(.name = "middle"));
    heed_add(m, heed_dense(.units = units, .name = "last"));
    CHECK(c, heed_build(m));
    return m;
}

static void test_weights_that_do_not_fit(void **state)
{
    heed_context *c = *state;
    heed_model *m = make_small(c, 2), *wider = make_small(c, 3);
    CHECK(c, heed_save_weights(wider, "test_weights.weights.h5"));
    assert_int_not_equal(heed_load_weights(m, "test_weights.weights.h5"), HEED_OK);
    if (strstr(heed_error(c), "the shape of the weight 'kernel' does not fit (expected (4, 2), found (4, 3))") == NULL)
        fail_msg("%s", heed_error(c));
    assert_int_equal(heed_load_weights(m, "test_weights_nowhere.weights.h5"), HEED_EIO);
    assert_int_not_equal(heed_save_weights(m, "test_weights_nowhere/a.weights.h5"), HEED_OK);
    heed_model_free(m);
    heed_model_free(wider);
}

static heed_status save_and_load(heed_context *c, void *user)
{
    heed_model *m = heed_sequential(c, "small");
    heed_status status = m == NULL ? HEED_ENOMEM : HEED_OK;
    if (status == HEED_OK) {
        heed_input(m, .name = "x", .shape = {1, {2}});
        heed_add(m, heed_dense(.units = 2));
        status = heed_build(m);
    }
    if (status == HEED_OK)
        status = heed_save_weights(m, user);
    if (status == HEED_OK)
        status = heed_load_weights(m, user);
    heed_model_free(m);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(save_and_load, (void *)(uintptr_t) "test_weights_memory.weights.h5");
}

/* ---- freezing */

static heed_status fit(heed_model *m, int epochs, heed_callback *callback)
{
    heed_context *c = heed_model_context(m);
    float x[8][3], y[8][2];
    for (int i = 0; i < 24; i++)
        (&x[0][0])[i] = sinf((float)i);
    for (int i = 0; i < 16; i++)
        (&y[0][0])[i] = cosf((float)i);
    heed_arrays inputs = {.context = c}, targets = {.context = c};
    heed_array *copy;
    CHECK(c, heed_array_convert(c, &(heed_array){HEED_FLOAT32, {2, {8, 3}}, x}, HEED_FLOAT32, &copy));
    CHECK(c, heed_arrays_add(&inputs, "x", copy));
    CHECK(c, heed_array_convert(c, &(heed_array){HEED_FLOAT32, {2, {8, 2}}, y}, HEED_FLOAT32, &copy));
    CHECK(c, heed_arrays_add(&targets, "last", copy));
    heed_status status = heed_fit(m, &inputs, &targets, .epochs = epochs, .callbacks = &callback,
                                  .callback_count = callback != NULL);
    heed_arrays_free(&inputs);
    heed_arrays_free(&targets);
    return status;
}

/* Which weights one epoch changes, as a bit each. */
static unsigned changed_by_training(heed_model *m)
{
    heed_context *c = heed_model_context(m);
    float before[16][16];
    unsigned changed = 0;
    for (int i = 0; i < heed_weight_count(m); i++)
        memcpy(before[i], heed_variable_data(heed_weight_at(m, i)),
               (size_t)heed_shape_count(heed_variable_shape(heed_weight_at(m, i))) * sizeof(float));
    CHECK(c, heed_compile(m, .optimizer = "sgd(learning_rate=0.1)", .loss = "mse"));
    CHECK(c, fit(m, 1, NULL));
    for (int i = 0; i < heed_weight_count(m); i++) {
        size_t bytes = (size_t)heed_shape_count(heed_variable_shape(heed_weight_at(m, i))) * sizeof(float);
        changed |= (unsigned)(memcmp(before[i], heed_variable_data(heed_weight_at(m, i)), bytes) != 0) << i;
    }
    return changed;
}

/* Weights: first's kernel and bias, middle's gamma, beta and two moving ones, last's kernel and bias. */
static void test_what_is_frozen_stays(void **state)
{
    heed_context *c = *state;
    heed_model *m = make_small(c, 2);
    assert_int_equal(heed_parameter_count(m, true), 16 + 8 + 10);
    assert_int_equal(changed_by_training(m), 0xff);
    CHECK(c, heed_set_trainable(m, heed_model_find_layer(m, "first"), false));
    assert_int_equal(heed_parameter_count(m, true), 8 + 10);
    assert_int_equal(changed_by_training(m), 0xfc);
    CHECK(c, heed_set_trainable(m, heed_model_find_layer(m, "middle"), false)); /* its averages stay as well */
    assert_int_equal(changed_by_training(m), 0xc0);
    CHECK(c, heed_set_trainable(m, NULL, false));
    assert_int_equal(heed_parameter_count(m, true), 0);
    CHECK(c, heed_set_trainable(m, NULL, true));
    assert_int_equal(heed_parameter_count(m, true), 16 + 8 + 10); /* but not what is never trained */
    assert_int_equal(changed_by_training(m), 0xff);
    heed_model_free(m);
}

/* ---- symbols */

static void test_what_lies_inside(void **state)
{
    heed_context *c = *state;
    heed_model *m = heed_functional(c, "twice"), *inner;
    heed_symbol *x = heed_input(m, .name = "x", .shape = {1, {2}});
    heed_layer *layer = heed_make(m, heed_dense(.units = 2, .name = "step"));
    heed_symbol *once = heed_call_layer(layer, &x, 1, NULL, NULL, 0);
    heed_symbol *again = heed_call_layer(layer, &once, 1, NULL, NULL, 0);
    heed_outputs(m, again);
    CHECK(c, heed_build(m));
    assert_ptr_equal(heed_find_symbol(m, "step", 0, 0), once);
    assert_ptr_equal(heed_find_symbol(m, "step", 1, 0), again);
    assert_ptr_equal(heed_find_symbol(m, "x", 0, 0), x);
    assert_null(heed_find_symbol(m, "step", 2, 0));
    assert_null(heed_find_symbol(m, "step", 0, 1));
    assert_null(heed_find_symbol(m, "step", -1, 0));
    assert_null(heed_find_symbol(m, "nothing", 0, 0));
    CHECK(c, heed_submodel(m, "half", &x, 1, &once, 1, &inner));
    heed_model_free(m);
    heed_model_free(inner);
}

/* ---- the log */

static void log_epoch(heed_context *c, heed_callback *log, heed_model *m, int epoch, double loss, const double *val_loss)
{
    static const char *const names[] = {"loss", "val_loss"};
    const double values[] = {loss, val_loss == NULL ? 0.0 : *val_loss};
    CHECK(c, log->epoch_end(log->user, m, epoch, &(heed_logs){val_loss == NULL ? 1 : 2, names, values}));
}

static void test_the_log_tells_what_is_missing(void **state)
{
    heed_context *c = *state;
    heed_model *m = make_small(c, 2);
    heed_callback *log;
    const double half = 0.5;
    for (int run = 0; run < 2; run++) { /* the second goes on behind the first */
        CHECK(c, heed_csv_log(c, "test_weights.csv", run == 1, &log));
        CHECK(c, log->train_begin(log->user, m));
        log_epoch(c, log, m, 2 * run, 0.25, &half);
        log_epoch(c, log, m, 2 * run + 1, 0.125, NULL);
        heed_callback_free(log);
    }
    char *text = heed_test_read_file("test_weights.csv", NULL);
    assert_string_equal(text, "epoch,loss,val_loss\n0,0.25,0.5\n1,0.125,NA\n2,0.25,0.5\n3,0.125,NA\n");
    free(text);
    CHECK(c, heed_csv_log(c, "test_weights_nowhere/log.csv", false, &log));
    CHECK(c, heed_compile(m, .optimizer = "sgd(learning_rate=0.1)", .loss = "mse"));
    assert_int_not_equal(fit(m, 1, log), HEED_OK);
    assert_non_null(strstr(heed_error(c), "test_weights_nowhere/log.csv"));
    heed_callback_free(log);
    heed_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_weights_of_real_files, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_weights_that_do_not_fit, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test_setup_teardown(test_what_is_frozen_stays, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_what_lies_inside, heed_test_with_context, heed_test_without_context),
        cmocka_unit_test_setup_teardown(test_the_log_tells_what_is_missing, heed_test_with_context, heed_test_without_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
