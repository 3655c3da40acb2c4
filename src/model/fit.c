/* Training and evaluation over whole data sets. */
#include "base/random.h"
#include "model/history.h"
#include "model/training.h"

#include <math.h>
#include <string.h>

/* Inputs, targets and sample weights of a set of rows. */
typedef struct rows {
    heed_columns x, y, w;
    int64_t      begin, end; /* of the columns, those that belong to the set */
} rows;

/* ---- finding the data */

void heed_wanted_targets(const heed_model *m, heed_wanted *out)
{
    *out = (heed_wanted){.what = "target"};
    for (int k = 0; k < m->output_count; k++)
        if (m->training->outputs[k].slot >= 0) {
            out->names[out->count] = m->output_names[k];
            out->dtypes[out->count] = HEED_FLOAT32;
            out->any_number[out->count++] = true;
        }
}

void heed_wanted_weights(const heed_model *m, heed_wanted *out)
{
    *out = (heed_wanted){.what = "sample weight", .count = m->output_count, .optional = true};
    for (int k = 0; k < m->output_count; k++) {
        out->names[k] = m->output_names[k];
        out->dtypes[k] = HEED_FLOAT32;
    }
}

static heed_status check_same_rows(heed_model *m, const rows *r)
{
    const heed_columns *others[] = {&r->y, &r->w};
    const char *names[] = {"targets", "sample weights"};
    for (int i = 0; i < 2; i++)
        if (others[i]->rows >= 0 && others[i]->count > 0 && others[i]->rows != r->x.rows)
            return heed_fail(m->context, HEED_ESHAPE,
                             "%s: inputs and %s differ in their number of rows (expected %lld, found "
                             "%lld)",
                             heed_model_name(m), names[i], (long long)r->x.rows, (long long)others[i]->rows);
    return HEED_OK;
}

static heed_status find_rows(heed_model *m, const heed_arrays *x, const heed_arrays *y, const heed_arrays *w, rows *out)
{
    heed_wanted wanted;
    *out = (rows){.w = {.rows = -1}};
    heed_wanted_inputs(m, &wanted);
    HEED_TRY(heed_columns_find(m, &wanted, x, &out->x));
    heed_wanted_targets(m, &wanted);
    HEED_TRY(heed_columns_find(m, &wanted, y, &out->y));
    if (w != NULL && w->count > 0) {
        heed_wanted_weights(m, &wanted);
        HEED_TRY(heed_columns_find(m, &wanted, w, &out->w));
    }
    HEED_TRY(check_same_rows(m, out));
    out->end = out->x.rows;
    return HEED_OK;
}

static void free_rows(rows *r)
{
    heed_columns_free(&r->x);
    heed_columns_free(&r->y);
    heed_columns_free(&r->w);
}

/* ---- class weights become sample weights */

static double number_at(const heed_array *a, int64_t i)
{
    return a->dtype == HEED_FLOAT32 ? (double)((const float *)a->data)[i] : (double)((const int32_t *)a->data)[i];
}

/* The class of a row: its number, or where the largest of its values is. */
static int64_t class_of_row(const heed_array *y, int64_t row)
{
    int64_t width = heed_array_count(y) / y->shape.dims[0], best = 0;
    if (width == 1)
        return (int64_t)lrint(number_at(y, row));
    for (int64_t k = 1; k < width; k++)
        if (number_at(y, row * width + k) > number_at(y, row * width + best))
            best = k;
    return best;
}

static heed_status weigh_classes(heed_model *m, const heed_fit_config *config, rows *r)
{
    if (config->class_weight == NULL)
        return HEED_OK;
    if (m->output_count != 1)
        return heed_fail(m->context, HEED_EINVAL, "%s: class weights are for models with one output (found %d)",
                         heed_model_name(m), m->output_count);
    if (r->w.count > 0)
        return heed_fail(m->context, HEED_EINVAL, "%s: class weights and sample weights exclude each other",
                         heed_model_name(m));
    const heed_array *y = &r->y.arrays[0];
    if (y->shape.rank > 2 || (y->shape.rank == 2 && y->shape.dims[1] == 0))
        return heed_fail(m->context, HEED_ESHAPE, "%s: class weights need one class a row", heed_model_name(m));
    heed_shape shape = {1, {r->x.rows}};
    heed_array *weights;
    HEED_TRY(heed_array_create(m->context, HEED_FLOAT32, &shape, &weights));
    for (int64_t i = 0; i < r->x.rows; i++) {
        int64_t class = class_of_row(y, i);
        bool known = class >= 0 && class < config->class_count;
        ((float *)weights->data)[i] = known ? (float)config->class_weight[class] : 1.0f;
    }
    r->w =
        (heed_columns){.context = m->context, .count = 1, .rows = r->x.rows, .arrays = {*weights}, .owned = {weights}};
    return HEED_OK;
}

