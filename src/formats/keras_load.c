/* Model files, read: archives, whole models in HDF5, SavedModels, architectures in JSON; and weights that lie apart. */
#include "base/file.h"
#include "formats/archive.h"
#include "formats/keras_checkpoint.h"
#include "formats/keras_config.h"
#include "formats/keras_legacy.h"
#include "formats/keras_shards.h"
#include "formats/keras_text.h"
#include "formats/keras_weights.h"

#include <string.h>

/* A model file, opened: what it is, and what it says of the model. */
typedef struct source {
    heed_context        *context;
    const char          *name; /* for errors */
    heed_file_kind       kind;
    heed_archive         archive;
    heed_hdf5           *tree;  /* of HDF5, or what stands for it; without the arrays' numbers at first */
    const unsigned char *bytes; /* of HDF5 and JSON */
    unsigned char       *own;   /* those, where they were read from a file */
    size_t               size;
} source;

static void close_source(source *s)
{
    heed_archive_free(&s->archive);
    heed_hdf5_free(s->tree);
    heed_release(s->context, s->own);
}

static heed_status unknown_kind(const source *s)
{
    return heed_fail(s->context, HEED_EFORMAT, "%s: not a model file (expected a .keras archive, HDF5 or JSON)",
                     s->name);
}

static heed_status open_bytes(source *s, const void *bytes, size_t size)
{
    s->bytes = bytes;
    s->size = size;
    s->kind = heed_file_kind_of_bytes(bytes, size);
    switch (s->kind) {
    case HEED_FILE_ZIP: return heed_archive_open_memory(s->context, s->name, bytes, size, &s->archive);
    case HEED_FILE_HDF5: return heed_hdf5_read_outline(s->context, s->name, bytes, size, &s->tree);
    case HEED_FILE_JSON: return HEED_OK;
    default: return unknown_kind(s);
    }
}

static heed_status open_path(source *s)
{
    HEED_TRY(heed_file_kind_of(s->context, s->name, &s->kind));
    if (s->kind == HEED_FILE_OTHER)
        return unknown_kind(s);
    if (s->kind == HEED_FILE_SAVED_MODEL)
        return heed_saved_model_describe(s->context, s->name, &s->tree);
    if (s->kind == HEED_FILE_ZIP || s->kind == HEED_FILE_FOLDER)
        return heed_archive_open(s->context, s->name, &s->archive);
    size_t limit = s->kind == HEED_FILE_JSON ? HEED_JSON_MAX_BYTES : SIZE_MAX / 2;
    HEED_TRY(heed_file_read(s->context, s->name, limit, &s->own, &s->size));
    return open_bytes(s, s->own, s->size);
}

/* The numbers, too: asked for when all that describes them has been understood. */
static heed_status read_numbers(source *s)
{
    if (s->kind == HEED_FILE_JSON || s->kind == HEED_FILE_SAVED_MODEL)
        return HEED_OK;
    if (s->kind != HEED_FILE_HDF5)
        return heed_archive_read(&s->archive);
    heed_hdf5_free(s->tree);
    HEED_TRY(heed_hdf5_read(s->context, s->name, s->bytes, s->size, &s->tree));
    heed_release(s->context, s->own);
    s->own = NULL;
    return heed_legacy_weights_group(s->tree) != NULL ? HEED_OK : heed_hdf5_split_names(s->tree);
}

/* ---- weights ---- */

/* Weights in a tree, in whichever of Keras' layouts it is; `config` may be NULL. */
static heed_status read_tree_weights(heed_model *m, const heed_hdf5 *tree, const heed_load_config *config)
{
    const heed_hdf5 *legacy = heed_legacy_weights_group(tree);
    HEED_TRY(heed_model_complete(m));
    if (legacy != NULL)
        return heed_legacy_read_weights(m, legacy, config != NULL && config->weights_by_name);
    return heed_keras_read_weights(m, tree);
}

/* Adds to a tree what a checkpoint has of the model's weights, and of its optimizer's state. */
static heed_status add_checkpoint(heed_model *m, const char *prefix, bool state, heed_hdf5 *tree)
{
    heed_checkpoint *checkpoint;
    HEED_TRY(heed_model_complete(m));
    HEED_TRY(heed_checkpoint_open(m->context, prefix, &checkpoint));
    heed_status status = heed_checkpoint_to_tree(checkpoint, m, state, tree);
    heed_checkpoint_free(checkpoint);
    return status;
}

