#include "base/file.h"
#include "formats/hdf5.h"

#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* libhdf5 is built without thread safety in most places, and keeps state for the whole process. */
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

enum {
    ATTRIBUTE_BYTES = 64512, /* of a list of strings: Keras splits what is longer, and an object header holds no more */
    IMAGE_STEP = 1 << 20,    /* the file's image in memory grows by so much */
};

typedef struct writer {
    heed_context    *context;
    const heed_hdf5 *node; /* what is being written, for errors */
    hid_t            array_options;
} writer;

/* ---- errors ---- */

typedef struct explanation {
    bool no_memory;
    char text[HEED_ERROR_SIZE / 4];
} explanation;

static herr_t explain(unsigned depth, const H5E_error2_t *entry, void *user)
{
    (void)depth;
    explanation *e = user;
    e->no_memory |= entry->maj_num == H5E_RESOURCE && entry->min_num == H5E_NOSPACE;
    if (entry->desc != NULL)
        snprintf(e->text, sizeof e->text, "%s", entry->desc);
    return 0;
}

/* What libhdf5 says went wrong, at the root of it. */
static heed_status fail(const writer *w)
{
    explanation e = {.text = "no reason given"};
    char path[HEED_ERROR_SIZE / 2];
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, explain, &e);
    return heed_fail(w->context, e.no_memory ? HEED_ENOMEM : HEED_EIO, "%s: cannot write as HDF5: %s",
                     heed_hdf5_path(w->node, path, sizeof path), e.text);
}

/* libhdf5 tells failure by a negative number, of a status as of a handle. */
static heed_status check(const writer *w, int64_t result) { return result < 0 ? fail(w) : HEED_OK; }

/* ---- types and shapes; the caller closes them ---- */

/* As h5py has it: an enumeration of one byte. */
static hid_t bool_type(void)
{
    hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    H5Tenum_insert(type, "FALSE", &(int8_t){0});
    H5Tenum_insert(type, "TRUE", &(int8_t){1});
    return type;
}

/* libhdf5 turns what stands in memory into the little-endian numbers of the file. */
static hid_t file_type(heed_dtype dtype)
{
    switch (dtype) {
    case HEED_FLOAT32: return H5Tcopy(H5T_IEEE_F32LE);
    case HEED_FLOAT64: return H5Tcopy(H5T_IEEE_F64LE);
    case HEED_INT32: return H5Tcopy(H5T_STD_I32LE);
    case HEED_INT64: return H5Tcopy(H5T_STD_I64LE);
    case HEED_UINT8: return H5Tcopy(H5T_STD_U8LE);
    case HEED_BOOL: break;
    }
    return bool_type();
}

static hid_t memory_type(heed_dtype dtype)
{
    switch (dtype) {
    case HEED_FLOAT32: return H5Tcopy(H5T_NATIVE_FLOAT);
    case HEED_FLOAT64: return H5Tcopy(H5T_NATIVE_DOUBLE);
    case HEED_INT32: return H5Tcopy(H5T_NATIVE_INT32);
    case HEED_INT64: return H5Tcopy(H5T_NATIVE_INT64);
    case HEED_UINT8: return H5Tcopy(H5T_NATIVE_UINT8);
    case HEED_BOOL: break;
    }
    return bool_type();
}

/* Of a fixed size, padded with NULs; or of any size. */
static hid_t string_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    if (size == H5T_VARIABLE)
        H5Tset_cset(type, H5T_CSET_UTF8);
    else
        H5Tset_strpad(type, H5T_STR_NULLPAD);
    return type;
}

static hid_t space_of(const heed_shape *shape)
{
    hsize_t dims[HEED_MAX_RANK];
    for (int i = 0; i < shape->rank; i++)
        dims[i] = (hsize_t)shape->dims[i];
    return shape->rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(shape->rank, dims, NULL);
}

/* ---- attributes ---- */

/* Closes the types and the space. */
static heed_status write_attribute(const writer *w, hid_t object, const char *name, hid_t type, hid_t in_memory, hid_t space,
                                   const void *data)
{
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    heed_status status = check(w, attribute);
    if (status == HEED_OK) {
        status = check(w, H5Awrite(attribute, in_memory, data));
        H5Aclose(attribute);
    }
    H5Tclose(type);
    H5Tclose(in_memory);
    H5Sclose(space);
    return status;
}

static heed_status write_numbers(const writer *w, hid_t object, const char *name, const heed_array *a)
{
    return write_attribute(w, object, name, file_type(a->dtype), memory_type(a->dtype), space_of(&a->shape), a->data);
}

/* Strings, each in `size` bytes. */
static heed_status write_fixed(const writer *w, hid_t object, const char *name, const char *const *strings, size_t count,
                               size_t size)
{
    char *bytes = heed_alloc(w->context, count, size);
    if (bytes == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + i * size, strings[i], strlen(strings[i]));
    hid_t space = H5Screate_simple(1, &(hsize_t){count}, NULL);
    heed_status status = write_attribute(w, object, name, string_type(size), string_type(size), space, bytes);
    heed_release(w->context, bytes);
    return status;
}

