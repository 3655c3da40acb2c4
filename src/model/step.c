/* What a batch of test or training computes beside the outputs, and running it. */
#include "model/training.h"

#include "layers/mask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the graph */

/* The mask of an output as bool over its first dimensions; NULL: none. */
static heed_tensor *output_mask(const heed_program *p, int output)
{
    heed_tensor *mask = p->output_masks[output];
    return mask == NULL ? NULL : heed_mask_bool(mask, heed_tensor_dim(p->outputs[output], 1));
}

static heed_status bind_point(heed_model *m, heed_program *p, const heed_array *a, const char *what, int output,
                              heed_tensor **out)
{
    *out = NULL;
    if (a == NULL || (a->data == NULL && a->shape.rank == 0))
        return HEED_OK;
    if (a->dtype != HEED_FLOAT32 && a->dtype != HEED_INT32)
        return heed_fail(m->context, HEED_EINVAL,
                         "%s: the %s of output '%s' is of a type that does not fit (expected float32 "
                         "or int32, found %s)",
                         heed_model_name(m), what, m->output_names[output], heed_dtype_name(a->dtype));
    *out = heed_graph_input(p->graph, a->dtype, &a->shape);
    return heed_graph_status(p->graph);
}

/* Targets come one for each output that has a loss; sample weights for each output, or one for all. */
static heed_status make_points(heed_model *m, heed_program *p, const heed_batch *b)
{
    const struct heed_training *t = m->training;
    if (b->target_count != t->loss_count)
        return heed_fail(m->context, HEED_EINVAL, "%s: the number of targets does not fit (expected %d, found %d)",
                         heed_model_name(m), t->loss_count, b->target_count);
    if (b->weight_count > 1 && b->weight_count != m->output_count)
        return heed_fail(m->context, HEED_EINVAL,
                         "%s: the number of sample weights does not fit (expected 1 or %d, found %d)",
                         heed_model_name(m), m->output_count, b->weight_count);
    for (int k = 0; k < m->output_count; k++) {
        const heed_array *weight = b->weight_count == 0 ? NULL : &b->sample_weights[b->weight_count == 1 ? 0 : k];
        int slot = t->outputs[k].slot;
        HEED_TRY(bind_point(m, p, slot < 0 ? NULL : &b->targets[slot], "target", k, &p->targets[k]));
        HEED_TRY(bind_point(m, p, weight, "sample weight", k, &p->sample_weights[k]));
        if (slot >= 0 && p->targets[k] == NULL)
            return heed_fail(m->context, HEED_EINVAL, "%s: the target of output '%s' is missing", heed_model_name(m),
                             m->output_names[k]);
    }
    return HEED_OK;
}

/* The object of a text whose meaning depends on shapes, or on the output's loss. */
static heed_status settle(heed_program *p, const heed_object_family *family, const char *text,
                          const heed_object *object, int output, const heed_object *loss, const heed_object **out)
{
    heed_object *chosen;
    *out = object;
    if (object != NULL)
        return HEED_OK;
    text = heed_measure_resolve(text, p->targets[output], p->outputs[output], loss);
    HEED_TRY(heed_object_parse(&p->graph->zone, family, text, &chosen));
    *out = chosen;
    return HEED_OK;
}

static heed_tensor *as_floats(heed_tensor *x)
{
    return x == NULL || x->dtype == HEED_FLOAT32 ? x : heed_op_cast(x, HEED_FLOAT32);
}

static heed_status explain(heed_model *m, heed_program *p, int output, const char *text)
{
    heed_status status = heed_graph_status(p->graph);
    char who[200];
    if (status == HEED_OK)
        return HEED_OK;
    snprintf(who, sizeof who, "%s, output '%.60s'", text, m->output_names[output]);
    return heed_fail_in(m->context, status, who);
}

/* From Keras 2.3 and TensorFlow 2.0 to Keras 2.9 the mean loss was over all steps: a mask was a weight. */
static bool mask_is_weight(const heed_model *m) { return heed_keras_within(m->layer->keras, 203, 210); }

