#include "layers/rnn.h"

enum { GATES = 4 };

static heed_status cell_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_lstm_cell_config *o = heed_layer_config(layer);
    heed_gates *w = heed_layer_alloc(layer, sizeof *w);
    if (w == NULL)
        return HEED_ENOMEM;
    int64_t width = (int64_t)GATES * o->units;
    heed_shape kernel = {2, {inputs->dims[inputs->rank - 1], width}}, recurrent = {2, {o->units, width}};
    heed_shape bias = {1, {width}};
    *w = (heed_gates){.gates = GATES, .dropout = o->dropout, .recurrent_dropout = o->recurrent_dropout};
    w->kernel = heed_layer_weight(layer, "kernel", &kernel, o->kernel_initializer, o->kernel_regularizer,
                                  o->kernel_constraint, true);
    w->recurrent = heed_layer_weight(layer, "recurrent_kernel", &recurrent, o->recurrent_initializer,
                                     o->recurrent_regularizer, o->recurrent_constraint, true);
    if (!o->use_bias)
        return HEED_OK;
    const char *initializer = o->bias_initializer == NULL ? "zeros" : o->bias_initializer;
    if (o->unit_forget_bias && (initializer = heed_zone_printf(&layer->zone, "unit_forget(%s)", initializer)) == NULL)
        return HEED_ENOMEM;
    w->bias = heed_layer_weight(layer, "bias", &bias, initializer, o->bias_regularizer, o->bias_constraint, true);
    return HEED_OK;
}

static int cell_state_count(const heed_layer *layer) { return 2; }

static void cell_state_shape(const heed_layer *layer, int state, heed_shape *shape)
{
    *shape = (heed_shape){1, {((const heed_lstm_cell_config *)heed_layer_config(layer))->units}};
}

static heed_status cell_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    const heed_lstm_cell_config *o = heed_layer_config(layer);
    const heed_gates *w = heed_layer_state(layer);
    heed_tensor *bias = w->bias == NULL ? NULL : heed_graph_variable(step->graph, w->bias);
    heed_tensor *zx = heed_gates_input(w, loop, step, bias), *zh = heed_gates_state(w, loop, step, NULL);
    heed_tensor *c = step->states[1];
    if (heed_gates_are_usual(o->activation, o->recurrent_activation)) {
        heed_op_lstm(zx, zh, c, &step->new_states[0], &step->new_states[1]);
    } else {
        heed_tensor *z = heed_op_add(zx, zh);
        heed_tensor *input = heed_activate(heed_gate(z, o->units, 0, 1), o->recurrent_activation);
        heed_tensor *forget = heed_activate(heed_gate(z, o->units, 1, 1), o->recurrent_activation);
        heed_tensor *candidate = heed_activate(heed_gate(z, o->units, 2, 1), o->activation);
        heed_tensor *output = heed_activate(heed_gate(z, o->units, 3, 1), o->recurrent_activation);
        heed_tensor *new_c = heed_op_add(heed_op_multiply(forget, c), heed_op_multiply(input, candidate));
        step->new_states[0] = heed_op_multiply(output, heed_activate(new_c, o->activation));
        step->new_states[1] = new_c;
    }
    step->outputs[0] = step->new_states[0];
    return HEED_OK;
}

static const heed_cell_functions cell_functions = {.state_count = cell_state_count, .state_shape = cell_state_shape,
                                                   .begin = heed_gates_begin, .step = cell_step};

#define EQUATION "[i f g o] = x W + h U + b; c' = s(f) c + s(i) a(g); h' = s(o) a(c')"
#define SOURCE   "Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; Keras, layers/rnn/lstm.py"
#define WEIGHTS  HEED_CELL_WEIGHTS("4 units", "(4 units)")

const heed_layer_class heed_lstm_cell_class = {
    .name = "LSTMCell",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_lstm_cell_config, HEED_LSTM_CELL_OPTIONS),
    .min_inputs = 1,
    .build = cell_build,
    .call = heed_cell_call,
    .cell = &cell_functions,
    .equation = EQUATION,
    .shapes = "x (B, F), h and c (B, units) -> y, h' and c' (B, units)",
    .masks = HEED_CELL_MASKS,
    .weights = WEIGHTS,
    .source = SOURCE,
    .differs = "nothing",
};

static heed_status lstm_init(heed_layer *layer) { return heed_recurrence_init_own(layer, &heed_lstm_cell_class); }

const heed_layer_class heed_lstm_class = {
    .name = "LSTM",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_lstm_config, HEED_LSTM_OPTIONS),
    .min_inputs = 1,
    .init = lstm_init,
    .build = heed_recurrence_build,
    .call = heed_recurrence_call,
    .equation = EQUATION,
    .shapes = HEED_RNN_SHAPES("h and c"),
    .masks = HEED_RNN_MASKS,
    .weights = WEIGHTS,
    .source = SOURCE,
    .differs = HEED_RNN_DIFFERS,
};
