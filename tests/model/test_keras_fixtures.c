/* Whole models against real Keras: outputs, gradients, and training as fit does it. tests/fixtures/make/README.md
 * describes the files. HEED_CASE=group/name runs those whose names begin so. */
#define _POSIX_C_SOURCE 200809L /* scandir */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/keras_config.h"
#include "heed/files.h"
#include "model/program.h"
#include "model/training.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far numbers may be off, as a share of the number or of 1, whichever is larger. Where Keras' own single precision
 * is further off than that, three times as far as it. */
static const double OUTPUTS = 1e-5, GRADIENTS = 1e-4, CURVES = 1e-4;

/* Losses and metrics are held to a share of themselves, down to this size. */
static const double LEAST = 0.01;

enum { MOST = 96 };

typedef struct fixture {
    heed_context *context;
    const char   *name;
    heed_arrays   arrays;
    heed_zone     zone;
    heed_json    *json;
    heed_model   *model;
    int           bad;
} fixture;

/* ---- reading */

static heed_array *numbered(const fixture *f, const char *prefix, int index)
{
    char name[40];
    snprintf(name, sizeof name, "%s%d", prefix, index);
    return heed_arrays_get(&f->arrays, name);
}

static double number(const heed_json *object, const char *key, double otherwise)
{
    const heed_json *v = heed_json_find(object, key);
    double value = otherwise;
    if (v != NULL && (v->type == HEED_JSON_REAL || v->type == HEED_JSON_INT))
        heed_json_as_real(NULL, v, &value);
    return value;
}

static heed_status load(fixture *f, const char *path)
{
    heed_status status = heed_arrays_load(f->context, path, &f->arrays);
    const heed_array *json = status == HEED_OK ? heed_arrays_get(&f->arrays, "json") : NULL;
    if (json == NULL)
        return status != HEED_OK ? status : HEED_EFORMAT;
    return heed_json_parse(&f->zone, f->name, json->data, (size_t)heed_array_count(json), &f->json);
}

/* ---- comparing */

static void complain(fixture *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char text[400];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_error("%s: %s\n", f->name, text);
    f->bad++;
}

static double value_at(const heed_array *a, int64_t i)
{
    switch (a->dtype) {
    case HEED_FLOAT32: return ((const float *)a->data)[i];
    case HEED_FLOAT64: return ((const double *)a->data)[i];
    case HEED_INT32: return ((const int32_t *)a->data)[i];
    case HEED_INT64: return (double)((const int64_t *)a->data)[i];
    default: return ((const uint8_t *)a->data)[i];
    }
}

static double distance(double found, double expected)
{
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? (isnan(found) ? 0.0 : INFINITY) : found == expected ? 0.0 : INFINITY;
    return isnan(found) ? INFINITY : fabs(found - expected) / fmax(1.0, fabs(expected));
}

static void compare(fixture *f, const char *what, int index, const heed_array *found, const heed_array *expected,
                    double tolerance)
{
    char a[128], b[128];
    if (expected == NULL)
        return;
    if (!heed_shape_equal(&found->shape, &expected->shape)) {
        complain(f, "%s%d has shape %s, expected %s", what, index, heed_shape_text(&found->shape, a, sizeof a),
                 heed_shape_text(&expected->shape, b, sizeof b));
        return;
    }
    double worst = 0.0;
    int64_t where = 0;
    for (int64_t i = 0; i < heed_array_count(expected); i++) {
        double d = distance(found->data == NULL ? 0.0 : value_at(found, i), value_at(expected, i));
        if (d > worst) {
            worst = d;
            where = i;
        }
    }
    if (worst > tolerance)
        complain(f, "%s%d: element %lld is %.9g, expected %.9g (difference %.2g, allowed %.2g)", what, index,
                 (long long)where, found->data == NULL ? 0.0 : value_at(found, where), value_at(expected, where), worst,
                 tolerance);
}

static double tolerance(const fixture *f, double usual, const char *rounding)
{
    return fmax(usual, 3.0 * number(f->json, rounding, 0.0));
}

/* ---- inference */

static heed_status set_weights(fixture *f)
{
    heed_array values[MOST];
    int count = 0;
    for (; count < MOST && numbered(f, "w", count) != NULL; count++)
        values[count] = *numbered(f, "w", count);
    return heed_set_weights(f->model, values, count);
}

