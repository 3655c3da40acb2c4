#include "heed/layers.h"
#include "layers/layer.h"

typedef struct embedding {
    heed_variable *table;
} embedding;

static heed_status embedding_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(embedding)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status embedding_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_embedding_config *o = heed_layer_config(layer);
    embedding *e = heed_layer_state(layer);
    heed_shape shape = {2, {o->input_dim, o->output_dim}};
    e->table = heed_layer_weight(layer, "embeddings", &shape, o->embeddings_initializer, o->embeddings_regularizer,
                                 o->embeddings_constraint, true);
    return HEED_OK;
}

static heed_status embedding_call(heed_layer *layer, heed_call *call)
{
    const heed_embedding_config *o = heed_layer_config(layer);
    const embedding *e = heed_layer_state(layer);
    heed_tensor *ids = call->inputs[0];
    if (heed_tensor_dtype(ids) != HEED_INT32)
        ids = heed_op_cast(ids, HEED_INT32);
    call->outputs[0] = heed_op_gather(heed_graph_variable(call->graph, e->table), ids);
    if (o->mask_zero)
        call->output_masks[0] = heed_op_cast(ids, HEED_BOOL);
    return HEED_OK;
}

const heed_layer_class heed_embedding_class = {
    .name = "Embedding",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_embedding_config, HEED_EMBEDDING_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = embedding_init,
    .build = embedding_build,
    .call = embedding_call,
    .equation = "y = embeddings[x]",
    .shapes = "x (B, ...), whole numbers from 0 to input_dim - 1 -> y (B, ..., output_dim)",
    .masks = "with mask_zero, x != 0 goes on as the mask; else none",
    .weights = "embeddings (input_dim, output_dim)",
    .source = "Keras, layers/core/embedding.py",
    .differs = "an id out of range is refused; Keras gives some row, zeros or an error, by backend",
};