static heed_status read_checkpoint_weights(heed_model *m, const char *prefix, const heed_load_config *config)
{
    heed_hdf5 *tree;
    if (config != NULL && config->weights_by_name)
        return heed_fail(m->context, HEED_EUNSUPPORTED, "%s: a checkpoint does not tell the names of layers (weights_by_name)", prefix);
    HEED_TRY(heed_hdf5_create(m->context, &tree));
    heed_status status = add_checkpoint(m, prefix, false, tree);
    if (status == HEED_OK)
        status = read_tree_weights(m, tree, config);
    heed_hdf5_free(tree);
    return status;
}

/* The checkpoint that a path means: its prefix, one of its files, or what lies in a SavedModel. NULL: none. */
static heed_status find_checkpoint(heed_zone *z, const char *path, const char **out)
{
    const char *dot = strrchr(path, '.');
    bool saved_model = heed_saved_model_is(path);
    bool part = dot != NULL && (strcmp(dot, ".index") == 0 || strncmp(dot, ".data-", 6) == 0);
    const char *prefix = saved_model ? heed_saved_model_checkpoint(z, path)
                         : part      ? heed_zone_printf(z, "%.*s", (int)(dot - path), path)
                                     : heed_zone_strdup(z, path);
    *out = prefix != NULL && (saved_model || heed_checkpoint_exists(prefix)) ? prefix : NULL;
    return prefix == NULL ? HEED_ENOMEM : HEED_OK;
}

/* A list of the files that the weights are in. */
static heed_status read_shards(heed_model *m, source *s, const heed_load_config *config)
{
    heed_zone z;
    heed_json *document;
    heed_hdf5 *tree = NULL;
    heed_zone_init(&z, m->context);
    heed_status status = heed_json_parse(&z, s->name, s->bytes, s->size, &document);
    if (status == HEED_OK && !heed_is_shard_list(document))
        status = heed_fail(m->context, HEED_EFORMAT, "it holds no weights (expected HDF5, .keras or a list of files)");
    if (status == HEED_OK)
        status = heed_shards_read(m->context, s->name, document, &tree);
    heed_zone_free(&z);
    if (status == HEED_OK)
        status = read_tree_weights(m, tree, config);
    heed_hdf5_free(tree);
    return status;
}

static heed_status read_weights_of(heed_model *m, source *s, const heed_load_config *config)
{
    switch (s->kind) {
    case HEED_FILE_ZIP:
    case HEED_FILE_FOLDER: return read_tree_weights(m, s->archive.weights, config);
    case HEED_FILE_HDF5: return read_tree_weights(m, s->tree, config);
    default: return read_shards(m, s, config);
    }
}

static bool is_npz(const char *path)
{
    static const char ending[] = ".npz";
    size_t length = strlen(path);
    return length >= strlen(ending) && strcmp(path + length - strlen(ending), ending) == 0;
}

static heed_status read_open_weights(heed_model *m, const char *path, const heed_load_config *config)
{
    source s = {.context = m->context, .name = path};
    heed_status status = open_path(&s);
    if (status == HEED_OK)
        status = read_numbers(&s);
    if (status == HEED_OK && (status = read_weights_of(m, &s, config)) != HEED_OK)
        heed_fail_in(m->context, status, path);
    close_source(&s);
    return status;
}

static heed_status read_weights_file(heed_model *m, const char *path, const heed_load_config *config)
{
    if (is_npz(path)) /* by its name: an archive of Keras is a zip file as well */
        return heed_npz_read_weights(m, path);
    const char *prefix;
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = find_checkpoint(&z, path, &prefix);
    if (status == HEED_OK)
        status = prefix != NULL ? read_checkpoint_weights(m, prefix, config) : read_open_weights(m, path, config);
    heed_zone_free(&z);
    return status;
}

/* Weights as they were before a file that turned out not to fit. */
static void take_back(heed_model *m, float *numbers, const bool *drawn)
{
    heed_swap_weights(m, numbers);
    for (size_t i = 0; i < m->weight_count; i++)
        m->weights[i].variable->drawn = drawn[i];
}

heed_status heed_load_weights(heed_model *m, const char *path)
{
    HEED_TRY(heed_model_complete(m));
    HEED_TRY(heed_model_owns_weights(m));
    heed_context *c = m->context;
    float *numbers = heed_alloc_raw(c, heed_weight_total(m), sizeof *numbers);
    bool *drawn = heed_alloc_raw(c, m->weight_count, sizeof *drawn);
    heed_status status = numbers == NULL || drawn == NULL ? HEED_ENOMEM : HEED_OK;
    for (size_t i = 0; i < m->weight_count && status == HEED_OK; i++)
        status = heed_variable_claim(m->weights[i].variable);
    if (status == HEED_OK) {
        heed_keep_weights(m, numbers);
        for (size_t i = 0; i < m->weight_count; i++)
            drawn[i] = m->weights[i].variable->drawn;
        status = read_weights_file(m, path, NULL);
        if (status != HEED_OK)
            take_back(m, numbers, drawn);
    }
    heed_release(c, numbers);
    heed_release(c, drawn);
    return status;
}

