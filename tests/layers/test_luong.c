/* Luong's attention beyond what the fixtures hold: a cell of one's own with input feeding, run whole and step by step; the
 * attention, asked for and looked at; the cost of windows; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/attention.h"
#include "layers/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2, STEPS = 6, SOURCE = 9, FEATURES = 3, UNITS = 4 };

static heed_tensor *numbers(heed_graph *g, heed_shape shape, float first)
{
    int64_t count = heed_shape_count(&shape);
    float *x = malloc((size_t)count * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < count; i++)
        x[i] = sinf(first + 1.7f * (float)i);
    heed_tensor *t = heed_graph_constant(g, &(heed_array){HEED_FLOAT32, shape, x});
    free(x);
    return t;
}

/* Row 1 of the source is cut to 4 steps. */
static heed_tensor *lengths(heed_graph *g)
{
    int32_t valid[BATCH] = {SOURCE, 4};
    return heed_graph_constant(g, &(heed_array){HEED_INT32, {1, {BATCH}}, valid});
}

typedef struct piece {
    heed_graph *graph;
    heed_pass   pass;
    heed_inner  inner;
} piece;

static heed_status call_layer(heed_context *c, heed_layer *layer, piece *p, heed_tensor **inputs, heed_tensor **masks,
                              int count)
{
    p->pass.graph = p->graph;
    heed_call_arguments arguments = {.pass = &p->pass};
    heed_call outer = {.graph = p->graph, .arguments = &arguments};
    HEED_TRY(heed_inner_call(&p->inner, &outer, layer, inputs, masks, count, NULL));
    for (int i = 0; i < heed_layer_weight_count(layer); i++)
        HEED_TRY(heed_variable_initialize(c, heed_layer_weight_at(layer, i), 1, (uint64_t)i));
    return HEED_OK;
}

static void run(piece *p, heed_tensor *const *wanted, size_t count)
{
    assert_int_equal(heed_graph_plan(p->graph, wanted, count), HEED_OK);
    assert_int_equal(heed_graph_run(p->graph, 1, 1), HEED_OK);
}

static void end(heed_context *c, piece *p)
{
    heed_release(c, p->pass.attention);
    heed_graph_free(p->graph);
}

/* ---- a cell of one's own: h' = tanh(x W + h) ---- */

#define OWN_OPTIONS(X, config)                                                                                         \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, units, 0, "[1,)", "size of the state")
typedef struct own_config { OWN_OPTIONS(HEED_OPTION_FIELD, ) } own_config;

static heed_status own_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const own_config *o = heed_layer_config(layer);
    heed_variable **w = heed_layer_alloc(layer, sizeof *w);
    assert_non_null(w);
    assert_int_equal(count, 1);
    *w = heed_layer_weight(layer, "W", &(heed_shape){2, {inputs->dims[1], o->units}}, NULL, NULL, NULL, true);
    return HEED_OK;
}

static void own_state_shape(const heed_layer *layer, int state, heed_shape *shape)
{
    const own_config *o = heed_layer_config(layer);
    assert_int_equal(state, 0);
    *shape = (heed_shape){1, {o->units}};
}

static heed_status own_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    heed_variable *const *w = heed_layer_state(layer);
    assert_int_equal(loop->given_count, 0);
    heed_tensor *z = heed_op_matmul(step->inputs[0], heed_graph_variable(step->graph, *w));
    step->outputs[0] = step->new_states[0] = heed_op_tanh(heed_op_add(z, step->states[0]));
    return HEED_OK;
}

static const heed_cell_functions own_functions = {.state_shape = own_state_shape, .step = own_step};
static const heed_layer_class own_class = {.name = "Own", .collection = "test", .min_inputs = 1, .build = own_build,
                                           HEED_CLASS_OPTIONS(own_config, OWN_OPTIONS), .cell = &own_functions};

/* ---- whole, and step by step ---- */

static heed_layer *made(heed_context *c, heed_spec spec)
{
    heed_layer *layer;
    assert_int_equal(heed_layer_create(c, spec, &layer), HEED_OK);
    return layer;
}

