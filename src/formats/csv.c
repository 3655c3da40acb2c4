#include "formats/csv.h"

#include "base/number.h"

#include <inttypes.h>
#include <string.h>

enum { FIELD_SIZE = 64 }; /* a field as long as this is no number */

typedef struct reader {
    heed_context *context;
    const char   *name, *next, *end;
    size_t        line;
} reader;

typedef struct table {
    float *values;
    size_t count, capacity, columns;
} table;

static bool at_line_end(const reader *r) { return r->next == r->end || *r->next == '\n' || *r->next == '\r'; }

static void skip_line_end(reader *r)
{
    r->line++;
    if (r->next < r->end && *r->next == '\r')
        r->next++;
    if (r->next < r->end && *r->next == '\n')
        r->next++;
}

/* Takes a field and the comma behind it. Its text, cut to fit, goes into `field`; in quotes, two quotes are one. Returns
 * whether another field follows in the line. */
static bool take_field(reader *r, char field[FIELD_SIZE])
{
    size_t length = 0;
    while (r->next < r->end && (*r->next == ' ' || *r->next == '\t'))
        r->next++;
    bool quoted = r->next < r->end && *r->next == '"';
    r->next += quoted;
    while (r->next < r->end) {
        char byte = *r->next;
        if (quoted && byte == '"') {
            r->next++;
            if (r->next == r->end || *r->next != '"')
                quoted = false;
            if (!quoted)
                continue;
        } else if (!quoted && (byte == ',' || at_line_end(r))) {
            break;
        }
        r->line += quoted && byte == '\n';
        if (length < FIELD_SIZE - 1)
            field[length++] = byte;
        r->next++;
    }
    while (length > 0 && (field[length - 1] == ' ' || field[length - 1] == '\t'))
        length--;
    field[length] = '\0';
    bool more = r->next < r->end && *r->next == ',';
    r->next += more;
    return more;
}

static bool parse_field(const char *field, float *out)
{
    const char *end;
    double value = heed_number_read(field, &end);
    *out = (float)value;
    return end != field && *end == '\0';
}

/* A line's numbers behind those of the table. *bad is the number of the first field that is none, 0 if all are. */
static heed_status read_row(reader *r, table *t, size_t *fields, size_t *bad, char text[FIELD_SIZE])
{
    *fields = *bad = 0;
    bool more = true;
    while (more) {
        char field[FIELD_SIZE];
        float value;
        more = take_field(r, field);
        ++*fields;
        if (!parse_field(field, &value) && *bad == 0) {
            *bad = *fields;
            memcpy(text, field, FIELD_SIZE);
        }
        void *values = t->values;
        heed_status status = heed_grow(r->context, &values, &t->capacity, t->count, sizeof *t->values);
        t->values = values;
        HEED_TRY(status);
        t->values[t->count++] = value;
    }
    return HEED_OK;
}

static heed_status read_table(reader *r, table *t)
{
    bool first = true;
    while (r->next < r->end) {
        if (at_line_end(r)) { /* an empty line */
            skip_line_end(r);
            continue;
        }
        size_t line = r->line, fields, bad;
        char text[FIELD_SIZE];
        HEED_TRY(read_row(r, t, &fields, &bad, text));
        skip_line_end(r);
        if (first)
            t->columns = fields;
        if (fields != t->columns)
            return heed_fail(r->context, HEED_EFORMAT, "%s: line %zu: expected %zu fields, found %zu", r->name, line,
                             t->columns, fields);
        if (bad != 0 && !first)
            return heed_fail(r->context, HEED_EFORMAT, "%s: line %zu, field %zu: expected a number, found \"%s\"", r->name,
                             line, bad, text);
        if (bad != 0)
            t->count = 0; /* a header */
        first = false;
    }
    if (t->count == 0)
        return heed_fail(r->context, HEED_EFORMAT, "%s: no numbers in it", r->name);
    return HEED_OK;
}

heed_status heed_csv_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_array **out)
{
    *out = NULL;
    reader r = {.context = c, .name = name, .next = bytes, .line = 1};
    r.end = r.next + size;
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        r.next += 3;
    table t = {0};
    heed_status status = read_table(&r, &t);
    if (status == HEED_OK) {
        heed_shape shape = {.rank = 2, .dims = {(int64_t)(t.count / t.columns), (int64_t)t.columns}};
        status = heed_array_create(c, HEED_FLOAT32, &shape, out);
    }
    if (status == HEED_OK)
        memcpy((*out)->data, t.values, t.count * sizeof *t.values);
    heed_release(c, t.values);
    return status;
}

static void write_element(heed_text *t, const heed_array *a, int64_t i)
{
    char text[HEED_NUMBER_SIZE];
    switch (a->dtype) {
    case HEED_FLOAT32: heed_text_printf(t, "%s", heed_number_write_float(((const float *)a->data)[i], text)); return;
    case HEED_FLOAT64: heed_text_printf(t, "%s", heed_number_write_double(((const double *)a->data)[i], text)); return;
    case HEED_INT32: heed_text_printf(t, "%" PRId32, ((const int32_t *)a->data)[i]); return;
    case HEED_INT64: heed_text_printf(t, "%" PRId64, ((const int64_t *)a->data)[i]); return;
    case HEED_BOOL:
    case HEED_UINT8: heed_text_printf(t, "%d", ((const uint8_t *)a->data)[i]); return;
    }
}

heed_status heed_csv_write(const heed_array *a, heed_text *out)
{
    int64_t columns = a->shape.rank == 2 ? a->shape.dims[1] : 1, count = heed_array_count(a);
    for (int64_t i = 0; i < count; i++) {
        write_element(out, a, i);
        heed_text_append(out, (i + 1) % columns == 0 ? "\n" : ",", 1);
    }
    return heed_text_status(out);
}
