/* What a SavedModel says of a Keras model: JSON in a message in keras_metadata.pb, or before TensorFlow 2.5 in saved_model.pb. */
#include "base/file.h"
#include "formats/json.h"
#include "formats/keras_checkpoint.h"
#include "formats/keras_legacy.h"
#include "formats/protobuf.h"

#include <string.h>
#include <unistd.h>

typedef struct reading {
    heed_context *context;
    heed_zone     zone;
    const char   *path;
    const char   *metadata; /* of the model; NULL: not found */
} reading;

static const char *file_in(heed_zone *z, const char *folder, const char *name)
{
    return heed_zone_printf(z, "%s/%s", folder, name);
}

bool heed_saved_model_is(const char *path)
{
    return heed_file_is_readable(path, "/saved_model.pb");
}

const char *heed_saved_model_checkpoint(heed_zone *z, const char *path) { return file_in(z, path, "variables/variables"); }

/* The first field of that number, as a message; empty where there is none. */
static heed_protobuf field_of(heed_protobuf m, uint64_t field)
{
    while (heed_protobuf_next(&m))
        if (m.field == field)
            return heed_protobuf_within(&m);
    return heed_protobuf_of(NULL, 0);
}

/* The text in a field of that number; NULL when there is none. */
static heed_status text_of(reading *r, heed_protobuf m, uint64_t field, const char **out)
{
    *out = NULL;
    while (heed_protobuf_next(&m))
        if (m.field == field && m.size > 0) {
            *out = heed_protobuf_text(&r->zone, &m);
            return *out == NULL ? HEED_ENOMEM : HEED_OK;
        }
    return HEED_OK;
}

/* keras_metadata.pb: nodes = 1, of which each has its path = 3 and its JSON = 5. */
static heed_status find_in_metadata(reading *r, heed_protobuf file)
{
    while (heed_protobuf_next(&file)) {
        const char *path;
        if (file.field != 1)
            continue;
        heed_protobuf node = heed_protobuf_within(&file);
        HEED_TRY(text_of(r, node, 3, &path));
        if (path != NULL && strcmp(path, "root") == 0)
            return text_of(r, node, 5, &r->metadata);
    }
    return HEED_OK;
}

/* saved_model.pb: meta_graphs = 2, in it object_graph_def = 7, in it nodes = 1, the first of which is the model; in it
 * user_object = 4, and in that the JSON = 3. */
static heed_status find_in_graph(reading *r, heed_protobuf file)
{
    static const uint64_t way[] = {2, 7, 1, 4};
    for (size_t i = 0; i < sizeof way / sizeof *way; i++)
        file = field_of(file, way[i]);
    return text_of(r, file, 3, &r->metadata);
}

static heed_status find_metadata(reading *r)
{
    static const struct { const char *name; heed_status (*find)(reading *, heed_protobuf); } files[] = {
        {"keras_metadata.pb", find_in_metadata}, {"saved_model.pb", find_in_graph}};
    for (size_t i = 0; i < sizeof files / sizeof *files && r->metadata == NULL; i++) {
        const char *name = file_in(&r->zone, r->path, files[i].name);
        unsigned char *bytes;
        size_t size;
        if (name == NULL)
            return HEED_ENOMEM;
        if (access(name, F_OK) != 0)
            continue;
        HEED_TRY(heed_file_read(r->context, name, SIZE_MAX / 2, &bytes, &size));
        heed_status status = files[i].find(r, heed_protobuf_of(bytes, size));
        heed_release(r->context, bytes);
        HEED_TRY(status);
    }
    return HEED_OK;
}

/* The items of what Python had as a tuple or a shape, {"class_name": "__tuple__", "items": [...]}; NULL: it is another value. */
static const heed_json *items_of(const heed_json *v)
{
    const heed_json *name = heed_json_find(v, "class_name"), *items = heed_json_find(v, "items");
    bool tuple = heed_json_is_string(name, "__tuple__") || heed_json_is_string(name, "TensorShape");
    return tuple && heed_json_is(items, HEED_JSON_ARRAY) ? items : NULL;
}

/* A copy in which these are lists, as in Keras' other files. NULL when there is no memory. */
static heed_json *with_lists(heed_zone *z, const heed_json *v)
{
    const heed_json *items = items_of(v), *from = items != NULL ? items : v;
    if (from->type != HEED_JSON_ARRAY && from->type != HEED_JSON_OBJECT)
        return heed_json_copy(z, from);
    heed_json *copy = from->type == HEED_JSON_ARRAY ? heed_json_array(z) : heed_json_object(z);
    for (const heed_json *item = from->first; item != NULL && copy != NULL; item = item->next) {
        heed_json *part = with_lists(z, item);
        if ((from->type == HEED_JSON_ARRAY ? heed_json_append(copy, part) : heed_json_add(z, copy, item->key, part)) != HEED_OK)
            return NULL;
    }
    return copy;
}

/* A member as the attribute of that name, in JSON. */
static heed_status set_attribute(reading *r, const heed_json *metadata, const char *key, heed_hdf5 *root)
{
    const heed_json *v = heed_json_option(metadata, key);
    if (v == NULL)
        return HEED_OK;
    if (v->type == HEED_JSON_STRING)
        return heed_hdf5_set_string(root, key, v->text);
    v = with_lists(&r->zone, v);
    return v == NULL ? HEED_ENOMEM : heed_legacy_set_json(root, key, v);
}

static heed_status describe(reading *r, heed_hdf5 *root)
{
    static const char *const keys[] = {"model_config", "training_config", "keras_version"};
    heed_json *metadata;
    HEED_TRY(find_metadata(r));
    if (r->metadata == NULL) {
        heed_fail(r->context, HEED_EUNSUPPORTED, "a SavedModel that Keras did not save, or exported: it has operations of TensorFlow, "
                  "and no layers");
        heed_hint(r->context, "save the model with its layers: model.save('model.keras')");
        return HEED_EUNSUPPORTED;
    }
    HEED_TRY(heed_json_parse(&r->zone, "metadata", r->metadata, strlen(r->metadata), &metadata));
    if (heed_json_option(metadata, "model_config") == NULL) {
        heed_fail(r->context, HEED_EUNSUPPORTED, "the model is a class of its own (%.80s), whose layers stand in no file",
                  heed_json_is(heed_json_find(metadata, "class_name"), HEED_JSON_STRING) ? heed_json_find(metadata, "class_name")->text
                                                                                        : "unnamed");
        heed_hint(r->context, "rebuild it of layers, and save it with model.save('model.keras')");
        return HEED_EUNSUPPORTED;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        HEED_TRY(set_attribute(r, metadata, keys[i], root));
    return HEED_OK;
}

heed_status heed_saved_model_describe(heed_context *c, const char *path, heed_hdf5 **out)
{
    reading r = {.context = c, .path = path};
    HEED_TRY(heed_hdf5_create(c, out));
    heed_zone_init(&r.zone, c);
    heed_status status = describe(&r, *out);
    heed_zone_free(&r.zone);
    if (status == HEED_OK)
        return HEED_OK;
    heed_hdf5_free(*out);
    *out = NULL;
    return heed_fail_in(c, status, path);
}
