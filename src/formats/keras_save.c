/* Model files, written. */
#include "base/file.h"
#include "formats/archive.h"
#include "formats/builtin.h"
#include "formats/keras_config.h"
#include "formats/keras_legacy.h"
#include "formats/keras_text.h"
#include "formats/keras_weights.h"

#include <string.h>

/* Always the same, so that equal models are equal files. */
static const char DATE_SAVED[] = "1980-01-01@00:00:00";

/* The architecture as text: an archive's, with training settings in it, or one that stands alone. */
static heed_status write_config(heed_model *m, const heed_keras_form *form, bool archived, heed_text *text)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_json *object, *compile;
    heed_status status = heed_keras_write_whole(&z, m, form, &object, &compile);
    if (status == HEED_OK)
        status = heed_keras_put_texts(&z, m, form, archived, object);
    if (status == HEED_OK && archived && compile != NULL)
        status = heed_json_set(&z, object, "compile_config", compile);
    if (status == HEED_OK && !archived && form->keras == 2)
        status = heed_json_set(&z, object, "keras_version", heed_json_string(&z, form->version));
    if (status == HEED_OK) {
        heed_json_write(text, object, 0);
        status = heed_text_status(text);
    }
    heed_zone_free(&z);
    return status;
}

static heed_status model_to_json(heed_model *m, const heed_keras_form *form, char **json)
{
    *json = NULL;
    HEED_TRY(heed_model_complete(m));
    heed_text text = {.context = m->context};
    heed_status status = write_config(m, form, false, &text);
    if (status == HEED_OK)
        *json = text.bytes;
    else
        heed_text_free(&text);
    return status;
}

heed_status heed_model_to_json(heed_model *m, char **json) { return model_to_json(m, &heed_keras3_form, json); }

/* ---- archives ---- */

static heed_status fill_archive(heed_model *m, const heed_keras_form *form, heed_archive *archive)
{
    heed_text config = {.context = m->context};
    heed_status status = write_config(m, form, true, &config);
    if (status == HEED_OK)
        status = heed_archive_set_config(archive, config.bytes, config.length);
    heed_text_free(&config);
    HEED_TRY(status);
    HEED_TRY(heed_archive_set_metadata(archive, form->version, DATE_SAVED));
    HEED_TRY(heed_hdf5_create(m->context, &archive->weights));
    HEED_TRY(heed_keras_write_weights(m, form, archive->weights));
    HEED_TRY(heed_keras_write_optimizer(m, form, archive->weights));
    return heed_keras_put_assets(m, archive);
}

static heed_status save_archive(heed_model *m, const heed_keras_form *form, const char *path)
{
    heed_archive archive = {.context = m->context};
    heed_status status = fill_archive(m, form, &archive);
    if (status == HEED_OK)
        status = heed_archive_write(&archive, path);
    heed_archive_free(&archive);
    return status;
}

/* ---- the other forms ---- */

typedef heed_status fill_function(heed_model *m, const heed_keras_form *form, heed_hdf5 *root);

static heed_status save_hdf5(heed_model *m, const heed_keras_form *form, fill_function *fill, const char *path)
{
    heed_hdf5 *root;
    HEED_TRY(heed_hdf5_create(m->context, &root));
    heed_status status = fill(m, form, root);
    if (status == HEED_OK)
        status = heed_hdf5_write_file(root, path);
    heed_hdf5_free(root);
    return status;
}

static heed_status save_json(heed_model *m, const heed_keras_form *form, const char *path)
{
    char *json;
    HEED_TRY(model_to_json(m, form, &json));
    heed_status status = heed_file_write(m->context, path, json, strlen(json));
    heed_free(m->context, json);
    return status;
}

static heed_status save(heed_model *m, const heed_keras_form *form, const char *path)
{
    if (heed_file_ends_with(path, ".weights.h5"))
        return save_hdf5(m, form, heed_keras_write_weights, path);
    if (heed_file_ends_with(path, ".npz"))
        return heed_npz_write_weights(m, path);
    if (heed_file_ends_with(path, ".json"))
        return save_json(m, form, path);
    if (heed_file_ends_with(path, "_weights.h5"))
        return save_hdf5(m, form, heed_legacy_write_weights, path);
    if (heed_file_ends_with(path, ".h5") || heed_file_ends_with(path, ".hdf5"))
        return save_hdf5(m, form, heed_legacy_write_model, path);
    return save_archive(m, form, path);
}

heed_status heed_save_model_with(heed_model *m, const char *path, const heed_save_config *config)
{
    const heed_keras_form *form = config->keras == 2 ? &heed_keras2_form : &heed_keras3_form;
    HEED_TRY(heed_build(m));
    if (!config->builtin)
        return save(m, form, path);
    heed_model *equal;
    HEED_TRY(heed_builtin_model(m, form->keras, &equal));
    heed_status status = save(equal, form, path);
    heed_model_free(equal);
    return status;
}

heed_status heed_save(heed_model *m, const char *path) { return heed_save_model(m, path); }

heed_status heed_save_weights(heed_model *m, const char *path)
{
    HEED_TRY(heed_build(m));
    return save_hdf5(m, &heed_keras3_form, heed_keras_write_weights, path);
}
