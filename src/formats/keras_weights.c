#include "formats/keras_weights.h"

#include "base/index.h"
#include "formats/keras_operation.h"
#include "formats/keras_quantized.h"
#include "formats/keras_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512 };

/* A walk over all layers as Keras walks, each layer once. */
typedef struct walk {
    heed_model  *model;
    heed_zone    zone;
    heed_status (*visit)(struct walk *w, heed_layer *layer, const char *path);
    heed_hdf5   *target;       /* writing */
    int          keras;        /* ... for which */
    const heed_hdf5 *source;   /* reading */
    heed_index   seen;         /* layers */
    heed_index   read;         /* layers that have their weights, by likeness */
} walk;

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

/* How many layers of a child's class stood before it in its list; counts it. -1: there is no memory. */
static int count_before(walk *w, heed_index *counts, const struct heed_child *child)
{
    const char *list = heed_zone_printf(&w->zone, "%s/%s", child->attribute, child->layer->layer_class->name);
    int *count = list == NULL ? NULL : heed_index_find_text(counts, list);
    if (list == NULL || count != NULL)
        return list == NULL ? -1 : (*count)++;
    count = heed_zone_alloc(&w->zone, 1, sizeof *count);
    if (count == NULL || heed_index_put_text(counts, &w->zone, list, count) != HEED_OK)
        return -1;
    return (*count)++;
}

/* In a list a layer is called by its class, in snake case, with a number where there are more of that class. */
static void list_name(const struct heed_child *child, int before, char *out, size_t size)
{
    char name[96];
    group_name(child->layer, name, sizeof name);
    if (before == 0)
        snprintf(out, size, "%s/%s", child->attribute, name);
    else
        snprintf(out, size, "%s/%s_%d", child->attribute, name, before);
}

/* ---- Keras 2.12 to 2.14: another name for the list, and numbers that may leave some out, yet rise in the same
 * order */

static const char OLD_LIST[] = "_layer_checkpoint_dependencies";

/* A group of the list, read as a name and a number behind it: "dense" is also dense 0. */
typedef struct numbered {
    const char *text;
    size_t      length; /* of the name */
    long        number;
} numbered;

typedef struct old_list {
    numbered  *items; /* by name, then by number */
    size_t     count;
    heed_index first; /* by name: an item */
} old_list;

static int by_name_and_number(const void *a, const void *b)
{
    const numbered *p = a, *q = b;
    size_t shorter = p->length < q->length ? p->length : q->length;
    int order = memcmp(p->text, q->text, shorter);
    if (order != 0 || p->length != q->length)
        return order != 0 ? order : p->length < q->length ? -1 : 1;
    return (p->number > q->number) - (p->number < q->number);
}

static void add_numbered(old_list *l, const char *text)
{
    const char *behind = strrchr(text, '_');
    char *end = NULL;
    long number = behind == NULL ? 0 : strtol(behind + 1, &end, 10);
    l->items[l->count++] = (numbered){text, strlen(text), 0};
    if (number > 0 && *end == '\0')
        l->items[l->count++] = (numbered){text, (size_t)(behind - text), number};
}

/* The list of a file of that time; without items: it is not of that time. */
static heed_status read_old_list(walk *w, const heed_layer *owner, const char *path, old_list *l)
{
    const heed_hdf5 *group = w->source == NULL || heed_layer_model(owner) == NULL ? NULL : heed_hdf5_find(w->source, path);
    const heed_hdf5 *list = group == NULL ? NULL : heed_hdf5_find(group, OLD_LIST);
    size_t most = 0;
    *l = (old_list){NULL, 0, {NULL}};
    if (list == NULL)
        return HEED_OK;
    for (const heed_hdf5 *n = list->first; n != NULL; n = n->next)
        most += 2;
    l->items = heed_zone_alloc(&w->zone, most, sizeof *l->items);
    if (l->items == NULL)
        return HEED_ENOMEM;
    for (const heed_hdf5 *n = list->first; n != NULL; n = n->next)
        add_numbered(l, n->name);
    qsort(l->items, l->count, sizeof *l->items, by_name_and_number);
    for (size_t i = 0; i < l->count; i++) /* the first one of a name stays */
        HEED_TRY(heed_index_put(&l->first, &w->zone, l->items[i].text, l->items[i].length, &l->items[i]));
    return HEED_OK;
}

