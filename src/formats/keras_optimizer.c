/* The state of an optimizer: a list of arrays, whose order differs between the writers. */
#include "formats/keras_legacy.h"
#include "formats/keras_weights.h"
#include "model/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the file keeps, and how it is ordered. */
typedef struct state {
    const heed_array **arrays;
    size_t             count;
    bool               archived; /* in an archive, which none has in the OLD order */
    enum { TODAY, PRODUCT_FIRST, WITHOUT_RATE, OLD } order;
    size_t iteration, product; /* whether an OLD list has them, 0 or 1 */
} state;

static heed_status add_node(heed_context *c, const heed_hdf5 *group, const char *name, state *s)
{
    const heed_hdf5 *node = heed_hdf5_find(group, name);
    char path[256];
    if (node == NULL || node->array == NULL)
        return heed_fail(c, HEED_EFORMAT, "%s/%s: the array is missing", heed_hdf5_path(group, path, sizeof path),
                         name);
    s->arrays[s->count++] = node->array;
    return HEED_OK;
}

/* How many names at the beginning are not the optimizer's, but of what scales the loss around it (Keras 3). */
static size_t count_around(const char *const *names, size_t count)
{
    static const char last[] = "/dynamic_scale";
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (length >= sizeof last - 1 && strcmp(names[i] + length - (sizeof last - 1), last) == 0)
            return i + 1;
    }
    return 0;
}

/* Of HDF5: by the list of names. */
static heed_status list_by_name(heed_zone *z, const heed_hdf5 *group, state *s)
{
    const char *const *names;
    size_t count;
    HEED_TRY(heed_hdf5_get_strings(group, "weight_names", &names, &count));
    s->arrays = heed_zone_alloc(z, count, sizeof *s->arrays);
    if (s->arrays == NULL)
        return HEED_ENOMEM;
    for (size_t i = count_around(names, count); i < count; i++)
        HEED_TRY(add_node(z->context, group, names[i], s));
    return HEED_OK;
}

/* Of archives: 0, 1, ... */
static heed_status list_by_number(heed_zone *z, const heed_hdf5 *group, state *s)
{
    size_t count = 0;
    for (const heed_hdf5 *n = group->first; n != NULL; n = n->next)
        count += n->array != NULL;
    s->arrays = heed_zone_alloc(z, count, sizeof *s->arrays);
    if (s->arrays == NULL)
        return HEED_ENOMEM;
    s->archived = true;
    for (size_t i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        HEED_TRY(add_node(z->context, group, name, s));
    }
    return HEED_OK;
}

/* Where an array stood before Keras 2.11: behind the counters, a slot of all variables behind the other. SIZE_MAX:
 * nowhere. */
static size_t old_place(const heed_optimizer *o, const state *s, int index)
{
    size_t variable, variables = heed_optimizer_variables(o), first = s->iteration + s->product;
    int slot;
    if (index == 0)
        return s->iteration > 0 ? 0 : SIZE_MAX;
    if (index == heed_optimizer_rate_index(o))
        return SIZE_MAX;
    if (!heed_optimizer_slot_of(o, index, &variable, &slot))
        return s->product > 0 ? s->iteration : SIZE_MAX;
    return first + (heed_optimizer_interleaved(o) ? 2 * variable + (size_t)slot : (size_t)slot * variables + variable);
}

/* Where an array stands in the lists of later versions. */
static size_t new_place(const heed_optimizer *o, const state *s, int index)
{
    int rate = heed_optimizer_rate_index(o), counters = 1 + (rate > 0);
    size_t variable;
    int slot;
    if (s->order == WITHOUT_RATE)
        return index == rate ? SIZE_MAX : (size_t)index - (rate > 0 && index > rate);
    if (s->order == PRODUCT_FIRST && index >= counters)
        return heed_optimizer_slot_of(o, index, &variable, &slot) ? (size_t)index + 1 : (size_t)counters;
    return (size_t)index;
}

/* The file's array for array `index`; NULL where it has none. */
static const heed_array *array_of(const heed_optimizer *o, const state *s, int index)
{
    size_t at = s->order == OLD ? old_place(o, s, index) : new_place(o, s, index);
    return at < s->count ? s->arrays[at] : NULL;
}

