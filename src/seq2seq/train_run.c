/* The steps of a training run: batches, the rate's schedule, when to validate and to save. */
#include "seq2seq/trainer.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

/* The plan of a run by minutes is looked at anew after so many steps. */
enum { PLAN_STEPS = 25 };

bool heed_trainer_finished(const heed_trainer *t) { return t->state.steps > 0 && t->state.step >= t->state.steps; }

/* ---- steps */

/* What is left of the highest rate after `done` of the planned steps, a share of them; step counts from 1. */
static double rate_left(const heed_recipe_settings *s, double step, double done)
{
    if (strcmp(s->schedule, "linear") == 0)
        return 1 - (1 - s->final_rate) * done;
    if (strcmp(s->schedule, "cosine") == 0)
        return s->final_rate + (1 - s->final_rate) * 0.5 * (1 + cos(acos(-1.0) * done));
    if (strcmp(s->schedule, "inverse_root") == 0) /* Vaswani et al. 2017, equation 3 */
        return sqrt(fmin(1, fmax(s->warmup_steps, 1) / step));
    return 1;
}

static double rate_at(const heed_trainer *t)
{
    const heed_recipe_settings *s = t->translator->recipe.settings;
    double step = t->state.step + 1, planned = t->state.steps > 0 ? t->state.steps : INFINITY;
    double warm = s->warmup_steps > 0 && step < s->warmup_steps ? step / s->warmup_steps : 1;
    return s->learning_rate * warm * rate_left(s, step, fmin(step / planned, 1));
}

static heed_status start_epoch(heed_trainer *t)
{
    heed_batches_free(t->batches);
    t->batches = NULL;
    return heed_trainer_make_batches(t, &t->training, t->training.count, (uint64_t)t->state.epoch, &t->batches);
}

static heed_status next_batch(heed_trainer *t, heed_text_batch *out)
{
    if (t->batches == NULL) /* the first step of this process, maybe in the midst of an epoch */
        HEED_TRY(start_epoch(t));
    if ((int64_t)t->state.batch >= heed_batches_count(t->batches)) {
        t->state.epoch++;
        t->state.batch = 0;
        HEED_TRY(start_epoch(t));
    }
    *out = heed_batches_get(t->batches, (int64_t)t->state.batch);
    return HEED_OK;
}

/* A run that stays this many times worse than guessing, which costs ln(tokens), is lost. The mean is over all steps at
 * first, then over about as many as MEAN_SHARE says. */
static const double HOPELESS = 10, MEAN_SHARE = 0.02;

static heed_status follow_loss(heed_trainer *t, double loss)
{
    double share = fmax(1 / (t->state.step + 1),
                        MEAN_SHARE), guessing = log(heed_tokenizer_size(t->translator->target));
    t->state.loss += share * (loss - t->state.loss);
    if (isfinite(loss) && t->state.loss < HOPELESS * guessing)
        return HEED_OK;
    heed_fail(t->context, HEED_EDIVERGED, "training diverged at step %.0f (the loss is %g, guessing would give %.3g)",
              t->state.step + 1, loss, guessing);
    heed_hint(t->context, "try a smaller learning rate: --set learning_rate=%g",
              t->translator->recipe.settings->learning_rate / 3);
    return HEED_EDIVERGED;
}

static heed_status train_step(heed_trainer *t)
{
    heed_text_batch b;
    HEED_TRY(next_batch(t, &b));
    heed_trainer_batch full;
    int64_t tokens = heed_trainer_fill(t, &t->training, &b, &full);
    full.batch.label_smoothing = t->translator->recipe.settings->label_smoothing;
    HEED_TRY(heed_set_learning_rate(t->model, t->progress.learning_rate = rate_at(t)));
    HEED_TRY(heed_train_on_batch(t->model, &full.batch, NULL));
    HEED_TRY(follow_loss(t, heed_batch_loss(t->model)));
    t->tokens += tokens;
    t->state.step++;
    t->state.batch++;
    return HEED_OK;
}

/* ---- the run */

static void report(heed_trainer *t, double started)
{
    heed_train_progress *p = &t->progress;
    double seconds = t->state.seconds + heed_seconds() - started;
    p->step = (int64_t)t->state.step;
    p->steps = (int64_t)t->state.steps;
    p->epoch = t->state.epoch + t->state.batch / (double)t->batches_an_epoch;
    p->loss = t->state.loss;
    p->seconds = seconds;
    p->tokens_per_second = (double)t->tokens / fmax(heed_seconds() - t->tokens_since, 1e-9);
    p->seconds_left = t->state.minutes > 0 ? fmax(60 * t->state.minutes - seconds, 0)
                      : t->state.steps > 0 ? seconds / t->state.step * (t->state.steps - t->state.step)
                                           : NAN;
    if (t->report != NULL)
        t->report(t->user, p);
    p->validated = false;
}

/* With minutes to spend, the number of steps follows from the speed so far. */
static void look_at_plan(heed_trainer *t, double seconds)
{
    double budget = 60 * t->state.minutes;
    if (t->state.minutes <= 0)
        return;
    if (seconds >= budget)
        t->state.steps = t->state.step;
    else if (fmod(t->state.step, PLAN_STEPS) == 0)
        t->state.steps = fmax(t->state.step + 1, floor(t->state.step * budget / seconds));
}

heed_status heed_trainer_run(heed_trainer *t)
{
    double started = heed_seconds(), saved = started;
    t->tokens = 0;
    t->tokens_since = started;
    heed_status status = HEED_OK;
    while (status == HEED_OK && !heed_trainer_finished(t)) {
        status = train_step(t);
        if (status != HEED_OK)
            break;
        look_at_plan(t, t->state.seconds + heed_seconds() - started);
        bool validation_due = t->state.steps > 0 && t->state.step >= t->state.next_validation;
        if (heed_trainer_finished(t) || (validation_due && t->state.next_validation > 0))
            status = heed_trainer_validate(t);
        if (validation_due)
            t->state.next_validation =
                t->state.step + fmax(1, floor(t->state.steps / t->translator->recipe.settings->validations));
        report(t, started);
        bool stop = atomic_exchange(&t->stop, false);
        bool due = t->checkpoint != NULL && heed_seconds() - saved >= t->checkpoint_seconds;
        if (status == HEED_OK && (due || stop || heed_trainer_finished(t))) {
            double seconds = t->state.seconds;
            t->state.seconds += heed_seconds() - started;
            status = heed_checkpoint_save(t);
            t->state.seconds = seconds;
            saved = heed_seconds();
        }
        if (status == HEED_OK && stop && !heed_trainer_finished(t))
            status = heed_fail(t->context, HEED_EINTERRUPTED, "training was interrupted after step %.0f",
                               t->state.step);
    }
    t->state.seconds += heed_seconds() - started;
    return status;
}

heed_status heed_trainer_save(heed_trainer *t, const char *path)
{
    bool kept = t->best != NULL && t->state.validations > 0;
    if (kept)
        heed_swap_weights(t->model, t->best);
    heed_status status = heed_save(t->model, path);
    if (kept)
        heed_swap_weights(t->model, t->best);
    return status;
}
