/* Recurrent layers: a cell, run over time by scan. */
#include "layers/rnn.h"

#include <string.h>

/* ---- cells ---- */

static const heed_cell_functions *functions_of(const heed_layer *cell) { return cell->layer_class->cell; }

/* Of what a spec makes; NULL for none. */
static const heed_layer_class *class_of(heed_spec spec)
{
    const heed_layer *shared = heed_spec_shared(spec);
    return shared != NULL ? shared->layer_class : spec.layer_class;
}

int heed_cell_state_count(const heed_layer *cell)
{
    return functions_of(cell)->state_count == NULL ? 1 : functions_of(cell)->state_count(cell);
}

void heed_cell_output_shape(const heed_layer *cell, heed_shape *shape)
{
    *shape = (heed_shape){0};
    if (functions_of(cell)->output_shape != NULL)
        functions_of(cell)->output_shape(cell, shape);
    else
        functions_of(cell)->state_shape(cell, 0, shape);
}

void *heed_loop_alloc(heed_loop *loop, size_t count, size_t size)
{
    void *memory = heed_zone_alloc(&loop->graph->zone, count, size);
    if (memory == NULL)
        heed_graph_fail(loop->graph, HEED_ENOMEM, "out of memory");
    return memory;
}

/* (batch, ...) in front of a row's shape. */
static heed_shape batched(int64_t batch, const heed_shape *row)
{
    heed_shape shape = {1, {batch}};
    for (int i = 0; i < row->rank && shape.rank < HEED_MAX_RANK; i++)
        shape.dims[shape.rank++] = row->dims[i];
    return shape;
}

heed_shape heed_cell_state_shape(const heed_layer *cell, int state, int64_t batch)
{
    heed_shape row = {0};
    functions_of(cell)->state_shape(cell, state, &row);
    return batched(batch, &row);
}

/* ---- a layer's life ---- */

static const heed_option flag_rows[] = {HEED_RNN_OPTIONS(HEED_OPTION_ROW, heed_rnn_flags)};
static const heed_option_table flag_table = {flag_rows, sizeof flag_rows / sizeof *flag_rows, sizeof(heed_rnn_flags),
                                             NULL};

heed_status heed_recurrence_init(heed_layer *layer, heed_spec cell)
{
    heed_recurrence *r = heed_layer_alloc(layer, sizeof *r);
    if (r == NULL)
        return HEED_ENOMEM;
    heed_options_transfer(HEED_TABLE_OF(layer->layer_class), layer->config, flag_table, &r->flags);
    if (cell.layer_class == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "its cell is missing");
    const heed_layer_class *class = class_of(cell);
    if (class->cell == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "what it is to run is no cell (found %s)", class->name);
    HEED_TRY(heed_layer_child(layer, "cell", cell, &r->cell));
    int states = heed_cell_state_count(r->cell);
    if (states < 0 || states > HEED_MAX_STATES)
        return heed_layer_fail(layer, HEED_EINVAL, "its cell has too many states (expected at most %d, found %d)",
                               HEED_MAX_STATES, states);
    return HEED_OK;
}

heed_status heed_recurrence_init_own(heed_layer *layer, const heed_layer_class *cell_class)
{
    heed_option_table t = HEED_TABLE_OF(cell_class);
    void *config = heed_options_copy(&layer->zone, t, NULL);
    if (config == NULL)
        return HEED_ENOMEM;
    heed_options_transfer(HEED_TABLE_OF(layer->layer_class), layer->config, t, config);
    ((heed_layer_common *)config)->name = NULL; /* the cell has a name of its own */
    return heed_recurrence_init(layer, (heed_spec){cell_class, config});
}

/* How many of the inputs behind the sequence are initial states; the others are constants. */
static int given_states(const heed_recurrence *r, int extra_inputs)
{
    int states = heed_cell_state_count(r->cell);
    return extra_inputs >= states + functions_of(r->cell)->constants ? states : 0;
}