static int take_inputs(const fixture *f, heed_array *inputs)
{
    int count = 0;
    for (; count < MOST && numbered(f, "x", count) != NULL; count++)
        inputs[count] = *numbered(f, "x", count);
    return count;
}

static heed_status take_named(fixture *f, const char *prefix, bool inputs, heed_arrays *out)
{
    int count = inputs ? heed_model_input_count(f->model) : heed_model_output_count(f->model);
    *out = (heed_arrays){.context = f->context};
    for (int i = 0; i < count; i++) {
        heed_array *a = numbered(f, prefix, i), *copy;
        if (a == NULL)
            continue;
        HEED_TRY(heed_array_convert(f->context, a, a->dtype, &copy));
        HEED_TRY(heed_arrays_add(out, inputs ? heed_model_input_name(f->model, i) : heed_model_output_name(f->model, i),
                                 copy));
    }
    return HEED_OK;
}

static heed_status check_outputs(fixture *f, const char *prefix)
{
    heed_arrays x, y = {.context = f->context};
    heed_status status = take_named(f, "x", true, &x);
    if (status == HEED_OK)
        status = heed_predict(f->model, &x, &y, .batch_size = 1000);
    for (int k = 0; status == HEED_OK && k < heed_model_output_count(f->model); k++)
        compare(f, prefix, k, heed_arrays_get(&y, heed_model_output_name(f->model, k)), numbered(f, prefix, k),
                tolerance(f, OUTPUTS, "rounding"));
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    return status;
}

/* ---- gradients of the sum of seed * output */

static heed_status trace(fixture *f, heed_graph *g, heed_pass *pass, const heed_array *x, heed_tensor **inputs,
                         heed_tensor **outputs)
{
    heed_tensor *no_masks[HEED_MAX_OUTPUTS] = {NULL}, *output_masks[HEED_MAX_OUTPUTS];
    heed_call_arguments arguments = {.pass = pass};
    for (int i = 0; i < heed_model_input_count(f->model); i++)
        inputs[i] = heed_graph_input(g, x[i].dtype, &x[i].shape);
    heed_call call = {.graph = g, .input_count = heed_model_input_count(f->model), .inputs = inputs, .masks = no_masks,
                      .outputs = outputs, .output_masks = output_masks, .arguments = &arguments};
    HEED_TRY(heed_model_trace(f->model, &call));
    return heed_graph_status(g);
}

static heed_tensor *seeded_sum(const fixture *f, heed_graph *g, heed_tensor *const *outputs)
{
    heed_tensor *sum = heed_graph_scalar(g, 0.0f);
    for (int k = 0; k < heed_model_output_count(f->model); k++)
        if (numbered(f, "seed", k) != NULL && heed_tensor_dtype(outputs[k]) == HEED_FLOAT32)
            sum = heed_op_add(sum,
                              heed_op_sum(heed_op_multiply(outputs[k], heed_graph_constant(g, numbered(f, "seed", k))),
                                          NULL, 0, false));
    return sum;
}

static heed_array array_of(const heed_tensor *t, const heed_array *like)
{
    return t == NULL ? (heed_array){HEED_FLOAT32, like->shape, NULL}
                     : (heed_array){HEED_FLOAT32, *heed_tensor_shape(t), (void *)(uintptr_t)heed_tensor_data(t)};
}