/* ---- evaluation */

static void slice_rows(const rows *r, int64_t begin, int64_t size, heed_array (*arrays)[HEED_MAX_OUTPUTS])
{
    heed_columns_slice(&r->x, begin, size, arrays[0]);
    heed_columns_slice(&r->y, begin, size, arrays[1]);
    heed_columns_slice(&r->w, begin, size, arrays[2]);
}

static heed_batch batch_of(const rows *r, heed_array (*arrays)[HEED_MAX_OUTPUTS])
{
    return (heed_batch){.inputs = arrays[0],
                        .input_count = r->x.count,
                        .targets = arrays[1],
                        .target_count = r->y.count,
                        .sample_weights = arrays[2],
                        .weight_count = r->w.count};
}

static heed_status evaluate_rows(heed_model *m, const rows *r, int64_t batch_size)
{
    heed_array arrays[3][HEED_MAX_OUTPUTS];
    heed_reset_metrics(m);
    for (int64_t begin = r->begin; begin < r->end; begin += batch_size) {
        int64_t size = r->end - begin < batch_size ? r->end - begin : batch_size;
        slice_rows(r, begin, size, arrays);
        heed_batch batch = batch_of(r, arrays);
        HEED_TRY(heed_training_run(m, HEED_FOR_TEST, &batch));
    }
    return HEED_OK;
}

heed_status heed_evaluate_with(heed_model *m, const heed_arrays *x, const heed_arrays *y, heed_history *scores,
                               const heed_evaluate_config *config)
{
    HEED_TRY(heed_model_ready_for(m, x));
    HEED_TRY(heed_training_resolve(m));
    rows r;
    heed_status status = find_rows(m, x, y, config->sample_weight, &r);
    if (status == HEED_OK)
        status = evaluate_rows(m, &r, config->batch_size > 0 ? config->batch_size : 32);
    if (status == HEED_OK) {
        heed_logs logs;
        heed_training_logs(m, &logs);
        status = heed_history_add(m->context, scores, 0, &logs);
    }
    free_rows(&r);
    return status;
}

/* ---- fit */

typedef struct fitting {
    heed_model            *model;
    const heed_fit_config *config;
    rows                   train, validation; /* validation.end 0: none */
    int64_t                batch_size, validation_batch_size;
    int64_t               *order; /* rows of train as this epoch takes them; NULL: as they lie */
    heed_gather            gathers[3];
    heed_zone              zone;
    const char           **names; /* of the epoch's logs: the training's, then those of the validation */
    double                *values;
    int                    count;
} fitting;

static heed_status split_validation(fitting *f)
{
    double share = f->config->validation_split;
    heed_model *m = f->model;
    if (share == 0.0)
        return HEED_OK;
    if (!(share > 0.0 && share < 1.0))
        return heed_fail(m->context, HEED_EINVAL, "%s: validation_split is out of range (expected [0,1), found %g)",
                         heed_model_name(m), share);
    int64_t kept = (int64_t)floor((double)f->train.x.rows * (1.0 - share));
    if (kept == 0 || kept == f->train.x.rows)
        return heed_fail(m->context, HEED_EINVAL, "%s: %lld rows cannot be split by validation_split %g",
                         heed_model_name(m), (long long)f->train.x.rows, share);
    f->validation = f->train; /* the same columns, other rows */
    f->validation.begin = f->train.end = kept;
    return HEED_OK;
}

static heed_status find_validation(fitting *f)
{
    const heed_fit_config *o = f->config;
    if (o->validation_x == NULL)
        return split_validation(f);
    if (o->validation_y == NULL)
        return heed_fail(f->model->context, HEED_EINVAL, "%s: the validation has no targets",
                         heed_model_name(f->model));
    return find_rows(f->model, o->validation_x, o->validation_y, o->validation_weight, &f->validation);
}

