/* What regularizers and constraints do with numbers. */
#ifndef HEED_LAYERS_REGULARIZERS_H
#define HEED_LAYERS_REGULARIZERS_H

#include "layers/object.h"

/* The penalty on x, a scalar; the object is of the family of regularizers. */
heed_tensor *heed_penalty(heed_tensor *x, const heed_object *regularizer);

/* Applies a constraint to row-major numbers, in place. */
void heed_constrain(const heed_object *constraint, const heed_shape *shape, float *data);

#endif
