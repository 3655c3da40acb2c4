/* A model's weights in an .npz, by path: "lstm/lstm_cell/kernel". */
#include "formats/keras_weights.h"

#include "heed/files.h"

#include <string.h>

/* What weight `index` is called: its path, numbered where layers of one name in several models have the same. */
static const char *name_of(heed_zone *z, const heed_model *m, size_t index)
{
    int before = 0;
    for (size_t i = 0; i < index; i++)
        before += strcmp(m->weights[i].path, m->weights[index].path) == 0;
    return before == 0 ? m->weights[index].path : heed_zone_printf(z, "%s_%d", m->weights[index].path, before);
}

static heed_status add_weight(heed_zone *z, heed_model *m, size_t index, heed_arrays *out)
{
    const heed_variable *v = m->weights[index].variable;
    heed_array own = {HEED_FLOAT32, v->shape, v->data}, *copy;
    const char *name = name_of(z, m, index);
    if (name == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_array_convert(m->context, &own, HEED_FLOAT32, &copy));
    return heed_arrays_add(out, name, copy);
}

heed_status heed_npz_write_weights(heed_model *m, const char *path)
{
    heed_arrays all = {.context = m->context};
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = HEED_OK;
    for (size_t i = 0; i < m->weight_count && status == HEED_OK; i++)
        status = add_weight(&z, m, i, &all);
    if (status == HEED_OK)
        status = heed_arrays_save(&all, path);
    heed_zone_free(&z);
    heed_arrays_free(&all);
    return status;
}

/* Every weight has its array, and every array its weight. */
static heed_status take_weights(heed_zone *z, heed_model *m, const heed_arrays *all)
{
    heed_array *values = heed_zone_alloc(z, m->weight_count, sizeof *values);
    if (values == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < m->weight_count; i++) {
        const char *name = name_of(z, m, i);
        const heed_array *a = name == NULL ? NULL : heed_arrays_get(all, name);
        if (a == NULL)
            return name == NULL ? HEED_ENOMEM
                                : heed_fail(m->context, HEED_EFORMAT, "the weight '%s' is missing", name);
        values[i] = *a;
    }
    for (size_t k = 0; k < all->count && all->count > m->weight_count; k++) {
        bool known = false;
        for (size_t i = 0; i < m->weight_count && !known; i++)
            known = values[i].data == all->items[k].array->data;
        if (!known)
            return heed_fail(m->context, HEED_EFORMAT, "the model has no weight '%s'", all->items[k].name);
    }
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
