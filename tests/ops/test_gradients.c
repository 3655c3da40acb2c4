/* The gradient of every operation against finite differences. Walks the table of operations: a row needs a case below
 * whose graph it takes part in, or a reason for having no gradient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "ops/op.h"
#include "ops/output_loss.h"
#include "support/failing_allocator.h"
#include "support/op_check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the cases: row of the table, name, the expression of x[0], x[1], ..., and the operands it is taken at */

#define AXES(...) (const int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int)
#define SHAPE(...) &(const heed_shape)HEED_TEST_SHAPE(__VA_ARGS__)

static heed_tensor *concatenate3(heed_tensor *const *x, int axis) { return heed_op_concatenate(x, 3, axis); }

/* h and c of a step side by side, or one of them; and with the second one leading nowhere */
static heed_tensor *lstm_both(heed_tensor *zx, heed_tensor *zh, heed_tensor *c_previous)
{
    heed_tensor *h, *c;
    heed_op_lstm(zx, zh, c_previous, &h, &c);
    return heed_op_concatenate((heed_tensor *[]){h, c}, 2, -1);
}

static heed_tensor *lstm_one(heed_tensor *zx, heed_tensor *zh, heed_tensor *c_previous, bool state)
{
    heed_tensor *h, *c;
    heed_op_lstm(zx, zh, c_previous, &h, &c);
    return state ? c : h;
}

/* a random tensor beside x: its numbers are the same in every run of one step */
static heed_tensor *with_noise(heed_tensor *x)
{
    heed_graph *g = heed_tensor_graph(x);
    const heed_shape *shape = heed_tensor_shape(x);
    return heed_op_multiply(x, heed_op_add(heed_op_random_normal(g, shape), heed_op_random_uniform(g, shape)));
}

/* Weights are whole numbers, which have no gradient. */
static heed_tensor *output_loss(heed_tensor *logits, heed_tensor *labels, heed_tensor *weights, float smoothing)
{
    return heed_op_output_loss(logits, labels, weights == NULL ? NULL : heed_op_cast(weights, HEED_FLOAT32), smoothing, 0);
}

static const float weights_3_4[4 * 3] = {1, 0, 0, 0.5f, 0, -2, 0, 0, 0, 0.25f, 3, 1};

static heed_tensor *scores(heed_tensor *const *x) { return heed_op_additive_scores(x[0], x[1], x[2]); }

/* Ids as the starts of windows: two lower, so that some windows begin before the first key. */
static heed_tensor *starts(heed_tensor *ids)
{
    return heed_op_cast(heed_op_scale(heed_op_cast(ids, HEED_FLOAT32), 1, -2), HEED_INT32);
}

/* Result and weights of an attention, or one of them; operands q, k, v and maybe a mask. */
static heed_tensor *attended(heed_tensor *const *x, heed_op_attention_config config, bool with_weights)
{
    heed_tensor *weights = NULL, *y = heed_op_attention(x[0], x[1], x[2], &config, with_weights ? &weights : NULL);
    if (!with_weights)
        return y;
    heed_tensor *both[] = {heed_op_reshape(y, SHAPE(HEED_ANY)), heed_op_reshape(weights, SHAPE(HEED_ANY))};
    return heed_op_concatenate(both, 2, 0);
}

static heed_tensor *attention_weights(heed_tensor *const *x)
{
    heed_tensor *weights;
    heed_op_attention(x[0], x[1], x[2], &(heed_op_attention_config){.scale = 0.7f}, &weights);
    return weights;
}

#define ATTENTION(...) attended(x, (heed_op_attention_config){__VA_ARGS__}, false)

/* h' = tanh(x W + h U) k over time, all outputs and the last state beside each other. Operands: x (B, T, F), the first
 * h (B, H), W (F, H), U (H, H), k (B, H), and a mask or lengths if there are six. */
static heed_status recurrent_step(void *cell, heed_step *s)
{
    heed_tensor *const *x = cell;
    heed_tensor *w = heed_graph_variable(s->graph, x[2]->variable), *u = heed_graph_variable(s->graph, x[3]->variable);
    heed_tensor *z = heed_op_add(heed_op_matmul(s->inputs[0], w), heed_op_matmul(s->states[0], u));
    s->new_states[0] = heed_op_multiply(heed_op_tanh(z), s->constants[0]);
    s->outputs[0] = heed_op_square(s->new_states[0]);
    return heed_graph_status(s->graph);
}

/* The same with dropout before, in and behind the loop: the gradient must leave out what the step left out. */
static heed_status dropping_step(void *cell, heed_step *s)
{
    heed_tensor *const *x = cell;
    heed_tensor *w = heed_graph_variable(s->graph, x[2]->variable), *u = heed_graph_variable(s->graph, x[3]->variable);
    heed_tensor *before = heed_op_dropout(s->inputs[0], 0.3f), *in = heed_op_dropout(s->states[0], 0.4f);
    heed_tensor *z = heed_op_add(heed_op_matmul(before, w), heed_op_matmul(in, u));
    s->new_states[0] = heed_op_multiply(heed_op_tanh(z), heed_op_dropout(s->constants[0], 0.3f));
    s->outputs[0] = heed_op_dropout(heed_op_square(s->new_states[0]), 0.5f);
    return heed_graph_status(s->graph);
}

static heed_tensor *over_time(heed_step_function *step, heed_tensor *const *x, int operands, bool reverse, bool zeros,
                              bool last)
{
    heed_scan_config config = {.step = step, .cell = (void *)(uintptr_t)x, .inputs = x, .input_count = 1,
                               .states = x + 1, .state_count = 1, .constants = x + 4, .constant_count = 1,
                               .output_count = 1, .mask = operands == 6 ? x[5] : NULL, .reverse = reverse,
                               .zero_output_for_mask = zeros, .last_output_only = last};
    heed_tensor *output = NULL, *state = NULL;
    if (heed_op_scan(heed_tensor_graph(x[0]), &config, &output, &state) != HEED_OK)
        return NULL;
    heed_tensor *flat = heed_op_reshape(output, &(heed_shape){2, {heed_tensor_dim(x[0], 0), HEED_ANY}});
    return heed_op_concatenate((heed_tensor *[]){flat, state}, 2, 1);
}

