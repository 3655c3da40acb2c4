/* Layers for texts, written back before the models that they were taken from. */
#include "formats/keras_text.h"

#include <stdlib.h>
#include <string.h>

/* A layer that is to stand between an input and the model again. */
typedef struct text {
    const char      *input, *name, *class_name;
    const char      *folders[2]; /* where it keeps what it saves; the second, NULL for most, as the layer within it */
    const heed_json *kept;       /* what heed_keras_keep_texts kept */
    const heed_json *config;
    int64_t          place;
    const char      *vocabulary; /* lines; NULL: the config has it */
    size_t           size;
    bool             splits; /* Keras, which reads line by line, would take some tokens for several lines */
} text;

typedef struct texts {
    text  *items;
    size_t count;
} texts;

/* ---- what was kept ---- */

static bool is_text(const heed_json *v) { return heed_json_is(v, HEED_JSON_STRING); }

static bool is_known(const heed_json *class_name)
{
    return heed_json_is_string(class_name, "TextVectorization") || heed_json_is_string(class_name, "StringLookup");
}

static bool vectorizes(const text *t) { return strcmp(t->class_name, "TextVectorization") == 0; }

/* Whether Python, which reads a file as text, sees ends of lines in it that are none. */
static bool has_other_ends(const char *bytes, size_t size)
{
    static const char *const ends[] = {"\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\xc2\x85", "\xe2\x80\xa8",
                                       "\xe2\x80\xa9"};
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
            size_t length = strlen(ends[k]);
            if (length <= size - i && memcmp(bytes + i, ends[k], length) == 0)
                return true;
        }
    return false;
}

/* The text layer of an input; false if it has none, or an asset that only looks like one. */
static heed_status read_kept(heed_zone *z, const heed_model *m, const char *input, text *out, bool *found)
{
    const char *name = heed_zone_printf(z, "text/%s.json", input);
    size_t size;
    const void *bytes = name == NULL ? NULL : heed_asset(m, name, &size);
    heed_json *kept;
    *found = false;
    if (name == NULL || bytes == NULL)
        return name == NULL ? HEED_ENOMEM : HEED_OK;
    HEED_TRY(heed_json_parse(z, name, bytes, size, &kept));
    const heed_json *class_name = heed_json_find(kept, "class_name"), *config = heed_json_find(kept, "config");
    const heed_json *own = heed_json_find(config, "name"), *file = heed_json_find(kept, "vocabulary");
    const heed_json *place = heed_json_find(kept, "place");
    *found = is_known(class_name) && is_text(own);
    if (!*found)
        return HEED_OK;
    *out = (text){.input = input, .name = own->text, .class_name = class_name->text, .kept = kept, .config = config};
    out->place = heed_json_is(place, HEED_JSON_INT) ? place->integer : 0;
    out->vocabulary = is_text(file) ? heed_asset(m, file->text, &out->size) : NULL;
    out->splits = out->vocabulary != NULL && has_other_ends(out->vocabulary, out->size);
    return HEED_OK;
}

static int by_place(const void *a, const void *b)
{
    const text *p = a, *q = b;
    return (p->place > q->place) - (p->place < q->place);
}