/* Arrays that may be missing: those that every step could do without. */
static bool is_needed(const heed_optimizer *o, int index)
{
    size_t variable;
    int slot;
    return heed_optimizer_slot_of(o, index, &variable, &slot);
}

static bool fits(heed_optimizer *o, const state *s)
{
    size_t used = 0, slots = 0;
    for (int i = 0; i < heed_optimizer_arrays(o); i++) {
        const heed_array *a = array_of(o, s, i);
        if (a == NULL ? is_needed(o, i) : !heed_shape_equal(&a->shape, &heed_optimizer_array_at(o, i)->shape))
            return false;
        used += a != NULL;
        slots += is_needed(o, i);
    }
    /* Keras 2.11 and later kept momenta that a rule without momentum did not use */
    if (s->order == WITHOUT_RATE && slots == 0 && heed_optimizer_variables(o) > 0)
        return true;
    /* Keras 2 kept an array of one number for each variable where it did not use the third slot */
    return used == s->count || (s->order == OLD && used + heed_optimizer_variables(o) == s->count);
}

static bool find_order(heed_optimizer *o, state *s)
{
    if (!heed_optimizer_is_old(o) || s->archived) {
        for (s->order = TODAY; s->order < OLD; s->order++)
            if (fits(o, s))
                return true;
        return false;
    }
    s->order = OLD;
    for (int i = 0; i < 4; i++) {
        s->iteration = i < 2;
        s->product = i % 2 == 0;
        if (fits(o, s))
            return true;
    }
    return false;
}

/* ---- by name: as Keras 1 and the first versions of Keras 2 listed variables ---- */

/* Where an array of the file goes: to a whole variable, or to one gate of it, as Keras 1 kept them apart. */
typedef struct part {
    const char *name; /* of the weight, by which the list is sorted */
    size_t      variable, gate, gates;
} part;

static int compare_names(const void *a, const void *b) { return strcmp(((const part *)a)->name, ((const part *)b)->name); }

static heed_status list_parts(heed_zone *z, heed_model *m, const heed_hdf5 *weights, part **out, size_t *count)
{
    const struct heed_training *t = m->training;
    part *parts = *out = heed_zone_alloc(z, HEED_LEGACY_GATES * t->variable_count, sizeof *parts);
    heed_index names = {NULL};
    *count = 0;
    if (parts == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_legacy_names(z, m, weights, &names));
    for (size_t i = 0; i < t->variable_count; i++) {
        const heed_legacy_called unknown = {{t->paths[i]}, 1}, *called = heed_index_find_address(&names, t->variables[i]);
        if (called == NULL)
            called = &unknown;
        for (size_t gate = 0; gate < called->count; gate++)
            parts[(*count)++] = (part){called->names[gate], i, gate, called->count};
    }
    qsort(parts, *count, sizeof *parts, compare_names);
    return HEED_OK;
}

/* One gate's array to its columns; false if it does not fit. */
static bool put_gate(const part *p, const heed_array *from, heed_array *to)
{
    int last = to->shape.rank - 1;
    int64_t total = last < 0 || to->shape.dims[last] < 1 ? 1 : to->shape.dims[last], width = total / (int64_t)p->gates, rows = heed_array_count(to) / total;
    if (last < 0 || from->dtype != HEED_FLOAT32 || from->shape.rank != to->shape.rank || from->shape.dims[last] != width ||
        heed_array_count(from) != rows * width)
        return false;
    for (int64_t r = 0; r < rows; r++)
        memcpy((float *)to->data + r * total + (int64_t)p->gate * width, (const float *)from->data + r * width,
               (size_t)width * sizeof(float));
    return true;
}

static heed_array *new_slot(heed_zone *z, const heed_variable *v)
{
    heed_array *a = heed_zone_alloc(z, 1, sizeof *a);
    if (a != NULL)
        *a = (heed_array){HEED_FLOAT32, v->shape, heed_zone_alloc(z, (size_t)v->count, sizeof(float))};
    return a == NULL || a->data == NULL ? NULL : a;
}

