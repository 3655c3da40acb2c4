/* Callbacks that write: CSV lines, checkpoints; rates by epoch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/layers.h"
#include "heed/model.h"
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

typedef struct world {
    heed_context *context;
    heed_model   *model;
    heed_arrays   x, y;
} world;

static void add_rows(heed_arrays *a, int columns, float step)
{
    heed_array *rows;
    heed_shape shape = {2, {8, columns}};
    CHECK(a->context, heed_array_create(a->context, HEED_FLOAT32, &shape, &rows));
    for (int i = 0; i < 8 * columns; i++)
        ((float *)rows->data)[i] = sinf(step * (float)i);
    CHECK(a->context, heed_arrays_add(a, "rows", rows));
}

static void open_world(world *w)
{
    assert_int_equal(heed_context_create(NULL, &w->context), HEED_OK);
    heed_context *c = w->context;
    w->x = (heed_arrays){.context = c};
    w->y = (heed_arrays){.context = c};
    add_rows(&w->x, 3, 0.7f);
    add_rows(&w->y, 1, 0.3f);
    w->model = heed_sequential(c, "line");
    heed_add(w->model, heed_dense(.units = 1));
    CHECK(c, heed_compile(w->model, .optimizer = "sgd(learning_rate=0.1)", .loss = "mse", .metrics = {"mae"}));
}

static void close_world(world *w)
{
    heed_arrays_free(&w->x);
    heed_arrays_free(&w->y);
    heed_model_free(w->model);
    heed_context_free(w->context);
}

static void fit_with(world *w, heed_callback *callback, int epochs, heed_history *history)
{
    CHECK(w->context, heed_fit(w->model, &w->x, &w->y, .epochs = epochs, .validation_split = 0.25, .callbacks = &callback,
                               .callback_count = 1, .history = history));
    heed_callback_free(callback);
}

static void logs_a_line_an_epoch(void **state)
{
    world w;
    heed_callback *log;
    heed_history history = {0};
    char line[200];
    open_world(&w);
    CHECK(w.context, heed_csv_log(w.context, "test_callbacks.csv", false, &log));
    fit_with(&w, log, 2, &history);
    CHECK(w.context, heed_csv_log(w.context, "test_callbacks.csv", true, &log));
    fit_with(&w, log, 1, NULL);
    char *text = heed_test_read_file("test_callbacks.csv", NULL);
    snprintf(line, sizeof line, "epoch,loss,mae,val_loss,val_mae\n0,");
    assert_int_equal(strncmp(text, line, strlen(line)), 0);
    int lines = 0;
    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 4); /* a head, two epochs, and one that was appended */
    double loss = 0.0;
    assert_int_equal(sscanf(strstr(text, "\n1,") + 3, "%lf", &loss), 1);
    assert_true(loss == heed_history_get(&history, "loss", 1));
    assert_int_equal(history.columns, 4);
    heed_history_free(&history);
    free(text);
    close_world(&w);
}

static void keeps_checkpoints(void **state)
{
    world w;
    heed_callback *save;
    heed_model *again;
    float first[8];
    open_world(&w);
    CHECK(w.context, heed_checkpoint(w.context, &save, .path = "test_callbacks_{epoch:02d}.keras"));
    fit_with(&w, save, 2, NULL);
    memcpy(first, heed_variable_data(heed_weight_at(w.model, 0)), 3 * sizeof(float));
    CHECK(w.context, heed_load(w.context, "test_callbacks_02.keras", &again));
    assert_memory_equal(first, heed_variable_data(heed_weight_at(again, 0)), 3 * sizeof(float));
    CHECK(w.context, heed_save_weights(w.model, "test_callbacks.weights.h5"));
    memset(heed_variable_data(heed_weight_at(again, 0)), 0, 3 * sizeof(float));
    CHECK(w.context, heed_load_weights(again, "test_callbacks.weights.h5"));
    assert_memory_equal(first, heed_variable_data(heed_weight_at(again, 0)), 3 * sizeof(float));
    heed_model_free(again);
    CHECK(w.context, heed_load(w.context, "test_callbacks_01.keras", &again)); /* one an epoch */
    assert_memory_not_equal(first, heed_variable_data(heed_weight_at(again, 0)), 3 * sizeof(float));
    heed_model_free(again);
    close_world(&w);
}

static double halve(void *user, int epoch, double rate) { return epoch == 0 ? 0.2 : rate / 2; }

static void follows_a_rate(void **state)
{
    world w;
    heed_callback *rate;
    open_world(&w);
    CHECK(w.context, heed_rate_schedule(w.context, halve, NULL, &rate));
    fit_with(&w, rate, 3, NULL);
    assert_true(fabs(heed_learning_rate(w.model) - 0.05) < 1e-7);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_a_line_an_epoch),
        cmocka_unit_test(keeps_checkpoints),
        cmocka_unit_test(follows_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
