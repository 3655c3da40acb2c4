/* Cells of one's own, dropout inside of cells, and every layer while memory fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/layers.h"
#include "layers/layer.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_up(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 2}, (heed_context **)state);
}

static int tear_down(void **state)
{
    heed_context_free(*state);
    return 0;
}

/* ---- one call of a layer, with gradients ---- */

enum { MOST = 8, WEIGHTS = 64 };

typedef struct trial {
    heed_context *context;
    heed_layer   *layer;
    heed_graph   *graph;
    heed_inner    inner;
    heed_tensor  *inputs[MOST], *masks[MOST], *gradients[WEIGHTS + 1], *wanted[WEIGHTS + 1 + HEED_MAX_OUTPUTS];
    float        *data[MOST];
    int           count, weights, wanted_count;
    bool          training;
} trial;

static void end(trial *t)
{
    heed_graph_free(t->graph);
    heed_layer_release(t->layer);
    for (int i = 0; i < t->count; i++)
        heed_release(t->context, t->data[i]);
}

/* An input of some fixed numbers; ids 0, 1, 2 where the type is int32. */
static heed_status add_input(trial *t, heed_dtype dtype, heed_shape shape)
{
    int64_t count = heed_shape_count(&shape);
    float *data = t->data[t->count] = heed_alloc(t->context, (size_t)count, sizeof(float));
    if (data == NULL)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < count; i++)
        if (dtype == HEED_INT32)
            ((int32_t *)data)[i] = (int32_t)(i % 3);
        else
            data[i] = (float)sin(0.7 * (double)(i + 1) + t->count);
    t->inputs[t->count++] = heed_graph_input(t->graph, dtype, &shape);
    return heed_graph_status(t->graph);
}

static heed_status call_layer(trial *t)
{
    heed_call outer = {.graph = t->graph, .training = t->training};
    HEED_TRY(heed_inner_call(&t->inner, &outer, t->layer, t->inputs, t->masks, t->count, NULL));
    t->weights = heed_layer_weight_count(t->layer);
    for (int i = 0; i < t->weights; i++)
        HEED_TRY(heed_variable_initialize(t->context, heed_layer_weight_at(t->layer, i), 1, (uint64_t)i));
    return HEED_OK;
}

/* Gradients of the sum of the squares of all outputs by every weight and the first input. */
static heed_status differentiate(trial *t)
{
    heed_tensor *of[WEIGHTS + 1], *loss = heed_graph_scalar(t->graph, 0.0f);
    for (int i = 0; i < t->inner.call.output_count; i++)
        if (t->inner.outputs[i]->dtype == HEED_FLOAT32)
            loss = heed_op_add(loss, heed_op_sum(heed_op_square(t->inner.outputs[i]), NULL, 0, false));
    size_t count = 0;
    for (int i = 0; i < t->weights; i++)
        of[count++] = heed_graph_variable(t->graph, heed_layer_weight_at(t->layer, i));
    if (t->inputs[0]->dtype == HEED_FLOAT32)
        of[count++] = t->inputs[0];
    HEED_TRY(heed_graph_status(t->graph));
    HEED_TRY(heed_graph_gradients(loss, NULL, of, count, t->gradients));
    for (int i = 0; i < t->inner.call.output_count; i++)
        t->wanted[t->wanted_count++] = t->inner.outputs[i];
    for (size_t i = 0; i < count; i++)
        if (t->gradients[i] != NULL)
            t->wanted[t->wanted_count++] = t->gradients[i];
    return HEED_OK;
}

static heed_status run(trial *t)
{
    HEED_TRY(call_layer(t));
    HEED_TRY(differentiate(t));
    HEED_TRY(heed_graph_plan(t->graph, t->wanted, (size_t)t->wanted_count));
    for (int i = 0; i < t->count; i++)
        heed_graph_bind(t->inputs[i], t->data[i]);
    return heed_graph_run(t->graph, 3, 1);
}

/* ---- an LSTM, written by a user ---- */

#define MY_CELL_OPTIONS(X, config)                                                                                     \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, units, 0, "[1,)", "size of the state")
typedef struct my_cell_config { MY_CELL_OPTIONS(HEED_OPTION_FIELD, ) } my_cell_config;

static int my_units(const heed_layer *cell) { return ((const my_cell_config *)heed_layer_config(cell))->units; }

