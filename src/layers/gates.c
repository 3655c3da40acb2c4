/* Products inside of cells, with Keras' dropout: masks drawn once for a batch, the same at every step. The constants of
 * such a cell are the input's masks, then the state's. */
#include "layers/rnn.h"

#include <string.h>

static bool drops(double rate, const heed_loop *loop) { return loop->training && rate > 0.0 && rate < 1.0; }

static int state_masks(const heed_gates *w, const heed_loop *loop)
{
    return drops(w->recurrent_dropout, loop) ? w->gates : 0;
}

static int input_masks(const heed_gates *w, const heed_loop *loop)
{
    return !drops(w->dropout, loop) ? 0 : w->recurrent_dropout > 0.0 ? w->gates : 1;
}

static void draw(heed_loop *loop, int count, int64_t width, double rate)
{
    heed_shape shape = {2, {loop->input_shape.dims[0], width}};
    for (int i = 0; i < count; i++) {
        heed_tensor *ones = heed_graph_fill(loop->graph, &shape, 1.0f);
        loop->constants[loop->constant_count++] = heed_op_dropout(ones, (float)rate);
    }
}

heed_status heed_gates_begin(heed_layer *cell, heed_loop *loop)
{
    const heed_gates *w = heed_layer_state(cell);
    int64_t units = heed_variable_shape(w->recurrent)->dims[0];
    draw(loop, input_masks(w, loop), loop->input_shape.dims[1], w->dropout);
    draw(loop, state_masks(w, loop), units, w->recurrent_dropout);
    return heed_graph_status(loop->graph);
}

bool heed_gates_are_usual(const char *activation, const char *recurrent_activation)
{
    return activation != NULL && strcmp(activation, "tanh") == 0 && recurrent_activation != NULL &&
           strcmp(recurrent_activation, "sigmoid") == 0;
}

heed_tensor *heed_gate(heed_tensor *z, int64_t units, int index, int count)
{
    return heed_op_slice(z, -1, index * units, count * units);
}

/* x W + b, where each gate sees x through a mask of its own. */
static heed_tensor *product_by_gate(heed_tensor *x, heed_tensor *const *masks, int gates, heed_tensor *w,
                                    heed_tensor *b)
{
    heed_tensor *parts[8];
    int64_t units = heed_tensor_dim(w, -1) / gates;
    for (int i = 0; i < gates; i++) {
        heed_tensor *bias = b == NULL ? NULL : heed_gate(b, units, i, 1);
        parts[i] = heed_op_dense(heed_op_multiply(x, masks[i]), heed_gate(w, units, i, 1), bias);
    }
    return heed_op_concatenate(parts, gates, -1);
}

static heed_tensor *product(heed_tensor *x, heed_tensor *const *masks, int count, heed_tensor *w, heed_tensor *b)
{
    if (count > 1)
        return product_by_gate(x, masks, count, w, b);
    return heed_op_dense(count == 1 ? heed_op_multiply(x, masks[0]) : x, w, b);
}

heed_tensor *heed_gates_input(const heed_gates *w, const heed_loop *loop, const heed_step *step, heed_tensor *bias)
{
    return product(step->inputs[0], step->constants, input_masks(w, loop), heed_graph_variable(step->graph, w->kernel),
                   bias);
}

heed_tensor *heed_gates_state(const heed_gates *w, const heed_loop *loop, const heed_step *step, heed_tensor *bias)
{
    return product(step->states[0], step->constants + input_masks(w, loop), state_masks(w, loop),
                   heed_graph_variable(step->graph, w->recurrent), bias);
}

heed_tensor *heed_gates_masked_state(const heed_gates *w, const heed_loop *loop, const heed_step *step, int gate)
{
    if (state_masks(w, loop) == 0)
        return step->states[0];
    return heed_op_multiply(step->states[0], step->constants[input_masks(w, loop) + gate]);
}