/* The shape of a step's input, from that of the sequence. */
static heed_shape without_time(const heed_shape *sequence, bool time_major)
{
    heed_shape shape = {sequence->rank - 1, {sequence->dims[time_major ? 1 : 0]}};
    for (int i = 1; i < shape.rank; i++)
        shape.dims[i] = sequence->dims[i + 1];
    return shape;
}

heed_status heed_recurrence_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_recurrence *r = heed_layer_state(layer);
    char text[128];
    if (inputs->rank < 3)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input is no sequence (expected 3 dimensions or more, found %s)",
                               heed_shape_text(inputs, text, sizeof text));
    int first_constant = 1 + given_states(r, count - 1);
    heed_shape *shapes = heed_zone_alloc(&layer->zone, (size_t)count, sizeof *shapes);
    if (shapes == NULL)
        return HEED_ENOMEM;
    shapes[0] = without_time(inputs, r->flags.time_major);
    for (int i = first_constant; i < count; i++)
        shapes[1 + i - first_constant] = inputs[i];
    return heed_layer_build(r->cell, shapes, 1 + count - first_constant);
}

/* ---- loop_of_cell ---- */

/* What the step function of scan is given. It lives in the graph, which may ask for further steps when it is
 * differentiated. */
typedef struct cell_loop {
    heed_layer *cell;
    heed_loop   loop;
} cell_loop;

static heed_status run_step(void *user, heed_step *step)
{
    cell_loop *r = user;
    return functions_of(r->cell)->step(r->cell, &r->loop, step);
}

heed_status heed_cell_begin(heed_layer *cell, heed_loop *loop)
{
    loop->constants = heed_loop_alloc(loop, HEED_MAX_CONSTANTS, sizeof *loop->constants);
    loop->states = heed_loop_alloc(loop, HEED_MAX_STATES, sizeof *loop->states);
    loop->constant_count = 0;
    loop->output_count = 1;
    if (loop->constants == NULL || loop->states == NULL)
        return HEED_ENOMEM;
    return functions_of(cell)->begin == NULL ? HEED_OK : functions_of(cell)->begin(cell, loop);
}

static heed_status start(heed_layer *cell, const heed_call *call, heed_tensor *sequence, heed_tensor *mask,
                         int first_given, cell_loop **out)
{
    heed_graph *g = call->graph;
    int given_count = call->input_count - first_given;
    cell_loop *r = *out = heed_zone_alloc(&g->zone, 1, sizeof *r);
    heed_tensor **kept = heed_zone_alloc(&g->zone, (size_t)given_count, sizeof *kept);
    heed_tensor **masks = heed_zone_alloc(&g->zone, (size_t)given_count, sizeof *masks);
    if (r == NULL || kept == NULL || masks == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < given_count; i++) {
        kept[i] = call->inputs[first_given + i];
        masks[i] = call->masks[first_given + i];
    }
    r->cell = cell;
    r->loop = (heed_loop){.graph = g, .training = call->training, .sequence = sequence, .mask = mask,
                          .input_shape = without_time(&sequence->shape, false),
                          .wants_attention = heed_call_wants_attention(call), .given = kept,
                          .given_masks = masks, .given_count = given_count};
    return heed_cell_begin(cell, &r->loop);
}

heed_status heed_recurrence_settle(heed_layer *layer, heed_loop *loop, heed_tensor *const *given)
{
    const heed_recurrence *r = heed_layer_state(layer);
    int64_t batch = loop->input_shape.dims[0];
    for (int i = 0; i < heed_cell_state_count(r->cell); i++) {
        heed_shape shape = heed_cell_state_shape(r->cell, i, batch);
        if (given != NULL)
            loop->states[i] = given[i];
        else if (r->flags.stateful) {
            heed_variable *carried = heed_layer_carried(layer, (size_t)i, &shape);
            if (carried == NULL)
                return HEED_ENOMEM;
            loop->states[i] = heed_graph_variable(loop->graph, carried);
        } else if (loop->states[i] == NULL)
            loop->states[i] = heed_graph_fill(loop->graph, &shape, 0.0f);
        char expected[128], found[128];
        if (loop->states[i] != NULL && !heed_shape_equal(&loop->states[i]->shape, &shape))
            return heed_layer_fail(layer, HEED_ESHAPE, "initial state %d does not fit (expected %s, found %s)", i + 1,
                                   heed_shape_text(&shape, expected, sizeof expected),
                                   heed_shape_text(&loop->states[i]->shape, found, sizeof found));
    }
    return heed_graph_status(loop->graph);
}

