/* What recurrent layers share: running a cell over time, and the products inside of cells. */
#ifndef HEED_LAYERS_RNN_H
#define HEED_LAYERS_RNN_H

#include "heed/layers.h"
#include "layers/layer.h"

typedef struct heed_rnn_flags {
    HEED_RNN_OPTIONS(HEED_OPTION_FIELD, )
} heed_rnn_flags;

/* What the documentation of recurrent layers and of cells says. */
#define HEED_RNN_SHAPES(states)                                                                                        \
    "x (B, T, F), " states " (B, units; may be left out)\n"                                                            \
    "-> y (B, units), or (B, T, units) with return_sequences; with return_state " states " (B, units) too"
#define HEED_RNN_MASKS                                                                                                 \
    "a masked step keeps the states and repeats the output before it (0 with zero_output_for_mask); the mask goes on " \
    "with return_sequences. Given states, it runs over the padding too, as in Keras 3."
#define HEED_RNN_DIFFERS "unroll has no influence, implementation and cuDNN do not exist; dropout draws other numbers."
#define HEED_CELL_MASKS  "the layer around it sees to them"
#define HEED_CELL_WEIGHTS(size, bias)                                                                                  \
    "kernel (F, " size ")\nrecurrent_kernel (units, " size ")\nbias " bias ": with use_bias"

/* The state of every recurrent layer. */
typedef struct heed_recurrence {
    heed_layer    *cell;
    heed_rnn_flags flags;
} heed_recurrence;

/* For init: makes the cell from `spec`. */
heed_status heed_recurrence_init(heed_layer *layer, heed_spec cell);
/* The same with a cell of that class, whose options are among the layer's own. */
heed_status heed_recurrence_init_own(heed_layer *layer, const heed_layer_class *cell_class);
heed_status heed_recurrence_build(heed_layer *layer, const heed_shape *inputs, int count);
heed_status heed_recurrence_call(heed_layer *layer, heed_call *call);

/* What one run of a cell gives. */
typedef struct heed_cell_run {
    heed_tensor *outputs[HEED_MAX_OUTPUTS]; /* (B, T, ...), or (B, ...) without return_sequences */
    heed_tensor *states[HEED_MAX_STATES];   /* (B, ...) */
    int          output_count, state_count;
} heed_cell_run;

/* Runs the layer's cell over a call's inputs: the sequence, then states, then constants. */
heed_status heed_recurrence_run(heed_layer *layer, heed_call *call, heed_cell_run *run);

/* Fills in the states that the cell's begin left open: what was given (NULL: nothing), what the last batch left, or zeros. */
heed_status heed_recurrence_settle(heed_layer *layer, heed_loop *loop, heed_tensor *const *given);
/* The states that the next batch of a stateful layer goes on from. */
void heed_recurrence_carry(heed_layer *layer, heed_call *call, const heed_cell_run *run);

/* Prepares the loop of a cell: constants, initial states, as the cell itself begins them. */
heed_status heed_cell_begin(heed_layer *cell, heed_loop *loop);
/* Of a state, with the batch. */
heed_shape heed_cell_state_shape(const heed_layer *cell, int state, int64_t batch);
int  heed_cell_state_count(const heed_layer *cell);
void heed_cell_output_shape(const heed_layer *cell, heed_shape *shape);
/* A cell called as a layer: inputs x and the states, outputs the output and the new states. */
heed_status heed_cell_call(heed_layer *cell, heed_call *call);

/* ---- inside of cells with gates ---- */

typedef struct heed_gates {
    heed_variable *kernel, *recurrent, *bias;
    int            gates;
    double         dropout, recurrent_dropout;
} heed_gates;

/* The `begin` of a cell whose layer state is its heed_gates. Draws the dropout masks of a training batch: one for the input,
 * shared by all gates; or, with recurrent_dropout, one for each gate, of the input and of the state (Keras' implementations
 * 2 and 1). */
heed_status heed_gates_begin(heed_layer *cell, heed_loop *loop);
/* x K + b, and h R + b, with the masks that were drawn. A bias may be NULL. */
heed_tensor *heed_gates_input(const heed_gates *w, const heed_loop *loop, const heed_step *step, heed_tensor *bias);
heed_tensor *heed_gates_state(const heed_gates *w, const heed_loop *loop, const heed_step *step, heed_tensor *bias);
/* h with the mask of one gate. */
heed_tensor *heed_gates_masked_state(const heed_gates *w, const heed_loop *loop, const heed_step *step, int gate);
/* Whether the activations are those that the fused steps know: tanh, and sigmoid for the gates. */
bool heed_gates_are_usual(const char *activation, const char *recurrent_activation);
/* Columns of gate `index`, or of `count` gates from it on. */
heed_tensor *heed_gate(heed_tensor *z, int64_t units, int index, int count);

#endif
