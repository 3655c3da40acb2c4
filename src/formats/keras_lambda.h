/* Layers whose code is not run: what they do is said by the user, as an expression over x. */
#ifndef HEED_FORMATS_KERAS_LAMBDA_H
#define HEED_FORMATS_KERAS_LAMBDA_H

#include "heed/layer.h"

/* x is the layer's input, x[0], x[1]... are those of a layer with several. There are numbers, + - * / @ ** and
 * brackets, slices as of NumPy's arrays, x[:, -1], and functions: those of one tensor (abs, exp, relu, softmax...),
 * sum, mean, max and min with axis and keepdims, maximum and minimum, clip(x, 0, 1), expand_dims and squeeze with
 * axis, concatenate(x[0], x[1], axis=-1). */
extern const heed_layer_class heed_lambda_class;

/* A layer of that class. */
heed_status heed_lambda_create(heed_context *c, const char *name, const char *expression, heed_layer **out);

#endif
