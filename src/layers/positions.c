/* KerasHub's PositionEmbedding, SinePositionEncoding and TokenAndPositionEmbedding. */
#include "heed/transformer.h"
#include "layers/attend.h"
#include "layers/layer.h"
#include "layers/positions.h"

#include <math.h>

/* ---- learnt ---- */

typedef struct positions {
    heed_variable *rows;
} positions;

static heed_status positions_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(positions)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status positions_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_position_embedding_config *o = heed_layer_config(layer);
    positions *p = heed_layer_state(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, 1));
    heed_shape shape = {2, {o->sequence_length, inputs[0].dims[2]}};
    p->rows = heed_layer_weight(layer, "embeddings", &shape, o->initializer, NULL, NULL, true);
    return HEED_OK;
}

/* Rows (T, F) for each of a batch. */
static heed_tensor *for_each(heed_tensor *rows, const heed_tensor *like)
{
    return heed_op_broadcast(heed_op_expand(rows, 0), &like->shape);
}

static bool is_probe(const heed_call *call)
{
    const heed_pass *pass = heed_call_pass(call);
    return pass != NULL && pass->probes;
}

static heed_status positions_call(heed_layer *layer, heed_call *call)
{
    const heed_position_embedding_config *o = heed_layer_config(layer);
    const positions *p = heed_layer_state(layer);
    int64_t steps = heed_tensor_dim(call->inputs[0], 1), more = steps - o->sequence_length;
    heed_tensor *rows = heed_graph_variable(call->graph, p->rows);
    if (more > 0 && !is_probe(call))
        return heed_layer_fail(layer, HEED_ESHAPE, "there are more steps than positions (expected at most %d, found %lld)",
                               o->sequence_length, (long long)steps);
    rows = more > 0 ? heed_op_pad(rows, 0, 0, more, 0) : heed_op_slice(rows, 0, 0, steps);
    call->outputs[0] = for_each(rows, call->inputs[0]);
    return HEED_OK;
}