static heed_tensor *recurrent(heed_tensor *const *x, int operands, bool reverse, bool zeros, bool last)
{
    return over_time(recurrent_step, x, operands, reverse, zeros, last);
}

/* x, kernel and bias over one axis or two; `groups` 0: without bias, in one group */
static heed_tensor *convolved(heed_tensor *const *x, int64_t stride, int64_t dilation, int64_t before, int64_t after, int groups)
{
    const heed_sliding_window windows[] = {{heed_tensor_dim(x[1], 0), stride, dilation, before, after},
                                           {heed_tensor_dim(x[1], 1), stride, dilation, after, before}};
    return heed_op_convolution(x[0], x[1], groups == 0 ? NULL : x[2], windows, groups == 0 ? 1 : groups);
}

/* The same way back, to `size` elements (and two more on a second axis). */
static heed_tensor *convolved_back(heed_tensor *const *x, int64_t stride, int64_t dilation, int64_t before, int64_t after,
                                   int groups, int64_t size)
{
    const heed_sliding_window windows[] = {{heed_tensor_dim(x[1], 0), stride, dilation, before, after},
                                           {heed_tensor_dim(x[1], 1), stride, dilation, after, before}};
    return heed_op_convolution_transpose(x[0], x[1], groups == 0 ? NULL : x[2], windows, groups == 0 ? 1 : groups,
                                         (int64_t[]){size, size + 2});
}

static heed_tensor *pooled(heed_tensor *const *x, bool mean, int64_t size, int64_t stride, int64_t before, int64_t after)
{
    const heed_sliding_window windows[] = {{size, stride, 1, before, after}, {size, stride, 1, after, before}};
    return mean ? heed_op_average_pool(x[0], windows) : heed_op_max_pool(x[0], windows);
}

#define RECURRENT SMALL(2, 4, 3), SMALL(2, 5), SMALL(3, 5), SMALL(5, 5), SMALL(2, 5)

#define MANY_RECURRENT SMALL(19, 3, 2), SMALL(19, 3), SMALL(2, 3), SMALL(3, 3), SMALL(19, 3)

