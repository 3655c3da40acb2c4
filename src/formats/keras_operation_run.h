/* What the operations of Keras' functional models compute, a row each; and how a row gets at what a call is given. */
#ifndef HEED_FORMATS_KERAS_OPERATION_RUN_H
#define HEED_FORMATS_KERAS_OPERATION_RUN_H

#include "formats/keras_operation.h"

/* One call of an operation. */
typedef struct heed_operation_use {
    const heed_layer *layer;
    heed_call        *call;
    const heed_value *arguments; /* a list */
    const heed_value *options;   /* of the operation: a dict */
    const heed_value *keywords;  /* of this call: a dict, or NULL */
} heed_operation_use;

/* Returns the first output; sets the others. */
typedef heed_tensor *heed_operation_function(const heed_operation_use *u);

/* An operation is a class of layers, which its row begins with. */
typedef struct heed_operation_row {
    heed_layer_class         class;
    const char              *module;  /* where Keras has it */
    const char              *options; /* keys of its config that it knows, with spaces between */
    const char *const       *parameters; /* of its call, NULL behind the last, where Keras calls it with keywords; else NULL */
    heed_operation_function *run;     /* NULL ends a list of rows */
} heed_operation_row;

extern const heed_operation_row heed_number_operations[], heed_shape_operations[], heed_product_operations[];

#define HEED_OPERATION_OPTIONS(X, C)                                                                                   \
    HEED_LAYER_OPTIONS(X, C)                                                                                           \
    X(C, TEXT, saved, NULL, "", "its config, as Keras 3 has it")                                                       \
    X(C, TEXT, operands, NULL, "", "keywords of a call that are operands behind the first")
typedef struct heed_operation_config {
    HEED_OPERATION_OPTIONS(HEED_OPTION_FIELD, )
} heed_operation_config;

heed_status heed_operation_call(heed_layer *layer, heed_call *call);

#define HEED_OPERATION_COLLECTION "keras.ops"
#define HEED_OPERATION(title, place, known, function)                                                                  \
    {.class = {.name = #title, .collection = HEED_OPERATION_COLLECTION, .min_inputs = 1, .call = heed_operation_call,  \
               HEED_CLASS_OPTIONS(heed_operation_config, HEED_OPERATION_OPTIONS)},                                     \
     .module = "keras.src.ops." #place, .options = known, .run = function},
/* One that Keras calls with keywords. */
#define HEED_OPERATION_CALLED(title, place, known, function, ...)                                                      \
    {.class = {.name = #title, .collection = HEED_OPERATION_COLLECTION, .min_inputs = 1, .call = heed_operation_call,  \
               HEED_CLASS_OPTIONS(heed_operation_config, HEED_OPERATION_OPTIONS)},                                     \
     .module = "keras.src.ops." #place, .options = known, .run = function,                                       \
     .parameters = (const char *const[]){__VA_ARGS__, NULL}},

/* ---- for rows. What goes wrong is remembered by the graph ---- */

heed_tensor *heed_use_refuse(const heed_operation_use *u, const char *what);

/* An option of the operation, or a keyword of the call; NULL for None. */
const heed_value *heed_use_option(const heed_operation_use *u, const char *name);
double            heed_use_real(const heed_operation_use *u, const char *name, double otherwise);
int               heed_use_int(const heed_operation_use *u, const char *name, int otherwise);
bool              heed_use_bool(const heed_operation_use *u, const char *name);
/* Integers, one or a list of at most HEED_MAX_RANK; None among them is HEED_ANY. Return how many; 0 for None. */
int heed_use_ints(const heed_operation_use *u, const heed_value *v, int64_t *out);
int heed_use_axes(const heed_operation_use *u, const char *name, int *axes);

const heed_value *heed_use_argument(const heed_operation_use *u, int index);
/* The argument as a tensor, a constant as well. */
heed_tensor *heed_use_operand(const heed_operation_use *u, int index);
/* The same as floats; NULL where it is None or not there. */
heed_tensor *heed_use_optional(const heed_operation_use *u, int index);
/* An argument that is a list of such; returns how many. */
int heed_use_operands(const heed_operation_use *u, int index, heed_tensor **out);

/* Types: Keras' many are float32, int32 and bool here. */
heed_dtype   heed_dtype_of_word(const char *word);
bool         heed_is_floats(const heed_tensor *x);
heed_tensor *heed_as_floats(heed_tensor *x);
heed_tensor *heed_as_bools(heed_tensor *x);
/* bool (rows, columns), true up to the diagonal `k` above the main one. */
heed_tensor *heed_use_triangle(const heed_operation_use *u, int64_t rows, int64_t columns, int64_t k);
/* What was computed of whole numbers, as floats, as whole numbers again. */
heed_tensor *heed_as_before(heed_tensor *y, const heed_tensor *before);

#endif
