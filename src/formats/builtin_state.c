/* What an optimizer keeps for weights, carried over to the weights that they became. */
#include "formats/builtin.h"
#include "model/training.h"

#include <string.h>

typedef struct move {
    heed_builtin_target *target;
    heed_optimizer      *from, *to;
    heed_variable      **variables; /* that `to` trains */
    heed_index           rows;      /* by variable of `from`: its arrays, by what they are kept as */
} move;

static heed_status list_arrays(move *w, const struct heed_training *t)
{
    heed_zone *z = &w->target->zone;
    size_t variable;
    int kind;
    heed_array *(*rows)[HEED_KEPT_KINDS] = heed_zone_alloc(z, t->variable_count, sizeof *rows);
    if (rows == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < t->variable_count; i++)
        HEED_TRY(heed_index_put_address(&w->rows, z, t->variables[i], rows[i]));
    for (int i = 0; i < heed_optimizer_arrays(w->from); i++)
        if (heed_optimizer_array_of(w->from, i, &variable, &kind))
            rows[variable][kind] = heed_optimizer_array_at(w->from, i);
    return HEED_OK;
}

/* A counter's place is that from the beginning or, behind the arrays of the variables, that from the end. */
static heed_array *counter_of(const move *w, int index)
{
    int from_end = heed_optimizer_arrays(w->to) - index;
    return heed_optimizer_array_at(w->from, index < 2 ? index : heed_optimizer_arrays(w->from) - from_end);
}

/* Where array `index` comes from, and which part of it; NULL: nowhere. */
static const heed_array *source_of(const move *w, int index, heed_weight_part *part)
{
    size_t variable;
    int kind;
    *part = HEED_NO_WEIGHT;
    if (!heed_optimizer_array_of(w->to, index, &variable, &kind))
        return counter_of(w, index);
    const heed_weight_part *origin = heed_index_find_address(&w->target->parts, w->variables[variable]);
    *part = origin == NULL ? HEED_WHOLE(w->variables[variable]) : *origin;
    heed_array **row = heed_index_find_address(&w->rows, part->variable), *from = row == NULL ? NULL : row[kind];
    if (from != NULL && origin == NULL)
        *part = HEED_NO_WEIGHT; /* the same weight: the array goes as it is */
    return from;
}

/* Numbers for each number of a weight go where these go; others, as sums over rows, belong to a weight as it was. */
static bool can_move(const move *w, int index)
{
    heed_weight_part part;
    const heed_array *from = source_of(w, index, &part), *to = heed_optimizer_array_at(w->to, index);
    size_t variable;
    int kind;
    if (from == NULL || part.variable == NULL)
        return from != NULL && heed_shape_equal(&from->shape, &to->shape);
    heed_optimizer_array_of(w->to, index, &variable, &kind);
    return heed_shape_equal(&from->shape, &part.variable->shape) &&
           heed_shape_equal(&to->shape, &w->variables[variable]->shape);
}

static void move_array(const move *w, int index)
{
    heed_weight_part part;
    heed_array *to = heed_optimizer_array_at(w->to, index);
    const heed_array *from = source_of(w, index, &part);
    if (part.variable != NULL)
        heed_builtin_copy_part(to->data, from->data, &part);
    else
        memcpy(to->data, from->data, (size_t)heed_array_count(to) * heed_dtype_size(to->dtype));
}

heed_status heed_builtin_move_state(heed_builtin_target *target, heed_model *from, heed_model *to)
{
    if (!heed_optimizer_prepared(from->training->optimizer))
        return HEED_OK;
    HEED_TRY(heed_optimizer_build(to));
    move w = {target, from->training->optimizer, to->training->optimizer, to->training->variables, {NULL}};
    HEED_TRY(list_arrays(&w, from->training));
    for (int i = 0; i < heed_optimizer_arrays(w.to); i++)
        if (!can_move(&w, i)) {
            heed_log(from->context, HEED_LOG_WARNING,
                     "%s: the optimizer's state is left out: what %s keeps does not fit the weights of Keras' layers",
                     heed_model_name(from), heed_optimizer_class_name(w.from));
            return HEED_OK;
        }
    for (int i = 0; i < heed_optimizer_arrays(w.to); i++)
        move_array(&w, i);
    heed_set_training_step(to, heed_training_step(from));
    return HEED_OK;
}