/* The list as later versions have it: in the model's order, gates together. As it is where the parts do not fit. */
static heed_status sort_back(heed_zone *z, heed_model *m, const heed_hdf5 *weights, state *s)
{
    const struct heed_training *t = m->training;
    part *parts;
    size_t count;
    HEED_TRY(list_parts(z, m, weights, &parts, &count));
    size_t slots = count == 0 ? 0 : s->count / count, first = s->count - slots * count;
    const heed_array **sorted = heed_zone_alloc(z, first + slots * t->variable_count, sizeof *sorted);
    if (sorted == NULL)
        return HEED_ENOMEM;
    memcpy(sorted, s->arrays, first * sizeof *sorted);
    for (size_t i = 0; i < slots * count; i++) {
        const part *p = &parts[i % count];
        const heed_array **place = &sorted[first + i / count * t->variable_count + p->variable], *from = s->arrays[first + i];
        heed_array *whole = (heed_array *)*place;
        if (p->gates == 1) {
            *place = from;
            continue;
        }
        if (whole == NULL && (whole = new_slot(z, t->variables[p->variable])) == NULL)
            return HEED_ENOMEM;
        if (!put_gate(p, from, whole))
            return HEED_OK;
        *place = whole;
    }
    s->arrays = sorted;
    s->count = first + slots * t->variable_count;
    return HEED_OK;
}

static heed_status take(heed_model *m, const state *s)
{
    heed_optimizer *o = m->training->optimizer;
    bool all = true;
    for (int i = 0; i < heed_optimizer_arrays(o); i++) {
        const heed_array *a = array_of(o, s, i);
        heed_array *own = heed_optimizer_array_at(o, i), *copy;
        all &= a != NULL || i == heed_optimizer_rate_index(o);
        if (a == NULL)
            continue;
        HEED_TRY(heed_array_convert(m->context, a, own->dtype, &copy));
        memcpy(own->data, copy->data, (size_t)heed_array_count(own) * heed_dtype_size(own->dtype));
        heed_array_free(m->context, copy);
    }
    if (!all)
        heed_optimizer_restore_product(o, m->layer->keras);
    heed_set_training_step(m, (uint64_t)*(int64_t *)heed_optimizer_array_at(o, 0)->data);
    return HEED_OK;
}

typedef heed_status list_function(heed_zone *z, const heed_hdf5 *group, state *s);

static heed_status read_listed(heed_zone *z, heed_model *m, const heed_hdf5 *group, list_function *list,
                               const heed_hdf5 *weights)
{
    state s = {0};
    HEED_TRY(list(z, group, &s));
    if (s.count == 0)
        return HEED_OK;
    if (find_order(m->training->optimizer, &s)) /* the counters alone: it was not trained yet */
        return take(m, &s);
    HEED_TRY(heed_optimizer_build(m)); /* the state of a model that was trained */
    if (find_order(m->training->optimizer, &s))
        return take(m, &s);
    if (weights != NULL)
        HEED_TRY(sort_back(z, m, weights, &s));
    if (weights != NULL && find_order(m->training->optimizer, &s))
        return take(m, &s);
    heed_log(m->context, HEED_LOG_WARNING, "%s: the optimizer's state in the file does not fit and is left out",
             heed_model_name(m));
    return HEED_OK;
}

static heed_status read_optimizer(heed_model *m, const heed_hdf5 *group, list_function *list, const heed_hdf5 *weights)
{
    if (!heed_is_compiled(m) || group == NULL)
        return HEED_OK;
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = read_listed(&z, m, group, list, weights);
    heed_zone_free(&z);
    return status;
}

heed_status heed_keras_read_optimizer(heed_model *m, const heed_hdf5 *root)
{
    const heed_hdf5 *inner = heed_hdf5_find(root, "optimizer/inner_optimizer/vars"); /* within one that scales the loss */
    return read_optimizer(m, inner != NULL ? inner : heed_hdf5_find(root, "optimizer/vars"), list_by_number, NULL);
}

