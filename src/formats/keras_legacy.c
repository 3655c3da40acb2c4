/* Whole models in HDF5: what their attributes say. */
#include "formats/keras_legacy.h"

#include <string.h>

static bool lists_layers(const heed_hdf5 *node)
{
    return heed_hdf5_attribute_of(node, "layer_names") != NULL || heed_hdf5_attribute_of(node, "layer_names0") != NULL;
}

const heed_hdf5 *heed_legacy_weights_group(const heed_hdf5 *root)
{
    const heed_hdf5 *below = heed_hdf5_find(root, "model_weights");
    return lists_layers(root) ? root : below != NULL && lists_layers(below) ? below : NULL;
}

static heed_status parse_attribute(heed_zone *z, const heed_hdf5 *root, const char *name, heed_json **out)
{
    const char *text;
    HEED_TRY(heed_hdf5_get_string(root, name, &text));
    return heed_json_parse(z, name, text, strlen(text), out);
}

heed_status heed_legacy_set_json(heed_hdf5 *root, const char *name, const heed_json *value)
{
    heed_text text = {.context = root->zone->context};
    heed_json_write(&text, value, 0);
    heed_status status = heed_text_status(&text);
    if (status == HEED_OK)
        status = heed_hdf5_set_string(root, name, text.bytes);
    heed_text_free(&text);
    return status;
}

heed_status heed_legacy_read_architecture(heed_zone *z, const heed_hdf5 *root, heed_json **object, const char **version)
{
    if (heed_hdf5_attribute_of(root, "model_config") == NULL) {
        heed_fail(z->context, HEED_EFORMAT, "it holds no architecture, only weights");
        heed_hint(z->context, "give the architecture, a .json or a .keras, and this file as its weights");
        return HEED_EFORMAT;
    }
    const heed_hdf5 *weights = heed_legacy_weights_group(root);
    *version = "1";
    if (heed_hdf5_attribute_of(root, "keras_version") != NULL)
        HEED_TRY(heed_hdf5_get_string(root, "keras_version", version));
    else if (weights != NULL && heed_hdf5_attribute_of(weights, "keras_version") != NULL)
        HEED_TRY(heed_hdf5_get_string(weights, "keras_version", version));
    return parse_attribute(z, root, "model_config", object);
}

/* ---- training settings ---- */

/* Whether it is one of those from before Keras 2.11. Later versions of Keras 2 have these too, in a module of their own that
 * only an archive names; in HDF5 it is the new ones that say what they are. */
static bool is_old(const heed_json *optimizer, const heed_json *config, const heed_keras_reading *r)
{
    const heed_json *said = heed_json_find(config, "is_legacy_optimizer"), *name = heed_json_find(optimizer, "class_name");
    const heed_json *module = heed_json_find(optimizer, "module");
    int version = heed_keras_number(r->version);
    if (heed_json_is(said, HEED_JSON_BOOL))
        return said->boolean;
    if (version >= 211 && heed_json_is(module, HEED_JSON_STRING))
        return strstr(module->text, "optimizers.legacy") != NULL;
    return version > 0 && version < 300 &&
           (version < 211 || (heed_json_is(name, HEED_JSON_STRING) && strncmp(name->text, "Custom>", 7) != 0));
}

/* What was "decay": the rate over 1 + decay * steps. */
static heed_status schedule_decay(heed_zone *z, heed_json *config, double decay)
{
    const heed_json *rate = heed_json_find(config, heed_json_find(config, "lr") != NULL ? "lr" : "learning_rate");
    if (rate == NULL || (rate->type != HEED_JSON_REAL && rate->type != HEED_JSON_INT))
        return HEED_OK;
    heed_json *schedule = heed_json_object(z), *options = heed_json_object(z);
    HEED_TRY(heed_json_set(z, options, "initial_learning_rate", heed_json_copy(z, rate)));
    HEED_TRY(heed_json_set(z, options, "decay_steps", heed_json_int(z, 1)));
    HEED_TRY(heed_json_set(z, options, "decay_rate", heed_json_real(z, decay)));
    HEED_TRY(heed_json_set(z, schedule, "class_name", heed_json_string(z, "InverseTimeDecay")));
    HEED_TRY(heed_json_set(z, schedule, "config", options));
    return heed_json_set(z, config, "learning_rate", schedule);
}

