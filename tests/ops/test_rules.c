/* What operations refuse, and the promises of graph.h that sizes and numbers alone do not show: ties, masks, ids out of
 * range, values that must not matter, random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ops/op.h"
#include "support/op_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- refusals: expression of x[0], x[1], ...; what its sentence begins with, and says; operands */

#define AXES(...) (const int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int)
#define SHAPE(...) &(const heed_shape)HEED_TEST_SHAPE(__VA_ARGS__)

static heed_tensor *lstm(heed_tensor *zx, heed_tensor *zh, heed_tensor *c_previous)
{
    heed_tensor *h, *c;
    heed_op_lstm(zx, zh, c_previous, &h, &c);
    return h;
}

static heed_tensor *convolved(heed_tensor *const *x, heed_sliding_window w, heed_tensor *bias, int groups)
{
    const heed_sliding_window windows[] = {w, w};
    return heed_op_convolution(x[0], x[1], bias, windows, groups);
}

static heed_tensor *convolved_back(heed_tensor *const *x, heed_sliding_window w, int64_t size)
{
    const heed_sliding_window windows[] = {w, w};
    return heed_op_convolution_transpose(x[0], x[1], NULL, windows, 1, (int64_t[]){size, size});
}

static heed_tensor *pooled(heed_tensor *x, heed_sliding_window w)
{
    const heed_sliding_window windows[] = {w, w};
    return heed_op_max_pool(x, windows);
}

#define WINDOW(...) ((heed_sliding_window){__VA_ARGS__})

