/* Operations among the layers of a Keras model: x + 1.5, x[:, -1], mean(x, axis=1). A model holds them as layers
 * without weights. What a call of one is given, tensors and constants in their places, is its keyword "arguments": a
 * list in which {"input": i} stands for the call's i-th tensor. Keras 2's (TFOpLambda, SlicingOpLambda, TensorFlowOpLayer)
 * become Keras 3's. */
#ifndef HEED_FORMATS_KERAS_OPERATION_H
#define HEED_FORMATS_KERAS_OPERATION_H

#include "base/value.h"
#include "formats/json.h"
#include "layers/layer.h"

/* Whether the object of a file is an operation. */
bool heed_is_operation_object(const heed_json *object);
/* Whether a layer is one. */
bool heed_is_operation(const heed_layer *layer);
/* The operation of an object; *out is NULL for one that heed cannot run, which heed_operation_refuse tells about. */
heed_status heed_operation_create(heed_context *c, const heed_json *object, heed_layer **out);
/* The operation of a class, options as in Python: "axis=1"; NULL: none. */
heed_status heed_operation_named(heed_context *c, const char *class_name, const char *options, heed_layer **out);
/* Says what the operation of an object is and that it cannot be run: its name, class, options, and place in the file. */
heed_status heed_operation_refuse(heed_context *c, const heed_json *object);

/* Keywords of a call that are operands behind the first, with spaces between, as in Keras 2: "y"; "": none is; or, behind
 * "=", the list of its arguments. */
const char *heed_operation_operands(const heed_layer *layer);
/* Keywords of a call that are operands in these places, as in Keras 3: names, NULL behind the last. */
const char *const *heed_operation_parameters(const heed_layer *layer);
/* An argument that stands for the call's i-th tensor, and back; -1 for any other. */
heed_value *heed_operand_of_input(heed_zone *z, int input);
int         heed_operand_input(const heed_value *argument);

/* How Keras 3 has it: its module, and its config as an expression. */
const char *heed_operation_module(const heed_layer *layer);
const char *heed_operation_saved(const heed_layer *layer);

#endif