#define GRADIENT_CASES(X)                                                                                              \
    X(binary, add, heed_op_add(x[0], x[1]), ANY(3, 4), ANY(3, 4))                                                      \
    X(binary, add_row, heed_op_add(x[0], x[1]), ANY(3, 4), ANY(4))                                                     \
    X(binary, add_column, heed_op_add(x[0], x[1]), ANY(3, 1), ANY(3, 4))                                               \
    X(binary, add_itself, heed_op_add(x[0], x[0]), ANY(5))                                                             \
    X(binary, subtract, heed_op_subtract(x[0], x[1]), ANY(2, 3, 4), ANY(3, 1))                                         \
    X(binary, multiply, heed_op_multiply(x[0], x[1]), ANY(2, 1, 4), ANY(3, 1))                                         \
    X(binary, multiply_scalar, heed_op_multiply(x[0], x[1]), ANY_SCALAR, ANY(3, 5))                                    \
    X(binary, multiply_scalars, heed_op_multiply(x[0], x[1]), ANY_SCALAR, ANY_SCALAR)                                  \
    X(binary, square_by_multiply, heed_op_multiply(x[0], x[0]), ANY(3, 5))                                             \
    X(binary, divide, heed_op_divide(x[0], x[1]), ANY(3, 4), POSITIVE(4))                                              \
    X(binary, divide_row, heed_op_divide(x[0], x[1]), ANY(1, 4), POSITIVE(3, 1))                                       \
    X(binary, maximum, heed_op_maximum(x[0], x[1]), DISTINCT(3, 4), DISTINCT(3, 4))                                    \
    X(binary, maximum_row, heed_op_maximum(x[0], x[1]), DISTINCT(3, 4), DISTINCT(4))                                   \
    X(binary, minimum, heed_op_minimum(x[0], x[1]), DISTINCT(4), DISTINCT(3, 4))                                       \
    X(binary, empty, heed_op_multiply(x[0], x[1]), ANY(0, 4), ANY(4))                                                  \
    X(select, select, heed_op_select(x[0], x[1], x[2]), MASK(3, 4), ANY(3, 4), ANY(3, 4))                              \
    X(select, select_rows, heed_op_select(x[0], x[1], x[2]), MASK(3, 1), ANY(3, 4), ANY(4))                            \
    X(select, select_scalar, heed_op_select(x[0], x[1], x[2]), MASK(3, 4), ANY_SCALAR, ANY(1, 4))                      \
    X(matmul, matmul, heed_op_matmul(x[0], x[1]), ANY(3, 4), ANY(4, 5))                                                \
    X(matmul, matmul_batch, heed_op_matmul(x[0], x[1]), ANY(2, 3, 4), ANY(2, 4, 5))                                    \
    X(matmul, matmul_broadcast, heed_op_matmul(x[0], x[1]), ANY(2, 1, 3, 4), ANY(3, 4, 2))                             \
    X(matmul, matmul_shared, heed_op_matmul(x[0], x[1]), ANY(2, 3, 4), ANY(4, 5))                                      \
    X(matmul, matmul_nt, heed_op_matmul_transposed(x[0], false, x[1], true), ANY(2, 3, 4), ANY(2, 5, 4))               \
    X(matmul, matmul_tn, heed_op_matmul_transposed(x[0], true, x[1], false), ANY(2, 4, 3), ANY(2, 4, 5))               \
    X(matmul, matmul_tt, heed_op_matmul_transposed(x[0], true, x[1], true), ANY(2, 4, 3), ANY(2, 5, 4))                \
    X(matmul, matmul_nt_shared, heed_op_matmul_transposed(x[0], false, x[1], true), ANY(2, 3, 4), ANY(5, 4))           \
    X(matmul, dense, heed_op_dense(x[0], x[1], x[2]), ANY(2, 3, 4), ANY(4, 5), ANY(5))                                 \
    X(matmul, dense_no_bias, heed_op_dense(x[0], x[1], NULL), ANY(3, 4), ANY(4, 5))                                    \
    X(reduce, sum, heed_op_sum(x[0], NULL, 0, false), ANY(2, 3, 4))                                                    \
    X(reduce, sum_last, heed_op_sum(x[0], AXES(-1), false), ANY(2, 3, 4))                                              \
    X(reduce, sum_first, heed_op_sum(x[0], AXES(0), true), ANY(3, 4))                                                  \
    X(reduce, sum_middle, heed_op_sum(x[0], AXES(1), false), ANY(2, 3, 4))                                             \
    X(reduce, sum_outer, heed_op_sum(x[0], AXES(0, 2), true), ANY(2, 3, 4))                                            \
    X(reduce, sum_of_scalar, heed_op_sum(x[0], NULL, 0, false), ANY_SCALAR)                                            \
    X(reduce, mean, heed_op_mean(x[0], NULL, 0, true), ANY(2, 3, 4))                                                   \
    X(reduce, mean_middle, heed_op_mean(x[0], AXES(1), false), ANY(2, 3, 4))                                           \
    X(reduce, mean_outer, heed_op_mean(x[0], AXES(0, -1), false), ANY(2, 3, 4))                                        \
    X(reduce, max, heed_op_max(x[0], NULL, 0, false), DISTINCT(3, 4))                                                  \
    X(reduce, max_last, heed_op_max(x[0], AXES(-1), true), DISTINCT(3, 4))                                             \
    X(reduce, max_first, heed_op_max(x[0], AXES(0), false), DISTINCT(2, 3, 2))                                         \
    X(reduce, min_middle, heed_op_min(x[0], AXES(1), false), DISTINCT(2, 3, 2))                                        \
    X(reduce, min_outer, heed_op_min(x[0], AXES(2, 0), true), DISTINCT(2, 3, 2))                                       \
    X(softmax, softmax, heed_op_softmax(x[0], NULL), ANY(3, 5))                                                        \
    X(softmax, softmax_vector, heed_op_softmax(x[0], NULL), ANY(19))                                                   \
    X(softmax, softmax_mask, heed_op_softmax(x[0], x[1]), ANY(2, 3, 5), MASK(2, 3, 5))                                 \
    X(softmax, softmax_mask_row, heed_op_softmax(x[0], x[1]), ANY(2, 3, 5), MASK(2, 1, 5))                             \
    X(softmax, softmax_mask_column, heed_op_softmax(x[0], x[1]), ANY(2, 3, 5), MASK(3, 1))                             \
    X(log_softmax, log_softmax, heed_op_log_softmax(x[0]), ANY(3, 5))                                                  \
    X(softmax_cross_entropy, cross_entropy, heed_op_softmax_cross_entropy(x[0], x[1], 0), ANY(2, 3, 5), IDS(5, 2, 3))  \
    X(softmax_cross_entropy, cross_entropy_outside, heed_op_softmax_cross_entropy(x[0], x[1], 0), ANY(9, 3),           \
      IDS(5, 9))                                                                                                       \
    X(softmax_cross_entropy, cross_entropy_smoothed, heed_op_softmax_cross_entropy(x[0], x[1], 0.3f), ANY(9, 4),       \
      IDS(5, 9))                                                                                                       \
    X(ctc_loss, ctc_loss, heed_op_ctc_loss(heed_op_log_softmax(x[0]), x[1], NULL), ANY(7, 6, 3), IDS(3, 7, 2))         \
    X(ctc_loss, ctc_loss_outside, heed_op_ctc_loss(x[0], x[1], NULL), ANY(7, 5, 3), IDS(4, 7, 2))                      \
    X(ctc_loss, ctc_loss_mask, heed_op_ctc_loss(x[0], x[1], heed_op_transpose(x[2], (int[]){1, 0})), ANY(5, 12, 3),    \
      IDS(3, 5, 2), MASK(12, 5))                                                                                       \
    X(output_loss, output_loss, output_loss(heed_op_dense(x[0], x[1], NULL), x[2], NULL, 0), ANY(2, 3, 4), ANY(4, 5),  \
      IDS(5, 2, 3))                                                                                                    \
    X(output_loss, output_loss_bias, output_loss(heed_op_dense(x[0], x[1], x[2]), x[3], x[4], 0.2f), ANY(9, 3),        \
      ANY(3, 4), ANY(4), IDS(5, 9), IDS(3, 9))                                                                         \
    X(output_loss, output_loss_transposed, output_loss(heed_op_matmul_transposed(x[0], false, x[1], true), x[2], x[3], \
      0.4f), ANY(9, 3), ANY(4, 3), IDS(5, 9), IDS(3, 9))                                                               \
    X(reshape, reshape, heed_op_reshape(x[0], SHAPE(4, HEED_ANY)), ANY(2, 3, 2))                                       \
    X(reshape, expand, heed_op_expand(x[0], -1), ANY(2, 3))                                                            \
    X(reshape, squeeze, heed_op_squeeze(x[0], 1), ANY(2, 1, 3))                                                        \
    X(transpose, transpose, heed_op_transpose(x[0], (const int[]){1, 0}), ANY(3, 4))                                   \
    X(transpose, transpose_heads, heed_op_transpose(x[0], (const int[]){0, 2, 1, 3}), ANY(2, 3, 2, 4))                 \
    X(transpose, rotate, heed_op_transpose(x[0], (const int[]){2, 0, 1}), ANY(2, 3, 4))                                \
    X(broadcast, broadcast, heed_op_broadcast(x[0], SHAPE(2, 3, 4)), ANY(3, 1))                                        \
    X(broadcast, broadcast_scalar, heed_op_broadcast(x[0], SHAPE(2, 3)), ANY_SCALAR)                                   \
    X(concatenate, concatenate_last, concatenate3(x, -1), ANY(2, 3), ANY(2, 1), ANY(2, 4))                             \
    X(concatenate, concatenate_first, concatenate3(x, 0), ANY(1, 3), ANY(2, 3), ANY(0, 3))                             \
    X(slice, slice_first, heed_op_slice(x[0], 0, 1, 2), ANY(4, 3))                                                     \
    X(slice, slice_middle, heed_op_slice(x[0], 1, 2, 1), ANY(2, 3, 4))                                                 \
    X(slice, slice_last, heed_op_slice(x[0], -1, 0, 2), ANY(2, 3))                                                     \
    X(pad, pad_first, heed_op_pad(x[0], 0, 1, 2, 7), ANY(2, 3))                                                        \
    X(pad, pad_last, heed_op_pad(x[0], -1, 2, 0, -1), ANY(2, 3))                                                       \
    X(reverse, reverse_first, heed_op_reverse(x[0], 0), ANY(4, 3))                                                     \
    X(reverse, reverse_middle, heed_op_reverse(x[0], 1), ANY(2, 3, 2))                                                 \
    X(reverse, reverse_last, heed_op_reverse(x[0], -1), ANY(2, 3))                                                     \
    X(cumsum, cumsum_middle, heed_op_cumsum(x[0], 1), ANY(2, 3, 2))                                                    \
    X(cumsum, cumsum_last, heed_op_cumsum(x[0], -1), ANY(2, 3))                                                        \
    X(repeat, repeat_first, heed_op_repeat(x[0], 0, 3), ANY(2, 3))                                                     \
    X(repeat, repeat_last, heed_op_repeat(x[0], -1, 2), ANY(2, 3))                                                     \
    X(blend, blend_middle, heed_op_blend(x[0], 1, weights_3_4, 4), ANY(2, 3, 2))                                       \
    X(blend, blend_last, heed_op_blend(x[0], -1, weights_3_4, 4), ANY(2, 3))                                           \
    X(convolution, conv, convolved(x, 1, 1, 0, 0, 1), ANY(2, 7, 3), ANY(3, 3, 4), ANY(4))                               \
    X(convolution, conv_no_bias, convolved(x, 1, 1, 2, 1, 0), ANY(2, 5, 2), ANY(4, 2, 3))                              \
    X(convolution, conv_stride, convolved(x, 3, 1, 1, 2, 1), ANY(2, 8, 2), ANY(2, 2, 3), ANY(3))                       \
    X(convolution, conv_stride_dilation, convolved(x, 2, 3, 2, 2, 1), ANY(1, 9, 2), ANY(3, 2, 3), ANY(3))              \
    X(convolution, conv_groups, convolved(x, 1, 2, 2, 2, 2), ANY(2, 5, 4), ANY(3, 2, 6), ANY(6))                       \
    X(convolution, conv_depthwise, convolved(x, 2, 1, 1, 1, 5), ANY(2, 6, 5), ANY(3, 1, 5), ANY(5))                    \
    X(convolution, conv_single, convolved(x, 1, 1, 0, 0, 1), ANY(2, 5, 3), ANY(1, 3, 4), ANY(4))                       \
    X(convolution, conv_whole, convolved(x, 1, 1, 0, 0, 1), ANY(3, 4, 2), ANY(4, 2, 3), ANY(3))                        \
    X(convolution, conv_2d, convolved(x, 2, 1, 1, 0, 1), ANY(2, 4, 5, 2), ANY(3, 2, 2, 3), ANY(3))                     \
    X(convolution, conv_2d_dilation, convolved(x, 1, 2, 1, 2, 2), ANY(1, 4, 5, 2), ANY(2, 3, 1, 4), ANY(4))            \
    X(convolution, conv_2d_width, convolved(x, 1, 1, 0, 0, 1), ANY(2, 5, 3, 2), ANY(2, 3, 2, 3), ANY(3))               \
    X(convolution, conv_2d_depthwise, convolved(x, 2, 1, 1, 1, 3), ANY(2, 3, 4, 3), ANY(2, 2, 1, 3), ANY(3))           \
    X(convolution_transpose, back, convolved_back(x, 1, 1, 1, 1, 1, 5), ANY(2, 5, 3), ANY(3, 2, 3), ANY(2))            \
    X(convolution_transpose, back_stride, convolved_back(x, 3, 1, 0, 1, 1, 10), ANY(2, 4, 3), ANY(2, 2, 3), ANY(2))    \
    X(convolution_transpose, back_wide, convolved_back(x, 2, 1, 1, 1, 0, 8), ANY(2, 4, 3), ANY(4, 2, 3))               \
    X(convolution_transpose, back_groups, convolved_back(x, 2, 2, 1, 1, 2, 7), ANY(1, 3, 4), ANY(3, 3, 4), ANY(6))     \
    X(convolution_transpose, back_2d, convolved_back(x, 2, 1, 1, 0, 1, 4), ANY(2, 2, 3, 3), ANY(3, 2, 2, 3), ANY(2))   \
    X(pool, max_pool, pooled(x, false, 2, 2, 0, 0), DISTINCT(2, 6, 3))                                                 \
    X(pool, max_pool_overlap, pooled(x, false, 3, 1, 1, 1), DISTINCT(2, 5, 3))                                         \
    X(pool, max_pool_2d, pooled(x, false, 2, 2, 1, 0), DISTINCT(2, 3, 5, 2))                                           \
    X(pool, average_pool, pooled(x, true, 3, 2, 1, 1), ANY(2, 7, 3))                                                   \
    X(pool, average_pool_2d, pooled(x, true, 3, 1, 1, 2), ANY(2, 3, 4, 2))                                             \
    X(gather, gather, heed_op_gather(x[0], x[1]), ANY(5, 3), IDS(5, 2, 4))                                             \
    X(gather, gather_scalars, heed_op_gather(x[0], x[1]), ANY(5), IDS(5, 7))                                           \
    X(gather, gather_blocks, heed_op_gather(x[0], x[1]), ANY(3, 2, 35), IDS(3, 4))                                     \
    X(layer_norm, layer_norm, heed_op_layer_norm(x[0], x[1], x[2], 1e-3f), ANY(2, 3, 5), ANY(5), ANY(5))               \
    X(layer_norm, layer_norm_plain, heed_op_layer_norm(x[0], NULL, NULL, 1e-3f), ANY(3, 7))                            \
    X(layer_norm, layer_norm_gamma, heed_op_layer_norm(x[0], x[1], NULL, 1e-3f), ANY(3, 5), ANY(5))                    \
    X(layer_norm, layer_norm_beta, heed_op_layer_norm(x[0], NULL, x[1], 0.5f), ANY(40, 3), ANY(3))                     \
    X(dropout, dropout, heed_op_dropout(x[0], 0.4f), ANY(7, 9))                                                        \
    X(random, random, with_noise(x[0]), ANY(3, 5))                                                                     \
    X(additive_scores, additive, scores(x), ANY(2, 3, 5), ANY(2, 4, 5), ANY(5))                                        \
    X(additive_scores, additive_step, scores(x), ANY(3, 1, 17), ANY(3, 4, 17), ANY(17))                                \
    X(additive_scores, additive_blocks, scores(x), ANY(1, 35, 3), ANY(1, 2, 3), ANY(3))                                \
    X(additive_scores, additive_windows, heed_op_window_additive_scores(x[0], x[1], x[2], starts(x[3]), 3),            \
      ANY(2, 5, 9), ANY(2, 4, 9), ANY(9), IDS(6, 2, 5))                                                                \
    X(window_scores, window_scores, heed_op_window_scores(x[0], x[1], starts(x[2]), 3), ANY(2, 5, 4), ANY(2, 4, 4),    \
      IDS(6, 2, 5))                                                                                                    \
    X(window_scores, window_scores_alike, heed_op_window_scores(x[0], x[1], starts(x[2]), 3), ANY(2, 5, 4),            \
      ANY(2, 4, 4), IDS(6, 1, 5))                                                                                      \
    X(window_scores, window_scores_itself, heed_op_window_scores(x[0], x[0], starts(x[1]), 2), ANY(1, 90, 1),          \
      IDS(90, 1, 90))                                                                                                  \
    X(window_sum, window_sum, heed_op_window_sum(x[0], x[1], starts(x[2])), ANY(2, 5, 3), ANY(2, 4, 4), IDS(6, 2, 5))  \
    X(window_spread, window_spread, heed_op_window_spread(x[0], x[1], starts(x[2]), 4), ANY(2, 5, 3), ANY(2, 5, 4),    \
      IDS(6, 2, 5))                                                                                                    \
    X(window_dense, window_dense, heed_op_window_dense(x[0], starts(x[1]), 4), ANY(2, 5, 3), IDS(6, 2, 5))             \
    X(window_take, window_take, heed_op_window_take(x[0], starts(x[1]), 3), ANY(2, 5, 4), IDS(6, 2, 5))                \
    X(window_take, window_take_row, heed_op_window_take(x[0], starts(x[1]), 3), ANY(1, 1, 4), IDS(6, 2, 5))            \
    X(additive_scores, additive_large, scores(x), LARGE(2, 3, 4), ANY(2, 3, 4), ANY(4))                                \
    X(attention, attention, ATTENTION(0), SMALL(2, 3, 2, 4), SMALL(2, 5, 2, 4), SMALL(2, 5, 2, 3))                     \
    X(attention, attention_shared, ATTENTION(.scale = 2), SMALL(2, 3, 4, 5), SMALL(2, 4, 2, 5), SMALL(2, 4, 2, 3))     \
    X(attention, attention_causal, ATTENTION(.banded = true, .behind = 1 << 20), SMALL(1, 5, 2, 4), SMALL(1, 5, 2, 4), \
      SMALL(1, 5, 2, 3))                                                                                               \
    X(attention, attention_band, ATTENTION(.banded = true, .behind = 2, .ahead = 1), SMALL(1, 9, 1, 3),                \
      SMALL(1, 9, 1, 3), SMALL(1, 9, 1, 3))                                                                            \
    X(attention, attention_keys, ATTENTION(.key_mask = x[3]), SMALL(2, 3, 2, 4), SMALL(2, 5, 2, 4), SMALL(2, 5, 2, 3), \
      MASK(2, 5))                                                                                                      \
    X(attention, attention_lengths, ATTENTION(.key_mask = x[3], .query_mask = x[4]), SMALL(2, 3, 2, 4),                \
      SMALL(2, 5, 2, 4), SMALL(2, 5, 2, 3), IDS(5, 2), IDS(3, 2))                                                      \
    X(attention, attention_mask, ATTENTION(.mask = x[3]), SMALL(2, 3, 2, 4), SMALL(2, 5, 2, 4), SMALL(2, 5, 2, 3),     \
      MASK(2, 1, 3, 5))                                                                                                \
    X(attention, attention_even_fixed, ATTENTION(.mask = x[3], .blind = HEED_BLIND_EVEN_FIXED), SMALL(2, 3, 1, 4),     \
      SMALL(2, 5, 1, 4), SMALL(2, 5, 1, 3), MASK(3, 5))                                                                \
    X(attention, attention_second, ATTENTION(.key_mask = x[3], .banded = true, .behind = 9,                            \
      .blind = HEED_BLIND_SECOND), SMALL(2, 5, 1, 4), SMALL(2, 5, 1, 4), SMALL(2, 5, 1, 3), MASK(2, 5))                \
    X(attention, attention_dropout, ATTENTION(.dropout = 0.3f), SMALL(2, 3, 2, 4), SMALL(2, 5, 2, 4),                  \
      SMALL(2, 5, 2, 3))                                                                                               \
    X(attention, attention_both, attended(x, (heed_op_attention_config){.key_mask = x[3], .dropout = 0.2f}, true),     \
      SMALL(2, 3, 2, 4), SMALL(2, 5, 2, 4), SMALL(2, 5, 2, 3), IDS(6, 2))                                              \
    X(attention, attention_weights, attention_weights(x), SMALL(2, 3, 2, 4), SMALL(2, 5, 2, 4), SMALL(2, 5, 2, 3))     \
    X(attention, attention_tiles, ATTENTION(.banded = true, .behind = 30, .ahead = 1), SMALL(1, 99, 1, 1),             \
      SMALL(1, 13, 1, 1), SMALL(1, 13, 1, 1))                                                                          \
    X(lstm, lstm, lstm_both(x[0], x[1], x[2]), ANY(3, 20), ANY(3, 20), ANY(3, 5))                                      \
    X(lstm, lstm_h_only, lstm_one(x[0], x[1], x[2], false), ANY(2, 12), ANY(2, 12), ANY(2, 3))                         \
    X(lstm, lstm_c_only, lstm_one(x[0], x[1], x[2], true), ANY(2, 12), ANY(2, 12), ANY(2, 3))                          \
    X(lstm, lstm_without_zh, lstm_both(x[0], NULL, x[1]), ANY(2, 12), ANY(2, 3))                                       \
    X(gru, gru, heed_op_gru(x[0], x[1], x[2]), ANY(3, 15), ANY(3, 15), ANY(3, 5))                                      \
    X(scan, scan, recurrent(x, 5, false, false, false), RECURRENT)                                                     \
    X(scan, scan_last, recurrent(x, 5, false, false, true), RECURRENT)                                                 \
    X(scan, scan_reverse, recurrent(x, 5, true, false, false), RECURRENT)                                              \
    X(scan, scan_mask, recurrent(x, 6, false, false, false), RECURRENT, MASK(2, 4))                                    \
    X(scan, scan_mask_zeros, recurrent(x, 6, true, true, false), RECURRENT, MASK(2, 4))                                \
    X(scan, scan_dropout, over_time(dropping_step, x, 5, false, false, false), RECURRENT)                              \
    X(scan, scan_dropout_rows, over_time(dropping_step, x, 6, true, false, false), MANY_RECURRENT, IDS(4, 19))         \
    X(scan, scan_lengths, recurrent(x, 6, false, false, true), RECURRENT, IDS(5, 2))                                   \
    X(gru, gru_wide, heed_op_gru(x[0], x[1], x[2]), ANY(2, 51), ANY(2, 51), ANY(2, 17))

