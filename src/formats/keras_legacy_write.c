/* Whole models in HDF5, and weights alone in its older form, written. */
#include "formats/keras_legacy.h"
#include "formats/keras_text.h"
#include "formats/keras_weights.h"

#include <stdio.h>
#include <string.h>

static heed_status put_copy(heed_hdf5 *group, const char *name, const heed_array *a)
{
    heed_array *copy;
    HEED_TRY(heed_array_convert(group->zone->context, a, a->dtype, &copy));
    return heed_hdf5_put(group, name, copy);
}

static heed_status sign(heed_hdf5 *node, const heed_keras_form *form)
{
    HEED_TRY(heed_hdf5_set_string(node, "backend", "tensorflow"));
    return heed_hdf5_set_string(node, "keras_version", form->version);
}

/* ---- weights ---- */

/* A model's weights on their way into a file. */
typedef struct writing {
    heed_zone             *zone;
    const heed_keras_form *form;
    heed_index             paths; /* of the weights, by variable */
} writing;

static heed_status index_paths(writing *w, const heed_model *m)
{
    for (size_t i = 0; i < m->weight_count; i++) {
        void *path = (void *)(uintptr_t)m->weights[i].path;
        HEED_TRY(heed_index_put_address(&w->paths, w->zone, m->weights[i].variable, path));
    }
    return HEED_OK;
}

/* How a file calls a weight: by its path, and Keras 2 with an ending. */
static const char *weight_name(const writing *w, const heed_variable *v)
{
    const char *path = heed_index_find_address(&w->paths, v);
    return path == NULL ? heed_zone_strdup(w->zone, v->name)
                        : heed_zone_printf(w->zone, "%s%s", path, w->form->keras == 2 ? ":0" : "");
}

static heed_status write_layer(const writing *w, heed_layer *layer, heed_hdf5 *root)
{
    heed_hdf5 *group;
    heed_legacy_weight *weights;
    size_t count;
    HEED_TRY(heed_hdf5_group(root, layer->name, &group));
    HEED_TRY(heed_legacy_order(w->zone, layer, &weights, &count));
    const char **names = heed_zone_alloc(w->zone, count, sizeof *names);
    if (names == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const heed_variable *v = weights[i].variable;
        heed_array own = {HEED_FLOAT32, v->shape, v->data};
        names[i] = weight_name(w, v);
        if (names[i] == NULL)
            return HEED_ENOMEM;
        HEED_TRY(put_copy(group, names[i], &own));
    }
    return heed_hdf5_set_strings(group, "weight_names", names, count);
}

static heed_status write_layers(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_hdf5 *root)
{
    const char **names = heed_zone_alloc(z, m->layer->child_count + (size_t)m->input_count, sizeof *names);
    size_t count = 0;
    heed_hdf5 *top;
    writing w = {z, form, {NULL}};
    if (names == NULL)
        return HEED_ENOMEM;
    HEED_TRY(index_paths(&w, m));
    HEED_TRY(heed_keras_put_text_groups(z, m, form, root, names, &count));
    for (size_t i = 0; i < m->layer->child_count; i++) {
        heed_layer *layer = m->layer->children[i].layer;
        if (m->sequential && heed_is_input_layer(layer)) /* which is none of a stack's layers */
            continue;
        names[count++] = layer->name;
        HEED_TRY(write_layer(&w, layer, root));
    }
    HEED_TRY(heed_hdf5_set_strings(root, "layer_names", names, count));
    HEED_TRY(heed_hdf5_group(root, "top_level_model_weights", &top));
    HEED_TRY(heed_hdf5_set_strings(top, "weight_names", NULL, 0));
    return sign(root, form);
}

heed_status heed_legacy_write_weights(heed_model *m, const heed_keras_form *form, heed_hdf5 *root)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = write_layers(&z, m, form, root);
    heed_zone_free(&z);
    return status;
}

/* ---- the rest ---- */

