/* How well the weights of a run do, by translating. */
#include "seq2seq/trainer.h"

/* Lines translated together, among which lengths are sorted. */
enum { VALIDATION_GROUP = 4096 };

/* Share of the first `count` validation pairs that greedy decoding gets exactly right. */
static heed_status exact_match(heed_trainer *t, int64_t count, double *out)
{
    int64_t right = 0;
    for (int64_t i = 0; i < count; i += VALIDATION_GROUP)
        HEED_TRY(heed_count_exact(t->translator, &t->validation, i,
                                  (int)(count - i < VALIDATION_GROUP ? count - i : VALIDATION_GROUP), &right));
    *out = (double)right / (double)count;
    return HEED_OK;
}

heed_status heed_trainer_validate(heed_trainer *t)
{
    int64_t all = t->validation.count, some = t->translator->recipe.settings->validation_lines;
    if (all == 0)
        return HEED_OK;
    double exact;
    HEED_TRY(exact_match(t, some < all ? some : all, &exact));
    if (exact >= t->state.best) {
        t->state.best = exact;
        heed_keep_weights(t->model, t->best);
    }
    if (heed_trainer_finished(t)) {
        heed_swap_weights(t->model, t->best);
        heed_status status = exact_match(t, all, &exact);
        heed_swap_weights(t->model, t->best);
        HEED_TRY(status);
    }
    t->progress.validated = true;
    t->progress.validation_exact = exact;
    t->progress.validation_best = t->state.best;
    return HEED_OK;
}
