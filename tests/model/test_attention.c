/* What every attention layer tells, when a model is asked: under which name, in which shape; and that nobody's looking
 * changes the outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/attention.h"
#include "heed/model.h"
#include "heed/transformer.h"
#include "support/context.h"

#include <math.h>
#include <string.h>

#define CHECK(c, call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != HEED_OK)                                                                                         \
            fail_msg("%s: %s", #call, heed_error(c));                                                                  \
    } while (0)

enum { ROWS = 5, STEPS = 4, KEYS = 3, FEATURES = 6 };

/* The first input has STEPS steps, all further ones KEYS; the last step of some rows is padding. */
static void add_sequence(heed_arrays *x, const char *name, int64_t steps)
{
    heed_array *a;
    CHECK(x->context, heed_array_create(x->context, HEED_FLOAT32, &(heed_shape){3, {ROWS, steps, FEATURES}}, &a));
    for (int64_t i = 0; i < heed_array_count(a); i++) {
        bool padding = i / FEATURES % steps == steps - 1 && i / (FEATURES * steps) % 2 == 1;
        ((float *)a->data)[i] = padding ? 0.0f : cosf(0.3f + 1.3f * (float)(i + steps));
    }
    CHECK(x->context, heed_arrays_add(x, name, a));
}

static heed_model *model_of(heed_context *c, heed_spec layer, int inputs)
{
    static const char *const names[] = {"a", "b", "c"};
    heed_model *m = heed_functional(c, "looks");
    heed_symbol *x[3], *y;
    for (int i = 0; i < inputs; i++)
        x[i] = heed_apply(heed_masking(), heed_input(m, .name = names[i],
                                                     .shape = {2, {i == 0 ? STEPS : KEYS, FEATURES}}));
    y = heed_apply_list(layer, x, inputs);
    CHECK(c, heed_outputs(m, y));
    return m;
}

/* Some layers give a query that is padding no weights at all. */
static void check_rows_sum_to_one(const heed_array *a)
{
    int64_t keys = a->shape.dims[a->shape.rank - 1];
    for (int64_t i = 0; i < heed_array_count(a); i += keys) {
        double sum = 0.0;
        for (int64_t j = 0; j < keys; j++)
            sum += ((const float *)a->data)[i + j];
        if (i == 0 || sum != 0.0)
            assert_float_equal(sum, 1.0, 1e-5);
    }
}

/* Asked or not, in batches of any size, the outputs are the same bits; and what is told has that name and shape. */
static void check_tells(heed_context *c, heed_spec layer, int inputs, const char *name, heed_shape shape)
{
    heed_model *m = model_of(c, layer, inputs);
    heed_arrays x = {.context = c}, plain = {.context = c}, asked = {.context = c}, told = {.context = c};
    for (int i = 0; i < inputs; i++)
        add_sequence(&x, heed_model_input_name(m, i), i == 0 ? STEPS : KEYS);
    CHECK(c, heed_predict(m, &x, &plain, .batch_size = 2));
    CHECK(c, heed_predict(m, &x, &asked, .batch_size = 3, .attention = &told));
    for (int k = 0; k < heed_model_output_count(m); k++) {
        const heed_array *a = heed_arrays_get(&plain, heed_model_output_name(m, k));
        const heed_array *b = heed_arrays_get(&asked, heed_model_output_name(m, k));
        assert_memory_equal(a->data, b->data, (size_t)heed_array_count(a) * sizeof(float));
    }
    const heed_array *weights = heed_arrays_get(&told, name);
    if (weights == NULL)
        fail_msg("%s tells nothing", name);
    if (!heed_shape_equal(&weights->shape, &shape)) {
        char text[128];
        fail_msg("%s tells %s", name, heed_shape_text(&weights->shape, text, sizeof text));
    }
    assert_int_equal(told.count, 1);
    check_rows_sum_to_one(weights);
    heed_arrays_free(&x);
    heed_arrays_free(&plain);
    heed_arrays_free(&asked);
    heed_arrays_free(&told);
    heed_model_free(m);
}

#define SHAPE(...)                                                                                                     \
    (heed_shape) { (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), { __VA_ARGS__ } }

