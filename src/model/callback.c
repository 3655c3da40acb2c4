/* Callbacks that come with heed. */
#include "base/file.h"
#include "base/number.h"
#include "model/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void heed_callback_free(heed_callback *callback)
{
    if (callback != NULL && callback->free != NULL)
        callback->free(callback);
}

/* ---- watching a result */

/* Whether what is watched got better. */
typedef struct watch {
    const char *monitor;
    bool        rises;
    double      delta, best;
    bool        warned;
} watch;

/* Keras tells by the metric; so does this, by the metric's name. */
static bool rises_by_name(const char *monitor)
{
    static const char *const rising[] = {"accuracy",          "acc",     "auc", "precision", "recall", "f1",
                                         "cosine_similarity", "fmeasure"};
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        size_t length = strlen(monitor), part = strlen(rising[i]);
        if (length >= part && strcmp(monitor + length - part, rising[i]) == 0)
            return true;
    }
    return false;
}

static heed_status watch_start(heed_context *c, const char *who, watch *w, const char *monitor, const char *mode,
                               double delta)
{
    w->monitor = monitor;
    if (mode != NULL && strcmp(mode, "min") != 0 && strcmp(mode, "max") != 0)
        return heed_fail(c, HEED_EINVAL, "%s: mode is not one of its words (expected min, max or none, found %s)", who,
                         mode);
    w->rises = mode == NULL ? rises_by_name(monitor) : strcmp(mode, "max") == 0;
    w->delta = fabs(delta);
    w->best = w->rises ? -INFINITY : INFINITY;
    return HEED_OK;
}

static bool is_better(const watch *w, double value, double than)
{
    return w->rises ? value - w->delta > than : value + w->delta < than;
}

/* The watched value; false, with a warning once, when the logs have none. */
static bool watch_value(watch *w, const heed_model *m, const heed_logs *logs, double *value)
{
    *value = heed_logs_get(logs, w->monitor, NAN);
    for (int i = 0; i < logs->count; i++)
        if (strcmp(logs->names[i], w->monitor) == 0)
            return true;
    if (!w->warned)
        heed_log(m->context, HEED_LOG_WARNING, "%s: no result of this name to watch", w->monitor);
    w->warned = true;
    return false;
}

/* ---- memory that all callbacks here begin with */

typedef struct own {
    heed_callback callback;
    heed_context *context;
    heed_zone     zone;
} own;

static void free_own(heed_callback *callback)
{
    own *o = (own *)callback;
    heed_zone_free(&o->zone);
    heed_release(o->context, o);
}

/* A callback whose struct begins with `own`; texts are kept in its zone. */
static void *make_own(heed_context *c, size_t size)
{
    own *o = heed_alloc(c, 1, size);
    if (o == NULL)
        return NULL;
    o->context = c;
    heed_zone_init(&o->zone, c);
    o->callback.user = o;
    o->callback.free = free_own;
    return o;
}

static heed_status finish_own(void *callback, heed_status status, heed_callback **out)
{
    own *o = callback;
    *out = status == HEED_OK ? &o->callback : NULL;
    if (status != HEED_OK)
        o->callback.free(&o->callback);
    return status;
}

static const char *keep_text(void *callback, const char *text, const char *otherwise)
{
    own *o = callback;
    return heed_zone_strdup(&o->zone, text == NULL ? otherwise : text);
}

/* ---- early stopping */

typedef struct early_stopping {
    own    own;
    watch  watch;
    heed_early_stopping_config config;
    int    wait;
    bool   has_best;
    float *best; /* all weights, one behind the other */
} early_stopping;

static heed_status copy_weights(early_stopping *e, const heed_model *m, bool back)
{
    int64_t total = heed_parameter_count(m, false), at = 0;
    if (e->best == NULL && (e->best = heed_alloc_raw(m->context, (size_t)total, sizeof *e->best)) == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        size_t bytes = (size_t)v->count * sizeof *v->data;
        memcpy(back ? v->data : e->best + at, back ? e->best + at : v->data, bytes);
        at += v->count;
    }
    e->has_best = true;
    return HEED_OK;
}

static void free_early_stopping(heed_callback *callback)
{
    early_stopping *e = (early_stopping *)callback;
    heed_release(e->own.context, e->best);
    free_own(callback);
}