static heed_status my_build(heed_layer *cell, const heed_shape *inputs, int count)
{
    (void)count;
    int units = my_units(cell);
    heed_layer_weight(cell, "W", &(heed_shape){2, {inputs->dims[1], 4 * units}}, "glorot_uniform", NULL, NULL, true);
    heed_layer_weight(cell, "U", &(heed_shape){2, {units, 4 * units}}, "orthogonal", NULL, NULL, true);
    heed_layer_weight(cell, "b", &(heed_shape){1, {4 * units}}, "unit_forget('zeros')", NULL, NULL, true);
    return HEED_OK;
}

static int my_state_count(const heed_layer *cell)
{
    (void)cell;
    return 2;
}

static void my_state_shape(const heed_layer *cell, int state, heed_shape *shape)
{
    (void)state;
    *shape = (heed_shape){1, {my_units(cell)}};
}

static heed_status my_step(heed_layer *cell, const heed_loop *loop, heed_step *step)
{
    (void)loop;
    int64_t u = my_units(cell);
    heed_tensor *weight[3];
    for (int i = 0; i < 3; i++)
        weight[i] = heed_graph_variable(step->graph, heed_layer_weight_at(cell, i));
    heed_tensor *z = heed_op_add(heed_op_dense(step->inputs[0], weight[0], weight[2]),
                                 heed_op_matmul(step->states[0], weight[1]));
    heed_tensor *input = heed_op_sigmoid(heed_op_slice(z, -1, 0, u));
    heed_tensor *forget = heed_op_sigmoid(heed_op_slice(z, -1, u, u));
    heed_tensor *candidate = heed_op_tanh(heed_op_slice(z, -1, 2 * u, u));
    heed_tensor *output = heed_op_sigmoid(heed_op_slice(z, -1, 3 * u, u));
    heed_tensor *c = heed_op_add(heed_op_multiply(forget, step->states[1]), heed_op_multiply(input, candidate));
    step->outputs[0] = step->new_states[0] = heed_op_multiply(output, heed_op_tanh(c));
    step->new_states[1] = c;
    return HEED_OK;
}

static const heed_cell_functions my_functions = {.state_count = my_state_count, .state_shape = my_state_shape,
                                                 .step = my_step};

static heed_status no_call(heed_layer *cell, heed_call *call)
{
    (void)call;
    return heed_layer_fail(cell, HEED_EUNSUPPORTED, "only for recurrent layers");
}

static const heed_layer_class my_cell_class = {.name = "MyCell", .collection = "mine", .min_inputs = 1,
                                               .build = my_build,
                                               .call = no_call, .cell = &my_functions,
                                               HEED_CLASS_OPTIONS(my_cell_config, MY_CELL_OPTIONS)};

static void check_close(const heed_tensor *a, const heed_tensor *b)
{
    assert_true(heed_shape_equal(heed_tensor_shape(a), heed_tensor_shape(b)));
    const float *x = heed_tensor_data(a), *y = heed_tensor_data(b);
    for (int64_t i = 0; i < a->count; i++)
        if (!(fabsf(x[i] - y[i]) <= 2e-6f * fmaxf(1.0f, fabsf(y[i]))))
            fail_msg("element %lld is %g, expected %g", (long long)i, (double)x[i], (double)y[i]);
}

/* Both layers on one input under one mask; weights are drawn alike, as they stand in one order. */
static void check_same(heed_context *c, heed_spec mine, heed_spec theirs)
{
    trial t[2] = {{.context = c}, {.context = c}};
    heed_spec specs[] = {mine, theirs};
    static const int32_t lengths[] = {5, 2, 0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(heed_layer_create(c, specs[i], &t[i].layer), HEED_OK);
        assert_int_equal(heed_graph_create(c, &t[i].graph), HEED_OK);
        assert_int_equal(add_input(&t[i], HEED_FLOAT32, (heed_shape){3, {3, 5, 4}}), HEED_OK);
        t[i].masks[0] = heed_graph_constant(t[i].graph,
                                            &(heed_array){HEED_INT32, {1, {3}}, (void *)(uintptr_t)lengths});
        if (run(&t[i]) != HEED_OK)
            fail_msg("%s", heed_error(c));
    }
    assert_int_equal(t[0].wanted_count, t[1].wanted_count);
    for (int i = 0; i < t[0].wanted_count; i++)
        check_close(t[0].wanted[i], t[1].wanted[i]);
    end(&t[0]);
    end(&t[1]);
}