static heed_status write_list(const writer *w, hid_t object, const heed_hdf5_attribute *a)
{
    if (a->count == 0) /* what h5py makes of an empty list */
        return write_numbers(w, object, a->name, &(heed_array){.dtype = HEED_FLOAT64, .shape = {.rank = 1}, .data = ""});
    size_t size = 1;
    for (size_t i = 0; i < a->count; i++)
        size = strlen(a->strings[i]) > size ? strlen(a->strings[i]) : size;
    size_t most = size > ATTRIBUTE_BYTES ? 1 : ATTRIBUTE_BYTES / size;
    if (a->count <= most)
        return write_fixed(w, object, a->name, a->strings, a->count, size);
    for (size_t part = 0, done = 0; done < a->count; part++, done += most) {
        char name[300];
        snprintf(name, sizeof name, "%.256s%zu", a->name, part);
        size_t count = a->count - done < most ? a->count - done : most;
        HEED_TRY(write_fixed(w, object, name, a->strings + done, count, size));
    }
    return HEED_OK;
}

static heed_status write_attributes(const writer *w, hid_t object)
{
    for (const heed_hdf5_attribute *a = w->node->attributes; a != NULL; a = a->next) {
        if (a->array != NULL)
            HEED_TRY(write_numbers(w, object, a->name, a->array));
        else if (!a->scalar)
            HEED_TRY(write_list(w, object, a));
        else
            HEED_TRY(write_attribute(w, object, a->name, string_type(H5T_VARIABLE), string_type(H5T_VARIABLE),
                                     H5Screate(H5S_SCALAR), a->strings));
    }
    return HEED_OK;
}

/* ---- groups and arrays ---- */

static heed_status write_node(writer *w, hid_t parent, const heed_hdf5 *node);

static heed_status write_group_content(writer *w, hid_t group, const heed_hdf5 *node)
{
    w->node = node;
    HEED_TRY(write_attributes(w, group));
    for (const heed_hdf5 *child = node->first; child != NULL; child = child->next)
        HEED_TRY(write_node(w, group, child));
    return HEED_OK;
}

static heed_status write_group(writer *w, hid_t parent, const heed_hdf5 *node)
{
    hid_t group = H5Gcreate2(parent, node->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    HEED_TRY(check(w, group));
    heed_status status = write_group_content(w, group, node);
    H5Gclose(group);
    return status;
}

static heed_status write_array(const writer *w, hid_t parent, const heed_array *a)
{
    hid_t type = file_type(a->dtype), in_memory = memory_type(a->dtype), space = space_of(&a->shape);
    hid_t set = H5Dcreate2(parent, w->node->name, type, space, H5P_DEFAULT, w->array_options, H5P_DEFAULT);
    heed_status status = check(w, set);
    if (status == HEED_OK) {
        status = check(w, H5Dwrite(set, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, a->data));
        if (status == HEED_OK)
            status = write_attributes(w, set);
        H5Dclose(set);
    }
    H5Tclose(type);
    H5Tclose(in_memory);
    H5Sclose(space);
    return status;
}

static heed_status write_node(writer *w, hid_t parent, const heed_hdf5 *node)
{
    w->node = node;
    return node->array != NULL ? write_array(w, parent, node->array) : write_group(w, parent, node);
}

/* ---- the file ---- */

static heed_status copy_image(const writer *w, hid_t file, unsigned char **out, size_t *size)
{
    HEED_TRY(check(w, H5Fflush(file, H5F_SCOPE_LOCAL)));
    ssize_t bytes = H5Fget_file_image(file, NULL, 0);
    HEED_TRY(check(w, bytes));
    unsigned char *image = heed_alloc_raw(w->context, (size_t)bytes, 1);
    if (image == NULL)
        return HEED_ENOMEM;
    if (H5Fget_file_image(file, image, (size_t)bytes) != bytes) {
        heed_release(w->context, image);
        return fail(w);
    }
    *out = image;
    *size = (size_t)bytes;
    return HEED_OK;
}

/* The mutex is held. */
static heed_status write_file(writer *w, const heed_hdf5 *root, unsigned char **out, size_t *size)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, IMAGE_STEP, false);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    hid_t file = H5Fcreate("heed", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    heed_status status = check(w, file);
    if (status == HEED_OK) {
        status = write_group_content(w, file, root);
        w->node = root;
        if (status == HEED_OK)
            status = copy_image(w, file, out, size);
        H5Fclose(file);
    }
    H5Pclose(access);
    return status;
}

heed_status heed_hdf5_write(const heed_hdf5 *root, unsigned char **out, size_t *size)
{
    *out = NULL;
    *size = 0;
    pthread_mutex_lock(&library);
    H5E_auto2_t print;
    void *print_user;
    H5Eget_auto2(H5E_DEFAULT, &print, &print_user);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* errors are ours to tell */
    writer w = {.context = root->zone->context, .node = root, .array_options = H5Pcreate(H5P_DATASET_CREATE)};
    H5Pset_obj_track_times(w.array_options, false); /* equal trees, equal bytes */
    H5Pset_fill_time(w.array_options, H5D_FILL_TIME_NEVER);
    heed_status status = write_file(&w, root, out, size);
    H5Pclose(w.array_options);
    H5Eset_auto2(H5E_DEFAULT, print, print_user);
    pthread_mutex_unlock(&library);
    return status;
}

heed_status heed_hdf5_write_file(const heed_hdf5 *root, const char *path)
{
    heed_context *c = root->zone->context;
    unsigned char *bytes;
    size_t size;
    HEED_TRY(heed_hdf5_write(root, &bytes, &size));
    heed_status status = heed_file_write(c, path, bytes, size);
    heed_release(c, bytes);
    return status;
}