#define REFUSALS(X)                                                                                                    \
    X(add, heed_op_add(x[0], x[1]), "add: ", "(2, 3) and (2,)", ANY(2, 3), ANY(2))                                     \
    X(add_ids, heed_op_add(x[0], x[1]), "binary: ", "expected float32, found int32", ANY(2), IDS(3, 2))                \
    X(equal, heed_op_equal(x[0], x[1]), "compare: ", "expected int32, found float32", IDS(3, 2), ANY(2))               \
    X(equal_bool, heed_op_equal(x[0], x[0]), "compare: ", "found bool", MASK(3))                                       \
    X(less, heed_op_less(x[0], x[1]), "less: ", "(4,) and (3,)", ANY(4), ANY(3))                                       \
    X(and, heed_op_and(x[0], x[1]), "and: ", "(4,) and (3,)", MASK(4), MASK(3))                                        \
    X(or, heed_op_or(x[0], x[1]), "logical: ", "operand 2", MASK(4), ANY(4))                                           \
    X(select, heed_op_select(x[0], x[1], x[2]), "select: ", "(4,) and (3,)", MASK(4), ANY(4), ANY(3))                  \
    X(select_types, heed_op_select(x[0], x[1], x[2]), "select: ", "operand 3", MASK(4), ANY(4), IDS(2, 4))             \
    X(select_condition, heed_op_select(x[0], x[0], x[0]), "select: ", "expected bool", ANY(4))                         \
    X(cast, heed_op_cast(x[0], HEED_FLOAT64), "cast: ", "float64", ANY(4))                                             \
    X(sum, heed_op_sum(x[0], AXES(2), false), "sum: ", "axis 2", ANY(4, 4))                                            \
    X(mean, heed_op_mean(x[0], AXES(-3), false), "mean: ", "(4, 5)", ANY(4, 5))                                        \
    X(any, heed_op_any(x[0], NULL, 0, false), "reduce: ", "expected bool", ANY(4))                                     \
    X(argmax, heed_op_argmax(x[0]), "argmax: ", "empty", ANY(4, 0))                                                    \
    X(argmax_scalar, heed_op_argmax(x[0]), "argmax: ", "scalar", ANY_SCALAR)                                           \
    X(softmax, heed_op_softmax(x[0], x[1]), "softmax: ", "(4, 3) and (4, 2)", ANY(4, 3), MASK(4, 2))                   \
    X(softmax_mask, heed_op_softmax(x[0], x[1]), "softmax: ", "broadcasts to (4, 3)", ANY(4, 3), MASK(2, 4, 3))        \
    X(softmax_mask_type, heed_op_softmax(x[0], x[1]), "softmax: ", "expected bool", ANY(4, 3), ANY(4, 3))              \
    X(log_softmax, heed_op_log_softmax(x[0]), "log_softmax: ", "scalar", ANY_SCALAR)                                   \
    X(entropy, heed_op_softmax_cross_entropy(x[0], x[1], 0), "softmax_cross_entropy: ", "expected (4,)", ANY(4, 3),    \
      IDS(3, 3))                                                                                                       \
    X(entropy_labels, heed_op_softmax_cross_entropy(x[0], x[1], 0), "softmax_cross_entropy: ", "int32", ANY(4, 3),     \
      ANY(4))                                                                                                          \
    X(ctc, heed_op_ctc_loss(x[0], x[1], NULL), "ctc_loss: ", "expected frames (B, T, C) and labels (B, L), found (4, 3, 2) and (5, 2)", \
      ANY(4, 3, 2), IDS(2, 5, 2))                                                                                      \
    X(ctc_rank, heed_op_ctc_loss(x[0], x[1], NULL), "ctc_loss: ", "found (4, 3) and (4, 2)", ANY(4, 3), IDS(2, 4, 2))  \
    X(ctc_classes, heed_op_ctc_loss(x[0], x[1], NULL), "ctc_loss: ", "found (4, 3, 0)", ANY(4, 3, 0), IDS(2, 4, 2))    \
    X(ctc_labels, heed_op_ctc_loss(x[0], x[1], NULL), "ctc_loss: ", "int32", ANY(4, 3, 2), ANY(4, 2))                  \
    X(ctc_mask, heed_op_ctc_loss(x[0], x[1], x[2]), "ctc_loss: ", "expected (4, 3), found (4, 2)", ANY(4, 3, 2), IDS(2, 4, 2), \
      MASK(4, 2))                                                                                                      \
    X(ctc_mask_type, heed_op_ctc_loss(x[0], x[1], x[2]), "ctc_loss: ", "bool", ANY(4, 3, 2), IDS(2, 4, 2), ANY(4, 3))  \
    X(reshape, heed_op_reshape(x[0], SHAPE(5, HEED_ANY)), "reshape: ", "(5, None), found (4, 3)", ANY(4, 3))           \
    X(reshape_two, heed_op_reshape(x[0], SHAPE(HEED_ANY, HEED_ANY)), "reshape: ", "more than one", ANY(4, 3))          \
    X(reshape_empty, heed_op_reshape(x[0], SHAPE(0, HEED_ANY)), "reshape: ", "(0, None)", ANY(4, 0))                   \
    X(expand, heed_op_expand(x[0], 4), "expand: ", "axis 4", ANY(4, 3))                                                \
    X(expand_more, heed_op_expand(x[0], 0), "expand: ", "rank 8", ANY(1, 1, 1, 1, 1, 1, 1, 1))                         \
    X(squeeze, heed_op_squeeze(x[0], 0), "squeeze: ", "(4, 3)", ANY(4, 3))                                             \
    X(transpose, heed_op_transpose(x[0], (int[]){0, 0}), "transpose: ", "found 0", ANY(4, 3))                          \
    X(broadcast, heed_op_broadcast(x[0], SHAPE(4, 1)), "broadcast: ", "(4, 1), found (4, 3)", ANY(4, 3))               \
    X(concatenate, heed_op_concatenate(x, 2, 1), "concatenate: ", "operand 2", ANY(4, 3), ANY(3, 3))                   \
    X(concatenate_rank, heed_op_concatenate(x, 2, 0), "concatenate: ", "found (3,)", ANY(4, 3), ANY(3))                \
    X(concatenate_type, heed_op_concatenate(x, 2, 0), "concatenate: ", "operand 2", ANY(4, 3), IDS(2, 4, 3))           \
    X(concatenate_axis, heed_op_concatenate(x, 2, 2), "concatenate: ", "axis 2", ANY(4, 3), ANY(4, 3))                 \
    X(slice, heed_op_slice(x[0], 0, 3, 2), "slice: ", "2 elements from 3 on are not in axis 0 of (4, 3)", ANY(4, 3))   \
    X(slice_huge, heed_op_slice(x[0], 0, 1, INT64_MAX), "slice: ", "not in axis 0", ANY(4, 3))                         \
    X(slice_negative, heed_op_slice(x[0], 0, -1, 2), "slice: ", "not in axis 0", ANY(4, 3))                            \
    X(pad, heed_op_pad(x[0], 0, -1, 2, 0), "pad: ", "negative", ANY(4, 3))                                             \
    X(pad_huge, heed_op_pad(x[0], 0, INT64_MAX, 2, 0), "pad: ", "too large", ANY(4, 3))                                \
    X(conv_rank, convolved(x, WINDOW(3, 1, 1, 0, 0), NULL, 1), "convolution: ", "found (5, 2)", ANY(5, 2),             \
      ANY(3, 2, 4))                                                                                                    \
    X(conv_window, convolved(x, WINDOW(3, 0, 1, 0, 0), NULL, 1), "convolution: ", "found 3, 0, 1", ANY(2, 5, 2),       \
      ANY(3, 2, 4))                                                                                                    \
    X(conv_zeros, convolved(x, WINDOW(3, 1, 1, -1, 0), NULL, 1), "convolution: ", "found -1, 0", ANY(2, 5, 2),         \
      ANY(3, 2, 4))                                                                                                    \
    X(conv_room, convolved(x, WINDOW(3, 1, 3, 1, 0), NULL, 1), "convolution: ", "covers 7 elements, found 6",          \
      ANY(2, 5, 2), ANY(3, 2, 4))                                                                                      \
    X(conv_kernel, convolved(x, WINDOW(3, 1, 1, 0, 0), NULL, 1), "convolution: ",                                      \
      "expected (3, 2, 4), found (3, 3, 4)",                                                                           \
      ANY(2, 5, 2), ANY(3, 3, 4))                                                                                      \
    X(conv_groups, convolved(x, WINDOW(3, 1, 1, 0, 0), NULL, 3), "convolution: ", "2 and 4 channels, 3 groups",        \
      ANY(2, 5, 2), ANY(3, 2, 4))                                                                                      \
    X(conv_bias, convolved(x, WINDOW(3, 1, 1, 0, 0), x[2], 1), "convolution: ", "expected (4,), found (3,)",           \
      ANY(2, 5, 2), ANY(3, 2, 4), ANY(3))                                                                              \
    X(conv_type, convolved(x, WINDOW(3, 1, 1, 0, 0), NULL, 1), "convolution: ", "found int32", IDS(3, 2, 5, 2),        \
      ANY(3, 2, 4))                                                                                                    \
    X(back_size, convolved_back(x, WINDOW(3, 2, 1, 0, 0), 6), "convolution_transpose: ", "(2, 2, 4), found (2, 3, 4)", \
      ANY(2, 3, 4), ANY(3, 2, 4))                                                                                      \
    X(pool_gaps, pooled(x[0], WINDOW(2, 1, 2, 0, 0)), "pool: ", "dilation 2", ANY(2, 5, 2))                            \
    X(pool_empty, pooled(x[0], WINDOW(2, 1, 1, 2, 0)), "pool: ", "2 zeros before", ANY(2, 5, 2))                       \
    X(reverse, heed_op_reverse(x[0], 5), "reverse: ", "axis 5", ANY(4, 3))                                             \
    X(cumsum, heed_op_cumsum(x[0], 2), "cumsum: ", "axis 2", ANY(4, 3))                                                \
    X(cumsum_mask, heed_op_cumsum(x[0], 0), "cumsum: ", "found bool", MASK(4, 3))                                      \
    X(repeat, heed_op_repeat(x[0], 0, -2), "repeat: ", "found -2", ANY(4, 3))                                          \
    X(repeat_huge, heed_op_repeat(x[0], 0, INT64_MAX / 2), "repeat: ", "number of times", ANY(4, 3))                   \
    X(blend, heed_op_blend(x[0], 2, (float[]){1, 1, 1}, 1), "blend: ", "axis 2", ANY(4, 3))                            \
    X(blend_mask, heed_op_blend(x[0], 1, (float[]){1, 1, 1}, 1), "blend: ", "found bool", MASK(4, 3))                  \
    X(gather, heed_op_gather(x[0], x[1]), "gather: ", "expected int32", ANY(4, 3), ANY(2))                             \
    X(gather_scalar, heed_op_gather(x[0], x[1]), "gather: ", "scalar", ANY_SCALAR, IDS(2, 2))                          \
    X(one_hot, heed_op_one_hot(x[0], 4), "one_hot: ", "expected int32", ANY(4))                                        \
    X(one_hot_depth, heed_op_one_hot(x[0], -4), "one_hot: ", "found -4", IDS(2, 4))                                    \
    X(layer_norm, heed_op_layer_norm(x[0], x[1], NULL, 1), "layer_norm: ", "expected (3,), found (4,)", ANY(4, 3),     \
      ANY(4))                                                                                                          \
    X(layer_norm_beta, heed_op_layer_norm(x[0], NULL, x[1], 1), "layer_norm: ", "(3, 1)", ANY(4, 3), ANY(3, 1))        \
    X(dropout, heed_op_dropout(x[0], 1.5f), "dropout: ", "found 1.5", ANY(4))                                          \
    X(dropout_nan, heed_op_dropout(x[0], NAN), "dropout: ", "out of range", ANY(4))                                    \
    X(dropout_ids, heed_op_dropout(x[0], 0.5f), "dropout: ", "expected float32", IDS(3, 4))                            \
    X(fill, heed_graph_fill(x[0]->graph, SHAPE(3, HEED_ANY), 1), "fill: ", "unknown", ANY(4))                          \
    X(random, heed_op_random_normal(x[0]->graph, SHAPE(INT64_MAX, 2)), "random: ", "too large", ANY(4))                \
    X(additive, heed_op_additive_scores(x[0], x[1], x[2]), "additive_scores: ", "(2, 3, 4), (2, 3, 5) and (4,)",       \
      ANY(2, 3, 4), ANY(2, 3, 5), ANY(4))                                                                              \
    X(additive_rank, heed_op_additive_scores(x[0], x[0], x[0]), "additive_scores: ", "(B, Tq, U)", ANY(4))             \
    X(additive_type, heed_op_additive_scores(x[0], x[1], x[2]), "additive_scores: ", "operand 2", ANY(2, 3, 4),        \
      IDS(2, 2, 3, 4), ANY(4))                                                                                         \
    X(additive_starts, heed_op_window_additive_scores(x[0], x[1], x[2], x[3], 3), "additive_scores: ",                 \
      "expected (2, 3), or 1 for the first, found (2, 5)", ANY(2, 3, 4), ANY(2, 5, 4), ANY(4), IDS(3, 2, 5))           \
    X(additive_width, heed_op_window_additive_scores(x[0], x[1], x[2], x[3], -1), "additive_scores: ", "found -1",     \
      ANY(2, 3, 4), ANY(2, 5, 4), ANY(4), IDS(3, 2, 3))                                                                \
    X(window_scores, heed_op_window_scores(x[0], x[1], x[2], 3), "window_scores: ", "found (2, 3, 4) and (2, 5, 3)",   \
      ANY(2, 3, 4), ANY(2, 5, 3), IDS(3, 2, 3))                                                                        \
    X(window_scores_width, heed_op_window_scores(x[0], x[1], x[2], -3), "window_scores: ", "found -3",                 \
      ANY(2, 3, 4), ANY(2, 5, 4), IDS(3, 2, 3))                                                                        \
    X(window_scores_huge, heed_op_window_scores(x[0], x[1], x[2], INT64_MAX), "window_scores: ", "too large",          \
      ANY(2, 3, 4), ANY(2, 5, 4), IDS(3, 2, 3))                                                                        \
    X(window_sum, heed_op_window_sum(x[0], x[1], x[2]), "window_sum: ", "found (2, 3, 4) and (1, 5, 3)",               \
      ANY(2, 3, 4), ANY(1, 5, 3), IDS(3, 2, 3))                                                                        \
    X(window_sum_type, heed_op_window_sum(x[0], x[1], x[2]), "window_sum: ", "operand 3", ANY(2, 3, 4), ANY(2, 5, 3),  \
      ANY(2, 3))                                                                                                       \
    X(window_spread, heed_op_window_spread(x[0], x[1], x[2], 4), "window_spread: ", "found (2, 3, 4) and (2, 5, 3)",   \
      ANY(2, 3, 4), ANY(2, 5, 3), IDS(3, 2, 3))                                                                        \
    X(window_spread_keys, heed_op_window_spread(x[0], x[1], x[2], -4), "window_spread: ", "found 0 and -4",            \
      ANY(2, 3, 4), ANY(2, 3, 3), IDS(3, 2, 3))                                                                        \
    X(window_dense, heed_op_window_dense(x[0], x[1], 4), "window_dense: ", "3 dimensions, found (3, 4)", ANY(3, 4),    \
      IDS(3, 2, 3))                                                                                                    \
    X(window_take, heed_op_window_take(x[0], x[1], -4), "window_take: ", "found -4", ANY(2, 3, 4), IDS(3, 2, 3))       \
    X(window_take_starts, heed_op_window_take(x[0], x[1], 4), "window_take: ", "found (3, 3)", ANY(2, 3, 4),           \
      IDS(3, 3, 3))                                                                                                    \
    X(lstm, lstm(x[0], x[1], x[2]), "lstm: ", "expected (2, 12), found (2, 9)", ANY(2, 12), ANY(2, 9), ANY(2, 3))      \
    X(lstm_rows, lstm(x[0], NULL, x[1]), "lstm: ", "expected (3, 12), found (2, 12)", ANY(2, 12), ANY(3, 3))           \
    X(gru, heed_op_gru(x[0], x[1], x[2]), "gru: ", "expected (2, 9), found (2, 12)", ANY(2, 9), ANY(2, 12),            \
      ANY(2, 3))                                                                                                       \
    X(function, heed_op_function(x[0], "tanhh", 0, 0), "tanhh: ", "no elementwise function", ANY(2))                   \
    X(null_operand, heed_op_add(x[0], x[1] = NULL), "binary: ", "operand 2 is NULL", ANY(2), ANY(2))

