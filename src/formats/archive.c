#define _POSIX_C_SOURCE 200809L
#include "formats/archive.h"

#include "base/file.h"
#include "formats/folder.h"
#include "formats/json.h"
#include "formats/keras_checkpoint.h"
#include "formats/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char assets_prefix[] = "assets/";

/* No more than this is taken from a member, whatever the archive claims. */
static const size_t max_weights = (size_t)64 << 30, max_asset = (size_t)1 << 30;
enum { MOST_ASSETS = 4096 };

/* ---- parts ---- */

static heed_status replace(heed_context *c, char **old, const char *text, size_t size)
{
    char *copy = heed_alloc_raw(c, size + 1, 1);
    if (copy == NULL)
        return HEED_ENOMEM;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    heed_release(c, *old);
    *old = copy;
    return HEED_OK;
}

heed_status heed_archive_set_metadata(heed_archive *a, const char *keras_version, const char *date_saved)
{
    HEED_TRY(replace(a->context, &a->keras_version, keras_version, strlen(keras_version)));
    return replace(a->context, &a->date_saved, date_saved, strlen(date_saved));
}

heed_status heed_archive_set_config(heed_archive *a, const char *text, size_t size)
{
    HEED_TRY(replace(a->context, &a->config, text, size));
    a->config_size = size;
    return HEED_OK;
}

const heed_archive_asset *heed_archive_asset_of(const heed_archive *a, const char *name)
{
    for (size_t i = 0; i < a->asset_count; i++)
        if (strcmp(a->assets[i].name, name) == 0)
            return &a->assets[i];
    return NULL;
}

/* Takes over `bytes`. The name is not yet in the archive. */
static heed_status add_asset(heed_archive *a, const char *name, unsigned char *bytes, size_t size)
{
    void *assets = a->assets;
    heed_status status = heed_grow(a->context, &assets, &a->asset_capacity, a->asset_count, sizeof *a->assets);
    a->assets = assets;
    char *copy = status == HEED_OK ? heed_strdup(a->context, name) : NULL;
    if (copy == NULL) {
        heed_release(a->context, bytes);
        return HEED_ENOMEM;
    }
    a->assets[a->asset_count++] = (heed_archive_asset){copy, bytes, size};
    return HEED_OK;
}

heed_status heed_archive_set_asset(heed_archive *a, const char *name, const void *bytes, size_t size)
{
    if (!heed_zip_name_is_safe(name))
        return heed_fail(a->context, HEED_EINVAL, "asset \"%s\": the name leads elsewhere or has an empty part", name);
    heed_archive_asset *old = (heed_archive_asset *)heed_archive_asset_of(a, name);
    char *copy = NULL;
    HEED_TRY(replace(a->context, &copy, bytes, size));
    if (old == NULL)
        return add_asset(a, name, (unsigned char *)copy, size);
    heed_release(a->context, old->bytes);
    old->bytes = (unsigned char *)copy;
    old->size = size;
    return HEED_OK;
}

static void close_file(heed_archive *a)
{
    heed_zip_close(a->zip);
    heed_folder_close(a->folder);
    a->zip = NULL;
    a->folder = NULL;
}

void heed_archive_free(heed_archive *a)
{
    heed_context *c = a->context;
    if (c == NULL)
        return;
    close_file(a);
    heed_release(c, a->keras_version);
    heed_release(c, a->date_saved);
    heed_release(c, a->config);
    heed_hdf5_free(a->weights);
    for (size_t i = 0; i < a->asset_count; i++) {
        heed_release(c, a->assets[i].name);
        heed_release(c, a->assets[i].bytes);
    }
    heed_release(c, a->assets);
    *a = (heed_archive){0};
}

/* ---- reading ---- */

static size_t member_count(const heed_archive *a)
{
    return a->zip != NULL ? heed_zip_count(a->zip) : heed_folder_count(a->folder);
}

static const char *member_name(const heed_archive *a, size_t index)
{
    return a->zip != NULL ? heed_zip_name(a->zip, index) : heed_folder_name(a->folder, index);
}

static heed_status read_member(const heed_archive *a, size_t index, size_t limit, unsigned char **bytes, size_t *size)
{
    return a->zip != NULL ? heed_zip_read(a->zip, index, limit, bytes, size)
                          : heed_folder_read(a->folder, index, limit, bytes, size);
}

