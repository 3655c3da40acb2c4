#include "heed/layers.h"
#include "layers/layer.h"

typedef struct embedding {
    heed_variable *table;
    heed_variable *reverse; /* NULL: the table serves both ways */
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

/* ---- both ways ---- */

static heed_status reversible_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_reversible_embedding_config *o = heed_layer_config(layer);
    embedding *e = heed_layer_state(layer);
    HEED_TRY(embedding_build(layer, inputs, count));
    heed_shape shape = {2, {o->output_dim, o->input_dim}};
    if (!o->tie_weights)
        e->reverse = heed_layer_weight(layer, "reverse_embeddings", &shape, o->embeddings_initializer, NULL, NULL, true);
    return HEED_OK;
}

static heed_status reversible_call(heed_layer *layer, heed_call *call)
{
    const heed_reversible_embedding_config *o = heed_layer_config(layer);
    const embedding *e = heed_layer_state(layer);
    if (heed_call_argument(call, "reverse", 0) == 0)
        return embedding_call(layer, call);
    heed_tensor *x = call->inputs[0], *kernel = heed_graph_variable(call->graph, o->tie_weights ? e->table : e->reverse);
    heed_tensor *y = heed_op_matmul_transposed(x, false, kernel, o->tie_weights);
    if (isfinite(o->logit_soft_cap)) {
        float cap = (float)o->logit_soft_cap;
        y = heed_op_scale(heed_op_tanh(heed_op_scale(y, 1 / cap, 0)), cap, 0);
    }
    call->outputs[0] = y;
    return HEED_OK;
}

const heed_layer_class heed_reversible_embedding_class = {
    .name = "ReversibleEmbedding",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_reversible_embedding_config, HEED_REVERSIBLE_EMBEDDING_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = embedding_init,
    .build = reversible_build,
    .call = reversible_call,
    .equation = "y = embeddings[x]; with reverse=True, y = x embeddings^T",
    .shapes = "x (B, ...), whole numbers from 0 to input_dim - 1 -> y (B, ..., output_dim); with reverse=True, x (B, ..., "
              "output_dim) -> y (B, ..., input_dim)",
    .masks = "with mask_zero, x != 0 goes on as the mask; none of the reverse way",
    .weights = "embeddings (input_dim, output_dim)\n"
               "reverse_embeddings (output_dim, input_dim): without tie_weights",
    .source = "Keras, layers/core/reversible_embedding.py; Press and Wolf 2016, arXiv:1608.05859",
    .differs = "an id out of range is refused; Keras gives some row, zeros or an error, by backend",
};