/* Keras alone, without TensorFlow, clipped all gradients by their common norm. */
static heed_status clip_together(heed_zone *z, heed_json *config)
{
    const heed_json *norm = heed_json_find(config, "clipnorm");
    if (norm == NULL || norm->type == HEED_JSON_NULL)
        return HEED_OK;
    HEED_TRY(heed_json_set(z, config, "global_clipnorm", heed_json_copy(z, norm)));
    return heed_json_set(z, config, "clipnorm", heed_json_null(z));
}

/* Before Keras 2.11 optimizers counted and kept otherwise. */
static heed_status mark_old(heed_zone *z, const heed_json *class_name, heed_json *config)
{
    const heed_json *decay = heed_json_find(config, "decay");
    bool of_rate = !heed_json_is_string(class_name, "Nadam"); /* whose decay is of its momentum */
    double value = 0.0;
    if (of_rate && decay != NULL && decay->type != HEED_JSON_NULL)
        HEED_TRY(heed_json_as_real(z->context, decay, &value));
    if (value != 0.0)
        HEED_TRY(schedule_decay(z, config, value));
    return heed_json_set(z, config, "is_legacy_optimizer", heed_json_bool(z, true));
}

/* The one that makes the steps. */
static heed_json *inner_optimizer(heed_json *optimizer)
{
    const heed_json *name = heed_json_find(optimizer, "class_name"), *config = heed_json_find(optimizer, "config");
    static const char scaling[] = "LossScaleOptimizer"; /* ...V3 in Keras 2.11 and later */
    if (!heed_json_is(name, HEED_JSON_STRING) || strncmp(name->text, scaling, sizeof scaling - 1) != 0)
        return optimizer;
    heed_json *inner = heed_json_find(config, "inner_optimizer");
    if (inner == NULL)
        inner = heed_json_find(config, "optimizer"); /* before 2.4 */
    return inner == NULL ? optimizer : inner;
}

heed_status heed_legacy_read_optimizer_config(heed_zone *z, const heed_keras_reading *r, heed_json *compile)
{
    heed_json *given = heed_json_find(compile, "optimizer"), *optimizer = inner_optimizer(given);
    if (optimizer != given) {
        optimizer = heed_json_copy(z, optimizer);
        HEED_TRY(heed_json_set(z, compile, "optimizer", optimizer));
    }
    heed_json *config = heed_json_find(optimizer, "config");
    if (config == NULL || !is_old(optimizer, config, r))
        return HEED_OK;
    HEED_TRY(mark_old(z, heed_json_find(optimizer, "class_name"), config));
    bool alone = heed_keras_number(r->version) < 204 && strstr(r->version, "-tf") == NULL;
    return alone ? clip_together(z, config) : HEED_OK;
}

heed_status heed_legacy_read_settings(heed_zone *z, const heed_hdf5 *root, const heed_keras_reading *r, heed_json **out)
{
    if (heed_hdf5_attribute_of(root, "training_config") == NULL) {
        *out = heed_json_null(z);
        return *out == NULL ? HEED_ENOMEM : HEED_OK;
    }
    HEED_TRY(parse_attribute(z, root, "training_config", out));
    const heed_json *given = heed_json_find(*out, "optimizer_config");
    if (given == NULL)
        return HEED_OK;
    HEED_TRY(heed_json_set(z, *out, "optimizer", heed_json_copy(z, given)));
    return heed_legacy_read_optimizer_config(z, r, *out);
}
