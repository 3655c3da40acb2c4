#define _POSIX_C_SOURCE 200809L
#include "history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER = 32 };

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool set_names(cli_history *h, int count, const char *const *names)
{
    h->names = calloc((size_t)count, sizeof *h->names);
    if (h->names == NULL)
        return false;
    h->columns = count;
    for (int k = 0; k < count; k++)
        if ((h->names[k] = strdup(names[k])) == NULL)
            return false;
    qsort(h->names, (size_t)count, sizeof *h->names, by_name);
    return true;
}

/* Room for one more row; NULL when there is no memory. */
static double *next_row(cli_history *h)
{
    if (h->rows == h->capacity) {
        int capacity = h->capacity == 0 ? 16 : 2 * h->capacity;
        double *values = realloc(h->values, (size_t)capacity * (size_t)h->columns * sizeof *values);
        if (values == NULL)
            return NULL;
        h->values = values;
        h->capacity = capacity;
    }
    return h->values + (size_t)h->rows++ * (size_t)h->columns;
}

bool cli_history_add(cli_history *h, const heed_logs *logs)
{
    if (h->names == NULL && !set_names(h, logs->count, logs->names))
        return false;
    double *row = next_row(h);
    for (int k = 0; row != NULL && k < h->columns; k++)
        row[k] = heed_logs_get(logs, h->names[k], NAN);
    return row != NULL;
}

heed_logs cli_history_row(const cli_history *h, int row)
{
    return (heed_logs){h->columns, (const char *const *)h->names, h->values + (size_t)row * (size_t)h->columns};
}

/* ---- as text ---- */

char *cli_history_text(const cli_history *h)
{
    size_t size = sizeof "epoch\n", used;
    for (int k = 0; k < h->columns; k++)
        size += strlen(h->names[k]) + 1 + (size_t)h->rows * NUMBER;
    char *text = malloc(size + (size_t)h->rows * NUMBER);
    if (text == NULL)
        return NULL;
    used = (size_t)sprintf(text, "epoch");
    for (int k = 0; k < h->columns; k++)
        used += (size_t)sprintf(text + used, ",%s", h->names[k]);
    for (int row = 0; row < h->rows; row++) {
        used += (size_t)sprintf(text + used, "\n%d", row);
        for (int k = 0; k < h->columns; k++) {
            double value = h->values[row * h->columns + k];
            used += (size_t)sprintf(text + used, isnan(value) ? ",NA" : ",%.17g", value);
        }
    }
    sprintf(text + used, "\n");
    return text;
}

/* Cuts a line at its commas; returns how many fields there are, of which the first `most` are kept. */
static int cut(char *line, const char **fields, int most)
{
    int count = 0;
    for (char *at = line; at != NULL; count++) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma = '\0';
        if (count < most)
            fields[count] = at;
        at = comma == NULL ? NULL : comma + 1;
    }
    return count;
}

static bool read_row(cli_history *h, const char *const *fields)
{
    double *row = next_row(h);
    for (int k = 0; row != NULL && k < h->columns; k++) {
        char *end;
        row[k] = strcmp(fields[k + 1], "NA") == 0 ? NAN : strtod(fields[k + 1], &end);
    }
    return row != NULL;
}

static bool read_lines(cli_history *h, char *text)
{
    enum { MOST = 256 };
    const char *fields[MOST];
    char *rest = NULL, *line = strtok_r(text, "\n", &rest);
    int count = line == NULL ? 0 : cut(line, fields, MOST);
    if (count < 1 || count > MOST || strcmp(fields[0], "epoch") != 0)
        return false;
    if (count == 1) /* nothing was measured yet: the names are those of the first epoch that ends */
        return strtok_r(NULL, "\n", &rest) == NULL;
    if (!set_names(h, count - 1, fields + 1))
        return false;
    while ((line = strtok_r(NULL, "\n", &rest)) != NULL)
        if (cut(line, fields, MOST) != count || !read_row(h, fields))
            return false;
    return true;
}

bool cli_history_read(cli_history *h, const char *text, size_t size)
{
    *h = (cli_history){0};
    char *copy = strndup(text, size);
    bool fine = copy != NULL && read_lines(h, copy);
    free(copy);
    return fine;
}

void cli_history_free(cli_history *h)
{
    for (int k = 0; k < h->columns && h->names != NULL; k++)
        free(h->names[k]);
    free(h->names);
    free(h->values);
    *h = (cli_history){0};
}
