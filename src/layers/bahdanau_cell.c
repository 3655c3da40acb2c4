/* BahdanauAttentionCell: any recurrent cell that attends to a source before, or in the midst of, its step. */
#include "heed/attention.h"
#include "layers/mask.h"
#include "layers/rnn.h"

typedef struct bahdanau_cell {
    heed_layer    *first, *cell;    /* first NULL: there is none */
    heed_variable *w_a, *u_a, *v_a; /* (H, u), (E, u), (u) */
} bahdanau_cell;

typedef heed_bahdanau_attention_cell_config cell_options;

static const bahdanau_cell *cell_of(const heed_layer *layer) { return heed_layer_state(layer); }

static heed_status add_cell(heed_layer *layer, const char *name, heed_spec spec, heed_layer **out)
{
    HEED_TRY(heed_layer_child(layer, name, spec, out));
    if ((*out)->layer_class->cell == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "\"%s\" is no cell (expected LSTMCell, GRUCell or another, found "
                               "%s)", name, (*out)->layer_class->name);
    return HEED_OK;
}

/* The first cell hands its states to the second. */
static heed_status check_states(heed_layer *layer)
{
    const bahdanau_cell *b = cell_of(layer);
    int count = heed_cell_state_count(b->cell);
    if (b->first != NULL && heed_cell_state_count(b->first) != count)
        return heed_layer_fail(layer, HEED_EINVAL, "its first cell has not as many states as its cell (expected %d, "
                               "found %d)", count, heed_cell_state_count(b->first));
    for (int i = 0; i < count && b->first != NULL; i++) {
        heed_shape expected = heed_cell_state_shape(b->cell, i, 1), found = heed_cell_state_shape(b->first, i, 1);
        char a[128], c[128];
        if (!heed_shape_equal(&expected, &found))
            return heed_layer_fail(layer, HEED_ESHAPE, "state %d of its first cell is not as its cell's (expected %s, "
                                   "found %s)", i + 1, heed_shape_text(&expected, a, sizeof a),
                                   heed_shape_text(&found, c, sizeof c));
    }
    return HEED_OK;
}

static heed_status cell_init(heed_layer *layer)
{
    const cell_options *o = heed_layer_config(layer);
    bahdanau_cell *b = heed_layer_alloc(layer, sizeof *b);
    if (b == NULL)
        return HEED_ENOMEM;
    if (o->cell.layer_class == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "its cell is missing");
    if (o->first.layer_class != NULL)
        HEED_TRY(add_cell(layer, "first", o->first, &b->first));
    HEED_TRY(add_cell(layer, "cell", o->cell, &b->cell));
    return check_states(layer);
}

/* Features of a row; 0 where it is no vector. */
static int64_t vector_size(const heed_shape *row) { return row->rank == 1 ? row->dims[0] : 0; }

static int64_t query_size(const heed_layer *layer)
{
    heed_shape row = {0};
    heed_layer *cell = cell_of(layer)->cell;
    if (heed_cell_state_count(cell) > 0)
        cell->layer_class->cell->state_shape(cell, 0, &row);
    return vector_size(&row);
}

static int64_t output_size(const heed_layer *layer)
{
    heed_shape row;
    heed_cell_output_shape(cell_of(layer)->cell, &row);
    return vector_size(&row);
}

static heed_shape second_input(const heed_layer *layer, const heed_shape *input, int64_t source_size)
{
    return (heed_shape){2, {input->dims[0], source_size + (cell_of(layer)->first == NULL ? input->dims[1] : 0)}};
}

static heed_variable *weight(heed_layer *layer, const char *name, heed_shape shape)
{
    const cell_options *o = heed_layer_config(layer);
    return heed_layer_weight(layer, name, &shape, o->kernel_initializer, o->kernel_regularizer, o->kernel_constraint,
                             true);
}

