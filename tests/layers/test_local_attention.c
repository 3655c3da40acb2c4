/* SeqSelfAttention with a width: what it computes within windows is what it would compute with every step compared with
 * every step; at the cost of the windows; and the same bits whoever asks and however many threads there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, STEPS = 41, FEATURES = 5, UNITS = 3, MOST_WEIGHTS = 5 };

/* One number for each position. */
static float number(int64_t i, float first) { return sinf(first + 1.7f * (float)i); }

static heed_tensor *input(heed_graph *g, int64_t batch, int64_t steps, float first)
{
    int64_t count = batch * steps * FEATURES;
    float *x = malloc((size_t)count * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < count; i++)
        x[i] = number(i, first);
    heed_tensor *t = heed_graph_constant(g, &(heed_array){HEED_FLOAT32, {3, {batch, steps, FEATURES}}, x});
    free(x);
    return t;
}

/* Row 0 has holes, row 1 is cut after 7 steps, row 2 is whole. */
static heed_tensor *holes(heed_graph *g, int64_t steps)
{
    bool *keep = calloc((size_t)(BATCH * steps), sizeof *keep);
    assert_non_null(keep);
    for (int64_t i = 0; i < BATCH * steps; i++)
        keep[i] = i < steps ? i % 9 > 3 && i % 5 > 0 : i < 2 * steps ? i - steps < 7 : true;
    heed_tensor *t = heed_graph_constant(g, &(heed_array){HEED_BOOL, {2, {BATCH, steps}}, keep});
    free(keep);
    return t;
}

static heed_layer *made(heed_context *c, heed_spec spec)
{
    heed_layer *layer;
    heed_shape shape = {3, {HEED_ANY, HEED_ANY, FEATURES}};
    assert_int_equal(heed_layer_create(c, spec, &layer), HEED_OK);
    assert_int_equal(heed_layer_build(layer, &shape, 1), HEED_OK);
    for (int i = 0; i < heed_layer_weight_count(layer); i++) {
        heed_variable *v = heed_layer_weight_at(layer, i);
        for (int64_t k = 0; k < v->count; k++)
            heed_variable_data(v)[k] = 0.7f * number(k, (float)i);
    }
    return layer;
}

/* Gives the outputs. */
static void called(heed_layer *layer, heed_graph *g, heed_tensor *x, heed_tensor *mask, bool looked_at, heed_pass *pass,
                   heed_inner *inner)
{
    *pass = (heed_pass){.graph = g, .wants_attention = looked_at};
    heed_call_arguments arguments = {.pass = pass};
    heed_call outer = {.graph = g, .arguments = &arguments};
    assert_int_equal(heed_inner_call(inner, &outer, layer, &x, &mask, 1, NULL), HEED_OK);
}

/* ---- against every step compared with every step ---- */

static heed_tensor *weight(heed_graph *g, const heed_layer *layer, int index)
{
    return heed_graph_variable(g, heed_layer_weight_at(layer, index));
}

/* What the layer is to compute: output and attention. */
static void compute_whole(const heed_layer *layer, heed_tensor *x, heed_tensor *mask, heed_tensor *outputs[2])
{
    const heed_seq_self_attention_config *o = heed_layer_config(layer);
    heed_graph *g = x->graph;
    int width = o->attention_width, behind = o->history_only ? width - 1 : width / 2;
    bool additive = strcmp(o->attention_type, "additive") == 0;
    heed_tensor *e;
    if (additive)
        e = heed_op_additive_scores(heed_op_dense(x, weight(g, layer, 0), weight(g, layer, 2)),
                                    heed_op_matmul(x, weight(g, layer, 1)), heed_op_squeeze(weight(g, layer, 3), 1));
    else
        e = heed_op_matmul_transposed(heed_op_matmul(x, weight(g, layer, 0)), false, x, true);
    e = heed_activate(heed_op_add(e, weight(g, layer, additive ? 4 : 1)), o->attention_activation);
    heed_tensor *seen[] = {heed_window(g, heed_tensor_dim(x, 1), heed_tensor_dim(x, 1), behind, width - 1 - behind),
                           mask == NULL ? NULL : heed_op_expand(mask, 1)};
    outputs[1] = heed_attention_weights(e, seen, 2, o->corrected);
    outputs[0] = heed_op_matmul(outputs[1], x);
}

