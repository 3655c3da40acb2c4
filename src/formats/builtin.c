/* Models of Keras' layers alone: the same wiring, with something equal in the place of each layer of a collection. */
#include "formats/builtin.h"

#include "formats/keras_config.h"
#include "heed/files.h"

#include <string.h>

/* Who knows an equal; NULL: nobody, for this reason. */
static const struct row {
    const heed_layer_class *class;
    heed_builtin_function  *write;
    const char             *why;
} rows[] = {
    {&heed_seq_self_attention_class, heed_builtin_seq_self_attention, NULL},
    {&heed_seq_weighted_attention_class, heed_builtin_seq_weighted_attention, NULL},
    {&heed_self_attention_scaled_dot_product_class, heed_builtin_scaled_dot_product, NULL},
    {&heed_residual_scaled_dot_product_attention_class, heed_builtin_residual_scaled_dot_product, NULL},
    {&heed_multi_head_class, heed_builtin_multi_head, NULL},
    {&heed_multi_head_multi_head_attention_class, heed_builtin_multi_head_attention, NULL},
    {&heed_attention_layer_class, heed_builtin_attention_layer, NULL},
    {&heed_layer_collection_scaled_dot_product_class, heed_builtin_collection_scaled_dot_product, NULL},
    {&heed_layer_collection_layer_normalization_class, heed_builtin_collection_layer_normalization, NULL},
    {&heed_sequence_attention_class, heed_builtin_sequence_attention, NULL},
    {&heed_attention_rnn_wrapper_class, heed_builtin_attention_rnn, NULL},
    {&heed_external_attention_rnn_wrapper_class, heed_builtin_attention_rnn, NULL},
    {&heed_discrete_resize2d_class, heed_builtin_discrete_resize2d, NULL},
    {&heed_resize2d_class, heed_builtin_resize2d, NULL},
    {&heed_attention_decoder_class, NULL, "each step is fed with what the step before gave and attended to"},
    {&heed_luong_attention_cell_class, NULL, "each step is fed with what the step before attended to"},
};

static heed_status refuse(heed_layer *layer, const char *why)
{
    heed_status status = heed_layer_fail(layer, HEED_EUNSUPPORTED, "no layers of Keras equal it%s%s",
                                         why == NULL ? "" : ": ", why == NULL ? "" : why);
    heed_hint(layer->context, "leave out --builtin (config.builtin) to write it as the collection's own");
    return status;
}

heed_status heed_builtin_refuse(const heed_builtin *b, const char *why) { return refuse(b->layer, why); }

static bool is_of_keras(const heed_layer *layer)
{
    const char *collection = layer->layer_class->collection;
    return strcmp(collection, "keras") == 0 || strcmp(collection, "keras.ops") == 0;
}

/* Whether the layer and all in it are of Keras. */
static bool is_pure(const heed_layer *layer)
{
    if (!is_of_keras(layer))
        return false;
    for (size_t i = 0; i < layer->child_count; i++)
        if (!is_pure(layer->children[i].layer))
            return false;
    return true;
}

/* ---- one layer of a collection ---- */

static heed_status open_inputs(heed_builtin *b, const heed_builtin_call *call)
{
    for (int i = 0; i < b->input_count; i++) {
        heed_layer *input = NULL;
        HEED_TRY(heed_input_layer_create(b->model->context, NULL, call->dtypes[i], &call->shapes[i], &input));
        b->inputs[i] = heed_wire_input(b->model, input);
        heed_layer_release(input);
        HEED_TRY(heed_model_status(b->model));
    }
    return HEED_OK;
}

static heed_status write_equal(heed_builtin *b, const struct row *row)
{
    heed_status status = row->write(b);
    if (status == HEED_OK)
        status = heed_outputs_list(b->model, b->outputs, b->output_count);
    if (status == HEED_OK && !b->layer->trainable)
        heed_layer_set_trainable(b->model->layer, false);
    return status;
}

static const struct row *find_row(const heed_layer_class *class)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].class == class)
            return &rows[i];
    return NULL;
}

static heed_status replace(heed_layer *layer, const heed_builtin_call *call, heed_layer **out)
{
    const struct row *row = find_row(layer->layer_class);
    if (row == NULL || row->write == NULL)
        return refuse(layer, row == NULL ? NULL : row->why);
    heed_builtin b = {.layer = layer, .model = heed_functional(layer->context, layer->name), .input_count = call->count,
                      .output_count = 1, .masked = call->masked, .target = call->target};
    heed_status status = heed_model_status(b.model);
    if (status == HEED_OK)
        status = open_inputs(&b, call);
    if (status == HEED_OK)
        status = write_equal(&b, row);
    if (status == HEED_OK)
        heed_layer_retain(*out = heed_model_layer(b.model));
    heed_model_free(b.model);
    return status;
}

/* ---- what has layers in it ---- */

static heed_status rebuild(heed_model *m, heed_builtin_target *target, const bool *masked, heed_model **out);