typedef struct refusal {
    const char       *name;
    heed_tensor      *(*build)(heed_tensor **x);
    const char       *begin, *part;
    heed_test_operand operands[HEED_TEST_OPERANDS];
} refusal;

#define REFUSAL_FUNCTION(name, expression, begin, part, ...)                                                           \
    static heed_tensor *refused_##name(heed_tensor **x) { return expression; }
REFUSALS(REFUSAL_FUNCTION)
#define REFUSAL_ROW(name, expression, begin, part, ...) {#name, refused_##name, begin, part, {__VA_ARGS__}},
static const refusal refusals[] = {REFUSALS(REFUSAL_ROW)};

static heed_context *context;

static int open_context(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 2}, &context) != HEED_OK;
}

static int close_context(void **state)
{
    heed_context_free(context);
    return 0;
}

static heed_graph *new_graph(void)
{
    heed_graph *g;
    assert_int_equal(heed_graph_create(context, &g), HEED_OK);
    return g;
}

static void test_refusals(void **state)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        heed_graph *g = new_graph();
        heed_tensor *x[HEED_TEST_OPERANDS] = {0};
        for (int k = 0; k < heed_test_operand_count(r->operands); k++)
            x[k] = heed_graph_input(g, heed_test_dtype(r->operands[k].draw), &r->operands[k].shape);
        heed_error_clear(context);
        heed_tensor *y = r->build(x);
        const char *error = heed_error(context);
        if (y != NULL || heed_graph_status(g) == HEED_OK)
            fail_msg("%s: not refused", r->name);
        if (strncmp(error, r->begin, strlen(r->begin)) != 0 || strstr(error, r->part) == NULL)
            fail_msg("%s: the error is \"%s\", expected \"%s...%s...\"", r->name, error, r->begin, r->part);
        assert_null(heed_op_negative(y));
        heed_graph_free(g);
    }
}