/* Those of a layer before which stand so many of its class. */
static heed_status find_folders(heed_zone *z, text *t, int before)
{
    t->folders[0] = heed_keras_text_path(z, t->class_name, before);
    if (t->folders[0] == NULL || !vectorizes(t))
        return t->folders[0] == NULL ? HEED_ENOMEM : HEED_OK;
    t->folders[1] = heed_zone_printf(z, "%s/_lookup_layer", t->folders[0]);
    return t->folders[1] == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status list_texts(heed_zone *z, const heed_model *m, texts *out)
{
    *out = (texts){heed_zone_alloc(z, (size_t)m->input_count, sizeof *out->items), 0};
    if (out->items == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < m->input_count; i++) {
        bool found;
        HEED_TRY(read_kept(z, m, heed_model_input_name(m, i), &out->items[out->count], &found));
        out->count += found;
    }
    qsort(out->items, out->count, sizeof *out->items, by_place);
    for (size_t i = 0; i < out->count; i++) {
        int before = 0;
        for (size_t k = 0; k < i; k++)
            before += strcmp(out->items[k].class_name, out->items[i].class_name) == 0;
        HEED_TRY(find_folders(z, &out->items[i], before));
    }
    return HEED_OK;
}

heed_status heed_keras_name_texts(heed_zone *z, const heed_model *m, heed_index *out)
{
    texts all;
    HEED_TRY(list_texts(z, m, &all));
    for (size_t i = 0; i < all.count; i++)
        HEED_TRY(heed_index_put_text(out, z, all.items[i].name, &all.items[i]));
    return HEED_OK;
}

/* ---- options ---- */

static bool gives_numbers(const text *t)
{
    const heed_json *mode = heed_json_option(t->config, "output_mode");
    return mode == NULL || heed_json_is_string(mode, "int");
}

static bool weighs(const text *t) { return heed_json_is_string(heed_json_option(t->config, "output_mode"), "tf_idf"); }

/* How many tokens stand before the first of the vocabulary's own: the mask's and the unknown's. */
static int64_t special_count(const text *t)
{
    const heed_json *unknown = heed_json_option(t->config, "num_oov_indices");
    bool masks = gives_numbers(t) && (vectorizes(t) || heed_json_option(t->config, "mask_token") != NULL);
    return masks + (vectorizes(t) || !heed_json_is(unknown, HEED_JSON_INT) ? 1 : unknown->integer);
}

/* The lines of a vocabulary from number `first` on. */
static heed_status list_lines(heed_zone *z, const text *t, int64_t first, heed_json **out)
{
    const char *at = t->vocabulary, *end = at + t->size;
    *out = heed_json_array(z);
    for (int64_t line = 0; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop == NULL ? end : stop) - at);
        if (line >= first)
            HEED_TRY(heed_json_append(*out, heed_json_string_of(z, at, length)));
        at += length + 1;
    }
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* Weights for all tokens: those of a config lack the unknown's, their mean. Without an array, they are nowhere. */
static heed_status list_idf(heed_zone *z, const text *t, heed_json **out)
{
    const heed_json *all = heed_json_option(t->kept, "idf_weights"), *own = heed_json_option(t->config, "idf_weights");
    const heed_json *list = all != NULL ? all : own;
    double total = 0.0, number;
    *out = heed_json_array(z);
    for (const heed_json *item = heed_json_is(list, HEED_JSON_ARRAY) ? list->first : NULL; item != NULL; item = item->next) {
        HEED_TRY(heed_json_as_real(z->context, item, &number));
        total += number;
    }
    if (all == NULL && heed_json_is(list, HEED_JSON_ARRAY) && list->count > 0)
        HEED_TRY(heed_json_append(*out, heed_json_real(z, total / (double)list->count)));
    for (const heed_json *item = heed_json_is(list, HEED_JSON_ARRAY) ? list->first : NULL; item != NULL; item = item->next)
        HEED_TRY(heed_json_append(*out, heed_json_copy(z, item)));
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* The vocabulary, and what weighs its tokens, as options. */
static heed_status put_vocabulary(heed_zone *z, const text *t, heed_json *config)
{
    heed_json *words, *weights, *own = heed_json_array(z);
    HEED_TRY(list_lines(z, t, special_count(t), &words));
    HEED_TRY(heed_json_set(z, config, "vocabulary", words));
    if (!weighs(t))
        return HEED_OK;
    HEED_TRY(list_idf(z, t, &weights));
    const heed_json *item = weights->first == NULL ? NULL : weights->first->next;
    for (; item != NULL && own->count < words->count; item = item->next) /* zeros may stand behind */
        HEED_TRY(heed_json_append(own, heed_json_copy(z, item)));
    return heed_json_set(z, config, "idf_weights", own);
}

/* Keras 2 has a layer's type by what it gives. */
static heed_json *type_for(heed_zone *z, const text *t, const heed_keras_form *form)
{
    if (form->keras == 2)
        return heed_json_string(z, vectorizes(t) ? "string" : gives_numbers(t) ? "int64" : "float32");
    return heed_json_string(z, "float32");
}

static bool is_left_out(const char *key, const heed_keras_form *form)
{
    static const char *const keys[] = {"dtype", "batch_input_shape", "oov_method", "salt"};
    for (size_t i = 0; i < (form->keras == 2 ? 4 : 2); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* Keras 2 wants a tuple, which it finds in its older form only. */
static heed_status put_widths(heed_zone *z, const heed_keras_form *form, bool archived, heed_json *config)
{
    const heed_json *widths = heed_json_find(config, "ngrams");
    if (form->keras != 2 || archived || !heed_json_is(widths, HEED_JSON_ARRAY))
        return HEED_OK;
    heed_json *tuple = heed_json_object(z);
    HEED_TRY(heed_json_set(z, tuple, "class_name", heed_json_string(z, "__tuple__")));
    HEED_TRY(heed_json_set(z, tuple, "items", heed_json_copy(z, widths)));
    return heed_json_set(z, config, "ngrams", tuple);
}

static heed_status write_config(heed_zone *z, const text *t, const heed_keras_form *form, bool archived, heed_json **out)
{
    *out = heed_json_object(z);
    for (const heed_json *item = t->config->first; item != NULL; item = item->next)
        if (!is_left_out(item->key, form))
            HEED_TRY(heed_json_set(z, *out, item->key, heed_json_copy(z, item)));
    HEED_TRY(heed_json_set(z, *out, "dtype", type_for(z, t, form)));
    HEED_TRY(put_widths(z, form, archived, *out));
    return t->vocabulary == NULL || (archived && !t->splits) ? HEED_OK : put_vocabulary(z, t, *out);
}

/* ---- layers ---- */

static heed_status start_layer(heed_zone *z, const char *class_name, const char *name, heed_json *config, bool wired,
                               heed_json **out)
{
    *out = heed_json_object(z);
    HEED_TRY(heed_json_set(z, *out, "module", heed_json_string(z, "keras.layers")));
    HEED_TRY(heed_json_set(z, *out, "class_name", heed_json_string(z, class_name)));
    HEED_TRY(heed_json_set(z, *out, "config", config));
    HEED_TRY(heed_json_set(z, *out, "registered_name", heed_json_null(z)));
    if (!wired)
        return HEED_OK;
    HEED_TRY(heed_json_set(z, *out, "name", heed_json_string(z, name)));
    return heed_json_set(z, *out, "inbound_nodes", heed_json_array(z));
}

/* Of the texts. The file's own, or one for each row; so also where Keras 3 would make a row of rows of what a text gives. */
static heed_status source_shape(heed_zone *z, const text *t, const heed_keras_form *form, heed_json **out)
{
    const heed_json *config = heed_json_find(heed_json_find(t->kept, "source"), "config");
    const heed_json *given = heed_json_option(config, "batch_shape");
    if (given == NULL)
        given = heed_json_option(config, "batch_input_shape");
    bool cuts = vectorizes(t) && heed_json_option(t->config, "split") != NULL;
    bool own = heed_json_is(given, HEED_JSON_ARRAY) && !(form->keras == 3 && cuts && !gives_numbers(t));
    *out = own ? heed_json_copy(z, given) : heed_json_array(z);
    return own ? HEED_OK : heed_json_append(*out, heed_json_null(z));
}

/* The name of the input before a layer: a stack's may have been the layer itself, and gets one of its own. */
static const char *source_name(heed_zone *z, const text *t)
{
    return strcmp(t->input, t->name) == 0 ? heed_zone_printf(z, "%s_input", t->name) : t->input;
}

static heed_status write_source(heed_zone *z, const text *t, const heed_keras_form *form, bool wired, heed_json **out)
{
    heed_json *config = heed_json_object(z), *shape;
    const char *name = source_name(z, t);
    HEED_TRY(source_shape(z, t, form, &shape));
    HEED_TRY(heed_json_set(z, config, form->keras == 2 ? "batch_input_shape" : "batch_shape", shape));
    HEED_TRY(heed_json_set(z, config, "dtype", heed_json_string(z, "string")));
    HEED_TRY(heed_json_set(z, config, "sparse", heed_json_bool(z, false)));
    HEED_TRY(heed_json_set(z, config, "ragged", heed_json_bool(z, false)));
    HEED_TRY(heed_json_set(z, config, "name", name == NULL ? NULL : heed_json_string(z, name)));
    return start_layer(z, "InputLayer", name, config, wired, out);
}

/* Keras 2: [[["text", 0, 0, {}]]]. */
static heed_status add_old_call(heed_zone *z, const text *t, heed_json *nodes)
{
    heed_json *call = heed_json_array(z), *leaf = heed_json_array(z);
    HEED_TRY(heed_json_append(leaf, heed_json_string(z, t->input)));
    HEED_TRY(heed_json_append(leaf, heed_json_int(z, 0)));
    HEED_TRY(heed_json_append(leaf, heed_json_int(z, 0)));
    HEED_TRY(heed_json_append(leaf, heed_json_object(z)));
    HEED_TRY(heed_json_append(call, leaf));
    return heed_json_append(nodes, call);
}

static heed_status add_call(heed_zone *z, const text *t, const heed_keras_form *form, heed_json *nodes)
{
    heed_json *node = heed_json_object(z), *args = heed_json_array(z), *tensor = heed_json_object(z);
    heed_json *config = heed_json_object(z), *history = heed_json_array(z), *shape;
    HEED_TRY(source_shape(z, t, form, &shape));
    HEED_TRY(heed_json_append(history, heed_json_string(z, t->input)));
    HEED_TRY(heed_json_append(history, heed_json_int(z, 0)));
    HEED_TRY(heed_json_append(history, heed_json_int(z, 0)));
    HEED_TRY(heed_json_set(z, config, "shape", shape));
    HEED_TRY(heed_json_set(z, config, "dtype", heed_json_string(z, "string")));
    HEED_TRY(heed_json_set(z, config, "keras_history", history));
    HEED_TRY(heed_json_set(z, tensor, "class_name", heed_json_string(z, "__keras_tensor__")));
    HEED_TRY(heed_json_set(z, tensor, "config", config));
    HEED_TRY(heed_json_append(args, tensor));
    HEED_TRY(heed_json_set(z, node, "args", args));
    HEED_TRY(heed_json_set(z, node, "kwargs", heed_json_object(z)));
    return heed_json_append(nodes, node);
}

static heed_status write_text(heed_zone *z, const text *t, const heed_keras_form *form, bool archived, bool wired,
                              heed_json **out)
{
    heed_json *config;
    HEED_TRY(write_config(z, t, form, archived, &config));
    HEED_TRY(start_layer(z, t->class_name, t->name, config, wired, out));
    if (!wired)
        return HEED_OK;
    heed_json *nodes = heed_json_find(*out, "inbound_nodes");
    return form->keras == 2 ? add_old_call(z, t, nodes) : add_call(z, t, form, nodes);
}

/* ---- the whole ---- */

static const text *text_of_input(const texts *all, const heed_json *layer)
{
    const heed_json *name = heed_json_find(heed_json_find(layer, "config"), "name");
    if (heed_json_is_string(heed_json_find(layer, "class_name"), "InputLayer") && is_text(name))
        for (size_t i = 0; i < all->count; i++)
            if (strcmp(all->items[i].input, name->text) == 0)
                return &all->items[i];
    return NULL;
}

/* The layers in their order, inputs of texts first and then what stands behind them. */
static heed_status put_layers(heed_zone *z, const texts *all, const heed_keras_form *form, bool archived, bool wired,
                              heed_json *config)
{
    heed_json *layers = heed_json_array(z), *layer;
    for (size_t i = 0; i < all->count; i++) {
        HEED_TRY(write_source(z, &all->items[i], form, wired, &layer));
        HEED_TRY(heed_json_append(layers, layer));
    }
    for (size_t i = 0; i < all->count; i++) {
        HEED_TRY(write_text(z, &all->items[i], form, archived, wired, &layer));
        HEED_TRY(heed_json_append(layers, layer));
    }
    for (const heed_json *item = heed_json_find(config, "layers")->first; item != NULL; item = item->next)
        if (text_of_input(all, item) == NULL)
            HEED_TRY(heed_json_append(layers, heed_json_copy(z, item)));
    return heed_json_set(z, config, "layers", layers);
}

/* A stack says what it was built for. */
static heed_status put_input_shape(heed_zone *z, const text *t, const heed_keras_form *form, heed_json *object,
                                   const char *key)
{
    heed_json *shape;
    if (heed_json_find(object, key) == NULL)
        return HEED_OK;
    HEED_TRY(source_shape(z, t, form, &shape));
    return heed_json_set(z, object, key, shape);
}

heed_status heed_keras_put_texts(heed_zone *z, heed_model *m, const heed_keras_form *form, bool archived, heed_json *object)
{
    texts all;
    heed_json *config = heed_json_find(object, "config");
    bool wired = heed_json_find(config, "input_layers") != NULL;
    HEED_TRY(list_texts(z, m, &all));
    if (all.count == 0)
        return HEED_OK;
    for (size_t i = 0; i < all.count && wired; i++) {
        heed_keras_rename_layer(heed_json_find(config, "layers"), all.items[i].input, all.items[i].name);
        heed_keras_rename_layer(heed_json_find(config, "output_layers"), all.items[i].input, all.items[i].name);
    }
    if (!wired) {
        HEED_TRY(put_input_shape(z, &all.items[0], form, config, "build_input_shape"));
        HEED_TRY(put_input_shape(z, &all.items[0], form, heed_json_find(object, "build_config"), "input_shape"));
    }
    return put_layers(z, &all, form, archived, wired, config);
}

/* ---- beside the architecture ---- */

/* Whether an asset is one of a text layer: what heed kept, or the vocabulary, which Keras keeps twice for some. */
static bool is_of_text(const texts *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        const text *t = &all->items[i];
        const heed_json *file = heed_json_find(t->kept, "vocabulary");
        const char *behind = is_text(file) ? strrchr(file->text, '/') : NULL;
        size_t input = strlen(t->input);
        if (strncmp(name, "text/", 5) == 0 && strncmp(name + 5, t->input, input) == 0 && strcmp(name + 5 + input, ".json") == 0)
            return true;
        if (behind != NULL && strncmp(name, file->text, (size_t)(behind - file->text) + 1) == 0)
            return true;
    }
    return false;
}

static heed_status put_vocabulary_file(heed_zone *z, const text *t, const char *folder, heed_archive *archive)
{
    const char *name = heed_zone_printf(z, "%s/vocabulary.txt", folder);
    return name == NULL ? HEED_ENOMEM : heed_archive_set_asset(archive, name, t->vocabulary, t->size);
}

static heed_status put_assets(heed_zone *z, heed_model *m, heed_archive *archive)
{
    texts all;
    HEED_TRY(list_texts(z, m, &all));
    for (size_t i = 0; i < m->asset_count; i++)
        if (!is_of_text(&all, m->assets[i].name))
            HEED_TRY(heed_archive_set_asset(archive, m->assets[i].name, m->assets[i].bytes, m->assets[i].size));
    for (size_t i = 0; i < all.count; i++) {
        const text *t = &all.items[i];
        if (t->vocabulary == NULL || t->splits)
            continue;
        for (int k = 0; k < 2 && t->folders[k] != NULL; k++)
            HEED_TRY(put_vocabulary_file(z, t, t->folders[k], archive));
    }
    return HEED_OK;
}

heed_status heed_keras_put_assets(heed_model *m, heed_archive *archive)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = put_assets(&z, m, archive);
    heed_zone_free(&z);
    return status;
}

static heed_status put_idf(heed_zone *z, const text *t, const char *path, const char *name, heed_hdf5 *root)
{
    heed_json *list;
    heed_hdf5 *group;
    heed_array *numbers;
    HEED_TRY(list_idf(z, t, &list));
    HEED_TRY(heed_hdf5_group(root, path, &group));
    heed_shape shape = {1, {(int64_t)list->count}};
    HEED_TRY(heed_array_create(z->context, HEED_FLOAT32, &shape, &numbers));
    float *to = numbers->data;
    for (const heed_json *item = list->first; item != NULL; item = item->next)
        *to++ = (float)(item->type == HEED_JSON_INT ? (double)item->integer : item->real);
    return heed_hdf5_put(group, name, numbers);
}

static heed_status put_idf_vars(heed_zone *z, const text *t, const char *folder, heed_hdf5 *root)
{
    const char *path = heed_zone_printf(z, "%s/vars", folder);
    return path == NULL ? HEED_ENOMEM : put_idf(z, t, path, "idf_weights", root);
}

static heed_status put_text_weights(heed_zone *z, heed_model *m, heed_hdf5 *root)
{
    texts all;
    HEED_TRY(list_texts(z, m, &all));
    for (const text *t = all.items; t < all.items + all.count; t++)
        for (int k = 0; k < 2 && weighs(t) && t->folders[k] != NULL; k++)
            HEED_TRY(put_idf_vars(z, t, t->folders[k], root));
    return HEED_OK;
}

heed_status heed_keras_put_text_weights(heed_model *m, heed_hdf5 *root)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = put_text_weights(&z, m, root);
    heed_zone_free(&z);
    return status;
}

/* Keras 2 counts what weighs the tokens among the layer's weights. */
heed_status heed_keras_put_text_groups(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_hdf5 *root,
                                       const char **names, size_t *count)
{
    static const char *const weight[] = {"idf_weights:0"};
    texts all;
    HEED_TRY(list_texts(z, m, &all));
    for (size_t i = 0; i < all.count; i++) {
        const text *t = &all.items[i];
        heed_hdf5 *group;
        bool counted = form->keras == 2 && weighs(t);
        HEED_TRY(heed_hdf5_group(root, t->name, &group));
        if (counted)
            HEED_TRY(put_idf(z, t, t->name, weight[0], root));
        HEED_TRY(heed_hdf5_set_strings(group, "weight_names", counted ? weight : NULL, counted));
        names[(*count)++] = t->name;
    }
    return HEED_OK;
}
