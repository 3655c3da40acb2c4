#include "formats/keras_shards.h"

#include "formats/zip.h"

#include <string.h>

enum { MOST_SHARDS = 4096 };

typedef struct shards {
    heed_context *context;
    heed_zone     zone;
    const char   *path;  /* of the document */
    const char  **names; /* of files read so far */
    size_t        count;
    heed_hdf5    *root;
} shards;

bool heed_is_shard_list(const heed_json *document)
{
    return heed_json_is(heed_json_find(document, "weight_map"), HEED_JSON_OBJECT);
}

/* Adds all arrays of a tree to the one that is being made. */
static heed_status merge(shards *s, const heed_hdf5 *tree)
{
    for (const heed_hdf5 *n = tree; n != NULL; n = heed_hdf5_walk(tree, n)) {
        char path[HEED_ERROR_SIZE];
        heed_array *copy;
        if (n->array == NULL)
            continue;
        HEED_TRY(heed_array_convert(s->context, n->array, n->array->dtype, &copy));
        HEED_TRY(heed_hdf5_put(s->root, heed_hdf5_path(n, path, sizeof path), copy));
    }
    return HEED_OK;
}

static heed_status read_file(shards *s, const char *name)
{
    const char *slash = strrchr(s->path, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - s->path);
    const char *path = heed_zone_printf(&s->zone, "%.*s%s", folder, s->path, name);
    heed_hdf5 *tree;
    if (path == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_hdf5_read_file(s->context, path, &tree));
    heed_status status = merge(s, tree);
    heed_hdf5_free(tree);
    return status;
}

/* A file is read where it is first spoken of. */
static heed_status take_file(shards *s, const heed_json *v)
{
    if (!heed_json_is(v, HEED_JSON_STRING))
        return heed_json_fail(s->context, v, HEED_EFORMAT, "expected the name of a file");
    if (!heed_zip_name_is_safe(v->text) || strchr(v->text, '/') != NULL)
        return heed_json_fail(s->context, v, HEED_EFORMAT, "\"%.80s\" leads elsewhere (expected a file beside this)",
                              v->text);
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->names[i], v->text) == 0)
            return HEED_OK;
    if (s->count == MOST_SHARDS)
        return heed_json_fail(s->context, v, HEED_EUNSUPPORTED, "weights in more than %d files", MOST_SHARDS);
    s->names[s->count++] = v->text;
    return read_file(s, v->text);
}

static heed_status read_files(shards *s, const heed_json *map)
{
    s->names = heed_zone_alloc(&s->zone, MOST_SHARDS, sizeof *s->names);
    if (s->names == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_hdf5_create(s->context, &s->root));
    for (const heed_json *item = map->first; item != NULL; item = item->next) {
        if (item->type != HEED_JSON_ARRAY)
            HEED_TRY(take_file(s, item));
        for (const heed_json *one = item->type == HEED_JSON_ARRAY ? item->first : NULL; one != NULL; one = one->next)
            HEED_TRY(take_file(s, one));
    }
    return HEED_OK;
}

heed_status heed_shards_read(heed_context *c, const char *path, const heed_json *document, heed_hdf5 **out)
{
    shards s = {.context = c, .path = path};
    heed_zone_init(&s.zone, c);
    heed_status status = read_files(&s, heed_json_find(document, "weight_map"));
    heed_zone_free(&s.zone);
    if (status != HEED_OK) {
        heed_hdf5_free(s.root);
        s.root = NULL;
    }
    *out = s.root;
    return status;
}