/* ---- small graphs on given numbers */

static heed_tensor *floats(heed_graph *g, int64_t n, const float *values)
{
    return heed_graph_constant(g, &(heed_array){HEED_FLOAT32, {1, {n}}, (void *)(uintptr_t)values});
}

static heed_tensor *ids(heed_graph *g, int64_t n, const int32_t *values)
{
    return heed_graph_constant(g, &(heed_array){HEED_INT32, {1, {n}}, (void *)(uintptr_t)values});
}

static heed_tensor *bools(heed_graph *g, int64_t n, const uint8_t *values)
{
    return heed_graph_constant(g, &(heed_array){HEED_BOOL, {1, {n}}, (void *)(uintptr_t)values});
}

#define FLOATS(g, ...) floats(g, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (const float[]){__VA_ARGS__})

static heed_tensor *gradient(heed_tensor *y, heed_tensor *dy, heed_tensor *by)
{
    heed_tensor *result = NULL;
    assert_int_equal(heed_graph_gradients(y, dy, &by, 1, &result), HEED_OK);
    return result;
}

/* Plans and runs for one tensor, whose graph goes with it. */
static void expect(heed_tensor *t, int64_t count, const float *expected)
{
    heed_graph *g = heed_tensor_graph(t);
    assert_int_equal(heed_graph_plan(g, &t, 1), HEED_OK);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    assert_int_equal(t->count, count);
    const float *found = heed_tensor_data(t);
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(found[i] - expected[i]) <= 1e-6f) && !(isnan(found[i]) && isnan(expected[i])) &&
            found[i] != expected[i])
            fail_msg("element %lld is %g, expected %g", (long long)i, (double)found[i], (double)expected[i]);
    heed_graph_free(g);
}