static heed_status rebuild_inner(heed_layer *layer, const heed_builtin_call *call, heed_layer **out)
{
    heed_model *inner = NULL;
    HEED_TRY(rebuild(heed_layer_model(layer), call->target, call->masked, &inner));
    heed_layer_retain(*out = heed_model_layer(inner));
    heed_model_free(inner);
    return HEED_OK;
}

/* A wrapper around something else: a step of its input, (B, T, ...), goes inside. */
static heed_status rebuild_time_distributed(heed_layer *layer, const heed_builtin_call *call, heed_layer **out)
{
    heed_builtin_call step = *call;
    heed_shape *shape = &step.shapes[0];
    heed_layer *inside;
    shape->rank--;
    memmove(shape->dims + 1, shape->dims + 2, (size_t)(shape->rank - 1) * sizeof *shape->dims);
    HEED_TRY(heed_builtin_layer(layer->children[0].layer, &step, &inside));
    heed_spec spec = heed_time_distributed(heed_shared(inside), .name = layer->name, .trainable = layer->trainable);
    heed_status status = heed_layer_create(layer->context, spec, out);
    heed_layer_release(inside);
    return status;
}

heed_status heed_builtin_layer(heed_layer *layer, const heed_builtin_call *call, heed_layer **out)
{
    *out = layer;
    if (is_pure(layer)) {
        heed_layer_retain(layer);
        return HEED_OK;
    }
    if (!is_of_keras(layer))
        return replace(layer, call, out);
    if (heed_layer_model(layer) != NULL)
        return rebuild_inner(layer, call, out);
    if (layer->layer_class == &heed_time_distributed_class)
        return rebuild_time_distributed(layer, call, out);
    for (size_t i = 0; i < layer->child_count; i++)
        if (!is_pure(layer->children[i].layer))
            return refuse(layer->children[i].layer, "it stands within another layer");
    return refuse(layer, NULL);
}

/* ---- whole models ---- */

/* What a model's layers and symbols become; symbols by index. */
typedef struct copy {
    heed_model   *from, *to;
    heed_zone     zone;
    heed_symbol **symbols;
    bool         *masked; /* whether a mask may ride on it */
    heed_layer  **before, **after;
    size_t        count;
    heed_builtin_target *target;
} copy;

static bool may_be_masked(const copy *k, const heed_wire *w, int input)
{
    return k->masked[w->inputs[input]->index] || (w->masks != NULL && w->masks[input] != NULL);
}

/* Inside of a model that is called with masks, they may ride on whatever hangs on an input that has one. */
static void spread_masks(copy *k, const bool *masked)
{
    const heed_model *m = k->from;
    for (int i = 0; i < m->input_count; i++)
        k->masked[m->inputs[i]->index] = masked != NULL && masked[i];
    for (size_t i = 0; i < m->wires.count; i++) {
        const heed_wire *w = m->wires.items[i];
        bool any = false;
        for (int j = 0; j < w->input_count; j++)
            any |= masked != NULL && may_be_masked(k, w, j);
        for (int j = 0; j < w->output_count; j++)
            k->masked[w->outputs[j]->index] |= any || w->outputs[j]->masked;
    }
}

/* An input may be masked if it is in one of the calls; sizes that differ are not known. */
static void join_call(const copy *k, const heed_wire *w, bool first, heed_builtin_call *call)
{
    for (int j = 0; j < w->input_count; j++) {
        heed_shape shape = w->inputs[j]->shape;
        for (int axis = 0; !first && axis < shape.rank; axis++)
            if (shape.dims[axis] != call->shapes[j].dims[axis])
                shape.dims[axis] = HEED_ANY;
        call->shapes[j] = shape;
        call->dtypes[j] = w->inputs[j]->dtype;
        call->masked[j] |= may_be_masked(k, w, j);
    }
}

static heed_status look_at_calls(const copy *k, heed_layer *layer, heed_builtin_call *call)
{
    *call = (heed_builtin_call){.target = k->target};
    for (size_t i = 0; i < k->from->wires.count; i++) {
        const heed_wire *w = k->from->wires.items[i];
        if (w->layer != layer)
            continue;
        if (call->count != 0 && call->count != w->input_count)
            return refuse(layer, "it is called with different numbers of inputs");
        join_call(k, w, call->count == 0, call);
        call->count = w->input_count;
    }
    return HEED_OK;
}

/* The layer that stands for this one; made when it is met first. It belongs to the copy. */
static heed_status counterpart(copy *k, heed_layer *layer, heed_layer **out)
{
    heed_builtin_call call;
    for (size_t i = 0; i < k->count; i++)
        if (k->before[i] == layer) {
            *out = k->after[i];
            return HEED_OK;
        }
    HEED_TRY(look_at_calls(k, layer, &call));
    HEED_TRY(heed_builtin_layer(layer, &call, out));
    k->before[k->count] = layer;
    k->after[k->count++] = *out;
    return HEED_OK;
}