static void every_layer_tells(void **state)
{
    heed_context *c = *state;
    const heed_shape self = SHAPE(ROWS, STEPS, STEPS), cross = SHAPE(ROWS, STEPS, KEYS);
    check_tells(c, heed_attention(), 2, "attention", cross);
    check_tells(c, heed_attention(.score_mode = "concat"), 3, "attention", cross);
    check_tells(c, heed_additive_attention(), 2, "additive_attention", cross);
    check_tells(c, heed_multi_head_attention(.num_heads = 3, .key_dim = 2), 2, "multi_head_attention",
                SHAPE(ROWS, 3, STEPS, KEYS));
    check_tells(c, heed_group_query_attention(.head_dim = 2, .num_query_heads = 4, .num_key_value_heads = 2), 3,
                "grouped_query_attention", SHAPE(ROWS, 4, STEPS, KEYS));
    check_tells(c, heed_attention_decoder(.units = 5, .output_dim = 2), 1, "attention_decoder", self);
    check_tells(c, heed_seq_self_attention(.units = 3), 1, "seq_self_attention", self);
    check_tells(c, heed_seq_self_attention(.units = 3, .attention_width = 1), 1, "seq_self_attention", self);
    check_tells(c, heed_seq_weighted_attention(), 1, "seq_weighted_attention", SHAPE(ROWS, 1, STEPS));
    check_tells(c, heed_self_attention_scaled_dot_product(), 3, "scaled_dot_product_attention", cross);
    check_tells(c, heed_multi_head_multi_head_attention(.head_num = 3), 3, "multi_head_attention",
                SHAPE(ROWS, 3, STEPS, KEYS));
    check_tells(c, heed_attention_layer(), 2, "attention_layer", SHAPE(ROWS, KEYS, STEPS));
    check_tells(c, heed_layer_collection_scaled_dot_product(), 3, "scaled_dot_product_attention", cross);
    check_tells(c, heed_sequence_attention(), 2, "sequence_attention", SHAPE(ROWS, KEYS, STEPS));
    check_tells(c, heed_attention_rnn_wrapper(heed_gru(.units = 2)), 1, "attention_rnn_wrapper", self);
    check_tells(c, heed_external_attention_rnn_wrapper(heed_lstm(.units = 2)), 2, "external_attention_rnn_wrapper",
                cross);
    check_tells(c, heed_luong_attention(.units = 5, .score = "concat"), 2, "luong_attention", cross);
    check_tells(c, heed_rnn(heed_luong_attention_cell(heed_gru_cell(.units = 2))), 2, "rnn", cross);
    check_tells(c, heed_rnn(heed_bahdanau_attention_cell(heed_gru_cell(.units = 2))), 2, "rnn", cross);
    check_tells(c, heed_rnn(heed_bahdanau_attention_cell(heed_lstm_cell(.units = 2), .first = heed_lstm_cell(.units = 2)),
                            .return_sequences = true), 2, "rnn", cross);
}

static void blocks_tell_each_attention(void **state)
{
    heed_context *c = *state;
    heed_arrays x = {.context = c}, y = {.context = c}, told = {.context = c};
    check_tells(c, heed_transformer_encoder(.intermediate_dim = 5, .num_heads = 3), 1, "transformer_encoder",
                SHAPE(ROWS, 3, STEPS, STEPS));
    heed_model *m = model_of(c, heed_transformer_decoder(.intermediate_dim = 5, .num_heads = 2), 2);
    add_sequence(&x, "a", STEPS);
    add_sequence(&x, "b", KEYS);
    CHECK(c, heed_predict(m, &x, &y, .attention = &told));
    const heed_array *own = heed_arrays_get(&told, "transformer_decoder_self_attention");
    const heed_array *read = heed_arrays_get(&told, "transformer_decoder_cross_attention");
    assert_int_equal(told.count, 2);
    assert_true(own != NULL && heed_shape_equal(&own->shape, &SHAPE(ROWS, 2, STEPS, STEPS)));
    assert_true(read != NULL && heed_shape_equal(&read->shape, &SHAPE(ROWS, 2, STEPS, KEYS)));
    for (int64_t i = 0; i < heed_array_count(own); i++) /* no step sees those behind it */
        assert_true(i % STEPS <= i / STEPS % STEPS || ((const float *)own->data)[i] == 0);
    check_rows_sum_to_one(read);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    heed_arrays_free(&told);
    heed_model_free(m);
}

static void wrappers_pass_it_on(void **state)
{
    heed_context *c = *state;
    check_tells(c, heed_multi_head(.layer = heed_seq_self_attention(), .layer_num = 2), 1, "multi_head",
                SHAPE(ROWS, 2, STEPS, STEPS));
}

/* ---- TimeDistributed, and a model within a model */

static void steps_stand_apart(void **state)
{
    heed_context *c = *state;
    heed_model *m = heed_functional(c, "outer"), *inner = heed_functional(c, "inner");
    heed_symbol *x = heed_input(inner, .name = "x", .shape = {2, {3, 2}});
    CHECK(c, heed_outputs(inner, heed_apply(heed_seq_self_attention(.name = "look"), x)));
    heed_symbol *z = heed_input(m, .name = "z", .shape = {3, {4, 3, 2}}), *flat = heed_input(m, .shape = {2, {3, 2}});
    heed_symbol *steps = heed_apply(heed_time_distributed(heed_shared(heed_model_layer(inner))), z);
    heed_symbol *one = heed_apply(heed_seq_self_attention(.name = "look"), flat);
    CHECK(c, heed_outputs(m, steps, one));
    heed_arrays in = {.context = c}, out = {.context = c}, told = {.context = c};
    heed_array *a, *b;
    CHECK(c, heed_array_create(c, HEED_FLOAT32, &SHAPE(ROWS, 4, 3, 2), &a));
    CHECK(c, heed_arrays_add(&in, heed_model_input_name(m, 0), a));
    CHECK(c, heed_array_create(c, HEED_FLOAT32, &SHAPE(ROWS, 3, 2), &b));
    CHECK(c, heed_arrays_add(&in, heed_model_input_name(m, 1), b));
    CHECK(c, heed_predict(m, &in, &out, .batch_size = 2, .attention = &told));
    assert_int_equal(told.count, 2);
    assert_true(heed_shape_equal(&heed_arrays_get(&told, "look")->shape, &SHAPE(ROWS, 4, 3, 3)));
    assert_true(heed_shape_equal(&heed_arrays_get(&told, "look_1")->shape, &SHAPE(ROWS, 3, 3)));
    heed_arrays_free(&in);
    heed_arrays_free(&out);
    heed_arrays_free(&told);
    heed_model_free(m);
    heed_model_free(inner);
}