static heed_status differentiate(fixture *f, heed_graph *g, heed_pass *pass)
{
    heed_array x[MOST];
    heed_tensor *inputs[MOST], *outputs[HEED_MAX_OUTPUTS] = {NULL}, *of[2 * MOST], *gradients[2 * MOST];
    int weights = heed_weight_count(f->model), count = 0, input_at[MOST];
    take_inputs(f, x);
    HEED_TRY(trace(f, g, pass, x, inputs, outputs));
    heed_tensor *sum = seeded_sum(f, g, outputs);
    const heed_json *losses = heed_json_find(f->json, "losses");
    for (size_t i = 0; i < pass->loss_count && heed_json_is(losses, HEED_JSON_BOOL) && losses->boolean; i++)
        sum = heed_op_add(sum, pass->losses[i]);
    for (int i = 0; i < weights; i++)
        of[count++] = heed_graph_variable(g, heed_weight_at(f->model, i));
    for (int i = 0; i < heed_model_input_count(f->model); i++) {
        input_at[i] = x[i].dtype == HEED_FLOAT32 ? count : -1;
        if (input_at[i] >= 0)
            of[count++] = inputs[i];
    }
    HEED_TRY(heed_graph_gradients(sum, NULL, of, (size_t)count, gradients));
    heed_tensor *wanted[2 * MOST];
    size_t wanted_count = 0;
    for (int i = 0; i < count; i++)
        if (gradients[i] != NULL)
            wanted[wanted_count++] = gradients[i];
    HEED_TRY(heed_graph_plan(g, wanted, wanted_count));
    for (int i = 0; i < heed_model_input_count(f->model); i++)
        heed_graph_bind(inputs[i], x[i].data);
    HEED_TRY(heed_graph_run(g, 0, 0));
    double allowed = tolerance(f, GRADIENTS, "rounding");
    for (int i = 0; i < weights; i++)
        if (numbered(f, "gw", i) != NULL) {
            heed_array found = array_of(gradients[i], numbered(f, "gw", i));
            compare(f, "gw", i, &found, numbered(f, "gw", i), allowed);
        }
    for (int i = 0; i < heed_model_input_count(f->model); i++)
        if (input_at[i] >= 0 && numbered(f, "gx", i) != NULL) {
            heed_array found = array_of(gradients[input_at[i]], numbered(f, "gx", i));
            compare(f, "gx", i, &found, numbered(f, "gx", i), allowed);
        }
    return HEED_OK;
}

static heed_status check_gradients(fixture *f)
{
    heed_graph *g;
    if (numbered(f, "seed", 0) == NULL)
        return HEED_OK;
    HEED_TRY(heed_graph_create(f->context, &g));
    heed_pass pass = {.graph = g};
    heed_status status = differentiate(f, g, &pass);
    heed_pass_free(&pass);
    heed_graph_free(g);
    return status;
}

/* ---- training */

typedef struct data {
    heed_arrays x, t, w, vx, vt, vw;
} data;

