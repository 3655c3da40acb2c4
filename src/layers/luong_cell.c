/* LuongAttentionCell: any recurrent cell, fed with what it attended to a step before. */
#include "layers/luong.h"
#include "layers/rnn.h"

typedef struct luong_cell {
    heed_luong  luong;
    heed_layer *cell;
} luong_cell;

typedef heed_luong_attention_cell_config cell_options;

static const luong_cell *cell_of(const heed_layer *layer) { return heed_layer_state(layer); }
static const heed_luong_options *options_of(const heed_layer *layer) { return heed_layer_config(layer); }

static heed_status cell_init(heed_layer *layer)
{
    const cell_options *o = heed_layer_config(layer);
    luong_cell *l = heed_layer_alloc(layer, sizeof *l);
    if (l == NULL)
        return HEED_ENOMEM;
    if (o->cell.layer_class == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "its cell is missing");
    HEED_TRY(heed_layer_child(layer, "cell", o->cell, &l->cell));
    if (l->cell->layer_class->cell == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "what it wraps is no cell (expected LSTMCell, GRUCell or another, "
                               "found %s)", l->cell->layer_class->name);
    if (heed_cell_state_count(l->cell) + 2 > HEED_MAX_STATES)
        return heed_layer_fail(layer, HEED_EINVAL, "its cell has too many states (expected at most %d, found %d)",
                               HEED_MAX_STATES - 2, heed_cell_state_count(l->cell));
    return HEED_OK;
}

static int64_t query_size(const heed_layer *layer)
{
    heed_shape output;
    heed_cell_output_shape(cell_of(layer)->cell, &output);
    return output.rank == 1 ? output.dims[0] : 0;
}

static int64_t units_of(const heed_layer *layer)
{
    int units = options_of(layer)->units;
    return units == HEED_NONE ? query_size(layer) : units;
}

static heed_shape fed_shape(const heed_layer *layer, const heed_shape *input)
{
    return (heed_shape){2, {input->dims[0], input->dims[1] + units_of(layer)}};
}

static heed_status cell_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    luong_cell *l = heed_layer_state(layer);
    char text[128];
    if (count < 2)
        return heed_layer_fail(layer, HEED_EINVAL, "the source is missing (expected RNN to be called on a sequence and "
                               "the source, found a sequence alone)");
    if (inputs[0].rank != 2 || inputs[0].dims[1] < 1)
        return heed_layer_fail(layer, HEED_ESHAPE, "a step of its input is no vector (expected (B, F), found %s)",
                               heed_shape_text(&inputs[0], text, sizeof text));
    const heed_shape *source = &inputs[count - 1];
    if (source->rank != 3 || source->dims[2] < 1)
        return heed_layer_fail(layer, HEED_ESHAPE, "the source is no sequence (expected (B, S, E), found %s)",
                               heed_shape_text(source, text, sizeof text));
    if (query_size(layer) < 1)
        return heed_layer_fail(layer, HEED_ESHAPE, "the output of its cell is no vector");
    heed_shape fed = fed_shape(layer, &inputs[0]);
    HEED_TRY(heed_layer_build(l->cell, &fed, 1));
    return heed_luong_build(layer, &l->luong, query_size(layer), source->dims[2], units_of(layer));
}

/* ---- states: the cell's, h~, and for local-m the number of the step ---- */

static bool counts_steps(const heed_layer *layer)
{
    return heed_luong_is_local(options_of(layer)) && !heed_luong_predicts(options_of(layer));
}

static int cell_state_count(const heed_layer *layer)
{
    return heed_cell_state_count(cell_of(layer)->cell) + 1 + counts_steps(layer);
}

static void cell_state_shape(const heed_layer *layer, int state, heed_shape *shape)
{
    heed_layer *cell = cell_of(layer)->cell;
    int own = state - heed_cell_state_count(cell);
    if (own < 0)
        cell->layer_class->cell->state_shape(cell, state, shape);
    else
        *shape = (heed_shape){1, {own == 0 ? units_of(layer) : 1}};
}

static void cell_output_shape(const heed_layer *layer, heed_shape *shape)
{
    *shape = (heed_shape){1, {units_of(layer)}};
}

/* ---- steps ---- */

/* What a step is given; lives in the graph. Constants: the source's states, its keys where they are something else, the
 * mask where there is one, then the cell's. */
typedef struct feeding {
    heed_loop inner; /* of the cell */
    bool      keys, masked;
} feeding;