/* ---- a cell of one's own that attends: to the features of its input, just to tell */

#define LOOK_OPTIONS(X, config) HEED_LAYER_OPTIONS(X, config)
typedef struct look_config { LOOK_OPTIONS(HEED_OPTION_FIELD, ) } look_config;

static heed_status look_begin(heed_layer *cell, heed_loop *loop)
{
    (void)cell;
    loop->output_count = loop->wants_attention ? 2 : 1;
    loop->attention = loop->wants_attention ? 1 : 0;
    return HEED_OK;
}

static void look_shape(const heed_layer *cell, int state, heed_shape *shape)
{
    (void)cell;
    (void)state;
    *shape = SHAPE(FEATURES);
}

static heed_status look_step(heed_layer *cell, const heed_loop *loop, heed_step *step)
{
    (void)cell;
    heed_tensor *a = heed_op_softmax(heed_op_add(step->inputs[0], step->states[0]), NULL);
    step->outputs[0] = step->new_states[0] = heed_op_multiply(a, step->inputs[0]);
    if (loop->wants_attention)
        step->outputs[1] = a;
    return HEED_OK;
}

static heed_status no_call(heed_layer *cell, heed_call *call)
{
    (void)call;
    return heed_layer_fail(cell, HEED_EUNSUPPORTED, "only for recurrent layers");
}

static const heed_cell_functions look_functions = {.state_shape = look_shape, .begin = look_begin, .step = look_step};
static const heed_layer_class look_class = {.name = "Look", .collection = "mine", .min_inputs = 1, .call = no_call,
                                            .cell = &look_functions, HEED_CLASS_OPTIONS(look_config, LOOK_OPTIONS)};

static void cells_tell(void **state)
{
    heed_context *c = *state;
    look_config config = {.trainable = true};
    heed_spec cell = {&look_class, &config};
    const heed_shape all = SHAPE(ROWS, STEPS, FEATURES);
    check_tells(c, heed_rnn(cell, .return_sequences = true), 1, "rnn", all);
    check_tells(c, heed_rnn(cell), 1, "rnn", all);
}

/* ---- long sequences: nothing of Tq x Tk is planned, neither to predict nor to train */

static void check_memory(heed_context *c, heed_spec layer, int times)
{
    enum { LENGTH = 20000, WIDTH = 64 };
    heed_memory memory;
    heed_model *m = heed_functional(c, "long");
    heed_symbol *x = heed_input(m, .shape = {2, {HEED_ANY, WIDTH}}), *all[] = {x, x, x};
    CHECK(c, heed_outputs(m, heed_apply(heed_dense(.units = 1), heed_apply_list(layer, all, times))));
    CHECK(c, heed_compile(m, .optimizer = "adam", .loss = "mse"));
    CHECK(c, heed_model_memory(m, 1, LENGTH, &memory));
    const size_t sequence = (size_t)LENGTH * WIDTH * sizeof(float); /* the weights of one head would take 312 */
    if (memory.inference > 12 * sequence || memory.training > 40 * sequence)
        fail_msg("inference takes %zu sequences, training %zu", memory.inference / sequence, memory.training / sequence);
    heed_model_free(m);
}

static void long_sequences_fit(void **state)
{
    heed_context *c = *state;
    check_memory(c, heed_multi_head_attention(.num_heads = 8, .key_dim = 8, .dropout = 0.1), 2);
    check_memory(c, heed_group_query_attention(.num_query_heads = 8, .num_key_value_heads = 2, .head_dim = 8), 3);
    check_memory(c, heed_multi_head_multi_head_attention(.head_num = 8), 1);
    check_memory(c, heed_self_attention_scaled_dot_product(.history_only = true), 1);
    check_memory(c, heed_layer_collection_scaled_dot_product(), 3);
    check_memory(c, heed_attention(.use_scale = true, .dropout = 0.1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_tells),
        cmocka_unit_test(blocks_tell_each_attention),
        cmocka_unit_test(wrappers_pass_it_on),
        cmocka_unit_test(steps_stand_apart),
        cmocka_unit_test(cells_tell),
        cmocka_unit_test(long_sequences_fit),
    };
    return cmocka_run_group_tests(tests, heed_test_with_context, heed_test_without_context);
}