/* The group of the layer before which `before` of its class stand. */
static void old_list_name(const old_list *l, const struct heed_child *child, int before, char *out, size_t size)
{
    char name[96];
    group_name(child->layer, name, sizeof name);
    const numbered *first = heed_index_find_text(&l->first, name), *found = NULL;
    if (first != NULL && (size_t)before < l->count - (size_t)(first - l->items))
        found = first + before;
    bool fits = found != NULL && found->length == first->length && memcmp(found->text, first->text, first->length) == 0;
    snprintf(out, size, "%s/%.200s", OLD_LIST, fits ? found->text : name);
}

/* Keras 2 has the projections of attention under names that begin so. */
static const char *underscore(const walk *w, const heed_layer *owner, const char *attribute)
{
    bool hidden = w->target != NULL && w->keras == 2 && strstr(attribute, "_dense") != NULL && attribute[0] != '_';
    return hidden && strcmp(owner->layer_class->name, "MultiHeadAttention") == 0 ? "_" : "";
}

static heed_status walk_layer(walk *w, heed_layer *layer, const char *path)
{
    old_list old;
    heed_index counts = {NULL};
    if (heed_index_find_address(&w->seen, layer) != NULL)
        return HEED_OK;
    HEED_TRY(heed_index_put_address(&w->seen, &w->zone, layer, layer));
    HEED_TRY(w->visit(w, layer, path));
    HEED_TRY(read_old_list(w, layer, path, &old));
    for (size_t i = 0; i < layer->child_count; i++) {
        const struct heed_child *child = &layer->children[i];
        char part[256], below[PATH_SIZE];
        if (!is_listed(layer, child->layer))
            continue;
        int before = count_before(w, &counts, child);
        if (before < 0)
            return HEED_ENOMEM;
        if (old.items != NULL)
            old_list_name(&old, child, before, part, sizeof part);
        else if (is_list(child->attribute))
            list_name(child, before, part, sizeof part);
        else
            snprintf(part, sizeof part, "%s%s", underscore(w, layer, child->attribute), child->attribute);
        HEED_TRY(join(w->model->context, path, part, below));
        HEED_TRY(walk_layer(w, child->layer, below));
    }
    return HEED_OK;
}

static heed_status run(walk *w)
{
    heed_zone_init(&w->zone, w->model->context);
    heed_status status = walk_layer(w, w->model->layer, "");
    heed_zone_free(&w->zone);
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
    HEED_TRY(run(&w));
    return heed_keras_put_text_weights(m, root);
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

/* What layers have in common that are one to Keras: class, name, and shapes of weights. NULL: there is no memory. */
static const char *likeness(walk *w, const heed_layer *layer)
{
    heed_text text = {.context = w->model->context};
    heed_text_printf(&text, "%s %s", layer->layer_class->name, layer->name == NULL ? "" : layer->name);
    for (size_t i = 0; i < layer->variable_count; i++) {
        char shape[128];
        heed_text_printf(&text, " %s", heed_shape_text(&layer->variables[i]->shape, shape, sizeof shape));
    }
    const char *copy = heed_text_status(&text) == HEED_OK ? heed_zone_strdup(&w->zone, text.bytes) : NULL;
    heed_text_free(&text);
    return copy;
}

/* Notes that a layer has its weights. */
static heed_status note_read(walk *w, heed_layer *layer)
{
    const char *key = likeness(w, layer);
    return key == NULL ? HEED_ENOMEM : heed_index_put_text(&w->read, &w->zone, key, layer);
}

/* A layer that was read under another path already: Keras stores one that stands in several models at its first
 * place. */
static heed_status find_twin(walk *w, const heed_layer *layer, const heed_layer **out)
{
    const char *key = likeness(w, layer);
    *out = key == NULL || layer->name == NULL ? NULL : heed_index_find_text(&w->read, key);
    return key == NULL ? HEED_ENOMEM : HEED_OK;
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
    const heed_layer *twin = NULL;
    if (count == 0)
        HEED_TRY(find_twin(w, layer, &twin));
    if (twin != NULL)
        return copy_twin(layer, twin);
    if (count != layer->variable_count)
        return heed_layer_fail(layer, HEED_EFORMAT,
                               "%s/vars: the number of weights does not fit (expected %zu, found %zu)", path,
                               layer->variable_count, count);
    for (size_t i = 0; i < layer->variable_count; i++)
        HEED_TRY(take_array(w, layer->variables[i], group, (int)i, path));
    if (scales != NULL)
        HEED_TRY(dequantize(layer, scales));
    return note_read(w, layer);
}

heed_status heed_keras_read_weights(heed_model *m, const heed_hdf5 *root)
{
    walk w = {.model = m, .visit = read_layer, .source = root};
    return run(&w);
}