/* The k-th number of fit's own random streams, apart from those of weights and of dropout. */
static const uint64_t ORDER_STREAM = UINT64_C(0x6f72646572) << 24;

/* Fisher and Yates' shuffle: a function of seed and epoch. */
static void shuffle(fitting *f, int epoch)
{
    int64_t count = f->train.end;
    heed_random r = {.seed = f->model->seed, .stream = ORDER_STREAM + (uint64_t)epoch};
    for (int64_t i = 0; i < count; i++)
        f->order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)heed_random_below(&r, (uint32_t)(i + 1)), swap = f->order[i];
        f->order[i] = f->order[j];
        f->order[j] = swap;
    }
}

static heed_status prepare_order(fitting *f)
{
    const heed_columns *columns[] = {&f->train.x, &f->train.y, &f->train.w};
    if (f->config->no_shuffle)
        return HEED_OK;
    if (f->train.end > UINT32_MAX)
        return heed_fail(f->model->context, HEED_EUNSUPPORTED, "%s: too many rows to shuffle",
                         heed_model_name(f->model));
    f->order = heed_alloc(f->model->context, (size_t)f->train.end, sizeof *f->order);
    if (f->order == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < 3; i++)
        HEED_TRY(heed_gather_create(f->model->context, columns[i], f->batch_size, &f->gathers[i]));
    return HEED_OK;
}

static heed_status prepare_logs(fitting *f)
{
    heed_logs logs;
    heed_training_logs(f->model, &logs);
    f->names = heed_zone_alloc(&f->zone, 2 * (size_t)logs.count, sizeof *f->names);
    f->values = heed_zone_alloc(&f->zone, 2 * (size_t)logs.count, sizeof *f->values);
    if (f->names == NULL || f->values == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < logs.count; i++) {
        f->names[i] = logs.names[i];
        f->names[logs.count + i] = heed_zone_printf(&f->zone, "val_%s", logs.names[i]);
        if (f->names[logs.count + i] == NULL)
            return HEED_ENOMEM;
    }
    f->count = logs.count;
    return HEED_OK;
}

static heed_status call_back(fitting *f, heed_status (*call)(fitting *f, const heed_callback *callback, void *data),
                             void *data)
{
    for (int i = 0; i < f->config->callback_count; i++)
        HEED_TRY(call(f, f->config->callbacks[i], data));
    return HEED_OK;
}

static heed_status on_train_begin(fitting *f, const heed_callback *b, void *data)
{
    return b->train_begin == NULL ? HEED_OK : b->train_begin(b->user, f->model);
}

static heed_status on_train_end(fitting *f, const heed_callback *b, void *data)
{
    return b->train_end == NULL ? HEED_OK : b->train_end(b->user, f->model);
}

static heed_status on_epoch_begin(fitting *f, const heed_callback *b, void *epoch)
{
    return b->epoch_begin == NULL ? HEED_OK : b->epoch_begin(b->user, f->model, *(int *)epoch);
}

typedef struct batch_end {
    int64_t   batch, batches;
    heed_logs logs;
} batch_end;

static heed_status on_batch_end(fitting *f, const heed_callback *b, void *data)
{
    const batch_end *e = data;
    return b->batch_end == NULL ? HEED_OK : b->batch_end(b->user, f->model, e->batch, e->batches, &e->logs);
}

typedef struct epoch_end {
    int       epoch;
    heed_logs logs;
} epoch_end;

static heed_status on_epoch_end(fitting *f, const heed_callback *b, void *data)
{
    const epoch_end *e = data;
    return b->epoch_end == NULL ? HEED_OK : b->epoch_end(b->user, f->model, e->epoch, &e->logs);
}

static void take_batch(fitting *f, int64_t begin, int64_t size, heed_array (*arrays)[HEED_MAX_OUTPUTS])
{
    if (f->order == NULL) {
        slice_rows(&f->train, begin, size, arrays);
        return;
    }
    heed_gather_rows(&f->gathers[0], &f->train.x, f->order + begin, size, arrays[0]);
    heed_gather_rows(&f->gathers[1], &f->train.y, f->order + begin, size, arrays[1]);
    heed_gather_rows(&f->gathers[2], &f->train.w, f->order + begin, size, arrays[2]);
}

