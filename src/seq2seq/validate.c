/* How well the weights of a run do on validation pairs, and which are kept. */
#include "seq2seq/trainer.h"

#include <math.h>
#include <string.h>

/* Lines translated together, among which lengths are sorted. */
enum { VALIDATION_GROUP = 4096 };

static const heed_recipe_settings *settings_of(const heed_trainer *t) { return t->translator->recipe.settings; }

/* Decodes the first `count` validation pairs. */
static heed_status decode(heed_trainer *t, int64_t count, heed_decoded *each, void *user)
{
    for (int64_t i = 0; i < count; i += VALIDATION_GROUP)
        HEED_TRY(heed_decode_examples(t->translator, &t->validation, i,
                                      (int)(count - i < VALIDATION_GROUP ? count - i : VALIDATION_GROUP), each, user));
    return HEED_OK;
}

typedef struct scoring {
    const heed_trainer *trainer;
    heed_scorer        *scorer;
    int64_t             right;
} scoring;

/* The reference is what the target's tokens read as. */
static heed_status score(void *user, int64_t example, const int32_t *ids, int length)
{
    scoring *s = user;
    const heed_tokenizer *target = s->trainer->translator->target;
    const heed_examples *e = &s->trainer->validation;
    const int32_t *expected = heed_example(e, example, 1);
    size_t expected_length = (size_t)e->target_lengths[example];
    s->right += (size_t)length == expected_length && memcmp(ids, expected, expected_length * sizeof *ids) == 0;
    char *hypothesis = NULL, *reference = NULL;
    heed_status status = heed_tokenizer_decode(target, ids, (size_t)length, &hypothesis);
    if (status == HEED_OK)
        status = heed_tokenizer_decode(target, expected, expected_length, &reference);
    if (status == HEED_OK)
        status = heed_scorer_add(s->scorer, hypothesis, reference);
    heed_free(s->trainer->context, reference);
    heed_free(s->trainer->context, hypothesis);
    return status;
}

/* What takes decoding. */
static heed_status score_translations(heed_trainer *t, heed_validation *v)
{
    scoring s = {t, NULL, 0};
    HEED_TRY(heed_scorer_create(t->context, &(heed_scorer_config){.tokenize = settings_of(t)->bleu_tokens}, &s.scorer));
    heed_status status = decode(t, v->pairs, score, &s);
    heed_scores scores = heed_scorer_result(s.scorer);
    heed_scorer_free(s.scorer);
    v->exact = (double)s.right / (double)v->pairs;
    v->bleu = scores.bleu;
    v->chrf = scores.chrf;
    return status;
}

/* Nats a target token of the first `count` pairs, each target given up to its token. */
static heed_status mean_loss(heed_trainer *t, int64_t count, double *out)
{
    heed_batches *batches;
    double total = 0, tokens = 0;
    heed_status status = heed_trainer_make_batches(t, &t->validation, count, 0, &batches);
    for (int64_t i = 0; status == HEED_OK && i < heed_batches_count(batches); i++) {
        heed_text_batch b = heed_batches_get(batches, i);
        heed_trainer_batch full;
        int64_t valid;
        status = heed_trainer_fill(t, &t->validation, &b, false, &full, &valid);
        if (status == HEED_OK)
            status = heed_test_on_batch(t->model, &full.batch, NULL);
        total += (double)valid * heed_batch_loss(t->model);
        tokens += (double)valid;
    }
    heed_batches_free(batches);
    *out = total / tokens;
    return status;
}

/* The first `pairs` pairs. */
static heed_status measure(heed_trainer *t, int64_t pairs, heed_validation *out)
{
    *out = (heed_validation){pairs, (int64_t)t->state.step, -1, -1, -1, -1};
    HEED_TRY(mean_loss(t, pairs, &out->loss));
    return strcmp(settings_of(t)->validate_by, "loss") == 0 ? HEED_OK : score_translations(t, out);
}

/* ---- which weights are kept */

/* What weights are chosen by: the greater, the better. */
static double worth(const heed_trainer *t, const heed_validation *v)
{
    const char *by = settings_of(t)->validate_by;
    return strcmp(by, "loss") == 0 ? -v->loss : strcmp(by, "exact") == 0 ? v->exact : strcmp(by, "bleu") == 0 ? v->bleu : v->chrf;
}

