/* The whole table on vectors. An instruction set's file defines TABLE, the name of its table, and NAME, its name, and
 * includes this. */
#if !defined(TABLE) || !defined(NAME)
#error "TABLE and NAME are missing"
#endif

#include "kernels/tables.h"

#include "kernels/additive_tmpl.h"
#include "kernels/attention_tmpl.h"
#include "kernels/elementwise_tmpl.h"
#include "kernels/gemm_tmpl.h"
#include "kernels/loops_tmpl.h"
#include "kernels/noise_tmpl.h"
#include "kernels/optimizer_tmpl.h"
#include "kernels/recurrent_tmpl.h"
#include "kernels/reduce_tmpl.h"
#include "kernels/rows_tmpl.h"
#include "kernels/window_tmpl.h"

const heed_kernels TABLE = {
    .name = NAME,
    .gemm_columns = PANEL,
    .gemm = gemm,
    .gemm_pack = gemm_pack,
    .gemm_packed = gemm_packed,
    .unary = unary,
    .unary_gradient = unary_gradient,
    .binary = binary,
    .axpy = axpy,
    .multiply_add = multiply_add,
    .sum = sum,
    .maximum = maximum,
    .dot = dot,
    .find_above = find_above,
    .sum_of_squares = sum_of_squares,
    .add_columns = add_columns,
    .depthwise = depthwise,
    .depthwise_gradient = depthwise_gradient,
    .gather = gather,
    .blend = blend,
    .claim = claim,
    .softmax = softmax,
    .softmax_gradient = softmax_gradient,
    .log_softmax = log_softmax,
    .log_sum_exp = log_sum_exp,
    .log_softmax_gradient = log_softmax_gradient,
    .layer_norm = layer_norm,
    .layer_norm_gradient = layer_norm_gradient,
    .exponentials = exponentials,
    .softmax_cross_entropy = softmax_cross_entropy,
    .lstm = lstm,
    .lstm_gradient = lstm_gradient,
    .gru = gru,
    .gru_gradient = gru_gradient,
    .additive_exp = additive_exp,
    .additive_scores = additive_scores,
    .additive_scores_tanh = additive_scores_tanh,
    .additive_gradient = additive_gradient,
    .additive_gradient_tanh = additive_gradient_tanh,
    .attention_hide = attention_hide,
    .attention_softmax = attention_softmax,
    .attention_finish = attention_finish,
    .attention_gradient = attention_gradient,
    .attention_row = attention_row,
    .random_uniform = random_uniform,
    .random_normal = random_normal,
    .dropout = dropout,
    .sgd = sgd,
    .momentum = momentum,
    .adam = adam,
    .rmsprop = rmsprop,
    .adagrad = adagrad,
};
