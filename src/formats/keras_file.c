/* Model files: a .keras archive holds the architecture, the weights, the optimizer's state and assets. */
#include "formats/archive.h"
#include "formats/keras_config.h"
#include "formats/keras_weights.h"

#include <string.h>

/* What Keras reads the files as; the form of everything here is that version's. */
static const char KERAS_VERSION[] = "3.15.1";
/* Always the same, so that equal models are equal files. */
static const char DATE_SAVED[] = "1980-01-01@00:00:00";

/* ---- writing */

static heed_status write_config(heed_model *m, heed_text *text, bool with_training)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_json *object, *compile;
    heed_status status = heed_keras_write_model(&z, m, &object);
    if (status == HEED_OK && with_training)
        status = heed_keras_write_compile(&z, m, &compile);
    if (status == HEED_OK && with_training && heed_is_compiled(m))
        status = heed_json_set(&z, object, "compile_config", compile);
    if (status == HEED_OK) {
        heed_json_write(text, object, 0);
        status = heed_text_status(text);
    }
    heed_zone_free(&z);
    return status;
}

static heed_status fill_archive(heed_model *m, heed_archive *archive)
{
    heed_text config = {.context = m->context};
    heed_status status = write_config(m, &config, true);
    if (status == HEED_OK)
        status = heed_archive_set_config(archive, config.bytes, config.length);
    heed_text_free(&config);
    HEED_TRY(status);
    HEED_TRY(heed_archive_set_metadata(archive, KERAS_VERSION, DATE_SAVED));
    HEED_TRY(heed_hdf5_create(m->context, &archive->weights));
    HEED_TRY(heed_keras_write_weights(m, archive->weights));
    HEED_TRY(heed_keras_write_optimizer(m, archive->weights));
    for (size_t i = 0; i < m->asset_count; i++)
        HEED_TRY(heed_archive_set_asset(archive, m->assets[i].name, m->assets[i].bytes, m->assets[i].size));
    return HEED_OK;
}

heed_status heed_save(heed_model *m, const char *path)
{
    HEED_TRY(heed_build(m));
    heed_archive archive = {.context = m->context};
    heed_status status = fill_archive(m, &archive);
    if (status == HEED_OK)
        status = heed_archive_write(&archive, path);
    heed_archive_free(&archive);
    return status;
}

heed_status heed_model_to_json(heed_model *m, char **json)
{
    *json = NULL;
    HEED_TRY(heed_model_complete(m));
    heed_text text = {.context = m->context};
    heed_status status = write_config(m, &text, false);
    if (status == HEED_OK)
        *json = text.bytes;
    else
        heed_text_free(&text);
    return status;
}

heed_status heed_save_weights(heed_model *m, const char *path)
{
    HEED_TRY(heed_build(m));
    heed_hdf5 *root;
    HEED_TRY(heed_hdf5_create(m->context, &root));
    heed_status status = heed_keras_write_weights(m, root);
    if (status == HEED_OK)
        status = heed_hdf5_write_file(root, path);
    heed_hdf5_free(root);
    return status;
}

/* ---- reading */

/* Training settings that heed does not know do not keep a model from being used. */
static heed_status read_compile(heed_model *m, const heed_json *object)
{
    heed_context *c = m->context;
    heed_status status = heed_keras_read_compile(m, heed_json_find(object, "compile_config"));
    if (status == HEED_OK || status == HEED_ENOMEM)
        return status;
    heed_log(c, HEED_LOG_WARNING, "%s: the training settings are left out: %s", heed_model_name(m), heed_error(c));
    heed_error_clear(c);
    return HEED_OK;
}

static heed_status read_assets(heed_model *m, const heed_archive *archive)
{
    for (size_t i = 0; i < archive->asset_count; i++)
        HEED_TRY(heed_set_asset(m, archive->assets[i].name, archive->assets[i].bytes, archive->assets[i].size));
    return HEED_OK;
}

static heed_status read_parts(const heed_archive *archive, const heed_json *object, heed_model *m)
{
    HEED_TRY(read_compile(m, object));
    if (m->closed) { /* else nobody knows the weights' shapes, and the file holds none */
        HEED_TRY(heed_keras_read_weights(m, archive->weights));
        HEED_TRY(heed_keras_read_optimizer(m, archive->weights));
    }
    return read_assets(m, archive);
}

static heed_status read_archive(const heed_archive *archive, heed_model **out)
{
    heed_zone z;
    heed_zone_init(&z, archive->context);
    heed_json *object;
    heed_model *m = NULL;
    heed_status status = heed_json_parse(&z, "config.json", archive->config, archive->config_size, &object);
    if (status == HEED_OK)
        status = heed_keras_read_model(archive->context, object, archive->keras_version, &m);
    if (status == HEED_OK)
        status = read_parts(archive, object, m);
    heed_zone_free(&z);
    if (status == HEED_OK)
        *out = m;
    else
        heed_model_free(m);
    return status;
}

heed_status heed_load(heed_context *c, const char *path, heed_model **out)
{
    heed_file_kind kind;
    *out = NULL;
    HEED_TRY(heed_file_kind_of(c, path, &kind));
    if (kind == HEED_FILE_HDF5) {
        heed_status status = heed_fail(c, HEED_EUNSUPPORTED, "%s: whole models in HDF5 cannot be read yet", path);
        heed_hint(c, "save it as .keras with Keras 3 first");
        return status;
    }
    heed_archive archive = {.context = c};
    heed_status status = heed_archive_read(c, path, &archive);
    if (status == HEED_OK && (status = read_archive(&archive, out)) != HEED_OK)
        heed_fail_in(c, status, path);
    heed_archive_free(&archive);
    return status;
}

heed_status heed_model_from_json(heed_context *c, const char *json, heed_model **out)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_json *object;
    *out = NULL;
    heed_status status = heed_json_parse(&z, "architecture", json, strlen(json), &object);
    if (status == HEED_OK)
        status = heed_keras_read_model(c, object, NULL, out);
    heed_zone_free(&z);
    return status;
}

heed_status heed_load_weights(heed_model *m, const char *path)
{
    HEED_TRY(heed_model_complete(m));
    heed_hdf5 *root;
    HEED_TRY(heed_hdf5_read_file(m->context, path, &root));
    heed_status status = heed_keras_read_weights(m, root);
    if (status != HEED_OK)
        heed_fail_in(m->context, status, path);
    heed_hdf5_free(root);
    return status;
}