static heed_tensor *weights_with_mask(heed_tensor *weights, heed_tensor *mask)
{
    heed_tensor *own = mask == NULL ? NULL : heed_op_cast(mask, HEED_FLOAT32);
    while (own != NULL && weights != NULL && weights->shape.rank < own->shape.rank)
        weights = heed_op_expand(weights, -1);
    return own == NULL || weights == NULL ? (own == NULL ? weights : own) : heed_op_multiply(weights, own);
}

/* Whether a metric looks at an output. */
static bool is_measured(const struct heed_training *t, int output)
{
    for (int i = 0; i < t->tally_count; i++)
        if (t->tallies[i].metric != NULL && t->tallies[i].output == output)
            return true;
    return false;
}

static heed_status append_losses(heed_model *m, heed_program *p, const heed_batch *b)
{
    const struct heed_training *t = m->training;
    for (int k = 0; k < m->output_count; k++) {
        const heed_output_loss *o = &t->outputs[k];
        const heed_object *loss;
        if (o->slot < 0)
            continue;
        HEED_TRY(settle(p, &heed_losses, o->text, o->object, k, NULL, &loss));
        HEED_TRY(heed_loss_for_batch(&p->graph->zone, loss, b, &loss));
        heed_tensor *weights = as_floats(p->sample_weights[k]), *mask = output_mask(p, k);
        if (mask_is_weight(m)) {
            weights = weights_with_mask(weights, mask);
            mask = NULL;
        }
        heed_tensor *value = heed_loss_number(loss, p->targets[k], p->outputs[k], weights, mask, !is_measured(t, k));
        HEED_TRY(explain(m, p, k, o->text));
        p->losses[o->slot] = value;
        heed_tensor *weighted = o->weight == 1.0 ? value : heed_op_scale(value, (float)o->weight, 0.0f);
        p->loss = p->loss == NULL ? weighted : heed_op_add(p->loss, weighted);
    }
    for (size_t i = 0; i < p->pass.loss_count; i++)
        p->loss = heed_op_add(p->loss, p->pass.losses[i]);
    for (size_t i = 0; i < t->variable_count; i++)
        if (t->variables[i]->regularizer != NULL)
            p->loss = heed_op_add(p->loss, heed_variable_penalty(p->graph, t->variables[i]));
    return heed_graph_status(p->graph);
}

/* A metric keeps as many sums as its first batch has. */
heed_status heed_tally_make_room(heed_model *m, heed_tally *tally, int64_t count)
{
    if (tally->sums == NULL) {
        tally->sums = heed_zone_alloc(&m->training->zone, (size_t)count, sizeof *tally->sums);
        tally->count = count;
    }
    if (tally->sums == NULL)
        return HEED_ENOMEM;
    if (tally->count != count)
        return heed_fail(m->context, HEED_ESHAPE,
                         "%s: %s keeps another number of sums than before (expected %lld, found %lld)", heed_model_name(m),
                         tally->metric == NULL ? "a loss" : tally->metric->text, (long long)tally->count,
                         (long long)count);
    return HEED_OK;
}

static heed_status append_metrics(heed_model *m, heed_program *p)
{
    struct heed_training *t = m->training;
    for (int i = 0; i < t->tally_count; i++) {
        heed_tally *tally = &t->tallies[i];
        int k = tally->output;
        const heed_object *metric;
        if (tally->metric == NULL || p->targets[k] == NULL)
            continue;
        HEED_TRY(settle(p, &heed_metrics, tally->metric->word, tally->metric->object, k, t->outputs[k].object, &metric));
        heed_tensor *prediction = heed_op_stop_gradient(p->outputs[k]);
        heed_tensor *weights = tally->metric->weighted ? as_floats(p->sample_weights[k]) : NULL;
        p->sums[i] = heed_metric_sums(metric, p->targets[k], prediction, weights, output_mask(p, k));
        HEED_TRY(explain(m, p, k, tally->metric->text));
        HEED_TRY(heed_tally_make_room(m, tally, heed_tensor_dim(p->sums[i], 0)));
    }
    return HEED_OK;
}

