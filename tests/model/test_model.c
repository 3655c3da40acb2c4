/* Models made in C: wiring, sharing, nesting, layers of one's own, mistakes, files, and the promises about bits and
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/layers.h"
#include "heed/model.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_context *open_context(int threads)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads}, &c), HEED_OK);
    return c;
}

#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

/* ---- a small tagger and its data */

enum { ROWS = 22, STEPS = 6, WORDS = 9, TAGS = 4 };

static int32_t words[ROWS][STEPS], tags[ROWS][STEPS];

static void fill_data(void)
{
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < STEPS; j++) {
            words[i][j] = j > 2 + i % 4 ? 0 : 1 + (i * 7 + j * 3) % (WORDS - 1);
            tags[i][j] = words[i][j] % TAGS;
        }
}

static heed_array rows_of(int32_t (*data)[STEPS], int rows)
{
    return (heed_array){HEED_INT32, {2, {rows, STEPS}}, data};
}

static heed_status add_copy(heed_arrays *a, const char *name, const heed_array *values)
{
    heed_array *copy;
    heed_status status = heed_array_convert(a->context, values, values->dtype, &copy);
    return status != HEED_OK ? status : heed_arrays_add(a, name, copy);
}

static heed_model *make_tagger(heed_context *c)
{
    heed_model *m = heed_sequential(c, "tagger");
    heed_set_seed(m, 7);
    heed_add(m, heed_embedding(.input_dim = WORDS, .output_dim = 5, .mask_zero = true));
    heed_add(m, heed_bidirectional(heed_gru(.units = 4, .return_sequences = true)));
    heed_add(m, heed_dropout(.rate = 0.2));
    heed_add(m, heed_dense(.units = TAGS, .activation = "softmax", .kernel_regularizer = "l2(0.001)"));
    return m;
}

static heed_status compile_tagger(heed_model *m)
{
    return heed_compile(m, .optimizer = "adam(learning_rate=0.02, clipnorm=1)",
                        .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"});
}

static heed_status fit_tagger(heed_model *m, int from, int to, heed_history *history)
{
    heed_context *c = heed_model_context(m);
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_array w = rows_of(words, ROWS), t = rows_of(tags, ROWS);
    heed_status status = add_copy(&x, "words", &w);
    if (status == HEED_OK)
        status = add_copy(&y, "tags", &t);
    if (status == HEED_OK)
        status = heed_fit(m, &x, &y, .initial_epoch = from, .epochs = to, .batch_size = 5, .history = history,
                          .validation_split = 0.2);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    return status;
}

static float *all_weights(heed_model *m, int64_t *count)
{
    *count = heed_parameter_count(m, false);
    float *out = malloc((size_t)*count * sizeof *out), *at = out;
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        int64_t n = heed_shape_count(heed_variable_shape(v));
        memcpy(at, heed_variable_data(v), (size_t)n * sizeof *at);
        at += n;
    }
    return out;
}

static void assert_same_weights(heed_model *a, heed_model *b)
{
    int64_t n, m;
    float *x = all_weights(a, &n), *y = all_weights(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, (size_t)n * sizeof *x);
    free(x);
    free(y);
}

/* ---- wiring */

static void wires_shared_layers_and_several_ends(void **state)
{
    heed_context *c = open_context(1);
    heed_model *m = heed_functional(c, "pair");
    heed_symbol *a = heed_input(m, .name = "a", .shape = {2, {HEED_ANY, 3}});
    heed_symbol *b = heed_input(m, .name = "b", .shape = {2, {HEED_ANY, 3}});
    heed_layer *shared = heed_make(m, heed_lstm(.units = 4, .return_state = true));
    heed_symbol *first[3], *second[3];
    heed_call_layer(shared, &a, 1, NULL, first, 3);
    heed_call_layer(shared, &b, 1, NULL, second, 3);
    heed_symbol *joined = heed_apply_to(heed_concatenate(.axis = -1), first[0], second[0]);
    heed_symbol *y = heed_apply(heed_dense(.units = 2), joined);
    CHECK(c, heed_outputs(m, y, first[2]));
    char text[64];
    assert_string_equal(heed_shape_text(heed_symbol_shape(joined), text, sizeof text), "(None, 8)");
    assert_int_equal(heed_weight_count(m), 5);
    assert_string_equal(heed_model_output_name(m, 0), "dense");
    assert_string_equal(heed_model_output_name(m, 1), "lstm");
    assert_string_equal(heed_weight_path(m, 0), "lstm/lstm_cell/kernel");
    heed_model_free(m);
    heed_context_free(c);
}

