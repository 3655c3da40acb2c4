/* What a run writes for those who look at it: event files for TensorBoard, and a history as a table. */
#include "seq2seq/trainer.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

static const double seconds_between_events = 1;

/* ---- event files */

static heed_status open_events(heed_trainer *t, const char *folder, const char *name, heed_events **out)
{
    heed_text path = {.context = t->context};
    heed_text_printf(&path, "%s/%s", folder, name);
    heed_status status = heed_text_status(&path);
    if (status == HEED_OK)
        status = heed_events_open(t->context, path.bytes, out);
    heed_text_free(&path);
    if (status == HEED_OK && t->resumed)
        status = heed_events_resume(*out, (int64_t)t->state.step);
    return status;
}

/* The steps since the last event: their mean loss, their speed. */
static heed_status write_steps(heed_trainer *t)
{
    heed_train_log *log = &t->log;
    const heed_run_state *s = &t->state;
    const struct {
        const char *tag;
        double      value;
    } scalars[] = {
        {"loss", log->loss / log->steps},
        {"learning_rate", t->progress.learning_rate},
        {"tokens_per_second", (s->tokens - log->tokens) / (s->step_seconds - log->seconds)},
        {"epoch", t->progress.epoch},
    };
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        HEED_TRY(heed_events_scalar(log->training, scalars[i].tag, scalars[i].value, t->progress.step));
    log->loss = log->steps = 0;
    log->tokens = s->tokens;
    log->seconds = s->step_seconds;
    return heed_events_flush(log->training);
}

/* What a validation measured, by the names that it has here and in the history. */
typedef struct measured {
    const char *name;
    double      value;
} measured;
enum { MEASURES = 4 };

static void list_measures(const heed_validation *v, measured out[MEASURES])
{
    memcpy(out, (const measured[]){{"loss", v->loss}, {"exact_match", v->exact}, {"bleu", v->bleu}, {"chrf", v->chrf}},
           MEASURES * sizeof *out);
}

static heed_status write_validation(heed_trainer *t)
{
    measured all[MEASURES];
    list_measures(&t->progress.validation, all);
    for (int i = 0; i < MEASURES; i++)
        if (all[i].value >= 0)
            HEED_TRY(heed_events_scalar(t->log.validation, all[i].name, all[i].value, t->progress.step));
    return heed_events_flush(t->log.validation);
}

/* ---- history */

/* A line: numbers, or the names of them that come first. */
static heed_status write_history(heed_trainer *t)
{
    heed_text *h = &t->log.history;
    const heed_train_progress *p = &t->progress;
    int measures = t->validation.count > 0 ? MEASURES : 0;
    measured all[MEASURES];
    list_measures(&p->validation, all);
    if (h->length == 0) {
        heed_text_printf(h, "epoch,step,seconds,loss");
        for (int i = 0; i < measures; i++)
            if (all[i].value >= 0)
                heed_text_printf(h, ",val_%s", all[i].name);
        heed_text_printf(h, ",learning_rate,tokens_per_second\n");
    }
    heed_text_printf(h, "%.6g,%lld,%.3f,%.6g", p->epoch, (long long)p->step, p->seconds, p->loss);
    for (int i = 0; i < measures; i++)
        if (all[i].value >= 0)
            heed_text_printf(h, ",%.6g", all[i].value);
    heed_text_printf(h, ",%.6g,%.0f\n", p->learning_rate, p->tokens_per_second);
    HEED_TRY(heed_text_status(h));
    return heed_file_write(t->context, t->log.history_path, h->bytes, h->length);
}

/* ---- the run */

heed_status heed_train_log_open(heed_trainer *t, const heed_train_config *config)
{
    heed_train_log *log = &t->log;
    log->tokens = t->state.tokens;
    log->seconds = t->state.step_seconds;
    if (config->tensorboard != NULL) {
        HEED_TRY(open_events(t, config->tensorboard, "train", &log->training));
        if (t->validation.count > 0)
            HEED_TRY(open_events(t, config->tensorboard, "validation", &log->validation));
    }
    if (config->history == NULL)
        return HEED_OK;
    heed_output trial; /* better now than after the first validation */
    HEED_TRY(heed_output_open(t->context, config->history, &trial));
    heed_output_abandon(&trial);
    log->history_path = heed_strdup(t->context, config->history);
    return log->history_path == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_train_log_step(heed_trainer *t, double loss)
{
    heed_train_log *log = &t->log;
    bool milestone = t->progress.milestone, validated = milestone && t->validation.count > 0;
    log->loss += loss;
    log->steps++;
    double now = heed_seconds();
    if (log->training != NULL && (milestone || now - log->written >= seconds_between_events)) {
        log->written = now;
        HEED_TRY(write_steps(t));
    }
    if (log->validation != NULL && validated)
        HEED_TRY(write_validation(t));
    return log->history_path != NULL && milestone ? write_history(t) : HEED_OK;
}

void heed_train_log_close(heed_trainer *t)
{
    heed_events_close(t->log.validation);
    heed_events_close(t->log.training);
    heed_release(t->context, t->log.history_path);
    heed_text_free(&t->log.history);
}
