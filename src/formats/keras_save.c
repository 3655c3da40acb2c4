/* Model files, written. */
#include "base/file.h"
#include "formats/archive.h"
#include "formats/keras_config.h"
#include "formats/keras_legacy.h"
#include "formats/keras_weights.h"

#include <string.h>

/* What Keras reads the files as; the form of everything here is that version's. */
static const char KERAS_VERSION[] = "3.15.1";
/* Always the same, so that equal models are equal files. */
static const char DATE_SAVED[] = "1980-01-01@00:00:00";

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

/* ---- archives ---- */

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

static heed_status save_archive(heed_model *m, const char *path)
{
    heed_archive archive = {.context = m->context};
    heed_status status = fill_archive(m, &archive);
    if (status == HEED_OK)
        status = heed_archive_write(&archive, path);
    heed_archive_free(&archive);
    return status;
}

/* ---- the other forms ---- */

static heed_status save_weights(heed_model *m, const char *path)
{
    heed_hdf5 *root;
    HEED_TRY(heed_hdf5_create(m->context, &root));
    heed_status status = heed_keras_write_weights(m, root);
    if (status == HEED_OK)
        status = heed_hdf5_write_file(root, path);
    heed_hdf5_free(root);
    return status;
}

static heed_status save_json(heed_model *m, const char *path)
{
    char *json;
    HEED_TRY(heed_model_to_json(m, &json));
    heed_status status = heed_file_write(m->context, path, json, strlen(json));
    heed_free(m->context, json);
    return status;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

heed_status heed_save_model_with(heed_model *m, const char *path, const heed_save_config *config)
{
    HEED_TRY(heed_build(m));
    if (ends_with(path, ".weights.h5"))
        return save_weights(m, path);
    if (ends_with(path, ".npz"))
        return heed_npz_write_weights(m, path);
    if (ends_with(path, ".json"))
        return save_json(m, path);
    if (ends_with(path, ".h5") || ends_with(path, ".hdf5"))
        return heed_fail(m->context, HEED_EUNSUPPORTED, "%s: whole models in HDF5 cannot be written yet", path);
    return save_archive(m, path);
}

heed_status heed_save(heed_model *m, const char *path) { return heed_save_model(m, path); }

heed_status heed_save_weights(heed_model *m, const char *path)
{
    HEED_TRY(heed_build(m));
    return save_weights(m, path);
}