static heed_status cell_begin(heed_layer *layer, heed_loop *loop)
{
    const luong_cell *l = cell_of(layer);
    feeding *f = loop->data = heed_loop_alloc(loop, 1, sizeof *f);
    if (f == NULL)
        return HEED_ENOMEM;
    if (loop->given_count < 1)
        return heed_layer_fail(layer, HEED_EINVAL, "the source is missing");
    heed_tensor *source = loop->given[loop->given_count - 1], *mask = loop->given_masks[loop->given_count - 1];
    heed_tensor *keys = heed_luong_keys(options_of(layer), &l->luong, source);
    f->keys = keys != source;
    f->masked = mask != NULL;
    f->inner = *loop;
    f->inner.input_shape = fed_shape(layer, &loop->input_shape);
    f->inner.sequence = NULL;
    f->inner.given_count = 0;
    HEED_TRY(heed_cell_begin(l->cell, &f->inner));
    if (f->inner.constant_count + 3 > HEED_MAX_CONSTANTS)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "its cell needs too many constants");
    loop->constants[loop->constant_count++] = source;
    if (f->keys)
        loop->constants[loop->constant_count++] = keys;
    if (f->masked)
        loop->constants[loop->constant_count++] = heed_mask_bool(mask, heed_tensor_dim(source, 1));
    for (int i = 0; i < f->inner.constant_count; i++)
        loop->constants[loop->constant_count++] = f->inner.constants[i];
    for (int i = 0; i < heed_cell_state_count(l->cell); i++)
        loop->states[i] = f->inner.states[i];
    loop->attention = loop->wants_attention;
    loop->output_count = 1 + loop->attention;
    return HEED_OK;
}

static heed_luong_source take_source(const feeding *f, heed_tensor *const **constants)
{
    heed_luong_source s = {.states = *(*constants)++};
    s.keys = f->keys ? *(*constants)++ : s.states;
    s.mask = f->masked ? *(*constants)++ : NULL;
    return s;
}

/* (R, D) as (S, W, D): of each item of the source its rows, which stand one after another; in training one. */
static heed_tensor *by_item(heed_tensor *rows, const heed_luong_source *source)
{
    heed_shape shape = {3, {heed_tensor_dim(source->states, 0), HEED_ANY, heed_tensor_dim(rows, -1)}};
    return heed_op_reshape(rows, &shape);
}

static heed_tensor *by_row(heed_tensor *items)
{
    return heed_op_reshape(items, &(heed_shape){2, {HEED_ANY, heed_tensor_dim(items, -1)}});
}

static heed_status cell_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    const luong_cell *l = cell_of(layer);
    const feeding *f = loop->data;
    int states = heed_cell_state_count(l->cell);
    heed_tensor *fed = heed_op_concatenate((heed_tensor *const[]){step->inputs[0], step->states[states]}, 2, -1);
    heed_tensor *outputs[HEED_MAX_OUTPUTS] = {NULL}, *number = NULL;
    heed_step part = *step;
    heed_luong_source source = take_source(f, &part.constants);
    part.inputs = &fed;
    part.outputs = outputs;
    HEED_TRY(l->cell->layer_class->cell->step(l->cell, &f->inner, &part));
    if (counts_steps(layer)) {
        number = by_item(step->states[states + 1], &source);
        step->new_states[states + 1] = heed_op_scale(step->states[states + 1], 1.0f, 1.0f);
    }
    HEED_TRY(heed_graph_status(step->graph));
    heed_luong_result r = heed_luong_attend(options_of(layer), &l->luong, by_item(outputs[0], &source), number, &source,
                                            false);
    HEED_TRY(heed_graph_status(step->graph));
    step->outputs[0] = step->new_states[states] = by_row(r.vector);
    if (loop->attention > 0)
        step->outputs[loop->attention] = by_row(r.weights);
    return HEED_OK;
}

static const heed_cell_functions cell_functions = {.state_count = cell_state_count, .state_shape = cell_state_shape,
                                                   .output_shape = cell_output_shape, .begin = cell_begin,
                                                   .step = cell_step, .constants = 1};

const heed_layer_class heed_luong_attention_cell_class = {
    .name = "LuongAttentionCell",
    .collection = "heed",
    HEED_CLASS_OPTIONS(cell_options, HEED_LUONG_ATTENTION_CELL_OPTIONS),
    .min_inputs = 1,
    .init = cell_init,
    .build = cell_build,
    .call = heed_cell_call,
    .cell = &cell_functions,
    .equation = "any recurrent cell that attends to a source and is fed with what it saw\n"
                "h_t, state = cell([x_t, h~_{t-1}], state); h~_t as LuongAttention has it of h_t",
    .shapes = "input 1: a step of x (B, F)\nstates: the cell's, h~ (B, units), for local-m the step's number (B, 1)\n"
              "constant: source s (B, S, E); E = H for dot\noutput: h~ (B, units)",
    .masks = "the source's hides steps; a masked step of x keeps all states",
    .weights = HEED_LUONG_WEIGHTS "\nthen the cell's",
    .source = "Luong, Pham and Manning 2015, section 3.3 (input feeding)",
    .differs = "the first h~ is zeros; positions count from 0",
};