#define EXPECT(t, ...) expect(t, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (const float[]){__VA_ARGS__})

static void test_ties(void **state)
{
    heed_graph *g = new_graph();
    heed_tensor *a = FLOATS(g, 1, 5, 3), *b = FLOATS(g, 1, 4, 7);
    EXPECT(gradient(heed_op_maximum(a, b), FLOATS(g, 1, 1, 1), a), 1, 1, 0);
    g = new_graph(), a = FLOATS(g, 1, 5, 3), b = FLOATS(g, 1, 4, 7);
    EXPECT(gradient(heed_op_maximum(a, b), FLOATS(g, 1, 1, 1), b), 0, 0, 1);
    g = new_graph(), a = FLOATS(g, 1, 5, 3), b = FLOATS(g, 1, 4, 7);
    EXPECT(gradient(heed_op_minimum(a, b), FLOATS(g, 1, 1, 1), a), 1, 0, 1);
    g = new_graph(), a = FLOATS(g, 2, 5, 3, 5);
    EXPECT(gradient(heed_op_max(a, NULL, 0, false), heed_graph_scalar(g, 3), a), 0, 1.5f, 0, 1.5f);
    g = new_graph(), a = FLOATS(g, 2, 5, 2, 2);
    EXPECT(gradient(heed_op_min(a, NULL, 0, true), FLOATS(g, 3), a), 1, 0, 1, 1);
    g = new_graph(), a = FLOATS(g, 2, 5, 3, 5);
    EXPECT(heed_op_cast(heed_op_argmax(a), HEED_FLOAT32), 1);
    for (int64_t place = 0; place < 700; place += 233) { /* the first of two that are equal, or NaN */
        float x[700] = {0};
        x[place] = x[699] = place % 2 ? NAN : 1;
        g = new_graph();
        expect(heed_op_cast(heed_op_argmax(floats(g, 700, x)), HEED_FLOAT32), 1, (const float[]){(float)place});
        for (int i = 0; i < 700; i++)
            x[i] = -INFINITY;
        g = new_graph();
        EXPECT(heed_op_cast(heed_op_argmax(floats(g, 700, x)), HEED_FLOAT32), 0);
    }
}

