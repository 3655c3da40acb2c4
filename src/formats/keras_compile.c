/* Training settings: compile_config. */
#include "formats/keras_config.h"
#include "model/training.h"

#include <string.h>

typedef struct settings {
    heed_zone           zone;
    heed_model         *model;
    const char         *output; /* whose metrics are being read; NULL: of every one */
    heed_compile_config config;
} settings;

/* What Keras 2 says beside the class and its options: the function behind it, and a reduction that is to be found
 * out. */
static bool says_nothing(const heed_json *item)
{
    return strcmp(item->key, "fn") == 0 || (strcmp(item->key, "reduction") == 0 && heed_json_is_string(item, "auto"));
}

/* The function of a wrapper around one: {"class_name": "MeanMetricWrapper", "config": {"fn": "mse", ...}}; NULL: it
 * is none. */
static const heed_json *wrapped_function(const heed_json *v)
{
    const heed_json *function = heed_json_find(heed_json_find(v, "config"), "fn");
    if (!heed_json_is_string(heed_json_find(v, "class_name"), "MeanMetricWrapper") &&
        !heed_json_is_string(heed_json_find(v, "class_name"), "LossFunctionWrapper"))
        return NULL;
    if (heed_json_is(function, HEED_JSON_OBJECT))
        function = heed_json_find(function, "config");
    return heed_json_is(function, HEED_JSON_STRING) ? function : NULL;
}

/* The name of a result without its output's, which Keras 2 saves with it. */
static const char *own_name(const char *output, const char *name)
{
    size_t length = output == NULL ? 0 : strlen(output);
    return length > 0 && strncmp(name, output, length) == 0 && name[length] == '_' ? name + length + 1 : name;
}

/* A loss or metric as Keras 3 says it. */
static heed_status modern_measure(heed_zone *z, const char *output, const heed_json *v, heed_json **out)
{
    const heed_json *given = heed_json_find(v, "config"), *function = wrapped_function(v);
    heed_json *config = heed_json_object(z);
    *out = heed_json_object(z);
    const char *class_name = function != NULL ? function->text : heed_json_find(v, "class_name")->text;
    HEED_TRY(heed_json_set(z, *out, "class_name", heed_json_string(z, class_name)));
    for (const heed_json *item = given->first; item != NULL; item = item->next)
        if (strcmp(item->key, "name") == 0 && item->type == HEED_JSON_STRING)
            HEED_TRY(heed_json_set(z, config, "name", heed_json_string(z, own_name(output, item->text))));
        else if (!says_nothing(item))
            HEED_TRY(heed_json_set(z, config, item->key, heed_json_copy(z, item)));
    return heed_json_set(z, *out, "config", config);
}

static heed_status read_text(settings *s, const heed_json *v, const heed_object_family *family, const char **out)
{
    heed_json *modern = NULL;
    if (heed_json_is(heed_json_find(v, "class_name"), HEED_JSON_STRING) &&
        heed_json_is(heed_json_find(v, "config"), HEED_JSON_OBJECT))
        HEED_TRY(modern_measure(&s->zone, s->output, v, &modern));
    heed_value *value = heed_value_of_json(&s->zone, modern == NULL ? v : modern);
    if (value == NULL)
        return HEED_ENOMEM;
    heed_status status = heed_object_expression(&s->zone, family, value, v->key == NULL ? family->word : v->key, out);
    return status == HEED_EINVAL ? HEED_EFORMAT : status;
}

static bool is_object(const heed_json *v) { return heed_json_find(v, "class_name") != NULL; }

static int output_of(const heed_model *m, const char *name)
{
    for (int k = 0; k < m->output_count; k++)
        if (strcmp(m->output_names[k], name) == 0)
            return k;
    return -1;
}

/* ---- losses: one for all, or a list, or by output's name */

static heed_status read_losses(settings *s, const heed_json *v)
{
    if (v == NULL || v->type == HEED_JSON_NULL)
        return HEED_OK;
    bool list = v->type == HEED_JSON_ARRAY, dict = v->type == HEED_JSON_OBJECT && !is_object(v);
    if (!list && !dict)
        return read_text(s, v, &heed_losses, &s->config.loss);
    int at = 0;
    for (const heed_json *item = v->first; item != NULL; item = item->next, at++) {
        int k = dict ? output_of(s->model, item->key) : at;
        if (k < 0 || k >= HEED_MAX_LOSSES)
            return heed_json_fail(s->model->context, item, HEED_EFORMAT, "there is no such output");
        if (item->type != HEED_JSON_NULL)
            HEED_TRY(read_text(s, item, &heed_losses, &s->config.losses[k]));
    }
    return HEED_OK;
}

