/* Weights and the optimizer's state, out of a checkpoint. In a SavedModel each layer has lists of its weights. Else there are but
 * the names of attributes, in the order in which they were made: then heed's layers and the file's objects are walked alike. */
#include "formats/keras_checkpoint.h"
#include "formats/keras_legacy.h"
#include "model/training.h"

#include <stdio.h>
#include <string.h>

/* Which variable of the model is which object of the file, and the order in which they came. */
typedef struct match {
    heed_checkpoint     *checkpoint;
    heed_model          *model;
    heed_hdf5           *tree;
    heed_zone            zone;
    heed_index           objects; /* by variable */
    const heed_tracked **found;   /* of the layer that is being matched */
    heed_variable      **variables;
    size_t               found_count, found_capacity, variable_count, variable_capacity;
    size_t              *seen;    /* by object: the number of the layer for which it was, from 1 */
    heed_index           known;   /* variables of the layer */
    size_t               layer;   /* its number */
} match;

/* What hangs on objects besides the weights and layers of the model: the same once more, in lists, and other things. */
static bool is_passed_over(const char *name)
{
    static const char *const names[] = {"variables", "trainable_variables", "non_trainable_variables", "regularization_losses",
                                        "keras_api", "optimizer", "signatures", "loss", "states", "_random_generator",
                                        "_default_save_signature", "save_counter"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strncmp(name, "__", 2) == 0 || strncmp(name, "call_and_return_", 16) == 0;
}

/* ---- the file's side */

static heed_status note_found(match *w, const heed_tracked *variable)
{
    HEED_TRY(heed_grow(w->zone.context, (void **)&w->found, &w->found_capacity, w->found_count, sizeof *w->found));
    w->found[w->found_count++] = variable;
    return HEED_OK;
}

static heed_status find_listed(match *w, const heed_tracked *list)
{
    for (size_t i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu", i);
        const heed_tracked *variable = heed_checkpoint_child(w->checkpoint, list, name);
        if (variable == NULL || variable->key == NULL)
            return HEED_OK;
        HEED_TRY(note_found(w, variable));
    }
}

/* Whether this is the pattern after which a wrapper made its layers (MultiHead): it has weights, but none that count. */
static bool is_pattern(const heed_checkpoint *p, const heed_tracked *wrapper, const char *name)
{
    const heed_tracked *made = heed_checkpoint_child(p, wrapper, "layers");
    return strcmp(name, "layer") == 0 && made != NULL && made->child_count > 0;
}

static bool is_new(const match *w, size_t object) { return w->seen[object] != w->layer; }

/* An object's own variables first, then those of the objects on it. */
static heed_status find_variables(match *w, size_t object, int depth)
{
    const heed_checkpoint *p = w->checkpoint;
    const heed_tracked *at = &p->objects[object];
    if (depth > HEED_HDF5_MAX_DEPTH)
        return heed_fail(p->context, HEED_EFORMAT, "%s: objects are nested too deep", p->prefix);
    for (size_t i = 0; i < at->child_count; i++) {
        const heed_tracked_child *child = &at->children[i];
        const heed_tracked *variable = &p->objects[child->object];
        if (variable->key == NULL || !is_new(w, child->object) || is_passed_over(child->name))
            continue;
        w->seen[child->object] = w->layer;
        HEED_TRY(note_found(w, variable));
    }
    for (size_t i = 0; i < at->child_count; i++) {
        const heed_tracked_child *child = &at->children[i];
        if (p->objects[child->object].key != NULL || !is_new(w, child->object) || is_passed_over(child->name) ||
            is_pattern(p, at, child->name))
            continue;
        w->seen[child->object] = w->layer;
        HEED_TRY(find_variables(w, child->object, depth + 1));
    }
    return HEED_OK;
}

/* ---- the model's side */

static heed_status note_variable(match *w, heed_variable *v)
{
    HEED_TRY(heed_grow(w->zone.context, (void **)&w->variables, &w->variable_capacity, w->variable_count, sizeof *w->variables));
    w->variables[w->variable_count++] = v;
    return HEED_OK;
}

static heed_status list_variables(match *w, heed_layer *layer)
{
    for (size_t i = 0; i < layer->variable_count; i++) {
        heed_variable *v = layer->variables[i];
        if (heed_index_find_address(&w->known, v) != NULL)
            continue;
        HEED_TRY(heed_index_put_address(&w->known, &w->zone, v, v));
        HEED_TRY(note_variable(w, v));
    }
    for (size_t i = 0; i < layer->child_count; i++)
        HEED_TRY(list_variables(w, layer->children[i].layer));
    return HEED_OK;
}

/* ---- both */

/* Puts a layer's arrays into the tree, in the order of lists. */
static heed_status put_layer(match *w, const heed_legacy_weight *order, size_t count, const char *name)
{
    heed_hdf5 *group;
    const char *path = heed_zone_printf(&w->zone, "model_weights/%s", name);
    if (path == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_hdf5_group(w->tree, path, &group));
    const char **names = heed_zone_alloc(&w->zone, count, sizeof *names);
    if (names == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const heed_tracked *object = heed_index_find_address(&w->objects, order[i].variable);
        heed_array *array;
        names[i] = heed_zone_printf(&w->zone, "%zu", i);
        if (names[i] == NULL)
            return HEED_ENOMEM;
        HEED_TRY(heed_checkpoint_array(w->checkpoint, object->key, &array));
        HEED_TRY(heed_hdf5_put(group, names[i], array));
    }
    return heed_hdf5_set_strings(group, "weight_names", names, count);
}

/* What a layer's object holds; *listed: in lists, which have what is trained first. */
static heed_status find_weights(match *w, const heed_tracked *object, bool *listed)
{
    const heed_checkpoint *p = w->checkpoint;
    const heed_tracked *trained = heed_checkpoint_child(p, object, "trainable_variables");
    const heed_tracked *more = heed_checkpoint_child(p, object, "keras_api");
    const heed_tracked *rest = more == NULL ? NULL : heed_checkpoint_child(p, more, "non_trainable_variables");
    w->found_count = 0;
    w->layer++;
    *listed = trained != NULL && rest != NULL;
    if (!*listed)
        return find_variables(w, (size_t)(object - p->objects), 0);
    HEED_TRY(find_listed(w, trained));
    return find_listed(w, rest);
}

static heed_status match_layer(match *w, heed_layer *layer, bool listed, const char *name)
{
    heed_legacy_weight *order;
    size_t count;
    w->variable_count = 0;
    w->known = (heed_index){NULL};
    HEED_TRY(heed_legacy_order(&w->zone, layer, &order, &count));
    for (size_t i = 0; i < count && listed; i++)
        HEED_TRY(note_variable(w, order[i].variable));
    if (!listed)
        HEED_TRY(list_variables(w, layer));
    if (w->found_count != w->variable_count)
        return heed_layer_fail(layer, HEED_EFORMAT, "the number of weights does not fit (expected %zu, found %zu)",
                               w->variable_count, w->found_count);
    for (size_t i = 0; i < w->found_count; i++)
        HEED_TRY(heed_index_put_address(&w->objects, &w->zone, w->variables[i], (void *)(uintptr_t)w->found[i]));
    return put_layer(w, order, count, name);
}

/* Finds the weights of the file's next layer that has some, from number *n on, which is moved behind it; those that look up words
 * are counted among them, and have none. None is left: there are none. */
static heed_status find_next(match *w, size_t *n, char *name, size_t size, bool *listed)
{
    for (w->found_count = 0; w->found_count == 0; ++*n) {
        snprintf(name, size, "layer_with_weights-%zu", *n);
        const heed_tracked *object = heed_checkpoint_child(w->checkpoint, &w->checkpoint->objects[0], name);
        if (object == NULL)
            return HEED_OK;
        HEED_TRY(find_weights(w, object, listed));
    }
    return HEED_OK;
}

static heed_status match_layers(match *w)
{
    const heed_layer *top = w->model->layer;
    const char **names = heed_zone_alloc(&w->zone, top->child_count, sizeof *names);
    size_t count = 0, next = 0;
    heed_hdf5 *group;
    bool listed = false;
    char name[48];
    if (names == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < top->child_count; i++) {
        heed_layer *layer = top->children[i].layer;
        if (heed_layer_weight_count(layer) == 0)
            continue;
        HEED_TRY(find_next(w, &next, name, sizeof name, &listed));
        if (w->found_count == 0)
            return heed_layer_fail(layer, HEED_EFORMAT, "its weights are missing (the checkpoint has %zu layers with weights)", count);
        HEED_TRY(match_layer(w, layer, listed, name));
        names[count] = heed_zone_strdup(&w->zone, name);
        if (names[count++] == NULL)
            return HEED_ENOMEM;
    }
    HEED_TRY(find_next(w, &next, name, sizeof name, &listed));
    if (w->found_count > 0)
        return heed_fail(w->zone.context, HEED_EFORMAT, "the checkpoint has more layers with weights than the model (%zu)", count);
    HEED_TRY(heed_hdf5_group(w->tree, "model_weights", &group));
    return heed_hdf5_set_strings(group, "layer_names", names, count);
}

/* ---- the optimizer */

/* From Keras 2.11 on: a list of all that it keeps. */
static heed_status put_list(match *w, const heed_tracked *list)
{
    w->found_count = 0;
    HEED_TRY(find_listed(w, list));
    for (size_t i = 0; i < w->found_count; i++) {
        char path[48];
        heed_array *array;
        snprintf(path, sizeof path, "optimizer/vars/%zu", i);
        HEED_TRY(heed_checkpoint_array(w->checkpoint, w->found[i]->key, &array));
        HEED_TRY(heed_hdf5_put(w->tree, path, array));
    }
    return HEED_OK;
}

/* The slots of an optimizer, and a list that is being made. */
enum { MOST_SLOTS = 8 };

typedef struct listed {
    heed_hdf5   *group;
    const char **names; /* of the list's arrays */
    size_t       count;
    const char  *slots[MOST_SLOTS];
    heed_index   kept[MOST_SLOTS]; /* by object, as what */
    int          slot_count;
} listed;

/* Sorts what is kept by what it is; slots in the order in which they first come. */
static heed_status sort_slots(match *w, const heed_tracked *optimizer, listed *l)
{
    const heed_tracked *objects = w->checkpoint->objects;
    for (size_t i = 0; i < optimizer->slot_count; i++) {
        const heed_tracked_slot *slot = &optimizer->slots[i];
        int k = 0;
        while (k < l->slot_count && strcmp(l->slots[k], slot->name) != 0)
            k++;
        if (k == MOST_SLOTS)
            return heed_fail(w->zone.context, HEED_EFORMAT, "an optimizer that keeps more than %d arrays for a variable", MOST_SLOTS);
        if (k == l->slot_count)
            l->slots[l->slot_count++] = slot->name;
        HEED_TRY(heed_index_put_address(&l->kept[k], &w->zone, &objects[slot->of], (void *)(uintptr_t)&objects[slot->kept]));
    }
    return HEED_OK;
}

static heed_status put_listed(match *w, listed *l, const heed_tracked *variable)
{
    heed_array *array;
    if (variable == NULL || variable->key == NULL)
        return HEED_OK;
    const char *name = l->names[l->count] = heed_zone_printf(&w->zone, "%zu", l->count);
    if (name == NULL)
        return HEED_ENOMEM;
    l->count++;
    HEED_TRY(heed_checkpoint_array(w->checkpoint, variable->key, &array));
    return heed_hdf5_put(l->group, name, array);
}

/* Before: the number of steps, then slot by slot what each variable has; or of some optimizers variable by variable. */
static heed_status put_slots(match *w, const heed_tracked *optimizer)
{
    const struct heed_training *t = w->model->training;
    listed l = {.names = heed_zone_alloc(&w->zone, MOST_SLOTS * t->variable_count + 1, sizeof *l.names)};
    if (l.names == NULL)
        return HEED_ENOMEM;
    HEED_TRY(sort_slots(w, optimizer, &l));
    HEED_TRY(heed_hdf5_group(w->tree, "optimizer_weights", &l.group));
    HEED_TRY(put_listed(w, &l, heed_checkpoint_child(w->checkpoint, optimizer, "iter")));
    size_t slots = (size_t)l.slot_count, count = slots * t->variable_count;
    for (size_t i = 0; i < count; i++) {
        bool interleaved = heed_optimizer_interleaved(t->optimizer);
        size_t k = interleaved ? i % slots : i / t->variable_count, v = interleaved ? i / slots : i % t->variable_count;
        const heed_tracked *of = heed_index_find_address(&w->objects, t->variables[v]);
        HEED_TRY(put_listed(w, &l, heed_index_find_address(&l.kept[k], of)));
    }
    return heed_hdf5_set_strings(l.group, "weight_names", l.names, l.count);
}

static heed_status put_optimizer(match *w)
{
    const heed_checkpoint *p = w->checkpoint;
    const heed_tracked *optimizer = heed_checkpoint_child(p, &p->objects[0], "optimizer"), *list;
    if (optimizer == NULL)
        return HEED_OK;
    static const char *const inner[] = {"inner_optimizer", "_optimizer"}; /* within one that scales the loss */
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (heed_checkpoint_child(p, optimizer, inner[i]) != NULL)
            optimizer = heed_checkpoint_child(p, optimizer, inner[i]);
    HEED_TRY(heed_optimizer_build(w->model)); /* which tells the variables that are trained */
    list = heed_checkpoint_child(p, optimizer, "_variables");
    return list != NULL ? put_list(w, list) : put_slots(w, optimizer);
}

heed_status heed_checkpoint_to_tree(heed_checkpoint *p, heed_model *m, bool state, heed_hdf5 *tree)
{
    match w = {.checkpoint = p, .model = m, .tree = tree};
    heed_zone_init(&w.zone, m->context);
    w.seen = heed_zone_alloc(&w.zone, p->object_count, sizeof *w.seen);
    heed_status status = w.seen == NULL ? HEED_ENOMEM : match_layers(&w);
    if (status == HEED_OK && state && heed_is_compiled(m))
        status = put_optimizer(&w);
    heed_release(m->context, w.found);
    heed_release(m->context, w.variables);
    heed_zone_free(&w.zone);
    return status;
}
