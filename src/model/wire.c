/* Wiring: layers applied to symbols.
 *
 * No layer states its output shape. A layer is called on two scratch graphs in which every unknown size has a number, a
 * different one in each; a size that comes out different in the two is unknown. */
#include "heed/layers.h"
#include "heed/transformer.h"
#include "model/model.h"

#include <stdio.h>
#include <string.h>

static const int64_t probe_sizes[HEED_PROBES] = {1009, 2027}, long_probe_sizes[HEED_PROBES] = {110880, 221760};

static heed_shape probe_shape(const heed_model *m, const heed_shape *shape, int probe)
{
    heed_shape known = *shape;
    for (int i = 0; i < known.rank; i++)
        if (known.dims[i] == HEED_ANY)
            known.dims[i] = i > 0 && m->long_probes ? long_probe_sizes[probe] : probe_sizes[probe];
    return known;
}

static heed_status open_probes(heed_model *m)
{
    for (int p = 0; p < HEED_PROBES; p++) {
        if (m->probes[p] == NULL)
            HEED_TRY(heed_graph_create(m->context, &m->probes[p]));
        m->passes[p].graph = m->probes[p];
        m->passes[p].probes = true;
    }
    return HEED_OK;
}

static heed_status append_wire(heed_model *m, heed_wire *wire)
{
    void *items = m->wires.items;
    heed_status status = heed_grow(m->context, &items, &m->wires.capacity, m->wires.count, sizeof wire);
    m->wires.items = items;
    if (status == HEED_OK) {
        m->wires.items[m->wires.count++] = wire;
        wire->made->calls++;
    }
    return status;
}

static heed_symbol *new_symbol(heed_model *m, heed_wire *wire, int output)
{
    heed_symbol *s = heed_zone_alloc(&m->zone, 1, sizeof *s);
    if (s != NULL)
        *s = (heed_symbol){.model = m, .wire = wire, .output = output, .index = m->symbol_count++};
    return s;
}

static heed_wire *new_wire(heed_model *m, heed_layer *layer, int input_count)
{
    heed_wire *w = heed_zone_alloc(&m->zone, 1, sizeof *w);
    heed_symbol **inputs = heed_zone_alloc(&m->zone, (size_t)input_count, sizeof *inputs);
    if (w == NULL || inputs == NULL)
        return NULL;
    heed_made *made = heed_model_made(m, layer);
    *w = (heed_wire){.layer = layer, .made = made, .call = made->calls, .inputs = inputs, .input_count = input_count};
    return w;
}

/* Shape, type and mask of an output from what the probes gave. */
static heed_status read_probes(heed_symbol *s)
{
    const heed_tensor *a = s->probe[0], *b = s->probe[1];
    if (a == NULL || b == NULL || a->shape.rank != b->shape.rank)
        return heed_layer_fail(s->wire->layer, HEED_EINTERNAL, "output %d is missing, or its rank depends on a size",
                               s->output + 1);
    s->shape = a->shape;
    for (int i = 0; i < a->shape.rank; i++)
        if (a->shape.dims[i] != b->shape.dims[i])
            s->shape.dims[i] = HEED_ANY;
    s->dtype = a->dtype;
    s->masked = s->probe_mask[0] != NULL;
    return HEED_OK;
}

static const heed_symbol *given_mask(const heed_wire *w, int input)
{
    return w->masks == NULL ? NULL : w->masks[input];
}

/* From Keras 3 on, a mask that is given by hand acts, but what rides on the first input goes on. */
static void let_ride(const heed_wire *w, heed_tensor *given, heed_tensor *riding, heed_inner *inner)
{
    for (int k = 0; k < inner->call.output_count && w->layer->keras >= 300; k++)
        if (inner->output_masks[k] == given)
            inner->output_masks[k] = riding;
}

static heed_status call_wire(const heed_wire *w, const heed_call *outer, heed_tensor *const *inputs,
                             heed_tensor *const *masks, heed_tensor *riding, heed_inner *inner)
{
    heed_call_arguments arguments = {.pass = heed_call_pass(outer), .mask_given = given_mask(w, 0) != NULL};
    heed_call from = *outer;
    from.arguments = &arguments;
    HEED_TRY(heed_inner_call(inner, &from, w->layer, inputs, masks, w->input_count, w->keywords));
    if (arguments.mask_given)
        let_ride(w, masks[0], riding, inner);
    return HEED_OK;
}

