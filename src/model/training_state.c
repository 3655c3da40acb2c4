/* What a training run holds beside weights and the optimizer's state, as text: an expression as of a layer's options. */
#include "model/training.h"

#include "base/value.h"

#include <stdlib.h>
#include <string.h>

/* ---- numbers */

static heed_value *list_of_floats(heed_zone *z, const float *numbers, int64_t count)
{
    heed_value *list = heed_value_list(z);
    for (int64_t i = 0; i < count; i++)
        if (heed_value_append(list, heed_value_real(z, numbers[i])) != HEED_OK)
            return NULL;
    return list;
}

static heed_status misfit(heed_model *m, const char *what)
{
    return heed_fail(m->context, HEED_EFORMAT, "%s: the state of a run does not fit the model: %s", heed_model_name(m), what);
}

static bool has_items(const heed_value *list, int64_t count)
{
    return heed_value_is(list, HEED_VALUE_LIST) && (int64_t)list->count == count;
}

static heed_status take_doubles(heed_model *m, const heed_value *list, double *numbers, int64_t count)
{
    if (!has_items(list, count))
        return misfit(m, "sums");
    for (const heed_value *item = list->first; item != NULL; item = item->next)
        HEED_TRY(heed_value_as_real(m->context, item, "sums", numbers++));
    return HEED_OK;
}

static heed_status take_floats(heed_model *m, const heed_value *list, float *numbers, int64_t count)
{
    if (!has_items(list, count))
        return misfit(m, "carried");
    for (const heed_value *item = list->first; item != NULL; item = item->next) {
        double number;
        HEED_TRY(heed_value_as_real(m->context, item, "carried", &number));
        *numbers++ = (float)number;
    }
    return HEED_OK;
}

/* ---- the sums behind the logs */

static heed_value *sums_value(heed_zone *z, const struct heed_training *t)
{
    const double loss[] = {t->loss_total, t->loss_divisor};
    heed_value *list = heed_value_list(z);
    if (heed_value_append(list, heed_value_reals(z, loss, 2)) != HEED_OK)
        return NULL;
    for (int i = 0; i < t->tally_count; i++) {
        const heed_tally *tally = &t->tallies[i];
        if (heed_value_append(list, heed_value_reals(z, tally->sums, tally->sums == NULL ? 0 : tally->count)) != HEED_OK)
            return NULL;
    }
    return list;
}

static heed_status take_sums(heed_model *m, const heed_value *sums)
{
    struct heed_training *t = m->training;
    double loss[2];
    if (!has_items(sums, 1 + t->tally_count))
        return misfit(m, "sums");
    const heed_value *item = sums->first;
    HEED_TRY(take_doubles(m, item, loss, 2));
    t->loss_total = loss[0];
    t->loss_divisor = loss[1];
    for (int i = 0; i < t->tally_count; i++) {
        heed_tally *tally = &t->tallies[i];
        item = item->next;
        if (item->count == 0)
            continue;
        HEED_TRY(heed_tally_make_room(m, tally, (int64_t)item->count));
        HEED_TRY(take_doubles(m, item, tally->sums, tally->count));
    }
    return HEED_OK;
}

/* ---- what stateful layers carry */

/* Layers are told by their number in this walk. */
static heed_status add_carried(heed_zone *z, const heed_layer *layer, int *number, heed_value *list)
{
    int own = (*number)++;
    for (size_t i = 0; i < layer->state_count; i++) {
        heed_variable *v = layer->states[i];
        heed_value *entry = heed_value_dict(z);
        HEED_TRY(heed_variable_claim(v));
        HEED_TRY(heed_value_set(z, entry, "layer", heed_value_int(z, own)));
        HEED_TRY(heed_value_set(z, entry, "name", heed_value_text(z, v->name)));
        HEED_TRY(heed_value_set(z, entry, "shape", heed_value_ints(z, v->shape.dims, v->shape.rank)));
        HEED_TRY(heed_value_set(z, entry, "values", list_of_floats(z, v->data, v->count)));
        HEED_TRY(heed_value_append(list, entry));
    }
    for (size_t i = 0; i < layer->child_count; i++)
        HEED_TRY(add_carried(z, layer->children[i].layer, number, list));
    return HEED_OK;
}

