/* A model of many classes trains without making its logits whole, unless a metric asks for them: with the same loss and
 * the same weights either way, whatever counts how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/layers.h"
#include "model/program.h"
#include "ops/output_loss.h"

#include <math.h>
#include <string.h>

#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

enum { ROWS = 7, STEPS = 5, WORDS = 1100 };

typedef struct trial {
    const char *loss, *activation;
    bool        masked, tied;
    int         weights; /* dimensions of the sample weights; 0: none */
    double      smoothing;
    bool        whole; /* the logits are needed, or not known */
    double      consistency; /* the second half of the batch is the first, with dropout of its own */
} trial;

#define SPARSE "sparse_categorical_crossentropy"

static const trial trials[] = {
    {SPARSE "(from_logits=True)", "linear", false, false, 0, 0, false, 0},
    {SPARSE "(from_logits=True)", "linear", true, false, 0, 0.1, false, 0},
    {SPARSE "(from_logits=True, ignore_class=0)", "linear", false, false, 0, 0.1, false, 0},
    {SPARSE "(from_logits=True, ignore_class=3)", "linear", true, false, 2, 0.2, false, 0},
    {SPARSE "(from_logits=True, reduction='sum')", "linear", true, false, 1, 0, false, 0},
    {SPARSE "(from_logits=True, reduction='mean_with_sample_weight')", "linear", true, false, 2, 0.1, false, 0},
    {SPARSE "(from_logits=True, reduction='mean_with_sample_weight')", "linear", false, false, 0, 0.1, false, 0},
    {SPARSE "(from_logits=True, ignore_class=0)", "linear", false, true, 3, 0.1, false, 0},
    {SPARSE, "softmax", true, false, 2, 0.1, false, 0},
    {SPARSE "(from_logits=True, ignore_class=0)", "linear", true, false, 0, 0.1, false, 5},
    {SPARSE "(from_logits=True, ignore_class=3)", "linear", false, true, 0, 0, false, 0.5},
    {SPARSE, "linear", false, false, 0, 0, true, 0},
    {SPARSE, "linear", false, false, 0, 0.1, true, 5},
    {SPARSE "(from_logits=True)", "tanh", false, false, 0, 0, true, 0},
};

static heed_model *make(heed_context *c, const trial *t, bool measured)
{
    heed_model *m = heed_functional(c, "words");
    heed_set_seed(m, 3);
    heed_symbol *x = heed_input(m, .dtype = HEED_INT32, .shape = {1, {STEPS}}), *y;
    if (t->tied) {
        heed_layer *table = heed_make(m, heed_reversible_embedding(.input_dim = WORDS, .output_dim = 6));
        heed_call_layer(table, &x, 1, NULL, &y, 1);
        y = heed_apply(heed_dense(.units = 6, .activation = "tanh"), y);
        y = t->consistency != 0 ? heed_apply(heed_dropout(.rate = 0.3), y) : y;
        y = heed_call_layer(table, &y, 1, "reverse=True", NULL, 1);
    } else {
        y = heed_apply(heed_embedding(.input_dim = WORDS, .output_dim = 6, .mask_zero = t->masked), x);
        y = t->consistency != 0 ? heed_apply(heed_dropout(.rate = 0.3), y) : y;
        y = heed_apply(heed_dense(.units = WORDS, .activation = t->activation, .bias_initializer = "random_normal"), y);
    }
    CHECK(c, heed_outputs(m, y));
    CHECK(c, heed_compile(m, .optimizer = "sgd(learning_rate=0.5)", .loss = t->loss, .metrics = {measured ? "accuracy" : NULL}));
    CHECK(c, heed_build(m));
    return m;
}

static bool leaves_out_logits(heed_model *m, const heed_batch *b)
{
    heed_program *p;
    CHECK(heed_model_context(m), heed_program_make(m, HEED_FOR_TRAINING, b, &p));
    bool found = false;
    for (size_t i = 0; i < p->graph->node_count; i++)
        found |= p->graph->nodes[i]->live && p->graph->nodes[i]->op == &heed_kind_output_loss;
    heed_graph_free(p->graph);
    return found;
}

static void assert_near(heed_model *a, heed_model *b)
{
    for (int i = 0; i < heed_weight_count(a); i++) {
        const heed_variable *v = heed_weight_at(a, i), *w = heed_weight_at(b, i);
        for (int64_t k = 0; k < v->count; k++)
            assert_float_equal(v->data[k], w->data[k], 2e-6);
    }
}

