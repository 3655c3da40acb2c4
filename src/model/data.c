#include "model/data.h"

#include <stdio.h>
#include <string.h>

void heed_wanted_inputs(const heed_model *m, heed_wanted *out)
{
    *out = (heed_wanted){.what = "input", .count = m->input_count};
    for (int i = 0; i < m->input_count; i++) {
        out->names[i] = heed_model_input_name(m, i);
        out->dtypes[i] = m->inputs[i]->dtype;
        out->padded[i] = m->inputs[i]->padded;
    }
}

static void list_names(char *text, size_t size, const heed_arrays *given)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < given->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ", given->items[i].name);
}

static heed_status fail_missing(heed_model *m, const heed_wanted *w, int index, const heed_arrays *given)
{
    char names[200];
    list_names(names, sizeof names, given);
    return heed_fail(m->context, HEED_EINVAL, "%s: %s '%s' is missing (found %s)", heed_model_name(m), w->what,
                     w->names[index], given->count == 0 ? "no arrays" : names);
}

static heed_status refuse_extra(heed_model *m, const heed_wanted *w, const heed_arrays *given)
{
    for (size_t i = 0; i < given->count; i++) {
        bool known = false;
        for (int k = 0; k < w->count && !known; k++)
            known = strcmp(w->names[k], given->items[i].name) == 0;
        if (known)
            continue;
        heed_fail(m->context, HEED_EINVAL, "%s: there is no %s '%s'", heed_model_name(m), w->what,
                  given->items[i].name);
        heed_guess guess = {.word = given->items[i].name};
        for (int k = 0; k < w->count; k++)
            heed_guess_offer(&guess, w->names[k]);
        if (guess.best != NULL)
            heed_hint(m->context, "did you mean '%s'?", guess.best);
        return HEED_EINVAL;
    }
    return HEED_OK;
}

static heed_status take(heed_columns *c, const heed_wanted *w, int index, const heed_array *a)
{
    bool serves = a->dtype == w->dtypes[index] ||
                  (w->any_number[index] && (a->dtype == HEED_FLOAT32 || a->dtype == HEED_INT32));
    c->arrays[index] = *a;
    if (serves)
        return HEED_OK;
    heed_dtype dtype = w->dtypes[index];
    if (w->any_number[index])
        dtype = a->dtype == HEED_FLOAT64 ? HEED_FLOAT32 : HEED_INT32;
    heed_status status = heed_array_convert(c->context, a, dtype, &c->owned[index]);
    if (status != HEED_OK)
        return heed_fail_in(c->context, status, w->names[index]);
    c->arrays[index] = *c->owned[index];
    return HEED_OK;
}