static void nests_and_takes_apart(void **state)
{
    heed_context *c = open_context(1);
    heed_model *inner = heed_sequential(c, "inner");
    heed_add(inner, heed_dense(.units = 3, .activation = "tanh"));
    heed_model *m = heed_functional(c, "outer");
    heed_symbol *x = heed_input(m, .name = "x", .shape = {1, {2}}), *z = heed_input(m, .name = "z", .shape = {1, {2}});
    heed_layer *layer = heed_model_layer(inner);
    heed_symbol *h = heed_call_layer(layer, &x, 1, NULL, NULL, 0), *k = heed_call_layer(layer, &z, 1, NULL, NULL, 0);
    heed_symbol *sum = heed_apply_to(heed_merge_add(), h, k);
    heed_model_free(inner); /* the outer model holds it */
    CHECK(c, heed_outputs(m, heed_apply(heed_dense(.units = 1), sum)));
    heed_model *part;
    CHECK(c, heed_submodel(m, "part", (heed_symbol *[]){x, z}, 2, (heed_symbol *[]){sum}, 1, &part));
    float a[4] = {1, 2, 3, 4}, b[4] = {0}, whole[2], piece[6];
    heed_array in[2] = {{HEED_FLOAT32, {2, {2, 2}}, a}, {HEED_FLOAT32, {2, {2, 2}}, b}};
    heed_array out = {HEED_FLOAT32, {2, {2, 1}}, whole}, middle = {HEED_FLOAT32, {2, {2, 3}}, piece};
    CHECK(c, heed_predict_on_batch(m, in, 2, &out, 1));
    CHECK(c, heed_predict_on_batch(part, in, 2, &middle, 1));
    const float *kernel = heed_variable_data(heed_weight_at(m, 2));
    for (int i = 0; i < 2; i++) {
        float y = 0;
        for (int j = 0; j < 3; j++)
            y += piece[i * 3 + j] * kernel[j];
        assert_true(fabsf(y - whole[i]) < 1e-6f);
    }
    heed_model_free(m); /* the part goes on without it */
    CHECK(c, heed_predict_on_batch(part, in, 2, &middle, 1));
    heed_model_free(part);
    heed_context_free(c);
}

/* ---- a layer of one's own */

#define SCALE_OPTIONS(X, config)                                                                                       \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, factor, 2.0, "(0,)", "what the input is multiplied with")
typedef struct scale_config {
    SCALE_OPTIONS(HEED_OPTION_FIELD, )
} scale_config;

static heed_status scale_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    heed_shape shape = {1, {inputs[0].dims[inputs[0].rank - 1]}};
    return heed_layer_weight(layer, "shift", &shape, "zeros", NULL, NULL, true) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status scale_call(heed_layer *layer, heed_call *call)
{
    const scale_config *o = heed_layer_config(layer);
    heed_tensor *shift = heed_graph_variable(call->graph, heed_layer_weight_at(layer, 0));
    call->outputs[0] = heed_op_add(heed_op_scale(call->inputs[0], (float)o->factor, 0.0f), shift);
    return HEED_OK;
}

static const heed_layer_class scale_class = {.name = "Scale", .collection = "mine", .min_inputs = 1, .max_inputs = 1,
                                             .passes_mask = true, .build = scale_build, .call = scale_call,
                                             HEED_CLASS_OPTIONS(scale_config, SCALE_OPTIONS)};

static void takes_layers_of_ones_own(void **state)
{
    heed_context *c = open_context(1);
    CHECK(c, heed_register_layer(c, &scale_class));
    heed_model *m = heed_sequential(c, "own"), *again;
    heed_input(m, .shape = {1, {2}});
    heed_add(m, (heed_spec){&scale_class, &(scale_config){.trainable = true, .factor = 3.0}});
    CHECK(c, heed_compile(m, .optimizer = "sgd(learning_rate=0.5)", .loss = "mse"));
    float x[2] = {1, 2}, t[2] = {5, 6}, y[2];
    heed_array in = {HEED_FLOAT32, {2, {1, 2}}, x}, target = {HEED_FLOAT32, {2, {1, 2}}, t},
               out = {HEED_FLOAT32, {2, {1, 2}}, y};
    CHECK(c, heed_train_on_batch(
                 m, &(heed_batch){.inputs = &in, .input_count = 1, .targets = &target, .target_count = 1}, NULL));
    CHECK(c, heed_predict_on_batch(m, &in, 1, &out, 1));
    assert_true(fabsf(y[0] - 4.0f) < 1e-6f && fabsf(y[1] - 6.0f) < 1e-6f); /* 3 + 0.5 * 2/2 * (5 - 3) */
    CHECK(c, heed_save(m, "test_model_own.keras"));
    CHECK(c, heed_load(c, "test_model_own.keras", &again));
    assert_same_weights(m, again);
    heed_model_free(again);
    heed_model_free(m);
    heed_context_free(c);
}