static void test_with_and_without(void **state)
{
    (void)state;
    heed_context *c;
    CHECK(c, heed_context_create(NULL, &c));
    int32_t ids[ROWS][STEPS], labels[ROWS][STEPS];
    float weights[ROWS][STEPS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < STEPS; j++) {
            ids[i][j] = j > 1 + i % STEPS ? 0 : 1 + (i * 131 + j * 37) % (WORDS - 1);
            labels[i][j] = (i + j) % 4 == 0 ? 0 : (i + j) % 4 == 1 ? 3 : (i * 77 + j * 301) % WORDS;
            weights[i][j] = (float)((i + 2 * j) % 3);
        }
    for (size_t k = 0; k < sizeof trials / sizeof *trials; k++) {
        const trial *t = &trials[k];
        const int64_t rows = t->consistency != 0 ? ROWS - ROWS % 2 : ROWS;
        heed_array x = {HEED_INT32, {2, {rows, STEPS}}, ids}, y = {HEED_INT32, {2, {rows, STEPS}}, labels};
        heed_array w = {HEED_FLOAT32, {t->weights, {rows, STEPS, 1}}, weights};
        heed_batch b = {.inputs = &x, .input_count = 1, .targets = &y, .target_count = 1, .sample_weights = &w,
                        .weight_count = t->weights > 0, .label_smoothing = t->smoothing,
                        .consistency = t->consistency};
        for (int64_t i = 0, half = rows / 2; i < half && t->consistency != 0; i++) {
            memcpy(ids[half + i], ids[i], sizeof *ids);
            memcpy(labels[half + i], labels[i], sizeof *labels);
        }
        heed_model *without = make(c, t, false), *with = make(c, t, true);
        heed_logs logs;
        for (int step = 0; step < 3; step++) {
            CHECK(c, heed_train_on_batch(with, &b, &logs));
            CHECK(c, heed_train_on_batch(without, &b, NULL));
            assert_float_equal(heed_batch_loss(without), heed_batch_loss(with), 2e-6 * fabs(heed_batch_loss(with)));
            assert_near(with, without);
        }
        CHECK(c, heed_test_on_batch(with, &b, NULL));
        CHECK(c, heed_test_on_batch(without, &b, NULL));
        assert_float_equal(heed_batch_loss(without), heed_batch_loss(with), 2e-6 * fabs(heed_batch_loss(with)));
        if (leaves_out_logits(without, &b) == t->whole)
            fail_msg("trial %zu: the logits are %s", k, t->whole ? "left out" : "whole");
        assert_false(leaves_out_logits(with, &b));
        heed_model_free(with);
        heed_model_free(without);
    }
    heed_context_free(c);
}

/* Consistency is of a batch that is there twice, and of losses of classes by number. */
static void test_consistency_that_does_not_fit(void **state)
{
    (void)state;
    heed_context *c;
    CHECK(c, heed_context_create(NULL, &c));
    int32_t ids[ROWS][STEPS] = {{0}};
    heed_model *m = make(c, &trials[0], false);
    heed_array x = {HEED_INT32, {2, {ROWS, STEPS}}, ids};
    heed_batch b = {.inputs = &x, .input_count = 1, .targets = &x, .target_count = 1, .consistency = 5};
    assert_int_equal(heed_train_on_batch(m, &b, NULL), HEED_EINVAL);
    assert_non_null(strstr(heed_error(c), "consistency: the batch has no two halves (expected an even number of rows, found 7)"));
    CHECK(c, heed_compile(m, .loss = "mse"));
    x.shape.dims[0] = ROWS - 1;
    assert_int_equal(heed_train_on_batch(m, &b, NULL), HEED_EINVAL);
    assert_non_null(strstr(heed_error(c), "consistency: only a sparse_categorical_crossentropy takes it here"));
    heed_model_free(m);
    heed_context_free(c);
}

/* What is given to it is refused in the loss's own words. */
static void test_labels_that_do_not_fit(void **state)
{
    (void)state;
    heed_context *c;
    CHECK(c, heed_context_create(NULL, &c));
    int32_t ids[ROWS][STEPS] = {{0}};
    heed_model *m = make(c, &trials[0], false);
    heed_array x = {HEED_INT32, {2, {ROWS, STEPS}}, ids}, y = {HEED_INT32, {2, {ROWS, STEPS - 1}}, ids};
    heed_batch b = {.inputs = &x, .input_count = 1, .targets = &y, .target_count = 1};
    assert_int_equal(heed_train_on_batch(m, &b, NULL), HEED_ESHAPE);
    assert_non_null(strstr(heed_error(c), "labels do not fit the logits (expected (7, 5), found (7, 4))"));
    heed_model_free(m);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_and_without),
        cmocka_unit_test(test_consistency_that_does_not_fit),
        cmocka_unit_test(test_labels_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
