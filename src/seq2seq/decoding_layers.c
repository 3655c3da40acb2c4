#include "seq2seq/decoding_layers.h"

#include "heed/text.h"

static const char COLLECTION[] = "heed.decoding";

static heed_status call_with_padding(heed_layer *layer, heed_call *call)
{
    const int32_t padding = HEED_PADDING;
    heed_tensor *id = heed_graph_constant(call->graph, &(heed_array){.dtype = HEED_INT32, .data = (void *)&padding});
    call->outputs[0] = call->inputs[0];
    call->output_masks[0] = heed_op_not_equal(call->inputs[1], id);
    return HEED_OK;
}

static heed_status call_by_sentence(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0];
    int64_t sentences = heed_tensor_dim(call->inputs[1], 0);
    call->outputs[0] = heed_op_reshape(x, &(heed_shape){3, {sentences, HEED_ANY, heed_tensor_dim(x, -1)}});
    return HEED_OK;
}

static heed_status call_by_row(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0];
    call->outputs[0] = heed_op_reshape(x, &(heed_shape){3, {HEED_ANY, 1, heed_tensor_dim(x, -1)}});
    return HEED_OK;
}

#define DECODING_OPTIONS(X, config) HEED_LAYER_OPTIONS(X, config)

const heed_layer_class heed_with_padding_class = {
    .name = "WithPadding", .collection = COLLECTION, .min_inputs = 2, .max_inputs = 2, .call = call_with_padding,
    HEED_CLASS_OPTIONS(heed_decoding_config, DECODING_OPTIONS)};
const heed_layer_class heed_by_sentence_class = {
    .name = "BySentence", .collection = COLLECTION, .min_inputs = 2, .max_inputs = 2, .call = call_by_sentence,
    HEED_CLASS_OPTIONS(heed_decoding_config, DECODING_OPTIONS)};
const heed_layer_class heed_by_row_class = {
    .name = "ByRow", .collection = COLLECTION, .min_inputs = 1, .max_inputs = 1, .call = call_by_row,
    HEED_CLASS_OPTIONS(heed_decoding_config, DECODING_OPTIONS)};