static heed_status cell_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const cell_options *o = heed_layer_config(layer);
    bahdanau_cell *b = heed_layer_state(layer);
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
    if (query_size(layer) < 1 || output_size(layer) < 1)
        return heed_layer_fail(layer, HEED_ESHAPE, "the first state and the output of its cell are no vectors");
    int64_t units = o->units == HEED_NONE ? query_size(layer) : o->units;
    b->w_a = weight(layer, "W_a", (heed_shape){2, {query_size(layer), units}});
    b->u_a = weight(layer, "U_a", (heed_shape){2, {source->dims[2], units}});
    b->v_a = weight(layer, "v_a", (heed_shape){1, {units}});
    heed_shape second = second_input(layer, &inputs[0], source->dims[2]);
    if (b->first != NULL)
        HEED_TRY(heed_layer_build(b->first, &inputs[0], 1));
    return heed_layer_build(b->cell, &second, 1);
}

static int cell_state_count(const heed_layer *layer) { return heed_cell_state_count(cell_of(layer)->cell); }

static void cell_state_shape(const heed_layer *layer, int state, heed_shape *shape)
{
    heed_layer *cell = cell_of(layer)->cell;
    cell->layer_class->cell->state_shape(cell, state, shape);
}

/* [h, c] */
static void cell_output_shape(const heed_layer *layer, heed_shape *shape)
{
    int64_t source = heed_variable_shape(cell_of(layer)->u_a)->dims[0];
    *shape = (heed_shape){1, {output_size(layer) + source}};
}

/* ---- steps ---- */

/* Constants: the source's states and keys, then the mask where there is one, then those of the two cells. */
enum { STATES, KEYS, MASK };

/* What a step is given; lives in the graph. */
typedef struct attending {
    heed_loop first, second; /* of the cells */
    bool      masked;
} attending;

/* Begins one of the two cells, behind the constants there are. */
static heed_status begin_inner(heed_layer *layer, heed_loop *loop, heed_layer *cell, heed_shape input, heed_loop *inner)
{
    *inner = *loop;
    inner->input_shape = input;
    inner->sequence = NULL;
    inner->given_count = 0;
    HEED_TRY(heed_cell_begin(cell, inner));
    if (loop->constant_count + inner->constant_count > HEED_MAX_CONSTANTS)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "its cells need too many constants");
    for (int i = 0; i < inner->constant_count; i++)
        loop->constants[loop->constant_count++] = inner->constants[i];
    return HEED_OK;
}

static heed_status cell_begin(heed_layer *layer, heed_loop *loop)
{
    const bahdanau_cell *b = cell_of(layer);
    attending *a = loop->data = heed_loop_alloc(loop, 1, sizeof *a);
    if (a == NULL)
        return HEED_ENOMEM;
    if (loop->given_count < 1)
        return heed_layer_fail(layer, HEED_EINVAL, "the source is missing");
    heed_tensor *source = loop->given[loop->given_count - 1], *mask = loop->given_masks[loop->given_count - 1];
    a->masked = mask != NULL;
    loop->constants[STATES] = source;
    loop->constants[KEYS] = heed_op_matmul(source, heed_graph_variable(loop->graph, b->u_a));
    loop->constants[MASK] = heed_mask_bool(mask, heed_tensor_dim(source, 1));
    loop->constant_count = a->masked ? MASK + 1 : MASK;
    if (b->first != NULL)
        HEED_TRY(begin_inner(layer, loop, b->first, loop->input_shape, &a->first));
    heed_shape second = second_input(layer, &loop->input_shape, heed_tensor_dim(source, -1));
    HEED_TRY(begin_inner(layer, loop, b->cell, second, &a->second));
    for (int i = 0; i < heed_cell_state_count(b->cell); i++)
        loop->states[i] = (b->first != NULL ? &a->first : &a->second)->states[i];
    loop->attention = loop->wants_attention;
    loop->output_count = 1 + loop->attention;
    return HEED_OK;
}

/* Equation 6 of the paper, and e_j of its appendix A.1.2. There may be several rows for each item of the source, those
 * of an item one after another. Returns c (R, E); *weights are (R, S). */