void heed_recurrence_carry(heed_layer *layer, heed_call *call, const heed_cell_run *run)
{
    for (int i = 0; i < run->state_count; i++)
        heed_call_update(call, heed_layer_carried(layer, (size_t)i, &run->states[i]->shape), run->states[i]);
}

static heed_tensor *swap_time_and_batch(heed_tensor *x)
{
    int order[HEED_MAX_RANK] = {1, 0, 2, 3, 4, 5, 6, 7};
    return heed_op_transpose(x, order);
}

/* What a cell attends to at every step. Where only the last step's output is wanted, the steps are run once more, so that
 * the outputs come as they come without anybody looking. */
static heed_status publish(heed_layer *layer, heed_call *call, int which, heed_scan_config scan,
                           const heed_cell_run *run)
{
    heed_tensor *again[HEED_MAX_OUTPUTS], *const *outputs = run->outputs;
    if (which >= run->output_count)
        return heed_layer_fail(layer, HEED_EINVAL, "its cell has no output %d to attend by (found %d)", which,
                               run->output_count);
    if (scan.last_output_only) {
        scan.last_output_only = false;
        HEED_TRY(heed_op_scan(call->graph, &scan, again, NULL));
        outputs = again;
    }
    heed_call_publish(call, layer, outputs[which]);
    return HEED_OK;
}

heed_status heed_recurrence_run(heed_layer *layer, heed_call *call, heed_cell_run *run)
{
    const heed_recurrence *r = heed_layer_state(layer);
    heed_tensor *sequence = r->flags.time_major ? swap_time_and_batch(call->inputs[0]) : call->inputs[0];
    if (sequence == NULL)
        return heed_graph_status(call->graph);
    int states = given_states(r, call->input_count - 1), first = 1 + states;
    /* Keras 3 passes no mask beside initial states, but for one given by hand */
    bool unmasked = states > 0 && !heed_keras_before(layer, 300) && !heed_call_mask_given(call);
    heed_tensor *mask = unmasked ? NULL : call->masks[0];
    cell_loop *running;
    HEED_TRY(start(r->cell, call, sequence, mask, first, &running));
    heed_loop *loop = &running->loop;
    HEED_TRY(heed_recurrence_settle(layer, loop, states > 0 ? call->inputs + 1 : NULL));
    run->state_count = heed_cell_state_count(r->cell);
    run->output_count = loop->output_count;
    heed_scan_config scan = {.step = run_step, .cell = running, .inputs = &sequence, .input_count = 1,
                             .states = loop->states, .state_count = run->state_count, .constants = loop->constants,
                             .constant_count = loop->constant_count, .output_count = loop->output_count, .mask = mask,
                             .zero_output_for_mask =
                                 r->flags.zero_output_for_mask && !heed_keras_before(layer, 204),
                             .reverse = r->flags.go_backwards,
                             .last_output_only = !r->flags.return_sequences};
    HEED_TRY(heed_op_scan(call->graph, &scan, run->outputs, run->states));
    if (loop->wants_attention && loop->attention > 0)
        HEED_TRY(publish(layer, call, loop->attention, scan, run));
    for (int i = 0; i < run->output_count && r->flags.return_sequences; i++) {
        if (r->flags.go_backwards)
            run->outputs[i] = heed_op_reverse(run->outputs[i], 1);
        if (r->flags.time_major)
            run->outputs[i] = swap_time_and_batch(run->outputs[i]);
    }
    if (r->flags.stateful)
        heed_recurrence_carry(layer, call, run);
    return heed_graph_status(call->graph);
}