static void test_a_cell_of_ones_own_is_an_lstm(void **state)
{
    heed_context *c = *state;
    my_cell_config config = {.trainable = true, .units = 3};
    heed_spec cell = {&my_cell_class, &config};
    check_same(c, heed_rnn(cell, .return_sequences = true, .return_state = true),
               heed_lstm(.units = 3, .return_sequences = true, .return_state = true));
    check_same(c, heed_rnn(cell), heed_lstm(.units = 3));
    check_same(c, heed_bidirectional(heed_rnn(cell, .return_sequences = true), .merge_mode = "sum"),
               heed_bidirectional(heed_lstm(.units = 3, .return_sequences = true), .merge_mode = "sum"));
    check_same(c, heed_rnn(heed_stacked_rnn_cells(cell, heed_gru_cell(.units = 2)), .go_backwards = true),
               heed_rnn(heed_stacked_rnn_cells(heed_lstm_cell(.units = 3), heed_gru_cell(.units = 2)),
                        .go_backwards = true));
}

static void test_a_cell_is_a_layer_too(void **state)
{
    heed_context *c = *state;
    trial t = {.context = c};
    assert_int_equal(heed_layer_create(c, heed_lstm_cell(.units = 3), &t.layer), HEED_OK);
    assert_int_equal(heed_graph_create(c, &t.graph), HEED_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(add_input(&t, HEED_FLOAT32, (heed_shape){2, {2, 3}}), HEED_OK);
    assert_int_equal(run(&t), HEED_OK);
    assert_int_equal(t.inner.call.output_count, 3);
    check_close(t.inner.outputs[0], t.inner.outputs[1]);
    end(&t);
}

/* ---- dropout inside of cells: the same at every step ---- */

/* With h' = x K + h R, K and R identities, no bias: what is dropped shows. */
static void test_dropout_is_drawn_once_for_all_steps(void **state)
{
    heed_context *c = *state;
    enum { STEPS = 4, WIDTH = 200 };
    trial t = {.context = c, .training = true};
    heed_spec spec = heed_simple_rnn(.units = WIDTH, .activation = "linear", .kernel_initializer = "identity",
                                     .recurrent_initializer = "zeros", .dropout = 0.25, .return_sequences = true);
    assert_int_equal(heed_layer_create(c, spec, &t.layer), HEED_OK);
    assert_int_equal(heed_graph_create(c, &t.graph), HEED_OK);
    assert_int_equal(add_input(&t, HEED_FLOAT32, (heed_shape){3, {2, STEPS, WIDTH}}), HEED_OK);
    for (int i = 0; i < 2 * STEPS * WIDTH; i++)
        t.data[0][i] = 3.0f;
    assert_int_equal(run(&t), HEED_OK);
    const float *y = heed_tensor_data(t.inner.outputs[0]);
    int kept = 0;
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < WIDTH; i++) {
            float first = y[b * STEPS * WIDTH + i];
            assert_true(first == 0.0f || fabsf(first - 4.0f) < 1e-6f);
            kept += first != 0.0f;
            for (int s = 1; s < STEPS; s++)
                assert_true(y[(b * STEPS + s) * WIDTH + i] == first);
        }
    assert_true(kept > 260 && kept < 340); /* 300 expected, deviation 8.7 */
    assert_memory_not_equal(y, y + STEPS * WIDTH, WIDTH * sizeof *y); /* each row of the batch has a draw of its own */
    end(&t);
}

/* ---- layers as text, each run while every allocation fails ---- */

typedef struct sample {
    const char *class_name; /* COLLECTION>NAME where the name alone means another collection's */
    const char *options;
    int         count;
    heed_shape  shapes[MOST];
} sample;