static heed_status early_stopping_begin(void *user, heed_model *m)
{
    early_stopping *e = user;
    e->wait = 0;
    e->has_best = false;
    e->watch.best = e->watch.rises ? -INFINITY : INFINITY;
    return HEED_OK;
}

static heed_status early_stopping_epoch(void *user, heed_model *m, int epoch, const heed_logs *logs)
{
    early_stopping *e = user;
    const heed_early_stopping_config *o = &e->config;
    double value;
    if (!watch_value(&e->watch, m, logs, &value) || epoch < o->start_from_epoch)
        return HEED_OK;
    if (o->restore_best_weights && !e->has_best) /* in case nothing ever gets better */
        HEED_TRY(copy_weights(e, m, false));
    e->wait++;
    if (is_better(&e->watch, value, e->watch.best)) {
        e->watch.best = value;
        if (o->restore_best_weights)
            HEED_TRY(copy_weights(e, m, false));
        if (!o->has_baseline || is_better(&e->watch, value, o->baseline))
            e->wait = 0;
        return HEED_OK;
    }
    if (e->wait >= o->patience && epoch > 0)
        heed_stop_training(m);
    return HEED_OK;
}

static heed_status early_stopping_end(void *user, heed_model *m)
{
    early_stopping *e = user;
    return e->config.restore_best_weights && e->has_best ? copy_weights(e, m, true) : HEED_OK;
}

heed_status heed_early_stopping_with(heed_context *c, const heed_early_stopping_config *config, heed_callback **out)
{
    early_stopping *e = make_own(c, sizeof *e);
    *out = NULL;
    if (e == NULL)
        return HEED_ENOMEM;
    e->config = *config;
    e->own.callback.free = free_early_stopping;
    e->own.callback.train_begin = early_stopping_begin;
    e->own.callback.epoch_end = early_stopping_epoch;
    e->own.callback.train_end = early_stopping_end;
    const char *monitor = keep_text(e, config->monitor, "val_loss");
    heed_status status = monitor == NULL
                             ? HEED_ENOMEM
                             : watch_start(c, "early_stopping", &e->watch, monitor, config->mode, config->min_delta);
    return finish_own(e, status, out);
}

/* ---- reducing the learning rate */

typedef struct plateau {
    own    own;
    watch  watch;
    heed_reduce_on_plateau_config config;
    int    wait, cooldown;
} plateau;

static heed_status plateau_begin(void *user, heed_model *m)
{
    plateau *p = user;
    p->wait = p->cooldown = 0;
    p->watch.best = p->watch.rises ? -INFINITY : INFINITY;
    return HEED_OK;
}

static heed_status plateau_epoch(void *user, heed_model *m, int epoch, const heed_logs *logs)
{
    plateau *p = user;
    double value, rate = heed_learning_rate(m);
    if (!watch_value(&p->watch, m, logs, &value))
        return HEED_OK;
    if (p->cooldown > 0) {
        p->cooldown--;
        p->wait = 0;
    }
    if (is_better(&p->watch, value, p->watch.best)) {
        p->watch.best = value;
        p->wait = 0;
    } else if (p->cooldown == 0 && ++p->wait >= p->config.patience && (float)rate > (float)p->config.min_lr) {
        HEED_TRY(heed_set_learning_rate(m, fmax(rate * p->config.factor, p->config.min_lr)));
        p->cooldown = p->config.cooldown;
        p->wait = 0;
    }
    return HEED_OK;
}

heed_status heed_reduce_on_plateau_with(heed_context *c, const heed_reduce_on_plateau_config *config,
                                        heed_callback **out)
{
    plateau *p = make_own(c, sizeof *p);
    *out = NULL;
    if (p == NULL)
        return HEED_ENOMEM;
    p->config = *config;
    p->config.factor = config->factor == 0.0 ? 0.1 : config->factor;
    p->config.patience = config->patience == 0 ? 10 : config->patience;
    p->own.callback.train_begin = plateau_begin;
    p->own.callback.epoch_end = plateau_epoch;
    const char *monitor = keep_text(p, config->monitor, "val_loss");
    heed_status status = HEED_OK;
    if (!(p->config.factor > 0.0 && p->config.factor < 1.0))
        status = heed_fail(c, HEED_EINVAL, "reduce_on_plateau: factor is out of range (expected (0,1), found %g)",
                           config->factor);
    else if (monitor == NULL)
        status = HEED_ENOMEM;
    else
        status = watch_start(c, "reduce_on_plateau", &p->watch, monitor, config->mode,
                             config->min_delta == 0.0 ? 1e-4 : config->min_delta);
    return finish_own(p, status, out);
}