heed_status heed_recurrence_call(heed_layer *layer, heed_call *call)
{
    const heed_recurrence *r = heed_layer_state(layer);
    heed_cell_run run;
    HEED_TRY(heed_recurrence_run(layer, call, &run));
    call->outputs[0] = run.outputs[0];
    if (r->flags.return_sequences)
        call->output_masks[0] = call->masks[0];
    for (int i = 0; i < run.state_count && r->flags.return_state; i++)
        call->outputs[call->output_count++] = run.states[i];
    return HEED_OK;
}

heed_status heed_cell_call(heed_layer *cell, heed_call *call)
{
    int states = heed_cell_state_count(cell);
    if (call->input_count < 1 + states)
        return heed_layer_fail(cell, HEED_EINVAL, "a cell is called on its input and its %d states (found %d inputs)",
                               states,
                               call->input_count);
    heed_loop loop = {.graph = call->graph, .training = call->training, .input_shape = call->inputs[0]->shape,
                      .given = call->inputs + 1 + states,
                      .given_masks = call->masks + 1 + states, .given_count = call->input_count - 1 - states};
    HEED_TRY(heed_cell_begin(cell, &loop));
    heed_step step = {.graph = call->graph, .inputs = call->inputs, .states = call->inputs + 1,
                      .constants = loop.constants,
                      .outputs = call->outputs, .new_states = call->outputs + loop.output_count};
    HEED_TRY(functions_of(cell)->step(cell, &loop, &step));
    for (int i = 0; i < states; i++)
        call->outputs[1 + i] = step.new_states[i];
    call->output_count = 1 + states;
    return HEED_OK;
}

/* ---- RNN ---- */

static heed_status rnn_init(heed_layer *layer)
{
    return heed_recurrence_init(layer, ((const heed_rnn_config *)heed_layer_config(layer))->cell);
}

const heed_layer_class heed_rnn_class = {
    .name = "RNN",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_rnn_config, HEED_RNN_LAYER_OPTIONS),
    .min_inputs = 1,
    .init = rnn_init,
    .build = heed_recurrence_build,
    .call = heed_recurrence_call,
    .equation = "y_t, s_t = cell(x_t, s_{t-1})",
    .shapes = "x (B, T, ...), the cell's states (may be left out), then what stays the same over the steps\n"
              "-> the cell's last output, or with return_sequences (B, T, ...) all; with return_state the states "
              "too",
    .masks = HEED_RNN_MASKS,
    .weights = "those of the cell",
    .source = "Keras, layers/rnn/rnn.py",
    .differs = HEED_RNN_DIFFERS,
};

/* ---- StackedRNNCells ---- */

static heed_status stack_init(heed_layer *layer)
{
    const heed_stacked_rnn_cells_config *o = heed_layer_config(layer);
    if (o->cells.count < 1)
        return heed_layer_fail(layer, HEED_EINVAL, "it has no cells");
    for (int i = 0; i < o->cells.count; i++) {
        heed_layer *cell;
        const heed_layer_class *class = class_of(o->cells.items[i]);
        if (class == NULL || class->cell == NULL)
            return heed_layer_fail(layer, HEED_EINVAL, "layer %d of it is no cell (found %s)", i + 1,
                                   class == NULL ? "none" : class->name);
        HEED_TRY(heed_layer_child(layer, "cells", o->cells.items[i], &cell));
    }
    return HEED_OK;
}

static heed_status stack_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    heed_shape shape = *inputs;
    for (size_t i = 0; i < layer->child_count; i++) {
        heed_layer *cell = layer->children[i].layer;
        HEED_TRY(heed_layer_build(cell, &shape, 1));
        heed_shape row;
        heed_cell_output_shape(cell, &row);
        shape = batched(inputs->dims[0], &row);
    }
    return HEED_OK;
}

