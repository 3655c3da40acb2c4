/* LuongAttention: decoder states attend to encoder states. */
#include "layers/attend.h"
#include "layers/luong.h"

static heed_status luong_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(heed_luong)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status luong_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_luong_options *o = heed_layer_config(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, count));
    int64_t query = inputs[0].dims[2];
    return heed_luong_build(layer, heed_layer_state(layer), query, inputs[1].dims[2],
                            o->units == HEED_NONE ? query : o->units);
}

static heed_status luong_call(heed_layer *layer, heed_call *call)
{
    const heed_luong_options *o = heed_layer_config(layer);
    const heed_luong *l = heed_layer_state(layer);
    heed_tensor *query = call->inputs[0], *states = call->inputs[1];
    int64_t queries = heed_tensor_dim(query, 1), keys = heed_tensor_dim(states, 1);
    HEED_TRY(heed_check_batches(layer, call));
    bool windows = heed_luong_is_local(o) && heed_windows_pay(2 * (int64_t)o->reach + 1, keys);
    heed_luong_source source = {states, heed_luong_keys(o, l, states), heed_mask_bool(call->masks[1], keys)};
    heed_tensor *step = heed_positions(call->graph, queries, &(heed_shape){3, {1, queries, 1}});
    heed_luong_result r = heed_luong_attend(o, l, query, step, &source, windows);
    call->outputs[0] = r.vector;
    if (!o->return_attention && !heed_call_wants_attention(call))
        return HEED_OK;
    heed_tensor *whole = r.starts == NULL ? r.weights : heed_op_window_dense(r.weights, r.starts, keys);
    heed_call_publish(call, layer, whole);
    if (o->return_attention)
        call->outputs[call->output_count++] = whole;
    return HEED_OK;
}

const heed_layer_class heed_luong_attention_class = {
    .name = "LuongAttention",
    .collection = "heed",
    HEED_CLASS_OPTIONS(heed_luong_attention_config, HEED_LUONG_ATTENTION_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 2,
    .passes_mask = true,
    .init = luong_init,
    .build = luong_build,
    .call = luong_call,
    .equation = HEED_LUONG_EQUATION,
    .shapes = "input 1: queries h (B, T, H)\ninput 2: source s (B, S, E); E = H for dot\n"
              "output 1: h~ (B, T, units)\noutput 2, with return_attention: a (B, T, S)",
    .masks = "the source's hides steps; the queries' goes on with the output; where all is hidden, a and c are zeros",
    .weights = HEED_LUONG_WEIGHTS,
    .source = HEED_LUONG_PAPER,
    .differs = "positions count from 0; where a mask hides steps, S in p_t is the number of the others",
};
