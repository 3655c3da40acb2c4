/* The functional interface: inputs, calls, and models over part of another's wiring. */
#include "model/model.h"

#include <string.h>

heed_symbol *heed_input_with(heed_model *m, const heed_input_config *config)
{
    if (m == NULL || m->status != HEED_OK)
        return NULL;
    if (m->sequential && (m->input_count > 0 || m->stack_count > 0 || m->closed)) {
        heed_model_remember(m, heed_fail(m->context, HEED_ESTATE,
                                         "%s: the one input of a sequential model comes before "
                                         "its first layer",
                                         heed_model_name(m)));
        return NULL;
    }
    heed_shape shape = {.rank = config->shape.rank + 1};
    if (shape.rank > HEED_MAX_RANK || config->shape.rank < 0) {
        heed_model_remember(m,
                            heed_fail(m->context, HEED_ESHAPE,
                                      "input %s: the rank is out of range (expected 0 to %d, "
                                      "found %d)",
                                      config->name == NULL ? "" : config->name, HEED_MAX_RANK - 1, config->shape.rank));
        return NULL;
    }
    shape.dims[0] = config->batch > 0 ? config->batch : HEED_ANY;
    memcpy(shape.dims + 1, config->shape.dims, (size_t)config->shape.rank * sizeof *shape.dims);
    heed_layer *layer = NULL;
    heed_status status = heed_input_layer_create(m->context, config->name, config->dtype, &shape, &layer);
    heed_symbol *s = heed_model_remember(m, status) == HEED_OK ? heed_wire_input(m, layer) : NULL;
    heed_layer_release(layer);
    return s;
}

heed_symbol *heed_apply_list(heed_spec spec, heed_symbol *const *inputs, int count)
{
    heed_model *m = NULL;
    for (int i = 0; i < count && m == NULL; i++)
        m = inputs[i] == NULL ? NULL : inputs[i]->model;
    heed_layer *layer = heed_make(m, spec);
    return layer == NULL ? NULL : heed_call_layer(layer, inputs, count, NULL, NULL, 0);
}

heed_symbol *heed_apply(heed_spec spec, heed_symbol *x) { return heed_apply_list(spec, &x, 1); }

heed_symbol *heed_call_layer(heed_layer *layer, heed_symbol *const *inputs, int input_count, const char *keywords,
                             heed_symbol **outputs, int output_count)
{
    heed_model *m = NULL;
    for (int i = 0; i < input_count && m == NULL; i++)
        m = inputs[i] == NULL ? NULL : inputs[i]->model;
    if (m == NULL || m->status != HEED_OK)
        return NULL;
    heed_value *arguments = NULL;
    heed_status status = HEED_OK;
    if (keywords != NULL)
        status = heed_value_parse_arguments(&m->zone, "keywords", keywords, &arguments);
    if (heed_model_remember(m, status) != HEED_OK)
        return NULL;
    heed_wire *w = heed_wire_layer(m, layer, inputs, NULL, input_count, arguments);
    if (w == NULL)
        return NULL;
    if (outputs != NULL && output_count != w->output_count) {
        heed_model_remember(m, heed_layer_fail(layer, HEED_EINVAL,
                                               "the number of outputs does not fit (expected %d, found %d)",
                                               w->output_count, output_count));
        return NULL;
    }
    for (int k = 0; outputs != NULL && k < output_count; k++)
        outputs[k] = w->outputs[k];
    return w->outputs[0];
}

heed_symbol *heed_find_symbol(heed_model *m, const char *layer, int call, int output)
{
    for (size_t i = 0; m != NULL && i < m->wires.count; i++) {
        heed_wire *w = m->wires.items[i];
        if (w->call == call && strcmp(w->layer->name, layer) == 0)
            return output >= 0 && output < w->output_count ? w->outputs[output] : NULL;
    }
    return NULL;
}

const heed_shape *heed_symbol_shape(const heed_symbol *s) { return s == NULL ? NULL : &s->shape; }
heed_dtype        heed_symbol_dtype(const heed_symbol *s) { return s == NULL ? HEED_FLOAT32 : s->dtype; }
bool              heed_symbol_masked(const heed_symbol *s) { return s != NULL && s->masked; }

/* ---- part of a model */

/* What a symbol of the whole model is in the part; by index. */
typedef struct part {
    heed_model   *from, *to;
    heed_symbol **symbols;
    bool         *needed;
} part;

