#include "kernels/tables.h"

#include "kernels/loops_tmpl.h"
#include "kernels/optimizer_tmpl.h"

static const heed_kernels generic = {
    .name = "generic",
    .gemm_columns = HEED_GENERIC_COLUMNS,
    .gemm = heed_generic_gemm,
    .gemm_pack = heed_generic_gemm_pack,
    .gemm_packed = heed_generic_gemm_packed,
    .unary = heed_generic_unary,
    .unary_gradient = heed_generic_unary_gradient,
    .binary = binary,
    .axpy = axpy,
    .multiply_add = multiply_add,
    .sum = heed_generic_sum,
    .maximum = heed_generic_maximum,
    .dot = heed_generic_dot,
    .find_above = heed_generic_find_above,
    .sum_of_squares = sum_of_squares,
    .add_columns = heed_generic_add_columns,
    .depthwise = heed_generic_depthwise,
    .depthwise_gradient = heed_generic_depthwise_gradient,
    .gather = heed_generic_gather,
    .blend = heed_generic_blend,
    .claim = claim,
    .softmax = heed_generic_softmax,
    .softmax_gradient = heed_generic_softmax_gradient,
    .log_softmax = heed_generic_log_softmax,
    .log_sum_exp = heed_generic_log_sum_exp,
    .log_softmax_gradient = heed_generic_log_softmax_gradient,
    .layer_norm = heed_generic_layer_norm,
    .layer_norm_gradient = heed_generic_layer_norm_gradient,
    .exponentials = heed_generic_exponentials,
    .softmax_cross_entropy = heed_generic_softmax_cross_entropy,
    .lstm = heed_generic_lstm,
    .lstm_gradient = heed_generic_lstm_gradient,
    .gru = heed_generic_gru,
    .gru_gradient = heed_generic_gru_gradient,
    .additive_exp = heed_generic_additive_exp,
    .additive_scores = heed_generic_additive_scores,
    .additive_scores_tanh = heed_generic_additive_scores_tanh,
    .additive_gradient = heed_generic_additive_gradient,
    .additive_gradient_tanh = heed_generic_additive_gradient_tanh,
    .attention_hide = heed_generic_attention_hide,
    .attention_softmax = heed_generic_attention_softmax,
    .attention_finish = heed_generic_attention_finish,
    .attention_gradient = heed_generic_attention_gradient,
    .attention_row = heed_generic_attention_row,
    .random_uniform = heed_generic_random_uniform,
    .random_normal = heed_generic_random_normal,
    .dropout = heed_generic_dropout,
    .sgd = sgd,
    .momentum = momentum,
    .adam = adam,
    .rmsprop = rmsprop,
    .adagrad = adagrad,
};

const heed_kernels *heed_kernels_for(heed_cpu cpu)
{
#if defined(__x86_64__)
    if (cpu >= HEED_CPU_AVX512)
        return &heed_kernels_avx512;
    if (cpu >= HEED_CPU_AVX2)
        return &heed_kernels_avx2;
#endif
    (void)cpu;
    return &generic;
}