typedef heed_tensor *build_function(heed_tensor *const *x);

#define BUILD_FUNCTION(row, name, expression, ...)                                                                     \
    static heed_tensor *build_##name(heed_tensor *const *x) { return expression; }
GRADIENT_CASES(BUILD_FUNCTION)

typedef struct gradient_case {
    const char        *row, *name;
    build_function    *build;
    heed_test_operand  operands[HEED_TEST_OPERANDS];
} gradient_case;

#define CASE_ROW(row, name, expression, ...) {#row, #name, build_##name, {__VA_ARGS__}},
static const gradient_case cases[] = {GRADIENT_CASES(CASE_ROW)};
enum { CASE_COUNT = sizeof cases / sizeof *cases };

/* Every elementwise function, with the parameters that make its kinks multiples of 0.5, or 0 where it has none. */
static const float unary_parameters[HEED_UNARY_COUNT][2] = {
    [HEED_UNARY_SCALE] = {-1.5f, 0.75f},   [HEED_UNARY_CLIP] = {-1, 2},
    [HEED_UNARY_POWER] = {2.5f, 0},        [HEED_UNARY_LEAKY_RELU] = {0.3f, 0},
    [HEED_UNARY_ELU] = {0.8f, 0},          [HEED_UNARY_CELU] = {1.3f, 0},
    [HEED_UNARY_HARD_SIGMOID] = {0.2f, 0}, [HEED_UNARY_HARD_SILU] = {1 / 6.0f, 0},
    [HEED_UNARY_SOFT_SHRINK] = {0.5f, 0},  [HEED_UNARY_HARD_SHRINK] = {0.5f, 0},
    [HEED_UNARY_THRESHOLD] = {1, -4},      [HEED_UNARY_SQUAREPLUS] = {4, 0},
};