static bool find_member(const heed_archive *a, const char *name, size_t *index)
{
    return a->zip != NULL ? heed_zip_find(a->zip, name, index) : heed_folder_find(a->folder, name, index);
}

static heed_status read_needed(const heed_archive *a, const char *name, size_t limit, unsigned char **bytes, size_t *size)
{
    size_t index;
    *bytes = NULL;
    if (find_member(a, name, &index))
        return read_member(a, index, limit, bytes, size);
    return heed_fail(a->context, HEED_EFORMAT, "%s: %s is missing (expected a Keras archive)", a->name, name);
}

/* The text of a member of metadata, if it is there and is text. */
static heed_status copy_text(heed_context *c, const heed_json *metadata, const char *key, char **out)
{
    const heed_json *v = heed_json_find(metadata, key);
    return heed_json_is(v, HEED_JSON_STRING) ? replace(c, out, v->text, strlen(v->text)) : HEED_OK;
}

static heed_status read_metadata(heed_archive *a)
{
    static const char name[] = "metadata.json";
    heed_context *c = a->context;
    size_t index, size;
    if (!find_member(a, name, &index))
        return HEED_OK;
    unsigned char *bytes;
    HEED_TRY(read_member(a, index, HEED_JSON_MAX_BYTES, &bytes, &size));
    heed_zone z;
    heed_zone_init(&z, c);
    heed_json *metadata;
    heed_status status = heed_json_parse(&z, name, bytes, size, &metadata);
    if (status == HEED_EFORMAT)
        heed_fail_in(c, status, a->name);
    if (status == HEED_OK)
        status = copy_text(c, metadata, "keras_version", &a->keras_version);
    if (status == HEED_OK)
        status = copy_text(c, metadata, "date_saved", &a->date_saved);
    heed_zone_free(&z);
    heed_release(c, bytes);
    return status;
}

static heed_status read_weights(heed_archive *a)
{
    static const char name[] = "model.weights.h5", other[] = "model.weights.npz";
    size_t size, index;
    if (!find_member(a, name, &index) && find_member(a, other, &index))
        return heed_fail(a->context, HEED_EUNSUPPORTED, "%s: %s: it holds pickled Python objects (expected %s)", a->name,
                         other, name);
    unsigned char *bytes;
    HEED_TRY(read_needed(a, name, max_weights, &bytes, &size));
    heed_status status = heed_hdf5_read(a->context, name, bytes, size, &a->weights);
    heed_release(a->context, bytes);
    if (status != HEED_OK)
        return status == HEED_ENOMEM ? status : heed_fail_in(a->context, status, a->name);
    return heed_hdf5_split_names(a->weights);
}

static heed_status read_assets(heed_archive *a)
{
    for (size_t i = 0; i < member_count(a); i++) {
        const char *name = member_name(a, i);
        size_t length = strlen(name), size;
        if (strncmp(name, assets_prefix, strlen(assets_prefix)) != 0 || name[length - 1] == '/')
            continue;
        unsigned char *bytes;
        if (a->asset_count == MOST_ASSETS)
            return heed_fail(a->context, HEED_EUNSUPPORTED, "%s: more than %d assets", a->name, MOST_ASSETS);
        HEED_TRY(read_member(a, i, max_asset, &bytes, &size));
        HEED_TRY(add_asset(a, name + strlen(assets_prefix), bytes, size));
    }
    return HEED_OK;
}

heed_status heed_archive_read(heed_archive *a)
{
    heed_status status = read_weights(a);
    if (status == HEED_OK)
        status = read_assets(a);
    close_file(a);
    return status;
}

/* Reads the first part of what is open. */
static heed_status read_description(heed_archive *a)
{
    unsigned char *config;
    heed_status status = read_metadata(a);
    if (status == HEED_OK)
        status = read_needed(a, "config.json", HEED_JSON_MAX_BYTES, &config, &a->config_size);
    if (status == HEED_OK)
        a->config = (char *)config;
    else
        heed_archive_free(a);
    return status;
}

