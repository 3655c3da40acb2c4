/* Operations as Keras 2 wrote them. */
#ifndef HEED_FORMATS_KERAS_OPERATION_OLD_H
#define HEED_FORMATS_KERAS_OPERATION_OLD_H

#include "base/value.h"
#include "formats/json.h"

#include <stdbool.h>

/* Whether the class is one of Keras 2's for operations. */
bool heed_is_old_operation(const char *class_name);

/* What the operation of such an object is in Keras 3: its class (NULL: none that is known), its config, and which keywords
 * of its call are operands; or, behind "=", the list of its arguments. */
heed_status heed_old_operation_read(heed_zone *z, const heed_json *object, const char **class_name, heed_value *config,
                                    const char **operands);
/* The same of a TensorFlowOpLayer. */
heed_status heed_node_operation_read(heed_zone *z, const heed_json *object, const char **class_name, heed_value *config,
                                     const char **operands);
/* A product with a transposed operand is a sum of products by an equation. */
heed_status heed_old_matmul(heed_zone *z, bool turn_a, bool turn_b, const char **class_name, heed_value *config);
/* A constant among its operands, or the slices of an index, as Keras 3 writes them. NULL when there is no memory. */
heed_value *heed_old_operand_value(heed_zone *z, const heed_json *v);

/* The way back: the function that an operation of Keras 3 is in Keras 2 (NULL: none that is known), what of its config goes
 * with a call, into `keywords`, and the names of its operands behind the first, with spaces between. */
heed_status heed_old_operation_write(heed_zone *z, const char *class_name, const heed_json *config,
                                     const char **function, const char **operands, heed_json *keywords);

#endif