static const char *const unary_names[] = {
#define UNARY_NAME(id, text) text,
    HEED_UNARY_MAP(UNARY_NAME)
#undef UNARY_NAME
};

static bool for_positive_only(heed_unary_function f)
{
    return f == HEED_UNARY_SQRT || f == HEED_UNARY_RSQRT || f == HEED_UNARY_LOG || f == HEED_UNARY_LOG1P ||
           f == HEED_UNARY_POWER || f == HEED_UNARY_RECIPROCAL;
}

/* ---- one case */

typedef struct probe {
    heed_context *context;
    heed_graph   *graph;
    int           count;
    heed_array    arrays[HEED_TEST_OPERANDS];
    heed_variable variables[HEED_TEST_OPERANDS]; /* of the operands that are floats */
    heed_tensor  *x[HEED_TEST_OPERANDS], *seed, *y, *gradients[HEED_TEST_OPERANDS];
    float        *weights;  /* of y's elements in the loss */
    float        *y_around; /* (4, y's elements): y at the points of the difference */
} probe;

static void draw_weights(probe *p)
{
    heed_random r = {.seed = 23};
    p->weights = malloc((size_t)p->y->count * sizeof *p->weights + 1);
    p->y_around = malloc((size_t)p->y->count * 4 * sizeof *p->y_around + 1);
    assert_non_null(p->weights);
    assert_non_null(p->y_around);
    for (int64_t i = 0; i < p->y->count; i++)
        p->weights[i] = (float)(heed_random_double(&r) * 2 - 1);
}

