#include "heed/files.h"

#include "base/file.h"
#include "formats/array_file.h"
#include "formats/csv.h"
#include "formats/npy.h"
#include "formats/zip.h"

#include <string.h>

static const char npy_ending[] = ".npy";

/* A copy without the last `cut` bytes, for the caller to release. */
static char *without_ending(heed_context *c, const char *text, size_t cut)
{
    char *copy = heed_strdup(c, text);
    if (copy != NULL)
        copy[strlen(copy) - cut] = '\0';
    return copy;
}

/* ---- names ---- */

char *heed_array_name_of_path(heed_context *c, const char *path)
{
    if (strcmp(path, "-") == 0)
        return heed_strdup(c, "array");
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dot = strrchr(name, '.');
    return without_ending(c, name, dot != NULL ? strlen(dot) : 0);
}

heed_status heed_array_name_of_member(heed_context *c, const char *path, const char *member, char **out)
{
    *out = NULL;
    if (!heed_file_ends_with(member, npy_ending))
        return heed_fail(c, HEED_EFORMAT, "%s: %s: not an array (expected names that end in .npy)", path, member);
    *out = without_ending(c, member, strlen(npy_ending));
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

bool heed_array_file_may_be_csv(const char *path) { return heed_file_ends_with(path, ".csv") || strcmp(path, "-") == 0; }

heed_status heed_array_file_refuse(heed_context *c, const char *path)
{
    return heed_fail(c, HEED_EFORMAT, "%s: not a file of arrays (expected .npy, .npz or .csv)", path);
}

heed_status heed_array_file_kind(heed_context *c, const char *path, heed_array_file *out)
{
    bool npz = heed_file_ends_with(path, ".npz") || strcmp(path, "-") == 0, npy = heed_file_ends_with(path, npy_ending);
    *out = npz ? HEED_ARRAYS_NPZ : npy ? HEED_ARRAYS_NPY : HEED_ARRAYS_CSV;
    if (!npz && !npy && !heed_file_ends_with(path, ".csv"))
        return heed_fail(c, HEED_EINVAL, "%s: what to write is not clear (expected a name in .npy, .npz or .csv)", path);
    return HEED_OK;
}

heed_status heed_array_member(heed_zone *z, const char *path, const char *name, const char **out)
{
    *out = NULL;
    if (!heed_zip_name_is_safe(name))
        return heed_fail(z->context, HEED_EINVAL, "%s: an array cannot be called \"%s\" in a file", path, name);
    *out = heed_zone_printf(z, "%s%s", name, npy_ending);
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_array_refuse_several(heed_context *c, const char *path, size_t count)
{
    heed_fail(c, HEED_EINVAL, "%s: it takes one array (found %zu)", path, count);
    heed_hint(c, "write them to an .npz");
    return HEED_EINVAL;
}

heed_status heed_array_check_csv(heed_context *c, const char *path, const heed_shape *shape)
{
    char text[128];
    if (shape->rank <= 2)
        return HEED_OK;
    heed_fail(c, HEED_ESHAPE, "%s: an array of shape %s (expected at most 2 dimensions)", path,
              heed_shape_text(shape, text, sizeof text));
    heed_hint(c, "write it as .npy or .npz");
    return HEED_ESHAPE;
}

/* ---- reading ---- */

static heed_status read_npz_member(heed_zip *z, const char *path, size_t index, heed_arrays *out)
{
    heed_context *c = out->context;
    const char *name = heed_zip_name(z, index);
    char *called;
    HEED_TRY(heed_array_name_of_member(c, path, name, &called));
    unsigned char *bytes;
    size_t size;
    heed_array *array = NULL;
    heed_status status = heed_zip_read(z, index, SIZE_MAX / 2, &bytes, &size);
    if (status == HEED_OK) {
        status = heed_npy_read(c, name, bytes, size, &array);
        heed_release(c, bytes);
        if (status != HEED_OK && status != HEED_ENOMEM)
            heed_fail_in(c, status, path);
    }
    if (status == HEED_OK)
        status = heed_arrays_add(out, called, array);
    heed_release(c, called);
    return status;
}

static heed_status read_npz(const char *path, const unsigned char *bytes, size_t size, heed_arrays *out)
{
    heed_zip *z;
    HEED_TRY(heed_zip_open_memory(out->context, path, bytes, size, &z));
    heed_status status = HEED_OK;
    for (size_t i = 0; i < heed_zip_count(z) && status == HEED_OK; i++)
        status = read_npz_member(z, path, i, out);
    heed_zip_close(z);
    return status;
}

static heed_status read_one(const char *path, const unsigned char *bytes, size_t size, heed_arrays *out)
{
    heed_context *c = out->context;
    heed_array *array;
    if (heed_npy_is(bytes, size))
        HEED_TRY(heed_npy_read(c, path, bytes, size, &array));
    else if (heed_array_file_may_be_csv(path))
        HEED_TRY(heed_csv_read(c, path, bytes, size, &array));
    else
        return heed_array_file_refuse(c, path);
    char *name = heed_array_name_of_path(c, path);
    if (name == NULL) {
        heed_array_free(c, array);
        return HEED_ENOMEM;
    }
    heed_status status = heed_arrays_add(out, name, array);
    heed_release(c, name);
    return status;
}

heed_status heed_arrays_load(heed_context *c, const char *path, heed_arrays *out)
{
    *out = (heed_arrays){.context = c};
    unsigned char *bytes;
    size_t size;
    HEED_TRY(heed_file_read(c, path, SIZE_MAX / 2, &bytes, &size));
    heed_status status = heed_zip_is(bytes, size) ? read_npz(path, bytes, size, out) : read_one(path, bytes, size, out);
    heed_release(c, bytes);
    if (status != HEED_OK)
        heed_arrays_free(out);
    return status;
}

/* ---- writing ---- */

static heed_status pack_npz(const heed_arrays *a, const char *path, heed_zone *names, heed_zip_member *members)
{
    for (size_t i = 0; i < a->count; i++) {
        unsigned char *bytes;
        HEED_TRY(heed_array_member(names, path, a->items[i].name, &members[i].name));
        HEED_TRY(heed_npy_write(a->context, a->items[i].array, &bytes, &members[i].size));
        members[i].bytes = bytes;
    }
    return heed_zip_write(a->context, path, members, a->count);
}

static heed_status write_npz(const heed_arrays *a, const char *path)
{
    heed_context *c = a->context;
    heed_zone names;
    heed_zone_init(&names, c);
    heed_zip_member *members = heed_alloc(c, a->count, sizeof *members);
    heed_status status = members == NULL ? HEED_ENOMEM : pack_npz(a, path, &names, members);
    for (size_t i = 0; members != NULL && i < a->count; i++)
        heed_release(c, (void *)members[i].bytes);
    heed_release(c, members);
    heed_zone_free(&names);
    return status;
}

static heed_status write_npy(heed_context *c, const heed_array *a, const char *path)
{
    unsigned char *bytes;
    size_t size;
    HEED_TRY(heed_npy_write(c, a, &bytes, &size));
    heed_status status = heed_file_write(c, path, bytes, size);
    heed_release(c, bytes);
    return status;
}

static heed_status write_csv(heed_context *c, const heed_array *a, const char *path)
{
    HEED_TRY(heed_array_check_csv(c, path, &a->shape));
    heed_text text = {.context = c};
    heed_status status = heed_csv_write(a, &text);
    if (status == HEED_OK)
        status = heed_file_write(c, path, text.bytes, text.length);
    heed_text_free(&text);
    return status;
}

heed_status heed_arrays_save(const heed_arrays *a, const char *path)
{
    heed_context *c = a->context;
    heed_array_file kind;
    if (a->count == 0)
        return heed_fail(c, HEED_EINVAL, "%s: no array to write", path);
    HEED_TRY(heed_array_file_kind(c, path, &kind));
    if (kind == HEED_ARRAYS_NPZ)
        return write_npz(a, path);
    if (a->count != 1)
        return heed_array_refuse_several(c, path, a->count);
    const heed_array *only = a->items[0].array;
    return kind == HEED_ARRAYS_NPY ? write_npy(c, only, path) : write_csv(c, only, path);
}
