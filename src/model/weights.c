/* A model's weights: their order, their names, their first numbers. */
#include "model/model.h"

#include <string.h>

/* While weights are listed. */
typedef struct listing {
    heed_model *model;
    heed_zone   scratch;
    heed_index  listed; /* variables */
} listing;

static heed_status add_weight(listing *l, heed_variable *variable, const char *path)
{
    heed_model *m = l->model;
    if (heed_index_find_address(&l->listed, variable) != NULL)
        return HEED_OK;
    HEED_TRY(heed_index_put_address(&l->listed, &l->scratch, variable, variable));
    void *weights = m->weights;
    heed_status status = heed_grow(m->context, &weights, &m->weight_capacity, m->weight_count, sizeof *m->weights);
    m->weights = weights;
    HEED_TRY(status);
    path = heed_zone_printf(&m->zone, "%s/%s", path, variable->name);
    if (path == NULL)
        return HEED_ENOMEM;
    m->weights[m->weight_count++] = (heed_weight){.variable = variable, .path = path};
    return HEED_OK;
}

/* Keras' order: a layer's own weights, then those of the layers in it. */
static heed_status list_weights(listing *l, const heed_layer *layer, const char *path)
{
    for (size_t i = 0; i < layer->variable_count; i++)
        HEED_TRY(add_weight(l, layer->variables[i], path));
    for (size_t i = 0; i < layer->child_count; i++) {
        const heed_layer *child = layer->children[i].layer;
        const char *name = child->name == NULL ? layer->children[i].attribute : child->name;
        const char *below = path[0] == '\0' ? name : heed_zone_printf(&l->scratch, "%s/%s", path, name);
        if (below == NULL)
            return HEED_ENOMEM;
        HEED_TRY(list_weights(l, child, below));
    }
    return HEED_OK;
}

heed_status heed_model_collect_weights(heed_model *m)
{
    listing l = {.model = m};
    heed_zone_init(&l.scratch, m->context);
    heed_status status = list_weights(&l, m->layer, "");
    heed_zone_free(&l.scratch);
    return status;
}

heed_status heed_set_trainable(heed_model *m, heed_layer *layer, bool trainable)
{
    HEED_TRY(heed_model_complete(m));
    heed_layer_set_trainable(layer == NULL ? m->layer : layer, trainable);
    return HEED_OK;
}

heed_status heed_model_owns_weights(const heed_model *m)
{
    return m->shares ? heed_fail(m->context, HEED_ESTATE, "%s: its weights are another model's (heed_share_model)",
                                 heed_model_name(m))
                     : HEED_OK;
}

/* ---- asking */

int            heed_weight_count(const heed_model *m) { return (int)m->weight_count; }
heed_variable *heed_weight_at(const heed_model *m, int index)
{
    return index >= 0 && (size_t)index < m->weight_count ? m->weights[index].variable : NULL;
}
const char *heed_weight_path(const heed_model *m, int index)
{
    return index >= 0 && (size_t)index < m->weight_count ? m->weights[index].path : NULL;
}

int64_t heed_parameter_count(const heed_model *m, bool trainable_only)
{
    int64_t count = 0;
    for (size_t i = 0; i < m->weight_count; i++)
        count += !trainable_only || m->weights[i].variable->trainable ? m->weights[i].variable->count : 0;
    return count;
}

/* ---- numbers */

void heed_set_seed(heed_model *m, uint64_t seed)
{
    if (m != NULL)
        m->seed = seed;
}

uint64_t heed_seed(const heed_model *m) { return m == NULL ? 0 : m->seed; }

heed_status heed_build(heed_model *m)
{
    HEED_TRY(heed_model_complete(m));
    for (size_t i = 0; i < m->weight_count; i++) {
        heed_variable *v = m->weights[i].variable;
        if (v->drawn)
            continue;
        HEED_TRY(heed_variable_initialize(m->context, v, m->seed, i));
        v->drawn = true;
    }
    return HEED_OK;
}

heed_status heed_build_for(heed_model *m, const heed_shape *inputs, const heed_dtype *dtypes, int count)
{
    HEED_TRY(heed_model_status(m));
    if (!m->closed && m->sequential && count == 1)
        HEED_TRY(heed_model_chain(m, dtypes[0], &inputs[0]));
    return heed_build(m);
}

static heed_status set_weight(heed_model *m, heed_weight *w, const heed_array *value)
{
    heed_variable *v = w->variable;
    char expected[128], found[128];
    if (!heed_shape_equal(&v->shape, &value->shape))
        return heed_fail(m->context, HEED_ESHAPE, "%s: the shape does not fit (expected %s, found %s)", w->path,
                         heed_shape_text(&v->shape, expected, sizeof expected),
                         heed_shape_text(&value->shape, found, sizeof found));
    HEED_TRY(heed_variable_claim(v));
    if (value->dtype == HEED_FLOAT32) {
        memcpy(v->data, value->data, (size_t)v->count * sizeof *v->data);
    } else {
        heed_array *floats = NULL;
        HEED_TRY(heed_array_convert(m->context, value, HEED_FLOAT32, &floats));
        memcpy(v->data, floats->data, (size_t)v->count * sizeof *v->data);
        heed_array_free(m->context, floats);
    }
    v->drawn = true;
    return HEED_OK;
}

heed_status heed_set_weights(heed_model *m, const heed_array *values, int count)
{
    HEED_TRY(heed_model_complete(m));
    HEED_TRY(heed_model_owns_weights(m));
    if (count != heed_weight_count(m))
        return heed_fail(m->context, HEED_EINVAL, "%s: the number of weights does not fit (expected %d, found %d)",
                         heed_model_name(m), heed_weight_count(m), count);
    for (int i = 0; i < count; i++)
        HEED_TRY(set_weight(m, &m->weights[i], &values[i]));
    return HEED_OK;
}