/* Steps one after the other, each with the states that the one before left, give what all at once give. */
static void check_steps(heed_context *c, const char *window)
{
    enum { MOST_STATES = 3, VECTOR = BATCH * UNITS };
    const own_config own = {.trainable = true, .units = UNITS};
    heed_layer *layer = made(c, heed_rnn(heed_luong_attention_cell(((heed_spec){&own_class, &own}), .window = window,
                                                                   .reach = 2),
                                         .name = "decoder", .return_sequences = true, .return_state = true));
    piece whole = {0};
    assert_int_equal(heed_graph_create(c, &whole.graph), HEED_OK);
    heed_tensor *inputs[] = {numbers(whole.graph, (heed_shape){3, {BATCH, STEPS, FEATURES}}, 1),
                             numbers(whole.graph, (heed_shape){3, {BATCH, SOURCE, FEATURES}}, 2)};
    whole.pass.wants_attention = true;
    assert_int_equal(call_layer(c, layer, &whole, inputs, (heed_tensor *[]){NULL, lengths(whole.graph)}, 2), HEED_OK);
    assert_int_equal(whole.pass.attention_count, 1);
    heed_tensor *wanted[] = {whole.inner.outputs[0], whole.pass.attention[0].weights};
    run(&whole, wanted, 2);
    const float *expected = heed_tensor_data(wanted[0]), *weights = heed_tensor_data(wanted[1]);
    assert_int_equal(wanted[1]->count, BATCH * STEPS * SOURCE);
    for (int i = 0; i < STEPS * SOURCE; i++) /* row 1 sees nothing behind its 4 steps */
        if (i % SOURCE >= 4)
            assert_float_equal(weights[STEPS * SOURCE + i], 0, 0);

    int states = whole.inner.call.output_count - 1;
    float state[MOST_STATES][VECTOR] = {{0}};
    assert_true(states <= MOST_STATES);
    for (int t = 0; t < STEPS; t++) {
        piece p = {0};
        assert_int_equal(heed_graph_create(c, &p.graph), HEED_OK);
        heed_tensor *x = numbers(p.graph, (heed_shape){3, {BATCH, STEPS, FEATURES}}, 1);
        heed_tensor *given[2 + MOST_STATES] = {heed_op_slice(x, 1, t, 1)}, *masks[2 + MOST_STATES] = {NULL};
        for (int i = 0; i < states; i++)
            given[1 + i] = heed_graph_constant(p.graph, &(heed_array){HEED_FLOAT32, whole.inner.outputs[1 + i]->shape,
                                                                      state[i]});
        given[1 + states] = numbers(p.graph, (heed_shape){3, {BATCH, SOURCE, FEATURES}}, 2);
        masks[1 + states] = lengths(p.graph);
        assert_int_equal(call_layer(c, layer, &p, given, masks, 2 + states), HEED_OK);
        run(&p, p.inner.outputs, (size_t)states + 1);
        const float *found = heed_tensor_data(p.inner.outputs[0]);
        for (int i = 0; i < VECTOR; i++)
            assert_float_equal(found[i], expected[(i / UNITS * STEPS + t) * UNITS + i % UNITS], 1e-6);
        for (int i = 0; i < states; i++)
            memcpy(state[i], heed_tensor_data(p.inner.outputs[1 + i]),
                   (size_t)p.inner.outputs[1 + i]->count * sizeof(float));
        end(c, &p);
    }
    end(c, &whole);
    heed_layer_release(layer);
}

static void test_input_feeding_step_by_step(void **state)
{
    check_steps(*state, "global");
    check_steps(*state, "local-m");
    check_steps(*state, "local-p");
}

/* ---- asked for, looked at ---- */

static void run_for(heed_context *c, heed_spec spec, bool looked_at, float *output, float *attention)
{
    heed_layer *layer = made(c, spec);
    piece p = {0};
    assert_int_equal(heed_graph_create(c, &p.graph), HEED_OK);
    p.pass.wants_attention = looked_at;
    heed_tensor *inputs[] = {numbers(p.graph, (heed_shape){3, {BATCH, STEPS, UNITS}}, 1),
                             numbers(p.graph, (heed_shape){3, {BATCH, SOURCE, FEATURES}}, 2)};
    assert_int_equal(call_layer(c, layer, &p, inputs, (heed_tensor *[]){NULL, lengths(p.graph)}, 2), HEED_OK);
    bool given = p.inner.call.output_count > 1;
    heed_tensor *wanted[2] = {p.inner.outputs[0], given       ? p.inner.outputs[1]
                                                  : looked_at ? p.pass.attention[0].weights
                                                              : NULL};
    run(&p, wanted, given || looked_at ? 2 : 1);
    memcpy(output, heed_tensor_data(wanted[0]), BATCH * STEPS * UNITS * sizeof *output);
    if (wanted[1] != NULL)
        memcpy(attention, heed_tensor_data(wanted[1]), BATCH * STEPS * SOURCE * sizeof *attention);
    end(c, &p);
    heed_layer_release(layer);
}

