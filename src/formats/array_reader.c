/* Arrays that are read some rows at a time. */
#include "heed/files.h"

#include "formats/array_file.h"
#include "formats/csv.h"
#include "formats/npy.h"

#include <string.h>

/* ---- reading ---- */

/* One array: of an .npy or a member of an .npz, of a .csv, or whole in memory where its rows do not lie in one piece. */
typedef struct column {
    char           *name, *label; /* "x", "data.npz: x.npy" */
    heed_source     source;
    heed_npy_header header;
    heed_csv       *csv;
    heed_array     *whole;
    heed_shape      shape; /* with all rows; the first is HEED_ANY where only the end tells */
    heed_dtype      dtype;
    int64_t         done;  /* rows handed out */
} column;

struct heed_array_reader {
    heed_context  *context;
    char          *path;
    unsigned char *archive; /* the bytes of an .npz that came by standard input */
    heed_zip      *zip;
    column        *columns;
    int            count;
    unsigned char *bytes; /* rows as files have them */
    size_t         capacity;
};

/* In Fortran's order the first dimension runs fastest, and no row lies in one piece. */
static heed_status read_whole(heed_array_reader *r, column *k)
{
    heed_source_close(&k->source);
    heed_arrays all;
    HEED_TRY(heed_arrays_load(r->context, r->path, &all));
    for (size_t i = 0; i < all.count; i++)
        if (strcmp(all.items[i].name, k->name) == 0) {
            k->whole = all.items[i].array;
            all.items[i].array = NULL;
        }
    heed_arrays_free(&all);
    return k->whole != NULL ? HEED_OK
                            : heed_fail(r->context, HEED_EFORMAT, "%s: it changed while it was read", r->path);
}

static heed_status start_npy(heed_array_reader *r, column *k)
{
    HEED_TRY(heed_npy_read_header(&k->source, k->source.name, &k->header));
    k->shape = k->header.shape;
    heed_encoding_dtype(&k->header.encoding, &k->dtype); /* the header was refused where there is none */
    if (k->shape.rank == 0)
        return heed_fail(r->context, HEED_ESHAPE, "%s: it is a single number (expected a row for each example)",
                         k->source.name);
    return k->header.fortran_order && k->shape.rank > 1 ? read_whole(r, k) : HEED_OK;
}

static heed_status start_csv(column *k)
{
    HEED_TRY(heed_csv_open(&k->source, k->source.name, &k->csv));
    k->dtype = HEED_FLOAT32;
    k->shape = (heed_shape){2, {HEED_ANY, (int64_t)heed_csv_columns(k->csv)}};
    return HEED_OK;
}