#define ONE(...) 1, {{__VA_ARGS__}}
#define X3 {3, {2, 3, 4}}
static const sample samples[] = {
    {"InputLayer", "", ONE(2, {2, 3})},
    {"Dense", "5, activation='gelu', kernel_regularizer='l2', activity_regularizer='l1'", ONE(2, {2, 3})},
    {"Embedding", "4, 5, mask_zero=True", ONE(2, {2, 3})},
    {"ReversibleEmbedding", "4, 5, mask_zero=True, tie_weights=False", ONE(2, {2, 3})},
    {"Activation", "sparsemax", ONE(2, {2, 3})},
    {"Dropout", "0.5, noise_shape=[None, 1, None]", 1, {X3}},
    {"LSTM", "3, dropout=0.5, recurrent_dropout=0.5, return_sequences=True", 1, {X3}},
    {"LSTMCell", "3", 3, {{2, {2, 4}}, {2, {2, 3}}, {2, {2, 3}}}},
    {"GRU", "3, reset_after=False, stateful=True, recurrent_dropout=0.2", 1, {X3}},
    {"GRUCell", "3", 2, {{2, {2, 4}}, {2, {2, 3}}}},
    {"SimpleRNN", "3, go_backwards=True, return_sequences=True, return_state=True", 2, {X3, {2, {2, 3}}}},
    {"SimpleRNNCell", "3", 2, {{2, {2, 4}}, {2, {2, 3}}}},
    {"RNN", "cell=StackedRNNCells(cells=[GRUCell(3, dropout=0.5), LSTMCell(2)])", 1, {X3}},
    {"StackedRNNCells", "[GRUCell(3), SimpleRNNCell(2)]", 3, {{2, {2, 4}}, {2, {2, 3}}, {2, {2, 2}}}},
    {"Bidirectional", "LSTM(3, return_sequences=True), merge_mode=None", 1, {X3}},
    {"TimeDistributed", "Dense(3)", 1, {X3}},
    {"Masking", "", 1, {X3}},
    {"Flatten", "data_format='channels_first'", 1, {X3}},
    {"Reshape", "[4, -1]", 1, {X3}},
    {"Permute", "[2, 1]", 1, {X3}},
    {"RepeatVector", "3", ONE(2, {2, 3})},
    {"Add", "", 2, {X3, {2, {2, 4}}}},
    {"Subtract", "", 2, {X3, X3}},
    {"Multiply", "", 2, {X3, X3}},
    {"Average", "", 2, {X3, X3}},
    {"Maximum", "", 2, {X3, X3}},
    {"Minimum", "", 2, {X3, X3}},
    {"Concatenate", "axis=1", 2, {X3, X3}},
    {"Dot", "[2, 2], normalize=True", 2, {X3, X3}},
    {"LayerNormalization", "axis=[1, 2]", 1, {X3}},
    {"BatchNormalization", "momentum=0.9", 1, {X3}},
    {"GroupNormalization", "groups=2", 1, {X3}},
    {"RMSNormalization", "axis=[1, 2]", 1, {X3}},
    {"UnitNormalization", "", 1, {X3}},
    {"EinsumDense", "'...x,xy->...y', 5, bias_axes='y'", 1, {X3}},
    {"Softmax", "axis=[1, 2]", 1, {X3}},
    {"ReLU", "max_value=1, negative_slope=0.1, threshold=0.2", 1, {X3}},
    {"LeakyReLU", "", 1, {X3}},
    {"ELU", "", 1, {X3}},
    {"PReLU", "shared_axes=[1]", 1, {X3}},
    {"AlphaDropout", "0.5, noise_shape=[None, 1, 4]", 1, {X3}},
    {"Identity", "", 1, {X3}},
    {"ActivityRegularization", "l1=0.1", 1, {X3}},
    {"Attention", "use_scale=True, score_mode='concat', dropout=0.5", 2, {X3, X3}},
    {"AdditiveAttention", "", 3, {X3, X3, X3}},
    {"AttentionDecoder", "3, 5, corrected=True", 1, {X3}},
    {"SeqSelfAttention", "3, 2, attention_activation='sigmoid', attention_regularizer_weight=0.1", 1, {X3}},
    {"SeqWeightedAttention", "return_attention=True, corrected=False", 1, {X3}},
    {"ScaledDotProductAttention", "history_only=True", 3, {X3, X3, X3}},
    {"ResidualScaledDotProductAttention", "return_attention=True", 2, {X3, {3, {2, 3, 3}}}},
    {"MultiHead", "Dense(3, name='head'), 2, hidden_dim=3, reg_index=[0], reg_slice=':, 0:2', reg_factor=0.1", 1, {X3}},
    {"MultiHeadAttention", "2, 3, value_dim=5, use_gate=True, sliding_window=2, dropout=0.5", 4,
     {X3, X3, X3, {3, {2, 3, 3}}}},
    {"GroupQueryAttention", "3, 4, 2, use_gate=True", 3, {X3, X3, X3}},
    {"keras-multi-head>MultiHeadAttention", "head_num=2, activation='relu', history_only=True", 1, {X3}},
    {"AttentionLayer", "", 2, {X3, {3, {2, 5, 2}}}},
    {"SequenceAttention", "similarity='additive'", 2, {X3, {3, {2, 5, 2}}}},
    {"AttentionRNNWrapper", "LSTM(3, dropout=0.5, return_sequences=True, stateful=True)", 1, {X3}},
    {"ExternalAttentionRNNWrapper", "GRU(3, go_backwards=True), return_attention=True", 2, {X3, {3, {2, 5, 2}}}},
    {"LuongAttention", "3, 'concat', 'local-p', reach=1, score_units=5, return_attention=True", 2, {X3, {3, {2, 5, 2}}}},
    {"LuongAttentionCell", "score='concat', window='local-m', reach=1, cell=GRUCell(3)", 5,
     {{2, {2, 4}}, {2, {2, 3}}, {2, {2, 3}}, {2, {2, 1}}, {3, {2, 5, 2}}}},
    {"BahdanauAttentionCell", "cell=GRUCell(3, dropout=0.5), first=GRUCell(3, dropout=0.5), units=2", 3,
     {{2, {2, 4}}, {2, {2, 3}}, {3, {2, 5, 2}}}},
    {"keras-layer-collection>ScaledDotProductAttention", "True", 4, {X3, X3, X3, {3, {2, 3, 3}}}},
    {"Conv1D", "5, 2, padding='causal', dilation_rate=2, groups=1, activation='relu'", 1, {X3}},
    {"Conv2D", "4, [2, 3], padding='same', groups=2, data_format='channels_first'", ONE(4, {2, 4, 3, 5})},
    {"SeparableConv1D", "5, 2, depth_multiplier=2", 1, {X3}},
    {"SeparableConv2D", "5, 2, strides=2", ONE(4, {2, 4, 3, 5})},
    {"DepthwiseConv1D", "2, padding='same', use_bias=False", 1, {X3}},
    {"DepthwiseConv2D", "[1, 2], depth_multiplier=2", ONE(4, {2, 4, 3, 5})},
    {"Conv1DTranspose", "5, 3, strides=2, output_padding=1", 1, {X3}},
    {"Conv2DTranspose", "5, 2, strides=[1, 2], padding='same'", ONE(4, {2, 4, 3, 5})},
    {"MaxPooling1D", "2, data_format='channels_first'", 1, {X3}},
    {"MaxPooling2D", "[2, 1], padding='same'", ONE(4, {2, 4, 3, 5})},
    {"AveragePooling1D", "3, 2, 'same'", 1, {X3}},
    {"AveragePooling2D", "2, 1", ONE(4, {2, 4, 3, 5})},
    {"GlobalMaxPooling1D", "", 1, {X3}},
    {"GlobalMaxPooling2D", "keepdims=True", ONE(4, {2, 4, 3, 5})},
    {"GlobalAveragePooling1D", "keepdims=True", 1, {X3}},
    {"GlobalAveragePooling2D", "data_format='channels_first'", ONE(4, {2, 4, 3, 5})},
    {"ZeroPadding1D", "[1, 2]", 1, {X3}},
    {"ZeroPadding2D", "[[1, 0], [2, 3]]", ONE(4, {2, 4, 3, 5})},
    {"Cropping1D", "[0, 1]", 1, {X3}},
    {"Cropping2D", "[1, 0]", ONE(4, {2, 4, 3, 5})},
    {"UpSampling1D", "3", 1, {X3}},
    {"UpSampling2D", "[1, 2], interpolation='bilinear'", ONE(4, {2, 4, 3, 5})},
    {"Resize2D", "[5, 2], method='bicubic'", ONE(4, {2, 4, 3, 5})},
    {"DiscreteResize2D", "[2, 3]", ONE(4, {2, 4, 3, 5})},
    {"SpatialDropout1D", "0.5", 1, {X3}},
    {"SpatialDropout2D", "0.5, data_format='channels_first'", ONE(4, {2, 4, 3, 5})},
    {"GaussianNoise", "0.5", 1, {X3}},
    {"GaussianDropout", "0.5", 1, {X3}},
    {"Rescaling", "2, -1", 1, {X3}},
    {"Normalization", "", 1, {X3}},
    {"Normalization", "axis=[1, 2], mean=0.5, variance=2, invert=True", 1, {X3}},
    {"keras-layer-collection>LayerNormalization", "", 1, {X3}},
    {"TransformerEncoder", "5, 2, dropout=0.5, activation='gelu'", 2, {X3, {3, {2, 3, 3}}}},
    {"TransformerDecoder", "5, 2, dropout=0.5, normalize_first=True", 2, {X3, {3, {2, 5, 2}}}},
    {"PositionEmbedding", "7", 1, {X3}},
    {"SinePositionEncoding", "max_wavelength=100", 1, {X3}},
    {"TokenAndPositionEmbedding", "4, 7, 5, tie_weights=False, mask_zero=True", ONE(2, {2, 3})},
};