static heed_status run_probe(heed_model *m, const heed_wire *w, int p, heed_inner *inner)
{
    heed_tensor *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
    for (int i = 0; i < w->input_count; i++) {
        inputs[i] = w->inputs[i]->probe[p];
        masks[i] = given_mask(w, i) == NULL ? w->inputs[i]->probe_mask[p] : given_mask(w, i)->probe[p];
    }
    heed_call_arguments arguments = {.pass = &m->passes[p]};
    heed_call outer = {.graph = m->probes[p], .training = true, .arguments = &arguments};
    return call_wire(w, &outer, inputs, masks, w->inputs[0]->probe_mask[p], inner);
}

static heed_status make_outputs(heed_model *m, heed_wire *w, int count)
{
    w->output_count = count;
    w->outputs = heed_zone_alloc(&m->zone, (size_t)count, sizeof *w->outputs);
    for (int k = 0; w->outputs != NULL && k < count; k++)
        if ((w->outputs[k] = new_symbol(m, w, k)) == NULL)
            return HEED_ENOMEM;
    return w->outputs == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status probe_outputs(heed_model *m, heed_wire *w)
{
    heed_inner inner[HEED_PROBES];
    for (int p = 0; p < HEED_PROBES; p++)
        HEED_TRY(run_probe(m, w, p, &inner[p]));
    if (w->outputs == NULL)
        HEED_TRY(make_outputs(m, w, inner[0].call.output_count));
    for (int k = 0; k < w->output_count; k++) {
        heed_symbol *s = w->outputs[k];
        for (int p = 0; p < HEED_PROBES; p++) {
            s->probe[p] = inner[p].outputs[k];
            s->probe_mask[p] = inner[p].output_masks[k];
        }
        HEED_TRY(read_probes(s));
    }
    return HEED_OK;
}

static heed_status probe_input(heed_model *m, const heed_wire *w)
{
    heed_symbol *s = w->outputs[0];
    for (int p = 0; p < HEED_PROBES; p++) {
        heed_shape shape = probe_shape(m, &s->shape, p);
        s->probe[p] = heed_graph_input(m->probes[p], s->dtype, &shape);
        HEED_TRY(heed_graph_status(m->probes[p]));
    }
    return HEED_OK;
}

static bool has_unknown_length(const heed_model *m)
{
    for (int i = 0; i < m->input_count; i++)
        for (int axis = 1; axis < m->inputs[i]->shape.rank; axis++)
            if (m->inputs[i]->shape.dims[axis] == HEED_ANY)
                return true;
    return false;
}

/* Where a layer cannot do with the sizes, as one that crops thousands of steps, or halves them, all begins again with larger
 * ones, which every number up to 12 divides. */
static heed_status probe_longer(heed_model *m, heed_wire *w)
{
    heed_error_clear(m->context);
    m->long_probes = true;
    heed_model_close_probes(m);
    HEED_TRY(open_probes(m));
    for (size_t i = 0; i < m->wires.count; i++) {
        heed_wire *before = m->wires.items[i];
        HEED_TRY(before->input_count == 0 ? probe_input(m, before) : probe_outputs(m, before));
    }
    return probe_outputs(m, w);
}

static heed_status build_layer(heed_model *m, const heed_wire *w)
{
    heed_model *inner = heed_layer_model(w->layer);
    if (inner != NULL && !inner->closed) {
        HEED_TRY(heed_model_status(inner));
        if (!inner->sequential)
            return heed_layer_fail(w->layer, HEED_ESTATE, "the model has no outputs yet (heed_outputs)");
        if (w->input_count == 1)
            HEED_TRY(heed_model_chain(inner, w->inputs[0]->dtype, &w->inputs[0]->shape));
    }
    heed_shape *shapes = heed_alloc(m->context, (size_t)w->input_count, sizeof *shapes);
    if (shapes == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < w->input_count; i++)
        shapes[i] = w->inputs[i]->shape;
    heed_status status = heed_layer_build(w->layer, shapes, w->input_count);
    heed_release(m->context, shapes);
    return status;
}

static heed_status check_inputs(heed_model *m, heed_layer *layer, heed_symbol *const *inputs, int count)
{
    if (layer == NULL)
        return heed_fail(m->context, HEED_EINVAL, "%s: there is no layer to call", heed_model_name(m));
    if (m->closed)
        return heed_layer_fail(layer, HEED_ESTATE, "the model's outputs are set; it takes no more layers");
    if (count < 1 || count > HEED_MAX_OUTPUTS)
        return heed_layer_fail(layer, HEED_EINVAL, "the number of inputs is out of range (expected 1 to %d, found %d)",
                               HEED_MAX_OUTPUTS, count);
    for (int i = 0; i < count; i++) {
        if (inputs[i] == NULL)
            return heed_layer_fail(layer, HEED_EINVAL, "input %d is missing", i + 1);
        if (inputs[i]->model != m)
            return heed_layer_fail(layer, HEED_EINVAL, "input %d belongs to another model", i + 1);
    }
    return HEED_OK;
}

/* Masks that are given are of the model, and bool. */
static heed_status take_masks(heed_model *m, heed_wire *w, heed_symbol *const *masks)
{
    if (masks == NULL)
        return HEED_OK;
    w->masks = heed_zone_alloc(&m->zone, (size_t)w->input_count, sizeof *w->masks);
    if (w->masks == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < w->input_count; i++) {
        w->masks[i] = masks[i];
        if (masks[i] != NULL && (masks[i]->model != m || masks[i]->dtype != HEED_BOOL))
            return heed_layer_fail(w->layer, HEED_EINVAL, "the mask of input %d does not fit (expected bool, found %s)",
                                   i + 1, heed_dtype_name(masks[i]->dtype));
    }
    return HEED_OK;
}

static heed_status wire_layer(heed_model *m, heed_layer *layer, heed_symbol *const *inputs, heed_symbol *const *masks,
                              int count, const heed_value *keywords, heed_wire **out)
{
    HEED_TRY(check_inputs(m, layer, inputs, count));
    HEED_TRY(heed_model_adopt(m, layer));
    HEED_TRY(open_probes(m));
    heed_wire *w = *out = new_wire(m, layer, count);
    if (w == NULL)
        return HEED_ENOMEM;
    memcpy(w->inputs, inputs, (size_t)count * sizeof *inputs);
    w->keywords = keywords;
    HEED_TRY(take_masks(m, w, masks));
    HEED_TRY(build_layer(m, w));
    heed_status status = probe_outputs(m, w);
    if (status != HEED_OK && status != HEED_ENOMEM && !m->long_probes && has_unknown_length(m))
        status = probe_longer(m, w);
    HEED_TRY(status);
    return append_wire(m, w);
}

heed_wire *heed_wire_layer(heed_model *m, heed_layer *layer, heed_symbol *const *inputs, heed_symbol *const *masks,
                           int input_count, const heed_value *keywords)
{
    heed_wire *w = NULL;
    if (m->status != HEED_OK)
        return NULL;
    return heed_model_remember(m, wire_layer(m, layer, inputs, masks, input_count, keywords, &w)) == HEED_OK ? w : NULL;
}

static heed_status wire_input(heed_model *m, heed_layer *layer, heed_symbol **out)
{
    if (m->input_count == HEED_MAX_OUTPUTS)
        return heed_fail(m->context, HEED_EINVAL, "%s: too many inputs (at most %d)", heed_model_name(m),
                         HEED_MAX_OUTPUTS);
    HEED_TRY(heed_model_adopt(m, layer));
    HEED_TRY(open_probes(m));
    heed_wire *w = new_wire(m, layer, 0);
    heed_symbol **outputs = heed_zone_alloc(&m->zone, 1, sizeof *outputs);
    heed_symbol *s = w == NULL || outputs == NULL ? NULL : new_symbol(m, w, 0);
    heed_symbol **inputs = heed_zone_alloc(&m->zone, (size_t)m->input_count + 1, sizeof *inputs);
    if (s == NULL || inputs == NULL)
        return HEED_ENOMEM;
    outputs[0] = s;
    w->outputs = outputs;
    w->output_count = 1;
    s->shape = *heed_input_layer_shape(layer);
    s->dtype = heed_input_layer_dtype(layer);
    HEED_TRY(heed_layer_build(layer, &s->shape, 1));
    HEED_TRY(probe_input(m, w));
    if (m->input_count > 0)
        memcpy(inputs, m->inputs, (size_t)m->input_count * sizeof *inputs);
    inputs[m->input_count] = s;
    HEED_TRY(append_wire(m, w));
    m->inputs = inputs;
    m->input_count++;
    *out = s;
    return HEED_OK;
}

heed_symbol *heed_wire_input(heed_model *m, heed_layer *layer)
{
    heed_symbol *s = NULL;
    if (m->status != HEED_OK)
        return NULL;
    return heed_model_remember(m, wire_input(m, layer, &s)) == HEED_OK ? s : NULL;
}

/* ---- in a graph of concrete shapes */

typedef struct trace_values {
    heed_tensor **tensors, **masks; /* by symbol */
    heed_pass    *pass;             /* NULL: nobody collects, and no mask is taken off */
} trace_values;

/* Which of a layer's inputs lose their masks, a bit each: those that go as they are into Keras' MultiHeadAttention. */
static unsigned bared_inputs(const heed_layer *layer)
{
    const heed_layer_class *class = layer->layer_class;
    if (layer->keras == 0 || heed_keras_before(layer, 308))
        return 0;
    if (class == &heed_transformer_encoder_class)
        return ((const heed_transformer_encoder_config *)layer->config)->normalize_first ? 0 : 1;
    return class == &heed_multi_head_attention_class ? 7 : 0;
}

bool heed_takes_masks_off(const heed_layer *layer)
{
    const heed_model *inner = heed_layer_model(layer);
    for (size_t i = 0; inner != NULL && i < inner->wires.count; i++)
        if (heed_takes_masks_off(inner->wires.items[i]->layer))
            return true;
    return bared_inputs(layer) != 0;
}

static heed_status take_mask_off(heed_pass *pass, heed_tensor *x)
{
    void *bare = pass->bare;
    heed_status status = heed_grow(pass->graph->context, &bare, &pass->bare_capacity, pass->bare_count, sizeof x);
    pass->bare = bare;
    if (status == HEED_OK)
        pass->bare[pass->bare_count++] = x;
    return status;
}

/* The mask that rides on a symbol. What is one tensor in Keras is one here: a layer's output that is its input, too. */
static heed_tensor *riding_mask(const trace_values *values, const heed_symbol *s)
{
    for (size_t i = 0; values->pass != NULL && i < values->pass->bare_count; i++)
        if (values->pass->bare[i] == values->tensors[s->index])
            return NULL;
    return values->masks[s->index];
}

static heed_status trace_wire(const heed_wire *w, const heed_call *outer, trace_values *values)
{
    heed_tensor *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
    heed_inner inner;
    unsigned bared = bared_inputs(w->layer);
    bool is_attention = w->layer->layer_class == &heed_multi_head_attention_class;
    for (int i = 0; i < w->input_count; i++) {
        inputs[i] = values->tensors[w->inputs[i]->index];
        /* with the masks that it takes off, it overrules the one that is given for its query */
        const heed_symbol *given = bared != 0 && is_attention && i == 0 ? NULL : given_mask(w, i);
        masks[i] = given == NULL ? riding_mask(values, w->inputs[i]) : values->tensors[given->index];
    }
    HEED_TRY(call_wire(w, outer, inputs, masks, riding_mask(values, w->inputs[0]), &inner));
    for (int i = 0; i < w->input_count && i < 3 && values->pass != NULL; i++)
        if (bared & 1U << i)
            HEED_TRY(take_mask_off(values->pass, inputs[i]));
    for (int k = 0; k < w->output_count; k++) {
        values->tensors[w->outputs[k]->index] = inner.outputs[k];
        values->masks[w->outputs[k]->index] = inner.output_masks[k];
    }
    return HEED_OK;
}

heed_status heed_model_trace(heed_model *m, heed_call *call)
{
    heed_tensor **tensors = heed_zone_alloc(&call->graph->zone, 2 * (size_t)m->symbol_count, sizeof *tensors);
    if (tensors == NULL)
        return HEED_ENOMEM;
    trace_values values = {tensors, tensors + m->symbol_count, heed_call_pass(call)};
    heed_wire **order = heed_takes_masks_off(m->layer) ? m->running : m->walked;
    for (int i = 0; i < m->input_count; i++) {
        tensors[m->inputs[i]->index] = call->inputs[i];
        values.masks[m->inputs[i]->index] = call->masks == NULL ? NULL : call->masks[i];
    }
    for (size_t i = 0; i < m->wires.count; i++)
        if (order[i]->input_count > 0)
            HEED_TRY(trace_wire(order[i], call, &values));
    call->output_count = m->output_count;
    for (int k = 0; k < m->output_count; k++) {
        call->outputs[k] = tensors[m->outputs[k]->index];
        call->output_masks[k] = riding_mask(&values, m->outputs[k]);
    }
    return HEED_OK;
}
