#include "layers/rnn.h"

enum { GATES = 3 }; /* z (update), r (reset), h (candidate) */

static heed_status cell_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_gru_cell_config *o = heed_layer_config(layer);
    heed_gates *w = heed_layer_alloc(layer, sizeof *w);
    if (w == NULL)
        return HEED_ENOMEM;
    int64_t width = (int64_t)GATES * o->units;
    heed_shape kernel = {2, {inputs->dims[inputs->rank - 1], width}}, recurrent = {2, {o->units, width}};
    heed_shape bias = o->reset_after ? (heed_shape){2, {2, width}} : (heed_shape){1, {width}};
    *w = (heed_gates){.gates = GATES, .dropout = o->dropout, .recurrent_dropout = o->recurrent_dropout};
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
    *shape = (heed_shape){1, {((const heed_gru_cell_config *)heed_layer_config(layer))->units}};
}

/* z h + (1 - z) h~ */
static heed_tensor *mix(heed_tensor *update, heed_tensor *h, heed_tensor *candidate)
{
    return heed_op_add(candidate, heed_op_multiply(update, heed_op_subtract(h, candidate)));
}

/* Row 0 of the bias goes to the input's product, row 1 to the state's. */
static heed_tensor *bias_row(heed_tensor *bias, int row)
{
    return bias == NULL ? NULL : heed_op_squeeze(heed_op_slice(bias, 0, row, 1), 0);
}

static heed_tensor *step_reset_after(const heed_gru_cell_config *o, const heed_gates *w, const heed_loop *loop,
                                     const heed_step *step, heed_tensor *bias)
{
    heed_tensor *h = step->states[0];
    heed_tensor *zx = heed_gates_input(w, loop, step, bias_row(bias, 0));
    heed_tensor *zh = heed_gates_state(w, loop, step, bias_row(bias, 1));
    if (heed_gates_are_usual(o->activation, o->recurrent_activation))
        return heed_op_gru(zx, zh, h);
    heed_tensor *gates = heed_op_add(heed_gate(zx, o->units, 0, 2), heed_gate(zh, o->units, 0, 2));
    heed_tensor *update = heed_activate(heed_gate(gates, o->units, 0, 1), o->recurrent_activation);
    heed_tensor *reset = heed_activate(heed_gate(gates, o->units, 1, 1), o->recurrent_activation);
    heed_tensor *kept = heed_op_multiply(reset, heed_gate(zh, o->units, 2, 1));
    return mix(update, h, heed_activate(heed_op_add(heed_gate(zx, o->units, 2, 1), kept), o->activation));
}

static heed_tensor *step_reset_before(const heed_gru_cell_config *o, const heed_gates *w, const heed_loop *loop,
                                      const heed_step *step, heed_tensor *bias)
{
    heed_tensor *recurrent = heed_graph_variable(step->graph, w->recurrent);
    heed_tensor *zx = heed_gates_input(w, loop, step, bias), *gate[2];
    for (int i = 0; i < 2; i++) {
        heed_tensor *zh = heed_op_matmul(heed_gates_masked_state(w, loop, step, i),
                                         heed_gate(recurrent, o->units, i, 1));
        gate[i] = heed_activate(heed_op_add(heed_gate(zx, o->units, i, 1), zh), o->recurrent_activation);
    }
    heed_tensor *kept = heed_op_multiply(gate[1], heed_gates_masked_state(w, loop, step, 2));
    heed_tensor *zh = heed_op_matmul(kept, heed_gate(recurrent, o->units, 2, 1));
    heed_tensor *candidate = heed_activate(heed_op_add(heed_gate(zx, o->units, 2, 1), zh), o->activation);
    return mix(gate[0], step->states[0], candidate);
}

static heed_status cell_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    const heed_gru_cell_config *o = heed_layer_config(layer);
    const heed_gates *w = heed_layer_state(layer);
    heed_tensor *bias = w->bias == NULL ? NULL : heed_graph_variable(step->graph, w->bias);
    step->new_states[0] = (o->reset_after ? step_reset_after : step_reset_before)(o, w, loop, step, bias);
    step->outputs[0] = step->new_states[0];
    return HEED_OK;
}

static const heed_cell_functions cell_functions = {.state_shape = cell_state_shape, .begin = heed_gates_begin,
                                                   .step = cell_step};

#define EQUATION                                                                                                       \
    "z = s(x W_z + h U_z + b_z); r = s(x W_r + h U_r + b_r); h' = z h + (1 - z) g\n"                                   \
    "reset_after: g = a(x W_h + b_h + r (h U_h + b'_h)); otherwise g = a(x W_h + b_h + (r h) U_h)"
#define SOURCE "Cho et al. 2014, section 2.3 (reset before the product); Keras, layers/rnn/gru.py"
#define WEIGHTS HEED_CELL_WEIGHTS("3 units", "(2, 3 units), for x and for h; (3 units) without reset_after")

const heed_layer_class heed_gru_cell_class = {
    .name = "GRUCell",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_gru_cell_config, HEED_GRU_CELL_OPTIONS),
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

static heed_status gru_init(heed_layer *layer) { return heed_recurrence_init_own(layer, &heed_gru_cell_class); }

const heed_layer_class heed_gru_class = {
    .name = "GRU",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_gru_config, HEED_GRU_OPTIONS),
    .min_inputs = 1,
    .init = gru_init,
    .build = heed_recurrence_build,
    .call = heed_recurrence_call,
    .equation = EQUATION,
    .shapes = HEED_RNN_SHAPES("h"),
    .masks = HEED_RNN_MASKS,
    .weights = WEIGHTS,
    .source = SOURCE,
    .differs = HEED_RNN_DIFFERS,
};
