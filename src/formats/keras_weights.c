#include "formats/keras_weights.h"

#include "formats/keras_operation.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 512 };

/* A walk over all layers as Keras walks, each layer once. */
typedef struct walk {
    heed_model  *model;
    heed_status (*visit)(struct walk *w, heed_layer *layer, const char *path);
    heed_hdf5   *target;       /* writing */
    const heed_hdf5 *source;   /* reading */
    heed_layer **seen;
    size_t       seen_count, seen_capacity;
} walk;

static bool was_seen(const walk *w, const heed_layer *layer)
{
    for (size_t i = 0; i < w->seen_count; i++)
        if (w->seen[i] == layer)
            return true;
    return false;
}

static heed_status remember(walk *w, heed_layer *layer)
{
    void *seen = w->seen;
    heed_status status = heed_grow(w->model->context, &seen, &w->seen_capacity, w->seen_count, sizeof *w->seen);
    w->seen = seen;
    if (status == HEED_OK)
        w->seen[w->seen_count++] = layer;
    return status;
}

static heed_status join(heed_context *c, const char *path, const char *part, char *out)
{
    int length = snprintf(out, PATH_SIZE, path[0] == '\0' ? "%s%s" : "%s/%s", path, part);
    return length >= 0 && length < PATH_SIZE
               ? HEED_OK
               : heed_fail(c, HEED_EUNSUPPORTED, "%s: nested too deeply to be saved", path);
}

static bool is_list(const char *attribute)
{
    return strcmp(attribute, "layers") == 0 || strcmp(attribute, "cells") == 0;
}

/* A sequential model's input layer is not in its list, and operations are in none. */
static bool is_listed(const heed_layer *owner, const heed_layer *child)
{
    if (heed_is_operation(child))
        return false;
    return owner->layer_class != &heed_sequential_class || !heed_is_input_layer(child);
}

/* In a list a layer is called by its class, in snake case, with a number where there are more of that class. */
static heed_status list_name(const heed_layer *owner, size_t index, char *out, size_t size)
{
    const struct heed_child *child = &owner->children[index];
    char name[96];
    int before = 0;
    heed_snake_case(child->layer->layer_class->name, name, sizeof name);
    for (size_t i = 0; i < index; i++) {
        char other[96];
        heed_snake_case(owner->children[i].layer->layer_class->name, other, sizeof other);
        before += strcmp(owner->children[i].attribute, child->attribute) == 0 &&
                  is_listed(owner, owner->children[i].layer) && strcmp(other, name) == 0;
    }
    if (before == 0)
        snprintf(out, size, "%s/%s", child->attribute, name);
    else
        snprintf(out, size, "%s/%s_%d", child->attribute, name, before);
    return HEED_OK;
}

static heed_status walk_layer(walk *w, heed_layer *layer, const char *path)
{
    if (was_seen(w, layer))
        return HEED_OK;
    HEED_TRY(remember(w, layer));
    HEED_TRY(w->visit(w, layer, path));
    for (size_t i = 0; i < layer->child_count; i++) {
        char part[256], below[PATH_SIZE];
        if (!is_listed(layer, layer->children[i].layer))
            continue;
        if (is_list(layer->children[i].attribute))
            HEED_TRY(list_name(layer, i, part, sizeof part));
        else
            snprintf(part, sizeof part, "%s", layer->children[i].attribute);
        HEED_TRY(join(w->model->context, path, part, below));
        HEED_TRY(walk_layer(w, layer->children[i].layer, below));
    }
    return HEED_OK;
}

static heed_status run(walk *w)
{
    heed_status status = walk_layer(w, w->model->layer, "");
    heed_release(w->model->context, w->seen);
    return status;
}

/* ---- writing */

static heed_status put_copy(heed_hdf5 *group, int index, const heed_array *a)
{
    char name[24];
    heed_array *copy;
    snprintf(name, sizeof name, "%d", index);
    HEED_TRY(heed_array_convert(group->zone->context, a, a->dtype, &copy));
    return heed_hdf5_put(group, name, copy);
}

static heed_status write_layer(walk *w, heed_layer *layer, const char *path)
{
    char vars[PATH_SIZE];
    heed_hdf5 *group;
    HEED_TRY(join(w->model->context, path, "vars", vars));
    HEED_TRY(heed_hdf5_group(w->target, vars, &group));
    HEED_TRY(heed_hdf5_set_string(group, "name", layer->name == NULL ? "" : layer->name));
    for (size_t i = 0; i < layer->variable_count; i++) {
        heed_variable *v = layer->variables[i];
        heed_array a = {HEED_FLOAT32, v->shape, v->data};
        HEED_TRY(put_copy(group, (int)i, &a));
    }
    return HEED_OK;
}

heed_status heed_keras_write_weights(heed_model *m, heed_hdf5 *root)
{
    walk w = {.model = m, .visit = write_layer, .target = root};
    return run(&w);
}

heed_status heed_keras_write_optimizer(heed_model *m, heed_hdf5 *root)
{
    heed_hdf5 *group;
    if (!heed_is_compiled(m))
        return HEED_OK;
    HEED_TRY(heed_hdf5_group(root, "optimizer/vars", &group));
    for (int i = 0; i < heed_optimizer_count(m); i++)
        HEED_TRY(put_copy(group, i, heed_optimizer_array(m, i)));
    return HEED_OK;
}

/* ---- reading */

