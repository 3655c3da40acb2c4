/* A model's life: made, filled, closed, freed. A model is a layer too, whose children are its layers. */
#include "model/model.h"

#include <stdio.h>
#include <string.h>

/* ---- the model as a layer */

#define MODEL_OPTIONS(X, C) HEED_LAYER_OPTIONS(X, C)

typedef struct model_config {
    MODEL_OPTIONS(HEED_OPTION_FIELD, )
} model_config;

static heed_status model_layer_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    heed_model *m = layer->state;
    HEED_TRY(heed_model_status(m));
    if (m->closed)
        return HEED_OK;
    if (!m->sequential || count != 1)
        return heed_layer_fail(layer, HEED_ESTATE, "the model is not complete");
    return heed_model_chain(m, HEED_FLOAT32, &inputs[0]);
}

static heed_status model_layer_call(heed_layer *layer, heed_call *call)
{
    heed_model *m = layer->state;
    if (call->input_count != m->input_count)
        return heed_layer_fail(layer, HEED_EINVAL, "the number of inputs does not fit (expected %d, found %d)",
                               m->input_count, call->input_count);
    return heed_model_trace(m, call);
}

void heed_model_close_probes(heed_model *m)
{
    for (int p = 0; p < HEED_PROBES; p++) {
        heed_pass_free(&m->passes[p]);
        heed_graph_free(m->probes[p]);
        m->probes[p] = NULL;
    }
}

static void model_layer_free(heed_layer *layer)
{
    heed_model *m = layer->state;
    if (m == NULL)
        return;
    heed_context *c = m->context;
    heed_cache_free(m);
    heed_training_free(m);
    heed_model_close_probes(m);
    for (size_t i = 0; i < m->stack_count; i++)
        heed_layer_release(m->stack[i]);
    for (size_t i = 0; i < m->made_count; i++)
        heed_layer_release(m->made[i]->layer);
    for (size_t i = 0; i < m->asset_count; i++) {
        heed_release(c, m->assets[i].name);
        heed_release(c, m->assets[i].bytes);
    }
    heed_release(c, m->stack);
    heed_release(c, m->made);
    heed_release(c, m->assets);
    heed_release(c, m->wires.items);
    heed_release(c, m->weights);
    heed_release(c, m->error);
    heed_release(c, m->hint);
    heed_zone_free(&m->zone);
    heed_release(c, m);
    layer->state = NULL;
}

#define MODEL_CLASS(title)                                                                                             \
    {                                                                                                                  \
        .name = title, .collection = "keras", HEED_CLASS_OPTIONS(model_config, MODEL_OPTIONS), .min_inputs = 1,        \
        .build = model_layer_build, .call = model_layer_call, .free = model_layer_free                                 \
    }

const heed_layer_class heed_functional_class = MODEL_CLASS("Functional");
const heed_layer_class heed_sequential_class = MODEL_CLASS("Sequential");

heed_model *heed_layer_model(const heed_layer *layer)
{
    bool is_model = layer->layer_class == &heed_functional_class || layer->layer_class == &heed_sequential_class;
    return is_model ? layer->state : NULL;
}

