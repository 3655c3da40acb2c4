#include "formats/csv.h"

#include "base/number.h"

#include <inttypes.h>
#include <string.h>

enum { FIELD_SIZE = 64, BUFFER = 1 << 12 }; /* a field as long as FIELD_SIZE is no number */

struct heed_csv {
    heed_source  *source;
    heed_context *context;
    const char   *name;
    size_t        line, columns; /* columns 0: no line was read yet */
    bool          numbers;       /* a row of numbers was read */
    heed_status   status;        /* of reading the source */
    float        *values;        /* rows not handed out yet */
    size_t        count, capacity;
    size_t        used, filled;
    char          buffer[BUFFER];
};

/* ---- bytes ---- */

/* The next byte, or -1 at the end. */
static int peek(heed_csv *r)
{
    if (r->used == r->filled && r->status == HEED_OK) {
        r->status = heed_source_read(r->source, r->buffer, BUFFER, &r->filled);
        r->used = 0;
    }
    return r->status == HEED_OK && r->used < r->filled ? (unsigned char)r->buffer[r->used] : -1;
}

static bool accept(heed_csv *r, int byte)
{
    bool there = peek(r) == byte;
    r->used += there;
    return there;
}

static bool at_line_end(heed_csv *r) { return peek(r) < 0 || peek(r) == '\n' || peek(r) == '\r'; }

static void skip_line_end(heed_csv *r)
{
    r->line++;
    accept(r, '\r');
    accept(r, '\n');
}

static void skip_byte_order_mark(heed_csv *r)
{
    if (peek(r) >= 0 && r->filled >= 3 && memcmp(r->buffer, "\xef\xbb\xbf", 3) == 0)
        r->used = 3;
}

/* ---- fields and rows ---- */

/* Takes a field and the comma behind it. Its text, cut to fit, goes into `field`; in quotes, two quotes are one.
 * Returns whether another field follows in the line. */
static bool take_field(heed_csv *r, char field[FIELD_SIZE])
{
    size_t length = 0;
    while (accept(r, ' ') || accept(r, '\t'))
        continue;
    bool quoted = accept(r, '"');
    for (int byte; (byte = peek(r)) >= 0;) {
        if (quoted && byte == '"') {
            r->used++;
            quoted = peek(r) == '"';
            if (!quoted)
                continue;
        } else if (!quoted && (byte == ',' || at_line_end(r))) {
            break;
        }
        r->line += quoted && byte == '\n';
        if (length < FIELD_SIZE - 1)
            field[length++] = (char)byte;
        r->used++;
    }
    while (length > 0 && (field[length - 1] == ' ' || field[length - 1] == '\t'))
        length--;
    field[length] = '\0';
    return accept(r, ',');
}

static bool parse_field(const char *field, float *out)
{
    const char *end;
    double value = heed_number_read(field, &end);
    *out = (float)value;
    return end != field && *end == '\0';
}

static heed_status add_value(heed_csv *r, float value)
{
    void *values = r->values;
    heed_status status = heed_grow(r->context, &values, &r->capacity, r->count, sizeof *r->values);
    r->values = values;
    HEED_TRY(status);
    r->values[r->count++] = value;
    return HEED_OK;
}

/* A line's numbers behind those that wait. *bad is the number of the first field that is none, 0 if all are. */
static heed_status read_fields(heed_csv *r, size_t *fields, size_t *bad, char text[FIELD_SIZE])
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
        HEED_TRY(add_value(r, value));
    }
    return r->status;
}

/* One line; the first may be a header, which leaves no numbers. */
static heed_status read_line(heed_csv *r)
{
    size_t line = r->line, fields, bad;
    char text[FIELD_SIZE];
    bool first = r->columns == 0;
    HEED_TRY(read_fields(r, &fields, &bad, text));
    skip_line_end(r);
    if (first)
        r->columns = fields;
    if (fields != r->columns)
        return heed_fail(r->context, HEED_EFORMAT, "%s: line %zu: expected %zu fields, found %zu", r->name, line,
                         r->columns, fields);
    if (bad != 0 && !first)
        return heed_fail(r->context, HEED_EFORMAT, "%s: line %zu, field %zu: expected a number, found \"%s\"", r->name,
                         line, bad, text);
    if (bad != 0)
        r->count = 0;
    r->numbers |= bad == 0;
    return HEED_OK;
}

/* Reads until so many numbers wait, or the end. */
static heed_status read_rows(heed_csv *r, int64_t rows)
{
    while (peek(r) >= 0 && (r->columns == 0 || r->count / r->columns < (uint64_t)rows)) {
        if (at_line_end(r)) /* an empty line */
            skip_line_end(r);
        else
            HEED_TRY(read_line(r));
    }
    HEED_TRY(r->status);
    return r->numbers ? HEED_OK
                      : heed_fail(r->context, HEED_EFORMAT, "%s: no numbers in it", r->name);
}

/* ---- a whole text ---- */

heed_status heed_csv_open(heed_source *s, const char *name, heed_csv **out)
{
    heed_csv *r = *out = heed_alloc_raw(s->context, 1, sizeof *r);
    if (r == NULL)
        return HEED_ENOMEM;
    memset(r, 0, offsetof(heed_csv, buffer));
    r->source = s;
    r->context = s->context;
    r->name = name;
    r->line = 1;
    skip_byte_order_mark(r);
    heed_status status = read_rows(r, 1); /* which tells how many columns there are */
    if (status != HEED_OK) {
        heed_csv_close(r);
        *out = NULL;
    }
    return status;
}

heed_status heed_csv_next(heed_csv *r, int64_t rows, heed_array **out)
{
    *out = NULL;
    HEED_TRY(read_rows(r, rows));
    if (r->count == 0)
        return HEED_OK;
    heed_shape shape = {.rank = 2, .dims = {(int64_t)(r->count / r->columns), (int64_t)r->columns}};
    HEED_TRY(heed_array_create(r->context, HEED_FLOAT32, &shape, out));
    memcpy((*out)->data, r->values, r->count * sizeof *r->values);
    r->count = 0;
    return HEED_OK;
}

size_t heed_csv_columns(const heed_csv *r) { return r->columns; }

void heed_csv_close(heed_csv *r)
{
    if (r == NULL)
        return;
    heed_release(r->context, r->values);
    heed_release(r->context, r);
}

heed_status heed_csv_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_array **out)
{
    heed_source s;
    heed_csv *csv;
    *out = NULL;
    heed_source_of_memory(c, name, bytes, size, &s);
    HEED_TRY(heed_csv_open(&s, name, &csv));
    heed_status status = heed_csv_next(csv, INT64_MAX, out);
    heed_csv_close(csv);
    return status;
}

/* ---- writing ---- */

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
