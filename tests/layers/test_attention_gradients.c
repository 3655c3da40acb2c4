/* What the corrected attention layers compute has no original to be held against: their gradients are held against finite
 * differences, with masks, a row that is padding altogether among them. Nothing may come out as not a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/attention.h"
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>

/* More rows than a tile of a recurrent layer has, and another number in its last tile. */
enum { BATCH = 19, STEPS = 4, FEATURES = 4, MOST_INPUTS = 4, MOST_WEIGHTS = 32, PROBES = 6 };
static const float STEP = 1e-2f;

typedef struct trial {
    heed_context *context;
    heed_layer   *layer;
    heed_graph   *graph;
    heed_pass     pass;
    heed_tensor  *sum, *gradients[MOST_WEIGHTS];
    int           weights;
} trial;

static heed_tensor *waves(heed_graph *g, const heed_shape *shape, float start)
{
    int64_t count = heed_shape_count(shape);
    float *x = heed_zone_alloc(&g->zone, (size_t)count, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < count; i++)
        x[i] = sinf(start + 1.3f * (float)i);
    return heed_graph_constant(g, &(heed_array){HEED_FLOAT32, *shape, x});
}

/* Row i keeps its first i % (STEPS + 1) steps: row 0 none. */
static heed_tensor *lengths(heed_graph *g)
{
    bool *keep = heed_zone_alloc(&g->zone, BATCH * STEPS, sizeof *keep);
    assert_non_null(keep);
    for (int i = 0; i < BATCH * STEPS; i++)
        keep[i] = i % STEPS < i / STEPS % (STEPS + 1);
    return heed_graph_constant(g, &(heed_array){HEED_BOOL, {2, {BATCH, STEPS}}, keep});
}

/* The sum of all outputs, each number with a weight of its own, and its gradients by the layer's weights. */
static heed_status build(trial *t, heed_spec spec, int inputs, bool masked)
{
    HEED_TRY(heed_layer_create(t->context, spec, &t->layer));
    HEED_TRY(heed_graph_create(t->context, &t->graph));
    heed_graph *g = t->graph;
    t->pass = (heed_pass){.graph = g};
    heed_call_arguments arguments = {.pass = &t->pass};
    heed_call outer = {.graph = g, .arguments = &arguments};
    heed_tensor *x[MOST_INPUTS], *masks[MOST_INPUTS];
    for (int i = 0; i < inputs; i++) {
        x[i] = waves(g, &(heed_shape){3, {BATCH, STEPS, FEATURES}}, (float)i);
        masks[i] = masked ? lengths(g) : NULL;
    }
    heed_inner inner;
    HEED_TRY(heed_inner_call(&inner, &outer, t->layer, x, masks, inputs, NULL));
    for (int k = 0; k < inner.call.output_count; k++) {
        heed_tensor *weighed = heed_op_multiply(inner.outputs[k], waves(g, &inner.outputs[k]->shape, 0.5f));
        heed_tensor *part = heed_op_sum(weighed, NULL, 0, false);
        t->sum = t->sum == NULL ? part : heed_op_add(t->sum, part);
    }
    t->weights = heed_layer_weight_count(t->layer);
    assert_true(t->weights <= MOST_WEIGHTS);
    heed_tensor *of[MOST_WEIGHTS], *wanted[MOST_WEIGHTS + 1] = {t->sum};
    size_t wanted_count = 1;
    for (int i = 0; i < t->weights; i++) {
        HEED_TRY(heed_variable_initialize(t->context, heed_layer_weight_at(t->layer, i), 1, (uint64_t)i));
        of[i] = heed_graph_variable(g, heed_layer_weight_at(t->layer, i));
    }
    if (t->weights > 0)
        HEED_TRY(heed_graph_gradients(t->sum, NULL, of, (size_t)t->weights, t->gradients));
    for (int i = 0; i < t->weights; i++)
        if (t->gradients[i] != NULL)
            wanted[wanted_count++] = t->gradients[i];
    HEED_TRY(heed_graph_plan(g, wanted, wanted_count));
    return heed_graph_run(g, 1, 1);
}