static heed_status make_room(heed_columns *c, int index)
{
    const heed_array *a = &c->arrays[index];
    if (a->dtype != HEED_INT32 || a->shape.rank != 2)
        return HEED_OK;
    c->room[index] = heed_alloc_raw(c->context, (size_t)heed_array_count(a), sizeof(int32_t));
    return c->room[index] == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status check_rows(heed_model *m, const heed_wanted *w, heed_columns *c)
{
    c->rows = -1;
    for (int i = 0; i < c->count; i++) {
        const heed_array *a = &c->arrays[i];
        if (a->data == NULL)
            continue;
        if (a->shape.rank < 1)
            return heed_fail(m->context, HEED_ESHAPE,
                             "%s: %s '%s' is a single number (expected a row for each example)", heed_model_name(m),
                             w->what, w->names[i]);
        if (c->rows >= 0 && a->shape.dims[0] != c->rows)
            return heed_fail(m->context, HEED_ESHAPE,
                             "%s: %s '%s' has another number of rows than those before it (expected "
                             "%lld, found %lld)",
                             heed_model_name(m), w->what, w->names[i], (long long)c->rows, (long long)a->shape.dims[0]);
        c->rows = a->shape.dims[0];
    }
    return HEED_OK;
}

heed_status heed_columns_find(heed_model *m, const heed_wanted *w, const heed_arrays *given, heed_columns *c)
{
    *c = (heed_columns){.context = m->context, .count = w->count};
    bool single = given->count == 1 && (w->count == 1 || w->optional);
    if (!single)
        HEED_TRY(refuse_extra(m, w, given));
    for (int i = 0; i < w->count; i++) {
        const heed_array *a = heed_arrays_get(given, w->names[i]);
        if (a == NULL && single && heed_arrays_get(given, w->names[0]) == NULL)
            a = given->items[0].array;
        if (a == NULL && !w->optional)
            return fail_missing(m, w, i, given);
        if (a != NULL)
            HEED_TRY(take(c, w, i, a));
        if (a != NULL && w->padded[i])
            HEED_TRY(make_room(c, i));
    }
    return check_rows(m, w, c);
}

void heed_columns_free(heed_columns *c)
{
    for (int i = 0; i < c->count; i++) {
        heed_array_free(c->context, c->owned[i]);
        heed_release(c->context, c->room[i]);
    }
    c->count = 0;
}

static size_t row_bytes(const heed_array *a)
{
    int64_t rows = a->shape.dims[0];
    return rows == 0 ? 0 : (size_t)(heed_array_count(a) / rows) * heed_dtype_size(a->dtype);
}

/* Rows (B, T) without the columns at their end that are 0 in all of them; they move to `room`, which may be where they
 * lie. One column stays. */
static void leave_padding_out(heed_array *a, int32_t *room)
{
    int64_t rows = a->shape.dims[0], width = a->shape.dims[1], longest = 1;
    const int32_t *from = a->data;
    for (int64_t r = 0; r < rows; r++) {
        int64_t length = width;
        while (length > longest && from[r * width + length - 1] == 0)
            length--;
        longest = length > longest ? length : longest;
    }
    if (longest >= width)
        return;
    for (int64_t r = 0; r < rows; r++)
        memmove(room + r * longest, from + r * width, (size_t)longest * sizeof *room);
    a->data = room;
    a->shape.dims[1] = longest;
}

void heed_columns_slice(const heed_columns *c, int64_t begin, int64_t size, heed_array *out)
{
    for (int i = 0; i < c->count; i++) {
        out[i] = c->arrays[i];
        if (out[i].data == NULL) {
            out[i].shape.rank = 0;
            continue;
        }
        out[i].shape.dims[0] = size;
        out[i].data = (char *)out[i].data + row_bytes(&c->arrays[i]) * (size_t)begin;
        if (c->room[i] != NULL)
            leave_padding_out(&out[i], c->room[i]);
    }
}

heed_status heed_gather_create(heed_context *context, const heed_columns *c, int64_t batch_size, heed_gather *g)
{
    *g = (heed_gather){.context = context};
    for (int i = 0; i < c->count; i++) {
        if (c->arrays[i].data == NULL)
            continue;
        g->rows[i] = heed_alloc_raw(context, (size_t)batch_size, row_bytes(&c->arrays[i]));
        if (g->rows[i] == NULL)
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

void heed_gather_rows(heed_gather *g, const heed_columns *c, const int64_t *rows, int64_t count, heed_array *out)
{
    for (int i = 0; i < c->count; i++) {
        const heed_array *a = &c->arrays[i];
        out[i] = *a;
        if (a->data == NULL) {
            out[i].shape.rank = 0;
            continue;
        }
        size_t bytes = row_bytes(a);
        for (int64_t r = 0; r < count; r++)
            memcpy((char *)g->rows[i] + (size_t)r * bytes, (const char *)a->data + (size_t)rows[r] * bytes, bytes);
        out[i].shape.dims[0] = count;
        out[i].data = g->rows[i];
        if (c->room[i] != NULL)
            leave_padding_out(&out[i], g->rows[i]);
    }
}

void heed_gather_free(heed_gather *g)
{
    for (int i = 0; i < HEED_MAX_OUTPUTS; i++)
        heed_release(g->context, g->rows[i]);
}
