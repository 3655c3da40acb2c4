/* Calls of layers: what is checked before and after, and what a pass collects on the way. */
#include "layers/layer.h"

#include "layers/object.h"
#include "layers/regularizers.h"

#include <string.h>

heed_pass *heed_call_pass(const heed_call *call)
{
    const heed_call_arguments *a = call->arguments;
    return a == NULL ? NULL : a->pass;
}

bool heed_call_mask_given(const heed_call *call)
{
    const heed_call_arguments *a = call->arguments;
    return a != NULL && a->mask_given;
}

/* ---- what a layer leaves with the pass ---- */

static void remember_failure(heed_call *call, heed_status status)
{
    if (call->graph->status == HEED_OK)
        call->graph->status = status;
}

#define GROW(call, list, count, capacity)                                                                              \
    do {                                                                                                               \
        void *items = list;                                                                                            \
        heed_status status = heed_grow((call)->graph->context, &items, &(capacity), count, sizeof *(list));            \
        list = items;                                                                                                  \
        if (status != HEED_OK) {                                                                                       \
            remember_failure(call, status);                                                                            \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

void heed_call_add_loss(heed_call *call, heed_tensor *loss)
{
    heed_pass *pass = heed_call_pass(call);
    if (pass == NULL || loss == NULL)
        return;
    GROW(call, pass->losses, pass->loss_count, pass->loss_capacity);
    pass->losses[pass->loss_count++] = loss;
}

static struct heed_update *find_update(const heed_pass *pass, const heed_variable *variable)
{
    const size_t *at = pass == NULL ? NULL : heed_index_find_address(&pass->updated, variable);
    return at == NULL ? NULL : &pass->updates[*at];
}

/* Notes where the update that is appended next stands. */
static heed_status note_update(heed_pass *pass, const heed_variable *variable)
{
    heed_zone *z = &pass->graph->zone;
    size_t *at = heed_zone_alloc(z, 1, sizeof *at);
    if (at == NULL)
        return HEED_ENOMEM;
    *at = pass->update_count;
    return heed_index_put_address(&pass->updated, z, variable, at);
}

heed_tensor *heed_call_value(const heed_call *call, heed_variable *variable)
{
    const struct heed_update *update = find_update(heed_call_pass(call), variable);
    return update != NULL ? update->value : heed_graph_variable(call->graph, variable);
}

void heed_call_update(heed_call *call, heed_variable *variable, heed_tensor *value)
{
    heed_pass *pass = heed_call_pass(call);
    if (pass == NULL || variable == NULL || value == NULL)
        return;
    struct heed_update *earlier = find_update(pass, variable);
    if (earlier != NULL) {
        earlier->value = value;
        return;
    }
    GROW(call, pass->updates, pass->update_count, pass->update_capacity);
    if (note_update(pass, variable) != HEED_OK) {
        remember_failure(call, HEED_ENOMEM);
        return;
    }
    pass->updates[pass->update_count++] = (struct heed_update){variable, value};
}

bool heed_call_wants_attention(const heed_call *call)
{
    const heed_pass *pass = heed_call_pass(call);
    return pass != NULL && pass->wants_attention;
}

static bool is_published(const heed_pass *pass, const char *name)
{
    for (size_t i = 0; i < pass->attention_count; i++)
        if (strcmp(pass->attention[i].name, name) == 0)
            return true;
    return false;
}

/* The layer's name, of one without its class's, or with a number behind it the first that is free; NULL when there is
 * no memory. */
static const char *name_for(const heed_pass *pass, const heed_layer *layer)
{
    char of_class[128];
    const char *own = heed_layer_name(layer);
    if (own == NULL)
        own = heed_snake_case(heed_layer_class_of(layer)->name, of_class, sizeof of_class);
    const char *name = heed_zone_strdup(&pass->graph->zone, own);
    for (int i = 1; name != NULL && is_published(pass, name); i++)
        name = heed_zone_printf(&pass->graph->zone, "%s_%d", own, i);
    return name;
}

void heed_call_publish(heed_call *call, const heed_layer *layer, heed_tensor *weights)
{
    heed_pass *pass = heed_call_pass(call);
    if (!heed_call_wants_attention(call) || weights == NULL)
        return;
    GROW(call, pass->attention, pass->attention_count, pass->attention_capacity);
    const char *name = name_for(pass, layer);
    if (name == NULL)
        remember_failure(call, HEED_ENOMEM);
    else
        pass->attention[pass->attention_count++] = (struct heed_published){name, weights};
}

double heed_call_argument(const heed_call *call, const char *name, double otherwise)
{
    const heed_call_arguments *a = call->arguments;
    const heed_value *v = a == NULL ? NULL : heed_value_find(a->keywords, name);
    if (heed_value_is(v, HEED_VALUE_BOOL))
        return v->boolean;
    if (heed_value_is(v, HEED_VALUE_INT))
        return (double)v->integer;
    return heed_value_is(v, HEED_VALUE_REAL) ? v->real : otherwise;
}

/* ---- calling ---- */

/* Builds a layer that is met for the first time; of what batch size it is then does not matter. */
static heed_status build_for(heed_layer *layer, const heed_call *call)
{
    if (layer->built)
        return HEED_OK;
    heed_shape *shapes = heed_alloc(layer->context, (size_t)call->input_count, sizeof *shapes);
    if (shapes == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < call->input_count; i++) {
        shapes[i] = call->inputs[i]->shape;
        if (shapes[i].rank > 0)
            shapes[i].dims[0] = HEED_ANY;
    }
    heed_status status = heed_layer_build(layer, shapes, call->input_count);
    heed_release(layer->context, shapes);
    return status;
}

static heed_status check_inputs(heed_layer *layer, const heed_call *call)
{
    HEED_TRY(heed_layer_check_count(layer, call->input_count));
    for (int i = 0; i < call->input_count; i++)
        if (call->inputs[i] == NULL)
            return heed_graph_status(call->graph) != HEED_OK
                       ? heed_graph_status(call->graph)
                       : heed_layer_fail(layer, HEED_EINVAL, "input %d is missing", i + 1);
    return HEED_OK;
}

/* A mask has the first dimensions of its input, or, of lengths, the batch alone. */
static heed_status check_masks(heed_layer *layer, const heed_call *call)
{
    for (int i = 0; i < call->input_count; i++) {
        const heed_tensor *mask = call->masks[i];
        if (mask == NULL)
            continue;
        heed_shape expected = call->inputs[i]->shape;
        int rank = mask->dtype == HEED_INT32 ? 1 : mask->shape.rank < 2 ? 2 : mask->shape.rank;
        expected.rank = rank < expected.rank ? rank : expected.rank;
        char wanted[128], found[128];
        if (!heed_shape_equal(&mask->shape, &expected))
            return heed_layer_fail(layer, HEED_ESHAPE, "the mask of input %d does not fit (expected %s, found %s)", i + 1,
                                   heed_shape_text(&expected, wanted, sizeof wanted),
                                   heed_shape_text(&mask->shape, found, sizeof found));
    }
    return HEED_OK;
}

static heed_status check_outputs(heed_layer *layer, const heed_call *call)
{
    if (call->output_count < 1 || call->output_count > HEED_MAX_OUTPUTS)
        return heed_layer_fail(layer, HEED_EINVAL,
                               "it gives an impossible number of outputs (expected 1 to %d, found %d)",
                               HEED_MAX_OUTPUTS, call->output_count);
    for (int i = 0; i < call->output_count; i++)
        if (call->outputs[i] == NULL)
            return heed_layer_fail(layer, HEED_EINVAL, "its call leaves output %d unset", i + 1);
    return HEED_OK;
}

/* Before 3.14 and 2.2.4-tf Keras added the penalties of a batch up. */
void heed_call_penalize(heed_call *call, const heed_tensor *x, heed_tensor *penalty)
{
    int keras = call->graph->keras;
    bool adds_up = heed_keras_within(keras, 1, 204) || heed_keras_within(keras, 300, 314);
    int64_t batch = heed_tensor_dim(x, 0);
    float share = adds_up ? 1.0f : batch > 0 ? 1.0f / (float)batch : 0.0f;
    heed_call_add_loss(call, heed_op_scale(penalty, share, 0.0f));
}

/* The penalty of an activity_regularizer, which any class may have among its options. */
static heed_status penalize_activity(heed_layer *layer, heed_call *call)
{
    heed_option_table t = HEED_TABLE_OF(layer->layer_class);
    const heed_option *o = heed_options_find(t, "activity_regularizer");
    const char *expression = o == NULL ? NULL : *(const char **)((char *)layer->config + o->offset);
    if (expression == NULL)
        return HEED_OK;
    heed_object *regularizer;
    HEED_TRY(heed_object_parse(&call->graph->zone, &heed_regularizers, expression, &regularizer));
    for (int i = 0; i < call->output_count; i++)
        heed_call_penalize(call, call->outputs[i], heed_penalty(call->outputs[i], regularizer));
    return HEED_OK;
}

/* Keras' layers whose mask went no further in some versions: from `first` on, before `end`. */
static const struct {
    const char *class_name;
    int         first, end;
} ends_of_mask[] = {
    {"Identity", 1, 300}, {"Normalization", 1, 300}, {"Rescaling", 1, 300},
    {"ReLU", 204, 206},   {"MultiHeadAttention", 204, 210},
};

static bool hands_on_mask(const heed_layer *layer, int keras)
{
    const heed_layer_class *class = layer->layer_class;
    bool hands_on = class->passes_mask;
    for (size_t i = 0; i < sizeof ends_of_mask / sizeof *ends_of_mask && strcmp(class->collection, "keras") == 0; i++)
        if (strcmp(class->name, ends_of_mask[i].class_name) == 0)
            hands_on = hands_on && !heed_keras_within(keras, ends_of_mask[i].first, ends_of_mask[i].end);
    return hands_on;
}

static heed_status run_call(heed_layer *layer, heed_call *call)
{
    if (++call->graph->calls > HEED_MAX_CALLS)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "models within models call layers more than %d times",
                               HEED_MAX_CALLS);
    HEED_TRY(check_inputs(layer, call));
    HEED_TRY(check_masks(layer, call));
    HEED_TRY(build_for(layer, call));
    HEED_TRY(layer->layer_class->call(layer, call));
    HEED_TRY(heed_graph_status(call->graph));
    HEED_TRY(check_outputs(layer, call));
    if (call->output_masks[0] == NULL && call->input_count > 0 && hands_on_mask(layer, call->graph->keras))
        call->output_masks[0] = call->masks[0];
    HEED_TRY(penalize_activity(layer, call));
    return heed_graph_status(call->graph);
}

heed_status heed_layer_call(heed_layer *layer, heed_call *call)
{
    heed_status status = heed_graph_status(call->graph);
    if (status != HEED_OK) /* explained already, and not by this layer */
        return status;
    call->output_count = 1;
    for (int i = 0; i < HEED_MAX_OUTPUTS; i++)
        call->outputs[i] = call->output_masks[i] = NULL;
    status = run_call(layer, call);
    if (status == HEED_OK)
        return HEED_OK;
    remember_failure(call, status);
    return heed_layer_explain(layer, status);
}

heed_status heed_inner_call(heed_inner *inner, const heed_call *outer, heed_layer *child, heed_tensor *const *inputs,
                            heed_tensor *const *masks, int count, const heed_value *keywords)
{
    static heed_tensor *const no_masks[HEED_MAX_OUTPUTS];
    if (masks == NULL && count > HEED_MAX_OUTPUTS)
        return heed_layer_fail(child, HEED_EINVAL, "too many inputs (expected at most %d, found %d)", HEED_MAX_OUTPUTS,
                               count);
    inner->arguments = (heed_call_arguments){heed_call_pass(outer), keywords, heed_call_mask_given(outer)};
    inner->call = (heed_call){.graph = outer->graph, .training = outer->training, .input_count = count,
                              .inputs = inputs,
                              .masks = masks == NULL ? no_masks : masks, .outputs = inner->outputs,
                              .output_masks = inner->output_masks, .arguments = &inner->arguments};
    return heed_layer_call(child, &inner->call);
}