static heed_status read_loss_weights(settings *s, const heed_json *v)
{
    if (v == NULL || v->type == HEED_JSON_NULL)
        return HEED_OK;
    heed_context *c = s->model->context;
    double *weights = heed_zone_alloc(&s->zone, (size_t)s->model->output_count + 1, sizeof *weights);
    if (weights == NULL)
        return HEED_ENOMEM;
    for (int k = 0; k < s->model->output_count; k++)
        weights[k] = 1.0;
    s->config.loss_weights = weights;
    if (v->type != HEED_JSON_ARRAY && v->type != HEED_JSON_OBJECT)
        return heed_json_as_real(c, v, &weights[0]);
    int at = 0;
    for (const heed_json *item = v->first; item != NULL; item = item->next, at++) {
        int k = v->type == HEED_JSON_OBJECT ? output_of(s->model, item->key) : at;
        if (k < 0 || k >= s->model->output_count)
            return heed_json_fail(c, item, HEED_EFORMAT, "there is no such output");
        if (item->type != HEED_JSON_NULL)
            HEED_TRY(heed_json_as_real(c, item, &weights[k]));
    }
    return HEED_OK;
}

/* ---- metrics: a list for the one output, or lists by output */

static heed_status add_metric(settings *s, const heed_json *v, int output, const char **metrics, int *count)
{
    const char *text;
    if (v->type == HEED_JSON_NULL)
        return HEED_OK;
    if (v->type == HEED_JSON_ARRAY) {
        for (const heed_json *item = v->first; item != NULL; item = item->next)
            HEED_TRY(add_metric(s, item, output, metrics, count));
        return HEED_OK;
    }
    if (*count == HEED_MAX_METRICS)
        return heed_json_fail(s->model->context, v, HEED_EUNSUPPORTED, "more than %d metrics", HEED_MAX_METRICS);
    s->output = output >= 0 ? s->model->output_names[output] : NULL;
    HEED_TRY(read_text(s, v, &heed_metrics, &text));
    s->output = NULL;
    if (output >= 0)
        text = heed_zone_printf(&s->zone, "%s: %s", s->model->output_names[output], text);
    metrics[(*count)++] = text;
    return text == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status read_metrics(settings *s, const heed_json *v, const char **metrics)
{
    int count = 0, at = 0;
    if (v == NULL || v->type == HEED_JSON_NULL)
        return HEED_OK;
    int outputs = s->model->output_count;
    bool dict = v->type == HEED_JSON_OBJECT && !is_object(v);
    if (!dict && (outputs < 2 || v->type != HEED_JSON_ARRAY || (int)v->count != outputs))
        return add_metric(s, v, -1, metrics, &count);
    for (const heed_json *item = v->first; item != NULL; item = item->next, at++) {
        int k = dict ? output_of(s->model, item->key) : at;
        if (k < 0)
            return heed_json_fail(s->model->context, item, HEED_EFORMAT, "there is no such output");
        HEED_TRY(add_metric(s, item, outputs < 2 ? -1 : k, metrics, &count));
    }
    return HEED_OK;
}

/* ---- all */

static heed_status read_settings(settings *s, const heed_json *v)
{
    const heed_json *optimizer = heed_json_find(v, "optimizer");
    HEED_TRY(read_losses(s, heed_json_find(v, "loss")));
    HEED_TRY(read_loss_weights(s, heed_json_find(v, "loss_weights")));
    HEED_TRY(read_metrics(s, heed_json_find(v, "metrics"), s->config.metrics));
    HEED_TRY(read_metrics(s, heed_json_find(v, "weighted_metrics"), s->config.weighted_metrics));
    heed_value *value =
        optimizer == NULL ? heed_value_text(&s->zone, "rmsprop") : heed_value_of_json(&s->zone, optimizer);
    return value == NULL ? HEED_ENOMEM : heed_compile_value(s->model, &s->config, value);
}

heed_status heed_keras_read_compile(heed_model *m, const heed_json *v)
{
    if (!heed_json_is(v, HEED_JSON_OBJECT) || v->count == 0)
        return HEED_OK;
    settings s = {.model = m};
    heed_zone_init(&s.zone, m->context);
    heed_status status = read_settings(&s, v);
    heed_zone_free(&s.zone);
    return status;
}

/* ---- writing */

/* A bare name stays a name; with arguments it becomes an object. */
static heed_json *measure_json(heed_zone *z, const heed_object_family *family, const char *text)
{
    if (text == NULL)
        return heed_json_null(z);
    if (strchr(text, '(') == NULL)
        return heed_json_string(z, text);
    heed_value *value = heed_object_value(z, family, text), *config = heed_value_find(value, "config");
    if (value == NULL)
        return NULL;
    heed_json *json = heed_json_of_value(z, value), *out = heed_json_find(json, "config");
    if (config == NULL || out == NULL || family != &heed_metrics)
        return json;
    /* how a loss is reduced says nothing of a metric, and Keras would not take it */
    heed_json *rest = heed_json_object(z);
    for (const heed_json *item = out->first; item != NULL; item = item->next)
        if (strcmp(item->key, "reduction") != 0 &&
            heed_json_set(z, rest, item->key, heed_json_copy(z, item)) != HEED_OK)
            return NULL;
    return heed_json_set(z, json, "config", rest) == HEED_OK ? json : NULL;
}

static heed_json *losses_json(heed_zone *z, const heed_model *m)
{
    const struct heed_training *t = m->training;
    if (t->loss != NULL)
        return measure_json(z, &heed_losses, t->loss);
    heed_json *list = heed_json_array(z);
    for (int k = 0; k < m->output_count; k++)
        if (heed_json_append(list, measure_json(z, &heed_losses, t->losses[k])) != HEED_OK)
            return NULL;
    return list;
}

static heed_json *weights_json(heed_zone *z, const heed_model *m)
{
    const struct heed_training *t = m->training;
    if (t->loss_weights == NULL)
        return heed_json_null(z);
    heed_json *list = heed_json_array(z);
    for (int k = 0; k < m->output_count; k++)
        if (heed_json_append(list, heed_json_real(z, t->loss_weights[k])) != HEED_OK)
            return NULL;
    return list;
}

/* The metrics of one output; -1: of the only one. */
static heed_json *metrics_of(heed_zone *z, const heed_model *m, bool weighted, int output)
{
    const struct heed_training *t = m->training;
    heed_json *list = heed_json_array(z);
    for (int i = 0; i < t->metric_count; i++) {
        const heed_metric *metric = &t->metrics[i];
        bool here =
            output < 0 || metric->output_name == NULL || strcmp(metric->output_name, m->output_names[output]) == 0;
        if (metric->weighted == weighted && here &&
            heed_json_append(list, measure_json(z, &heed_metrics, metric->text)) != HEED_OK)
            return NULL;
    }
    return list;
}

static heed_json *metrics_json(heed_zone *z, const heed_model *m, bool weighted)
{
    bool any = false;
    for (int i = 0; i < m->training->metric_count; i++)
        any |= m->training->metrics[i].weighted == weighted;
    if (!any)
        return heed_json_null(z);
    if (m->output_count < 2)
        return metrics_of(z, m, weighted, -1);
    heed_json *list = heed_json_array(z);
    for (int k = 0; k < m->output_count; k++)
        if (heed_json_append(list, metrics_of(z, m, weighted, k)) != HEED_OK)
            return NULL;
    return list;
}

/* Without what says nothing but to Keras 2. */
static heed_status optimizer_json(heed_zone *z, heed_model *m, heed_json **out)
{
    heed_value *value = heed_optimizer_value(z, m->training->optimizer);
    heed_json *config = heed_json_object(z);
    *out = value == NULL ? NULL : heed_json_of_value(z, value);
    if (*out == NULL)
        return HEED_ENOMEM;
    for (const heed_json *item = heed_json_find(*out, "config")->first; item != NULL; item = item->next)
        if (strcmp(item->key, "is_legacy_optimizer") != 0)
            HEED_TRY(heed_json_set(z, config, item->key, heed_json_copy(z, item)));
    return heed_json_set(z, *out, "config", config);
}

heed_status heed_keras_write_compile(heed_zone *z, heed_model *m, heed_json **out)
{
    heed_json *v = *out = heed_json_object(z);
    if (m->training == NULL)
        return v == NULL ? HEED_ENOMEM : HEED_OK;
    heed_json *optimizer;
    HEED_TRY(optimizer_json(z, m, &optimizer));
    HEED_TRY(heed_json_set(z, v, "optimizer", optimizer));
    HEED_TRY(heed_json_set(z, v, "loss", losses_json(z, m)));
    HEED_TRY(heed_json_set(z, v, "loss_weights", weights_json(z, m)));
    HEED_TRY(heed_json_set(z, v, "metrics", metrics_json(z, m, false)));
    HEED_TRY(heed_json_set(z, v, "weighted_metrics", metrics_json(z, m, true)));
    HEED_TRY(heed_json_set(z, v, "run_eagerly", heed_json_bool(z, false)));
    HEED_TRY(heed_json_set(z, v, "steps_per_execution", heed_json_int(z, 1)));
    return heed_json_set(z, v, "jit_compile", heed_json_bool(z, false));
}