const heed_layer_class heed_position_embedding_class = {
    .name = "PositionEmbedding",
    .collection = "keras-hub",
    HEED_CLASS_OPTIONS(heed_position_embedding_config, HEED_POSITION_EMBEDDING_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = positions_init,
    .build = positions_build,
    .call = positions_call,
    .equation = "y_t = embeddings[t]",
    .shapes = "x (B, T, F), of which only the shape counts -> y (B, T, F)",
    .masks = "none goes on",
    .weights = "embeddings (sequence_length, F)",
    .source = "Devlin et al. 2019, arXiv:1810.04805; KerasHub, layers/modeling/position_embedding.py",
    .differs = "begins with the first row, without start_index and positions; more steps than rows are refused",
};

/* ---- waves ---- */

void heed_position_waves(int64_t steps, int64_t size, double max_wavelength, float *rows)
{
    for (int64_t f = 0; f < size; f++) {
        double rate = pow(1 / max_wavelength, (double)(f / 2 * 2) / (double)size);
        for (int64_t t = 0; t < steps; t++)
            rows[t * size + f] = (float)(f % 2 == 0 ? sin((double)t * rate) : cos((double)t * rate));
    }
}

static heed_status waves_call(heed_layer *layer, heed_call *call)
{
    const heed_sine_position_encoding_config *o = heed_layer_config(layer);
    heed_graph *g = call->graph;
    HEED_TRY(heed_check_sequences(layer, &call->inputs[0]->shape, 1));
    if (is_probe(call)) { /* of so many steps that they are not worth it */
        call->outputs[0] = heed_graph_fill(g, &call->inputs[0]->shape, 0);
        return HEED_OK;
    }
    int64_t steps = heed_tensor_dim(call->inputs[0], 1), size = heed_tensor_dim(call->inputs[0], 2);
    float *y = heed_zone_alloc(&g->zone, (size_t)(steps * size), sizeof *y);
    if (y == NULL)
        return HEED_ENOMEM;
    heed_position_waves(steps, size, o->max_wavelength, y);
    call->outputs[0] = for_each(heed_graph_constant(g, &(heed_array){HEED_FLOAT32, {2, {steps, size}}, y}), call->inputs[0]);
    return HEED_OK;
}

const heed_layer_class heed_sine_position_encoding_class = {
    .name = "SinePositionEncoding",
    .collection = "keras-hub",
    HEED_CLASS_OPTIONS(heed_sine_position_encoding_config, HEED_SINE_POSITION_ENCODING_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .call = waves_call,
    .equation = "y_tf = sin(t / max_wavelength^(f/F)) for even f, cos(t / max_wavelength^((f-1)/F)) for odd f",
    .shapes = "x (B, T, F), of which only the shape counts -> y (B, T, F)",
    .masks = "none goes on",
    .weights = "none",
    .source = "Vaswani et al. 2017, section 3.5; KerasHub, layers/modeling/sine_position_encoding.py",
    .differs = "begins with step 0, without start_index and positions",
};

/* ---- with tokens ---- */

typedef struct tokens {
    heed_layer *tokens, *positions;
} tokens;

static heed_status tokens_init(heed_layer *layer)
{
    const heed_token_and_position_embedding_config *o = heed_layer_config(layer);
    tokens *t = heed_layer_alloc(layer, sizeof *t);
    if (t == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_layer_child(layer, "token_embedding",
                              heed_reversible_embedding(.name = "token_embedding", .input_dim = o->vocabulary_size,
                                                        .output_dim = o->embedding_dim, .mask_zero = o->mask_zero,
                                                        .tie_weights = o->tie_weights,
                                                        .embeddings_initializer = o->embeddings_initializer),
                              &t->tokens));
    return heed_layer_child(layer, "position_embedding",
                            heed_position_embedding(.name = "position_embedding", .sequence_length = o->sequence_length,
                                                    .initializer = o->embeddings_initializer),
                            &t->positions);
}

static heed_status tokens_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_token_and_position_embedding_config *o = heed_layer_config(layer);
    const tokens *t = heed_layer_state(layer);
    heed_shape rows = inputs[0];
    if (rows.rank != 2)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input is no sequence of ids (expected two dimensions, found %d)", rows.rank);
    rows.dims[rows.rank++] = o->embedding_dim;
    HEED_TRY(heed_layer_build(t->tokens, inputs, 1));
    return heed_layer_build(t->positions, &rows, 1);
}

static heed_status tokens_call(heed_layer *layer, heed_call *call)
{
    const tokens *t = heed_layer_state(layer);
    heed_inner rows, places;
    HEED_TRY(heed_inner_call(&rows, call, t->tokens, call->inputs, NULL, 1, NULL));
    HEED_TRY(heed_inner_call(&places, call, t->positions, rows.outputs, NULL, 1, NULL));
    call->outputs[0] = heed_op_add(rows.outputs[0], places.outputs[0]);
    call->output_masks[0] = rows.output_masks[0];
    return HEED_OK;
}

const heed_layer_class heed_token_and_position_embedding_class = {
    .name = "TokenAndPositionEmbedding",
    .collection = "keras-hub",
    HEED_CLASS_OPTIONS(heed_token_and_position_embedding_config, HEED_TOKEN_AND_POSITION_EMBEDDING_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = tokens_init,
    .build = tokens_build,
    .call = tokens_call,
    .equation = "y_t = token_embedding[x_t] + position_embedding[t]",
    .shapes = "x (B, T), whole numbers from 0 to vocabulary_size - 1 -> y (B, T, embedding_dim)",
    .masks = "with mask_zero, x != 0 goes on as the mask; else none",
    .weights = "token_embedding/embeddings (vocabulary_size, embedding_dim)\n"
               "token_embedding/reverse_embeddings (embedding_dim, vocabulary_size): without tie_weights\n"
               "position_embedding/embeddings (sequence_length, embedding_dim)",
    .source = "KerasHub, layers/modeling/token_and_position_embedding.py",
    .differs = "an id out of range is refused, and so are more steps than positions",
};