/* x[i] for build: variables, so that a step inside a scan can reach them too; inputs where they are not floats. */
static heed_status open_probe(probe *p, heed_context *c, const heed_test_operand *operands)
{
    *p = (probe){.context = c};
    HEED_TRY(heed_graph_create(c, &p->graph));
    p->count = heed_test_operand_count(operands);
    heed_test_draw_operands(operands, p->count, p->arrays);
    for (int i = 0; i < p->count; i++) {
        heed_array *a = &p->arrays[i];
        p->variables[i] = (heed_variable){.name = "x", .shape = a->shape, .count = heed_array_count(a)};
        p->variables[i].data = a->data;
        p->x[i] = a->dtype == HEED_FLOAT32 ? heed_graph_variable(p->graph, &p->variables[i])
                                           : heed_graph_input(p->graph, a->dtype, &a->shape);
    }
    return heed_graph_status(p->graph);
}

/* What a graph is planned for: y and all gradients; every value in it, so that no memory is used twice; or, from 0 on,
 * one gradient alone. */
enum { RESULTS = -2, EVERYTHING = -1 };

enum { MOST_WANTED = 512 };

/* Appends all values that those already wanted depend on. */
static size_t want_what_they_need(const heed_graph *g, heed_tensor **wanted, size_t count)
{
    bool needed[MOST_WANTED] = {false};
    for (size_t i = 0; i < count; i++)
        if (wanted[i]->node != NULL)
            needed[wanted[i]->node->index] = true;
    for (size_t i = g->node_count; i-- > 0;) {
        const heed_node *n = g->nodes[i];
        for (int k = 0; k < n->input_count && needed[i]; k++)
            if (n->inputs[k]->node != NULL)
                needed[n->inputs[k]->node->index] = true;
        for (int k = 0; k < n->output_count && needed[i] && count < MOST_WANTED; k++)
            wanted[count++] = n->outputs[k];
    }
    return count;
}

