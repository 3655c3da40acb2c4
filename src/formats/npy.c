#include "formats/npy.h"

#include "base/memory.h"
#include "formats/encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";

enum { MAGIC_SIZE = 6, PREFIX_SIZE = 10, ALIGNMENT = 64, MAX_HEADER = 1 << 16 };

bool heed_npy_is(const void *bytes, size_t size) { return size >= MAGIC_SIZE && memcmp(bytes, magic, MAGIC_SIZE) == 0; }

/* ---- the header: a Python dictionary as text, {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ---- */

typedef struct parser {
    heed_context *context;
    const char   *name;
    const char   *next; /* NUL-terminated */
} parser;

static heed_status damaged(const parser *p)
{
    return heed_fail(p->context, HEED_EFORMAT, "%s: the header of the .npy file is damaged (at \"%.20s\")", p->name, p->next);
}

static bool accept(parser *p, const char *word)
{
    while (*p->next == ' ' || *p->next == '\n')
        p->next++;
    size_t length = strlen(word);
    if (strncmp(p->next, word, length) != 0)
        return false;
    p->next += length;
    return true;
}

/* A string in single or double quotes, without escapes. */
static heed_status parse_string(parser *p, char *text, size_t size)
{
    const char *quote = accept(p, "'") ? "'" : accept(p, "\"") ? "\"" : NULL;
    size_t length = quote == NULL ? 0 : strcspn(p->next, quote);
    if (quote == NULL || p->next[length] != *quote || length >= size)
        return damaged(p);
    memcpy(text, p->next, length);
    text[length] = '\0';
    p->next += length + 1;
    return HEED_OK;
}

/* "<f4": byte order, kind, bytes. */
static heed_status parse_descr(parser *p, heed_encoding *out)
{
    static const struct {
        char               letter;
        heed_encoding_kind kind;
    } kinds[] = {{'f', HEED_IEEE}, {'i', HEED_SIGNED}, {'u', HEED_UNSIGNED}, {'b', HEED_BOOLEAN}};
    char text[32];
    if (accept(p, "["))
        return heed_fail(p->context, HEED_EUNSUPPORTED, "%s: records of several fields (expected numbers)", p->name);
    HEED_TRY(parse_string(p, text, sizeof text));
    const char *order = strchr("<>|=", text[0]);
    const char *kind = order != NULL && *order != '\0' ? text + 1 : text;
    if (*kind == 'O')
        return heed_fail(p->context, HEED_EUNSUPPORTED, "%s: Python objects (expected numbers)", p->name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (*kind != kinds[i].letter || kind[1] < '1' || kind[1] > '8' || kind[2] != '\0')
            continue;
        *out = (heed_encoding){kinds[i].kind, (size_t)(kind[1] - '0'), text[0] == '>'};
        heed_dtype dtype;
        if (heed_encoding_dtype(out, &dtype))
            return HEED_OK;
    }
    return heed_fail(p->context, HEED_EUNSUPPORTED, "%s: numbers of type \"%s\" (expected floats, integers or booleans)",
                     p->name, text);
}

static heed_status parse_shape(parser *p, heed_shape *out)
{
    *out = (heed_shape){0};
    if (!accept(p, "("))
        return damaged(p);
    while (!accept(p, ")")) {
        if (*p->next < '0' || *p->next > '9')
            return damaged(p);
        if (out->rank == HEED_MAX_RANK)
            return heed_fail(p->context, HEED_EUNSUPPORTED, "%s: more than %d dimensions", p->name, HEED_MAX_RANK);
        char *end;
        out->dims[out->rank++] = strtoll(p->next, &end, 10); /* what is too large is INT64_MAX, and more than the file holds */
        p->next = end;
        accept(p, "L"); /* Python 2 */
        if (!accept(p, ",") && *p->next != ')')
            return damaged(p);
    }
    return HEED_OK;
}

