#include "heed/files.h"

#include "base/file.h"
#include "formats/csv.h"
#include "formats/npy.h"
#include "formats/zip.h"

#include <string.h>

static const char npy_ending[] = ".npy";

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* A copy without the last `cut` bytes, for the caller to release. */
static char *without_ending(heed_context *c, const char *text, size_t cut)
{
    char *copy = heed_strdup(c, text);
    if (copy != NULL)
        copy[strlen(copy) - cut] = '\0';
    return copy;
}

/* ---- reading ---- */

/* "folder/x.npy" is called "x". */
static char *name_of(heed_context *c, const char *path)
{
    if (strcmp(path, "-") == 0)
        return heed_strdup(c, "array");
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dot = strrchr(name, '.');
    return without_ending(c, name, dot != NULL ? strlen(dot) : 0);
}

static heed_status read_npz_member(heed_zip *z, const char *path, size_t index, heed_arrays *out)
{
    heed_context *c = out->context;
    const char *name = heed_zip_name(z, index);
    if (!ends_with(name, npy_ending))
        return heed_fail(c, HEED_EFORMAT, "%s: %s: not an array (expected names that end in .npy)", path, name);
    unsigned char *bytes;
    size_t size;
    HEED_TRY(heed_zip_read(z, index, SIZE_MAX / 2, &bytes, &size));
    heed_array *array;
    heed_status status = heed_npy_read(c, name, bytes, size, &array);
    heed_release(c, bytes);
    if (status != HEED_OK)
        return status == HEED_ENOMEM ? status : heed_fail_in(c, status, path);
    char *called = without_ending(c, name, strlen(npy_ending));
    if (called == NULL) {
        heed_array_free(c, array);
        return HEED_ENOMEM;
    }
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
    else if (ends_with(path, ".csv") || strcmp(path, "-") == 0)
        HEED_TRY(heed_csv_read(c, path, bytes, size, &array));
    else
        return heed_fail(c, HEED_EFORMAT, "%s: not a file of arrays (expected .npy, .npz or .csv)", path);
    char *name = name_of(c, path);
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
        if (!heed_zip_name_is_safe(a->items[i].name))
            return heed_fail(a->context, HEED_EINVAL, "%s: an array cannot be called \"%s\" in a file", path, a->items[i].name);
        members[i].name = heed_zone_printf(names, "%s%s", a->items[i].name, npy_ending);
        if (members[i].name == NULL)
            return HEED_ENOMEM;
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
    if (a->shape.rank > 2) {
        char shape[128];
        heed_status status = heed_fail(c, HEED_ESHAPE, "%s: an array of shape %s (expected at most 2 dimensions)", path,
                                       heed_shape_text(&a->shape, shape, sizeof shape));
        heed_hint(c, "write it as .npy or .npz");
        return status;
    }
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
    if (a->count == 0)
        return heed_fail(c, HEED_EINVAL, "%s: no array to write", path);
    if (ends_with(path, ".npz") || strcmp(path, "-") == 0)
        return write_npz(a, path);
    bool npy = ends_with(path, npy_ending);
    if (!npy && !ends_with(path, ".csv"))
        return heed_fail(c, HEED_EINVAL, "%s: what to write is not clear (expected a name in .npy, .npz or .csv)", path);
    if (a->count != 1) {
        heed_fail(c, HEED_EINVAL, "%s: it takes one array (found %zu)", path, a->count);
        heed_hint(c, "write them to an .npz");
        return HEED_EINVAL;
    }
    return npy ? write_npy(c, a->items[0].array, path) : write_csv(c, a->items[0].array, path);
}
