/* A run that goes on in the middle of an epoch, in another process as it were: the same bits, of what is carried too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/files.h"
#include "heed/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

enum { ROWS = 8, STEPS = 5, FEATURES = 3, BATCH = 2, BATCHES = ROWS / BATCH, EPOCHS = 3 };
static const char saved_file[] = "test_training_state.keras";

static heed_arrays rows_of(heed_context *c, int rank, float step)
{
    heed_arrays all = {.context = c};
    heed_array *a;
    heed_shape shape = {rank, {ROWS, rank == 3 ? STEPS : FEATURES, FEATURES}};
    CHECK(c, heed_array_create(c, HEED_FLOAT32, &shape, &a));
    for (int64_t i = 0; i < heed_array_count(a); i++)
        ((float *)a->data)[i] = sinf(step * (float)i);
    CHECK(c, heed_arrays_add(&all, "rows", a));
    return all;
}

/* Carries its states from batch to batch, draws dropout, and measures what is no plain mean. */
static heed_model *make_model(heed_context *c)
{
    heed_model *m = heed_sequential(c, "carrier");
    heed_set_seed(m, 3);
    heed_input(m, .shape = {2, {STEPS, FEATURES}}, .batch = BATCH);
    heed_add(m, heed_lstm(.units = 4, .stateful = true, .return_sequences = true));
    heed_add(m, heed_dropout(.rate = 0.3));
    heed_add(m, heed_bidirectional(heed_gru(.units = 2, .stateful = true)));
    heed_add(m, heed_dense(.units = FEATURES));
    CHECK(c, heed_compile(m, .optimizer = "adam(learning_rate=0.05)", .loss = "mse",
                          .metrics = {"mae", "RootMeanSquaredError()"}));
    return m;
}

static heed_status stop_at(void *user, heed_model *m, int64_t batch, int64_t batches, const heed_logs *logs)
{
    int *left = user;
    assert_int_equal(batches, BATCHES);
    assert_true(batch < batches && logs->count == 3);
    if (--*left == 0)
        heed_interrupt(m);
    return HEED_OK;
}

static void train(heed_model *m, heed_history *h, int epoch, int64_t batch, int steps)
{
    heed_context *c = heed_model_context(m);
    heed_arrays x = rows_of(c, 3, 0.7f), y = rows_of(c, 2, 0.3f);
    heed_callback callback = {.user = &steps, .batch_end = stop_at}, *callbacks = &callback;
    heed_status status = heed_fit(m, &x, &y, .epochs = EPOCHS, .initial_epoch = epoch, .initial_batch = batch,
                                  .batch_size = BATCH, .history = h, .callbacks = &callbacks, .callback_count = 1);
    assert_int_equal(status, steps == 0 ? HEED_EINTERRUPTED : HEED_OK);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
}

static void check_same(heed_model *a, heed_model *b)
{
    assert_int_equal(heed_weight_count(a), heed_weight_count(b));
    for (int i = 0; i < heed_weight_count(a); i++) {
        heed_variable *v = heed_weight_at(a, i), *w = heed_weight_at(b, i);
        assert_memory_equal(heed_variable_data(v), heed_variable_data(w),
                            (size_t)heed_shape_count(heed_variable_shape(v)) * sizeof(float));
    }
}

/* Stops after so many steps, and goes on in another context. */
static void check_stop(int steps)
{
    heed_context *c, *other;
    heed_history whole = {0}, part = {0};
    char *state, *again;
    CHECK(NULL, heed_context_create(NULL, &c));
    CHECK(NULL, heed_context_create(NULL, &other));
    heed_model *never = make_model(c), *stopped = make_model(c), *resumed;
    train(never, &whole, 0, 0, -1);
    train(stopped, &part, 0, 0, steps);
    CHECK(c, heed_training_state(stopped, &state));
    CHECK(c, heed_save(stopped, saved_file));
    CHECK(other, heed_load(other, saved_file, &resumed));
    heed_set_seed(resumed, heed_seed(stopped));
    heed_set_training_step(resumed, heed_training_step(stopped));
    CHECK(other, heed_set_training_state(resumed, state));
    CHECK(other, heed_training_state(resumed, &again));
    assert_string_equal(state, again);
    train(resumed, &part, steps / BATCHES, steps % BATCHES, -1);
    check_same(never, resumed);
    assert_int_equal(part.rows, EPOCHS);
    assert_memory_equal(part.values, whole.values, (size_t)(whole.rows * whole.columns) * sizeof *whole.values);
    heed_free(c, state);
    heed_free(other, again);
    heed_history_free(&whole);
    heed_history_free(&part);
    heed_model_free(never);
    heed_model_free(stopped);
    heed_model_free(resumed);
    heed_context_free(c);
    heed_context_free(other);
    remove(saved_file);
}

static void test_goes_on_within_an_epoch(void **state)
{
    (void)state;
    for (int steps = 1; steps <= BATCHES + 2; steps += 2)
        check_stop(steps);
}

static void test_states_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "5", "{}", "{'sums': [], 'carried': []}", "{'sums': [[0, 0], [], []], 'carried': 5}",
        "{'sums': [[0], [], []], 'carried': []}", "{'sums': [[0, 0], ['a', 1], []], 'carried': []}",
        "{'sums': [[0, 0], [], []], 'carried': [{}]}",
        "{'sums': [[0, 0], [], []], 'carried': [{'layer': 99, 'name': 'state0', 'shape': [1], 'values': [0]}]}",
        "{'sums': [[0, 0], [], []], 'carried': [{'layer': -1, 'name': 'state0', 'shape': [1], 'values': [0]}]}",
        "{'sums': [[0, 0], [], []], 'carried': [{'layer': 1, 'name': 'state0', 'shape': [2, 4], 'values': [0]}]}",
        "{'sums': [[0, 0], [], []], 'carried': [{'layer': 1, 'name': 'state0', 'shape': [-1], 'values': []}]}",
        "{'sums': [[0, 0], [], []], 'carried': [{'layer': 1, 'name': 'kernel', 'shape': [1], 'values': [0]}]}"};
    heed_context *c;
    CHECK(NULL, heed_context_create(NULL, &c));
    heed_model *m = make_model(c);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (heed_set_training_state(m, texts[i]) == HEED_OK)
            fail_msg("taken: %s", texts[i]);
    CHECK(c, heed_set_training_state(m, "{'sums': [[0, 0], [], []], 'carried': []}"));
    heed_model_free(m);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on_within_an_epoch),
        cmocka_unit_test(test_states_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