static heed_status parse_header(parser *p, heed_npy_header *out)
{
    enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
    int seen = 0;
    if (!accept(p, "{"))
        return damaged(p);
    while (!accept(p, "}")) {
        char key[32];
        HEED_TRY(parse_string(p, key, sizeof key));
        if (!accept(p, ":"))
            return damaged(p);
        if (strcmp(key, "descr") == 0) {
            seen |= DESCR;
            HEED_TRY(parse_descr(p, &out->encoding));
        } else if (strcmp(key, "shape") == 0) {
            seen |= SHAPE;
            HEED_TRY(parse_shape(p, &out->shape));
        } else if (strcmp(key, "fortran_order") == 0) {
            seen |= ORDER;
            out->fortran_order = accept(p, "True");
            if (!out->fortran_order && !accept(p, "False"))
                return damaged(p);
        } else {
            return damaged(p);
        }
        if (!accept(p, ",") && *p->next != '}')
            return damaged(p);
    }
    return seen == (DESCR | ORDER | SHAPE) ? HEED_OK : damaged(p);
}

/* ---- reading ---- */

static heed_status cut_off(heed_context *c, const char *name, const heed_npy_header *h, size_t found)
{
    char shape[128];
    return heed_fail(c, HEED_EFORMAT, "%s: the file is cut off (shape %s of %zu bytes each, found %zu bytes)", name,
                     heed_shape_text(&h->shape, shape, sizeof shape), h->encoding.size, found);
}

/* The text of the header as a string of its own, and how many bytes were taken for it. */
static heed_status take_header(heed_source *s, const char *name, char **text, size_t *taken)
{
    heed_context *c = s->context;
    unsigned char prefix[MAGIC_SIZE + 6];
    size_t got, length = 0;
    *text = NULL;
    HEED_TRY(heed_source_read(s, prefix, PREFIX_SIZE, &got));
    if (!heed_npy_is(prefix, got))
        return heed_fail(c, HEED_EFORMAT, "%s: not an .npy file", name);
    int version = got > MAGIC_SIZE ? prefix[MAGIC_SIZE] : 1;
    if (version < 1 || version > 3)
        return heed_fail(c, HEED_EUNSUPPORTED, "%s: version %d of the .npy format (expected 1, 2 or 3)", name, version);
    size_t length_bytes = version == 1 ? 2 : 4, more = 0, size;
    if (version > 1 && got == PREFIX_SIZE)
        HEED_TRY(heed_source_read(s, prefix + PREFIX_SIZE, 2, &more));
    got += more;
    for (size_t i = 0; i < length_bytes; i++)
        length |= (size_t)prefix[MAGIC_SIZE + 2 + i] << 8 * i;
    bool cut = got < MAGIC_SIZE + 2 + length_bytes || (heed_source_size(s, &size) && length > size - got);
    if (cut || length > MAX_HEADER)
        return heed_fail(c, HEED_EFORMAT, "%s: the header of the .npy file is cut off or too long", name);
    *taken = got + length;
    *text = heed_alloc(c, length + 1, 1);
    if (*text == NULL)
        return HEED_ENOMEM;
    heed_status status = heed_source_read(s, *text, length, &got);
    if (status == HEED_OK && got < length)
        status = heed_fail(c, HEED_EFORMAT, "%s: the header of the .npy file is cut off or too long", name);
    return status;
}

heed_status heed_npy_read_header(heed_source *s, const char *name, heed_npy_header *out)
{
    char *text;
    size_t taken = 0, size;
    *out = (heed_npy_header){0};
    heed_status status = take_header(s, name, &text, &taken);
    if (status == HEED_OK)
        status = parse_header(&(parser){s->context, name, text}, out);
    heed_release(s->context, text);
    HEED_TRY(status);
    int64_t count = heed_shape_count(&out->shape);
    bool known = heed_source_size(s, &size);
    if (count < 0 || (known && (uint64_t)count > (size - taken) / out->encoding.size))
        return cut_off(s->context, name, out, known ? size - taken : 0);
    return HEED_OK;
}

heed_status heed_npy_read_rows(heed_source *s, const char *name, const heed_npy_header *h, int64_t rows,
                               unsigned char *bytes, heed_array **out)
{
    heed_shape shape = h->shape;
    shape.dims[0] = rows;
    size_t size = (size_t)heed_shape_count(&shape) * h->encoding.size, got;
    *out = NULL;
    HEED_TRY(heed_source_read(s, bytes, size, &got));
    if (got < size)
        return cut_off(s->context, name, h, got);
    heed_status status = heed_encoding_decode(s->context, &h->encoding, &shape, bytes, out);
    return status == HEED_EFORMAT ? heed_fail_in(s->context, status, name) : status;
}

