/* keras-layer-collection's AttentionRNNWrapper and ExternalAttentionRNNWrapper. */
#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/mask.h"
#include "layers/rnn.h"

#include <string.h>

/* The weights, in the order in which files have them. */
enum weight { W1, W2, W3, B2, B3, V, WEIGHTS };

typedef struct wrapper {
    heed_layer            *layer;
    const heed_recurrence *inner; /* of that layer */
    bool                   external, corrected, return_attention;
    heed_variable         *w[WEIGHTS];
} wrapper;

/* What is attended to is the input of this number. */
static int source_of(const wrapper *r) { return r->external ? 1 : 0; }

static heed_status wrapper_init(heed_layer *layer)
{
    const heed_attention_rnn_wrapper_config *o = heed_layer_config(layer); /* the external one's begins alike */
    wrapper *r = heed_layer_alloc(layer, sizeof *r);
    if (r == NULL)
        return HEED_ENOMEM;
    r->external = layer->layer_class == &heed_external_attention_rnn_wrapper_class;
    r->corrected = o->corrected;
    const heed_external_attention_rnn_wrapper_config *more = heed_layer_config(layer);
    r->return_attention = r->external && more->return_attention;
    if (o->layer.layer_class == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "its layer is missing");
    HEED_TRY(heed_layer_child(layer, "layer", o->layer, &r->layer));
    if (r->layer->layer_class->call != heed_recurrence_call)
        return heed_layer_fail(layer, HEED_EINVAL,
                               "its layer is not recurrent (expected LSTM, GRU, SimpleRNN or RNN, found %s)",
                               r->layer->layer_class->name);
    r->inner = heed_layer_state(r->layer);
    if (r->inner->flags.time_major)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "its layer is time_major");
    return HEED_OK;
}

static heed_status wrapper_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    static const char *const names[WEIGHTS] = {"W1", "W2", "W3", "b2", "b3", "V"};
    const heed_attention_rnn_wrapper_config *o = heed_layer_config(layer);
    wrapper *r = heed_layer_state(layer);
    int sequences = 1 + source_of(r), states = heed_cell_state_count(r->inner->cell);
    if (count != sequences && count != sequences + states)
        return heed_layer_fail(layer, HEED_EINVAL,
                               "the number of inputs does not fit (expected %d, or %d with the states, found %d)",
                               sequences, sequences + states, count);
    HEED_TRY(heed_check_sequences(layer, inputs, sequences));
    heed_shape state = heed_cell_state_shape(r->inner->cell, 0, 1);
    if (state.rank != 2)
        return heed_layer_fail(layer, HEED_ESHAPE, "the first state of its cell is no vector");
    int64_t f = inputs[0].dims[2], s = inputs[source_of(r)].dims[2];
    const heed_shape shapes[WEIGHTS] = {{2, {s, f}}, {2, {state.dims[1], f}}, {2, {f + s, f}},
                                        {1, {f}}, {1, {f}}, {2, {f, 1}}};
    for (int i = 0; i < WEIGHTS; i++)
        r->w[i] = heed_layer_weight(layer, names[i], &shapes[i], o->weight_initializer, NULL, NULL, true);
    return heed_layer_build(r->layer, inputs, 1);
}

/* ---- a step ---- */

enum { SOURCE, KEYS, MASK, MOST_OWN }; /* constants before the cell's: s (R, L, S), s W1 + b2 (R, L, F), bool (R, L) */

/* What a step is given; lives in the graph. */
typedef struct attending {
    const wrapper *r;
    heed_loop      loop; /* of the cell */
    int            own;  /* how many constants are ours */
} attending;

static heed_tensor *weight(heed_graph *g, const wrapper *r, int which) { return heed_graph_variable(g, r->w[which]); }

