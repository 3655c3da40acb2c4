#include "seq2seq/decoding_layers.h"

#include "heed/layers.h"
#include "layers/rnn.h"
#include "ops/attention_step.h"

static const char COLLECTION[] = "heed.decoding";

/* HEED_PADDING is 0. */
static heed_tensor *is_token(heed_tensor *ids) { return heed_op_cast(ids, HEED_BOOL); }

static heed_status call_with_padding(heed_layer *layer, heed_call *call)
{
    call->outputs[0] = call->inputs[0];
    call->output_masks[0] = is_token(call->inputs[1]);
    return HEED_OK;
}

static heed_status call_by_sentence(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0];
    int64_t sentences = heed_tensor_dim(call->inputs[1], 0);
    call->outputs[0] = heed_op_reshape(x, &(heed_shape){3, {sentences, HEED_ANY, heed_tensor_dim(x, -1)}});
    return HEED_OK;
}

static heed_status call_by_row(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0];
    call->outputs[0] = heed_op_reshape(x, &(heed_shape){3, {HEED_ANY, 1, heed_tensor_dim(x, -1)}});
    return HEED_OK;
}

heed_places heed_places_of(heed_model *m, heed_symbol *ids)
{
    heed_symbol *token = heed_operate(m, "NotEqual", NULL, &ids, 1, "0");
    heed_symbol *one = heed_operate(m, "Cast", "dtype='int32'", &token, 1, NULL);
    heed_symbol *count = heed_operate(m, "Cumsum", "axis=1", &one, 1, NULL);
    return (heed_places){.token = token,
                         .number = heed_operate(m, "Multiply", NULL, (heed_symbol *[]){count, one}, 2, NULL),
                         .seen = heed_operate(m, "ExpandDims", "axis=1", &token, 1, NULL)};
}

/* ---- attention in parts ---- */

/* Weights of a MultiHeadAttention, in Keras' order: each has a kernel, (D, N, H) or for the output (N, H, D), and a
 * bias. */
enum { QUERY, KEY, VALUE, OUTPUT };

typedef struct parts {
    heed_layer *attention;
} parts;

static heed_status parts_init(heed_layer *layer)
{
    const heed_decoding_config *o = heed_layer_config(layer);
    parts *p = heed_layer_alloc(layer, sizeof *p);
    return p == NULL ? HEED_ENOMEM : heed_layer_child(layer, "attention", o->attention, &p->attention);
}

static const heed_multi_head_attention_config *heads_of(const heed_layer *layer)
{
    return heed_layer_config(((const parts *)heed_layer_state(layer))->attention);
}

static heed_tensor *project(const heed_layer *layer, heed_graph *g, int which, heed_tensor *x)
{
    heed_layer *attention = ((const parts *)heed_layer_state(layer))->attention;
    heed_tensor *kernel = heed_graph_variable(g, heed_layer_weight_at(attention, 2 * which));
    heed_tensor *bias = heed_graph_variable(g, heed_layer_weight_at(attention, 2 * which + 1));
    kernel = heed_op_reshape(kernel, &(heed_shape){2, {heed_tensor_dim(x, -1), HEED_ANY}});
    return heed_op_dense(x, kernel, heed_op_reshape(bias, &(heed_shape){1, {HEED_ANY}}));
}

static heed_status call_keys_of_attention(heed_layer *layer, heed_call *call)
{
    call->output_count = 2;
    call->outputs[0] = project(layer, call->graph, KEY, call->inputs[0]);
    call->outputs[1] = project(layer, call->graph, VALUE, call->inputs[0]);
    return HEED_OK;
}

static heed_status call_attention_of_keys(heed_layer *layer, heed_call *call)
{
    heed_shape rows = {2, {heed_tensor_dim(call->inputs[0], 0), HEED_ANY}}, steps = {3, {rows.dims[0], 1, HEED_ANY}};
    heed_tensor *query = heed_op_reshape(project(layer, call->graph, QUERY, call->inputs[0]), &rows);
    heed_tensor *y = heed_op_attention_memory(query, call->inputs[1], call->inputs[2], is_token(call->inputs[3]),
                                              heads_of(layer)->num_heads, &call->outputs[1]);
    call->output_count = 2;
    call->outputs[0] = project(layer, call->graph, OUTPUT, heed_op_reshape(y, &steps));
    return HEED_OK;
}