heed_status heed_legacy_read_optimizer(heed_model *m, const heed_hdf5 *root)
{
    const heed_hdf5 *group = heed_hdf5_find(root, "optimizer_weights");
    bool named = group != NULL && (heed_hdf5_attribute_of(group, "weight_names") != NULL ||
                                   heed_hdf5_attribute_of(group, "weight_names0") != NULL);
    return read_optimizer(m, named ? group : NULL, list_by_name, heed_legacy_weights_group(root));
}

/* ---- writing ---- */

bool heed_keras_has_old_optimizer(const heed_model *m) { return heed_optimizer_is_old(m->training->optimizer); }

/* Keras 2.11 to 2.15 keeps momenta for a rule without them too: zeros. */
static bool wants_zeros(const heed_optimizer *o, const heed_keras_form *form)
{
    return form->keras == 2 && !heed_optimizer_is_old(o) && heed_optimizer_prepared(o) &&
           strcmp(heed_optimizer_class_name(o), "sgd") == 0 &&
           heed_optimizer_arrays(o) == 1 + (heed_optimizer_rate_index(o) > 0);
}

static heed_status add_zeros(heed_zone *z, heed_model *m, const heed_array **arrays, size_t *count)
{
    for (size_t i = 0; i < m->training->variable_count; i++) {
        if ((arrays[(*count)++] = new_slot(z, m->training->variables[i])) == NULL)
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

/* Array `index` at its place in the form; SIZE_MAX: it is not kept. */
static size_t place_in_form(const heed_optimizer *o, const heed_keras_form *form, int index)
{
    static const state old = {.order = OLD, .iteration = 1, .product = 1};
    state s = old;
    if (form->keras == 3)
        return (size_t)index;
    s.order = heed_optimizer_is_old(o) ? OLD : WITHOUT_RATE;
    s.product = heed_optimizer_keeps_product(o);
    if (s.order == WITHOUT_RATE && s.product > 0 && index == heed_optimizer_arrays(o) - 1 && heed_optimizer_prepared(o))
        return SIZE_MAX;
    return s.order == OLD ? old_place(o, &s, index) : new_place(o, &s, index);
}

heed_status heed_keras_list_state(heed_zone *z, heed_model *m, const heed_keras_form *form, const heed_array ***arrays,
                                  const char ***names, size_t *count)
{
    heed_optimizer *o = m->training->optimizer;
    size_t most = (size_t)heed_optimizer_arrays(o) + m->training->variable_count;
    *arrays = heed_zone_alloc(z, most, sizeof **arrays);
    *names = heed_zone_alloc(z, most, sizeof **names);
    *count = 0;
    if (*arrays == NULL || *names == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < heed_optimizer_arrays(o); i++) {
        size_t at = place_in_form(o, form, i);
        if (at == SIZE_MAX)
            continue;
        (*arrays)[at] = heed_optimizer_array_at(o, i);
        (*count)++;
    }
    if (wants_zeros(o, form))
        HEED_TRY(add_zeros(z, m, *arrays, count));
    for (size_t i = 0; i < *count; i++) {
        (*names)[i] = heed_zone_printf(z, "%s/%zu%s", heed_optimizer_class_name(o), i, form->keras == 2 ? ":0" : "");
        if ((*names)[i] == NULL)
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

static heed_status write_numbered(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_hdf5 *group)
{
    const heed_array **arrays;
    const char **names;
    size_t count;
    HEED_TRY(heed_keras_list_state(z, m, form, &arrays, &names, &count));
    for (size_t i = 0; i < count; i++) {
        char name[24];
        heed_array *copy;
        snprintf(name, sizeof name, "%zu", i);
        HEED_TRY(heed_array_convert(m->context, arrays[i], arrays[i]->dtype, &copy));
        HEED_TRY(heed_hdf5_put(group, name, copy));
    }
    return HEED_OK;
}

heed_status heed_keras_write_optimizer(heed_model *m, const heed_keras_form *form, heed_hdf5 *root)
{
    heed_hdf5 *group;
    if (!heed_is_compiled(m))
        return HEED_OK;
    HEED_TRY(heed_hdf5_group(root, "optimizer/vars", &group));
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = write_numbered(&z, m, form, group);
    heed_zone_free(&z);
    return status;
}
