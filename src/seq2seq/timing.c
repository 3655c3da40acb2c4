/* How long training and decoding take, on random tokens. */
#include "base/clock.h"
#include "base/random.h"
#include "model/work.h"
#include "seq2seq/decode.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void settle(double *seconds, int steps, double *best, double *median)
{
    qsort(seconds, (size_t)steps, sizeof *seconds, ascending);
    *best = seconds[0];
    *median = seconds[steps / 2];
}

static int32_t *random_tokens(heed_zone *z, int64_t count, int32_t vocabulary, uint64_t stream)
{
    int32_t *ids = heed_zone_alloc(z, (size_t)count, sizeof *ids);
    heed_random r = {.seed = 1, .stream = stream};
    for (int64_t i = 0; i < count && ids != NULL; i++)
        ids[i] = HEED_SPECIALS + (int32_t)heed_random_below(&r, (uint32_t)(vocabulary - HEED_SPECIALS));
    return ids;
}

/* What is not the work of the graph is the optimizer's and the loop's: of the rest. */
static void tell_shares(const double *work, double seconds, heed_train_timing *out)
{
    out->products = work[HEED_WORK_PRODUCTS] / seconds;
    out->attention = work[HEED_WORK_ATTENTION] / seconds;
    out->recurrence = work[HEED_WORK_RECURRENCE] / seconds;
    out->output = work[HEED_WORK_OUTPUT] / seconds;
    out->rest = 1 - out->products - out->attention - out->recurrence - out->output;
}

static heed_status time_steps(heed_zone *z, heed_model *m, const heed_train_load *l, double label_smoothing,
                              heed_train_timing *out)
{
    heed_shape source = {2, {l->batch, l->source_length}}, target = {2, {l->batch, l->target_length}};
    heed_array inputs[] = {{HEED_INT32, source, random_tokens(z, heed_shape_count(&source), l->source_vocabulary, 1)},
                           {HEED_INT32, target, random_tokens(z, heed_shape_count(&target), l->target_vocabulary, 2)}};
    heed_array answer = {HEED_INT32, target, random_tokens(z, heed_shape_count(&target), l->target_vocabulary, 3)};
    double *seconds = heed_zone_alloc(z, (size_t)l->steps, sizeof *seconds);
    if (inputs[0].data == NULL || inputs[1].data == NULL || answer.data == NULL || seconds == NULL)
        return HEED_ENOMEM;
    heed_batch batch = {.inputs = inputs, .input_count = 2, .targets = &answer, .target_count = 1,
                        .label_smoothing = label_smoothing};
    double work[HEED_WORKS] = {0}, whole = 0;
    for (int i = -2; i < l->steps; i++) {
        heed_model_count_work(m, i < 0 ? NULL : work);
        double start = heed_seconds();
        HEED_TRY(heed_train_on_batch(m, &batch, NULL));
        if (i >= 0)
            whole += seconds[i] = heed_seconds() - start;
    }
    out->weights = heed_parameter_count(m, false);
    out->batch = l->batch;
    settle(seconds, l->steps, &out->best, &out->median);
    tell_shares(work, whole, out);
    return HEED_OK;
}

static int64_t or_else(int64_t given, int64_t standard) { return given > 0 ? given : standard; }

/* A recipe's model with weights drawn at random; the vocabularies' sizes are settled. */
static heed_status make_model(heed_context *c, const heed_recipe *r, int32_t *source, int32_t *target, heed_model **out)
{
    *source = (int32_t)or_else(*source, 1000);
    *target = r->settings->shared_vocabulary ? *source : (int32_t)or_else(*target, 15);
    if (*source <= HEED_SPECIALS || *target <= HEED_SPECIALS)
        return heed_fail(c, HEED_EINVAL, "a vocabulary has more than its %d special tokens", HEED_SPECIALS);
    HEED_TRY(heed_recipe_build(c, r, *source, *target, out));
    return heed_recipe_begin(*out, r);
}

heed_status heed_time_training(heed_context *c, const heed_train_load *load, heed_train_timing *out)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_train_load l = *load;
    heed_recipe recipe;
    heed_model *m = NULL;
    heed_status status = heed_recipe_read(&z, l.recipe, l.settings, &recipe);
    if (status == HEED_OK)
        status = make_model(c, &recipe, &l.source_vocabulary, &l.target_vocabulary, &m);
    if (status == HEED_OK) {
        l.batch = or_else(l.batch, recipe.settings->batch_size);
        l.source_length = or_else(l.source_length, 16);
        l.target_length = or_else(l.target_length, 11);
        l.steps = (int)or_else(l.steps, 20);
        status = time_steps(&z, m, &l, recipe.settings->label_smoothing, out);
    }
    heed_model_free(m);
    heed_zone_free(&z);
    return status;
}

/* ---- decoding */

static heed_status forget(void *user, const heed_sentence *s) { return HEED_OK; }

static heed_status time_batches(heed_zone *z, heed_translator *t, const heed_decode_load *l, heed_decode_timing *out)
{
    heed_decode_config config = {.beam = l->beam, .n_best = 1, .length_penalty = 1, .patience = 1, .no_weights = true,
                                 .batch_size = l->batch, .min_length = l->target_length,
                                 .max_length = l->target_length};
    int32_t *ids = random_tokens(z, (int64_t)l->batch * l->source_length, l->source_vocabulary, 1);
    heed_sentence *sentences = heed_zone_alloc(z, 2 * (size_t)l->batch, sizeof *sentences);
    double *seconds = heed_zone_alloc(z, (size_t)l->steps, sizeof *seconds);
    if (ids == NULL || sentences == NULL || seconds == NULL)
        return HEED_ENOMEM;
    for (int i = -1; i < l->steps; i++) {
        for (int k = 0; k < l->batch; k++)
            sentences[k] = (heed_sentence){.ids = ids + (int64_t)k * l->source_length, .length = l->source_length};
        double start = heed_seconds();
        HEED_TRY(heed_decode(t, sentences, l->batch, &config, forget, NULL));
        if (i >= 0)
            seconds[i] = heed_seconds() - start;
    }
    out->weights = heed_parameter_count(t->model, false);
    settle(seconds, l->steps, &out->best, &out->median);
    return HEED_OK;
}

heed_status heed_time_decoding(heed_context *c, const heed_decode_load *load, heed_decode_timing *out)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_decode_load l = *load;
    heed_recipe recipe;
    heed_model *m = NULL;
    heed_translator *t = NULL;
    heed_status status = heed_recipe_read(&z, l.recipe, l.settings, &recipe);
    if (status == HEED_OK)
        status = make_model(c, &recipe, &l.source_vocabulary, &l.target_vocabulary, &m);
    if (status == HEED_OK)
        status = heed_translator_wrap(c, m, false, &recipe, 0, NULL, NULL, &t);
    else
        heed_model_free(m);
    if (status == HEED_OK) {
        l.batch = (int)or_else(l.batch, 32);
        l.beam = (int)or_else(l.beam, 4);
        l.source_length = (int)or_else(l.source_length, 16);
        l.target_length = (int)or_else(l.target_length, 11);
        l.steps = (int)or_else(l.steps, 20);
        status = time_batches(&z, t, &l, out);
    }
    heed_translator_free(t);
    heed_zone_free(&z);
    return status;
}