static heed_tensor *attention(const attending *run, const heed_step *step)
{
    heed_graph *g = step->graph;
    heed_tensor *query = heed_op_expand(heed_op_matmul(step->states[0], weight(g, run->r, W2)), 1);
    heed_tensor *keys = step->constants[KEYS], *v = weight(g, run->r, V);
    if (!run->r->corrected) /* no tanh */
        return heed_op_softmax(heed_op_squeeze(heed_op_matmul(heed_op_add(keys, query), v), 2), NULL);
    heed_tensor *mask = run->own > MASK ? step->constants[MASK] : NULL;
    return heed_op_softmax(heed_op_squeeze(heed_op_additive_scores(query, keys, heed_op_squeeze(v, 1)), 1), mask);
}

/* Outputs: the cell's first, and the attention (R, L). */
static heed_status wrapper_step(void *user, heed_step *step)
{
    const attending *run = user;
    heed_graph *g = step->graph;
    heed_layer *cell = run->r->inner->cell;
    heed_tensor *a = attention(run, step), *outputs[HEED_MAX_OUTPUTS] = {NULL};
    heed_tensor *context = heed_op_squeeze(heed_op_matmul(heed_op_expand(a, 1), step->constants[SOURCE]), 1);
    heed_tensor *both = heed_op_concatenate((heed_tensor *const[]){step->inputs[0], context}, 2, -1);
    heed_tensor *x = heed_op_dense(both, weight(g, run->r, W3), weight(g, run->r, B3));
    HEED_TRY(heed_graph_status(g));
    heed_step part = *step;
    part.inputs = &x;
    part.constants = step->constants + run->own;
    part.outputs = outputs;
    HEED_TRY(cell->layer_class->cell->step(cell, &run->loop, &part));
    step->outputs[0] = outputs[0];
    step->outputs[1] = a;
    return HEED_OK;
}

/* ---- all steps ---- */

/* Our constants, then the cell's; and the states that it begins with. */
static heed_status begin(heed_layer *layer, heed_call *call, attending *run, heed_tensor **constants,
                         int *constant_count)
{
    const wrapper *r = run->r;
    heed_tensor *x = call->inputs[0], *source = call->inputs[source_of(r)];
    heed_tensor *mask = r->corrected ? call->masks[source_of(r)] : NULL;
    constants[SOURCE] = source;
    constants[KEYS] = heed_op_dense(source, weight(call->graph, r, W1), weight(call->graph, r, B2));
    constants[MASK] = heed_mask_bool(mask, heed_tensor_dim(source, 1));
    run->own = mask == NULL ? MASK : MASK + 1;
    run->loop = (heed_loop){.graph = call->graph, .training = call->training, .mask = call->masks[0],
                            .input_shape = {2, {heed_tensor_dim(x, 0), heed_tensor_dim(x, 2)}}};
    HEED_TRY(heed_cell_begin(r->inner->cell, &run->loop));
    if (run->own + run->loop.constant_count > HEED_MAX_CONSTANTS)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "its cell needs too many constants");
    for (int i = 0; i < run->loop.constant_count; i++)
        constants[run->own + i] = run->loop.constants[i];
    *constant_count = run->own + run->loop.constant_count;
    int first = 1 + source_of(r);
    return heed_recurrence_settle(r->layer, &run->loop, call->input_count > first ? call->inputs + first : NULL);
}

/* The last of all steps; (B, T, ...) to (B, ...). */
static heed_tensor *last_step(heed_tensor *y)
{
    return heed_op_squeeze(heed_op_slice(y, 1, heed_tensor_dim(y, 1) - 1, 1), 1);
}