/* Keras 3 does not find losses by their short names in this form. */
static const char *long_name(const char *name)
{
    static const char *const names[][2] = {{"mse", "mean_squared_error"}, {"mae", "mean_absolute_error"},
                                           {"mape", "mean_absolute_percentage_error"},
                                           {"msle", "mean_squared_logarithmic_error"}, {"kld", "kl_divergence"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0)
            return names[i][1];
    return name;
}

static heed_status write_losses(heed_zone *z, const heed_json *losses, heed_json **out)
{
    if (losses->type == HEED_JSON_STRING)
        *out = heed_json_string(z, long_name(losses->text));
    else if (losses->type == HEED_JSON_ARRAY)
        *out = heed_json_array(z);
    else
        *out = heed_json_copy(z, losses);
    const heed_json *first = losses->type == HEED_JSON_ARRAY ? losses->first : NULL;
    for (const heed_json *item = first; item != NULL; item = item->next) {
        heed_json *one;
        HEED_TRY(write_losses(z, item, &one));
        HEED_TRY(heed_json_append(*out, one));
    }
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* Options that optimizers had not before Keras 2.11. */
static bool is_new_option(const char *key)
{
    static const char *const keys[] = {"weight_decay", "use_ema", "ema_momentum", "ema_overwrite_frequency",
                                       "loss_scale_factor", "gradient_accumulation_steps"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* Keras 2.11 to 2.15 tells its optimizers from those before them by a package's name. */
static heed_status write_optimizer_config(heed_zone *z, const heed_model *m, const heed_keras_form *form,
                                          const heed_json *own,
                                          heed_json **out)
{
    bool old = form->keras == 2 && heed_keras_has_old_optimizer(m), new = form->keras == 2 && !old;
    const char *class_name = heed_json_find(own, "class_name")->text;
    heed_json *config = heed_json_object(z);
    *out = heed_json_object(z);
    for (const heed_json *item = heed_json_find(own, "config")->first; item != NULL; item = item->next)
        if (!old || !is_new_option(item->key))
            HEED_TRY(heed_json_set(z, config, item->key, heed_json_copy(z, item)));
    class_name = heed_zone_printf(z, "%s%s", new ? "Custom>" : "", class_name);
    HEED_TRY(heed_json_set(z, *out, "class_name", class_name == NULL ? NULL : heed_json_string(z, class_name)));
    return heed_json_set(z, *out, "config", config);
}

/* A compile_config with the optimizer under its older name. */
static heed_status write_settings(heed_zone *z, const heed_model *m, const heed_keras_form *form, heed_hdf5 *root,
                                  const heed_json *compile)
{
    heed_json *settings = heed_json_object(z), *converted;
    const heed_json *own = heed_json_find(compile, "optimizer");
    for (const heed_json *item = compile->first; item != NULL; item = item->next) {
        if (item == own)
            continue;
        if (strcmp(item->key, "loss") == 0)
            HEED_TRY(write_losses(z, item, &converted));
        else
            converted = heed_json_copy(z, item);
        HEED_TRY(heed_json_set(z, settings, item->key, converted));
    }
    HEED_TRY(write_optimizer_config(z, m, form, own, &converted));
    HEED_TRY(heed_json_set(z, settings, "optimizer_config", converted));
    return heed_legacy_set_json(root, "training_config", settings);
}

static heed_status write_optimizer(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_hdf5 *root)
{
    const heed_array **arrays;
    const char **names;
    size_t count;
    heed_hdf5 *group;
    HEED_TRY(heed_keras_list_state(z, m, form, &arrays, &names, &count));
    HEED_TRY(heed_hdf5_group(root, "optimizer_weights", &group));
    for (size_t i = 0; i < count; i++)
        HEED_TRY(put_copy(group, names[i], arrays[i]));
    return heed_hdf5_set_strings(group, "weight_names", names, count);
}

static heed_status write_model(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_hdf5 *root)
{
    heed_json *object, *compile = NULL;
    heed_hdf5 *weights;
    HEED_TRY(heed_keras_write_whole(z, m, form, &object, &compile));
    HEED_TRY(heed_keras_put_texts(z, m, form, false, object));
    HEED_TRY(sign(root, form));
    HEED_TRY(heed_legacy_set_json(root, "model_config", object));
    HEED_TRY(heed_hdf5_group(root, "model_weights", &weights));
    HEED_TRY(heed_legacy_write_weights(m, form, weights));
    if (compile == NULL)
        return HEED_OK;
    HEED_TRY(write_settings(z, m, form, root, compile));
    return write_optimizer(z, m, form, root);
}

heed_status heed_legacy_write_model(heed_model *m, const heed_keras_form *form, heed_hdf5 *root)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = write_model(&z, m, form, root);
    heed_zone_free(&z);
    return status;
}