static void test_no_gradient_flows(void **state)
{
    heed_graph *g = new_graph();
    heed_tensor *x = FLOATS(g, 1, 2);
    assert_null(gradient(heed_op_stop_gradient(x), FLOATS(g, 1, 1), x));
    assert_null(gradient(heed_op_cast(heed_op_cast(x, HEED_INT32), HEED_FLOAT32), FLOATS(g, 1, 1), x));
    heed_graph_free(g);
}

static void test_what_is_left_out_does_not_matter(void **state)
{
    heed_graph *g = new_graph();
    heed_tensor *keep = bools(g, 3, (const uint8_t[]){1, 0, 1}), *x = FLOATS(g, 1, NAN, 3), *y = FLOATS(g, NAN, 2, NAN);
    EXPECT(heed_op_select(keep, x, y), 1, 2, 3);
    g = new_graph(), keep = bools(g, 3, (const uint8_t[]){1, 0, 1}), x = FLOATS(g, 1, 2, 3);
    heed_tensor *bad = heed_op_log(FLOATS(g, 1, -1, 1)); /* what is not chosen is NaN, and so is its gradient */
    EXPECT(gradient(heed_op_select(keep, x, bad), FLOATS(g, 4, NAN, 6), x), 4, 0, 6);
    g = new_graph(), keep = bools(g, 3, (const uint8_t[]){1, 0, 1}), x = FLOATS(g, 2, INFINITY, 2);
    EXPECT(heed_op_softmax(x, keep), 0.5f, 0, 0.5f);
    g = new_graph(), keep = bools(g, 3, (const uint8_t[]){0, 0, 0}), x = FLOATS(g, 2, NAN, 2);
    EXPECT(heed_op_softmax(x, keep), 0, 0, 0);
    g = new_graph(), keep = bools(g, 1, (const uint8_t[]){0}), x = FLOATS(g, 2, NAN, 2);
    EXPECT(heed_op_softmax(x, keep), 0, 0, 0);
}

static void test_labels_outside(void **state)
{
    heed_shape shape = {2, {3, 2}};
    for (int wanted = 0; wanted < 2; wanted++) {
        heed_graph *g = new_graph();
        heed_tensor *x = heed_op_reshape(FLOATS(g, 1, 1, 2, 2, 3, 3), &shape);
        heed_tensor *labels = ids(g, 3, (const int32_t[]){-1, 1, 2});
        heed_tensor *loss = heed_op_softmax_cross_entropy(x, labels, 0);
        if (wanted == 0)
            EXPECT(loss, 0, 0.69314718f, 0);
        else
            EXPECT(gradient(loss, FLOATS(g, 1, 2, 3), x), 0, 0, 1, -1, 0, 0);
    }
}