/* ---- mistakes */

static void assert_error(heed_context *c, heed_status status, heed_status expected, const char *part)
{
    assert_int_equal(status, expected);
    if (strstr(heed_error(c), part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", heed_error(c), part);
}

static void explains_mistakes(void **state)
{
    heed_context *c = open_context(1);
    heed_model *m = heed_functional(c, "wrong");
    heed_symbol *x = heed_input(m, .name = "x", .shape = {2, {HEED_ANY, 3}}), *y = heed_input(m, .shape = {2, {5, 4}});
    heed_symbol *sum = heed_apply_to(heed_merge_add(.name = "sum"), x, y);
    assert_null(sum);
    assert_null(heed_apply(heed_dense(.units = 2), sum));
    assert_error(c, heed_outputs(m, sum), HEED_ESHAPE, "sum");
    heed_model_free(m);

    m = heed_sequential(c, "wrong");
    heed_add(m, heed_dense(.units = 0, .name = "empty"));
    assert_error(c, heed_compile(m, .loss = "mse"), HEED_EINVAL, "empty");
    heed_model_free(m);

    m = heed_sequential(c, "right");
    heed_input(m, .shape = {1, {3}});
    heed_add(m, heed_dense(.units = 2));
    assert_error(c, heed_compile(m, .optimizer = "adm", .loss = "mse"), HEED_ENOTFOUND, "adm");
    assert_string_equal(heed_error_hint(c), "did you mean adam?");
    assert_error(c, heed_compile(m, .optimizer = "adam(learningrate=1)", .loss = "mse"), HEED_EINVAL, "learningrate");
    assert_error(c, heed_compile(m, .optimizer = "muon(exclude_layers='out')", .loss = "mse"), HEED_EINVAL, "a list of texts");
    assert_error(c, heed_compile(m, .loss = "meansquare"), HEED_ENOTFOUND, "meansquare");
    assert_false(heed_is_compiled(m));
    float numbers[8] = {0};
    heed_array in = {HEED_FLOAT32, {2, {2, 4}}, numbers}, out = {HEED_FLOAT32, {2, {2, 2}}, numbers};
    assert_error(c, heed_predict_on_batch(m, &in, 1, &out, 1), HEED_ESHAPE, "(expected (None, 3), found (2, 4))");
    in = (heed_array){HEED_INT32, {2, {2, 3}}, numbers};
    assert_error(c, heed_predict_on_batch(m, &in, 1, &out, 1), HEED_EINVAL, "type");
    heed_batch batch = {.inputs = &in, .input_count = 1};
    assert_error(c, heed_train_on_batch(m, &batch, NULL), HEED_ESTATE, "not compiled");
    heed_arrays x2 = {.context = c}, y2 = {.context = c};
    CHECK(c, add_copy(&x2, "a", &out));
    CHECK(c, add_copy(&x2, "b", &out));
    assert_error(c, heed_predict(m, &x2, &y2, .batch_size = 1), HEED_EINVAL, "there is no input 'a'");
    heed_arrays_free(&x2);
    heed_arrays_free(&y2);
    heed_model_free(m);
    heed_context_free(c);
}

static void knows_its_memory(void **state)
{
    heed_context *c = open_context(1);
    heed_model *m = heed_sequential(c, "sized");
    heed_memory small, large;
    heed_input(m, .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_add(m, heed_embedding(.input_dim = WORDS, .output_dim = 5));
    heed_add(m, heed_dense(.units = TAGS, .activation = "softmax"));
    CHECK(c, compile_tagger(m));
    CHECK(c, heed_model_memory(m, 2, 10, &small));
    CHECK(c, heed_model_memory(m, 20, 100, &large));
    assert_int_equal(small.weights, (WORDS * 5 + 5 * TAGS + TAGS) * sizeof(float));
    assert_true(small.optimizer >= 2 * small.weights);
    assert_true(large.inference > 50 * small.inference && large.training > large.inference);
    heed_model_free(m);
    heed_context_free(c);
}

/* ---- bits */

static void trains_to_the_same_bits_at_any_number_of_threads(void **state)
{
    static const int threads[] = {1, 2, 3, 8};
    int64_t count = 0;
    float *first = NULL;
    for (int i = 0; i < 4; i++) {
        heed_context *c = open_context(threads[i]);
        heed_model *m = make_tagger(c);
        CHECK(c, compile_tagger(m));
        CHECK(c, fit_tagger(m, 0, 3, NULL));
        float *weights = all_weights(m, &count);
        if (first != NULL) {
            assert_memory_equal(weights, first, (size_t)count * sizeof *weights);
            free(weights);
        } else {
            first = weights;
        }
        heed_model_free(m);
        heed_context_free(c);
    }
    free(first);
}

static void resumes_to_the_same_bits(void **state)
{
    heed_context *c = open_context(2);
    heed_model *whole = make_tagger(c), *half = make_tagger(c), *rest;
    heed_history a = {0}, b = {0};
    CHECK(c, compile_tagger(whole));
    CHECK(c, compile_tagger(half));
    CHECK(c, fit_tagger(whole, 0, 5, &a));
    CHECK(c, fit_tagger(half, 0, 2, NULL));
    CHECK(c, heed_save(half, "test_model_half.keras"));
    CHECK(c, heed_load(c, "test_model_half.keras", &rest));
    heed_set_seed(rest, 7);
    CHECK(c, fit_tagger(rest, 2, 5, &b));
    assert_same_weights(whole, rest);
    assert_int_equal(a.rows, 5);
    assert_int_equal(b.rows, 3);
    assert_true(heed_history_get(&a, "val_accuracy", 4) == heed_history_get(&b, "val_accuracy", 2));
    assert_true(heed_history_get(&a, "loss", 4) < heed_history_get(&a, "loss", 0));
    CHECK(c, heed_save(rest, "test_model_rest.keras"));
    CHECK(c, heed_save(rest, "test_model_again.keras"));
    size_t n, k;
    char *x = heed_test_read_file("test_model_rest.keras", &n), *y = heed_test_read_file("test_model_again.keras", &k);
    assert_int_equal(n, k);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
    heed_history_free(&a);
    heed_history_free(&b);
    heed_model_free(whole);
    heed_model_free(half);
    heed_model_free(rest);
    heed_context_free(c);
}

/* Expressions that Python reads otherwise, or that a few letters make endless. */
static void refuses_strange_expressions_for_layers(void **state)
{
    static const struct { const char *quoted, *meant; } refused[] = {
        {"(?i)dense", "(?i)dense"}, {"layer_\\\\d", "layer_\\d"}, {"(a{99}){99}", "(a{99}){99}"}, {"(den)se\\\\1", "(den)se\\1"},
        {"dense(", "dense("}};
    heed_context *c = open_context(1);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        heed_model *m = make_tagger(c);
        char optimizer[64];
        snprintf(optimizer, sizeof optimizer, "muon(exclude_layers=['nothing', '%s'])", refused[i].quoted);
        CHECK(c, heed_compile(m, .optimizer = optimizer, .loss = "sparse_categorical_crossentropy"));
        assert_error(c, fit_tagger(m, 0, 1, NULL), HEED_EINVAL, refused[i].meant);
        heed_model_free(m);
    }
    heed_context_free(c);
}

static heed_status interrupt(void *user, heed_model *m, int64_t batch, int64_t batches, const heed_logs *logs)
{
    if (++*(int *)user == 6)
        heed_interrupt(m);
    return HEED_OK;
}

static void stops_on_request(void **state)
{
    heed_context *c = open_context(1);
    heed_model *m = make_tagger(c);
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_array w = rows_of(words, ROWS), t = rows_of(tags, ROWS);
    int batches = 0;
    heed_callback callback = {.user = &batches, .batch_end = interrupt}, *callbacks[] = {&callback};
    heed_history history = {0};
    CHECK(c, compile_tagger(m));
    CHECK(c, add_copy(&x, "words", &w));
    CHECK(c, add_copy(&y, "tags", &t));
    heed_status status = heed_fit(m, &x, &y, .epochs = 9, .batch_size = 5, .callbacks = callbacks, .callback_count = 1,
                                  .history = &history);
    assert_error(c, status, HEED_EINTERRUPTED, "after 6 steps");
    assert_int_equal(heed_training_step(m), 6);
    assert_int_equal(history.rows, 1);
    heed_history_free(&history);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    heed_model_free(m);
    heed_context_free(c);
}

/* ---- memory */

static void allocates_nothing_after_the_first_step(void **state)
{
    heed_test_allocator a = {0};
    heed_context *c;
    heed_context_config config = {.threads = 2, .allocator = heed_test_allocator_interface(&a)};
    assert_int_equal(heed_context_create(&config, &c), HEED_OK);
    heed_model *m = make_tagger(c);
    CHECK(c, compile_tagger(m));
    heed_array w = rows_of(words, 8), t = rows_of(tags, 8);
    heed_batch batch = {.inputs = &w, .input_count = 1, .targets = &t, .target_count = 1};
    float out[8 * STEPS * TAGS];
    heed_array y = {HEED_FLOAT32, {3, {8, STEPS, TAGS}}, out};
    heed_logs logs;
    CHECK(c, heed_train_on_batch(m, &batch, &logs));
    CHECK(c, heed_test_on_batch(m, &batch, &logs));
    CHECK(c, heed_predict_on_batch(m, &w, 1, &y, 1));
    a.calls = 0;
    for (int i = 0; i < 5; i++) {
        CHECK(c, heed_train_on_batch(m, &batch, &logs));
        CHECK(c, heed_test_on_batch(m, &batch, &logs));
        CHECK(c, heed_predict_on_batch(m, &w, 1, &y, 1));
    }
    assert_int_equal(a.calls, 0);
    heed_model_free(m);
    heed_context_free(c);
}

static heed_status whole_life(heed_context *c, void *user)
{
    heed_model *m = make_tagger(c), *again = NULL;
    heed_history history = {0};
    char *text = NULL;
    heed_status status = m == NULL ? HEED_ENOMEM : compile_tagger(m);
    if (status == HEED_OK)
        status = fit_tagger(m, 0, 1, &history);
    if (status == HEED_OK)
        status = heed_set_asset(m, "words.txt", "a\nb\n", 4);
    if (status == HEED_OK)
        status = heed_save(m, "test_model_memory.keras");
    if (status == HEED_OK)
        status = heed_load(c, "test_model_memory.keras", &again);
    if (status == HEED_OK)
        status = fit_tagger(again, 1, 2, &history);
    if (status == HEED_OK)
        status = heed_summary_text(again, 60, &text);
    heed_free(c, text);
    heed_history_free(&history);
    heed_model_free(again);
    heed_model_free(m);
    return status;
}

static heed_status wired_life(heed_context *c, void *user)
{
    heed_model *m = heed_functional(c, "wired"), *part = NULL;
    if (m == NULL)
        return HEED_ENOMEM;
    heed_symbol *x = heed_input(m, .name = "x", .shape = {1, {2}});
    heed_symbol *h = heed_apply(heed_dense(.units = 3), x), *k = heed_apply(heed_dense(.units = 3), x);
    heed_symbol *y = heed_apply_to(heed_merge_add(), h, k);
    heed_status status = heed_outputs(m, y);
    if (status == HEED_OK)
        status = heed_submodel(m, "part", &x, 1, &h, 1, &part);
    if (status == HEED_OK)
        status =
            heed_compile(m, .optimizer = "rmsprop(use_ema=True, learning_rate=cosine_decay(0.1, 10))", .loss = "mse");
    heed_memory memory;
    if (status == HEED_OK)
        status = heed_model_memory(m, 2, 2, &memory);
    heed_model_free(part);
    heed_model_free(m);
    return status;
}

static void survives_every_failing_allocation(void **state)
{
    heed_test_each_allocation_fails(wired_life, NULL);
    heed_test_each_allocation_fails(whole_life, NULL);
}

int main(void)
{
    fill_data();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wires_shared_layers_and_several_ends),
        cmocka_unit_test(nests_and_takes_apart),
        cmocka_unit_test(takes_layers_of_ones_own),
        cmocka_unit_test(explains_mistakes),
        cmocka_unit_test(knows_its_memory),
        cmocka_unit_test(trains_to_the_same_bits_at_any_number_of_threads),
        cmocka_unit_test(resumes_to_the_same_bits),
        cmocka_unit_test(refuses_strange_expressions_for_layers),
        cmocka_unit_test(stops_on_request),
        cmocka_unit_test(allocates_nothing_after_the_first_step),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