static heed_model *new_model(heed_context *c, const char *name, bool sequential)
{
    heed_model *m = heed_alloc(c, 1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->context = c;
    m->sequential = sequential;
    heed_zone_init(&m->zone, c);
    model_config config = {.name = name != NULL ? name : sequential ? "sequential" : "functional", .trainable = true};
    heed_spec spec = {sequential ? &heed_sequential_class : &heed_functional_class, &config};
    if (heed_layer_create(c, spec, &m->layer) != HEED_OK) {
        heed_zone_free(&m->zone);
        heed_release(c, m);
        return NULL;
    }
    m->layer->state = m;
    return m;
}

heed_model *heed_sequential(heed_context *c, const char *name) { return new_model(c, name, true); }
heed_model *heed_functional(heed_context *c, const char *name) { return new_model(c, name, false); }

void heed_model_free(heed_model *m)
{
    if (m != NULL)
        heed_layer_release(m->layer);
}

heed_layer   *heed_model_layer(heed_model *m) { return m == NULL ? NULL : m->layer; }
heed_context *heed_model_context(const heed_model *m) { return m->context; }
const char   *heed_model_name(const heed_model *m) { return heed_layer_name(m->layer); }
bool          heed_model_is_sequential(const heed_model *m) { return m->sequential; }

/* ---- mistakes */

heed_status heed_model_remember(heed_model *m, heed_status status)
{
    if (status == HEED_OK || m->status != HEED_OK)
        return m->status;
    m->status = status;
    m->error = heed_strdup(m->context, heed_error(m->context));
    m->hint = heed_strdup(m->context, heed_error_hint(m->context));
    return status;
}

heed_status heed_model_status(heed_model *m)
{
    if (m == NULL)
        return HEED_ENOMEM;
    if (m->status != HEED_OK && m->error != NULL) {
        heed_fail(m->context, m->status, "%s", m->error);
        if (m->hint != NULL && m->hint[0] != '\0')
            heed_hint(m->context, "%s", m->hint);
    }
    return m->status;
}

/* ---- layers by name */

heed_made *heed_model_made(const heed_model *m, const heed_layer *layer)
{
    heed_made *made = layer->name == NULL ? NULL : heed_index_find_text(&m->names, layer->name);
    return made != NULL && made->layer == layer ? made : NULL;
}

/* The number last tried behind a kind of name, -1 before the first. */
static int *last_number(heed_model *m, const char *base)
{
    int *number = heed_index_find_text(&m->numbers, base);
    if (number != NULL || (number = heed_zone_alloc(&m->zone, 1, sizeof *number)) == NULL)
        return number;
    *number = -1;
    return heed_index_put_text(&m->numbers, &m->zone, base, number) == HEED_OK ? number : NULL;
}

/* The first that is free of dense, dense_1, dense_2...: none becomes free again. */
static heed_status give_name(heed_model *m, heed_layer *layer)
{
    char base[96], name[112];
    int *number = last_number(m, heed_snake_case(layer->layer_class->name, base, sizeof base));
    if (number == NULL)
        return HEED_ENOMEM;
    do {
        if (++*number == 0)
            snprintf(name, sizeof name, "%s", base);
        else
            snprintf(name, sizeof name, "%s_%d", base, *number);
    } while (heed_index_find_text(&m->names, name) != NULL);
    return heed_layer_set_name(layer, name);
}

heed_status heed_model_adopt(heed_model *m, heed_layer *layer)
{
    if (heed_model_made(m, layer) != NULL)
        return HEED_OK;
    if (layer == m->layer)
        return heed_layer_fail(layer, HEED_EINVAL, "a model cannot be a layer of itself");
    if (layer->name == NULL)
        HEED_TRY(give_name(m, layer));
    else if (heed_index_find_text(&m->names, layer->name) != NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "%s has another layer of this name", heed_model_name(m));
    heed_made *made = heed_zone_alloc(&m->zone, 1, sizeof *made);
    if (made == NULL)
        return HEED_ENOMEM;
    *made = (heed_made){.layer = layer};
    void *all = m->made;
    heed_status status = heed_grow(m->context, &all, &m->made_capacity, m->made_count, sizeof *m->made);
    m->made = all;
    HEED_TRY(status);
    HEED_TRY(heed_index_put_text(&m->names, &m->zone, layer->name, made));
    heed_layer_retain(layer);
    m->made[m->made_count++] = made;
    return HEED_OK;
}

heed_layer *heed_make(heed_model *m, heed_spec spec)
{
    heed_layer *layer = NULL;
    if (m == NULL || m->status != HEED_OK)
        return NULL;
    heed_status status = heed_layer_create(m->context, spec, &layer);
    if (status == HEED_OK)
        status = heed_model_adopt(m, layer);
    heed_layer_release(layer); /* the model holds it now, if all went well */
    return heed_model_remember(m, status) == HEED_OK ? layer : NULL;
}

/* ---- closing */

static heed_status add_child(heed_model *m, heed_layer *layer)
{
    heed_layer *self = m->layer;
    void *children = self->children;
    heed_status status =
        heed_grow(m->context, &children, &self->child_capacity, self->child_count, sizeof *self->children);
    self->children = children;
    HEED_TRY(status);
    heed_layer_retain(layer);
    self->children[self->child_count].attribute = "layers";
    self->children[self->child_count++].layer = layer;
    return HEED_OK;
}

/* Whether an output's layer is called so, or an earlier output. */
static bool is_taken(const heed_model *m, int before, const char *name)
{
    for (int k = 0; k < m->output_count; k++)
        if (strcmp(m->outputs[k]->wire->layer->name, name) == 0 || (k < before && strcmp(m->output_names[k], name) == 0))
            return true;
    return false;
}

/* Outputs are named by their layer; where a layer gives several, or two outputs come from it, the later ones are
 * numbered. */
static heed_status name_outputs(heed_model *m)
{
    m->output_names = heed_zone_alloc(&m->zone, (size_t)m->output_count, sizeof *m->output_names);
    if (m->output_names == NULL)
        return HEED_ENOMEM;
    for (int k = 0; k < m->output_count; k++) {
        int number = 0;
        for (int j = 0; j < k; j++)
            number += m->outputs[j]->wire->layer == m->outputs[k]->wire->layer;
        const char *own = m->outputs[k]->wire->layer->name, *name = own;
        while (number > 0 && name != NULL && is_taken(m, k, name))
            name = heed_zone_printf(&m->zone, "%s_%d", own, number++);
        m->output_names[k] = name == NULL ? NULL : heed_zone_strdup(&m->zone, name);
        if (m->output_names[k] == NULL)
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

/* Whether the outputs need a layer. */
static bool is_needed(const heed_model *m, const heed_layer *layer)
{
    const heed_made *made = heed_model_made(m, layer);
    return made != NULL && made->met != 0;
}

static heed_status close_wiring(heed_model *m, heed_symbol *const *outputs, int count, heed_layer *const *layers,
                                size_t layer_count)
{
    if (m->closed)
        return heed_fail(m->context, HEED_ESTATE, "%s: the outputs are set already", heed_model_name(m));
    if (count < 1 || count > HEED_MAX_OUTPUTS)
        return heed_fail(m->context, HEED_EINVAL,
                         "%s: the number of outputs is out of range (expected 1 to %d, found %d)", heed_model_name(m),
                         HEED_MAX_OUTPUTS, count);
    for (int k = 0; k < count; k++)
        if (outputs[k] == NULL || outputs[k]->model != m)
            return heed_fail(m->context, HEED_EINVAL, "%s: output %d is %s", heed_model_name(m), k + 1,
                             outputs[k] == NULL ? "missing" : "of another model");
    m->outputs = heed_zone_alloc(&m->zone, (size_t)count, sizeof *m->outputs);
    if (m->outputs == NULL)
        return HEED_ENOMEM;
    memcpy(m->outputs, outputs, (size_t)count * sizeof *outputs);
    m->output_count = count;
    heed_order order;
    heed_wires wires = m->wires;
    heed_ends ends = {m->inputs, m->outputs, m->input_count, m->output_count};
    HEED_TRY(heed_order_wires(&m->zone, &ends, &wires, &order));
    m->walked = order.walked;
    m->running = order.running;
    memcpy(m->wires.items, wires.items, wires.count * sizeof *wires.items);
    m->wires.count = wires.count;
    for (size_t i = 0; layers == NULL && i < order.layer_count; i++)
        HEED_TRY(add_child(m, order.layers[i]->layer));
    for (size_t i = 0; layers != NULL && i < layer_count; i++)
        if (is_needed(m, layers[i]))
            HEED_TRY(add_child(m, layers[i]));
    if (!m->layer->trainable)
        heed_layer_set_trainable(m->layer, false);
    HEED_TRY(name_outputs(m));
    HEED_TRY(heed_model_collect_weights(m));
    heed_model_close_probes(m);
    m->layer->built = true;
    m->closed = true;
    return HEED_OK;
}

heed_status heed_model_close(heed_model *m, heed_symbol *const *outputs, int count, heed_layer *const *layers,
                             size_t layer_count)
{
    HEED_TRY(heed_model_status(m));
    return heed_model_remember(m, close_wiring(m, outputs, count, layers, layer_count));
}

heed_status heed_outputs_list(heed_model *m, heed_symbol *const *outputs, int count)
{
    HEED_TRY(heed_model_status(m));
    if (m->sequential)
        return heed_model_remember(m, heed_fail(m->context, HEED_ESTATE, "%s: a sequential model's output is its last "
                                                                         "layer's", heed_model_name(m)));
    return heed_model_close(m, outputs, count, NULL, 0);
}

/* ---- sequential */

void heed_add_layer(heed_model *m, heed_layer *layer)
{
    if (m == NULL || m->status != HEED_OK || layer == NULL)
        return;
    if (heed_is_input_layer(layer) && m->input_count == 0 && m->stack_count == 0) {
        heed_wire_input(m, layer);
        return;
    }
    if (!m->sequential || m->closed) {
        heed_model_remember(m, heed_layer_fail(layer, HEED_ESTATE, "%s takes no further layer", heed_model_name(m)));
        return;
    }
    void *stack = m->stack;
    heed_status status = heed_grow(m->context, &stack, &m->stack_capacity, m->stack_count, sizeof *m->stack);
    m->stack = stack;
    if (status == HEED_OK)
        status = heed_model_adopt(m, layer);
    if (heed_model_remember(m, status) != HEED_OK)
        return;
    heed_layer_retain(layer);
    m->stack[m->stack_count++] = layer;
}

void heed_add(heed_model *m, heed_spec spec)
{
    heed_add_layer(m, heed_make(m, spec));
}

/* Wires the stack behind the input that is there. */
static heed_status chain(heed_model *m)
{
    if (m->stack_count == 0)
        return heed_fail(m->context, HEED_ESTATE, "%s: the model has no layers", heed_model_name(m));
    heed_symbol *x = m->inputs[0];
    for (size_t i = 0; i < m->stack_count; i++) {
        heed_wire *w = heed_wire_layer(m, m->stack[i], &x, NULL, 1, NULL);
        if (w == NULL)
            return m->status;
        x = w->outputs[0];
    }
    heed_layer **layers = heed_zone_alloc(&m->zone, m->stack_count + 1, sizeof *layers);
    if (layers == NULL)
        return HEED_ENOMEM;
    layers[0] = m->inputs[0]->wire->layer;
    memcpy(layers + 1, m->stack, m->stack_count * sizeof *layers);
    return heed_model_close(m, &x, 1, layers, m->stack_count + 1);
}

heed_status heed_model_chain(heed_model *m, heed_dtype dtype, const heed_shape *shape)
{
    if (m->closed)
        return HEED_OK;
    if (m->input_count == 0) {
        heed_layer *layer = NULL;
        HEED_TRY(heed_input_layer_create(m->context, NULL, dtype, shape, &layer));
        heed_wire_input(m, layer);
        heed_layer_release(layer);
        HEED_TRY(heed_model_status(m));
    }
    return heed_model_remember(m, chain(m));
}

/* A sequential model that knows its input is wired as soon as somebody asks. */
heed_status heed_model_complete(heed_model *m)
{
    HEED_TRY(heed_model_status(m));
    if (m->closed)
        return HEED_OK;
    if (m->sequential && m->input_count > 0)
        return heed_model_remember(m, chain(m));
    heed_status status = heed_fail(m->context, HEED_ESTATE, "%s: the model %s", heed_model_name(m),
                                   m->sequential ? "does not know its input's shape yet" : "has no outputs yet");
    heed_hint(m->context, m->sequential ? "declare it with heed_input() before the first heed_add()"
                                        : "name them with heed_outputs()");
    return status;
}
