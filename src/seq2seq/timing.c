/* How long a training step takes, on random tokens. */
#include "seq2seq/recipe.h"

#include "base/clock.h"
#include "base/random.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int32_t *random_tokens(heed_zone *z, int64_t count, int32_t vocabulary, uint64_t stream)
{
    int32_t *ids = heed_zone_alloc(z, (size_t)count, sizeof *ids);
    heed_random r = {.seed = 1, .stream = stream};
    for (int64_t i = 0; i < count && ids != NULL; i++)
        ids[i] = HEED_SPECIALS + (int32_t)heed_random_below(&r, (uint32_t)(vocabulary - HEED_SPECIALS));
    return ids;
}

static heed_status time_steps(heed_zone *z, heed_model *m, const heed_train_load *l, heed_train_timing *out)
{
    heed_shape source = {2, {l->batch, l->source_length}}, target = {2, {l->batch, l->target_length}};
    heed_array inputs[] = {{HEED_INT32, source, random_tokens(z, heed_shape_count(&source), l->source_vocabulary, 1)},
                           {HEED_INT32, target, random_tokens(z, heed_shape_count(&target), l->target_vocabulary, 2)}};
    heed_array answer = {HEED_INT32, target, random_tokens(z, heed_shape_count(&target), l->target_vocabulary, 3)};
    double *seconds = heed_zone_alloc(z, (size_t)l->steps, sizeof *seconds);
    if (inputs[0].data == NULL || inputs[1].data == NULL || answer.data == NULL || seconds == NULL)
        return HEED_ENOMEM;
    heed_batch batch = {.inputs = inputs, .input_count = 2, .targets = &answer, .target_count = 1};
    for (int i = -2; i < l->steps; i++) {
        double start = heed_seconds();
        HEED_TRY(heed_train_on_batch(m, &batch, NULL));
        if (i >= 0)
            seconds[i] = heed_seconds() - start;
    }
    qsort(seconds, (size_t)l->steps, sizeof *seconds, ascending);
    *out = (heed_train_timing){heed_parameter_count(m, false), l->batch, seconds[0], seconds[l->steps / 2]};
    return HEED_OK;
}

heed_status heed_time_training(heed_context *c, const heed_train_load *load, heed_train_timing *out)
{
    heed_zone z;
    heed_zone_init(&z, c);
    heed_train_load l = *load;
    heed_recipe recipe;
    heed_model *m = NULL;
    heed_status status = heed_recipe_read(&z, l.recipe, l.settings, &recipe);
    if (status == HEED_OK) {
        l.batch = l.batch > 0 ? l.batch : recipe.settings->batch_size;
        l.source_length = l.source_length > 0 ? l.source_length : 16;
        l.target_length = l.target_length > 0 ? l.target_length : 11;
        l.source_vocabulary = l.source_vocabulary > 0 ? l.source_vocabulary : 1000;
        l.target_vocabulary = l.target_vocabulary > 0 ? l.target_vocabulary : 15;
        l.steps = l.steps > 0 ? l.steps : 20;
        if (l.source_vocabulary <= HEED_SPECIALS || l.target_vocabulary <= HEED_SPECIALS)
            status = heed_fail(c, HEED_EINVAL, "a vocabulary has more than its %d special tokens", HEED_SPECIALS);
    }
    if (status == HEED_OK)
        status = heed_recipe_build(c, &recipe, l.source_vocabulary, l.target_vocabulary, &m);
    if (status == HEED_OK)
        status = heed_recipe_begin(m, &recipe);
    if (status == HEED_OK)
        status = time_steps(&z, m, &l, out);
    heed_model_free(m);
    heed_zone_free(&z);
    return status;
}
