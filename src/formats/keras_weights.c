#include "formats/keras_weights.h"

#include "formats/keras_operation.h"
#include "formats/keras_quantized.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512 };

/* A walk over all layers as Keras walks, each layer once. */
typedef struct walk {
    heed_model  *model;
    heed_status (*visit)(struct walk *w, heed_layer *layer, const char *path);
    heed_hdf5   *target;       /* writing */
    int          keras;        /* ... for which */
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

/* How Keras calls layers of a class in files: by its own name for it. */
static char *group_name(const heed_layer *layer, char *text, size_t size)
{
    const char *name = layer->layer_class->name;
    return heed_snake_case(strcmp(name, "GroupQueryAttention") == 0 ? "GroupedQueryAttention" : name, text, size);
}

/* How many layers of a child's class stand before it in its list. */
static int count_before(const heed_layer *owner, size_t index)
{
    const struct heed_child *child = &owner->children[index];
    int before = 0;
    for (size_t i = 0; i < index; i++)
        before += strcmp(owner->children[i].attribute, child->attribute) == 0 &&
                  is_listed(owner, owner->children[i].layer) &&
                  strcmp(owner->children[i].layer->layer_class->name, child->layer->layer_class->name) == 0;
    return before;
}

/* In a list a layer is called by its class, in snake case, with a number where there are more of that class. */
static void list_name(const heed_layer *owner, size_t index, char *out, size_t size)
{
    const struct heed_child *child = &owner->children[index];
    char name[96];
    int before = count_before(owner, index);
    group_name(child->layer, name, sizeof name);
    if (before == 0)
        snprintf(out, size, "%s/%s", child->attribute, name);
    else
        snprintf(out, size, "%s/%s_%d", child->attribute, name, before);
}

/* ---- Keras 2.12 to 2.14: another name for the list, and numbers that may leave some out, yet rise in the same
 * order */

static const char OLD_LIST[] = "_layer_checkpoint_dependencies";

/* The number behind a name: 0 for "dense", 2 for "dense_2", -1 for others. */
static long number_behind(const char *text, const char *name)
{
    size_t length = strlen(name);
    char *end;
    if (strncmp(text, name, length) != 0)
        return -1;
    if (text[length] == '\0')
        return 0;
    long number = text[length] == '_' ? strtol(text + length + 1, &end, 10) : 0;
    return number > 0 && *end == '\0' ? number : -1;
}

/* The group of the `index`-th layer of a class; NULL: there are not so many. */
static const heed_hdf5 *find_numbered(const heed_hdf5 *list, const char *name, int index)
{
    const heed_hdf5 *found = NULL;
    long last = -1;
    for (int i = 0; i <= index; i++) {
        long least = LONG_MAX;
        found = NULL;
        for (const heed_hdf5 *n = list->first; n != NULL; n = n->next) {
            long number = number_behind(n->name, name);
            if (number > last && number < least) {
                least = number;
                found = n;
            }
        }
        last = least;
        if (found == NULL)
            return NULL;
    }
    return found;
}

/* The list of a file of that time; NULL: it is not of that time. */
static const heed_hdf5 *old_list(const walk *w, const heed_layer *owner, const char *path)
{
    const heed_hdf5 *group = w->source == NULL || heed_layer_model(owner) == NULL ? NULL : heed_hdf5_find(w->source,
                                                                                                          path);
    return group == NULL ? NULL : heed_hdf5_find(group, OLD_LIST);
}

static void old_list_name(const heed_hdf5 *list, const heed_layer *owner, size_t index, char *out, size_t size)
{
    char name[96];
    const heed_hdf5 *found =
        find_numbered(list, group_name(owner->children[index].layer, name, sizeof name), count_before(owner, index));
    snprintf(out, size, "%s/%.200s", OLD_LIST, found == NULL ? name : found->name);
}

/* Keras 2 has the projections of attention under names that begin so. */
static const char *underscore(const walk *w, const heed_layer *owner, const char *attribute)
{
    bool hidden = w->target != NULL && w->keras == 2 && strstr(attribute, "_dense") != NULL && attribute[0] != '_';
    return hidden && strcmp(owner->layer_class->name, "MultiHeadAttention") == 0 ? "_" : "";
}

static heed_status walk_layer(walk *w, heed_layer *layer, const char *path)
{
    if (was_seen(w, layer))
        return HEED_OK;
    HEED_TRY(remember(w, layer));
    HEED_TRY(w->visit(w, layer, path));
    const heed_hdf5 *old = old_list(w, layer, path);
    for (size_t i = 0; i < layer->child_count; i++) {
        char part[256], below[PATH_SIZE];
        if (!is_listed(layer, layer->children[i].layer))
            continue;
        if (old != NULL)
            old_list_name(old, layer, i, part, sizeof part);
        else if (is_list(layer->children[i].attribute))
            list_name(layer, i, part, sizeof part);
        else
            snprintf(part, sizeof part, "%s%s", underscore(w, layer, layer->children[i].attribute),
                     layer->children[i].attribute);
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

heed_status heed_keras_write_weights(heed_model *m, const heed_keras_form *form, heed_hdf5 *root)
{
    walk w = {.model = m, .visit = write_layer, .target = root, .keras = form->keras};
    return run(&w);
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
    HEED_TRY(heed_variable_claim(v));
    HEED_TRY(heed_array_convert(c, node->array, HEED_FLOAT32, &floats));
    memcpy(v->data, floats->data, (size_t)v->count * sizeof *v->data);
    heed_array_free(c, floats);
    v->drawn = true;
    return HEED_OK;
}

/* The scales of a quantized layer, which stand behind its weights; NULL: it is not quantized. */
static const heed_array *find_scales(const heed_layer *layer, const heed_hdf5 *group, size_t count)
{
    char name[24];
    const heed_hdf5 *first = group == NULL ? NULL : heed_hdf5_find(group, "0");
    if (first == NULL || first->array == NULL || !heed_is_quantized(first->array) || count != layer->variable_count + 1)
        return NULL;
    snprintf(name, sizeof name, "%zu", count - 1);
    const heed_hdf5 *last = heed_hdf5_find(group, name);
    return last == NULL || last->array == NULL || last->array->dtype != HEED_FLOAT32 ? NULL : last->array;
}

static heed_status dequantize(heed_layer *layer, const heed_array *scales)
{
    heed_variable *v = layer->variables[0];
    heed_array numbers = {HEED_FLOAT32, v->shape, v->data};
    heed_status status =
        heed_dequantize(layer->context, &numbers, scales, strcmp(layer->layer_class->name, "Embedding") == 0);
    return status == HEED_OK ? HEED_OK : heed_layer_explain(layer, status);
}

/* A layer that was read under another path already: Keras stores one that stands in several models at its first
 * place. */
static const heed_layer *find_twin(const walk *w, const heed_layer *layer)
{
    for (size_t i = 0; i < w->seen_count; i++) {
        const heed_layer *other = w->seen[i];
        bool alike = other != layer && other->layer_class == layer->layer_class && other->name != NULL &&
                     layer->name != NULL && strcmp(other->name, layer->name) == 0 &&
                     other->variable_count == layer->variable_count && other->variables[0]->drawn;
        for (size_t k = 0; alike && k < layer->variable_count; k++)
            alike = heed_shape_equal(&other->variables[k]->shape, &layer->variables[k]->shape);
        if (alike)
            return other;
    }
    return NULL;
}

static heed_status copy_twin(heed_layer *layer, const heed_layer *twin)
{
    for (size_t i = 0; i < layer->variable_count; i++) {
        heed_variable *v = layer->variables[i];
        HEED_TRY(heed_variable_claim(v));
        memcpy(v->data, twin->variables[i]->data, (size_t)v->count * sizeof *v->data);
        v->drawn = true;
    }
    return HEED_OK;
}

static heed_status read_layer(walk *w, heed_layer *layer, const char *path)
{
    if (layer->variable_count == 0)
        return HEED_OK;
    const heed_hdf5 *owner = path[0] == '\0' ? w->source : find_group(w, path);
    const heed_hdf5 *group = owner == NULL ? NULL : heed_hdf5_find(owner, "vars");
    size_t count = count_arrays(group);
    const heed_array *scales = find_scales(layer, group, count);
    count -= scales != NULL;
    const heed_layer *twin = count == 0 ? find_twin(w, layer) : NULL;
    if (twin != NULL)
        return copy_twin(layer, twin);
    if (count != layer->variable_count)
        return heed_layer_fail(layer, HEED_EFORMAT,
                               "%s/vars: the number of weights does not fit (expected %zu, found %zu)", path,
                               layer->variable_count, count);
    for (size_t i = 0; i < layer->variable_count; i++)
        HEED_TRY(take_array(w, layer->variables[i], group, (int)i, path));
    return scales == NULL ? HEED_OK : dequantize(layer, scales);
}

heed_status heed_keras_read_weights(heed_model *m, const heed_hdf5 *root)
{
    walk w = {.model = m, .visit = read_layer, .source = root};
    return run(&w);
}