/* Whether the name alone means it. */
static bool is_first_of_name(const heed_layer_class *class)
{
    int i = 0;
    while (strcmp(heed_layer_class_at(i)->name, class->name) != 0)
        i++;
    return heed_layer_class_at(i) == class;
}

static const sample *sample_of(const heed_layer_class *class)
{
    char name[128];
    snprintf(name, sizeof name, "%s>%s", class->collection, class->name);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (strcmp(samples[i].class_name, is_first_of_name(class) ? class->name : name) == 0)
            return &samples[i];
    fail_msg("no sample of %s: add one", name);
    return NULL;
}

static heed_status make_sample(heed_context *c, const sample *s, heed_layer **out)
{
    char collection[128];
    const char *mark = strchr(s->class_name, '>');
    snprintf(collection, sizeof collection, "%.*s", mark == NULL ? 0 : (int)(mark - s->class_name), s->class_name);
    heed_zone z;
    heed_value *options;
    *out = NULL;
    heed_zone_init(&z, c);
    heed_status status = heed_value_parse_arguments(&z, s->class_name, s->options, &options);
    if (status == HEED_OK)
        status = heed_layer_create_value(c, s->class_name, mark == NULL ? NULL : collection, options, out);
    heed_zone_free(&z);
    return status;
}

static heed_status try_sample(heed_context *c, void *user)
{
    const sample *s = user;
    trial t = {.context = c, .training = true};
    heed_status status = make_sample(c, s, &t.layer);
    if (status == HEED_OK)
        status = heed_graph_create(c, &t.graph);
    heed_dtype dtype = strstr(s->class_name, "Embedding") != NULL ? HEED_INT32 : HEED_FLOAT32;
    for (int i = 0; i < s->count && status == HEED_OK; i++)
        status = add_input(&t, dtype, s->shapes[i]);
    if (status == HEED_OK && s->shapes[0].rank == 3) { /* under a mask */
        t.masks[0] = heed_op_cast(heed_graph_fill(t.graph, &(heed_shape){2, {2, 3}}, 1.0f), HEED_BOOL);
        status = heed_graph_status(t.graph);
    }
    if (status == HEED_OK)
        status = run(&t);
    end(&t);
    return status;
}

