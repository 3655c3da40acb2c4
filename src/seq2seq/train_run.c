/* The steps of a training run: batches, the rate's schedule, when to validate and to save. */
#include "seq2seq/trainer.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

/* The plan of a run by minutes is looked at anew after so many steps. */
enum { PLAN_STEPS = 25 };

bool heed_trainer_finished(const heed_trainer *t)
{
    return t->state.over || (t->state.steps > 0 && t->state.step >= t->state.steps);
}

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

/* A short run does not spend more than this share of its steps on its warm-up. */
static const double WARMUP_SHARE = 0.2;

static double rate_at(const heed_trainer *t)
{
    const heed_recipe_settings *s = t->translator->recipe.settings;
    double step = t->state.step + 1, planned = t->state.steps > 0 ? t->state.steps : INFINITY;
    double rising = fmin(s->warmup_steps, WARMUP_SHARE * planned), warm = step < rising ? step / rising : 1;
    return s->learning_rate * warm * rate_left(s, step, fmin(step / planned, 1));
}

static heed_status next_batch(heed_trainer *t, heed_text_batch *out)
{
    if (t->batches == NULL) /* the first step of this process, maybe in the midst of an epoch */
        HEED_TRY(heed_trainer_start_epoch(t));
    if ((int64_t)t->state.batch >= heed_batches_count(t->batches)) {
        t->state.epoch++;
        t->state.batch = 0;
        HEED_TRY(heed_trainer_start_epoch(t));
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
    double started = heed_seconds();
    heed_text_batch b;
    HEED_TRY(next_batch(t, &b));
    const heed_recipe_settings *s = t->translator->recipe.settings;
    const heed_examples *examples = heed_trainer_recuts(t) ? &t->cut : &t->training;
    heed_trainer_batch full;
    int64_t tokens;
    HEED_TRY(heed_trainer_fill(t, examples, &b, s->r_drop > 0, &full, &tokens));
    full.batch.label_smoothing = s->label_smoothing;
    full.batch.consistency = s->r_drop;
    HEED_TRY(heed_set_learning_rate(t->model, t->progress.learning_rate = rate_at(t)));
    HEED_TRY(heed_train_on_batch(t->model, &full.batch, NULL));
    HEED_TRY(follow_loss(t, heed_batch_loss(t->model)));
    t->state.tokens += (double)tokens;
    t->state.step_seconds += heed_seconds() - started;
    t->state.step++;
    t->state.batch++;
    return HEED_OK;
}

/* ---- the run */

/* Passes over the data. */
static double epochs_done(const heed_trainer *t)
{
    double batches = t->batches != NULL ? (double)heed_batches_count(t->batches) : (double)t->batches_an_epoch;
    return t->state.epoch + t->state.batch / batches;
}

void heed_trainer_tell(heed_trainer *t, double seconds)
{
    heed_train_progress *p = &t->progress;
    const heed_run_state *s = &t->state;
    double speed = s->minutes > 0 || s->steps == 0 || s->step == 0 ? NAN : seconds / s->step;
    p->step = (int64_t)s->step;
    p->steps = (int64_t)s->steps;
    p->epoch = epochs_done(t);
    p->loss = s->loss;
    p->seconds = seconds;
    p->seconds_left = s->minutes > 0 ? fmax(60 * s->minutes - seconds, 0) : speed * (s->steps - s->step);
    p->tokens = (int64_t)s->tokens;
    p->tokens_per_second = (s->tokens - t->tokens_before) / fmax(s->step_seconds - t->seconds_before, 1e-9);
    p->best = heed_trainer_best(t);
    p->worse = (int64_t)s->worse;
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

/* The seconds of the run, this process's share of which began at `started`. */
static double spent(const heed_trainer *t, double started) { return t->state.seconds + heed_seconds() - started; }

/* Whether the weights are to be tried now: at even distances, and at the end. The first plan of a run by minutes comes
 * with its first steps. */
static bool validation_is_due(heed_trainer *t)
{
    heed_run_state *s = &t->state;
    double between = fmax(1, round(s->steps / t->translator->recipe.settings->validations));
    bool planned = s->next_validation > 0, due = s->steps > 0 && s->step >= s->next_validation;
    bool soon_over = s->steps - s->step < between / 2;
    if (due)
        s->next_validation = soon_over || s->steps - s->step < 1.5 * between ? s->steps : s->step + between;
    return heed_trainer_finished(t) || (due && planned && !soon_over);
}

/* What comes after a step: validation, and the report of both. */
static heed_status look_back(heed_trainer *t, double started)
{
    bool validates = t->validation.count > 0, last_batch = (int64_t)t->state.batch == heed_batches_count(t->batches);
    bool due = validation_is_due(t);
    if (validates && due)
        HEED_TRY(heed_trainer_validate(t));
    if (heed_trainer_finished(t))
        HEED_TRY(heed_trainer_validate_best(t));
    t->progress.milestone = validates ? due : last_batch || heed_trainer_finished(t);
    heed_trainer_tell(t, spent(t, started));
    HEED_TRY(heed_train_log_step(t, heed_batch_loss(t->model)));
    if (t->report != NULL)
        t->report(t->user, &t->progress);
    t->progress.milestone = false;
    return HEED_OK;
}

static heed_status save_run(heed_trainer *t, double started)
{
    double seconds = t->state.seconds;
    t->state.seconds = spent(t, started);
    heed_status status = heed_checkpoint_save(t);
    t->state.seconds = seconds;
    return status;
}

heed_status heed_trainer_run(heed_trainer *t)
{
    double started = heed_seconds(), saved = started;
    heed_status status = HEED_OK;
    while (status == HEED_OK && !heed_trainer_finished(t)) {
        status = train_step(t);
        if (status != HEED_OK)
            break;
        look_at_plan(t, spent(t, started));
        status = look_back(t, started);
        bool stop = atomic_exchange(&t->stop, false);
        bool due = t->checkpoint != NULL && heed_seconds() - saved >= t->checkpoint_seconds;
        if (status == HEED_OK && (due || stop || heed_trainer_finished(t))) {
            status = save_run(t, started);
            saved = heed_seconds();
        }
        if (status == HEED_OK && stop && !heed_trainer_finished(t))
            status = heed_fail(t->context, HEED_EINTERRUPTED, "training was interrupted after step %.0f",
                               t->state.step);
    }
    t->state.seconds = spent(t, started);
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