static heed_status train_batches(fitting *f, int64_t first)
{
    heed_model *m = f->model;
    heed_array arrays[3][HEED_MAX_OUTPUTS];
    batch_end end = {.batches = (f->train.end + f->batch_size - 1) / f->batch_size};
    if (first == 0)
        heed_reset_metrics(m);
    for (end.batch = first; end.batch < end.batches; end.batch++) {
        int64_t begin = end.batch * f->batch_size, left = f->train.end - begin;
        take_batch(f, begin, left < f->batch_size ? left : f->batch_size, arrays);
        heed_batch batch = batch_of(&f->train, arrays);
        HEED_TRY(heed_training_run(m, HEED_FOR_TRAINING, &batch));
        heed_training_logs(m, &end.logs);
        HEED_TRY(call_back(f, on_batch_end, &end));
        if (m->interrupted)
            return heed_fail(m->context, HEED_EINTERRUPTED, "%s: training was stopped on request after %llu steps",
                             heed_model_name(m), (unsigned long long)m->step);
    }
    return HEED_OK;
}

static heed_status run_epoch(fitting *f, int epoch)
{
    heed_model *m = f->model;
    heed_logs logs;
    HEED_TRY(call_back(f, on_epoch_begin, &epoch));
    if (f->order != NULL)
        shuffle(f, epoch);
    HEED_TRY(train_batches(f, epoch == f->config->initial_epoch ? f->config->initial_batch : 0));
    heed_training_logs(m, &logs);
    memcpy(f->values, logs.values, (size_t)f->count * sizeof *f->values);
    epoch_end end = {epoch, {.count = f->count, .names = f->names, .values = f->values}};
    if (f->validation.end > f->validation.begin) {
        HEED_TRY(evaluate_rows(m, &f->validation, f->validation_batch_size));
        heed_training_logs(m, &logs);
        memcpy(f->values + f->count, logs.values, (size_t)f->count * sizeof *f->values);
        end.logs.count = 2 * f->count;
    }
    if (f->config->history != NULL)
        HEED_TRY(heed_history_add(m->context, f->config->history, epoch, &end.logs));
    return call_back(f, on_epoch_end, &end);
}

static heed_status fit(fitting *f, const heed_arrays *x, const heed_arrays *y)
{
    heed_model *m = f->model;
    const heed_fit_config *o = f->config;
    HEED_TRY(heed_model_ready_for(m, x));
    HEED_TRY(heed_optimizer_build(m));
    HEED_TRY(find_rows(m, x, y, o->sample_weight, &f->train));
    HEED_TRY(weigh_classes(m, o, &f->train));
    HEED_TRY(find_validation(f));
    HEED_TRY(prepare_order(f));
    HEED_TRY(prepare_logs(f));
    m->interrupted = 0;
    m->stopping = false;
    HEED_TRY(call_back(f, on_train_begin, NULL));
    heed_status status = HEED_OK;
    int epochs = o->epochs > 0 ? o->epochs : 1;
    for (int epoch = o->initial_epoch; epoch < epochs && status == HEED_OK && !m->stopping; epoch++)
        status = run_epoch(f, epoch);
    if (status == HEED_OK)
        heed_optimizer_finish(m->training->optimizer);
    if (status == HEED_OK || status == HEED_EINTERRUPTED) {
        heed_status ended = call_back(f, on_train_end, NULL);
        status = status == HEED_OK ? ended : status;
    }
    return status;
}

heed_status heed_fit_with(heed_model *m, const heed_arrays *x, const heed_arrays *y, const heed_fit_config *config)
{
    HEED_TRY(heed_model_status(m));
    fitting f = {.model = m, .config = config, .batch_size = config->batch_size > 0 ? config->batch_size : 32};
    f.validation_batch_size = config->validation_batch_size > 0 ? config->validation_batch_size : f.batch_size;
    heed_zone_init(&f.zone, m->context);
    heed_status status = fit(&f, x, y);
    for (int i = 0; i < 3; i++)
        if (f.gathers[i].context != NULL)
            heed_gather_free(&f.gathers[i]);
    heed_release(m->context, f.order);
    if (config->validation_x != NULL)
        free_rows(&f.validation);
    free_rows(&f.train);
    heed_zone_free(&f.zone);
    return status;
}

void heed_interrupt(heed_model *m) { m->interrupted = 1; }
void heed_stop_training(heed_model *m) { m->stopping = true; }
