/* What attention layers share: what a query may see, and the weights that follow from scores. */
#ifndef HEED_LAYERS_ATTEND_H
#define HEED_LAYERS_ATTEND_H

#include "graph/graph.h"
#include "heed/layer.h"

/* Refuses inputs that are no sequences (B, T, F) of known features. */
heed_status heed_check_sequences(heed_layer *layer, const heed_shape *inputs, int count);

/* Refuses inputs of a call that differ in their batch. */
heed_status heed_check_batches(heed_layer *layer, const heed_call *call);

/* 0, 1, ... as float, in that shape of so many elements. */
heed_tensor *heed_positions(heed_graph *g, int64_t count, const heed_shape *shape);
/* Query i sees keys i - behind to i + ahead: bool (1, queries, keys). */
heed_tensor *heed_window(heed_graph *g, int64_t queries, int64_t keys, int64_t behind, int64_t ahead);
/* No key after the query. */
heed_tensor *heed_window_causal(heed_graph *g, int64_t queries, int64_t keys);

/* The same as windows (graph.h): where they begin, int32 (1, queries), and which places of them have a key that the mask,
 * bool (B, keys) or NULL, does not hide: bool (B or 1, queries, width). */
heed_tensor *heed_window_starts(heed_graph *g, int64_t queries, int64_t behind);
/* Whether windows cost less than all keys, whose products are large ones. */
static inline bool heed_windows_pay(int64_t width, int64_t keys) { return 2 * width < keys; }
heed_tensor *heed_window_visible(heed_tensor *starts, heed_tensor *mask, int64_t keys, int64_t width);

/* Softmax over the keys, of scores (..., Tq, Tk). Each of `seen` is NULL or bool that broadcasts against them: false hides a
 * key. Corrected, a hidden key weighs nothing, and where all are hidden every weight is 0. As first written, each reason to
 * hide a key takes 10000 from its score: where all are hidden they share the weight. */
heed_tensor *heed_attention_weights(heed_tensor *scores, heed_tensor *const *seen, int count, bool corrected);
/* As the original had it at first: every reason to hide a key multiplies its exponential by 0, and 1e-7 is added to their
 * sum, so that where all are hidden every weight is 0. */
heed_tensor *heed_attention_factored(heed_tensor *scores, heed_tensor *const *seen, int count);
/* The scores as first written, before the softmax. */
heed_tensor *heed_attention_penalized(heed_tensor *scores, heed_tensor *const *seen, int count);

/* Refuses a key that does not fit the query in its features, or the value in its steps. */
heed_status heed_check_dot_product(heed_layer *layer, const heed_shape *query, const heed_shape *key,
                                   const heed_shape *value);
/* Scaled dot product attention of sequences (B, T, F) of one head: (B, Tq, F), and nothing of Tq x Tk but where the
 * weights (B, Tq, Tk) are asked for, by the caller (weights not NULL) or by who looks at them: they are published. */
heed_tensor *heed_attend(heed_layer *layer, heed_call *call, heed_tensor *const query_key_value[3],
                         const heed_op_attention_config *config, heed_tensor **weights);

/* q k^T / sqrt(features of q). */
heed_tensor *heed_scaled_dot_scores(heed_tensor *query, heed_tensor *key);

#endif