static void test_every_layer_while_memory_fails(void **state)
{
    (void)state;
    for (int i = 0; heed_layer_class_at(i) != NULL; i++)
        heed_test_each_allocation_fails(try_sample, (void *)(uintptr_t)sample_of(heed_layer_class_at(i)));
}

/* What a layer's options say comes back from their saved form. */
static void test_every_layer_survives_its_saved_form(void **state)
{
    heed_context *c = *state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        heed_layer *layer, *again;
        heed_zone z;
        heed_zone_init(&z, c);
        assert_int_equal(make_sample(c, &samples[i], &layer), HEED_OK);
        heed_value *saved = heed_layer_options_value(&z, layer);
        assert_non_null(saved);
        if (heed_layer_create_value(c, samples[i].class_name, NULL, saved, &again) != HEED_OK)
            fail_msg("%s", heed_error(c));
        assert_ptr_equal(again->layer_class, layer->layer_class);
        assert_string_equal(heed_value_expression(&z, saved),
                            heed_value_expression(&z, heed_layer_options_value(&z, again)));
        heed_layer_release(layer);
        heed_layer_release(again);
        heed_zone_free(&z);
    }
}

/* What a class tells of its weights: every weight that the sample has by itself begins a line, in that order. */
static void check_documented_weights(const heed_layer_class *class, const heed_layer *layer)
{
    const char *line = class->weights;
    for (size_t i = 0; i < layer->variable_count; i++) {
        const char *name = layer->variables[i]->name;
        size_t length = strlen(name);
        while (line != NULL && (strncmp(line, name, length) != 0 || line[length] != ' ')) {
            line = strchr(line, '\n');
            line = line == NULL ? NULL : line + 1;
        }
        if (line == NULL)
            fail_msg("%s of %s does not tell of its weight %s, in its place", class->name, class->collection, name);
    }
}