heed_status heed_archive_open(heed_context *c, const char *path, heed_archive *out)
{
    *out = (heed_archive){.context = c, .name = path};
    heed_file_kind kind;
    HEED_TRY(heed_file_kind_of(c, path, &kind));
    if (kind == HEED_FILE_FOLDER)
        HEED_TRY(heed_folder_open(c, path, &out->folder));
    else if (kind == HEED_FILE_ZIP)
        HEED_TRY(heed_zip_open(c, path, &out->zip));
    else
        return heed_fail(c, HEED_EFORMAT, "%s: not a Keras archive (expected a zip file or a folder)", path);
    return read_description(out);
}

heed_status heed_archive_open_memory(heed_context *c, const char *name, const void *bytes, size_t size,
                                     heed_archive *out)
{
    *out = (heed_archive){.context = c, .name = name};
    HEED_TRY(heed_zip_open_memory(c, name, bytes, size, &out->zip));
    return read_description(out);
}

/* Whether an object begins behind white space; or a text of one, as which some pack it once more. */
static bool is_json(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0')
        at++;
    at += at + 1 < size && text[at] == '"';
    return at < size && text[at] == '{';
}

heed_file_kind heed_file_kind_of_bytes(const void *bytes, size_t size)
{
    return heed_zip_is(bytes, size)    ? HEED_FILE_ZIP
           : heed_hdf5_is(bytes, size) ? HEED_FILE_HDF5
           : is_json(bytes, size)      ? HEED_FILE_JSON
                                       : HEED_FILE_OTHER;
}

heed_status heed_file_kind_of(heed_context *c, const char *path, heed_file_kind *out)
{
    unsigned char first[16];
    *out = HEED_FILE_OTHER;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        heed_status status = heed_fail(c, HEED_EIO, "%s: cannot open: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return status;
    }
    ssize_t got = S_ISDIR(info.st_mode) ? 0 : read(fd, first, sizeof first);
    close(fd);
    if (got < 0)
        return heed_fail(c, HEED_EIO, "%s: cannot read: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        *out = heed_saved_model_is(path) ? HEED_FILE_SAVED_MODEL : HEED_FILE_FOLDER;
    else
        *out = heed_file_kind_of_bytes(first, (size_t)got);
    return HEED_OK;
}

/* ---- writing ---- */

static heed_status metadata_text(heed_zone *z, const heed_archive *a, heed_text *out)
{
    heed_json *metadata = heed_json_object(z);
    HEED_TRY(heed_json_set(z, metadata, "keras_version", heed_json_string(z, a->keras_version)));
    HEED_TRY(heed_json_set(z, metadata, "date_saved", heed_json_string(z, a->date_saved)));
    heed_json_write(out, metadata, 0);
    return heed_text_status(out);
}

static heed_status write_members(heed_zone *z, const heed_archive *a, const char *path, const heed_text *metadata,
                                 const unsigned char *weights, size_t weights_size)
{
    size_t count = 3 + a->asset_count;
    heed_zip_member *members = heed_zone_alloc(z, count, sizeof *members);
    if (members == NULL)
        return HEED_ENOMEM;
    members[0] = (heed_zip_member){"metadata.json", metadata->bytes, metadata->length};
    members[1] = (heed_zip_member){"config.json", a->config, a->config_size};
    members[2] = (heed_zip_member){"model.weights.h5", weights, weights_size};
    for (size_t i = 0; i < a->asset_count; i++) {
        const heed_archive_asset *asset = &a->assets[i];
        char *name = heed_zone_printf(z, "%s%s", assets_prefix, asset->name);
        if (name == NULL)
            return HEED_ENOMEM;
        members[3 + i] = (heed_zip_member){name, asset->bytes, asset->size};
    }
    return heed_zip_write(a->context, path, members, count);
}

heed_status heed_archive_write(const heed_archive *a, const char *path)
{
    heed_context *c = a->context;
    if (a->config == NULL || a->weights == NULL)
        return heed_fail(c, HEED_ESTATE, "%s: an archive without %s", path, a->config == NULL ? "a config" : "weights");
    heed_zone z;
    heed_zone_init(&z, c);
    heed_text metadata = {.context = c};
    unsigned char *weights = NULL;
    size_t weights_size = 0;
    heed_status status = metadata_text(&z, a, &metadata);
    if (status == HEED_OK)
        status = heed_hdf5_write(a->weights, &weights, &weights_size);
    if (status == HEED_OK)
        status = write_members(&z, a, path, &metadata, weights, weights_size);
    heed_release(c, weights);
    heed_text_free(&metadata);
    heed_zone_free(&z);
    return status;
}
