/* Labels whose places in a sequence nobody told (CTC): a model learns them, from sequences of several lengths in one batch; and
 * what cannot be learnt changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/layers.h"
#include "model/program.h"

#include <math.h>
#include <string.h>

#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

enum { ROWS = 12, STEPS = 14, LABELS = 4, SOUNDS = 4, MOST = STEPS * ROWS };

/* What is heard, 0: silence behind the end; and what was said. */
typedef struct speech {
    int32_t heard[ROWS][STEPS], said[ROWS][LABELS];
    int64_t steps[ROWS];
} speech;

/* Row i says 1 to LABELS sounds, each for 2 or 3 steps. */
static void speak(speech *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k <= i % LABELS; k++) {
            s->said[i][k] = 1 + (i * 5 + k * (1 + i % 3)) % SOUNDS;
            for (int n = 0; n < 2 + (i + k) % 2; n++)
                s->heard[i][s->steps[i]++] = s->said[i][k] + SOUNDS * (n > 0); /* begins and goes on otherwise */
        }
}

static heed_model *make(heed_context *c, const char *optimizer)
{
    heed_model *m = heed_sequential(c, "speech");
    heed_set_seed(m, 5);
    heed_add(m, heed_input_layer(.dtype = "int32", .batch_shape = {2, {HEED_ANY, HEED_ANY}}));
    heed_add(m, heed_embedding(.input_dim = 1 + 2 * SOUNDS, .output_dim = 6, .mask_zero = true));
    heed_add(m, heed_lstm(.units = 12, .return_sequences = true));
    heed_add(m, heed_dense(.units = 1 + SOUNDS));
    CHECK(c, heed_compile(m, .optimizer = optimizer, .loss = "ctc", .metrics = {"ctc"}));
    return m;
}

static double loss_of(heed_model *m, const heed_array *x, const heed_array *y)
{
    heed_logs logs;
    heed_batch b = {.inputs = x, .input_count = 1, .targets = y, .target_count = 1};
    heed_reset_metrics(m);
    CHECK(heed_model_context(m), heed_test_on_batch(m, &b, &logs));
    double told = heed_batch_loss(m);
    if (told < 1e9)
        assert_float_equal(heed_logs_get(&logs, "ctc", -1), told, 1e-5);
    return told;
}

/* Steps that are masked are none: a row costs the same in a batch of longer ones. */
static void test_masked_steps_are_none(void **state)
{
    (void)state;
    heed_context *c;
    CHECK(c, heed_context_create(NULL, &c));
    heed_model *m = make(c, "sgd");
    speech s;
    speak(&s);
    heed_array x = {HEED_INT32, {2, {ROWS, STEPS}}, s.heard}, y = {HEED_INT32, {2, {ROWS, LABELS}}, s.said};
    double together = loss_of(m, &x, &y), alone = 0;
    for (int i = 0; i < ROWS; i++) {
        heed_array own = {HEED_INT32, {2, {1, s.steps[i]}}, s.heard[i]}, said = {HEED_INT32, {2, {1, LABELS}}, s.said[i]};
        alone += loss_of(m, &own, &said) / ROWS;
    }
    assert_float_equal(together, alone, 1e-5 * alone);
    heed_model_free(m);
    heed_context_free(c);
}

/* The likeliest class at each step, repetitions and blanks left out. */
static void read_out(float (*frames)[1 + SOUNDS], int64_t steps, int32_t *out)
{
    int before = 0, count = 0;
    memset(out, 0, LABELS * sizeof *out);
    for (int64_t t = 0; t < steps; t++) {
        int best = 0;
        for (int k = 1; k <= SOUNDS; k++)
            best = frames[t][k] > frames[t][best] ? k : best;
        if (best != 0 && best != before && count < LABELS)
            out[count++] = best;
        before = best;
    }
}

static void test_a_model_learns_what_was_said(void **state)
{
    (void)state;
    heed_context *c;
    CHECK(c, heed_context_create(NULL, &c));
    heed_model *m = make(c, "adam(learning_rate=0.03)");
    speech s;
    speak(&s);
    heed_array x = {HEED_INT32, {2, {ROWS, STEPS}}, s.heard}, y = {HEED_INT32, {2, {ROWS, LABELS}}, s.said};
    heed_batch b = {.inputs = &x, .input_count = 1, .targets = &y, .target_count = 1};
    for (int step = 0; step < 250; step++)
        CHECK(c, heed_train_on_batch(m, &b, NULL));
    assert_true(heed_batch_loss(m) < 0.1);
    float frames[ROWS][STEPS][1 + SOUNDS];
    heed_array p = {HEED_FLOAT32, {3, {ROWS, STEPS, 1 + SOUNDS}}, frames};
    CHECK(c, heed_predict_on_batch(m, &x, 1, &p, 1));
    for (int i = 0; i < ROWS; i++) {
        int32_t read[LABELS];
        read_out(frames[i], s.steps[i], read);
        assert_memory_equal(read, s.said[i], sizeof read);
    }
    heed_model_free(m);
    heed_context_free(c);
}

/* Three labels do not fit into two steps. */
static void test_what_cannot_be_said_changes_nothing(void **state)
{
    (void)state;
    heed_context *c;
    CHECK(c, heed_context_create(NULL, &c));
    heed_model *m = make(c, "sgd");
    int32_t heard[1][2] = {{1, 2}}, said[1][3] = {{1, 2, 3}};
    heed_array x = {HEED_INT32, {2, {1, 2}}, heard}, y = {HEED_INT32, {2, {1, 3}}, said};
    heed_batch b = {.inputs = &x, .input_count = 1, .targets = &y, .target_count = 1};
    assert_true(isinf(loss_of(m, &x, &y)));
    float before[MOST];
    const heed_variable *v = heed_weight_at(m, heed_weight_count(m) - 2);
    assert_true((size_t)v->count * sizeof *before <= sizeof before);
    memcpy(before, v->data, (size_t)v->count * sizeof *before);
    CHECK(c, heed_train_on_batch(m, &b, NULL));
    assert_true(isinf(heed_batch_loss(m)));
    assert_memory_equal(v->data, before, (size_t)v->count * sizeof *before);
    heed_model_free(m);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masked_steps_are_none),
        cmocka_unit_test(test_a_model_learns_what_was_said),
        cmocka_unit_test(test_what_cannot_be_said_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