static int stack_state_count(const heed_layer *layer)
{
    int count = 0;
    for (size_t i = 0; i < layer->child_count; i++)
        count += heed_cell_state_count(layer->children[i].layer);
    return count;
}

static void stack_state_shape(const heed_layer *layer, int state, heed_shape *shape)
{
    size_t i = 0;
    for (int count; state >= (count = heed_cell_state_count(layer->children[i].layer)); i++)
        state -= count;
    const heed_layer *cell = layer->children[i].layer;
    functions_of(cell)->state_shape(cell, state, shape);
}

static void stack_output_shape(const heed_layer *layer, heed_shape *shape)
{
    heed_cell_output_shape(layer->children[layer->child_count - 1].layer, shape);
}

/* Each cell has a loop of its own; their constants stand one behind the other. */
static heed_status stack_begin(heed_layer *layer, heed_loop *loop)
{
    heed_loop *loops = loop->data = heed_loop_alloc(loop, layer->child_count, sizeof *loops);
    if (loops == NULL)
        return HEED_ENOMEM;
    heed_shape shape = loop->input_shape;
    int state = 0;
    for (size_t i = 0; i < layer->child_count; i++) {
        heed_layer *cell = layer->children[i].layer;
        loops[i] = *loop;
        loops[i].input_shape = shape;
        loops[i].sequence = i == 0 ? loop->sequence : NULL;
        HEED_TRY(heed_cell_begin(cell, &loops[i]));
        if (loop->constant_count + loops[i].constant_count > HEED_MAX_CONSTANTS)
            return heed_layer_fail(layer, HEED_EUNSUPPORTED, "its cells need too many constants (expected at most %d)",
                                   HEED_MAX_CONSTANTS);
        for (int k = 0; k < loops[i].constant_count; k++)
            loop->constants[loop->constant_count++] = loops[i].constants[k];
        for (int k = 0; k < heed_cell_state_count(cell); k++)
            loop->states[state++] = loops[i].states[k];
        heed_shape row;
        heed_cell_output_shape(cell, &row);
        shape = batched(loop->input_shape.dims[0], &row);
    }
    return HEED_OK;
}

static heed_status stack_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    const heed_loop *loops = loop->data;
    heed_step part = *step;
    heed_tensor *x = step->inputs[0], *outputs[HEED_MAX_OUTPUTS] = {NULL};
    part.inputs = &x;
    part.outputs = outputs;
    for (size_t i = 0; i < layer->child_count; i++) {
        heed_layer *cell = layer->children[i].layer;
        HEED_TRY(functions_of(cell)->step(cell, &loops[i], &part));
        x = outputs[0];
        part.states += heed_cell_state_count(cell);
        part.new_states += heed_cell_state_count(cell);
        part.constants += loops[i].constant_count;
    }
    step->outputs[0] = x;
    return HEED_OK;
}

static const heed_cell_functions stack_functions = {.state_count = stack_state_count, .state_shape = stack_state_shape,
                                                    .output_shape = stack_output_shape, .begin = stack_begin,
                                                    .step = stack_step};

const heed_layer_class heed_stacked_rnn_cells_class = {
    .name = "StackedRNNCells",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_stacked_rnn_cells_config, HEED_STACKED_RNN_CELLS_OPTIONS),
    .min_inputs = 1,
    .init = stack_init,
    .build = stack_build,
    .call = heed_cell_call,
    .cell = &stack_functions,
    .equation = "x_1 = x; x_{i+1}, s_i' = cell_i(x_i, s_i); y = x_{n+1}",
    .shapes = "x (B, ...), the states of each cell in turn -> y of the last cell, the new states",
    .masks = HEED_CELL_MASKS,
    .weights = "those of each cell in turn",
    .source = "Keras, layers/rnn/stacked_rnn_cells.py",
    .differs = "nothing",
};
