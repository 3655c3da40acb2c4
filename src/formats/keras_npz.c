/* A model's weights in an .npz, by path: "lstm/lstm_cell/kernel". */
#include "formats/keras_weights.h"

#include "heed/files.h"

#include <string.h>

/* What each weight is called: its path, numbered where layers of one name in several models have the same. */
static heed_status list_names(heed_zone *z, const heed_model *m, const char ***out)
{
    heed_index counts = {NULL};
    const char **names = *out = heed_zone_alloc(z, m->weight_count, sizeof *names);
    if (names == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < m->weight_count; i++) {
        int *before = heed_index_find_text(&counts, m->weights[i].path);
        names[i] = before == NULL ? m->weights[i].path : heed_zone_printf(z, "%s_%d", m->weights[i].path, ++*before);
        if (names[i] == NULL)
            return HEED_ENOMEM;
        if (before != NULL)
            continue;
        if ((before = heed_zone_alloc(z, 1, sizeof *before)) == NULL)
            return HEED_ENOMEM;
        HEED_TRY(heed_index_put_text(&counts, z, m->weights[i].path, before));
    }
    return HEED_OK;
}

static heed_status add_weight(heed_model *m, size_t index, const char *name, heed_arrays *out)
{
    const heed_variable *v = m->weights[index].variable;
    heed_array own = {HEED_FLOAT32, v->shape, v->data}, *copy;
    HEED_TRY(heed_array_convert(m->context, &own, HEED_FLOAT32, &copy));
    return heed_arrays_add(out, name, copy);
}

heed_status heed_npz_write_weights(heed_model *m, const char *path)
{
    heed_arrays all = {.context = m->context};
    heed_zone z;
    const char **names;
    heed_zone_init(&z, m->context);
    heed_status status = list_names(&z, m, &names);
    for (size_t i = 0; i < m->weight_count && status == HEED_OK; i++)
        status = add_weight(m, i, names[i], &all);
    if (status == HEED_OK)
        status = heed_arrays_save(&all, path);
    heed_zone_free(&z);
    heed_arrays_free(&all);
    return status;
}

static heed_status refuse_extra(heed_zone *z, heed_model *m, const char *const *names, const heed_arrays *all)
{
    heed_index known = {NULL};
    for (size_t i = 0; i < m->weight_count; i++)
        HEED_TRY(heed_index_put_text(&known, z, names[i], m));
    for (size_t k = 0; k < all->count; k++)
        if (heed_index_find_text(&known, all->items[k].name) == NULL)
            return heed_fail(m->context, HEED_EFORMAT, "the model has no weight '%s'", all->items[k].name);
    return HEED_OK;
}

/* Every weight has its array, and every array its weight. */
static heed_status take_weights(heed_zone *z, heed_model *m, const heed_arrays *all)
{
    heed_index arrays = {NULL};
    const char **names;
    heed_array *values = heed_zone_alloc(z, m->weight_count, sizeof *values);
    if (values == NULL)
        return HEED_ENOMEM;
    HEED_TRY(list_names(z, m, &names));
    for (size_t k = 0; k < all->count; k++)
        HEED_TRY(heed_index_put_text(&arrays, z, all->items[k].name, all->items[k].array));
    for (size_t i = 0; i < m->weight_count; i++) {
        const heed_array *a = heed_index_find_text(&arrays, names[i]);
        if (a == NULL)
            return heed_fail(m->context, HEED_EFORMAT, "the weight '%s' is missing", names[i]);
        values[i] = *a;
    }
    HEED_TRY(refuse_extra(z, m, names, all));
    return heed_set_weights(m, values, (int)m->weight_count);
}

heed_status heed_npz_read_weights(heed_model *m, const char *path)
{
    heed_arrays all;
    heed_zone z;
    HEED_TRY(heed_model_complete(m));
    HEED_TRY(heed_arrays_load(m->context, path, &all));
    heed_zone_init(&z, m->context);
    heed_status status = take_weights(&z, m, &all);
    heed_zone_free(&z);
    heed_arrays_free(&all);
    return status == HEED_OK || status == HEED_ENOMEM ? status : heed_fail_in(m->context, status, path);
}