static heed_tensor *attend(const bahdanau_cell *b, heed_tensor *query, heed_tensor *const *constants, bool masked,
                           heed_tensor **weights)
{
    heed_graph *g = query->graph;
    int64_t items = heed_tensor_dim(constants[STATES], 0);
    heed_tensor *q = heed_op_matmul(query, heed_graph_variable(g, b->w_a));
    q = heed_op_reshape(q, &(heed_shape){3, {items, HEED_ANY, heed_tensor_dim(q, -1)}});
    heed_tensor *scores = heed_op_additive_scores(q, constants[KEYS], heed_graph_variable(g, b->v_a));
    heed_tensor *a = heed_op_softmax(scores, masked ? heed_op_expand(constants[MASK], 1) : NULL);
    *weights = heed_op_reshape(a, &(heed_shape){2, {HEED_ANY, heed_tensor_dim(a, -1)}});
    heed_tensor *c = heed_op_matmul(a, constants[STATES]);
    return heed_op_reshape(c, &(heed_shape){2, {HEED_ANY, heed_tensor_dim(c, -1)}});
}

static heed_status cell_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    const bahdanau_cell *b = cell_of(layer);
    const attending *run = loop->data;
    heed_tensor *states[HEED_MAX_STATES], *outputs[HEED_MAX_OUTPUTS] = {NULL}, *weights, *x = step->inputs[0];
    heed_step part = *step;
    part.outputs = outputs;
    part.constants += run->masked ? MASK + 1 : MASK;
    if (b->first != NULL) {
        part.new_states = states;
        HEED_TRY(b->first->layer_class->cell->step(b->first, &run->first, &part));
        part.constants += run->first.constant_count;
        part.states = states;
        part.new_states = step->new_states;
    }
    HEED_TRY(heed_graph_status(step->graph));
    heed_tensor *context = attend(b, part.states[0], step->constants, run->masked, &weights);
    x = b->first != NULL ? context : heed_op_concatenate((heed_tensor *const[]){x, context}, 2, -1);
    part.inputs = &x;
    HEED_TRY(b->cell->layer_class->cell->step(b->cell, &run->second, &part));
    step->outputs[0] = heed_op_concatenate((heed_tensor *const[]){outputs[0], context}, 2, -1);
    if (loop->attention > 0)
        step->outputs[loop->attention] = weights;
    return HEED_OK;
}

static const heed_cell_functions cell_functions = {.state_count = cell_state_count, .state_shape = cell_state_shape,
                                                   .output_shape = cell_output_shape, .begin = cell_begin,
                                                   .step = cell_step, .constants = 1};

const heed_layer_class heed_bahdanau_attention_cell_class = {
    .name = "BahdanauAttentionCell",
    .collection = "heed",
    HEED_CLASS_OPTIONS(cell_options, HEED_BAHDANAU_ATTENTION_CELL_OPTIONS),
    .min_inputs = 1,
    .init = cell_init,
    .build = cell_build,
    .call = heed_cell_call,
    .cell = &cell_functions,
    .equation = "any recurrent cell that attends to a source within its step\n"
                "e_j = v_a . tanh(q W_a + s_j U_a); a = softmax over j of e_j; c = sum_j a_j s_j\n"
                "q = h_{t-1}; h_t, state = cell([x_t, c], state)\n"
                "with first: q, state' = first(x_t, state); h_t, state = cell(c, state')",
    .shapes = "input 1: a step of x (B, F)\nstates: the cell's, of which the first is h (B, H)\n"
              "constant: source s (B, S, E)\noutput: [h, c] (B, H + E)",
    .masks = "the source's hides steps; a masked step of x keeps all states",
    .weights = "W_a (H, units)\nU_a (E, units)\nv_a (units)\nthen those of first, then the cell's",
    .source = "Bahdanau, Cho and Bengio 2015, arXiv 1409.0473, appendix A.1.2 and A.2.2; with first, the conditional "
              "GRU of Sennrich et al. 2017, Nematus, arXiv 1703.04357, section 3",
    .differs = "x enters the cell's gates with c in one product",
};