static heed_status plan(probe *p, int wish)
{
    heed_tensor *wanted[MOST_WANTED];
    size_t count = 0;
    assert_true(p->graph->node_count < MOST_WANTED);
    for (int i = 0; i < p->count; i++)
        if (p->gradients[i] != NULL && (wish < 0 || wish == i))
            wanted[count++] = p->gradients[i];
    if (wish < 0)
        wanted[count++] = p->y;
    if (wish == EVERYTHING)
        count = want_what_they_need(p->graph, wanted, count);
    HEED_TRY(heed_graph_plan(p->graph, wanted, count));
    for (int i = 0; i < p->count; i++)
        heed_graph_bind(p->x[i], p->arrays[i].data);
    heed_graph_bind(p->seed, p->weights);
    return HEED_OK;
}

/* The gradients of y behind it. Operands that are not floats get none. */
static heed_status differentiate(probe *p)
{
    HEED_TRY(heed_graph_status(p->graph));
    draw_weights(p);
    p->seed = heed_graph_input(p->graph, HEED_FLOAT32, &p->y->shape);
    heed_tensor *of[HEED_TEST_OPERANDS], *gradients[HEED_TEST_OPERANDS];
    size_t floats = 0;
    for (int i = 0; i < p->count; i++)
        if (p->arrays[i].dtype == HEED_FLOAT32)
            of[floats++] = p->x[i];
    HEED_TRY(heed_graph_status(p->graph));
    HEED_TRY(heed_graph_gradients(p->y, p->seed, of, floats, gradients));
    floats = 0;
    for (int i = 0; i < p->count; i++)
        p->gradients[i] = p->arrays[i].dtype == HEED_FLOAT32 ? gradients[floats++] : NULL;
    return HEED_OK;
}

static void close_probe(probe *p)
{
    heed_test_free(p->arrays, p->count);
    free(p->weights);
    free(p->y_around);
    heed_graph_free(p->graph);
}

static const float *run(probe *p)
{
    assert_int_equal(heed_graph_run(p->graph, 5, 1), HEED_OK);
    return heed_tensor_data(p->y);
}

/* Distance of the outer points is 4 STEP; kinks are at least 0.15 from any operand. */
#define STEP 0.03125f

/* Derivative of sum_i weights_i y_i along one element, by the difference of fourth order; *noise receives a bound of
 * what rounding the y that depend on it, to 24 bits, can do to it. Nothing else rounds: the rest is in double
 * precision. */
static double numeric_derivative(probe *p, float *element, double *noise)
{
    static const float at[4] = {-2, -1, 1, 2};
    float original = *element;
    int64_t n = p->y->count;
    for (int s = 0; s < 4; s++) {
        *element = original + at[s] * STEP;
        memcpy(p->y_around + s * n, run(p), (size_t)n * sizeof(float));
    }
    *element = original;
    double derivative = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        double far_left = p->y_around[i], left = p->y_around[n + i];
        double right = p->y_around[2 * n + i], far_right = p->y_around[3 * n + i];
        derivative += p->weights[i] * (8 * (right - left) - (far_right - far_left)) / (12 * (double)STEP);
        if (right != left || far_right != far_left)
            size += fabs(p->weights[i] * right);
    }
    *noise = size * 1.5 * FLT_EPSILON / (double)STEP;
    return derivative;
}

static double worst; /* error in units of the tolerance, over all cases */

static void check_gradients(probe *p, const char *name)
{
    for (int k = 0; k < p->count; k++) {
        if (p->arrays[k].dtype != HEED_FLOAT32)
            continue;
        int64_t n = heed_shape_count(&p->arrays[k].shape);
        double *given = calloc((size_t)n + 1, sizeof *given);
        assert_non_null(given);
        run(p);
        for (int64_t i = 0; i < n && p->gradients[k] != NULL; i++)
            given[i] = ((const float *)heed_tensor_data(p->gradients[k]))[i];
        for (int64_t i = 0; i < n; i++) {
            double noise, numeric = numeric_derivative(p, (float *)p->arrays[k].data + i, &noise);
            /* The difference of fourth order is off by STEP^4/30 = 3e-8 of the fifth derivative, which stays under
             * 1,000 here. The error of y is not quite that of rounding: kernels approximate, and sums round within. */
            double tolerance = 1e-5 + 3e-5 * fabs(numeric) + 2 * noise, error = fabs(numeric - given[i]);
            worst = fmax(worst, error / tolerance);
            if (!(error <= tolerance))
                fail_msg("%s: operand %d, element %lld: gradient %g, expected %g (tolerance %g), on %s", name, k + 1,
                         (long long)i, given[i], numeric, tolerance, heed_cpu_name(heed_cpu_used(p->context)));
        }
        free(given);
    }
}

