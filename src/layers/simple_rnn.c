#include "layers/rnn.h"

static heed_status cell_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_simple_rnn_cell_config *o = heed_layer_config(layer);
    heed_gates *w = heed_layer_alloc(layer, sizeof *w);
    if (w == NULL)
        return HEED_ENOMEM;
    heed_shape kernel = {2, {inputs->dims[inputs->rank - 1], o->units}}, recurrent = {2, {o->units, o->units}};
    heed_shape bias = {1, {o->units}};
    *w = (heed_gates){.gates = 1, .dropout = o->dropout, .recurrent_dropout = o->recurrent_dropout};
    w->kernel = heed_layer_weight(layer, "kernel", &kernel, o->kernel_initializer, o->kernel_regularizer,
                                  o->kernel_constraint, true);
    w->recurrent = heed_layer_weight(layer, "recurrent_kernel", &recurrent, o->recurrent_initializer,
                                     o->recurrent_regularizer, o->recurrent_constraint, true);
    if (o->use_bias)
        w->bias = heed_layer_weight(layer, "bias", &bias, o->bias_initializer, o->bias_regularizer, o->bias_constraint,
                                    true);
    return HEED_OK;
}

static void cell_state_shape(const heed_layer *layer, int state, heed_shape *shape)
{
    *shape = (heed_shape){1, {((const heed_simple_rnn_cell_config *)heed_layer_config(layer))->units}};
}

static heed_status cell_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    const heed_simple_rnn_cell_config *o = heed_layer_config(layer);
    const heed_gates *w = heed_layer_state(layer);
    heed_tensor *bias = w->bias == NULL ? NULL : heed_graph_variable(step->graph, w->bias);
    heed_tensor *z = heed_op_add(heed_gates_input(w, loop, step, bias), heed_gates_state(w, loop, step, NULL));
    step->outputs[0] = step->new_states[0] = heed_activate(z, o->activation);
    return HEED_OK;
}

static const heed_cell_functions cell_functions = {.state_shape = cell_state_shape, .begin = heed_gates_begin,
                                                   .step = cell_step};

#define EQUATION "h' = activation(x W + h U + b)"
#define SOURCE   "Elman 1990; Keras, layers/rnn/simple_rnn.py"
#define WEIGHTS  HEED_CELL_WEIGHTS("units", "(units)")

const heed_layer_class heed_simple_rnn_cell_class = {
    .name = "SimpleRNNCell",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_simple_rnn_cell_config, HEED_SIMPLE_RNN_CELL_OPTIONS),
    .min_inputs = 1,
    .build = cell_build,
    .call = heed_cell_call,
    .cell = &cell_functions,
    .equation = EQUATION,
    .shapes = "x (B, F), h (B, units) -> y and h' (B, units)",
    .masks = HEED_CELL_MASKS,
    .weights = WEIGHTS,
    .source = SOURCE,
    .differs = "nothing",
};

static heed_status simple_rnn_init(heed_layer *layer)
{
    return heed_recurrence_init_own(layer, &heed_simple_rnn_cell_class);
}

const heed_layer_class heed_simple_rnn_class = {
    .name = "SimpleRNN",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_simple_rnn_config, HEED_SIMPLE_RNN_OPTIONS),
    .min_inputs = 1,
    .init = simple_rnn_init,
    .build = heed_recurrence_build,
    .call = heed_recurrence_call,
    .equation = EQUATION,
    .shapes = HEED_RNN_SHAPES("h"),
    .masks = HEED_RNN_MASKS,
    .weights = WEIGHTS,
    .source = SOURCE,
    .differs = HEED_RNN_DIFFERS,
};