/* ---- models ---- */

/* The same settings without metrics, which need no more than names in files. */
static heed_json *without_metrics(heed_zone *z, const heed_json *settings)
{
    static const char *const keys[] = {"metrics", "weighted_metrics"};
    heed_json *copy = heed_json_copy(z, settings);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && heed_json_is(copy, HEED_JSON_OBJECT); i++)
        if (heed_json_find(copy, keys[i]) != NULL && heed_json_set(z, copy, keys[i], heed_json_null(z)) != HEED_OK)
            return NULL;
    return copy;
}

/* Training settings that heed does not know do not keep a model from being used, nor metrics it from being trained. */
static heed_status read_compile(heed_model *m, heed_zone *z, const heed_json *settings)
{
    heed_context *c = m->context;
    static const char *const left_out[] = {"the metrics are", "the training settings are"};
    heed_status status = heed_keras_read_compile(m, settings);
    for (int i = 0; i < 2 && status != HEED_OK && status != HEED_ENOMEM; i++) {
        const char *why = heed_zone_strdup(z, heed_error(c));
        const heed_json *rest = i == 0 ? without_metrics(z, settings) : NULL;
        if (why == NULL || (i == 0 && rest == NULL))
            return HEED_ENOMEM;
        heed_error_clear(c);
        status = i == 0 ? heed_keras_read_compile(m, rest) : HEED_OK;
        if (status == HEED_OK)
            heed_log(c, HEED_LOG_WARNING, "%s: %s left out: %s", heed_model_name(m), left_out[i], why);
    }
    return status;
}

static heed_status read_assets(heed_model *m, const heed_archive *archive)
{
    for (size_t i = 0; i < archive->asset_count; i++)
        HEED_TRY(heed_set_asset(m, archive->assets[i].name, archive->assets[i].bytes, archive->assets[i].size));
    return HEED_OK;
}

static heed_status read_archive(source *s, heed_zone *z, heed_keras_reading *r, heed_model **out)
{
    heed_json *object;
    heed_keras_texts texts;
    r->version = s->archive.keras_version;
    HEED_TRY(heed_json_parse(z, "config.json", s->archive.config, s->archive.config_size, &object));
    HEED_TRY(heed_keras_take_texts(z, object, &texts));
    HEED_TRY(heed_keras_read_model(s->context, object, r, out));
    heed_json *compile = heed_json_find(object, "compile_config");
    HEED_TRY(heed_legacy_read_optimizer_config(z, r, compile));
    HEED_TRY(read_compile(*out, z, compile));
    HEED_TRY(read_numbers(s));
    /* else nobody knows the weights' shapes, and the file has none */
    if ((*out)->closed && r->options->weights == NULL) {
        HEED_TRY(heed_keras_read_weights(*out, s->archive.weights));
        HEED_TRY(heed_keras_read_optimizer(*out, s->archive.weights));
    }
    HEED_TRY(read_assets(*out, &s->archive));
    return heed_keras_keep_texts(z, *out, &texts, s->archive.weights);
}

/* The architecture and the training settings, as attributes of a tree tell them. */
static heed_status read_described(source *s, heed_zone *z, heed_keras_reading *r, heed_model **out)
{
    heed_json *object, *settings;
    heed_keras_texts texts;
    HEED_TRY(heed_legacy_read_architecture(z, s->tree, &object, &r->version));
    HEED_TRY(heed_keras_take_texts(z, object, &texts));
    r->weights = heed_legacy_weights_group(s->tree);
    HEED_TRY(heed_keras_read_model(s->context, object, r, out));
    HEED_TRY(heed_keras_keep_texts(z, *out, &texts, NULL));
    HEED_TRY(heed_legacy_read_settings(z, s->tree, r, &settings));
    r->weights = NULL;
    return read_compile(*out, z, settings);
}

static heed_status read_hdf5(source *s, heed_zone *z, heed_keras_reading *r, heed_model **out)
{
    HEED_TRY(read_described(s, z, r, out));
    if (!(*out)->closed || r->options->weights != NULL)
        return HEED_OK;
    HEED_TRY(read_numbers(s));
    HEED_TRY(read_tree_weights(*out, s->tree, r->options));
    return heed_legacy_read_optimizer(*out, s->tree);
}