static void check_told(const heed_layer_class *class, const char *what, const char *text)
{
    if (text == NULL || *text == '\0')
        fail_msg("%s of %s does not tell its %s", class->name, class->collection, what);
}

static void test_every_layer_explains_itself(void **state)
{
    const heed_layer_class *class;
    for (int i = 0; (class = heed_layer_class_at(i)) != NULL; i++) {
        check_told(class, "equation", class->equation);
        check_told(class, "shapes", class->shapes);
        check_told(class, "masks", class->masks);
        check_told(class, "weights", class->weights);
        check_told(class, "source", class->source);
        check_told(class, "differences", class->differs);
        for (int k = 0; k < class->option_count; k++)
            check_told(class, class->options[k].name, class->options[k].meaning);
    }
}

static void test_weights_are_as_documented(void **state)
{
    heed_context *c = *state;
    const heed_layer_class *class;
    for (int i = 0; (class = heed_layer_class_at(i)) != NULL; i++) {
        const sample *s = sample_of(class);
        heed_layer *layer;
        assert_int_equal(make_sample(c, s, &layer), HEED_OK);
        assert_ptr_equal(layer->layer_class, class);
        assert_int_equal(heed_layer_build(layer, s->shapes, s->count), HEED_OK);
        check_documented_weights(class, layer);
        heed_layer_release(layer);
    }
}

/* ---- refusals ---- */

static void check_refused(heed_context *c, const char *class_name, const char *options, const char *error)
{
    heed_layer *layer;
    assert_int_not_equal(heed_layer_create_text(c, class_name, options, &layer), HEED_OK);
    assert_null(layer);
    assert_string_equal(heed_error(c), error);
}

static void test_what_layers_refuse(void **state)
{
    heed_context *c = *state;
    check_refused(c, "RNN", "", "RNN layer: its cell is missing");
    check_refused(c, "RNN", "cell=Dense(3)", "RNN layer: what it is to run is no cell (found Dense)");
    check_refused(c, "StackedRNNCells", "", "StackedRNNCells layer: it has no cells");
    check_refused(c, "StackedRNNCells", "[Dense(3)]", "StackedRNNCells layer: layer 1 of it is no cell (found Dense)");
    check_refused(c, "GroupQueryAttention", "3, 4, 3",
                  "GroupQueryAttention layer: num_key_value_heads does not divide num_query_heads (found 3 and 4)");
    check_refused(c, "MultiHeadAttention", "0, 3",
                  "MultiHeadAttention layer: num_heads is out of range (expected [1,), found 0)");
    check_refused(c, "MultiHeadAttention", "2, 3, sliding_window=0",
                  "MultiHeadAttention layer: sliding_window is out of range (expected [1,), found 0)");
    check_refused(c, "Bidirectional", "", "Bidirectional layer: its layer is missing");
    check_refused(c, "Bidirectional", "Dense(3)", "Bidirectional layer: it needs a recurrent layer (found Dense)");
    check_refused(c, "Bidirectional", "LSTM(3), backward_layer=LSTM(3)",
                  "Bidirectional layer: both layers go the same way (expected one with go_backwards)");
    check_refused(c, "Bidirectional", "LSTM(3), backward_layer=LSTM(3, go_backwards=True, return_sequences=True)",
                  "Bidirectional layer: both directions must agree in return_sequences");
    check_refused(c, "Bidirectional", "LSTM(3), merge_mode='max'",
                  "Bidirectional layer: merge_mode is not one of its words "
                  "(expected concat|sum|mul|ave|None, found max)");
    check_refused(c, "TimeDistributed", "", "TimeDistributed layer: its layer is missing");
    check_refused(c, "TimeDistributed", "Dense(0)",
                  "TimeDistributed layer: Dense: units is out of range (expected [1,), found 0)");
    check_refused(c, "Permute", "[1, 3]", "Permute layer: dims is no permutation of 1, 2, ... (found (1, 3))");
    check_refused(c, "Permute", "[1, 1]", "Permute layer: dims is no permutation of 1, 2, ... (found (1, 1))");
    check_refused(c, "Reshape", "[-1, -1]", "Reshape layer: target_shape leaves more than one size open (found 2)");
    check_refused(c, "Dot", "[1, 2, 3]", "Dot layer: axes names one axis or two (found 3)");
    check_refused(c, "LSTM", "3, dropout=2", "LSTM layer: dropout is out of range (expected [0,1], found 2)");
}