static heed_status make_columns(heed_array_reader *r, size_t count)
{
    r->columns = heed_alloc(r->context, count, sizeof *r->columns);
    return r->columns == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status open_member(heed_array_reader *r, size_t index)
{
    column *k = &r->columns[r->count++];
    const char *member = heed_zip_name(r->zip, index);
    heed_text label = {.context = r->context};
    HEED_TRY(heed_array_name_of_member(r->context, r->path, member, &k->name));
    heed_text_printf(&label, "%s: %s", r->path, member);
    k->label = label.bytes;
    HEED_TRY(heed_text_status(&label));
    HEED_TRY(heed_source_open_member(r->zip, index, k->label, &k->source));
    return start_npy(r, k);
}

static heed_status open_members(heed_array_reader *r)
{
    size_t count = heed_zip_count(r->zip);
    HEED_TRY(make_columns(r, count));
    for (size_t i = 0; i < count; i++)
        HEED_TRY(open_member(r, i));
    return HEED_OK;
}

/* An archive tells at its end what it holds: from standard input it is read whole. */
static heed_status open_archive(heed_array_reader *r, heed_source *s)
{
    heed_context *c = r->context;
    if (!s->standard) {
        heed_source_close(s);
        HEED_TRY(heed_zip_open(c, r->path, &r->zip));
        return open_members(r);
    }
    size_t size = 0, got = 1;
    while (got > 0) {
        if (size == r->capacity) {
            void *bytes = r->archive;
            size_t capacity = r->capacity;
            HEED_TRY(heed_grow(c, &bytes, &capacity, r->capacity, 1));
            r->archive = bytes;
            r->capacity = capacity;
        }
        HEED_TRY(heed_source_read(s, r->archive + size, r->capacity - size, &got));
        size += got;
    }
    r->capacity = 0;
    HEED_TRY(heed_zip_open_memory(c, s->name, r->archive, size, &r->zip));
    return open_members(r);
}

static heed_status open_one(heed_array_reader *r, heed_source *s)
{
    HEED_TRY(make_columns(r, 1));
    column *k = &r->columns[r->count++];
    heed_source_move(s, &k->source);
    k->name = heed_array_name_of_path(r->context, r->path);
    if (k->name == NULL)
        return HEED_ENOMEM;
    if (heed_npy_is(k->source.memory, k->source.memory_size))
        return start_npy(r, k);
    return heed_array_file_may_be_csv(r->path) ? start_csv(k) : heed_array_file_refuse(r->context, r->path);
}

heed_status heed_array_reader_open(heed_context *c, const char *path, heed_array_reader **out)
{
    heed_source s;
    *out = NULL;
    heed_array_reader *r = heed_alloc(c, 1, sizeof *r);
    if (r == NULL)
        return HEED_ENOMEM;
    r->context = c;
    r->path = heed_strdup(c, path);
    heed_status status = r->path == NULL ? HEED_ENOMEM : heed_source_open(c, r->path, &s);
    if (status == HEED_OK) {
        status = heed_zip_is(s.memory, s.memory_size) ? open_archive(r, &s) : open_one(r, &s);
        heed_source_close(&s);
    }
    if (status == HEED_OK)
        *out = r;
    else
        heed_array_reader_close(r);
    return status;
}

int               heed_array_reader_count(const heed_array_reader *r) { return r->count; }
const char       *heed_array_reader_name(const heed_array_reader *r, int i) { return r->columns[i].name; }
const heed_shape *heed_array_reader_shape(const heed_array_reader *r, int i) { return &r->columns[i].shape; }
heed_dtype        heed_array_reader_dtype(const heed_array_reader *r, int i) { return r->columns[i].dtype; }

static heed_status copy_rows(heed_array_reader *r, const column *k, int64_t rows, heed_array **out)
{
    heed_shape shape = k->shape;
    shape.dims[0] = rows;
    HEED_TRY(heed_array_create(r->context, k->dtype, &shape, out));
    size_t bytes = (size_t)heed_array_count(*out) * heed_dtype_size(k->dtype), row = bytes / (size_t)rows;
    if (bytes > 0)
        memcpy((*out)->data, (const char *)k->whole->data + row * (size_t)k->done, bytes);
    return HEED_OK;
}

static heed_status read_npy_rows(heed_array_reader *r, column *k, int64_t rows, heed_array **out)
{
    heed_shape row = k->shape;
    row.dims[0] = 1;
    size_t size = (size_t)heed_shape_count(&row) * k->header.encoding.size;
    if (size > 0 && (size_t)rows > SIZE_MAX / size)
        return heed_fail(r->context, HEED_ENOMEM, "%s: out of memory", k->source.name);
    if (size * (size_t)rows > r->capacity) {
        heed_release(r->context, r->bytes);
        r->capacity = 0;
        r->bytes = heed_alloc_raw(r->context, (size_t)rows, size);
        if (r->bytes == NULL)
            return HEED_ENOMEM;
        r->capacity = size * (size_t)rows;
    }
    return heed_npy_read_rows(&k->source, k->source.name, &k->header, rows, r->bytes, out);
}

heed_status heed_array_reader_next(heed_array_reader *r, int i, int64_t rows, heed_array **out)
{
    column *k = &r->columns[i];
    *out = NULL;
    if (k->csv != NULL)
        return heed_csv_next(k->csv, rows, out);
    int64_t left = k->shape.dims[0] - k->done;
    rows = rows < left ? rows : left;
    if (rows <= 0)
        return HEED_OK;
    HEED_TRY(k->whole != NULL ? copy_rows(r, k, rows, out) : read_npy_rows(r, k, rows, out));
    k->done += rows;
    return HEED_OK;
}

void heed_array_reader_close(heed_array_reader *r)
{
    if (r == NULL)
        return;
    for (int i = 0; i < r->count; i++) {
        column *k = &r->columns[i];
        heed_csv_close(k->csv);
        heed_source_close(&k->source);
        heed_array_free(r->context, k->whole);
        heed_release(r->context, k->name);
        heed_release(r->context, k->label);
    }
    heed_zip_close(r->zip);
    heed_release(r->context, r->columns);
    heed_release(r->context, r->archive);
    heed_release(r->context, r->bytes);
    heed_release(r->context, r->path);
    heed_release(r->context, r);
}
