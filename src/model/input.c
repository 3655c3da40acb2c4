/* Input layers, the markers of a model's inputs. */
#include "heed/layers.h"
#include "model/model.h"

#include <string.h>

bool heed_is_input_layer(const heed_layer *layer) { return layer->layer_class == &heed_input_layer_class; }

heed_status heed_input_layer_create(heed_context *c, const char *name, heed_dtype dtype, const heed_shape *shape,
                                    heed_layer **out)
{
    heed_input_layer_config config = {
        .name = name, .trainable = true, .batch_shape = *shape, .dtype = heed_dtype_name(dtype)};
    return heed_layer_create(c, (heed_spec){&heed_input_layer_class, &config}, out);
}

const heed_shape *heed_input_layer_shape(const heed_layer *layer)
{
    return &((const heed_input_layer_config *)layer->config)->batch_shape;
}

heed_dtype heed_input_layer_dtype(const heed_layer *layer)
{
    static const heed_dtype known[] = {HEED_FLOAT32, HEED_INT32, HEED_BOOL};
    const char *name = ((const heed_input_layer_config *)layer->config)->dtype;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(heed_dtype_name(known[i]), name) == 0)
            return known[i];
    return HEED_FLOAT32;
}
