/* The marker of a model's input, as Keras lists it among the layers. */
#include "model/model.h"

#define INPUT_OPTIONS(X, C)                                                                                            \
    HEED_LAYER_OPTIONS(X, C)                                                                                           \
    X(C, SHAPE, batch_shape, {0}, "", "shape of a batch, None where unknown")                                          \
    X(C, TEXT, dtype, "float32", "float32|int32|bool|int64|uint8|float64", "type of the numbers")

typedef struct input_config {
    INPUT_OPTIONS(HEED_OPTION_FIELD, )
} input_config;

static heed_status input_call(heed_layer *layer, heed_call *call)
{
    call->outputs[0] = call->inputs[0];
    return HEED_OK;
}

const heed_layer_class heed_input_class = {
    .name = "InputLayer",
    .collection = "keras",
    HEED_CLASS_OPTIONS(input_config, INPUT_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .call = input_call,
    .equation = "y = x",
};

bool heed_is_input_layer(const heed_layer *layer) { return layer->layer_class == &heed_input_class; }

heed_status heed_input_layer_create(heed_context *c, const char *name, heed_dtype dtype, const heed_shape *shape,
                                    heed_layer **out)
{
    input_config config = {.name = name, .trainable = true, .batch_shape = *shape, .dtype = heed_dtype_name(dtype)};
    return heed_layer_create(c, (heed_spec){&heed_input_class, &config}, out);
}

const heed_shape *heed_input_layer_shape(const heed_layer *layer)
{
    return &((const input_config *)layer->config)->batch_shape;
}

heed_dtype heed_input_layer_dtype(const heed_layer *layer)
{
    const char *name = ((const input_config *)layer->config)->dtype;
    switch (name[0]) {
    case 'i':
    case 'u': return HEED_INT32;
    case 'b': return HEED_BOOL;
    default: return HEED_FLOAT32;
    }
}