/* ---- not a number */

static heed_status stop_on_nan(void *user, heed_model *m, int64_t batch, int64_t batches, const heed_logs *logs)
{
    double loss = heed_batch_loss(m);
    if (isfinite(loss))
        return HEED_OK;
    heed_status status =
        heed_fail(m->context, HEED_EDIVERGED, "%s: the loss is %s after %llu steps", heed_model_name(m),
                  isnan(loss) ? "not a number" : "infinite", (unsigned long long)m->step);
    heed_hint(m->context, "try a smaller learning rate, or clipnorm");
    return status;
}

heed_status heed_terminate_on_nan(heed_context *c, heed_callback **out)
{
    own *o = make_own(c, sizeof *o);
    *out = NULL;
    if (o == NULL)
        return HEED_ENOMEM;
    o->callback.batch_end = stop_on_nan;
    return finish_own(o, HEED_OK, out);
}

/* ---- a rate for each epoch */

typedef struct rate_schedule {
    own own;
    double (*schedule)(void *user, int epoch, double rate);
    void *user;
} rate_schedule;

static heed_status set_rate(void *user, heed_model *m, int epoch)
{
    rate_schedule *s = user;
    return heed_set_learning_rate(m, s->schedule(s->user, epoch, heed_learning_rate(m)));
}

heed_status heed_rate_schedule(heed_context *c, double (*schedule)(void *user, int epoch, double rate), void *user,
                               heed_callback **out)
{
    rate_schedule *s = make_own(c, sizeof *s);
    *out = NULL;
    if (s == NULL)
        return HEED_ENOMEM;
    s->schedule = schedule;
    s->user = user;
    s->own.callback.epoch_begin = set_rate;
    return finish_own(s, HEED_OK, out);
}

/* ---- a line an epoch */

typedef struct csv_log {
    own         own;
    const char *path;
    bool        append;
    heed_text   text;    /* the whole file, written anew each epoch, so that it is always whole */
    char      **names;   /* of the columns behind "epoch", sorted */
    int         count;
} csv_log;