/* Some attributes had a leading underscore in other versions of Keras. */
static const heed_hdf5 *find_group(const walk *w, const char *path)
{
    char other[PATH_SIZE];
    const heed_hdf5 *found = heed_hdf5_find(w->source, path);
    const char *last = strrchr(path, '/');
    if (found != NULL || last == NULL)
        return found;
    if (last[1] == '_')
        snprintf(other, sizeof other, "%.*s/%s", (int)(last - path), path, last + 2);
    else
        snprintf(other, sizeof other, "%.*s/_%s", (int)(last - path), path, last + 1);
    return heed_hdf5_find(w->source, other);
}

static size_t count_arrays(const heed_hdf5 *group)
{
    size_t count = 0;
    for (const heed_hdf5 *n = group == NULL ? NULL : group->first; n != NULL; n = n->next)
        count += n->array != NULL;
    return count;
}

static heed_status take_array(walk *w, heed_variable *v, const heed_hdf5 *group, int index, const char *path)
{
    char name[24], expected[128], found[128];
    heed_context *c = w->model->context;
    snprintf(name, sizeof name, "%d", index);
    const heed_hdf5 *node = heed_hdf5_find(group, name);
    if (node == NULL || node->array == NULL)
        return heed_fail(c, HEED_EFORMAT, "%s/vars/%d: the weight '%s' is missing", path, index, v->name);
    if (!heed_shape_equal(&node->array->shape, &v->shape))
        return heed_fail(c, HEED_ESHAPE,
                         "%s/vars/%d: the shape of the weight '%s' does not fit (expected %s, found %s)", path, index,
                         v->name, heed_shape_text(&v->shape, expected, sizeof expected),
                         heed_shape_text(&node->array->shape, found, sizeof found));
    heed_array *floats;
    HEED_TRY(heed_array_convert(c, node->array, HEED_FLOAT32, &floats));
    memcpy(v->data, floats->data, (size_t)v->count * sizeof *v->data);
    heed_array_free(c, floats);
    v->drawn = true;
    return HEED_OK;
}

static heed_status read_layer(walk *w, heed_layer *layer, const char *path)
{
    if (layer->variable_count == 0)
        return HEED_OK;
    const heed_hdf5 *owner = path[0] == '\0' ? w->source : find_group(w, path);
    const heed_hdf5 *group = owner == NULL ? NULL : heed_hdf5_find(owner, "vars");
    size_t count = count_arrays(group);
    if (count != layer->variable_count)
        return heed_layer_fail(layer, HEED_EFORMAT,
                               "%s/vars: the number of weights does not fit (expected %zu, found %zu)", path,
                               layer->variable_count, count);
    for (size_t i = 0; i < layer->variable_count; i++)
        HEED_TRY(take_array(w, layer->variables[i], group, (int)i, path));
    return HEED_OK;
}

heed_status heed_keras_read_weights(heed_model *m, const heed_hdf5 *root)
{
    walk w = {.model = m, .visit = read_layer, .source = root};
    return run(&w);
}

/* The file's array for the optimizer's `index`-th; NULL for the learning rate where Keras 2 leaves it out. */
static const heed_hdf5 *stored_state(heed_model *m, const heed_hdf5 *group, int index)
{
    char name[24];
    bool without_rate = (int)count_arrays(group) == heed_optimizer_count(m) - 1;
    if (without_rate && index == 1)
        return NULL;
    snprintf(name, sizeof name, "%d", without_rate && index > 1 ? index - 1 : index);
    return heed_hdf5_find(group, name);
}

static bool is_rate(heed_model *m, int index)
{
    return index == 1 && strstr(heed_optimizer_name(m, 1), "/learning_rate") != NULL;
}

static bool state_fits(heed_model *m, const heed_hdf5 *group)
{
    int missing = heed_optimizer_count(m) - (int)count_arrays(group);
    if (missing < 0 || missing > 1)
        return false;
    for (int i = 0; i < heed_optimizer_count(m); i++) {
        const heed_hdf5 *node = stored_state(m, group, i);
        if (node == NULL
                ? !is_rate(m, i)
                : node->array == NULL || !heed_shape_equal(&node->array->shape, &heed_optimizer_array(m, i)->shape))
            return false;
    }
    return true;
}

static heed_status take_state(heed_model *m, const heed_hdf5 *group)
{
    heed_context *c = m->context;
    for (int i = 0; i < heed_optimizer_count(m); i++) {
        const heed_hdf5 *node = stored_state(m, group, i);
        heed_array *own = heed_optimizer_array(m, i), *copy;
        if (node == NULL)
            continue;
        HEED_TRY(heed_array_convert(c, node->array, own->dtype, &copy));
        memcpy(own->data, copy->data, (size_t)heed_array_count(own) * heed_dtype_size(own->dtype));
        heed_array_free(c, copy);
    }
    heed_set_training_step(m, (uint64_t)*(int64_t *)heed_optimizer_array(m, 0)->data);
    return HEED_OK;
}

heed_status heed_keras_read_optimizer(heed_model *m, const heed_hdf5 *root)
{
    const heed_hdf5 *group = heed_hdf5_find(root, "optimizer/vars");
    if (!heed_is_compiled(m) || count_arrays(group) == 0)
        return HEED_OK;
    if (state_fits(m, group)) /* the counters alone: it was not trained yet */
        return take_state(m, group);
    HEED_TRY(heed_optimizer_build(m)); /* the state of a model that was trained */
    if (state_fits(m, group))
        return take_state(m, group);
    heed_log(m->context, HEED_LOG_WARNING, "%s: the optimizer's state in the file does not fit and is left out",
             heed_model_name(m));
    return HEED_OK;
}