heed_validation heed_trainer_best(const heed_trainer *t)
{
    const heed_run_state *s = &t->state;
    return (heed_validation){(int64_t)s->best_pairs, (int64_t)s->best_step, s->best_loss, s->best_exact, s->best_bleu,
                             s->best_chrf};
}

static void keep_result(heed_trainer *t, const heed_validation *v)
{
    heed_run_state *s = &t->state;
    s->best_pairs = (double)v->pairs;
    s->best_step = (double)v->step;
    s->best_loss = v->loss;
    s->best_exact = v->exact;
    s->best_bleu = v->bleu;
    s->best_chrf = v->chrf;
}

/* How much better than the best so far. */
static double gain(const heed_trainer *t, const heed_validation *now)
{
    heed_validation best = heed_trainer_best(t);
    return t->state.validations == 0 ? INFINITY : worth(t, now) - worth(t, &best);
}

/* The standard error of a score, were it a share of so many right answers; in its own unit. */
static double error_of(const heed_trainer *t, const heed_validation *v)
{
    double most = strcmp(settings_of(t)->validate_by, "exact") == 0 ? 1 : 100, share = worth(t, v) / most;
    return most * sqrt(share * (1 - share) / (double)v->pairs);
}

/* Whether these weights take the place of the best. The greatest of many scores is partly luck; of the last weights' average,
 * which no score has chosen, a score as good within the error will do where the loss, which swings less, speaks for it. */
static bool are_kept(const heed_trainer *t, const heed_validation *now, double gained)
{
    heed_validation best = heed_trainer_best(t);
    return gained >= 0 /* of equals, those that have learnt for longer */
           || (t->state.averaged > 1 && now->loss <= best.loss && gained >= -error_of(t, &best));
}

/* Counts these weights in, if this is one of the run's last validations. */
static void count_in(heed_trainer *t)
{
    const heed_recipe_settings *s = settings_of(t);
    double left = (t->state.steps - t->state.step) / fmax(t->state.steps, 1) * s->validations;
    if (t->mean != NULL && left < s->average - 0.5)
        heed_average_weights(t->model, 1 / ++t->state.averaged, t->mean);
}

static heed_status try_weights(heed_trainer *t, heed_validation *out)
{
    int64_t all = t->validation.count, some = settings_of(t)->validation_lines;
    HEED_TRY(measure(t, some < all ? some : all, out));
    double gained = gain(t, out);
    t->state.worse = gained > 0 ? 0 : t->state.worse + 1;
    if (are_kept(t, out, gained)) {
        keep_result(t, out);
        heed_keep_weights(t->model, t->best);
    }
    t->state.validations++;
    return HEED_OK;
}

/* Ends the run when better weights were not found for too long. */
static void lose_patience(heed_trainer *t)
{
    int64_t patience = settings_of(t)->patience;
    if (patience == 0 || t->state.worse < patience || heed_trainer_finished(t))
        return;
    t->state.over = true;
    heed_log(t->context, HEED_LOG_NOTE, "%lld validations in a row were no better than that after step %.0f: the run ends",
             (long long)patience, t->state.best_step);
}

heed_status heed_trainer_validate(heed_trainer *t)
{
    count_in(t);
    bool average = t->state.averaged > 1;
    if (average)
        heed_swap_weights(t->model, t->mean);
    heed_status status = try_weights(t, &t->progress.validation);
    if (average)
        heed_swap_weights(t->model, t->mean);
    HEED_TRY(status);
    lose_patience(t);
    return HEED_OK;
}

heed_status heed_trainer_validate_best(heed_trainer *t)
{
    if (t->validation.count == 0 || t->state.best_pairs == (double)t->validation.count)
        return HEED_OK;
    heed_validation all;
    heed_swap_weights(t->model, t->best);
    heed_status status = measure(t, t->validation.count, &all);
    heed_swap_weights(t->model, t->best);
    all.step = (int64_t)t->state.best_step;
    if (status == HEED_OK)
        keep_result(t, &all);
    return status;
}
