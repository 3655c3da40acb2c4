/* Weights that Keras quantized to 8 bits: whole numbers, and scales that they are to be divided by. */
#ifndef HEED_FORMATS_KERAS_QUANTIZED_H
#define HEED_FORMATS_KERAS_QUANTIZED_H

#include "heed/array.h"

#include "base/context.h"

/* Whether an array of a file can hold quantized numbers; Keras' others are floating ones. */
bool heed_is_quantized(const heed_array *a);
/* Divides the numbers, which are floating by now, by their scales: one a column, one a row (by_row), or of the rank
 * of the numbers with sizes of 1 where one serves all. HEED_EUNSUPPORTED for scales of any other shape. */
heed_status heed_dequantize(heed_context *c, heed_array *numbers, const heed_array *scales, bool by_row);

#endif