static void check_call_refused(heed_context *c, const sample *s, const char *error)
{
    assert_int_not_equal(try_sample(c, (void *)(uintptr_t)s), HEED_OK);
    assert_string_equal(heed_error(c), error);
}

static void test_shapes_that_do_not_fit(void **state)
{
    heed_context *c = *state;
    check_call_refused(c, &(sample){"LSTM", "3", ONE(2, {2, 3})},
                       "LSTM layer: the input is no sequence (expected 3 dimensions or more, found (None, 3))");
    check_call_refused(c, &(sample){"GRU", "3", 2, {X3, {2, {2, 5}}}},
                       "GRU layer: initial state 1 does not fit (expected (2, 3), found (2, 5))");
    check_call_refused(c, &(sample){"Bidirectional", "GRU(3)", 2, {X3, {2, {2, 3}}}},
                       "Bidirectional layer: initial states come in pairs, forward and backward (found 1)");
    check_call_refused(c, &(sample){"Attention", "", 2, {X3, {2, {2, 4}}}},
                       "Attention layer: input 2 is no sequence (expected rank 3, found (2, 4))");
    check_call_refused(c, &(sample){"Attention", "", 3, {X3, X3, {3, {2, 3, 2}}}},
                       "Attention layer: query and key differ in their features (expected 4, found 2)");
    check_call_refused(c, &(sample){"MultiHeadAttention", "2, 3", 2, {X3, {2, {2, 4}}}},
                       "MultiHeadAttention layer: input 2 is no sequence (expected rank as the query's, found (None, 4))");
    check_call_refused(c, &(sample){"MultiHeadAttention", "2, 3", 3, {X3, X3, {3, {2, 5, 4}}}},
                       "MultiHeadAttention layer: key and value differ in their steps (found (None, 5, 4) and "
                       "(None, 3, 4))");
    check_call_refused(c, &(sample){"MultiHeadAttention", "2, 3", 4, {X3, X3, X3, {3, {2, 3, 4}}}},
                       "MultiHeadAttention layer: attention: the mask does not fit (expected bool that broadcasts to "
                       "(2, 2, 3, 3), found (2, 1, 3, 4))");
    check_call_refused(c, &(sample){"MultiHeadAttention", "2, 3, attention_axes=[2]", 2, {X3, X3}},
                       "MultiHeadAttention layer: attention_axes is out of range (expected different axes of 1 to 1, "
                       "found 2)");
    check_call_refused(c, &(sample){"GroupQueryAttention", "3, 4, 2", 2, {X3, {3, {2, 3, 5}}}},
                       "GroupQueryAttention layer: query and value differ in their features (found 4 and 5)");
    check_call_refused(c, &(sample){"LayerNormalization", "axis=3", 1, {X3}},
                       "LayerNormalization layer: the input has no such axis (expected one of 3, found 3)");
    check_call_refused(c, &(sample){"Concatenate", "axis=5", 2, {X3, X3}},
                       "Concatenate layer: the inputs have no such axis (expected one of 3, found 5)");
    check_call_refused(c, &(sample){"Subtract", "", 1, {X3}},
                       "Subtract layer: it is given another number of inputs than it takes (expected 2, found 1)");
    check_call_refused(c, &(sample){"LSTMCell", "3", 2, {{2, {2, 4}}, {2, {2, 3}}}},
                       "LSTMCell layer: a cell is called on its input and its 2 states (found 2 inputs)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_cell_of_ones_own_is_an_lstm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cell_is_a_layer_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropout_is_drawn_once_for_all_steps, set_up, tear_down),
        cmocka_unit_test(test_every_layer_while_memory_fails),
        cmocka_unit_test_setup_teardown(test_every_layer_survives_its_saved_form, set_up, tear_down),
        cmocka_unit_test(test_every_layer_explains_itself),
        cmocka_unit_test_setup_teardown(test_weights_are_as_documented, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_layers_refuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shapes_that_do_not_fit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