static heed_layer *find_numbered(heed_layer *layer, int64_t *left)
{
    if ((*left)-- == 0)
        return layer;
    for (size_t i = 0; i < layer->child_count; i++) {
        heed_layer *found = find_numbered(layer->children[i].layer, left);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static heed_status read_sizes(heed_model *m, const heed_value *list, heed_shape *out)
{
    if (!heed_value_is(list, HEED_VALUE_LIST) || list->count > HEED_MAX_RANK)
        return misfit(m, "carried");
    *out = (heed_shape){0};
    for (const heed_value *item = list->first; item != NULL; item = item->next)
        HEED_TRY(heed_value_as_int(m->context, item, "carried", &out->dims[out->rank++]));
    return heed_shape_count(out) < 0 ? misfit(m, "carried") : HEED_OK;
}

static heed_status take_entry(heed_model *m, const heed_value *entry)
{
    static const char stem[] = "state"; /* of the names of what layers carry */
    const heed_value *number = heed_value_find(entry, "layer"), *name = heed_value_find(entry, "name");
    const heed_value *values = heed_value_find(entry, "values");
    heed_shape shape;
    HEED_TRY(read_sizes(m, heed_value_find(entry, "shape"), &shape));
    int64_t left = heed_value_is(number, HEED_VALUE_INT) ? number->integer : -1;
    heed_layer *layer = left < 0 ? NULL : find_numbered(m->layer, &left);
    if (layer == NULL || !heed_value_is(name, HEED_VALUE_TEXT) || strncmp(name->text, stem, sizeof stem - 1) != 0 ||
        !has_items(values, heed_shape_count(&shape)))
        return misfit(m, "carried");
    heed_variable *v = heed_layer_carried(layer, (size_t)strtoul(name->text + sizeof stem - 1, NULL, 10), &shape);
    if (v == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_variable_claim(v));
    return take_floats(m, values, v->data, v->count);
}

/* ---- both */

static heed_status write_state(heed_zone *z, heed_model *m, char **out)
{
    heed_value *state = heed_value_dict(z), *carried = heed_value_list(z);
    int number = 0;
    HEED_TRY(heed_value_set(z, state, "sums", sums_value(z, m->training)));
    if (carried == NULL)
        return HEED_ENOMEM;
    HEED_TRY(add_carried(z, m->layer, &number, carried));
    HEED_TRY(heed_value_set(z, state, "carried", carried));
    const char *text = heed_value_expression(z, state);
    *out = text == NULL ? NULL : heed_strdup(m->context, text);
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_training_state(heed_model *m, char **out)
{
    *out = NULL;
    HEED_TRY(heed_model_status(m));
    HEED_TRY(heed_training_resolve(m));
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = write_state(&z, m, out);
    heed_zone_free(&z);
    return status;
}

static heed_status read_state(heed_zone *z, heed_model *m, const char *text)
{
    heed_value *state;
    HEED_TRY(heed_value_parse(z, "the state of a run", text, &state));
    HEED_TRY(take_sums(m, heed_value_find(state, "sums")));
    const heed_value *carried = heed_value_find(state, "carried");
    if (!heed_value_is(carried, HEED_VALUE_LIST))
        return misfit(m, "carried");
    for (const heed_value *entry = carried->first; entry != NULL; entry = entry->next)
        HEED_TRY(take_entry(m, entry));
    return HEED_OK;
}

heed_status heed_set_training_state(heed_model *m, const char *text)
{
    HEED_TRY(heed_model_status(m));
    HEED_TRY(heed_training_resolve(m));
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = read_state(&z, m, text);
    heed_zone_free(&z);
    return status;
}