static heed_status append_gradients(heed_model *m, heed_program *p)
{
    const struct heed_training *t = m->training;
    heed_tensor **leaves = heed_zone_alloc(&p->graph->zone, t->variable_count, sizeof *leaves);
    if (leaves == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < t->variable_count; i++)
        leaves[i] = heed_graph_variable(p->graph, t->variables[i]);
    HEED_TRY(heed_graph_status(p->graph));
    HEED_TRY(heed_graph_gradients(p->loss, NULL, leaves, t->variable_count, p->gradients));
    for (size_t i = 0; i < t->variable_count && heed_optimizer_squares_shares(t->optimizer, m->layer->keras); i++)
        p->squares[i] = heed_squared_shares(p->gradients[i]);
    return heed_graph_status(p->graph);
}

heed_status heed_program_train(heed_model *m, heed_program *p, const heed_batch *b)
{
    const struct heed_training *t = m->training;
    heed_zone *z = &p->graph->zone;
    size_t outputs = (size_t)m->output_count, tallies = (size_t)t->tally_count;
    p->targets = heed_zone_alloc(z, outputs, sizeof *p->targets);
    p->sample_weights = heed_zone_alloc(z, outputs, sizeof *p->sample_weights);
    p->losses = heed_zone_alloc(z, outputs, sizeof *p->losses);
    p->sums = heed_zone_alloc(z, tallies, sizeof *p->sums);
    p->gradients = heed_zone_alloc(z, t->variable_count, sizeof *p->gradients);
    p->squares = heed_zone_alloc(z, t->variable_count, sizeof *p->squares);
    if (p->targets == NULL || p->sample_weights == NULL || p->losses == NULL || p->sums == NULL ||
        p->gradients == NULL || p->squares == NULL)
        return HEED_ENOMEM;
    HEED_TRY(make_points(m, p, b));
    HEED_TRY(append_losses(m, p, b));
    if (p->purpose == HEED_FOR_TRAINING)
        HEED_TRY(append_gradients(m, p));
    return append_metrics(m, p);
}

size_t heed_program_wants(const heed_model *m)
{
    const struct heed_training *t = m->training;
    return t == NULL ? 0 : 1 + (size_t)m->output_count + (size_t)t->tally_count + 2 * t->variable_count;
}

size_t heed_program_wanted(const heed_model *m, const heed_program *p, heed_tensor **wanted)
{
    const struct heed_training *t = m->training;
    size_t n = 0;
    wanted[n++] = p->loss;
    for (int i = 0; i < t->loss_count; i++)
        wanted[n++] = p->losses[i];
    for (int i = 0; i < t->tally_count; i++) {
        if (p->sums[i] != NULL)
            wanted[n++] = p->sums[i];
    }
    for (size_t i = 0; i < t->variable_count; i++) {
        if (p->gradients[i] != NULL)
            wanted[n++] = p->gradients[i];
        if (p->squares[i] != NULL)
            wanted[n++] = p->squares[i];
    }
    return n;
}

/* ---- running */

static double scalar(const heed_tensor *t) { return *(const float *)heed_tensor_data(t); }

static int64_t rows_of(const heed_batch *b)
{
    return b->input_count > 0 && b->inputs[0].shape.rank > 0 ? b->inputs[0].shape.dims[0] : 1;
}

/* The losses in logs are means of the batches' losses, each counted by its rows. But in Keras 3.0 and 3.1 the whole one was
 * their plain mean; and those of the outputs were in Keras 2.3 and TensorFlow 1.15 to 2.2, and are from 3.5 on, where a
 * compiled step does not know how many rows it has. */
static double weight_of_batch(const heed_model *m, const heed_batch *b, bool of_output)
{
    int keras = m->layer->keras;
    bool plain = of_output ? keras >= 305 || heed_keras_within(keras, 203, 205) : heed_keras_within(keras, 300, 302);
    return plain ? 1.0 : (double)rows_of(b);
}

static void tally(heed_model *m, const heed_program *p, const heed_batch *b)
{
    struct heed_training *t = m->training;
    double weight = weight_of_batch(m, b, false), of_output = weight_of_batch(m, b, true);
    t->last_loss = scalar(p->loss);
    t->loss_total += t->last_loss * weight;
    t->loss_divisor += weight;
    for (int i = 0; i < t->tally_count; i++) {
        heed_tally *at = &t->tallies[i];
        if (at->metric == NULL) {
            at->sums[0] += scalar(p->losses[t->outputs[at->output].slot]) * of_output;
            at->sums[1] += of_output;
            continue;
        }
        const float *sums = p->sums[i] == NULL ? NULL : heed_tensor_data(p->sums[i]);
        for (int64_t k = 0; sums != NULL && k < at->count; k++)
            at->sums[k] += sums[k];
    }
}

