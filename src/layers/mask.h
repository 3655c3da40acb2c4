/* Masks in their three forms: none (NULL), lengths (int32 (B), of rows padded at the end), or bool (B, T). */
#ifndef HEED_LAYERS_MASK_H
#define HEED_LAYERS_MASK_H

#include "graph/graph.h"
#include "heed/layer.h" /* heed_mask_bool */

/* Both, or one of both; a NULL says nothing: the other is the answer. */
heed_tensor *heed_mask_and(heed_tensor *a, heed_tensor *b, int64_t steps);
heed_tensor *heed_mask_or(heed_tensor *a, heed_tensor *b, int64_t steps);
/* As bool that broadcasts against x (B, T, ...): sizes of 1 are added behind. */
heed_tensor *heed_mask_like(heed_tensor *mask, const heed_tensor *x);

#endif
