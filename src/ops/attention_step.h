/* One step of attention for many hypotheses: to their past, which they share in part, and to their sentence. */
#ifndef HEED_OPS_ATTENTION_STEP_H
#define HEED_OPS_ATTENTION_STEP_H

#include "ops/op.h"

/* Each row attends to its own key and to those of earlier steps, which lie in a store: query, key and value (R, E), past
 * keys and values (M, E), rows int32 (R, P): the rows of the store that are this row's past; behind them negative. E is
 * cut into `heads`; scores are scaled by 1/sqrt(E / heads). Result (R, E). Rows that hypotheses have in common need not
 * be copied for each. No gradient. */
heed_tensor *heed_op_attention_step(heed_tensor *query, heed_tensor *key, heed_tensor *value, heed_tensor *past_keys,
                                    heed_tensor *past_values, heed_tensor *rows, int heads);

/* Query (R, E) attends to keys and values (S, T, E), of which R / S rows in turn have the same: up to the last that is
 * seen, bool (S, T). Result (R, E); weights, unless NULL, (R, heads, T). No gradient. */
heed_tensor *heed_op_attention_memory(heed_tensor *query, heed_tensor *keys, heed_tensor *values, heed_tensor *seen,
                                      int heads, heed_tensor **weights);

#endif
