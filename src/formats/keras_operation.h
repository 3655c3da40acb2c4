/* Operations among the layers of a Keras model: x + 1.5, x[:, -1], mean(x, axis=1). A model holds them as layers
 * without weights; the constants of a call are its keyword "arguments", a list in which None stands for a tensor. */
#ifndef HEED_FORMATS_KERAS_OPERATION_H
#define HEED_FORMATS_KERAS_OPERATION_H

#include "formats/json.h"
#include "layers/layer.h"

/* Whether the object of a file is an operation. */
bool heed_is_operation_object(const heed_json *object);
/* Whether a layer is one. */
bool heed_is_operation(const heed_layer *layer);
/* The operation of an object; *out is NULL for one that heed cannot run. */
heed_status heed_operation_create(heed_context *c, const heed_json *object, heed_layer **out);
/* What a file said of it: its module, and its config as an expression. */
const char *heed_operation_module(const heed_layer *layer);
const char *heed_operation_config(const heed_layer *layer);

#endif
