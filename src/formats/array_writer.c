/* Arrays that are written some rows at a time. */
#include "heed/files.h"

#include "base/file.h"
#include "formats/array_file.h"
#include "formats/csv.h"
#include "formats/npy.h"
#include "formats/zip.h"

#include <stdio.h>
#include <string.h>

/* The .npy or .csv of one array, under a temporary name. */
typedef struct part {
    const char *name;
    heed_output file;
    heed_dtype  dtype;
    heed_shape  shape; /* with the rows so far */
} part;

struct heed_array_writer {
    heed_context   *context;
    heed_zone       zone;
    const char     *path;
    heed_array_file kind;
    part           *parts; /* NULL before the first rows */
    size_t          count;
};

heed_status heed_array_writer_open(heed_context *c, const char *path, heed_array_writer **out)
{
    heed_output trial;
    heed_array_file kind;
    *out = NULL;
    HEED_TRY(heed_array_file_kind(c, path, &kind));
    HEED_TRY(heed_output_open(c, path, &trial)); /* better known before the work than after */
    heed_output_abandon(&trial);
    heed_array_writer *w = heed_alloc(c, 1, sizeof *w);
    if (w == NULL)
        return HEED_ENOMEM;
    w->context = c;
    w->kind = kind;
    heed_zone_init(&w->zone, c);
    w->path = heed_zone_strdup(&w->zone, path);
    if (w->path == NULL) {
        heed_array_writer_free(w);
        return HEED_ENOMEM;
    }
    *out = w;
    return HEED_OK;
}

/* ---- the first rows ---- */

static heed_status begin_part(heed_array_writer *w, part *p, const char *name, const heed_array *a)
{
    unsigned char header[HEED_NPY_HEADER];
    if (a->shape.rank == 0)
        return heed_fail(w->context, HEED_ESHAPE, "%s: %s is a single number (expected rows)", w->path, name);
    if (w->kind == HEED_ARRAYS_CSV)
        HEED_TRY(heed_array_check_csv(w->context, w->path, &a->shape));
    *p = (part){.name = heed_zone_strdup(&w->zone, name), .dtype = a->dtype, .shape = a->shape};
    if (p->name == NULL)
        return HEED_ENOMEM;
    p->shape.dims[0] = 0;
    HEED_TRY(heed_output_open(w->context, w->path, &p->file));
    if (w->kind == HEED_ARRAYS_CSV)
        return HEED_OK;
    return heed_output_write(&p->file, header, heed_npy_write_header(a->dtype, &a->shape, header));
}

static heed_status begin(heed_array_writer *w, const heed_arrays *rows)
{
    if (rows->count == 0)
        return heed_fail(w->context, HEED_EINVAL, "%s: no array to write", w->path);
    if (w->kind != HEED_ARRAYS_NPZ && rows->count != 1)
        return heed_array_refuse_several(w->context, w->path, rows->count);
    w->parts = heed_zone_alloc(&w->zone, rows->count, sizeof *w->parts);
    if (w->parts == NULL)
        return HEED_ENOMEM;
    w->count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        HEED_TRY(begin_part(w, &w->parts[i], rows->items[i].name, rows->items[i].array));
    return HEED_OK;
}

/* ---- more rows ---- */

static heed_status check_rows(const heed_array_writer *w, const part *p, const heed_array *a)
{
    char expected[128], found[128];
    heed_shape shape = p->shape;
    if (a != NULL && a->shape.rank == shape.rank)
        shape.dims[0] = a->shape.dims[0];
    if (a != NULL && a->dtype == p->dtype && heed_shape_equal(&a->shape, &shape))
        return HEED_OK;
    shape.dims[0] = HEED_ANY;
    return heed_fail(w->context, HEED_ESHAPE, "%s: rows of %s do not fit those before (expected %s, found %s)", w->path,
                     p->name, heed_shape_text(&shape, expected, sizeof expected),
                     a == NULL ? "none" : heed_shape_text(&a->shape, found, sizeof found));
}

static heed_status put(void *output, const void *bytes, size_t size) { return heed_output_write(output, bytes, size); }

static heed_status add_csv(heed_array_writer *w, part *p, const heed_array *a)
{
    heed_text text = {.context = w->context};
    heed_status status = heed_csv_write(a, &text);
    if (status == HEED_OK && text.length > 0)
        status = heed_output_write(&p->file, text.bytes, text.length);
    heed_text_free(&text);
    return status;
}

heed_status heed_array_writer_add(heed_array_writer *w, const heed_arrays *rows)
{
    if (w->parts == NULL)
        HEED_TRY(begin(w, rows));
    for (size_t i = 0; i < w->count; i++) {
        part *p = &w->parts[i];
        const heed_array *a = heed_arrays_get(rows, p->name);
        HEED_TRY(check_rows(w, p, a));
        HEED_TRY(w->kind == HEED_ARRAYS_CSV ? add_csv(w, p, a) : heed_encoding_encode(a, put, &p->file));
        p->shape.dims[0] += a->shape.dims[0];
    }
    return HEED_OK;
}

/* ---- the end ---- */

/* The header again, now that the number of rows is known. */
static heed_status finish_npy(part *p)
{
    unsigned char header[HEED_NPY_HEADER];
    return heed_output_write_at_begin(&p->file, header, heed_npy_write_header(p->dtype, &p->shape, header));
}

static heed_status finish_npz(heed_array_writer *w)
{
    heed_zip_file *files = heed_zone_alloc(&w->zone, w->count, sizeof *files);
    if (files == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < w->count; i++) {
        HEED_TRY(finish_npy(&w->parts[i]));
        HEED_TRY(heed_array_member(&w->zone, w->path, w->parts[i].name, &files[i].name));
        files[i].path = w->parts[i].file.temporary;
    }
    return heed_zip_write_files(w->context, w->path, files, w->count);
}

heed_status heed_array_writer_commit(heed_array_writer *w)
{
    if (w->parts == NULL)
        return heed_fail(w->context, HEED_EINVAL, "%s: no array to write", w->path);
    if (w->kind == HEED_ARRAYS_NPZ)
        return finish_npz(w);
    if (w->kind == HEED_ARRAYS_NPY)
        HEED_TRY(finish_npy(&w->parts[0]));
    return heed_output_commit(&w->parts[0].file);
}

void heed_array_writer_free(heed_array_writer *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->count; i++)
        heed_output_abandon(&w->parts[i].file);
    heed_zone_free(&w->zone);
    heed_release(w->context, w);
}