static heed_status take_inputs(part *p, heed_symbol *const *inputs, int count)
{
    for (int i = 0; i < count; i++) {
        heed_symbol *s = inputs[i];
        if (s == NULL || s->model != p->from)
            return heed_fail(p->to->context, HEED_EINVAL, "%s: input %d is not of the model", heed_model_name(p->to),
                             i + 1);
        heed_layer *layer = s->wire->layer, *made = NULL;
        if (!heed_is_input_layer(layer)) {
            HEED_TRY(heed_input_layer_create(p->to->context, NULL, s->dtype, &s->shape, &made));
            layer = made;
        }
        p->symbols[s->index] = heed_wire_input(p->to, layer);
        heed_layer_release(made);
        HEED_TRY(heed_model_status(p->to));
    }
    return HEED_OK;
}

static void mark_needed(part *p, heed_symbol *const *outputs, int count)
{
    for (int k = 0; k < count; k++)
        p->needed[outputs[k]->index] = true;
    for (size_t i = p->from->wires.count; i-- > 0;) {
        const heed_wire *w = p->from->wires.items[i];
        bool needed = false;
        for (int k = 0; k < w->output_count; k++)
            needed |= p->needed[w->outputs[k]->index] && p->symbols[w->outputs[k]->index] == NULL;
        for (int k = 0; k < w->input_count && needed; k++) {
            p->needed[w->inputs[k]->index] = true;
            if (w->masks != NULL && w->masks[k] != NULL)
                p->needed[w->masks[k]->index] = true;
        }
    }
}

static heed_status take_wire(part *p, const heed_wire *w)
{
    heed_symbol *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS] = {NULL};
    bool needed = false;
    for (int k = 0; k < w->output_count; k++)
        needed |= p->needed[w->outputs[k]->index] && p->symbols[w->outputs[k]->index] == NULL;
    if (!needed)
        return HEED_OK;
    if (w->input_count == 0)
        return heed_layer_fail(w->layer, HEED_EINVAL,
                               "the outputs depend on this input, which is not among the inputs");
    for (int k = 0; k < w->input_count; k++) {
        inputs[k] = p->symbols[w->inputs[k]->index];
        if (w->masks != NULL && w->masks[k] != NULL)
            masks[k] = p->symbols[w->masks[k]->index];
    }
    heed_value *keywords = w->keywords == NULL ? NULL : heed_value_copy(&p->to->zone, w->keywords);
    heed_wire *copy =
        heed_wire_layer(p->to, w->layer, inputs, w->masks == NULL ? NULL : masks, w->input_count, keywords);
    for (int k = 0; copy != NULL && k < w->output_count; k++)
        if (p->symbols[w->outputs[k]->index] == NULL)
            p->symbols[w->outputs[k]->index] = copy->outputs[k];
    return heed_model_status(p->to);
}

static heed_status take_part(part *p, heed_symbol *const *inputs, int input_count, heed_symbol *const *outputs,
                             int output_count)
{
    heed_symbol *taken[HEED_MAX_OUTPUTS];
    if (output_count < 1 || output_count > HEED_MAX_OUTPUTS)
        return heed_fail(p->to->context, HEED_EINVAL, "%s: the number of outputs is out of range",
                         heed_model_name(p->to));
    for (int k = 0; k < output_count; k++)
        if (outputs[k] == NULL || outputs[k]->model != p->from)
            return heed_fail(p->to->context, HEED_EINVAL, "%s: output %d is not of the model", heed_model_name(p->to),
                             k + 1);
    HEED_TRY(take_inputs(p, inputs, input_count));
    mark_needed(p, outputs, output_count);
    for (size_t i = 0; i < p->from->wires.count; i++)
        HEED_TRY(take_wire(p, p->from->wires.items[i]));
    for (int k = 0; k < output_count; k++)
        taken[k] = p->symbols[outputs[k]->index];
    return heed_outputs_list(p->to, taken, output_count);
}

heed_status heed_submodel(heed_model *m, const char *name, heed_symbol *const *inputs, int input_count,
                          heed_symbol *const *outputs, int output_count, heed_model **out)
{
    *out = NULL;
    HEED_TRY(heed_model_status(m));
    part p = {.from = m, .to = heed_functional(m->context, name)};
    p.symbols = heed_alloc(m->context, (size_t)m->symbol_count, sizeof *p.symbols);
    p.needed = heed_alloc(m->context, (size_t)m->symbol_count, sizeof *p.needed);
    heed_status status = p.to == NULL || p.symbols == NULL || p.needed == NULL ? HEED_ENOMEM : HEED_OK;
    if (status == HEED_OK)
        status = take_part(&p, inputs, input_count, outputs, output_count);
    heed_release(m->context, p.symbols);
    heed_release(m->context, p.needed);
    if (status == HEED_OK)
        p.to->seed = m->seed;
    else
        heed_model_free(p.to);
    if (status == HEED_OK)
        *out = p.to;
    return status;
}