static heed_status take_call(copy *k, const heed_wire *w)
{
    heed_symbol *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS] = {NULL};
    heed_layer *layer;
    HEED_TRY(counterpart(k, w->layer, &layer));
    for (int i = 0; i < w->input_count; i++) {
        inputs[i] = k->symbols[w->inputs[i]->index];
        if (w->masks != NULL && w->masks[i] != NULL)
            masks[i] = k->symbols[w->masks[i]->index];
    }
    const heed_value *keywords = NULL;
    if (w->keywords != NULL && is_of_keras(w->layer)) /* a collection's mean something to it alone */
        keywords = heed_value_copy(&k->to->zone, w->keywords);
    heed_wire *made = heed_wire_layer(k->to, layer, inputs, w->masks == NULL ? NULL : masks, w->input_count, keywords);
    for (int i = 0; made != NULL && i < w->output_count; i++)
        k->symbols[w->outputs[i]->index] = made->outputs[i];
    return heed_model_status(k->to);
}

/* The wiring, call by call, and the layers in their order. */
static heed_status take_wiring(copy *k)
{
    heed_model *m = k->from;
    heed_symbol *outputs[HEED_MAX_OUTPUTS];
    for (int i = 0; i < m->input_count; i++)
        k->symbols[m->inputs[i]->index] = heed_wire_input(k->to, m->inputs[i]->wire->layer);
    for (size_t i = 0; i < m->wires.count; i++)
        if (m->wires.items[i]->input_count > 0)
            HEED_TRY(take_call(k, m->wires.items[i]));
    for (int i = 0; i < m->output_count; i++)
        outputs[i] = k->symbols[m->outputs[i]->index];
    heed_layer **layers = heed_zone_alloc(&k->zone, m->layer->child_count, sizeof *layers);
    if (layers == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < m->layer->child_count; i++) {
        layers[i] = m->layer->children[i].layer;
        if (!heed_is_input_layer(layers[i]))
            HEED_TRY(counterpart(k, layers[i], &layers[i]));
    }
    return heed_model_close(k->to, outputs, m->output_count, layers, m->layer->child_count);
}

static heed_status start_copy(copy *k, const bool *masked)
{
    heed_model *m = k->from;
    k->to = (m->sequential ? heed_sequential : heed_functional)(m->context, heed_model_name(m));
    k->symbols = heed_zone_alloc(&k->zone, (size_t)m->symbol_count, sizeof *k->symbols);
    k->masked = heed_zone_alloc(&k->zone, (size_t)m->symbol_count, sizeof *k->masked);
    k->before = heed_zone_alloc(&k->zone, m->layer->child_count, sizeof *k->before);
    k->after = heed_zone_alloc(&k->zone, m->layer->child_count, sizeof *k->after);
    if (k->to == NULL || k->symbols == NULL || k->masked == NULL || k->before == NULL || k->after == NULL)
        return HEED_ENOMEM;
    k->to->seed = m->seed;
    k->to->layer->trainable = m->layer->trainable;
    spread_masks(k, masked);
    return HEED_OK;
}

static heed_status rebuild(heed_model *m, heed_builtin_target *target, const bool *masked, heed_model **out)
{
    copy k = {.from = m, .target = target};
    heed_zone_init(&k.zone, m->context);
    heed_status status = start_copy(&k, masked);
    if (status == HEED_OK)
        status = take_wiring(&k);
    for (size_t i = 0; i < k.count; i++)
        heed_layer_release(k.after[i]);
    heed_zone_free(&k.zone);
    if (status == HEED_OK)
        *out = k.to;
    else
        heed_model_free(k.to);
    return status;
}

/* ---- what stands beside the wiring ---- */

static heed_status copy_training(heed_builtin_target *target, heed_model *from, heed_model *to)
{
    heed_json *compile;
    if (!heed_is_compiled(from))
        return HEED_OK;
    HEED_TRY(heed_keras_write_compile(&target->zone, from, &compile));
    HEED_TRY(heed_keras_read_compile(to, compile));
    return heed_builtin_move_state(target, from, to);
}

static heed_status rebuild_whole(heed_builtin_target *target, heed_model *m, heed_model **out)
{
    HEED_TRY(rebuild(m, target, NULL, out));
    HEED_TRY(heed_build(*out));
    HEED_TRY(copy_training(target, m, *out));
    for (size_t i = 0; i < m->asset_count; i++)
        HEED_TRY(heed_set_asset(*out, m->assets[i].name, m->assets[i].bytes, m->assets[i].size));
    return HEED_OK;
}

heed_status heed_builtin_model(heed_model *m, int keras, heed_model **out)
{
    heed_builtin_target target = {.keras = keras};
    heed_model *made = NULL;
    *out = NULL;
    HEED_TRY(heed_build(m));
    heed_zone_init(&target.zone, m->context);
    heed_status status = rebuild_whole(&target, m, &made);
    heed_zone_free(&target.zone);
    if (status == HEED_OK)
        *out = made;
    else
        heed_model_free(made);
    return status;
}