/* The row takes part in the graph, so that a case cannot claim to be of one and test another. */
static void check_row_is_used(const probe *p, const char *row, const char *name)
{
    for (size_t i = 0; i < p->graph->node_count; i++)
        if (strcmp(p->graph->nodes[i]->op->name, row) == 0)
            return;
    fail_msg("%s: no node of %s in its graph", name, row);
}

/* The graph of a case, ready to run; to be closed whatever the status. */
static heed_status prepare_case(const gradient_case *c, heed_context *context, int wish, probe *p)
{
    HEED_TRY(open_probe(p, context, c->operands));
    /* once more by 1, so that dy is a value of the graph, whose memory the gradient may take over */
    p->y = heed_op_scale(c->build(p->x), 1, 0);
    HEED_TRY(differentiate(p));
    return plan(p, wish);
}

static void check_case(const gradient_case *c, heed_context *context)
{
    probe p;
    if (prepare_case(c, context, RESULTS, &p) != HEED_OK)
        fail_msg("%s: %s", c->name, heed_error(context));
    check_row_is_used(&p, c->row, c->name);
    check_gradients(&p, c->name);
    close_probe(&p);
}

/* ---- the tests */

/* Does `check` with a context of each instruction set. */
static void on_each_cpu(void (*check)(heed_context *context))
{
    const char *cpus[3];
    int count = heed_test_cpus(cpus);
    for (int k = 0; k < count; k++) {
        heed_context *c;
        assert_int_equal(heed_context_create(&(heed_context_config){.threads = 2, .cpu = cpus[k]}, &c), HEED_OK);
        size_t before = heed_memory_used(c);
        check(c);
        assert_int_equal(heed_memory_used(c), before);
        heed_context_free(c);
    }
}

static void check_cases(heed_context *context)
{
    for (int i = 0; i < CASE_COUNT; i++)
        check_case(&cases[i], context);
}

static void test_every_case(void **state)
{
    on_each_cpu(check_cases);
    print_message("largest error: %.2f of the tolerance\n", worst);
}

static void check_elementwise_functions(heed_context *context)
{
    const heed_test_operand any[HEED_TEST_OPERANDS] = {ANY(3, 19)};
    const heed_test_operand positive[HEED_TEST_OPERANDS] = {POSITIVE(57)};
    for (int f = 0; f < HEED_UNARY_COUNT; f++) {
        probe p;
        heed_status status = open_probe(&p, context, for_positive_only((heed_unary_function)f) ? positive : any);
        assert_int_equal(status, HEED_OK);
        p.y = heed_op_function(p.x[0], unary_names[f], unary_parameters[f][0], unary_parameters[f][1]);
        assert_int_equal(differentiate(&p), HEED_OK);
        assert_int_equal(plan(&p, RESULTS), HEED_OK);
        check_gradients(&p, unary_names[f]);
        close_probe(&p);
    }
}

static void test_every_elementwise_function(void **state)
{
    on_each_cpu(check_elementwise_functions);
}

/* A gradient has the same bits whatever else is wanted, that is, however the graph's memory is shared out. */
static void check_sharing(heed_context *context)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        probe apart, shared;
        assert_int_equal(prepare_case(&cases[i], context, EVERYTHING, &apart), HEED_OK);
        run(&apart);
        for (int k = 0; k < apart.count; k++) {
            if (apart.gradients[k] == NULL)
                continue;
            assert_int_equal(prepare_case(&cases[i], context, k, &shared), HEED_OK);
            assert_int_equal(heed_graph_run(shared.graph, 5, 1), HEED_OK);
            if (memcmp(heed_tensor_data(apart.gradients[k]), heed_tensor_data(shared.gradients[k]),
                       (size_t)apart.gradients[k]->count * sizeof(float)) != 0)
                fail_msg("%s: the gradient of operand %d alone has other bits", cases[i].name, k + 1);
            close_probe(&shared);
        }
        close_probe(&apart);
    }
}

static void test_memory_shared_or_not(void **state)
{
    on_each_cpu(check_sharing);
}

/* Building, differentiating, planning and running, whichever allocation fails. */
static heed_status live_through(heed_context *context, void *user)
{
    probe p;
    heed_status status = prepare_case(user, context, RESULTS, &p);
    if (status == HEED_OK)
        status = heed_graph_run(p.graph, 5, 1);
    close_probe(&p);
    return status;
}

static void test_each_allocation_fails(void **state)
{
    for (int i = 0; i < CASE_COUNT; i++)
        heed_test_each_allocation_fails(live_through, (void *)(uintptr_t)&cases[i]);
}

static bool has_case(const char *row)
{
    if (strcmp(row, "unary") == 0)
        return true; /* test_every_elementwise_function */
    for (int i = 0; i < CASE_COUNT; i++)
        if (strcmp(cases[i].row, row) == 0)
            return true;
    return false;
}

/* No operation is left out: each has a gradient that a case above checks, or says why it has none. */
static void test_walk_of_the_table(void **state)
{
    for (size_t i = 0; i < heed_op_count; i++) {
        const heed_op *op = heed_op_table[i];
        if (op->gradient == NULL && op->no_gradient == NULL)
            fail_msg("%s has neither a gradient nor a reason for having none", op->name);
        if (op->gradient != NULL && op->no_gradient != NULL)
            fail_msg("%s has a gradient and a reason for having none", op->name);
        if (op->gradient != NULL && !has_case(op->name))
            fail_msg("%s has a gradient that no case checks", op->name);
        if (op->alias == (op->forward != NULL))
            fail_msg("%s: an alias has no forward function, anything else has one", op->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_of_the_table),
        cmocka_unit_test(test_every_elementwise_function),
        cmocka_unit_test(test_every_case),
        cmocka_unit_test(test_memory_shared_or_not),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