static double sum_now(trial *t)
{
    assert_int_equal(heed_graph_run(t->graph, 1, 1), HEED_OK);
    return *(const float *)heed_tensor_data(t->sum);
}

/* The sum with a weight's number moved by so much. */
static double sum_at(trial *t, float *number, float moved)
{
    float kept = *number;
    *number = kept + moved;
    double sum = sum_now(t);
    *number = kept;
    return sum;
}

/* By four points, so that nothing up to the fourth power is left. */
static double slope(trial *t, float *number)
{
    double near = sum_at(t, number, STEP) - sum_at(t, number, -STEP);
    double far = sum_at(t, number, 2 * STEP) - sum_at(t, number, -2 * STEP);
    return (8.0 * near - far) / (12.0 * (double)STEP);
}

static void check_weight(trial *t, int index)
{
    heed_variable *v = heed_layer_weight_at(t->layer, index);
    float found[PROBES], *w = heed_variable_data(v);
    int64_t count = heed_shape_count(heed_variable_shape(v)), probes = count < PROBES ? count : PROBES;
    sum_now(t);
    for (int64_t k = 0; k < probes; k++)
        found[k] = t->gradients[index] == NULL
                       ? 0.0f
                       : ((const float *)heed_tensor_data(t->gradients[index]))[k * count / probes];
    for (int64_t k = 0; k < probes; k++) {
        double expected = slope(t, &w[k * count / probes]);
        if (!(fabs(found[k] - expected) <= 5e-3 + 1e-2 * fabs(expected)))
            fail_msg("%s, %s[%d]: the gradient is %g, by differences %g", t->layer->layer_class->name,
                     heed_variable_name(v), (int)(k * count / probes), (double)found[k], expected);
    }
}

static void check(heed_context *c, heed_spec spec, int inputs)
{
    for (int masked = 0; masked < 2; masked++) {
        trial t = {.context = c};
        if (build(&t, spec, inputs, masked == 1) != HEED_OK)
            fail_msg("%s", heed_error(c));
        assert_true(isfinite(sum_now(&t)));
        for (int i = 0; i < t.weights; i++)
            check_weight(&t, i);
        heed_release(c, t.pass.losses);
        heed_graph_free(t.graph);
        heed_layer_release(t.layer);
    }
}

static void test_gradients_of_corrected_layers(void **state)
{
    heed_context *c = *state;
    check(c, heed_seq_self_attention(.units = 3, .return_attention = true), 1);
    check(c, heed_seq_self_attention(.units = 3, .attention_width = 3, .attention_activation = "sigmoid"), 1);
    check(c, heed_seq_self_attention(.attention_type = "multiplicative", .history_only = true), 1);
    check(c, heed_seq_weighted_attention(.return_attention = true), 1);
    check(c, heed_multi_head_multi_head_attention(.head_num = 2, .activation = "tanh"), 1);
    check(c, heed_multi_head_multi_head_attention(.head_num = 4, .history_only = true), 3);
    check(c, heed_multi_head(.layer = heed_seq_self_attention(.units = 2), .layer_num = 2, .hidden_dim = 3), 1);
    check(c, heed_attention_layer(), 2);
    check(c, heed_attention_decoder(.units = 3, .output_dim = 5), 1);
    check(c, heed_sequence_attention(), 2);
    check(c, heed_sequence_attention(.similarity = "multiplicative"), 2);
    check(c, heed_attention_rnn_wrapper(heed_lstm(.units = 3, .return_sequences = true, .return_state = true)), 1);
    check(c, heed_attention_rnn_wrapper(heed_gru(.units = 3)), 1);
    check(c, heed_external_attention_rnn_wrapper(heed_simple_rnn(.units = 3), .return_attention = true), 2);
    check(c, heed_external_attention_rnn_wrapper(heed_rnn(heed_stacked_rnn_cells(heed_gru_cell(.units = 3),
                                                                                 heed_lstm_cell(.units = 2)))), 2);
    check(c, heed_attention(.use_scale = true, .score_mode = "concat"), 3);
    check(c, heed_additive_attention(), 2);
}

static int set_up(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 2}, (heed_context **)state);
}

static int tear_down(void **state)
{
    heed_context_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients_of_corrected_layers)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