static heed_status call_attention_of_past(heed_layer *layer, heed_call *call)
{
    heed_tensor *own[3];
    heed_shape rows = {2, {heed_tensor_dim(call->inputs[0], 0), HEED_ANY}}, steps = {3, {rows.dims[0], 1, HEED_ANY}};
    for (int i = QUERY; i <= VALUE; i++)
        own[i] = heed_op_reshape(project(layer, call->graph, i, call->inputs[0]), &rows);
    heed_tensor *y = heed_op_attention_step(own[QUERY], own[KEY], own[VALUE], call->inputs[1], call->inputs[2],
                                            call->inputs[3], heads_of(layer)->num_heads);
    call->output_count = 3;
    call->outputs[0] = project(layer, call->graph, OUTPUT, heed_op_reshape(y, &steps));
    call->outputs[1] = heed_op_reshape(own[KEY], &steps);
    call->outputs[2] = heed_op_reshape(own[VALUE], &steps);
    return HEED_OK;
}

/* ---- a step of a cell that attends ---- */

static heed_layer *cell_of(const heed_layer *layer)
{
    const heed_recurrence *r = heed_layer_state(((const parts *)heed_layer_state(layer))->attention);
    return r->cell;
}

/* What stays the same over the steps of a source (S, Ts, E): the cell's constants, its mask last. */
static heed_status begin_cell(heed_layer *layer, heed_call *call, heed_tensor *const *source,
                              heed_tensor *const *mask, int64_t rows, heed_loop *loop)
{
    *loop = (heed_loop){.graph = call->graph, .input_shape = {2, {rows, 1}}, .wants_attention = true, .given = source,
                        .given_masks = mask, .given_count = 1};
    return heed_cell_begin(cell_of(layer), loop);
}

static heed_status call_start_of_cell(heed_layer *layer, heed_call *call)
{
    heed_tensor *no_mask = NULL;
    heed_loop loop;
    HEED_TRY(begin_cell(layer, call, call->inputs, &no_mask, heed_tensor_dim(call->inputs[0], 0), &loop));
    call->output_count = loop.constant_count;
    for (int i = 0; i < loop.constant_count; i++)
        call->outputs[i] = loop.constants[i];
    return HEED_OK;
}

/* Keys that the cell's begin computes are those that came in: nobody looks at the new ones, which are not computed. */
static heed_status call_step_of_cell(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0], *source = call->inputs[2], *mask = is_token(call->inputs[1]);
    int64_t rows = heed_tensor_dim(x, 0);
    heed_loop loop;
    HEED_TRY(begin_cell(layer, call, &source, &mask, rows, &loop));
    int given = loop.constant_count - 1, states = heed_cell_state_count(cell_of(layer));
    heed_tensor *outputs[HEED_MAX_OUTPUTS] = {NULL}, *new_states[HEED_MAX_STATES] = {NULL};
    for (int i = 0; i < given; i++)
        loop.constants[i] = call->inputs[2 + i];
    x = heed_op_squeeze(x, 1);
    heed_step step = {.graph = call->graph, .inputs = &x, .states = call->inputs + 2 + given,
                      .constants = loop.constants, .outputs = outputs, .new_states = new_states};
    HEED_TRY(cell_of(layer)->layer_class->cell->step(cell_of(layer), &loop, &step));
    call->output_count = 2 + states;
    call->outputs[0] = heed_op_expand(outputs[0], 1);
    for (int i = 0; i < states; i++)
        call->outputs[1 + i] = new_states[i];
    call->outputs[1 + states] = heed_op_expand(outputs[loop.attention], 1);
    return HEED_OK;
}

/* ---- */

#define CLASS(id, title, inputs, ...)                                                                                  \
    const heed_layer_class heed_##id##_class = {                                                                       \
        .name = title, .collection = COLLECTION, .min_inputs = inputs, .call = call_##id,                              \
        HEED_CLASS_OPTIONS(heed_decoding_config, HEED_DECODING_OPTIONS), __VA_ARGS__};
CLASS(with_padding, "WithPadding", 2, )
CLASS(by_sentence, "BySentence", 2, )
CLASS(by_row, "ByRow", 1, )
CLASS(keys_of_attention, "KeysOfAttention", 1, .init = parts_init)
CLASS(attention_of_keys, "AttentionOfKeys", 4, .init = parts_init)
CLASS(attention_of_past, "AttentionOfPast", 4, .init = parts_init)
CLASS(start_of_cell, "StartOfCell", 1, .init = parts_init)
CLASS(step_of_cell, "StepOfCell", 4, .init = parts_init)
