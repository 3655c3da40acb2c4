/* The wiring of a model, for those who look at it from outside. */
#include "model/model.h"

static const heed_wire *wire_at(const heed_model *m, int call)
{
    return m != NULL && m->closed && call >= 0 && (size_t)call < m->wires.count ? m->wires.items[call] : NULL;
}

int heed_model_call_count(const heed_model *m) { return m != NULL && m->closed ? (int)m->wires.count : 0; }

heed_layer *heed_model_call_layer(const heed_model *m, int call)
{
    const heed_wire *w = wire_at(m, call);
    return w == NULL ? NULL : w->layer;
}

int heed_model_call_input_count(const heed_model *m, int call)
{
    const heed_wire *w = wire_at(m, call);
    return w == NULL ? 0 : w->input_count;
}

int heed_model_call_output_count(const heed_model *m, int call)
{
    const heed_wire *w = wire_at(m, call);
    return w == NULL ? 0 : w->output_count;
}

const heed_symbol *heed_model_call_input(const heed_model *m, int call, int input)
{
    const heed_wire *w = wire_at(m, call);
    return w == NULL || input < 0 || input >= w->input_count ? NULL : w->inputs[input];
}

const heed_symbol *heed_model_call_output(const heed_model *m, int call, int output)
{
    const heed_wire *w = wire_at(m, call);
    return w == NULL || output < 0 || output >= w->output_count ? NULL : w->outputs[output];
}

int heed_symbol_call(const heed_symbol *s)
{
    const heed_model *m = s == NULL ? NULL : s->model;
    for (int i = 0; i < heed_model_call_count(m); i++)
        if (m->wires.items[i] == s->wire)
            return i;
    return -1;
}