static heed_tensor *sum_of_both(heed_tensor *const *outputs, heed_tensor *seed)
{
    heed_tensor *first = heed_op_sum(heed_op_multiply(outputs[0], seed), NULL, 0, false);
    return heed_op_add(first, heed_op_sum(heed_op_square(outputs[1]), NULL, 0, false));
}

static void check_whole(heed_context *c, heed_spec spec, bool masked)
{
    heed_layer *layer = made(c, spec);
    heed_graph *g;
    heed_pass pass;
    heed_inner inner;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x = input(g, BATCH, STEPS, 1.0f), *mask = masked ? holes(g, STEPS) : NULL, *whole[2];
    called(layer, g, x, mask, false, &pass, &inner);
    compute_whole(layer, x, mask, whole);

    enum { OUTPUTS = 2 };
    int weights = heed_layer_weight_count(layer), count = OUTPUTS + weights + 1;
    heed_tensor *of[MOST_WEIGHTS + 1] = {x}, *found[2 * (OUTPUTS + MOST_WEIGHTS + 1)], **expected = found + count;
    heed_tensor *seed = input(g, BATCH, STEPS, 3.0f);
    for (int i = 0; i < weights; i++)
        of[1 + i] = weight(g, layer, i);
    memcpy(found, inner.outputs, OUTPUTS * sizeof *found);
    memcpy(expected, whole, OUTPUTS * sizeof *found);
    assert_int_equal(heed_graph_gradients(sum_of_both(inner.outputs, seed), NULL, of, (size_t)weights + 1,
                                          found + OUTPUTS), HEED_OK);
    assert_int_equal(heed_graph_gradients(sum_of_both(whole, seed), NULL, of, (size_t)weights + 1,
                                          expected + OUTPUTS), HEED_OK);
    assert_int_equal(heed_graph_plan(g, found, 2 * (size_t)count), HEED_OK);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    for (int i = 0; i < count; i++) {
        const float *a = heed_tensor_data(found[i]), *b = heed_tensor_data(expected[i]);
        for (int64_t k = 0; k < expected[i]->count; k++)
            if (!(fabsf(a[k] - b[k]) <= 1e-5f * (1 + fabsf(b[k])))) /* sums over STEPS of numbers near one */
                fail_msg("array %d at %lld: %g, not %g", i, (long long)k, a[k], b[k]);
    }
    heed_graph_free(g);
    heed_layer_release(layer);
}

#define LOCAL(...) heed_seq_self_attention(.units = UNITS, .return_attention = true, __VA_ARGS__)

static void test_windows_are_the_whole(void **state)
{
    heed_context *c = *state;
    static const char *const types[] = {"additive", "multiplicative"};
    static const int widths[] = {1, 2, 7, STEPS / 2};
    for (int type = 0; type < 2; type++) {
        for (int i = 0; i < 4; i++) {
            for (int history = 0; history < 2; history++) {
                for (int masked = 0; masked < 2; masked++)
                    check_whole(c, LOCAL(.attention_type = types[type], .attention_width = widths[i],
                                         .history_only = history != 0, .attention_activation = "tanh"), masked != 0);
                check_whole(c, LOCAL(.attention_type = types[type], .attention_width = widths[i],
                                     .history_only = history != 0, .corrected = false), false);
            }
        }
        check_whole(c, LOCAL(.attention_type = types[type], .attention_width = 7, .attention_activation = "softmax"),
                    true); /* which needs whole rows */
    }
}

/* ---- what it costs ---- */