static void test_reductions_of_nothing(void **state)
{
    heed_shape empty = {2, {0, 2}};
    typedef heed_tensor *reduction(heed_tensor *, const int *, int, bool);
    static reduction *const functions[] = {heed_op_sum, heed_op_mean, heed_op_max, heed_op_min};
    const float expected[] = {0, NAN, -INFINITY, INFINITY};
    for (int i = 0; i < 4; i++) {
        heed_graph *g = new_graph();
        expect(functions[i](heed_graph_fill(g, &empty, 1), (const int[]){0}, 1, false), 2,
               (const float[]){expected[i], expected[i]});
        g = new_graph();
        expect(functions[i](heed_graph_fill(g, &empty, 1), NULL, 0, false), 1, &expected[i]);
    }
}

static void test_nan_is_not_lost(void **state)
{
    for (int last = 0; last < 2; last++) {
        heed_graph *g = new_graph();
        heed_shape shape = last ? (heed_shape){2, {1, 3}} : (heed_shape){2, {3, 1}};
        heed_tensor *x = heed_op_concatenate((heed_tensor *[]){heed_op_reshape(FLOATS(g, 1, NAN, 2), &shape),
                                                               heed_op_reshape(FLOATS(g, 1, 3, 2), &shape)}, 2, !last);
        EXPECT(heed_op_max(x, (const int[]){last}, 1, false), NAN, 3);
        g = new_graph();
        x = heed_op_concatenate((heed_tensor *[]){heed_op_reshape(FLOATS(g, 1, NAN, 2), &shape),
                                                  heed_op_reshape(FLOATS(g, 1, 3, 2), &shape)}, 2, !last);
        EXPECT(heed_op_min(x, (const int[]){last}, 1, false), NAN, 1);
    }
}

static void test_casts_of_what_does_not_fit(void **state)
{
    heed_graph *g = new_graph();
    heed_tensor *x = FLOATS(g, -1.9f, 1.9f, 3e9f, -3e9f, INFINITY, NAN);
    heed_tensor *y = heed_op_cast(x, HEED_INT32);
    assert_int_equal(heed_graph_plan(g, &y, 1), HEED_OK);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    const int32_t expected[] = {-1, 1, INT32_MAX, INT32_MIN, INT32_MAX, 0};
    assert_memory_equal(heed_tensor_data(y), expected, sizeof expected);
    heed_graph_free(g);
}

static void test_ids_outside_of_a_table(void **state)
{
    const float table[] = {1, 2, 3};
    for (int32_t bad = -1; bad <= 3; bad += 4) {
        heed_graph *g = new_graph();
        heed_tensor *y = heed_op_gather(floats(g, 3, table), ids(g, 3, (const int32_t[]){0, 2, bad}));
        assert_int_equal(heed_graph_plan(g, &y, 1), HEED_OK);
        assert_int_equal(heed_graph_run(g, 1, 1), HEED_EINVAL);
        assert_non_null(strstr(heed_error(context), bad < 0 ? "id -1 at position 2" : "id 3 at position 2"));
        assert_non_null(strstr(heed_error(context), "expected 0..2"));
        heed_graph_free(g);
    }
    heed_graph *g = new_graph();
    EXPECT(heed_op_reshape(heed_op_one_hot(ids(g, 3, (const int32_t[]){-1, 1, 2}), 2), &(heed_shape){1, {6}}),
           0, 0, 0, 1, 0, 0);
}

/* ---- random numbers */

enum { DRAWS = 20000 };

/* `count` numbers of y for a seed and step, on so many threads; freed by the caller. */
typedef heed_tensor *noise_function(heed_graph *g);

static float *drawn(noise_function *noise, int threads, uint64_t seed, uint64_t step)
{
    heed_context *c;
    heed_graph *g;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads}, &c), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *y = noise(g);
    assert_int_equal(heed_graph_plan(g, &y, 1), HEED_OK);
    assert_int_equal(heed_graph_run(g, seed, step), HEED_OK);
    assert_int_equal(y->count, DRAWS);
    float *numbers = malloc(DRAWS * sizeof *numbers);
    assert_non_null(numbers);
    memcpy(numbers, heed_tensor_data(y), DRAWS * sizeof *numbers);
    heed_graph_free(g);
    heed_context_free(c);
    return numbers;
}