static void free_csv_log(heed_callback *callback)
{
    csv_log *log = (csv_log *)callback;
    heed_text_free(&log->text);
    free_own(callback);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static heed_status read_before(csv_log *log)
{
    unsigned char *bytes;
    size_t size;
    FILE *there = fopen(log->path, "rb");
    if (there == NULL)
        return HEED_OK;
    fclose(there);
    HEED_TRY(heed_file_read(log->own.context, log->path, SIZE_MAX, &bytes, &size));
    heed_text_append(&log->text, (const char *)bytes, size);
    heed_release(log->own.context, bytes);
    return HEED_OK;
}

static heed_status csv_begin(void *user, heed_model *m)
{
    csv_log *log = user;
    log->names = NULL;
    heed_text_free(&log->text);
    log->text = (heed_text){.context = log->own.context};
    return log->append ? read_before(log) : HEED_OK;
}

/* The columns are those of the first epoch. */
static heed_status csv_head(csv_log *log, const heed_logs *logs)
{
    log->names = heed_zone_alloc(&log->own.zone, (size_t)logs->count, sizeof *log->names);
    if (log->names == NULL)
        return HEED_ENOMEM;
    log->count = logs->count;
    for (int i = 0; i < logs->count; i++)
        if ((log->names[i] = heed_zone_strdup(&log->own.zone, logs->names[i])) == NULL)
            return HEED_ENOMEM;
    qsort(log->names, (size_t)log->count, sizeof *log->names, by_name);
    if (log->text.length > 0) /* behind what another run wrote */
        return HEED_OK;
    heed_text_printf(&log->text, "epoch");
    for (int i = 0; i < log->count; i++)
        heed_text_printf(&log->text, ",%s", log->names[i]);
    heed_text_append(&log->text, "\n", 1);
    return HEED_OK;
}

static heed_status csv_epoch(void *user, heed_model *m, int epoch, const heed_logs *logs)
{
    csv_log *log = user;
    if (log->names == NULL)
        HEED_TRY(csv_head(log, logs));
    heed_text_printf(&log->text, "%d", epoch);
    for (int i = 0; i < log->count; i++) {
        char number[HEED_NUMBER_SIZE];
        double value = heed_logs_get(logs, log->names[i], NAN);
        heed_number_write_double(value, number);
        heed_text_printf(&log->text, ",%s", isnan(value) ? "NA" : number);
    }
    heed_text_append(&log->text, "\n", 1);
    HEED_TRY(heed_text_status(&log->text));
    return heed_file_write(log->own.context, log->path, log->text.bytes, log->text.length);
}

heed_status heed_csv_log(heed_context *c, const char *path, bool append, heed_callback **out)
{
    csv_log *log = make_own(c, sizeof *log);
    *out = NULL;
    if (log == NULL)
        return HEED_ENOMEM;
    log->text.context = c;
    log->append = append;
    log->path = keep_text(log, path, "");
    log->own.callback.free = free_csv_log;
    log->own.callback.train_begin = csv_begin;
    log->own.callback.epoch_end = csv_epoch;
    return finish_own(log, log->path == NULL ? HEED_ENOMEM : HEED_OK, out);
}

/* ---- checkpoints */

typedef struct checkpoint {
    own         own;
    watch       watch;
    const char *path;
    bool        best_only, weights_only;
} checkpoint;

/* {name} or {name:02d}, {name:.3f}: Python's formats, as far as file names need them. */
static heed_status fill_field(checkpoint *p, heed_text *text, const char *field, size_t length, int epoch,
                              const heed_logs *logs)
{
    char name[80], format[16] = "";
    size_t name_length = strcspn(field, ":}");
    snprintf(name, sizeof name, "%.*s", (int)name_length, field);
    if (name_length < length)
        snprintf(format, sizeof format, "%.*s", (int)(length - name_length - 1), field + name_length + 1);
    int width = 0, digits = 6;
    char zero = format[0];
    const char *point = strchr(format, '.');
    sscanf(format, "%d", &width);
    if (point != NULL)
        sscanf(point + 1, "%d", &digits);
    if (strcmp(name, "epoch") == 0) {
        heed_text_printf(text, zero == '0' ? "%0*d" : "%*d", width, epoch + 1);
        return HEED_OK;
    }
    double value = heed_logs_get(logs, name, NAN);
    if (isnan(value))
        return heed_fail(p->own.context, HEED_EINVAL, "%s: no result is called %s", p->path, name);
    heed_text_printf(text, point == NULL ? "%.*g" : "%.*f", digits, value);
    return HEED_OK;
}

static heed_status fill_path(checkpoint *p, heed_text *text, int epoch, const heed_logs *logs)
{
    for (const char *at = p->path; *at != '\0';) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end == NULL) {
            heed_text_append(text, at++, 1);
            continue;
        }
        HEED_TRY(fill_field(p, text, at + 1, (size_t)(end - at - 1), epoch, logs));
        at = end + 1;
    }
    return heed_text_status(text);
}

static heed_status checkpoint_epoch(void *user, heed_model *m, int epoch, const heed_logs *logs)
{
    checkpoint *p = user;
    double value;
    if (p->best_only) {
        if (!watch_value(&p->watch, m, logs, &value) || !is_better(&p->watch, value, p->watch.best))
            return HEED_OK;
        p->watch.best = value;
    }
    heed_text path = {.context = p->own.context};
    heed_status status = fill_path(p, &path, epoch, logs);
    if (status == HEED_OK)
        status = p->weights_only ? heed_save_weights(m, path.bytes) : heed_save(m, path.bytes);
    heed_text_free(&path);
    return status;
}

heed_status heed_checkpoint_with(heed_context *c, const heed_checkpoint_config *config, heed_callback **out)
{
    *out = NULL;
    if (config->path == NULL || config->path[0] == '\0')
        return heed_fail(c, HEED_EINVAL, "checkpoint: path is missing");
    checkpoint *p = make_own(c, sizeof *p);
    if (p == NULL)
        return HEED_ENOMEM;
    p->best_only = config->save_best_only;
    p->weights_only = heed_file_ends_with(config->path, ".weights.h5");
    p->path = keep_text(p, config->path, "");
    p->own.callback.epoch_end = checkpoint_epoch;
    const char *monitor = keep_text(p, config->monitor, "val_loss");
    heed_status status = p->path == NULL || monitor == NULL
                             ? HEED_ENOMEM
                             : watch_start(c, "checkpoint", &p->watch, monitor, config->mode, 0.0);
    return finish_own(p, status, out);
}
