/* Results by epoch. */
#include "model/history.h"

#include <math.h>
#include <string.h>

static int find_column(const heed_history *h, const char *name)
{
    for (int i = 0; i < h->columns; i++)
        if (strcmp(h->names[i], name) == 0)
            return i;
    return -1;
}

/* Lays the table out anew: more columns, or more room for rows. */
static heed_status resize(heed_history *h, int columns, int capacity)
{
    double *values = heed_alloc(h->context, (size_t)columns * (size_t)capacity, sizeof *values);
    char **names = heed_alloc(h->context, (size_t)columns, sizeof *names);
    int *epochs = heed_alloc(h->context, (size_t)capacity, sizeof *epochs);
    if (values == NULL || names == NULL || epochs == NULL) {
        heed_release(h->context, values);
        heed_release(h->context, names);
        heed_release(h->context, epochs);
        return HEED_ENOMEM;
    }
    for (int row = 0; row < h->rows; row++) {
        epochs[row] = h->epochs[row];
        for (int k = 0; k < columns; k++)
            values[row * columns + k] = k < h->columns ? h->values[row * h->columns + k] : NAN;
    }
    for (int k = 0; k < h->columns; k++)
        names[k] = h->names[k];
    heed_release(h->context, h->values);
    heed_release(h->context, h->names);
    heed_release(h->context, h->epochs);
    h->values = values;
    h->names = names;
    h->epochs = epochs;
    h->capacity = capacity;
    return HEED_OK;
}

static heed_status add_column(heed_history *h, const char *name)
{
    char *copy = heed_strdup(h->context, name);
    heed_status status = copy == NULL ? HEED_ENOMEM : resize(h, h->columns + 1, h->capacity);
    if (status != HEED_OK) {
        heed_release(h->context, copy);
        return status;
    }
    h->names[h->columns++] = copy;
    return HEED_OK;
}

heed_status heed_history_add(heed_context *c, heed_history *h, int epoch, const heed_logs *logs)
{
    h->context = c;
    if (h->capacity == 0)
        h->capacity = 16;
    for (int i = 0; i < logs->count; i++)
        if (find_column(h, logs->names[i]) < 0)
            HEED_TRY(add_column(h, logs->names[i]));
    if (h->rows == h->capacity)
        HEED_TRY(resize(h, h->columns, 2 * h->capacity));
    double *row = h->values + h->rows * h->columns;
    for (int k = 0; k < h->columns; k++)
        row[k] = heed_logs_get(logs, h->names[k], NAN);
    h->epochs[h->rows++] = epoch;
    return HEED_OK;
}

double heed_history_get(const heed_history *h, const char *name, int row)
{
    int column = find_column(h, name);
    return column < 0 || row < 0 || row >= h->rows ? NAN : h->values[row * h->columns + column];
}

void heed_history_free(heed_history *h)
{
    if (h == NULL || h->context == NULL)
        return;
    for (int k = 0; k < h->columns; k++)
        heed_release(h->context, h->names[k]);
    heed_release(h->context, h->names);
    heed_release(h->context, h->values);
    heed_release(h->context, h->epochs);
    *h = (heed_history){0};
}