/* An array whose elements stand with the first index running fastest, put in our order. Takes `a` over. */
static heed_status from_fortran(heed_context *c, heed_array *a, heed_array **out)
{
    heed_status status = heed_array_create(c, a->dtype, &a->shape, out);
    size_t size = heed_dtype_size(a->dtype);
    int64_t index[HEED_MAX_RANK] = {0}, stride[HEED_MAX_RANK], from = 0;
    for (int i = 0; i < a->shape.rank; i++)
        stride[i] = i == 0 ? 1 : stride[i - 1] * a->shape.dims[i - 1];
    int64_t count = status == HEED_OK ? heed_array_count(a) : 0;
    for (int64_t to = 0; to < count; to++) {
        memcpy((char *)(*out)->data + (size_t)to * size, (const char *)a->data + (size_t)from * size, size);
        for (int i = a->shape.rank - 1; i >= 0; i--) {
            from += stride[i];
            if (++index[i] < a->shape.dims[i])
                break;
            from -= index[i] * stride[i];
            index[i] = 0;
        }
    }
    heed_array_free(c, a);
    return status;
}

heed_status heed_npy_read(heed_context *c, const char *name, const void *bytes, size_t size, heed_array **out)
{
    heed_source s;
    heed_npy_header h;
    *out = NULL;
    heed_source_of_memory(c, name, bytes, size, &s);
    HEED_TRY(heed_npy_read_header(&s, name, &h));
    heed_status status = heed_encoding_decode(c, &h.encoding, &h.shape, s.memory + s.memory_used, out);
    if (status == HEED_EFORMAT)
        return heed_fail_in(c, status, name);
    HEED_TRY(status);
    return h.fortran_order && h.shape.rank > 1 ? from_fortran(c, *out, out) : HEED_OK;
}

/* ---- writing ---- */

static heed_status append(void *end, const void *bytes, size_t size)
{
    unsigned char **next = end;
    memcpy(*next, bytes, size);
    *next += size;
    return HEED_OK;
}

/* Spaces where the first dimension has fewer digits than it may have, so that rows can be added without moving the
 * numbers; then as many as make the numbers begin at a multiple of 64. All as NumPy has it. */
size_t heed_npy_write_header(heed_dtype dtype, const heed_shape *shape, unsigned char bytes[HEED_NPY_HEADER])
{
    static const char *const descr[] = {
        [HEED_FLOAT32] = "<f4", [HEED_INT32] = "<i4", [HEED_BOOL] = "|b1",
        [HEED_FLOAT64] = "<f8", [HEED_INT64] = "<i8", [HEED_UINT8] = "|u1",
    };
    enum { MOST_DIGITS = 21 };
    char text[256];
    heed_shape_text(shape, text, sizeof text);
    int length = snprintf((char *)bytes + PREFIX_SIZE, HEED_NPY_HEADER - PREFIX_SIZE,
                          "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr[dtype], text);
    int digits = shape->rank == 0 ? MOST_DIGITS : (int)strcspn(text + 1, ",)");
    size_t used = PREFIX_SIZE + (size_t)length, least = used + (size_t)(MOST_DIGITS - digits) + 1;
    size_t size = (least + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, header = size - PREFIX_SIZE;
    memset(bytes + used, ' ', size - used);
    memcpy(bytes, magic, MAGIC_SIZE);
    memcpy(bytes + MAGIC_SIZE, (unsigned char[]){1, 0, header & 0xff, (unsigned char)(header >> 8)}, 4);
    bytes[size - 1] = '\n';
    return size;
}

heed_status heed_npy_write(heed_context *c, const heed_array *a, unsigned char **out, size_t *size)
{
    unsigned char header[HEED_NPY_HEADER];
    size_t begin = heed_npy_write_header(a->dtype, &a->shape, header);
    *size = begin + (size_t)heed_array_count(a) * heed_dtype_size(a->dtype);
    unsigned char *next = *out = heed_alloc_raw(c, *size, 1);
    if (next == NULL)
        return HEED_ENOMEM;
    memcpy(next, header, begin);
    next += begin;
    return heed_encoding_encode(a, append, &next);
}
