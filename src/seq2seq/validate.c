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

typedef struct comparison {
    const heed_examples *examples;
    int64_t              right;
} comparison;

static heed_status compare(void *user, int64_t example, const int32_t *ids, int length)
{
    comparison *c = user;
    c->right += length == c->examples->target_lengths[example] &&
                memcmp(ids, heed_example(c->examples, example, 1), (size_t)length * sizeof *ids) == 0;
    return HEED_OK;
}

/* Share of the first `count` validation pairs that are exactly right. */
static heed_status exact_match(heed_trainer *t, int64_t count, double *out)
{
    comparison c = {&t->validation, 0};
    HEED_TRY(decode(t, count, compare, &c));
    *out = (double)c.right / (double)count;
    return HEED_OK;
}

typedef struct scoring {
    const heed_trainer *trainer;
    heed_scorer        *scorer;
} scoring;

/* The reference is what the target's tokens read as. */
static heed_status score(void *user, int64_t example, const int32_t *ids, int length)
{
    const scoring *s = user;
    const heed_tokenizer *target = s->trainer->translator->target;
    const heed_examples *e = &s->trainer->validation;
    char *hypothesis = NULL, *reference = NULL;
    heed_status status = heed_tokenizer_decode(target, ids, (size_t)length, &hypothesis);
    if (status == HEED_OK)
        status =
            heed_tokenizer_decode(target, heed_example(e, example, 1), (size_t)e->target_lengths[example], &reference);
    if (status == HEED_OK)
        status = heed_scorer_add(s->scorer, hypothesis, reference);
    heed_free(s->trainer->context, reference);
    heed_free(s->trainer->context, hypothesis);
    return status;
}

/* BLEU or chrF, 0..100. */
static heed_status corpus_score(heed_trainer *t, int64_t count, double *out)
{
    scoring s = {t, NULL};
    HEED_TRY(heed_scorer_create(t->context, &(heed_scorer_config){.tokenize = settings_of(t)->bleu_tokens}, &s.scorer));
    heed_status status = decode(t, count, score, &s);
    heed_scores scores = heed_scorer_result(s.scorer);
    *out = strcmp(settings_of(t)->validate_by, "bleu") == 0 ? scores.bleu : scores.chrf;
    heed_scorer_free(s.scorer);
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
        double valid = (double)heed_trainer_fill(t, &t->validation, &b, &full);
        status = heed_test_on_batch(t->model, &full.batch, NULL);
        total += valid * heed_batch_loss(t->model);
        tokens += valid;
    }
    heed_batches_free(batches);
    *out = total / tokens;
    return status;
}

static heed_status measure(heed_trainer *t, int64_t count, double *out)
{
    const char *by = settings_of(t)->validate_by;
    return strcmp(by, "loss") == 0 ? mean_loss(t, count, out)
           : strcmp(by, "exact") == 0 ? exact_match(t, count, out)
                                      : corpus_score(t, count, out);
}

static bool better(const heed_trainer *t, double score_now)
{
    bool less = strcmp(settings_of(t)->validate_by, "loss") == 0;
    return t->state.validations == 0 || (less ? score_now <= t->state.best : score_now >= t->state.best);
}

/* Counts these weights in, if this is one of the run's last validations. */
static void count_in(heed_trainer *t)
{
    const heed_recipe_settings *s = settings_of(t);
    double left = (t->state.steps - t->state.step) / fmax(t->state.steps, 1) * s->validations;
    if (t->mean != NULL && left < s->average - 0.5)
        heed_average_weights(t->model, 1 / ++t->state.averaged, t->mean);
}

static heed_status try_weights(heed_trainer *t, double *out)
{
    int64_t all = t->validation.count, some = settings_of(t)->validation_lines;
    HEED_TRY(measure(t, some < all ? some : all, out));
    t->state.worse++;
    if (better(t, *out)) {
        t->state.best = *out;
        t->state.worse = 0;
        heed_keep_weights(t->model, t->best);
    }
    t->state.validations++;
    return HEED_OK;
}

heed_status heed_trainer_validate(heed_trainer *t)
{
    if (t->validation.count == 0)
        return HEED_OK;
    count_in(t);
    bool average = t->state.averaged > 1;
    double now;
    if (average)
        heed_swap_weights(t->model, t->mean);
    heed_status status = try_weights(t, &now);
    if (average)
        heed_swap_weights(t->model, t->mean);
    HEED_TRY(status);
    if (settings_of(t)->patience > 0 && t->state.worse >= settings_of(t)->patience)
        t->state.steps = t->state.step; /* the run is over */
    if (heed_trainer_finished(t)) {
        heed_swap_weights(t->model, t->best);
        status = measure(t, t->validation.count, &now);
        heed_swap_weights(t->model, t->best);
    }
    t->progress.validated = true;
    t->progress.validation = now;
    t->progress.validation_best = t->state.best;
    return status;
}