static heed_status read_saved_model(source *s, heed_zone *z, heed_keras_reading *r, heed_model **out)
{
    const char *prefix = heed_saved_model_checkpoint(z, s->name);
    if (prefix == NULL)
        return HEED_ENOMEM;
    HEED_TRY(read_described(s, z, r, out));
    if (!(*out)->closed || r->options->weights != NULL)
        return HEED_OK;
    HEED_TRY(add_checkpoint(*out, prefix, true, s->tree));
    HEED_TRY(read_tree_weights(*out, s->tree, NULL));
    HEED_TRY(heed_keras_read_optimizer(*out, s->tree));
    return heed_legacy_read_optimizer(*out, s->tree);
}

static heed_status read_json(source *s, heed_zone *z, heed_keras_reading *r, heed_model **out)
{
    heed_json *object;
    heed_keras_texts texts;
    HEED_TRY(heed_json_parse(z, s->name, s->bytes, s->size, &object));
    if (heed_json_is(object, HEED_JSON_STRING)) /* json.dump(model.to_json()) */
        HEED_TRY(heed_json_parse(z, s->name, object->text, strlen(object->text), &object));
    HEED_TRY(heed_keras_take_texts(z, object, &texts));
    HEED_TRY(heed_keras_read_model(s->context, object, r, out));
    return heed_keras_keep_texts(z, *out, &texts, NULL);
}

/* What was to be set of a layer that there is not is a mistake. */
static heed_status check_settings(heed_context *c, const heed_keras_reading *r)
{
    for (size_t i = 0; r->options->set != NULL && r->options->set[i] != NULL; i++)
        if (!r->set_used[i])
            return heed_fail(c, HEED_ENOTFOUND, "%s: there is no such layer", r->options->set[i]);
    return HEED_OK;
}

static heed_status make_room(heed_zone *z, heed_keras_reading *r)
{
    size_t count = 0;
    while (r->options->set != NULL && r->options->set[count] != NULL)
        count++;
    r->set_used = heed_zone_alloc(z, count, sizeof *r->set_used);
    return r->set_used == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status read_kind(source *s, heed_zone *z, heed_keras_reading *r, heed_model **out)
{
    HEED_TRY(make_room(z, r));
    heed_status status = s->kind == HEED_FILE_HDF5          ? read_hdf5(s, z, r, out)
                         : s->kind == HEED_FILE_SAVED_MODEL ? read_saved_model(s, z, r, out)
                         : s->kind == HEED_FILE_JSON        ? read_json(s, z, r, out)
                                                            : read_archive(s, z, r, out);
    if (status != HEED_OK)
        return status == HEED_ENOMEM || s->kind == HEED_FILE_JSON ? status : heed_fail_in(s->context, status, s->name);
    HEED_TRY(check_settings(s->context, r));
    return r->options->weights == NULL ? HEED_OK : read_weights_file(*out, r->options->weights, r->options);
}

/* Reads what is open, and what the caller wants beside it. */
static heed_status read_source(source *s, const heed_load_config *config, heed_model **out)
{
    static const heed_load_config none = {0};
    heed_keras_reading r = {.options = config == NULL ? &none : config};
    struct heed_origin origin = s->context->origin; /* which `from` changes for this file alone */
    heed_model *m = NULL;
    heed_zone z;
    heed_zone_init(&z, s->context);
    heed_status status = read_kind(s, &z, &r, &m);
    heed_zone_free(&z);
    s->context->origin = origin;
    if (status == HEED_OK)
        *out = m;
    else
        heed_model_free(m);
    return status;
}

heed_status heed_load_model_with(heed_context *c, const char *path, const heed_load_config *config, heed_model **out)
{
    source s = {.context = c, .name = path};
    *out = NULL;
    heed_status status = open_path(&s);
    if (status == HEED_OK)
        status = read_source(&s, config, out);
    close_source(&s);
    return status;
}

heed_status heed_load_model_memory(heed_context *c, const char *name, const void *bytes, size_t size,
                                   const heed_load_config *config, heed_model **out)
{
    source s = {.context = c, .name = name};
    *out = NULL;
    heed_status status = open_bytes(&s, bytes, size);
    if (status == HEED_OK)
        status = read_source(&s, config, out);
    close_source(&s);
    return status;
}

heed_status heed_load(heed_context *c, const char *path, heed_model **out)
{
    return heed_load_model_with(c, path, NULL, out);
}

heed_status heed_model_from_json(heed_context *c, const char *json, heed_model **out)
{
    static const heed_load_config none = {0};
    source s = {.context = c, .name = "architecture", .bytes = (const unsigned char *)json, .size = strlen(json)};
    heed_keras_reading r = {.options = &none};
    heed_model *m = NULL;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_status status = read_json(&s, &z, &r, &m);
    heed_zone_free(&z);
    if (status != HEED_OK)
        heed_model_free(m);
    *out = status == HEED_OK ? m : NULL;
    return status;
}
