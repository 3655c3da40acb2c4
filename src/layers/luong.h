/* Luong's attention (Luong, Pham and Manning 2015), shared by the layer and the cell that feeds it back. Equation numbers
 * are the paper's; vectors are rows here. */
#ifndef HEED_LAYERS_LUONG_H
#define HEED_LAYERS_LUONG_H

#include "heed/attention.h"
#include "layers/layer.h"

#define HEED_LUONG_EQUATION                                                                                            \
    "attention that is multiplicative, or concat, over all of a source or a window of it\n"                            \
    "dot: e_ij = h_i . s_j; general: e_ij = h_i W_a s_j^T; concat: e_ij = v_a . tanh([h_i, s_j] W_a)\n"                \
    "a_i = softmax over j of e_ij; c_i = sum_j a_ij s_j; h~_i = tanh([c_i, h_i] W_c)\n"                                \
    "local-m: p_i = i; local-p: p_i = S sigmoid(v_p . tanh(h_i W_p)); of all j those with |j - p_i| <= D\n"            \
    "local-p: a_ij exp(-(j - p_i)^2 / (2 (D/2)^2)) in place of a_ij"
#define HEED_LUONG_WEIGHTS                                                                                             \
    "W_a (H, E), general; (H + E, score_units), concat\nv_a (score_units), concat\nW_p (H, score_units), local-p\n"    \
    "v_p (score_units), local-p\nW_c (E + H, units)"
#define HEED_LUONG_PAPER                                                                                               \
    "Luong, Pham and Manning 2015, Effective Approaches to Attention-based Neural Machine Translation, "               \
    "arXiv 1508.04025, equations 5 to 10"

/* H: features of a query, E: of the source, u: units, n: score_units. */
typedef struct heed_luong {
    heed_variable *w_a; /* general (H, E), concat (H + E, n); NULL for dot */
    heed_variable *v_a; /* concat (n) */
    heed_variable *w_p; /* local-p (H, n) */
    heed_variable *v_p; /* local-p (n) */
    heed_variable *w_c; /* (E + H, u) */
} heed_luong;

/* What is attended to. */
typedef struct heed_luong_source {
    heed_tensor *states; /* (B, S, E) */
    heed_tensor *keys;   /* what queries are compared with, (B, S, E), or for concat (B, S, n) */
    heed_tensor *mask;   /* bool (B, S), or NULL */
} heed_luong_source;

typedef struct heed_luong_result {
    heed_tensor *vector;  /* h~ (B, T, u) */
    heed_tensor *weights; /* (B, T, S), or (B, T, 2 D + 1) from the starts of windows (graph.h) on */
    heed_tensor *starts;  /* NULL: no windows */
} heed_luong_result;

/* The functions take the options of the layer, with which those of the cell begin too. */
typedef heed_luong_attention_config heed_luong_options;

/* Makes the weights; fails where sizes do not fit. */
heed_status heed_luong_build(heed_layer *layer, heed_luong *l, int64_t query_size, int64_t source_size, int64_t units);
heed_tensor *heed_luong_keys(const heed_luong_options *o, const heed_luong *l, heed_tensor *states);
/* `query` (B, T, H) attends; `step` is the number of each query's step from 0 on, (1 or B, T, 1), for local-m. With
 * `windows` a local query is compared with its window alone. */
heed_luong_result heed_luong_attend(const heed_luong_options *o, const heed_luong *l, heed_tensor *query,
                                    heed_tensor *step, const heed_luong_source *source, bool windows);

bool heed_luong_is_local(const heed_luong_options *o);
bool heed_luong_predicts(const heed_luong_options *o); /* local-p */

#endif