static size_t bytes_for(heed_context *c, heed_spec spec, int64_t steps, bool backward)
{
    heed_layer *layer = made(c, spec);
    heed_graph *g;
    heed_pass pass;
    heed_inner inner;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {BATCH, steps, FEATURES}});
    heed_tensor *wanted = weight(g, layer, 0), *mask = holes(g, steps);
    called(layer, g, x, mask, false, &pass, &inner);
    heed_tensor *y = inner.outputs[0];
    if (backward)
        assert_int_equal(heed_graph_gradients(heed_op_sum(heed_op_square(y), NULL, 0, false), NULL, &wanted, 1, &y),
                         HEED_OK);
    assert_int_equal(heed_graph_plan(g, &y, 1), HEED_OK);
    size_t bytes = heed_graph_bytes(g);
    heed_graph_free(g);
    heed_layer_release(layer);
    return bytes;
}

static void test_memory_grows_with_the_width(void **state)
{
    heed_context *c = *state;
    const heed_spec specs[] = {
        heed_seq_self_attention(.units = UNITS, .attention_width = 15),
        heed_seq_self_attention(.units = UNITS, .attention_width = 15, .attention_type = "multiplicative"),
        heed_seq_self_attention(.units = UNITS, .attention_width = 15, .history_only = true),
        heed_seq_self_attention(.units = UNITS, .attention_width = 15, .corrected = false)};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        for (int backward = 0; backward < 2; backward++) {
            size_t once = bytes_for(c, specs[i], 10000, backward), twice = bytes_for(c, specs[i], 20000, backward);
            assert_true(twice < 2 * once + 4096); /* places are rounded up to 64 bytes */
            assert_true(twice < (size_t)64 << 20);
        }
    }
}

/* ---- bits ---- */

typedef struct bits {
    float output[BATCH * STEPS * FEATURES], gradient[FEATURES * FEATURES];
} bits;

static void run_for(heed_context *c, heed_spec spec, bool looked_at, bits *out)
{
    heed_layer *layer = made(c, spec);
    heed_graph *g;
    heed_pass pass;
    heed_inner inner;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    called(layer, g, input(g, BATCH, STEPS, 1.0f), holes(g, STEPS), looked_at, &pass, &inner);
    heed_tensor *first = weight(g, layer, 0), *wanted[4] = {inner.outputs[0]};
    heed_tensor *loss = heed_op_sum(heed_op_square(wanted[0]), NULL, 0, false);
    assert_int_equal(heed_graph_gradients(loss, NULL, &first, 1, &wanted[1]), HEED_OK);
    for (int i = 1; i < inner.call.output_count; i++)
        wanted[1 + i] = inner.outputs[i];
    if (looked_at)
        wanted[1 + inner.call.output_count] = pass.attention[0].weights;
    assert_int_equal(pass.attention_count, looked_at);
    assert_int_equal(heed_graph_plan(g, wanted, 1 + (size_t)inner.call.output_count + looked_at), HEED_OK);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    memcpy(out->output, heed_tensor_data(wanted[0]), sizeof out->output);
    memcpy(out->gradient, heed_tensor_data(wanted[1]), (size_t)first->count * sizeof(float));
    heed_release(c, pass.attention);
    heed_graph_free(g);
    heed_layer_release(layer);
}

/* The same bits at one thread and two, looked at or not, asked for the attention or not. */
static void test_bits(void **state)
{
#define WITH(...) heed_seq_self_attention(.name = "local", .units = UNITS, .attention_width = 6, __VA_ARGS__)
    static const char *const types[] = {"additive", "multiplicative"};
    heed_context *two = *state, *one;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &one), HEED_OK);
    for (int i = 0; i < 2; i++) {
        static bits expected, found;
        run_for(two, WITH(.attention_type = types[i]), false, &expected);
        run_for(one, WITH(.attention_type = types[i]), false, &found);
        assert_memory_equal(&found, &expected, sizeof found);
        run_for(two, WITH(.attention_type = types[i]), true, &found);
        assert_memory_equal(&found, &expected, sizeof found);
        run_for(two, WITH(.attention_type = types[i], .return_attention = true), true, &found);
        assert_memory_equal(&found, &expected, sizeof found);
    }
    heed_context_free(one);
#undef WITH
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows_are_the_whole),
                                       cmocka_unit_test(test_memory_grows_with_the_width), cmocka_unit_test(test_bits)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