static const heed_shape many = {2, {DRAWS / 100, 100}};

static heed_tensor *uniform(heed_graph *g) { return heed_op_random_uniform(g, &many); }
static heed_tensor *normal(heed_graph *g) { return heed_op_random_normal(g, &many); }
static heed_tensor *dropped(heed_graph *g) { return heed_op_dropout(heed_graph_fill(g, &many, 3), 0.25f); }
static heed_tensor *dropped_twice(heed_graph *g) { return heed_op_dropout(dropped(g), 0.25f); }
static heed_tensor *all_dropped(heed_graph *g) { return heed_op_dropout(heed_graph_fill(g, &many, 3), 1); }
static heed_tensor *none_dropped(heed_graph *g) { return heed_op_dropout(heed_graph_fill(g, &many, 3), 0); }

/* the gradient of dropout by what it was applied to */
static heed_tensor *dropout_gradient(heed_graph *g)
{
    heed_tensor *x = heed_graph_fill(g, &many, 7);
    return gradient(heed_op_dropout(x, 0.25f), heed_graph_fill(g, &many, 3), x);
}

static void moments(const float *x, double *mean, double *variance)
{
    *mean = *variance = 0;
    for (int i = 0; i < DRAWS; i++)
        *mean += x[i] / (double)DRAWS;
    for (int i = 0; i < DRAWS; i++)
        *variance += (x[i] - *mean) * (x[i] - *mean) / DRAWS;
}

static void expect_moments(noise_function *noise, double mean, double variance, double low, double high)
{
    double found_mean, found_variance;
    float *x = drawn(noise, 2, 11, 4);
    moments(x, &found_mean, &found_variance);
    /* the numbers are always the same: 5 deviations of the mean of so many, and generously of their variance */
    if (fabs(found_mean - mean) > 5 * sqrt(variance / DRAWS) || fabs(found_variance - variance) > 0.05 * variance)
        fail_msg("mean %g, variance %g, expected %g, %g", found_mean, found_variance, mean, variance);
    for (int i = 0; i < DRAWS; i++)
        assert_true(x[i] >= low && x[i] < high);
    free(x);
}

static bool same_numbers(float *a, float *b)
{
    bool same = memcmp(a, b, DRAWS * sizeof *a) == 0;
    free(a);
    free(b);
    return same;
}

static void test_random_numbers(void **state)
{
    expect_moments(uniform, 0.5, 1 / 12.0, 0, 1);
    expect_moments(normal, 0, 1, -6, 6);
    expect_moments(dropped, 3, 9 * 0.25 / 0.75, 0, 4.0001);
    expect_moments(dropped_twice, 3, 9 * (1 / (0.75 * 0.75) - 1), 0, 5.34); /* two draws: each node has its own */
    static noise_function *const functions[] = {uniform, normal, dropped};
    for (int i = 0; i < 3; i++) {
        for (int threads = 2; threads <= 8; threads += 3)
            assert_true(same_numbers(drawn(functions[i], 1, 5, 9), drawn(functions[i], threads, 5, 9)));
        assert_false(same_numbers(drawn(functions[i], 1, 5, 9), drawn(functions[i], 1, 6, 9)));
        assert_false(same_numbers(drawn(functions[i], 1, 5, 9), drawn(functions[i], 1, 5, 10)));
    }
}

static void test_dropout(void **state)
{
    assert_true(same_numbers(drawn(dropped, 2, 5, 9), drawn(dropout_gradient, 2, 5, 9)));
    float *x = drawn(dropped, 2, 5, 9), *none = drawn(none_dropped, 2, 5, 9), *all = drawn(all_dropped, 2, 5, 9);
    for (int i = 0; i < DRAWS; i++) {
        assert_true(x[i] == 0 || fabsf(x[i] - 4) < 1e-6f);
        assert_true(none[i] == 3);
        assert_true(all[i] == 0);
    }
    free(x);
    free(none);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_no_gradient_flows),
        cmocka_unit_test(test_what_is_left_out_does_not_matter),
        cmocka_unit_test(test_labels_outside),
        cmocka_unit_test(test_reductions_of_nothing),
        cmocka_unit_test(test_nan_is_not_lost),
        cmocka_unit_test(test_casts_of_what_does_not_fit),
        cmocka_unit_test(test_ids_outside_of_a_table),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