static heed_status wrapper_call(heed_layer *layer, heed_call *call)
{
    const wrapper *r = heed_layer_state(layer);
    const heed_rnn_flags *flags = &r->inner->flags;
    attending *run = heed_zone_alloc(&call->graph->zone, 1, sizeof *run);
    heed_tensor *constants[HEED_MAX_CONSTANTS], *outputs[2];
    heed_cell_run ended = {.state_count = heed_cell_state_count(r->inner->cell)};
    int constant_count = 0;
    if (run == NULL)
        return HEED_ENOMEM;
    run->r = r;
    HEED_TRY(begin(layer, call, run, constants, &constant_count));
    heed_scan_config scan = {.step = wrapper_step, .cell = run, .inputs = call->inputs, .input_count = 1,
                             .states = run->loop.states, .state_count = ended.state_count, .constants = constants,
                             .constant_count = constant_count, .output_count = 2, .mask = call->masks[0],
                             .zero_output_for_mask = flags->zero_output_for_mask, .reverse = flags->go_backwards};
    HEED_TRY(heed_op_scan(call->graph, &scan, outputs, ended.states));
    heed_call_publish(call, layer, outputs[1]);
    for (int i = 0; i < 2 && flags->go_backwards; i++)
        outputs[i] = heed_op_reverse(outputs[i], 1);
    if (flags->stateful)
        heed_recurrence_carry(r->layer, call, &ended);
    call->outputs[0] = flags->return_sequences ? outputs[0] : last_step(outputs[0]);
    if (flags->return_sequences)
        call->output_masks[0] = call->masks[0];
    for (int i = 0; i < ended.state_count && flags->return_state; i++)
        call->outputs[call->output_count++] = ended.states[i];
    if (r->return_attention)
        call->outputs[call->output_count++] = outputs[1];
    return HEED_OK;
}

const heed_layer_class heed_attention_rnn_wrapper_class = {
    .name = "AttentionRNNWrapper",
    .collection = "keras-layer-collection",
    HEED_CLASS_OPTIONS(heed_attention_rnn_wrapper_config, HEED_ATTENTION_RNN_WRAPPER_OPTIONS),
    .min_inputs = 1,
    .init = wrapper_init,
    .build = wrapper_build,
    .call = wrapper_call,
    .equation = "e_j = tanh(x_j W1 + b2 + h W2) V; a = softmax(e)\n"
                "x' = [x_t, sum_j a_j x_j] W3 + b3; y_t, h' = cell(x', h)",
    .shapes = "x (B, T, F), the cell's states (may be left out) -> those of the layer",
    .masks = "masked steps get no attention and keep the states; the mask goes on as the layer's does",
    .weights = "W1 (F, F)\n"
               "W2 (units, F)\n"
               "W3 (2 F, F)\n"
               "b2 (F)\n"
               "b3 (F)\n"
               "V (F, 1)\n"
               "then those of the cell",
    .source = "Luong et al. 2015, section 3.3 (input feeding); keras-layer-collection, kulc/attention.py",
    .differs = "corrected=True has the tanh; as first written there was none, so that the state had no influence "
               "on a, and padding was attended to. Takes masks, on which the original raises, and every "
               "combination of return_sequences and return_state.",
};

const heed_layer_class heed_external_attention_rnn_wrapper_class = {
    .name = "ExternalAttentionRNNWrapper",
    .collection = "keras-layer-collection",
    HEED_CLASS_OPTIONS(heed_external_attention_rnn_wrapper_config, HEED_EXTERNAL_ATTENTION_RNN_WRAPPER_OPTIONS),
    .min_inputs = 2,
    .init = wrapper_init,
    .build = wrapper_build,
    .call = wrapper_call,
    .equation = "e_j = tanh(s_j W1 + b2 + h W2) V; a = softmax(e)\n"
                "x' = [x_t, sum_j a_j s_j] W3 + b3; y_t, h' = cell(x', h)",
    .shapes = "x (B, T, F), s (B, L, S), the cell's states (may be left out)\n"
              "-> those of the layer; with return_attention a (B, T, L) too",
    .masks = "masked steps of s get no attention, those of x keep the states; that of x goes on as the layer's "
             "does",
    .weights = "W1 (S, F)\n"
               "W2 (units, F)\n"
               "W3 (F + S, F)\n"
               "b2 (F)\n"
               "b3 (F)\n"
               "V (F, 1)\n"
               "then those of the cell",
    .source = "Xu et al. 2015, Show, Attend and Tell; keras-layer-collection, kulc/attention.py",
    .differs = "as AttentionRNNWrapper.",
};
