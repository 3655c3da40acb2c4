/* Compiling: texts become an optimizer, losses and metrics. */
#include "model/training.h"

#include <stdio.h>
#include <string.h>

/* ---- reading the texts */

static bool awaits_shapes(const char *word)
{
    static const char *const words[] = {"accuracy", "acc", "crossentropy", "ce"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static heed_status read_measure(heed_zone *z, const heed_object_family *family, const char *text,
                                const heed_object **out)
{
    heed_object *object = NULL;
    if (!awaits_shapes(text))
        HEED_TRY(heed_object_parse(z, family, text, &object));
    *out = object;
    return HEED_OK;
}

/* The name that results have: the text as it is; of an object its class in snake case, as Keras has it. */
static const char *word_of(heed_zone *z, const char *text)
{
    char word[200], name[200];
    size_t length = strcspn(text, "(");
    if (text[length] == '\0' || length >= sizeof word)
        return heed_zone_strdup(z, text);
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    return heed_zone_strdup(z, heed_snake_case(word, name, sizeof name));
}

/* "OUTPUT: NAME" or "NAME". */
static heed_status add_metric(struct heed_training *t, const char *text, bool weighted)
{
    heed_metric *metric = &t->metrics[t->metric_count];
    heed_zone *z = &t->zone;
    const char *colon = strchr(text, ':'), *bracket = strchr(text, '(');
    if (colon != NULL && (bracket == NULL || colon < bracket)) {
        metric->output_name = heed_zone_printf(z, "%.*s", (int)(colon - text), text);
        text = colon + 1 + strspn(colon + 1, " ");
        if (metric->output_name == NULL)
            return HEED_ENOMEM;
    }
    metric->text = heed_zone_strdup(z, text);
    metric->word = word_of(z, text);
    metric->weighted = weighted;
    if (metric->text == NULL || metric->word == NULL)
        return HEED_ENOMEM;
    HEED_TRY(read_measure(z, &heed_metrics, metric->text, &metric->object));
    const heed_measure_common *o = metric->object == NULL ? NULL : metric->object->config;
    if (o != NULL && o->name != NULL)
        metric->word = o->name;
    t->metric_count++;
    return HEED_OK;
}

static heed_status copy_text(heed_zone *z, const char *text, const char **out)
{
    *out = NULL;
    return text == NULL || (*out = heed_zone_strdup(z, text)) != NULL ? HEED_OK : HEED_ENOMEM;
}

static heed_status check_loss(heed_zone *z, const char *text)
{
    const heed_object *object;
    return text == NULL ? HEED_OK : read_measure(z, &heed_losses, text, &object);
}

static heed_status read_config(heed_model *m, struct heed_training *t, const heed_compile_config *config)
{
    heed_zone *z = &t->zone;
    HEED_TRY(copy_text(z, config->loss, &t->loss));
    HEED_TRY(check_loss(z, t->loss));
    for (int k = 0; k < HEED_MAX_LOSSES; k++) {
        HEED_TRY(copy_text(z, config->losses[k], &t->losses[k]));
        HEED_TRY(check_loss(z, t->losses[k]));
    }
    for (int i = 0; i < HEED_MAX_METRICS && config->metrics[i] != NULL; i++)
        HEED_TRY(add_metric(t, config->metrics[i], false));
    for (int i = 0; i < HEED_MAX_METRICS && config->weighted_metrics[i] != NULL; i++)
        HEED_TRY(add_metric(t, config->weighted_metrics[i], true));
    if (config->loss_weights == NULL)
        return HEED_OK;
    /* as many as there are outputs, which must be known for it */
    HEED_TRY(heed_model_complete(m));
    double *weights = heed_zone_alloc(z, (size_t)m->output_count, sizeof *weights);
    if (weights == NULL)
        return HEED_ENOMEM;
    memcpy(weights, config->loss_weights, (size_t)m->output_count * sizeof *weights);
    t->loss_weights = weights;
    return HEED_OK;
}

/* With an optimizer as it is, which is taken over, or made anew of a value. */
static heed_status make_training(heed_model *m, const heed_compile_config *config, const heed_value *optimizer,
                                 heed_optimizer *kept)
{
    struct heed_training *t = heed_alloc(m->context, 1, sizeof *t);
    if (t == NULL) {
        heed_optimizer_free(kept);
        return HEED_ENOMEM;
    }
    heed_zone_init(&t->zone, m->context);
    heed_training_free(m);
    m->training = t;
    t->optimizer = kept;
    if (kept == NULL)
        HEED_TRY(heed_optimizer_create(m->context, optimizer, &t->optimizer));
    return read_config(m, t, config);
}

heed_status heed_compile_value(heed_model *m, const heed_compile_config *config, const heed_value *optimizer)
{
    HEED_TRY(heed_model_status(m));
    HEED_TRY(heed_model_owns_weights(m));
    heed_programs_clear(m);
    m->step = 0;
    heed_status status = make_training(m, config, optimizer, NULL);
    if (status != HEED_OK)
        heed_training_free(m);
    return status;
}

heed_status heed_compile_with(heed_model *m, const heed_compile_config *config)
{
    HEED_TRY(heed_model_status(m));
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_value *optimizer;
    heed_status status =
        heed_value_parse(&z, "optimizer", config->optimizer == NULL ? "rmsprop" : config->optimizer, &optimizer);
    if (status == HEED_OK)
        status = heed_compile_value(m, config, optimizer);
    heed_zone_free(&z);
    return status;
}

/* ---- changing a part */

static bool has_losses(const heed_compile_config *config)
{
    bool any = config->loss != NULL;
    for (int k = 0; k < HEED_MAX_LOSSES; k++)
        any |= config->losses[k] != NULL;
    return any;
}

/* The losses so far; copies, for what they are part of is about to go. */
static heed_status keep_losses(heed_zone *z, const heed_model *m, heed_compile_config *out)
{
    const struct heed_training *t = m->training;
    HEED_TRY(copy_text(z, t->loss, &out->loss));
    for (int k = 0; k < HEED_MAX_LOSSES; k++)
        HEED_TRY(copy_text(z, t->losses[k], &out->losses[k]));
    if (t->loss_weights == NULL || out->loss_weights != NULL)
        return HEED_OK;
    double *weights = heed_zone_alloc(z, (size_t)m->output_count, sizeof *weights);
    if (weights == NULL)
        return HEED_ENOMEM;
    memcpy(weights, t->loss_weights, (size_t)m->output_count * sizeof *weights);
    out->loss_weights = weights;
    return HEED_OK;
}

static heed_status keep_metrics(heed_zone *z, const struct heed_training *t, heed_compile_config *out)
{
    int counts[2] = {0};
    for (int i = 0; i < t->metric_count; i++) {
        const heed_metric *metric = &t->metrics[i];
        const char **list = metric->weighted ? out->weighted_metrics : out->metrics, **text;
        text = &list[counts[metric->weighted]++];
        *text = metric->output_name == NULL ? heed_zone_strdup(z, metric->text)
                                            : heed_zone_printf(z, "%s: %s", metric->output_name, metric->text);
        if (*text == NULL)
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

static heed_status recompile(heed_zone *z, heed_model *m, const heed_compile_config *changes)
{
    heed_compile_config config = *changes;
    heed_value *optimizer = NULL;
    if (!has_losses(changes))
        HEED_TRY(keep_losses(z, m, &config));
    if (changes->metrics[0] == NULL && changes->weighted_metrics[0] == NULL)
        HEED_TRY(keep_metrics(z, m->training, &config));
    if (changes->optimizer != NULL) {
        HEED_TRY(heed_value_parse(z, "optimizer", changes->optimizer, &optimizer));
        return heed_compile_value(m, &config, optimizer);
    }
    heed_optimizer *kept = m->training->optimizer;
    m->training->optimizer = NULL;
    heed_programs_clear(m);
    heed_status status = make_training(m, &config, NULL, kept);
    if (status != HEED_OK)
        heed_training_free(m);
    return status;
}

heed_status heed_recompile_with(heed_model *m, const heed_compile_config *changes)
{
    HEED_TRY(heed_model_status(m));
    if (m->training == NULL)
        return heed_compile_with(m, changes);
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = recompile(&z, m, changes);
    heed_zone_free(&z);
    return status;
}

bool heed_is_compiled(const heed_model *m) { return m->training != NULL; }

void heed_training_free(heed_model *m)
{
    if (m->training == NULL)
        return;
    heed_optimizer_free(m->training->optimizer);
    heed_zone_free(&m->training->zone);
    heed_release(m->context, m->training);
    m->training = NULL;
}

/* ---- once the outputs are known */

static heed_status resolve_losses(heed_model *m, struct heed_training *t)
{
    t->outputs = heed_zone_alloc(&t->zone, (size_t)m->output_count, sizeof *t->outputs);
    if (t->outputs == NULL)
        return HEED_ENOMEM;
    for (int k = 0; k < m->output_count; k++) {
        heed_output_loss *o = &t->outputs[k];
        o->text = t->loss != NULL ? t->loss : k < HEED_MAX_LOSSES ? t->losses[k] : NULL;
        o->weight = t->loss_weights == NULL ? 1.0 : t->loss_weights[k];
        o->slot = o->text == NULL ? -1 : t->loss_count++;
        if (o->text != NULL)
            HEED_TRY(read_measure(&t->zone, &heed_losses, o->text, &o->object));
    }
    for (int k = m->output_count; k < HEED_MAX_LOSSES; k++)
        if (t->losses[k] != NULL)
            return heed_fail(m->context, HEED_EINVAL, "%s: there are more losses than outputs (expected at most %d)",
                             heed_model_name(m), m->output_count);
    if (t->loss_count == 0)
        return heed_fail(m->context, HEED_EINVAL, "%s: no output has a loss", heed_model_name(m));
    return HEED_OK;
}

static heed_status resolve_variables(heed_model *m, struct heed_training *t)
{
    t->variables = heed_zone_alloc(&t->zone, m->weight_count, sizeof *t->variables);
    t->paths = heed_zone_alloc(&t->zone, m->weight_count, sizeof *t->paths);
    t->gradients = heed_zone_alloc(&t->zone, m->weight_count, sizeof *t->gradients);
    t->squares = heed_zone_alloc(&t->zone, m->weight_count, sizeof *t->squares);
    if (t->variables == NULL || t->paths == NULL || t->gradients == NULL || t->squares == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < m->weight_count; i++) {
        if (!m->weights[i].variable->trainable)
            continue;
        t->paths[t->variable_count] = m->weights[i].path;
        t->variables[t->variable_count++] = m->weights[i].variable;
    }
    return HEED_OK;
}

static bool concerns(const heed_model *m, const heed_metric *metric, int output)
{
    return metric->output_name == NULL || strcmp(metric->output_name, m->output_names[output]) == 0;
}

static bool has_log(const struct heed_training *t, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(t->log_names[i], name) == 0)
            return true;
    return false;
}

/* The name of a result: with its output's where there are several, and "weighted_" or a number where it is taken. */
static const char *log_name(heed_model *m, struct heed_training *t, int count, const heed_metric *metric, int output)
{
    const char *prefix = m->output_count > 1 ? m->output_names[output] : "", *joint = m->output_count > 1 ? "_" : "";
    heed_zone *z = &t->zone;
    const char *word = metric == NULL ? "loss" : metric->word;
    const char *name = heed_zone_printf(z, "%s%s%s", prefix, joint, word);
    if (metric != NULL && metric->weighted && name != NULL && has_log(t, count, name))
        name = heed_zone_printf(z, "%s%sweighted_%s", prefix, joint, word);
    const char *base = name;
    for (int i = 1; name != NULL && has_log(t, count, name); i++)
        name = heed_zone_printf(z, "%s_%d", base, i);
    return name;
}

static heed_status add_tally(heed_model *m, struct heed_training *t, const heed_metric *metric, int output)
{
    int at = t->tally_count;
    t->tallies[at] = (heed_tally){.metric = metric, .output = output};
    if (metric == NULL) { /* a mean */
        t->tallies[at].count = 2;
        t->tallies[at].sums = heed_zone_alloc(&t->zone, 2, sizeof(double));
        if (t->tallies[at].sums == NULL)
            return HEED_ENOMEM;
    }
    t->log_names[at + 1] = log_name(m, t, at + 1, metric, output);
    t->tally_count++;
    return t->log_names[at + 1] == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status resolve_tallies(heed_model *m, struct heed_training *t)
{
    size_t most = (size_t)m->output_count * (1 + (size_t)t->metric_count);
    t->tallies = heed_zone_alloc(&t->zone, most, sizeof *t->tallies);
    t->log_names = heed_zone_alloc(&t->zone, most + 1, sizeof *t->log_names);
    t->log_values = heed_zone_alloc(&t->zone, most + 1, sizeof *t->log_values);
    if (t->tallies == NULL || t->log_names == NULL || t->log_values == NULL)
        return HEED_ENOMEM;
    t->log_names[0] = "loss";
    for (int k = 0; k < m->output_count && t->loss_count > 1; k++)
        if (t->outputs[k].slot >= 0)
            HEED_TRY(add_tally(m, t, NULL, k));
    for (int i = 0; i < t->metric_count; i++) {
        bool used = false;
        for (int k = 0; k < m->output_count; k++) {
            if (!concerns(m, &t->metrics[i], k))
                continue;
            HEED_TRY(add_tally(m, t, &t->metrics[i], k));
            used = true;
        }
        if (!used)
            return heed_fail(m->context, HEED_EINVAL, "%s: there is no output '%s' for the metric %s",
                             heed_model_name(m), t->metrics[i].output_name, t->metrics[i].text);
    }
    return HEED_OK;
}

heed_status heed_training_resolve(heed_model *m)
{
    if (m->training == NULL)
        return heed_fail(m->context, HEED_ESTATE, "%s: the model is not compiled (heed_compile)", heed_model_name(m));
    struct heed_training *t = m->training;
    if (t->resolved)
        return HEED_OK;
    HEED_TRY(heed_build(m));
    t->loss_count = t->tally_count = 0;
    t->variable_count = 0;
    HEED_TRY(resolve_losses(m, t));
    HEED_TRY(resolve_variables(m, t));
    HEED_TRY(resolve_tallies(m, t));
    t->resolved = true;
    return HEED_OK;
}

/* ---- the optimizer, from outside */

heed_status heed_optimizer_build(heed_model *m)
{
    HEED_TRY(heed_model_status(m));
    HEED_TRY(heed_training_resolve(m));
    struct heed_training *t = m->training;
    return heed_optimizer_prepared(t->optimizer)
               ? HEED_OK
               : heed_optimizer_prepare(t->optimizer, t->variables, t->paths, t->variable_count);
}

int heed_optimizer_count(const heed_model *m)
{
    return m->training == NULL ? 0 : heed_optimizer_arrays(m->training->optimizer);
}

const char *heed_optimizer_name(const heed_model *m, int index)
{
    return m->training == NULL ? NULL : heed_optimizer_array_name(m->training->optimizer, index);
}

heed_array *heed_optimizer_array(heed_model *m, int index)
{
    return m->training == NULL ? NULL : heed_optimizer_array_at(m->training->optimizer, index);
}

double heed_learning_rate(const heed_model *m)
{
    return m->training == NULL ? 0.0 : heed_optimizer_rate(m->training->optimizer);
}

heed_status heed_set_learning_rate(heed_model *m, double rate)
{
    HEED_TRY(heed_model_status(m));
    if (m->training == NULL)
        return heed_fail(m->context, HEED_ESTATE, "%s: the model is not compiled (heed_compile)", heed_model_name(m));
    return heed_optimizer_set_rate(m->training->optimizer, rate);
}

heed_status heed_fix_learning_rate(heed_model *m, double rate)
{
    HEED_TRY(heed_model_status(m));
    if (m->training != NULL)
        HEED_TRY(heed_optimizer_drop_schedule(m->training->optimizer));
    return heed_set_learning_rate(m, rate);
}

/* ---- sizes */

int heed_training_targets(const heed_model *m, int64_t batch, int64_t length, heed_array *targets)
{
    const struct heed_training *t = m->training;
    int count = 0;
    for (int k = 0; k < m->output_count; k++) {
        const heed_object *loss = t->outputs[k].object;
        if (t->outputs[k].slot < 0)
            continue;
        bool sparse = loss != NULL && ((const heed_measure_class *)loss->object_class)->sparse;
        heed_array *a = &targets[count++];
        *a = (heed_array){.dtype = sparse ? HEED_INT32 : HEED_FLOAT32, .shape = m->outputs[k]->shape, .data = a};
        a->shape.rank -= sparse;
        for (int i = 0; i < a->shape.rank; i++)
            if (i == 0 || a->shape.dims[i] == HEED_ANY)
                a->shape.dims[i] = i == 0 ? batch : length;
    }
    return count;
}

size_t heed_training_optimizer_bytes(const heed_model *m)
{
    const struct heed_training *t = m->training;
    return heed_optimizer_bytes(t->optimizer, t->variables, t->variable_count);
}