static heed_status take_data(fixture *f, data *d)
{
    struct {
        const char  *prefix;
        bool         inputs;
        heed_arrays *out;
    } parts[] = {{"x", true, &d->x},   {"t", false, &d->t},   {"sw", false, &d->w},
                 {"vx", true, &d->vx}, {"vt", false, &d->vt}, {"vsw", false, &d->vw}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        HEED_TRY(take_named(f, parts[i].prefix, parts[i].inputs, parts[i].out));
    return HEED_OK;
}

static void free_data(data *d)
{
    heed_arrays *parts[] = {&d->x, &d->t, &d->w, &d->vx, &d->vt, &d->vw};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        heed_arrays_free(parts[i]);
}

/* {"0": 1.0, "2": 3.0}: classes that are not there weigh 1. */
static int read_class_weight(const heed_json *fit, double *weights)
{
    const heed_json *given = heed_json_find(fit, "class_weight");
    int count = 0;
    if (given == NULL || given->type != HEED_JSON_OBJECT)
        return 0;
    for (int i = 0; i < MOST; i++)
        weights[i] = 1.0;
    for (const heed_json *item = given->first; item != NULL; item = item->next) {
        int class = atoi(item->key);
        heed_json_as_real(NULL, item, &weights[class]);
        count = class + 1 > count ? class + 1 : count;
    }
    return count;
}

static heed_status make_callback(fixture *f, const heed_json *v, heed_callback **out)
{
    const heed_json *config = heed_json_find(v, "config"), *monitor = heed_json_find(config, "monitor");
    const heed_json *mode = heed_json_find(config, "mode"), *baseline = heed_json_find(config, "baseline");
    const heed_json *restore = heed_json_find(config, "restore_best_weights");
    const char *name = heed_json_find(v, "class_name")->text, *by = monitor == NULL ? NULL : monitor->text;
    const char *way = mode == NULL || strcmp(mode->text, "auto") == 0 ? NULL : mode->text;
    if (strcmp(name, "EarlyStopping") == 0)
        return heed_early_stopping(
            f->context, out, .monitor = by, .mode = way, .min_delta = number(config, "min_delta", 0.0),
            .patience = (int)number(config, "patience", 0.0),
            .has_baseline = baseline != NULL && baseline->type != HEED_JSON_NULL,
            .baseline = number(config, "baseline", 0.0), .restore_best_weights = restore != NULL && restore->boolean,
            .start_from_epoch = (int)number(config, "start_from_epoch", 0.0));
    if (strcmp(name, "ReduceLROnPlateau") == 0)
        return heed_reduce_on_plateau(
            f->context, out, .monitor = by, .mode = way, .factor = number(config, "factor", 0.0),
            .patience = (int)number(config, "patience", 10.0), .min_delta = number(config, "min_delta", 1e-4),
            .cooldown = (int)number(config, "cooldown", 0.0), .min_lr = number(config, "min_lr", 0.0));
    if (strcmp(name, "TerminateOnNaN") == 0)
        return heed_terminate_on_nan(f->context, out);
    return heed_fail(f->context, HEED_EUNSUPPORTED, "the test does not know the callback %s", name);
}

/* Two outputs of one layer share a name in Keras, and there the later one's results are what is left. */
static int column_of(const fixture *f, const heed_history *h, const char *name)
{
    int found = -1;
    for (int k = 0; k < h->columns; k++) {
        if (strcmp(h->names[k], name) == 0)
            found = k;
        for (int o = 1; o < heed_model_output_count(f->model); o++) {
            char alias[200];
            const char *own = heed_model_output_name(f->model, o), *layer = f->model->outputs[o]->wire->layer->name;
            size_t length = strlen(layer);
            if (strcmp(own, layer) == 0 || strncmp(name, layer, length) != 0)
                continue;
            snprintf(alias, sizeof alias, "%s%s", own, name + length);
            if (strcmp(h->names[k], alias) == 0)
                found = k;
        }
    }
    return found;
}

/* Keras names the losses of nested outputs by their place ("1/rnn_loss"); these names, and those beside them, say
 * nothing. */
static bool is_nested(const heed_json *names)
{
    for (const heed_json *item = names == NULL ? NULL : names->first; item != NULL; item = item->next) {
        const char *name = item->type == HEED_JSON_STRING ? item->text : item->key;
        if (name[0] >= '0' && name[0] <= '9')
            return true;
    }
    return false;
}

static bool is_off(double found, double wanted, double allowed)
{
    return distance(found, wanted) > allowed * fmin(1.0, fmax(LEAST, fabs(wanted)));
}

static void check_history(fixture *f, const heed_history *h, double allowed)
{
    const heed_json *names = heed_json_find(heed_json_find(f->json, "fit"), "history");
    for (const heed_json *item = names == NULL ? NULL : names->first; item != NULL; item = item->next) {
        char key[200];
        snprintf(key, sizeof key, "h_%s", item->text);
        const heed_array *expected = heed_arrays_get(&f->arrays, key);
        int column = column_of(f, h, item->text);
        if (is_nested(names) && strcmp(item->text, "loss") != 0)
            continue;
        if (strcmp(item->text, "learning_rate") == 0 && column < 0)
            continue; /* a callback's own note in Keras' logs */
        if (column < 0) {
            complain(f, "the history has no '%s'", item->text);
            continue;
        }
        if (heed_array_count(expected) != h->rows)
            complain(f, "%d epochs, expected %lld", h->rows, (long long)heed_array_count(expected));
        for (int row = 0; row < h->rows && row < heed_array_count(expected); row++) {
            double found = h->values[row * h->columns + column], wanted = value_at(expected, row);
            if (is_off(found, wanted, allowed))
                complain(f, "%s of epoch %d is %.9g, expected %.9g (allowed %.2g)", item->text, row, found, wanted,
                         allowed);
        }
    }
}

static void check_after(fixture *f, double allowed)
{
    for (int i = 0; i < heed_weight_count(f->model); i++) {
        heed_variable *v = heed_weight_at(f->model, i);
        heed_array found = {HEED_FLOAT32, *heed_variable_shape(v), heed_variable_data(v)};
        compare(f, "after", i, &found, numbered(f, "after", i), allowed);
    }
    for (int i = 0; i < heed_optimizer_count(f->model); i++)
        compare(f, "slot", i, heed_optimizer_array(f->model, i), numbered(f, "slot", i), allowed);
    if (numbered(f, "slot", 0) != NULL && numbered(f, "slot", heed_optimizer_count(f->model)) != NULL)
        complain(f, "Keras' optimizer keeps more than %d arrays", heed_optimizer_count(f->model));
}

static heed_status check_evaluation(fixture *f, const data *d, int batch_size, double allowed)
{
    const heed_json *expected = heed_json_find(heed_json_find(f->json, "fit"), "evaluate");
    heed_history scores = {0};
    if (expected == NULL || expected->type != HEED_JSON_OBJECT)
        return HEED_OK;
    heed_status status =
        heed_evaluate(f->model, &d->x, &d->t, &scores, .batch_size = batch_size, .sample_weight = &d->w);
    for (const heed_json *item = expected->first; status == HEED_OK && item != NULL; item = item->next) {
        int column = column_of(f, &scores, item->key);
        if (is_nested(expected) && strcmp(item->key, "loss") != 0)
            continue;
        double wanted = number(expected, item->key, NAN), found = column < 0 ? NAN : scores.values[column];
        if (item->type != HEED_JSON_NULL && is_off(found, wanted, allowed))
            complain(f, "evaluate: %s is %.9g, expected %.9g", item->key, found, wanted);
    }
    heed_history_free(&scores);
    return status;
}

static heed_status train(fixture *f, const heed_json *fit, const data *d)
{
    double class_weight[MOST], allowed = tolerance(f, CURVES, "rounding_fit");
    heed_callback *callbacks[8];
    heed_history history = {0};
    int classes = read_class_weight(fit, class_weight), batch_size = (int)number(fit, "batch_size", 32), count = 0;
    const heed_json *list = heed_json_find(fit, "callbacks");
    heed_status status = HEED_OK;
    for (const heed_json *v = list == NULL ? NULL : list->first; v != NULL && status == HEED_OK; v = v->next) {
        status = make_callback(f, v, &callbacks[count]);
        count += status == HEED_OK;
    }
    bool validates = d->vx.count > 0;
    if (status == HEED_OK)
        status = heed_fit(f->model, &d->x, &d->t, .epochs = (int)number(fit, "epochs", 1), .batch_size = batch_size,
                          .no_shuffle = true, .sample_weight = &d->w, .class_weight = classes > 0 ? class_weight : NULL,
                          .class_count = classes, .validation_split = number(fit, "validation_split", 0.0),
                          .validation_x = validates ? &d->vx : NULL, .validation_y = validates ? &d->vt : NULL,
                          .validation_weight = validates ? &d->vw : NULL, .callbacks = callbacks,
                          .callback_count = count, .history = &history);
    if (status == HEED_EDIVERGED) /* what TerminateOnNaN is for */
        status = HEED_OK;
    if (status == HEED_OK) {
        check_history(f, &history, allowed);
        check_after(f, allowed);
        status = check_evaluation(f, d, batch_size, allowed);
    }
    for (int i = 0; i < count; i++)
        heed_callback_free(callbacks[i]);
    heed_history_free(&history);
    return status;
}

static heed_status check_training(fixture *f)
{
    const heed_json *fit = heed_json_find(f->json, "fit");
    if (!heed_json_is(fit, HEED_JSON_OBJECT))
        return HEED_OK;
    HEED_TRY(set_weights(f));
    heed_layer_reset(f->model->layer);
    HEED_TRY(heed_keras_read_compile(f->model, heed_json_find(f->json, "compile")));
    const heed_array *rates = heed_arrays_get(&f->arrays, "learning_rates");
    HEED_TRY(heed_optimizer_build(f->model));
    for (int64_t i = 0; rates != NULL && i < heed_array_count(rates); i++) {
        *(int64_t *)heed_optimizer_array(f->model, 0)->data = i;
        if (distance(heed_learning_rate(f->model) * 1000.0, value_at(rates, i) * 1000.0) > CURVES)
            complain(f, "the learning rate of step %lld is %.9g, expected %.9g", (long long)i,
                     heed_learning_rate(f->model), value_at(rates, i));
    }
    *(int64_t *)heed_optimizer_array(f->model, 0)->data = 0;
    data d = {.x = {.context = f->context}};
    heed_status status = take_data(f, &d);
    if (status == HEED_OK)
        status = train(f, fit, &d);
    free_data(&d);
    return status;
}

/* ---- a case */

/* The architecture as heed writes it makes the same model again. */
static heed_status check_rewritten(fixture *f)
{
    char *json;
    heed_model *again, *first = f->model;
    HEED_TRY(heed_model_to_json(first, &json));
    heed_status status = heed_model_from_json(f->context, json, &again);
    heed_free(f->context, json);
    HEED_TRY(status);
    f->model = again;
    status = set_weights(f);
    if (status == HEED_OK)
        status = check_outputs(f, "y");
    heed_model_free(f->model);
    f->model = first;
    return status;
}

static heed_status run_case(fixture *f, const char *path)
{
    HEED_TRY(load(f, path));
    const heed_json *origin = heed_json_find(f->json, "from");
    HEED_TRY(heed_read_from(f->context, origin == NULL ? NULL : origin->text));
    HEED_TRY(heed_keras_read_model(f->context, heed_json_find(f->json, "config"), NULL, &f->model));
    if (!f->model->closed) { /* sequential, its input known from the data alone */
        const heed_array *x = numbered(f, "x", 0);
        heed_shape shape = x->shape;
        shape.dims[0] = HEED_ANY;
        HEED_TRY(heed_build_for(f->model, &shape, &x->dtype, 1));
    }
    HEED_TRY(set_weights(f));
    HEED_TRY(check_outputs(f, "y"));
    if (numbered(f, "again", 0) != NULL)
        HEED_TRY(check_outputs(f, "again"));
    heed_layer_reset(f->model->layer);
    HEED_TRY(check_gradients(f));
    HEED_TRY(check_rewritten(f));
    return check_training(f);
}

static bool check_file(heed_context *c, const char *group, const char *file)
{
    char path[600], name[300];
    snprintf(name, sizeof name, "%s/%.*s", group, (int)(strlen(file) - 4), file);
    const char *only = getenv("HEED_CASE");
    if (only != NULL && strncmp(only, name, strlen(only)) != 0)
        return true;
    snprintf(path, sizeof path, "%s/keras/%s.npz", HEED_FIXTURES, name);
    fixture f = {.context = c, .name = name, .arrays = {.context = c}};
    heed_zone_init(&f.zone, c);
    size_t before = heed_memory_used(c);
    heed_status status = run_case(&f, path);
    if (status != HEED_OK)
        complain(&f, "%s %s", heed_error(c), heed_error_hint(c));
    heed_model_free(f.model);
    heed_arrays_free(&f.arrays);
    heed_zone_free(&f.zone);
    if (heed_memory_used(c) != before)
        complain(&f, "%zu bytes were left behind", heed_memory_used(c) - before);
    return f.bad == 0;
}

/* ---- files of whole models */

static void check_weights(fixture *f)
{
    for (int i = 0; i < heed_weight_count(f->model); i++) {
        heed_variable *v = heed_weight_at(f->model, i);
        heed_array found = {HEED_FLOAT32, *heed_variable_shape(v), heed_variable_data(v)};
        if (numbered(f, "w", i) == NULL)
            complain(f, "there is no weight %d", i);
        compare(f, "w", i, &found, numbered(f, "w", i), 0.0);
    }
}

/* Training goes on where the file left it; but for the taggers, which Keras trained with an Embedding's gradient squared row
 * by row, as it does on TensorFlow alone (see tests/fixtures/make/fixture.py). */
static heed_status check_continuation(fixture *f)
{
    const heed_json *fit = heed_json_find(f->json, "fit");
    if (!heed_json_is(fit, HEED_JSON_OBJECT) || strstr(f->name, "tagger") != NULL)
        return HEED_OK;
    data d = {.x = {.context = f->context}};
    heed_status status = take_data(f, &d);
    if (status == HEED_OK)
        status = train(f, fit, &d);
    free_data(&d);
    return status;
}

static heed_status run_file(fixture *f, const char *path)
{
    char numbers[600];
    snprintf(numbers, sizeof numbers, "%s.npz", path);
    HEED_TRY(load(f, numbers));
    HEED_TRY(heed_load(f->context, path, &f->model));
    check_weights(f);
    HEED_TRY(check_outputs(f, "y"));
    HEED_TRY(heed_save(f->model, "test_keras_fixtures.keras")); /* and once more through a file of heed's own */
    heed_model_free(f->model);
    f->model = NULL;
    HEED_TRY(heed_load(f->context, "test_keras_fixtures.keras", &f->model));
    check_weights(f);
    HEED_TRY(check_outputs(f, "y"));
    return check_continuation(f);
}

static void check_model_file(void **state)
{
    char path[500];
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    fixture f = {.context = c, .name = *state, .arrays = {.context = c}};
    heed_zone_init(&f.zone, c);
    snprintf(path, sizeof path, "%s/models/%s", HEED_FIXTURES, f.name);
    if (run_file(&f, path) != HEED_OK)
        complain(&f, "%s", heed_error(c));
    heed_model_free(f.model);
    heed_arrays_free(&f.arrays);
    heed_zone_free(&f.zone);
    heed_context_free(c);
    if (f.bad > 0)
        fail_msg("%s differs from Keras", f.name);
}

static const char *const model_files[] = {
    "nested_keras3.keras", "nested_keras3.h5", "tagger_keras3.keras", "tagger_keras3.h5",
    "tagger_trained_keras3.keras", "tagger_trained_keras3.h5", "translator_keras3.keras", "translator_keras3.h5",
    "two_ends_trained_keras3.keras", "two_ends_trained_keras3.h5", "nested_tfkeras.keras", "nested_tfkeras.h5",
    "tagger_tfkeras.keras", "tagger_tfkeras.h5", "tagger_trained_tfkeras.h5", "translator_tfkeras.keras",
    "translator_tfkeras.h5", "two_ends_trained_tfkeras.keras", "two_ends_trained_tfkeras.h5",
    "attentive_trained_keras3.keras", "attentive_trained_keras3.h5", "attentive_trained_tfkeras.keras",
    "attentive_trained_tfkeras.h5", "attention_decoder_trained_keras208.h5",
    "listener_keras3.keras", "listener_keras3.h5", "listener_tfkeras.keras",
    "listener_tfkeras.h5", "viewer_keras3.keras", "viewer_keras3.h5", "viewer_tfkeras.keras", "viewer_tfkeras.h5",
    "chimes_trained_keras3.keras", "chimes_trained_keras3.h5", "chimes_trained_tfkeras.keras",
    "chimes_trained_tfkeras.h5", "scaled_trained_keras3.keras", "scaled_trained_keras3.h5", "scaled_trained_tfkeras.keras",
    "scaled_trained_tfkeras.h5", "enlarger_keras224.h5", "frozen_tf2.1", "frozen_tf2.4", "frozen_tfkeras",
    "hub_trained_keras3.keras", "hub_trained_keras3.h5"};
enum { MODEL_FILES = sizeof model_files / sizeof *model_files };

static int is_visible(const struct dirent *e) { return e->d_name[0] != '.'; }

static void check_group(void **state)
{
    const char *group = *state;
    char folder[400];
    struct dirent **files;
    int bad = 0, count = 0;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    snprintf(folder, sizeof folder, "%s/keras/%s", HEED_FIXTURES, group);
    int found = scandir(folder, &files, is_visible, alphasort);
    assert_true(found > 0);
    for (int i = 0; i < found; i++) {
        count++;
        bad += !check_file(c, group, files[i]->d_name);
        free(files[i]);
    }
    free(files);
    heed_context_free(c);
    if (bad > 0)
        fail_msg("%s: %d of %d cases differ from Keras", group, bad, count);
}

int main(void)
{
    struct dirent **groups;
    struct CMUnitTest tests[MOST + MODEL_FILES];
    int count = scandir(HEED_FIXTURES "/keras", &groups, is_visible, alphasort);
    if (count <= 0 || count > MOST)
        return 1;
    for (int i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){groups[i]->d_name, check_group, NULL, NULL, groups[i]->d_name};
    for (int i = 0; i < MODEL_FILES; i++)
        tests[count + i] =
            (struct CMUnitTest){model_files[i], check_model_file, NULL, NULL, (void *)(uintptr_t)model_files[i]};
    int failed = _cmocka_run_group_tests("Keras fixtures", tests, (size_t)count + MODEL_FILES, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(groups[i]);
    free(groups);
    return failed;
}