static void update(heed_model *m, const heed_program *p)
{
    struct heed_training *t = m->training;
    for (size_t i = 0; i < t->variable_count; i++) {
        t->gradients[i] = p->gradients[i] == NULL ? NULL : heed_tensor_data(p->gradients[i]);
        t->squares[i] = p->squares[i] == NULL ? NULL : heed_tensor_data(p->squares[i]);
    }
    heed_optimizer_apply(t->optimizer, t->gradients, t->squares, m->layer->keras);
    m->step++;
}

heed_status heed_training_run(heed_model *m, heed_purpose purpose, const heed_batch *b)
{
    const struct heed_training *t = m->training;
    heed_program *p;
    HEED_TRY(heed_program_find(m, purpose, b, &p));
    for (int k = 0; k < m->output_count; k++) {
        if (t->outputs[k].slot >= 0)
            heed_graph_bind(p->targets[k], b->targets[t->outputs[k].slot].data);
        if (p->sample_weights[k] != NULL)
            heed_graph_bind(p->sample_weights[k], b->sample_weights[b->weight_count == 1 ? 0 : k].data);
    }
    HEED_TRY(heed_program_run(m, p, b->inputs));
    tally(m, p, b);
    if (purpose == HEED_FOR_TRAINING)
        update(m, p);
    return HEED_OK;
}

/* What was settled by shapes is a mean. */
static const heed_object *object_of(const heed_tally *tally)
{
    return tally->metric == NULL ? NULL : tally->metric->object;
}

/* 0 for a metric that has seen nothing. */
static double result_of(const heed_tally *tally)
{
    return tally->sums == NULL ? 0.0 : heed_metric_result(object_of(tally), tally->sums, tally->count);
}

void heed_training_logs(heed_model *m, heed_logs *logs)
{
    struct heed_training *t = m->training;
    t->log_values[0] = t->loss_divisor > 0.0 ? t->loss_total / t->loss_divisor : 0.0;
    for (int i = 0; i < t->tally_count; i++)
        t->log_values[i + 1] = result_of(&t->tallies[i]);
    *logs = (heed_logs){.count = t->tally_count + 1, .names = t->log_names, .values = t->log_values};
}

static heed_status run_batch(heed_model *m, heed_purpose purpose, const heed_batch *b, heed_logs *logs)
{
    HEED_TRY(heed_model_status(m));
    if (b->input_count == 1)
        HEED_TRY(heed_model_ready(m, &b->inputs[0].dtype, &b->inputs[0].shape, 1));
    if (m->training == NULL || !m->training->resolved || !heed_optimizer_prepared(m->training->optimizer))
        HEED_TRY(heed_optimizer_build(m));
    HEED_TRY(heed_training_run(m, purpose, b));
    if (logs != NULL)
        heed_training_logs(m, logs);
    return HEED_OK;
}

heed_status heed_train_on_batch(heed_model *m, const heed_batch *b, heed_logs *logs)
{
    return run_batch(m, HEED_FOR_TRAINING, b, logs);
}

heed_status heed_test_on_batch(heed_model *m, const heed_batch *b, heed_logs *logs)
{
    return run_batch(m, HEED_FOR_TEST, b, logs);
}

void heed_reset_metrics(heed_model *m)
{
    struct heed_training *t = m->training;
    if (t == NULL)
        return;
    t->loss_total = t->loss_divisor = 0.0;
    for (int i = 0; i < t->tally_count; i++)
        for (int64_t k = 0; k < t->tallies[i].count; k++)
            t->tallies[i].sums[k] = 0.0;
}

double heed_batch_loss(const heed_model *m) { return m->training == NULL ? NAN : m->training->last_loss; }
double heed_logs_get(const heed_logs *logs, const char *name, double otherwise)
{
    for (int i = 0; i < logs->count; i++)
        if (strcmp(logs->names[i], name) == 0)
            return logs->values[i];
    return otherwise;
}

uint64_t heed_training_step(const heed_model *m) { return m->step; }
void     heed_set_training_step(heed_model *m, uint64_t step) { m->step = step; }