static void test_attention_changes_no_bit(void **state)
{
    static const char *const kinds[] = {"global", "local-m", "local-p"};
    heed_context *two = *state, *one;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &one), HEED_OK);
    for (int i = 0; i < 3; i++) {
        heed_spec plain = heed_luong_attention(.name = "a", .window = kinds[i], .reach = 1, .score = "concat");
        heed_spec asked = heed_luong_attention(.name = "a", .window = kinds[i], .reach = 1, .score = "concat",
                                               .return_attention = true);
        float expected[BATCH * STEPS * UNITS], found[BATCH * STEPS * UNITS], a[2][BATCH * STEPS * SOURCE];
        run_for(two, plain, false, expected, NULL);
        run_for(one, plain, false, found, NULL);
        assert_memory_equal(found, expected, sizeof found);
        run_for(two, plain, true, found, a[0]);
        assert_memory_equal(found, expected, sizeof found);
        run_for(two, asked, false, found, a[1]);
        assert_memory_equal(found, expected, sizeof found);
        assert_memory_equal(a[0], a[1], sizeof a[0]);
    }
    heed_context_free(one);
}

/* ---- what windows cost ---- */

static size_t bytes_for(heed_context *c, const char *score, const char *window, int64_t steps)
{
    heed_layer *layer = made(c, heed_luong_attention(.score = score, .window = window, .reach = 5));
    piece p = {0};
    assert_int_equal(heed_graph_create(c, &p.graph), HEED_OK);
    heed_shape shape = {3, {1, steps, UNITS}};
    heed_tensor *x = heed_graph_input(p.graph, HEED_FLOAT32, &shape), *masks[2] = {NULL};
    assert_int_equal(call_layer(c, layer, &p, (heed_tensor *[]){x, x}, masks, 2), HEED_OK);
    heed_tensor *loss = heed_op_sum(heed_op_square(p.inner.outputs[0]), NULL, 0, false), *gradient;
    assert_int_equal(heed_graph_gradients(loss, NULL, &x, 1, &gradient), HEED_OK);
    assert_int_equal(heed_graph_plan(p.graph, &gradient, 1), HEED_OK);
    size_t bytes = heed_graph_bytes(p.graph);
    end(c, &p);
    heed_layer_release(layer);
    return bytes;
}

static void test_windows_cost_what_they_hold(void **state)
{
    static const char *const scores[] = {"dot", "general", "concat"};
    static const char *const windows[] = {"local-m", "local-p"};
    for (int i = 0; i < 6; i++) {
        size_t once = bytes_for(*state, scores[i / 2], windows[i % 2], 10000);
        assert_true(bytes_for(*state, scores[i / 2], windows[i % 2], 20000) < 2 * once + 4096); /* rounded up to 64 */
    }
}

/* ---- what is refused ---- */

static void check_refused(heed_context *c, heed_spec spec, heed_shape first, heed_shape second, const char *reason)
{
    heed_layer *layer;
    heed_status status = heed_layer_create(c, spec, &layer);
    if (status == HEED_OK)
        status = heed_layer_build(layer, (heed_shape[]){first, second}, second.rank == 0 ? 1 : 2);
    assert_int_not_equal(status, HEED_OK);
    if (strstr(heed_error(c), reason) == NULL)
        fail_msg("\"%s\" does not say: %s", heed_error(c), reason);
    heed_layer_release(layer);
}

static void test_refusals(void **state)
{
    heed_context *c = *state;
    const heed_shape none = {0}, x = {3, {BATCH, STEPS, UNITS}}, s = {3, {BATCH, SOURCE, FEATURES}};
    check_refused(c, heed_luong_attention(.score = "dot"), x, s,
                  "LuongAttention layer: the score \"dot\" needs queries as wide as the source (expected 3 features, "
                  "found 4)");
    check_refused(c, heed_luong_attention(.window = "local"), x, s, "expected global|local-m|local-p, found local");
    check_refused(c, heed_luong_attention(.reach = 0), x, s, "reach is out of range (expected [1,), found 0)");
    check_refused(c, heed_luong_attention(), x, (heed_shape){2, {BATCH, FEATURES}}, "input 2 is no sequence");
    check_refused(c, heed_rnn(heed_luong_attention_cell({0})), x, s, "its cell is missing");
    check_refused(c, heed_rnn(heed_luong_attention_cell(heed_dense(.units = 2))), x, s, "found Dense");
    check_refused(c, heed_rnn(heed_luong_attention_cell(heed_gru_cell(.units = 2))), x, none, "the source is missing");
    check_refused(c, heed_rnn(heed_luong_attention_cell(heed_gru_cell(.units = 2))), x,
                  (heed_shape){2, {BATCH, FEATURES}}, "the source is no sequence (expected (B, S, E), found (2, 3))");
}

static int set_up(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 2}, (heed_context **)state) == HEED_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    heed_context_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input_feeding_step_by_step), cmocka_unit_test(test_attention_changes_no_bit),
        cmocka_unit_test(test_windows_cost_what_they_hold), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
